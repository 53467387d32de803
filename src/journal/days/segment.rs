//! One sealed segment: legs that have left the working store, in a file that is never changed.
//!
//! ```text
//! header  blocks as they lay in the working store  table of blocks  index of payments  footer
//! table:  pages of { first leg(8) offset(8) length(4) }, one for each block
//! index:  pages of { state tag(1) sequence(8) payment key }, one for each payment, in order of the keys
//! ```
//!
//! In memory a segment is its footer; everything else is read where it stands, bounded and checked.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::files::{Handle, Place};
use super::footer::{self, Footer, HEADER_BYTES};
use super::page::{self, PAGE, Page, last_before, offset};
use crate::journal::block::{BLOCK_BYTES_MAX, Block, BlockHash, hash, take};
use crate::journal::error::JournalError;

/// What an index says of a payment: the tag of its state after its latest leg in the segment, and that leg's sequence.
pub(in crate::journal) type Entry = (u8, u64);

/// A sealed segment, or what is left of a pruned one.
#[derive(Debug)]
pub(in crate::journal) struct Segment {
    pub(in crate::journal) footer: Footer,
    /// Bytes of its file.
    pub(in crate::journal) bytes: u64,
    /// Whether its legs are here; else its footer is all that is left.
    pub(in crate::journal) is_whole: bool,
    place: Place,
    name: String,
}

/// A block's entry in the table.
#[derive(Clone, Copy, Debug)]
struct BlockAt {
    first: u64,
    offset: u64,
    bytes: u32,
}

impl BlockAt {
    fn decode(mut entry: &[u8]) -> Option<Self> {
        let first = u64::from_be_bytes(take(&mut entry)?);
        let offset = u64::from_be_bytes(take(&mut entry)?);
        let bytes = u32::from_be_bytes(take(&mut entry)?);
        entry.is_empty().then_some(Self { first, offset, bytes })
    }

    fn read(self, handle: &Handle) -> Result<Vec<u8>, JournalError> {
        let bytes = usize::try_from(self.bytes).ok().filter(|bytes| *bytes <= BLOCK_BYTES_MAX);
        let mut block = vec![0; bytes.ok_or_else(page::damaged)?];
        handle.read_at(&mut block, self.offset)?;
        Ok(block)
    }
}

/// An index entry: the payment's key, and what is said of it.
pub(in crate::journal) fn read_entry(mut entry: &[u8]) -> Option<(&[u8], Entry)> {
    let [tag] = take(&mut entry)?;
    let sequence = u64::from_be_bytes(take(&mut entry)?);
    Some((entry, (tag, sequence)))
}

impl Segment {
    /// Looks at the file `name`, its two ends only.
    ///
    /// # Errors
    ///
    /// [`JournalError::Damaged`] or [`JournalError::Io`].
    pub(super) fn look(place: &Place, name: &str, is_whole: bool) -> Result<Self, JournalError> {
        let handle = place.open(name)?;
        Self::of(place, name, &handle, is_whole)
    }

    /// The same, of a file that is open and will be called `name`.
    pub(super) fn of(
        place: &Place,
        name: &str,
        handle: &Handle,
        is_whole: bool,
    ) -> Result<Self, JournalError> {
        let (footer, at) = Footer::read(handle)?;
        let bytes = handle.bytes()?;
        if is_whole {
            let mut header = vec![0; HEADER_BYTES];
            handle.read_at(&mut header, 0)?;
            if at != footer.footer_at || header != footer::header(footer.first, footer.date, &footer.previous)
            {
                return Err(JournalError::damaged("the ends of a sealed segment do not agree", footer.first));
            }
        }
        Ok(Self { footer, bytes, is_whole, place: place.clone(), name: name.to_owned() })
    }

    /// Opens its file.
    ///
    /// # Errors
    ///
    /// [`JournalError::Pruned`] if its legs are not here; [`JournalError::Io`].
    pub(super) fn open(&self) -> Result<Handle, JournalError> {
        if self.is_whole { self.place.open(&self.name) } else { Err(self.pruned()) }
    }

    pub(super) const fn pruned(&self) -> JournalError {
        let Footer { date, first, last, .. } = self.footer;
        JournalError::Pruned { date, first, last }
    }

    const fn table_pages(&self) -> u64 {
        self.footer.index_at.saturating_sub(self.footer.table_at) / PAGE
    }

