//! Card numbers: how they are shown, and where a message's own stand in it.

use std::fmt;

use super::message::Message;

/// Fewest and most digits of a card number.
const PAN_DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

/// Fields from which a message's own card numbers are read.
const PAN_SOURCES: [u8; 5] = [2, 34, 35, 36, 45];

/// A card number with at most its first six and last four digits left, and nothing else in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MaskedPan {
    first: [u8; 6],
    last: [u8; 4],
    len: usize,
}

/// Masks a card number for people. Fewer digits than a card number has, or anything but digits, is masked
/// whole.
#[must_use]
pub fn mask_pan(pan: &[u8]) -> MaskedPan {
    match (is_card_number(pan), pan.first_chunk(), pan.last_chunk()) {
        (true, Some(first), Some(last)) => MaskedPan { first: *first, last: *last, len: pan.len() },
        _ => MaskedPan { first: [b'*'; 6], last: [b'*'; 4], len: pan.len() },
    }
}

/// Whether all of it is digits, as many as a card number has.
pub(super) fn is_card_number(text: &[u8]) -> bool {
    PAN_DIGITS.contains(&text.len()) && text.iter().all(u8::is_ascii_digit)
}

impl fmt::Display for MaskedPan {
    /// As long as the number itself: `400000******3778`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let middle = self.len.saturating_sub(10);
        let (first, last) = (self.first.map(char::from), self.last.map(char::from));
        let stars = std::iter::repeat_n('*', middle);
        let text: String = first.into_iter().chain(stars).chain(last).take(self.len).collect();
        f.pad(&text)
    }
}

/// The card numbers of one message, for finding them where they should not be. Bill numbers look like card
/// numbers, so only the message's own are looked for, and only if their check digit is right.
#[derive(Clone, Copy, Default)]
pub struct CardNumbers<'a> {
    /// In the order of their sources; empty where a source has none, or one that is there already.
    numbers: [&'a [u8]; PAN_SOURCES.len()],
}

impl<'a> CardNumbers<'a> {
    /// Those of a message: of its DE 2 and its tracks, also where their content is bad.
    #[must_use]
    pub fn of(message: &Message<'_, 'a>) -> Self {
        let mut found = Self::default();
        for (index, field) in PAN_SOURCES.into_iter().enumerate() {
            let Some(value) = message.place(field).filter(|_| message.laid_out.has(field)) else {
                continue;
            };
            // A track has sentinels and, on track 1 and 3, a format code before the number; the number ends at the
            // separator.
            let from = value.iter().position(u8::is_ascii_digit).unwrap_or(value.len());
            let digits = value.get(from..).unwrap_or_default();
            let len = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
            let pan = digits.get(..len).unwrap_or_default();
            let sound = PAN_DIGITS.contains(&pan.len()) && luhn(pan) && !found.numbers.contains(&pan);
            if let Some(slot) = found.numbers.get_mut(index).filter(|_| sound) {
                *slot = pan;
            }
        }
        found
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.numbers.iter().all(|pan| pan.is_empty())
    }

    /// Whether one of them stands in a text.
    #[must_use]
    pub fn in_text(&self, text: &[u8]) -> bool {
        self.places_in(text).next().is_some()
    }

    /// A copy of a value without them, as long; `None` if none stands in it. They are found as characters, in EBCDIC and
    /// as packed digits.
    #[must_use]
    pub fn hidden_in(&self, value: &[u8]) -> Option<Vec<u8>> {
        if self.is_empty() {
            return None;
        }
        let mut copy = value.to_vec();
        self.hide_in(&mut copy, true, b'0');
        (copy != value).then_some(copy)
    }

    /// Overwrites them in a text, also one of EBCDIC, or in bytes that may also hold them as packed digits.
    pub(super) fn hide_in(&self, value: &mut [u8], bytes: bool, with: u8) {
        let places: Vec<Place> = self.places_in(value).collect();
        places.iter().for_each(|place| place.fill(value, with));
        for pan in self.numbers.iter().filter(|pan| !pan.is_empty()) {
            hide_ebcdic(value, pan);
            if bytes {
                hide_packed(value, pan);
            }
        }
    }

    /// Where they stand in a text, and what follows them there if it is the rest of a track.
    fn places_in<'t>(&self, text: &'t [u8]) -> impl Iterator<Item = Place> + use<'a, 't> {
        let numbers = self.numbers;
        numbers.into_iter().filter(|pan| !pan.is_empty()).flat_map(move |pan| {
            starts(text, pan).flat_map(move |start| {
                let end = start.saturating_add(pan.len());
                let rest = text.get(end..).unwrap_or_default();
                let tail = Place { start: end.saturating_add(1), len: track_tail(rest) };
                [Place::middle(start, pan.len()), tail]
            })
        })
    }
}

/// Bytes to be overwritten.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: usize,
    len: usize,
}

