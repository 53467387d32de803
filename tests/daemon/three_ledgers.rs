//! kill -9, fifty times, of the daemon and sometimes of the department that it posts to, under load and with a department that
//! fails by itself as well. Afterwards three ledgers must say the same: what banks were told, what the department has posted,
//! and what the switch has in its journal, but for what it hands to people.

use std::time::Duration;

use crate::support::bills::{Bill, bills};
use crate::support::department::{Department, HASTY, ISO, REST, Way, configure, seed};
use crate::support::ledger::Deal;
use crate::support::site::{Daemon, Site};
use crate::support::three_ledgers::{ask_again, compare, compare_by_program, journal_counts};
use crate::support::trade::{Customer, until_killed};
use crate::support::{Dice, wait_for};

const ROUNDS: u64 = 50;
const BILLER: &str = "KPWIRED";
/// One on each of the three links.
const CONNECTIONS: usize = 3;
/// Bills of one connection, and those that all of them try to pay.
const OWN: usize = 1500;
const CONTESTED: usize = 30;

/// Trades, and kills the daemon and perhaps the department. Gives what was asked.
fn round(
    daemon: &mut Daemon,
    department: Option<Department>,
    hands: &mut [Vec<Bill>],
    contested: &[Bill],
    dice: &mut Dice,
) -> Vec<Deal> {
    let answers = 1 + dice.roll(60);
    let then = Duration::from_micros(dice.roll(4000));
    let customers = (1..).zip(hands.iter_mut());
    let customers =
        customers.map(|(link, hand)| Customer::new(daemon, link, std::mem::take(hand), contested, dice));
    let customers = until_killed(customers.collect(), answers, then, || {
        // The department first, where it is its turn too: its last answers are then lost on the way.
        drop(department);
        daemon.kill();
    });
    let mut deals = Vec::new();
    for (hand, customer) in hands.iter_mut().zip(customers) {
        *hand = customer.own;
        deals.extend(customer.deals);
    }
    deals
}

fn killed_fifty_times(way: &Way) {
    let mut dice = Dice::seeded();
    let site = Site::new();
    let port = configure(way, &site, BILLER, HASTY);
    let (mut all, file) = bills(BILLER, u64::try_from(OWN * CONNECTIONS + CONTESTED).unwrap());
    site.file(&format!("{BILLER}.csv"), &file);
    let contested = all.split_off(OWN * CONNECTIONS);
    let mut hands: Vec<Vec<Bill>> = all.chunks(OWN).map(<[Bill]>::to_vec).collect();
    let open =
        |faults: &[&str], dice: &mut Dice| Department::open(way, &site, BILLER, port, faults, seed(dice));
    let mut department = open(way.faults, &mut dice);
    let mut daemon = site.serve(&[]);
    let mut all: Vec<Deal> = Vec::new();
    for number in 0..ROUNDS {
        let (doomed, lives) =
            if dice.one_in(4) { (Some(department), None) } else { (None, Some(department)) };
        let mut deals = round(&mut daemon, doomed, &mut hands, &contested, &mut dice);
        department = lives.unwrap_or_else(|| open(way.faults, &mut dice));
        daemon = site.serve(&[]);
        let unanswered = deals.iter().filter(|deal| deal.answer.is_none()).count();
        ask_again(&daemon, &mut deals, |deal| deal.answer.is_none() || deal.taken_back());
        println!("round {number}: {} payments, {unanswered} unanswered", deals.len());
        all.append(&mut deals);
    }
    drop(department);
    let _department = open(&[], &mut dice);
    wait_for("everything to be resolved", || (site.ctl(&["status"])["open"] == 0).then_some(()));
    ask_again(&daemon, &mut all, |_| true);
    wait_for("what was asked back last", || (site.ctl(&["status"])["open"] == 0).then_some(()));
    let stand = compare(way.undoes, &site, BILLER, &all);
    compare_by_program(&site, BILLER, &all, true);
    journal_counts(&site, stand);
    daemon.stop();
}

#[test]
fn n38a_killed_fifty_times_bank_department_and_switch_have_the_same_in_their_ledgers() {
    killed_fifty_times(&REST);
}

#[test]
fn n38a_killed_fifty_times_over_a_host_that_undoes_all_three_have_the_same() {
    killed_fifty_times(&ISO);
}
