//! For tests that run the real program: a place for a store with its daemon, and a bank that speaks the onelink dialect.
#![allow(
    dead_code,
    clippy::print_stdout,
    reason = "no test uses all of it, and random ones print their seed"
)]

pub(crate) mod bank;
pub(crate) mod bills;
pub(crate) mod department;
pub(crate) mod host;
pub(crate) mod ledger;
pub(crate) mod site;
pub(crate) mod three_ledgers;
pub(crate) mod trade;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The longest anything is waited for.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// Waits until `ready` gives something.
pub(crate) fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = ready() {
            return found;
        }
        assert!(begun.elapsed() < DEADLINE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Dice that a seed makes repeatable (xorshift).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Dice of this seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Dice of the seed in BILLSWITCH_SEED, or else of another each second; it is printed.
    pub(crate) fn seeded() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let seed = std::env::var("BILLSWITCH_SEED").map_or(now.as_secs(), |seed| seed.parse().unwrap());
        println!("random: BILLSWITCH_SEED={seed}");
        Self::new(seed)
    }

    /// 0 to `sides` - 1.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    /// One of these.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.roll(u64::try_from(from.len()).unwrap())).unwrap()]
    }

    /// True once in `sides` times.
    pub(crate) fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }
}
