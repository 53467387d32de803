//! `billswitch doctor`.

use insta::assert_snapshot;
use serde_json::Value;

use super::{SIGN_ON, morning, run};

#[test]
fn the_dialects_that_fit_are_ranked_and_of_the_others_the_fault_is_told() {
    let ran = run(&["doctor", "--port", "8583", &morning("requests.pcap")], b"");
    assert_eq!((ran.status, ran.err.as_str()), (2, ""), "the morning has refused messages");
    let start: String = ran.out.split_inclusive('\n').take(9).collect();
    assert_snapshot!(start, @r#"
    3062 messages

    does not:
    ┌─────────────────────────────┬──────────┬───────┬──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────┐
    │ dialect                     ┆ framing  ┆ score ┆ why                                                                                                                                  │
    ╞═════════════════════════════╪══════════╪═══════╪══════════════════════════════════════════════════════════════════════════════════════════════════════════════════════════════════════╡
    │ onelink                     ┆ binary 2 ┆   766 ┆ 3054 of 3062 sound; message 404: DE 48 at byte 182: the frame ends here: 500 bytes are needed, 72 are left                           │
    │ iso87-ascii-binary-bitmap   ┆ binary 2 ┆   697 ┆ 3000 of 3062 sound; message 171: DE 90 at byte 196: not of the character class n                                                     │
    │ postilion                   ┆ binary 2 ┆   690 ┆ 3000 of 3062 sound; message 171: DE 90 at byte 196: not of the character class n                                                     │
    "#);
}

#[test]
fn the_framing_is_named_and_programs_get_json() {
    let framed = format!("00000031{SIGN_ON}");
    let ran = run(&["doctor", "--json", &framed], b"");
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    assert_snapshot!(format!("{:#}", json["fits"][1]), @r#"
    {
      "dialect": "onelink",
      "framing": "binary 4",
      "score": 207,
      "messages": 1,
      "sound": 1,
      "unknown_header_bytes": 0,
      "known_fields": 5,
      "plausible_fields": 5,
      "version_fits": true,
      "fault": null,
      "why": "no fault; 5 of 5 well-known fields hold what they should"
    }
    "#);
    assert_eq!(json["others"].as_array().unwrap().len() + json["fits"].as_array().unwrap().len(), 17);
}

#[test]
fn the_exit_code_says_whether_anything_fits() {
    assert_eq!(run(&["doctor", SIGN_ON], b"").status, 0);
    assert_eq!(run(&["doctor", "--input", "raw", "-"], b"an ordinary line of text").status, 2);
    assert_eq!(run(&["doctor", "-"], b"").status, 1);
}
