//! What a dialect is compiled to: one flat table, a few bytes a field, read once for each field of a message.

use super::charset::Class;
use super::packed::Odd;
use super::pages::Page;

/// Highest data element number of a message with three bitmaps.
pub(super) const FIELD_MAX: u8 = 192;

/// How one field lies on the wire.
// Aligned so that the place of one in the table is a shift, and none lies across two cache lines.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(super) struct Layout {
    /// The fixed length, or the longest: characters, or bytes of class `b`.
    pub(super) max: u16,
    pub(super) class: Class,
    /// Whether the wire holds the value as it is, behind [`Layout::digits`] of ASCII length at most, and no condition
    /// asks for it: the short way through decoder and encoder.
    pub(super) plain: bool,
    /// Decimal ASCII digits of the length prefix of a plain field; 0 for a fixed length.
    pub(super) digits: u8,
    /// Elements inside a plain field.
    pub(super) tlv: Option<Tlv>,
    pub(super) form: Form,
    /// Whether the value is in another form and nothing else is to be said of it: no structure, no filling, no
    /// condition. The second shortest way through the decoder.
    pub(super) recoded: bool,
    /// Bytes on the wire of the longest value, or of any if the length is fixed.
    pub(super) wire_max: u16,
    pub(super) prefix: Option<Prefix>,
    /// Whether the value is always followed by filling up to `max`.
    pub(super) filled: bool,
    /// What is inside, as an index into the dialect's structures.
    pub(super) inside: Option<u16>,
    /// Whether a condition of another field's layout asks for this one's value.
    pub(super) watched: bool,
    /// Whether a condition may put another layout in this one's place.
    pub(super) varies: bool,
}

/// How the characters of a value are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// One byte a character, as it is: ASCII, and raw bytes of class `b`.
    Plain,
    /// ISO 8859-1: as it is, but more characters are printable.
    Latin1,
    Ebcdic(Page),
    /// Two digits a byte. `ebcdic_sign`: how the sign of `x+n` is written.
    Bcd {
        odd: Odd,
        ebcdic_sign: bool,
    },
    /// Two hex characters a byte of the value.
    Hex,
    /// No bytes at all.
    Absent,
}

/// The length before a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Prefix {
    pub(super) form: PrefixForm,
    /// On the wire, 1 to 6.
    pub(super) bytes: u8,
    /// Whether it counts bytes of the value on the wire, rather than its characters.
    pub(super) counts_bytes: bool,
    /// Whether it counts itself too.
    pub(super) includes_itself: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum PrefixForm {
    Ascii,
    Ebcdic,
    Bcd,
    /// Big-endian.
    Binary,
}

/// Elements inside a field: a tag, a length, a value; then the next.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Tlv {
    /// Characters or bytes of a tag, 1 to 4.
    pub(super) tag: u8,
    /// Digits or bytes of a length, 1 to 4.
    pub(super) length: u8,
    /// Tag and length are bytes, rather than characters and decimal digits.
    pub(super) binary: bool,
    /// The length stands before the tag.
    pub(super) length_first: bool,
    /// How much more than the value the length counts: the width of tag, length or both.
    pub(super) counted: u8,
}

impl Tlv {
    /// Of no field: there are no elements.
    pub(super) const NONE: Self = Self { tag: 1, length: 1, binary: false, length_first: false, counted: 0 };

    /// Tag, decimal length of the value, value: what nearly all networks have.
    #[inline]
    pub(super) const fn is_usual(self) -> bool {
        !self.binary && !self.length_first && self.counted == 0
    }
}

/// The fields of a dialect, by number; 0 and 1 are never there, 65 only as the field that carries the third bitmap.
#[derive(Clone)]
pub(super) struct Table([Option<Layout>; 193]);

impl Table {
    pub(super) const EMPTY: Self = Self([None; 193]);

    #[inline]
    pub(super) fn layout(&self, field: u8) -> Option<&Layout> {
        self.0.get(usize::from(field))?.as_ref()
    }

    pub(super) fn layout_mut(&mut self, field: u8) -> Option<&mut Layout> {
        self.0.get_mut(usize::from(field))?.as_mut()
    }

    pub(super) fn set(&mut self, field: u8, layout: Layout) {
        if let Some(slot) = self.0.get_mut(usize::from(field)) {
            *slot = Some(layout);
        }
    }
}
