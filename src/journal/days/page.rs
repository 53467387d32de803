//! Pages of a segment's tables: 4 KB each with a checksum of its own, so that one can be read by itself and a flipped byte
//! in it is noticed where it is read.
//!
//! ```text
//! count(2) { length(2) entry }×count zeros crc32c(4)
//! ```

use super::files::Handle;
use crate::journal::block::take;
use crate::journal::error::JournalError;

/// Bytes of a page, its checksum included.
pub(super) const PAGE_BYTES: usize = 4096;
/// The same, for offsets in a file.
pub(super) const PAGE: u64 = 4096;
const CRC_BYTES: usize = 4;

/// Packs entries into pages, in order.
#[derive(Debug, Default)]
pub(super) struct Pages {
    open: Vec<u8>,
    count: u16,
}

impl Pages {
    /// Adds an entry, which is far smaller than a page; a page that it does not fit into is handed to `emit`.
    pub(super) fn push(
        &mut self,
        entry: &[u8],
        emit: &mut impl FnMut(&[u8]) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let with_entry = self.open.len().saturating_add(entry.len()).saturating_add(2 + CRC_BYTES);
        if self.count > 0 && with_entry > PAGE_BYTES {
            self.close(emit)?;
        }
        if self.open.is_empty() {
            self.open.extend_from_slice(&[0, 0]);
        }
        let length = u16::try_from(entry.len()).unwrap_or(u16::MAX);
        self.open.extend_from_slice(&length.to_be_bytes());
        self.open.extend_from_slice(entry);
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    /// Closes the last page.
    pub(super) fn close(
        &mut self,
        emit: &mut impl FnMut(&[u8]) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        if self.count == 0 {
            return Ok(());
        }
        self.open.resize(PAGE_BYTES - CRC_BYTES, 0);
        if let Some(count) = self.open.first_chunk_mut::<2>() {
            *count = self.count.to_be_bytes();
        }
        let crc = crc32c::crc32c(&self.open);
        self.open.extend_from_slice(&crc.to_be_bytes());
        let outcome = emit(&self.open);
        self.open.clear();
        self.count = 0;
        outcome
    }
}

/// A page that has been read and whose checksum agrees.
pub(in crate::journal) struct Page(Vec<u8>);

impl Page {
    /// Reads the page at offset `at`.
    ///
    /// # Errors
    ///
    /// [`JournalError::Damaged`] if it is not as written; [`JournalError::Io`].
    pub(super) fn read(handle: &Handle, at: u64) -> Result<Self, JournalError> {
        let mut bytes = vec![0; PAGE_BYTES];
        handle.read_at(&mut bytes, at)?;
        let whole = bytes
            .split_last_chunk::<CRC_BYTES>()
            .is_some_and(|(body, crc)| crc32c::crc32c(body) == u32::from_be_bytes(*crc));
        if whole { Ok(Self(bytes)) } else { Err(damaged()) }
    }

    /// The page's bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its entries in order.
    pub(in crate::journal) fn entries(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.0.as_slice();
        let count = take(&mut rest).map_or(0, u16::from_be_bytes);
        (0..count).map_while(move |_| {
            let length = u16::from_be_bytes(take(&mut rest)?);
            let (entry, after) = rest.split_at_checked(usize::from(length))?;
            rest = after;
            Some(entry)
        })
    }
}

/// The number of the last of `pages` pages from `at` on whose first entry is not `beyond` what is looked for; 0 if all
/// are.
///
/// # Errors
///
/// As [`Page::read`].
pub(super) fn last_before(
    handle: &Handle,
    at: u64,
    pages: u64,
    beyond: impl Fn(&[u8]) -> bool,
) -> Result<u64, JournalError> {
    let (mut low, mut high) = (0_u64, pages);
    // The page looked for is at `low` or between it and `high`.
    while low.saturating_add(1) < high {
        let middle = low.midpoint(high);
        let page = Page::read(handle, offset(at, middle))?;
        let first = page.entries().next().ok_or_else(damaged)?;
        if beyond(first) { high = middle } else { low = middle }
    }
    Ok(low)
}

/// Where page number `page` of a table at `at` stands.
pub(super) const fn offset(at: u64, page: u64) -> u64 {
    at.saturating_add(page.saturating_mul(PAGE))
}

pub(super) const fn damaged() -> JournalError {
    JournalError::Damaged { what: "a page of a sealed segment is not as written", sequence: None }
}
