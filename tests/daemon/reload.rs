//! A new configuration for a running daemon: in force whole, or refused whole with the old one kept.

use std::path::Path;

use crate::support::bank::{Bank, Slip};
use crate::support::bills::{Bill, import};
use crate::support::site::{Daemon, Ran, Site};
use crate::support::wait_for;

/// A site whose profiles are its own: `atmnet` and `agentpay` speak one, `northbank` another, which says the same.
fn site() -> (Site, Vec<Bill>) {
    let site = Site::new();
    let folder = site.path("specs").join("profiles");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::create_dir_all(site.path("specs").join("dialects")).unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs/profiles/onelink.toml");
    for name in ["onelink", "steady"] {
        std::fs::copy(&shipped, folder.join(format!("{name}.toml"))).unwrap();
    }
    site.edit(|text| {
        let text = text.replace("# specs = \"specs\"", "specs = \"specs\"");
        let (before, northbank) = text.split_once("name = \"northbank\"").unwrap();
        let northbank = northbank.replacen("profile = \"onelink\"", "profile = \"steady\"", 1);
        format!("{before}name = \"northbank\"{northbank}")
    });
    let bills = import(&site, "KPEXCISE", 40);
    (site, bills)
}

/// What a bill that nobody has is called from now on.
fn call_no_such_bill(site: &Site, code: &str) {
    let path = site.path("specs").join("profiles").join("onelink.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let at = text.find("no_such_bill").unwrap();
    let line = text[at..].lines().next().unwrap();
    let old = line.split('"').nth(1).unwrap();
    let new = line.replacen(&format!("\"{old}\""), &format!("\"{code}\""), 1);
    std::fs::write(path, text.replacen(line, &new, 1)).unwrap();
}

fn unknown(number: u32) -> Vec<u8> {
    Slip { bill: Bill { biller: "KPEXCISE", psid: "404".to_owned(), amount: 100 }, number }.inquiry()
}

/// `ctl`, told where the store is: the configuration need not be one.
fn ctl(site: &Site, args: &[&str]) -> Ran {
    site.run("ctl", &[&["--store", site.store().to_str().unwrap()], args].concat())
}

/// The latest leg that is about the configuration, as the journal tells it.
fn journalled(site: &Site) -> String {
    let tail = ctl(site, &["journal", "tail", "-n", "20", "--json"]).json();
    let told = tail.as_array().unwrap().iter().rev().map(|leg| leg["what"].as_str().unwrap().to_owned());
    told.into_iter().find(|what| what.contains("configuration")).unwrap_or_default()
}

/// Nothing more comes on this connection.
fn ended(bank: &mut Bank) {
    assert!(bank.receive().is_err(), "the connection has not ended");
}

#[test]
fn a_reload_takes_over_what_changed_and_leaves_other_links_alone() {
    let (site, bills) = site();
    let daemon = site.serve(&[]);
    let mut atmnet = Bank::signed_on(daemon.address, 1);
    let mut northbank = Bank::signed_on(daemon.address, 2);
    assert!(site.run("ctl", &["reload"]).ok().contains("no link changed"));
    assert_eq!(atmnet.ask(&unknown(1)).code(), "25");
    call_no_such_bill(&site, "76");
    assert_eq!(atmnet.ask(&unknown(2)).code(), "25", "not before it is asked for");
    let done = site.run("ctl", &["reload"]).ok();
    assert!(done.contains("atmnet, agentpay") && !done.contains("northbank"), "{done}");
    assert_eq!(journalled(&site), "a new configuration in force");
    ended(&mut atmnet);
    let mut atmnet = Bank::signed_on(daemon.address, 1);
    assert_eq!(atmnet.ask(&unknown(3)).code(), "76");
    assert_eq!(northbank.ask(&unknown(4)).code(), "25", "it has not even lost its connection");
    // Terms of a department, at once and on the connections there are.
    assert_eq!(atmnet.ask(&Slip { bill: bills[0].clone(), number: 5 }.payment()).code(), "00");
    site.edit(|text| {
        text.replace("name = \"Excise and Taxation\"", "name = \"Excise and Taxation\"\nreversible = false")
    });
    assert!(site.run("ctl", &["reload"]).ok().contains("no link changed"));
    let undo = Slip { bill: bills[0].clone(), number: 5 }.reversal("0400");
    assert_eq!(atmnet.ask(&undo).code(), "21", "cannot be undone by now");
    daemon.stop();
}

#[test]
fn a_department_is_suspended_and_serves_again_by_a_reload() {
    let (site, bills) = site();
    let daemon = site.serve(&[]);
    let mut atmnet = Bank::signed_on(daemon.address, 1);
    let good = std::fs::read_to_string(site.config()).unwrap();
    let name = "name = \"Excise and Taxation\"";
    let rules = "rules = { suspended = { from = \"2020-01-01T00:00\" }, routes = [{ code = \"GOVT\" }] }";
    site.edit(|text| text.replace(name, &format!("{name}\n{rules}")));
    site.run("ctl", &["reload"]).ok();
    let slip = |number: u32| Slip { bill: bills[0].clone(), number };
    let by_route = |number| Slip { bill: Bill { biller: "GOVT", ..bills[0].clone() }, number };
    assert_eq!(atmnet.ask(&slip(1).payment()).code(), "91");
    assert_eq!(atmnet.ask(&by_route(2).payment()).code(), "91", "it leads to the department");
    site.edit(|_| good.clone());
    site.run("ctl", &["reload"]).ok();
    assert_eq!(atmnet.ask(&by_route(3).payment()).code(), "92", "it leads nowhere any more");
    assert_eq!(atmnet.ask(&slip(4).payment()).code(), "00");
    daemon.stop();
}

#[test]
fn a_hangup_signal_is_a_reload() {
    let (site, _) = site();
    let daemon = site.serve(&[]);
    let mut atmnet = Bank::signed_on(daemon.address, 1);
    call_no_such_bill(&site, "76");
    hang_up(&site);
    ended(&mut atmnet);
    assert_eq!(Bank::signed_on(daemon.address, 1).ask(&unknown(1)).code(), "76");
    site.edit(|text| format!("{text}\nnonsense"));
    hang_up(&site);
    wait_for("the refusal in the log", || {
        daemon.log().contains("a new configuration was refused whole: the old one is kept").then_some(())
    });
    assert_eq!(Bank::signed_on(daemon.address, 1).ask(&unknown(2)).code(), "76");
    daemon.stop();
}

fn hang_up(site: &Site) {
    let pid = ctl(site, &["status", "--json"]).json()["pid"].to_string();
    assert!(std::process::Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
}

/// A configuration that is refused, and what is said of it.
type Bad = (&'static str, fn(String) -> String, &'static str);

const BAD: &[Bad] = &[
    ("no TOML", |text| format!("{text}\n[[link"), "billswitch.toml:"),
    (
        "a bound",
        |text| text.replace("profile = \"steady\"", "profile = \"steady\"\nwaiting_max = 0"),
        "waiting_max is 1 to",
    ),
    (
        "an unknown key",
        |text| text.replace("profile = \"steady\"", "profile = \"steady\"\nspeed = 9"),
        "unknown field `speed`",
    ),
    (
        "a profile that is not there",
        |text| text.replace("\"steady\"", "\"gone\""),
        "there is no profile `gone`",
    ),
    (
        "another store",
        |text| text.replacen("/store\"", "/other\"", 1),
        "`store` of the configuration is read at start only",
    ),
    (
        "another port",
        |text| text.replacen("127.0.0.1:0", "127.0.0.1:1", 1),
        "`listen` of link `atmnet` is read at start only",
    ),
    (
        "other limits",
        |text| text.replace("queue_max = 4096", "queue_max = 4097"),
        "`limits` of the configuration",
    ),
    (
        "a link less",
        |text| text.replace("\"agentpay\"", "\"kioskpay\""),
        "every link must be there as before",
    ),
    (
        "a biller less",
        |text| text.replace("\"KPPOLICE\"", "\"KPTRAFIC\""),
        "every biller must be there as before",
    ),
];

#[test]
fn n_a_bad_configuration_on_reload_is_refused_whole_and_the_old_one_kept() {
    let (site, bills) = site();
    let daemon = site.serve(&[]);
    let mut atmnet = Bank::signed_on(daemon.address, 1);
    let good = std::fs::read_to_string(site.config()).unwrap();
    // What would be taken over were the rest of it sound.
    call_no_such_bill(&site, "76");
    for ((what, spoil, told), number) in BAD.iter().zip(1..) {
        let spoilt =
            spoil(good.replace(
                "name = \"Excise and Taxation\"",
                "name = \"Excise and Taxation\"\nreversible = false",
            ));
        site.edit(|_| spoilt);
        let refused = ctl(&site, &["reload"]);
        assert_eq!(refused.code, 1, "{what}: {refused:?}");
        assert!(refused.err.contains(told), "{what}: {refused:?}");
        assert!(refused.err.contains("the old configuration is kept"), "{what}: {refused:?}");
        assert_eq!(journalled(&site), "a new configuration refused", "{what}");
        assert_eq!(atmnet.ask(&unknown(number)).code(), "25", "{what}: on the same connection, as before");
    }
    let slip = Slip { bill: bills[1].clone(), number: 100 };
    assert_eq!(atmnet.ask(&slip.payment()).code(), "00");
    assert_eq!(atmnet.ask(&slip.reversal("0400")).code(), "00", "it can still be undone");
    assert!(daemon.log().contains("a new configuration was refused whole"), "{}", daemon.log());
    site.edit(|_| good.clone());
    site.run("ctl", &["reload"]).ok();
    ended(&mut atmnet);
    assert_eq!(Bank::signed_on(daemon.address, 1).ask(&unknown(101)).code(), "76");
    site.run("ctl", &["journal", "verify"]).ok();
    daemon.stop();
}

#[test]
fn what_was_read_before_a_reload_is_answered_before_its_connection_ends() {
    let (site, bills) = site();
    let daemon: Daemon = site.serve(&[]);
    for (round, bill) in bills.iter().enumerate().take(10) {
        let mut bank = Bank::signed_on(daemon.address, 1);
        let slip = Slip { bill: bill.clone(), number: u32::try_from(round).unwrap() + 1 };
        bank.send(&slip.payment()).unwrap();
        call_no_such_bill(&site, if round % 2 == 0 { "76" } else { "25" });
        site.run("ctl", &["reload"]).ok();
        // It was read before the reload, or is not known; then the repeat pays.
        let told = bank.receive();
        let again = Bank::signed_on(daemon.address, 1).ask(&slip.repeat());
        assert_eq!(again.code(), "00");
        if let Ok(told) = told {
            assert_eq!(told, again);
            ended(&mut bank);
        }
    }
    assert_eq!(site.ctl(&["journal", "verify"])["posted"], 10);
    daemon.stop();
}
