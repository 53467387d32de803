//! A decoded message: which fields stand where in its frame.

use std::fmt;
use std::ops::Range;

use super::cards;
use super::dialect::{CardData, Dialect};
use super::elements::Elements;
use super::fault::{DecodeError, Reason};
use super::mti::Mti;
use super::path::{FieldPath, first_key};
use super::rules::Holding;
use super::structure::{Broken, Within};
use super::table::{FIELD_MAX, Layout, Tlv};

/// What decoding gives: the message as far as it could be read, and what is wrong with it.
#[derive(Clone)]
pub struct Decoded<'d, 'a> {
    /// The fields that decoded.
    pub message: Message<'d, 'a>,
    /// The first fault, `None` for a sound message.
    pub fault: Option<DecodeError>,
    /// Whether the frame could not be laid out to its end. Then any field may have been read at a wrong place, and
    /// hold what belongs to another.
    pub layout_lost: bool,
}

/// Room for the characters of a frame that has them in another form (BCD, EBCDIC, hex): a value of the frame at byte
/// *n* has its characters at 2 *n*. Keep one for as long as you decode; it grows to twice the longest frame, and not at
/// all where a dialect is ASCII throughout.
#[derive(Clone, Default)]
pub struct Mirror(Vec<u8>);

impl Mirror {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Room for a frame of so many bytes.
    pub(super) fn room(&mut self, frame: usize) -> &mut [u8] {
        let need = frame.saturating_mul(2);
        if self.0.len() < need {
            self.0.resize(need, 0);
        }
        &mut self.0
    }
}

impl fmt::Debug for Mirror {
    /// Never what it holds: it may be card data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mirror").field("bytes", &self.0.len()).finish()
    }
}

/// Fields of a frame, in place. A value of fixed size: nothing of it is on the heap.
#[derive(Clone)]
pub struct Message<'d, 'a> {
    pub(super) dialect: &'d Dialect,
    pub(super) frame: &'a [u8],
    /// Characters of the values that are not plain in the frame.
    pub(super) mirror: &'a [u8],
    /// Where the MTI stands, behind the headers.
    pub(super) body: u16,
    pub(super) mti: Mti,
    /// Which of the dialect's conditions hold.
    pub(super) holding: Holding,
    /// Fields that the bitmaps say are there.
    pub(super) announced: Fields,
    /// Fields that decoded.
    pub(super) present: Fields,
    /// Fields whose place is known, though their content may be bad.
    pub(super) laid_out: Fields,
    /// Those of them whose characters are in the mirror.
    pub(super) mirrored: Fields,
    /// Bytes of the frame up to where the layout was lost, or all of them.
    pub(super) end: usize,
    /// Whether it was.
    pub(super) lost: bool,
    pub(super) spans: [Span; 193],
}

/// Where a value starts in its frame, in bytes, and how many characters it has.
#[derive(Clone, Copy, Default)]
pub(super) struct Span {
    pub(super) start: u16,
    pub(super) len: u16,
}

/// A set of field numbers 1 to 192, as three bitmaps hold it: field 1 is the highest bit of the first.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Fields {
    pub(super) words: [u64; 3],
}

/// Field 1 of a bitmap, or field 65.
pub(super) const FIRST: u64 = 1 << 63;

impl Fields {
    /// The word of a field and its bit in it; none for 0.
    #[inline]
    fn bit(field: u8) -> (usize, u64) {
        let index = field.wrapping_sub(1);
        let bit = FIRST.checked_shr(u32::from(index & 63)).unwrap_or(0);
        (usize::from(index / 64), if index < FIELD_MAX { bit } else { 0 })
    }

