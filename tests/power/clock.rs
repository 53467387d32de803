//! A wall clock that is set while the daemon runs: no deadline and no date goes by it.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use crate::faulty::library;
use crate::support::bank::Bank;
use crate::support::bills::{bills, import};
use crate::support::department::{ISO, configure};
use crate::support::host::Host;
use crate::support::site::Site;
use crate::support::trade::slip;
use crate::support::wait_for;

const YEAR_S: i64 = 31_536_000;
const REPLY_TIMEOUT: Duration = Duration::from_millis(3_000);
const TERMS: &str = "reply_timeout_ms = 3000\nretry_ms = 50\nattempts_max = 1000";

fn set(ahead: &Path, seconds: i64) {
    std::fs::write(ahead, seconds.to_string()).unwrap();
}

fn business_date(site: &Site) -> String {
    site.ctl(&["status"])["business_date"].as_str().unwrap().to_owned()
}

#[test]
fn n_a_clock_jump_moves_no_deadline_and_no_date() {
    for jump in [YEAR_S, -YEAR_S] {
        let site = Site::new();
        let Some(library) = library(&site.path(""), "clock", include_str!("clock.c")) else { return };
        let own = import(&site, "KPEXCISE", 1);
        let port = configure(&ISO, &site, "KPWIRED", TERMS);
        let (wired, host, ahead) = (bills("KPWIRED", 1).0, Host::listen(port), site.path("ahead"));
        set(&ahead, 0);
        let preloaded = [("LD_PRELOAD", library.as_os_str()), ("AHEAD", ahead.as_os_str())];
        let daemon = site.try_serve_with(&preloaded).unwrap_or_else(|refused| panic!("{refused:?}"));
        let mut line = host.signed_on();
        let mut bank = Bank::signed_on(daemon.address, 1);
        let date = business_date(&site);
        let silent = slip(wired[0].clone());
        let begun = Instant::now();
        bank.send(&silent.payment()).unwrap();
        line.is_told_to_post(silent.bill.amount);
        set(&ahead, jump);
        // Ahead, it would be over at once; back, it would never be.
        assert_eq!(bank.receive().unwrap().code(), "68", "jump {jump}");
        assert!(begun.elapsed() >= REPLY_TIMEOUT, "jump {jump}: {:?}", begun.elapsed());
        let reversal = line.receive();
        assert_eq!(reversal.mti(), b"0420");
        line.answer(&reversal, "00", &[]);
        wait_for("the reversal to be taken", || {
            let found = site.ctl(&["txn", "--rrn", &silent.rrn()]);
            (found[0]["payment"]["state"] == "Reversed").then_some(())
        });
        let paid = slip(own[0].clone());
        assert_eq!(bank.ask(&paid.payment()).code(), "00");
        let found = site.ctl(&["txn", "--rrn", &paid.rrn()]);
        let at = found[0]["legs"][0]["at"].as_i64().unwrap() / 1_000;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        assert!(
            (at - i64::try_from(now).unwrap() - jump).abs() < YEAR_S / 2,
            "the daemon's clock has not jumped"
        );
        assert_eq!(
            (business_date(&site), found[0]["payment"]["date"].as_str()),
            (date.clone(), Some(&*date))
        );
        daemon.stop();
    }
}
