//! The same message, in every way in which people have it.

#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows may say so by panicking")]

use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};

use super::*;
use crate::cli::message::score;
use crate::iso8583::{Dialect, Mirror, shipped};

/// A sign-on of onelink: 49 bytes.
const SIGN_ON: &str =
    "30383030823800000000000004000000000000003131323030393030303030303338303630393030303031313230303031";

/// A trace identifier as logs have it.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn sign_on() -> Vec<u8> {
    hex::decode(SIGN_ON).unwrap()
}

fn try_read(dialect: &str, format: Option<Format>, bytes: &[u8]) -> Result<Input, InputError> {
    try_read_in(&shipped::dialect(dialect).unwrap().unwrap(), format, bytes)
}

fn try_read_in(dialect: &Dialect, format: Option<Format>, bytes: &[u8]) -> Result<Input, InputError> {
    let score = |bytes: &[u8]| score(dialect, bytes, &mut Mirror::new());
    let source = Source { name: "in".into(), bytes: bytes.to_vec(), is_argument: false };
    let reading = Reading { format, port: None, framing: dialect.framing(), judge: Judge { score: &score } };
    match format {
        None => guess(source, &reading),
        Some(format) => forced(source, format, &reading),
    }
}

/// What is found where, of a dialect with binary bitmaps.
fn found(input: &[u8]) -> Vec<(Vec<u8>, String)> {
    let input = try_read("onelink", None, input).unwrap_or_else(|error| panic!("{error}"));
    input.found.into_iter().map(|found| (found.bytes, found.place.to_string())).collect()
}

fn refused(format: Option<Format>, input: &str) -> String {
    try_read("onelink", format, input.as_bytes()).unwrap_err().to_string()
}

/// Lines of `width` bytes of the sign-on, each made by `line` of its offset and its bytes.
fn dump(bytes: &[u8], width: usize, line: impl Fn(usize, &[u8]) -> String) -> String {
    let lines = bytes.chunks(width).enumerate().map(|(at, row)| line(at * width, row) + "\n");
    lines.collect()
}

fn text(row: &[u8]) -> String {
    row.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' }).collect()
}

fn spaced(row: &[u8], group: usize, between: &str) -> String {
    row.chunks(group).map(hex::encode).collect::<Vec<_>>().join(between)
}

#[test]
fn a_single_message_is_read_however_it_is_written() {
    let bytes = sign_on();
    let framed = [&[0, 49][..], &bytes].concat();
    let table: &[(&str, Vec<u8>)] = &[
        ("hex", SIGN_ON.into()),
        ("lower case, blanks around", format!("  {}\n", SIGN_ON.to_lowercase()).into()),
        ("blanks", spaced(&bytes, 1, " ").into()),
        ("colons", spaced(&bytes, 1, ":").into()),
        ("0x before all", format!("0x{SIGN_ON}").into()),
        ("0x before each", format!("0x{}", spaced(&bytes, 1, ", 0x")).into()),
        ("escapes", format!("\\x{}", spaced(&bytes, 1, "\\x")).into()),
        ("xxd -p", dump(&bytes, 30, |_, row| hex::encode(row)).into()),
        ("od -An -t x1", dump(&bytes, 16, |_, row| format!(" {}", spaced(row, 1, " "))).into()),
        ("bytes", bytes.clone()),
        ("base64", BASE64_STANDARD.encode(&bytes).into()),
        ("base64 for URLs, no padding", BASE64_URL_SAFE_NO_PAD.encode(&bytes).into()),
        ("base64, wrapped", dump(BASE64_STANDARD.encode(&bytes).as_bytes(), 20, |_, row| text(row)).into()),
    ];
    for (name, input) in table {
        assert_eq!(found(input), [(bytes.clone(), "in".to_owned())], "{name}");
    }
    // With its length header it is left as it is.
    for input in [hex::encode(&framed).into_bytes(), framed.clone(), BASE64_STANDARD.encode(&framed).into()] {
        assert_eq!(found(&input), [(framed.clone(), "in".to_owned())]);
    }
}

