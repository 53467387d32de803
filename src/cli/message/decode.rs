//! `billswitch decode`: a message field by field.

use std::fmt::Write as _;
use std::ops::Range;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::culprit::Detective;
use super::doubt::Doubt;
use super::dump::dump;
use super::{Found, MessageToolError, Place, REFUSED, ReadArgs, print, show, unframed};
use crate::config::Specs;
use crate::iso8583::{self, DecodeError, Decoded, Dialect, Mirror, Reason};

/// Text printed at once.
const PRINTED_BYTES: usize = 1 << 16;
/// Refused messages whose cause is looked for: the others will have the same.
const EXPLAINED_MAX: usize = 20;
/// Longest value that cannot hold a card number, packed or not.
const SHORT_BYTES: usize = 6;
/// Most bytes of bitmaps.
const BITMAPS_BYTES_MAX: usize = 32;
/// Most bytes shown of a length that is at fault: as much as may be shown of a card number's end.
const LENGTH_BYTES_MAX: usize = 4;
/// Bytes shown behind a message type: there stands a bitmap, whatever the dialect.
const BITMAP_BYTES: usize = 8;

/// What `decode` is told.
#[derive(Args, Clone, Debug)]
#[command(
    about = "Show ISO 8583 messages field by field",
    long_about = "Shows ISO 8583 messages field by field, with everything inside of fields: offset, length, type, name, value, \
        and what a known value means.\n\n\
        A message is hex, base64 or bare bytes, with or without what frames it; a packet capture, and a log with hex or hex \
        dumps in it, may hold many. Of one that is refused all is shown that decoded before, then what is wrong, the bytes \
        around it, and the likeliest cause. Card data is masked unless --unmasked is given; use that on test data only.",
    after_long_help = "Examples:\n  \
        billswitch decode 30383030823800000000000004000000000000003131323030393030303030303338303630393030303031313230303031\n  \
        billswitch decode --dialect iso87-ascii message.hex\n  \
        xxd -p message.bin | billswitch decode --json - | jq .fields\n  \
        billswitch decode --port 8583 morning.pcap\n  \
        grep 'to the bank' switch.log | billswitch decode -\n\n\
        What the input is, is found out; --input says it where that goes wrong. Hex may have blanks, colons, commas and \
        0x in it; lines are one message, or one each, whichever makes sense, and a blank line ends one. Of several \
        messages each begins with a line that says where it was found; with --json each is a line of its own, with \
        that as \"at\".\n\n\
        Exit code: 0 if every message is sound, 2 if one is refused (what decoded is shown first, then the fault), \
        1 if there was nothing to decode."
)]
pub struct DecodeArgs {
    /// How to read.
    #[command(flatten)]
    pub read: ReadArgs,
    /// A message, the path of a file with messages, or - for standard input
    #[arg(value_name = "HEX|BASE64|FILE|-")]
    pub input: String,
}

/// Decodes messages and prints them.
///
/// # Errors
///
/// [`MessageToolError`] if there is no message to decode. A message that is refused is no error here: it is
/// shown, and the exit code is 2.
pub fn decode(args: &DecodeArgs, dialect: &Dialect) -> Result<ExitCode, MessageToolError> {
    let found = args.read.from.read(&args.input, dialect)?;
    let many = found.len() > 1;
    let mut refused = 0_usize;
    let mut mirror = Mirror::new();
    let mut text = String::new();
    let specs = Specs::new(args.read.from.with.specs.clone());
    let mut detective = Detective::new(&specs);
    let masked = !args.read.unmasked;
    for Found { bytes, place } in &found {
        let unframed = unframed(dialect, bytes);
        let decoded = iso8583::decode(dialect, unframed.message, &mut mirror);
        refused = refused.saturating_add(usize::from(decoded.fault.is_some()));
        if args.read.json {
            let json = json(&decoded, masked, many.then_some(place));
            let _ = if many { writeln!(text, "{json}") } else { writeln!(text, "{json:#}") };
        } else {
            if many {
                let _ = writeln!(text, "── {place}");
            }
            text.push_str(&show::message(&decoded, &unframed, masked));
            if let Some(fault) = decoded.fault {
                let detective = (refused <= EXPLAINED_MAX).then_some(&mut detective);
                write_fault(&mut text, &decoded, fault, masked, detective);
            }
            if many {
                text.push('\n');
            }
        }
        if text.len() > PRINTED_BYTES {
            print(&text)?;
            text.clear();
        }
    }
    if many && !args.read.json {
        let _ = writeln!(text, "{} messages, {refused} refused", found.len());
    }
    print(&text)?;
    Ok(if refused > 0 { ExitCode::from(REFUSED) } else { ExitCode::SUCCESS })
}

