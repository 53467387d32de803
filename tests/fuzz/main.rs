//! Fuzzing on the stable toolchain: every way into the codec, over mutations of a corpus that comes from the published
//! messages of `fixtures/codec` and from the shipped dialects. The dice fall the same way every time, so a run is
//! the same everywhere, and a failure prints the input in hex.
//!
//! `cargo test --test fuzz` runs for some seconds. `FUZZ_ROUNDS=100 cargo test --release --test fuzz` runs a hundred times as
//! long, with other dice each round; `FUZZ_SEED=7` begins with the eighth. With cargo-fuzz and a nightly toolchain the same
//! bodies run under libFuzzer, which sees what its inputs reach: `cargo +nightly fuzz run decode_shipped`, from the
//! repository; `fuzz/README.md` lists the targets.
#![allow(
    dead_code,
    unsafe_code,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking, prints its input, counts in the allocator itself, and draws dialects by another test's code"
)]

mod ask;
mod bodies;
mod corpus;
#[path = "../codec_generated/expect.rs"]
mod expect;
mod memory;
mod mutate;
#[path = "../codec_generated/plan.rs"]
mod plan;
#[path = "../codec_generated/settle.rs"]
mod settle;
#[path = "../codec_generated/strategy.rs"]
mod strategy;
#[path = "../codec_generated/toml.rs"]
mod toml;
#[path = "../codec_generated/wire.rs"]
mod wire;

use std::panic::{AssertUnwindSafe, catch_unwind};

use billswitch::iso8583::{Dialect, Mirror, decode, shipped};

use mutate::Dice;

fn from_environment(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(usual)
}

