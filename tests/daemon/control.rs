//! The operator's side: the control socket, its commands, and their exit statuses.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use crate::support::DEADLINE;
use crate::support::bank::{Bank, Slip, network};
use crate::support::bills::{DATE, import};
use crate::support::ledger::scroll;
use crate::support::site::Site;

/// The one with this name or code in a list.
fn one<'v>(list: &'v Value, key: &str, name: &str) -> &'v Value {
    list.as_array().unwrap().iter().find(|entry| entry[key] == name).unwrap()
}

#[test]
fn an_operator_sees_what_happened_and_programs_read_it_as_json() {
    let site = Site::new();
    let bills = import(&site, "KPEXCISE", 3);
    let daemon = site.serve(&[]);
    let mut bank = Bank::signed_on(daemon.address, 2);
    let slip = Slip { bill: bills[0].clone(), number: 77 };
    let paid = bank.ask(&slip.payment());
    assert_eq!((paid.mti(), paid.code().as_str()), (&b"0210"[..], "00"));

    let status = site.ctl(&["status"]);
    assert_eq!(status["business_date"], DATE);
    assert_eq!(
        (&status["draining"], &status["open"], &status["blobs"]),
        (&json!(false), &json!(0), &json!(0))
    );
    let links = site.ctl(&["links"]);
    assert_eq!(
        (links.as_array().unwrap().len(), &one(&links, "name", "atmnet")["signed_on"]),
        (3, &json!(false))
    );
    let northbank = one(&links, "name", "northbank");
    assert_eq!(
        (&northbank["signed_on"], &northbank["frames"], &northbank["answers"]),
        (&json!(true), &json!(2), &json!(2))
    );
    let billers = site.ctl(&["billers"]);
    let excise = one(&billers, "code", "KPEXCISE");
    assert_eq!(
        (&excise["bills"], &excise["posted"], &excise["blocked"]),
        (&json!(3), &json!(1), &json!(false))
    );
    for by in [["txn", "--rrn", "630000000077"], ["payment", "--stan", "000077"]] {
        let found = site.ctl(&by);
        assert_eq!(found[0]["payment"]["posting"]["receipt"], paid.at("120.RN"));
        assert!(found[0]["legs"].as_array().unwrap().len() >= 2, "{found}");
    }
    assert_eq!(site.ctl(&["txn", "--stan", "000078"]), json!([]));
    let tail = site.ctl(&["journal", "tail", "-n", "2"]);
    assert_eq!(tail.as_array().unwrap().len(), 2);
    assert_eq!(tail[1]["sequence"], status["last_leg"]);
    let verified = site.ctl(&["journal", "verify"]);
    assert_eq!((&verified["posted"], &verified["legs"]), (&json!(1), &status["last_leg"]));
    // For people the same in tables.
    for args in
        [&["status"][..], &["links"], &["billers"], &["txn", "--stan", "000077"], &["journal", "verify"]]
    {
        assert!(serde_json::from_str::<Value>(&site.run("ctl", args).ok()).is_err(), "{args:?}");
    }
    daemon.stop();
}

