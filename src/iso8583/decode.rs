//! Decoding: a frame becomes a [`Message`] that borrows from it.

use nom::bytes::complete::take;
use nom::{IResult, Parser};

use super::charset::Class;
use super::dialect::{Bitmap, Dialect};
use super::fault::{DecodeError, Fault, Reason};
use super::message::{Decoded, Elements, FIRST, Message, Span};
use super::mti::Mti;
use super::table::Layout;

/// Longest frame: places in it are kept as sixteen bits.
pub(super) const FRAME_MAX: usize = 65_535;

type Parsed<'a, T> = IResult<&'a [u8], T, Fault>;

/// Decodes a frame that begins with the MTI; a length header is the link's affair.
///
/// A fault of a field's *content* (a letter in a numeric field) leaves that field out and goes on; a fault of
/// the *layout* (a length beyond the frame) stops. Either way what decoded is in the message, and the first
/// fault beside it.
#[must_use]
pub fn decode<'d, 'a>(dialect: &'d Dialect, frame: &'a [u8]) -> Decoded<'d, 'a> {
    let mut decoded = Decoded { message: Message::nothing(dialect, frame), fault: None, layout_lost: false };
    if frame.len() > FRAME_MAX {
        let reason = Reason::FrameTooLong { len: frame.len(), max: FRAME_MAX };
        decoded.fault = Some(DecodeError { field: 0, offset: 0, reason });
        decoded.layout_lost = true;
        return decoded;
    }
    if let Err(lost) = fill(&mut decoded) {
        // What is wrong first is what the sender should look at first.
        decoded.fault.get_or_insert(lost);
        decoded.layout_lost = true;
    }
    decoded
}

/// Reads the whole frame; an error is where the layout was lost.
fn fill(decoded: &mut Decoded<'_, '_>) -> Result<(), DecodeError> {
    let Decoded { message, fault, .. } = decoded;
    let (dialect, frame) = (message.dialect, message.frame);
    let (rest, mti) = mti(frame).map_err(|cause| located(frame, 0, cause))?;
    message.mti = mti;
    message.end = 4;
    let (mut rest, words) = bitmaps(dialect.bitmap, rest).map_err(|cause| located(frame, 1, cause))?;
    message.announced.words = words;
    let [primary, secondary] = words;
    message.end = frame.len().saturating_sub(rest.len());
    for (word, announced, before) in [(0_usize, primary & !FIRST, 0_u8), (1, secondary, 64)] {
        let mut bits = announced;
        while bits != 0 {
            let index = bits.leading_zeros();
            let bit = FIRST.checked_shr(index).unwrap_or(0);
            bits &= !bit;
            let field = u8::try_from(index).unwrap_or(0).wrapping_add(before).wrapping_add(1);
            let Some(layout) = dialect.table.layout(field) else {
                let cause = stop(rest, Reason::Undefined);
                return Err(located(frame, field, cause));
            };
            let (window, len) = length(layout, rest).map_err(|cause| located(frame, field, cause))?;
            let (after, value) = bytes(len, window).map_err(|cause| located(frame, field, cause))?;
            let start = frame.len().saturating_sub(window.len());
            if let Some(span) = message.spans.get_mut(usize::from(field)) {
                // Both fit: the frame is no longer than sixteen bits tell.
                let start = u16::try_from(start).unwrap_or(u16::MAX);
                *span = Span { start, len: u16::try_from(len).unwrap_or(0) };
            }
            let sound = layout.class.holds(value) && elements_fit(layout, value);
            if let Some(word) = message.laid_out.words.get_mut(word) {
                *word |= bit;
            }
            if sound {
                if let Some(word) = message.present.words.get_mut(word) {
                    *word |= bit;
                }
            } else {
                fault.get_or_insert_with(|| content_fault(layout, field, start, value));
            }
            rest = after;
            message.end = frame.len().saturating_sub(rest.len());
        }
    }
    if rest.is_empty() {
        return Ok(());
    }
    Err(located(frame, 0, stop(rest, Reason::TrailingBytes { count: rest.len() })))
}

/// Four digits.
fn mti(input: &[u8]) -> Parsed<'_, Mti> {
    let (rest, text) = bytes(4, input)?;
    match Mti::new(text) {
        Ok(mti) => Ok((rest, mti)),
        Err(_) => Err(stop(input, Reason::BadMti)),
    }
}

/// The primary bitmap and, where its first bit says so, the secondary.
fn bitmaps(bitmap: Bitmap, input: &[u8]) -> Parsed<'_, [u64; 2]> {
    let (rest, primary) = one_bitmap(bitmap, input)?;
    if primary & FIRST == 0 {
        return Ok((rest, [primary, 0]));
    }
    let (rest, secondary) = one_bitmap(bitmap, rest)?;
    Ok((rest, [primary, secondary]))
}

fn one_bitmap(bitmap: Bitmap, input: &[u8]) -> Parsed<'_, u64> {
    let (rest, text) = bytes(bitmap.width(), input)?;
    let word = match bitmap {
        Bitmap::Binary => text.first_chunk::<8>().map(|word| u64::from_be_bytes(*word)),
        Bitmap::Hex => hex_word(text),
    };
    match word {
        Some(word) => Ok((rest, word)),
        None => Err(stop(input, Reason::BadBitmap)),
    }
}

/// Hex characters, either case, as a number.
fn hex_word(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0_u64, |word, byte| {
        let digit = char::from(*byte).to_digit(16)?;
        Some((word << 4) | u64::from(digit))
    })
}

