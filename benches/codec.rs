//! The codec on the typical payment of the `onelink` dialect: time of decoding (everything validated) and of
//! encoding, and the heap allocations of each.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench counts allocations in the allocator itself, prints, and may panic"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use billswitch::iso8583::{Dialect, FieldPath, Mirror, Writer, decode, shipped};
use bytes::BytesMut;
use criterion::{Criterion, Throughput};

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

/// A payment of the recorded morning, 19 fields, with a test card number.
const PAYMENT: &[u8] = b"0200\xf2:E\x01\x08\xe1\x80\x00\x00\x00\x00\x00\x04\x00\x00\x00164242424242424242\
    5000000000000104101120090002004687090002112011206014021001066272716324090046\
    87NBIBK030NBIBKMERCHANT  PESHAWAR SADDAR ROAD                \
    PKPK051BI008KPBOARDSCN024440410000000000000000000CH004601458616PK65295434783936";

/// The same in an acquirer's fuller form: card data, PIN, additional amounts, a MAC.
fn full(dialect: &Dialect) -> BytesMut {
    let mut mirror = Mirror::new();
    let decoded = decode(dialect, PAYMENT, &mut mirror);
    let mut out = BytesMut::new();
    let mut writer = Writer::new(dialect, decoded.message.mti(), &mut out);
    for field in dialect.fields() {
        let more: Option<&[u8]> = match field {
            35 => Some(b"4242424242424242=30051019301087654321"),
            52 => Some(b"\x01\x23\x45\x67\x89\xab\xcd\xef"),
            54 => Some(b"0001586D0000000104100002586D000000010410"),
            128 => Some(b"\x01\x23\x45\x67\x89\xab\xcd\xef"),
            _ => decoded.message.field(field),
        };
        if let Some(value) = more {
            writer.put(field, value).unwrap();
        }
    }
    writer.finish().unwrap();
    out
}

fn write_again(dialect: &Dialect, fields: &[(u8, &[u8])], out: &mut BytesMut) {
    out.clear();
    let mut writer = Writer::new(dialect, "0200".parse().unwrap(), out);
    for (field, value) in fields {
        writer.put(*field, value).unwrap();
    }
    writer.finish().unwrap();
}

/// Allocations of one call, after a first that may still grow buffers.
fn allocations(mut call: impl FnMut()) -> u64 {
    call();
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    call();
    ALLOCATIONS.load(Ordering::Relaxed).wrapping_sub(before)
}

fn bench(criterion: &mut Criterion, name: &str, dialect: &Dialect, frame: &[u8]) {
    let mut mirror = Mirror::new();
    let decoded = decode(dialect, frame, &mut mirror);
    assert_eq!(decoded.fault, None);
    let fields: Vec<_> = decoded.message.fields().collect();
    let paths: Vec<FieldPath> =
        ["3", "4", "11", "37", "48.BI", "48.CN"].map(|path| dialect.path(path).unwrap()).into();
    let mut out = BytesMut::with_capacity(4096);
    write_again(dialect, &fields, &mut out);
    assert_eq!(&out[..], frame);

    let mut again = Mirror::new();
    let decoding = allocations(|| {
        black_box(decode(dialect, black_box(frame), &mut again));
    });
    let encoding = allocations(|| write_again(dialect, &fields, &mut out));
    println!(
        "{name}: {} fields, {} bytes; heap allocations a message: decode {decoding}, encode {encoding}",
        fields.len(),
        frame.len()
    );

    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(1));
    group.bench_function("decode", |bencher| {
        let mut mirror = Mirror::new();
        bencher.iter(|| black_box(decode(dialect, black_box(frame), &mut mirror)).fault.is_none());
    });
    group.bench_function("decode_and_read_six_paths", |bencher| {
        let mut mirror = Mirror::new();
        bencher.iter(|| {
            let decoded = decode(dialect, black_box(frame), &mut mirror);
            paths.iter().filter_map(|path| decoded.message.get(path)).map(<[u8]>::len).sum::<usize>()
        });
    });
    group.bench_function("encode", |bencher| {
        bencher.iter(|| {
            write_again(dialect, black_box(&fields), &mut out);
            out.len()
        });
    });
    group.finish();
}

fn main() {
    let onelink = shipped::dialect("onelink").unwrap().unwrap();
    let mut criterion = Criterion::default().configure_from_args();
    bench(&mut criterion, "onelink_payment", &onelink, PAYMENT);
    bench(&mut criterion, "onelink_full", &onelink, &full(&onelink));
    criterion.final_summary();
}
