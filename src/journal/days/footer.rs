//! A segment's two ends: a header that says where it belongs, and a footer that says what it holds. A pruned segment's
//! footer stays: the chain goes through it.

use super::files::Handle;
use crate::ids::BusinessDate;
use crate::journal::block::{BlockHash, take};
use crate::journal::error::JournalError;

/// First bytes of a segment, and the version of how it is laid out.
const MAGIC: [u8; 8] = *b"BSDAYS\0\x01";
/// Last bytes of a segment, and of what is left of a pruned one.
const END: [u8; 4] = *b"BSDE";
/// Bytes behind the footer: its length and [`END`].
const TAIL_BYTES: u64 = 8;
/// More than any footer has.
const FOOTER_BYTES_MAX: u32 = 4096;
const CRC_BYTES: usize = 4;

/// Bytes of the header.
pub(super) const HEADER_BYTES: usize = 56;

/// What a segment holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::journal) struct Footer {
    /// The business date that was in force at the end of each of its blocks.
    pub(in crate::journal) date: BusinessDate,
    /// Sequence of the first leg.
    pub(in crate::journal) first: u64,
    /// Sequence of the last leg.
    pub(in crate::journal) last: u64,
    /// Hash of the block before the first.
    pub(in crate::journal) previous: BlockHash,
    /// Hash of the last block.
    pub(in crate::journal) hash: BlockHash,
    /// Blocks.
    pub(in crate::journal) blocks: u64,
    /// Payments that a leg in here is about.
    pub(in crate::journal) payments: u64,
    /// The earliest business date that a payment in here counts for; the segment's own if there is none.
    pub(in crate::journal) earliest: BusinessDate,
    /// The latest.
    pub(in crate::journal) latest: BusinessDate,
    /// Where the table of blocks begins.
    pub(super) table_at: u64,
    /// Where the index of payments begins.
    pub(super) index_at: u64,
    /// Where the footer begins.
    pub(super) footer_at: u64,
    /// SHA-256 of everything before the footer.
    pub(in crate::journal) sha256: [u8; 32],
    /// The least payment key in here; empty if there is no payment.
    pub(in crate::journal) least: Box<[u8]>,
    /// The greatest.
    pub(in crate::journal) greatest: Box<[u8]>,
}

impl Footer {
    /// Legs.
    pub(in crate::journal) const fn legs(&self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }

    /// As it stands at the end of a segment, tail included.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(512);
        for date in [self.date, self.earliest, self.latest] {
            bytes.extend_from_slice(&date.day_number().to_be_bytes());
        }
        let numbers =
            [self.first, self.last, self.blocks, self.payments, self.table_at, self.index_at, self.footer_at];
        for number in numbers {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        for hash in [&self.previous, &self.hash, &self.sha256] {
            bytes.extend_from_slice(hash);
        }
        for key in [&self.least, &self.greatest] {
            bytes.extend_from_slice(&u16::try_from(key.len()).unwrap_or(u16::MAX).to_be_bytes());
            bytes.extend_from_slice(key);
        }
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_be_bytes());
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&END);
        bytes
    }

    /// Reads the footer at the end of a file, and gives it with its own offset there.
    ///
    /// # Errors
    ///
    /// [`JournalError::Damaged`] if there is none, or not as written; [`JournalError::Io`].
    pub(super) fn read(handle: &Handle) -> Result<(Self, u64), JournalError> {
        let end = handle.bytes()?.checked_sub(TAIL_BYTES).ok_or_else(damaged)?;
        let mut tail = [0; 8];
        handle.read_at(&mut tail, end)?;
        let mut rest = tail.as_slice();
        let length = take(&mut rest).map_or(0, u32::from_be_bytes);
        if rest != END || length > FOOTER_BYTES_MAX {
            return Err(damaged());
        }
        let at = end.checked_sub(length.into()).ok_or_else(damaged)?;
        let mut bytes = vec![0; usize::try_from(length).map_err(|_| damaged())?];
        handle.read_at(&mut bytes, at)?;
        let footer = Self::decode(&bytes).ok_or_else(damaged)?;
        Ok((footer, at))
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, crc) = bytes.split_last_chunk::<CRC_BYTES>()?;
        if crc32c::crc32c(body) != u32::from_be_bytes(*crc) {
            return None;
        }
        let mut rest = body;
        let mut date = || BusinessDate::from_day_number(i32::from_be_bytes(take(&mut rest)?)).ok();
        let [date, earliest, latest] = [date()?, date()?, date()?];
        let mut number = || Some(u64::from_be_bytes(take(&mut rest)?));
        let [first, last, blocks, payments] = [number()?, number()?, number()?, number()?];
        let [table_at, index_at, footer_at] = [number()?, number()?, number()?];
        let [previous, hash, sha256] = [take(&mut rest)?, take(&mut rest)?, take(&mut rest)?];
        let mut key = || {
            let length = u16::from_be_bytes(take(&mut rest)?);
            let (key, after) = rest.split_at_checked(length.into())?;
            rest = after;
            Some(Box::from(key))
        };
        let [least, greatest] = [key()?, key()?];
        let sound = first > 0 && first <= last && table_at <= index_at && index_at <= footer_at;
        (sound && rest.is_empty()).then_some(Self {
            date,
            first,
            last,
            previous,
            hash,
            blocks,
            payments,
            earliest,
            latest,
            table_at,
            index_at,
            footer_at,
            sha256,
            least,
            greatest,
        })
    }
}

/// The first bytes of a segment.
pub(super) fn header(first: u64, date: BusinessDate, previous: &BlockHash) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&first.to_be_bytes());
    bytes.extend_from_slice(&date.day_number().to_be_bytes());
    bytes.extend_from_slice(previous);
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_be_bytes());
    bytes
}

pub(super) const fn damaged() -> JournalError {
    JournalError::Damaged { what: "the footer of a sealed segment is not as written", sequence: None }
}