    #[inline]
    pub(super) fn has(self, field: u8) -> bool {
        let (word, bit) = Self::bit(field);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    #[inline]
    pub(super) fn insert(&mut self, field: u8) {
        let (word, bit) = Self::bit(field);
        if let Some(word) = self.words.get_mut(word) {
            *word |= bit;
        }
    }

    /// Those that are not in the other set.
    pub(super) fn without(self, other: Self) -> Self {
        let ([a, b, c], [x, y, z]) = (self.words, other.words);
        Self { words: [a & !x, b & !y, c & !z] }
    }

    /// Those that are in both.
    pub(super) fn and(self, other: Self) -> Self {
        let ([a, b, c], [x, y, z]) = (self.words, other.words);
        Self { words: [a & x, b & y, c & z] }
    }

    /// The lowest.
    pub(super) fn first(self) -> Option<u8> {
        self.iter().next()
    }

    /// The highest.
    pub(super) fn last(self) -> Option<u8> {
        let at = self.words.iter().rposition(|word| *word != 0)?;
        let bit = 64_u32.checked_sub(self.words.get(at)?.trailing_zeros())?;
        u8::try_from(u32::try_from(at).ok()?.checked_mul(64)?.checked_add(bit)?).ok()
    }

    /// The numbers, ascending.
    pub(super) fn iter(self) -> impl Iterator<Item = u8> {
        let mut words = self.words;
        std::iter::from_fn(move || {
            let at = words.iter().position(|word| *word != 0)?;
            let word = words.get_mut(at)?;
            let index = word.leading_zeros();
            *word &= !FIRST.checked_shr(index).unwrap_or(0);
            let before = u32::try_from(at).ok()?.checked_mul(64)?;
            u8::try_from(before.checked_add(index)?.checked_add(1)?).ok()
        })
    }
}

impl<'d, 'a> Message<'d, 'a> {
    pub(super) fn nothing(dialect: &'d Dialect, frame: &'a [u8]) -> Self {
        let none = Fields { words: [0; 3] };
        Self {
            dialect,
            frame,
            mirror: &[],
            body: 0,
            mti: Mti::UNREADABLE,
            holding: Holding::default(),
            announced: none,
            present: none,
            laid_out: none,
            mirrored: none,
            end: 0,
            lost: false,
            spans: [Span { start: 0, len: 0 }; 193],
        }
    }

    /// Message type indicator; [`Mti::UNREADABLE`] if the frame's could not be read.
    #[must_use]
    pub const fn mti(&self) -> Mti {
        self.mti
    }

    /// The dialect that the message was decoded with.
    #[must_use]
    pub const fn dialect(&self) -> &'d Dialect {
        self.dialect
    }