impl Place {
    /// A card number that starts here, but for its first six and last four digits.
    const fn middle(start: usize, len: usize) -> Self {
        Self { start: start.saturating_add(6), len: len.saturating_sub(10) }
    }

    fn fill(self, text: &mut [u8], with: u8) {
        if let Some(bytes) = text.get_mut(self.start..self.start.saturating_add(self.len)) {
            bytes.fill(with);
        }
    }
}

/// Where a text stands in another.
fn starts<'t>(text: &'t [u8], what: &[u8]) -> impl Iterator<Item = usize> + use<'t> {
    let what = what.to_vec();
    let width = what.len().max(1);
    text.windows(width).enumerate().filter(move |(_, window)| *window == what).map(|(start, _)| start)
}

/// Overwrites a number in EBCDIC but for its first six and last four digits, and what follows it if that is a track's.
fn hide_ebcdic(value: &mut [u8], pan: &[u8]) {
    const ZERO: u8 = 0xf0;
    let ebcdic: Vec<u8> = pan.iter().map(|digit| digit | ZERO).collect();
    let places: Vec<usize> = starts(value, &ebcdic).collect();
    for at in places {
        Place::middle(at, pan.len()).fill(value, ZERO);
        let end = at.saturating_add(pan.len());
        let on = |byte: &u8| matches!(byte, 0xf0..=0xf9 | 0x7e | 0xc4);
        let tail = match value.get(end..).and_then(<[u8]>::split_first) {
            // `=` and `D`, and on track 1 `^`, which is not at one place on all code pages.
            Some((0x7e | 0xc4, rest)) => rest.iter().position(|byte| !on(byte)).unwrap_or(rest.len()),
            Some((0x5f | 0xb0, rest)) => rest.len(),
            Some(_) | None => 0,
        };
        Place { start: end.saturating_add(1), len: tail }.fill(value, ZERO);
    }
}

/// Overwrites a number of packed digits, wherever its nibbles begin, but for the first six and last four, and what
/// follows it if that is a track's.
fn hide_packed(value: &mut [u8], pan: &[u8]) {
    const SEPARATOR: u8 = 0xd;
    let nibbles = value.len().saturating_mul(2);
    let nibble = |value: &[u8], at: usize| {
        let byte = value.get(at / 2).copied().unwrap_or(0xff);
        if at.is_multiple_of(2) { byte >> 4 } else { byte & 15 }
    };
    let clear = |value: &mut [u8], at: usize| {
        if let Some(byte) = value.get_mut(at / 2) {
            *byte &= if at.is_multiple_of(2) { 0x0f } else { 0xf0 };
        }
    };
    for start in 0..nibbles.saturating_sub(pan.len().saturating_sub(1)) {
        let mut digits = pan.iter().enumerate();
        if !digits.all(|(at, digit)| nibble(value, start.saturating_add(at)) == digit & 15) {
            continue;
        }
        let end = start.saturating_add(pan.len());
        for at in start.saturating_add(6)..end.saturating_sub(4) {
            clear(value, at);
        }
        if nibble(value, end) == SEPARATOR {
            let on = |value: &[u8], at: usize| matches!(nibble(value, at), 0..=9 | SEPARATOR);
            let mut at = end.saturating_add(1);
            while on(value, at) {
                clear(value, at);
                at = at.saturating_add(1);
            }
        }
    }
}

/// Bytes of a track behind its card number and one separator: digits and separators on track 2 and 3, on track 1 also a
/// name.
fn track_tail(rest: &[u8]) -> usize {
    match rest.split_first() {
        Some((b'=' | b'D', tail)) => {
            let on = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'=' | b'D');
            tail.iter().position(|byte| !on(byte)).unwrap_or(tail.len())
        }
        Some((b'^', tail)) => tail.len(),
        _ => 0,
    }
}

/// Whether DE 2 holds what can only be a card number.
pub(super) fn shows_card_number(message: &Message<'_, '_>) -> bool {
    message.field(2).is_some_and(|pan| is_card_number(pan) && luhn(pan))
}

/// Whether digits end in the check digit that card numbers have (ISO/IEC 7812).
#[must_use]
pub fn has_check_digit(digits: &[u8]) -> bool {
    digits.iter().all(u8::is_ascii_digit) && luhn(digits)
}

/// Whether the last digit is the check digit of the others (ISO/IEC 7812).
fn luhn(digits: &[u8]) -> bool {
    let sum = digits.iter().rev().enumerate().fold(0_u32, |sum, (index, byte)| {
        let digit = u32::from(byte.wrapping_sub(b'0'));
        let doubled = digit.saturating_mul(2);
        let digits_added = if doubled > 9 { doubled.saturating_sub(9) } else { doubled };
        sum.saturating_add(if index.is_multiple_of(2) { digit } else { digits_added })
    });
    sum.is_multiple_of(10)
}
