//! The message tools: ISO 8583 messages for people and for programs.

mod compare;
mod convert;
mod culprit;
mod decode;
mod diff;
mod doctor;
mod doubt;
mod dump;
mod encode;
mod fit;
mod input;
mod likely;
mod redact;
mod show;
mod unframe;

use std::cell::RefCell;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;
use thiserror::Error;

use super::CliError;
use crate::cli::output::output;
use crate::config::Specs;
use crate::iso8583::{self, Dialect, Framing, JsonError, Mirror, Mti};
pub use convert::{ConvertArgs, convert};
pub use decode::{DecodeArgs, decode};
pub use diff::{DiffArgs, diff};
pub use doctor::{DoctorArgs, doctor};
pub use encode::{EncodeArgs, encode};
pub use input::{Format, Found, InputError, Place};
use input::{Input, Judge, MESSAGE_BYTES_MAX, Reading};
pub use redact::{RedactArgs, redact};
use unframe::{Unframed, unframed};

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

/// Where messages are read from, for every tool that does.
#[derive(Args, Clone, Debug)]
pub struct FromArgs {
    /// The dialect.
    #[command(flatten)]
    pub with: DialectArgs,
    /// What the input is; found out if not said
    #[arg(long = "input", value_name = "FORMAT", value_enum)]
    pub format: Option<Format>,
    /// Of a capture, only connections from or to this port
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
}

/// What every tool that shows messages is told.
#[derive(Args, Clone, Debug)]
pub struct ReadArgs {
    /// Where they are read from.
    #[command(flatten)]
    pub from: FromArgs,
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

impl FromArgs {
    /// Finds the messages of `argument`, and tells on standard error what was passed over.
    fn read(&self, argument: &str, dialect: &Dialect) -> Result<Vec<Found>, MessageToolError> {
        self.read_source(input::open(argument)?, argument, dialect)
    }

    /// As [`FromArgs::read`], of what `argument` was opened as.
    fn read_source(
        &self,
        opened: input::Source,
        argument: &str,
        dialect: &Dialect,
    ) -> Result<Vec<Found>, MessageToolError> {
        let mirror = RefCell::new(Mirror::new());
        let score = |bytes: &[u8]| score(dialect, bytes, &mut mirror.borrow_mut());
        let judge = Judge { score: &score };
        let reading = Reading { format: self.format, port: self.port, framing: dialect.framing(), judge };
        let Input { found, remarks } = input::read_source(opened, argument, &reading)?;
        remark(&remarks);
        Ok(found)
    }
}

/// What the input is said to be.
#[derive(Clone, Copy)]
struct Source {
    /// Found out if not said.
    format: Option<Format>,
    /// Of a capture, only connections from or to this port.
    port: Option<u16>,
}

impl Source {
    /// Finds the messages of which the judge makes most.
    fn read(self, argument: &str, framing: Framing, judge: Judge<'_>) -> Result<Input, MessageToolError> {
        let reading = Reading { format: self.format, port: self.port, framing, judge };
        Ok(input::read(argument, &reading)?)
    }
}

/// Tells on standard error what was passed over.
fn remark(remarks: &[String]) {
    let mut errors = io::stderr().lock();
    for remark in remarks {
        // If nobody can be told, nobody asks.
        let _ = writeln!(errors, "billswitch: {remark}");
    }
}

/// How much of a message the dialect finds in bytes, as [`Judge`] wants it.
fn score(dialect: &Dialect, bytes: &[u8], mirror: &mut Mirror) -> usize {
    let decoded = iso8583::decode(dialect, unframed(dialect, bytes).message, mirror);
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
    /// A capture, which `redact` does not rewrite.
    #[error(
        "a capture is not rewritten: `serve --record` writes captures redacted; or redact what `tshark -T fields -e tcp.payload` prints"
    )]
    RedactsNoCapture,
    /// The answer could not be written.
    #[error("standard output: {0}")]
    Output(#[source] io::Error),
}

/// Prints. A reader that stops listening (`| head`) is no fault of ours, and need not be told the rest.
fn print(text: &str) -> Result<(), MessageToolError> {
    print_bytes(text.as_bytes())
}

/// As [`print`], of what need not be text.
fn print_bytes(bytes: &[u8]) -> Result<(), MessageToolError> {
    let mut stdout = output();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(MessageToolError::Output)
}
