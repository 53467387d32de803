//! Ten thousand payments with a book, a department over HTTP and an ISO 8583 host, both of which fail at random in every way
//! that they can, while banks repeat, take back and pay each other's bills. When all has come to an end the banks' ledger, the
//! switch's and each department's say the same, or people have been told.

use crate::support::bills::{Bill, bills, import};
use crate::support::department::{Department, HASTY, ISO, REST, configure, seed};
use crate::support::ledger::{Deal, compare_scrolls};
use crate::support::site::Site;
use crate::support::three_ledgers::{ask_again, compare, compare_by_program, journal_counts};
use crate::support::trade::{Customer, until_done};
use crate::support::{Dice, wait_for};

const PAYMENTS: usize = 10_000;
const BOOK: &str = "KPEXCISE";
const OVER_HTTP: &str = "KPREST";
const HOST: &str = "KPHOST";
/// Of ten payments, how many are for each.
const SHARES: [(&str, u64); 3] = [(BOOK, 2), (OVER_HTTP, 5), (HOST, 3)];
/// Four on each of the three links.
const CONNECTIONS: usize = 12;
/// Bills of each department that everybody tries to pay.
const CONTESTED: usize = 30;

/// All bills in a random order, and those that are everybody's.
fn deal_out(site: &Site, dice: &mut Dice) -> (Vec<Bill>, Vec<Bill>) {
    let (mut own, mut contested) = (Vec::new(), Vec::new());
    for (biller, share) in SHARES {
        let count = u64::try_from(PAYMENTS / 10).unwrap() * share;
        let mut of_biller = if biller == BOOK {
            import(site, biller, count)
        } else {
            let (bills, file) = bills(biller, count);
            site.file(&format!("{biller}.csv"), &file);
            bills
        };
        contested.extend(of_biller.split_off(of_biller.len() - CONTESTED));
        own.extend(of_biller);
    }
    for place in (1..own.len()).rev() {
        own.swap(place, usize::try_from(dice.roll(u64::try_from(place).unwrap() + 1)).unwrap());
    }
    (own, contested)
}

#[test]
fn n60_after_ten_thousand_payments_with_faults_all_ledgers_say_the_same_or_people_are_told() {
    let mut dice = Dice::seeded();
    let site = Site::new();
    let ways = [(OVER_HTTP, REST), (HOST, ISO)].map(|(biller, way)| {
        let port = configure(&way, &site, biller, HASTY);
        (biller, way, port)
    });
    let (own, contested) = deal_out(&site, &mut dice);
    let open = |failing: bool, dice: &mut Dice| {
        ways.each_ref().map(|(biller, way, port)| {
            let faults = if failing { way.faults } else { &[] };
            Department::open(way, &site, biller, *port, faults, seed(dice))
        })
    };
    let departments = open(true, &mut dice);
    let daemon = site.serve(&[]);
    let share = PAYMENTS / CONNECTIONS;
    let customers = own.chunks(own.len().div_ceil(CONNECTIONS)).zip((1..=3).cycle());
    let customers: Vec<Customer> = customers
        .map(|(own, link)| Customer::new(&daemon, link, own.to_vec(), &contested, &mut dice))
        .collect();
    let customers = until_done(customers, |customer| customer.deals.len() <= share);
    let mut deals: Vec<Deal> = customers.into_iter().flat_map(|customer| customer.deals).collect();
    let at_first = |code: &str| deals.iter().filter(|deal| deal.code() == code).count();
    let (approved, doubtful, unsent) = (at_first("00"), at_first("68"), at_first("91"));

    drop(departments);
    let _sound = open(false, &mut dice);
    wait_for("everything to be resolved", || (site.ctl(&["status"])["open"] == 0).then_some(()));
    ask_again(&daemon, &mut deals, |_| true);
    wait_for("what was asked back last", || (site.ctl(&["status"])["open"] == 0).then_some(()));

    let undone = deals.iter().filter(|deal| deal.taken_back()).count();
    println!(
        "{} payments: {approved} approved at once, {doubtful} in doubt, {unsent} unsent; {undone} taken back",
        deals.len()
    );
    assert!(deals.len() >= PAYMENTS && doubtful > 0 && undone > 0, "this was no such run");
    let of_book: Vec<Deal> = deals.iter().filter(|deal| deal.slip.bill.biller == BOOK).cloned().collect();
    let mut stand = compare_scrolls(&site, &[BOOK], &of_book);
    compare_by_program(&site, BOOK, &deals, false);
    for (biller, way, _) in &ways {
        stand += compare(way.undoes, &site, biller, &deals);
        compare_by_program(&site, biller, &deals, true);
    }
    journal_counts(&site, stand);
    daemon.stop();
}
