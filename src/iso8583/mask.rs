//! Card data out of sight: for people, and for recordings that must still decode.

use std::fmt;

use super::charset::Class;
use super::decode::decode;
use super::dialect::{CardData, Dialect};
use super::message::{Elements, Message};
use super::table::Layout;

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
    let shown = PAN_DIGITS.contains(&pan.len()) && pan.iter().all(u8::is_ascii_digit);
    match (shown, pan.first_chunk(), pan.last_chunk()) {
        (true, Some(first), Some(last)) => MaskedPan { first: *first, last: *last, len: pan.len() },
        _ => MaskedPan { first: [b'*'; 6], last: [b'*'; 4], len: pan.len() },
    }
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

/// Overwrites the card data of a frame (MTI first) where it stands. The frame keeps its length and stays as
/// decodable as it was: digits become zeros, text becomes stars.
///
/// Beside the fields that the dialect marks, the message's own card numbers are looked for in all others. Where
/// the layout is lost, everything after the last field that decoded becomes stars.
pub fn mask_frame(dialect: &Dialect, frame: &mut [u8]) {
    mask_frame_with(dialect, frame, &CardNumbers::default());
}

/// As [`mask_frame`], looking also for card numbers known from elsewhere: an answer repeats what its request
/// said, but not always the field that shows it to be a card number.
pub fn mask_frame_with(dialect: &Dialect, frame: &mut [u8], known: &CardNumbers<'_>) {
    let (places, end) = {
        let decoded = decode(dialect, frame);
        let mut places = places(&decoded.message, &CardNumbers::of(&decoded.message));
        places.extend(self::places(&decoded.message, known));
        (places, decoded.message.end)
    };
    for place in places {
        if let Some(bytes) = frame.get_mut(place.start..place.start.saturating_add(place.len)) {
            place.hide.apply(bytes, b'0');
        }
    }
    if let Some(lost) = frame.get_mut(end..) {
        lost.fill(b'*');
    }
}

/// A copy of a field's value for people: masked as [`mask_frame`] does, but with stars for digits too.
pub(super) fn for_people(
    message: &Message<'_, '_>,
    pans: &CardNumbers<'_>,
    field: u8,
    value: &[u8],
) -> Vec<u8> {
    let mut copy = value.to_vec();
    let start = message.offset(field).unwrap_or(0);
    let mut places = Vec::new();
    places_in(message, pans, field, &mut places);
    for place in places {
        let at = place.start.saturating_sub(start);
        if let Some(bytes) = copy.get_mut(at..at.saturating_add(place.len)) {
            match place.hide {
                Hide::Pan => bytes.copy_from_slice(mask_pan(bytes).to_string().as_bytes()),
                Hide::All(_) => bytes.fill(b'*'),
            }
        }
    }
    copy
}

/// Bytes of a frame to be overwritten.
struct Place {
    start: usize,
    len: usize,
    hide: Hide,
}

#[derive(Clone, Copy)]
enum Hide {
    /// All but the first six and last four.
    Pan,
    /// All of it, with what the class allows.
    All(Class),
}

impl Hide {
    fn apply(self, bytes: &mut [u8], digit: u8) {
        match self {
            Self::Pan => {
                let kept = PAN_DIGITS.contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_digit);
                let last = if kept { bytes.len().saturating_sub(4) } else { bytes.len() };
                if let Some(middle) = bytes.get_mut(if kept { 6 } else { 0 }..last) {
                    middle.fill(digit);
                }
            }
            Self::All(Class::Xn) => {
                if let Some((_, digits)) = bytes.split_first_mut() {
                    digits.fill(b'0');
                }
            }
            Self::All(Class::A) => bytes.fill(b'X'),
            Self::All(Class::N | Class::An | Class::Z | Class::B | Class::Hex) => bytes.fill(b'0'),
            Self::All(Class::Ns | Class::As | Class::Ans) => bytes.fill(b'*'),
        }
    }
}

/// Everything of a message that is to be hidden, bad content included: a card number with a letter in it is
/// one still.
fn places(message: &Message<'_, '_>, pans: &CardNumbers<'_>) -> Vec<Place> {
    let mut places = Vec::new();
    for field in message.laid_out.iter() {
        places_in(message, pans, field, &mut places);
    }
    places
}

fn places_in(message: &Message<'_, '_>, pans: &CardNumbers<'_>, field: u8, places: &mut Vec<Place>) {
    let (Some((start, value)), Some(layout)) = (message.place(field), message.dialect.layout(field)) else {
        return;
    };
    match message.dialect.card_data(field) {
        CardData::Pan => places.push(Place { start, len: value.len(), hide: Hide::Pan }),
        CardData::Never => {
            // Elements keep their tags and lengths, or the field would no longer decode.
            for (at, inside) in insides(layout, value) {
                let hide = Hide::All(layout.class);
                places.push(Place { start: start.saturating_add(at), len: inside.len(), hide });
            }
        }
        CardData::None if pans.is_empty() => {}
        CardData::None => {
            for (at, inside) in insides(layout, value) {
                let at = start.saturating_add(at);
                places.extend(
                    pans.places_in(inside)
                        .map(|place| Place { start: at.saturating_add(place.start), ..place }),
                );
            }
        }
    }
}

/// The values in a field, each with its place in it: of each element of a sound TLV field, else the one whole
/// value.
fn insides<'v>(layout: &Layout, value: &'v [u8]) -> Vec<(usize, &'v [u8])> {
    let Some(tlv) = layout.tlv.filter(|tlv| Elements::new(*tlv, value).left_malformed() == 0) else {
        return vec![(0, value)];
    };
    let head = usize::from(tlv.tag).saturating_add(usize::from(tlv.length));
    let mut at = 0_usize;
    Elements::new(tlv, value)
        .map(|(_, inside)| {
            let start = at.saturating_add(head);
            at = start.saturating_add(inside.len());
            (start, inside)
        })
        .collect()
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
            let Some((_, value)) = message.place(field).filter(|_| message.laid_out.has(field)) else {
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

    /// A copy of a text without them, as long; `None` if none stands in it.
    #[must_use]
    pub fn hidden_in(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut copy: Option<Vec<u8>> = None;
        for place in self.places_in(text) {
            let copy = copy.get_or_insert_with(|| text.to_vec());
            if let Some(bytes) = copy.get_mut(place.start..place.start.saturating_add(place.len)) {
                place.hide.apply(bytes, b'0');
            }
        }
        copy
    }

    /// Where they stand in a text, and what follows them there if it is the rest of a track.
    fn places_in<'t>(&self, text: &'t [u8]) -> impl Iterator<Item = Place> + use<'a, 't> {
        let numbers = self.numbers;
        numbers.into_iter().filter(|pan| !pan.is_empty()).flat_map(move |pan| {
            let hits = text.windows(pan.len()).enumerate().filter(move |(_, window)| *window == pan);
            hits.flat_map(move |(start, _)| {
                let end = start.saturating_add(pan.len());
                let rest = text.get(end..).unwrap_or_default();
                let tail =
                    Place { start: end.saturating_add(1), len: track_tail(rest), hide: Hide::All(Class::An) };
                [Place { start, len: pan.len(), hide: Hide::Pan }, tail]
            })
        })
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
    message
        .field(2)
        .is_some_and(|pan| PAN_DIGITS.contains(&pan.len()) && pan.iter().all(u8::is_ascii_digit) && luhn(pan))
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
