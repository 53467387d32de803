//! What is done with bytes of anybody's, one function for each way into the codec. The tests here run them over mutations
//! of a corpus, the targets of cargo-fuzz (`fuzz/`) over what libFuzzer thinks of.

use std::sync::OnceLock;

use billswitch::iso8583::{
    Dialect, Framing, Mirror, Mti, Writer, decode, from_json, mask_frame, shipped, to_json,
};
use bytes::BytesMut;

use crate::ask;

/// The longest frame that a link takes here.
const FRAME_MAX: usize = 4096;

/// The shipped dialects, loaded once.
pub(crate) fn dialects() -> &'static [Dialect] {
    static DIALECTS: OnceLock<Vec<Dialect>> = OnceLock::new();
    DIALECTS.get_or_init(|| {
        shipped::DIALECTS.iter().map(|(name, _)| shipped::dialect(name).unwrap().unwrap()).collect()
    })
}

/// One of some things by the first byte, and the rest.
fn chosen<'t, 'd, T>(of: &'t [T], data: &'d [u8]) -> Option<(&'t T, &'d [u8])> {
    let (first, rest) = data.split_first()?;
    Some((of.get(usize::from(*first) % of.len())?, rest))
}

/// A frame of one of the shipped dialects: a byte that says which, and the frame.
pub(crate) fn decode_shipped(data: &[u8]) {
    let Some((dialect, frame)) = chosen(dialects(), data) else { return };
    ask::everything(dialect, frame);
}

/// A frame of any dialect: its file, a zero, and the frame.
pub(crate) fn decode_any(data: &[u8]) {
    let mut halves = data.splitn(2, |byte| *byte == 0);
    let (Some(text), Some(frame)) = (halves.next(), halves.next()) else { return };
    if let Some(dialect) = loaded(&String::from_utf8_lossy(text)) {
        ask::everything(&dialect, frame);
    }
}

/// A dialect's file.
pub(crate) fn load(data: &[u8]) {
    let Some(dialect) = loaded(&String::from_utf8_lossy(data)) else { return };
    assert!(!dialect.name().is_empty());
    for field in dialect.fields() {
        assert!(dialect.field_name(field).is_some() && dialect.field_type(field).is_some());
        let _ = (dialect.card_data(field), dialect.is_tlv(field), dialect.is_binary(field));
        assert_eq!(dialect.path(&field.to_string()).map(|path| path.field()), Ok(field));
        for inside in ["1", "9F26", "stan", "70.9F26", "25.3", "header", "CN", "."] {
            let _ = dialect.path(&format!("{field}.{inside}"));
        }
    }
    ask::everything(&dialect, b"0200\xff\xff\xff\xff\xff\xff\xff\xff0000000000000000000000000000");
}

fn loaded(text: &str) -> Option<Dialect> {
    let base = |name: &str| shipped::dialect_text(name).map(str::to_owned);
    match Dialect::parse("fuzzed.toml", text, &base) {
        Ok(dialect) => Some(dialect),
        Err(error) => {
            assert!(error.line >= 1 && !error.to_string().is_empty());
            None
        }
    }
}

/// What comes over a connection: a byte that says in which framing, one for the pieces it comes in, and the rest.
pub(crate) fn framing(data: &[u8]) {
    let mut all = Framing::COMMON.to_vec();
    all.extend([Framing::NONE, Framing::parse("end 0A").unwrap()]);
    let Some((framing, rest)) = chosen(&all, data) else { return };
    let Some((step, bytes)) = rest.split_first() else { return };
    assert_eq!(Framing::parse(&framing.to_string()), Ok(*framing));
    let (mut at, mut whole) = (0, Vec::new());
    let end = loop {
        match framing.next(&bytes[at..], FRAME_MAX) {
            Ok(Some(frame)) => {
                assert!(
                    frame.start < frame.end
                        && frame.end <= frame.consumed
                        && frame.consumed <= bytes.len() - at
                );
                whole.push(&bytes[at + frame.start..at + frame.end]);
                at += frame.consumed;
            }
            Ok(None) => break Ok(()),
            Err(fault) => break Err(fault),
        }
    };
    for message in &whole {
        let mut out = BytesMut::from(&b"before"[..]);
        framing.put(message, &mut out).unwrap();
        let back = framing.next(&out[6..], FRAME_MAX).unwrap().unwrap();
        assert_eq!(&&out[6 + back.start..6 + back.end], message);
    }
    if *framing != Framing::NONE {
        assert_eq!(in_pieces(*framing, bytes, usize::from(*step) + 1), (whole, end));
    }
    // Whatever cannot be sent leaves no trace.
    let mut out = BytesMut::from(&b"before"[..]);
    if framing.put(bytes, &mut out).is_err() {
        assert_eq!(&out[..], b"before");
    }
}

type Split<'b> = (Vec<&'b [u8]>, Result<(), billswitch::iso8583::FramingFault>);

