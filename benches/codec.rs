//! The codec on the typical payments of `benches/codec/payments.json`, one or more to a kind of dialect: time of decoding
//! (everything validated) and of encoding, and the heap allocations of each; and what a field more costs.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench counts allocations in the allocator itself, measures, prints, and may panic"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use billswitch::iso8583::{Dialect, FieldPath, Mirror, Mti, Writer, decode, from_json, shipped};
use bytes::BytesMut;
use criterion::{BenchmarkId, Criterion, Throughput};
use serde::Deserialize;
use serde_json::{Value, json};

const DECODE_NS_MAX: f64 = 200.0;
const ENCODE_NS_MAX: f64 = 150.0;

/// Counts what is asked of the system's allocator.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// A payment as its network has it; `message` is as the tools print it.
#[derive(Deserialize)]
struct Payment {
    name: String,
    dialect: String,
    /// What of the codec it asks for.
    what: String,
    /// What a switch reads of it.
    paths: Vec<String>,
    message: Value,
}

/// Nanoseconds of each sample.
#[derive(Default)]
struct Samples(Vec<f64>);

impl Samples {
    /// Times so many calls.
    fn take(&mut self, calls: u64, mut call: impl FnMut()) -> Duration {
        let started = Instant::now();
        (0..calls).for_each(|_| call());
        let took = started.elapsed();
        self.0.push(took.as_secs_f64() * 1e9 / calls as f64);
        took
    }

