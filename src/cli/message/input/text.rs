//! Input that is nothing but messages: hex, base64, or frames that are text themselves.

use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::likeness::{MESSAGE_BYTES_MIN, is_message, looks_like_message};
use super::{Found, InputError, Judge, MESSAGE_BYTES_MAX, MESSAGES_MAX, Place};

/// Takes base64 with or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Text longer than this is no single message: for each byte `0x`, two digits, a comma and a blank.
const MESSAGE_TEXT_MAX: usize = 6 * MESSAGE_BYTES_MAX;

/// Lines that follow one another without a blank one.
#[derive(Clone, Copy)]
struct Paragraph<'t> {
    /// Number of the first line.
    first: usize,
    text: &'t str,
}

/// Whether all of it is hex, as [`hex`] takes it.
pub(super) fn is_hex(text: &str) -> bool {
    hex_digits(text).is_ok_and(|digits| !digits.is_empty())
}

/// Whether all of it is hex, and enough for a message.
pub(super) fn is_long_hex(text: &str) -> bool {
    hex_digits(text).is_ok_and(|digits| digits.len() >= MESSAGE_BYTES_MIN.saturating_mul(2))
}

/// Messages in hex, with blanks, colons, commas, dashes, `0x` and `\x` between. A blank line ends a message; whether
/// the lines between two of them are one message or one each, the judge says or else their lengths.
pub(super) fn hex(source: &Arc<str>, text: &str, judge: &Judge<'_>) -> Result<Vec<Found>, InputError> {
    if let Err(at) = hex_digits(text) {
        let before = text.get(..at).unwrap_or_default();
        let line = before.matches('\n').count().saturating_add(1);
        let column = before.chars().rev().take_while(|c| *c != '\n').count().saturating_add(1);
        return Err(InputError::NotHex { name: Arc::clone(source), line, column });
    }
    let found = hex_lines(source, 1, text, judge);
    let found = found.map_err(|fault| fault.with(source, |place| InputError::OddHex { place }))?;
    if found.is_empty() {
        return Err(InputError::Empty { name: source.to_string() });
    }
    Ok(whole_if_one(found))
}

/// As [`hex`], of lines from number `first` on that are hex.
pub(super) fn hex_lines(
    source: &Arc<str>,
    first: usize,
    text: &str,
    judge: &Judge<'_>,
) -> Result<Vec<Found>, Fault> {
    messages(source, first, text, judge, &|text| hex::decode(hex_digits(text).ok()?).ok())
}

/// Messages in base64. Lines as with [`hex`].
pub(super) fn base64(source: &Arc<str>, text: &str, judge: &Judge<'_>) -> Result<Vec<Found>, InputError> {
    messages(source, 1, text, judge, &|text| {
        let standard = |byte: u8| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        };
        let characters: Vec<u8> =
            text.bytes().filter(|byte| !byte.is_ascii_whitespace()).map(standard).collect();
        BASE64.decode(characters).ok()
    })
    .map(whole_if_one)
    .map_err(|fault| fault.with(source, |place| InputError::NotBase64 { place }))
}

/// Frames that are text themselves, one a line; `None` if some line does not begin like one.
pub(super) fn bare(source: &Arc<str>, text: &str) -> Option<Vec<Found>> {
    let lines = || (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let too_many = lines().nth(MESSAGES_MAX).is_some();
    if too_many || !lines().all(|(_, line)| begins_frame(line.as_bytes())) {
        return None;
    }
    let found = lines().map(|(number, line)| Found {
        bytes: line.as_bytes().to_vec(),
        place: Place::Lines { source: Arc::clone(source), first: number, last: number },
    });
    Some(whole_if_one(found.collect()))
}

/// An MTI, or the header of BASE24, which is the one that is text.
const fn begins_frame(line: &[u8]) -> bool {
    matches!(
        line,
        [b'0'..=b'2', b'1'..=b'8', b'0'..=b'9', b'0'..=b'9', ..] | [b'I', b'S', b'O', b'0'..=b'9', ..]
    )
}

/// Whether a frame that is text looks like a message, and not like the hex of one.
pub(super) fn is_plausible_bare(bytes: &[u8]) -> bool {
    begins_frame(bytes) && (is_message(bytes) || bytes.get(12..).is_some_and(is_message))
}

/// The digits of a text of hex; `Err` is where it is something else.
fn hex_digits(text: &str) -> Result<Vec<u8>, usize> {
    let mut digits = Vec::new();
    let mut rest = text.as_bytes();
    let mut within_number = false;
    while let [byte, after @ ..] = rest {
        rest = match (byte, after) {
            (b'0', [b'x' | b'X', after @ ..]) if !within_number => after,
            (b'\\', [b'x', after @ ..]) => after,
            (digit, _) if digit.is_ascii_hexdigit() => {
                digits.push(*digit);
                after
            }
            (b' ' | b'\t' | b'\n' | b'\r' | b'\x0c' | b':' | b',' | b'-', _) => after,
            _ => return Err(text.len().saturating_sub(rest.len())),
        };
        within_number = byte.is_ascii_hexdigit();
    }
    Ok(digits)
}

fn paragraphs(first: usize, text: &str) -> impl Iterator<Item = Paragraph<'_>> {
    let mut lines = (first..).zip(text.split_inclusive('\n')).peekable();
    let mut at = 0_usize;
    std::iter::from_fn(move || {
        let is_blank = |line: &str| line.trim().is_empty();
        while let Some((_, line)) = lines.next_if(|(_, line)| is_blank(line)) {
            at = at.saturating_add(line.len());
        }
        let (first, start) = (lines.peek()?.0, at);
        while let Some((_, line)) = lines.next_if(|(_, line)| !is_blank(line)) {
            at = at.saturating_add(line.len());
        }
        Some(Paragraph { first, text: text.get(start..at)? })
    })
}

