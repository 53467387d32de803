//! The length before a frame.

use super::{Frame, FramingFault};
use crate::iso8583::octets::write_decimal;
use crate::iso8583::packed::{bcd_number, put_bcd_number};

/// A length header of 2 or 4 bytes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Header {
    pub(super) form: Form,
    pub(super) bytes: u8,
    /// The length counts the header too.
    pub(super) inclusive: bool,
}

/// How a length is written.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Form {
    Big,
    Little,
    Ascii,
    Bcd,
}

impl Header {
    /// As [`super::Framing::next_even_empty`].
    #[inline]
    pub(super) fn find(self, bytes: &[u8], max: usize) -> Result<Option<Frame>, FramingFault> {
        let start = usize::from(self.bytes);
        let Some(header) = bytes.get(..start) else { return Ok(None) };
        let length = self.form.read(header).ok_or(FramingFault::NotDigits)?;
        let len = length.checked_sub(self.itself());
        let len = len.ok_or(FramingFault::LessThanItself { length, header: start })?;
        if len > max {
            return Err(FramingFault::TooLong { max });
        }
        let end = start.saturating_add(len);
        Ok((end <= bytes.len()).then_some(Frame { start, end, consumed: end }))
    }

    /// What the length counts beside the message.
    fn itself(self) -> usize {
        if self.inclusive { self.bytes.into() } else { 0 }
    }

    /// Bytes of the longest message.
    pub(super) fn longest(self) -> usize {
        let bytes = u32::from(self.bytes);
        let largest = match self.form {
            Form::Big | Form::Little => 256_usize.saturating_pow(bytes),
            Form::Ascii => 10_usize.saturating_pow(bytes),
            Form::Bcd => 100_usize.saturating_pow(bytes),
        };
        largest.saturating_sub(1).saturating_sub(self.itself())
    }

    /// Writes the header of a message of `len` bytes, which it can say.
    pub(super) fn write(self, to: &mut [u8], len: usize) {
        let length = len.saturating_add(self.itself());
        match self.form {
            Form::Big => to.iter_mut().rev().zip(length.to_le_bytes()).for_each(|(to, byte)| *to = byte),
            Form::Little => to.iter_mut().zip(length.to_le_bytes()).for_each(|(to, byte)| *to = byte),
            Form::Ascii => write_decimal(to, length),
            Form::Bcd => put_bcd_number(to, length),
        }
    }
}

impl Form {
    /// A number of at most four bytes; none if its digits are not decimal.
    #[inline]
    fn read(self, header: &[u8]) -> Option<usize> {
        let append =
            |number: usize, base: usize, digit: u8| number.saturating_mul(base).saturating_add(digit.into());
        let binary = |number, byte: &u8| append(number, 256, *byte);
        match self {
            Self::Big => Some(header.iter().fold(0, binary)),
            Self::Little => Some(header.iter().rev().fold(0, binary)),
            Self::Ascii => header.iter().try_fold(0, |number, digit| {
                digit.is_ascii_digit().then(|| append(number, 10, digit & 0x0f))
            }),
            Self::Bcd => bcd_number(header),
        }
    }
}
