//! The keys of a store that has just been opened, until all of them have been read.

use super::error::JournalError;
use super::keys::Keys;
use super::store::{Store, Value};
use super::{LEG_PREFIX, META_PREFIX};

/// From so many keys on it pays to read them on two threads.
const TWO_THREADS_FROM: u64 = 20_000;

/// The submitter's keys, which have not been held against the head checkpoint yet. The engine can lose a key as well as a
/// block, or give a value as it once was: a paid bill may be unpaid again, or a payment unknown that was posted. So nothing
/// may be done on what a key says, or on its not being there, until [`Unchecked::check`] has found all of them.
#[must_use = "what the keys say may be acted on only once they are checked"]
#[derive(Debug)]
pub struct Unchecked {
    store: Store,
    count: u64,
}

impl Unchecked {
    pub(super) fn of(store: &Store) -> Self {
        Self { store: store.clone(), count: store.shared().head().keys.count }
    }

    /// How many keys there should be.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Reads every key, and gives their number. It is for a store that next to nothing is written to: keys that are written
    /// meanwhile have it begin anew. What is written before it hides nothing, for a write changes what is there and what
    /// should be there in the same way.
    ///
    /// # Errors
    ///
    /// [`JournalError::Damaged`] if a key is missing or altered, [`JournalError::Io`] if one cannot be read.
    pub fn check(self) -> Result<u64, JournalError> {
        let shared = self.store.shared();
        loop {
            let head = shared.stored_head()?;
            let found = self.store.sum_keys(head.keys.count)?;
            if found == head.keys {
                return Ok(found.count);
            }
            if shared.stored_head()?.keys == head.keys {
                return Err(JournalError::damaged("keys beside the legs are missing or altered", head.last));
            }
        }
    }
}

impl Store {
    /// The digest of the submitter's keys as they are, of which there are about so many.
    pub(super) fn sum_keys(&self, about: u64) -> Result<Keys, JournalError> {
        // The blocks lie between, and are not read: they may be more than all keys.
        let before = || sum(self.scan(&[]), |first| first < LEG_PREFIX);
        let behind = || sum(self.scan_behind(&[], Some(&[META_PREFIX])), |_| true);
        let (mut all, rest) = if about < TWO_THREADS_FROM {
            (before()?, behind()?)
        } else {
            std::thread::scope(|threads| {
                let before = threads.spawn(before);
                let rest = behind();
                let ended = JournalError::Damaged { what: "reading the keys fails", sequence: None };
                Ok::<_, JournalError>((before.join().unwrap_or(Err(ended))?, rest?))
            })?
        };
        all.join(&rest);
        Ok(all)
    }
}

/// The digest of a walk's keys as long as their first bytes are wanted; this module's own notes are not in it.
fn sum(
    walk: impl Iterator<Item = Result<(Value, Value), JournalError>>,
    wanted: impl Fn(u8) -> bool,
) -> Result<Keys, JournalError> {
    let mut keys = Keys::default();
    for pair in walk {
        let (key, value) = pair?;
        let first = key.first().copied().unwrap_or_default();
        if !wanted(first) {
            break;
        }
        if first != META_PREFIX {
            keys.add(&key, &value);
        }
    }
    Ok(keys)
}
