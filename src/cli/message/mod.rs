//! The message tools: ISO 8583 messages for people and for programs.

mod decode;
mod encode;
mod input;

use std::io::{self, Write as _};
use std::path::PathBuf;

use thiserror::Error;

use crate::iso8583::{JsonError, Mti};
pub use decode::{DecodeArgs, decode};
pub use encode::{EncodeArgs, encode};
use input::INPUT_BYTES_MAX;

/// Exit code for a message that is refused.
const REFUSED: u8 = 2;

/// Why there was nothing to show.
#[derive(Debug, Error)]
pub enum MessageToolError {
    /// The input is neither hex nor JSON, and no file of that name can be read.
    #[error("{path}: {source}; give {want}, a file, or - for standard input")]
    Read {
        /// What was taken for a path.
        path: PathBuf,
        /// What else it could have been.
        want: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// Standard input could not be read.
    #[error("standard input: {0}")]
    Stdin(io::Error),
    /// Nothing but white space.
    #[error("the input is empty")]
    Empty,
    /// More than one message can have.
    #[error("the input has more than {INPUT_BYTES_MAX} bytes; a message has 65,535 at most")]
    TooLong,
    /// Hex, but half a byte too much or too little.
    #[error("the input is {digits} hex digits: an odd number, so half a byte is missing")]
    OddHex {
        /// How many.
        digits: usize,
    },
    /// Not JSON.
    #[error("not JSON: {0}")]
    Json(serde_json::Error),
    /// JSON, but not a message of this dialect.
    #[error("{0}")]
    Message(JsonError),
    /// The answer could not be written.
    #[error("standard output: {0}")]
    Output(io::Error),
}

/// A reader that stops listening (`| head`) is no fault of ours.
fn print(text: &str) -> Result<(), MessageToolError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(MessageToolError::Output(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Whether these bytes begin as a message does.
fn begins(bytes: &[u8]) -> bool {
    bytes.first_chunk::<4>().is_some_and(|mti| Mti::new(mti).is_ok())
}

/// Takes a two-byte length header off, if what follows it begins like a message and the start does not.
/// Gives the length that it says, if there was one.
fn unframed(bytes: &[u8]) -> (Option<usize>, &[u8]) {
    match bytes.split_first_chunk::<2>() {
        Some((header, frame)) if begins(frame) => {
            let length = usize::from(u16::from_be_bytes(*header));
            if length == frame.len() || !begins(bytes) { (Some(length), frame) } else { (None, bytes) }
        }
        Some(_) | None => (None, bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_header_is_told_from_a_message() {
        assert_eq!(unframed(b"\x00\x060800\x82\x20"), (Some(6), &b"0800\x82\x20"[..]));
        assert_eq!(unframed(b"\x00\x330800\x82\x20"), (Some(51), &b"0800\x82\x20"[..]));
        assert_eq!(unframed(b"0800\x82\x20"), (None, &b"0800\x82\x20"[..]));
        assert_eq!(unframed(b"08008220"), (None, &b"08008220"[..]));
        assert_eq!(unframed(b"\x08"), (None, &b"\x08"[..]));
    }
}
