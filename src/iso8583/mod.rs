//! ISO 8583 as data: a [`Dialect`] is read from a file, compiled to a flat table, and then decodes frames in
//! place and writes them back. Nothing here knows what a field *means*; that is the profile's.
//!
//! Decoding allocates nothing and borrows from the frame. A fault keeps all that decoded before it, so that a
//! refusal can still echo what identifies the request.

#[allow(dead_code, reason = "used by the decoder, which comes next")]
mod ber;
mod charset;
mod decode;
mod dialect;
mod encode;
mod encode_error;
mod fault;
mod json;
mod load;
mod load_error;
mod mask;
mod message;
mod mti;
mod notation;
mod octets;
#[allow(dead_code, reason = "used by the decoder, which comes next")]
mod packed;
#[allow(dead_code, reason = "used by the decoder, which comes next")]
mod pages;
mod path;
pub mod shipped;
mod table;

pub use charset::Class;
pub use decode::decode;
pub use dialect::{CardData, Dialect};
pub use encode::Writer;
pub use encode_error::{EncodeError, EncodeReason};
pub use fault::{DecodeError, Reason};
pub use json::{JsonError, JsonReason, from_json, to_json};
pub use load_error::{Conflict, DialectError, DialectReason};
pub use mask::{CardNumbers, MaskedPan, mask_frame, mask_frame_with, mask_pan};
pub use message::{Decoded, Elements, Message};
pub use mti::{Mti, MtiError};
pub use notation::NotationError;
pub use path::{FieldPath, PathError};
