//! Field paths: where in a message a value stands, compiled once.

use std::fmt;

use thiserror::Error;

use super::dialect::Dialect;
use super::table::Tlv;
use crate::ids::Short;

/// A place in messages of one dialect: a field, an element of it, or a part of it. Copying one is cheap, and
/// it does not need its dialect any more.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct FieldPath {
    text: Short<24>,
    pub(super) field: u8,
    pub(super) step: Step,
}

/// The way from a field's value to the place.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Step {
    Whole,
    Element { tag: Short<4>, tlv: Tlv },
    Part { start: u16, len: u16 },
}

/// Why a text is not a path in this dialect.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum PathError {
    /// Not a number, or a number and a name with a dot between.
    #[error("a field path is a data element number, or one with a tag or part: `37`, `48.CN`, `90.stan`")]
    Malformed,
    /// The dialect has no such field.
    #[error("the dialect has no DE {field}")]
    Undefined {
        /// Data element number.
        field: u8,
    },
    /// A name after the dot, but the field is neither TLV nor has parts.
    #[error("DE {field} has neither elements nor parts in this dialect")]
    NoInside {
        /// Data element number.
        field: u8,
    },
    /// A tag of another width than the field's tags.
    #[error("a tag of DE {field} has {width} characters")]
    TagWidth {
        /// Data element number.
        field: u8,
        /// Characters of a tag.
        width: u8,
    },
    /// The field has parts, but none of that name.
    #[error("DE {field} has no part of that name")]
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
        let layout = dialect.layout(field).ok_or(PathError::Undefined { field })?;
        let step = match (inside, layout.tlv) {
            (None, _) => Step::Whole,
            (Some(tag), Some(tlv)) => {
                let width = PathError::TagWidth { field, width: tlv.tag };
                let tag = Short::new(tag.as_bytes()).map_err(|_| width)?;
                if tag.as_bytes().len() != usize::from(tlv.tag) {
                    return Err(width);
                }
                Step::Element { tag, tlv }
            }
            (Some(name), None) => {
                let parts = dialect.parts(field);
                if parts.is_empty() {
                    return Err(PathError::NoInside { field });
                }
                let named = parts.iter().find(|part| part.name.as_deref() == Some(name));
                let part = named.ok_or(PathError::NoSuchPart { field })?;
                Step::Part { start: part.start, len: part.len }
            }
        };
        Ok(Self { text: Short::new(text.as_bytes()).map_err(|_| PathError::Malformed)?, field, step })
    }

    /// The data element that the path begins at.
    #[must_use]
    pub const fn field(&self) -> u8 {
        self.field
    }

    /// The tag of a path into a TLV field.
    #[must_use]
    pub fn tag(&self) -> Option<&[u8]> {
        match &self.step {
            Step::Element { tag, .. } => Some(tag.as_bytes()),
            Step::Whole | Step::Part { .. } => None,
        }
    }
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
