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

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use billswitch::biller::rest::{Rest, RestSettings};
use billswitch::biller::{Adapter, Guarded, Reply};
use billswitch::bounds::{GuardBounds, HttpBounds};
use billswitch::clock::{SystemClock, UnixMillis};
use billswitch::contract::{Contract, shipped};
use billswitch::ids::{KeyParts, PaymentKey};
use billswitch::money::MinorUnits;
use billswitch::sim::cpu::CpuTimes;
use billswitch::switch::{BillRef, LegId, Order, Outcome, Payment, State};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// Payments of the run.
const PAYMENTS: u64 = 20_000;
/// Of them at the department at once.
const IN_FLIGHT: u64 = 128;

struct Department(Child, String);

impl Department {
    fn start(dir: &std::path::Path) -> Self {
        let mut bills = String::from(
            "psid,name,billing_month,due_date,expiry_date,amount_within_due,amount_after_due,heads,status\n",
        );
        for consumer in 0..PAYMENTS {
            writeln!(bills, "{consumer:014},A Citizen,2611,2099-12-31,2099-12-31,10000,11000,,U").unwrap();
        }
        std::fs::write(dir.join("bills.csv"), bills).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_billswitch"))
            .args(["sim", "rest", "--listen", "127.0.0.1:0", "--bills"])
            .arg(dir.join("bills.csv"))
            .arg("--ledger")
            .arg(dir.join("ledger.jsonl"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_start_matches("listening on ").split(": ").next().unwrap().to_owned();
        Self(child, address)
    }
}

impl Drop for Department {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn payment(number: u64) -> Payment {
    let key =
        KeyParts { transmitted_at: b"1120090500", stan: b"000001", link: b"bench", ..KeyParts::default() };
    Payment {
        link: "bench".parse().unwrap(),
        channel: "6011".parse().unwrap(),
        state: State::Sent,
        taken_in: UnixMillis(1),
        trace: number,
        ..Payment::new(
            PaymentKey::new(&key),
            BillRef { biller: "DEPT".parse().unwrap(), consumer: format!("{number:014}").into() },
            MinorUnits::new(10_000).unwrap(),
            "2026-11-20".parse().unwrap(),
        )
    }
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
    let (outcomes, mut heard) = mpsc::unbounded_channel();
    let reply: Reply = Arc::new(move |leg, outcome| drop(outcomes.send((leg, outcome))));
    let order = |number| {
        let order = Order::Post { payment: Box::new(payment(number)), again: false };
        adapter.submit(LegId(number), order, Arc::clone(&reply));
    };
    let (began, cpu) = (Instant::now(), CpuTimes::read());
    (0..IN_FLIGHT).for_each(order);
    for done in 0..PAYMENTS {
        let (_, outcome) = heard.recv().await.unwrap();
        assert!(matches!(outcome, Outcome::Posted(_)), "{outcome:?}");
        if done + IN_FLIGHT < PAYMENTS {
            order(done + IN_FLIGHT);
        }
    }
    report(began.elapsed(), &cpu);
}

fn report(elapsed: Duration, before: &CpuTimes) {
    let cpu = CpuTimes::read().since(before).of("adapter");
    let each = |span: Duration| span.as_secs_f64() * 1e6 / PAYMENTS as f64;
    println!(
        "rest: {PAYMENTS} payments, {IN_FLIGHT} at once: {:.0} a second, {:.1} µs CPU each on our side",
        PAYMENTS as f64 / elapsed.as_secs_f64(),
        each(cpu)
    );
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("adapter")
        .enable_all()
        .build()
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let department = Department::start(dir.path());
    let url = format!("http://{}", department.1);
    // Its calls run on the runtime's threads, whose time is counted.
    runtime.block_on(async move { tokio::spawn(async move { run(&url).await }).await.unwrap() });
}