/// The message as JSON, with where it was found if there are many: one alone stays as `encode` takes it.
fn json(decoded: &Decoded<'_, '_>, masked: bool, place: Option<&Place>) -> Value {
    let mut json = iso8583::to_json(decoded, masked);
    let doubt = if masked { Doubt::of(decoded) } else { None };
    if let (Some(doubt), Some(fields)) = (doubt, json.get_mut("fields")) {
        doubt.fields(decoded, fields);
    }
    if let (Some(whole), Some(place)) = (json.as_object_mut(), place) {
        whole.insert("at".to_owned(), Value::from(place.to_string()));
    }
    json
}

/// What is wrong and where, the bytes around it with those marked that it is about, and what is likely the cause.
fn write_fault(
    text: &mut String,
    decoded: &Decoded<'_, '_>,
    fault: DecodeError,
    masked: bool,
    detective: Option<&mut Detective<'_>>,
) {
    let dialect = decoded.message.dialect();
    let name = match fault.field {
        0 => "the message",
        1 => "bitmap",
        field => dialect.field_name(field).unwrap_or("not in this dialect"),
    };
    let _ = writeln!(text, "\nrefused: {fault} ({name})");
    if let Some(marked) = marked(decoded, fault) {
        let frame = if masked { veil(decoded, &marked, fault) } else { decoded.message.frame().to_vec() };
        text.push_str(&dump(&frame, &marked));
        if masked {
            text.push_str("  (card data, and what follows a lost layout, are masked)\n");
        }
    }
    if let Some(detective) = detective {
        let _ = writeln!(text, "likely: {}", detective.culprit(decoded, fault));
    }
}

/// The bytes that a fault is about; none of what is about the message as a whole.
fn marked(decoded: &Decoded<'_, '_>, fault: DecodeError) -> Option<Range<usize>> {
    let dialect = decoded.message.dialect();
    let prefix = dialect.prefix_bytes(fault.field);
    let count = match fault.reason {
        // The length that says too much belongs to it, unless it is what is cut off.
        Reason::Truncated { need, have } if need != prefix => {
            let from = fault.offset.saturating_sub(prefix);
            return Some(from..from.saturating_add(prefix).saturating_add(have.max(1)));
        }
        Reason::Missing | Reason::Forbidden | Reason::FrameTooLong { .. } => return None,
        Reason::BadMti => dialect.mti_bytes(),
        Reason::BadBitmap => dialect.bitmap_bytes(),
        Reason::BadLength | Reason::TooLong { .. } => prefix,
        Reason::Truncated { have, .. } => have,
        Reason::TrailingBytes { count } => count,
        Reason::BadHeader
        | Reason::Undefined
        | Reason::Character { .. }
        | Reason::BadElement
        | Reason::BadFilling => 1,
    };
    Some(fault.offset..fault.offset.saturating_add(count.max(1)))
}

