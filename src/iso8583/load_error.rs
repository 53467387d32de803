//! What can be wrong with a dialect file.

use thiserror::Error;

use super::notation::NotationError;

/// What is wrong with a dialect file, and where.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{file}:{line}: {reason}")]
pub struct DialectError {
    /// The file, or `<name>.toml` for one that was reached through `extends`.
    pub file: String,
    /// Line in the file, from 1.
    pub line: usize,
    /// What is wrong there.
    pub reason: DialectReason,
}

/// What is wrong in a dialect file.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum DialectReason {
    /// Not TOML; in the words of the TOML parser.
    #[error("{message}")]
    Syntax {
        /// What the parser says.
        message: String,
    },
    /// A key that means nothing here.
    #[error("unknown key `{key}`; known here: {known}")]
    UnknownKey {
        /// The key.
        key: String,
        /// What may stand there.
        known: &'static str,
    },
    /// A key that must be there.
    #[error("`{key}` is missing")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// A value of the wrong kind.
    #[error("`{key}` must be {want}")]
    Wants {
        /// The key.
        key: String,
        /// What it must be.
        want: &'static str,
    },
    /// Not a data element number.
    #[error("a field is a number from 2 to 128; 65 is a bitmap's")]
    FieldNumber,
    /// Not a field type.
    #[error("DE {field}: {reason}")]
    Notation {
        /// Data element number.
        field: u8,
        /// Why.
        reason: NotationError,
    },
    /// Two things that cannot both be, or one that cannot be here.
    #[error("DE {field}: {conflict}")]
    Conflict {
        /// Data element number.
        field: u8,
        /// What clashes.
        conflict: Conflict,
    },
    /// `extends` names a dialect that is not there.
    #[error("`extends`: there is no dialect `{name}`")]
    NoBase {
        /// The name.
        name: String,
    },
    /// `extends` leads back to where it began, or further than anyone should follow.
    #[error("`extends` goes in a circle through `{name}`")]
    Circle {
        /// The name met again.
        name: String,
    },
    /// A field is taken away that the base does not have.
    #[error("DE {field} is \"none\" here, but there is nothing to take away")]
    NothingToRemove {
        /// Data element number.
        field: u8,
    },
}

/// Two things in a field's record that cannot both be, or one that cannot be there.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Conflict {
    /// Elements in a field of fixed length.
    #[error("`tlv` needs a length prefix: elements do not fill a fixed length")]
    FixedTlv,
    /// Elements or parts in a field that is not text.
    #[error("`tlv` and `parts` need a field of characters (`an` or `ans`; `parts` also `n`)")]
    NotText,
    /// Not one element would fit.
    #[error("the field is too short for one element")]
    NoRoomForElement,
    /// Both kinds of inside.
    #[error("`tlv` and `parts` exclude each other")]
    TlvAndParts,
    /// Parts overlap the end of the field.
    #[error("its parts take {parts} characters, but the field has {max}")]
    PartsTooWide {
        /// Characters of all parts together.
        parts: usize,
        /// Characters of the field.
        max: u16,
    },
    /// Parts leave some of a fixed field unnamed.
    #[error("its parts take {parts} characters of {max}: name the rest, or write it as `blank`")]
    PartsTooNarrow {
        /// Characters of all parts together.
        parts: usize,
        /// Characters of the field.
        max: u16,
    },
    /// Two parts of one name.
    #[error("two of its parts have the same name")]
    SamePart,
    /// A binary field with a length prefix, written in hex.
    #[error("binary of variable length is raw bytes: in hex its length would have two readings")]
    VariableHex,
    /// `binary` on a field that is not `b`.
    #[error("`binary` is for fields of type `b`")]
    BinaryText,
    /// A card number in a field that cannot hold one.
    #[error("a field with a card number is `n`, `an` or `ans`")]
    PanNotText,
    /// A field that carries card data by the standard, without a word on it.
    #[error(
        "`card_data` is missing: say \"pan\" or \"never\", or \"none\" if this network puts something else here"
    )]
    CardDataUnsaid,
}
