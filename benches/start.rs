//! How long a start takes on a store of ten million legs, after an end in good order and after kill -9, beside the same
//! start on a store of a few legs; how much memory the daemon has then; and what sealing cost while the store was made.
//! `START_LEGS` says how many legs otherwise.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::float_arithmetic,
    clippy::print_stdout,
    dead_code,
    reason = "a benchmark measures, prints, and fails by panicking; the records are shared with a test"
)]

#[path = "../tests/journal/records.rs"]
mod records;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use billswitch::bounds::Sealing;
use billswitch::control::{Client, Reply, Request};
use billswitch::journal::{Options, Sealer, Step, Store, Turn, Writer, open};
use billswitch::server::control_socket;
use billswitch::switch::{State, What};

/// As configured by default.
const SEALING: Sealing = Sealing { working_legs_max: 1_000_000, segment_legs_max: 250_000 };
/// Payments of a group commit.
const GROUP: u64 = 200;
/// Business days the legs are spread over.
const DAYS: u64 = 5;
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

/// Starts the daemon on a store, and gives it with the time until it has answered a first question.
fn start(dir: &Path) -> (Child, Duration) {
    let config = dir.with_extension("toml");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = billswitch::config::BUILT_IN.replace("127.0.0.1:8583", &free.to_string());
    std::fs::write(&config, text).unwrap();
    let began = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_billswitch"));
    command.args(["serve", "--store"]).arg(dir).arg("--config").arg(&config);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while began.elapsed() < Duration::from_secs(120) {
        let asked = Client::connect(&control_socket(dir)).and_then(|mut client| client.ask(Request::Status));
        if let Ok(Reply::Status(_)) = asked {
            return (child, began.elapsed());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    panic!("the daemon does not answer");
}

/// Megabytes of memory that a process has.
fn memory(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024
}

fn stop(mut child: Child, signal: &str) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    child.wait().unwrap();
}

/// Starts after an end in good order and after two kills, each with the memory after it.
fn starts(dir: &Path) -> Vec<(&'static str, Duration, u64)> {
    let mut table = Vec::new();
    for (what, signal) in
        [("first start", "-TERM"), ("after SIGTERM", "-KILL"), ("after kill -9", "-KILL"), ("again", "-TERM")]
    {
        let (child, took) = start(dir);
        table.push((what, took, memory(&child)));
        stop(child, signal);
    }
    table
}

fn main() {
    let legs = std::env::var("START_LEGS").map_or(10_000_000, |legs| legs.parse().unwrap());
    let home = tempfile::tempdir().unwrap();
    let (few, many) = (home.path().join("few"), home.path().join("many"));
    make(&few, 10_000);
    let (committing, sealing) = make(&many, legs);
    println!(
        "{legs} legs written in {:.1} s, {:.0} a second; sealing them took {:.1} s",
        committing.as_secs_f64(),
        legs as f64 / committing.as_secs_f64(),
        sealing.as_secs_f64()
    );
    println!("start              10,000 legs    {legs} legs      memory");
    let mut worst = Duration::ZERO;
    for ((what, little, _), (_, much, megabytes)) in starts(&few).into_iter().zip(starts(&many)) {
        println!("{what:<16} {little:>12.0?}   {much:>14.0?}   {megabytes:>6} MB");
        worst = worst.max(much);
    }
    println!(
        "worst start {worst:.0?}, {:.2} of the limit of {LIMIT:?}",
        worst.as_secs_f64() / LIMIT.as_secs_f64()
    );
    assert!(worst <= LIMIT, "a start takes longer than {LIMIT:?}");
}
