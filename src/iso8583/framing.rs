//! How frames stand on a connection: behind a length, or before a byte that ends them. Data, like all of a dialect.

use std::fmt;

use bytes::{BufMut, BytesMut};
use thiserror::Error;

use length::{Form, Header};

mod length;

/// Begins a frame of `stx etx`.
const STX: u8 = 0x02;
/// Ends a frame of `stx etx`.
const ETX: u8 = 0x03;

/// How frames stand on a connection. It prints as it is written in a dialect.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Framing(Kind);

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Kind {
    /// A length, then so many bytes.
    Counted(Header),
    /// Between two bytes.
    StxEtx,
    /// Up to a byte.
    End(u8),
    /// All bytes are one frame.
    Whole,
}

/// Text that is no framing.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error(
    "`{0}` is no framing: there are `binary 2` and `binary 4` (with `little`, `inclusive` or both), `ascii 4` and `bcd 2` \
     (with `inclusive` or not), `stx etx`, `end FF` (any byte in hex) and `none`"
)]
pub struct FramingError(String);

/// Why bytes are no frame, or a message cannot be made one. Holds nothing of the message.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum FramingFault {
    /// A frame without a message.
    #[error("a frame of length 0")]
    Empty,
    /// The header announces more than is allowed or, where a byte ends the frame, more came without it.
    #[error("a frame longer than {max} bytes")]
    TooLong {
        /// Most bytes allowed, header excluded.
        max: usize,
    },
    /// The length counts its own header, and is less than that.
    #[error("a length that counts itself and says {length}: less than its own {header} bytes")]
    LessThanItself {
        /// What it says.
        length: usize,
        /// Bytes of the header.
        header: usize,
    },
    /// The length is not a decimal number.
    #[error("a length that is not in decimal digits")]
    NotDigits,
    /// Something stands where 02 begins a frame.
    #[error("a frame that does not begin with 02")]
    NoStart,
    /// A message that cannot be sent: it holds the byte that ends a frame.
    #[error("byte {at} of the message is {byte:02X}, which ends a frame")]
    EndInside {
        /// The byte.
        byte: u8,
        /// Where in the message, from 0.
        at: usize,
    },
    /// `none` on a connection.
    #[error("nothing tells one frame from the next: framing `none` is for tools")]
    Unframed,
}

/// Where a frame stands in bytes that begin with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Frame {
    /// First byte of the message.
    pub start: usize,
    /// First byte after the message.
    pub end: usize,
    /// First byte of the next frame.
    pub consumed: usize,
}

impl Default for Framing {
    fn default() -> Self {
        Self::counted(Form::Big, 2, false)
    }
}

impl Framing {
    /// The byte that ends a frame, where no length tells.
    pub(super) const fn end_byte(self) -> Option<u8> {
        match self.0 {
            Kind::StxEtx => Some(ETX),
            Kind::End(byte) => Some(byte),
            Kind::Counted(_) | Kind::Whole => None,
        }
    }

    /// The length that stands before a message of so many bytes, and how many bytes it has; none where no length tells.
    pub(super) fn length_before(self, len: usize) -> ([u8; 4], usize) {
        let mut length = [0; 4];
        let Kind::Counted(header) = self.0 else { return (length, 0) };
        let bytes = usize::from(header.bytes).min(length.len());
        header.write(length.get_mut(..bytes).unwrap_or_default(), len);
        (length, bytes)
    }

    /// All bytes are one message: for tools, never for a connection.
    pub const NONE: Self = Self(Kind::Whole);

    /// Those that are met, the likeliest first; `end` stands there with the byte that is, and [`Framing::NONE`], which any
    /// bytes fit, does not.
    pub const COMMON: [Self; 14] = [
        Self::counted(Form::Big, 2, false),
        Self::counted(Form::Ascii, 4, false),
        Self::counted(Form::Big, 2, true),
        Self::counted(Form::Big, 4, false),
        Self::counted(Form::Bcd, 2, false),
        Self::counted(Form::Little, 2, false),
        Self::counted(Form::Ascii, 4, true),
        Self::counted(Form::Big, 4, true),
        Self::counted(Form::Bcd, 2, true),
        Self::counted(Form::Little, 2, true),
        Self::counted(Form::Little, 4, false),
        Self::counted(Form::Little, 4, true),
        Self(Kind::StxEtx),
        Self(Kind::End(0xff)),
    ];

