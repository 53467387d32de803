//! Two characters a byte: digits in BCD, bytes in hex. Eight characters at a time, without a table.
//!
//! A word holds one character, or one nibble, in each of its bytes, the first in the highest.

/// The highest bit of every byte of a word.
pub(super) const HIGH: u64 = all(0x80);

/// `byte` in all eight bytes of a word.
pub(super) const fn all(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The highest bit of each byte of `word` that is more than `limit`, which is below 0x80.
pub(super) const fn above(word: u64, limit: u8) -> u64 {
    // The highest bit of each byte is kept out of the sum, so that no carry crosses into the next.
    ((word & !HIGH).wrapping_add(all(0x7f_u8.wrapping_sub(limit))) | word) & HIGH
}

/// Each byte that `marks` has its highest bit set in, as `amount`; `amount` is below 0x10.
const fn where_marked(marks: u64, amount: u64) -> u64 {
    (marks >> 7).wrapping_mul(amount)
}

/// Where an odd number of digits is filled up to whole bytes, and with what.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Odd {
    right: bool,
    /// 0 or F.
    nibble: u8,
}

impl Odd {
    pub(super) const LEFT_ZERO: Self = Self { right: false, nibble: 0 };
    pub(super) const RIGHT_ZERO: Self = Self { right: true, nibble: 0 };
    pub(super) const LEFT_F: Self = Self { right: false, nibble: 0xf };
    pub(super) const RIGHT_F: Self = Self { right: true, nibble: 0xf };

    /// The end where the filling is, and the rest.
    #[inline]
    const fn apart(self, of: &[u8]) -> Option<(&u8, &[u8])> {
        if self.right { of.split_last() } else { of.split_first() }
    }

    #[inline]
    const fn apart_mut(self, of: &mut [u8]) -> Option<(&mut u8, &mut [u8])> {
        if self.right { of.split_last_mut() } else { of.split_first_mut() }
    }

    /// Whether the filling is a zero, which may as well be a digit.
    pub(super) const fn is_zero(self) -> bool {
        self.nibble == 0
    }

    /// Whether there is filling that cannot be a digit.
    pub(super) fn fills(self, bytes: &[u8]) -> bool {
        self.apart(bytes)
            .is_some_and(|(shared, _)| (if self.right { shared & 0xf } else { shared >> 4 }) == 0xf)
    }

    /// The digit in a byte that it shares with filling, if that is filling.
    #[inline]
    const fn digit_in(self, byte: u8) -> Option<u8> {
        let (digit, filling) = if self.right { (byte >> 4, byte & 0xf) } else { (byte & 0xf, byte >> 4) };
        if matches!(filling, 0 | 0xf) { Some(digit) } else { None }
    }

    /// A digit and the filling beside it.
    #[inline]
    const fn filled(self, digit: u8) -> u8 {
        if self.right { (digit << 4) | self.nibble } else { (self.nibble << 4) | digit }
    }
}

/// A way of reading or writing: the characters of eight nibbles or the nibbles of eight characters, and marks on those
/// that have none.
trait Code: Fn(u64) -> (u64, u64) + Copy {}

impl<F: Fn(u64) -> (u64, u64) + Copy> Code for F {}

const fn digit_of(nibbles: u64) -> (u64, u64) {
    (nibbles | all(b'0'), above(nibbles, 9))
}

const fn track_of(nibbles: u64) -> (u64, u64) {
    let separators = HIGH & !above(nibbles ^ all(0xd), 0);
    let characters = (nibbles | all(b'0')).wrapping_add(where_marked(separators, 7));
    (characters, above(nibbles, 9) & !separators)
}

const fn hex_of(nibbles: u64) -> (u64, u64) {
    (nibbles.wrapping_add(all(b'0')).wrapping_add(where_marked(above(nibbles, 9), 7)), 0)
}

const fn from_digit(characters: u64) -> (u64, u64) {
    (characters & all(0xf), above(characters ^ all(b'0'), 9))
}

const fn from_track(characters: u64) -> (u64, u64) {
    let letters = HIGH & !above(characters ^ all(b'D'), 0);
    let signs = HIGH & !above(characters ^ all(b'='), 0);
    let nibbles = (characters & all(0xf)).wrapping_add(where_marked(letters, 9));
    (nibbles, above(characters ^ all(b'0'), 9) & !letters & !signs)
}

const fn from_hex(characters: u64) -> (u64, u64) {
    // Letters of either case are 41 to 46 with the bit 20 set or not: seen from 60, 1 to 6.
    let from_60 = (characters | all(0x20)) ^ all(0x60);
    let letters = above(from_60, 0) & !above(from_60, 6);
    let nibbles = (characters & all(0xf)).wrapping_add(where_marked(letters, 9));
    (nibbles, above(characters ^ all(b'0'), 9) & !letters)
}

