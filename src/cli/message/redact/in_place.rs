//! Messages replaced where they stand in text: in hex, in base64 or as they are. All else stays as it is.

use std::collections::BTreeSet;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// A message and what it is to be replaced with, as long. No `Debug`: it holds card data.
pub(super) struct Change {
    /// Lines of the text that it stands on, from 1; `None` for the whole text.
    pub(super) lines: Option<(usize, usize)>,
    pub(super) before: Vec<u8>,
    pub(super) after: Vec<u8>,
}

/// Replaces messages in a text, in its order; gives back the places of those that were not found.
pub(super) fn replace(text: &mut [u8], changes: &[Change]) -> Vec<usize> {
    let starts = line_starts(text);
    let mut missing = Vec::new();
    let mut at = 0_usize;
    for (index, change) in changes.iter().enumerate() {
        let region = match change.lines {
            None => at..text.len(),
            Some((first, last)) => region(&starts, text.len(), first, last),
        };
        // Two messages on one line stand one behind the other.
        let region = region.start.max(at)..region.end.max(at);
        let found = hex_place(text, region.clone(), &change.before)
            .map(|digits| put_hex(text, &digits, &change.after))
            .or_else(|| bare(text, region.clone(), change))
            .or_else(|| base64(text, region, change));
        match found {
            Some(end) => at = end,
            None => missing.push(index),
        }
    }
    missing
}

/// Overwrites every letter and digit of lines, where nothing better is known.
pub(super) fn star_lines(text: &mut [u8], lines: Option<(usize, usize)>) {
    let starts = line_starts(text);
    let region = lines.map_or(0..text.len(), |(first, last)| region(&starts, text.len(), first, last));
    for byte in text.get_mut(region).unwrap_or_default() {
        if byte.is_ascii_alphanumeric() {
            *byte = b'*';
        }
    }
}

/// Overwrites card numbers that stand in a text for themselves, but for their first six and last four digits.
pub(super) fn hide_numbers(text: &mut [u8], numbers: &BTreeSet<Vec<u8>>) {
    let mut at = 0_usize;
    while let Some(start) = text.get(at..).and_then(|rest| rest.iter().position(u8::is_ascii_digit)) {
        let start = at.saturating_add(start);
        let rest = text.get(start..).unwrap_or_default();
        let len = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        let end = start.saturating_add(len);
        if text.get(start..end).is_some_and(|digits| numbers.contains(digits)) {
            let middle = start.saturating_add(6)..end.saturating_sub(4);
            text.get_mut(middle).unwrap_or_default().fill(b'*');
        }
        at = end;
    }
}

/// Where each line starts.
fn line_starts(text: &[u8]) -> Vec<usize> {
    let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    std::iter::once(0).chain(ends.map(|(at, _)| at.saturating_add(1))).collect()
}

fn region(starts: &[usize], len: usize, first: usize, last: usize) -> Range<usize> {
    let start = |line: usize| starts.get(line.saturating_sub(1)).copied().unwrap_or(len);
    start(first)..start(last.saturating_add(1))
}

const fn nibble(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte & 15),
        b'a'..=b'f' | b'A'..=b'F' => Some((byte & 15).saturating_add(9)),
        _ => None,
    }
}

/// Places of the hex digits that spell a message, with what may stand between digits.
fn hex_place(text: &[u8], region: Range<usize>, message: &[u8]) -> Option<Vec<usize>> {
    let mut nibbles = message.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let first = nibbles.next()?;
    let mut starts = region.clone().filter(|at| text.get(*at).copied().and_then(nibble) == Some(first));
    starts.find_map(|start| spelled(text.get(..region.end)?, start, message))
}

fn spelled(text: &[u8], start: usize, message: &[u8]) -> Option<Vec<usize>> {
    let mut places = Vec::new();
    let mut at = start;
    for want in message.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
        loop {
            let rest = text.get(at..)?;
            // What may stand between digits comes between bytes only.
            let skipped = match rest {
                [b'0', b'x' | b'X', ..] if places.len().is_multiple_of(2) => 2,
                [b'\\', b'x', ..] => 2,
                [b' ' | b'\t' | b'\r' | b'\n' | b':' | b',' | b'-', ..] if !places.is_empty() => 1,
                _ => 0,
            };
            if skipped == 0 {
                break;
            }
            at = at.saturating_add(skipped);
        }
        if nibble(*text.get(at)?) != Some(want) {
            return None;
        }
        places.push(at);
        at = at.saturating_add(1);
    }
    Some(places)
}

