//! Corners of the notation in which the codec was once wrong. Each was met by drawing dialects and messages at random.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use billswitch::iso8583::{Dialect, Mirror, Writer, decode, from_json, mask_frame, to_json};
use bytes::BytesMut;
use serde_json::{Value, json};

/// A dialect of ASCII with these fields.
fn dialect(fields: &str) -> Dialect {
    load(fields).unwrap_or_else(|error| panic!("{error}"))
}

fn load(fields: &str) -> Result<Dialect, String> {
    let text = format!(
        "name = \"corner\"\nmti = \"ascii\"\nbitmap = \"hex\"\nbinary = \"raw\"\n[fields]\n{fields}\n"
    );
    Dialect::parse("corner.toml", &text, &|_| None).map_err(|error| error.to_string())
}

/// A message as it is written, behind the MTI and one bitmap in hex.
fn written(dialect: &Dialect, json: &Value) -> Result<Vec<u8>, String> {
    let mut out = BytesMut::new();
    from_json(dialect, &json!({"mti": "0200", "fields": json}), &mut out)
        .map_err(|error| error.to_string())?;
    Ok(out[20..].to_vec())
}

/// The fields that are read from what was written.
fn read(dialect: &Dialect, mti_and_bitmap: &str, body: &[u8]) -> Result<Value, String> {
    let frame = [mti_and_bitmap.as_bytes(), body].concat();
    let mut mirror = Mirror::new();
    let decoded = decode(dialect, &frame, &mut mirror);
    decoded
        .fault
        .map_or_else(|| Ok(to_json(&decoded, false)["fields"].clone()), |fault| Err(fault.to_string()))
}

/// Goes there and back, and is as many bytes as are said.
fn comes_back(dialect: &Dialect, fields: &Value) -> Vec<u8> {
    let mut out = BytesMut::new();
    from_json(dialect, &json!({"mti": "0200", "fields": fields}), &mut out)
        .unwrap_or_else(|error| panic!("{error}"));
    let mut mirror = Mirror::new();
    let decoded = decode(dialect, &out, &mut mirror);
    assert_eq!(decoded.fault, None);
    assert_eq!(&to_json(&decoded, false)["fields"], fields);
    out.to_vec()
}

#[test]
fn a_data_set_is_bytes_whatever_binary_is_elsewhere() {
    let text = "name = \"corner\"\nmti = \"ascii\"\nbitmap = \"hex\"\nbinary = \"hex\"\n[fields]\n\
                4 = { name = \"sets\", type = \"b...99\", datasets = { id = 1, length = 2, \
                71 = { bitmap = { form = \"binary\", bytes = 1 }, fields = { 2 = { name = \"x\", type = \"b 1\" } } } } }\n";
    let dialect = Dialect::parse("corner.toml", text, &|_| None).unwrap();
    let frame = comes_back(&dialect, &json!({"4": {"71": {"2": "C0"}, "57": {"80": "01"}, "90": "FF"}}));
    assert_eq!(&frame[20..], b"016\x71\0\x03\x40C0\x57\0\x03\x80\x01\x01\x90\0\x01\xff");
}

#[test]
fn a_data_set_has_no_form_of_its_own() {
    let set = |says: &str| {
        load(&format!(
            "4 = {{ name = \"sets\", type = \"b...99\", datasets = {{ id = 1, length = 2, 71 = {{ {says} }} }} }}"
        ))
    };
    for says in ["type = \"n 6\"", "as = \"hex\"", "type = \"b..9\", length = \"bcd\""] {
        let error = set(says).unwrap_err();
        assert!(error.starts_with("corner.toml:6: DE 4: a data set is bytes"), "{error}");
    }
}

