//! A member bank's host in Python talks to the daemon (`client.py`).

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::daemon;
use crate::tools;

/// Card number of the client: a test number, which must not be found anywhere on disk.
const PAN: &[u8] = b"4242424242424242";

const BILLS: &str = "\
psid,name,billing_month,due_date,expiry_date,amount_within_due,amount_after_due,heads,status
11011000000000001,Noor Zaman,2611,2026-11-23,2026-12-23,1014000,1024000,B01401:228000|B02372:786000,U
11011000000000002,Ayesha Bibi,2611,2026-12-15,2027-01-14,1258000,1268000,B01401:568000|B02372:690000,P
";

/// What the client must have looked at: a conversation that breaks off early is no success.
const CHECKS: [&str; 19] = [
    "an inquiry before sign-on",
    "sign-on",
    "echo",
    "inquiry found",
    "inquiry of an unknown bill",
    "inquiry of a paid bill",
    "payment approved",
    "a repeat gets the same answer",
    "the same key with another amount",
    "payment of a paid bill",
    "a reversal",
    "a repeated reversal",
    "the reversed bill is payable again",
    "a reversal of an unknown original",
    "an unsupported processing code",
    "a letter in an amount",
    "frames in one piece and in many",
    "sign-off",
    "an inquiry after sign-off",
];

#[derive(Deserialize)]
struct Verdict {
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    name: String,
    problems: Vec<String>,
}

#[test]
fn an_independent_client_is_answered_as_the_dialect_says() {
    let Some(python) = tools::python() else { return };
    let site = daemon::site();
    daemon::import(&site, "KPEXCISE", Path::new(&site.file("bills.csv", BILLS)));
    let daemon = daemon::serve(&site);

    let mut client = Command::new(python);
    client.arg("-B").arg(tools::file("client.py")).arg(daemon.address.ip().to_string());
    let output = client.arg(daemon.address.port().to_string()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the client failed\n{stderr}");
    let verdict: Verdict = serde_json::from_slice(&output.stdout).unwrap();

    let mut problems = verdict.checks.iter().filter(|check| !check.problems.is_empty()).peekable();
    if problems.peek().is_some() {
        let told: Vec<_> =
            problems.map(|check| format!("{}: {}", check.name, check.problems.join("; "))).collect();
        panic!("{}", told.join("\n"));
    }
    let names: Vec<_> = verdict.checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(names, CHECKS);

    let log = daemon::stop(daemon);
    assert!(log.contains("424242******4242"), "the log shows the card masked");
    // The recording, the store and the log.
    assert_eq!(holders_of(PAN, &site.path("")), Vec::<String>::new());
    fs::write(site.path("canary"), PAN).unwrap();
    assert_eq!(holders_of(PAN, &site.path("")).len(), 1, "the search finds what there is");
}

/// The files under `directory` that hold these bytes.
fn holders_of(wanted: &[u8], directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(holders_of(wanted, &entry.path()));
        } else if fs::read(entry.path()).unwrap().windows(wanted.len()).any(|part| part == wanted) {
            found.push(entry.path().display().to_string());
        }
    }
    found
}
