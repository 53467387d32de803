//! Decoding: a frame becomes a [`Message`] that borrows from it.

use super::charset::Class;
use super::dialect::{Dialect, Tertiary};
use super::elements::Elements;
use super::fault::{DecodeError, Fault, Reason};
use super::header;
use super::judge;
use super::message::{Decoded, FIRST, Message, Mirror, Span};
use super::octets::decimal;
use super::preamble::{self, Parsed, announcing, bytes, stop};
use super::rules::{self, Breach, Holding};
use super::structure::{Broken, Within};
use super::table::{Layout, Tlv};
use super::wire;

/// Longest frame: places in it are kept as sixteen bits.
pub(super) const FRAME_MAX: usize = 65_535;

/// Decodes a frame that begins with the dialect's headers and the MTI; a length in front of it is the link's affair.
/// Values that are not plain characters on the wire (BCD, EBCDIC, hex) are put into `mirror`.
///
/// A fault of a field's *content* (a letter in a numeric field) leaves that field out and goes on; a fault of
/// the *layout* (a length beyond the frame) stops. Either way what decoded is in the message, and the first
/// fault beside it.
#[must_use]
pub fn decode<'d, 'a>(dialect: &'d Dialect, frame: &'a [u8], mirror: &'a mut Mirror) -> Decoded<'d, 'a> {
    let mut decoded = Decoded { message: Message::nothing(dialect, frame), fault: None, layout_lost: false };
    if frame.len() > FRAME_MAX {
        let reason = Reason::FrameTooLong { len: frame.len(), max: FRAME_MAX };
        decoded.fault = Some(DecodeError { field: 0, offset: 0, reason });
        decoded.layout_lost = true;
        decoded.message.lost = true;
        return decoded;
    }
    let room = if dialect.mirrors { mirror.room(frame.len()) } else { &mut [] };
    let filled = fill(&mut decoded, room);
    decoded.message.mirror = room;
    match filled {
        Ok(()) if dialect.presence.is_empty() => {}
        Ok(()) => check_presence(&mut decoded),
        Err(lost) => {
            // What is wrong first is what the sender should look at first.
            decoded.fault.get_or_insert(lost);
            decoded.layout_lost = true;
            decoded.message.lost = true;
        }
    }
    decoded
}

