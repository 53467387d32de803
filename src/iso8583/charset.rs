//! Character classes, checked eight bytes at a time.

use std::fmt;

use super::packed::{HIGH, all};

/// The characters that a field may hold, in the standard's notation.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Class {
    /// `a`: letters and the blank.
    A,
    /// `n`: digits.
    N,
    /// `an`: letters, digits and the blank.
    An,
    /// `ns`: everything printable but letters.
    Ns,
    /// `as`: everything printable but digits.
    As,
    /// `ans`: printable ASCII.
    Ans,
    /// `x+n`: `C` or `D`, then digits.
    Xn,
    /// `z`: a track's own characters: digits, `=`, the sentinels and `D`.
    Z,
    /// `char`: any character, also what is not printable.
    Char,
    /// `b`: any byte.
    B,
}

/// The highest bit of each byte of `word` that lies in `lo..=hi`; both are below 0x80.
const fn within(word: u64, lo: u8, hi: u8) -> u64 {
    within_all(word, all(lo), all(hi))
}

/// As [`within`], with the bounds in every byte of a word.
const fn within_all(word: u64, lo: u64, hi: u64) -> u64 {
    // Each byte is worked on with its highest bit set (or kept out), so that no borrow crosses into the next.
    let from_lo = (word | HIGH).wrapping_sub(lo);
    let to_hi = (hi | HIGH).wrapping_sub(word & !HIGH);
    from_lo & to_hi & !word & HIGH
}

const fn digits(word: u64) -> u64 {
    within(word, b'0', b'9')
}

/// Letters of either case, and the blank that fills a fixed field.
const fn letters(word: u64) -> u64 {
    within(word | all(0x20), b'a', b'z') | within(word, b' ', b' ')
}

const fn printable(word: u64) -> u64 {
    within(word, b' ', b'~')
}

const fn track(word: u64) -> u64 {
    within(word, b'0', b'?') | within(word, b'D', b'D')
}

/// Whether `ok` marks every byte of `value`. The words may overlap: judging a byte twice costs less than
/// telling the ends apart.
#[inline]
fn every(value: &[u8], ok: impl Fn(u64) -> u64) -> bool {
    if let (Some((first, rest)), Some(last)) = (value.split_first_chunk::<8>(), value.last_chunk::<8>()) {
        let ends = ok(u64::from_le_bytes(*first)) & ok(u64::from_le_bytes(*last));
        if value.len() <= 16 {
            return ends == HIGH;
        }
        let (words, _) = rest.as_chunks::<8>();
        return words.iter().fold(ends, |good, word| good & ok(u64::from_le_bytes(*word))) == HIGH;
    }
    let word = match (value.first_chunk::<4>(), value.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            (u64::from(u32::from_le_bytes(*first)) << 32) | u64::from(u32::from_le_bytes(*last))
        }
        (Some(_) | None, _) => match *value {
            [] => return true,
            [one] => all(one),
            [one, two] => u64::from_le_bytes([one, two, one, two, one, two, one, two]),
            [one, two, three, ..] => u64::from_le_bytes([one, two, three, one, two, three, one, two]),
        },
    };
    ok(word) == HIGH
}

impl Class {
    /// Whether all of `value` is of this class.
    // Left to itself the compiler calls it, and the call costs as much as the judgement of most fields.
    #[inline(always)]
    pub(super) fn holds(self, value: &[u8]) -> bool {
        // Nearly all fields of a message are one of these two: they share one way through, without a jump.
        let (lo, hi) = match self {
            Self::N => (all(b'0'), all(b'9')),
            Self::Ans => (all(b' '), all(b'~')),
            Self::A | Self::An | Self::Ns | Self::As | Self::Xn | Self::Z | Self::Char | Self::B => {
                return self.rarer_holds(value);
            }
        };
        every(value, |word| within_all(word, lo, hi))
    }

    #[inline(never)]
    fn rarer_holds(self, value: &[u8]) -> bool {
        match self {
            Self::N => every(value, digits),
            Self::Ans => every(value, printable),
            Self::An => every(value, |word| letters(word) | digits(word)),
            Self::A => every(value, letters),
            Self::Ns => every(value, |word| printable(word) & !within(word | all(0x20), b'a', b'z')),
            Self::As => every(value, |word| printable(word) & !digits(word)),
            Self::Z => every(value, track),
            Self::Xn => signed(value),
            Self::Char | Self::B => true,
        }
    }

