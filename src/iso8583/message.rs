//! A decoded message: which fields stand where in its frame.

use std::fmt;

use super::dialect::{CardData, Dialect};
use super::fault::DecodeError;
use super::mask;
use super::mti::Mti;
use super::path::{FieldPath, Step};
use super::table::{FIELD_MAX, Tlv};

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

/// Fields of a frame, in place. A value of fixed size: nothing of it is on the heap.
#[derive(Clone)]
pub struct Message<'d, 'a> {
    pub(super) dialect: &'d Dialect,
    pub(super) frame: &'a [u8],
    pub(super) mti: Mti,
    /// Fields that the bitmaps say are there.
    pub(super) announced: Fields,
    /// Fields that decoded.
    pub(super) present: Fields,
    /// Fields whose place is known, though their content may be bad.
    pub(super) laid_out: Fields,
    /// Bytes of the frame up to where the layout was lost, or all of them.
    pub(super) end: usize,
    pub(super) spans: [Span; 129],
}

/// Where a value stands in its frame, in bytes.
#[derive(Clone, Copy, Default)]
pub(super) struct Span {
    pub(super) start: u16,
    pub(super) len: u16,
}

/// A set of field numbers 1 to 128, as two bitmaps hold it: field 1 is the highest bit of the first.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Fields {
    pub(super) words: [u64; 2],
}

/// Field 1 of a bitmap, or field 65.
pub(super) const FIRST: u64 = 1 << 63;

impl Fields {
    /// The word of a field and its bit in it; none for 0.
    #[inline]
    fn bit(field: u8) -> (bool, u64) {
        let index = field.wrapping_sub(1);
        let bit = FIRST.checked_shr(u32::from(index & 63)).unwrap_or(0);
        if index < FIELD_MAX { (index >= 64, bit) } else { (false, 0) }
    }

    #[inline]
    pub(super) fn has(self, field: u8) -> bool {
        let (second, bit) = Self::bit(field);
        let [low, high] = self.words;
        (if second { high } else { low }) & bit != 0
    }

    #[inline]
    pub(super) fn insert(&mut self, field: u8) {
        let (second, bit) = Self::bit(field);
        let [low, high] = &mut self.words;
        *(if second { high } else { low }) |= bit;
    }

    /// The numbers, ascending.
    pub(super) fn iter(self) -> impl Iterator<Item = u8> {
        (1..=FIELD_MAX).filter(move |field| self.has(*field))
    }
}

impl<'d, 'a> Message<'d, 'a> {
    pub(super) const fn nothing(dialect: &'d Dialect, frame: &'a [u8]) -> Self {
        Self {
            dialect,
            frame,
            mti: Mti::UNREADABLE,
            announced: Fields { words: [0; 2] },
            present: Fields { words: [0; 2] },
            laid_out: Fields { words: [0; 2] },
            end: 0,
            spans: [Span { start: 0, len: 0 }; 129],
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

    /// The frame that it was decoded from, MTI first.
    #[must_use]
    pub const fn frame(&self) -> &'a [u8] {
        self.frame
    }

    /// A field's value as it stands on the wire, without its length prefix. `None` if it is absent or its
    /// content is bad.
    #[inline]
    #[must_use]
    pub fn field(&self, field: u8) -> Option<&'a [u8]> {
        if self.present.has(field) { self.place(field).map(|(_, value)| value) } else { None }
    }

    /// Where a field's value starts: bytes from the start of the frame.
    #[must_use]
    pub fn offset(&self, field: u8) -> Option<usize> {
        if self.present.has(field) { self.place(field).map(|(start, _)| start) } else { None }
    }

    /// What stands at a path. The first element, where a tag repeats.
    #[must_use]
    pub fn get(&self, path: &FieldPath) -> Option<&'a [u8]> {
        let value = self.field(path.field)?;
        match path.step {
            Step::Whole => Some(value),
            Step::Element { tag, tlv } => {
                Elements::new(tlv, value).find(|(found, _)| *found == tag.as_bytes()).map(|(_, value)| value)
            }
            Step::Part { start, len } => {
                value.get(usize::from(start)..usize::from(start.saturating_add(len)))
            }
        }
    }

    /// The fields that decoded, ascending.
    pub fn fields(&self) -> impl Iterator<Item = (u8, &'a [u8])> {
        self.present.iter().filter_map(|field| self.field(field).map(|value| (field, value)))
    }

    /// Tag and value of each element of a TLV field, in order. Nothing if the field is absent or not TLV.
    pub fn elements(&self, field: u8) -> Elements<'a> {
        let tlv = self.dialect.layout(field).and_then(|layout| layout.tlv);
        match (tlv, self.field(field)) {
            (Some(tlv), Some(value)) => Elements::new(tlv, value),
            (Some(_), None) | (None, _) => Elements::new(Tlv { tag: 1, length: 1 }, &[]),
        }
    }

    /// Start and bytes of a field whose place is known, be its content good or bad.
    #[inline]
    pub(super) fn place(&self, field: u8) -> Option<(usize, &'a [u8])> {
        let span = self.spans.get(usize::from(field))?;
        let start = usize::from(span.start);
        let value = self.frame.get(start..start.saturating_add(usize::from(span.len)))?;
        Some((start, value))
    }
}

/// Tag and value of each element of a TLV field. Stops at the first that is malformed.
#[derive(Clone)]
pub struct Elements<'a> {
    tlv: Tlv,
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    pub(super) const fn new(tlv: Tlv, value: &'a [u8]) -> Self {
        Self { tlv, rest: value }
    }

    /// Goes through the rest and says where it stops being elements: how many bytes are left there, 0 if
    /// none.
    #[inline]
    pub(super) fn left_malformed(mut self) -> usize {
        while self.next().is_some() {}
        self.rest.len()
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (tag, rest) = self.rest.split_at_checked(usize::from(self.tlv.tag))?;
        let (length, rest) = rest.split_at_checked(usize::from(self.tlv.length))?;
        let (value, rest) = rest.split_at_checked(super::decode::decimal(length)?)?;
        self.rest = rest;
        Some((tag, value))
    }
}

impl fmt::Debug for Elements<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elements").field("bytes_left", &self.rest.len()).finish()
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
        let message = &self.message;
        let never =
            || message.announced.iter().any(|field| message.dialect.card_data(field) == CardData::Never);
        self.layout_lost && (!mask::shows_card_number(message) || never())
    }
}

impl fmt::Debug for Decoded<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoded").field("message", &self.message).field("fault", &self.fault).finish()
    }
}
