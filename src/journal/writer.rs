//! Writing: one writer, one batch a commit, and a real sync where money moves.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::block::{Head, Packer};
use super::damage::guarded;
use super::error::JournalError;
use super::medium::Batch;
use super::store::Shared;
use super::witness::Witness;
use super::{HEAD_KEY, LEG_PREFIX, META_PREFIX};

/// Bytes of a submitter's value at most, for the reason that bounds a block.
pub const VALUE_BYTES_MAX: usize = 4096;
/// Bytes of a submitter's key at most.
pub const KEY_BYTES_MAX: usize = 512;

/// Batches that may wait for a sync. The engine writes two buffers a batch in its own threads, each with a
/// sync, and bounds neither their number nor their memory: unbounded, 20,000 inquiries a second had a payment
/// wait behind four seconds of them.
const UNSYNCED_BATCHES_MAX: u32 = 8;

/// One change of the submitter's keys.
#[derive(Clone, Eq, PartialEq)]
pub enum Write {
    /// Sets the value under a key.
    Put {
        /// Not empty, not beginning with `L` or `M`, at most [`KEY_BYTES_MAX`]. New keys that follow time stay on few
        /// pages; new keys in no order cost twice as much, once the store has outgrown its cache.
        key: Vec<u8>,
        /// At most [`VALUE_BYTES_MAX`].
        value: Vec<u8>,
    },
    /// Removes a key, if it is there.
    Delete {
        /// As in `Put`.
        key: Vec<u8>,
    },
    /// Removes a key if its value, after all that was written before, is this one: a newer one stays.
    DeleteIf {
        /// As in `Put`.
        key: Vec<u8>,
        /// The value that is known elsewhere.
        value: Vec<u8>,
    },
    /// Removes a block that a sealed segment holds.
    Forget {
        /// Sequence of its first leg.
        first: u64,
    },
}

impl std::fmt::Debug for Write {
    /// Lengths alone: keys and values may hold what must not be logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Put { key, value } => write!(f, "Put({} bytes under {} bytes)", value.len(), key.len()),
            Self::Delete { key } => write!(f, "Delete({} bytes)", key.len()),
            Self::DeleteIf { key, .. } => write!(f, "DeleteIf({} bytes)", key.len()),
            Self::Forget { first } => write!(f, "Forget({first})"),
        }
    }
}

/// What must be in the store together or not at all.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Turn {
    /// The sequence of the first of `legs` by the submitter's count, or of the next leg if there are none.
    pub first_sequence: u64,
    /// Legs in order, each at most [`LEG_BYTES_MAX`](super::LEG_BYTES_MAX).
    pub legs: Vec<Vec<u8>>,
    /// Changes of keys, applied in order.
    pub writes: Vec<Write>,
    /// Whether the turn must be on the disk before anything leaves. An inquiry's need not: nobody's money
    /// depends on it, and it is on the disk with the next turn that does, a few turns later or after a fifth
    /// of a second.
    pub moves_money: bool,
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turn")
            .field("first_sequence", &self.first_sequence)
            .field("legs", &self.legs.len())
            .field("writes", &self.writes)
            .field("moves_money", &self.moves_money)
            .finish()
    }
}

/// The only writer of a store.
pub struct Writer {
    shared: Arc<Shared>,
    witness: Witness,
    /// Set while something is applied that is not yet synced: how many syncs there had been before it was.
    unsynced: Option<u64>,
    /// Batches applied since the last sync.
    batches: u32,
    /// An earlier commit failed: what is on the disk is unknown.
    poisoned: bool,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("unsynced", &self.is_unsynced())
            .field("poisoned", &self.poisoned)
            .finish()
    }
}

impl Writer {
    pub(super) const fn new(shared: Arc<Shared>, witness: Witness) -> Self {
        Self { shared, witness, unsynced: None, batches: 0, poisoned: false }
    }

    /// The sequence of the leg that will be committed next.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.shared.head().next()
    }

    /// Applies the turns as one batch: after a crash all of them are there or none. If any moves money they
    /// are, with all that was applied before, on the disk when this returns.
    ///
    /// # Errors
    ///
    /// [`JournalError::TooLarge`], [`JournalError::ReservedKey`] and [`JournalError::OutOfStep`] refuse the
    /// turns before anything is applied. After any other error the writer is poisoned, and nothing of these
    /// turns may leave.
    pub fn commit(&mut self, turns: &[Turn]) -> Result<(), JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned);
        }
        let before = self.shared.head();
        let packed = pack(&self.shared, before, turns)?;
        let head = packed.as_ref().map_or(before, |(_, head)| *head);
        if let Some((batch, _)) = packed {
            self.unsynced.get_or_insert(self.shared.medium.syncs());
            self.batches = self.batches.saturating_add(1);
            self.or_poison(|writer| {
                let shared = &writer.shared;
                guarded("applying a batch fails", Some(before.last), || {
                    shared.medium.apply(batch).map_err(|error| shared.engine(error))
                })
            })?;
        }
        if turns.iter().any(|turn| turn.moves_money) || self.batches >= UNSYNCED_BATCHES_MAX {
            self.sync_to(&head)?;
        }
        self.shared.set_head(head);
        Ok(())
    }

    /// Makes all that has been applied durable.
    ///
    /// # Errors
    ///
    /// As [`Writer::commit`]; a sync is never tried a second time.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned);
        }
        let head = self.shared.head();
        self.sync_to(&head)
    }

    /// Whether something has been applied that is not yet durable.
    #[must_use]
    pub const fn is_unsynced(&self) -> bool {
        self.unsynced.is_some()
    }

    /// Makes everything durable, the witness too.
    ///
    /// # Errors
    ///
    /// As [`Writer::sync`].
    pub fn close(&mut self) -> Result<(), JournalError> {
        self.sync()?;
        self.witness.sync()
    }

    fn sync_to(&mut self, head: &Head) -> Result<(), JournalError> {
        let Some(before) = self.unsynced else {
            return Ok(());
        };
        self.or_poison(|writer| {
            flush(&writer.shared, before)?;
            writer.witness.note(head)
        })?;
        self.shared.set_durable(*head);
        self.unsynced = None;
        self.batches = 0;
        Ok(())
    }

    fn or_poison(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let outcome = work(self);
        self.poisoned = outcome.is_err();
        outcome
    }
}

