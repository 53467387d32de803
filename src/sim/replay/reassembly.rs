//! TCP reassembly of one direction: retransmissions, overlaps and reordering undone, losses told.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::capture::{CaptureError, Frame, Stream};
use super::packets::Segment;

/// Bytes of a frame's length header, big-endian, which does not count itself.
pub(super) const HEADER_BYTES: usize = 2;

/// No message is shorter: an MTI of two packed bytes and a bitmap of eight.
const FRAME_BYTES_MIN: usize = 10;

/// One direction of a connection, as captured.
#[derive(Default)]
pub(super) struct Half {
    pieces: Vec<Piece>,
    /// Sequence number and place of the SYN, if it was captured.
    syn: Option<(u32, i64)>,
    /// Sequence number and unwrapped place of the last segment, from which the next is reckoned.
    last: Option<(u32, i64)>,
}

/// A segment's payload and its place.
struct Piece {
    /// Bytes from an arbitrary origin; may be negative, as a segment may precede the first captured.
    start: i64,
    packet: u64,
    at: Duration,
    payload: Bytes,
}

impl Half {
    /// Takes a segment in the order of the file.
    pub(super) fn push(&mut self, segment: Segment) {
        let place = match self.last {
            None => 0,
            // Sequence numbers wrap: the distance to the last one, taken as signed, does not.
            Some((sequence, place)) => {
                place.saturating_add(i64::from(segment.sequence.wrapping_sub(sequence).cast_signed()))
            }
        };
        self.last = Some((segment.sequence, place));
        if segment.syn {
            self.syn = Some((segment.sequence, place));
        }
        if !segment.payload.is_empty() {
            // A SYN takes one number, before any data that it carries itself.
            let start = place.saturating_add(i64::from(segment.syn));
            self.pieces.push(Piece {
                start,
                packet: segment.packet,
                at: segment.at,
                payload: segment.payload,
            });
        }
    }

    /// Whether a SYN with this sequence number belongs to another connection than the one collected here.
    pub(super) fn starts_elsewhere(&self, sequence: u32) -> bool {
        match self.syn {
            Some((syn, _)) => syn != sequence,
            None => !self.pieces.is_empty(),
        }
    }

    /// Whether the first segment that looks like frames holds a request; None if none does.
    pub(super) fn asks(&self) -> Option<bool> {
        // The MTI's third digit is its function: even are asked, odd are answered.
        let function = |piece: &Piece| piece.payload.get(HEADER_BYTES.checked_add(2)?).copied();
        let mut framed = self.pieces.iter().filter(|piece| looks_framed(&piece.payload));
        framed.find_map(function).map(|digit| digit & 1 == 0)
    }
}

/// Bytes that follow one another in a direction, and where each packet's share of them ends. No `Debug`: they hold
/// card data.
pub(super) struct Run {
    pub(super) bytes: Bytes,
    /// End of each piece in `bytes`, with the latest packet (and its time) needed to have all of it.
    pub(super) ends: Vec<(usize, u64, Duration)>,
    /// Whether it begins where the stream does.
    pub(super) whole: bool,
    /// What was lost right before it.
    pub(super) loss: Option<Loss>,
}

/// Bytes of a stream that were never captured.
#[derive(Clone, Copy)]
pub(super) struct Loss {
    /// Bytes of the stream before the loss.
    pub(super) offset: u64,
    /// How many are lost.
    pub(super) missing: u64,
    /// The packet that follows them in the stream.
    pub(super) packet: u64,
}

impl Run {
    /// Where the first frame starts; `None` if nothing in it looks like one.
    pub(super) fn first_frame(&self) -> Option<usize> {
        if self.whole {
            return Some(0);
        }
        let places = std::iter::once(0).chain(self.ends.iter().map(|(end, ..)| *end));
        places.into_iter().find(|place| looks_framed(self.bytes.get(*place..).unwrap_or_default()))
    }
}

