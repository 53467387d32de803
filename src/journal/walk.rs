//! Walking over the blocks, oldest first, with an eye on what is missing: through the sealed segments, then through the
//! working store.

use std::sync::Arc;

use super::block::Block;
use super::block_sequence;
use super::days::Reading;
use super::error::JournalError;
use super::medium::Walk;
use super::store::Shared;

/// Blocks in order, each read, checked and seen to follow the one before.
pub(super) struct Blocks {
    shared: Arc<Shared>,
    source: Source,
    /// First leg of the block that must come next.
    expected: u64,
    /// The leg after the last that must be there.
    end: u64,
}

enum Source {
    /// Not yet looked for.
    Unknown,
    Sealed(Reading),
    Working(Box<Walk>),
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
            let Some((first, bytes)) = shared.block_of(from)? else { return Err(gap) };
            if Block::decode(first, &bytes)?.last() < from {
                return Err(gap);
            }
            holding = first;
        }
        Ok(Self { shared: Arc::clone(shared), source: Source::Unknown, expected: holding, end })
    }

    /// Every block after leg `last`, which must be the last of one, up to the block that holds leg `end` − 1.
    pub(super) fn after(shared: &Arc<Shared>, last: u64, end: u64) -> Self {
        let expected = last.saturating_add(1);
        Self { shared: Arc::clone(shared), source: Source::Unknown, expected, end }
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
        let (first, bytes) = self.next_bytes()?;
        let block = Block::decode(first, &bytes)?;
        self.expected = block.last().saturating_add(1);
        look(&block, &bytes)
    }

    fn next_bytes(&mut self) -> Result<(u64, Vec<u8>), JournalError> {
        let expected = self.expected;
        if let Source::Sealed(reading) = &mut self.source
            && let Some((first, bytes)) = reading.next_block()?
        {
            return if first == expected { Ok((first, bytes)) } else { Err(gap(expected, Some(first))) };
        }
        if let Source::Working(walk) = &mut self.source {
            let step = self.shared.step(|| walk.next())?;
            let found = step.and_then(|(key, bytes)| Some((block_sequence(&key)?, bytes)));
            match found {
                Some((first, bytes)) if first == expected => return Ok((first, bytes.to_vec())),
                // It may have been sealed meanwhile, and let go of.
                found if expected > self.shared.days().last() => {
                    return Err(gap(expected, found.map(|(first, _)| first)));
                }
                Some(_) | None => {}
            }
        }
        self.look_for_source()
    }

    /// Goes on in the segment that holds the next leg, or else in the working store.
    fn look_for_source(&mut self) -> Result<(u64, Vec<u8>), JournalError> {
        let (expected, days) = (self.expected, self.shared.days());
        if let Some(segment) = days.holding(expected) {
            self.expected = expected.max(segment.footer.first);
            let mut reading = Reading::from(segment, self.expected)?;
            let (first, bytes) = reading.next_block()?.ok_or_else(|| gap(expected, None))?;
            self.source = Source::Sealed(reading);
            return if first == self.expected { Ok((first, bytes)) } else { Err(gap(expected, Some(first))) };
        }
        let mut walk = self.shared.medium.blocks(expected, u64::MAX);
        let step = self.shared.step(|| walk.next())?;
        let found = step.and_then(|(key, bytes)| Some((block_sequence(&key)?, bytes)));
        match found {
            Some((first, bytes)) if first == expected => {
                self.source = Source::Working(Box::new(walk));
                Ok((first, bytes.to_vec()))
            }
            found if expected > self.shared.days().last() => {
                Err(gap(expected, found.map(|(first, _)| first)))
            }
            // Sealed and let go of since we looked: it is in a segment now, and stays there.
            Some(_) | None => self.look_for_source(),
        }
    }
}

const fn gap(expected: u64, found: Option<u64>) -> JournalError {
    JournalError::Gap { expected, found }
}
