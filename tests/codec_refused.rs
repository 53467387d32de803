//! What is refused: values that are not what their field says, and dialects that cannot work, with the line that is wrong.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use billswitch::iso8583::{Dialect, Mirror, decode, from_json, mask_frame, shipped};
use bytes::BytesMut;
use serde_json::{Value, json};

/// A dialect of ASCII with these fields; the first stands on line 6.
fn load(fields: &str) -> Result<Dialect, String> {
    headed("", fields)
}

fn headed(head: &str, fields: &str) -> Result<Dialect, String> {
    let said = |key: &str| head.lines().any(|line| line.starts_with(key));
    let line = |key: &str, value: &str| {
        if said(key) { String::new() } else { format!("{key} = \"{value}\"\n") }
    };
    let (mti, bitmap, binary) = (line("mti", "ascii"), line("bitmap", "hex"), line("binary", "raw"));
    let text = format!("name = \"corner\"\n{head}{mti}{bitmap}{binary}[fields]\n{fields}\n");
    parse(&text, &|_| None)
}

fn parse(text: &str, base: &dyn Fn(&str) -> Option<String>) -> Result<Dialect, String> {
    Dialect::parse("corner.toml", text, base).map_err(|error| error.to_string())
}

fn dialect(fields: &str) -> Dialect {
    load(fields).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(loaded: Result<Dialect, String>, line: usize, reason: &str) {
    let error = loaded.map(|_| "loads").unwrap_or_else(|error| Box::leak(error.into_boxed_str()));
    assert!(error.starts_with(&format!("corner.toml:{line}: ")) && error.contains(reason), "{error}");
}

fn written(dialect: &Dialect, fields: &Value) -> Result<Vec<u8>, String> {
    let mut out = BytesMut::new();
    from_json(dialect, &json!({"mti": "0200", "fields": fields}), &mut out)
        .map_err(|error| error.to_string())?;
    Ok(out[20..].to_vec())
}

/// What is wrong with DE 4, or with what is given.
fn fault(dialect: &Dialect, body: &[u8]) -> Option<String> {
    let frame = [b"02001000000000000000", body].concat();
    let mut mirror = Mirror::new();
    decode(dialect, &frame, &mut mirror).fault.map(|fault| fault.to_string())
}

#[test]
fn parts_by_width_are_whole_and_nothing_stands_behind_them() {
    let parts = "parts = [{ name = \"a\", width = 3 }, { name = \"b\", width = 2 }, { blank = 2 }, { name = \"c\", width = 1 }]";
    for form in ["ascii", "latin1", "cp037"] {
        let dialect =
            dialect(&format!("4 = {{ name = \"x\", type = \"ans..20\", as = \"{form}\", {parts} }}"));
        for (value, broken) in [
            ("", None),
            ("abc", None),
            ("abcde", None),
            ("abcde  ", None),
            ("abcde  f", None),
            ("ab", Some(0)),
            ("abcd", Some(3)),
            ("abcde ", Some(5)),
            ("abcde  fg", Some(8)),
        ] {
            let said = written(&dialect, &json!({"4": value}));
            let why = |at| format!("4: DE 4: an element or subfield is malformed at byte {at} of the value");
            assert_eq!(said.as_ref().err(), broken.map(why).as_ref(), "{form} {value:?}");
            let mut body = format!("{:02}", value.len()).into_bytes();
            match form {
                "cp037" => body.extend(value.bytes().map(|byte| match byte {
                    b' ' => 0x40,
                    letter => letter - b'a' + 0x81,
                })),
                _ => body.extend(value.bytes()),
            }
            let why = |at| {
                format!(
                    "DE 4 at byte {}: an element or subfield is malformed or runs past its field",
                    22 + at
                )
            };
            assert_eq!(fault(&dialect, &body), broken.map(why), "{form} {value:?}");
        }
    }
    // Of a fixed length they are always whole: what is missing is filled.
    let fixed = dialect(
        "4 = { name = \"x\", type = \"n 5\", parts = [{ name = \"a\", width = 3 }, { name = \"b\", width = 2 }] }",
    );
    assert_eq!(written(&fixed, &json!({"4": "7"})).unwrap(), b"00007");
}

#[test]
fn a_consumer_number_that_is_cut_is_a_fault_and_no_payment() {
    let pln = shipped::dialect("pln").unwrap().unwrap();
    let frame = |bill: &str| format!("210040200000000100000599501000000000010{:03}{bill}", bill.len());
    let mut mirror = Mirror::new();
    let whole = frame("JTL53L3515800003101");
    assert_eq!(decode(&pln, whole.as_bytes(), &mut mirror).fault, None);
    let cut = frame("JTL53L3515");
    let decoded = decode(&pln, cut.as_bytes(), &mut mirror);
    assert_eq!(decoded.fault.map(|fault| (fault.field, fault.is_layout())), Some((48, false)));
    assert_eq!(decoded.message.get(&pln.path("48.customer").unwrap()), None);
}

#[test]
fn what_follows_a_value_must_be_its_filling() {
    let dialect = dialect(
        "4 = { name = \"x\", type = \"ans..6\", filled = true }\n\
         5 = { name = \"x\", type = \"b..20\", parts = [{ name = \"a\", type = \"n..4\", filled = true }] }",
    );
    assert_eq!(fault(&dialect, b"02ab    "), None);
    let bad = "what follows the value is not its filling";
    assert_eq!(fault(&dialect, b"02ab  c "), Some(format!("DE 4 at byte 26: {bad}")));
    let inside = |value: &[u8]| {
        let mut frame = [b"02000800000000000000", value].concat();
        let mut mirror = Mirror::new();
        let fault = decode(&dialect, &frame, &mut mirror).fault;
        assert!(fault.is_none_or(|fault| !fault.is_layout()));
        let fault = fault.map(|fault| fault.to_string());
        mask_frame(&dialect, &mut frame);
        (fault, String::from_utf8(frame[20..].to_vec()).unwrap())
    };
    assert_eq!(inside(b"06020700"), (None, "06020700".to_owned()));
    assert_eq!(inside(b"06020742"), (Some(format!("DE 5 at byte 26: {bad}")), "06020700".to_owned()));
}
