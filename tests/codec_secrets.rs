//! Card data that stands where a message is not what its dialect says: it is hidden still.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking, and adds up what is small"
)]

use billswitch::iso8583::{
    Dialect, Mirror, Reason, decode, from_json, mask_all_but_type, mask_frame, shipped, to_json,
};
use bytes::BytesMut;
use serde_json::{Value, json};

const PAN: &str = "4242424242424242";
const TRACK: &str = "4242424242424242=30051019301087";

/// A dialect of ASCII with these fields.
fn dialect(fields: &str) -> Dialect {
    headed("", fields)
}

fn headed(head: &str, fields: &str) -> Dialect {
    let text = format!(
        "name = \"corner\"\nmti = \"ascii\"\nbitmap = \"hex\"\nbinary = \"raw\"\n{head}\n[fields]\n{fields}\n"
    );
    Dialect::parse("corner.toml", &text, &|_| None).unwrap_or_else(|error| panic!("{error}"))
}

fn masked(dialect: &Dialect, frame: &[u8]) -> Vec<u8> {
    let mut copy = frame.to_vec();
    mask_frame(dialect, &mut copy);
    assert_eq!(copy.len(), frame.len());
    copy
}

fn fault(dialect: &Dialect, frame: &[u8]) -> Option<(u8, usize, Reason)> {
    let mut mirror = Mirror::new();
    decode(dialect, frame, &mut mirror).fault.map(|fault| (fault.field, fault.offset, fault.reason))
}

fn json_for_people(dialect: &Dialect, frame: &[u8]) -> Value {
    let mut mirror = Mirror::new();
    to_json(&decode(dialect, frame, &mut mirror), true)
}

fn shows(bytes: &[u8], what: &str) -> bool {
    let what = what.as_bytes();
    bytes.windows(what.len()).any(|window| window == what)
}

#[test]
fn subfields_that_do_not_fit_are_hidden_as_the_strictest_of_them() {
    let postilion = shipped::dialect("postilion").unwrap().unwrap();
    let chip = format!("<Track2>{TRACK}</Track2>");
    let message = json!({"mti": "0200", "fields": {"11": "000001", "127": {"2": "key", "25": chip}}});
    let mut out = BytesMut::new();
    from_json(&postilion, &message, &mut out).unwrap();
    let frame = out.to_vec();
    assert!(!shows(&masked(&postilion, &frame), TRACK));
    // One byte too many at the end of DE 127: the subfields run past it.
    let mut long = frame.clone();
    long.push(b'!');
    let at = frame.len() - chip.len() - 4 - 8 - 5 - 6;
    let told: usize = std::str::from_utf8(&frame[at..at + 6]).unwrap().parse().unwrap();
    long[at..at + 6].copy_from_slice(format!("{:06}", told + 1).as_bytes());
    assert_eq!(
        fault(&postilion, &long).map(|(field, _, reason)| (field, reason)),
        Some((127, Reason::BadElement))
    );
    let copy = masked(&postilion, &long);
    assert!(copy[at + 6..].iter().all(|byte| *byte == 0), "{copy:?}");
}

#[test]
fn what_does_not_fit_deep_inside_is_hidden_as_the_strictest_there() {
    let dialect = dialect(
        "4 = { name = \"x\", type = \"b..60\", bitmap = { form = \"hex\", bytes = 1 }, fields = { \
         2 = { name = \"x\", type = \"b..40\", parts = [{ name = \"a\", type = \"n 2\" }, \
         { name = \"b\", type = \"ans 31\", card_data = \"never\" }] }, 3 = { name = \"x\", type = \"n 2\" } } }",
    );
    let frame = |inner: &str| {
        let value = format!("60{:02}{inner}07", inner.len());
        format!("02001000000000000000{:02}{value}", value.len()).into_bytes()
    };
    let sound = frame(&format!("12{TRACK}"));
    assert_eq!(fault(&dialect, &sound), None);
    let want = String::from_utf8(frame(&format!("12{}", "*".repeat(31)))).unwrap();
    assert_eq!(String::from_utf8(masked(&dialect, &sound)).unwrap(), want);
    for inner in [format!("12{TRACK}!"), format!("1{TRACK}"), format!("A2{TRACK}")] {
        let broken = frame(&inner);
        assert!(fault(&dialect, &broken).is_some(), "{inner}");
        let copy = masked(&dialect, &broken);
        assert!(copy[22..].iter().all(|byte| *byte == 0), "{inner}: {copy:?}");
    }
}

#[test]
fn where_the_field_a_layout_depends_on_is_bad_the_strictest_layout_counts() {
    let dialect = dialect(
        "3 = { name = \"x\", type = \"n 2\" }\n4 = { name = \"x\", type = \"ans..40\" }\n\
         5 = { name = \"x\", type = \"ans..40\" }\n\
         [[when]]\nfield = 3\nis = [\"38\"]\n[when.fields]\n\
         4 = { name = \"x\", type = \"ans..40\", card_data = \"never\" }",
    );
    let frame = |code: &str| format!("02003800000000000000{code}31{TRACK}02ab").into_bytes();
    let stars = "*".repeat(31);
    for (code, want, shown) in [("38", &stars[..], &stars[..]), ("39", TRACK, TRACK), ("3B", &stars, &stars)]
    {
        let body = format!("{code}31{want}02ab");
        assert_eq!(std::str::from_utf8(&masked(&dialect, &frame(code))[20..]).unwrap(), body);
        assert_eq!(json_for_people(&dialect, &frame(code))["fields"]["4"], shown);
    }
}

