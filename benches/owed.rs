//! How long live payments take while ten thousand payments are owed to a department that cannot be reached, beside the same
//! with nothing owed: the 99th percentile of both, and their ratio. `OWED` says how many are owed otherwise.
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

use std::time::{Duration, Instant};

use billswitch::journal::{Options, open};
use served::Daemon;
use support::bank::Slip;
use support::site::Site;

/// Live payments, one after the other.
const PAYMENTS: u32 = 4_000;

/// The 99th percentile of live payments with so many owed.
fn p99(owed: u64) -> Duration {
    let site = Site::new();
    site.edit(|text| text + served::WATER);
    let (store, mut writer) = open(&site.store(), &Options::default()).unwrap();
    served::leave_open(&store, &mut writer, 0, owed, records::DAY);
    writer.close().unwrap();
    drop((store, writer));
    served::import(&site, PAYMENTS.into());
    let (daemon, mut bank) = Daemon::start(&site);
    let mut took: Vec<Duration> = (0..PAYMENTS)
        .map(|number| {
            let slip = Slip { bill: served::bill(number.into()), number: number + 1 }.payment();
            let began = Instant::now();
            assert_eq!(bank.ask(&slip).code(), "00");
            began.elapsed()
        })
        .collect();
    daemon.stop("-TERM");
    took.sort_unstable();
    took[took.len() * 99 / 100]
}

fn main() {
    let owed = std::env::var("OWED").map_or(10_000, |owed| owed.parse().unwrap());
    let (without, with) = (p99(0), p99(owed));
    let ratio = with.as_secs_f64() / without.as_secs_f64();
    println!(
        "p99 of a live payment: {without:.1?} with nothing owed, {with:.1?} with {owed} owed: {ratio:.2} times"
    );
}
