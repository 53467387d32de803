//! Card data where nobody can say which field it is: once the layout is lost, any field may have been read at a wrong place,
//! and then a card number may stand in others, a piece in each.

use std::ops::Range;

use serde_json::Value;

use crate::iso8583::{Decoded, has_check_digit};

/// Fewest and most digits of a card number.
const PAN_DIGITS: std::ops::RangeInclusive<usize> = 13..=19;
/// Digits of a card number that may be shown before and behind what is hidden.
const SHOWN: usize = 6;
/// Fewest digits behind the separator of a track.
const TRACK_TAIL_MIN: usize = 4;

/// What is not to be shown of a message that may have been misread.
pub(super) struct Doubt {
    /// Places of the frame.
    places: Vec<Range<usize>>,
}

impl Doubt {
    /// What is to be hidden; `None` if the message can be trusted.
    pub(super) fn of(decoded: &Decoded<'_, '_>) -> Option<Self> {
        if !decoded.may_be_misread() {
            return None;
        }
        let frame = decoded.message.frame();
        let places = (0..frame.len()).flat_map(|at| {
            let rest = frame.get(at..).unwrap_or_default();
            let found = [characters(rest), packed(rest), track(rest)];
            found
                .into_iter()
                .flatten()
                .map(move |Range { start, end }| at.saturating_add(start)..at.saturating_add(end))
        });
        Some(Self { places: places.collect() })
    }

    /// Overwrites what is to be hidden in a copy of the frame.
    pub(super) fn hide(&self, frame: &mut [u8]) {
        for place in &self.places {
            if let Some(bytes) = frame.get_mut(place.clone()) {
                bytes.fill(b'*');
            }
        }
    }

    /// Whether something to be hidden reaches into so many bytes from here.
    pub(super) fn touches(&self, from: usize, len: usize) -> bool {
        let to = from.saturating_add(len);
        self.places.iter().any(|place| place.start < to && from < place.end)
    }

    /// A value as it may be shown; `touched`: it has a part of what is to be hidden.
    pub(super) fn value(value: &str, touched: bool) -> String {
        if touched { "*".repeat(value.chars().count()) } else { without_long_digits(value) }
    }

    /// The same with the fields of a message as JSON.
    pub(super) fn fields(&self, decoded: &Decoded<'_, '_>, fields: &mut Value) {
        for (key, value) in fields.as_object_mut().into_iter().flatten() {
            let number = key.parse().unwrap_or(0);
            Self::json(value, self.touches_field(decoded, number));
        }
    }

    /// Whether something to be hidden reaches into a field.
    pub(super) fn touches_field(&self, decoded: &Decoded<'_, '_>, field: u8) -> bool {
        let message = &decoded.message;
        let wire = message.wire(field).unwrap_or_default();
        message.offset(field).is_some_and(|at| self.touches(at, wire.len()))
    }

    fn json(value: &mut Value, touched: bool) {
        match value {
            Value::String(text) => *text = Self::value(text, touched),
            Value::Array(values) => values.iter_mut().for_each(|value| Self::json(value, touched)),
            Value::Object(object) => object.values_mut().for_each(|value| Self::json(value, touched)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// A digit in ASCII or EBCDIC.
const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' | 0xf0..=0xf9 => Some(byte & 15),
        _ => None,
    }
}

/// Two digits of length and as many of a card number, at the start of these bytes.
fn characters(bytes: &[u8]) -> Option<Range<usize>> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let [tens, ones] = length.map(digit);
    let len = usize::from(tens?.saturating_mul(10).saturating_add(ones?));
    let number: Vec<u8> =
        rest.get(..len)?.iter().map_while(|byte| digit(*byte)).map(|digit| digit | b'0').collect();
    let is_card = PAN_DIGITS.contains(&len) && number.len() == len && has_check_digit(&number);
    is_card.then(|| length.len().saturating_add(SHOWN)..length.len().saturating_add(len).saturating_sub(4))
}

/// A length of one byte and the digits of a card number packed, at the start of these bytes.
fn packed(bytes: &[u8]) -> Option<Range<usize>> {
    let (length, rest) = bytes.split_first()?;
    let decimal = usize::from(length >> 4).saturating_mul(10).saturating_add(usize::from(length & 15));
    let is_card = |len: usize| {
        let wire = rest.get(..len.div_ceil(2))?;
        let digits: Vec<u8> =
            wire.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|nibble| nibble | b'0').collect();
        let odd = !len.is_multiple_of(2);
        let sides = [digits.get(usize::from(odd)..)?, digits.get(..len)?];
        let fits = PAN_DIGITS.contains(&len) && sides.iter().any(|digits| has_check_digit(digits));
        fits.then(|| 1_usize.saturating_add(SHOWN / 2)..wire.len().saturating_sub(1))
    };
    is_card(decimal).or_else(|| is_card(usize::from(*length)))
}