#[test]
fn an_odd_number_of_digits_behind_a_length_in_bytes_is_told_by_its_filling() {
    let field = |odd: &str| {
        dialect(&format!(
            "4 = {{ name = \"x\", type = \"n..7\", as = \"bcd\", odd = \"{odd}\", length = {{ counts = \"bytes\" }} }}"
        ))
    };
    assert_eq!(&comes_back(&field("right F"), &json!({"4": "12345"}))[20..], b"03\x12\x34\x5f");
    assert_eq!(&comes_back(&field("left F"), &json!({"4": "12345"}))[20..], b"03\xf1\x23\x45");
    assert_eq!(&comes_back(&field("left F"), &json!({"4": "123456"}))[20..], b"03\x12\x34\x56");
    // The longest is told by being it.
    assert_eq!(&comes_back(&field("left 0"), &json!({"4": "1234567"}))[20..], b"04\x01\x23\x45\x67");
    assert_eq!(&comes_back(&field("right 0"), &json!({"4": "1234567"}))[20..], b"04\x12\x34\x56\x70");
    // Another would be read with a zero more: as another card number.
    let short = Err("4: DE 4: 5 bytes instead of 6".to_owned());
    for odd in ["left 0", "right 0"] {
        assert_eq!(written(&field(odd), &json!({"4": "12345"})), short);
        assert_eq!(
            read(&field(odd), "02001000000000000000", b"03\xf1\x23\x45"),
            Err("DE 4 at byte 22: not of the character class n".to_owned())
        );
    }
}

#[test]
fn what_stands_before_a_bitmap_inside_a_field_is_kept() {
    let dialect = dialect(
        "3 = { name = \"x\", type = \"n 6\", as = \"bcd\" }\n\
         4 = { name = \"x\", type = \"b..20\", bitmap = { form = \"binary\", bytes = 1, header = 2 }, \
         fields = { 2 = { name = \"x\", type = \"n 2\" } } }",
    );
    let frame = comes_back(&dialect, &json!({"4": {"header": "C0DE", "2": "07"}}));
    assert_eq!(&frame[20..], b"05\xc0\xde\x4007");
    let mut mirror = Mirror::new();
    let decoded = decode(&dialect, &frame, &mut mirror);
    assert_eq!(decoded.message.get(&dialect.path("4.header").unwrap()), Some(&b"\xc0\xde"[..]));
    // Left out it is zeros, whatever was written before.
    let mut out = BytesMut::new();
    let mut writer = Writer::new(&dialect, "0200".parse().unwrap(), &mut out);
    writer.put(3, b"1").unwrap();
    writer.begin(4).unwrap();
    writer.element(b"2", b"07").unwrap();
    writer.end().unwrap();
    writer.finish().unwrap();
    assert_eq!(&out[20..], b"\0\0\x0105\0\0\x4007");
}

#[test]
fn elements_of_latin_1_may_have_its_letters() {
    let dialect =
        dialect("4 = { name = \"x\", type = \"an..20\", as = \"latin1\", tlv = { tag = 2, length = 2 } }");
    let frame = comes_back(&dialect, &json!({"4": {"Né": "Å"}}));
    assert_eq!(&frame[20..], b"05N\xe901\xc5");
    assert!(written(&dialect, &json!({"4": {"N€": "A"}})).is_err());
    let ebcdic = self::dialect(
        "4 = { name = \"x\", type = \"an..20\", as = \"cp037\", tlv = { tag = 2, length = 2 } }",
    );
    let frame = comes_back(&ebcdic, &json!({"4": {"Né": "Å"}}));
    assert_eq!(&frame[20..], b"05\xd5\x51\xf0\xf1\x67");
    // As when it is written element by element.
    let mut out = BytesMut::new();
    let mut writer = Writer::new(&ebcdic, "0200".parse().unwrap(), &mut out);
    writer.begin(4).unwrap();
    writer.element(b"N\xe9", b"\xc5").unwrap();
    writer.end().unwrap();
    writer.finish().unwrap();
    assert_eq!(out, frame);
}

#[test]
fn a_condition_asks_its_field_whichever_layout_that_has() {
    let dialect = dialect(
        "4 = { name = \"x\", type = \"n 2\" }\n5 = { name = \"x\", type = \"n 2\" }\n\
         [[when]]\nmti = [\"0200\"]\n[when.fields]\n3 = { name = \"x\", type = \"n..6\" }\n\
         [[when]]\nfield = 3\nbegins = [\"38\"]\n[when.fields]\n4 = { name = \"x\", type = \"n 4\" }",
    );
    let frame = comes_back(&dialect, &json!({"3": "3800", "4": "1234", "5": "56"}));
    assert_eq!(&frame[20..], b"043800123456");
}

