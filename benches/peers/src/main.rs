//! One payment through our codec and through those of other crates, in turns in one run: CPU time and heap allocations
//! of decoding and of encoding.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use billswitch::iso8583::{decode, shipped, Mirror, Mti, Writer};
use bytes::BytesMut;
use iso8583_codec::{FieldKind, FieldValue, Message, Spec};
use iso8583_rs::iso8583::iso_spec;

/// ISO 8583:1987 in ASCII with binary bitmaps, which all three have; only fields up to 64, where one ends.
const MTI: &str = "0200";
const PAYMENT: &[(u8, &str)] = &[
    (2, "4242424242424242"),
    (3, "500000"),
    (4, "000000010410"),
    (7, "1120090002"),
    (11, "004687"),
    (12, "090002"),
    (13, "1120"),
    (15, "1120"),
    (18, "6014"),
    (22, "021"),
    (25, "00"),
    (32, "627271"),
    (37, "632409004687"),
    (41, "NBIBK030"),
    (42, "NBIBKMERCHANT  "),
    (43, "PESHAWAR SADDAR ROAD                PKPK"),
    (
        48,
        "BI008KPBOARDSCN024440410000000000000000000CH0046014NM025MUHAMMAD NOOR ZAMAN KHAN  BM0042611\
         DD00820261123RF032MATRICULATION FEE 2026 PESHAWAR AC028PK36SCBL0000001123456702    ",
    ),
    (49, "586"),
];

const ROUNDS: usize = 15;
/// CPU time of a round for each of the three, about.
const ROUND_NS: u64 = 50_000_000;

/// Counts what is asked of the system's allocator.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// CPU time of this thread so far, in nanoseconds.
fn cpu_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock is one that Linux has, and the place to write to is ours.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Something that is measured.
struct Subject<'a> {
    task: &'static str,
    who: &'static str,
    call: Box<dyn FnMut() + 'a>,
    /// Calls of a round.
    calls: u64,
    allocations: u64,
    ns: Vec<f64>,
}

impl<'a> Subject<'a> {
    fn new(task: &'static str, who: &'static str, call: impl FnMut() + 'a) -> Self {
        let mut subject = Self { task, who, call: Box::new(call), calls: 0, allocations: 0, ns: Vec::new() };
        subject.run(1000);
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        (subject.call)();
        subject.allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
        let each = subject.run(1000) / 1000;
        subject.calls = ROUND_NS / each.max(1);
        subject
    }

    fn run(&mut self, calls: u64) -> u64 {
        let before = cpu_ns();
        (0..calls).for_each(|_| (self.call)());
        cpu_ns() - before
    }

    fn round(&mut self) {
        let ns = self.run(self.calls);
        self.ns.push(ns as f64 / self.calls as f64);
    }

    fn median(&self) -> f64 {
        let mut sorted = self.ns.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    }
}

/// A message of `iso8583-codec`, from texts.
fn codec_message(spec: &Spec) -> Message {
    let mut message = Message::new(iso8583_codec::Mti::parse(MTI.as_bytes()).unwrap());
    for (field, value) in PAYMENT {
        let value = match spec.field(*field).unwrap().kind {
            FieldKind::Numeric => FieldValue::digits(*value),
            _ => FieldValue::text(*value),
        };
        message.set_field(*field, value.unwrap()).unwrap();
    }
    message
}

/// A message of `iso8583_rs`, from texts.
fn rs_message(spec: &'static iso_spec::Spec) -> iso_spec::IsoMsg {
    let segment = spec.get_message("payment").unwrap_or_else(|error| panic!("{}", error.msg));
    let mut message = iso_spec::new_msg(spec, segment);
    message.set("message_type", MTI).unwrap();
    for (field, value) in PAYMENT {
        message.set_on(u32::from(*field), value).unwrap();
    }
    message
}

fn main() {
    std::env::set_var("SPEC_FILE", concat!(env!("CARGO_MANIFEST_DIR"), "/iso8583_rs.yaml"));
    let dialect = shipped::dialect("iso87-ascii-binary-bitmap").unwrap().unwrap();
    let mti: Mti = MTI.parse().unwrap();
    let write = |out: &mut BytesMut| {
        out.clear();
        let mut writer = Writer::new(&dialect, mti, out);
        for (field, value) in black_box(PAYMENT) {
            writer.put(*field, value.as_bytes()).unwrap();
        }
        writer.finish().unwrap();
    };
    let mut frame = BytesMut::new();
    write(&mut frame);
    let frame = frame.freeze();
    let codec_spec = Spec::iso8583_1987();
    let rs_spec = iso_spec::spec("iso87");

    // All three write the same bytes, and read the same values back.
    let (codec, rs) = (codec_message(&codec_spec), rs_message(rs_spec));
    assert_eq!(codec.encode(&codec_spec).unwrap(), frame);
    assert_eq!(rs.assemble().unwrap(), frame);
    let mut mirror = Mirror::new();
    let ours = decode(&dialect, &frame, &mut mirror);
    assert_eq!(ours.fault, None);
    assert_eq!(Message::parse(&codec_spec, &frame).unwrap(), codec);
    let mut rs_frame = frame.to_vec();
    let rs_read = rs_spec.parse(&mut rs_frame).unwrap();
    for (field, value) in PAYMENT {
        assert_eq!(ours.message.field(*field), Some(value.as_bytes()));
        assert_eq!(rs_read.bmp_child_value(u32::from(*field)).unwrap(), *value);
    }

    let (mut mirror, mut out, mut again) = (Mirror::new(), BytesMut::new(), BytesMut::new());
    let mut subjects = vec![
        Subject::new("decode", "billswitch", || {
            black_box(decode(&dialect, black_box(&frame), &mut mirror).fault.is_none());
        }),
        Subject::new("decode", "iso8583-codec 0.1.1", || {
            black_box(Message::parse(&codec_spec, black_box(&frame)).unwrap());
        }),
        Subject::new("decode", "iso8583_rs 0.1.10", || {
            black_box(rs_spec.parse(black_box(&mut rs_frame)).unwrap());
        }),
        Subject::new("encode values", "billswitch", || write(&mut out)),
        Subject::new("encode values", "iso8583-codec 0.1.1", || {
            black_box(codec_message(&codec_spec).encode(&codec_spec).unwrap());
        }),
        Subject::new("encode values", "iso8583_rs 0.1.10", || {
            black_box(rs_message(rs_spec).assemble().unwrap());
        }),
        Subject::new("encode a message in hand", "billswitch", || write(&mut again)),
        Subject::new("encode a message in hand", "iso8583-codec 0.1.1", || {
            black_box(black_box(&codec).encode(&codec_spec).unwrap());
        }),
        Subject::new("encode a message in hand", "iso8583_rs 0.1.10", || {
            black_box(black_box(&rs).assemble().unwrap());
        }),
    ];
    for _ in 0..ROUNDS {
        subjects.iter_mut().for_each(Subject::round);
    }

    println!(
        "\nA payment of {} fields, {} bytes; CPU time, median of {ROUNDS} rounds in turns",
        PAYMENT.len(),
        frame.len()
    );
    println!("{:<26} {:<20} {:>8} {:>9} {:>12}", "", "", "ns", "to ours", "allocations");
    let mut ours = f64::NAN;
    for subject in &subjects {
        if subject.who == "billswitch" {
            ours = subject.median();
        }
        println!(
            "{:<26} {:<20} {:>8.0} {:>9.1} {:>12}",
            subject.task,
            subject.who,
            subject.median(),
            subject.median() / ours,
            subject.allocations
        );
    }
}