/// The number of a track and what follows its separator, at the start of these bytes.
fn track(bytes: &[u8]) -> Option<Range<usize>> {
    let len = bytes.iter().position(|byte| digit(*byte).is_none())?;
    if !PAN_DIGITS.contains(&len) || !matches!(bytes.get(len), Some(b'=' | b'D' | b'^' | 0x7e | 0xc4)) {
        return None;
    }
    let behind = bytes.get(len.saturating_add(1)..)?;
    let tail = behind.iter().position(|byte| digit(*byte).is_none()).unwrap_or(behind.len());
    let is_name = bytes.get(len) == Some(&b'^');
    let end = if is_name { bytes.len() } else { len.saturating_add(1).saturating_add(tail) };
    (is_name || tail >= TRACK_TAIL_MIN).then_some(SHOWN..end)
}

/// Without what may be a card number or a track, digit by digit.
fn without_long_digits(value: &str) -> String {
    let of_track = |c: char| c.is_ascii_digit() || matches!(c, '=' | '^' | 'D' | '*');
    let mut shown = String::new();
    let mut rest = value;
    while !rest.is_empty() {
        let other = rest.find(of_track).unwrap_or(rest.len());
        let (before, from) = rest.split_at_checked(other).unwrap_or((rest, ""));
        shown.push_str(before);
        let end = from.find(|c| !of_track(c)).unwrap_or(from.len());
        let (run, behind) = from.split_at_checked(end).unwrap_or((from, ""));
        rest = behind;
        let long = run.len() >= *PAN_DIGITS.start();
        shown.extend(run.chars().enumerate().map(|(at, c)| if long && at >= SHOWN { '*' } else { c }));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso8583::{Mirror, decode, shipped};

    #[test]
    fn long_digits_are_hidden_and_short_ones_are_not() {
        let table = [
            ("4242424242424242", "424242**********"),
            ("PAN 4242424242424242=29121011 A", "PAN 424242******************* A"),
            ("000000120000", "000000120000"),
            ("", ""),
            ("A CITIZEN", "A CITIZEN"),
        ];
        for (value, want) in table {
            assert_eq!(without_long_digits(value), want);
        }
    }

    #[test]
    fn card_numbers_are_found_in_every_coding() {
        let ebcdic: Vec<u8> = b"164242424242424242".iter().map(|byte| byte | 0xf0).collect();
        let table: &[(&[u8], Option<Range<usize>>)] = &[
            (b"164242424242424242", Some(8..14)),
            (b"164242424242424243", None),
            (&ebcdic, Some(8..14)),
            (b"\x16\x42\x42\x42\x42\x42\x42\x42\x42", Some(4..7)),
            (b"\x10\x42\x42\x42\x42\x42\x42\x42\x42", Some(4..7)),
            (b"4242424242424242=2912101", Some(6..24)),
            (b"4242424242424242 2912101", None),
        ];
        for (bytes, want) in table {
            let found = characters(bytes).or_else(|| packed(bytes)).or_else(|| track(bytes));
            assert_eq!(found, *want, "{bytes:?}");
        }
    }

    #[test]
    fn pieces_of_a_card_number_in_several_fields_are_hidden() {
        // Hex bitmaps read as bytes: the fields that these seem to announce have pieces of DE 2.
        let frame = b"02004000000000000000164242424242424242";
        let bytes = shipped::dialect("iso87-ascii-binary-bitmap").unwrap().unwrap();
        let mut mirror = Mirror::new();
        let decoded = decode(&bytes, frame, &mut mirror);
        let doubt = Doubt::of(&decoded).unwrap();
        let mut copy = frame.to_vec();
        doubt.hide(&mut copy);
        assert_eq!(
            copy,
            b"02004000000000000000164 24242******4242"
                .iter()
                .copied()
                .filter(|c| *c != b' ')
                .collect::<Vec<u8>>()
        );
        assert!(doubt.touches(30, 1) && !doubt.touches(0, 20));
    }
}
