//! What holds for every message and for any bytes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::float_arithmetic,
    reason = "a test fails by panicking, and adds up what is small"
)]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use billswitch::iso8583::{
    CardData, Dialect, Message, Mirror, Mti, PathError, Writer, decode, from_json, mask_frame, shipped,
    to_json,
};
use bytes::BytesMut;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// A message as its fields' values on the wire.
type Fields = BTreeMap<u8, Vec<u8>>;

/// All but the one that asks for fields that a message of any fields may not have.
static DIALECTS: LazyLock<Vec<Dialect>> = LazyLock::new(|| {
    let names = shipped::DIALECTS.iter().map(|(name, _)| *name).filter(|name| *name != "ebipp");
    names.map(|name| shipped::dialect(name).unwrap().unwrap()).collect()
});

/// Whether [`value`] can make one up: nothing is inside, or parts of characters, or elements as `onelink` has them.
fn is_simple(dialect: &Dialect, field: u8) -> bool {
    if (dialect.name(), field) == ("visa-base1-style", 61) {
        // Its length counts bytes, so that an odd number of digits becomes an even one.
        return false;
    }
    match dialect.path(&format!("{field}.-")) {
        Err(PathError::NoInside { .. }) => true,
        // Of a field with a length, parts may be missing, but those that are there are whole.
        Err(PathError::NoSuchPart { .. }) => {
            !dialect.is_binary(field) && !dialect.field_type(field).unwrap().contains('.')
        }
        Err(PathError::TagWidth { .. }) => dialect.name() == "onelink",
        Ok(_) | Err(PathError::Malformed | PathError::Undefined { .. } | PathError::NotBer { .. }) => false,
    }
}

/// Whether this value can be written.
fn takes(dialect: &Dialect, field: u8, value: &[u8]) -> bool {
    Writer::new(dialect, Mti::new(b"0200").unwrap(), &mut BytesMut::new()).put(field, value).is_ok()
}

/// Characters of a type, from its notation alone: the loader's own tables are under test.
fn alphabet(dialect: &Dialect, field: u8) -> Vec<u8> {
    let class = dialect.field_type(field).unwrap().split([' ', '.']).next().unwrap();
    let printable = b' '..=b'~';
    match class {
        _ if dialect.is_binary(field) => (0..=255).collect(),
        "b" => b"0123456789ABCDEF".to_vec(),
        "n" | "x+n" => (b'0'..=b'9').collect(),
        "an" => printable.filter(|byte| byte.is_ascii_alphanumeric() || *byte == b' ').collect(),
        // Packed, a track has digits and one separator.
        "z" if !takes(dialect, field, b";") => b"0123456789D".to_vec(),
        "z" => (b'0'..=b'?').chain([b'D']).collect(),
        _ => printable.collect(),
    }
}

/// One value of a field: all of its width where that is fixed.
fn value(dialect: &Dialect, field: u8) -> BoxedStrategy<Vec<u8>> {
    let max = usize::from(dialect.field_max(field).unwrap());
    let notation = dialect.field_type(field).unwrap().to_owned();
    if dialect.is_tlv(field) {
        let element = ("[A-Z][A-Z0-9]", "[ -~]{0,30}");
        return prop::collection::vec(element, 0..8)
            .prop_map(|elements| {
                let text = elements.iter().map(|(tag, value)| format!("{tag}{:03}{value}", value.len()));
                text.collect::<String>().into_bytes()
            })
            .boxed();
    }
    // So that thirty of them fit a frame.
    let len = if notation.contains('.') { 0..=max.min(999) } else { max..=max };
    let bytes = prop::collection::vec(select(alphabet(dialect, field)), len);
    if notation.starts_with("x+n") {
        let sign = select(vec![b'C', b'D']);
        return (sign, bytes)
            .prop_map(|(sign, mut bytes)| {
                bytes[0] = sign;
                bytes
            })
            .boxed();
    }
    bytes.boxed()
}

fn message(dialect: Dialect) -> impl Strategy<Value = (Dialect, String, Fields)> {
    let numbers: Vec<u8> = dialect.fields().filter(|field| is_simple(&dialect, *field)).collect();
    let some = subsequence(numbers, 0..30);
    ("0[1-8][0-4][0-5]", some).prop_flat_map(move |(mti, numbers)| {
        let values: Vec<_> = numbers.iter().map(|field| value(&dialect, *field)).collect();
        let fields = values.prop_map(move |values| numbers.iter().copied().zip(values).collect());
        (Just(dialect.clone()), Just(mti), fields)
    })
}

fn any_message() -> impl Strategy<Value = (Dialect, String, Fields)> {
    select(DIALECTS.clone()).prop_flat_map(message)
}

fn encoded(dialect: &Dialect, mti: &str, fields: &Fields) -> BytesMut {
    let mut out = BytesMut::new();
    let mut writer = Writer::new(dialect, mti.parse::<Mti>().unwrap(), &mut out);
    for (field, value) in fields {
        writer.put(*field, value).unwrap();
    }
    writer.finish().unwrap();
    out
}

