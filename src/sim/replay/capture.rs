//! A capture as a replay wants it: each client's frames, in order, with the time each was seen.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;

use super::packets::{self, Segment};
use super::reassembly::{self, Half};
use crate::iso8583::Framing;

/// What clients sent to servers, read from a capture file.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    /// One a TCP connection that carried frames, in the order in which their first packets stand in the file.
    pub streams: Vec<Stream>,
}

/// One TCP connection's way from client to server.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Who opened the connection.
    pub client: SocketAddr,
    /// Who took it.
    pub server: SocketAddr,
    /// In the order sent. Empty frames, which some hosts send to keep a line open, are left out.
    pub frames: Vec<Frame>,
    /// Bytes passed over before the first whole frame of a connection whose beginning was not captured.
    pub skipped_bytes: usize,
    /// Bytes of a frame that the capture ends in the middle of.
    pub unfinished_bytes: usize,
}

/// A frame without what framed it.
#[derive(Clone)]
pub struct Frame {
    /// When its last byte was captured, since 1970.
    pub at: Duration,
    /// The packet that completed it, counted from 1 over the whole file.
    pub packet: u64,
    /// MTI first. Holds card data: never to be printed.
    pub bytes: Bytes,
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({} bytes, packet {}, {:?})", self.bytes.len(), self.packet, self.at)
    }
}

/// Why a capture cannot be replayed.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// The file cannot be opened or read.
    #[error("{path}: {source}")]
    Io {
        /// The capture file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is no capture, or a damaged one.
    #[error("{path}: packet {packet}: {source}")]
    File {
        /// The capture file.
        path: PathBuf,
        /// Packet at which reading stopped, counted from 1.
        packet: u64,
        /// What the reader says.
        source: pcap_file::PcapError,
    },
    /// Packets of a link type that is not known to carry IP.
    #[error(
        "{path}: link type {link} is not supported (Ethernet, Linux cooked, BSD loopback and raw IP are)"
    )]
    LinkType {
        /// The capture file.
        path: PathBuf,
        /// The link type's number, as tcpdump.org lists them.
        link: u32,
    },
    /// Bytes that the capture does not hold, and never saw sent again.
    #[error(
        "{client} → {server}: {missing} bytes are lost at offset {offset} of the stream, before packet {packet}"
    )]
    Gap {
        /// Who sent them.
        client: SocketAddr,
        /// To whom.
        server: SocketAddr,
        /// Bytes of the stream before the loss.
        offset: u64,
        /// How many are lost.
        missing: u64,
        /// The packet that follows them in the stream.
        packet: u64,
    },
    /// A stream whose beginning was not captured, and in which no frame boundary can be told.
    #[error("{client} → {server}: joined in the middle, and nothing in its {len} bytes looks like a frame")]
    NoFrames {
        /// Who sent it.
        client: SocketAddr,
        /// To whom.
        server: SocketAddr,
        /// Length of the stream in bytes.
        len: usize,
    },
    /// Nothing to replay.
    #[error("{path}: no TCP connection that carries frames{}", port.map(|port| format!(" to port {port}")).unwrap_or_default())]
    Empty {
        /// The capture file.
        path: PathBuf,
        /// The port asked for, if one was.
        port: Option<u16>,
    },
}

/// The two ends of a connection, the lesser address first, so that both directions name it alike.
type Pair = (SocketAddr, SocketAddr);

/// A connection under collection.
#[derive(Default)]
struct Conversation {
    /// Who answered or was sent the first SYN, if one was seen.
    server: Option<SocketAddr>,
    /// The lesser address's segments, then the other's.
    halves: [Half; 2],
}

impl Capture {
    /// Reads a capture file, classic pcap or pcapng, of frames of `binary 2`. With `port`, connections to that server port
    /// only.
    ///
    /// # Errors
    ///
    /// Whatever keeps the frames from being read whole: see [`CaptureError`].
    pub fn read(path: &Path, port: Option<u16>) -> Result<Self, CaptureError> {
        Self::read_framed(path, port, Framing::default())
    }

    /// As [`Capture::read`], of frames of another framing; of [`Framing::NONE`] a connection would be one frame.
    ///
    /// # Errors
    ///
    /// As [`Capture::read`].
    pub fn read_framed(path: &Path, port: Option<u16>, framing: Framing) -> Result<Self, CaptureError> {
        let capture = Conversations::collect(packets::segments(path)?, port).finish(port, framing)?;
        if capture.streams.is_empty() {
            return Err(CaptureError::Empty { path: path.to_owned(), port });
        }
        Ok(capture)
    }

