//! Why there is no message to work on, and what to do about it.

use std::io;
use std::sync::Arc;

use thiserror::Error;

use super::place::Place;
use super::{FILE_BYTES_MAX, MESSAGE_BYTES_MAX, MESSAGES_MAX};
use crate::sim::replay::capture::CaptureError;

/// Why there is no message to work on. Never says what was in the input.
#[derive(Debug, Error)]
pub enum InputError {
    /// A file or standard input cannot be read.
    #[error("{name}: {source}")]
    Read {
        /// Its name.
        name: String,
        /// What the system says.
        source: io::Error,
    },
    /// Neither a file nor a message.
    #[error(
        "{name}: there is no such file, and it is no message either; give hex, base64, the path of a file, or - for standard input"
    )]
    Missing {
        /// What was given.
        name: String,
    },
    /// Nothing but white space.
    #[error("{name}: the input is empty")]
    Empty {
        /// Its name.
        name: String,
    },
    /// More than is read at once.
    #[error("{name}: more than {} MiB; take a part of it first, as with grep, split or editcap", FILE_BYTES_MAX >> 20)]
    FileTooLong {
        /// Its name.
        name: String,
    },
    /// More than are read at once.
    #[error("{name}: more than {MESSAGES_MAX} messages; take a part of it first, as with split or editcap")]
    TooMany {
        /// Its name.
        name: Arc<str>,
    },
    /// More than one message can have.
    #[error(
        "{place}: {len} bytes, but a message has 65,535 at most{}",
        if *len > MESSAGE_BYTES_MAX { "; if it is a log, say --input log" } else { "" }
    )]
    MessageTooLong {
        /// Where it begins.
        place: Place,
        /// Its length in bytes, framing included.
        len: usize,
    },
    /// Half a byte too much or too little.
    #[error("{place}: an odd number of hex digits, so half a byte is missing")]
    OddHex {
        /// Where.
        place: Place,
    },
    /// Said to be hex, and not.
    #[error("{name}:{line}: column {column} is not hex; for a log with hex in it, say --input log")]
    NotHex {
        /// The input's name.
        name: Arc<str>,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// Said to be base64, and not.
    #[error("{place}: not base64, or cut off; --input takes hex, raw, base64, pcap or log")]
    NotBase64 {
        /// Where.
        place: Place,
    },
    /// A log without hex.
    #[error(
        "{}{name}: there is no run of 10 bytes of hex in it; say --input hex, raw, base64, pcap or log if you know what it is",
        lines(remarks)
    )]
    NothingFound {
        /// The input's name.
        name: Arc<str>,
        /// What was passed over.
        remarks: Vec<String>,
    },
    /// A capture without messages.
    #[error(
        "{}{name}: no TCP connection{} carries messages",
        lines(remarks),
        port.map(|port| format!(" from or to port {port}")).unwrap_or_default()
    )]
    NoMessages {
        /// The capture's name.
        name: Arc<str>,
        /// The port asked for, if one was.
        port: Option<u16>,
        /// What was passed over.
        remarks: Vec<String>,
    },
    /// Not a capture, or a damaged one.
    #[error(transparent)]
    Capture(#[from] CaptureError),
}

fn lines(remarks: &[String]) -> String {
    remarks.iter().map(|remark| format!("{remark}\n")).collect()
}