    const fn counted(form: Form, bytes: u8, inclusive: bool) -> Self {
        Self(Kind::Counted(Header { form, bytes, inclusive }))
    }

    /// Reads the notation, such as `binary 2 little inclusive`.
    ///
    /// # Errors
    ///
    /// [`FramingError`], which says what there is.
    pub fn parse(text: &str) -> Result<Self, FramingError> {
        Self::read(text).ok_or_else(|| FramingError(text.to_owned()))
    }

    fn read(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let kind = match (words.next()?, words.next()) {
            ("binary", Some("2")) => Kind::Counted(Header { form: Form::Big, bytes: 2, inclusive: false }),
            ("binary", Some("4")) => Kind::Counted(Header { form: Form::Big, bytes: 4, inclusive: false }),
            ("ascii", Some("4")) => Kind::Counted(Header { form: Form::Ascii, bytes: 4, inclusive: false }),
            ("bcd", Some("2")) => Kind::Counted(Header { form: Form::Bcd, bytes: 2, inclusive: false }),
            ("stx", Some("etx")) => Kind::StxEtx,
            ("end", Some(byte)) => Kind::End(hex_byte(byte)?),
            ("none", None) => Kind::Whole,
            _ => return None,
        };
        words.try_fold(kind, Kind::with).map(Self)
    }

    /// Bytes before the message.
    fn head(self) -> usize {
        match self.0 {
            Kind::Counted(header) => header.bytes.into(),
            Kind::StxEtx => 1,
            Kind::End(_) | Kind::Whole => 0,
        }
    }

    /// The frame that begins with the first of `bytes`, if it is whole; its message has 1 to `max` bytes. `bytes` are all
    /// there are: of `none` they are one frame. What comes bit by bit is for [`Framing::resume`].
    ///
    /// # Errors
    ///
    /// [`FramingFault`] as soon as it is sure that this is no such frame: where there is a length, by its header alone.
    pub fn next(self, bytes: &[u8], max: usize) -> Result<Option<Frame>, FramingFault> {
        self.next_even_empty(bytes, max).and_then(refuse_empty)
    }

    /// As [`Framing::next`], but also a frame without a message, which some hosts send to keep a line open.
    ///
    /// # Errors
    ///
    /// As [`Framing::next`], [`FramingFault::Empty`] excepted.
    pub fn next_even_empty(self, bytes: &[u8], max: usize) -> Result<Option<Frame>, FramingFault> {
        if self.0 != Kind::Whole {
            return self.find(bytes, &mut 0, max);
        }
        let len = bytes.len();
        if len > max {
            return Err(FramingFault::TooLong { max });
        }
        Ok((len > 0).then_some(Frame { start: 0, end: len, consumed: len }))
    }

    /// As [`Framing::next`], for bytes that come bit by bit. `scanned` is 0 for the first of a frame and then what the last
    /// call left there: bytes known not to end the frame are not looked at again.
    ///
    /// # Errors
    ///
    /// As [`Framing::next`], and [`FramingFault::Unframed`] of `none`.
    pub fn resume(
        self,
        bytes: &[u8],
        scanned: &mut usize,
        max: usize,
    ) -> Result<Option<Frame>, FramingFault> {
        self.find(bytes, scanned, max).and_then(refuse_empty)
    }

    #[inline]
    fn find(self, bytes: &[u8], scanned: &mut usize, max: usize) -> Result<Option<Frame>, FramingFault> {
        match self.0 {
            Kind::Counted(header) => header.find(bytes, max),
            Kind::StxEtx => match bytes.first() {
                None => Ok(None),
                Some(&STX) => find_end(bytes, 1, ETX, scanned, max),
                Some(_) => Err(FramingFault::NoStart),
            },
            Kind::End(byte) => find_end(bytes, 0, byte, scanned, max),
            Kind::Whole => Err(FramingFault::Unframed),
        }
    }

    /// Begins a frame at the end of `out`, and gives back where its message does: for [`Framing::close`], once that is
    /// written there.
    pub fn open(self, out: &mut BytesMut) -> usize {
        match self.0 {
            Kind::Counted(header) => out.put_bytes(0, header.bytes.into()),
            Kind::StxEtx => out.put_u8(STX),
            Kind::End(_) | Kind::Whole => {}
        }
        out.len()
    }