/// Reads the whole frame; an error is where the layout was lost.
fn fill(decoded: &mut Decoded<'_, '_>, mirror: &mut [u8]) -> Result<(), DecodeError> {
    let Decoded { message, fault, .. } = decoded;
    let (dialect, frame) = (message.dialect, message.frame);
    let mut rest = start(message)?;
    for word in 0..3_usize {
        let mut bits = message.announced.words.get(word).copied().unwrap_or(0) & !announcing(dialect, word);
        while bits != 0 {
            let index = bits.leading_zeros();
            let bit = FIRST.checked_shr(index).unwrap_or(0);
            bits &= !bit;
            let before = u8::try_from(word).unwrap_or(0).wrapping_mul(64);
            let field = u8::try_from(index).unwrap_or(0).wrapping_add(before).wrapping_add(1);
            let layout = match dialect.table.layout(field) {
                Some(layout) if layout.plain => layout,
                other => {
                    let at = frame.len().saturating_sub(rest.len());
                    let (after, sound) = match other {
                        Some(layout) if layout.recoded => {
                            if let Some(word) = message.mirrored.words.get_mut(word) {
                                *word |= bit;
                            }
                            recoded(message, layout, fault, mirror, (field, at))?
                        }
                        Some(_) | None => unusual(message, fault, mirror, (field, at))?,
                    };
                    rest = frame.get(after..).unwrap_or_default();
                    message.end = after;
                    if let Some(word) = message.laid_out.words.get_mut(word) {
                        *word |= bit;
                    }
                    if sound && let Some(word) = message.present.words.get_mut(word) {
                        *word |= bit;
                    }
                    continue;
                }
            };
            let (window, len) = length(layout, rest).map_err(|cause| located(frame, field, cause))?;
            let (after, value) = bytes(len, window).map_err(|cause| located(frame, field, cause))?;
            let start = frame.len().saturating_sub(window.len());
            keep_span(message, field, start, len);
            let sound = layout.class.holds(value) && elements_fit(layout.tlv, value);
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

/// Reads headers, MTI and bitmaps; what is left are the fields.
fn start<'a>(message: &mut Message<'_, 'a>) -> Result<&'a [u8], DecodeError> {
    let (dialect, frame) = (message.dialect, message.frame);
    let mut rest = frame;
    if !dialect.headers.is_empty() {
        let bad = |offset| DecodeError { field: 0, offset, reason: Reason::BadHeader };
        let body = header::length(&dialect.headers, frame).map_err(bad)?;
        message.body = u16::try_from(body).map_err(|_| bad(0))?;
        rest = frame.get(body..).unwrap_or_default();
    }
    let (rest, mti) = preamble::mti(dialect.mti, rest).map_err(|cause| located(frame, 0, cause))?;
    message.mti = mti;
    message.end = frame.len().saturating_sub(rest.len());
    if !dialect.conditions.is_empty() {
        message.holding = Holding::of(&dialect.conditions, mti);
    }
    let (rest, words) = preamble::bitmaps(dialect, rest).map_err(|cause| located(frame, 1, cause))?;
    message.announced.words = words;
    message.end = frame.len().saturating_sub(rest.len());
    Ok(rest)
}

/// Reads a field whose characters are in another form on the wire, and of which there is no more to be said. Says where
/// the next one starts, and whether this one's content is good.
#[inline(never)]
fn recoded(
    message: &mut Message<'_, '_>,
    layout: &Layout,
    fault: &mut Option<DecodeError>,
    mirror: &mut [u8],
    (field, from): (u8, usize),
) -> Result<(usize, bool), DecodeError> {
    let rest = message.frame.get(from..).unwrap_or_default();
    let place = wire::locate(layout, rest).map_err(|(at, reason)| DecodeError {
        field,
        offset: from.saturating_add(at),
        reason,
    })?;
    let bytes = rest.get(place.at..place.at.saturating_add(place.wire)).unwrap_or_default();
    let start = from.saturating_add(place.at);
    keep_span(message, field, start, place.units);
    let slot = start.saturating_mul(2);
    let text = mirror.get_mut(slot..slot.saturating_add(place.units)).unwrap_or_default();
    let judged = judge::transcribe(layout, bytes, text);
    Ok((from.saturating_add(place.after), sound(judged, fault, field, start)))
}

#[inline]
fn keep_span(message: &mut Message<'_, '_>, field: u8, start: usize, len: usize) {
    if let Some(span) = message.spans.get_mut(usize::from(field)) {
        // Both fit: the frame is no longer than sixteen bits tell.
        let start = u16::try_from(start).unwrap_or(u16::MAX);
        *span = Span { start, len: u16::try_from(len).unwrap_or(0) };
    }
}

/// Whether a judgement was good; if not, it is a fault of the value that starts there.
#[inline]
fn sound(judged: Result<(), Broken>, fault: &mut Option<DecodeError>, field: u8, start: usize) -> bool {
    let Err(broken) = judged else { return true };
    let offset = start.saturating_add(broken.at);
    fault.get_or_insert(DecodeError { field, offset, reason: broken.reason });
    false
}

/// Reads a field that has structure or conditions, and whose characters may not be as they are on the wire. Says where
/// the next one starts, and whether this one's content is good.
#[inline(never)]
fn unusual(
    message: &mut Message<'_, '_>,
    fault: &mut Option<DecodeError>,
    mirror: &mut [u8],
    (field, from): (u8, usize),
) -> Result<(usize, bool), DecodeError> {
    let (dialect, frame) = (message.dialect, message.frame);
    let lost = |at, reason| DecodeError { field, offset: from.saturating_add(at), reason };
    let layout = dialect.layout_in(field, message.holding).ok_or_else(|| lost(0, Reason::Undefined))?;
    let place = wire::locate(layout, frame.get(from..).unwrap_or_default())
        .map_err(|(at, reason)| lost(at, reason))?;
    let start = from.saturating_add(place.at);
    let bytes = frame.get(start..start.saturating_add(place.wire)).unwrap_or_default();
    keep_span(message, field, start, place.units);
    let within = dialect.structure(layout).map(Within::Declared);
    let mut judged = judge::value(layout, within, bytes, place.units, start, Some(mirror));
    if layout.filled && judged.is_ok() {
        let behind = frame.get(start.saturating_add(place.wire)..from.saturating_add(place.after));
        judged =
            judge::filling(layout, behind.unwrap_or_default()).map_err(|broken| broken.within(place.wire));
    }
    if layout.is_mirrored() {
        message.mirrored.insert(field);
    }
    let after = from.saturating_add(place.after);
    if !sound(judged, fault, field, start) {
        return Ok((after, false));
    }
    if layout.watched {
        let at = start.saturating_mul(2);
        let mirrored = mirror.get(at..at.saturating_add(place.units)).unwrap_or_default();
        let value = if layout.is_mirrored() { mirrored } else { bytes };
        message.holding.learn(&dialect.conditions, message.mti, field, value);
    }
    if dialect.tertiary == Tertiary::Field(field)
        && let ([.., third], Some(word)) = (&mut message.announced.words, bytes.first_chunk::<8>())
    {
        *third = u64::from_be_bytes(*word);
    }
    Ok((after, true))
}

/// Whether the fields that are there are those that messages of this type have.
#[cold]
fn check_presence(decoded: &mut Decoded<'_, '_>) {
    let message = &decoded.message;
    let rules = &message.dialect.presence;
    let breach = rules::breach(rules, message.mti, message.announced, message.holding);
    let (field, offset, reason) = match breach {
        None => return,
        Some(Breach::Missing(field)) => (field, message.frame.len(), Reason::Missing),
        Some(Breach::Forbidden(field)) => {
            (field, message.wire_place(field).map_or(0, |(start, _)| start), Reason::Forbidden)
        }
    };
    decoded.fault.get_or_insert(DecodeError { field, offset, reason });
}

/// How long the field is: its fixed length, or what its prefix says.
#[inline]
fn length<'a>(layout: &Layout, input: &'a [u8]) -> Parsed<'a, usize> {
    let max = usize::from(layout.max);
    if layout.digits == 0 {
        return Ok((input, max));
    }
    let (rest, prefix) = bytes(usize::from(layout.digits), input)?;
    match decimal(prefix) {
        Some(len) if len <= max => Ok((rest, len)),
        Some(len) => Err(stop(input, Reason::TooLong { len, max })),
        None => Err(stop(input, Reason::BadLength)),
    }
}

/// Whether the elements of a TLV field end where the field does.
#[inline]
fn elements_fit(tlv: Option<Tlv>, value: &[u8]) -> bool {
    tlv.is_none_or(|tlv| Elements::new(tlv, value).left_malformed() == 0)
}

/// Where exactly a plain field's content is bad.
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
        let mut mirror = Mirror::new();
        let Decoded { message, fault, .. } = decode(&onelink, PAYMENT, &mut mirror);
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
        let mut mirror = Mirror::new();
        let Decoded { message, fault, .. } = decode(&onelink, &frame, &mut mirror);
        let want = DecodeError { field: 4, offset: 46, reason: Reason::Character { class: Class::N } };
        assert_eq!(fault, Some(want));
        assert!(!want.is_layout());
        assert_eq!((message.field(4), message.field(11)), (None, Some(&b"004687"[..])));
    }

    #[test]
    fn what_stood_before_a_lost_layout_is_kept() {
        let onelink = onelink();
        let cut = PAYMENT.len() - 1;
        let mut mirror = Mirror::new();
        let Decoded { message, fault, .. } = decode(&onelink, &PAYMENT[..cut], &mut mirror);
        let fault = fault.unwrap();
        assert_eq!((fault.field, fault.offset), (102, 238));
        assert_eq!(fault.reason, Reason::Truncated { need: 16, have: 15 });
        assert!(fault.is_layout());
        assert_eq!((message.field(49), message.field(102)), (Some(&b"586"[..]), None));
    }

    #[test]
    fn a_debug_print_shows_numbers_only() {
        let onelink = onelink();
        let mut mirror = Mirror::new();
        let decoded = decode(&onelink, PAYMENT, &mut mirror);
        let text = format!("{decoded:?} {:?} {:?}", decoded.message.elements(48), decoded.message.dialect());
        assert!(!text.contains("4000000804793778") && !text.contains("KPBOARDS"), "{text}");
    }
}
