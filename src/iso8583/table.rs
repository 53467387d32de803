//! What a dialect is compiled to: one flat table, a few bytes a field, read once for each field of a message.

use super::charset::Class;

/// Highest data element number of a message with two bitmaps.
pub(super) const FIELD_MAX: u8 = 128;

/// How one field lies on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// The fixed length, or the longest, in bytes on the wire.
    pub(super) max: u16,
    /// Decimal digits of the length prefix; 0 for a fixed length.
    pub(super) prefix: u8,
    pub(super) class: Class,
    pub(super) tlv: Option<Tlv>,
}

/// Elements inside a field: a tag, a decimal length, a value; then the next.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Tlv {
    /// Characters of a tag, 1 to 4.
    pub(super) tag: u8,
    /// Digits of a length, 1 to 4.
    pub(super) length: u8,
}

/// The fields of a dialect, by number; 0, 1 and 65 are never there.
#[derive(Clone)]
pub(super) struct Table([Option<Layout>; 129]);

impl Table {
    pub(super) const EMPTY: Self = Self([None; 129]);

    #[inline]
    pub(super) fn layout(&self, field: u8) -> Option<&Layout> {
        self.0.get(usize::from(field))?.as_ref()
    }

    pub(super) fn set(&mut self, field: u8, layout: Layout) {
        if let Some(slot) = self.0.get_mut(usize::from(field)) {
            *slot = Some(layout);
        }
    }
}
