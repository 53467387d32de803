//! Card data out of sight: for people, and for recordings that must still decode.

use std::ops::Range;

use super::cards::{CardNumbers, is_card_number, mask_pan};
use super::charset::Class;
use super::decode::decode;
use super::dialect::{CardData, Dialect};
use super::message::{Message, Mirror};
use super::structure::{Piece, Subfield, Within};
use super::table::Layout;
use super::wire;

/// Overwrites the card data of a frame (headers and MTI first) where it stands. The frame keeps its length and stays as
/// decodable as it was: digits become zeros, text becomes stars.
///
/// Beside the fields that the dialect marks, the message's own card numbers are looked for in all others. Where
/// the layout is lost, everything after the last field that decoded becomes stars, and where what was read before may be
/// [misread](super::Decoded::may_be_misread), everything but the message type.
pub fn mask_frame(dialect: &Dialect, frame: &mut [u8]) {
    mask_frame_with(dialect, frame, &CardNumbers::default());
}

/// As [`mask_frame`], looking also for card numbers known from elsewhere: an answer repeats what its request
/// said, but not always the field that shows it to be a card number.
pub fn mask_frame_with(dialect: &Dialect, frame: &mut [u8], known: &CardNumbers<'_>) {
    let mut mirror = Mirror::new();
    let (changes, kept) = {
        let decoded = decode(dialect, frame, &mut mirror);
        let message = &decoded.message;
        if message.may_be_misread() {
            (Vec::new(), message.type_place())
        } else {
            let pans = [CardNumbers::of(message), *known];
            let fields = message.laid_out.iter().filter_map(|field| hidden(message, field, &pans));
            let mut changes: Vec<(usize, Vec<u8>)> = fields.collect();
            let mut header = message.header().to_vec();
            leaf(Class::B, &mut header, CardData::None, &pans);
            changes.push((0, header));
            (changes, 0..message.end)
        }
    };
    for (start, wire) in changes {
        if let Some(place) = frame.get_mut(start..start.saturating_add(wire.len())) {
            place.copy_from_slice(&wire);
        }
    }
    stars_around(frame, &kept);
}

/// Overwrites all of a frame but its message type, and that too if it is none. For what answers a frame that may have
/// been misread, and repeats nobody knows what of it.
pub fn mask_all_but_type(dialect: &Dialect, frame: &mut [u8]) {
    let mut mirror = Mirror::new();
    let kept = decode(dialect, frame, &mut mirror).message.type_place();
    stars_around(frame, &kept);
}

fn stars_around(frame: &mut [u8], kept: &Range<usize>) {
    for (at, byte) in frame.iter_mut().enumerate() {
        if !kept.contains(&at) {
            *byte = b'*';
        }
    }
}

/// What of a value is card data.
#[derive(Clone, Copy)]
pub(super) struct Secrecy {
    /// What is said of all of it.
    pub(super) whole: CardData,
    /// The strictest that is said of it or of anything in it: what counts where nobody knows what stands where.
    pub(super) strictest: CardData,
}

impl Secrecy {
    /// That of a field as it stands in a message.
    pub(super) fn of(message: &Message<'_, '_>, field: u8) -> Self {
        let strictest = message.dialect.card_data(field);
        let known = message.dialect.field_in(field, message.holding);
        let known = known.filter(|_| message.present.has(field) && !message.is_unsure(field));
        Self { whole: known.map_or(strictest, |field| field.card_data), strictest }
    }

    /// That of a piece.
    pub(super) fn inside(self, field: Option<&Subfield>) -> Self {
        let Some(Subfield { field, .. }) = field else { return Self { strictest: self.whole, ..self } };
        Self { whole: self.whole.max(field.card_data), strictest: self.whole.max(field.strictest) }
    }
}

