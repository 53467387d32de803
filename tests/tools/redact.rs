//! `billswitch redact`.

use insta::assert_snapshot;

use super::{SIGN_ON, run};

/// A payment whose card number stands also in a private field, made up.
fn payment() -> String {
    let json = r#"{"mti": "0200", "fields": {"2": "4242424242424242", "4": "1200", "11": "4709",
        "35": "4242424242424242=29121011234512345", "48": {"CN": "01"}, "62": "card 4242424242424242=2912 of a friend"}}"#;
    run(&["encode", json], b"").out.trim().to_owned()
}

#[test]
fn a_log_keeps_its_lines_and_loses_its_card_data() {
    let log = format!(
        "09:00:01 DEBUG pan=4242424242424242 sent {}, waiting\n09:00:02 INFO trace=4bf92f3577b34da6a3ce929d0e0e4736\n\
         09:00:03 DEBUG sent {SIGN_ON}\n",
        payment().to_lowercase()
    );
    let ran = run(&["redact", "-"], log.as_bytes());
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert_eq!(ran.out.len(), log.len());
    let (first, rest) = ran.out.split_once('\n').unwrap();
    assert_eq!(rest, log.split_once('\n').unwrap().1, "nothing else is touched");
    assert!(first.starts_with("09:00:01 DEBUG pan=424242******4242 sent 30323030"), "{first}");
    let shown = run(&["decode", "--unmasked", "-"], ran.out.as_bytes());
    let one: String = shown.out.split_inclusive('\n').take(12).collect();
    assert_snapshot!(one, @r#"
    ── standard input:1
    0200  financial request from the acquirer (ISO 8583:1987)
    onelink, 135 bytes, 6 fields

     DE     offset  length  type       name                        value
      2         14      16  n..19      primary account number      4242420000004242
      4         30      12  n 12       amount, transaction         000000001200
     11         42       6  n 6        systems trace audit number  004709
     35         50      34  z..37      track 2 data                0000000000000000000000000000000000
     48         87       7  ans...512  additional data, private
        CN      92       2             consumer number             01
     62         97      38  ans...999  reserved, private           card 4242420000004242=0000 of a friend
    "#);
}

#[test]
fn bytes_stay_bytes_and_hex_stays_hex() {
    let bytes = hex::decode(payment()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("message.bin");
    std::fs::write(&path, &bytes).unwrap();
    let binary = env!("CARGO_BIN_EXE_billswitch");
    let raw = std::process::Command::new(binary).arg("redact").arg(&path).output().unwrap();
    let hex = run(&["redact", &payment()], b"");
    assert_eq!(hex::encode_upper(&raw.stdout), hex.out.trim());
    assert!(!hex.out.contains(&hex::encode_upper("4242424242424242")));
    assert_eq!(hex.out.trim().len(), payment().len());
}

#[test]
fn what_cannot_be_read_is_refused_or_overwritten_whole() {
    let cut = &payment()[..120];
    let ran = run(&["redact", cut], b"");
    assert_eq!((ran.status, ran.out.as_str()), (2, ""));
    assert_snapshot!(ran.err, @r#"
    billswitch: cannot be redacted: the argument: DE 35 at byte 50: the frame ends here: 34 bytes are needed, 10 are left
    billswitch: nothing is printed; see --force
    "#);
    let forced = run(&["redact", "--force", cut], b"");
    assert_eq!(forced.status, 0);
    assert_eq!(forced.out.trim(), format!("30323030{}", "2A".repeat(56)));
}
