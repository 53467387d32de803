//! A store with so many keys that they are checked while it is already served: payments wait for that.

use std::path::Path;

use billswitch::journal::{self, Options, Turn, Write};

use crate::support::bank::{Bank, Slip, network};
use crate::support::bills::{Bill, import};
use crate::support::site::Site;

/// More keys than are checked before anything is served.
const KEYS: u64 = 101_000;

/// A site with a few bills, in a store of many keys.
fn large() -> (Site, Vec<Bill>) {
    let site = Site::new();
    let bills = import(&site, "KPEXCISE", 5);
    let (store, mut writer) = journal::open(&site.store(), &Options::default()).unwrap();
    for from in (0..KEYS).step_by(1_000) {
        let put =
            |number: u64| Write::Put { key: format!("Zother|{number:09}").into_bytes(), value: vec![7; 20] };
        let writes = (from..from + 1_000).map(put).collect();
        writer.commit(&[Turn { first_sequence: store.next_sequence(), writes, ..Turn::default() }]).unwrap();
    }
    writer.close().unwrap();
    (site, bills)
}

/// The store's engine loses the bill of that number, as a bad sector would have it.
fn lose(store: &Path, bill: &Bill) {
    let key = billswitch::biller::book::bill_key(bill.biller.parse().unwrap(), &bill.psid);
    let engine = crate::support::wait_for("the store", || sled::Config::new().path(store).open().ok());
    engine.remove(key).unwrap().unwrap();
    engine.flush().unwrap();
}

#[test]
fn on_a_large_store_a_bank_is_signed_on_and_its_payments_are_taken_once_all_keys_are_checked() {
    let (site, bills) = large();
    let daemon = site.serve(&[]);
    let mut bank = Bank::signed_on(daemon.address, 1);
    assert_eq!(bank.ask(&network("301")).code(), "00");
    let slip = Slip { bill: bills[0].clone(), number: 1 };
    let paid = bank.ask(&slip.payment());
    assert_eq!(paid.code(), "00");
    assert_eq!(bank.ask(&slip.repeat()).at("120.RN"), paid.at("120.RN"));
    let log = daemon.log();
    let told = |words: &str| log.find(words).unwrap_or_else(|| panic!("{words} in {log}"));
    assert!(told("are being checked: payments wait") < told("as they were written"));
    site.ctl(&["journal", "verify"]);
    daemon.stop();
}

#[test]
fn on_a_large_store_that_lost_a_bill_no_payment_is_answered_and_the_daemon_ends_for_good() {
    let (site, bills) = large();
    lose(&site.store(), &bills[0]);
    let mut daemon = site.serve(&[]);
    // It may end at any moment: what is asked may stay unanswered, but is not answered from such a store.
    if let Ok(mut bank) = Bank::connect(daemon.address, 1) {
        let asked = [network("001"), Slip { bill: bills[0].clone(), number: 1 }.payment()];
        let sent: Vec<_> = asked.iter().map(|frame| bank.send(frame)).collect();
        let heard: Vec<_> = sent.iter().map_while(|_| bank.receive().ok()).collect();
        assert!(heard.len() <= 1 && heard.iter().all(|frame| frame.mti() == b"0810"), "{heard:?}");
    }
    assert_eq!(daemon.ended().code(), Some(1), "no restart would mend it: {}", daemon.log());
    assert!(daemon.log().contains("keys beside the legs are missing or altered"), "{}", daemon.log());
}
