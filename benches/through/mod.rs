//! What the benches of adapters on a wire have in common: the department in a process of its own, payments kept at it, and
//! what one of them costs.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use billswitch::biller::{Adapter, Reply};
use billswitch::ids::{KeyParts, PaymentKey};
use billswitch::money::MinorUnits;
use billswitch::sim::cpu::CpuTimes;
use billswitch::switch::{BillRef, LegId, Order, Outcome, Payment, State};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

/// Payments at the department at once.
pub(crate) const IN_FLIGHT: u64 = 128;

/// A simulated department, and its address.
pub(crate) struct Simulated(Child, pub(crate) String);

impl Simulated {
    /// `sim` with these arguments, and with bills for so many payments.
    pub(crate) fn start(sim: &[&str], dir: &Path, payments: u64) -> Self {
        let mut bills = String::from(
            "psid,name,billing_month,due_date,expiry_date,amount_within_due,amount_after_due,heads,status\n",
        );
        for consumer in 0..payments {
            writeln!(bills, "{consumer:014},A Citizen,2611,2099-12-31,2099-12-31,10000,11000,,U").unwrap();
        }
        std::fs::write(dir.join("bills.csv"), bills).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_billswitch"))
            .arg("sim")
            .args(sim)
            .args(["--listen", "127.0.0.1:0", "--bills"])
            .arg(dir.join("bills.csv"))
            .arg("--ledger")
            .arg(dir.join("ledger.jsonl"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_start_matches("listening on ").split(": ").next().unwrap().trim().to_owned();
        Self(child, address)
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A payment of the bill of that number.
pub(crate) fn payment(number: u64, key: &KeyParts<'_>) -> Payment {
    Payment {
        link: "bench".parse().unwrap(),
        channel: "6011".parse().unwrap(),
        state: State::Sent,
        taken_in: billswitch::clock::UnixMillis(1_795_165_199_000),
        trace: number,
        ..Payment::new(
            PaymentKey::new(key),
            BillRef { biller: "DEPT".parse().unwrap(), consumer: format!("{number:014}").into() },
            MinorUnits::new(10_000).unwrap(),
            "2026-11-20".parse().unwrap(),
        )
    }
}

/// Has so many payments posted, and says what they cost.
pub(crate) async fn post(
    what: &str,
    adapter: &impl Adapter,
    payments: u64,
    payment: impl Fn(u64) -> Payment,
) {
    let (outcomes, mut heard) = mpsc::unbounded_channel();
    let reply: Reply = Arc::new(move |leg, outcome| drop(outcomes.send((leg, outcome))));
    let order = |number| {
        let order = Order::Post { payment: Box::new(payment(number)), again: false };
        adapter.submit(LegId(number), order, Arc::clone(&reply));
    };
    let (began, cpu) = (Instant::now(), CpuTimes::read());
    (0..IN_FLIGHT).for_each(order);
    for done in 0..payments {
        let (_, outcome) = heard.recv().await.unwrap();
        assert!(matches!(outcome, Outcome::Posted(_)), "{outcome:?}");
        if done + IN_FLIGHT < payments {
            order(done + IN_FLIGHT);
        }
    }
    report(what, payments, began.elapsed(), &cpu);
}

pub(crate) fn report(what: &str, payments: u64, elapsed: Duration, before: &CpuTimes) {
    let cpu = CpuTimes::read().since(before).of("adapter");
    let each = |span: Duration| span.as_secs_f64() * 1e6 / payments as f64;
    println!(
        "{what}: {payments} payments, {IN_FLIGHT} at once: {:.0} a second, {:.1} µs CPU each on our side",
        payments as f64 / elapsed.as_secs_f64(),
        each(cpu)
    );
}

/// Threads whose time is counted.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("adapter")
        .enable_all()
        .build()
        .unwrap()
}
