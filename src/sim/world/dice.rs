//! Dice that a seed makes repeatable. What a message meets depends on the seed and on what the message is, not on what was
//! rolled before: a run from which something is left out goes on, as far as it can, as it did with it.

/// Dice of one purpose (splitmix64).
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// The dice for `what` under `seed`.
    pub(super) fn of(seed: u64, what: &[u64]) -> Self {
        let mut dice = Self(seed);
        for part in what {
            dice.0 = dice.next().wrapping_add(*part);
        }
        dice
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// 0 to `sides` - 1; 0 if there are none.
    pub(super) fn below(&mut self, sides: u64) -> u64 {
        self.next().checked_rem(sides).unwrap_or_default()
    }

    /// `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low.saturating_add(self.below(high.saturating_sub(low).saturating_add(1)))
    }

    /// True in `rate` of a thousand times.
    pub(super) fn permille(&mut self, rate: u16) -> bool {
        self.below(1000) < u64::from(rate)
    }

    /// True once in `sides` times.
    pub(super) fn one_in(&mut self, sides: u64) -> bool {
        self.below(sides) == 0
    }

    pub(super) fn index(&mut self, len: usize) -> usize {
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        usize::try_from(self.below(len)).unwrap_or_default()
    }
}

/// A number that stands for some bytes, the same in every run.
pub(super) fn number_of(bytes: &[u8]) -> u64 {
    let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, step)
}