/// How long the field is: its fixed length, or what its prefix says.
#[inline]
fn length<'a>(layout: &Layout, input: &'a [u8]) -> Parsed<'a, usize> {
    let max = usize::from(layout.max);
    if layout.prefix == 0 {
        return Ok((input, max));
    }
    let (rest, prefix) = bytes(usize::from(layout.prefix), input)?;
    match decimal(prefix) {
        Some(len) if len <= max => Ok((rest, len)),
        Some(len) => Err(stop(input, Reason::TooLong { len, max })),
        None => Err(stop(input, Reason::BadLength)),
    }
}

/// Exactly `len` bytes.
#[inline]
fn bytes(len: usize, input: &[u8]) -> Parsed<'_, &[u8]> {
    let taken: Parsed<'_, &[u8]> = take(len).parse_complete(input);
    taken.map_err(|_| stop(input, Reason::Truncated { need: len, have: input.len() }))
}

/// Decimal digits as a number; at most four of them, so it cannot overflow.
#[inline]
pub(super) fn decimal(digits: &[u8]) -> Option<usize> {
    digits.iter().try_fold(0_usize, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then(|| number.wrapping_mul(10).wrapping_add(usize::from(digit)))
    })
}

/// Whether the elements of a TLV field end where the field does.
#[inline]
fn elements_fit(layout: &Layout, value: &[u8]) -> bool {
    layout.tlv.is_none_or(|tlv| Elements::new(tlv, value).left_malformed() == 0)
}

/// Where exactly a field's content is bad.
#[cold]
fn content_fault(layout: &Layout, field: u8, start: usize, value: &[u8]) -> DecodeError {
    let (at, reason) = match (layout.class.first_bad(value), layout.tlv) {
        (Some(at), _) => (at, Reason::Character { class: layout.class }),
        (None, Some(tlv)) => {
            let left = Elements::new(tlv, value).left_malformed();
            (value.len().saturating_sub(left), Reason::BadElement)
        }
        (None, None) => (0, Reason::Character { class: Class::B }),
    };
    DecodeError { field, offset: start.saturating_add(at), reason }
}

#[cold]
fn stop(input: &[u8], reason: Reason) -> nom::Err<Fault> {
    nom::Err::Error(Fault { left: input.len(), reason })
}

/// Gives a parser's fault its field and its place in the frame.
#[cold]
fn located(frame: &[u8], field: u8, cause: nom::Err<Fault>) -> DecodeError {
    match cause {
        nom::Err::Error(fault) | nom::Err::Failure(fault) => {
            DecodeError { field, offset: frame.len().saturating_sub(fault.left), reason: fault.reason }
        }
        // The parsers of complete input never ask for more; if one did, the frame would be cut.
        nom::Err::Incomplete(_) => {
            DecodeError { field, offset: frame.len(), reason: Reason::Truncated { need: 0, have: 0 } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso8583::shipped;

    const PAYMENT: &[u8] =
        b"0200\xf2:E\x01\x08\xe1\x80\x00\x00\x00\x00\x00\x04\x00\x00\x00164000000804793778\
        3800000000000000001120090002004687090002112011206014021001066272716324090046\
        87NBIBK030NBIBKMERCHANT  PESHAWAR SADDAR ROAD                \
        PKPK051BI008KPBOARDSCN024440410000000000000000000CH004601458616PK65295434783936";

    fn onelink() -> Dialect {
        shipped::dialect("onelink").unwrap().unwrap()
    }

    #[test]
    fn a_payment_is_read_to_its_elements() {
        let onelink = onelink();
        let Decoded { message, fault, .. } = decode(&onelink, PAYMENT);
        assert_eq!(fault, None);
        assert_eq!(message.mti().as_str(), "0200");
        assert_eq!(message.field(2), Some(&b"4000000804793778"[..]));
        assert_eq!(message.field(5), None);
        assert_eq!(message.get(&onelink.path("48.CN").unwrap()), Some(&b"440410000000000000000000"[..]));
        let tags: Vec<_> = message.elements(48).map(|(tag, _)| tag).collect();
        assert_eq!(tags, [b"BI", b"CN", b"CH"]);
        let numbers: Vec<_> = message.fields().map(|(field, _)| field).collect();
        assert_eq!(numbers, [2, 3, 4, 7, 11, 12, 13, 15, 18, 22, 24, 32, 37, 41, 42, 43, 48, 49, 102]);
    }

    #[test]
    fn a_letter_in_a_numeric_field_costs_that_field_only() {
        let onelink = onelink();
        let mut frame = PAYMENT.to_vec();
        // The amount: MTI 4, bitmaps 16, DE 2 18, DE 3 6.
        frame[46] = b'O';
        let Decoded { message, fault, .. } = decode(&onelink, &frame);
        let want = DecodeError { field: 4, offset: 46, reason: Reason::Character { class: Class::N } };
        assert_eq!(fault, Some(want));
        assert!(!want.is_layout());
        assert_eq!((message.field(4), message.field(11)), (None, Some(&b"004687"[..])));
    }

    #[test]
    fn what_stood_before_a_lost_layout_is_kept() {
        let onelink = onelink();
        let cut = PAYMENT.len() - 1;
        let Decoded { message, fault, .. } = decode(&onelink, &PAYMENT[..cut]);
        let fault = fault.unwrap();
        assert_eq!((fault.field, fault.offset), (102, 238));
        assert_eq!(fault.reason, Reason::Truncated { need: 16, have: 15 });
        assert!(fault.is_layout());
        assert_eq!((message.field(49), message.field(102)), (Some(&b"586"[..]), None));
    }

    #[test]
    fn a_debug_print_shows_numbers_only() {
        let onelink = onelink();
        let decoded = decode(&onelink, PAYMENT);
        let text = format!("{decoded:?} {:?} {:?}", decoded.message.elements(48), decoded.message.dialect());
        assert!(!text.contains("4000000804793778") && !text.contains("KPBOARDS"), "{text}");
    }
}
