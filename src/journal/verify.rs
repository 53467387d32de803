//! Checking the chain: its end at every opening, the whole of it on request.

use std::sync::Arc;

use super::block::{Block, BlockHash, Head, hash};
use super::block_sequence;
use super::error::JournalError;
use super::store::{Shared, Store};
use super::walk::Blocks;

/// Blocks that are checked at every opening: a bound on the time it takes, not on what is guaranteed.
const TAIL_BLOCKS: usize = 64;

/// What a full walk over the journal has found to be whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Verified {
    /// Legs read.
    pub legs: u64,
    /// Blocks they stand in.
    pub blocks: u64,
    /// How many of the legs are sealed.
    pub sealed: u64,
    /// Legs that are pruned here, and so were not read.
    pub pruned: u64,
    /// Sequence of the first leg; 0 if there is none.
    pub first: u64,
    /// Sequence of the last leg; 0 if there is none.
    pub last: u64,
    /// SHA-256 of the last block: whoever has noted it elsewhere can prove that no leg before it has changed.
    pub head_hash: [u8; 32],
    /// The submitter's keys, all there and as written; `None` if they were being written to meanwhile, and so
    /// could not be held against the head checkpoint.
    pub keys: Option<u64>,
}

impl Store {
    /// Reads every block up to the last that is committed now, those in sealed segments with all that stands beside them
    /// there: checksum, gapless sequence, hash chain, head checkpoint; then every key of the submitter's, and that they are, together, those that were written.
    /// `progress` is told the legs so far after each block.
    ///
    /// Blocks are checked while the store is being written to as well as when it is not. The keys can only be
    /// held against the head checkpoint if it stays the same meanwhile: else [`Verified::keys`] is `None`.
    ///
    /// # Errors
    ///
    /// [`JournalError::Damaged`], [`JournalError::Gap`] or [`JournalError::Io`].
    pub fn verify(&self, progress: &mut dyn FnMut(u64)) -> Result<Verified, JournalError> {
        let head = self.shared().head();
        let mut chain = self.verify_days(progress)?;
        self.verify_left_over()?;
        let mut blocks = Blocks::after(self.shared(), chain.last, head.next());
        while let Some(next) = blocks.next_with(|block, bytes| {
            follows(block, &chain.head_hash)?;
            Ok(Verified {
                legs: chain.legs.saturating_add(block.last()).saturating_sub(chain.last),
                blocks: chain.blocks.saturating_add(1),
                first: chain.first.max(1),
                last: block.last(),
                head_hash: hash(bytes),
                ..chain
            })
        }) {
            chain = next?;
            progress(chain.last);
        }
        if chain.last != head.last || chain.head_hash != head.hash {
            return Err(JournalError::damaged(
                "the head checkpoint does not agree with the last block",
                head.last,
            ));
        }
        chain.keys = self.verify_keys(&head)?;
        Ok(chain)
    }

    /// Reads every sealed segment, and steps over those that are pruned.
    fn verify_days(&self, progress: &mut dyn FnMut(u64)) -> Result<Verified, JournalError> {
        let mut chain = Verified {
            legs: 0,
            blocks: 0,
            sealed: 0,
            pruned: 0,
            first: 0,
            last: 0,
            head_hash: BlockHash::default(),
            keys: None,
        };
        for segment in self.shared().days().segments() {
            let footer = &segment.footer;
            let legs = footer.legs();
            if segment.is_whole {
                segment.check(&footer.previous, progress)?;
                chain.sealed = chain.sealed.saturating_add(legs);
                chain.legs = chain.legs.saturating_add(legs);
                chain.blocks = chain.blocks.saturating_add(footer.blocks);
            } else {
                chain.pruned = chain.pruned.saturating_add(legs);
            }
            if chain.first == 0 {
                chain.first = footer.first;
            }
            // That each follows the one before was seen when they were listed.
            (chain.last, chain.head_hash) = (footer.last, footer.hash);
        }
        Ok(chain)
    }

