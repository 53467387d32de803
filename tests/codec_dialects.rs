//! Dialect files: what they may say, and that whatever is wrong in one is found when it is loaded, with its
//! line.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use billswitch::iso8583::{
    CardData, Conflict, Dialect, DialectError, DialectReason, Mirror, PathError, decode, shipped,
};

fn load(text: &str) -> Result<Dialect, DialectError> {
    Dialect::parse("bank.toml", text, &|name| shipped::dialect_text(name).map(str::to_owned))
}

/// A dialect of three lines before `fields`, whose first field is on line 5.
fn with_fields(fields: &str) -> Result<Dialect, DialectError> {
    load(&format!("name = \"bank\"\nextends = \"iso87-ascii\"\nnote = \"a test's\"\n[fields]\n{fields}\n"))
}

#[test]
fn whatever_is_wrong_is_reported_with_file_line_and_reason() {
    let table = [
        ("", "bank.toml:1: `name` is missing"),
        ("name = \"bank\"\nbitmap = ", "bank.toml:2: "),
        ("name = \"bank\"\nextends = \"nowhere\"", "bank.toml:2: `extends`: there is no dialect `nowhere`"),
        ("name = \"bank\"\nextends = \"bank\"", "bank.toml:2: `extends` goes in a circle through `bank`"),
        ("name = \"bank\"\nextends = \"iso87-ascii\"\nbitmpa = \"hex\"", "bank.toml:3: unknown key `bitmpa`"),
        ("name = \"bank\"\nextends = \"iso87-ascii\"\nbitmap = \"bcd\"", "bank.toml:3: `bitmap` must be"),
        ("name = \"bank\"\nextends = \"iso87-ascii\"\nbinary = true", "bank.toml:3: `binary` must be"),
        ("name = \"bank\"\nmti = \"morse\"", "bank.toml:2: `mti` must be"),
        (
            "name = \"bank\"\nbitmap = \"hex\"\n[fields]\n3 = { name = \"x\", type = \"n 6\" }",
            "bank.toml:1: `mti` is missing",
        ),
        (
            "name = \"bank\"\nmti = \"ascii\"\nbitmap = \"hex\"\nbinary = \"raw\"",
            "bank.toml:1: `fields` is missing",
        ),
        (
            "name = \"bank\"\nmti = \"ascii\"\nbitmap = \"hex\"\nbinary = \"raw\"\nfields = 3",
            "bank.toml:5: `fields` must be a table",
        ),
    ];
    for (text, want) in table {
        let error = load(text).unwrap_err().to_string();
        assert!(error.starts_with(want), "{text}\n{error}");
    }
}

