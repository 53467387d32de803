//! The message tools: ISO 8583 messages for people and for programs.

mod decode;
mod encode;
mod input;

use std::cell::RefCell;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;
use thiserror::Error;

use super::CliError;
use crate::config::Specs;
use crate::iso8583::{self, Dialect, JsonError, Mirror, Mti};
pub use decode::{DecodeArgs, decode};
pub use encode::{EncodeArgs, encode};
pub use input::{Format, Found, InputError, Place};
use input::{Input, Judge, MESSAGE_BYTES_MAX, Reading};

/// Exit code for a message that is refused.
const REFUSED: u8 = 2;

/// Which dialect, for every tool that works in one.
#[derive(Args, Clone, Debug)]
pub struct DialectArgs {
    /// Dialect of the messages: a name that `billswitch specs list` shows
    #[arg(long, value_name = "NAME", default_value = "onelink")]
    pub dialect: String,
    /// Folder with dialects/ to take it from, instead of those that are built in
    #[arg(long, value_name = "DIR")]
    pub specs: Option<PathBuf>,
}

/// What every tool that reads messages is told.
#[derive(Args, Clone, Debug)]
pub struct ReadArgs {
    /// The dialect.
    #[command(flatten)]
    pub with: DialectArgs,
    /// What the input is; found out if not said
    #[arg(long = "input", value_name = "FORMAT", value_enum)]
    pub format: Option<Format>,
    /// Of a capture, only connections from or to this port
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Show card data. For test data only
    #[arg(long)]
    pub unmasked: bool,
}

impl DialectArgs {
    /// Reads and checks the dialect.
    ///
    /// # Errors
    ///
    /// [`CliError::Spec`].
    pub fn load(&self) -> Result<Dialect, CliError> {
        Ok(Specs::new(self.specs.clone()).dialect(&self.dialect)?)
    }
}

impl ReadArgs {
    /// Finds the messages of `argument`, and tells on standard error what was passed over.
    fn read(&self, argument: &str, dialect: &Dialect) -> Result<Vec<Found>, MessageToolError> {
        let mirror = RefCell::new(Mirror::new());
        let score = |bytes: &[u8]| score(dialect, bytes, &mut mirror.borrow_mut());
        let judge = Judge { score: &score };
        let reading = Reading { format: self.format, port: self.port, framing: dialect.framing(), judge };
        let Input { found, remarks } = input::read(argument, &reading)?;
        let mut errors = io::stderr().lock();
        for remark in remarks {
            let _ = writeln!(errors, "billswitch: {remark}");
        }
        Ok(found)
    }
}

/// How much of a message the dialect finds in bytes, as [`Judge`] wants it.
fn score(dialect: &Dialect, bytes: &[u8], mirror: &mut Mirror) -> usize {
    let decoded = iso8583::decode(dialect, unframed(dialect, bytes).1, mirror);
    match decoded.fault {
        None => Judge::SOUND,
        Some(_) if decoded.message.mti() == Mti::UNREADABLE => 0,
        Some(_) => decoded.message.fields().count().saturating_add(1),
    }
}

/// Why there was nothing to show.
#[derive(Debug, Error)]
pub enum MessageToolError {
    /// There is no message to work on.
    #[error(transparent)]
    Input(#[from] InputError),
    /// Neither JSON nor a file.
    #[error(
        "{name}: there is no such file; give the message as JSON, a file that holds it, or - for standard input"
    )]
    NoJson {
        /// What was given.
        name: String,
    },
    /// Not JSON.
    #[error("not JSON: {0}")]
    Json(serde_json::Error),
    /// JSON, but not a message of this dialect.
    #[error("{0}")]
    Message(JsonError),
    /// The answer could not be written.
    #[error("standard output: {0}")]
    Output(#[source] io::Error),
}

/// Prints. A reader that stops listening (`| head`) is no fault of ours, and need not be told the rest.
fn print(text: &str) -> Result<(), MessageToolError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(MessageToolError::Output)
}

/// Whether these bytes begin as a message does.
fn begins(bytes: &[u8]) -> bool {
    bytes.first_chunk::<4>().is_some_and(|mti| Mti::new(mti).is_ok())
}

/// Takes off what frames a message: as the dialect's framing does, if the bytes are one whole frame of it; else a
/// two-byte length header, if what follows it begins like a message and the start does not. Gives the length that such
/// a header says.
fn unframed<'b>(dialect: &Dialect, bytes: &'b [u8]) -> (Option<usize>, &'b [u8]) {
    if let Ok(Some(frame)) = dialect.framing().next(bytes, MESSAGE_BYTES_MAX)
        && frame.consumed == bytes.len()
        && let Some(message) = bytes.get(frame.start..frame.end)
    {
        return (None, message);
    }
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
    use crate::iso8583::shipped;

    #[test]
    fn a_length_header_is_told_from_a_message() {
        let onelink = shipped::dialect("onelink").unwrap().unwrap();
        let unframed = |bytes| unframed(&onelink, bytes);
        assert_eq!(unframed(b"\x00\x060800\x82\x20"), (None, &b"0800\x82\x20"[..]));
        assert_eq!(unframed(b"\x00\x330800\x82\x20"), (Some(51), &b"0800\x82\x20"[..]));
        assert_eq!(unframed(b"0800\x82\x20"), (None, &b"0800\x82\x20"[..]));
        assert_eq!(unframed(b"08008220"), (None, &b"08008220"[..]));
        assert_eq!(unframed(b"\x08"), (None, &b"\x08"[..]));
    }

    #[test]
    fn a_frame_is_opened_as_the_dialect_frames_it() {
        let base = |name: &str| shipped::dialect_text(name).map(str::to_owned);
        let text = "name = \"ended\"\nextends = \"iso87-ascii\"\nframing = \"end FF\"\n";
        let ended = Dialect::parse("ended.toml", text, &base).unwrap();
        assert_eq!(unframed(&ended, b"08008220\xff"), (None, &b"08008220"[..]));
        assert_eq!(unframed(&ended, b"08008220"), (None, &b"08008220"[..]), "bare");
        assert_eq!(unframed(&ended, b"\x00\x0808008220"), (Some(8), &b"08008220"[..]), "as others frame");
    }
}
