//! ISO 8583 as data: a [`Dialect`] is read from a file, compiled to a flat table, and then decodes frames in
//! place and writes them back. Nothing here knows what a field *means*; that is the profile's.
//!
//! A message borrows from its frame, and what is no plain text there (BCD, EBCDIC, hex) from a [`Mirror`]: a buffer of the
//! caller's into which it is made characters, and which is used again for the next frame. So decoding allocates nothing
//! once the mirror has grown to the longest frame. A fault keeps all that decoded before it, so that a refusal can still
//! echo what identifies the request.

mod ber;
mod build;
mod cards;
mod charset;
mod chip;
mod cursor;
mod decode;
mod dialect;
mod elements;
mod encode;
mod encode_error;
mod fault;
mod framing;
mod header;
mod json;
mod judge;
mod load;
mod load_error;
mod mac;
mod mask;
mod message;
mod mti;
mod notation;
mod octets;
mod outline;
mod packed;
mod pages;
mod path;
mod preamble;
mod put;
mod rules;
pub mod shipped;
mod structure;
mod subfields;
mod table;
mod tree;
mod wire;

pub use cards::{CardNumbers, MaskedPan, has_check_digit, mask_pan};
pub use charset::Class;
pub use decode::decode;
pub use dialect::{CardData, Dialect};
pub use elements::Elements;
pub use encode::Writer;
pub use encode_error::{EncodeError, EncodeReason};
pub use fault::{DecodeError, Reason};
pub use framing::{Frame, Framing, FramingError, FramingFault};
pub use json::{JsonError, JsonReason, from_json, to_json};
pub use load_error::{Conflict, DialectError, DialectReason};
pub use mac::{Covered, MAC_BYTES_MAX, MacAlgorithm, MacFrom, MacPadding, MacRule, Seal, SentMac};
pub use mask::{mask_all_but_type, mask_frame, mask_frame_with};
pub use message::{Decoded, Message, Mirror};
pub use mti::{Mti, MtiError};
pub use notation::NotationError;
pub use outline::{Entry, Otherwise};
pub use path::{FieldPath, PathError};
pub use tree::{Node, Shown, tree};