#[test]
fn a_hex_dump_is_read_whatever_program_wrote_it() {
    let bytes = sign_on();
    let double = |row: &[u8]| {
        let (low, high) = row.split_at(row.len().min(8));
        format!("{}  {}", spaced(low, 1, " "), spaced(high, 1, " "))
    };
    let swapped = |row: &[u8]| {
        let words = row.chunks(2).map(|word| format!("{:02x}{:02x}", word.get(1).unwrap_or(&0), word[0]));
        words.collect::<Vec<_>>().join(" ")
    };
    let table: &[(&str, String)] = &[
        ("xxd", dump(&bytes, 16, |at, row| format!("{at:08x}: {:<41}{}", spaced(row, 2, " "), text(row)))),
        (
            "xxd -c 32",
            dump(&bytes, 32, |at, row| format!("{at:08x}: {}  {}", spaced(row, 2, " "), text(row))),
        ),
        (
            "hexdump -C",
            dump(&bytes, 16, |at, row| format!("{at:08x}  {:<49} |{}|", double(row), text(row)))
                + "00000031\n",
        ),
        ("hexdump", dump(&bytes, 16, |at, row| format!("{at:07x} {}", swapped(row))) + "0000031\n"),
        ("od -x", dump(&bytes, 16, |at, row| format!("{at:07o} {}", swapped(row))) + "0000061\n"),
        ("od -t x1", dump(&bytes, 16, |at, row| format!("{at:07o} {}", spaced(row, 1, " "))) + "0000061\n"),
        (
            "od -t x1z",
            dump(&bytes, 16, |at, row| format!("{at:06x} {}  >{}<", spaced(row, 1, " "), text(row)))
                + "000031\n",
        ),
        (
            "tshark",
            dump(&bytes, 16, |at, row| format!("{at:04x}  {:<47}   {}", spaced(row, 1, " "), text(row))),
        ),
        (
            "a log",
            dump(&bytes, 16, |at, row| {
                format!(
                    "2026-11-22T09:00:00.123 DEBUG [main] {at:04x}: {:<47}  {}",
                    spaced(row, 1, " "),
                    text(row)
                )
            }),
        ),
    ];
    for (name, input) in table {
        let lines = input.lines().filter(|line| line.contains(' ')).count();
        assert_eq!(found(input.as_bytes()), [(bytes.clone(), format!("in:1-{lines}"))], "{name}\n{input}");
    }
}

#[test]
fn the_text_beside_a_dump_is_not_taken_for_bytes() {
    // Its text is hex itself, and its last line is of any length.
    let whole = b"0200\x20\x00\x00\x00\x00\x00\x00\x00000000303030303030303030303030303030303030";
    for len in 17..whole.len() {
        let message = &whole[..len];
        let xxd = dump(message, 16, |at, row| format!("{at:08x}: {:<41}{}", spaced(row, 2, " "), text(row)));
        assert_eq!(found(xxd.as_bytes())[0].0, message, "{xxd}");
    }
}

#[test]
fn lines_that_a_dump_leaves_out_are_filled_in_and_others_are_missed() {
    let mut message = b"0200\x20\x00\x00\x00\x00\x00\x00\x00000000".to_vec();
    message.extend([b'0'; 62]);
    let mut lines: Vec<String> =
        dump(&message, 16, |at, row| format!("{at:08x}  {}  |{}|", spaced(row, 1, " "), text(row)))
            .lines()
            .map(str::to_owned)
            .collect();
    lines.push("00000050".into());
    let whole = lines.join("\n");
    lines.splice(2..4, ["*".to_owned()]);
    assert_eq!(found(lines.join("\n").as_bytes())[0].0, message);
    assert_eq!(found(whole.as_bytes())[0].0, message);
    lines.remove(2);
    let told = refused(None, &lines.join("\n"));
    assert!(told.starts_with("in:3: the hex dump has a gap here"), "{told}");
}

