//! How long a start takes on a store of ten million legs, a book of a million bills and five thousand open payments, after an
//! end in good order and after kill -9, beside the same start on a small store: until an operator is answered, until a bank
//! is signed on, and until its first payment is answered; how much memory the daemon has then; and what sealing cost while
//! the store was made. `START_LEGS` and `START_BILLS` say how many otherwise.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    dead_code,
    reason = "a benchmark measures, prints, and fails by panicking; much of it is shared with tests"
)]

#[path = "../tests/journal/records.rs"]
mod records;
mod served;
#[path = "../tests/support/mod.rs"]
mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use billswitch::bounds::Sealing;
use billswitch::journal::{Options, Sealer, Step, Store, Turn, Writer, open};
use billswitch::switch::{State, What};
use served::Daemon;
use support::bank::Slip;
use support::site::Site;

/// As configured by default.
const SEALING: Sealing = Sealing { working_legs_max: 1_000_000, segment_legs_max: 250_000 };
/// Payments of a group commit.
const GROUP: u64 = 200;
/// Business days the legs are spread over.
const DAYS: u64 = 5;
/// Payments that are open at a department that cannot be reached.
const OPEN: u64 = 5_000;
/// A start may take this long.
const LIMIT: Duration = Duration::from_secs(2);

/// Two legs a payment, all of one turn, and the time spent on commits and on sealing.
fn make(dir: &Path, legs: u64) -> (Duration, Duration) {
    let (store, mut writer) = open(dir, &Options::default()).unwrap();
    let mut sealer = Sealer::new(&store, SEALING);
    let (mut committing, mut sealing) = (Duration::ZERO, Duration::ZERO);
    let (payments, mut number, mut day) = (legs / 2, 1, records::DAY);
    date(&store, &mut writer, day);
    while number <= payments {
        let began = Instant::now();
        let mut all = Vec::new();
        for number in number..number + GROUP {
            let asked = records::record(day, What::Asked { mti: "0200".parse().unwrap() }, None);
            let payment = records::payment(number, day, State::Posted);
            all.push(asked);
            all.push(records::record(day, What::Settled, Some(payment)));
        }
        number += GROUP;
        let turn = records::turn(&store, &all);
        writer.commit(&[turn]).unwrap();
        if (number / GROUP).is_multiple_of((payments / DAYS / GROUP).max(1)) {
            day += 1;
            records::cut_over(&store, &mut writer, day);
            date(&store, &mut writer, day);
        }
        committing += began.elapsed();
        let began = Instant::now();
        records::seal(&store, &mut writer, &mut sealer, day, 2);
        sealing += began.elapsed();
    }
    let began = Instant::now();
    while !matches!(sealer.step(records::date(day)).unwrap(), Step::Idle) {
        records::seal(&store, &mut writer, &mut sealer, day, 1_000);
    }
    sealing += began.elapsed();
    served::leave_open(&store, &mut writer, payments, OPEN, day);
    writer.close().unwrap();
    (committing, sealing)
}

/// Sets the business date, as a start and a cutover do.
fn date(store: &Store, writer: &mut Writer, day: i32) {
    let (key, value) = billswitch::desk::Standing::date_entry(records::date(day));
    let writes = vec![billswitch::journal::Write::Put { key, value }];
    let first_sequence = store.next_sequence();
    writer.commit(&[Turn { first_sequence, writes, moves_money: true, ..Turn::default() }]).unwrap();
}

/// A store of so many legs and bills.
fn site(legs: u64, bills: u64) -> Site {
    let site = Site::new();
    site.edit(|text| text + served::WATER);
    let (committing, sealing) = make(&site.store(), legs);
    let importing = served::import(&site, bills);
    println!(
        "{legs} legs in {:.1} s, {:.0} a second; sealing them took {:.1} s; {bills} bills in {:.1} s",
        committing.as_secs_f64(),
        legs as f64 / committing.as_secs_f64(),
        sealing.as_secs_f64(),
        importing.as_secs_f64()
    );
    site
}

/// Starts after an end in good order and after two kills, and says how long each took until it answered.
fn starts(site: &Site) -> Duration {
    let mut worst = Duration::ZERO;
    let ends = [
        ("first start", "-TERM"),
        ("after SIGTERM", "-KILL"),
        ("after kill -9", "-KILL"),
        ("again", "-TERM"),
    ];
    for (number, (what, signal)) in (1..).zip(ends) {
        let (daemon, mut bank) = Daemon::start(site);
        let bill = served::bill(u64::from(number));
        assert_eq!(bank.ask(&Slip { bill, number }.payment()).code(), "00");
        let (answered, signed_on, paid) = (daemon.answered, daemon.signed_on, daemon.age());
        let megabytes = daemon.memory();
        println!("{what:<16} {answered:>12.0?} {signed_on:>12.0?} {paid:>12.0?} {megabytes:>8} MB");
        daemon.stop(signal);
        worst = worst.max(signed_on);
    }
    worst
}

fn main() {
    let of = |name, usual| std::env::var(name).map_or(usual, |given| given.parse().unwrap());
    let (legs, bills) = (of("START_LEGS", 10_000_000), of("START_BILLS", 1_000_000));
    for (legs, bills) in [(10_000, 1_000), (legs, bills)] {
        let site = site(legs, bills);
        println!("start                operator         bank      payment     memory");
        let worst = starts(&site);
        let ratio = worst.as_secs_f64() / LIMIT.as_secs_f64();
        println!("worst start until a bank is signed on: {worst:.0?}, {ratio:.2} of the limit of {LIMIT:?}");
        assert!(worst <= LIMIT, "a start takes longer than {LIMIT:?}");
    }
}
