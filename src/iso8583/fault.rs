//! Why a frame is refused: which data element, at which byte, and for what reason. Never what it held.

use nom::error::{ErrorKind, ParseError};
use thiserror::Error;

/// A refused message: which data element, at which byte, and why.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("DE {field} at byte {offset}: {reason}")]
pub struct DecodeError {
    /// Data element number; 0 is the MTI, its header or the message as a whole, 1 a bitmap.
    pub field: u8,
    /// Bytes from the start of the frame, length header excluded.
    pub offset: usize,
    /// What is wrong there.
    pub reason: Reason,
}

impl DecodeError {
    /// Whether the layout was lost, so that nothing after this point could be read. Otherwise only this
    /// field's content is bad, and every other field was decoded.
    #[must_use]
    pub const fn is_layout(&self) -> bool {
        self.reason.is_layout()
    }
}

/// What is wrong with a field. Lengths are in bytes.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Reason {
    /// The frame is longer than any a decoder takes.
    #[error("the frame has {len} bytes, more than {max}")]
    FrameTooLong {
        /// Bytes in the frame.
        len: usize,
        /// Most bytes allowed.
        max: usize,
    },
    /// The message type indicator is not four digits.
    #[error("the message type indicator is not four digits")]
    BadMti,
    /// The frame ends inside this field.
    #[error("the frame ends here: {need} bytes are needed, {have} are left")]
    Truncated {
        /// Bytes that the field, or its length prefix, takes.
        need: usize,
        /// Bytes left in the frame.
        have: usize,
    },
    /// What stands before the message type indicator is not the header of this dialect.
    #[error("what stands before the message type indicator is not this dialect's header")]
    BadHeader,
    /// A bitmap in hex characters holds something else.
    #[error("a bitmap holds a character that is not a hex digit")]
    BadBitmap,
    /// The bitmap announces a field that the dialect does not have.
    #[error("the bitmap announces a field that the dialect does not have")]
    Undefined,
    /// A length prefix that is not a number, or one that no value of this field can have.
    #[error("the length is not a number, or one that cannot be here")]
    BadLength,
    /// A length prefix says more than the dialect allows.
    #[error("the length is {len}, more than {max}")]
    TooLong {
        /// What the prefix says.
        len: usize,
        /// Most bytes that the dialect allows.
        max: usize,
    },
    /// Bytes are left after the last field.
    #[error("{count} bytes are left after the last field")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// A byte outside the field's character class.
    #[error("not of the character class {class}")]
    Character {
        /// The class that the dialect asks for.
        class: super::Class,
    },
    /// A field with structure whose elements, parts or subfields do not fit together.
    #[error("an element or subfield is malformed or runs past its field")]
    BadElement,
    /// Behind a value that is filled up to its longest stands something else.
    #[error("what follows the value is not its filling")]
    BadFilling,
    /// A field that messages of this type must have.
    #[error("this field is missing, and a message of this type must have it")]
    Missing,
    /// A field that messages of this type must not have.
    #[error("a message of this type must not have this field")]
    Forbidden,
}

impl Reason {
    /// Whether the layout is lost from here on, rather than one field's content bad.
    #[must_use]
    pub const fn is_layout(self) -> bool {
        !matches!(
            self,
            Self::Character { .. } | Self::BadElement | Self::BadFilling | Self::Missing | Self::Forbidden
        )
    }
}

/// What the parsers below a field say: the reason, and how many bytes of input were left where they met it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Fault {
    pub(super) left: usize,
    pub(super) reason: Reason,
}

impl ParseError<&[u8]> for Fault {
    fn from_error_kind(input: &[u8], _: ErrorKind) -> Self {
        Self { left: input.len(), reason: Reason::Truncated { need: 0, have: input.len() } }
    }

    fn append(_: &[u8], _: ErrorKind, first: Self) -> Self {
        first
    }
}
