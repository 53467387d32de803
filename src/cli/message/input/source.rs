//! Files, standard input and arguments.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use super::{FILE_BYTES_MAX, Format, InputError};

/// Hex digits or decimal ones in a row that may be a message, and so are not to be repeated in an error.
const DIGITS_SHOWN_MAX: usize = 11;

/// What there is to read. No `Debug`: it holds card data.
pub(in crate::cli::message) struct Source {
    /// As errors call it.
    pub(in crate::cli::message) name: Arc<str>,
    pub(in crate::cli::message) bytes: Vec<u8>,
    /// Whether it stood on the command line itself.
    pub(in crate::cli::message) is_argument: bool,
}

impl Source {
    /// Its contents, if they are text and not bytes.
    pub(super) fn text(&self) -> Option<&str> {
        let text = std::str::from_utf8(&self.bytes).ok()?;
        // Logs have colours, so the escape character is text.
        let is_text = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\x0c' | '\x1b');
        text.chars().all(is_text).then_some(text)
    }
}

/// Opens the file of that name, standard input for `-`, or else takes the argument itself.
pub(in crate::cli::message) fn open(argument: &str) -> Result<Source, InputError> {
    let (name, bytes): (Arc<str>, _) = if argument == "-" {
        let name: Arc<str> = "standard input".into();
        (Arc::clone(&name), whole(&name, io::stdin().lock())?)
    } else {
        match File::open(argument) {
            Ok(file) => (argument.into(), whole(argument, file)?),
            Err(source) if is_no_file(&source) => {
                let name = "the argument".into();
                return filled(Source { name, bytes: argument.as_bytes().to_vec(), is_argument: true });
            }
            Err(source) => return Err(InputError::Read { source, name: named(argument) }),
        }
    };
    filled(Source { name, bytes, is_argument: false })
}

/// What is said of an argument that is neither a file nor a message.
pub(super) fn missing(argument: &str) -> InputError {
    InputError::Missing { name: named(argument.trim()) }
}

/// An argument as errors may repeat it: not if it may be a message.
pub(in crate::cli::message) fn named(argument: &str) -> String {
    let mut longest = argument.split(|c: char| !c.is_ascii_hexdigit()).map(str::len);
    let is_message = longest.any(|digits| digits > DIGITS_SHOWN_MAX) || argument.contains(['{', '\n']);
    if is_message { "the argument".to_owned() } else { argument.to_owned() }
}

/// Whether an argument that is no file was rather meant as one than as what it was said to be.
pub(super) fn is_path(argument: &str, format: Format) -> bool {
    match format {
        Format::Pcap => true,
        Format::Raw => !argument.starts_with(|c: char| c.is_ascii_digit()),
        Format::Hex | Format::Base64 | Format::Log => {
            argument.contains(['.', '/']) && !argument.contains(char::is_whitespace)
        }
    }
}

/// There is no such file, nor could there be.
fn is_no_file(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound
            | io::ErrorKind::InvalidFilename
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::NotADirectory
    )
}

fn whole(name: &str, from: impl Read) -> Result<Vec<u8>, InputError> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let read = from.take(limit).read_to_end(&mut bytes);
    read.map_err(|source| InputError::Read { source, name: name.to_owned() })?;
    if bytes.len() > FILE_BYTES_MAX {
        Err(InputError::FileTooLong { name: name.to_owned() })
    } else {
        Ok(bytes)
    }
}

fn filled(source: Source) -> Result<Source, InputError> {
    if source.bytes.trim_ascii().is_empty() {
        return Err(InputError::Empty { name: source.name.to_string() });
    }
    Ok(source)
}
