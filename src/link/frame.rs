//! Framing: a 2-byte big-endian length, then that many bytes.

use bytes::{Bytes, BytesMut};
use thiserror::Error;
use tokio_util::codec::{Decoder, Encoder, LengthDelimitedCodec, LengthDelimitedCodecError};

/// Why a peer's bytes are not frames.
#[derive(Debug, Error)]
pub enum FrameFault {
    /// A frame without a message.
    #[error("a frame of length 0")]
    Empty,
    /// The length header announces more than is allowed. Nothing was allocated for it.
    #[error("a frame longer than {max} bytes")]
    TooLong {
        /// Most bytes allowed.
        max: u16,
    },
    /// The connection failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Takes frames apart and puts them together.
#[derive(Debug)]
pub struct FrameCodec {
    lengths: LengthDelimitedCodec,
    max: u16,
}

impl FrameCodec {
    /// Frames of 1 to `frame_bytes_max` bytes.
    #[must_use]
    pub fn new(frame_bytes_max: u16) -> Self {
        let lengths = LengthDelimitedCodec::builder()
            .length_field_type::<u16>()
            .big_endian()
            .max_frame_length(usize::from(frame_bytes_max))
            .new_codec();
        Self { lengths, max: frame_bytes_max }
    }

    fn fault(&self, error: std::io::Error) -> FrameFault {
        let too_long = error
            .get_ref()
            .is_some_and(<dyn std::error::Error + Send + Sync>::is::<LengthDelimitedCodecError>);
        if too_long { FrameFault::TooLong { max: self.max } } else { FrameFault::Io(error) }
    }
}

impl Decoder for FrameCodec {
    type Item = Bytes;
    type Error = FrameFault;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, FrameFault> {
        match self.lengths.decode(buffer) {
            Ok(Some(frame)) if frame.is_empty() => Err(FrameFault::Empty),
            Ok(frame) => Ok(frame.map(BytesMut::freeze)),
            Err(error) => Err(self.fault(error)),
        }
    }
}

impl Encoder<Bytes> for FrameCodec {
    type Error = FrameFault;

    fn encode(&mut self, frame: Bytes, buffer: &mut BytesMut) -> Result<(), FrameFault> {
        self.lengths.encode(frame, buffer).map_err(|error| self.fault(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_whole_however_they_arrive() {
        let mut codec = FrameCodec::new(10);
        let mut wire = BytesMut::new();
        codec.encode(Bytes::from_static(b"0800"), &mut wire).unwrap();
        codec.encode(Bytes::from_static(b"0810x"), &mut wire).unwrap();
        let mut arrived = BytesMut::new();
        let mut frames = Vec::new();
        for byte in wire {
            arrived.extend_from_slice(&[byte]);
            frames.extend(codec.decode(&mut arrived).unwrap());
        }
        assert_eq!(frames, [&b"0800"[..], b"0810x"]);
    }

    #[test]
    fn a_length_of_zero_or_over_the_maximum_is_refused_by_its_header_alone() {
        let table: [(&[u8], &str); 3] =
            [(&[0, 0], "length 0"), (&[0, 11], "longer than 10"), (&[0xff, 0xff], "longer than 10")];
        for (header, want) in table {
            let mut arrived = BytesMut::from(header);
            let held = arrived.capacity();
            let error = FrameCodec::new(10).decode(&mut arrived).unwrap_err();
            assert!(error.to_string().contains(want), "{header:?}: {error}");
            assert!(arrived.capacity() <= held);
        }
    }
}
