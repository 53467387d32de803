//! Messages as JSON and back.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use billswitch::iso8583::{Dialect, Mirror, decode, from_json, shipped, to_json};
use bytes::BytesMut;
use serde_json::{Value, json};

fn onelink() -> Dialect {
    shipped::dialect("onelink").unwrap().unwrap()
}

#[test]
fn a_message_goes_through_json_byte_for_byte() {
    let json = json!({"mti": "0420", "fields": {
        "2": "4242424242424242",
        "11": "004709",
        "48": {"BI": "KPEXCISE", "CN": "01", "CH": "6011"},
        "52": "0123456789ABCDEF",
        "64": "01020304050607FF",
        "90": {"mti": "0200", "stan": "004707", "transmitted_at": "1120090009", "local_at": "1120090009"},
        "120": [["FH", "B01=12000"], ["FH", "B02=300"], ["RN", ""]],
    }});
    let onelink = onelink();
    let mut out = BytesMut::new();
    from_json(&onelink, &json, &mut out).unwrap();
    let mut mirror = Mirror::new();
    let decoded = decode(&onelink, &out, &mut mirror);
    assert_eq!(decoded.fault, None);
    assert_eq!(decoded.message.field(90), Some(&b"0200004707      1120090009      1120090009"[..]));
    let again = to_json(&decoded, false);
    assert_eq!(again, json);
    // Elements keep their order, fields theirs.
    assert_eq!(again.to_string(), json.to_string());
}

#[test]
fn blanks_that_are_not_blank_show_the_field_whole() {
    let onelink = onelink();
    let whole = "0200004707000000112009000900000000000000000";
    let json = json!({"mti": "0420", "fields": {"90": &whole[..42]}});
    let mut out = BytesMut::new();
    from_json(&onelink, &json, &mut out).unwrap();
    let mut mirror = Mirror::new();
    assert_eq!(to_json(&decode(&onelink, &out, &mut mirror), false), json);
}

#[test]
fn a_fault_is_told_beside_what_decoded() {
    let onelink = onelink();
    let mut mirror = Mirror::new();
    let json = to_json(&decode(&onelink, b"0800\x02\x20\0\0\0\0\0\x00112516133x00025", &mut mirror), true);
    let want = json!({"mti": "0800", "fields": {}, "fault": {
        "field": 7, "offset": 21, "reason": "not of the character class n"}});
    assert_eq!(json, want);
}

#[test]
fn json_that_is_no_message_is_refused_with_its_place_and_leaves_nothing() {
    let table: &[(Value, &str)] = &[
        (json!([]), "message: must be an object with `mti` and `fields`"),
        (json!({"fields": {}}), "mti: is missing"),
        (json!({"mti": "020", "fields": {}}), "mti: must be four digits in quotes"),
        (json!({"mti": 200, "fields": {}}), "mti: must be four digits in quotes"),
        (json!({"mti": "0200"}), "fields: is missing"),
        (json!({"mti": "0200", "fields": {}, "fault": 1}), "fault: means nothing here"),
        (json!({"mti": "0200", "fields": {"011": "1"}}), "011: means nothing here"),
        (json!({"mti": "0200", "fields": {"11": 1}}), "11: must be a text in quotes"),
        (json!({"mti": "0200", "fields": {"65": "1"}}), "65: DE 65: the dialect does not have the field"),
        (json!({"mti": "0200", "fields": {"64": "0g"}}), "64: must be hex, two characters a byte"),
        (json!({"mti": "0200", "fields": {"48": {"BI": 1}}}), "48.BI: must be a text in quotes"),
        (json!({"mti": "0200", "fields": {"48": {"BIG": "1"}}}), "48.BIG: a tag has 2 characters here"),
        (json!({"mti": "0200", "fields": {"48": [["BI"]]}}), "48: must be pairs of [key, value]"),
        (json!({"mti": "0200", "fields": {"90": {"mti": "0200"}}}), "90.stan: is missing"),
        (
            json!({"mti": "0200", "fields": {"90": {"mti": "020", "stan": "1", "transmitted_at": "1", "local_at": "1"}}}),
            "90.mti: 3 bytes instead of 4",
        ),
        (json!({"mti": "0200", "fields": {"90": {"rrn": "1"}}}), "90.rrn: means nothing here"),
        (json!({"mti": "0200", "fields": {"4": "12.00"}}), "4: DE 4: not of the character class n at byte 2"),
    ];
    let onelink = onelink();
    for (json, want) in table {
        let mut out = BytesMut::from(&b"before"[..]);
        let error = from_json(&onelink, json, &mut out).unwrap_err().to_string();
        assert!(error.starts_with(want), "{json}\n{error}");
        assert_eq!(&out[..], b"before");
    }
}
