//! Sealed days with the daemon at work: payments of days that have passed are known, taken back and proven like today's.

use serde_json::Value;

use crate::support::bank::{Bank, Slip};
use crate::support::bills::{DATE, import};
use crate::support::site::Site;
use crate::support::wait_for;

/// A site that seals almost everything at once.
fn eager() -> Site {
    let site = Site::new();
    site.edit(|text| {
        let journal = "[journal]\nworking_legs_max = 30\nsegment_legs_max = 20\n\n[[link]]";
        text.replacen("[[link]]", journal, 1)
    });
    site
}

/// Waits until no more legs than that are worked with.
fn wait_sealed(site: &Site, working_legs: u64) {
    wait_for("the legs to be sealed", || {
        let status = site.ctl(&["status"]);
        (status["working_legs"].as_u64().unwrap() <= working_legs).then_some(())
    });
}

fn list(site: &Site) -> Vec<Value> {
    site.run("journal", &["list", "--json"]).json().as_array().unwrap().clone()
}

/// Waits until the daemon has pruned a date: it may still be letting go of it.
fn prune(site: &Site, args: &[&str]) {
    wait_for("the date to be out of work", || {
        let ran = site.run("journal", &[&["prune", DATE], args].concat());
        assert!(ran.code == 0 || ran.err.contains("being sealed"), "{ran:?}");
        (ran.code == 0).then_some(())
    });
}

#[test]
fn n57_a_repeat_and_a_reversal_across_two_cutovers_find_their_payment_in_a_sealed_day() {
    let site = eager();
    let bills = import(&site, "KPEXCISE", 40);
    let mut daemon = site.serve(&[]);
    let mut bank = Bank::signed_on(daemon.address, 1);
    let slips: Vec<Slip> =
        bills.iter().zip(1..).map(|(bill, number)| Slip { bill: bill.clone(), number }).collect();
    let answers: Vec<_> = slips[..30].iter().map(|slip| bank.ask(&slip.payment())).collect();
    assert!(answers.iter().all(|answer| answer.code() == "00"));
    for slip in &slips[30..] {
        site.ctl(&["cutover"]);
        assert_eq!(bank.ask(&slip.payment()).code(), "00");
    }
    wait_sealed(&site, 30);
    let scroll = site.run("book", &["export", "KPEXCISE", "--date", DATE]).ok();
    assert_eq!(scroll.lines().count(), 31);

    // Killed and started again, from wherever sealing was.
    daemon.kill();
    let daemon = site.serve(&[]);
    let mut bank = Bank::signed_on(daemon.address, 1);
    for (slip, answer) in slips.iter().zip(&answers).step_by(7) {
        let again = bank.ask(&slip.repeat());
        assert_eq!((again.code().as_str(), again.at("120.RN")), ("00", answer.at("120.RN")));
    }
    assert_eq!(bank.ask(&slips[3].reversal("0420")).code(), "00");
    assert_eq!(bank.ask(&slips[3].reversal("0421")).code(), "00");
    let later = Slip { number: 4000, ..slips[3].clone() };
    assert_eq!(bank.ask(&later.payment()).code(), "00", "its bill is unpaid again");
    let other = Bank::signed_on(daemon.address, 2).ask(&slips[4].reversal("0420"));
    assert_eq!(other.code(), "25", "another link's");
    let found = site.ctl(&["txn", "--rrn", &slips[3].rrn()]);
    let legs = found[0]["legs"].as_array().unwrap();
    assert!(legs.len() >= 3, "request and outcome, sealed and of today: {legs:?}");
    assert_eq!(legs.last().unwrap()["state"], "reversed");
    let scroll = site.run("book", &["export", "KPEXCISE", "--date", DATE]).ok();
    assert_eq!(scroll.lines().count(), 30, "it counts for its own date no longer");
    assert_eq!(site.ctl(&["journal", "verify"])["posted"], 40);
    daemon.stop();
}

#[test]
fn a_day_is_archived_pruned_and_restored_while_the_daemon_serves() {
    let site = eager();
    let bills = import(&site, "KPEXCISE", 20);
    let daemon = site.serve(&[]);
    let mut bank = Bank::signed_on(daemon.address, 1);
    for (bill, number) in bills.iter().zip(1..) {
        assert_eq!(bank.ask(&Slip { bill: bill.clone(), number }.payment()).code(), "00");
    }
    assert_eq!(list(&site).iter().filter(|day| day["date"] != DATE).count(), 0);
    site.ctl(&["cutover"]);
    for _ in 0..10 {
        bank.ask(&crate::support::bank::network("301"));
    }
    wait_for("the day to be sealed", || {
        let days = list(&site);
        let day = days.iter().find(|day| day["date"] == DATE)?;
        day["complete"].as_bool().unwrap().then_some(())
    });
    let before = site.run("book", &["export", "KPEXCISE", "--date", DATE]).ok();
    assert_eq!(before.lines().count(), 21);
    let file = site.path("day.bsa");
    let file = file.to_str().unwrap();
    site.run("journal", &["archive", DATE, "--to", file]).ok();
    let refused = site.run("journal", &["prune", DATE]);
    assert_eq!(refused.code, 2, "it must be said what is to become of it: {refused:?}");
    prune(&site, &["--archived", file]);
    let lost = site.run("book", &["export", "KPEXCISE", "--date", DATE]);
    assert!(lost.code == 1 && lost.err.contains("journal restore"), "{lost:?}");
    let verified = site.ctl(&["journal", "verify"]);
    assert!(verified["pruned"].as_u64().unwrap() >= 40, "{verified}");
    assert_eq!((&verified["totals"], &verified["totals_uncheckable"]), (&0.into(), &1.into()), "{verified}");
    site.run("journal", &["restore", file]).ok();
    assert_eq!(site.run("book", &["export", "KPEXCISE", "--date", DATE]).ok(), before);
    let verified = site.ctl(&["journal", "verify"]);
    assert_eq!((&verified["paid_bills"], &verified["totals"]), (&20.into(), &1.into()));

    // On another machine, without a daemon.
    let elsewhere = site.path("elsewhere");
    let there =
        |args: &[&str]| site.run("journal", &[args, &["--store", elsewhere.to_str().unwrap()]].concat()).ok();
    there(&["restore", file]);
    assert_eq!(there(&["scroll", "KPEXCISE", "--date", DATE]), before);
    assert!(there(&["payment", "--stan", "000007"]).contains("posted"));
    let verified = there(&["verify"]);
    assert!(
        verified.contains("the journal is whole") && verified.contains("restored days have no"),
        "{verified}"
    );
    assert!(there(&["tail", "-n", "3"]).contains("posted"));
    daemon.stop();
    assert!(site.run("journal", &["verify"]).ok().contains("the journal is whole"), "offline");
    prune(&site, &["--without-archive"]);
    assert_eq!(list(&site)[0]["pruned"], list(&site)[0]["segments"]);
}
