//! What a dialect can say, one thing at a time: bytes put together by hand from what the standards and networks have,
//! what they say, and the same bytes again.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "a test fails by panicking, and its rows are a table"
)]

use billswitch::iso8583::{Dialect, Mirror, Mti, Writer, decode, from_json, to_json};
use bytes::BytesMut;
use serde_json::{Value, json};

/// ASCII throughout, but for what a row says. Rows with a bitmap of another form say so.
const PLAIN: &str = "mti = \"ascii\"\nbitmap = \"binary\"\nbinary = \"raw\"\n";

fn dialect(head: &str, rest: &str) -> Dialect {
    let mut text = "name = \"bank\"\n".to_owned();
    for line in PLAIN.lines() {
        let key = line.split(' ').next().unwrap();
        if !head.lines().any(|said| said.split(' ').next() == Some(key)) {
            text.push_str(line);
            text.push('\n');
        }
    }
    let text = format!("{text}{head}\n{rest}");
    Dialect::parse("bank.toml", &text, &|_| None).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Hex with blanks and texts in quotes, as people write bytes down.
fn bytes(written: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, piece) in written.split('\'').enumerate() {
        if index % 2 == 1 {
            out.extend_from_slice(piece.as_bytes());
        } else {
            let digits: String = piece.split_whitespace().collect();
            out.extend(hex::decode(&digits).unwrap());
        }
    }
    out
}

struct Row {
    what: &'static str,
    head: &'static str,
    rest: &'static str,
    frame: &'static str,
    says: Value,
}

const fn row(
    what: &'static str,
    head: &'static str,
    rest: &'static str,
    frame: &'static str,
    says: Value,
) -> Row {
    Row { what, head, rest, frame, says }
}

fn says(fields: Value) -> Value {
    json!({"mti": "0200", "fields": fields})
}

fn forms() -> Vec<Row> {
    vec![
        row(
            "packed digits, an odd number filled on the left",
            "mti = \"bcd\"\ndigits = \"bcd\"",
            "[fields]\n3 = { name = \"x\", type = \"n 6\" }\n22 = { name = \"x\", type = \"n 3\" }",
            "0200 2000040000000000 123456 0051",
            says(json!({"3": "123456", "22": "051"})),
        ),
        row(
            "the same filled on the right",
            "mti = \"bcd\"\ndigits = \"bcd\"\nodd = \"right F\"",
            "[fields]\n22 = { name = \"x\", type = \"n 3\" }",
            "0200 0000040000000000 051F",
            says(json!({"22": "051"})),
        ),
        row(
            "a packed length of three digits in two bytes, and track data with its separator",
            "lengths = \"bcd\"\ntrack = \"bcd\"",
            "[fields]\n35 = { name = \"x\", type = \"z..37\", card_data = \"never\" }\n\
             48 = { name = \"x\", type = \"ans...999\" }",
            "'0200' 0000000020010000 09 4242D3005F 0003 'abc'",
            says(json!({"35": "4242D3005", "48": "abc"})),
        ),
        row(
            "a binary length that counts digits, and one that counts bytes",
            "digits = \"bcd\"\nlengths = \"binary\"",
            "[fields]\n32 = { name = \"x\", type = \"n..11\" }\n\
             33 = { name = \"x\", type = \"n..12\", length = { counts = \"bytes\" } }",
            "'0200' 0000000180000000 03 0123 02 4567",
            says(json!({"32": "123", "33": "4567"})),
        ),
        row(
            "EBCDIC with its lengths, bitmaps in its hex",
            "mti = \"ebcdic\"\nbitmap = \"ebcdic hex\"\ndigits = \"cp037\"\ntext = \"cp037\"\nlengths = \"ebcdic\"",
            "[fields]\n11 = { name = \"x\", type = \"n 6\" }\n44 = { name = \"x\", type = \"ans..25\" }",
            "F0F2F0F0 F0F0F2F0F0F0F0F0F0F0F1F0F0F0F0F0 F0F0F0F0F0F1 F0F3 C15A81",
            says(json!({"11": "000001", "44": "A!a"})),
        ),
        row(
            "binary in hex characters, its length in bytes of the value",
            "bitmap = \"hex\"\nbinary = \"hex\"",
            "[fields]\n55 = { name = \"x\", type = \"b..20\", as = \"hex\", length = { counts = \"digits\" }, card_data = \"none\" }\n\
             64 = { name = \"x\", type = \"b 2\" }",
            "'0200' '0000000000000201' '02C0DE' 'BEEF'",
            says(json!({"55": "C0DE", "64": "BEEF"})),
        ),
        row(
            "an amount with its sign, packed",
            "digits = \"bcd\"",
            "[fields]\n28 = { name = \"x\", type = \"x+n 8\" }",
            "'0200' 0000001000000000 'D' 00000123",
            says(json!({"28": "D00000123"})),
        ),
        row(
            "a length that counts itself",
            "",
            "[fields]\n48 = { name = \"x\", type = \"ans...99\", length = { includes = \"itself\" } }",
            "'0200' 0000000000010000 '005ab'",
            says(json!({"48": "ab"})),
        ),
        row(
            "a value followed by its filling",
            "",
            "[fields]\n43 = { name = \"x\", type = \"ans..5\", filled = true }\n44 = { name = \"x\", type = \"ans 1\" }",
            "'0200' 0000000000300000 '02ab   ' 'c'",
            says(json!({"43": "ab", "44": "c"})),
        ),
        row(
            "a field that is announced and takes no bytes",
            "",
            "[fields]\n26 = { name = \"x\", type = \"absent\" }\n27 = { name = \"x\", type = \"n 1\" }",
            "'0200' 0000006000000000 '7'",
            says(json!({"26": "", "27": "7"})),
        ),
        row(
            "letters above ASCII",
            "text = \"latin1\"",
            "[fields]\n43 = { name = \"x\", type = \"ans..9\" }",
            "'0200' 0000000000200000 '03' 4DFC6C",
            says(json!({"43": "Mül"})),
        ),
    ]
}

