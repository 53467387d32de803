//! What stands between the framing and the MTI: kept with the message, mirrored in its answer.

use bytes::{BufMut, BytesMut};

/// One header.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Header {
    /// Identifier, destination, source (ISO 8583 over TPDU): an answer goes the other way.
    Tpdu { sent: [u8; 5] },
    /// So many bytes.
    Fixed { sent: Vec<u8>, begins: Vec<u8> },
    /// The first byte is the header's length, itself included: from 2 to twice what is sent.
    Counted { sent: Vec<u8> },
}

impl Header {
    /// What is sent when nobody has asked.
    fn sent(&self) -> &[u8] {
        match self {
            Self::Tpdu { sent } => sent,
            Self::Fixed { sent, .. } | Self::Counted { sent } => sent,
        }
    }

    /// Bytes of this header at the start of `input`; `None` if it is not there.
    fn len(&self, input: &[u8]) -> Option<usize> {
        let len = match self {
            Self::Tpdu { sent } => sent.len(),
            Self::Fixed { sent, begins } => {
                if !input.starts_with(begins) {
                    return None;
                }
                sent.len()
            }
            Self::Counted { sent } => {
                // Networks vary a header by some bytes; a peer that says more may hide anything in it.
                let (len, most) = (usize::from(*input.first()?), sent.len().saturating_mul(2));
                if !(2..=most).contains(&len) {
                    return None;
                }
                len
            }
        };
        (len <= input.len()).then_some(len)
    }
}

/// Bytes of all headers at the start of a frame.
///
/// # Errors
///
/// Where one is not as it should be.
pub(super) fn length(headers: &[Header], frame: &[u8]) -> Result<usize, usize> {
    headers.iter().try_fold(0_usize, |at, header| {
        let rest = frame.get(at..).unwrap_or_default();
        header.len(rest).map(|len| at.saturating_add(len)).ok_or(at)
    })
}

/// Writes the headers of an answer to a message that came with `asked`, or of a message of our own.
pub(super) fn write(headers: &[Header], asked: Option<&[u8]>, out: &mut BytesMut) {
    let Some(mut rest) = asked.filter(|asked| length(headers, asked) == Ok(asked.len())) else {
        headers.iter().for_each(|header| out.put_slice(header.sent()));
        return;
    };
    for header in headers {
        let Some((bytes, after)) = rest.split_at_checked(header.len(rest).unwrap_or(0)) else { return };
        rest = after;
        match (header, bytes) {
            (Header::Tpdu { .. }, [id, to_high, to_low, from_high, from_low]) => {
                out.put_slice(&[*id, *from_high, *from_low, *to_high, *to_low]);
            }
            (Header::Tpdu { .. } | Header::Fixed { .. } | Header::Counted { .. }, _) => out.put_slice(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers() -> Vec<Header> {
        vec![
            Header::Tpdu { sent: [0x60, 0, 1, 0, 2] },
            Header::Fixed { sent: b"ISO0".to_vec(), begins: b"ISO".to_vec() },
            Header::Counted { sent: b"\x03ab".to_vec() },
        ]
    }

    #[test]
    fn an_answer_goes_back_the_way_its_request_came() {
        let asked = b"\x60\x12\x34\x56\x78ISO9\x04xyz";
        let frame = [&asked[..], b"0200"].concat();
        assert_eq!(length(&headers(), &frame), Ok(asked.len()));
        let mut out = BytesMut::new();
        write(&headers(), Some(asked), &mut out);
        assert_eq!(&out[..], b"\x60\x56\x78\x12\x34ISO9\x04xyz");
    }

    #[test]
    fn a_message_of_our_own_has_the_headers_of_the_file() {
        let mut out = BytesMut::new();
        write(&headers(), None, &mut out);
        assert_eq!(&out[..], b"\x60\x00\x01\x00\x02ISO0\x03ab");
    }

    #[test]
    fn a_header_that_is_cut_or_another_is_refused_where_it_stands() {
        for (frame, at) in [
            (&b"\x60\x00"[..], 0),
            (b"\x60\x00\x01\x00\x02ISA0\x03ab", 5),
            (b"\x60\x00\x01\x00\x02ISO0\x09ab", 9),
            (b"\x60\x00\x01\x00\x02ISO0", 9),
        ] {
            assert_eq!(length(&headers(), frame), Err(at), "{frame:?}");
        }
    }
}
