//! Payments through the adapter over ISO 8583, to a simulated host in a process of its own that has each on disk before it
//! answers: how many a second, and what one costs on our side. Beside it, what as many messages of the same size cost that are
//! only written and read.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench prints, and may panic"
)]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use billswitch::biller::iso8583::{Department, Host, HostSettings, Iso8583};
use billswitch::biller::{Adapter, Guarded, Reply};
use billswitch::bounds::{GuardBounds, HostBounds, LinkBounds};
use billswitch::clock::{SystemClock, UnixMillis};
use billswitch::config::Specs;
use billswitch::ids::{KeyParts, PaymentKey};
use billswitch::iso8583::Framing;
use billswitch::money::MinorUnits;
use billswitch::sim::cpu::CpuTimes;
use billswitch::switch::{CountedAs, Digest, LegId, Order, Outcome, Payment, State};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

/// Payments of the run.
const PAYMENTS: u64 = 100_000;
/// Of them at the host at once.
const IN_FLIGHT: u64 = 128;
/// Bytes of a message of the run with its length, on average and about.
const MESSAGE_BYTES: usize = 190;

struct Simulated(Child, String);

impl Simulated {
    fn start(dir: &std::path::Path) -> Self {
        let mut bills = String::from(
            "psid,name,billing_month,due_date,expiry_date,amount_within_due,amount_after_due,heads,status\n",
        );
        for consumer in 0..PAYMENTS {
            writeln!(bills, "{consumer:014},A Citizen,2611,2099-12-31,2099-12-31,10000,11000,,U").unwrap();
        }
        std::fs::write(dir.join("bills.csv"), bills).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_billswitch"))
            .args(["sim", "iso", "--profile", "onelink", "--listen", "127.0.0.1:0", "--bills"])
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

fn payment(number: u64) -> Payment {
    let stan = format!("{:06}", number % 1_000_000);
    let rrn = format!("{number:012}");
    let key = KeyParts {
        transmitted_at: b"1120090500",
        stan: stan.as_bytes(),
        rrn: rrn.as_bytes(),
        terminal: b"LATM0001",
        acquirer: b"06033733",
        link: b"bench",
    };
    Payment {
        key: PaymentKey::new(&key),
        link: "bench".parse().unwrap(),
        biller: "DEPT".parse().unwrap(),
        consumer: format!("{number:014}").into(),
        channel: "6011".parse().unwrap(),
        amount: MinorUnits::new(10_000).unwrap(),
        date: "2026-11-20".parse().unwrap(),
        digest: Digest::default(),
        state: State::Sent,
        answer: None,
        posting: None,
        reversal: None,
        heads: Vec::new(),
        advice: false,
        confirmations: 0,
        taken_in: UnixMillis(1_795_165_199_000),
        trace: number,
        reference: None,
        part: None,
        totals_date: "2026-11-20".parse().unwrap(),
        counted: CountedAs::Nothing,
        owed: None,
    }
}

fn settings(address: String, stop: watch::Receiver<bool>) -> HostSettings {
    let long = Duration::from_secs(60);
    let link = LinkBounds {
        frame_bytes_max: 4096,
        frame_timeout: long,
        write_timeout: long,
        idle_echo: Some(long),
        echo_timeout: long,
        idle_timeout: long,
        in_flight_max: 1,
        unanswerable_max: 1,
        connections_max: 1,
    };
    let bounds = HostBounds {
        link,
        connections: 1,
        queue_max: 256,
        connect_timeout: long,
        sign_on_timeout: long,
        reconnect: (Duration::from_millis(100), long),
    };
    let own = [("acquirer", "27"), ("terminal", "SWITCH01")];
    HostSettings {
        name: "bench".to_owned(),
        address,
        source: None,
        profile: Arc::new(Specs::new(None).profile("onelink").unwrap()),
        framing: Framing::default(),
        own: own.into_iter().map(|(name, own)| (name.to_owned(), own.to_owned())).collect(),
        keys: None,
        zone: jiff::tz::TimeZone::UTC,
        bounds,
        late: Arc::new(|_, _| {}),
        unasked: Arc::new(|_| ()),
        stop,
    }
}

async fn through_the_adapter(address: String) {
    let (stop, stopped) = watch::channel(false);
    let host = Host::start(settings(address, stopped), &Handle::current());
    let department =
        Department { product: "DEPT".to_owned(), currency: "586".to_owned(), reply_timeout_ms: 20_000 };
    let bounds = GuardBounds { in_flight_max: 1024, failures_max: 5, pause: Duration::from_secs(1) };
    let iso = Iso8583::new(Arc::clone(&host), department);
    let adapter = Guarded::new("DEPT".parse().unwrap(), bounds, SystemClock::start(), iso);
    adapter.start(Arc::new(|_| {}));
    host.signed_on().await;
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
    report("iso8583", began.elapsed(), &cpu);
    stop.send_replace(true);
}

/// As many messages as a payment has, written and read by the same number of threads and with as many on the way: what
/// the sockets alone cost.
async fn bare() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::Builder::new()
        .name("mirror".to_owned())
        .spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            let mut buffer = vec![0; 8 * 1024];
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                stream.write_all(&buffer[..read]).unwrap();
            }
        })
        .unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let (orders, mut queue) = mpsc::channel::<()>(256);
    let (began, cpu) = (Instant::now(), CpuTimes::read());
    let writing = tokio::spawn(async move {
        let (mut batch, message) = (Vec::new(), [b'0'; MESSAGE_BYTES]);
        while queue.recv_many(&mut batch, 64).await > 0 {
            let out = message.repeat(batch.len());
            batch.clear();
            writer.write_all(&out).await.unwrap();
        }
    });
    for _ in 0..IN_FLIGHT {
        orders.send(()).await.unwrap();
    }
    let (mut done, mut sent, mut bytes) = (0, IN_FLIGHT, 0);
    let mut buffer = vec![0; 8 * 1024];
    while done < PAYMENTS {
        bytes += reader.read(&mut buffer).await.unwrap();
        while bytes >= MESSAGE_BYTES {
            (bytes, done) = (bytes - MESSAGE_BYTES, done + 1);
            if sent < PAYMENTS {
                orders.send(()).await.unwrap();
                sent += 1;
            }
        }
    }
    report("sockets alone", began.elapsed(), &cpu);
    drop(orders);
    writing.await.unwrap();
}

fn report(what: &str, elapsed: Duration, before: &CpuTimes) {
    let cpu = CpuTimes::read().since(before).of("adapter");
    let each = |span: Duration| span.as_secs_f64() * 1e6 / PAYMENTS as f64;
    println!(
        "{what}: {PAYMENTS} payments, {IN_FLIGHT} at once: {:.0} a second, {:.1} µs CPU each on our side",
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
    let host = Simulated::start(dir.path());
    let address = host.1.clone();
    // Its tasks run on the runtime's threads, whose time is counted.
    runtime.block_on(async move {
        tokio::spawn(bare()).await.unwrap();
        tokio::spawn(through_the_adapter(address)).await.unwrap();
    });
}