    /// Ends the frame whose message is all that stands in `out` from `start` on.
    ///
    /// # Errors
    ///
    /// As [`Framing::carries`]; the frame is then taken away, from what [`Framing::open`] put there.
    pub fn close(self, out: &mut BytesMut, start: usize) -> Result<(), FramingFault> {
        let opened = start.saturating_sub(self.head());
        let carried = self.carries(out.get(start..).unwrap_or_default());
        if carried.is_err() {
            out.truncate(opened);
            return carried;
        }
        let len = out.len().saturating_sub(start);
        match self.0 {
            Kind::Counted(header) => header.write(out.get_mut(opened..start).unwrap_or_default(), len),
            Kind::StxEtx => out.put_u8(ETX),
            Kind::End(byte) => out.put_u8(byte),
            Kind::Whole => {}
        }
        Ok(())
    }

    /// Appends a message as a frame.
    ///
    /// # Errors
    ///
    /// As [`Framing::carries`]; `out` is then left as it was.
    pub fn put(self, message: &[u8], out: &mut BytesMut) -> Result<(), FramingFault> {
        let start = self.open(out);
        out.extend_from_slice(message);
        self.close(out, start)
    }

    /// Whether a message can be sent.
    ///
    /// # Errors
    ///
    /// [`FramingFault`]: it is empty, longer than the header can say, or holds the byte that ends a frame.
    pub fn carries(self, message: &[u8]) -> Result<(), FramingFault> {
        if message.is_empty() {
            return Err(FramingFault::Empty);
        }
        let end = match self.0 {
            Kind::Counted(header) => {
                let max = header.longest();
                return if message.len() > max { Err(FramingFault::TooLong { max }) } else { Ok(()) };
            }
            Kind::StxEtx => ETX,
            Kind::End(byte) => byte,
            Kind::Whole => return Ok(()),
        };
        let found = message.iter().position(|byte| *byte == end);
        found.map_or(Ok(()), |at| Err(FramingFault::EndInside { byte: end, at }))
    }
}

impl fmt::Display for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Counted(Header { form, bytes, inclusive }) => {
                let (name, order) = match form {
                    Form::Big => ("binary", ""),
                    Form::Little => ("binary", " little"),
                    Form::Ascii => ("ascii", ""),
                    Form::Bcd => ("bcd", ""),
                };
                write!(f, "{name} {bytes}{order}{}", if inclusive { " inclusive" } else { "" })
            }
            Kind::StxEtx => f.write_str("stx etx"),
            Kind::End(byte) => write!(f, "end {byte:02X}"),
            Kind::Whole => f.write_str("none"),
        }
    }
}

impl Kind {
    /// With one more word of the notation, if it may be said of this, and has not been.
    fn with(self, word: &str) -> Option<Self> {
        match (self, word) {
            (Self::Counted(header), "inclusive") if !header.inclusive => {
                Some(Self::Counted(Header { inclusive: true, ..header }))
            }
            (Self::Counted(header @ Header { form: Form::Big, .. }), "little") => {
                Some(Self::Counted(Header { form: Form::Little, ..header }))
            }
            _ => None,
        }
    }
}

/// A frame up to `end`, whose message begins at `start`.
fn find_end(
    bytes: &[u8],
    start: usize,
    end: u8,
    scanned: &mut usize,
    max: usize,
) -> Result<Option<Frame>, FramingFault> {
    // The message and the byte after it: what is not ended by then is too long.
    let within = bytes.len().min(start.saturating_add(max).saturating_add(1));
    let from = start.max(*scanned);
    let fresh = bytes.get(from..within).unwrap_or_default();
    if let Some(at) = fresh.iter().position(|byte| *byte == end) {
        *scanned = 0;
        let end = from.saturating_add(at);
        return Ok(Some(Frame { start, end, consumed: end.saturating_add(1) }));
    }
    if within.saturating_sub(start) > max {
        return Err(FramingFault::TooLong { max });
    }
    *scanned = within;
    Ok(None)
}

fn refuse_empty(frame: Option<Frame>) -> Result<Option<Frame>, FramingFault> {
    match frame {
        Some(Frame { start, end, .. }) if start == end => Err(FramingFault::Empty),
        frame => Ok(frame),
    }
}

/// A byte as two hex digits.
fn hex_byte(text: &str) -> Option<u8> {
    let digits = text.len() == 2 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    digits.then(|| u8::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests;
