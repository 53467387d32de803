//! `billswitch decode` and `encode`.

use insta::assert_snapshot;

use super::{SIGN_ON, morning, run};

#[test]
fn a_message_is_printed_field_by_field() {
    let ran = run(&["decode", SIGN_ON], b"");
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    assert_snapshot!(ran.out, @r#"
    0800  network management request from the acquirer (ISO 8583:1987)
    onelink, 49 bytes, 5 fields

     DE  offset  length  type  name                                 value
      7      20      10  n 10  transmission date and time           1120090000
     11      30       6  n 6   systems trace audit number           003806
     12      36       6  n 6   time, local transaction              090000
     13      42       4  n 4   date, local transaction              1120
     70      46       3  n 3   network management information code  001 = sign on
    "#);
}

#[test]
fn a_log_gives_its_messages_with_their_lines_and_what_was_passed_over() {
    let log = format!(
        "09:00:00 INFO trace=4bf92f3577b34da6a3ce929d0e0e4736 connected\n\
         09:00:01 DEBUG sent 0x0031{SIGN_ON}\n\
         09:00:02 DEBUG got\n\
         0000: 30 38 31 30 82 20 00 00 02 00 00 00 04 00 00 00   0810. ..........\n\
         0010: 00 00 00 00 31 31 32 30 30 39 30 30 30 30 30 30   ....112009000000\n\
         0020: 33 38 30 36 3a 30 33 30 31                        3806:0301\n"
    );
    let ran = run(&["decode", "-"], log.as_bytes());
    assert_eq!(ran.status, 2, "one is refused");
    assert_snapshot!(ran.err, @r#"billswitch: standard input: lines passed over, since their hex does not look like a message: 1"#);
    assert_snapshot!(ran.out, @r#"
    ── standard input:2
    0800  network management request from the acquirer (ISO 8583:1987)
    onelink, 49 bytes, framed as `binary 2`, 5 fields

     DE  offset  length  type  name                                 value
      7      20      10  n 10  transmission date and time           1120090000
     11      30       6  n 6   systems trace audit number           003806
     12      36       6  n 6   time, local transaction              090000
     13      42       4  n 4   date, local transaction              1120
     70      46       3  n 3   network management information code  001 = sign on

    ── standard input:4-6
    0810  network management, answer to a request from the acquirer (ISO 8583:1987)
    onelink, 41 bytes, 3 fields

     DE  offset  length  type  name                                 value
      7      20      10  n 10  transmission date and time           1120090000
     11      30       6  n 6   systems trace audit number           003806
     70      38       3  n 3   network management information code  301 = echo

    refused: DE 39 at byte 36: not of the character class an (response code)
        byte    0  1  2  3  4  5  6  7   8  9 10 11 12 13 14 15
          16   00 00 00 00 31 31 32 30  30 39 30 30 30 30 30 30   ....112009000000
          32   33 38 30 36 3A 30 33 30  31                        3806:0301
                           ^^                                         ^
      (card data, and what follows a lost layout, are masked)
    likely: the sender put a character into DE 39 that its class does not have

    2 messages, 1 refused
    "#);
}

#[test]
fn a_capture_gives_messages_with_their_connections_and_times() {
    let ran = run(&["decode", "--port", "8583", "--json", &morning("requests.pcap")], b"");
    assert_eq!((ran.status, ran.err.as_str()), (2, ""), "the morning has refused messages");
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 3062);
    assert_snapshot!(lines[0], @r#"{"mti":"0800","fields":{"7":"1120090000","11":"003806","12":"090000","13":"1120","70":"001"},"at":"fixtures/morning/requests.pcap packet 10, 10.0.1.1:40001 → 10.0.0.1:8583, 2026-11-20T09:00:00.462Z"}"#);
    let piped =
        run(&["decode", "--input", "pcap", "--json", "-"], &std::fs::read(morning("requests.pcap")).unwrap());
    assert_eq!(piped.out.replace("standard input", &morning("requests.pcap")), ran.out);
    let other = run(&["decode", "--port", "1", &morning("requests.pcap")], b"");
    assert_eq!((other.status, other.out.as_str()), (1, ""));
    assert_snapshot!(other.err, @r#"billswitch: fixtures/morning/requests.pcap: no TCP connection from or to port 1 carries messages"#);
}

#[test]
fn input_that_is_no_message_is_refused_without_repeating_it() {
    let table: &[(&[&str], &str, &str)] = &[
        (&["decode", "no-such-file.hex"], "", "no-such-file.hex: there is no such file"),
        (&["decode", "4242424242424242424"], "", "the argument: there is no such file"),
        (&["decode", "-"], "  \n", "standard input: the input is empty"),
        (&["decode", "--input", "pcap", "morning.pcap"], "", "morning.pcap: there is no such file"),
        (&["decode", "--input", "raw", "message.bin"], "", "message.bin: there is no such file"),
        (
            &["decode", "--input", "hex", "-"],
            "30 38\n4242 4242 PAN",
            "standard input:2: column 11 is not hex",
        ),
        (&["decode", "src"], "", "src: Is a directory"),
        (
            &["encode", "4242424242424242"],
            "",
            "the argument: there is no such file; give the message as JSON",
        ),
    ];
    for (args, input, want) in table {
        let ran = run(args, input.as_bytes());
        assert_eq!((ran.status, ran.out.as_str()), (1, ""), "{args:?}");
        assert!(ran.err.starts_with(&format!("billswitch: {want}")), "{}", ran.err);
        assert!(!ran.err.contains("4242"), "{}", ran.err);
    }
}

#[test]
fn what_encode_writes_decode_reads_and_the_other_way_round() {
    let json = run(&["decode", "--json", SIGN_ON], b"");
    let hex = run(&["encode", "-"], json.out.as_bytes());
    assert_eq!((hex.status, hex.out.trim()), (0, SIGN_ON));
}

#[test]
fn a_reader_that_stops_listening_is_no_fault() {
    let pipe = format!(
        "'{}' decode '{}' | head -c 10 >/dev/null; echo \"${{PIPESTATUS[0]}}\"",
        env!("CARGO_BIN_EXE_billswitch"),
        morning("requests.pcap"),
    );
    let shell = std::process::Command::new("bash")
        .args(["-c", &pipe])
        .env("LC_ALL", "C")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&shell.stdout), "0\n");
    assert!(shell.stderr.is_empty(), "{}", String::from_utf8_lossy(&shell.stderr));
}

#[test]
fn what_is_inside_of_fields_is_shown_and_what_is_wrong_with_its_likely_cause() {
    let json = r#"{"mti": "0200", "fields": {"3": "000000", "4": "1200", "11": "4709", "22": "051", "41": "ATM00017",
        "49": "586", "55": {"9F26": "AABBCCDDEEFF0011", "70": {"95": "0000000000"}}}}"#;
    let hex = run(&["encode", "--dialect", "tpdu-pos", "-"], json.as_bytes()).out;
    let ran = run(&["decode", "--dialect", "tpdu-pos", "--unmasked", "-"], hex.as_bytes());
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    assert_snapshot!(ran.out, @r#"
    0200  financial request from the acquirer (ISO 8583:1987)
    tpdu-pos, 61 bytes, 7 fields
    header: 6000010000

     DE       offset  length  type     name                                   value
      3           15       6  n 6      processing code                        000000
      4           18      12  n 12     amount, transaction                    000000001200
     11           24       6  n 6      systems trace audit number             004709
     22           27       3  n 3      point of service entry mode            051 = chip, terminal takes a PIN
     41           29       8  ans 8    card acceptor terminal identification  ATM00017
     49           37       3  n 3      currency code, transaction             586
     55           41      20  b...999  chip data
        9F26      44       8           application cryptogram                 AABBCCDDEEFF0011
        70        54       7           record template
          95      56       5           terminal verification results          0000000000
    "#);
    // The same with a length of DE 55 in binary.
    let bent = hex.replace("00209F26", "00149F26");
    let ran = run(&["decode", "--dialect", "tpdu-pos", "-"], bent.as_bytes());
    assert_eq!((ran.status, ran.err.as_str()), (2, ""));
    assert_snapshot!(ran.out, @r#"
    0200  financial request from the acquirer (ISO 8583:1987)
    tpdu-pos, 61 bytes, 6 fields
    header: 6000010000

     DE  offset  length  type   name                                   value
      3      15       6  n 6    processing code                        000000
      4      18      12  n 12   amount, transaction                    000000001200
     11      24       6  n 6    systems trace audit number             004709
     22      27       3  n 3    point of service entry mode            051 = chip, terminal takes a PIN
     41      29       8  ans 8  card acceptor terminal identification  ATM00017
     49      37       3  n 3    currency code, transaction             586
    (the layout is lost, so digits that may be a card number are hidden)

    refused: DE 55 at byte 52: an element or subfield is malformed or runs past its field (chip data)
        byte    0  1  2  3  4  5  6  7   8  9 10 11 12 13 14 15
          32   2A 2A 2A 2A 2A 2A 2A 2A  2A 2A 2A 2A 2A 2A 2A 2A   ****************
          48   2A 2A 2A 2A 2A 2A 2A 2A  2A 2A 2A 2A 2A            *************
                           ^^                                         ^
      (card data, and what follows a lost layout, are masked)
    likely: length prefixes are binary: with `lengths = "binary"` all of it can be read
    "#);
}
