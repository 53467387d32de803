//! The dialects that come with the program: each loads, says where it comes from, and carries a message of its network
//! there and back.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking, and adds up what is small"
)]

use billswitch::iso8583::{CardData, Dialect, Mirror, Mti, Writer, decode, from_json, shipped, to_json};
use bytes::BytesMut;

/// A field of a message that is to be written.
enum Piece {
    Value(u8, &'static [u8]),
    /// With what is inside, in the order of the wire.
    Inside(u8, &'static [(&'static str, &'static [u8])]),
}

use Piece::{Inside, Value};

/// A message of a network: dialect, type, fields, and what is to be found in it afterwards.
type Typical = (&'static str, &'static str, &'static [Piece], &'static [(&'static str, &'static [u8])]);

const PAYMENT_87: &[Piece] = &[
    Value(2, b"4242424242424242"),
    Value(3, b"500000"),
    Value(4, b"000000015160"),
    Value(7, b"1120090009"),
    Value(11, b"004709"),
    Value(12, b"140009"),
    Value(13, b"1120"),
    Value(18, b"6011"),
    Value(22, b"051"),
    Value(32, b"12345"),
    Value(35, b"4242424242424242D29122011234567890123"),
    Value(37, b"632509004709"),
    Value(41, b"ATM00017"),
    Value(42, b"BRANCH000000042"),
    Value(49, b"586"),
    Value(52, b"\x01\x02\x03\x04\x05\x06\x07\x08"),
    Value(102, b"PK36SCBL0000001123456702"),
];

const PURCHASE_93: &[Piece] = &[
    Value(2, b"4242424242424242"),
    Value(3, b"000000"),
    Value(4, b"000000015160"),
    Value(11, b"004709"),
    Value(12, b"261120140009"),
    Value(15, b"261121"),
    Value(22, b"21010121314C"),
    Value(24, b"200"),
    Value(26, b"5912"),
    Value(30, b"000000015160000000015160"),
    Value(37, b"632509004709"),
    Value(39, b"000"),
    Value(43, b"BOOKS\\1 MALL\\PESHAWAR\\25000     KPKPAK"),
    Value(53, b"\x01\x02\x03\x04"),
    Inside(55, &[("9F26", b"\xaa\xbb"), ("82", b"\x39\x00")]),
    Value(56, b"12000047092611201400090512345"),
];

const TYPICAL: &[Typical] = &[
    ("iso87-ascii", "0200", PAYMENT_87, &[("4", b"000000015160"), ("37", b"632509004709")]),
    ("iso87-ascii-binary-bitmap", "0200", PAYMENT_87, &[("52", b"\x01\x02\x03\x04\x05\x06\x07\x08")]),
    ("iso87-bcd", "0200", PAYMENT_87, &[("22", b"051"), ("32", b"12345"), ("41", b"ATM00017")]),
    ("tpdu-pos", "0200", PAYMENT_87, &[("2", b"4242424242424242")]),
    ("iso93-ascii", "1200", PURCHASE_93, &[("30.reconciliation", b"000000015160"), ("55.82", b"\x39\x00")]),
    ("iso93-bcd", "1210", PURCHASE_93, &[("39", b"000"), ("56.stan", b"004709"), ("55.9F26", b"\xaa\xbb")]),
    (
        "iso2003-ascii",
        "2200",
        &[
            Value(2, b"4242424242424242"),
            Value(4, b"5862000000015160"),
            Value(11, b"000000004709"),
            Value(12, b"20261120140009"),
            Value(22, b"21010121314C0000"),
            Inside(34, &[("01", b"\x80\x01\x05")]),
            Value(39, b"0000"),
            Value(43, b"\x71\x00\x03\x80\x00\x01"),
            Value(52, b"\x01\x02\x03\x04\x05\x06\x07\x08"),
            Inside(55, &[("9F26", b"\xaa\xbb")]),
            Value(56, b"2200000000004709202611201400090512345"),
            Value(97, b"5862C0000000000015160"),
        ],
        &[("4.value", b"000000015160"), ("34.01.80", b"\x05"), ("55.9F26", b"\xaa\xbb"), ("97.sign", b"C")],
    ),
    (
        "onelink",
        "0200",
        &[
            Value(3, b"500000"),
            Value(4, b"000000015160"),
            Value(11, b"004709"),
            Value(28, b"C00000100"),
            Inside(48, &[("BI", b"KPEXCISE"), ("CN", b"10020030040050061")]),
            Value(52, b"\x01\x02\x03\x04\x05\x06\x07\x08"),
            Inside(120, &[("ST", b"U"), ("FH", b"A1=100"), ("FH", b"A2=200")]),
        ],
        &[("48.CN", b"10020030040050061"), ("120.FH", b"A1=100")],
    ),
    (
        "ebipp",
        "0210",
        &[
            Value(3, b"370000"),
            Value(4, b"000000015160"),
            Value(7, b"1120090009"),
            Value(11, b"004709"),
            Value(39, b"00"),
            Value(41, b"ATM0000000000017"),
            Inside(48, &[("PI", b"PDAM01"), ("CN", b"100200300"), ("NM", b"A CITIZEN"), ("AT", b"000000015160")]),
            Inside(57, &[("R0", b"PAID"), ("R1", b"THANK YOU")]),
        ],
        &[("48.PI", b"PDAM01"), ("48.AT", b"000000015160"), ("57.R1", b"THANK YOU")],
    ),
    (
        "pln",
        "2110",
        &[
            Value(2, b"99501"),
            Value(4, b"3600000000015160"),
            Value(11, b"000000004709"),
            Value(12, b"20261120140009"),
            Value(32, b"4510017"),
            Value(39, b"0000"),
            Value(41, b"ATM0000000000017"),
            Value(
                48,
                b"0000000543210987654101REFERENCE-OF-THIRTY-TWO-SIGNS-01A CITIZEN                51106021-555-0001   R\
                  1  000000900000001600202611202611202026110100000015160C000000000000000000000000000000000010000000200\
                  00000000000000000000000000000000",
            ),
        ],
        &[
            ("4.currency", b"360"),
            ("4.value", b"000000015160"),
            ("48.switcher", b"0000000"),
            ("48.customer", b"543210987654"),
            ("48.bills", b"1"),
            ("48.outstanding", b"01"),
            ("48.name", b"A CITIZEN                "),
            ("48.b1_period", b"202611"),
            ("48.b1_due", b"20261120"),
        ],
    ),
    (
        "postilion",
        "0200",
        &[
            Value(3, b"500000"),
            Value(11, b"004709"),
            Value(28, b"D00000100"),
            Value(41, b"ATM00017"),
            Value(123, b"21010121314C101"),
            Inside(
                127,
                &[
                    ("2", b"0200:004709"),
                    ("3", b"SourceNode  SinkNode    004709004710TotalsGroup "),
                    ("20", b"20261120"),
                    ("25", b"<IccData/>"),
                    ("29", &[7; 40]),
                ],
            ),
        ],
        &[("127.2", b"0200:004709"), ("127.3.sink_stan", b"004710"), ("127.25", b"<IccData/>")],
    ),
    (
        "base24",
        "0200",
        &[
            Value(3, b"500000"),
            Value(11, b"004709"),
            Value(41, b"CAF\xc9 17         "),
            Value(43, b"QISSA KHAWANI           PESHAWAR     KPK"),
            Value(63, b"& 0000200024! B400002 01"),
            Value(126, b"X"),
        ],
        &[("41", b"CAF\xc9 17         "), ("126", b"X")],
    ),
    (
        "visa-base1-style",
        "0100",
        &[
            Value(2, b"4242424242424242424"),
            Value(3, b"500000"),
            Value(4, b"000000015160"),
            Value(22, b"0510"),
            Value(35, b"4242424242424242D29122011234567890123"),
            Value(37, b"632509004709"),
            Value(41, b"ATM00017"),
            Value(43, b"QISSA KHAWANI            PESHAWAR     PK"),
            Value(49, b"586"),
            Value(55, b"\x01\x00\x05\x9f\x26\x02\xaa\xbb"),
            Inside(62, &[("1", b"Y"), ("2", b"123456789012345"), ("23", b"A ")]),
            Inside(63, &[("1", b"0002"), ("3", b"2501"), ("11", b"7")]),
        ],
        &[("49", b"586"), ("55.01.9F26", b"\xaa\xbb"), ("62.2", b"123456789012345"), ("63.3", b"2501")],
    ),
    (
        "mastercard-ipm-style",
        "1240",
        &[
            Value(3, b"000000"),
            Value(24, b"200"),
            Inside(48, &[("0023", b"NA "), ("0165", b"M")]),
            Inside(125, &[("0148", b"5862")]),
        ],
        &[("48.0165", b"M"), ("125.0148", b"5862")],
    ),
    (
        "mastercard-ipm-ebcdic-style",
        "1240",
        &[
            Value(3, b"000000"),
            Value(24, b"200"),
            Value(43, b"BOOKS!\\1 MALL\\PESHAWAR\\25000     KPKPAK"),
            Inside(48, &[("0023", b"NA "), ("0165", b"M")]),
            Inside(55, &[("9F26", b"\xaa\xbb")]),
        ],
        &[("48.0165", b"M"), ("43", b"BOOKS!\\1 MALL\\PESHAWAR\\25000     KPKPAK"), ("55.9F26", b"\xaa\xbb")],
    ),
    (
        "unionpay-pos-style",
        "0200",
        &[
            Value(2, b"6224242900000113123"),
            Value(3, b"000000"),
            Value(4, b"000000000001"),
            Value(22, b"071"),
            Value(23, b"000"),
            Value(35, b"6224242900000113D280620139490310132"),
            Value(41, b"10000019"),
            Inside(55, &[("9F26", b"\xaa\xbb"), ("5F2A", b"\x01\x56")]),
            Value(60, b"22000024000600"),
        ],
        &[("22", b"071"), ("60.batch", b"000024"), ("60.network_code", b"000"), ("55.5F2A", b"\x01\x56")],
    ),
    (
        "postilion-icc",
        "0200",
        &[
            Value(11, b"004709"),
            // Bits 2, 12 and 26: amount, cryptogram, currency.
            Value(127, b"\x00\x00\x00\x80\x00\x00\x00\x000047\x34\x30\x31\x30\x30\x30\x34\x30\x30\x30\x30\x30\x30\x30\x30\x30\
000000015160AABBCCDDEEFF0011586"),
        ],
        &[("127.25.2", b"000000015160"), ("127.25.12", b"AABBCCDDEEFF0011"), ("127.25.26", b"586")],
    ),
];

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
            assert_eq!(dialect.card_data(field), CardData::Never, "{name} DE {field}");
        }
    }
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
