//! What the blocks and keys lie on: sled on a disk, or a disk that a simulation plays. All that the journal knows of
//! blocks, heads, digests and witnesses stands above this and is the same on both.

use sled::IVec;

use super::memory::{self, MemoryDisk};
use super::{block_key, sync};

/// A key and its value.
pub(super) type Pair = (IVec, IVec);

/// Where the store's keys are kept.
pub(super) enum Medium {
    Sled(sled::Db),
    Memory(MemoryDisk),
}

impl Medium {
    pub(super) fn get(&self, key: &[u8]) -> sled::Result<Option<IVec>> {
        match self {
            Self::Sled(db) => db.get(key),
            Self::Memory(disk) => Ok(disk.get(key)),
        }
    }

    /// Sets one key by itself.
    pub(super) fn insert(&self, key: &[u8], value: &[u8]) -> sled::Result<()> {
        match self {
            Self::Sled(db) => db.insert(key, value).map(|_| ()),
            Self::Memory(disk) => disk.apply(vec![(key.into(), Some(value.into()))]).map_err(sled::Error::Io),
        }
    }

    /// Applies a batch that [`Medium::batch`] made, all of it or nothing.
    pub(super) fn apply(&self, batch: Batch) -> sled::Result<()> {
        match (self, batch) {
            (Self::Sled(db), Batch::Sled(batch)) => db.apply_batch(batch),
            (Self::Memory(disk), Batch::Memory(writes)) => disk.apply(writes).map_err(sled::Error::Io),
            (Self::Sled(_), Batch::Memory(_)) | (Self::Memory(_), Batch::Sled(_)) => {
                Err(sled::Error::Unsupported("a batch of another medium".to_owned()))
            }
        }
    }

    pub(super) fn flush(&self) -> sled::Result<()> {
        match self {
            Self::Sled(db) => db.flush().map(|_| ()),
            Self::Memory(disk) => disk.flush().map_err(sled::Error::Io),
        }
    }

    /// An empty batch for this medium.
    pub(super) fn batch(&self) -> Batch {
        match self {
            Self::Sled(_) => Batch::Sled(sled::Batch::default()),
            Self::Memory(_) => Batch::Memory(Vec::new()),
        }
    }

    /// The blocks whose first legs are `first` to `last`, in order, from both ends.
    pub(super) fn blocks(&self, first: u64, last: u64) -> Walk {
        let (first, last) = (block_key(first), block_key(last));
        match self {
            Self::Sled(db) => Walk::Sled(db.range(first..=last)),
            Self::Memory(disk) => Walk::Memory(disk.walk(&first, Some(&last))),
        }
    }

    /// Every block.
    pub(super) fn all_blocks(&self) -> Walk {
        self.blocks(0, u64::MAX)
    }

    /// Every key that begins with `prefix`, in order.
    pub(super) fn with_prefix(&self, prefix: &[u8]) -> Walk {
        match self {
            Self::Sled(db) => Walk::Sled(db.scan_prefix(prefix)),
            Self::Memory(disk) => Walk::Memory(disk.walk_prefix(prefix)),
        }
    }

    /// Every key behind `after`, in order.
    pub(super) fn behind(&self, after: &[u8]) -> Walk {
        match self {
            Self::Sled(db) => Walk::Sled(
                db.range::<&[u8], _>((std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded)),
            ),
            Self::Memory(disk) => Walk::Memory(disk.walk(&[after, &[0]].concat(), None)),
        }
    }

    /// How many syncs have reached the medium.
    pub(super) fn syncs(&self) -> u64 {
        match self {
            Self::Sled(_) => sync::done(),
            Self::Memory(disk) => disk.syncs(),
        }
    }

    /// Whether a sync has failed: nothing written since can be believed durable.
    pub(super) fn sync_failed(&self) -> bool {
        match self {
            Self::Sled(_) => sync::failed(),
            Self::Memory(disk) => disk.sync_failed(),
        }
    }
}

/// Changes that are applied together.
pub(super) enum Batch {
    Sled(sled::Batch),
    Memory(Vec<memory::Change>),
}

impl Batch {
    pub(super) fn insert(&mut self, key: &[u8], value: impl Into<IVec>) {
        match self {
            Self::Sled(batch) => batch.insert(key, value),
            Self::Memory(writes) => writes.push((key.into(), Some(value.into()))),
        }
    }

    pub(super) fn remove(&mut self, key: &[u8]) {
        match self {
            Self::Sled(batch) => batch.remove(key),
            Self::Memory(writes) => writes.push((key.into(), None)),
        }
    }
}

/// A walk over keys in order.
pub(super) enum Walk {
    Sled(sled::Iter),
    Memory(memory::Walk),
}

impl Iterator for Walk {
    type Item = sled::Result<Pair>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Sled(walk) => walk.next(),
            Self::Memory(walk) => walk.next().map(Ok),
        }
    }
}

impl DoubleEndedIterator for Walk {
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Self::Sled(walk) => walk.next_back(),
            Self::Memory(walk) => walk.next_back().map(Ok),
        }
    }
}
