//! TCP reassembly of one direction: retransmissions, overlaps and reordering undone, losses told.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::capture::{CaptureError, Frame, Stream};
use super::packets::Segment;
use crate::iso8583::{self, Framing};

/// Most bytes of a message.
const FRAME_BYTES_MAX: usize = 65_535;

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
    pub(super) fn asks(&self, framing: Framing) -> Option<bool> {
        // The MTI's third digit is its function: even are asked, odd are answered.
        let function = |piece: &Piece| {
            let frame = frame_at(framing, &piece.payload, 0)?;
            piece.payload.get(frame.start.checked_add(2)?).copied()
        };
        let mut framed = self.pieces.iter().filter(|piece| looks_framed(framing, &piece.payload));
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
    pub(super) fn first_frame(&self, framing: Framing) -> Option<usize> {
        if self.whole {
            return Some(0);
        }
        let mut places = std::iter::once(0).chain(self.ends.iter().map(|(end, ..)| *end));
        places.find(|place| looks_framed(framing, self.bytes.get(*place..).unwrap_or_default()))
    }

    /// Whole frames from `start` on, and where they end.
    pub(super) fn split(&self, framing: Framing, start: usize) -> (Vec<Cut>, usize) {
        let mut frames = Vec::new();
        let mut place = start;
        let mut ends = self.ends.iter().peekable();
        while let Some(frame) = frame_at(framing, &self.bytes, place) {
            while ends.next_if(|(end, ..)| *end < frame.consumed).is_some() {}
            if let (Some((_, packet, at)), true) = (ends.peek(), frame.start < frame.end) {
                let (whole, message) = (place..frame.consumed, frame.start..frame.end);
                frames.push(Cut { whole, message, packet: *packet, at: *at });
            }
            place = frame.consumed;
        }
        (frames, place)
    }
}

/// A frame of a run that is not empty.
pub(super) struct Cut {
    /// Its bytes, with what frames it.
    pub(super) whole: Range<usize>,
    /// Its bytes without that.
    pub(super) message: Range<usize>,
    /// The packet that completed it, and when that was seen.
    pub(super) packet: u64,
    pub(super) at: Duration,
}

/// Puts one direction together and splits it into frames.
pub(super) fn stream(
    client: SocketAddr,
    server: SocketAddr,
    framing: Framing,
    half: Half,
) -> Result<Stream, CaptureError> {
    let mut runs = runs(half).into_iter();
    let run = runs.next();
    let loss = run.iter().chain(runs.as_slice()).find_map(|run| run.loss);
    if let Some(Loss { offset, missing, packet }) = loss {
        return Err(CaptureError::Gap { client, server, offset, missing, packet });
    }
    let Some(run) = run else {
        return Ok(Stream { client, server, frames: Vec::new(), skipped_bytes: 0, unfinished_bytes: 0 });
    };
    let start = run.first_frame(framing);
    let start = start.ok_or(CaptureError::NoFrames { client, server, len: run.bytes.len() })?;
    let (frames, end) = run.split(framing, start);
    let unfinished_bytes = run.bytes.len().saturating_sub(end);
    let frame = |cut: Cut| Frame { at: cut.at, packet: cut.packet, bytes: run.bytes.slice(cut.message) };
    let frames = frames.into_iter().map(frame).collect();
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

/// The frame that starts at `place` of `bytes`, its places counted from the first of them. None if it is not whole.
fn frame_at(framing: Framing, bytes: &[u8], place: usize) -> Option<iso8583::Frame> {
    let frame = framing.next_even_empty(bytes.get(place..)?, FRAME_BYTES_MAX).ok()??;
    Some(iso8583::Frame {
        start: place.checked_add(frame.start)?,
        end: place.checked_add(frame.end)?,
        consumed: place.checked_add(frame.consumed)?,
    })
}

/// Whether frames follow one another from here to the end, but for a last one that is cut.
pub(super) fn looks_framed(framing: Framing, bytes: &[u8]) -> bool {
    let (mut place, mut whole) = (0, false);
    while let Some(frame) = frame_at(framing, bytes, place) {
        let len = frame.end.saturating_sub(frame.start);
        if (1..FRAME_BYTES_MIN).contains(&len) {
            return false;
        }
        whole |= len > 0;
        place = frame.consumed;
    }
    whole
}
