//! What a message tool is given: hex, bytes, base64, a capture or a log; as an argument, a file or standard input.

mod capture;
mod dump;
mod error;
mod likeness;
mod log;
mod place;
mod source;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;
use std::sync::Arc;

use clap::ValueEnum;

use crate::iso8583::Framing;
pub use error::InputError;
pub use place::{Found, Place};
pub(super) use source::{Source, named, open};

/// Most bytes of a file or of standard input: 64 MiB.
pub(super) const FILE_BYTES_MAX: usize = 64 << 20;
/// Most bytes of a message with its framing: 65,535 behind a length of at most four.
pub(super) const MESSAGE_BYTES_MAX: usize = 65_535 + 4;

/// Most messages worked on at once.
pub(super) const MESSAGES_MAX: usize = 1 << 20;

/// What the input is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Format {
    /// Hex digits, with or without blanks, colons and 0x; or a hex dump with offsets
    Hex,
    /// One message, its bytes as they are
    Raw,
    /// Base64, standard or URL, with or without padding
    Base64,
    /// A packet capture, pcap or pcapng
    Pcap,
    /// Text with hex or hex dumps somewhere in it
    Log,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hex => "hex",
            Self::Raw => "raw bytes",
            Self::Base64 => "base64",
            Self::Pcap => "a capture",
            Self::Log => "a log",
        })
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Input {
    /// In the order of the input, at least one.
    pub found: Vec<Found>,
    /// What was passed over, for people. No message content.
    pub remarks: Vec<String>,
}

/// Tells how much of a message is in bytes, for input that has more than one reading.
#[derive(Clone, Copy)]
pub(super) struct Judge<'a> {
    /// 0 if not even an MTI can be read, [`Judge::SOUND`] if all of it, more for more between.
    pub score: &'a dyn Fn(&[u8]) -> usize,
}

impl Judge<'_> {
    /// The score of a message without a fault.
    pub(super) const SOUND: usize = usize::MAX;

    /// Whether these bytes are a message to the judge, or look like one to anybody.
    fn is_plausible(&self, bytes: &[u8]) -> bool {
        self.is_sound(bytes) || likeness::looks_like_message(bytes)
    }

    fn is_sound(&self, bytes: &[u8]) -> bool {
        (self.score)(bytes) == Self::SOUND
    }
}

/// Whether bytes look like a message to one who knows no dialect.
type Looks<'a> = &'a dyn Fn(&[u8]) -> bool;

/// How the input is to be read.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    /// What it is; found out if it is not said.
    pub format: Option<Format>,
    /// Of a capture, only connections from or to this port.
    pub port: Option<u16>,
    /// How frames stand on the connections of a capture.
    pub framing: Framing,
    /// Whose messages are looked for.
    pub judge: Judge<'a>,
}

/// Finds the messages in `argument`: the path of a file, `-` for standard input, or what would be in it.
///
/// # Errors
///
/// [`InputError`] if there is no message, or if what there is cannot be one.
pub(super) fn read(argument: &str, reading: &Reading<'_>) -> Result<Input, InputError> {
    read_source(source::open(argument)?, argument, reading)
}

/// As [`read`], of what `argument` was opened as.
///
/// # Errors
///
/// As [`read`].
pub(super) fn read_source(
    source: Source,
    argument: &str,
    reading: &Reading<'_>,
) -> Result<Input, InputError> {
    let input = match reading.format {
        None => guess(source, reading)?,
        Some(format) => {
            let is_argument = source.is_argument;
            let read = forced(source, format, reading);
            // A mistyped path is not to be told of its base64.
            if is_argument && (read.is_err() || format == Format::Raw) && source::is_path(argument, format) {
                return Err(source::missing(argument));
            }
            read?
        }
    };
    if let Some(long) = input.found.iter().find(|found| found.bytes.len() > MESSAGE_BYTES_MAX) {
        return Err(InputError::MessageTooLong { place: long.place.clone(), len: long.bytes.len() });
    }
    Ok(input)
}

