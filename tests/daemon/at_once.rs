//! What operators, departments and banks do to the same bills at once.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::bank::{Bank, Slip};
use crate::support::bills::{Bill, bills};
use crate::support::site::Site;

const BILLS: u64 = 36;
/// What some bills are corrected to.
const CORRECTED: u64 = 9_000;

/// What the banks were told: amounts that were taken, by bill.
type Taken = BTreeMap<String, Vec<u64>>;

/// Tries to pay all bills, some from the front and some from the back, with what was due and with what may be due by now.
fn pay_all(mut bank: Bank, link: u8, known: &[Bill]) -> Taken {
    let mut taken = Taken::new();
    let count = u32::try_from(known.len()).unwrap();
    for at in 0..count {
        let place = if link == 2 { count - 1 - at } else { at };
        let bill = &known[usize::try_from(place).unwrap()];
        for (number, amount) in [(2 * at + 1, bill.amount), (2 * at + 2, CORRECTED)] {
            let bill = Bill { amount, ..bill.clone() };
            let answer = bank.ask(&Slip { bill: bill.clone(), number }.payment());
            match answer.code().as_str() {
                "00" => taken.entry(bill.psid).or_default().push(amount),
                code => assert!(["13", "21", "25", "62"].contains(&code), "{code} for {bill:?}"),
            }
        }
    }
    taken
}

#[test]
fn a_bill_that_is_paid_cancelled_corrected_blocked_and_imported_at_once_ends_as_one_of_these() {
    let site = Site::new();
    let (known, text) = bills("KPEXCISE", BILLS);
    let file = site.file("bills.csv", &text);
    site.run("book", &["import", "KPEXCISE", &file]).ok();
    let daemon = site.serve(&[]);
    let act = |words: &[&str]| site.run("book", &[words, &["--why", "letter 9"]].concat()).code;
    let (taken, cancelled) = std::thread::scope(|scope| {
        let banks: Vec<_> = (1..=3)
            .map(|link| {
                let bank = Bank::signed_on(daemon.address, link);
                let known = &known;
                scope.spawn(move || pay_all(bank, link, known))
            })
            .collect();
        let importing = scope.spawn(|| {
            for _ in 0..4 {
                site.run("book", &["import", "KPEXCISE", &file, "--full"]).ok();
            }
        });
        let mut cancelled = Vec::new();
        let new = CORRECTED.to_string();
        // From the back, where one bank begins and two end.
        for (number, bill) in known.iter().enumerate().rev() {
            match number % 3 {
                0 if act(&["cancel", "KPEXCISE", &bill.psid]) == 0 => cancelled.push(bill.psid.clone()),
                1 => {
                    let heads = format!("B01401:{new}");
                    let amounts =
                        ["--amount-within-due", &new, "--amount-after-due", &new, "--heads", &heads];
                    act(&[&["correct", "KPEXCISE", &bill.psid][..], &amounts].concat());
                }
                _ => {
                    act(&["block", "KPEXCISE", &bill.psid]);
                }
            }
        }
        importing.join().unwrap();
        let mut taken = Taken::new();
        for bank in banks {
            for (psid, amounts) in bank.join().unwrap() {
                taken.entry(psid).or_default().extend(amounts);
            }
        }
        (taken, cancelled)
    });
    let found = site.run("book", &["search", "KPEXCISE", "--json"]).json();
    for bill in found.as_array().unwrap() {
        let (psid, state) = (bill["psid"].as_str().unwrap(), bill["state"].as_str().unwrap());
        let amounts = taken.get(psid).map_or(&[][..], Vec::as_slice);
        assert_eq!(amounts.len(), usize::from(state == "paid"), "{bill}");
        assert_eq!(cancelled.iter().any(|it| it == psid), state == "cancelled", "{bill}");
        if let [amount] = amounts {
            let notes = bill["notes"].as_array().unwrap();
            let paid: Vec<&Value> = notes.iter().filter(|note| note["did"]["Paid"].is_object()).collect();
            assert_eq!(paid.len(), 1, "{bill}");
            assert_eq!(paid[0]["did"]["Paid"]["amount"], *amount, "{bill}");
        }
    }
    let verified = site.ctl(&["journal", "verify"]);
    assert_eq!(verified["paid_bills"], taken.len(), "{verified}");
    daemon.stop();
}