#[test]
fn the_field_that_carries_the_third_bitmap_is_always_laid_out_for_it() {
    let carries = |more: &str| {
        let text = "name = \"corner\"\nmti = \"ascii\"\nbitmap = \"hex\"\nbinary = \"raw\"\ntertiary = 65\n[fields]\n\
                    4 = { name = \"x\", type = \"n 2\" }\n130 = { name = \"x\", type = \"n 2\" }\n";
        Dialect::parse("corner.toml", &format!("{text}{more}"), &|_| None).map_err(|error| error.to_string())
    };
    let error = |line| {
        Err(format!(
            "corner.toml:{line}: DE 65: it cannot carry the third bitmap: that takes type `b 8`, raw, not above 128"
        ))
    };
    let plain = "65 = { name = \"x\", type = \"b 8\" }\n";
    let other = "[[when]]\nmti = [\"08xx\"]\n[when.fields]\n65 = { name = \"x\", type = \"b 4\" }\n";
    assert_eq!(carries(&format!("{plain}{other}")).map(|_| ()), error(13));
    assert_eq!(carries("65 = { name = \"x\", type = \"b 8\", ber = true }\n").map(|_| ()), error(9));
    // It may be mandatory, and is there though nobody gave it.
    let rule = "[[presence]]\nmti = [\"0200\"]\nconditional = [{ fields = [65], with = 4 }]\n";
    let dialect = carries(&format!("{plain}{rule}")).unwrap();
    let mut out = BytesMut::new();
    from_json(&dialect, &json!({"mti": "0200", "fields": {"4": "01", "130": "02"}}), &mut out).unwrap();
    let mut mirror = Mirror::new();
    assert_eq!(decode(&dialect, &out, &mut mirror).fault, None);
}

#[test]
fn blanks_between_parts_of_digits_are_zeros() {
    let dialect = dialect(
        "4 = { name = \"x\", type = \"n 6\", parts = [{ name = \"a\", width = 2 }, { blank = 2 }, { name = \"b\", width = 2 }] }",
    );
    assert_eq!(&comes_back(&dialect, &json!({"4": {"a": "12", "b": "34"}}))[20..], b"120034");
    assert_eq!(&comes_back(&dialect, &json!({"4": "125634"}))[20..], b"125634");
}

#[test]
fn small_fields_that_do_not_fill_a_fixed_length_are_refused() {
    let dialect = dialect(
        "4 = { name = \"x\", type = \"ans 6\", parts = [{ name = \"a\", type = \"n 2\" }, { name = \"b\", type = \"n 4\" }] }",
    );
    assert_eq!(&comes_back(&dialect, &json!({"4": {"a": "12", "b": "3456"}}))[20..], b"123456");
    assert_eq!(
        written(&dialect, &json!({"4": {"a": "12"}})),
        Err("4: DE 4: 2 bytes instead of 6".to_owned())
    );
}

#[test]
fn what_stands_where_filling_should_is_masked_with_it() {
    let pan = "2 = { name = \"x\", type = \"n..19\", filled = true, card_data = \"pan\" }\n";
    let inner = "4 = { name = \"x\", type = \"b..30\", parts = [{ name = \"a\", type = \"ans..9\", filled = true }, { name = \"b\", type = \"n 2\" }] }";
    let dialect = dialect(&format!("{pan}{inner}"));
    let mut frame = b"02005000000000000000164242424242424242123".to_vec();
    frame.extend(b"1302ab123456701");
    mask_frame(&dialect, &mut frame);
    assert_eq!(
        std::str::from_utf8(&frame[20..]).unwrap(),
        "164242420000004242000".to_owned() + "1302ab       01"
    );
}

#[test]
fn a_card_number_cut_up_by_parts_is_masked() {
    let dialect = dialect(
        "2 = { name = \"x\", type = \"n..19\", card_data = \"pan\" }\n\
         4 = { name = \"x\", type = \"ans 18\", parts = [{ name = \"a\", width = 9 }, { name = \"b\", width = 9 }] }",
    );
    let mut frame = b"02005000000000000000164242424242424242A4242424242424242B".to_vec();
    let mut mirror = Mirror::new();
    let shown = to_json(&decode(&dialect, &frame, &mut mirror), true);
    assert_eq!(shown["fields"]["4"], json!({"a": "A424242**", "b": "****4242B"}));
    mask_frame(&dialect, &mut frame);
    assert_eq!(&frame[20..], b"164242420000004242A4242420000004242B");
}