    /// Every frame in the order of the file: the stream's number and the frame.
    #[must_use]
    pub fn in_order(&self) -> Vec<(usize, &Frame)> {
        let streams = self.streams.iter().enumerate();
        let mut all: Vec<_> = streams
            .flat_map(|(number, stream)| stream.frames.iter().map(move |frame| (number, frame)))
            .collect();
        // Stable: frames that one packet completed stay in the stream's order.
        all.sort_by_key(|(_, frame)| frame.packet);
        all
    }
}

/// All connections of a file, in order of their first packet.
#[derive(Default)]
pub(super) struct Conversations {
    open: HashMap<Pair, usize>,
    all: Vec<(Pair, Conversation)>,
}

impl Conversations {
    /// Sorts segments by connection; with `port`, those from or to it only.
    pub(super) fn collect(segments: Vec<Segment>, port: Option<u16>) -> Self {
        let mut collected = Self::default();
        for segment in segments {
            if port.is_none_or(|port| segment.from.port() == port || segment.to.port() == port) {
                collected.add(segment);
            }
        }
        collected
    }

    /// Each direction: who sent, to whom, and what.
    pub(super) fn halves(self) -> impl Iterator<Item = (SocketAddr, SocketAddr, Half)> {
        self.all.into_iter().flat_map(|((low, high), conversation)| {
            let [from_low, from_high] = conversation.halves;
            [(low, high, from_low), (high, low, from_high)]
        })
    }

    fn add(&mut self, segment: Segment) {
        let pair = (segment.from.min(segment.to), segment.from.max(segment.to));
        let side = usize::from(segment.from != pair.0);
        let known = self.open.get(&pair).and_then(|at| self.all.get(*at));
        let half = known.and_then(|(_, conversation)| conversation.halves.get(side));
        // The same two ports once more: a second connection, which numbers its bytes anew.
        let anew = half.is_none_or(|half| segment.syn && half.starts_elsewhere(segment.sequence));
        let at = if anew {
            self.all.push((pair, Conversation::default()));
            self.all.len().saturating_sub(1)
        } else {
            self.open.get(&pair).copied().unwrap_or_default()
        };
        self.open.insert(pair, at);
        if let Some((_, conversation)) = self.all.get_mut(at) {
            if segment.syn {
                conversation.server = Some(if segment.ack { segment.from } else { segment.to });
            }
            if let Some(half) = conversation.halves.get_mut(side) {
                half.push(segment);
            }
        }
    }

    fn finish(self, port: Option<u16>, framing: Framing) -> Result<Capture, CaptureError> {
        // A connection that was joined in the middle is to the server that others are seen to call.
        let mut called: BTreeMap<SocketAddr, usize> = BTreeMap::new();
        for server in self.all.iter().filter_map(|(_, conversation)| conversation.server) {
            let count = called.entry(server).or_default();
            *count = count.saturating_add(1);
        }
        let mut streams = Vec::new();
        for ((low, high), conversation) in self.all {
            // Failing the handshake: what was asked for, what others call, who asks.
            let guess = || {
                let by_port = port.and_then(|port| [low, high].into_iter().find(|end| end.port() == port));
                let by_calls = [low, high].into_iter().find(|end| called.contains_key(end));
                by_port.or(by_calls).or_else(|| by_content(low, high, framing, &conversation.halves))
            };
            let lesser_port = if low.port() < high.port() { low } else { high };
            let server = conversation.server.or_else(guess).unwrap_or(lesser_port);
            if port.is_some_and(|port| server.port() != port) {
                continue;
            }
            let [from_low, from_high] = conversation.halves;
            let (client, half) = if server == high { (low, from_low) } else { (high, from_high) };
            let stream = reassembly::stream(client, server, framing, half)?;
            if !stream.frames.is_empty() {
                streams.push(stream);
            }
        }
        Ok(Capture { streams })
    }
}

/// The server by what was sent: the end that requests go to.
fn by_content(low: SocketAddr, high: SocketAddr, framing: Framing, halves: &[Half; 2]) -> Option<SocketAddr> {
    let [from_low, from_high] = halves;
    match (from_low.asks(framing), from_high.asks(framing)) {
        (Some(true), _) | (_, Some(false)) => Some(high),
        (_, Some(true)) | (Some(false), _) => Some(low),
        (None, None) => None,
    }
}