/// `count` digits in BCD, as ASCII into the first `count` places of `to`. The filling of an odd number may be 0 or F
/// whatever `odd` says: peers differ.
///
/// # Errors
///
/// Where the first byte stands that is not two digits, or where `from` ends or should if it is not of the length
/// that so many digits take. `to` then holds nothing of use.
#[inline]
pub(super) fn unpack(from: &[u8], count: usize, odd: Odd, to: &mut [u8]) -> Result<(), usize> {
    unpack_as(from, count, odd, to, digit_of)
}

/// As [`unpack`], for track data: the nibble D is the separator, and read as `D`.
///
/// # Errors
///
/// As [`unpack`].
#[inline]
pub(super) fn unpack_track(from: &[u8], count: usize, odd: Odd, to: &mut [u8]) -> Result<(), usize> {
    unpack_as(from, count, odd, to, track_of)
}

/// ASCII digits as BCD; `to` has half as many bytes, rounded up.
///
/// # Errors
///
/// Where the first character stands that is no digit, or that `to` has no room for, or the length of `from` if `to`
/// wants more. `to` then holds nothing of use.
#[inline]
pub(super) fn pack(from: &[u8], odd: Odd, to: &mut [u8]) -> Result<(), usize> {
    pack_as(from, odd, to, from_digit)
}

/// As [`pack`], for track data: the separator, `D` or `=`, becomes the nibble D.
///
/// # Errors
///
/// As [`pack`].
#[inline]
pub(super) fn pack_track(from: &[u8], odd: Odd, to: &mut [u8]) -> Result<(), usize> {
    pack_as(from, odd, to, from_track)
}

/// The bytes that hex characters of either case write; `to` has half as many.
///
/// # Errors
///
/// Where the first character stands that is not hex, that has no second one beside it or that `to` has no room for,
/// or the length of `from` if `to` wants more. `to` then holds nothing of use.
#[inline]
pub(super) fn unhex(from: &[u8], to: &mut [u8]) -> Result<(), usize> {
    if from.len().is_multiple_of(2) {
        pack_as(from, Odd::LEFT_ZERO, to, from_hex)
    } else {
        Err(first_bad_character(from, from_hex).unwrap_or(from.len().saturating_sub(1)))
    }
}

/// Bytes as hex characters in upper case; `to` has twice as many. What one of the two has beyond the other is left
/// alone.
#[inline]
pub(super) fn put_hex(from: &[u8], to: &mut [u8]) {
    let count = from.len().min(to.len() / 2);
    if let (Some(from), Some(to)) = (from.get(..count), to.get_mut(..count.saturating_mul(2))) {
        spread(from, to, hex_of);
    }
}

/// A number in BCD, most significant digits first. `None` if a nibble is no digit, or if there is not one byte to
/// four.
#[inline]
pub(super) fn bcd_number(bytes: &[u8]) -> Option<usize> {
    if !(1..=4).contains(&bytes.len()) {
        return None;
    }
    bytes.iter().try_fold(0_usize, |number, byte| {
        let (tens, ones) = (usize::from(byte >> 4), usize::from(byte & 0xf));
        let digits = tens.checked_mul(10)?.checked_add(ones)?;
        if tens < 10 && ones < 10 { number.checked_mul(100)?.checked_add(digits) } else { None }
    })
}

/// As many digits of a number, its last ones, as `to` has room for in BCD.
#[inline]
pub(super) fn put_bcd_number(to: &mut [u8], number: usize) {
    let mut left = number;
    for place in to.iter_mut().rev() {
        // Below 100, so the byte always holds it.
        let [tens, ones] = [left / 10 % 10, left % 10].map(|digit| u8::try_from(digit).unwrap_or(0));
        *place = (tens << 4) | ones;
        left /= 100;
    }
}

#[inline]
fn unpack_as(from: &[u8], count: usize, odd: Odd, to: &mut [u8], read: impl Code) -> Result<(), usize> {
    let need = count.div_ceil(2);
    let Some(to) = to.get_mut(..count).filter(|_| from.len() == need) else {
        return Err(from.len().min(need));
    };
    let whole = if count.is_multiple_of(2) {
        spread(from, to, read)
    } else if let (Some((shared, rest)), Some((place, to))) = (odd.apart(from), odd.apart_mut(to)) {
        let digit = odd.digit_in(*shared).and_then(|nibble| read_one(nibble, read));
        *place = digit.unwrap_or_default();
        spread(rest, to, read) & digit.is_some()
    } else {
        false
    };
    if whole { Ok(()) } else { Err(first_bad_byte(from, count, odd, read)) }
}

#[inline]
fn read_one(nibble: u8, read: impl Code) -> Option<u8> {
    let (characters, bad) = read(u64::from(nibble));
    let [.., character] = characters.to_be_bytes();
    (bad == 0).then_some(character)
}

/// Only asked where there is one.
#[cold]
fn first_bad_byte(from: &[u8], count: usize, odd: Odd, read: impl Code) -> usize {
    let shared = if count.is_multiple_of(2) { None } else { odd.apart(from).map(|(shared, _)| shared) };
    let good = |byte: &u8| {
        if shared.is_some_and(|shared| std::ptr::eq(shared, byte)) {
            odd.digit_in(*byte).and_then(|nibble| read_one(nibble, read)).is_some()
        } else {
            read(nibbles([0, 0, 0, *byte])).1 == 0
        }
    };
    from.iter().position(|byte| !good(byte)).unwrap_or(from.len())
}

