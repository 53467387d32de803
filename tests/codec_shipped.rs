//! The dialects that come with the program: each loads, says where it comes from, and carries a message of its network
//! there and back.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking, and adds up what is small"
)]

#[path = "support/typical.rs"]
mod typical;

use billswitch::iso8583::{CardData, Dialect, Mirror, Mti, Writer, decode, from_json, shipped, to_json};
use bytes::BytesMut;

use typical::Piece::{self, Inside, Value};
use typical::TYPICAL;

fn dialect(name: &str) -> Dialect {
    shipped::dialect(name).unwrap_or_else(|| panic!("{name}")).unwrap_or_else(|error| panic!("{error}"))
}

fn written(dialect: &Dialect, mti: &str, pieces: &[Piece]) -> BytesMut {
    let mut out = BytesMut::new();
    let mut writer = Writer::new(dialect, Mti::new(mti.as_bytes()).unwrap(), &mut out);
    let name = dialect.name();
    for piece in pieces {
        match piece {
            Value(field, value) => {
                writer.put(*field, value).unwrap_or_else(|error| panic!("{name} DE {field}: {error}"));
            }
            Inside(field, elements) => {
                writer.begin(*field).unwrap();
                for (key, value) in *elements {
                    let done = writer.element(key.as_bytes(), value);
                    done.unwrap_or_else(|error| panic!("{name} DE {field}.{key}: {error}"));
                }
                writer.end().unwrap_or_else(|error| panic!("{name} DE {field}: {error}"));
            }
        }
    }
    writer.finish().unwrap_or_else(|error| panic!("{name}: {error}"));
    out
}

#[test]
fn every_shipped_dialect_says_where_it_comes_from_and_has_a_typical_message_here() {
    for (name, _) in shipped::DIALECTS {
        let dialect = dialect(name);
        assert!(dialect.note().len() > 60, "{name}: {}", dialect.note());
        assert!(TYPICAL.iter().any(|(known, ..)| known == name), "{name} has no message here");
    }
    assert_eq!(TYPICAL.len(), shipped::DIALECTS.len());
}

#[test]
fn a_typical_message_of_each_network_goes_there_and_back() {
    let mut mirror = Mirror::new();
    for (name, mti, pieces, places) in TYPICAL {
        let dialect = dialect(name);
        let frame = written(&dialect, mti, pieces);
        let decoded = decode(&dialect, &frame, &mut mirror);
        assert_eq!(decoded.fault, None, "{name}");
        for (path, want) in *places {
            let compiled = dialect.path(path).unwrap_or_else(|error| panic!("{name} {path}: {error}"));
            assert_eq!(decoded.message.get(&compiled), Some(*want), "{name} {path}");
        }
        for piece in *pieces {
            if let Value(field, value) = piece {
                assert_eq!(decoded.message.field(*field), Some(*value), "{name} DE {field}");
            }
        }
        let mut again = BytesMut::new();
        let mut writer = Writer::new(&dialect, decoded.message.mti(), &mut again);
        for (field, value) in decoded.message.fields() {
            writer.put(field, value).unwrap();
        }
        writer.finish().unwrap();
        assert_eq!(hex::encode(&again), hex::encode(&frame), "{name}");
        let json = to_json(&decoded, false);
        let mut back = BytesMut::new();
        from_json(&dialect, &json, &mut back).unwrap_or_else(|error| panic!("{name}: {error}\n{json}"));
        assert_eq!(hex::encode(&back), hex::encode(&frame), "{name}: {json}");
    }
}

#[test]
fn a_bill_is_told_by_its_parts_though_four_would_fit() {
    let pln = dialect("pln");
    let (_, mti, pieces, _) = TYPICAL.iter().find(|(name, ..)| *name == "pln").unwrap();
    let frame = written(&pln, mti, pieces);
    let mut mirror = Mirror::new();
    let json = to_json(&decode(&pln, &frame, &mut mirror), false);
    assert_eq!(json["fields"]["48"]["b1_amount"], "00000015160");
    assert_eq!(json["fields"]["48"].get("b2_amount"), None);
    // A part in the middle cannot be left out.
    let mut holed = json.clone();
    holed["fields"]["48"].as_object_mut().unwrap().remove("name");
    let error = from_json(&pln, &holed, &mut BytesMut::new()).unwrap_err().to_string();
    assert!(error.starts_with("48.name"), "{error}");
}

#[test]
fn headers_stand_before_the_message_type() {
    for (name, header) in [
        ("tpdu-pos", "6000010000"),
        ("unionpay-pos-style", "6000060000603100311003"),
        ("base24", "49534f303235303030303535"),
        ("visa-base1-style", "16010200000000000000000000000000000000000000"),
    ] {
        let dialect = dialect(name);
        let frame = written(&dialect, "0800", &[Value(11, b"004709")]);
        assert!(hex::encode(&frame).starts_with(header), "{name}: {}", hex::encode(&frame));
    }
}