#[test]
fn of_a_misread_frame_only_the_type_is_kept_and_its_header_not_shown() {
    let dialect = headed(
        "header = [{ counted = \"16010200000000000000000000000000000000000000\" }]",
        "2 = { name = \"x\", type = \"n..19\", card_data = \"pan\" }\n\
         11 = { name = \"systems trace audit number\", type = \"n 6\" }\n\
         35 = { name = \"x\", type = \"z..37\", card_data = \"never\" }\n48 = { name = \"x\", type = \"ans...999\" }",
    );
    let header = hex::decode("16010200000000000000000000000000000000000000").unwrap();
    // DE 48 says more than there is.
    let body = format!("0200002000002001000000004231{TRACK}999ab");
    let frame = [&header[..], body.as_bytes()].concat();
    assert_eq!(fault(&dialect, &frame).unwrap().0, 48);
    assert!(json_for_people(&dialect, &frame).get("header").is_none());
    let copy = masked(&dialect, &frame);
    assert_eq!(copy[22..26], *b"0200");
    assert!(copy[..22].iter().chain(&copy[26..]).all(|byte| *byte == b'*'), "{copy:?}");
    // Whoever asks for it unmasked sees all that was read.
    let mut mirror = Mirror::new();
    let json = to_json(&decode(&dialect, &frame, &mut mirror), false);
    assert!(json.get("header").is_some(), "{json}");
}

#[test]
fn a_header_whose_length_the_peer_tells_keeps_no_card_number() {
    let dialect = headed(
        "header = [{ counted = \"16010200000000000000000000000000000000000000\" }]",
        "2 = { name = \"x\", type = \"n..19\", card_data = \"pan\" }",
    );
    for (told, fits) in [(0, false), (1, false), (2, true), (22, true), (44, true), (45, false), (255, false)]
    {
        let mut frame = vec![told];
        frame.resize(usize::from(told.max(1)), 0);
        frame.extend_from_slice(b"02004000000000000000164242424242424242");
        assert_eq!(fault(&dialect, &frame).is_none(), fits, "{told}");
    }
    let mut frame = vec![40_u8, 0];
    frame.extend_from_slice(PAN.as_bytes());
    frame.resize(40, 0);
    frame.extend_from_slice(b"02004000000000000000164242424242424242");
    assert!(!shows(&masked(&dialect, &frame), PAN));
    let json = json_for_people(&dialect, &frame).to_string();
    assert!(!json.contains(&hex::encode(PAN)), "{json}");
    let mut copy = frame.clone();
    mask_all_but_type(&dialect, &mut copy);
    assert_eq!((&copy[..40], &copy[40..44]), (&[b'*'; 40][..], &b"0200"[..]));
    // What is no message keeps nothing at all.
    let mut copy = format!("{PAN}{PAN}").into_bytes();
    mask_all_but_type(&dialect, &mut copy);
    assert_eq!(copy, [b'*'; 32]);
}

#[test]
fn a_card_number_cut_up_by_small_fields_is_masked() {
    let dialect = dialect(
        "2 = { name = \"x\", type = \"n..19\", card_data = \"pan\" }\n\
         4 = { name = \"x\", type = \"ans 18\", parts = [{ name = \"a\", type = \"ans 9\" }, { name = \"b\", type = \"ans 9\" }] }",
    );
    let frame = b"02005000000000000000164242424242424242A4242424242424242B";
    assert_eq!(json_for_people(&dialect, frame)["fields"]["4"], json!({"a": "A424242**", "b": "****4242B"}));
    assert_eq!(masked(&dialect, frame)[20..], *b"164242420000004242A4242420000004242B");
}

#[test]
fn a_card_number_and_its_track_are_found_in_bytes_of_any_form() {
    let dialect = dialect(
        "2 = { name = \"x\", type = \"n..19\", card_data = \"pan\" }\n4 = { name = \"x\", type = \"b..40\" }\n\
         5 = { name = \"x\", type = \"char..40\" }",
    );
    let packed = hex::decode("014242424242424242D30051019301087F").unwrap();
    let mut ebcdic: Vec<u8> =
        TRACK.bytes().map(|byte| if byte == b'=' { 0x7e } else { byte | 0xf0 }).collect();
    ebcdic.push(0x40);
    for value in [packed, ebcdic] {
        let told = format!("{:02}", value.len());
        let body =
            [b"02005800000000000000164242424242424242", told.as_bytes(), &value, told.as_bytes(), &value]
                .concat();
        let frame = body;
        assert_eq!(fault(&dialect, &frame), None);
        let copy = hex::encode(masked(&dialect, &frame));
        let spaced = copy.replace('f', "");
        assert!(!copy.contains(PAN) && !spaced.contains(PAN), "{copy}");
        assert!(!copy.contains("d3005") && !copy.contains("f3f0f0f5"), "{copy}");
        let json = json_for_people(&dialect, &frame).to_string();
        assert!(!json.contains(PAN) && !json.contains("3005") && !json.contains("F3F0F0F5"), "{json}");
    }
}
