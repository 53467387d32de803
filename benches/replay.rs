//! The whole switch over TCP, the players on the same machine: the recorded morning flat out, beside an echo that only
//! turns frames round; then payments alone, as many as it takes, and at half that rate.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::float_arithmetic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench prints, and may panic"
)]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use billswitch::biller::book::{Row, RowReader};
use billswitch::config::Config;
use billswitch::iso8583::{Dialect, Mti, Writer};
use billswitch::journal::{self, Options};
use billswitch::server::{BookDesk, Extras, Server};
use billswitch::sim::cpu::CpuTimes;
use billswitch::sim::replay::capture::{Capture, Frame, Stream};
use billswitch::sim::replay::{Pacing, ReplayPlan, ReplayReport, Speed, expect, replay};
use bytes::BytesMut;
use criterion::{BatchSize, Criterion, Throughput};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;

/// Payments of the sustained run.
const PAYMENTS: usize = 60_000;
/// Connections of the sustained run, and requests in flight on each, as in the measurement of jPOS.
const CONNECTIONS: usize = 8;
const IN_FLIGHT: usize = 64;
/// What must be reached: payments a second, and at half of that the slowest in a hundred.
const PAYMENTS_A_SECOND: f64 = 20_000.0;
const P99_US: f64 = 25_000.0;

fn runtime(name: &str) -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name(name)
        .enable_all()
        .build()
        .unwrap()
}

fn config(store: &Path) -> Config {
    let mut config = Config::load(None).unwrap();
    config.store = store.to_owned();
    for link in &mut config.links {
        link.listen.set_port(0);
    }
    config
}

fn morning(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/morning").join(name)
}

/// A switch with these bills, of a store of its own.
fn serve(switch: &Runtime, dir: &Path, bills: &[(&str, Vec<Row>)]) -> Server {
    let config = config(&dir.join("store"));
    let (store, writer) = journal::open(&config.store, &Options::default()).unwrap();
    let mut desk = BookDesk::new(store, writer);
    for (biller, rows) in bills {
        for batch in rows.chunks(500) {
            desk.import(biller.parse().unwrap(), batch.to_vec()).unwrap();
        }
    }
    drop(desk);
    switch.block_on(Server::start(config, Extras::default())).unwrap()
}

fn play(player: &Runtime, plan: ReplayPlan) -> ReplayReport {
    player.block_on(async { tokio::spawn(replay(plan)).await }).unwrap().unwrap()
}

fn dialect() -> Arc<Dialect> {
    Arc::clone(config(Path::new("unused")).links[0].profile.dialect())
}

