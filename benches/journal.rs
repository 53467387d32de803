//! Legs a second through the valve, beside a bare append + fdatasync loop of the same bytes in the same run;
//! and the switch's own mix, in payments a second and CPU a payment.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark measures, prints, and fails by panicking"
)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use billswitch::journal::{Options, Store, Turn, Valve, Write, open};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};

const LEG_BYTES: usize = 300;
/// Legs of a group commit at most, and so of the bare loop's best sync.
const GROUP_LEGS: u64 = 512;

/// A valve on a store of its own, with the count of what it has let out.
struct Bench {
    valve: Valve<u64>,
    store: Store,
    released: Receiver<u64>,
    next: u64,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (store, writer) = open(dir.path(), &Options::default()).unwrap();
        let (out, released) = channel();
        let release = move |number| out.send(number).unwrap();
        let valve = Valve::start(writer, 1024, release, |error| panic!("{error}")).unwrap();
        Self { valve, store, released, next: 1, _dir: dir }
    }

    fn submit(&mut self, legs: Vec<Vec<u8>>, writes: Vec<Write>) {
        let turn = Turn { first_sequence: self.next, legs, writes, moves_money: true };
        self.next += turn.legs.len() as u64;
        self.valve.submit_blocking(turn, 0).unwrap();
    }

    fn wait(&self, turns: u64) {
        (0..turns).for_each(|_| assert_eq!(self.released.recv(), Ok(0)));
    }
}

fn leg(bytes: usize, seed: u64) -> Vec<u8> {
    let mut leg = vec![b'x'; bytes];
    leg[..8].copy_from_slice(&seed.to_be_bytes());
    leg
}

/// The time for `turns` turns of `size` legs each, with `in_flight` turns under way.
fn through_the_valve(bench: &mut Bench, turns: u64, size: u64, in_flight: u64) -> Duration {
    let started = Instant::now();
    for number in 0..turns {
        if number >= in_flight {
            bench.wait(1);
        }
        bench.submit((0..size).map(|index| leg(LEG_BYTES, index)).collect(), Vec::new());
    }
    bench.wait(turns.min(in_flight));
    started.elapsed()
}

/// The time to append the same bytes to a file, with an fdatasync a turn.
fn bare(file: &mut File, turns: u64, size: u64) -> Duration {
    let started = Instant::now();
    for _ in 0..turns {
        let bytes: Vec<u8> = (0..size).flat_map(|index| leg(LEG_BYTES, index)).collect();
        file.write_all(&bytes).unwrap();
        file.sync_data().unwrap();
    }
    started.elapsed()
}

