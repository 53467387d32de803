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

mod through;

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use billswitch::biller::iso8583::{Department, Host, HostSettings, Iso8583};
use billswitch::biller::{Adapter, Guarded};
use billswitch::bounds::{GuardBounds, HostBounds, LinkBounds};
use billswitch::clock::SystemClock;
use billswitch::config::Specs;
use billswitch::ids::KeyParts;
use billswitch::iso8583::Framing;
use billswitch::sim::cpu::CpuTimes;
use billswitch::switch::Payment;
use through::{IN_FLIGHT, Simulated, post, report};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

/// Payments of the run.
const PAYMENTS: u64 = 100_000;
/// Bytes of a message of the run with its length, on average and about.
const MESSAGE_BYTES: usize = 190;

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
    through::payment(number, &key)
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
    post("iso8583", &adapter, PAYMENTS, payment).await;
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
    report("sockets alone", PAYMENTS, began.elapsed(), &cpu);
    drop(orders);
    writing.await.unwrap();
}

fn main() {
    let runtime = through::runtime();
    let dir = tempfile::tempdir().unwrap();
    let host = Simulated::start(&["iso", "--profile", "onelink"], dir.path(), PAYMENTS);
    let address = host.1.clone();
    // Its tasks run on the runtime's threads, whose time is counted.
    runtime.block_on(async move {
        tokio::spawn(bare()).await.unwrap();
        tokio::spawn(through_the_adapter(address)).await.unwrap();
    });
}