#[test]
fn n22_a_blocked_biller_is_refused_with_91_also_after_a_restart_until_it_is_unblocked() {
    let site = Site::new();
    let bills = import(&site, "KPEXCISE", 2);
    let daemon = site.serve(&[]);
    let paid = |daemon: &crate::support::site::Daemon, number| {
        let slip = Slip { bill: bills[0].clone(), number };
        Bank::signed_on(daemon.address, 1).ask(&slip.payment()).code()
    };
    site.ctl(&["block", "KPEXCISE"]);
    assert_eq!(paid(&daemon, 1), "91");
    daemon.stop();
    let daemon = site.serve(&[]);
    assert_eq!(one(&site.ctl(&["billers"]), "code", "KPEXCISE")["blocked"], true);
    assert_eq!(paid(&daemon, 2), "91");
    site.ctl(&["unblock", "KPEXCISE"]);
    assert_eq!(paid(&daemon, 3), "00");
    let refused = site.run("ctl", &["block", "NOBODY"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("NOBODY") && refused.err.contains("ctl billers"), "{refused:?}");
}

#[test]
fn n54_a_cutover_moves_the_business_date_for_good_and_each_payment_keeps_its_own() {
    let site = Site::new();
    let bills = import(&site, "KPEXCISE", 2);
    let daemon = site.serve(&[]);
    let mut bank = Bank::signed_on(daemon.address, 1);
    let slips = [0, 1].map(|at: usize| Slip { bill: bills[at].clone(), number: u32::try_from(at).unwrap() });
    assert_eq!(bank.ask(&slips[0].payment()).code(), "00");
    assert!(site.ctl(&["cutover"])["done"].as_str().unwrap().contains("2026-11-21"));
    assert_eq!(bank.ask(&slips[1].payment()).code(), "00");
    daemon.stop();
    let _daemon = site.serve(&[]);
    assert_eq!(site.ctl(&["status"])["business_date"], "2026-11-21");
    for (date, slip) in [(DATE, &slips[0]), ("2026-11-21", &slips[1])] {
        let lines = site.run("book", &["export", "KPEXCISE", "--date", date, "--json"]).json();
        assert_eq!(lines.as_array().unwrap().len(), 1, "{lines}");
        assert_eq!(lines[0]["psid"], slip.bill.psid);
    }
}

#[test]
fn the_control_socket_is_its_owners_alone_and_gone_after_a_drain() {
    let site = Site::new();
    let mut daemon = site.serve(&[]);
    let mode = |path: std::path::PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(site.socket()), 0o600);
    assert_eq!(mode(site.store()), 0o700, "nobody else looks into the store");
    assert_eq!(mode(site.store().join("vault.keys")), 0o600);
    assert!(site.ctl(&["drain"])["done"].as_str().unwrap().contains("draining"));
    assert_eq!(daemon.ended().code(), Some(0), "{}", daemon.log());
    assert!(!site.socket().exists());
    // Left behind by a kill, it is taken for nobody, and in nobody's way.
    site.serve(&[]).kill();
    assert!(site.socket().exists());
    assert_eq!(site.run("ctl", &["status"]).code, 3);
    site.serve(&[]).stop();
}

#[test]
fn n_two_instances_on_one_store_the_second_refuses_to_start() {
    let site = Site::new();
    let daemon = site.serve(&[]);
    let refused = site.try_serve(&[]).err().expect("a second daemon serves the same store");
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(site.ctl(&["status"]).is_object(), "the first goes on");
    // Nor does a command go behind the daemon's back when its socket cannot be found.
    std::fs::rename(site.socket(), site.path("hidden")).unwrap();
    let file = site.file("bills.csv", &crate::support::bills::bills("KPEXCISE", 1).1);
    assert_eq!(site.run("book", &["import", "KPEXCISE", &file]).code, 4);
    assert_eq!(site.run("book", &["export", "KPEXCISE", "--date", DATE]).code, 4);
    std::fs::rename(site.path("hidden"), site.socket()).unwrap();
    daemon.stop();
}

#[test]
fn exit_statuses_are_those_that_the_help_names() {
    let site = Site::new();
    for args in [&["status"][..], &["drain"], &["journal", "verify"]] {
        let ran = site.run("ctl", args);
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.err.contains("is `billswitch serve` running"), "{ran:?}");
    }
    for (sub, args) in [
        ("ctl", &["txn"][..]),
        ("ctl", &["no-such-request"]),
        ("book", &["import", "KPEXCISE", "/no/such/file.csv"]),
        ("book", &["import", "NOBODY", "/no/such/file.csv"]),
        ("book", &["export", "KPEXCISE", "--date", "2026-02-30"]),
        ("serve", &["--log", "=="]),
    ] {
        let ran = site.run(sub, args);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{sub} {args:?}: {ran:?}");
        assert!(!ran.err.is_empty());
    }
    let help = site.run("ctl", &["--help"]).ok();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("Exit status: 0 done") && help.contains("3 no daemon answers"), "{help}");
}

#[test]
fn a_configuration_at_fault_is_refused_with_file_and_line() {
    let site = Site::new();
    // Nothing comes so far as to listen.
    site.edit(|text| text.replace("127.0.0.1:0", "127.0.0.1:8583"));
    let text = std::fs::read_to_string(site.config()).unwrap();
    let name = site.config().display().to_string();
    for (good, bad) in [
        ("queue_max = 4096", "queue_max = 0"),
        ("time_zone = \"Asia/Karachi\"", "time_zone = \"Asia/Nowhere\""),
        ("adapter = \"book\"", "adapter = \"bok\""),
        ("[limits]", "[limits"),
        ("peer = \"127.0.1.2\"", "peer = \"127.0.1.1\""),
        ("switch_ms = 30000", "switch_ms = 50000"),
    ] {
        let at = text.find(good).unwrap();
        std::fs::write(site.config(), text.replacen(good, bad, 1)).unwrap();
        let line = text[..at].matches('\n').count() + 1;
        for sub in ["check", "serve", "ctl"] {
            let ran = site.run(sub, if sub == "ctl" { &["status"] } else { &[] });
            assert_eq!(ran.code, 2, "{bad}: {ran:?}");
            // A fault of a whole link is told where the link begins.
            let told =
                (line.saturating_sub(4)..=line).any(|line| ran.err.contains(&format!("{name}:{line}:")));
            assert!(told, "{bad} in line {line}: {ran:?}");
        }
    }
    assert!(!site.store().exists(), "nothing was begun");
}

