//! A dialect: how one network lays out its messages.

use std::collections::BTreeMap;
use std::fmt;

use super::charset::Class;
use super::chip;
use super::framing::Framing;
use super::header::Header;
use super::load;
use super::load_error::DialectError;
use super::path::{self, FieldPath, PathError};
use super::rules::{Condition, Holding, Presence, When};
use super::structure::{Structure, Subfield};
use super::table::{Layout, Table, Tlv};

/// How one network lays out its messages, read from a file and checked. Share it by reference: it never
/// changes.
#[derive(Clone)]
pub struct Dialect {
    pub(super) name: String,
    pub(super) note: String,
    pub(super) framing: Framing,
    pub(super) headers: Vec<Header>,
    pub(super) mti: MtiForm,
    pub(super) bitmap: Bitmap,
    pub(super) secondary: Secondary,
    pub(super) tertiary: Tertiary,
    pub(super) table: Table,
    /// What is inside of fields, by [`Layout::inside`].
    pub(super) structures: Vec<Structure>,
    pub(super) fields: BTreeMap<u8, Field>,
    pub(super) conditions: Vec<Condition>,
    pub(super) whens: Vec<When>,
    pub(super) presence: Vec<Presence>,
    /// Meanings of values, for people.
    pub(super) codes: BTreeMap<String, BTreeMap<String, String>>,
    /// Names of elements, by path.
    pub(super) names: BTreeMap<String, String>,
    /// Whether any value is not plain on the wire.
    pub(super) mirrors: bool,
}

/// How the message type indicator is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum MtiForm {
    Ascii,
    /// Two bytes.
    Bcd,
    Ebcdic,
}

impl MtiForm {
    /// Bytes on the wire.
    pub(super) const fn width(self) -> usize {
        match self {
            Self::Ascii | Self::Ebcdic => 4,
            Self::Bcd => 2,
        }
    }
}

/// How bitmaps are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Bitmap {
    /// Sixteen hex characters.
    Hex,
    /// The same in EBCDIC.
    EbcdicHex,
    /// Eight bytes.
    Binary,
}

impl Bitmap {
    /// Bytes of one bitmap on the wire.
    pub(super) const fn width(self) -> usize {
        match self {
            Self::Hex | Self::EbcdicHex => 16,
            Self::Binary => 8,
        }
    }
}

/// Whether there is a bitmap for fields 66 to 128.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Secondary {
    /// If bit 1 says so.
    Announced,
    /// In every message, and bit 1 is set.
    Always,
    /// In every message, and bit 1 is not set.
    Unannounced,
    /// Never: a message with bit 1 set is refused, for there is no field 1.
    None,
}

/// Where the bitmap for fields 129 to 192 stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tertiary {
    None,
    /// Behind the secondary, if bit 65 says so.
    Leading,
    /// In this field.
    Field(u8),
}

/// What is known of a field beside its layout.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: String,
    /// The type as written in the file.
    pub(super) notation: String,
    /// What is said of all of it.
    pub(super) card_data: CardData,
    /// The strictest that is said of it or of anything inside it.
    pub(super) strictest: CardData,
}