fn bitmaps_and_headers() -> Vec<Row> {
    vec![
        row(
            "three bitmaps in a row",
            "tertiary = \"leading\"",
            "[fields]\n130 = { name = \"x\", type = \"n 2\" }",
            "'0200' 8000000000000000 8000000000000000 4000000000000000 '42'",
            says(json!({"130": "42"})),
        ),
        row(
            "the third bitmap in a field",
            "tertiary = 127",
            "[fields]\n127 = { name = \"x\", type = \"b 8\" }\n128 = { name = \"x\", type = \"b 1\" }\n\
             129 = { name = \"x\", type = \"n 2\" }",
            "'0200' 8000000000000000 0000000000000003 8000000000000000 AA '42'",
            says(json!({"127": "8000000000000000", "128": "AA", "129": "42"})),
        ),
        row(
            "a second bitmap in every message that nothing announces",
            "bitmap = \"hex\"\nsecondary = \"unannounced\"",
            "[fields]\n11 = { name = \"x\", type = \"n 6\" }\n70 = { name = \"x\", type = \"n 3\" }",
            "'0200' '00200000000000000400000000000000' '000001' '301'",
            says(json!({"11": "000001", "70": "301"})),
        ),
        row(
            "a second bitmap in every message",
            "secondary = \"always\"",
            "[fields]\n11 = { name = \"x\", type = \"n 6\" }",
            "'0200' 8020000000000000 0000000000000000 '000001'",
            says(json!({"11": "000001"})),
        ),
        row(
            "no second bitmap ever",
            "secondary = \"none\"",
            "[fields]\n64 = { name = \"x\", type = \"b 1\" }",
            "'0200' 0000000000000001 07",
            says(json!({"64": "07"})),
        ),
        row(
            "a TPDU, a text and a header that tells its own length",
            "header = [{ tpdu = \"6000010002\" }, { text = \"ISO025\", begins = \"ISO\" }, { counted = \"03AABB\" }]",
            "[fields]\n11 = { name = \"x\", type = \"n 6\" }",
            "6000330044 'ISO999' 04C0FFEE '0200' 0020000000000000 '000001'",
            json!({"header": "600033004449534F39393904C0FFEE", "mti": "0200", "fields": {"11": "000001"}}),
        ),
    ]
}

