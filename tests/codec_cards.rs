//! Card data out of sight: in what people read and in what is recorded.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::float_arithmetic,
    reason = "a test fails by panicking, and adds up what is small"
)]

use billswitch::iso8583::{Dialect, Mirror, Mti, Writer, decode, mask_frame, mask_pan, shipped, to_json};
use bytes::BytesMut;

const PAN: &[u8] = b"4242424242424242";

fn dialect(name: &str) -> Dialect {
    shipped::dialect(name).unwrap().unwrap()
}

fn message(dialect: &Dialect, fields: &[(u8, &[u8])]) -> BytesMut {
    let mut out = BytesMut::new();
    let mut writer = Writer::new(dialect, Mti::new(b"0200").unwrap(), &mut out);
    for (field, value) in fields {
        writer.put(*field, value).unwrap();
    }
    writer.finish().unwrap();
    out
}

fn masked(dialect: &Dialect, frame: &[u8]) -> Vec<u8> {
    let mut copy = frame.to_vec();
    mask_frame(dialect, &mut copy);
    assert_eq!(copy.len(), frame.len());
    copy
}

#[test]
fn a_card_number_shows_ten_digits_at_most() {
    for (pan, want) in [
        (PAN, "424242******4242"),
        (b"1234567890123", "123456***0123"),
        (b"1234567890123456789", "123456*********6789"),
        (b"123456789012", "************"),
        (b"99501", "*****"),
        (b"", ""),
        (b"42424242424242O2", "****************"),
        (b"12345678901234567890", "********************"),
    ] {
        assert_eq!(mask_pan(pan).to_string(), want);
    }
}

#[test]
fn a_masked_frame_decodes_to_the_same_fields_without_card_data() {
    let onelink = dialect("onelink");
    let track2 = b"4242424242424242=30051019301087";
    let details = b"XX019PAN4242424242424242YY0164242424242424242ZZ0174242424242424242=";
    let track1 = b"B4242424242424242^CITIZEN/A^3005101";
    let frame = message(
        &onelink,
        &[
            (2, PAN),
            (4, b"120000"),
            (35, track2),
            (37, PAN.get(..12).unwrap()),
            (45, track1),
            (52, b"\x01\x23\x45\x67\x89\xab\xcd\xef"),
            (55, b"\x9f\x26\x08chipdata"),
            (63, b"paid with 4242424242424242."),
            (102, b"PK94242424242424242"),
        ],
    );
    let copy = masked(&onelink, &frame);
    let mut mirror = Mirror::new();
    let decoded = decode(&onelink, &copy, &mut mirror);
    assert_eq!(decoded.fault, None);
    let field = |n| decoded.message.field(n).unwrap();
    assert_eq!(field(2), b"4242420000004242");
    assert_eq!(field(4), b"000000120000");
    assert_eq!(field(35), &[b'0'; 31][..]);
    assert_eq!(field(45), &[b'*'; 35][..]);
    assert_eq!(field(52), &[0; 8][..]);
    assert_eq!(field(55), &[0; 11][..]);
    assert_eq!(field(63), b"paid with 4242420000004242.");
    assert_eq!(field(102), b"PK94242420000004242");
    assert!(!copy.windows(16).any(|window| window == PAN));

    // Elements keep tags and lengths, also where a length and a number run together.
    let frame = message(&onelink, &[(35, track2), (120, details)]);
    let copy = masked(&onelink, &frame);
    let mut mirror = Mirror::new();
    let decoded = decode(&onelink, &copy, &mut mirror);
    assert_eq!(decoded.fault, None);
    let values: Vec<_> = decoded.message.elements(120).map(|(_, value)| value).collect();
    assert_eq!(values[..], [&b"PAN4242420000004242"[..], b"4242420000004242", b"4242420000004242="]);
}

#[test]
fn bill_numbers_survive_even_where_they_look_like_cards() {
    let onelink = dialect("onelink");
    // The check digit is right, but it is not this message's card.
    let bill = b"BI008KPEXCISECN0164000000000000002";
    let frame = message(&onelink, &[(2, PAN), (48, bill)]);
    let mut mirror = Mirror::new();
    assert_eq!(decode(&onelink, &masked(&onelink, &frame), &mut mirror).message.field(48), Some(&bill[..]));
    // A DE 2 that is no card number (wrong check digit) makes nothing else one.
    let frame = message(&onelink, &[(2, b"4242424242424243"), (63, b"4242424242424243")]);
    let copy = masked(&onelink, &frame);
    let mut mirror = Mirror::new();
    assert_eq!(decode(&onelink, &copy, &mut mirror).message.field(63), Some(&b"4242424242424243"[..]));
}

#[test]
fn a_card_number_with_a_fault_in_it_is_hidden_too() {
    let onelink = dialect("onelink");
    let mut frame = message(&onelink, &[(2, PAN), (4, b"1")]).to_vec();
    let at = frame.windows(16).position(|window| window == PAN).unwrap();
    frame[at + 15] = b'O';
    let mut mirror = Mirror::new();
    assert_eq!(decode(&onelink, &frame, &mut mirror).message.field(2), None);
    let copy = masked(&onelink, &frame);
    assert!(!copy.windows(5).any(|window| window == b"42424"), "{copy:?}");
}

#[test]
fn where_the_layout_is_lost_the_rest_becomes_stars() {
    let onelink = dialect("onelink");
    let frame = message(&onelink, &[(2, PAN), (4, b"1"), (35, b"4242424242424242=3005")]);
    for cut in 0..frame.len() {
        let copy = masked(&onelink, &frame[..cut]);
        assert!(!copy.windows(11).any(|window| PAN.windows(11).any(|pan| pan == window)), "cut at {cut}");
    }
    // The second field's length lies: from there on nothing is told apart.
    let mut lying = frame.to_vec();
    let track = lying.len() - 23;
    assert_eq!(&lying[track..track + 2], b"21");
    lying[track] = b'9';
    let copy = masked(&onelink, &lying);
    assert!(copy[track..].iter().all(|byte| *byte == b'*'));
    assert_eq!(masked(&onelink, b"GET / HTTP/1.1"), [b'*'; 14]);
}

#[test]
fn json_for_people_hides_card_data_and_shows_the_rest() {
    let onelink = dialect("onelink");
    let fields: &[(u8, &[u8])] = &[
        (2, PAN),
        (35, b"4242424242424242=3005"),
        (48, b"BI003ABCXX0164242424242424242"),
        (52, b"\x01\x23\x45\x67\x89\xab\xcd\xef"),
        (55, b"\x9f\x26"),
        (64, b"\x01\x02\x03\x04\x05\x06\x07\xff"),
    ];
    let frame = message(&onelink, fields);
    let mut mirror = Mirror::new();
    let json = to_json(&decode(&onelink, &frame, &mut mirror), true);
    let want = r#"{"mti":"0200","fields":{"2":"424242******4242","35":"*********************","48":{"BI":"ABC",
        "XX":"424242******4242"},"52":"********","55":"**","64":"01020304050607FF"}}"#;
    let want: serde_json::Value = serde_json::from_str(want).unwrap();
    assert_eq!(json, want);
}