#[test]
fn what_is_written_piece_by_piece_is_judged_as_a_whole() {
    let dialect = dialect(
        "3 = { name = \"x\", type = \"n..6\", parts = [{ name = \"a\", width = 2 }, { name = \"b\", width = 4 }] }\n\
         4 = { name = \"x\", type = \"b..20\", ber = true }\n5 = { name = \"x\", type = \"b..20\", datasets = { length = 1 } }\n\
         [[when]]\nfield = 3\nis = [\"380000\"]\n[when.fields]\n6 = { name = \"x\", type = \"n 2\" }",
    );
    let piece = |field, key: &[u8], value: &[u8]| {
        let mut out = BytesMut::new();
        let mut writer = Writer::new(&dialect, "0200".parse().unwrap(), &mut out);
        writer.begin(field).unwrap();
        writer.element(key, value).unwrap();
        writer.end().and_then(|()| writer.finish()).map_err(|error| error.to_string())
    };
    let broken =
        |field| Err(format!("DE {field}: an element or subfield is malformed at byte 2 of the value"));
    assert_eq!(piece(4, b"70", b"\x95\x01\x07"), Ok(()));
    // What is no object under a constructed tag is a value of its own.
    assert_eq!(piece(4, b"70", b"\x95\x02\x07"), Ok(()));
    assert_eq!(piece(5, b"57", b"\x95\x01\x07"), Ok(()));
    assert_eq!(piece(5, b"57", b"\x95\x02\x07"), broken(5));
    // A condition learns of it, too.
    let mut out = BytesMut::new();
    let mut writer = Writer::new(&dialect, "0200".parse().unwrap(), &mut out);
    writer.begin(3).unwrap();
    writer.element(b"a", b"38").unwrap();
    writer.element(b"b", b"0000").unwrap();
    writer.end().unwrap();
    writer.put(6, b"12").unwrap();
    writer.finish().unwrap();
    assert_eq!(&out[20..], b"0638000012");
}

#[test]
fn a_subfield_has_one_name_only() {
    let dialect = dialect(
        "4 = { name = \"x\", type = \"b..20\", bitmap = { form = \"hex\", bytes = 1 }, fields = { 2 = { name = \"x\", type = \"n 2\" } } }\n\
         5 = { name = \"x\", type = \"b..20\", datasets = { length = 1, 07 = { name = \"x\", ber = true } } }",
    );
    for key in ["02", "+2"] {
        assert_eq!(
            written(&dialect, &json!({"4": {key: "3037"}})),
            Err(format!("4.{key}: means nothing here"))
        );
        assert!(dialect.path(&format!("4.{key}")).is_err());
    }
    for path in ["5.+7", "5.7", "5.seven"] {
        assert!(dialect.path(path).is_err(), "{path}");
    }
    assert!(dialect.path("5.07").is_ok() && dialect.path("5.0A").is_ok());
    assert!(
        load("5 = { name = \"x\", type = \"b..20\", datasets = { length = 1, \"+7\" = { name = \"x\" } } }")
            .is_err()
    );
}

#[test]
fn a_tag_may_have_a_dot() {
    let dialect =
        dialect("4 = { name = \"x\", type = \"ans..20\", as = \"cp500\", tlv = { tag = 2, length = 1 } }");
    let frame = comes_back(&dialect, &json!({"4": {"A.": "1", ".B": "2", "A ": "3"}}));
    let mut mirror = Mirror::new();
    let decoded = decode(&dialect, &frame, &mut mirror);
    for (path, want) in [("4.A.", b"1"), ("4..B", b"2"), ("4.A ", b"3")] {
        assert_eq!(decoded.message.get(&dialect.path(path).unwrap()), Some(&want[..]), "{path}");
    }
}