#[test]
fn a_connection_is_framed_as_its_network_does_it() {
    for (name, _) in shipped::DIALECTS {
        let want = match *name {
            "pln" => "end FF",
            "mastercard-ipm-style" | "mastercard-ipm-ebcdic-style" => "binary 4",
            _ => "binary 2",
        };
        assert_eq!(dialect(name).framing().to_string(), want, "{name}");
    }
}

#[test]
fn card_data_is_marked_wherever_the_standards_have_it() {
    for (name, _) in shipped::DIALECTS {
        let dialect = dialect(name);
        let pan = if *name == "pln" { CardData::None } else { CardData::Pan };
        assert_eq!(dialect.card_data(2), pan, "{name}");
        for field in [34, 35, 36, 45, 52, 55] {
            // Some networks do not have all of them.
            let there = dialect.field_name(field).is_some() || *name != "pln";
            let want = if there { CardData::Never } else { CardData::None };
            assert_eq!(dialect.card_data(field), want, "{name} DE {field}");
        }
    }
    // Card verification values, wherever public code has them.
    let visa = dialect("visa-base1-style");
    assert_eq!([123, 126].map(|field| visa.card_data(field)), [CardData::Never; 2]);
    for name in ["postilion", "postilion-icc"] {
        assert_eq!(dialect(name).card_data(127), CardData::Never, "{name}: of what is inside the strictest");
    }
}

#[test]
fn codes_have_meanings_for_people() {
    for (name, path, value, meaning) in [
        ("iso87-ascii", "39", "51", "not sufficient funds"),
        ("iso93-bcd", "39", "907", "issuer or switch inoperative"),
        ("ebipp", "39", "91", "payment without an inquiry"),
        ("pln", "39", "0012", "reversal refused: the payment stands"),
        ("iso87-bcd", "70", "301", "echo"),
        ("mastercard-ipm-ebcdic-style", "24", "450", "first chargeback, full"),
    ] {
        assert_eq!(dialect(name).meaning(path, value.as_bytes()), Some(meaning), "{name} {path} {value}");
    }
}

#[test]
fn a_non_bill_fee_is_laid_out_otherwise_than_a_bill() {
    let pln = dialect("pln");
    let mut mirror = Mirror::new();
    let fields =
        |product: &'static [u8], bill: &'static [u8]| [Value(2, product), Value(11, b"1"), Value(48, bill)];
    for (product, bill, path, want) in [
        (&b"99501"[..], &b"0000000543210987654"[..], "48.customer", &b"543210987654"[..]),
        (b"99504", b"00000001234567890123ABC", "48.registration", b"1234567890123"),
        (b"99504", b"00000001234567890123ABC", "48.service_code", b"ABC"),
    ] {
        let frame = written(&pln, "2100", &fields(product, bill));
        let decoded = decode(&pln, &frame, &mut mirror);
        assert_eq!(decoded.fault, None);
        assert_eq!(decoded.message.get(&pln.path(path).unwrap()), Some(want), "{path}");
    }
}

#[test]
fn text_is_in_the_code_page_of_its_network() {
    for (name, field, text, want) in [
        ("visa-base1-style", 44, &b"[A]"[..], "adc1bd"),
        ("mastercard-ipm-ebcdic-style", 44, b"[A]", "4ac15a"),
        ("base24", 44, b"\xc9t\xe9", "c974e9"),
    ] {
        let dialect = dialect(name);
        let frame = written(&dialect, "0800", &[Value(field, text)]);
        let mut mirror = Mirror::new();
        let decoded = decode(&dialect, &frame, &mut mirror);
        assert_eq!(decoded.message.wire(field).map(hex::encode).as_deref(), Some(want), "{name}");
        assert_eq!(decoded.message.field(field), Some(text), "{name}");
    }
}

#[test]
fn a_header_of_another_release_or_terminal_is_taken_and_another_kind_refused() {
    let mut mirror = Mirror::new();
    for (name, from, to, taken) in [
        ("base24", "ISO025", "ISO116", true),
        ("base24", "ISO025", "XML025", false),
        ("tpdu-pos", "\x60\x00\x01", "\x60\x00\x22", true),
        ("unionpay-pos-style", "\x60\x31\x00\x31", "\x61\x00\x32\x00", true),
    ] {
        let dialect = dialect(name);
        let mut frame = written(&dialect, "0800", &[Value(11, b"004709")]);
        let at = frame.windows(from.len()).position(|bytes| bytes == from.as_bytes()).unwrap();
        frame[at..at + to.len()].copy_from_slice(to.as_bytes());
        let decoded = decode(&dialect, &frame, &mut mirror);
        assert_eq!(decoded.fault.is_none(), taken, "{name} {to:?}");
    }
}