#[test]
fn who_speaks_garbage_to_the_control_socket_is_told_so_and_the_daemon_lives() {
    let site = Site::new();
    let mut daemon = site.serve(&[]);
    let open = || {
        let stream = UnixStream::connect(site.socket()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    };
    let say = |bytes: &[u8]| {
        let mut stream = open();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut said = String::new();
        BufReader::new(stream).read_line(&mut said).unwrap();
        said
    };
    for (line, want) in [
        (&b"GET / HTTP/1.1\r\n"[..], "Version"),
        (b"\x00\xff\xfe\n", "Version"),
        (b"{}\n", "Version"),
        (b"{\"version\":9,\"request\":\"Status\"}\n", "{\"Version\":{\"daemon\":4}}"),
        (b"{\"version\":4,\"request\":\"Explode\"}\n", "not a request"),
        (b"{\"version\":4}\n", "not a request"),
        (
            b"{\"version\":4,\"request\":{\"Import\":{\"biller\":\"KPEXCISE\",\"rows\":[7]}}}\n",
            "not a request",
        ),
        (b"{\"version\":4,\"request\":\"Status\"}", "a request is one line"),
        (
            b"{\"version\":4,\"request\":{\"Resolve\":{\"leg\":1,\"resolution\":\"Undone\",\"why\":\"a\\nb\"}}}\n",
            "one line of 1 to 200 characters",
        ),
        (
            b"{\"version\":4,\"request\":{\"Book\":{\"Act\":{\"biller\":\"KPEXCISE\",\"psid\":\"1\",\"act\":\"Block\",\"why\":\"\"}}}}\n",
            "one line of 1 to 200 characters",
        ),
    ] {
        let said = say(line);
        assert!(said.contains(want), "{}: {said}", line.escape_ascii());
    }
    // Many questions on one connection, a good one after bad ones.
    let mut stream = open();
    stream.write_all(b"nonsense\n{\"version\":4,\"request\":\"Status\"}\n").unwrap();
    let mut lines = BufReader::new(stream).lines();
    assert!(lines.next().unwrap().unwrap().contains("Version"));
    assert!(lines.next().unwrap().unwrap().contains("business_date"));
    // A line without an end is not read for ever.
    let mut stream = open();
    let _ = stream.write_all(&vec![b'x'; 5 << 20]);
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    assert!(daemon.lives());
    assert!(site.ctl(&["status"]).is_object());
    assert_eq!(Bank::signed_on(daemon.address, 3).ask(&network("301")).code(), "00");
    daemon.stop();
}

#[test]
fn the_scroll_is_the_same_from_the_daemon_and_from_the_store_as_csv_and_as_json() {
    let site = Site::new();
    let bills = import(&site, "KPEXCISE", 12);
    let daemon = site.serve(&[]);
    let slips = (0..12).map(|at: usize| Slip { bill: bills[at].clone(), number: u32::try_from(at).unwrap() });
    let payments: Vec<Vec<u8>> = slips.map(|slip| slip.payment()).collect();
    let paid = Bank::signed_on(daemon.address, 1).ask_all(&payments);
    assert!(paid.iter().all(|answer| answer.code() == "00"));
    let export =
        |format: &[&str]| site.run("book", &[&["export", "KPEXCISE", "--date", DATE], format].concat()).ok();
    let (csv, json, lines) = (export(&[]), export(&["--json"]), scroll(&site, "KPEXCISE"));
    daemon.stop();
    assert_eq!((csv, &json), (export(&[]), &export(&["--json"])), "with a daemon and without");
    let json: Value = serde_json::from_str(&json).unwrap();
    let mut read: Vec<_> = json
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            let text = |key: &str| line[key].as_str().unwrap().to_owned();
            (text("psid"), line["amount"].as_u64().unwrap(), text("rrn"), text("receipt"))
        })
        .collect();
    read.sort();
    assert_eq!((lines.len(), lines), (12, read));
    assert_eq!(site.run("book", &["export", "KPPOLICE", "--date", DATE, "--json"]).json(), json!([]));
}