#[test]
fn a_packet_of_a_dump_gives_what_it_carries() {
    let mut packet = Vec::new();
    let build = etherparse::PacketBuilder::ipv4([10, 0, 1, 1], [10, 0, 0, 1], 64).tcp(40001, 8583, 1, 1000);
    build.ack(1).write(&mut packet, &[&[0, 49][..], &sign_on()].concat()).unwrap();
    let tcpdump =
        dump(&packet, 16, |at, row| format!("\t0x{at:04x}:  {:<39}  {}", spaced(row, 2, " "), text(row)));
    let heading =
        "09:00:00.000001 IP 10.0.1.1.40001 > 10.0.0.1.8583: Flags [P.], seq 1:52, ack 1, length 51\n";
    let both = format!("{heading}{tcpdump}{heading}{tcpdump}");
    let want = [&[0, 49][..], &sign_on()].concat();
    assert_eq!(found(both.as_bytes()), [(want.clone(), "in:2-7".into()), (want, "in:9-14".into())]);
}

#[test]
fn lines_are_one_message_or_one_each_by_what_makes_sense() {
    let other = format!("0031{}", SIGN_ON.replace("303033383036", "303033383037"));
    let places = |input: &str| found(input.as_bytes()).into_iter().map(|(_, at)| at).collect::<Vec<_>>();
    assert_eq!(places(&format!("{SIGN_ON}\n{other}\n{SIGN_ON}")), ["in:1", "in:2", "in:3"]);
    assert_eq!(places(&format!("{}\n{}\n\n\n{other}\n", &SIGN_ON[..60], &SIGN_ON[60..])), ["in:1-2", "in:5"]);
    // Neither is sound: a shorter last line is the end of the first.
    let bad = SIGN_ON.replace("3132", "5858");
    assert_eq!(places(&format!("{}\n{}", &bad[..60], &bad[60..])), ["in"]);
    assert_eq!(places(&format!("{bad}\n{bad}0000")), ["in:1", "in:2"]);
    let end = hex::encode(b"020020000000000000000000000");
    assert_eq!(
        places(&format!("{}\n{end}", &bad[..60])),
        ["in"],
        "though the end looks like a message itself"
    );
    let noise = "ff".repeat(49);
    assert_eq!(places(&format!("{SIGN_ON}\n{noise}")), ["in:1", "in:2"], "since one is sound");
    let lines = [sign_on(), sign_on()].map(|bytes| BASE64_STANDARD.encode(bytes)).join("\n");
    assert_eq!(places(&lines), ["in:1", "in:2"]);
}

#[test]
fn digits_that_are_a_frame_and_hex_of_another_are_what_the_dialect_says() {
    let frame = b"080002200000000000001120090000001301".to_vec();
    let as_text = try_read("iso87-ascii", None, &frame).unwrap();
    assert_eq!(as_text.found[0].bytes, frame, "sound as it stands");
    // Sound in neither reading: an MTI of characters is more to a dialect of characters than one of BCD.
    let half = b"080082200000000000000400000000000000";
    assert_eq!(try_read("onelink", None, half).unwrap().found[0].bytes, half);
    let forced = try_read("onelink", Some(Format::Hex), half).unwrap();
    assert_eq!(forced.found[0].bytes, hex::decode(half).unwrap());
}

#[test]
fn messages_are_found_in_a_log_and_identifiers_are_not() {
    let colons = spaced(&sign_on(), 1, ":");
    let log = format!(
        "2026-11-22T09:00:00Z INFO trace={TRACE} link up\n\
         2026-11-22T09:00:01Z DEBUG trace={TRACE} sent [{SIGN_ON}] to 10.0.0.1\n\
         2026-11-22T09:00:02Z DEBUG {{\"in\": \"0x{SIGN_ON}\", \"out\": \"{colons}\"}}\n\
         deadline 0123456789abcdefg 12:30:45 01 02 03\n\
         DEBUG sha={TRACE}{TRACE} {TRACE}{TRACE}\n\
         DEBUG two {SIGN_ON} {SIGN_ON}\n\
         DEBUG cut {}\n",
        &SIGN_ON[1..],
    );
    let input = try_read("onelink", None, log.as_bytes()).unwrap();
    let at: Vec<String> = input.found.iter().map(|found| found.place.to_string()).collect();
    assert_eq!(at, ["in:2", "in:3", "in:3", "in:6", "in:6"]);
    assert!(input.found.iter().all(|found| found.bytes == sign_on()));
    assert_eq!(
        input.remarks,
        [
            "in:7: 97 hex digits are an odd number, so half a byte is missing",
            "in: lines passed over, since their hex does not look like a message: 2",
        ]
    );
}