/// Legs a second, by what was measured and how many legs a turn has.
type Rates = BTreeMap<(&'static str, u64), Vec<f64>>;

fn legs(criterion: &mut Criterion, rates: &mut Rates) {
    let mut group = criterion.benchmark_group("journal");
    for size in [1, 8, 64, 512] {
        group.throughput(Throughput::Elements(size));
        let mut note = |what, turns: u64, took: Duration| {
            rates.entry((what, size)).or_default().push((turns * size) as f64 / took.as_secs_f64());
            took
        };
        let mut bench = Bench::new();
        group.bench_function(BenchmarkId::new("valve, one turn at a time", size), |b| {
            b.iter_custom(|turns| note("alone", turns, through_the_valve(&mut bench, turns, size, 1)));
        });
        let mut bench = Bench::new();
        let under_way = (2 * GROUP_LEGS / size).max(2);
        group.bench_function(BenchmarkId::new("valve, queue never empty", size), |b| {
            b.iter_custom(|turns| {
                note("queued", turns, through_the_valve(&mut bench, turns, size, under_way))
            });
        });
        let mut file = tempfile::tempfile().unwrap();
        group.bench_function(BenchmarkId::new("bare append and fdatasync", size), |b| {
            b.iter_custom(|turns| note("bare", turns, bare(&mut file, turns, size)));
        });
    }
    group.finish();
}

/// What one payment writes: two legs of about 350 bytes in two turns, one small value under a key of its own
/// and one larger value that is overwritten.
fn payment(bench: &mut Bench, number: u64) {
    let key = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let put = |key: String, bytes| Write::Put { key: key.into(), value: leg(bytes, number) };
    bench.submit(vec![leg(350, number)], vec![put(format!("T|{key:016x}1120090009northbank"), 100)]);
    bench.submit(vec![leg(350, number)], vec![put(format!("B|{:06}", key % 20_000), 200)]);
}

/// CPU time of this process so far.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).map(|n| n.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

fn mix(criterion: &mut Criterion) {
    const UNDER_WAY: u64 = 512;
    let mut group = criterion.benchmark_group("journal");
    let mut bench = Bench::new();
    let (mut number, mut payments, mut spent, mut took) = (0, 0, Duration::ZERO, Duration::ZERO);
    group.throughput(Throughput::Elements(1));
    group.bench_function("payments: 2 legs, a put, an overwrite", |b| {
        b.iter_custom(|n| {
            let (cpu_before, started) = (cpu(), Instant::now());
            for index in 0..n {
                if index >= UNDER_WAY {
                    bench.wait(2);
                }
                number += 1;
                payment(&mut bench, number);
            }
            bench.wait(2 * n.min(UNDER_WAY));
            let elapsed = started.elapsed();
            (payments, spent, took) = (payments + n, spent + (cpu() - cpu_before), took + elapsed);
            elapsed
        });
    });
    group.bench_function("read a leg", |b| {
        let mut sequence = 0;
        let next = || {
            sequence = (sequence + 7919) % (bench.store.next_sequence() - 1);
            sequence + 1
        };
        b.iter_batched(next, |sequence| bench.store.leg(sequence).unwrap().unwrap(), BatchSize::SmallInput);
    });
    group.finish();
    let started = Instant::now();
    let verified = bench.store.verify(&mut |_| ()).unwrap();
    let verify = started.elapsed();
    println!(
        "\n{payments} payments: {:.0}/s, {:.1} µs of CPU each; {:.1} legs a block; {} bytes on disk each; \
         verify {:.0} legs/s",
        payments as f64 / took.as_secs_f64(),
        spent.as_secs_f64() * 1e6 / payments as f64,
        verified.legs as f64 / verified.blocks as f64,
        bench.store.bytes_on_disk().unwrap() / payments,
        verified.legs as f64 / verify.as_secs_f64(),
    );
    let Bench { valve, store, _dir: dir, .. } = bench;
    valve.close();
    drop(store);
    let started = Instant::now();
    let (store, _writer) = open(dir.path(), &Options::default()).unwrap();
    println!(
        "reopened a store of {} legs in {:.2} s",
        store.next_sequence() - 1,
        started.elapsed().as_secs_f64()
    );
}

fn main() {
    let mut criterion = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(2));
    criterion = criterion.warm_up_time(Duration::from_millis(500)).configure_from_args();
    let mut rates = Rates::new();
    legs(&mut criterion, &mut rates);
    mix(&mut criterion);
    let rate = |what, size| {
        let mut seen = rates.get(&(what, size)).cloned().unwrap_or_default();
        seen.sort_by(f64::total_cmp);
        seen.get(seen.len() / 2).copied().unwrap_or(f64::NAN)
    };
    let best = rate("bare", GROUP_LEGS);
    println!("\nlegs/s         one at a time    bare loop   ratio |     queued   to the bare loop's 512");
    for size in [1, 8, 64, 512] {
        let (alone, bare, queued) = (rate("alone", size), rate("bare", size), rate("queued", size));
        println!(
            "turns of {size:<4} {alone:>14.0} {bare:>12.0} {:>7.2} | {queued:>10.0} {:>7.2}",
            alone / bare,
            queued / best
        );
    }
}