    /// The frame that it was decoded from, headers and MTI first.
    #[must_use]
    pub const fn frame(&self) -> &'a [u8] {
        self.frame
    }

    /// What stood before the MTI: headers that an answer mirrors; see [`Writer::answering`](super::Writer::answering).
    #[must_use]
    pub fn header(&self) -> &'a [u8] {
        self.frame.get(..usize::from(self.body)).unwrap_or_default()
    }

    /// A field's value: characters, whatever their form on the wire, or bytes of class `b`; without length prefix and
    /// filling. `None` if it is absent or its content is bad.
    #[inline]
    #[must_use]
    pub fn field(&self, field: u8) -> Option<&'a [u8]> {
        if self.present.has(field) { self.place(field) } else { None }
    }

    /// Where a field's value starts: bytes from the start of the frame.
    #[must_use]
    pub fn offset(&self, field: u8) -> Option<usize> {
        if self.present.has(field) { self.wire_place(field).map(|(start, _)| start) } else { None }
    }

    /// A field's value as it stands on the wire, without its length prefix.
    #[must_use]
    pub fn wire(&self, field: u8) -> Option<&'a [u8]> {
        if self.present.has(field) { self.wire_place(field).map(|(_, wire)| wire) } else { None }
    }

    /// What stands at a path. The first element, where a tag repeats.
    #[must_use]
    pub fn get(&self, path: &FieldPath) -> Option<&'a [u8]> {
        let value = self.field(path.field)?;
        let Some(keys) = path.inside() else { return Some(value) };
        let layout = self.layout(path.field)?;
        if let Some(tlv) = layout.tlv {
            return Elements::new(tlv, value).find(|(tag, _)| *tag == keys).map(|(_, value)| value);
        }
        let within = Within::Declared(self.dialect.structure(layout)?);
        let frame_at = if layout.is_mirrored() { None } else { self.offset(path.field) };
        self.descend(within, value, frame_at, keys)
    }

    /// Follows keys with dots between them into a value; `frame_at` is its place if it is of the frame itself.
    fn descend(
        &self,
        within: Within<'d>,
        value: &'a [u8],
        frame_at: Option<usize>,
        keys: &[u8],
    ) -> Option<&'a [u8]> {
        let (key, deeper) = first_key(within, keys);
        let mut found = None;
        let _found_or_broken = within.each(value, &mut |piece| {
            if !piece.key.is(key) {
                return Ok(());
            }
            found = Some(piece);
            Err(Broken { at: piece.at, reason: Reason::BadElement })
        });
        let piece = found?;
        let at = frame_at.map(|at| at.saturating_add(piece.at));
        let mirrored = piece.field.is_some_and(|field| field.layout.is_mirrored());
        let value = if mirrored { self.mirrored(at?, piece.units)? } else { piece.bytes };
        match deeper {
            None => Some(value),
            Some(keys) => self.descend(piece.within?, value, at.filter(|_| !mirrored), keys),
        }
    }

    /// The fields that decoded, ascending.
    pub fn fields(&self) -> impl Iterator<Item = (u8, &'a [u8])> {
        self.present.iter().filter_map(|field| self.field(field).map(|value| (field, value)))
    }

    /// Tag and value of each element of a TLV field, in order. Nothing if the field is absent or not TLV.
    pub fn elements(&self, field: u8) -> Elements<'a> {
        let tlv = self.layout(field).and_then(|layout| self.dialect.tlv_of(layout));
        match (tlv, self.field(field)) {
            (Some(tlv), Some(value)) => Elements::new(tlv, value),
            (Some(_), None) | (None, _) => Elements::new(Tlv::NONE, &[]),
        }
    }

    /// Characters of a field whose place is known, be its content good or bad.
    #[inline]
    pub(super) fn place(&self, field: u8) -> Option<&'a [u8]> {
        let span = self.spans.get(usize::from(field))?;
        let (start, len) = (usize::from(span.start), usize::from(span.len));
        if self.mirrored.has(field) {
            return self.mirrored(start, len);
        }
        self.frame.get(start..start.saturating_add(len))
    }

    /// So many characters of what stands at a byte of the frame in another form.
    pub(super) fn mirrored(&self, start: usize, len: usize) -> Option<&'a [u8]> {
        let at = start.saturating_mul(2);
        self.mirror.get(at..at.saturating_add(len))
    }

    /// Start and bytes on the wire of a field whose place is known, be its content good or bad.
    pub(super) fn wire_place(&self, field: u8) -> Option<(usize, &'a [u8])> {
        let span = self.spans.get(usize::from(field))?;
        let start = usize::from(span.start);
        let bytes = self.layout(field)?.wire_bytes(usize::from(span.len));
        let value = self.frame.get(start..start.saturating_add(bytes))?;
        Some((start, value))
    }

    /// See [`Decoded::may_be_misread`].
    pub(super) fn may_be_misread(&self) -> bool {
        let never = || self.announced.iter().any(|field| self.dialect.card_data(field) == CardData::Never);
        self.lost && (!cards::shows_card_number(self) || never())
    }

    /// Whether a field may have another layout than it was read with: the one that decides on it is there, but bad.
    pub(super) fn is_unsure(&self, field: u8) -> bool {
        let bad = self.announced.without(self.present);
        let asks_bad = |condition: usize| {
            let asked = self.dialect.conditions.get(condition).and_then(|condition| condition.field.as_ref());
            asked.is_some_and(|(asked, _)| bad.has(*asked))
        };
        self.dialect.whens.iter().any(|when| when.layouts.contains_key(&field) && asks_bad(when.condition))
    }

    /// Where in the frame its type stands; nowhere if it could not be read.
    pub(super) fn type_place(&self) -> Range<usize> {
        let start = usize::from(self.body);
        let width = if self.mti == Mti::UNREADABLE { 0 } else { self.dialect.mti.width() };
        start..start.saturating_add(width)
    }

    /// How a field is laid out in this message.
    pub(super) fn layout(&self, field: u8) -> Option<&'d Layout> {
        self.dialect.layout_in(field, self.holding)
    }
}

impl fmt::Debug for Message<'_, '_> {
    /// Indicator and field numbers. Never a value: it may be card data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Numbers(Fields);
        impl fmt::Debug for Numbers {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_list().entries(self.0.iter()).finish()
            }
        }
        let numbers = Numbers(self.present);
        f.debug_struct("Message").field("mti", &self.mti).field("fields", &numbers).finish()
    }
}

impl Decoded<'_, '_> {
    /// Whether what was read may be another field's, and so card data that stands where none should. So it may be where
    /// the layout is lost, unless the message shows a sound card number in its place and says to carry no track, PIN or
    /// chip data. Nothing of such a message is to be written down but its type and trace number.
    #[must_use]
    pub fn may_be_misread(&self) -> bool {
        self.message.may_be_misread()
    }
}

impl fmt::Debug for Decoded<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoded").field("message", &self.message).field("fault", &self.fault).finish()
    }
}
