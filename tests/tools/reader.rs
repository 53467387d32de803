//! Whose end a broken pipe is: a reader of the output that has seen enough, or a daemon that went away.

use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

/// Runs the binary with an output that nobody reads.
fn unread(args: &[&str]) -> i32 {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_billswitch"));
    let ended = command.args(args).stdin(Stdio::null()).stdout(writer).stderr(Stdio::null()).status();
    ended.unwrap().code().unwrap()
}

#[test]
fn a_verdict_is_given_also_if_nobody_reads_what_it_stands_on() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let paid = r#"{"consumer":"1","identity":"1","amount":100,"receipt":"1","at":1}"#;
    let (one, none) = (file("one.jsonl", &format!("{paid}\n")), file("none.jsonl", ""));
    assert_eq!(unread(&["sim", "compare", &one, &one]), 0);
    assert_eq!(unread(&["sim", "compare", &one, &none]), 1);
    // One that gives none has done its work when nobody wants the rest.
    assert_eq!(unread(&["key"]), 0);
}

#[test]
fn a_daemon_that_goes_away_is_not_taken_for_a_reader_that_has_seen_enough() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    std::fs::create_dir(&store).unwrap();
    let listener = UnixListener::bind(store.join("control.sock")).unwrap();
    let leaving = std::thread::spawn(move || drop(listener.accept().unwrap()));
    // More than the socket takes before the daemon is gone.
    let lines = (0..20_000).map(|number| {
        format!("1101{number:013},Noor Zaman,2611,2026-12-15,2027-01-20,1000,2500,B01401:1000,U\n")
    });
    let header =
        "psid,name,billing_month,due_date,expiry_date,amount_within_due,amount_after_due,heads,status\n";
    let bills = dir.path().join("bills.csv");
    std::fs::write(&bills, header.to_owned() + &lines.collect::<String>()).unwrap();
    let store = store.display().to_string();
    let mut import = Command::new(env!("CARGO_BIN_EXE_billswitch"));
    let import = import.args(["book", "import", "KPEXCISE", "--store", &store]).arg(bills);
    let ended = import.stdin(Stdio::null()).output().unwrap();
    leaving.join().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!((ended.status.code(), ended.stdout.as_slice()), (Some(2), &b""[..]), "{said}");
    assert!(said.contains("the control socket: "), "{said}");
}