/// Flushes what was applied since there had been `before` syncs, and sees to it that there was one. It need
/// not be the flush's own: the engine may have written a full buffer by itself.
///
/// # Errors
///
/// [`JournalError::NotSynced`], or as the flush fails.
pub(super) fn flush(shared: &Shared, before: u64) -> Result<(), JournalError> {
    guarded("flushing fails", None, || shared.medium.flush().map_err(|error| shared.engine(error)))?;
    if shared.medium.sync_failed() || shared.medium.syncs() == before {
        return Err(JournalError::NotSynced);
    }
    Ok(())
}

/// Turns as one batch, and what the head will be; `None` if the turns change nothing.
fn pack(shared: &Shared, before: Head, turns: &[Turn]) -> Result<Option<(Batch, Head)>, JournalError> {
    let mut batch = shared.medium.batch();
    let mut packer = Packer::after(before);
    let mut emit = |first, block: Vec<u8>| batch.insert(&super::block_key(first), block);
    // The last write to a key is the one that counts; in order of the keys, neighbours share a page.
    let mut writes: BTreeMap<&[u8], Change<'_>> = BTreeMap::new();
    let mut forgotten = Vec::new();
    let sealed = shared.days().last();
    for turn in turns {
        if turn.first_sequence != packer.next() {
            return Err(JournalError::OutOfStep { expected: packer.next(), found: turn.first_sequence });
        }
        for leg in &turn.legs {
            packer.push(leg, &mut emit)?;
        }
        for write in &turn.writes {
            let (key, change) = match write {
                Write::Put { key, value } => {
                    within("value", value.len(), VALUE_BYTES_MAX)?;
                    (checked_key(key)?, Change::Put(value))
                }
                Write::Delete { key } => (checked_key(key)?, Change::Delete),
                Write::DeleteIf { key, value } => {
                    let key = checked_key(key)?;
                    match writes.get(key) {
                        None => (key, Change::DeleteIf(value)),
                        Some(Change::Put(put)) if put == value => (key, Change::Delete),
                        Some(Change::Put(_) | Change::Delete | Change::DeleteIf(_)) => continue,
                    }
                }
                Write::Forget { first } if *first <= sealed => {
                    forgotten.push(super::block_key(*first));
                    continue;
                }
                Write::Forget { .. } => return Err(JournalError::ReservedKey),
            };
            writes.insert(key, change);
        }
    }
    let mut head = packer.finish(&mut emit);
    for (key, change) in writes {
        let old = shared.read(key)?;
        if matches!(change, Change::DeleteIf(value) if old.as_deref() != Some(value)) {
            continue;
        }
        if let Some(old) = old {
            head.keys.remove(key, &old);
        }
        match change {
            Change::Put(value) => {
                head.keys.add(key, value);
                batch.insert(key, value);
            }
            Change::Delete | Change::DeleteIf(_) => batch.remove(key),
        }
    }
    forgotten.iter().for_each(|key| batch.remove(key));
    if turns.iter().all(|turn| turn.legs.is_empty() && turn.writes.is_empty()) {
        return Ok(None);
    }
    head.commits = head.commits.saturating_add(1);
    batch.insert(HEAD_KEY, head.encode());
    Ok(Some((batch, head)))
}

/// What becomes of a key.
#[derive(Clone, Copy)]
enum Change<'a> {
    Put(&'a [u8]),
    Delete,
    /// If the store has this value.
    DeleteIf(&'a [u8]),
}

fn checked_key(key: &[u8]) -> Result<&[u8], JournalError> {
    within("key", key.len(), KEY_BYTES_MAX)?;
    match key.first() {
        None | Some(&(LEG_PREFIX | META_PREFIX)) => Err(JournalError::ReservedKey),
        Some(_) => Ok(key),
    }
}

const fn within(what: &'static str, bytes: usize, max: usize) -> Result<(), JournalError> {
    if bytes > max { Err(JournalError::TooLarge { what, bytes, max }) } else { Ok(()) }
}