#[test]
fn whatever_is_wrong_with_a_field_is_reported_on_its_line() {
    let table = [
        ("1 = { name = \"x\", type = \"b 8\" }", "bank.toml:5: a field is a number from 2 to 192"),
        ("065 = { name = \"x\", type = \"b 8\" }", "bank.toml:5: a field is a number"),
        ("\n129 = { name = \"x\", type = \"b 8\" }", "bank.toml:6: DE 129: fields above 128 need `tertiary`"),
        ("193 = { name = \"x\", type = \"b 8\" }", "bank.toml:5: a field is a number"),
        ("\n65 = { name = \"x\", type = \"b 8\" }", "bank.toml:6: DE 65: 65 is a bitmap's"),
        ("amount = { name = \"x\", type = \"n 6\" }", "bank.toml:5: a field is a number"),
        ("3 = \"n 6\"", "bank.toml:5: `3` must be a record"),
        ("3 = { typ = \"n 6\" }", "bank.toml:5: unknown key `typ`"),
        ("3 = { type = \"n6\" }", "bank.toml:5: DE 3: not a field type: write a class"),
        ("3 = { type = 6 }", "bank.toml:5: `type` must be a text"),
        ("3 = { card_data = \"secret\" }", "bank.toml:5: `card_data` must be"),
        ("48 = { tlv = { tag = 2 } }", "bank.toml:5: `tlv` must be"),
        ("48 = { tlv = { tag = 0, length = 3 } }", "bank.toml:5: `tag` must be a number from 1 to 4"),
        ("48 = { tlv = { tag = 2, length = 3, wide = 1 } }", "bank.toml:5: unknown key `wide`"),
        ("90 = { parts = [] }", "bank.toml:5: `parts` must be"),
        ("90 = { parts = [{ name = \"a.b\", width = 42 }] }", "bank.toml:5: `name` must be at most 16"),
        ("90 = { parts = [{ name = \"a\", width = 42, blank = 1 }] }", "bank.toml:5: `parts` must be"),
        ("90 = { parts = [\n{ name = \"a\", width = 4, wide = 1 }] }", "bank.toml:6: unknown key `wide`"),
        ("17 = \"none\"\n18 = \"none\"\n193 = \"none\"", "bank.toml:7: a field is a number"),
    ];
    for (fields, want) in table {
        let error = with_fields(fields).unwrap_err().to_string();
        assert!(error.starts_with(want), "{fields}\n{error}");
    }
    let error = load("name = \"b\"\nextends = \"onelink\"\n[fields]\n65 = \"none\"").unwrap_err();
    assert_eq!(error.reason, DialectReason::NothingToRemove { field: 65 });
    let twice = "name = \"b\"\nmti = \"ascii\"\nbitmap = \"hex\"\nbinary = \"raw\"\n[fields]\n3 = \"none\"";
    assert_eq!(load(twice).unwrap_err().reason, DialectReason::NothingToRemove { field: 3 });
}

#[test]
fn what_cannot_be_together_is_refused() {
    let table = [
        ("48 = { type = \"ans 99\", tlv = { tag = 2, length = 3 } }", Conflict::FixedTlv),
        ("48 = { type = \"b...99\", tlv = { tag = 2, length = 3 } }", Conflict::NotText),
        ("48 = { type = \"ans.4\", tlv = { tag = 2, length = 3 } }", Conflict::NoRoomForElement),
        (
            "48 = { tlv = { tag = 2, length = 3 }, parts = [{ name = \"a\", width = 2 }] }",
            Conflict::TwoInsides,
        ),
        ("52 = { parts = [{ name = \"a\", width = 8 }] }", Conflict::NotText),
        (
            "3 = { parts = [{ name = \"a\", width = 2 }, { name = \"b\", width = 5 }] }",
            Conflict::PartsTooWide { parts: 7, max: 6 },
        ),
        (
            "3 = { parts = [{ name = \"a\", width = 2 }, { blank = 2 }] }",
            Conflict::PartsTooNarrow { parts: 4, max: 6 },
        ),
        ("3 = { parts = [{ name = \"a\", width = 2 }, { name = \"a\", width = 4 }] }", Conflict::SamePart),
        ("55 = { type = \"b...255\", as = \"hex\" }", Conflict::VariableHex),
        ("3 = { as = \"hex\" }", Conflict::BinaryText),
        ("64 = { card_data = \"pan\" }", Conflict::PanNotText),
    ];
    for (fields, want) in table {
        let error = with_fields(fields).unwrap_err();
        assert_eq!(error.line, 5, "{fields}");
        assert!(
            matches!(error.reason, DialectReason::Conflict { conflict, .. } if conflict == want),
            "{fields}\n{error}"
        );
    }
    let fresh = "name = \"b\"\nmti = \"ascii\"\nbitmap = \"hex\"\nbinary = \"raw\"\n[fields]\n2 = { name = \"x\", type = \"n..19\" }";
    assert!(load(fresh).unwrap_err().to_string().starts_with("bank.toml:6: DE 2: `card_data` is missing"));
}

