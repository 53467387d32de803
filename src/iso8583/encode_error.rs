//! Why a message cannot be written. Never what it was to hold.

use thiserror::Error;

use super::charset::Class;

/// A message that cannot be written: which data element, and why.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("DE {field}: {reason}")]
pub struct EncodeError {
    /// Data element number; 0 is the message as a whole.
    pub field: u8,
    /// What is wrong with it.
    pub reason: EncodeReason,
}

/// Why a field cannot be written. Lengths are in bytes.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum EncodeReason {
    /// A field was written at or after this one already.
    #[error("fields are written in ascending order, and DE {last} was written before")]
    NotAscending {
        /// The last field written.
        last: u8,
    },
    /// The dialect does not have the field.
    #[error("the dialect does not have the field")]
    Undefined,
    /// An empty value for a field of fixed length: filling it up would invent one.
    #[error("an empty value cannot fill a fixed length")]
    Empty,
    /// Longer than the field: nothing is ever cut off.
    #[error("{len} bytes, more than {max}")]
    TooLong {
        /// Bytes of the value.
        len: usize,
        /// Most bytes of the field.
        max: usize,
    },
    /// Shorter than a field that cannot be filled up.
    #[error("{len} bytes instead of {need}")]
    TooShort {
        /// Bytes of the value.
        len: usize,
        /// Bytes of the field.
        need: usize,
    },
    /// A byte outside the field's character class.
    #[error("not of the character class {class} at byte {at} of the value")]
    Character {
        /// The class that the dialect asks for.
        class: Class,
        /// Place in the value, from 0.
        at: usize,
    },
    /// The value of a TLV field whose elements do not fit together.
    #[error("a TLV element is malformed at byte {at} of the value")]
    BadElement {
        /// Place in the value, from 0.
        at: usize,
    },
    /// Elements for a field that has none.
    #[error("the field has no TLV elements in this dialect")]
    NotTlv,
    /// A tag of another width than the field's tags.
    #[error("a tag has {width} characters here")]
    TagWidth {
        /// Characters of a tag.
        width: u8,
    },
    /// Elements were begun and not ended, or the other way round.
    #[error("the elements of a TLV field were not begun, or not ended")]
    Unbalanced,
}