/// Why the messages of a text cannot be told.
pub(super) enum Fault {
    /// Something that cannot be decoded.
    Bad(Place),
    /// More than a message has.
    TooLong(Place, usize),
    TooMany,
}

impl Fault {
    fn with(self, source: &Arc<str>, bad: impl FnOnce(Place) -> InputError) -> InputError {
        match self {
            Self::Bad(place) => bad(place),
            Self::TooLong(place, len) => InputError::MessageTooLong { place, len },
            Self::TooMany => InputError::TooMany { name: Arc::clone(source) },
        }
    }
}

/// The messages of every paragraph of a text whose first line has the number `first`.
fn messages(
    source: &Arc<str>,
    first: usize,
    text: &str,
    judge: &Judge<'_>,
    decode: &dyn Fn(&str) -> Option<Vec<u8>>,
) -> Result<Vec<Found>, Fault> {
    let mut found = Vec::new();
    for Paragraph { first, text } in paragraphs(first, text) {
        let place = |first, last| Place::Lines { source: Arc::clone(source), first, last };
        let lines = || (first..).zip(text.lines());
        let last = first.saturating_add(text.lines().skip(1).count());
        let joined = (text.len() <= MESSAGE_TEXT_MAX).then(|| decode(text)).flatten();
        let (wanted, room) = (last > first, MESSAGES_MAX.saturating_sub(found.len()));
        let apart: Option<Vec<Vec<u8>>> = if wanted {
            let each = lines().take(room.saturating_add(1)).map(|(_, line)| decode(line));
            each.map(|bytes| bytes.filter(|bytes| bytes.len() >= MESSAGE_BYTES_MIN)).collect()
        } else {
            None
        };
        match (joined, apart) {
            // Nothing but what may stand between digits.
            (Some(joined), _) if joined.is_empty() => {}
            (Some(joined), apart) if apart.as_ref().is_none_or(|apart| is_one(&joined, apart, judge)) => {
                found.push(Found { bytes: joined, place: place(first, last) });
            }
            (_, Some(apart)) => {
                found.extend((first..).zip(apart).map(|(at, bytes)| Found { bytes, place: place(at, at) }));
            }
            (_, None) if text.len() > MESSAGE_TEXT_MAX => {
                return Err(Fault::TooLong(place(first, last), text.len() / 2));
            }
            (_, None) => {
                let bad = lines().find(|(_, line)| decode(line).is_none());
                let (from, to) = bad.map_or((first, last), |(at, _)| (at, at));
                return Err(Fault::Bad(place(from, to)));
            }
        }
        if found.len() > MESSAGES_MAX {
            return Err(Fault::TooMany);
        }
    }
    Ok(found)
}

/// Whether lines are one message that was wrapped, rather than one each.
fn is_one(joined: &[u8], apart: &[Vec<u8>], judge: &Judge<'_>) -> bool {
    let Some((last, others)) = apart.split_last() else {
        return true;
    };
    if joined.len() <= MESSAGE_BYTES_MAX && judge.is_sound(joined) {
        return true;
    }
    if apart.iter().any(|bytes| judge.is_sound(bytes)) {
        return false;
    }
    let width = others.first().map_or(0, Vec::len);
    // What is wrapped has a last line that is shorter, but for one in so many as a line is wide.
    let is_wrapped = others.iter().all(|line| line.len() == width) && last.len() < width;
    is_wrapped || !apart.iter().all(|bytes| looks_like_message(bytes))
}

/// One message is found in the whole, not on some line of it.
fn whole_if_one(mut found: Vec<Found>) -> Vec<Found> {
    if let [Found { place, .. }] = found.as_mut_slice()
        && let Place::Lines { source, .. } = place
    {
        *place = Place::Whole { source: Arc::clone(source) };
    }
    found
}
