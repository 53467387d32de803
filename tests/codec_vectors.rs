//! Real and published messages of others: what they say they hold, and what must be refused.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use billswitch::iso8583::{Dialect, Message, Mirror, Writer, decode, shipped};
use bytes::BytesMut;

#[derive(serde::Deserialize)]
struct Vector {
    name: String,
    dialect: String,
    /// Bytes before the MTI.
    header_bytes: usize,
    expect: String,
    fields: BTreeMap<String, String>,
    hex: String,
}

fn vectors() -> Vec<Vector> {
    let lines = include_str!("../fixtures/codec/vectors.jsonl").lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn shown(dialect: &Dialect, field: u8, value: &[u8]) -> String {
    if dialect.is_binary(field) {
        hex::encode_upper(value)
    } else {
        String::from_utf8(value.to_vec()).unwrap()
    }
}

fn written_again(dialect: &Dialect, message: &Message<'_, '_>) -> BytesMut {
    let mut out = BytesMut::new();
    let mut writer = Writer::new(dialect, message.mti(), &mut out);
    for (field, value) in message.fields() {
        writer.put(field, value).unwrap();
    }
    writer.finish().unwrap();
    out
}

#[test]
fn the_worlds_messages_hold_what_their_sources_say_and_go_back_byte_for_byte() {
    let mut sound = 0;
    for vector in vectors().iter().filter(|vector| vector.expect == "ok") {
        let dialect = shipped::dialect(&vector.dialect).unwrap().unwrap();
        let frame = &hex::decode(&vector.hex).unwrap()[vector.header_bytes..];
        let mut mirror = Mirror::new();
        let decoded = decode(&dialect, frame, &mut mirror);
        assert_eq!(decoded.fault, None, "{}", vector.name);
        let mut got = BTreeMap::from([("0".to_owned(), decoded.message.mti().to_string())]);
        for (field, value) in decoded.message.fields() {
            got.insert(field.to_string(), shown(&dialect, field, value));
        }
        assert_eq!(got, vector.fields, "{}", vector.name);
        assert_eq!(&written_again(&dialect, &decoded.message)[..], frame, "{}", vector.name);
        sound += 1;
    }
    assert_eq!(sound, 10);
}

#[test]
fn what_others_refuse_or_should_is_refused() {
    let mut refused = 0;
    for vector in vectors().iter().filter(|vector| vector.expect == "error") {
        let dialect = shipped::dialect(&vector.dialect).unwrap().unwrap();
        let frame = &hex::decode(&vector.hex).unwrap()[vector.header_bytes..];
        let mut mirror = Mirror::new();
        let decoded = decode(&dialect, frame, &mut mirror);
        let fault = decoded.fault.unwrap_or_else(|| panic!("{} was taken", vector.name));
        assert!(fault.is_layout(), "{}: {fault}", vector.name);
        refused += 1;
    }
    assert_eq!(refused, 8);
}
