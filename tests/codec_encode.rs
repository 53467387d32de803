//! Writing messages: what is filled up, what is refused, and that a refusal leaves nothing behind.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking, and adds up what is small"
)]

use billswitch::iso8583::{Class, Dialect, EncodeError, EncodeReason, Mti, Writer, shipped};
use bytes::BytesMut;

fn dialect(name: &str) -> Dialect {
    shipped::dialect(name).unwrap().unwrap()
}

fn mti(text: &str) -> Mti {
    text.parse().unwrap()
}

#[test]
fn a_message_is_written_byte_for_byte() {
    let (hex, onelink) = (dialect("iso87-ascii"), dialect("onelink"));
    let mut out = BytesMut::from(&b"before"[..]);
    let mut writer = Writer::new(&hex, mti("0800"), &mut out);
    writer.put(7, b"1125161336").unwrap();
    writer.put(11, b"255").unwrap();
    writer.put(41, b"TERM").unwrap();
    writer.put(70, b"301").unwrap();
    writer.finish().unwrap();
    assert_eq!(&out[..], b"before0800822000000080000004000000000000001125161336000255TERM    301");

    let mut out = BytesMut::new();
    let mut writer = Writer::new(&onelink, mti("0210"), &mut out);
    writer.put(2, b"4000000804793778").unwrap();
    writer.begin(120).unwrap();
    writer.element(b"NM", b"A CITIZEN").unwrap();
    writer.element(b"ST", b"").unwrap();
    writer.end().unwrap();
    writer.finish().unwrap();
    let want = b"0210\xc0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x00164000000804793778019NM009A CITIZENST000";
    assert_eq!(&out[..], want);
}

#[test]
fn a_field_put_into_its_form_leaves_nothing_of_its_characters_behind() {
    let text = r#"
        name = "bank"
        extends = "iso87-bcd"
        [fields.60]
        name = "a"
        type = "n 12"
        parts = [{ name = "batch", width = 6 }, { name = "network", width = 6 }]
        [fields.61]
        name = "b"
        type = "b...255"
        bitmap = { form = "binary", bytes = 1, header = 2 }
        fields = { 1 = { name = "c", type = "b 1" } }
    "#;
    let base = |name: &str| shipped::dialect_text(name).map(str::to_owned);
    let bank = Dialect::parse("bank.toml", text, &base).unwrap();
    let mut out = BytesMut::new();
    let mut writer = Writer::new(&bank, mti("0200"), &mut out);
    writer.begin(60).unwrap();
    writer.element(b"batch", b"123456").unwrap();
    writer.element(b"network", b"654321").unwrap();
    writer.end().unwrap();
    writer.begin(61).unwrap();
    writer.element(b"1", b"\xff").unwrap();
    writer.end().unwrap();
    writer.finish().unwrap();
    assert_eq!(hex::encode(&out), "020000000000000000181234566543210004000080ff");
}

#[test]
fn elements_of_any_length_are_put_into_ebcdic() {
    let ipm = dialect("mastercard-ipm-ebcdic-style");
    for len in [0, 1, 119, 120, 121, 500, 992] {
        let mut out = BytesMut::new();
        let mut writer = Writer::new(&ipm, mti("1240"), &mut out);
        writer.begin(48).unwrap();
        writer.element(b"0105", &vec![b'A'; len]).unwrap();
        writer.end().unwrap();
        writer.put(71, b"7").unwrap();
        writer.finish().unwrap();
        let digits = |text: String| text.bytes().map(|digit| digit | 0xf0).collect::<Vec<_>>();
        let want =
            [digits(format!("{:03}0105{len:03}", len + 7)), vec![0xc1; len], digits("00000007".to_owned())];
        assert_eq!(&out[20..], want.concat(), "{len}");
    }
}

type Step = fn(&mut Writer<'_, '_>) -> Result<(), EncodeError>;

#[test]
fn a_wrong_value_is_refused_and_nothing_is_left_behind() {
    use EncodeReason::{
        BadElement, Character, Empty, NotAscending, NotStructured, TagWidth, TooLong, TooShort, Unbalanced,
        Undefined,
    };
    let onelink = dialect("onelink");
    let table: &[(&str, Step, (u8, EncodeReason))] = &[
        ("again", |w| w.put(11, b"1"), (11, NotAscending { last: 11 })),
        ("before", |w| w.put(4, b"1"), (4, NotAscending { last: 11 })),
        ("a bitmap", |w| w.put(65, b"1"), (65, Undefined)),
        ("no such", |w| w.put(200, b"1"), (200, Undefined)),
        ("empty", |w| w.put(12, b""), (12, Empty)),
        ("too long", |w| w.put(12, b"0101010"), (12, TooLong { len: 7, max: 6 })),
        ("over its maximum", |w| w.put(32, b"123456789012"), (32, TooLong { len: 12, max: 11 })),
        ("letters", |w| w.put(12, b"01O1"), (12, Character { class: Class::N, at: 2 })),
        ("short amount", |w| w.put(28, b"C1"), (28, TooShort { len: 2, need: 9 })),
        ("short MAC", |w| w.put(64, b"1234567"), (64, TooShort { len: 7, need: 8 })),
        ("torn element", |w| w.put(48, b"BI003AB"), (48, BadElement { at: 0 })),
        ("not TLV", |w| w.begin(44), (44, NotStructured)),
        ("no field begun", |w| w.element(b"BI", b""), (11, Unbalanced)),
        ("no field to end", |w| w.end(), (11, Unbalanced)),
        ("wide tag", |w| w.begin(48).and_then(|()| w.element(b"BIL", b"")), (48, TagWidth { width: 2 })),
        ("left open", |w| w.begin(48).and_then(|()| w.put(49, b"586")), (49, Unbalanced)),
        (
            "elements over the maximum",
            |w| w.begin(48).and_then(|()| w.element(b"BI", &[b'1'; 510])).and_then(|()| w.end()),
            (48, TooLong { len: 515, max: 512 }),
        ),
        (
            "line feed in an element",
            |w| w.begin(48).and_then(|()| w.element(b"BI", b"AB\n")),
            (48, Character { class: Class::Ans, at: 2 }),
        ),
    ];
    for (what, step, (field, reason)) in table {
        let mut out = BytesMut::from(&b"before"[..]);
        let mut writer = Writer::new(&onelink, mti("0200"), &mut out);
        writer.put(11, b"4687").unwrap();
        let want = EncodeError { field: *field, reason: *reason };
        assert_eq!(step(&mut writer), Err(want), "{what}");
        assert_eq!(writer.put(128, b"12345678"), Err(want), "{what}: the first error stays");
        assert_eq!(writer.element(b"BI", b"1"), Err(want), "{what}: and stays");
        assert_eq!(writer.finish(), Err(want), "{what}: to the end");
        assert_eq!(&out[..], b"before", "{what}");
    }
}

#[test]
fn a_writer_dropped_unfinished_leaves_no_bytes() {
    let onelink = dialect("onelink");
    let mut out = BytesMut::new();
    Writer::new(&onelink, mti("0200"), &mut out).put(11, b"4687").unwrap();
    assert!(out.is_empty());
    let mut writer = Writer::new(&onelink, mti("0200"), &mut out);
    writer.begin(48).unwrap();
    assert_eq!(writer.finish(), Err(EncodeError { field: 0, reason: EncodeReason::Unbalanced }));
    assert!(out.is_empty());
}
