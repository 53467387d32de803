//! A segment that is being written: blocks go in as they are, and what they hold is noted for its tables.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::files::{Place, Sink};
use super::footer::{self, Footer};
use super::page::Pages;
use super::segment::{Entry, Segment};
use crate::ids::BusinessDate;
use crate::journal::block::{Block, BlockHash, hash};
use crate::journal::error::JournalError;
use crate::journal::ledger::{self, Mention};

/// Where a segment begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    /// Its first leg.
    pub(super) first: u64,
    /// The business date in force at the end of its first block.
    pub(super) date: BusinessDate,
    /// Hash of the block before.
    pub(super) previous: BlockHash,
}

/// A segment that is being written.
pub(super) struct Draft {
    place: Place,
    name: String,
    out: Out,
    footer: Footer,
    blocks: Vec<(u64, u64, u32)>,
    payments: BTreeMap<Box<[u8]>, Entry>,
    dates: Option<(BusinessDate, BusinessDate)>,
}

/// What is written, counted and hashed.
struct Out {
    sink: Sink,
    sum: Sha256,
    at: u64,
}

impl Out {
    fn write(&mut self, bytes: &[u8]) -> Result<(), JournalError> {
        self.sum.update(bytes);
        self.at = self.at.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.sink.write(bytes)
    }
}

impl Draft {
    /// Begins a segment.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`].
    pub(super) fn begin(place: &Place, start: Start) -> Result<Self, JournalError> {
        let Start { first, date, previous } = start;
        let name = super::name(date, first, true);
        let mut out = Out { sink: place.create(&name)?, sum: Sha256::new(), at: 0 };
        out.write(&footer::header(first, date, &previous))?;
        let footer = Footer {
            date,
            first,
            last: first.saturating_sub(1),
            previous,
            hash: previous,
            blocks: 0,
            payments: 0,
            earliest: date,
            latest: date,
            table_at: 0,
            index_at: 0,
            footer_at: 0,
            sha256: [0; 32],
            least: Box::default(),
            greatest: Box::default(),
        };
        let place = place.clone();
        Ok(Self { place, name, out, footer, blocks: Vec::new(), payments: BTreeMap::new(), dates: None })
    }

    /// The leg that comes next.
    pub(super) const fn next(&self) -> u64 {
        self.footer.last.saturating_add(1)
    }

    /// Legs so far.
    pub(super) const fn legs(&self) -> u64 {
        self.next().saturating_sub(self.footer.first)
    }

    /// Takes the next block, if it is of the segment's business date: the one in force at the block's end, so that nothing of
    /// a date lies in a segment of an earlier one.
    ///
    /// # Errors
    ///
    /// [`JournalError`] if it is not the next, or holds what is no record of the switch's.
    pub(super) fn add(&mut self, block: &Block<'_>, bytes: &[u8]) -> Result<bool, JournalError> {
        if block.first != self.next() || block.previous != self.footer.hash {
            return Err(JournalError::damaged(
                "a block does not carry the hash of the one before",
                block.first,
            ));
        }
        let (mentions, ends_on) = mentions(block, self.footer.date)?;
        if ends_on != self.footer.date {
            return Ok(false);
        }
        for (sequence, Mention { date, payment }) in (block.first..).zip(mentions) {
            let Some((key, tag)) = payment else { continue };
            self.payments.insert(key.as_bytes().into(), (tag, sequence));
            let (earliest, latest) = self.dates.unwrap_or((date, date));
            self.dates = Some((
                if date.date() < earliest.date() { date } else { earliest },
                if date.date() > latest.date() { date } else { latest },
            ));
        }
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.blocks.push((block.first, self.out.at, length));
        self.out.write(bytes)?;
        (self.footer.last, self.footer.hash) = (block.last(), hash(bytes));
        Ok(true)
    }

    /// Brings what is written so far to the disk.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`].
    pub(super) fn sync(&mut self) -> Result<(), JournalError> {
        self.out.sink.sync()
    }

    /// Writes tables and footer, makes it durable, reads all of it back, and gives it its name.
    ///
    /// # Errors
    ///
    /// [`JournalError`]: there is no such segment then.
    pub(super) fn finish(mut self) -> Result<Segment, JournalError> {
        self.footer.blocks = u64::try_from(self.blocks.len()).unwrap_or(u64::MAX);
        self.footer.payments = u64::try_from(self.payments.len()).unwrap_or(u64::MAX);
        (self.footer.earliest, self.footer.latest) =
            self.dates.unwrap_or((self.footer.date, self.footer.date));
        self.footer.table_at = self.out.at;
        self.write_table()?;
        self.footer.index_at = self.out.at;
        self.write_index()?;
        self.footer.footer_at = self.out.at;
        self.footer.sha256 = self.out.sum.clone().finalize().into();
        let footer = self.footer.encode();
        self.out.write(&footer)?;
        self.out.sink.sync()?;
        let handle = self.out.sink.read_back()?;
        let segment = Segment::of(&self.place, &self.name, &handle, true)?;
        if segment.footer != self.footer {
            return Err(footer::damaged());
        }
        segment.check_file(&handle, &self.footer.previous, &mut |_| ())?;
        self.out.sink.publish()?;
        Ok(segment)
    }

    fn write_table(&mut self) -> Result<(), JournalError> {
        let mut pages = Pages::default();
        let mut emit = |page: &[u8]| self.out.write(page);
        for (first, offset, length) in &self.blocks {
            let mut entry = [0; 20];
            let parts = first.to_be_bytes().into_iter().chain(offset.to_be_bytes());
            let parts = parts.chain(length.to_be_bytes());
            entry.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
            pages.push(&entry, &mut emit)?;
        }
        pages.close(&mut emit)
    }

    fn write_index(&mut self) -> Result<(), JournalError> {
        let mut pages = Pages::default();
        let mut emit = |page: &[u8]| self.out.write(page);
        let mut entry = Vec::new();
        for (key, (tag, sequence)) in &self.payments {
            entry.clear();
            entry.push(*tag);
            entry.extend_from_slice(&sequence.to_be_bytes());
            entry.extend_from_slice(key);
            pages.push(&entry, &mut emit)?;
        }
        if let (Some((least, _)), Some((greatest, _))) =
            (self.payments.first_key_value(), self.payments.last_key_value())
        {
            (self.footer.least, self.footer.greatest) = (least.clone(), greatest.clone());
        }
        pages.close(&mut emit)
    }
}

/// What each leg of a block is about, and the business date in force at its end if `before` was at its beginning: what is
/// about no payment carries it.
pub(super) fn mentions(
    block: &Block<'_>,
    before: BusinessDate,
) -> Result<(Vec<Mention>, BusinessDate), JournalError> {
    let read = (block.first..).zip(block.legs()).map(|(sequence, leg)| ledger::mention(sequence, leg));
    let mentions = read.collect::<Result<Vec<_>, _>>()?;
    let in_force = mentions.iter().rev().find(|mention| mention.payment.is_none());
    let ends_on = in_force.map_or(before, |mention| mention.date);
    Ok((mentions, ends_on))
}
