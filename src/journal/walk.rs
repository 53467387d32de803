//! Walking over the blocks, oldest first, with an eye on what is missing.

use std::sync::Arc;

use super::block::Block;
use super::block_sequence;
use super::error::JournalError;
use super::medium::Walk;
use super::store::Shared;

/// Blocks in order, each read, checked and seen to follow the one before.
pub(super) struct Blocks {
    shared: Arc<Shared>,
    walk: Walk,
    /// First leg of the block that must come next.
    expected: u64,
    /// The leg after the last that must be there.
    end: u64,
}

impl Blocks {
    /// From the block that holds leg `from` to the one that holds leg `end` − 1.
    ///
    /// # Errors
    ///
    /// [`JournalError::Gap`] if there is no such block, or as reading fails.
    pub(super) fn from(shared: &Arc<Shared>, from: u64, end: u64) -> Result<Self, JournalError> {
        let gap = JournalError::Gap { expected: from, found: None };
        let mut holding = end;
        if from < end {
            let found = shared.step(|| shared.medium.blocks(0, from).next_back())?;
            let found = found.and_then(|(key, bytes)| Some((block_sequence(&key)?, bytes)));
            let Some((first, bytes)) = found else { return Err(gap) };
            if Block::decode(first, &bytes)?.last() < from {
                return Err(gap);
            }
            holding = first;
        }
        let walk = shared.medium.blocks(holding, u64::MAX);
        Ok(Self { shared: Arc::clone(shared), walk, expected: holding, end })
    }

    /// Every block up to the one that holds leg `end` − 1.
    pub(super) fn whole(shared: &Arc<Shared>, end: u64) -> Self {
        let walk = shared.medium.all_blocks();
        Self { shared: Arc::clone(shared), walk, expected: 1, end }
    }

    /// Reads the next block and hands it, and its bytes, to `look`. `None` at the end; not to be called after
    /// an error.
    pub(super) fn next_with<T>(
        &mut self,
        look: impl FnOnce(&Block<'_>, &[u8]) -> Result<T, JournalError>,
    ) -> Option<Result<T, JournalError>> {
        (self.expected < self.end).then(|| self.advance(look))
    }

    fn advance<T>(
        &mut self,
        look: impl FnOnce(&Block<'_>, &[u8]) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let expected = self.expected;
        let step = self.shared.step(|| self.walk.next())?;
        let (key, bytes) = step.ok_or(JournalError::Gap { expected, found: None })?;
        let found = block_sequence(&key);
        if found != Some(expected) {
            return Err(JournalError::Gap { expected, found });
        }
        let block = Block::decode(expected, &bytes)?;
        self.expected = block.last().saturating_add(1);
        look(&block, &bytes)
    }
}
