//! The sluice: groups turns, commits each group, and only then lets out what came with its turns. The valve is a thread
//! around it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::GROUP_MAX;
use super::error::JournalError;
use super::writer::{Turn, Writer};

/// A turn with what may leave once it is committed.
pub(super) struct Item<S> {
    pub(super) turn: Turn,
    pub(super) release: S,
}

/// A writer, and the group of turns that it commits next.
#[derive(Debug)]
pub struct Sluice<S> {
    pub(super) writer: Writer,
    turns: Vec<Turn>,
    releases: Vec<S>,
    /// Legs or writes in the group.
    size: usize,
    committed: Arc<AtomicU64>,
}

impl<S> Sluice<S> {
    /// A sluice in front of this writer.
    #[must_use]
    pub fn new(writer: Writer) -> Self {
        let committed = Arc::new(AtomicU64::new(0));
        Self { writer, turns: Vec::new(), releases: Vec::new(), size: 0, committed }
    }

    /// How many turns have been committed, for whoever submits them.
    pub(super) fn count(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.committed)
    }

    /// How many turns have been committed.
    #[must_use]
    pub fn committed(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }

    /// Puts a turn in the group; gives it back if it has to wait for the next one.
    ///
    /// # Errors
    ///
    /// The turn with what came with it, if the group is full.
    pub fn take(&mut self, turn: Turn, release: S) -> Result<(), (Turn, S)> {
        // A turn may bring writes alone; it must count, or a fast submitter would keep the group open for ever.
        let size = self.size.saturating_add(turn.legs.len().max(turn.writes.len()).max(1));
        if size > GROUP_MAX && !self.turns.is_empty() {
            return Err((turn, release));
        }
        self.size = size;
        self.turns.push(turn);
        self.releases.push(release);
        Ok(())
    }

    /// Commits the group, then lets out what came with it, in order.
    ///
    /// # Errors
    ///
    /// As [`Writer::commit`]: nothing has left then, and nothing may leave any more.
    pub fn commit(&mut self, release: &mut impl FnMut(S)) -> Result<(), JournalError> {
        self.writer.commit(&self.turns)?;
        let turns = u64::try_from(self.turns.len()).unwrap_or(u64::MAX);
        self.committed.fetch_add(turns, Ordering::AcqRel);
        self.turns.clear();
        self.size = 0;
        self.releases.drain(..).for_each(release);
        Ok(())
    }

    /// Makes durable what moved no money and was let out unsynced.
    ///
    /// # Errors
    ///
    /// As [`Writer::sync`].
    pub fn sync(&mut self) -> Result<(), JournalError> {
        self.writer.sync()
    }
}