#[test]
fn without_anything_like_a_message_the_longest_run_of_a_line_is_taken() {
    let log = format!("id {TRACE} and {TRACE}{TRACE} x\n");
    let input = try_read("onelink", None, log.as_bytes()).unwrap();
    assert_eq!(input.found.len(), 1);
    assert_eq!(input.found[0].bytes.len(), 32);
    assert_eq!(input.remarks, ["in: nothing looks like a message; the longest runs of hex are taken"]);
}

#[test]
fn a_log_with_a_few_bytes_that_are_no_text_is_a_log() {
    let log = [&b"\xff\xfe\x00 start\n"[..], format!("got {SIGN_ON}\n").as_bytes()].concat();
    assert_eq!(found(&log), [(sign_on(), "in:2".to_owned())]);
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place_and_without_its_content() {
    let odd = format!("{SIGN_ON}0");
    let table = [
        (None, odd.as_str(), "in:1: an odd number of hex digits, so half a byte is missing"),
        (None, "an ordinary text", "in: there is no run of 10 bytes of hex in it; say --input"),
        (Some(Format::Hex), "30 38\n30 3z", "in:2: column 5 is not hex; for a log"),
        (Some(Format::Hex), " : - ", "in: the input is empty"),
        (Some(Format::Base64), "MDgw*", "in:1: not base64, or cut off"),
        (Some(Format::Log), "nothing", "in: there is no run of 10 bytes of hex in it"),
        (Some(Format::Pcap), "no capture at all, but long enough", "in: packet 1: "),
    ];
    for (format, input, want) in table {
        let told = refused(format, input);
        assert!(told.starts_with(want), "{told}");
    }
}

#[test]
fn a_message_has_65535_bytes_at_most() {
    let mut long = sign_on();
    long.resize(MESSAGE_BYTES_MAX + 1, b'0');
    let file = tempfile::NamedTempFile::new().unwrap();
    let judge = Judge { score: &|_| 0 };
    for (format, bytes) in [(Some(Format::Raw), long.clone()), (None, hex::encode_upper(&long).into_bytes())]
    {
        std::fs::write(file.path(), bytes).unwrap();
        let reading = Reading { format, port: None, framing: Framing::default(), judge };
        let told = read(file.path().to_str().unwrap(), &reading).unwrap_err();
        assert!(matches!(told, InputError::MessageTooLong { len: 65_540, .. }), "{told}");
    }
}

#[test]
fn an_argument_is_told_by_name_only_if_it_cannot_be_a_message() {
    let named = |argument: &str| source::named(argument);
    assert_eq!(named("captures/2026-11-22/a.pcap"), "captures/2026-11-22/a.pcap");
    assert_eq!(named("4242424242424242"), "the argument");
    assert_eq!(named(r#"{"mti": "0800"}"#), "the argument");
    let shown = format!("{:?}", Found { bytes: sign_on(), place: Place::Whole { source: Arc::from("in") } });
    assert_eq!(shown, "Found(49 bytes, in)");
}

#[test]
fn any_bytes_are_read_or_refused() {
    use proptest::prelude::*;
    let onelink = shipped::dialect("onelink").unwrap().unwrap();
    let alphabet = prop::sample::select(b"0123456789abcdefABCDEF :,-\n\t*|>.xX\\=/+_zI\xd4\x00\xff".to_vec());
    let few = prop::collection::vec(alphabet, 0..200);
    let any = prop::collection::vec(any::<u8>(), 0..200);
    let filled =
        prop_oneof![few, any].prop_filter("refused as empty", |bytes| !bytes.trim_ascii().is_empty());
    proptest!(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }, |(bytes in filled)| {
        for format in [None, Some(Format::Hex), Some(Format::Base64), Some(Format::Log), Some(Format::Pcap)] {
            if let Ok(input) = try_read_in(&onelink, format, &bytes) {
                prop_assert!(!input.found.is_empty());
                let size: usize = input.found.iter().map(|found| found.bytes.len()).sum();
                // A dump may leave out what repeats; nothing else grows.
                prop_assert!(size <= bytes.len() || bytes.contains(&b'*'));
            }
        }
    });
}