#[test]
fn inside_of_text_everything_is_text() {
    let table = [
        (
            "bitmap = { form = \"binary\", bytes = 1 }, fields = { 2 = { name = \"x\", type = \"n 2\" } }",
            false,
        ),
        ("bitmap = { form = \"hex\", bytes = 1 }, fields = { 2 = { name = \"x\", type = \"n 2\" } }", true),
        ("bitmap = { form = \"hex\", bytes = 1 }, fields = { 2 = { name = \"x\", type = \"b 2\" } }", false),
        (
            "bitmap = { form = \"hex\", bytes = 1 }, fields = { 2 = { name = \"x\", type = \"b 2\", as = \"hex\" } }",
            true,
        ),
        ("datasets = { length = 1 }", false),
        ("parts = [{ name = \"a\", type = \"n 2\", as = \"bcd\" }]", false),
        ("parts = [{ name = \"a\", type = \"n 2\", as = \"cp037\" }]", false),
        ("parts = [{ name = \"a\", type = \"n..2\", length = \"bcd\" }]", false),
        ("parts = [{ name = \"a\", type = \"n..2\" }]", true),
        ("parts = [{ name = \"a\", type = \"absent\" }, { name = \"b\", type = \"x+n 4\" }]", true),
    ];
    for (inside, fits) in table {
        let loaded = load(&format!("4 = {{ name = \"x\", type = \"ans...99\", {inside} }}"));
        assert_eq!(loaded.is_ok(), fits, "{inside}: {loaded:?}");
    }
}

#[test]
fn a_condition_sees_a_value_as_it_is_on_the_wire() {
    let dialect = dialect(
        "3 = { name = \"x\", type = \"n 4\" }\n4 = { name = \"x\", type = \"n 2\" }\n\
         [[when]]\nfield = 3\nbegins = [\"38\"]\n[when.fields]\n4 = { name = \"x\", type = \"n 4\" }",
    );
    assert_eq!(written(&dialect, &json!({"3": "38", "4": "12"})).unwrap(), b"003812");
    assert_eq!(written(&dialect, &json!({"3": "3800", "4": "12"})).unwrap(), b"38000012");
}

#[test]
fn parts_of_a_card_number_are_masked_each_as_its_own_type_is() {
    let dialect = dialect(
        "2 = { name = \"x\", type = \"ans 8\", card_data = \"pan\", parts = [{ name = \"a\", type = \"n 6\" }, { name = \"b\", type = \"a 2\" }] }",
    );
    let mut frame = b"02004000000000000000424242AB".to_vec();
    mask_frame(&dialect, &mut frame);
    assert_eq!(&frame[20..], b"000000XX");
}

#[test]
fn chip_data_in_a_fixed_length_is_filled_up_with_zeros() {
    let dialect = dialect(
        "4 = { name = \"x\", type = \"b 6\", ber = true }\n5 = { name = \"x\", type = \"b 4\", as = \"hex\", ber = true }",
    );
    let frame = comes_back(&dialect, &json!({"4": {"95": "07"}, "5": {}}));
    assert_eq!(&frame[20..], b"\x95\x01\x07\0\0\x0000000000");
    let mut out = BytesMut::new();
    let mut writer = Writer::new(&dialect, "0200".parse().unwrap(), &mut out);
    writer.begin(4).unwrap();
    writer.element(b"95", b"\x07").unwrap();
    writer.end().unwrap();
    writer.put(5, b"").unwrap();
    writer.finish().unwrap();
    assert_eq!(&out[..], &frame[..]);
}

#[test]
fn a_long_file_is_read_in_time_in_line_with_its_length() {
    let parts: String = (0..20_000).map(|at| format!("{{ name = \"p{at}\", type = \"n 1\" }}, ")).collect();
    let subfields: String =
        (2..129).map(|at| format!("{at} = {{ name = \"x\", type = \"n 2\" }}, ")).collect();
    let whens = "[[when]]\nmti = [\"0200\"]\n[when.fields]\n5 = { name = \"y\" }\n".repeat(10_000);
    let began = std::time::Instant::now();
    let error = load(&format!(
        "4 = {{ name = \"x\", type = \"b..99\", parts = [{parts}] }}\n\
         5 = {{ name = \"x\", type = \"b..99\", bitmap = {{ form = \"hex\", bytes = 16 }}, fields = {{ {subfields} }} }}\n{whens}"
    ))
    .unwrap_err();
    assert_eq!(error, "corner.toml:264: more than 64 conditions in `when` and `presence` together");
    // It takes a fraction of a second, and took minutes.
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}