/// Puts one direction together and splits it into frames.
pub(super) fn stream(client: SocketAddr, server: SocketAddr, half: Half) -> Result<Stream, CaptureError> {
    let mut runs = runs(half).into_iter();
    let run = runs.next();
    if let Some(Loss { offset, missing, packet }) = run.iter().chain(runs.as_slice()).find_map(|run| run.loss)
    {
        return Err(CaptureError::Gap { client, server, offset, missing, packet });
    }
    let Some(run) = run else {
        return Ok(Stream { client, server, frames: Vec::new(), skipped_bytes: 0, unfinished_bytes: 0 });
    };
    let start = run.first_frame();
    let start = start.ok_or(CaptureError::NoFrames { client, server, len: run.bytes.len() })?;
    let (frames, end) = split(&run, start);
    let unfinished_bytes = run.bytes.len().saturating_sub(end);
    let frames = frames.into_iter().filter_map(|(range, packet, at)| {
        let frame =
            Frame { at, packet, bytes: run.bytes.slice(range.start.checked_add(HEADER_BYTES)?..range.end) };
        (!frame.bytes.is_empty()).then_some(frame)
    });
    let frames = frames.collect();
    Ok(Stream { client, server, frames, skipped_bytes: start, unfinished_bytes })
}

/// Puts one direction together: one run, and another behind each loss.
pub(super) fn runs(half: Half) -> Vec<Run> {
    let mut pieces = half.pieces;
    // Stable: of two that start alike, the one captured first is taken.
    pieces.sort_by_key(|piece| piece.start);
    let first = pieces.first().map_or(0, |piece| piece.start);
    let origin = half.syn.map_or(first, |(_, place)| place.saturating_add(1));
    let mut runs = Vec::new();
    let mut bytes = BytesMut::new();
    let mut ends: Vec<(usize, u64, Duration)> = Vec::new();
    let (mut whole, mut loss, mut base) = (half.syn.is_some(), None, 0_i64);
    for piece in pieces {
        let have = base.saturating_add(i64::try_from(bytes.len()).unwrap_or(i64::MAX));
        let place = piece.start.saturating_sub(origin);
        // How much of the piece is there already; what is less than nothing was lost.
        let known = have.saturating_sub(place);
        if known < 0 {
            if !bytes.is_empty() {
                runs.push(Run {
                    bytes: bytes.split().freeze(),
                    ends: std::mem::take(&mut ends),
                    whole,
                    loss,
                });
            }
            (whole, base) = (false, place);
            let (offset, missing) = (have.unsigned_abs(), known.unsigned_abs());
            loss = Some(Loss { offset, missing, packet: piece.packet });
        }
        let fresh = piece.payload.get(usize::try_from(known).unwrap_or(0)..);
        let Some(fresh) = fresh.filter(|fresh| !fresh.is_empty()) else {
            continue;
        };
        bytes.extend_from_slice(fresh);
        // Delivery waits for what came before, however late that was.
        let (packet, at) = match ends.last() {
            Some((_, packet, at)) if *packet > piece.packet => (*packet, *at),
            Some(_) | None => (piece.packet, piece.at),
        };
        ends.push((bytes.len(), packet, at));
    }
    if !bytes.is_empty() {
        runs.push(Run { bytes: bytes.freeze(), ends, whole, loss });
    }
    runs
}

/// The frame that starts at `place` of `bytes`: its contents, and where the next starts. None if it is not whole.
fn frame_at(bytes: &[u8], place: usize) -> Option<(std::ops::Range<usize>, usize)> {
    let header = bytes.get(place..)?.first_chunk::<HEADER_BYTES>()?;
    let start = place.checked_add(HEADER_BYTES)?;
    let end = start.checked_add(usize::from(u16::from_be_bytes(*header)))?;
    (end <= bytes.len()).then_some((start..end, end))
}

/// Whether frames follow one another from here to the end, but for a last one that is cut.
pub(super) fn looks_framed(bytes: &[u8]) -> bool {
    let (mut place, mut whole) = (0, false);
    while let Some((frame, next)) = frame_at(bytes, place) {
        if !frame.is_empty() && frame.len() < FRAME_BYTES_MIN {
            return false;
        }
        whole |= !frame.is_empty();
        place = next;
    }
    whole
}

/// Whole frames from `start` on, each with its header, the packet that completed it and when; and where they end.
pub(super) fn split(run: &Run, start: usize) -> (Vec<(std::ops::Range<usize>, u64, Duration)>, usize) {
    let mut frames = Vec::new();
    let mut place = start;
    let mut ends = run.ends.iter().peekable();
    while let Some((_, next)) = frame_at(&run.bytes, place) {
        while ends.next_if(|(end, ..)| *end < next).is_some() {}
        if let Some((_, packet, at)) = ends.peek() {
            frames.push((place..next, *packet, *at));
        }
        place = next;
    }
    (frames, place)
}