/// Everything one can ask of a message, so that nothing of it may panic.
fn ask_everything(dialect: &Dialect, frame: &[u8]) {
    let mut mirror = Mirror::new();
    let decoded = decode(dialect, frame, &mut mirror);
    let mut fields = 0;
    for (field, value) in decoded.message.fields() {
        let start = decoded.message.offset(field).unwrap();
        let wire = decoded.message.wire(field).unwrap();
        assert_eq!(frame.get(start..start + wire.len()), Some(wire));
        for (tag, inside) in decoded.message.elements(field) {
            assert!(tag.len() + inside.len() <= value.len());
        }
        fields += 1;
    }
    if let Some(fault) = decoded.fault {
        assert!(fault.offset <= frame.len(), "{fault}");
    } else {
        let again = resent(dialect, &decoded.message);
        // Hex bitmaps in small letters and empty secondary bitmaps are taken, but not sent.
        let mut mirror = Mirror::new();
        let back = decode(dialect, &again, &mut mirror);
        assert_eq!((back.fault, back.message.fields().count()), (None, fields));
    }
    let mut masked = frame.to_vec();
    mask_frame(dialect, &mut masked);
    assert_eq!(masked.len(), frame.len());
    assert!(to_json(&decoded, true).is_object());
}

fn resent(dialect: &Dialect, message: &Message<'_, '_>) -> BytesMut {
    let fields = message.fields().map(|(field, value)| (field, value.to_vec())).collect();
    encoded(dialect, message.mti().as_str(), &fields)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_encoded_decodes_to_the_same((dialect, mti, fields) in any_message()) {
        let frame = encoded(&dialect, &mti, &fields);
        let mut mirror = Mirror::new();
        let decoded = decode(&dialect, &frame, &mut mirror);
        prop_assert_eq!(decoded.fault, None);
        prop_assert_eq!(decoded.message.mti().to_string(), mti);
        let got: Fields = decoded.message.fields().map(|(field, value)| (field, value.to_vec())).collect();
        prop_assert_eq!(&got, &fields);
        prop_assert_eq!(resent(&dialect, &decoded.message), frame);
    }

    #[test]
    fn json_brings_back_the_same_bytes((dialect, mti, fields) in any_message()) {
        let frame = encoded(&dialect, &mti, &fields);
        let mut out = BytesMut::new();
        let mut mirror = Mirror::new();
        from_json(&dialect, &to_json(&decode(&dialect, &frame, &mut mirror), false), &mut out).unwrap();
        prop_assert_eq!(out, frame);
    }

    #[test]
    fn a_masked_message_keeps_its_fields_and_loses_its_secrets((dialect, mti, fields) in any_message()) {
        let mut frame = encoded(&dialect, &mti, &fields);
        mask_frame(&dialect, &mut frame);
        let mut mirror = Mirror::new();
        let decoded = decode(&dialect, &frame, &mut mirror);
        prop_assert_eq!(decoded.fault, None);
        let numbers: Vec<u8> = decoded.message.fields().map(|(field, _)| field).collect();
        prop_assert_eq!(numbers, fields.keys().copied().collect::<Vec<_>>());
        for (field, value) in decoded.message.fields() {
            match dialect.card_data(field) {
                CardData::Never => prop_assert!(value.iter().all(|byte| matches!(byte, 0 | b'0' | b'*' | b'X'))),
                CardData::Pan => prop_assert!(value.iter().filter(|byte| **byte != b'0').count() <= 10),
                CardData::None => prop_assert_eq!(value.len(), fields[&field].len()),
            }
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        for dialect in DIALECTS.iter() {
            ask_everything(dialect, &bytes);
        }
    }

    #[test]
    fn any_bytes_under_any_bitmap_are_survived(
        bitmaps in any::<[[u8; 8]; 2]>(),
        thin in any::<[[u8; 8]; 2]>(),
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), b'0'..=b'9'], 0..600),
    ) {
        for dialect in DIALECTS.iter() {
            let mut frame = b"0200".to_vec();
            for (word, thin) in bitmaps.iter().zip(&thin) {
                let word: Vec<u8> = word.iter().zip(thin).map(|(byte, thin)| byte & thin).collect();
                let hex = dialect.name() == "iso87-ascii";
                frame.extend(if hex { hex::encode(word).into_bytes() } else { word });
            }
            frame.extend_from_slice(&bytes);
            ask_everything(dialect, &frame);
        }
    }

    #[test]
    fn a_cut_message_is_refused_and_keeps_what_came_before((dialect, mti, fields) in any_message(), cut in 0.0..1.0_f64) {
        let frame = encoded(&dialect, &mti, &fields);
        let cut = (frame.len() as f64 * cut) as usize;
        let mut mirror = Mirror::new();
        let decoded = decode(&dialect, &frame[..cut], &mut mirror);
        prop_assert!(decoded.fault.unwrap().is_layout());
        for (field, value) in decoded.message.fields() {
            prop_assert_eq!(Some(value), fields.get(&field).map(Vec::as_slice));
        }
        ask_everything(&dialect, &frame[..cut]);
    }

    #[test]
    fn a_longer_message_is_refused((dialect, mti, fields) in any_message(), more in prop::collection::vec(any::<u8>(), 1..9)) {
        let mut frame = encoded(&dialect, &mti, &fields);
        frame.extend_from_slice(&more);
        let mut mirror = Mirror::new();
        prop_assert!(decode(&dialect, &frame, &mut mirror).fault.unwrap().is_layout());
    }

    #[test]
    fn a_spoilt_message_is_survived(
        (dialect, mti, fields) in any_message(),
        spoils in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut frame = encoded(&dialect, &mti, &fields);
        for (at, byte) in spoils {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        ask_everything(&dialect, &frame);
    }
}
