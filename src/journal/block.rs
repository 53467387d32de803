//! Blocks: up to 4 KB of legs, the unit of insertion, of checksum and of the hash chain.
//!
//! ```text
//! "BSJ" version(1) first(8) count(2) hash of the block before(32) { length(2) leg }×count crc32c(4)
//! ```
//!
//! Numbers are big-endian; the CRC covers all that stands before it, the hash the whole block with its CRC.

use sha2::{Digest, Sha256};

use super::error::JournalError;
use super::keys::Keys;

/// Bytes of a block at most: sled turns a page of over 128 KB into a file of its own that it never syncs, and
/// puts up to 17 values on a page.
pub(super) const BLOCK_BYTES_MAX: usize = 4096;
/// Bytes of one leg at most: what a block has room for beside its own 52. The largest that the switch can write fits
/// (3,855 bytes, `ledger/tests.rs`); one that did not would end the process.
pub const LEG_BYTES_MAX: usize = 4032;

const MAGIC: [u8; 4] = *b"BSJ\x01";
const CRC_BYTES: usize = 4;

/// SHA-256 of a block, which the next block carries.
pub(super) type BlockHash = [u8; 32];

/// Where the journal ends, and what stands beside it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Head {
    /// Sequence of the last leg; 0 before the first.
    pub(super) last: u64,
    /// Sequence of the last block's first leg, which is its key; 0 before the first.
    pub(super) block: u64,
    /// The last block's hash; zeros before the first.
    pub(super) hash: BlockHash,
    /// Batches applied since the store was made: it rises even where a turn brings no leg.
    pub(super) commits: u64,
    /// What the submitter's keys are.
    pub(super) keys: Keys,
}

/// Bytes of an encoded [`Head`].
pub(super) const HEAD_BYTES: usize = 60 + Keys::BYTES;

impl Head {
    /// The sequence of the leg that comes next.
    pub(super) const fn next(&self) -> u64 {
        self.last.saturating_add(1)
    }

    /// As stored: last, block, hash, commits, keys, CRC.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES);
        bytes.extend_from_slice(&self.last.to_be_bytes());
        bytes.extend_from_slice(&self.block.to_be_bytes());
        bytes.extend_from_slice(&self.hash);
        bytes.extend_from_slice(&self.commits.to_be_bytes());
        self.keys.encode(&mut bytes);
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_be_bytes());
        bytes
    }

    /// Reads what [`Head::encode`] wrote; `None` if it is anything else.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = checked(bytes)?;
        let head = Self {
            last: u64::from_be_bytes(take(&mut rest)?),
            block: u64::from_be_bytes(take(&mut rest)?),
            hash: take(&mut rest)?,
            commits: u64::from_be_bytes(take(&mut rest)?),
            keys: Keys::decode(&mut rest)?,
        };
        rest.is_empty().then_some(head)
    }
}

/// Takes `N` bytes off the front.
pub(super) fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

/// What stands before the CRC, if that agrees.
fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let (body, crc) = bytes.split_last_chunk::<CRC_BYTES>()?;
    (crc32c::crc32c(body) == u32::from_be_bytes(*crc)).then_some(body)
}

/// A block's hash.
pub(super) fn hash(block: &[u8]) -> BlockHash {
    Sha256::digest(block).into()
}

/// Packs legs into blocks, each chained to the one before.
#[derive(Debug)]
pub(super) struct Packer {
    head: Head,
    /// The open block, header included; empty when none is open.
    open: Vec<u8>,
    first: u64,
    count: u16,
}

impl Packer {
    /// Goes on after `head`.
    pub(super) const fn after(head: Head) -> Self {
        Self { head, open: Vec::new(), first: 0, count: 0 }
    }

    /// The sequence the next leg will have.
    pub(super) fn next(&self) -> u64 {
        self.head.next().saturating_add(u64::from(self.count))
    }