/// Reads it as what the caller says it is.
fn forced(source: Source, format: Format, reading: &Reading<'_>) -> Result<Input, InputError> {
    let Source { name, bytes, .. } = source;
    match format {
        Format::Raw => Ok(raw(&name, bytes)),
        Format::Pcap => capture::read(&name, bytes, reading),
        Format::Hex => {
            let text = String::from_utf8_lossy(&bytes);
            if dump::begins(&text) {
                return logged(&name, &text, &reading.judge);
            }
            text::hex(&name, &text, &reading.judge).map(Input::from)
        }
        Format::Base64 => {
            text::base64(&name, &String::from_utf8_lossy(&bytes), &reading.judge).map(Input::from)
        }
        Format::Log => logged(&name, &String::from_utf8_lossy(&bytes), &reading.judge),
    }
}

/// Finds out what it is.
fn guess(source: Source, reading: &Reading<'_>) -> Result<Input, InputError> {
    let judge = &reading.judge;
    if capture::is_capture(&source.bytes) {
        return capture::read(&source.name, source.bytes, reading);
    }
    if let Some(text) = source.text() {
        return guess_text(&source, text, judge);
    }
    // Bytes, unless it is a log with some that are no text.
    let is_message = source.bytes.len() <= MESSAGE_BYTES_MAX;
    let begins = |at| source.bytes.get(at..).is_some_and(likeness::is_message);
    if is_message && (judge.is_sound(&source.bytes) || begins(0) || begins(2)) {
        return Ok(raw(&source.name, source.bytes));
    }
    let scan = log::scan(&source.name, &String::from_utf8_lossy(&source.bytes), judge);
    if scan.sure.is_empty() && is_message {
        return Ok(raw(&source.name, source.bytes));
    }
    scan.into_input(&source.name)
}

/// Finds out what text is: of several readings, the one of which the judge makes most.
fn guess_text(source: &Source, text: &str, judge: &Judge<'_>) -> Result<Input, InputError> {
    let name = &source.name;
    if dump::begins(text) {
        return logged(name, text, judge);
    }
    let is_hex = text::is_hex(text);
    let (hex, odd) = match is_hex.then(|| text::hex(name, text, judge)).transpose() {
        Ok(hex) => (hex, None),
        Err(error) => (None, Some(error)),
    };
    let base64 = match text::base64(name, text, judge) {
        Err(error @ InputError::TooMany { .. }) => return Err(error),
        base64 => base64.ok(),
    };
    let worth = |found: Vec<Found>, looks: Looks<'_>| (worth(&found, judge, looks), found);
    let hex = hex.map(|hex| worth(hex, &likeness::looks_like_message));
    let bare = text::bare(name, text).map(|bare| worth(bare, &text::is_plausible_bare));
    // What is hex is base64 as well, so that alone says nothing.
    let base64 = base64.map(|base64| worth(base64, &likeness::looks_like_message));
    let base64 = base64.filter(|((_, is_plausible), _)| *is_plausible || !is_hex);
    // Of equals the first: hex is what people paste.
    let readings = [hex, bare, base64].into_iter().flatten();
    let best = readings.reduce(|best, next| if next.0 > best.0 { next } else { best });
    if let Some(((_, true), found)) = best {
        return Ok(Input::from(found));
    }
    let scan = log::scan(name, text, judge);
    if !scan.sure.is_empty() {
        return scan.into_input(name);
    }
    // A path may be hex as well, but hardly so long.
    if source.is_argument && !text::is_long_hex(text) {
        return Err(source::missing(text));
    }
    match (best, odd) {
        (Some((_, found)), _) => Ok(Input::from(found)),
        (None, Some(error)) => Err(error),
        (None, None) => scan.into_input(name),
    }
}

/// What the judge makes of the first messages, and whether they are sound or look like any.
fn worth(found: &[Found], judge: &Judge<'_>, looks: Looks<'_>) -> (usize, bool) {
    let first = found.iter().take(16).map(|found| &*found.bytes);
    first.fold((0, false), |(best, is_plausible), bytes| {
        let score = (judge.score)(bytes);
        (best.max(score), is_plausible || score == Judge::SOUND || looks(bytes))
    })
}

/// All of it is one message.
fn raw(name: &Arc<str>, bytes: Vec<u8>) -> Input {
    Input::from(vec![Found { bytes, place: Place::Whole { source: Arc::clone(name) } }])
}

fn logged(name: &Arc<str>, text: &str, judge: &Judge<'_>) -> Result<Input, InputError> {
    log::scan(name, text, judge).into_input(name)
}

impl From<Vec<Found>> for Input {
    fn from(found: Vec<Found>) -> Self {
        Self { found, remarks: Vec::new() }
    }
}
