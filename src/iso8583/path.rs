//! Field paths: where in a message a value stands, compiled once.

use std::fmt;

use thiserror::Error;

use super::ber;
use super::dialect::{Dialect, identifier};
use super::structure::{BER_DEPTH, Structure, Subfield, Widths, Within};
use crate::ids::Short;

/// A place in messages of one dialect: a field, or something inside it. Copying one is cheap, and it does not need its
/// dialect any more.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct FieldPath {
    text: Short<32>,
    pub(super) field: u8,
}

/// Why a text is not a path in this dialect.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum PathError {
    /// Not a number, or a number and names with dots between.
    #[error(
        "a field path is a data element number, or one with tags or parts: `37`, `48.CN`, `90.stan`, `127.25.3`"
    )]
    Malformed,
    /// The dialect has no such field.
    #[error("the dialect has no DE {field}")]
    Undefined {
        /// Data element number.
        field: u8,
    },
    /// A name after a dot, but nothing is inside.
    #[error("DE {field} has nothing inside it there in this dialect")]
    NoInside {
        /// Data element number.
        field: u8,
    },
    /// A tag of another width than the field's tags.
    #[error("a tag of DE {field} has {width} characters")]
    TagWidth {
        /// Data element number.
        field: u8,
        /// Characters of a tag, or hex characters of one of bytes.
        width: u8,
    },
    /// Not the tag of a BER object, in upper-case hex.
    #[error("a tag of DE {field} is BER-TLV: hex such as `9F26`")]
    NotBer {
        /// Data element number.
        field: u8,
    },
    /// The field has parts or subfields, but none of that name.
    #[error("DE {field} has no part or subfield of that name")]
    NoSuchPart {
        /// Data element number.
        field: u8,
    },
}

impl FieldPath {
    pub(super) fn compile(dialect: &Dialect, text: &str) -> Result<Self, PathError> {
        let (number, inside) = match text.split_once('.') {
            Some((number, inside)) => (number, Some(inside)),
            None => (text, None),
        };
        let field = number.parse::<u8>().map_err(|_| PathError::Malformed)?;
        if field.to_string() != number {
            return Err(PathError::Malformed);
        }
        let mut layouts = dialect.layouts(field).peekable();
        layouts.peek().ok_or(PathError::Undefined { field })?;
        if let Some(inside) = inside {
            // Whichever of a field's layouts has the place will do: where a message has another, nothing is there.
            let mut refused = PathError::NoInside { field };
            let fits = layouts.filter_map(|layout| dialect.structure(layout)).any(|structure| {
                match check(field, Within::Declared(structure), inside) {
                    Ok(()) => true,
                    Err(error) => {
                        refused = error;
                        false
                    }
                }
            });
            if !fits {
                return Err(refused);
            }
        }
        Ok(Self { text: Short::new(text.as_bytes()).map_err(|_| PathError::Malformed)?, field })
    }

    /// Whether it leads to a whole field.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.inside().is_none()
    }

    /// The data element that the path begins at.
    #[must_use]
    pub const fn field(&self) -> u8 {
        self.field
    }

    /// Whether it leads to the elements of this tag.
    #[must_use]
    pub fn leads_to(&self, tag: &[u8]) -> bool {
        self.inside() == Some(tag)
    }

    /// What follows the first dot: tags, names and numbers, with dots between.
    pub(super) fn inside(&self) -> Option<&[u8]> {
        let text = self.text.as_bytes();
        let dot = text.iter().position(|byte| *byte == b'.')?;
        text.get(dot.saturating_add(1)..)
    }
}

/// The first of some keys with dots between them, and the rest. A tag of characters may have a dot, and nothing is inside
/// of what it names.
pub(super) fn first_key<'k>(within: Within<'_>, keys: &'k [u8]) -> (&'k [u8], Option<&'k [u8]>) {
    let whole = matches!(within, Within::Declared(Structure::Tlv(tlv)) if !tlv.binary);
    let dot = keys.iter().position(|byte| *byte == b'.').filter(|_| !whole);
    match dot.and_then(|dot| keys.split_at_checked(dot)) {
        Some((key, deeper)) => (key, deeper.get(1..)),
        None => (keys, None),
    }
}

