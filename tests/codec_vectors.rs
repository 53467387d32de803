//! Real and published messages of others: what they say they hold, and what must be refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking, and adds up what is small"
)]

#[path = "support/reference.rs"]
mod reference;

use std::collections::BTreeMap;

use billswitch::iso8583::{Decoded, Dialect, Message, Mirror, Writer, decode, from_json, shipped, to_json};
use bytes::BytesMut;
use serde_json::Value;

#[derive(serde::Deserialize)]
struct Vector {
    name: String,
    /// In the notation of `dialects.json`.
    dialect: String,
    /// Bytes before the MTI: what frames it, and headers.
    header_bytes: usize,
    expect: String,
    #[serde(default)]
    fields: BTreeMap<String, String>,
    /// What is inside of fields: by path, or by field and tag.
    #[serde(default)]
    nested: BTreeMap<String, Value>,
    hex: String,
}

impl Vector {
    fn is_sound(&self) -> bool {
        self.expect == "ok"
    }

    /// The bytes with so many of those before the MTI.
    fn frame(&self, header: usize) -> Vec<u8> {
        hex::decode(&self.hex).unwrap().split_off(self.header_bytes - header)
    }
}

fn vectors() -> Vec<Vector> {
    let lines = include_str!("../fixtures/codec/vectors.jsonl").lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The text of each dialect of the fixture, turned into a dialect file.
fn reference_texts() -> BTreeMap<String, String> {
    let all: BTreeMap<String, Value> =
        serde_json::from_str(include_str!("../fixtures/codec/dialects.json")).unwrap();
    all.iter().map(|(name, dialect)| (name.clone(), reference::to_toml(name, dialect))).collect()
}

fn parsed(name: &str, text: &str, bases: &BTreeMap<String, String>) -> Dialect {
    Dialect::parse(name, text, &|base| bases.get(base).cloned()).unwrap_or_else(|error| panic!("{error}"))
}

/// As the fixture writes it: bytes as hex, characters of Latin-1 as themselves.
fn shown(binary: bool, value: &[u8]) -> String {
    if binary { hex::encode_upper(value) } else { value.iter().map(|byte| char::from(*byte)).collect() }
}

fn fields_of(message: &Message<'_, '_>) -> BTreeMap<String, String> {
    let dialect = message.dialect();
    let mut fields: BTreeMap<_, _> = message
        .fields()
        .map(|(field, value)| (field.to_string(), shown(dialect.is_binary(field), value)))
        .collect();
    fields.insert("0".to_owned(), message.mti().to_string());
    fields
}

/// The message put together from its values, without what stands before the MTI.
fn written_again(message: &Message<'_, '_>, but: Option<u8>) -> Vec<u8> {
    let mut out = BytesMut::new();
    let mut writer = Writer::answering(message.dialect(), message.mti(), message.header(), &mut out);
    for (field, value) in message.fields().filter(|(field, _)| Some(*field) != but) {
        writer.put(field, value).unwrap_or_else(|error| panic!("{error}"));
    }
    writer.finish().unwrap();
    out[message.header().len()..].to_vec()
}

/// Vectors that hold what no class of characters allows: bytes under a text's name.
const BYTES_AS_TEXT: &[(&str, u8)] = &[("ralvescosta-0800", 63)];

/// Vectors that cannot go back byte for byte, and why.
const NOT_CANONICAL: &[(&str, &str)] =
    &[("mc-ipm-1144-ascii-hexbm", "its bitmap is in lower case, and ours is written in upper case")];

#[test]
fn the_worlds_messages_hold_what_their_sources_say_and_go_back_byte_for_byte() {
    let texts = reference_texts();
    let mut mirror = Mirror::new();
    let (mut sound, mut not_canonical) = (0, 0);
    for vector in vectors().iter().filter(|vector| vector.is_sound()) {
        let mut dialect = parsed(&vector.dialect, &texts[&vector.dialect], &texts);
        if let Some((_, field)) = BYTES_AS_TEXT.iter().find(|(name, _)| *name == vector.name) {
            let text = format!(
                "name = \"bytes\"\nextends = {:?}\n[fields]\n{field} = {{ type = \"b...999\" }}\n",
                vector.dialect
            );
            dialect = parsed("bytes", &text.replace("}\n", ", length = \"bcd\" }\n"), &texts);
        }
        let frame = vector.frame(0);
        let decoded = decode(&dialect, &frame, &mut mirror);
        assert_eq!(decoded.fault, None, "{}", vector.name);
        let mut want = vector.fields.clone();
        for (field, value) in &mut want {
            if BYTES_AS_TEXT.contains(&(vector.name.as_str(), field.parse().unwrap())) {
                *value =
                    hex::encode_upper(value.chars().map(|c| u8::try_from(c).unwrap()).collect::<Vec<_>>());
            } else if dialect.is_binary(field.parse().unwrap()) {
                value.make_ascii_uppercase();
            }
        }
        assert_eq!(fields_of(&decoded.message), want, "{}", vector.name);
        let carries_bitmap = (vector.dialect == "traderoot").then_some(127);
        let again = written_again(&decoded.message, carries_bitmap);
        if NOT_CANONICAL.iter().any(|(name, _)| *name == vector.name) {
            assert!(again.eq_ignore_ascii_case(&frame) && again != frame, "{}", vector.name);
            not_canonical += 1;
        } else {
            assert_eq!(hex::encode(&again), hex::encode(&frame), "{}", vector.name);
        }
        sound += 1;
    }
    assert_eq!((sound, not_canonical), (49, NOT_CANONICAL.len()));
}

#[test]
fn what_others_refuse_or_should_is_refused() {
    let texts = reference_texts();
    let mut mirror = Mirror::new();
    let mut refused = 0;
    for vector in vectors().iter().filter(|vector| !vector.is_sound()) {
        let dialect = parsed(&vector.dialect, &texts[&vector.dialect], &texts);
        let frame = vector.frame(0);
        let decoded = decode(&dialect, &frame, &mut mirror);
        let fault = decoded.fault.unwrap_or_else(|| panic!("{} was taken", vector.name));
        assert!(decoded.layout_lost, "{}: {fault}", vector.name);
        refused += 1;
    }
    assert_eq!(refused, 8);
}

/// The shipped dialect that covers messages of a reference one.
#[derive(serde::Deserialize)]
struct Shipped {
    dialect: String,
    /// Bytes of its header that the fixture's messages have.
    header_bytes: usize,
}

/// By the reference dialect's name.
fn shipped_for() -> BTreeMap<String, Shipped> {
    serde_json::from_str(include_str!("../fixtures/codec/shipped.json")).unwrap()
}

/// Of the vectors under those dialects, what a shipped one rightly refuses: the field, and why.
const REFUSED_BY_SHIPPED: &[(&str, u8, &str)] = &[
    ("pystilion-0200-body", 2, "its card number is masked with stars, and so is its track"),
    ("ralvescosta-0800", 63, "bytes where the standard has text"),
];

/// Vectors whose sender laid fields out in a way that is only its own.
const NOT_OF_THE_STANDARD: &[(&str, &str)] = &[
    ("epoc-purchasewithcashbackrequest", "DE 62 and 63 without lengths"),
    ("epoc-purchasewithcashbackpartialapprovaltoaquirer", "DE 62 and 63 without lengths"),
    ("epoc-reversaladvice", "DE 62 and 63 without lengths"),
];

/// The vectors that a shipped dialect covers, with it and their bytes from its header on.
fn covered() -> Vec<(Vector, Dialect, Vec<u8>)> {
    let (known, mut covered) = (shipped_for(), Vec::new());
    for vector in vectors() {
        let Some(Shipped { dialect: name, header_bytes: header }) = known.get(&vector.dialect) else {
            continue;
        };
        if NOT_OF_THE_STANDARD.iter().any(|(name, _)| *name == vector.name) {
            continue;
        }
        let dialect = shipped::dialect(name).unwrap().unwrap_or_else(|error| panic!("{error}"));
        let mut frame = vector.frame(*header);
        if *name == "visa-base1-style" {
            // The public message comes without the header that all messages of the network have.
            frame = [&[22], &[0; 21][..], &frame].concat();
        }
        covered.push((vector, dialect, frame));
    }
    covered
}

/// A value as the shipped dialect has it: a number of three digits in two bytes has three digits.
fn without_filling(dialect: &Dialect, field: u8, value: &str) -> String {
    match value.strip_prefix('0') {
        Some(rest) if dialect.field_type(field) == Some("n 3") && value.len() == 4 => rest.to_owned(),
        Some(_) | None => value.to_owned(),
    }
}

fn assert_holds(vector: &Vector, decoded: &Decoded<'_, '_>, refused: Option<u8>) {
    let dialect = decoded.message.dialect();
    let got = fields_of(&decoded.message);
    for (field, value) in &vector.fields {
        let number = field.parse::<u8>().unwrap();
        if refused == Some(number) || value.contains("***") {
            continue;
        }
        let want = if number == 0 { value.clone() } else { without_filling(dialect, number, value) };
        assert_eq!(got.get(field), Some(&want), "{} DE {field}", vector.name);
    }
}

fn at_path(message: &Message<'_, '_>, path: &str) -> Option<Vec<u8>> {
    let path = message.dialect().path(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    message.get(&path).map(<[u8]>::to_vec)
}

#[test]
fn the_shipped_dialects_read_the_messages_of_their_networks() {
    let mut mirror = Mirror::new();
    let (mut read, mut went_back) = (0, 0);
    for (vector, dialect, frame) in covered().iter().filter(|(vector, ..)| vector.is_sound()) {
        let decoded = decode(dialect, frame, &mut mirror);
        let refused =
            REFUSED_BY_SHIPPED.iter().find(|(name, ..)| *name == vector.name).map(|(_, field, _)| *field);
        assert_eq!(decoded.fault.map(|fault| fault.field), refused, "{}: {:?}", vector.name, decoded.fault);
        assert_holds(vector, &decoded, refused);
        for (path, want) in vector.nested.iter().filter_map(|(path, want)| Some((path, want.as_str()?))) {
            let got = at_path(&decoded.message, path);
            assert_eq!(got.as_deref(), Some(want.as_bytes()), "{} {path}", vector.name);
        }
        for (field, tags) in vector.nested.iter().filter_map(|(field, want)| Some((field, want.as_object()?)))
        {
            for (tag, want) in tags {
                let got = at_path(&decoded.message, &format!("{field}.{tag}")).map(hex::encode_upper);
                assert_eq!(got.as_deref(), want.as_str(), "{} {field}.{tag}", vector.name);
            }
        }
        if refused.is_none() {
            let again = written_again(&decoded.message, None);
            let body = &frame[decoded.message.header().len()..];
            assert_eq!(hex::encode(again), hex::encode(body), "{}", vector.name);
            went_back += 1;
        }
        read += 1;
    }
    assert_eq!((read, went_back), (31, 29));
}

#[test]
fn the_shipped_dialects_refuse_what_is_broken() {
    let mut mirror = Mirror::new();
    let mut refused = 0;
    for (vector, dialect, frame) in covered().iter().filter(|(vector, ..)| !vector.is_sound()) {
        let decoded = decode(dialect, frame, &mut mirror);
        assert!(decoded.fault.is_some() && decoded.layout_lost, "{} was taken", vector.name);
        refused += 1;
    }
    assert_eq!(refused, 7);
}

#[test]
fn every_message_goes_through_json_and_comes_back() {
    let texts = reference_texts();
    let mut mirror = Mirror::new();
    let as_reference = |vector: Vector| {
        let dialect = parsed(&vector.dialect, &texts[&vector.dialect], &texts);
        let frame = vector.frame(0);
        (vector, dialect, frame)
    };
    let all = vectors().into_iter().map(as_reference).chain(covered());
    let mut through = 0;
    for (vector, dialect, frame) in all.filter(|(vector, ..)| vector.is_sound()) {
        let decoded = decode(&dialect, &frame, &mut mirror);
        if decoded.fault.is_some() {
            continue;
        }
        let json = to_json(&decoded, false);
        let mut out = BytesMut::new();
        from_json(&dialect, &json, &mut out)
            .unwrap_or_else(|error| panic!("{}: {error}\n{json}", vector.name));
        assert!(out.eq_ignore_ascii_case(&frame), "{} as {}: {json}", vector.name, dialect.name());
        through += 1;
    }
    assert_eq!(through, 77);
}

#[test]
fn chip_data_is_read_to_its_tags() {
    let texts = reference_texts();
    let mut mirror = Mirror::new();
    let mut tags_read = 0;
    for vector in vectors().iter().filter(|vector| vector.nested.contains_key("55")) {
        let text =
            format!("name = \"chip\"\nextends = {:?}\n[fields]\n55 = {{ ber = true }}\n", vector.dialect);
        let dialect = parsed("chip", &text, &texts);
        let frame = vector.frame(0);
        let decoded = decode(&dialect, &frame, &mut mirror);
        assert_eq!(decoded.fault, None, "{}", vector.name);
        for (tag, want) in vector.nested["55"].as_object().unwrap() {
            let got = at_path(&decoded.message, &format!("55.{tag}")).map(hex::encode_upper);
            assert_eq!(got.as_deref(), want.as_str(), "{} {tag}", vector.name);
            tags_read += 1;
        }
    }
    assert_eq!(tags_read, 89);
}

#[test]
fn every_reference_dialect_loads_whether_or_not_a_message_uses_it() {
    let texts = reference_texts();
    for (name, text) in &texts {
        parsed(name, text, &texts);
    }
    assert_eq!(texts.len(), 26);
}