/// Runs a body over so many inputs a round; each comes from the dice.
fn run(inputs: u64, input: impl Fn(&mut Dice) -> Vec<u8>, body: impl Fn(&[u8])) {
    let first = from_environment("FUZZ_SEED", 0);
    for seed in first..first + from_environment("FUZZ_ROUNDS", 1) {
        let mut dice = Dice::new(seed);
        for _ in 0..inputs {
            let data = input(&mut dice);
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| body(&data))) {
                println!("seed {seed}, input {}\n{}", hex::encode(&data), String::from_utf8_lossy(&data));
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// One of the corpus, spoilt; now and then as it is.
fn spoilt(dice: &mut Dice, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut data = dice.pick(corpus).clone();
    if dice.below(16) > 0 {
        mutate::bytes(dice, &mut data, corpus);
    }
    data
}

/// With a byte before it that chooses one of so many.
fn choosing(dice: &mut Dice, of: usize, data: Vec<u8>) -> Vec<u8> {
    [vec![u8::try_from(dice.below(of)).unwrap()], data].concat()
}

#[test]
fn any_frame_is_survived_by_every_shipped_dialect() {
    let count = bodies::dialects().len();
    let frames: Vec<_> = (0..count).map(corpus::frames).collect();
    run(
        4_000,
        |dice| {
            // Of its own dialect, but for some.
            let own = dice.below(count);
            let frame = spoilt(dice, &frames[own]);
            let as_own = dice.below(8) > 0;
            if as_own {
                [vec![u8::try_from(own).unwrap()], frame].concat()
            } else {
                choosing(dice, count, frame)
            }
        },
        bodies::decode_shipped,
    );
}

#[test]
fn any_frame_is_survived_under_any_dialect() {
    let corpus = corpus::dialects_with_frames();
    let others: Vec<Vec<u8>> = corpus.iter().map(|(_, frame)| frame.clone()).collect();
    let words = corpus::words();
    run(
        3_000,
        |dice| {
            let (text, frame) = dice.pick(&corpus).clone();
            let text = if dice.below(2) == 0 { mutate::text(dice, &text, &words) } else { text.into_bytes() };
            let mut frame = frame;
            mutate::bytes(dice, &mut frame, &others);
            [text, vec![0], frame].concat()
        },
        bodies::decode_any,
    );
}

#[test]
fn any_text_is_survived_as_a_dialect() {
    let words = corpus::words();
    let texts = corpus::texts();
    let bytes: Vec<Vec<u8>> = texts.iter().map(|text| text.clone().into_bytes()).collect();
    run(
        3_000,
        |dice| {
            let text = dice.pick(&texts).clone();
            if dice.below(4) == 0 { spoilt(dice, &bytes) } else { mutate::text(dice, &text, &words) }
        },
        bodies::load,
    );
}

#[test]
fn any_bytes_of_a_connection_are_taken_apart_the_same_however_they_come() {
    let corpus = corpus::streams();
    run(
        40_000,
        |dice| {
            let data = spoilt(dice, &corpus);
            let pieces = choosing(dice, 256, data);
            choosing(dice, 16, pieces)
        },
        bodies::framing,
    );
}

#[test]
fn any_json_is_a_message_or_refused() {
    let count = bodies::dialects().len();
    let messages: Vec<_> = (0..count).map(corpus::messages).collect();
    run(
        3_000,
        |dice| {
            let own = dice.below(count);
            let text = spoilt(dice, &messages[own]);
            [vec![u8::try_from(own).unwrap()], text].concat()
        },
        bodies::json,
    );
}

#[test]
fn any_frame_can_be_masked() {
    let count = bodies::dialects().len();
    let frames: Vec<_> = (0..count).map(corpus::frames).collect();
    run(
        5_000,
        |dice| {
            let own = dice.below(count);
            let frame = spoilt(dice, &frames[own]);
            [vec![u8::try_from(own).unwrap()], frame].concat()
        },
        bodies::mask,
    );
}

#[test]
fn any_header_is_taken_or_refused_and_answered_in_kind() {
    let corpus = corpus::headed();
    run(10_000, |dice| spoilt(dice, &corpus), bodies::headers);
}

/// Bytes that a call may hold: so many times its input, and so many more.
fn held_at_most(times: usize, more: usize, input: usize, held: usize, what: &str) {
    assert!(held <= input * times + more, "{what}: {held} bytes held for an input of {input}");
}

#[test]
fn no_frame_makes_decoding_hold_more_than_its_mirror() {
    let count = bodies::dialects().len();
    let frames: Vec<_> = (0..count).map(corpus::frames).collect();
    let long = vec![vec![b'0'; 65_535], vec![0xff; 65_535], b"9999".repeat(16_000)];
    run(
        5_000,
        |dice| {
            let own = dice.below(count);
            let corpus = if dice.below(20) == 0 { &long } else { &frames[own] };
            let frame = spoilt(dice, corpus);
            [vec![u8::try_from(own).unwrap()], frame].concat()
        },
        |data| {
            let (dialect, frame) = (&bodies::dialects()[usize::from(data[0])], &data[1..]);
            let (_, held) = memory::held(|| {
                let mut mirror = Mirror::new();
                decode(dialect, frame, &mut mirror).layout_lost
            });
            held_at_most(2, 64, frame.len(), held, "decode");
        },
    );
}

#[test]
fn no_file_makes_loading_hold_more_than_a_small_multiple_of_it() {
    let words = corpus::words();
    let (texts, dense) = (corpus::texts(), corpus::dense_texts());
    let load = |data: &[u8]| {
        let text = String::from_utf8_lossy(data);
        // What it extends is read as well.
        let extended = if text.contains("extends") {
            shipped::DIALECTS.iter().map(|(_, text)| text.len()).sum()
        } else {
            0
        };
        let base = |name: &str| shipped::dialect_text(name).map(str::to_owned);
        let (_, held) = memory::held(|| Dialect::parse("fuzzed.toml", &text, &base).is_ok());
        // Half of it is the TOML parser's, which holds a hundred bytes for each value of one.
        held_at_most(200, 20_000, text.len() + extended, held, "load");
    };
    run(
        1_000,
        |dice| {
            let text = dice.pick(&texts).clone();
            mutate::text(dice, &text, &words)
        },
        load,
    );
    run(
        50,
        |dice| {
            let text = dice.pick(&dense).clone();
            mutate::text(dice, &text, &words)
        },
        load,
    );
    dense.iter().for_each(|text| load(text.as_bytes()));
}

/// Written to `FUZZ_CORPUS` where that is said, and else to a folder that goes away.
#[test]
fn every_target_of_cargo_fuzz_has_a_corpus_to_begin_with() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("FUZZ_CORPUS").map_or_else(|| scratch.path().to_owned(), Into::into);
    let count = bodies::dialects().len();
    let of_each = |seeds: &dyn Fn(usize) -> Vec<Vec<u8>>| {
        let chosen = |index: usize| {
            seeds(index).into_iter().map(move |seed| [vec![index.to_le_bytes()[0]], seed].concat())
        };
        (0..count).flat_map(chosen).collect::<Vec<_>>()
    };
    let any = corpus::dialects_with_frames()
        .into_iter()
        .map(|(text, frame)| [text.as_bytes(), b"\0", &frame].concat());
    let streams = corpus::streams()
        .into_iter()
        .enumerate()
        .map(|(at, bytes)| [vec![at.to_le_bytes()[0], 7], bytes].concat());
    let targets: [(&str, Vec<Vec<u8>>); 7] = [
        ("decode_shipped", of_each(&corpus::frames)),
        ("decode_any", any.collect()),
        ("load", corpus::texts().into_iter().map(String::into_bytes).collect()),
        ("framing", streams.collect()),
        ("json", of_each(&corpus::messages)),
        ("mask", of_each(&corpus::frames)),
        ("headers", corpus::headed()),
    ];
    for (target, seeds) in targets {
        assert!(seeds.len() > 4, "{target}: {} seeds", seeds.len());
        let folder = folder.join(target);
        std::fs::create_dir_all(&folder).unwrap();
        for (at, seed) in seeds.iter().enumerate() {
            std::fs::write(folder.join(at.to_string()), seed).unwrap();
        }
    }
}
