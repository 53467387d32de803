//! Both ways of every connection of a capture: for tools that show what was said, rather than play it.

use std::fmt;
use std::io::{Read, Seek};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use etherparse::{SlicedPacket, TransportSlice};

use super::capture::{CaptureError, Conversations};
use super::packets;
use super::reassembly::{self, Cut, Half, Run};
use crate::iso8583::Framing;

/// Bytes that one end of a TCP connection sent to the other, put together. A loss ends it and begins another.
pub struct Way {
    /// Who sent it.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    run: Run,
}

/// A part of a [`Way`].
#[derive(Clone)]
pub struct Share {
    /// Holds card data: never to be printed.
    pub bytes: Bytes,
    /// The packet that completed it, counted from 1 over the whole file.
    pub packet: u64,
    /// When that was captured, since 1970.
    pub at: Duration,
}

/// A way cut into frames.
#[derive(Clone, Debug)]
pub struct Framed {
    /// Each with what frames it. Those without contents are left out.
    pub frames: Vec<Share>,
    /// Bytes before the first, of a way whose beginning was not captured.
    pub skipped_bytes: usize,
    /// Bytes of a last frame of which the rest was not captured.
    pub unfinished_bytes: usize,
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Way({} → {}, {} bytes)", self.from, self.to, self.run.bytes.len())
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share({} bytes, packet {}, {:?})", self.bytes.len(), self.packet, self.at)
    }
}

/// The ways of all connections, in the order of their connections' first packets; with `port`, of connections
/// from or to that port only. `name` only stands in errors.
///
/// # Errors
///
/// [`CaptureError`] if it is no capture, a damaged one, or of a link type that is not known.
pub fn read(name: &Path, capture: impl Read + Seek, port: Option<u16>) -> Result<Vec<Way>, CaptureError> {
    let conversations = Conversations::collect(packets::segments_of(name, capture)?, port);
    let way = |(from, to, half): (SocketAddr, SocketAddr, Half)| {
        reassembly::runs(half).into_iter().map(move |run| Way { from, to, run })
    };
    Ok(conversations.halves().flat_map(way).collect())
}

/// What a TCP packet carries, headers and all given, from the link's or the IP's on; `None` if it is none.
#[must_use]
pub fn tcp_payload(packet: &[u8]) -> Option<&[u8]> {
    fn carried<'a>(sliced: &SlicedPacket<'a>) -> Option<&'a [u8]> {
        match &sliced.transport {
            Some(TransportSlice::Tcp(tcp)) => Some(tcp.payload()),
            Some(_) | None => None,
        }
    }
    // Strict, since to those who ask for little any bytes are a packet.
    let ip = SlicedPacket::from_ip(packet).ok().as_ref().and_then(carried);
    ip.or_else(|| SlicedPacket::from_ethernet(packet).ok().as_ref().and_then(carried))
}

impl Way {
    /// Bytes lost before it.
    #[must_use]
    pub fn lost_before(&self) -> u64 {
        self.run.loss.map_or(0, |loss| loss.missing)
    }

    /// The way as frames; `None` if it does not look as if it were framed so.
    #[must_use]
    pub fn framed(&self, framing: Framing) -> Option<Framed> {
        let start = self.run.first_frame(framing)?;
        if !reassembly::looks_framed(framing, self.run.bytes.get(start..)?) {
            return None;
        }
        let (frames, end) = self.run.split(framing, start);
        let share =
            |cut: Cut| Share { bytes: self.run.bytes.slice(cut.whole), packet: cut.packet, at: cut.at };
        let unfinished_bytes = self.run.bytes.len().saturating_sub(end);
        Some(Framed {
            frames: frames.into_iter().map(share).collect(),
            skipped_bytes: start,
            unfinished_bytes,
        })
    }

    /// What each packet brought.
    pub fn shares(&self) -> impl Iterator<Item = Share> {
        let starts = std::iter::once(0).chain(self.run.ends.iter().map(|(end, ..)| *end));
        starts.zip(&self.run.ends).map(|(start, (end, packet, at))| Share {
            bytes: self.run.bytes.slice(start..*end),
            packet: *packet,
            at: *at,
        })
    }
}
