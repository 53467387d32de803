//! Another library writes and reads the same messages: `peer.py` with pyiso8583, in ASCII, EBCDIC and BCD; tshark's
//! dissector reads them from a capture.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use billswitch::iso8583::{Dialect, Mirror, decode, from_json, to_json};
use bytes::BytesMut;
use etherparse::PacketBuilder;
use pcap_file::pcap::{PcapPacket, PcapWriter};
use serde::Deserialize;
use serde_json::json;

use crate::mutate::Dice;
use crate::tools;

const EACH: usize = 500;

/// What the fields of all three dialects may hold: number, kind, shortest and longest.
const FIELDS: [(u8, char, usize, usize); 37] = [
    (2, 'n', 1, 19),
    (3, 'n', 6, 6),
    (4, 'n', 12, 12),
    (7, 'n', 10, 10),
    (11, 'n', 6, 6),
    (12, 'n', 6, 6),
    (13, 'n', 4, 4),
    (18, 'n', 4, 4),
    (19, 'n', 3, 3),
    (22, 'n', 3, 3),
    (25, 'n', 2, 2),
    (26, 'n', 2, 2),
    (32, 'n', 0, 11),
    (33, 'n', 1, 11),
    (35, 'z', 1, 37),
    (37, 'a', 12, 12),
    (38, 'a', 6, 6),
    (39, 'a', 2, 2),
    (41, 's', 8, 8),
    (42, 's', 15, 15),
    (43, 's', 40, 40),
    (44, 's', 0, 25),
    (48, 's', 0, 999),
    (49, 'n', 3, 3),
    (52, 'b', 8, 8),
    (53, 'n', 16, 16),
    (54, 's', 1, 120),
    (55, 'b', 0, 255),
    (60, 's', 1, 30),
    (64, 'b', 8, 8),
    (70, 'n', 3, 3),
    (90, 'n', 42, 42),
    (96, 'b', 8, 8),
    (100, 'n', 1, 11),
    (102, 's', 1, 28),
    (120, 's', 1, 300),
    (128, 'b', 8, 8),
];

fn dialect(name: &str) -> Dialect {
    let text = fs::read_to_string(tools::file(&format!("dialects/{name}.toml"))).unwrap();
    Dialect::parse(&format!("{name}.toml"), &text, &|_| None).unwrap_or_else(|error| panic!("{error}"))
}

/// Some of the fields, with values of any length that they may have; `separator` is that of track data.
fn message(dice: &mut Dice, separator: char) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for (number, kind, shortest, longest) in FIELDS {
        if dice.below(2) == 0 {
            continue;
        }
        let len = shortest + dice.below(longest - shortest + 1);
        let one = |dice: &mut Dice| match kind {
            'n' => char::from(*dice.pick(b"0123456789")),
            'z' => *dice.pick(&['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', separator]),
            'a' => char::from(*dice.pick(b"ABCXYZabcxyz 0189")),
            's' => char::from(b' ' + u8::try_from(dice.below(95)).unwrap()),
            _ => char::from(*dice.pick(b"0123456789ABCDEF")),
        };
        let len = if kind == 'b' { 2 * len } else { len };
        fields.insert(number.to_string(), (0..len).map(|_| one(dice)).collect());
    }
    fields
}

fn written(dialect: &Dialect, mti: &str, fields: &BTreeMap<String, String>) -> BytesMut {
    let mut out = BytesMut::new();
    from_json(dialect, &json!({"mti": mti, "fields": fields}), &mut out)
        .unwrap_or_else(|error| panic!("{error}"));
    out
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Both { encoded: String, decoded: BTreeMap<String, String> },
    Refused { error: String },
}

#[test]
fn another_library_writes_the_same_bytes_and_reads_the_same_values() {
    let Some(python) = tools::python() else { return };
    let mut dice = Dice::new(8583);
    let mut asked = Vec::new();
    for spec in ["ascii", "ebcdic", "bcd"] {
        let dialect = dialect(spec);
        for _ in 0..EACH {
            let mti = *dice.pick(&["0100", "0200", "0210", "0420", "0800", "0999"]);
            let fields = message(&mut dice, if spec == "bcd" { 'D' } else { '=' });
            let frame = written(&dialect, mti, &fields);
            asked.push((spec, mti, fields, frame));
        }
    }
    let mut questions = tempfile::tempfile().unwrap();
    for (spec, mti, fields, frame) in &asked {
        let mut all = fields.clone();
        all.insert("t".to_owned(), (*mti).to_owned());
        writeln!(questions, "{}", json!({"spec": spec, "fields": all, "frame": hex::encode(frame)})).unwrap();
    }
    std::io::Seek::rewind(&mut questions).unwrap();
    let mut peer = Command::new(python);
    peer.arg("-B").arg(tools::file("peer.py")).stdin(Stdio::from(questions));
    let output = peer.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answers = String::from_utf8(output.stdout).unwrap();
    let mut same = 0;
    for ((spec, mti, fields, frame), line) in asked.iter().zip(answers.lines()) {
        let (encoded, mut decoded) = match serde_json::from_str(line).unwrap() {
            Answer::Both { encoded, decoded } => (encoded, decoded),
            Answer::Refused { error } => panic!("{spec}: {error}\n{fields:?}"),
        };
        assert_eq!(encoded, hex::encode(frame), "{spec}: {fields:?}");
        assert_eq!(decoded.remove("t").as_deref(), Some(*mti));
        assert_eq!(&decoded, fields, "{spec}: what they read of what we wrote");
        let dialect = dialect(spec);
        let mut mirror = Mirror::new();
        let theirs = hex::decode(&encoded).unwrap();
        let ours = decode(&dialect, &theirs, &mut mirror);
        assert_eq!(ours.fault, None);
        assert_eq!(to_json(&ours, false)["fields"], json!(fields), "{spec}: what we read of what they wrote");
        same += 1;
    }
    assert_eq!(same, 3 * EACH);
}

