//! Going down in good order: SIGTERM and `ctl drain` under load.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;

use crate::support::DEADLINE;
use crate::support::bank::{Bank, Slip};
use crate::support::bills::{Bill, import};
use crate::support::ledger::{Deal, compare, settle};
use crate::support::site::{Daemon, Site};

/// Answers after which the end is asked for.
const LOADED: u32 = 300;

/// Pays one bill after the other, several at once, until the connection ends. Those refused with 91 were never taken in.
fn pay(daemon: &Daemon, link: u8, bills: &[Bill], count: &dyn Fn()) -> (Vec<Deal>, u32) {
    static NUMBERS: AtomicU32 = AtomicU32::new(1);
    let mut bank = Bank::connect(daemon.address, link).unwrap();
    assert_eq!(bank.ask(&crate::support::bank::network("001")).code(), "00");
    let (mut deals, mut refused) = (Vec::new(), 0);
    for some in bills.chunks(5) {
        let first = deals.len();
        for bill in some {
            let slip = Slip { bill: bill.clone(), number: NUMBERS.fetch_add(1, Ordering::Relaxed) };
            let sent = bank.send(&slip.payment());
            deals.push(Deal::new(link, slip));
            if sent.is_err() {
                return (deals, refused);
            }
        }
        for _ in some {
            let Ok(answer) = bank.receive() else { return (deals, refused) };
            let rrn = answer.at("37");
            let place = first + deals[first..].iter().position(|deal| deal.slip.rrn() == rrn).unwrap();
            match answer.code().as_str() {
                "00" => deals[place].answer = Some(answer),
                "91" => {
                    deals.remove(place);
                    refused += 1;
                }
                other => panic!("{other} from a daemon that goes down"),
            }
            count();
        }
    }
    panic!("not enough bills");
}

/// Loads the daemon, has `end` end it, and holds what the clients were told against the store.
fn ends_in_good_order(end: impl FnOnce(&Site, &Daemon)) {
    let site = Site::new();
    let bills = import(&site, "KPEXCISE", 12_000);
    let mut daemon = site.serve(&[]);
    let (answered, (loaded, load)) = (AtomicU32::new(0), mpsc::channel());
    let mut deals = Vec::new();
    std::thread::scope(|scope| {
        let (daemon, answered) = (&daemon, &answered);
        let paying = bills.chunks(2000).zip((1..=3).cycle()).map(|(bills, link)| {
            let loaded = loaded.clone();
            let count = move || {
                if answered.fetch_add(1, Ordering::Relaxed) + 1 == LOADED {
                    loaded.send(()).unwrap();
                }
            };
            scope.spawn(move || pay(daemon, link, bills, &count))
        });
        let paying: Vec<_> = paying.collect();
        load.recv_timeout(DEADLINE).unwrap();
        end(&site, daemon);
        let mut refused = 0;
        for thread in paying {
            let (more, not_taken) = thread.join().unwrap();
            deals.extend(more);
            refused += not_taken;
        }
        println!("{} payments, {refused} refused with 91 while draining", deals.len());
    });
    assert_eq!(daemon.ended().code(), Some(0), "{}", daemon.log());
    assert!(!daemon.log().contains("drain timeout passed"), "{}", daemon.log());
    let daemon = site.serve(&[]);
    assert!(!daemon.log().contains("found open"), "what was in flight was finished");
    settle(&daemon, &mut deals);
    compare(&site, &["KPEXCISE"], &deals);
    daemon.stop();
}

#[test]
fn n59_sigterm_under_load_finishes_what_is_in_flight_and_loses_nothing() {
    ends_in_good_order(|_, daemon| daemon.terminate());
}

#[test]
fn n59_so_does_the_operators_drain() {
    ends_in_good_order(|site, _| {
        let done = site.run("ctl", &["drain"]).ok();
        assert!(done.contains("draining"), "{done}");
    });
}