/// The frame without card data and what may be some. Of a lost layout the length or bitmap stays that is at fault: without
/// it nobody sees what is wrong, and no more than its few bytes are told.
fn veil(decoded: &Decoded<'_, '_>, marked: &Range<usize>, fault: DecodeError) -> Vec<u8> {
    let message = &decoded.message;
    let (frame, dialect) = (message.frame(), message.dialect());
    let mut veiled = frame.to_vec();
    iso8583::mask_frame(dialect, &mut veiled);
    if !decoded.layout_lost {
        return veiled;
    }
    if let Some(doubt) = Doubt::of(decoded) {
        doubt.hide(&mut veiled);
        // Digits stand closely here, so nothing but short fields is sure to hold no card number.
        let head = message.header().len().saturating_add(dialect.mti_bytes());
        let first = message.fields().filter_map(|(field, _)| message.offset(field)).min();
        let bitmaps = first.unwrap_or(head).max(head);
        let start = 0..bitmaps.min(head.saturating_add(BITMAPS_BYTES_MAX));
        let mut kept: Vec<Range<usize>> = std::iter::once(start).collect();
        for (field, _) in message.fields() {
            let (Some(at), Some(wire)) = (message.offset(field), message.wire(field)) else { continue };
            let from = at.saturating_sub(dialect.prefix_bytes(field));
            let value = if wire.len() <= SHORT_BYTES { wire.len() } else { 0 };
            kept.push(from..at.saturating_add(value));
        }
        for (at, byte) in veiled.iter_mut().enumerate() {
            if !kept.iter().any(|range| range.contains(&at)) {
                *byte = b'*';
            }
        }
    }
    let revealed = match fault.reason {
        Reason::BadLength | Reason::TooLong { .. } | Reason::BadMti | Reason::BadHeader => LENGTH_BYTES_MAX,
        Reason::BadBitmap => BITMAP_BYTES,
        Reason::Truncated { .. } => fault.offset.saturating_sub(marked.start).min(LENGTH_BYTES_MAX),
        Reason::FrameTooLong { .. }
        | Reason::Undefined
        | Reason::TrailingBytes { .. }
        | Reason::Character { .. }
        | Reason::BadElement
        | Reason::BadFilling
        | Reason::Missing
        | Reason::Forbidden => 0,
    };
    let end = marked.start.saturating_add(revealed).min(marked.end);
    if let (Some(to), Some(from)) = (veiled.get_mut(marked.start..end), frame.get(marked.start..end)) {
        to.copy_from_slice(from);
    }
    veiled
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::iso8583::shipped;

    fn dialect(name: &str) -> Dialect {
        shipped::dialect(name).unwrap().unwrap()
    }

    fn frame(json: &str) -> BytesMut {
        let mut out = BytesMut::new();
        iso8583::from_json(&dialect("onelink"), &serde_json::from_str(json).unwrap(), &mut out).unwrap();
        out
    }

    const PAYMENT: &str = r#"{"mti": "0420", "fields": {"2": "4242424242424242", "4": "120000",
        "48": {"BI": "KPEXCISE", "CN": "01"}, "64": "01020304050607FF",
        "90": {"mti": "0200", "stan": "004707", "transmitted_at": "1120090009", "local_at": "1120090009"}}}"#;

    /// A fault as it is told, without its likely cause.
    fn fault(frame: &[u8], masked: bool) -> String {
        let onelink = dialect("onelink");
        let mut mirror = Mirror::new();
        let decoded = iso8583::decode(&onelink, frame, &mut mirror);
        let mut text = String::new();
        write_fault(&mut text, &decoded, decoded.fault.unwrap(), masked, None);
        text
    }

    #[test]
    fn a_fault_is_told_with_the_bytes_around_it() {
        let mut frame = frame(PAYMENT);
        frame[41] = b'O';
        let want = "
refused: DE 4 at byte 41: not of the character class n (amount, transaction)
    byte    0  1  2  3  4  5  6  7   8  9 10 11 12 13 14 15
      16   00 00 00 00 31 36 34 32  34 32 34 32 30 30 30 30   ....164242420000
      32   30 30 34 32 34 32 30 30  30 4F 30 30 31 32 30 30   004242000O001200
                                       ^^                              ^
      48   30 30 30 32 30 42 49 30  30 38 4B 50 45 58 43 49   00020BI008KPEXCI
  (card data, and what follows a lost layout, are masked)
";
        assert_eq!(fault(&frame, true), want);
        assert!(fault(&frame, false).contains("164242424242"), "unmasked");
    }

    #[test]
    fn of_a_lost_layout_the_length_is_shown_and_nothing_behind_it() {
        let mut frame = frame(PAYMENT);
        frame[51] = b'9';
        let shown = fault(&frame, true);
        assert!(shown.contains(" 30 39 30 2A 2A 2A"), "{shown}");
        assert!(!shown.contains("KPEXCI"), "{shown}");
    }

    #[test]
    fn the_example_of_the_help_works() {
        let help = |command: clap::Command| command.get_after_long_help().unwrap().to_string();
        let onelink = dialect("onelink");
        let text = help(DecodeArgs::augment_args(clap::Command::new("decode")));
        let hex = text.split_whitespace().find(|word| word.len() > 80).unwrap();
        let frame = hex::decode(hex).unwrap();
        assert_eq!(iso8583::decode(&onelink, &frame, &mut Mirror::new()).fault, None);
    }
}
