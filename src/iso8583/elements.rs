//! Tag and value of each element of a TLV field.

use std::fmt;

use super::octets::decimal;
use super::table::Tlv;

/// Tag and value of each element of a TLV field. Stops at the first that is malformed.
#[derive(Clone)]
pub struct Elements<'a> {
    tlv: Tlv,
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    pub(super) const fn new(tlv: Tlv, value: &'a [u8]) -> Self {
        Self { tlv, rest: value }
    }

    /// Bytes that have not been gone through yet.
    pub(super) const fn left(&self) -> usize {
        self.rest.len()
    }

    /// Goes through the rest and says where it stops being elements: how many bytes are left there, 0 if
    /// none.
    #[inline]
    pub(super) fn left_malformed(mut self) -> usize {
        while self.next().is_some() {}
        self.rest.len()
    }

    /// The next element of a layout that is not the usual one.
    fn unusual(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let (tag, length) = (usize::from(self.tlv.tag), usize::from(self.tlv.length));
        let (head, rest) = self.rest.split_at_checked(tag.saturating_add(length))?;
        let (tag, length) = if self.tlv.length_first {
            head.split_at_checked(length).map(|(length, tag)| (tag, length))?
        } else {
            head.split_at_checked(tag)?
        };
        let counted = if self.tlv.binary {
            length.iter().fold(0_usize, |len, byte| (len << 8) | usize::from(*byte))
        } else {
            decimal(length)?
        };
        let (value, rest) = rest.split_at_checked(counted.checked_sub(usize::from(self.tlv.counted))?)?;
        self.rest = rest;
        Some((tag, value))
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if !self.tlv.is_usual() {
            return self.unusual();
        }
        let (tag, rest) = self.rest.split_at_checked(usize::from(self.tlv.tag))?;
        let (length, rest) = rest.split_at_checked(usize::from(self.tlv.length))?;
        let (value, rest) = rest.split_at_checked(decimal(length)?)?;
        self.rest = rest;
        Some((tag, value))
    }
}

impl fmt::Debug for Elements<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elements").field("bytes_left", &self.rest.len()).finish()
    }
}