#[inline]
fn pack_as(from: &[u8], odd: Odd, to: &mut [u8], write: impl Code) -> Result<(), usize> {
    if to.len() != from.len().div_ceil(2) {
        return Err(from.len().min(to.len().saturating_mul(2)));
    }
    let whole = if from.len().is_multiple_of(2) {
        gather(from, to, write)
    } else if let (Some((lone, rest)), Some((place, to))) = (odd.apart(from), odd.apart_mut(to)) {
        let nibble = write_one(*lone, write);
        *place = odd.filled(nibble.unwrap_or_default());
        gather(rest, to, write) & nibble.is_some()
    } else {
        false
    };
    if whole { Ok(()) } else { Err(first_bad_character(from, write).unwrap_or(from.len())) }
}

#[inline]
fn write_one(character: u8, write: impl Code) -> Option<u8> {
    let (nibbles, bad) = write(all(character));
    let [.., nibble] = nibbles.to_be_bytes();
    (bad == 0).then_some(nibble)
}

#[cold]
fn first_bad_character(from: &[u8], write: impl Code) -> Option<usize> {
    from.iter().position(|character| write_one(*character, write).is_none())
}

/// The eight nibbles of four bytes, one in each byte of a word.
#[inline]
const fn nibbles(bytes: [u8; 4]) -> u64 {
    let [a, b, c, d] = bytes;
    let word = u64::from_be_bytes([0, 0, a, b, 0, 0, c, d]);
    let word = (word | (word << 8)) & all_pairs(0x00ff);
    (word | (word << 4)) & all(0xf)
}

/// The four bytes of eight nibbles.
#[inline]
const fn bytes(nibbles: u64) -> [u8; 4] {
    let word = (nibbles | (nibbles >> 4)) & all_pairs(0x00ff);
    let [_, _, a, b, _, _, c, d] = (word | (word >> 8)).to_be_bytes();
    [a, b, c, d]
}

const fn all_pairs(pair: u16) -> u64 {
    let [high, low] = pair.to_be_bytes();
    u64::from_be_bytes([high, low, high, low, high, low, high, low])
}

/// Reads each byte into two characters, four bytes at a time, the last four perhaps twice: that costs less than
/// telling the ends apart. Whether all nibbles had a character.
#[inline]
fn spread(from: &[u8], to: &mut [u8], read: impl Code) -> bool {
    let mut bad = 0;
    let mut four = |bytes: [u8; 4]| {
        let (characters, wrong) = read(nibbles(bytes));
        bad |= wrong;
        characters.to_be_bytes()
    };
    if let (Some(last), Some(end)) = (from.last_chunk(), to.last_chunk_mut()) {
        *end = four(*last);
        for (from, to) in from.as_chunks().0.iter().zip(to.as_chunks_mut().0) {
            *to = four(*from);
        }
        return bad == 0;
    }
    // Fewer than four bytes: behind zeros, which every reading takes.
    match (from, to) {
        ([a], [t, u]) => [.., *t, *u] = four([0, 0, 0, *a]),
        ([a, b], [t, u, v, w]) => [.., *t, *u, *v, *w] = four([0, 0, *a, *b]),
        ([a, b, c], [t, u, v, w, x, y]) => [.., *t, *u, *v, *w, *x, *y] = four([0, *a, *b, *c]),
        (_, _) => {}
    }
    bad == 0
}

const ZERO: u8 = b'0';

/// Writes two characters into each byte, eight characters at a time, the last eight perhaps twice. Whether all had a
/// nibble.
#[inline]
fn gather(from: &[u8], to: &mut [u8], write: impl Code) -> bool {
    let mut bad = 0;
    let mut eight = |characters: [u8; 8]| {
        let (nibbles, wrong) = write(u64::from_be_bytes(characters));
        bad |= wrong;
        bytes(nibbles)
    };
    if let (Some(last), Some(end)) = (from.last_chunk(), to.last_chunk_mut()) {
        *end = eight(*last);
        for (from, to) in from.as_chunks().0.iter().zip(to.as_chunks_mut().0) {
            *to = eight(*from);
        }
        return bad == 0;
    }
    // Fewer than eight characters: behind zeros, which every writing takes.
    match (from, to) {
        ([a, b], [t]) => [.., *t] = eight([ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, *a, *b]),
        ([a, b, c, d], [t, u]) => [.., *t, *u] = eight([ZERO, ZERO, ZERO, ZERO, *a, *b, *c, *d]),
        ([a, b, c, d, e, f], [t, u, v]) => [.., *t, *u, *v] = eight([ZERO, ZERO, *a, *b, *c, *d, *e, *f]),
        (_, _) => {}
    }
    bad == 0
}

#[cfg(test)]
mod tests;
