//! A million bills put in a department's book by `book import`, without a daemon and through one, as a part of the time that
//! it may take. `IMPORT_BILLS` says how many otherwise.
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

use std::time::Duration;

use served::Daemon;
use support::site::Site;

/// A million bills may take this long.
const LIMIT: Duration = Duration::from_secs(30);

fn main() {
    let bills = std::env::var("IMPORT_BILLS").map_or(1_000_000, |bills| bills.parse().unwrap());
    for (how, serve) in [("without a daemon", false), ("through the daemon", true)] {
        let site = Site::new();
        let daemon = serve.then(|| Daemon::start(&site));
        let took = served::import(&site, bills).as_secs_f64();
        let limit = LIMIT.as_secs_f64() * bills as f64 / 1e6;
        println!("{how}: {bills} bills in {took:.1} s, {:.2} of the limit of {limit:.1} s", took / limit);
        if let Some((daemon, _)) = daemon {
            daemon.stop("-TERM");
        }
    }
}
