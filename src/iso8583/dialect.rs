//! A dialect: how one network lays out its messages.

use std::collections::BTreeMap;
use std::fmt;

use super::charset::Class;
use super::load;
use super::load_error::DialectError;
use super::path::{FieldPath, PathError};
use super::table::{Layout, Table};

/// How one network lays out its messages, read from a file and checked. Share it by reference: it never
/// changes.
#[derive(Clone)]
pub struct Dialect {
    pub(super) name: String,
    pub(super) note: String,
    pub(super) bitmap: Bitmap,
    pub(super) table: Table,
    pub(super) fields: BTreeMap<u8, Field>,
}

/// How bitmaps are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Bitmap {
    /// Sixteen hex characters.
    Hex,
    /// Eight bytes.
    Binary,
}

impl Bitmap {
    /// Bytes of one bitmap on the wire.
    pub(super) const fn width(self) -> usize {
        match self {
            Self::Hex => 16,
            Self::Binary => 8,
        }
    }
}

/// What is known of a field beside its layout.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: String,
    /// The type as written in the file.
    pub(super) notation: String,
    pub(super) card_data: CardData,
    pub(super) parts: Vec<Part>,
}

/// A positional subfield, in bytes from the start of its field.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Part {
    /// `None` for blanks between two parts.
    pub(super) name: Option<String>,
    pub(super) start: u16,
    pub(super) len: u16,
}

/// What of a field may be kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CardData {
    /// No card data.
    None,
    /// A card number: shown as first six and last four digits at most, stored encrypted only.
    Pan,
    /// Track, PIN or chip data: never written anywhere.
    Never,
}

impl Dialect {
    /// Reads and checks a dialect. `base` gives the text of the dialect named in `extends`; `file_name` only
    /// stands in errors.
    ///
    /// # Errors
    ///
    /// [`DialectError`]: the first thing found wrong, with file and line.
    pub fn parse(
        file_name: &str,
        text: &str,
        base: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, DialectError> {
        load::load(file_name, text, base)
    }

    /// The dialect's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the dialect comes from and what of it is inference; may be empty.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }

    /// Numbers of the fields that the dialect has, ascending.
    pub fn fields(&self) -> impl Iterator<Item = u8> {
        self.fields.keys().copied()
    }

    /// What the field is called, such as `primary account number`.
    #[must_use]
    pub fn field_name(&self, field: u8) -> Option<&str> {
        self.fields.get(&field).map(|field| field.name.as_str())
    }

    /// The field's type in the standard's notation, such as `n..19`.
    #[must_use]
    pub fn field_type(&self, field: u8) -> Option<&str> {
        self.fields.get(&field).map(|field| field.notation.as_str())
    }

    /// Most bytes that the field's value takes on the wire, the length prefix excluded.
    #[must_use]
    pub fn field_bytes_max(&self, field: u8) -> Option<u16> {
        self.table.layout(field).map(|layout| layout.max)
    }

    /// Whether the field holds tagged elements.
    #[must_use]
    pub fn is_tlv(&self, field: u8) -> bool {
        self.table.layout(field).is_some_and(|layout| layout.tlv.is_some())
    }

    /// Whether the field is raw bytes rather than characters.
    #[must_use]
    pub fn is_binary(&self, field: u8) -> bool {
        self.table.layout(field).is_some_and(|layout| layout.class == Class::B)
    }

    /// What of a field may be kept. An unknown field has no card data.
    #[must_use]
    pub fn card_data(&self, field: u8) -> CardData {
        self.fields.get(&field).map_or(CardData::None, |field| field.card_data)
    }

    /// Compiles a field path: `37`, `48.CN` (a tagged element) or `90.stan` (a positional part).
    ///
    /// # Errors
    ///
    /// [`PathError`] if this dialect has no such place.
    pub fn path(&self, text: &str) -> Result<FieldPath, PathError> {
        FieldPath::compile(self, text)
    }

    pub(super) fn layout(&self, field: u8) -> Option<&Layout> {
        self.table.layout(field)
    }

    pub(super) fn parts(&self, field: u8) -> &[Part] {
        self.fields.get(&field).map_or(&[], |field| field.parts.as_slice())
    }
}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Dialect").field(&self.name).finish()
    }
}