/// The fields that tshark and we are both asked for. Its table is its own: it has no private fields, and no track data in
/// nibbles.
const DISSECTED: [u8; 17] = [2, 3, 4, 7, 11, 12, 13, 18, 25, 32, 37, 39, 41, 42, 43, 70, 90];

const PORT: u16 = 8583;

/// A capture of one connection, a message a packet behind two bytes of length.
fn capture(path: &Path, frames: &[BytesMut]) {
    let mut writer = PcapWriter::new(fs::File::create(path).unwrap()).unwrap();
    let mut sequence = 1;
    for frame in frames {
        let payload = [&u16::try_from(frame.len()).unwrap().to_be_bytes()[..], frame].concat();
        let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
            .ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64)
            .tcp(40_000, PORT, sequence, 8192)
            .ack(1);
        let mut packet = Vec::new();
        builder.write(&mut packet, &payload).unwrap();
        sequence += u32::try_from(payload.len()).unwrap();
        let length = u32::try_from(packet.len()).unwrap();
        writer.write_packet(&PcapPacket::new_owned(std::time::Duration::ZERO, length, packet)).unwrap();
    }
}

/// What tshark reads of each packet: the type, then the fields, empty where there are none.
fn dissect(tshark: &std::ffi::OsStr, path: &Path, charset: &str) -> Vec<Vec<String>> {
    let mut command = Command::new(tshark);
    command.arg("-n").arg("-r").arg(path).arg("-d").arg(format!("tcp.port=={PORT},iso8583"));
    let charset = format!("iso8583.charset:{charset}");
    for preference in ["iso8583.len_endian:Big endian", &charset, "iso8583.binencode:Bin data not encoded"] {
        command.args(["-o", preference]);
    }
    command.args(["-T", "fields", "-e", "_ws.expert.message", "-e", "iso8583.mti"]);
    for number in DISSECTED {
        command.args(["-e", &format!("iso8583.bit{number}")]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

#[test]
fn a_dissector_reads_messages_in_ascii_and_in_bcd_as_we_wrote_them() {
    let Some(tshark) = tools::tshark() else { return };
    let folder = tempfile::tempdir().unwrap();
    let table = [
        ("ascii", "Digits represented as ASCII Characters", "bitmap = \"binary\"\nbinary = \"raw\""),
        ("bcd", "Digits represented in nibbles", ""),
    ];
    for (name, charset, over) in table {
        let text = fs::read_to_string(tools::file(&format!("dialects/{name}.toml"))).unwrap();
        // tshark knows no bitmap in hex.
        let text = text.replace("bitmap = \"hex\"\nbinary = \"hex\"", over);
        let dialect = Dialect::parse("tshark.toml", &text, &|_| None).unwrap();
        let mut dice = Dice::new(1987);
        let (mut frames, mut want) = (Vec::new(), Vec::new());
        for _ in 0..200 {
            let mut fields = message(&mut dice, '=');
            // It takes no empty field, and no blank in one of type an.
            for number in ["37", "39"] {
                fields.entry(number.to_owned()).and_modify(|value| *value = value.replace(' ', "0"));
            }
            fields.retain(|number, value| DISSECTED.contains(&number.parse().unwrap()) && !value.is_empty());
            let mti = *dice.pick(&["0100", "0200", "0210", "0420", "0800"]);
            frames.push(written(&dialect, mti, &fields));
            let values =
                DISSECTED.iter().map(|number| fields.get(&number.to_string()).cloned().unwrap_or_default());
            want.push([String::new(), mti.to_owned()].into_iter().chain(values).collect::<Vec<String>>());
        }
        let path = folder.path().join(format!("{name}.pcap"));
        capture(&path, &frames);
        let got = dissect(&tshark, &path, charset);
        assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(&want) {
            assert_eq!(got, want, "{name}");
        }
    }
}