fn structures() -> Vec<Row> {
    vec![
        row(
            "currency, exponent and value of an amount",
            "",
            "[fields]\n4 = { name = \"x\", type = \"n 16\", parts = [{ name = \"currency\", width = 3 }, \
             { name = \"exponent\", width = 1 }, { name = \"value\", width = 12 }] }",
            "'0200' 1000000000000000 '5862000000001000'",
            says(json!({"4": {"currency": "586", "exponent": "2", "value": "000000001000"}})),
        ),
        row(
            "parts with forms of their own",
            "",
            "[fields]\n60 = { name = \"x\", type = \"b...99\", parts = [{ name = \"kind\", type = \"n 2\", as = \"bcd\" }, \
             { name = \"text\", type = \"ans..9\", as = \"cp1047\", length = \"ebcdic\" }] }",
            "'0200' 0000000000000010 '005' 22 F0F2 8182",
            says(json!({"60": {"kind": "22", "text": "ab"}})),
        ),
        row(
            "elements whose tags repeat and are known to nobody",
            "",
            "[fields]\n48 = { name = \"x\", type = \"ans...999\", tlv = { tag = 2, length = 3 } }",
            "'0200' 0000000000010000 '019' 'FH001a' 'ZZ003b=1' 'FH000'",
            says(json!({"48": [["FH", "a"], ["ZZ", "b=1"], ["FH", ""]]})),
        ),
        row(
            "length, tag, value, the length counting the tag",
            "",
            "[fields]\n48 = { name = \"x\", type = \"ans...999\", tlv = { tag = 2, length = 2, first = \"length\", counts = \"tag\" } }",
            "'0200' 0000000000010000 '007' '05AB123'",
            says(json!({"48": {"AB": "123"}})),
        ),
        row(
            "elements in bytes",
            "",
            "[fields]\n48 = { name = \"x\", type = \"b...999\", tlv = { tag = 1, length = 2, as = \"binary\" } }",
            "'0200' 0000000000010000 '005' 7F 0002 C0DE",
            says(json!({"48": {"7F": "C0DE"}})),
        ),
        row(
            "chip data, one object within another",
            "",
            "[fields]\n55 = { name = \"x\", type = \"b...255\", ber = true, card_data = \"none\" }",
            "'0200' 0000000000000200 '016' 9F2602C0DE 70098407A0000000031010",
            says(json!({"55": {"9F26": "C0DE", "70": {"84": "A0000000031010"}}})),
        ),
        row(
            "subfields under their own bitmap, and again within",
            "",
            "[fields.62]\nname = \"x\"\ntype = \"b..99\"\nbitmap = { form = \"binary\", bytes = 2, header = 1 }\n\
             [fields.62.fields]\n1 = { name = \"x\", type = \"n 4\", as = \"bcd\" }\n\
             16 = { name = \"x\", type = \"ans..50\", bitmap = { form = \"hex\", bytes = 1 }, fields = { 8 = { name = \"y\", type = \"n 1\" } } }",
            "'0200' 0000000000000004 '10' 00 8001 1234 '03' '017'",
            says(json!({"62": {"header": "00", "1": "1234", "16": {"8": "7"}}})),
        ),
        row(
            "data sets: one of TLV, one under a bitmap",
            "",
            "[fields.104]\nname = \"x\"\ntype = \"b...999\"\n[fields.104.datasets]\nid = 1\nlength = 2\n\
             [fields.104.datasets.71]\nname = \"y\"\nbitmap = { form = \"binary\", bytes = 2 }\nfields = { 2 = { name = \"z\", type = \"n 2\" } }",
            "'0200' 8000000000000000 0000000001000000 '014' 57 0004 8002C0DE 71 0004 4000 '42'",
            says(json!({"104": {"57": {"80": "C0DE"}, "71": {"2": "42"}}})),
        ),
    ]
}

#[test]
fn every_layout_is_read_as_it_is_meant_and_written_byte_for_byte() {
    let rows = forms().into_iter().chain(bitmaps_and_headers()).chain(structures());
    for Row { what, head, rest, frame, says } in rows {
        let dialect = dialect(head, rest);
        let frame = bytes(frame);
        let mut mirror = Mirror::new();
        let decoded = decode(&dialect, &frame, &mut mirror);
        assert_eq!(decoded.fault, None, "{what}");
        assert_eq!(to_json(&decoded, false), says, "{what}");
        let mut out = BytesMut::new();
        from_json(&dialect, &says, &mut out).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(hex::encode(&out), hex::encode(&frame), "{what}");
    }
}

#[test]
fn the_last_byte_of_every_layout_is_missed() {
    let rows = forms().into_iter().chain(bitmaps_and_headers()).chain(structures());
    for Row { what, head, rest, frame, .. } in rows {
        let frame = bytes(frame);
        let mut mirror = Mirror::new();
        let dialect = dialect(head, rest);
        let decoded = decode(&dialect, &frame[..frame.len() - 1], &mut mirror);
        assert!(decoded.fault.is_some(), "{what}");
    }
}