    const fn index_pages(&self) -> u64 {
        self.footer.footer_at.saturating_sub(self.footer.index_at) / PAGE
    }

    /// The bytes of the block that holds leg `sequence`, with its first leg's.
    ///
    /// # Errors
    ///
    /// [`JournalError`] if it cannot be read, or is not as written.
    pub(in crate::journal) fn block(&self, sequence: u64) -> Result<(u64, Vec<u8>), JournalError> {
        let handle = self.open()?;
        let mut cursor = Cursor::at(self, handle, sequence)?;
        let (first, bytes) = cursor.next(self)?.ok_or_else(page::damaged)?;
        let holds = Block::decode(first, &bytes)?.leg(sequence).is_some();
        if holds { Ok((first, bytes)) } else { Err(JournalError::Gap { expected: sequence, found: None }) }
    }

    /// Whether a key, or one that begins with it, lies between the least and the greatest of the index.
    pub(in crate::journal) fn may_hold(&self, key: &[u8]) -> bool {
        let Footer { least, greatest, .. } = &self.footer;
        **greatest >= *key && (**least <= *key || least.starts_with(key))
    }

    /// What the index says of a payment.
    ///
    /// # Errors
    ///
    /// As [`Segment::block`].
    pub(in crate::journal) fn find(&self, key: &[u8]) -> Result<Option<Entry>, JournalError> {
        let mut found = None;
        self.walk_from(key, |at, entry| {
            found = (at == key).then_some(entry);
            false
        })?;
        Ok(found)
    }