/// What of a field may be kept.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
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

    /// How its frames stand on a connection, unless a link says otherwise.
    #[must_use]
    pub const fn framing(&self) -> Framing {
        self.framing
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

    /// Most characters of the field's value, or bytes of class `b`.
    #[must_use]
    pub fn field_max(&self, field: u8) -> Option<u16> {
        self.table.layout(field).map(|layout| layout.max)
    }

    /// Bytes of the length before the field's value; 0 of a fixed length.
    #[must_use]
    pub fn prefix_bytes(&self, field: u8) -> usize {
        let layout = self.table.layout(field);
        let prefix = layout.and_then(|layout| layout.prefix);
        let plain = layout.filter(|layout| layout.plain).map(|layout| usize::from(layout.digits));
        plain.or_else(|| prefix.map(|prefix| usize::from(prefix.bytes))).unwrap_or(0)
    }

    /// Bytes of the message type indicator.
    #[must_use]
    pub const fn mti_bytes(&self) -> usize {
        self.mti.width()
    }

    /// Bytes of one bitmap.
    #[must_use]
    pub const fn bitmap_bytes(&self) -> usize {
        self.bitmap.width()
    }

    /// Whether the field holds tagged elements (TLV with tags of characters, or BER-TLV).
    #[must_use]
    pub fn is_tlv(&self, field: u8) -> bool {
        let structure = self.table.layout(field).and_then(|layout| self.structure(layout));
        matches!(structure, Some(Structure::Tlv(_) | Structure::Ber { .. }))
    }

    /// Whether the field is raw bytes rather than characters.
    #[must_use]
    pub fn is_binary(&self, field: u8) -> bool {
        self.table.layout(field).is_some_and(|layout| layout.class == Class::B)
    }

    /// Whether nothing but digits can stand in the field.
    #[must_use]
    pub fn is_digits(&self, field: u8) -> bool {
        self.table.layout(field).is_some_and(|layout| layout.class == Class::N)
    }

    /// The names of a field's parts by width, in whichever layouts it may have; each once.
    #[must_use]
    pub fn part_names(&self, field: u8) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for layout in self.layouts(field) {
            if let Some(Structure::Widths(widths)) = self.structure(layout) {
                for name in widths.parts.iter().filter_map(|part| part.name.as_ref()) {
                    if !names.contains(name) {
                        names.push(name.clone());
                    }
                }
            }
        }
        names
    }

    /// What of a field may be kept, the strictest of all that is inside it. An unknown field has no card data.
    #[must_use]
    pub fn card_data(&self, field: u8) -> CardData {
        self.fields.get(&field).map_or(CardData::None, |field| field.strictest)
    }

    /// What a value at a path means, for people: `39` and `00` give `approved`.
    #[must_use]
    pub fn meaning(&self, path: &str, value: &[u8]) -> Option<&str> {
        let value = std::str::from_utf8(value).ok()?;
        self.codes.get(path)?.get(value).map(String::as_str)
    }

    /// What an element without a record of its own is called: `48.CN`, `55.9F26`. What is inside another goes by its last
    /// tag too, and a chip's tag by the name that all know it by, unless the dialect has its own.
    #[must_use]
    pub fn element_name(&self, path: &str) -> Option<&str> {
        let last = || {
            let (field, inside) = path.split_once('.')?;
            let (_, tag) = inside.rsplit_once('.')?;
            self.names.get(&format!("{field}.{tag}"))
        };
        let own = self.names.get(path).or_else(last).map(String::as_str);
        own.or_else(|| path::chip_tag(self, path).and_then(chip::name))
    }

    /// Characters of a part by width, where the path leads to one.
    #[must_use]
    pub fn part_width(&self, path: &FieldPath) -> Option<u16> {
        let key = std::str::from_utf8(path.inside()?).ok()?;
        self.layouts(path.field()).find_map(|layout| match self.structure(layout)? {
            Structure::Widths(widths) => {
                widths.parts.iter().find(|part| part.name.as_deref() == Some(key)).map(|part| part.len)
            }
            Structure::Parts(_)
            | Structure::Tlv(_)
            | Structure::Ber { .. }
            | Structure::Bitmap(_)
            | Structure::Datasets(_) => None,
        })
    }

    /// Compiles a field path: `37`, `48.CN` (a tagged element), `90.stan` (a positional part), `127.25.3` (subfields) or
    /// `55.9F26` (a BER tag).
    ///
    /// # Errors
    ///
    /// [`PathError`] if this dialect has no such place.
    pub fn path(&self, text: &str) -> Result<FieldPath, PathError> {
        FieldPath::compile(self, text)
    }

    pub(super) fn structure(&self, layout: &Layout) -> Option<&Structure> {
        self.structures.get(usize::from(layout.inside?))
    }

    pub(super) fn tlv_of(&self, layout: &Layout) -> Option<Tlv> {
        layout.tlv.or_else(|| match self.structure(layout)? {
            Structure::Tlv(tlv) => Some(*tlv),
            Structure::Widths(_)
            | Structure::Parts(_)
            | Structure::Ber { .. }
            | Structure::Bitmap(_)
            | Structure::Datasets(_) => None,
        })
    }

    /// How a field is laid out where these conditions hold.
    #[inline]
    pub(super) fn layout_in(&self, field: u8, holding: Holding) -> Option<&Layout> {
        match self.table.layout(field) {
            Some(layout) if !layout.varies => Some(layout),
            usual @ (Some(_) | None) => self.varied(field, holding).or(usual),
        }
    }

    #[cold]
    fn varied(&self, field: u8, holding: Holding) -> Option<&Layout> {
        holding.find(&self.whens, field).map(|(layout, _)| layout)
    }

    /// What is known of a field where these conditions hold.
    pub(super) fn field_in(&self, field: u8, holding: Holding) -> Option<&Field> {
        holding.find(&self.whens, field).map(|(_, field)| field).or_else(|| self.fields.get(&field))
    }

    /// All layouts that a field may have.
    pub(super) fn layouts(&self, field: u8) -> impl Iterator<Item = &Layout> {
        let varied = self.whens.iter().filter_map(move |when| when.layouts.get(&field));
        self.table.layout(field).into_iter().chain(varied.map(|(layout, _)| layout))
    }

    /// Subfields that a path may name behind this field, wherever the structure declares them.
    pub(super) fn subfield<'s>(structure: &'s Structure, key: &str) -> Option<&'s Subfield> {
        match structure {
            Structure::Parts(parts) => parts.iter().find(|part| part.key == key),
            Structure::Bitmap(inside) => {
                inside.fields.get(key.parse().ok()?).filter(|field| field.key == key)
            }
            Structure::Datasets(sets) => sets.known.get(&identifier(key)?),
            Structure::Widths(_) | Structure::Tlv(_) | Structure::Ber { .. } => None,
        }
    }
}

/// The identifier of a data set, in two characters of hex.
pub(super) fn identifier(text: &str) -> Option<u8> {
    let hex = text.len() == 2 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(text, 16).ok().filter(|_| hex)
}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Dialect").field(&self.name).finish()
    }
}