    /// Adds a leg. A block that it does not fit into is closed and handed to `emit` with its key's sequence.
    ///
    /// # Errors
    ///
    /// [`JournalError::TooLarge`].
    pub(super) fn push(
        &mut self,
        leg: &[u8],
        emit: &mut impl FnMut(u64, Vec<u8>),
    ) -> Result<(), JournalError> {
        let too_large = || JournalError::TooLarge { what: "leg", bytes: leg.len(), max: LEG_BYTES_MAX };
        let length = u16::try_from(leg.len()).map_err(|_| too_large())?;
        if leg.len() > LEG_BYTES_MAX {
            return Err(too_large());
        }
        let with_leg = self.open.len().saturating_add(leg.len()).saturating_add(2 + CRC_BYTES);
        if !self.open.is_empty() && with_leg > BLOCK_BYTES_MAX {
            self.close(emit);
        }
        if self.open.is_empty() {
            self.first = self.head.next();
            self.open.reserve(BLOCK_BYTES_MAX);
            self.open.extend_from_slice(&MAGIC);
            self.open.extend_from_slice(&self.first.to_be_bytes());
            self.open.extend_from_slice(&[0, 0]);
            self.open.extend_from_slice(&self.head.hash);
        }
        self.open.extend_from_slice(&length.to_be_bytes());
        self.open.extend_from_slice(leg);
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    /// Closes the open block, if there is one.
    fn close(&mut self, emit: &mut impl FnMut(u64, Vec<u8>)) {
        if self.open.is_empty() {
            return;
        }
        let mut block = std::mem::take(&mut self.open);
        if let Some(count) = block.get_mut(12..14) {
            count.copy_from_slice(&self.count.to_be_bytes());
        }
        let crc = crc32c::crc32c(&block);
        block.extend_from_slice(&crc.to_be_bytes());
        self.head =
            Head { last: self.next().saturating_sub(1), block: self.first, hash: hash(&block), ..self.head };
        self.count = 0;
        emit(self.first, block);
    }

    /// Closes the last block and gives the journal's new end.
    pub(super) fn finish(mut self, emit: &mut impl FnMut(u64, Vec<u8>)) -> Head {
        self.close(emit);
        self.head
    }
}

/// A block that has been read and whose checksum agrees.
#[derive(Debug)]
pub(super) struct Block<'a> {
    /// Sequence of its first leg.
    pub(super) first: u64,
    /// How many legs it holds; never 0.
    count: u16,
    /// Hash of the block before.
    pub(super) previous: BlockHash,
    legs: &'a [u8],
}

impl<'a> Block<'a> {
    /// Reads the block that stands under sequence `key`.
    ///
    /// # Errors
    ///
    /// [`JournalError::Damaged`] if it is not, byte for byte, what [`Packer`] made.
    pub(super) fn decode(key: u64, bytes: &'a [u8]) -> Result<Self, JournalError> {
        let body = checked(bytes).ok_or(JournalError::damaged("a block's checksum does not agree", key))?;
        let block = Self::parse(body).ok_or(JournalError::damaged("a block cannot be read", key))?;
        if block.first != key {
            return Err(JournalError::damaged("a block stands under another's key", key));
        }
        let mut legs = block.legs();
        if block.count == 0 || legs.by_ref().count() != usize::from(block.count) || !legs.0.is_empty() {
            return Err(JournalError::damaged("a block does not hold the legs it counts", key));
        }
        Ok(block)
    }

    fn parse(body: &'a [u8]) -> Option<Self> {
        let mut rest = body;
        if take(&mut rest)? != MAGIC {
            return None;
        }
        Some(Self {
            first: u64::from_be_bytes(take(&mut rest)?),
            count: u16::from_be_bytes(take(&mut rest)?),
            previous: take(&mut rest)?,
            legs: rest,
        })
    }

    /// Sequence of its last leg.
    pub(super) fn last(&self) -> u64 {
        self.first.saturating_add(u64::from(self.count)).saturating_sub(1)
    }