    /// Hands the index's entries from `key` on to `look`, as long as that says to go on.
    ///
    /// # Errors
    ///
    /// As [`Segment::block`].
    pub(in crate::journal) fn walk_from(
        &self,
        key: &[u8],
        mut look: impl FnMut(&[u8], Entry) -> bool,
    ) -> Result<(), JournalError> {
        let handle = self.open()?;
        let (at, pages) = (self.footer.index_at, self.index_pages());
        let beyond = |entry: &[u8]| read_entry(entry).is_none_or(|(first, _)| first > key);
        let first = last_before(&handle, at, pages, beyond)?;
        for number in first..pages {
            let page = Page::read(&handle, offset(at, number))?;
            for entry in page.entries() {
                let (found, entry) = read_entry(entry).ok_or_else(page::damaged)?;
                if found >= key && !look(found, entry) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The entries of the index's page number `page`; none if there is no such page.
    ///
    /// # Errors
    ///
    /// As [`Segment::block`].
    pub(in crate::journal) fn index_page(&self, page: u64) -> Result<Option<Page>, JournalError> {
        if page >= self.index_pages() {
            return Ok(None);
        }
        Page::read(&self.open()?, offset(self.footer.index_at, page)).map(Some)
    }

    /// Reads all of it: every block, that each follows the one before from `previous` on, both tables and that they
    /// point to what is there, and the hash over everything. `progress` is told each block's last leg.
    ///
    /// # Errors
    ///
    /// [`JournalError::Damaged`] or [`JournalError::Gap`] if anything is not as written.
    pub(in crate::journal) fn check(
        &self,
        previous: &BlockHash,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), JournalError> {
        self.check_file(&self.open()?, previous, progress)
    }

    /// The same, of a file that may not have its name yet.
    pub(super) fn check_file(
        &self,
        handle: &Handle,
        previous: &BlockHash,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), JournalError> {
        let footer = &self.footer;
        let unlike = |what| JournalError::damaged(what, footer.first);
        let mut sum = Sha256::new();
        sum.update(footer::header(footer.first, footer.date, &footer.previous));
        let mut cursor = Cursor::at(self, handle.share()?, footer.first)?;
        let (mut expected, mut before, mut blocks) = (footer.first, *previous, 0_u64);
        let mut at = u64::try_from(HEADER_BYTES).unwrap_or(u64::MAX);
        while let Some((first, bytes)) = cursor.next(self)? {
            if first != expected {
                return Err(JournalError::Gap { expected, found: Some(first) });
            }
            let block = Block::decode(first, &bytes)?;
            if block.previous != before || cursor.last_offset != at {
                return Err(JournalError::damaged(
                    "a block does not carry the hash of the one before",
                    first,
                ));
            }
            (expected, before) = (block.last().saturating_add(1), hash(&bytes));
            blocks = blocks.saturating_add(1);
            at = at.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            sum.update(&bytes);
            progress(block.last());
        }
        if expected != footer.last.saturating_add(1) || before != footer.hash || at != footer.table_at {
            return Err(unlike("the footer of a sealed segment does not agree with its blocks"));
        }
        let payments = self.check_pages(handle, &mut sum)?;
        let sha256: [u8; 32] = sum.finalize().into();
        if sha256 != footer.sha256 || payments != footer.payments || blocks != footer.blocks {
            return Err(unlike("a sealed segment does not have the hash in its footer"));
        }
        Ok(())
    }

    /// Reads both tables, and counts the payments.
    fn check_pages(&self, handle: &Handle, sum: &mut Sha256) -> Result<u64, JournalError> {
        for number in 0..self.table_pages() {
            sum.update(Page::read(handle, offset(self.footer.table_at, number))?.bytes());
        }
        let (mut payments, mut before) = (0_u64, Vec::new());
        for number in 0..self.index_pages() {
            let page = Page::read(handle, offset(self.footer.index_at, number))?;
            for entry in page.entries() {
                let (key, _) = read_entry(entry).ok_or_else(page::damaged)?;
                if payments > 0 && key <= before.as_slice() {
                    return Err(page::damaged());
                }
                before = key.to_vec();
                payments = payments.saturating_add(1);
            }
            sum.update(page.bytes());
        }
        Ok(payments)
    }
}

/// A walk over the blocks of a segment.
pub(super) struct Cursor {
    handle: Handle,
    page: u64,
    ready: std::vec::IntoIter<BlockAt>,
    /// Where the last block stood.
    last_offset: u64,
}

impl Cursor {
    /// From the block that holds leg `sequence` on.
    fn at(segment: &Segment, handle: Handle, sequence: u64) -> Result<Self, JournalError> {
        let (at, pages) = (segment.footer.table_at, segment.table_pages());
        let beyond = |entry: &[u8]| BlockAt::decode(entry).is_none_or(|block| block.first > sequence);
        let page = last_before(&handle, at, pages, beyond)?;
        let mut cursor = Self { handle, page, ready: Vec::new().into_iter(), last_offset: 0 };
        cursor.turn_page(segment)?;
        let before = cursor.ready.as_slice().iter().filter(|block| block.first <= sequence).count();
        if let Some(skipped) = before.checked_sub(2) {
            cursor.ready.nth(skipped);
        }
        Ok(cursor)
    }

    fn turn_page(&mut self, segment: &Segment) -> Result<(), JournalError> {
        if self.page >= segment.table_pages() {
            return Ok(());
        }
        let page = Page::read(&self.handle, offset(segment.footer.table_at, self.page))?;
        self.page = self.page.saturating_add(1);
        let blocks: Option<Vec<BlockAt>> = page.entries().map(BlockAt::decode).collect();
        self.ready = blocks.ok_or_else(page::damaged)?.into_iter();
        Ok(())
    }

    /// The next block's bytes, with its first leg's sequence; none at the end.
    pub(super) fn next(&mut self, segment: &Segment) -> Result<Option<(u64, Vec<u8>)>, JournalError> {
        if self.ready.as_slice().is_empty() {
            self.turn_page(segment)?;
        }
        let Some(block) = self.ready.next() else { return Ok(None) };
        self.last_offset = block.offset;
        Ok(Some((block.first, block.read(&self.handle)?)))
    }
}

/// A walk over the blocks of a segment, which it keeps.
pub(in crate::journal) struct Reading {
    segment: Arc<Segment>,
    cursor: Cursor,
}

impl Reading {
    /// From the block that holds leg `sequence` on.
    ///
    /// # Errors
    ///
    /// [`JournalError`] if the segment cannot be read.
    pub(in crate::journal) fn from(segment: &Arc<Segment>, sequence: u64) -> Result<Self, JournalError> {
        let cursor = Cursor::at(segment, segment.open()?, sequence)?;
        Ok(Self { segment: Arc::clone(segment), cursor })
    }

    /// The next block's bytes, with its first leg's sequence; none at the end.
    ///
    /// # Errors
    ///
    /// As [`Reading::from`].
    pub(in crate::journal) fn next_block(&mut self) -> Result<Option<(u64, Vec<u8>)>, JournalError> {
        self.cursor.next(&self.segment)
    }
}
