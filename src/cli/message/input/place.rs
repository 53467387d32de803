//! Where a message was found.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A message, and where it was found.
#[derive(Clone, Eq, PartialEq)]
pub struct Found {
    /// As it stood there, with its framing if it had one. Holds card data: never to be printed.
    pub bytes: Vec<u8>,
    /// Where it stood.
    pub place: Place,
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Found({} bytes, {})", self.bytes.len(), self.place)
    }
}

/// Where a message was found, so that whoever reads of it can go there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// The whole of a file, of standard input or of an argument.
    Whole {
        /// Its name.
        source: Arc<str>,
    },
    /// Lines of it, from 1; the last is included.
    Lines {
        /// Its name.
        source: Arc<str>,
        /// The first.
        first: usize,
        /// The last.
        last: usize,
    },
    /// A packet of a capture.
    Packet {
        /// The capture's name.
        source: Arc<str>,
        /// The packet that completed the message, from 1 as Wireshark counts.
        packet: u64,
        /// Who sent it, and to whom; shared, since a capture has a million of these.
        ends: Arc<(SocketAddr, SocketAddr)>,
        /// When, since 1970.
        at: Duration,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole { source } => f.write_str(source),
            Self::Lines { source, first, last } if first == last => write!(f, "{source}:{first}"),
            Self::Lines { source, first, last } => write!(f, "{source}:{first}-{last}"),
            Self::Packet { source, packet, ends, at } => {
                let (from, to) = **ends;
                write!(f, "{source} packet {packet}, {from} → {to}")?;
                let seconds = i64::try_from(at.as_secs()).ok();
                let nanos = i32::try_from(at.subsec_nanos()).unwrap_or_default();
                let time = seconds.and_then(|seconds| jiff::Timestamp::new(seconds, nanos).ok());
                time.map_or(Ok(()), |time| write!(f, ", {time}"))
            }
        }
    }
}
