//! Payments through the adapter over HTTP, to a simulated department in a process of its own that has each on disk before it
//! answers: how many a second, and what one costs on our side.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::float_arithmetic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench prints, and may panic"
)]

mod through;

use std::sync::Arc;
use std::time::Duration;

use billswitch::biller::rest::{Rest, RestSettings};
use billswitch::biller::{Adapter, Guarded};
use billswitch::bounds::{GuardBounds, HttpBounds};
use billswitch::clock::SystemClock;
use billswitch::contract::{Contract, shipped};
use billswitch::ids::KeyParts;
use billswitch::switch::Payment;
use through::{Simulated, post};
use tokio::runtime::Handle;

/// Payments of the run.
const PAYMENTS: u64 = 20_000;

fn payment(number: u64) -> Payment {
    let key =
        KeyParts { transmitted_at: b"1120090500", stan: b"000001", link: b"bench", ..KeyParts::default() };
    through::payment(number, &key)
}

async fn run(url: &str) {
    let text = shipped::contract_text("1bill").unwrap();
    let settings = RestSettings {
        url: url.parse().unwrap(),
        contract: Arc::new(Contract::parse("1bill", "1bill.toml", text).unwrap()),
        bank: "BSWITCH".to_owned(),
        credentials: None,
        authorities: None,
        bounds: HttpBounds {
            connect_timeout: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(20),
            idle_connections_max: 256,
        },
    };
    let rest = Rest::new(settings, Handle::current()).unwrap();
    let bounds = GuardBounds { in_flight_max: 1024, failures_max: 5, pause: Duration::from_secs(1) };
    let adapter = Guarded::new("DEPT".parse().unwrap(), bounds, SystemClock::start(), rest);
    adapter.start(Arc::new(|_| {}));
    post("rest", &adapter, PAYMENTS, payment).await;
}

fn main() {
    let runtime = through::runtime();
    let dir = tempfile::tempdir().unwrap();
    let department = Simulated::start(&["rest"], dir.path(), PAYMENTS);
    let url = format!("http://{}", department.1);
    // Its calls run on the runtime's threads, whose time is counted.
    runtime.block_on(async move { tokio::spawn(async move { run(&url).await }).await.unwrap() });
}
