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
    // The last may be said to be shorter.
    let open = dialect(
        "4 = { name = \"x\", type = \"n..9\", parts = [{ name = \"a\", width = 3 }, { name = \"b\", up_to = 4 }] }",
    );
    for (value, fits) in
        [("", true), ("12", false), ("123", true), ("1234", true), ("1234567", true), ("12345678", false)]
    {
        let body = format!("{:02}{value}", value.len());
        assert_eq!(fault(&open, body.as_bytes()).is_none(), fits, "{value}");
        assert_eq!(written(&open, &json!({"4": value})).is_ok(), fits, "{value}");
    }
    assert_eq!(written(&open, &json!({"4": {"a": "7", "b": "12"}})).unwrap(), b"0500712");
    assert!(written(&open, &json!({"4": {"a": "7", "b": "12345"}})).is_err());
    let last = "{ name = \"a\", up_to = 3 }";
    for (of, parts) in [("n 3", last), ("n..9", &*format!("{last}, {{ blank = 2 }}"))] {
        assert!(
            load(&format!("4 = {{ name = \"x\", type = \"{of}\", parts = [{parts}] }}")).is_err(),
            "{of}"
        );
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

#[test]
fn a_field_is_not_taken_away_for_some_messages() {
    let when = "4 = { name = \"x\", type = \"n 2\" }\n5 = { name = \"x\", type = \"n 2\" }\n\
                [[when]]\nmti = [\"0200\"]\n[when.fields]\n";
    refused(load(&format!("{when}4 = \"none\"")), 11, "`4` must be a record in braces");
}

#[test]
fn a_field_that_is_taken_away_does_not_come_back_for_some_messages() {
    let base = "name = \"base\"\nmti = \"ascii\"\nbitmap = \"hex\"\nbinary = \"raw\"\n[fields]\n\
                4 = { name = \"x\", type = \"n 2\" }\n5 = { name = \"x\", type = \"n 2\" }\n\
                [[when]]\nmti = [\"0200\"]\n[when.fields]\n4 = { name = \"x\", type = \"n 4\" }\n6 = { name = \"x\", type = \"n 4\" }\n";
    let extended = |says: &str| {
        let text = format!("name = \"corner\"\nextends = \"base\"\n[fields]\n{says}\n");
        parse(&text, &|_| Some(base.to_owned()))
    };
    let dialect = extended("4 = \"none\"").unwrap();
    assert!(dialect.path("4").is_err() && dialect.path("6").is_ok());
    assert!(written(&dialect, &json!({"4": "1234"})).is_err());
    // Also one that is there for some messages only.
    let dialect = extended("6 = \"none\"").unwrap();
    assert!(dialect.path("4").is_ok() && dialect.path("6").is_err());
    refused(extended("7 = \"none\""), 4, "there is nothing to take away");
}

#[test]
fn small_fields_fill_a_fixed_length_exactly() {
    let parts = |kind: &str, widths: &[&str]| {
        let part = |(at, of): (usize, &&str)| format!("{{ name = \"p{at}\", type = \"{of}\" }}");
        let parts: Vec<String> = widths.iter().enumerate().map(part).collect();
        load(&format!("4 = {{ name = \"x\", type = \"{kind}\", parts = [{}] }}", parts.join(", ")))
    };
    refused(parts("b 6", &["n 2", "n 3"]), 6, "DE 4: its parts take 5 characters of 6");
    refused(parts("b 6", &["n 2", "n 5"]), 6, "DE 4: its parts take 7 characters, but the field has 6");
    refused(parts("ans 6", &["n 2", "ans..1"]), 6, "DE 4: its parts take 5 characters of 6");
    refused(parts("ans 6", &["n 5", "ans..9"]), 6, "DE 4: its parts take 7 characters, but the field has 6");
    for fits in [parts("b 6", &["n 2", "n 4"]), parts("b 6", &["n 2", "ans..9"]), parts("b..6", &["n 9"])] {
        assert!(fits.is_ok(), "{fits:?}");
    }
}

#[test]
fn a_bitmap_fits_into_its_field() {
    let field = |of: &str, bytes: u8| {
        load(&format!(
            "4 = {{ name = \"x\", type = \"{of}\", bitmap = {{ form = \"hex\", bytes = {bytes} }}, \
             fields = {{ 2 = {{ name = \"x\", type = \"n 2\" }} }} }}"
        ))
    };
    assert!(field("b..2", 1).is_ok());
    refused(field("b 1", 16), 6, "DE 4: the field is too short for its bitmap");
    refused(field("b..99", 50), 6, "");
    refused(field("b..9", 5), 6, "DE 4: the field is too short for its bitmap");
}

#[test]
fn nothing_is_inside_of_a_field_without_bytes() {
    for inside in
        ["ber = true", "tlv = { tag = 2, length = 2, as = \"binary\" }", "datasets = { length = 1 }"]
    {
        let loaded = load(&format!("4 = {{ name = \"x\", type = \"absent\", {inside} }}"));
        refused(loaded, 6, "DE 4: nothing is inside of a field that has no bytes");
    }
}

#[test]
fn meanings_and_names_are_of_places_that_there_are() {
    let field = "4 = { name = \"x\", type = \"ans..20\", tlv = { tag = 2, length = 2 } }\n";
    let loads = |rest: &str| load(&format!("{field}{rest}"));
    assert!(
        loads("[codes.4]\n\"00\" = \"y\"\n[codes.\"4.AB\"]\n\"0\" = \"y\"\n[names]\n\"4.AB\" = \"y\"")
            .is_ok()
    );
    refused(loads("[codes.999]\n\"00\" = \"y\""), 7, "`999`: ");
    refused(loads("[codes.5]\n\"00\" = \"y\""), 7, "`5`: the dialect has no DE 5");
    refused(loads("[names]\n\"q.z\" = \"y\""), 8, "`q.z`: ");
    refused(loads("[names]\n\"4.ABC\" = \"y\""), 8, "`4.ABC`: a tag of DE 4 has 2 characters");
    // What an extending file takes away takes the base's meanings with it.
    let base = format!(
        "name = \"base\"\nmti = \"ascii\"\nbitmap = \"hex\"\nbinary = \"raw\"\n[fields]\n{field}5 = {{ name = \"x\", type = \"n 2\" }}\n[codes.4]\n\"00\" = \"y\"\n[names]\n\"4.AB\" = \"y\""
    );
    let text = "name = \"corner\"\nextends = \"base\"\n[fields]\n4 = \"none\"\n";
    assert!(parse(text, &|_| Some(base.clone())).is_ok());
}

#[test]
fn a_condition_asks_for_what_its_field_can_be() {
    let field = |of: &str, asks: &str| {
        load(&format!(
            "3 = {{ name = \"x\", type = \"{of}\" }}\n4 = {{ name = \"x\", type = \"n 2\" }}\n\
             [[when]]\nfield = 3\n{asks}\n[when.fields]\n4 = {{ name = \"x\", type = \"n 4\" }}"
        ))
    };
    for (of, asks) in [
        ("n 4", "is = [\"3800\"]"),
        ("n 4", "begins = [\"38\"]"),
        ("n..4", "is = [\"38\"]"),
        ("x+n 4", "begins = [\"C\"]"),
    ] {
        assert!(field(of, asks).is_ok(), "{of} {asks}");
    }
    for (of, asks) in [
        ("n 4", "is = [\"3800\", \"38\"]"),
        ("n 4", "is = [\"38000\"]"),
        ("n 4", "begins = [\"38000\"]"),
        ("n..4", "is = [\"38000\"]"),
        ("n 4", "is = [\"38A0\"]"),
        ("n 4", "begins = [\"A\"]"),
        ("x+n 4", "begins = [\"3\"]"),
    ] {
        refused(field(of, asks), 8, "DE 3: no value of this field");
    }
    let rule = "3 = { name = \"x\", type = \"n 4\" }\n[[presence]]\nmti = [\"0200\"]\nconditional = [{ fields = [3], field = 3, is = [\"1\"] }]";
    refused(load(rule), 7, "DE 3: no value of this field");
}

#[test]
fn where_a_byte_ends_a_frame_that_byte_stands_nowhere_else() {
    let ascii = "4 = { name = \"x\", type = \"ans 2\" }";
    for (head, fields) in [
        ("framing = \"end FF\"\n", ascii),
        ("framing = \"stx etx\"\n", ascii),
        ("framing = \"stx etx\"\ntext = \"cp037\"\n", ascii),
        ("framing = \"end FF\"\nbinary = \"hex\"\n", "4 = { name = \"x\", type = \"b 2\" }"),
        ("framing = \"binary 2\"\nbitmap = \"binary\"\nmti = \"bcd\"\n", ascii),
    ] {
        assert!(headed(head, fields).is_ok(), "{head} {fields}");
    }
    let table = [
        ("framing = \"end 30\"\n", ascii, 2, "printable"),
        ("framing = \"end FF\"\ntext = \"latin1\"\n", ascii, 8, "DE 4"),
        ("framing = \"end C1\"\ntext = \"cp037\"\n", ascii, 8, "DE 4"),
        ("framing = \"end FF\"\nbitmap = \"binary\"\n", ascii, 2, "bitmap"),
        ("framing = \"stx etx\"\nmti = \"bcd\"\n", ascii, 2, "message type"),
        ("framing = \"stx etx\"\nheader = [{ tpdu = \"6000010002\" }]\n", ascii, 2, "header"),
        ("framing = \"end FF\"\n", "4 = { name = \"x\", type = \"b 2\" }", 7, "DE 4"),
        ("framing = \"end FF\"\n", "4 = { name = \"x\", type = \"n 2\", as = \"bcd\" }", 7, "DE 4"),
        ("framing = \"end FF\"\n", "4 = { name = \"x\", type = \"n..2\", length = \"binary\" }", 7, "DE 4"),
        ("framing = \"end FF\"\n", "4 = { name = \"x\", type = \"char 2\" }", 7, "DE 4"),
        (
            "framing = \"end FF\"\n",
            "4 = { name = \"x\", type = \"absent\" }\n5 = { name = \"x\", type = \"n 2\" }\n[[when]]\nmti = [\"0200\"]\n[when.fields]\n5 = { name = \"x\", type = \"b 2\" }",
            12,
            "DE 5",
        ),
    ];
    for (head, fields, line, what) in table {
        refused(headed(head, fields), line, what);
    }
}

#[test]
fn what_clashes_in_a_base_is_shown_on_its_own_line() {
    let base = "name = \"base\"\nmti = \"ascii\"\nbitmap = \"hex\"\nbinary = \"raw\"\n[fields]\n\
                3 = { name = \"x\", type = \"n 2\" }\n4 = { name = \"x\", type = \"n 2\" }\n\
                [[when]]\nfield = 3\nis = [\"38\"]\n[when.fields]\n4 = { name = \"x\", type = \"n 4\" }\n\
                [[presence]]\nmti = [\"0200\"]\nmandatory = [4]\n";
    let error = |says: &str| {
        let text = format!("name = \"corner\"\nextends = \"base\"\n\n\n\n{says}\n");
        parse(&text, &|_| Some(base.to_owned())).unwrap_err()
    };
    assert_eq!(error("[fields]\n3 = \"none\""), "base.toml:8: the dialect has no DE 3");
    assert!(
        error("[fields]\n3 = { type = \"n 1\" }").starts_with("base.toml:8: DE 3: no value of this field")
    );
    assert_eq!(error("[fields]\n4 = \"none\""), "base.toml:13: the dialect has no DE 4");
    assert!(
        error("secondary = \"none\"\n[fields]\n70 = { name = \"x\", type = \"n 2\" }")
            .starts_with("corner.toml:8: ")
    );
}

#[test]
fn the_third_bitmap_is_carried_by_another_field_than_its_own_bit() {
    let text = "65 = { name = \"x\", type = \"b 8\" }\n";
    assert!(headed("tertiary = 65\n", text).is_ok());
    assert!(headed("tertiary = \"leading\"\n", text).is_err());
}
