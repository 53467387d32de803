//! Moving legs out of the working store, so that how long a start takes does not depend on what has passed: a segment is
//! written, read back and published; then the payments in it that are still owed something are carried over with a leg of
//! their own; then the working store lets go of the keys and blocks that the segment has.
//!
//! A crash between any two steps harms nothing: an unfinished segment is none, and what the working store has twice it lets
//! go of after the next start.

use std::sync::Arc;

use super::draft::{Draft, Start, mentions};
use super::segment::Segment;
use super::{page, read_entry};
use crate::bounds::Sealing;
use crate::ids::{BusinessDate, PaymentKey};
use crate::journal::block::Block;
use crate::journal::error::JournalError;
use crate::journal::store::{Shared, Store};
use crate::journal::walk::Blocks;
use crate::journal::writer::Write;
use crate::journal::{block_sequence, ledger};

/// Blocks of up to 4 KB that one step moves.
const BLOCKS_A_STEP: usize = 256;
/// Pages of an index, some forty payments each, whose keys one step lets go of.
const PAGES_A_STEP: usize = 6;
/// Blocks that one step lets go of.
const FORGET_A_STEP: usize = 128;

/// What is to be done next.
#[derive(Debug)]
pub enum Step {
    /// Nothing, for now.
    Idle,
    /// Call again.
    Again,
    /// Put this into a turn, and call again once that is committed.
    Unload(Unloading),
}

/// What the working store lets go of.
#[derive(Debug, Default)]
pub struct Unloading {
    /// To be written before anything else of its turn; no money depends on it.
    pub writes: Vec<Write>,
    /// Payments that are still owed something: each is to be given a leg of its own as it stands.
    pub carry_over: Vec<PaymentKey>,
}

/// Seals one segment after the other, a bounded step at a time.
pub struct Sealer {
    shared: Arc<Shared>,
    sealing: Sealing,
    work: Work,
    /// Legs that carried payments over and are in the working store, oldest first: the last leg before them, and how many.
    /// To seal these gains nothing, for they come back; what is fresh beside them decides.
    carried: Vec<(u64, u64)>,
}

enum Work {
    /// It is to be looked at what a crash, or an error, has left undone.
    Start,
    Idle,
    Writing(Box<(Draft, Blocks)>),
    /// The keys from this page of the index on, then the blocks.
    Keys(Arc<Segment>, u64),
    Blocks(u64),
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").field("sealing", &self.sealing).finish_non_exhaustive()
    }
}

impl Sealer {
    /// A sealer of this store; there must be one only.
    #[must_use]
    pub fn new(store: &Store, sealing: Sealing) -> Self {
        Self { shared: Arc::clone(store.shared()), sealing, work: Work::Start, carried: Vec::new() }
    }

    /// Does the next step; `today` is the business date in force.
    ///
    /// # Errors
    ///
    /// [`JournalError`]: nothing has left the working store by this step; the next one tries again.
    pub fn step(&mut self, today: BusinessDate) -> Result<Step, JournalError> {
        // After an error it is looked anew at what is left undone: nothing is let go of past something that is not.
        let work = std::mem::replace(&mut self.work, Work::Start);
        let (work, step) = match work {
            Work::Start => self.look_back()?,
            Work::Idle => self.begin(today)?,
            Work::Writing(work) => self.write(work)?,
            Work::Keys(segment, page) => self.unload_keys(segment, page)?,
            Work::Blocks(last) => self.unload_blocks(last)?,
        };
        self.work = work;
        Ok(step)
    }

    /// The unloading that the last step gave was not done, and had something to carry over or not: it is given again.
    pub fn not_unloaded(&mut self, carried_over: bool) {
        self.work = Work::Start;
        if carried_over {
            self.carried.pop();
        }
    }