    /// What the working store still has of sealed legs must be what was sealed.
    fn verify_left_over(&self) -> Result<(), JournalError> {
        let shared = self.shared();
        let days = shared.days();
        let mut walk = shared.medium.blocks(0, days.last());
        while let Some((key, bytes)) = shared.step(|| walk.next())? {
            let first = block_sequence(&key).unwrap_or_default();
            let segment = days.holding(first).filter(|segment| segment.is_whole);
            let same = match segment {
                Some(segment) => segment.block(first)? == (first, bytes.to_vec()),
                None => false,
            };
            if !same {
                return Err(JournalError::damaged("a block is not what was sealed of it", first));
            }
        }
        Ok(())
    }

    /// Reads every key of the submitter's and holds them against `head`: how many there are, or `None` if the
    /// head has moved on.
    fn verify_keys(&self, head: &Head) -> Result<Option<u64>, JournalError> {
        let keys = self.sum_keys(head.keys.count)?;
        if self.shared().stored_head()? != *head {
            return Ok(None);
        }
        if keys != head.keys {
            return Err(JournalError::damaged("keys beside the legs are missing or altered", head.last));
        }
        Ok(Some(keys.count))
    }
}

fn follows(block: &Block<'_>, previous: &BlockHash) -> Result<(), JournalError> {
    if block.previous == *previous {
        return Ok(());
    }
    Err(JournalError::damaged("a block does not carry the hash of the one before", block.first))
}

/// Checks what can be checked in bounded time: the first block that is not sealed, the last [`TAIL_BLOCKS`] and what
/// the head checkpoint and the witness say of them.
///
/// # Errors
///
/// [`JournalError::Damaged`] or [`JournalError::Gap`]: the store must not be served from.
pub(super) fn check_ends(
    shared: &Arc<Shared>,
    head: &Head,
    witness: Option<&Head>,
) -> Result<(), JournalError> {
    check_tail(shared, head)?;
    let days = shared.days();
    if days.last() > 0 && days.last() >= head.last {
        return Err(JournalError::Lost { durable: days.last(), found: head.last });
    }
    if head.last > 0
        && let Some(first) =
            Blocks::after(shared, days.last(), head.next()).next_with(|block, _| follows(block, &days.hash()))
    {
        first?;
    }
    let Some(witness) = witness else {
        return Ok(());
    };
    if witness.last > head.last || witness.commits > head.commits {
        return Err(JournalError::Lost { durable: witness.last, found: head.last });
    }
    if witness.last > 0 {
        let unlike = JournalError::damaged("a leg that was durable is not what it was", witness.last);
        // A power cut may have left an old note, of a block that is sealed by now.
        let same = match shared.block_of(witness.block)? {
            Some((first, bytes)) => first == witness.block && hash(&bytes) == witness.hash,
            None => false,
        };
        return if same { Ok(()) } else { Err(unlike) };
    }
    Ok(())
}

/// From the head backwards: each block ends where the one after begins and has the hash that one carries.
fn check_tail(shared: &Shared, head: &Head) -> Result<(), JournalError> {
    let mut walk = shared.medium.all_blocks();
    let (mut last, mut wanted) = (head.last, head.hash);
    for _ in 0..TAIL_BLOCKS {
        let Some((key, bytes)) = shared.step(|| walk.next_back())? else {
            break;
        };
        let first = block_sequence(&key).unwrap_or_default();
        let block = Block::decode(first, &bytes)?;
        if block.last() < last {
            let found = (last < head.last).then(|| last.saturating_add(1));
            return Err(JournalError::Gap { expected: block.last().saturating_add(1), found });
        }
        if block.last() > last || hash(&bytes) != wanted {
            return Err(JournalError::damaged(
                "the last blocks do not agree with the head checkpoint",
                first,
            ));
        }
        (last, wanted) = (first.saturating_sub(1), block.previous);
        if first <= 1 {
            break;
        }
    }
    Ok(())
}