/// Turns every frame round, as 0210 or the like: what the wire and the player alone can do.
async fn echo() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = BytesMut::with_capacity(64 * 1024);
                while stream.read_buf(&mut buffer).await.is_ok_and(|read| read > 0) {
                    let mut out = BytesMut::new();
                    while buffer.len() > 2 {
                        let len = usize::from(u16::from_be_bytes([buffer[0], buffer[1]]));
                        if buffer.len() < len + 2 {
                            break;
                        }
                        let mut frame = buffer.split_to(len + 2);
                        frame[4] |= 1;
                        out.extend_from_slice(&frame);
                    }
                    if stream.write_all(&out).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// The morning at its own pace, a hundred times as fast: some 600 messages a second, each in its recorded place.
fn paced(switch: &Runtime, player: &Runtime, bills: &[(&str, Vec<Row>)]) {
    let dir = tempfile::tempdir().unwrap();
    let server = serve(switch, dir.path(), bills);
    let capture = Capture::read(&morning("requests.pcap"), None).unwrap();
    let expected = expect::read(&morning("answers.jsonl")).unwrap();
    let plan = ReplayPlan {
        pacing: Pacing::Recorded { speed: "100".parse().unwrap() },
        ..ReplayPlan::flat_out(server.addresses()[0], capture, Some(expected), dialect())
    };
    let report = play(player, plan);
    assert!(report.differences.is_empty());
    let all = report.latencies.all();
    println!(
        "morning, a hundred times its pace: p50 {} µs, p99 {} µs, {:.2} of the {P99_US:.0} allowed",
        all.p50_us,
        all.p99_us,
        all.p99_us as f64 / P99_US
    );
    switch.block_on(server.drain());
}

fn bench_morning(criterion: &mut Criterion, switch: &Runtime, player: &Runtime) {
    let expected = expect::read(&morning("answers.jsonl")).unwrap();
    let capture = || Capture::read(&morning("requests.pcap"), None).unwrap();
    let bills: Vec<(&str, Vec<Row>)> = ["KPEXCISE", "KPPOLICE", "KPLANDRC", "KPBOARDS"]
        .into_iter()
        .map(|biller| {
            let file = std::fs::File::open(morning(&format!("bills-{biller}.csv"))).unwrap();
            let mut reader = RowReader::new("bills", file);
            (biller, std::iter::from_fn(|| reader.next_row()).map(Result::unwrap).collect())
        })
        .collect();
    let mut group = criterion.benchmark_group("morning");
    group.sample_size(10).throughput(Throughput::Elements(3062));
    group.bench_function("switch, flat out", |bencher| {
        bencher.iter_batched(
            || {
                let dir = tempfile::tempdir().unwrap();
                (serve(switch, dir.path(), &bills), dir, capture(), expected.clone())
            },
            |(server, dir, capture, expected)| {
                let plan = ReplayPlan::flat_out(server.addresses()[0], capture, Some(expected), dialect());
                assert!(play(player, plan).differences.is_empty());
                (server, dir)
            },
            BatchSize::PerIteration,
        );
    });
    paced(switch, player, &bills);
    let address = player.block_on(echo());
    group.bench_function("echo, flat out", |bencher| {
        bencher.iter_batched(
            capture,
            |capture| play(player, ReplayPlan::flat_out(address, capture, None, dialect())).answered(),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn payment(dialect: &Dialect, number: usize) -> BytesMut {
    let mut out = BytesMut::new();
    let mut writer = Writer::new(dialect, Mti::new(b"0200").unwrap(), &mut out);
    let at = format!("1120{:02}{:02}{:02}", 9 + number / 3600 % 12, number / 60 % 60, number % 60);
    let stan = format!("{:06}", number % 1_000_000);
    let bill = format!("BI008KPEXCISECN017{number:017}CH0046011");
    let fields: [(u8, &str); 18] = [
        (2, "4000000000000002"),
        (3, "500000"),
        (4, "1000"),
        (7, &at),
        (11, &stan),
        (12, "090000"),
        (13, "1120"),
        (18, "6011"),
        (22, "021"),
        (24, "001"),
        (32, "06033733"),
        (37, &format!("{number:012}")),
        (41, "LATM0001"),
        (42, "LATMMERCHANT"),
        (43, "PESHAWAR SADDAR ROAD"),
        (48, &bill),
        (49, "586"),
        (102, "PK41397644830797"),
    ];
    for (field, value) in fields {
        writer.put(field, value.as_bytes()).unwrap();
    }
    writer.finish().unwrap();
    out
}

fn sign_on(dialect: &Dialect) -> BytesMut {
    let mut out = BytesMut::new();
    let mut writer = Writer::new(dialect, Mti::new(b"0800").unwrap(), &mut out);
    for (field, value) in [(7, "1120085959"), (11, "1"), (70, "001")] {
        writer.put(field, value.as_bytes()).unwrap();
    }
    writer.finish().unwrap();
    out
}

/// Payments over several connections, each after its own sign-on, one every `gap`.
fn payments(gap: Duration) -> Capture {
    let dialect = dialect();
    let mut streams: Vec<Stream> = (0..CONNECTIONS)
        .map(|number| Stream {
            client: format!("10.0.1.{}:{}", 1 + number % 3, 40_000 + number).parse().unwrap(),
            server: "10.0.0.1:8583".parse().unwrap(),
            frames: vec![Frame {
                at: Duration::ZERO,
                packet: number as u64,
                bytes: sign_on(&dialect).freeze(),
            }],
            skipped_bytes: 0,
            unfinished_bytes: 0,
        })
        .collect();
    for number in 0..PAYMENTS {
        let at = Duration::from_millis(100) + gap * u32::try_from(number).unwrap();
        let packet = (CONNECTIONS + number) as u64;
        streams[number % CONNECTIONS].frames.push(Frame {
            at,
            packet,
            bytes: payment(&dialect, number).freeze(),
        });
    }
    Capture { streams }
}

fn bills() -> Vec<Row> {
    let header =
        "psid,name,billing_month,due_date,expiry_date,amount_within_due,amount_after_due,heads,status\n";
    let mut text = header.to_owned();
    for number in 0..PAYMENTS {
        text.push_str(&format!(
            "{number:017},Ayesha Bibi,2611,2026-11-25,2026-12-25,1000,1100,B01401:300|B02372:700,U\n"
        ));
    }
    let mut reader = RowReader::new("bills", text.as_bytes());
    std::iter::from_fn(|| reader.next_row()).map(Result::unwrap).collect()
}

fn sustained(switch: &Runtime, player: &Runtime, pacing: Pacing, gap: Duration) -> (ReplayReport, CpuTimes) {
    let dir = tempfile::tempdir().unwrap();
    let server = serve(switch, dir.path(), &[("KPEXCISE", bills())]);
    let before = CpuTimes::read();
    let plan = ReplayPlan {
        pacing,
        window: IN_FLIGHT,
        ..ReplayPlan::flat_out(server.addresses()[0], payments(gap), None, dialect())
    };
    let report = play(player, plan);
    let cpu = CpuTimes::read().since(&before);
    let approved =
        report.outcomes.iter().filter(|outcome| outcome.response_code.as_deref() == Some("00")).count();
    assert_eq!(approved, PAYMENTS + CONNECTIONS, "every payment is approved");
    switch.block_on(server.drain());
    (report, cpu)
}

fn main() {
    let (switch, player) = (runtime("switch"), runtime("player"));
    let mut criterion = Criterion::default().configure_from_args();
    bench_morning(&mut criterion, &switch, &player);
    criterion.final_summary();

    let (report, cpu) = sustained(&switch, &player, Pacing::FlatOut, Duration::ZERO);
    let each = |time: Duration| time.as_secs_f64() * 1e6 / PAYMENTS as f64;
    let rate = PAYMENTS as f64 / report.elapsed.as_secs_f64();
    let all = report.latencies.all();
    println!(
        "payments flat out, {CONNECTIONS} connections × {IN_FLIGHT}: {rate:.0} a second, {:.2} of the {PAYMENTS_A_SECOND:.0} wanted",
        rate / PAYMENTS_A_SECOND
    );
    println!("  p50 {} µs, p99 {} µs, max {} µs", all.p50_us, all.p99_us, all.max_us);
    println!(
        "  CPU a payment: switch outside the store {:.1} µs, store {:.1} µs, player {:.1} µs",
        each(cpu.of("switch") + cpu.of("engine")),
        each(cpu.of("journal") + cpu.of("sled")),
        each(cpu.of("player"))
    );
    let gap = Duration::from_secs_f64(2.0 / PAYMENTS_A_SECOND);
    let (report, _) = sustained(&switch, &player, Pacing::Recorded { speed: Speed::RECORDED }, gap);
    let all = report.latencies.all();
    println!(
        "payments at {:.0} a second: p50 {} µs, p99 {} µs, {:.2} of the {P99_US:.0} allowed",
        PAYMENTS_A_SECOND / 2.0,
        all.p50_us,
        all.p99_us,
        all.p99_us as f64 / P99_US
    );
}