#[test]
fn an_answer_carries_the_headers_back() {
    let head = "header = [{ tpdu = \"6000010002\" }, { bytes = \"603100311003\" }]";
    let dialect = dialect(head, "[fields]\n11 = { name = \"x\", type = \"n 6\" }");
    let frame = bytes("6000330044 603100311099 '0200' 0020000000000000 '000001'");
    let mut mirror = Mirror::new();
    let asked = decode(&dialect, &frame, &mut mirror).message;
    let mut out = BytesMut::new();
    let mti = Mti::new(b"0210").unwrap();
    Writer::answering(&dialect, mti, asked.header(), &mut out).finish().unwrap();
    assert_eq!(out, bytes("6000440033 603100311099 '0210' 0000000000000000"));
    out.clear();
    Writer::new(&dialect, mti, &mut out).finish().unwrap();
    assert_eq!(out, bytes("6000010002 603100311003 '0210' 0000000000000000"));
}

#[test]
fn a_layout_may_depend_on_the_type_and_on_a_field_before() {
    let dialect = dialect(
        "",
        "[fields]\n3 = { name = \"x\", type = \"n 6\" }\n48 = { name = \"x\", type = \"ans...99\" }\n\
         [[when]]\nmti = [\"08xx\"]\n[when.fields]\n48 = { name = \"key\", type = \"b 2\" }\n\
         [[when]]\nfield = 3\nbegins = [\"38\"]\n[when.fields]\n48 = { name = \"bill\", type = \"n 4\" }",
    );
    for (frame, value) in [
        ("'0200' 2000000000010000 '000000' '002ab'", "ab"),
        ("'0200' 2000000000010000 '380000' '1234'", "1234"),
        ("'0800' 0000000000010000 C0DE", "\u{c0}\u{de}"),
    ] {
        let frame = bytes(frame);
        let mut mirror = Mirror::new();
        let decoded = decode(&dialect, &frame, &mut mirror);
        assert_eq!(decoded.fault, None);
        let got: String = decoded.message.field(48).unwrap().iter().map(|byte| char::from(*byte)).collect();
        assert_eq!(got, value);
        let mut out = BytesMut::new();
        from_json(&dialect, &to_json(&decoded, false), &mut out).unwrap();
        assert_eq!(out, frame);
    }
}

#[test]
fn fields_that_must_be_there_and_must_not_are_asked_for_in_both_directions() {
    let dialect = dialect(
        "",
        "[fields]\n2 = { name = \"x\", type = \"n..19\", card_data = \"pan\" }\n11 = { name = \"x\", type = \"n 6\" }\n\
         22 = { name = \"x\", type = \"n 3\" }\n39 = { name = \"x\", type = \"an 2\" }\n\
         35 = { name = \"x\", type = \"z..37\", card_data = \"never\" }\n\
         53 = { name = \"x\", type = \"n 2\" }\n\
         [[presence]]\nmti = [\"0200\"]\nmandatory = [11]\nforbidden = [39]\nconditional = [\n\
         { fields = [2], without = 35 }, { fields = [53], field = 22, begins = [\"05\"] } ]",
    );
    let table: [(Value, Option<&str>); 6] = [
        (json!({"2": "1", "11": "000001"}), None),
        (json!({"2": "1"}), Some("DE 11")),
        (json!({"2": "1", "11": "000001", "39": "00"}), Some("DE 39")),
        (json!({"11": "000001"}), Some("DE 2")),
        (json!({"11": "000001", "35": "42=1"}), None),
        (json!({"11": "000001", "22": "051", "35": "42=1"}), Some("DE 53")),
    ];
    for (fields, blamed) in table {
        let (mut strict, mut lax) = (BytesMut::new(), BytesMut::new());
        let written = from_json(&dialect, &says(fields.clone()), &mut strict);
        assert_eq!(
            written.as_ref().err().map(|error| error.to_string().contains(blamed.unwrap_or("?"))),
            blamed.map(|_| true),
            "{fields} {written:?}"
        );
        // The same without being asked, to have the bytes.
        let mut writer = Writer::new(&dialect, Mti::new(b"0200").unwrap(), &mut lax);
        for (field, value) in fields.as_object().unwrap() {
            writer.put(field.parse().unwrap(), value.as_str().unwrap().as_bytes()).unwrap();
        }
        writer.finish_as_it_is().unwrap();
        let mut mirror = Mirror::new();
        let fault = decode(&dialect, &lax, &mut mirror).fault;
        assert_eq!(fault.map(|fault| format!("DE {}", fault.field)).as_deref(), blamed, "{fields}");
        assert!(fault.is_none_or(|fault| !fault.is_layout()));
    }
}
