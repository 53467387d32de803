//! Frames out of what a connection has brought so far.

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;
use tokio_util::codec::Decoder;

use crate::iso8583::{Framing, FramingFault};

/// Why a peer's bytes are not frames.
#[derive(Debug, Error)]
pub enum FrameFault {
    /// They are none of the link's framing, or too long. Nothing was allocated for them.
    #[error(transparent)]
    Framing(#[from] FramingFault),
    /// The connection failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Takes frames apart: each message as it came, its header and end left out, without a copy.
#[derive(Debug)]
pub struct FrameCodec {
    framing: Framing,
    max: usize,
    /// Bytes of the buffer known not to end the frame that is coming.
    scanned: usize,
}

impl FrameCodec {
    /// Messages of 1 to `frame_bytes_max` bytes.
    #[must_use]
    pub fn new(framing: Framing, frame_bytes_max: u16) -> Self {
        Self { framing, max: frame_bytes_max.into(), scanned: 0 }
    }
}

impl Decoder for FrameCodec {
    type Item = Bytes;
    type Error = FrameFault;

    /// A frame's bytes stay in the buffer until all of it is there: what the buffer still holds when there is no frame is a
    /// frame begun.
    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, FrameFault> {
        let Some(frame) = self.framing.resume(buffer, &mut self.scanned, self.max)? else { return Ok(None) };
        buffer.advance(frame.start);
        let message = buffer.split_to(frame.end.saturating_sub(frame.start));
        buffer.advance(frame.consumed.saturating_sub(frame.end));
        Ok(Some(message.freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_whole_however_they_arrive() {
        for framing in Framing::COMMON {
            let mut wire = BytesMut::new();
            framing.put(b"0800", &mut wire).unwrap();
            framing.put(b"0810x", &mut wire).unwrap();
            for at_once in 1..=wire.len() {
                let mut codec = FrameCodec::new(framing, 10);
                let (mut arrived, mut frames) = (BytesMut::new(), Vec::new());
                for bytes in wire.chunks(at_once) {
                    arrived.extend_from_slice(bytes);
                    while let Some(frame) = codec.decode(&mut arrived).unwrap() {
                        frames.push(frame);
                    }
                }
                assert_eq!(frames, [&b"0800"[..], b"0810x"], "{framing}, {at_once} at once");
                assert!(arrived.is_empty(), "{framing}");
            }
        }
    }

    #[test]
    fn a_length_of_zero_or_over_the_maximum_is_refused_by_its_header_alone() {
        let table: [(&[u8], &str); 3] =
            [(&[0, 0], "length 0"), (&[0, 11], "longer than 10"), (&[0xff, 0xff], "longer than 10")];
        for (header, want) in table {
            let mut arrived = BytesMut::from(header);
            let held = arrived.capacity();
            let error = FrameCodec::new(Framing::default(), 10).decode(&mut arrived).unwrap_err();
            assert!(error.to_string().contains(want), "{header:?}: {error}");
            assert!(arrived.capacity() <= held);
        }
    }

    #[test]
    fn a_message_is_taken_out_without_a_copy() {
        for framing in Framing::COMMON {
            let mut arrived = BytesMut::new();
            let start = framing.open(&mut arrived);
            arrived.extend_from_slice(b"0800");
            framing.close(&mut arrived, start).unwrap();
            let place = arrived[start..].as_ptr();
            let frame = FrameCodec::new(framing, 10).decode(&mut arrived).unwrap().unwrap();
            assert_eq!(frame.as_ptr(), place, "{framing}");
        }
    }
}
