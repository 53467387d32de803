//! tshark reads what the daemon recorded of the morning.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use billswitch::iso8583::shipped;

use crate::answers::{Answer, Answers, without_blanks};
use crate::daemon::{self, BILLERS};
use crate::tools;

/// How this dialect is laid out, in tshark's words (`tshark -G currentprefs`).
const PREFERENCES: [&str; 3] = [
    "iso8583.len_endian:Big endian",
    "iso8583.charset:Digits represented as ASCII Characters",
    "iso8583.binencode:Bin data not encoded",
];

/// The columns asked for. A complaint of the dissector's stands in the last.
const COLUMNS: [&str; 6] =
    ["frame.number", "iso8583.mti", "iso8583.bit4", "iso8583.bit11", "iso8583.bit39", "_ws.expert.message"];

/// The answers as tshark reads them, and the packets it complains of.
fn dissect(tshark: &OsStr, capture: &Path, port: u16) -> (Vec<Answer>, Vec<u64>) {
    let mut command = Command::new(tshark);
    command.arg("-n").arg("-r").arg(capture).arg("-d").arg(format!("tcp.port=={port},iso8583"));
    command.args(PREFERENCES.iter().flat_map(|preference| ["-o", preference]));
    command.args(["-Y", &format!("tcp.srcport == {port} && tcp.len > 0"), "-T", "fields"]);
    command.args(COLUMNS.iter().flat_map(|column| ["-e", column]));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (mut answers, mut complaints) = (Vec::new(), Vec::new());
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let [packet, mti, amount, stan, response_code, complaint] = columns[..] else { panic!("{line}") };
        let packet = packet.parse().unwrap();
        if !complaint.is_empty() {
            complaints.push(packet);
        }
        answers.push(Answer {
            packet,
            mti: mti.to_owned(),
            amount: amount.to_owned(),
            stan: stan.to_owned(),
            response_code: response_code.to_owned(),
        });
    }
    (answers, complaints)
}

#[test]
fn an_independent_dissector_reads_every_recorded_answer_as_we_do() {
    let Some(tshark) = tools::tshark() else { return };
    let site = daemon::site();
    for biller in BILLERS {
        daemon::import(&site, biller, &tools::morning(&format!("bills-{biller}.csv")));
    }
    let daemon = daemon::serve(&site);
    let (to, port) = (daemon.address.to_string(), daemon.address.port());
    let [capture, answers] = ["requests.pcap", "answers.jsonl"].map(tools::morning);
    // In a minute, and not so fast that on a busy machine the recorder, which never holds up the traffic, has to leave
    // frames out.
    let (capture, answers) = (capture.to_str().unwrap(), answers.to_str().unwrap());
    site.replay(&[capture, "--answers", answers, "--to", &to, "--rate", "60"]).ok();
    daemon::stop(daemon);

    let dialect = shipped::dialect("onelink").unwrap().unwrap();
    let ours = Answers::read(&daemon::recording(&site), port, &dialect);
    assert_eq!(ours.all.len(), 3062, "one for each request of the morning");
    let (theirs, complaints) = dissect(&tshark, &daemon::recording(&site), port);
    assert_same(&ours.all, &theirs);
    // The one thing it does not like is this network's own: in the standard DE 90 is all digits, here it has blanks, and
    // an answer gives it back as it came. Reading zeros for them, it likes everything, the fields behind DE 90 too.
    assert_eq!(complaints, ours.blank_originals);
    assert!(!complaints.is_empty(), "the morning has reversals");
    let copy = site.path("without-blanks.pcap");
    without_blanks(&daemon::recording(&site), &copy, port, &dialect);
    let (theirs, complaints) = dissect(&tshark, &copy, port);
    assert_same(&ours.all, &theirs);
    assert_eq!(complaints, Vec::<u64>::new());
}

fn assert_same(ours: &[Answer], theirs: &[Answer]) {
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
}