/// Whether keys with dots between them lead somewhere in a structure.
fn check(field: u8, within: Within<'_>, keys: &str) -> Result<(), PathError> {
    let (first, _) = first_key(within, keys.as_bytes());
    let (key, deeper) = match keys.split_at_checked(first.len()) {
        Some((key, deeper)) => (key, deeper.get(1..)),
        None => (keys, None),
    };
    let no_such = PathError::NoSuchPart { field };
    let inside = match within {
        Within::Ber(depth) => Some(ber(field, depth, key)?),
        Within::Declared(Structure::Ber { depth }) => Some(ber(field, depth.saturating_sub(1), key)?),
        Within::Declared(Structure::Tlv(tlv)) => {
            let width = if tlv.binary { tlv.tag.saturating_mul(2) } else { tlv.tag };
            if key.len() != usize::from(width) {
                return Err(PathError::TagWidth { field, width });
            }
            None
        }
        Within::Declared(Structure::Widths(Widths { parts, .. })) => {
            parts.iter().find(|part| part.name.as_deref() == Some(key)).ok_or(no_such)?;
            None
        }
        Within::Declared(Structure::Bitmap(inside)) if inside.is_header(key.as_bytes()) => None,
        Within::Declared(structure) => {
            let subfield = Dialect::subfield(structure, key);
            // What is inside a data set, and not declared, is TLV.
            let set = matches!(structure, Structure::Datasets(_)).then_some(Within::Ber(BER_DEPTH));
            match subfield {
                Some(subfield) => subfield.within().or(set),
                None => Some(set.filter(|_| identifier(key).is_some()).ok_or(no_such)?),
            }
        }
    };
    match (deeper, inside) {
        (None, _) => Ok(()),
        (Some(keys), Some(inside)) => check(field, inside, keys),
        (Some(_), None) => Err(PathError::NoInside { field }),
    }
}

/// What is inside the BER object of a tag, if the tag is one.
fn ber(field: u8, depth: u8, key: &str) -> Result<Within<'static>, PathError> {
    let upper = !key.bytes().any(|byte| byte.is_ascii_lowercase());
    let tag = hex::decode(key).ok().filter(|tag| upper && ber::tag_fits(tag));
    match (tag, depth.checked_sub(1)) {
        (Some(tag), Some(depth)) if ber::is_constructed(&tag) => Ok(Within::Ber(depth)),
        // Nothing is inside a primitive object: any tag behind it leads nowhere.
        (Some(_), _) => Ok(Within::Ber(0)),
        (None, _) => Err(PathError::NotBer { field }),
    }
}

/// The last tag of a path that leads into chip data: BER-TLV that a dialect declares, and not the inside of a data set,
/// whose tags mean something else.
pub(super) fn chip_tag<'p>(dialect: &Dialect, path: &'p str) -> Option<&'p str> {
    fn is_chip<'d>(mut within: Within<'d>, keys: &str) -> bool {
        for key in keys.split('.') {
            match within {
                Within::Ber(_) | Within::Declared(Structure::Ber { .. }) => return true,
                Within::Declared(structure) => {
                    let inside = Dialect::subfield(structure, key).and_then(Subfield::within);
                    let Some(inside) = inside else { return false };
                    within = inside;
                }
            }
        }
        false
    }
    let (number, keys) = path.split_once('.')?;
    let structures = dialect.layouts(number.parse().ok()?).filter_map(|layout| dialect.structure(layout));
    let (_, tag) = path.rsplit_once('.')?;
    let mut within = structures.map(Within::Declared);
    within.any(|within| is_chip(within, keys)).then_some(tag)
}

impl fmt::Display for FieldPath {
    /// As it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text.as_str())
    }
}

impl fmt::Debug for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text.as_str())
    }
}