/// Writes hex digits to their places, in the case of the text; says where they end.
fn put_hex(text: &mut [u8], places: &[usize], message: &[u8]) -> usize {
    let lower = places.iter().any(|at| text.get(*at).is_some_and(u8::is_ascii_lowercase));
    let digits = if lower { hex::encode(message) } else { hex::encode_upper(message) };
    for (place, digit) in places.iter().zip(digits.bytes()) {
        if let Some(byte) = text.get_mut(*place) {
            *byte = digit;
        }
    }
    places.last().map_or(0, |last| last.saturating_add(1))
}

/// A message that is text itself.
fn bare(text: &mut [u8], region: Range<usize>, change: &Change) -> Option<usize> {
    let inside = text.get(region.clone())?;
    let at = inside.windows(change.before.len().max(1)).position(|window| window == change.before)?;
    let start = region.start.saturating_add(at);
    let end = start.saturating_add(change.before.len());
    text.get_mut(start..end)?.copy_from_slice(&change.after);
    Some(end)
}

/// A message that is all of its lines, in base64; padding, line ends and the alphabet stay.
fn base64(text: &mut [u8], region: Range<usize>, change: &Change) -> Option<usize> {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    let inside = text.get(region.clone())?;
    let is_url = inside.iter().any(|byte| matches!(byte, b'-' | b'_'));
    let standard = |digit: u8| match digit {
        b'-' => b'+',
        b'_' => b'/',
        digit => digit,
    };
    let places: Vec<usize> =
        region.clone().filter(|at| text.get(*at).is_some_and(|byte| is_digit(*byte))).collect();
    let digits: Vec<u8> =
        places.iter().filter_map(|at| text.get(*at)).map(|digit| standard(*digit)).collect();
    let wanted = STANDARD_NO_PAD.encode(&change.before).into_bytes();
    let from = digits.windows(wanted.len().max(1)).position(|window| window == wanted)?;
    let written = STANDARD_NO_PAD.encode(&change.after);
    for (place, digit) in places.iter().skip(from).zip(written.bytes()) {
        *text.get_mut(*place)? = match digit {
            b'+' if is_url => b'-',
            b'/' if is_url => b'_',
            digit => digit,
        };
    }
    places.get(from.saturating_add(wanted.len()).saturating_sub(1)).map(|last| last.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_replaced_as_it_stands() {
        let table: &[(&str, &str)] = &[
            ("30313233", "30302a2a"),
            ("sent 0x30313233, then idle", "sent 0x30302a2a, then idle"),
            ("30 31 32 33", "30 30 2a 2a"),
            ("0x30, 0x31, 0x32, 0x33", "0x30, 0x30, 0x2a, 0x2a"),
            ("\\x30\\x31\\x32\\x33", "\\x30\\x30\\x2a\\x2a"),
            ("3031\n3233\n", "3030\n2a2a\n"),
            ("MDEyMw==", "MDAqKg=="),
            ("MDEyMw", "MDAqKg"),
            ("0123", "00**"),
        ];
        for (before, want) in table {
            let mut text = before.as_bytes().to_vec();
            let change = Change { lines: None, before: b"0123".to_vec(), after: b"00**".to_vec() };
            assert_eq!(replace(&mut text, &[change]), Vec::<usize>::new(), "{before}");
            assert_eq!(String::from_utf8(text).unwrap().to_lowercase(), want.to_lowercase());
        }
    }

    #[test]
    fn the_same_message_twice_is_replaced_twice_and_one_that_is_not_there_is_told() {
        let change =
            |line| Change { lines: Some((line, line)), before: b"0123".to_vec(), after: b"00**".to_vec() };
        let mut text = b"a 30313233 b 30313233\nnothing\nc 30313233\n".to_vec();
        assert_eq!(replace(&mut text, &[change(1), change(1), change(2), change(3)]), [2]);
        assert_eq!(text, b"a 30302A2A b 30302A2A\nnothing\nc 30302A2A\n");
        star_lines(&mut text, Some((2, 2)));
        assert!(text.windows(9).any(|window| window == b"\n*******\n"));
    }

    #[test]
    fn card_numbers_beside_the_messages_are_hidden() {
        let numbers = BTreeSet::from([b"4242424242424242".to_vec()]);
        let mut text = b"pan=4242424242424242 ref=14242424242424242 4242424242424242".to_vec();
        hide_numbers(&mut text, &numbers);
        assert_eq!(text, b"pan=424242******4242 ref=14242424242424242 424242******4242");
    }
}