#[test]
fn a_fault_in_a_base_is_reported_there_and_circles_end() {
    let base = |name: &str| match name {
        "a" => Some("name = \"a\"\nextends = \"b\"".to_owned()),
        "b" => Some("name = \"b\"\n\nextends = \"a\"".to_owned()),
        "c" => Some("name = \"c\"\nmti = \"morse\"".to_owned()),
        _ => None,
    };
    let error = Dialect::parse("d.toml", "name = \"d\"\nextends = \"a\"", &base).unwrap_err();
    assert_eq!(error.to_string(), "b.toml:3: `extends` goes in a circle through `a`");
    let error = Dialect::parse("d.toml", "name = \"d\"\nextends = \"c\"", &base).unwrap_err();
    assert_eq!((error.file.as_str(), error.line), ("c.toml", 2));
    let endless = |name: &str| Some(format!("name = \"{name}\"\nextends = \"{name}x\""));
    let error = Dialect::parse("d.toml", "name = \"d\"\nextends = \"e\"", &endless).unwrap_err();
    assert!(matches!(error.reason, DialectReason::Circle { .. }));
}

#[test]
fn an_extension_inherits_overrides_and_takes_away() {
    let bank = with_fields("3 = { name = \"service\" }\n17 = \"none\"\n35 = { type = \"ans..40\" }").unwrap();
    assert_eq!((bank.field_name(3), bank.field_type(3)), (Some("service"), Some("n 6")));
    assert_eq!(bank.field_name(17), None);
    // A new type must not lose what is known of the content.
    assert_eq!((bank.field_type(35), bank.card_data(35)), (Some("ans..40"), CardData::Never));
    assert_eq!((bank.card_data(2), bank.card_data(3)), (CardData::Pan, CardData::None));
    // A binary default reaches inherited fields: 16 hex characters there, 8 bytes here.
    let raw = load("name = \"raw\"\nextends = \"iso87-ascii\"\nbinary = \"raw\"").unwrap();
    assert_eq!((bank.field_max(64), raw.field_max(64)), (Some(8), Some(8)));
    let onelink = shipped::dialect("onelink").unwrap().unwrap();
    assert_eq!((onelink.field_max(52), onelink.field_max(64)), (Some(8), Some(8)));
}

#[test]
fn a_path_is_a_field_an_element_or_a_part() {
    let onelink = shipped::dialect("onelink").unwrap().unwrap();
    let table = [
        ("", PathError::Malformed),
        ("x", PathError::Malformed),
        ("048", PathError::Malformed),
        ("+48", PathError::Malformed),
        ("300", PathError::Malformed),
        ("65", PathError::Undefined { field: 65 }),
        ("48.C", PathError::TagWidth { field: 48, width: 2 }),
        ("48.CNX", PathError::TagWidth { field: 48, width: 2 }),
        ("48.", PathError::TagWidth { field: 48, width: 2 }),
        ("37.CN", PathError::NoInside { field: 37 }),
        ("90.acquirer", PathError::NoSuchPart { field: 90 }),
    ];
    for (text, want) in table {
        assert_eq!(onelink.path(text), Err(want), "{text:?}");
    }
    let frame = b"0420\x82\x20\0\0\0\x01\0\0\0\0\0\x40\0\0\0\x001120090029004709\
        013BI003ABCCN0000200004707      1120090009      1120090010";
    let mut mirror = Mirror::new();
    let decoded = decode(&onelink, frame, &mut mirror);
    assert_eq!(decoded.fault, None);
    for (path, want) in [
        ("11", Some(&b"004709"[..])),
        ("48.BI", Some(b"ABC")),
        ("48.CN", Some(b"")),
        ("48.CH", None),
        ("90.mti", Some(b"0200")),
        ("90.stan", Some(b"004707")),
        ("90.transmitted_at", Some(b"1120090009")),
        ("90.local_at", Some(b"1120090010")),
        ("4", None),
    ] {
        let compiled = onelink.path(path).unwrap();
        assert_eq!(decoded.message.get(&compiled), want, "{path}");
        assert_eq!(compiled.to_string(), path);
    }
}