/// What a field is to be overwritten with on the wire, and where; bad content included: a card number with a letter in
/// it is one still.
fn hidden(message: &Message<'_, '_>, field: u8, pans: &[CardNumbers<'_>]) -> Option<(usize, Vec<u8>)> {
    let (start, wire) = message.wire_place(field)?;
    let layout = message.layout(field)?;
    let secrecy = Secrecy::of(message, field);
    let none = pans.iter().all(CardNumbers::is_empty);
    if secrecy.strictest == CardData::None && none && layout.inside.is_none() && !layout.filled {
        return None;
    }
    let mut text = message.place(field)?.to_vec();
    let mut bytes = wire.to_vec();
    let sound = message.present.has(field);
    let behind = filling_behind(layout, bytes.len());
    // Where the content is bad, its pieces may have been cut at the wrong places.
    let apart = sound || secrecy.strictest == CardData::None;
    let within = message.dialect.structure(layout).filter(|_| apart).map(Within::Declared);
    if layout.is_mirrored() && !sound {
        // Nobody knows what characters these are.
        bytes.fill(wire::filling(layout));
    } else {
        hide(layout, within, &mut text, secrecy, pans);
        if wire::write(layout, &text, &mut bytes).is_err() {
            bytes.fill(wire::filling(layout));
        }
    }
    bytes.resize(bytes.len().saturating_add(behind), wire::filling(layout));
    Some((start, bytes))
}

/// Bytes of filling behind a value of so many.
fn filling_behind(layout: &Layout, wire: usize) -> usize {
    let all = if layout.filled { usize::from(layout.wire_max) } else { 0 };
    all.saturating_sub(wire)
}

/// Overwrites the card data of a value; it keeps its length and its structure.
fn hide(
    layout: &Layout,
    within: Option<Within<'_>>,
    text: &mut [u8],
    secrecy: Secrecy,
    pans: &[CardNumbers<'_>],
) {
    if secrecy.whole == CardData::None && within.is_some_and(Within::runs_on) {
        // A card number may be cut up by the parts.
        leaf(layout.class, text, CardData::None, pans);
    }
    let Some(within) = within else { return leaf(layout.class, text, secrecy.whole, pans) };
    let Some(pieces) = pieces(within, text) else {
        return leaf(layout.class, text, secrecy.strictest, pans);
    };
    for Known { at, len, units, filling, field, within } in pieces {
        let secrecy = secrecy.inside(field);
        let end = at.saturating_add(len);
        if let (Some(field), Some(filled)) = (field, text.get_mut(end..end.saturating_add(filling))) {
            filled.fill(wire::filling(&field.layout));
        }
        let Some(bytes) = text.get_mut(at..end) else { continue };
        let Some(field) = field.filter(|field| field.layout.is_mirrored()) else {
            let layout = field.map_or(layout, |field| &field.layout);
            hide(layout, within, bytes, secrecy, pans);
            continue;
        };
        let mut characters = vec![0; units];
        let read = wire::read(&field.layout, bytes, &mut characters).is_ok();
        hide(&field.layout, within, &mut characters, secrecy, pans);
        if !read || wire::write(&field.layout, &characters, bytes).is_err() {
            bytes.fill(wire::filling(&field.layout));
        }
    }
}

/// A piece without its bytes.
struct Known<'d> {
    at: usize,
    len: usize,
    units: usize,
    filling: usize,
    field: Option<&'d Subfield>,
    within: Option<Within<'d>>,
}

/// The pieces of a value; `None` if they do not fit together: then it is one value.
fn pieces<'d>(within: Within<'d>, text: &[u8]) -> Option<Vec<Known<'d>>> {
    let mut pieces = Vec::new();
    let whole = within.each(text, &mut |piece| {
        let Piece { at, units, field, within, .. } = piece;
        let (len, filling) = (piece.bytes.len(), piece.filling.len());
        pieces.push(Known { at, len, units, filling, field, within });
        Ok(())
    });
    whole.is_ok().then_some(pieces)
}

fn leaf(class: Class, text: &mut [u8], data: CardData, pans: &[CardNumbers<'_>]) {
    match data {
        CardData::None => {
            for pans in pans {
                pans.hide_in(text, holds_bytes(class), b'0');
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

/// Whether packed digits may stand in it.
const fn holds_bytes(class: Class) -> bool {
    matches!(class, Class::B | Class::Char)
}

/// A copy of a value that has nothing inside, for people: as long, with stars for card data.
pub(super) fn for_people(class: Class, value: &[u8], data: CardData, pans: &CardNumbers<'_>) -> Vec<u8> {
    match data {
        CardData::Pan => mask_pan(value).to_string().into_bytes(),
        CardData::Never => vec![b'*'; value.len()],
        CardData::None => {
            let mut copy = value.to_vec();
            pans.hide_in(&mut copy, holds_bytes(class), b'*');
            copy
        }
    }
}
