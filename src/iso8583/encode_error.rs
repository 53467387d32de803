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
    /// The field carries the third bitmap, and not the one that the fields make.
    #[error(
        "the field carries the third bitmap: leave it out, and it is written as the fields above 128 need it"
    )]
    CarriesBitmap,
    /// What is to stand before the MTI is not the dialect's header.
    #[error("not the header of this dialect")]
    BadHeader,
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
    /// The value of a field with structure whose elements or subfields do not fit together.
    #[error("an element or subfield is malformed at byte {at} of the value")]
    BadElement {
        /// Place in the value, from 0.
        at: usize,
    },
    /// Elements for a field that has none.
    #[error("the field has nothing inside it in this dialect")]
    NotStructured,
    /// An element that the field does not have, or not there: parts stand in the order of the dialect.
    #[error("no such element, or not in this place")]
    NoSuchElement,
    /// A positional part was left out.
    #[error("a part is missing")]
    PartMissing,
    /// A message type whose messages must have this field.
    #[error("a message of this type must have this field")]
    Missing,
    /// A message type whose messages must not have this field.
    #[error("a message of this type must not have this field")]
    Forbidden,
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
