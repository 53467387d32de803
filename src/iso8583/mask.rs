//! Card data out of sight: for people, and for recordings that must still decode.

use super::cards::{CardNumbers, is_card_number, mask_pan};
use super::charset::Class;
use super::decode::decode;
use super::dialect::{CardData, Dialect};
use super::message::{Message, Mirror};
use super::structure::{Structure, Within};
use super::table::Layout;
use super::wire;

/// Overwrites the card data of a frame (headers and MTI first) where it stands. The frame keeps its length and stays as
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
    let mut mirror = Mirror::new();
    let (changes, end) = {
        let decoded = decode(dialect, frame, &mut mirror);
        let message = &decoded.message;
        let own = CardNumbers::of(message);
        let changes: Vec<(usize, Vec<u8>)> =
            message.laid_out.iter().filter_map(|field| hidden(message, field, &[own, *known])).collect();
        (changes, message.end)
    };
    for (start, wire) in changes {
        if let Some(place) = frame.get_mut(start..start.saturating_add(wire.len())) {
            place.copy_from_slice(&wire);
        }
    }
    if let Some(lost) = frame.get_mut(end..) {
        lost.fill(b'*');
    }
}

/// What a field is to be overwritten with on the wire, and where; bad content included: a card number with a letter in
/// it is one still.
fn hidden(message: &Message<'_, '_>, field: u8, pans: &[CardNumbers<'_>]) -> Option<(usize, Vec<u8>)> {
    let (start, wire) = message.wire_place(field)?;
    let layout = message.layout(field)?;
    let data =
        message.dialect.field_in(field, message.holding).map_or(CardData::None, |field| field.card_data);
    let none = pans.iter().all(CardNumbers::is_empty);
    if data == CardData::None && none && layout.inside.is_none() && !layout.filled {
        return None;
    }
    let mut text = message.place(field)?.to_vec();
    let mut bytes = wire.to_vec();
    let behind = filling_behind(layout, bytes.len());
    let within = message.dialect.structure(layout).map(Within::Declared);
    if layout.is_mirrored() && !message.present.has(field) {
        // Nobody knows what characters these are.
        bytes.fill(wire::filling(layout));
    } else {
        hide(layout, within, &mut text, data, pans);
        if wire::write(layout, &text, &mut bytes).is_err() {
            bytes.fill(wire::filling(layout));
        }
    }
    bytes.resize(bytes.len().saturating_add(behind), wire::filling(layout));
    Some((start, bytes))
}

/// Bytes of filling behind a value of so many. Nobody reads them, so anything may stand there.
fn filling_behind(layout: &Layout, wire: usize) -> usize {
    let all = if layout.filled { layout.wire_bytes(layout.max.into()) } else { 0 };
    all.saturating_sub(wire)
}

/// Overwrites the card data of a value; it keeps its length and its structure.
fn hide(
    layout: &Layout,
    within: Option<Within<'_>>,
    text: &mut [u8],
    data: CardData,
    pans: &[CardNumbers<'_>],
) {
    if data == CardData::None && matches!(within, Some(Within::Declared(Structure::Widths(_)))) {
        // A card number may be cut up by the parts.
        leaf(layout.class, text, data, pans);
    }
    let pieces = within.and_then(|within| pieces(within, text));
    let Some(pieces) = pieces else { return leaf(layout.class, text, data, pans) };
    for (at, len, units, field, within) in pieces {
        let Some(field) = field else {
            if let Some(bytes) = text.get_mut(at..at.saturating_add(len)) {
                hide(layout, within, bytes, data, pans);
            }
            continue;
        };
        let data = data.max(field.field.card_data);
        let end = at.saturating_add(len);
        let behind = end.saturating_add(filling_behind(&field.layout, len));
        if let Some(filling) = text.get_mut(end..behind) {
            filling.fill(wire::filling(&field.layout));
        }
        let Some(bytes) = text.get_mut(at..end) else { continue };
        if !field.layout.is_mirrored() {
            hide(&field.layout, within, bytes, data, pans);
            continue;
        }
        let mut characters = vec![0; units];
        let read = wire::read(&field.layout, bytes, &mut characters).is_ok();
        hide(&field.layout, within, &mut characters, data, pans);
        if !read || wire::write(&field.layout, &characters, bytes).is_err() {
            bytes.fill(wire::filling(&field.layout));
        }
    }
}

/// Place, bytes, characters, field and inside of a piece.
type Known<'d> = (usize, usize, usize, Option<&'d super::structure::Subfield>, Option<Within<'d>>);

/// The pieces of a value; `None` if they do not fit together: then it is one value.
fn pieces<'d>(within: Within<'d>, text: &[u8]) -> Option<Vec<Known<'d>>> {
    let mut pieces = Vec::new();
    let whole = within.each(text, &mut |piece| {
        pieces.push((piece.at, piece.bytes.len(), piece.units, piece.field, piece.within));
        Ok(())
    });
    whole.is_ok().then_some(pieces)
}

fn leaf(class: Class, text: &mut [u8], data: CardData, pans: &[CardNumbers<'_>]) {
    match data {
        CardData::None => {
            for pans in pans {
                pans.hide_in(text, class == Class::B, b'0');
            }
        }
        CardData::Pan if is_card_number(text) => {
            let last = text.len().saturating_sub(4);
            if let Some(middle) = text.get_mut(6..last) {
                middle.fill(b'0');
            }
        }
        CardData::Pan | CardData::Never => match class {
            Class::Xn => {
                if let Some((_, digits)) = text.split_first_mut() {
                    digits.fill(b'0');
                }
            }
            Class::A => text.fill(b'X'),
            Class::N | Class::An | Class::Z => text.fill(b'0'),
            Class::B => text.fill(0),
            Class::Ns | Class::As | Class::Ans | Class::Char => text.fill(b'*'),
        },
    }
}

/// A copy of a value that has nothing inside, for people: as long, with stars for card data.
pub(super) fn for_people(class: Class, value: &[u8], data: CardData, pans: &CardNumbers<'_>) -> Vec<u8> {
    match data {
        CardData::Pan => mask_pan(value).to_string().into_bytes(),
        CardData::Never => vec![b'*'; value.len()],
        CardData::None => {
            let mut copy = value.to_vec();
            pans.hide_in(&mut copy, class == Class::B, b'*');
            copy
        }
    }
}