    fn median(mut self) -> f64 {
        self.0.sort_by(f64::total_cmp);
        self.0.get(self.0.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

/// What was found of one message.
struct Row {
    name: String,
    what: String,
    fields: usize,
    bytes: usize,
    decode_ns: f64,
    encode_ns: f64,
    decode_allocations: u64,
    encode_allocations: u64,
}

/// Allocations of one call, after a first that may still grow buffers.
fn allocations(mut call: impl FnMut()) -> u64 {
    call();
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    call();
    ALLOCATIONS.load(Ordering::Relaxed).wrapping_sub(before)
}

fn frame_of(dialect: &Dialect, message: &Value) -> BytesMut {
    let mut frame = BytesMut::new();
    from_json(dialect, message, &mut frame).unwrap_or_else(|error| panic!("{}: {error}", dialect.name()));
    frame
}

fn write_again(dialect: &Dialect, mti: Mti, fields: &[(u8, &[u8])], out: &mut BytesMut) {
    out.clear();
    let mut writer = Writer::new(dialect, mti, out);
    for (field, value) in fields {
        writer.put(*field, value).unwrap();
    }
    writer.finish().unwrap();
}

fn payment(criterion: &mut Criterion, payment: &Payment) -> Row {
    let dialect = &shipped::dialect(&payment.dialect).unwrap().unwrap();
    let frame = &frame_of(dialect, &payment.message)[..];
    let (mut mirror, mut again) = (Mirror::new(), Mirror::new());
    let decoded = decode(dialect, frame, &mut mirror);
    assert_eq!(decoded.fault, None, "{}", payment.name);
    let (message, mti) = (&decoded.message, decoded.message.mti());
    let fields: Vec<_> = message.fields().collect();
    let paths: Vec<FieldPath> = payment.paths.iter().map(|path| dialect.path(path).unwrap()).collect();
    assert!(paths.iter().all(|path| message.get(path).is_some()), "{}", payment.name);
    let mut out = BytesMut::with_capacity(4096);
    write_again(dialect, mti, &fields, &mut out);
    assert_eq!(&out[..], frame, "{}", payment.name);

    let decode_allocations = allocations(|| {
        black_box(decode(dialect, black_box(frame), &mut again));
    });
    let encode_allocations = allocations(|| write_again(dialect, mti, &fields, &mut out));
    let (mut decoding, mut encoding) = (Samples::default(), Samples::default());
    let mut group = criterion.benchmark_group(&payment.name);
    group.throughput(Throughput::Elements(1));
    group.bench_function("decode", |bencher| {
        bencher.iter_custom(|calls| {
            decoding.take(calls, || {
                black_box(decode(dialect, black_box(frame), &mut again).fault.is_none());
            })
        });
    });
    group.bench_function("decode, and read what a switch reads", |bencher| {
        bencher.iter(|| {
            let decoded = decode(dialect, black_box(frame), &mut again);
            paths.iter().filter_map(|path| decoded.message.get(path)).map(<[u8]>::len).sum::<usize>()
        });
    });
    group.bench_function("encode", |bencher| {
        bencher.iter_custom(|calls| {
            encoding.take(calls, || {
                write_again(dialect, mti, black_box(&fields), &mut out);
                black_box(out.len());
            })
        });
    });
    group.finish();
    Row {
        name: payment.name.clone(),
        what: payment.what.clone(),
        fields: fields.len(),
        bytes: frame.len(),
        decode_ns: decoding.median(),
        encode_ns: encoding.median(),
        decode_allocations,
        encode_allocations,
    }
}

/// A message of so many fields, spread evenly over all that the dialect has, so that each is of the same mixture.
fn spread_over(dialect: &Dialect, count: usize) -> BytesMut {
    // Without binary ones, which this dialect writes as hex: they cost more than others, and would bend the curve.
    let all: Vec<u8> = dialect.fields().filter(|field| !dialect.is_binary(*field)).collect();
    let value = |field: &u8| {
        let kind = dialect.field_type(*field).unwrap();
        let most = usize::from(dialect.field_max(*field).unwrap());
        let value = if kind.starts_with('x') {
            format!("C{}", "7".repeat(most - 1))
        } else {
            "7".repeat(if kind.contains("..") { most.min(12) } else { most })
        };
        (field.to_string(), Value::from(value))
    };
    let chosen = (0..count).map(|index| &all[index * all.len() / count]);
    frame_of(dialect, &json!({"mti": "0200", "fields": chosen.map(value).collect::<serde_json::Map<_, _>>()}))
}

/// What decoding costs with the number of fields; each row is fields, bytes and nanoseconds.
fn curve(criterion: &mut Criterion) -> Vec<(usize, usize, f64)> {
    let dialect = &shipped::dialect("iso87-ascii").unwrap().unwrap();
    let mut group = criterion.benchmark_group("fields of iso87-ascii");
    let mut rows = Vec::new();
    for count in [5, 10, 20, 40, 80] {
        let frame = &spread_over(dialect, count)[..];
        let mut mirror = Mirror::new();
        let decoded = decode(dialect, frame, &mut mirror);
        assert_eq!((decoded.fault, decoded.message.fields().count()), (None, count));
        let mut samples = Samples::default();
        let mut again = Mirror::new();
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::new("decode", count), |bencher| {
            bencher.iter_custom(|calls| {
                samples.take(calls, || {
                    black_box(decode(dialect, black_box(frame), &mut again).fault.is_none());
                })
            });
        });
        rows.push((count, frame.len(), samples.median()));
    }
    group.finish();
    rows
}

fn main() {
    let payments: Vec<Payment> = serde_json::from_str(include_str!("codec/payments.json")).unwrap();
    let mut criterion = Criterion::default().configure_from_args();
    let rows: Vec<Row> = payments.iter().map(|one| payment(&mut criterion, one)).collect();
    let curve = curve(&mut criterion);
    criterion.final_summary();

    println!("\n{:<28} {:>13} | {:^27} | {:^27}", "", "", "decode, ns", "encode, ns");
    println!(
        "{:<28} {:>6} {:>6} | {:>7} {:>7} {:>11} | {:>7} {:>7} {:>11}",
        "payment",
        "fields",
        "bytes",
        "",
        format!("/{DECODE_NS_MAX}"),
        "allocations",
        "",
        format!("/{ENCODE_NS_MAX}"),
        "allocations"
    );
    for row in &rows {
        println!(
            "{:<28} {:>6} {:>6} | {:>7.0} {:>7.2} {:>11} | {:>7.0} {:>7.2} {:>11}",
            row.name,
            row.fields,
            row.bytes,
            row.decode_ns,
            row.decode_ns / DECODE_NS_MAX,
            row.decode_allocations,
            row.encode_ns,
            row.encode_ns / ENCODE_NS_MAX,
            row.encode_allocations
        );
    }
    for row in &rows {
        println!("  {}: {}", row.name, row.what);
    }
    println!(
        "\ndecode, iso87-ascii          fields   bytes       ns   ns a field   ns a byte   ns a field more"
    );
    let mut before = (0, 0.0);
    for (fields, bytes, ns) in curve {
        let more = (ns - before.1) / (fields - before.0) as f64;
        println!(
            "{:>35} {bytes:>7} {ns:>8.0} {:>12.2} {:>11.2} {more:>17.2}",
            fields,
            ns / fields as f64,
            ns / bytes as f64
        );
        before = (fields, ns);
    }
}
