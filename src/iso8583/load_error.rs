//! What can be wrong with a dialect file.

use thiserror::Error;

use super::framing::FramingError;
use super::notation::NotationError;
use super::path::PathError;

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
    #[error("a field is a number from 2 to 192")]
    FieldNumber,
    /// Not the number of a subfield.
    #[error("DE {field}: a subfield under a bitmap is a number from 1 to 128")]
    SubfieldNumber {
        /// Data element number.
        field: u8,
    },
    /// A rule names a field that the dialect does not have.
    #[error("the dialect has no DE {field}")]
    NoSuchField {
        /// Data element number.
        field: u8,
    },
    /// Not a framing.
    #[error("{0}")]
    Framing(FramingError),
    /// More conditions than are kept.
    #[error("more than {max} conditions in `when` and `presence` together")]
    TooManyConditions {
        /// Most of them.
        max: usize,
    },
    /// Not a field type.
    #[error("DE {field}: {reason}")]
    Notation {
        /// Data element number.
        field: u8,
        /// Why.
        reason: NotationError,
    },
    /// A meaning or a name of no place that there is.
    #[error("`{path}`: {reason}")]
    NoSuchPlace {
        /// Where it should be.
        path: String,
        /// Why it is none.
        reason: PathError,
    },
    /// A framing that ends a frame with a byte which may stand in it.
    #[error("a frame that ends with a byte cannot have {what}: that byte may stand in it")]
    EndsFrame {
        /// What may hold it.
        what: &'static str,
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
    /// Not even the bitmap would fit.
    #[error("the field is too short for its bitmap")]
    NoRoomForBitmap,
    /// Something inside of nothing.
    #[error("nothing is inside of a field that has no bytes")]
    InsideAbsent,
    /// A condition that never holds.
    #[error("no value of this field is, or begins with, what `is` or `begins` says")]
    NeverHolds,
    /// Bytes that may end the frame in their midst.
    #[error(
        "the framing ends a frame with a byte that may stand in this field: that takes characters, lengths in ASCII and bytes in hex"
    )]
    EndsFrame,
    /// Two kinds of inside.
    #[error("`parts`, `tlv`, `ber`, `bitmap` and `datasets` exclude each other")]
    TwoInsides,
    /// Subfields without a bitmap that announces them.
    #[error("`fields` inside a field need its `bitmap`")]
    FieldsWithoutBitmap,
    /// A bitmap that announces nothing.
    #[error("`bitmap` needs `fields` beside it")]
    BitmapWithoutFields,
    /// A subfield beyond the bitmap.
    #[error("its bitmap ends at subfield {most}")]
    BitmapTooSmall {
        /// Highest number it can announce.
        most: u8,
    },
    /// Parts of both kinds.
    #[error("its parts are either all by `width` or all by `type`")]
    MixedParts,
    /// Small fields in something that is not as it is on the wire.
    #[error("what is inside it has forms of its own, so it must be bytes: type `b`, or text in ASCII")]
    NotBytes,
    /// Bytes within characters.
    #[error("what is inside of text is text: a bitmap in hex, lengths and values in ASCII, bytes as hex")]
    BytesInText,
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
    /// A part that may be shorter, in a field that may not.
    #[error("`up_to` is for types with dots, such as n..35: here every part has its width")]
    OpenFixed,
    /// Two parts of one name.
    #[error("two of its parts have the same name")]
    SamePart,
    /// A binary field with a length prefix, written in hex.
    #[error(
        "in hex, a length has two readings: say length = {{ counts = \"digits\" }} for bytes of the value, or \"bytes\" for hex characters"
    )]
    VariableHex,
    /// Bytes for a field that is characters.
    #[error("`raw` and `hex` are for fields of type `b`")]
    BinaryText,
    /// Characters for a field that is bytes.
    #[error("a field of type `b` is `raw` or `hex`")]
    TextBinary,
    /// Packed digits for a field that may hold letters.
    #[error("`bcd` is for types n, x+n and z")]
    BcdText,
    /// A filling without packed digits.
    #[error("`odd` is for digits in `bcd`")]
    OddWithoutBcd,
    /// A length prefix of a field that has none.
    #[error("`length` is for types with dots, such as n..19")]
    LengthOfFixed,
    /// Filling of a field that always has its length.
    #[error("`filled` is for types with dots, such as ans..25")]
    FilledFixed,
    /// More bytes of length than are read.
    #[error("a length prefix like this has at most {most} bytes")]
    PrefixTooWide {
        /// Most bytes.
        most: u8,
    },
    /// A length prefix that cannot tell the longest value.
    #[error("its length prefix tells {most} at most, but {need} must be told")]
    PrefixTooNarrow {
        /// What the longest value needs.
        need: usize,
        /// What the prefix can tell.
        most: usize,
    },
    /// A layout that depends on a field which is read later.
    #[error("its layout cannot depend on DE {asked}, which does not come before it")]
    ConditionTooLate {
        /// The field that is asked.
        asked: u8,
    },
    /// A data set with a form of its own.
    #[error("a data set is bytes behind its own length: it has no `type`, `as`, `odd`, `length` or `filled`")]
    SetHasForm,
    /// A field that must be there and must not.
    #[error("it is both mandatory and forbidden")]
    MandatoryAndForbidden,
    /// A field above 128 in a dialect of two bitmaps.
    #[error("fields above 128 need `tertiary`")]
    NoThirdBitmap,
    /// A field above 64 in a dialect of one bitmap.
    #[error("fields above 64 need a secondary bitmap")]
    NoSecondBitmap,
    /// Field 65 as a field.
    #[error("65 is a bitmap's")]
    AnnouncesBitmap,
    /// The third bitmap in a field that cannot hold it.
    #[error("it cannot carry the third bitmap: that takes type `b 8`, raw, not above 128")]
    CannotCarryBitmap,
    /// A card number in a field that cannot hold one.
    #[error("a field with a card number is `n`, `an` or `ans`")]
    PanNotText,
    /// A field that carries card data by the standard, without a word on it.
    #[error(
        "`card_data` is missing: say \"pan\" or \"never\", or \"none\" if this network puts something else here"
    )]
    CardDataUnsaid,
}
