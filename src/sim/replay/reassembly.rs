//! TCP reassembly of one direction: retransmissions, overlaps and reordering undone, losses told.

use std::net::SocketAddr;
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

/// The client's direction as one run of bytes, and where each packet's share of it ends.
struct Run {
    bytes: Bytes,
    /// End of each piece in `bytes`, with the latest packet (and its time) needed to have all of it.
    ends: Vec<(usize, u64, Duration)>,
}

/// Puts one direction together and splits it into frames.
pub(super) fn stream(
    client: SocketAddr,
    server: SocketAddr,
    framing: Framing,
    half: Half,
) -> Result<Stream, CaptureError> {
    let joined_midway = half.syn.is_none();
    let run = assemble(client, server, half)?;
    let start = if joined_midway {
        let boundary = || run.ends.iter().map(|(end, ..)| *end);
        let places = std::iter::once(0).chain(boundary());
        let found = places
            .into_iter()
            .find(|place| looks_framed(framing, run.bytes.get(*place..).unwrap_or_default()));
        match found {
            Some(place) => place,
            None if run.bytes.is_empty() => 0,
            None => return Err(CaptureError::NoFrames { client, server, len: run.bytes.len() }),
        }
    } else {
        0
    };
    Ok(split(client, server, framing, &run, start))
}

fn assemble(client: SocketAddr, server: SocketAddr, half: Half) -> Result<Run, CaptureError> {
    let mut pieces = half.pieces;
    // Stable: of two that start alike, the one captured first is taken.
    pieces.sort_by_key(|piece| piece.start);
    let first = pieces.first().map_or(0, |piece| piece.start);
    let origin = half.syn.map_or(first, |(_, place)| place.saturating_add(1));
    let mut bytes = BytesMut::new();
    let mut ends: Vec<(usize, u64, Duration)> = Vec::new();
    for piece in pieces {
        let have = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        // How much of the piece is there already; what is less than nothing was lost.
        let known = have.saturating_sub(piece.start.saturating_sub(origin));
        let Ok(known) = usize::try_from(known) else {
            let (offset, missing) = (have.unsigned_abs(), known.unsigned_abs());
            return Err(CaptureError::Gap { client, server, offset, missing, packet: piece.packet });
        };
        let Some(fresh) = piece.payload.get(known..).filter(|fresh| !fresh.is_empty()) else {
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
    Ok(Run { bytes: bytes.freeze(), ends })
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
fn looks_framed(framing: Framing, bytes: &[u8]) -> bool {
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

fn split(client: SocketAddr, server: SocketAddr, framing: Framing, run: &Run, start: usize) -> Stream {
    let mut frames = Vec::new();
    let mut place = start;
    let mut ends = run.ends.iter().peekable();
    while let Some(frame) = frame_at(framing, &run.bytes, place) {
        while ends.next_if(|(end, ..)| *end < frame.consumed).is_some() {}
        if let (Some((_, packet, at)), true) = (ends.peek(), frame.start < frame.end) {
            frames.push(Frame { at: *at, packet: *packet, bytes: run.bytes.slice(frame.start..frame.end) });
        }
        place = frame.consumed;
    }
    let unfinished_bytes = run.bytes.len().saturating_sub(place);
    Stream { client, server, frames, skipped_bytes: start, unfinished_bytes }
}