    /// Whether there are so many legs to be sealed that it had better not rest between its steps.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.fresh() > self.sealing.working_legs_max.saturating_mul(2)
    }

    /// Legs in the working store, but for those that carried something over.
    fn fresh(&self) -> u64 {
        let sealed = self.shared.days().last();
        let working = self.shared.durable().last.saturating_sub(sealed);
        let carried = self.carried.iter().map(|(_, count)| *count).fold(0, u64::saturating_add);
        working.saturating_sub(carried)
    }

    /// What an earlier process had sealed and not let go of.
    fn look_back(&self) -> Result<(Work, Step), JournalError> {
        let shared = &self.shared;
        let days = shared.days();
        let first = shared.step(|| shared.medium.all_blocks().next())?;
        let first = first.and_then(|(key, _)| block_sequence(&key)).unwrap_or(u64::MAX);
        let left = days.holding(first).filter(|_| first <= days.last());
        Ok(left
            .map_or((Work::Idle, Step::Again), |segment| (Work::Keys(Arc::clone(segment), 0), Step::Again)))
    }

    /// Begins a segment, if one is due.
    fn begin(&mut self, today: BusinessDate) -> Result<(Work, Step), JournalError> {
        let days = self.shared.days();
        let (first, durable) = (days.last().saturating_add(1), self.shared.durable());
        let nothing = (Work::Idle, Step::Idle);
        // The head's block stays: the next one is chained to it.
        if durable.block <= first {
            return Ok(nothing);
        }
        let before = days.segments().last().map(|segment| segment.footer.date);
        let date = self.date_of(first, before)?;
        self.carried.retain(|(before, count)| before.saturating_add(*count) > days.last());
        if date.date() >= today.date() && self.fresh() <= self.sealing.working_legs_max {
            return Ok(nothing);
        }
        let start = Start { first, date, previous: days.hash() };
        let draft = Draft::begin(self.shared.place(), start)?;
        let blocks = Blocks::from(&self.shared, first, durable.block)?;
        Ok((Work::Writing(Box::new((draft, blocks))), Step::Again))
    }

    /// The date in force at the end of the block whose first leg is `first`, if `before` was at its beginning.
    fn date_of(&self, first: u64, before: Option<BusinessDate>) -> Result<BusinessDate, JournalError> {
        let gap = JournalError::Gap { expected: first, found: None };
        let (first, bytes) = self.shared.block_of(first)?.ok_or(gap)?;
        let block = Block::decode(first, &bytes)?;
        let leg = block.leg(first).ok_or_else(page::damaged)?;
        let before = before.map_or_else(|| Ok(ledger::mention(first, leg)?.date), Ok::<_, JournalError>);
        Ok(mentions(&block, before?)?.1)
    }

    fn write(&self, mut work: Box<(Draft, Blocks)>) -> Result<(Work, Step), JournalError> {
        let (draft, blocks) = &mut *work;
        for _ in 0..BLOCKS_A_STEP {
            let is_full = draft.legs() >= self.sealing.segment_legs_max;
            let next = if is_full { None } else { blocks.next_with(|block, bytes| draft.add(block, bytes)) };
            if !next.transpose()?.unwrap_or(false) {
                return self.publish(work.0);
            }
        }
        draft.sync()?;
        Ok((Work::Writing(work), Step::Again))
    }

    fn publish(&self, draft: Draft) -> Result<(Work, Step), JournalError> {
        let (next, date) = (draft.next(), draft.date());
        // The head's block is never sealed, so there is a next one.
        let is_last = self.date_of(next, Some(date))? != date;
        let segment = draft.finish(is_last)?;
        let legs = segment.footer.legs();
        self.shared.change_days(|days| days.with(segment))?;
        let sealed = self.shared.days().segments().last().map(Arc::clone);
        tracing::info!(business_date = %date, legs, "legs were sealed");
        Ok(sealed.map_or((Work::Idle, Step::Again), |segment| (Work::Keys(segment, 0), Step::Again)))
    }

    /// Lets go of the keys of payments that are over, and has the others carried over.
    fn unload_keys(&mut self, segment: Arc<Segment>, mut page: u64) -> Result<(Work, Step), JournalError> {
        let mut unloading = Unloading::default();
        for _ in 0..PAGES_A_STEP {
            let Some(entries) = segment.index_page(page)? else {
                let last = segment.footer.last;
                return Ok((Work::Blocks(last), self.submit(unloading)));
            };
            page = page.saturating_add(1);
            for entry in entries.entries() {
                let (key, (tag, sequence)) = read_entry(entry).ok_or_else(page::damaged)?;
                let (key, value) = ledger::payment_entry(key, tag, sequence);
                if ledger::is_over(tag) {
                    unloading.writes.push(Write::DeleteIf { key, value });
                } else if self.shared.read(&key)?.is_some_and(|stored| *stored == *value) {
                    let payment = key.get(1..).unwrap_or_default();
                    unloading.carry_over.push(PaymentKey::from_stored(payment));
                }
            }
        }
        Ok((Work::Keys(segment, page), self.submit(unloading)))
    }

    fn unload_blocks(&mut self, last: u64) -> Result<(Work, Step), JournalError> {
        let mut walk = self.shared.medium.blocks(0, last);
        let mut unloading = Unloading::default();
        while unloading.writes.len() < FORGET_A_STEP
            && let Some((key, bytes)) = self.shared.step(|| walk.next())?
        {
            let first = block_sequence(&key).unwrap_or_default();
            // What lies there must be what was sealed, or it is not to be lost.
            Block::decode(first, &bytes)?;
            unloading.writes.push(Write::Forget { first });
        }
        if unloading.writes.is_empty() {
            // A crash may have left more than one segment to be let go of.
            return self.look_back();
        }
        Ok((Work::Blocks(last), self.submit(unloading)))
    }

    fn submit(&mut self, unloading: Unloading) -> Step {
        let carried = u64::try_from(unloading.carry_over.len()).unwrap_or(u64::MAX);
        if carried > 0 {
            self.carried.push((self.shared.durable().last, carried));
        } else if unloading.writes.is_empty() {
            return Step::Again;
        }
        Step::Unload(unloading)
    }
}