    /// Its legs in order.
    pub(super) fn legs(&self) -> Legs<'a> {
        Legs(self.legs)
    }

    /// One leg by its sequence.
    pub(super) fn leg(&self, sequence: u64) -> Option<&'a [u8]> {
        let index = sequence.checked_sub(self.first)?;
        self.legs().nth(usize::try_from(index).ok()?)
    }
}

/// The legs of a block. Ends early at one that is cut short.
pub(super) struct Legs<'a>(&'a [u8]);

impl<'a> Iterator for Legs<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let length = u16::from_be_bytes(take(&mut self.0)?);
        let (leg, rest) = self.0.split_at_checked(usize::from(length))?;
        self.0 = rest;
        Some(leg)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blocks_of(legs: &[Vec<u8>]) -> (Vec<(u64, Vec<u8>)>, Head) {
        let mut blocks = Vec::new();
        let mut emit = |first, block| blocks.push((first, block));
        let mut packer = Packer::after(Head::default());
        legs.iter().for_each(|leg| packer.push(leg, &mut emit).unwrap());
        let head = packer.finish(&mut emit);
        (blocks, head)
    }

    #[test]
    fn every_flipped_bit_of_a_block_is_noticed() {
        let (blocks, _) = blocks_of(&[b"one".to_vec(), b"two".to_vec()]);
        let (first, block) = &blocks[0];
        for bit in 0..block.len() * 8 {
            let mut flipped = block.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Block::decode(*first, &flipped).is_err(), "bit {bit}");
        }
        assert!(Block::decode(first + 1, block).is_err(), "under another's key");
    }

    #[test]
    fn a_head_is_read_as_written_and_no_flip_passes() {
        let (_, head) = blocks_of(&[vec![1; 3000], vec![2; 3000]]);
        let bytes = head.encode();
        assert_eq!((bytes.len(), Head::decode(&bytes)), (HEAD_BYTES, Some(head)));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Head::decode(&flipped), None, "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn legs_come_back_from_bounded_chained_blocks(
            sizes in prop::collection::vec(0..=LEG_BYTES_MAX, 1..60),
            fill in any::<u8>(),
        ) {
            let legs: Vec<_> = sizes.iter().map(|size| vec![fill; *size]).collect();
            let (blocks, head) = blocks_of(&legs);
            let mut found = Vec::new();
            let mut previous = BlockHash::default();
            for (first, bytes) in &blocks {
                prop_assert!(bytes.len() <= BLOCK_BYTES_MAX);
                let block = Block::decode(*first, bytes).unwrap();
                prop_assert_eq!(block.previous, previous);
                prop_assert_eq!(block.first, u64::try_from(found.len()).unwrap().saturating_add(1));
                for (sequence, leg) in (block.first..).zip(block.legs()) {
                    prop_assert_eq!(block.leg(sequence), Some(leg));
                    found.push(leg.to_vec());
                }
                prop_assert_eq!(block.leg(block.last().saturating_add(1)), None);
                previous = hash(bytes);
            }
            prop_assert_eq!(found, legs);
            prop_assert_eq!(head.hash, previous);
        }

        #[test]
        fn any_bytes_are_refused_or_read_but_never_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            key in any::<u64>(),
        ) {
            // With a checksum that agrees, so that the parser behind it is reached.
            let mut whole = MAGIC.to_vec();
            whole.extend_from_slice(&key.to_be_bytes());
            whole.extend_from_slice(&bytes);
            let crc = crc32c::crc32c(&whole);
            whole.extend_from_slice(&crc.to_be_bytes());
            for bytes in [&bytes, &whole] {
                if let Ok(block) = Block::decode(key, bytes) {
                    prop_assert_eq!(block.legs().count(), usize::from(block.count));
                }
                let _ = Head::decode(bytes);
            }
        }
    }
}