    /// Where the first byte stands that is not of this class.
    pub(super) fn first_bad(self, value: &[u8]) -> Option<usize> {
        if self == Self::Xn {
            return match value.split_first() {
                Some((b'C' | b'D', rest)) => {
                    rest.iter().position(|byte| !byte.is_ascii_digit()).map(|at| at.saturating_add(1))
                }
                Some(_) | None => Some(0),
            };
        }
        value.iter().position(|byte| !self.holds(&[*byte]))
    }

    /// As [`Class::holds`] for ISO 8859-1: letters and signs above ASCII are text too.
    pub(super) fn holds_latin1(self, value: &[u8]) -> bool {
        self.first_bad_latin1(value).is_none()
    }

    /// As [`Class::first_bad`] for ISO 8859-1.
    pub(super) fn first_bad_latin1(self, value: &[u8]) -> Option<usize> {
        match self {
            Self::A | Self::An | Self::As | Self::Ans => {
                value.iter().position(|byte| !(*byte >= 0xa0 || self.holds(&[*byte])))
            }
            Self::N | Self::Ns | Self::Xn | Self::Z | Self::Char | Self::B => self.first_bad(value),
        }
    }
}

/// The characters that may stand in a value: of a class, in ASCII or in ISO 8859-1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alphabet {
    pub(super) class: Class,
    pub(super) latin1: bool,
}

impl Alphabet {
    /// Any bytes.
    pub(super) const BYTES: Self = Self { class: Class::B, latin1: false };

    /// Whether all of a value may stand there.
    #[inline]
    pub(super) fn holds(self, value: &[u8]) -> bool {
        self.class.holds(value) || (self.latin1 && self.class.holds_latin1(value))
    }

    /// Where the first character stands that may not.
    pub(super) fn first_bad(self, value: &[u8]) -> Option<usize> {
        if self.latin1 { self.class.first_bad_latin1(value) } else { self.class.first_bad(value) }
    }
}

/// `C` or `D`, then digits.
fn signed(value: &[u8]) -> bool {
    match value.split_first() {
        Some((b'C' | b'D', rest)) => every(rest, digits),
        Some(_) | None => false,
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::A => "a",
            Self::N => "n",
            Self::An => "an",
            Self::Ns => "ns",
            Self::As => "as",
            Self::Ans => "ans",
            Self::Xn => "x+n",
            Self::Z => "z",
            Self::Char => "char",
            Self::B => "b",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(class: Class, byte: u8) -> bool {
        let letter = byte.is_ascii_alphabetic() || byte == b' ';
        let printable = (b' '..=b'~').contains(&byte);
        match class {
            Class::A => letter,
            Class::N => byte.is_ascii_digit(),
            Class::An => letter || byte.is_ascii_digit(),
            Class::Ns => printable && !byte.is_ascii_alphabetic(),
            Class::As => printable && !byte.is_ascii_digit(),
            Class::Ans => printable,
            Class::Z => (b'0'..=b'?').contains(&byte) || byte == b'D',
            Class::Xn | Class::Char | Class::B => true,
        }
    }

    #[test]
    fn every_byte_at_every_place_is_judged_as_one_by_one() {
        use Class::{A, An, Ans, As, N, Ns, Z};
        for class in [A, N, An, Ns, As, Ans, Z] {
            let good = (0..=255).find(|byte| plain(class, *byte)).unwrap();
            for len in 0..20_usize {
                for at in 0..len {
                    for byte in 0..=255 {
                        let mut frame = [0xff_u8; 32];
                        frame[..len].fill(good);
                        frame[at] = byte;
                        let want = plain(class, byte);
                        assert_eq!(class.holds(&frame[..len]), want, "{class} {byte} at {at} of {len}");
                        assert_eq!(class.first_bad(&frame[..len]), (!want).then_some(at));
                    }
                }
            }
        }
    }

    #[test]
    fn neighbours_of_a_bad_byte_do_not_hide_it() {
        // A carry or borrow out of one byte would spoil the judgement of the next.
        for first in 0..=255_u8 {
            for second in 0..=255_u8 {
                let value = [first, second];
                for class in [Class::N, Class::Ans, Class::An, Class::Z] {
                    assert_eq!(class.holds(&value), plain(class, first) && plain(class, second));
                }
            }
        }
    }

    #[test]
    fn an_amount_with_a_sign_is_c_or_d_and_digits() {
        for (value, bad) in
            [(&b"C00000011"[..], None), (b"D1", None), (b"000000011", Some(0)), (b"C0000O011", Some(5))]
        {
            assert_eq!(Class::Xn.first_bad(value), bad);
            assert_eq!(Class::Xn.holds(value), bad.is_none());
        }
        assert!(!Class::Xn.holds(b""));
    }
}