/// The frames of bytes that come so many at a time.
fn in_pieces(framing: Framing, bytes: &[u8], step: usize) -> Split<'_> {
    let (mut at, mut have, mut scanned, mut whole) = (0, 0, 0, Vec::new());
    loop {
        match framing.resume(&bytes[at..have], &mut scanned, FRAME_MAX) {
            Ok(Some(frame)) => {
                whole.push(&bytes[at + frame.start..at + frame.end]);
                at += frame.consumed;
                scanned = 0;
            }
            Ok(None) if have == bytes.len() => return (whole, Ok(())),
            Ok(None) => have = bytes.len().min(have + step),
            Err(fault) => return (whole, Err(fault)),
        }
    }
}

/// A message as JSON: a byte that says for which dialect, and the text.
pub(crate) fn json(data: &[u8]) {
    let Some((dialect, text)) = chosen(dialects(), data) else { return };
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(text) else { return };
    let mut out = BytesMut::from(&b"before"[..]);
    match from_json(dialect, &json, &mut out) {
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert_eq!(&out[..], b"before");
        }
        Ok(()) => {
            let frame = &out[6..];
            let mut mirror = Mirror::new();
            let decoded = decode(dialect, frame, &mut mirror);
            assert_eq!(decoded.fault, None, "what was written is read");
            let mut again = BytesMut::new();
            from_json(dialect, &to_json(&decoded, false), &mut again).unwrap();
            assert_eq!(&again[..], frame);
            ask::everything(dialect, frame);
        }
    }
}

/// A frame to be masked: a byte that says for which dialect, and the frame.
pub(crate) fn mask(data: &[u8]) {
    let Some((dialect, frame)) = chosen(dialects(), data) else { return };
    let mut masked = frame.to_vec();
    mask_frame(dialect, &mut masked);
    assert_eq!(masked.len(), frame.len());
    let (mut first, mut second) = (Mirror::new(), Mirror::new());
    let (before, after) = (decode(dialect, frame, &mut first), decode(dialect, &masked, &mut second));
    if !before.layout_lost {
        assert!(!after.layout_lost);
        let lengths = |decoded: &billswitch::iso8583::Decoded<'_, '_>| {
            decoded.message.fields().map(|(field, value)| (field, value.len())).collect::<Vec<_>>()
        };
        if before.fault.is_none() {
            assert_eq!(after.fault, None);
            assert_eq!(lengths(&after), lengths(&before));
        }
    }
    for field in [2, 35, 45] {
        let Some(value) = before.message.field(field) else { continue };
        let pan: Vec<u8> = value.iter().copied().take_while(u8::is_ascii_digit).collect();
        let middle = pan.len().checked_sub(4).and_then(|end| pan.get(6..end)).unwrap_or_default();
        let sound = (13..=19).contains(&pan.len()) && luhn(&pan) && middle.iter().any(|digit| *digit != b'0');
        if sound {
            // By field: a number may come about where one ends and another begins.
            for (other, value) in after.message.fields() {
                let shown = value.windows(pan.len()).any(|window| window == pan);
                assert!(!shown, "the number of DE {field} stands in DE {other}");
            }
        }
    }
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match u32::from(digit - b'0') * (1 + u32::from(at % 2 == 1)) {
            more @ 10.. => more - 9,
            digit => digit,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// What stands before an MTI: the records of the file, a zero, and the frame.
pub(crate) fn headers(data: &[u8]) {
    let mut halves = data.splitn(2, |byte| *byte == 0);
    let (Some(records), Some(frame)) = (halves.next(), halves.next()) else { return };
    let Ok(records) = std::str::from_utf8(records) else { return };
    let text = format!(
        "name = \"headed\"\nheader = [{records}]\nmti = \"ascii\"\nbitmap = \"binary\"\nbinary = \"raw\"\n[fields]\n\
         11 = {{ name = \"trace\", type = \"n 6\" }}\n"
    );
    let Some(dialect) = loaded(&text) else { return };
    ask::everything(&dialect, frame);
    let mut mirror = Mirror::new();
    let decoded = decode(&dialect, frame, &mut mirror);
    if decoded.message.mti() == Mti::UNREADABLE {
        return;
    }
    // An answer has a header of the same length, and the answer to that has the first one's.
    let asked = decoded.message.header();
    let answer = answered(&dialect, asked);
    let mut mirror = Mirror::new();
    let answer = decode(&dialect, &answer, &mut mirror);
    assert_eq!((answer.fault, answer.message.header().len()), (None, asked.len()));
    let again = answered(&dialect, answer.message.header());
    assert_eq!(again.get(..asked.len()), Some(asked));
}

fn answered(dialect: &Dialect, header: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    let mut writer = Writer::answering(dialect, "0810".parse().unwrap(), header, &mut out);
    writer.put(11, b"1").unwrap();
    writer.finish().unwrap();
    out
}
