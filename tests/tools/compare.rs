//! `billswitch diff` and `convert`.

use insta::assert_snapshot;

use super::{SIGN_ON, run};

/// The answer to the sign-on.
fn answer() -> String {
    let json = r#"{"mti": "0810", "fields": {"7": "1120090000", "11": "003806", "12": "090001", "39": "00", "70": "001"}}"#;
    run(&["encode", json], b"").out.trim().to_owned()
}

#[test]
fn what_differs_is_told_with_both_values() {
    let ran = run(&["diff", "--ignore", "13", SIGN_ON, &answer()], b"");
    assert_eq!((ran.status, ran.err.as_str()), (2, ""));
    assert_snapshot!(ran.out, @r#"
    A: the argument
    B: the argument
      mti                            differs    0800    0810
      12    time, local transaction  differs    090000  090001
      39    response code            only in B  -       00
      3 the same, 3 not
    "#);
    let json = run(&["diff", "--json", "--ignore", "mti,12,13", SIGN_ON, &answer()], b"");
    assert_snapshot!(json.out, @r#"
    [
      {
        "a": "the argument",
        "b": "the argument",
        "same": false,
        "fault_a": null,
        "fault_b": null,
        "differences": [
          {
            "path": "39",
            "name": "response code",
            "verdict": "only in B",
            "a": null,
            "b": "00"
          }
        ]
      }
    ]
    "#);
    let same = run(&["diff", "--ignore", "mti,12,13,39", SIGN_ON, &answer()], b"");
    assert_eq!(same.status, 0, "{}", same.out);
}

#[test]
fn a_message_is_converted_and_is_the_same_then() {
    let packed = run(&["convert", "--to", "iso87-bcd", "--framing", "binary 2", SIGN_ON], b"");
    assert_eq!((packed.status, packed.err.as_str()), (0, ""));
    assert_snapshot!(packed.out, @r#"0021080082380000000000000400000000000000112009000000380609000011200001"#);
    let ran = run(&["diff", "--dialect-b", "iso87-bcd", SIGN_ON, packed.out.trim()], b"");
    assert_eq!(ran.status, 0, "{}", ran.out);
}

#[test]
fn what_does_not_fit_is_dropped_only_if_asked_for() {
    let ran = run(&["convert", "--to", "iso93-ascii", SIGN_ON], b"");
    assert_eq!((ran.status, ran.out.as_str()), (2, ""));
    assert_snapshot!(ran.err, @r#"billswitch: does not fit: 12 (time, local transaction): has 12 characters there, and would be filled up to them"#);
    let ran = run(&["convert", "--to", "iso93-ascii", "--drop-unknown", SIGN_ON], b"");
    assert_eq!(ran.status, 0);
    assert!(ran.err.lines().all(|line| line.starts_with("billswitch: left out: ")), "{}", ran.err);
    assert!(!ran.out.is_empty());
}
