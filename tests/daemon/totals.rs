//! Our own totals, killed between the question and its answer.

use crate::support::bank::{Bank, Frame, Slip, message};
use crate::support::bills::{DATE, import};
use crate::support::site::Site;
use crate::support::wait_for;

/// The answer of a host that has counted the same.
fn agreeing(sent: &Frame) -> Vec<u8> {
    let echoed = ["7", "11", "15"].map(|path| sent.at(path));
    let [at, stan, date] = echoed.each_ref().map(|value| value.as_bytes());
    message("0530", &[(7, at), (11, stan), (15, date), (39, b"00"), (66, b"1")])
}

#[test]
fn n58_our_totals_are_the_same_after_a_kill_and_asked_until_they_are_answered() {
    let site = Site::new();
    site.edit(|text| {
        text.replace(
            "profile = \"onelink\"",
            "profile = \"onelink\"\ntotals = \"send\"\ntotals_retry_ms = 300000",
        )
    });
    let bills = import(&site, "KPEXCISE", 2);
    let mut daemon = site.serve(&[]);
    let mut bank = Bank::signed_on(daemon.address, 1);
    assert_eq!(bank.ask(&Slip { bill: bills[0].clone(), number: 1 }.payment()).code(), "00");
    site.ctl(&["cutover"]);
    let first = bank.receive().unwrap();
    assert_eq!(
        (first.mti(), first.at("15"), first.at("76")),
        (&b"0520"[..], "1120".to_owned(), "0000000001".to_owned())
    );
    let amount = format!("{:016}", bills[0].amount);
    assert_eq!(first.at("88"), amount);
    for _ in 0..2 {
        daemon.kill();
        daemon = site.serve(&[]);
        bank = Bank::signed_on(daemon.address, 1);
        let again = bank.receive().unwrap();
        assert_eq!((again.mti(), &again.0[4..]), (&b"0521"[..], &first.0[4..]));
    }
    bank.send(&agreeing(&first)).unwrap();
    let shown = || site.ctl(&["totals", "--date", DATE, "--link", "atmnet"])[0].clone();
    wait_for("the answer to be kept", || (shown()["closing_agrees"] == true).then_some(()));
    let table = site.run("ctl", &["totals", "--date", DATE]).ok();
    assert!(
        table.contains("3 times") && table.contains("theirs, answered 00") && table.contains("not sent yet"),
        "{table}"
    );
    daemon.kill();
    daemon = site.serve(&[]);
    let mut bank = Bank::signed_on(daemon.address, 1);
    let paid = bank.ask(&Slip { bill: bills[1].clone(), number: 2 }.payment());
    assert_eq!(paid.code(), "00", "and nothing is asked before that");
    daemon.stop();
}

#[test]
fn a_link_is_sent_totals_once_a_reload_says_so() {
    let site = Site::new();
    let daemon = site.serve(&[]);
    let mut bank = Bank::signed_on(daemon.address, 1);
    site.ctl(&["cutover"]);
    site.edit(|text| text.replace("profile = \"onelink\"", "profile = \"onelink\"\ntotals = \"send\""));
    site.ctl(&["reload"]);
    assert!(bank.receive().is_err(), "the connection ends, with nothing more said");
    let mut bank = Bank::signed_on(daemon.address, 1);
    site.ctl(&["cutover"]);
    let sent = bank.receive().unwrap();
    assert_eq!((sent.mti(), sent.at("15")), (&b"0520"[..], "1121".to_owned()), "not of the date before");
    bank.send(&agreeing(&sent)).unwrap();
    daemon.stop();
}
