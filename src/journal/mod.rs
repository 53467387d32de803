//! The journal: an embedded store behind a valve. What is handed to it is on the disk before anything that
//! depends on it leaves.
//!
//! It knows neither legs nor payments: a leg is bytes with a gapless sequence number, and beside the legs
//! there are keys and values of the submitter's. One [`Turn`] of both is all there or not at all. Legs are
//! packed into blocks that carry a checksum and the hash of the block before, so that what the store loses or
//! alters is noticed.
//!
//! Legs that are no longer worked with are sealed: they leave the store for files that are never changed ([`Sealer`]), and
//! are read from there as from the store.
//!
//! Keys: `L` + sequence of a block's first leg, big-endian → the block; `Mformat`, `Mhead`, `Mopens` → this
//! module's notes. All others are the submitter's. sled is named in this directory and nowhere else.

mod block;
mod damage;
mod days;
mod error;
mod keys;
pub mod ledger;
mod medium;
mod memory;
mod open;
mod sluice;
mod store;
mod sync;
#[cfg(test)]
mod tests;
pub mod totals;
mod unchecked;
mod valve;
mod verify;
mod walk;
mod witness;
mod writer;

pub use block::LEG_BYTES_MAX;
pub use days::{ArchiveError, SealedDay, Sealer, Step, Unloading, archive, restore_into, sealed_days};
pub use error::JournalError;
pub use memory::{DiskFault, MemoryDisk};
pub use open::{Options, open, open_memory, open_restored, open_unchecked};
pub use sluice::Sluice;
pub use store::{Health, Store, Value};
pub use unchecked::Unchecked;
pub use valve::{Closed, Valve};
pub use verify::Verified;
pub use writer::{KEY_BYTES_MAX, Turn, VALUE_BYTES_MAX, Write, Writer};

/// Size of a group commit at most, in legs or in writes, whichever a turn has more of. A turn that would go over it
/// waits for the next group.
const GROUP_MAX: usize = 512;

/// Prefix of the blocks' keys.
const LEG_PREFIX: u8 = b'L';
/// Prefix of this module's notes.
const META_PREFIX: u8 = b'M';
/// How the store is laid out.
const FORMAT_KEY: &[u8] = b"Mformat";
/// Where the journal ends; written with every batch.
const HEAD_KEY: &[u8] = b"Mhead";
/// How often the store has been opened.
const OPENS_KEY: &[u8] = b"Mopens";

/// The key of the block whose first leg is `sequence`.
fn block_key(sequence: u64) -> [u8; 9] {
    let [a, b, c, d, e, f, g, h] = sequence.to_be_bytes();
    [LEG_PREFIX, a, b, c, d, e, f, g, h]
}

/// The sequence in a block's key; `None` for any other key.
fn block_sequence(key: &[u8]) -> Option<u64> {
    let (prefix, sequence) = key.split_first()?;
    let sequence = sequence.try_into().ok().map(u64::from_be_bytes)?;
    (*prefix == LEG_PREFIX).then_some(sequence)
}
