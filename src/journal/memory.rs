//! A disk that a simulation plays: in memory, in two parts. What has been synced is durable; behind it waits, batch by
//! batch, what has not, and a crash keeps as much of that as the simulation says.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sled::IVec;

use super::block::Head;
use super::days::{Days, Place};
use super::medium::Pair;
use super::{OPENS_KEY, block_sequence};

/// One key's new value; none removes it.
pub(super) type Change = (IVec, Option<IVec>);

/// What goes wrong with a disk, once, when it is next asked for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DiskFault {
    /// There is no room for a batch: writing it is refused, although it may be there after all.
    Full,
    /// The batch is written, and the sync that is to make it durable fails.
    SyncFails,
    /// The sync reports success and has done nothing: a disk that must not be served from.
    SyncLies,
}

/// The disk. A clone is the same disk: it outlives the process that writes to it.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk(Arc<Mutex<State>>);

#[derive(Clone, Debug, Default)]
struct State {
    /// What a reader sees.
    live: BTreeMap<IVec, IVec>,
    /// What a crash cannot take away.
    durable: BTreeMap<IVec, IVec>,
    /// Batches applied and not synced, oldest first.
    unsynced: Vec<Vec<Change>>,
    /// As last written, and as it was before that.
    witness: Option<Head>,
    older_witness: Option<Head>,
    /// Files of sealed segments, by name: each is there whole once it has its name.
    files: BTreeMap<String, Arc<[u8]>>,
    syncs: u64,
    sync_failed: bool,
    fault: Option<DiskFault>,
}

impl State {
    fn take_fault(&mut self, of: &[DiskFault]) -> Option<DiskFault> {
        self.fault.take_if(|fault| of.contains(fault))
    }
}

/// Changes some keys.
fn change(keys: &mut BTreeMap<IVec, IVec>, changes: impl IntoIterator<Item = Change>) {
    for (key, value) in changes {
        match value {
            Some(value) => drop(keys.insert(key, value)),
            None => drop(keys.remove(&key)),
        }
    }
}

impl MemoryDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next write or sync that can meet this fault does.
    pub fn fail_next(&self, fault: DiskFault) {
        self.state().fault = Some(fault);
    }

    /// Batches that a crash may take away.
    #[must_use]
    pub fn unsynced(&self) -> usize {
        self.state().unsynced.len()
    }

    /// The process that wrote is gone, and with it all that was not durable but the `kept` oldest batches. With
    /// `old_witness` the witness's last note is gone too.
    pub fn crash(&self, kept: usize, old_witness: bool) {
        let mut state = self.state();
        let state = &mut *state;
        let kept = state.unsynced.drain(..).take(kept);
        change(&mut state.durable, kept.flatten());
        state.live.clone_from(&state.durable);
        if old_witness {
            state.witness = state.older_witness;
        }
        (state.sync_failed, state.fault) = (false, None);
        // Of a file that had no name yet there is some of it left.
        for (name, file) in &mut state.files {
            if name.ends_with(".tmp") {
                *file = file.get(..file.len().wrapping_div(2)).unwrap_or_default().into();
            }
        }
    }

    /// Another disk, which has what this one has durable and `changes` of the changes of its first batch that is not:
    /// a batch torn in two, as no sound disk leaves it. None if there is no such batch or it is not torn by that.
    #[must_use]
    pub fn torn(&self, changes: usize) -> Option<Self> {
        let state = self.state();
        let batch = state.unsynced.first()?;
        let torn = batch.get(..changes).filter(|torn| (1..batch.len()).contains(&torn.len()))?;
        // A sealed block that is there or not is nothing to notice.
        let sealed = |(key, value): &Change| value.is_none() && block_sequence(key).is_some();
        let altered = |change: &Change| !sealed(change) && state.durable.get(&change.0) != change.1.as_ref();
        let in_two = torn.iter().any(altered) && batch.iter().skip(changes).any(altered);
        if !in_two {
            return None;
        }
        let mut keys = state.durable.clone();
        change(&mut keys, torn.iter().cloned());
        Some(Self::holding(keys, &state))
    }

    /// Another disk, which has what this one has durable, but for one flipped bit in the value of key number `at`
    /// (counted round and round). None if nobody would have to notice.
    #[must_use]
    pub fn flipped(&self, at: usize, bit: usize) -> Option<Self> {
        let state = self.state();
        let mut keys = state.durable.clone();
        let at = at.checked_rem(keys.len())?;
        let (key, value) = keys.iter_mut().nth(at)?;
        if key == OPENS_KEY {
            return None;
        }
        let mut bytes = value.to_vec();
        let place = bit.wrapping_div(8).checked_rem(bytes.len())?;
        let byte = bytes.get_mut(place)?;
        *byte ^= 1 << (bit % 8);
        *value = bytes.into();
        Some(Self::holding(keys, &state))
    }

    /// Keys that are durable under `prefix`, with their values.
    #[must_use]
    pub fn durable(&self, prefix: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let state = self.state();
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let entries = state.durable.range::<[u8], _>(from).take_while(|(key, _)| key.starts_with(prefix));
        entries.map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
    }

    /// Whether a key that is durable under `prefix` is like that.
    #[must_use]
    pub fn has_durable(&self, prefix: &[u8], is_like: impl Fn(&[u8]) -> bool) -> bool {
        let state = self.state();
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let mut keys = state.durable.range::<[u8], _>(from).take_while(|(key, _)| key.starts_with(prefix));
        keys.any(|(key, _)| is_like(key))
    }

    /// The durable value under a key.
    #[must_use]
    pub fn durable_value(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.state().durable.get(key).map(|value| value.to_vec())
    }

    /// Another disk, which has what this one has durable, but for one flipped bit in byte `at` of all its sealed segments,
    /// counted round and round. None if there are none.
    #[must_use]
    pub fn flipped_in_days(&self, at: usize, bit: usize) -> Option<Self> {
        let state = self.state();
        let files = || state.files.iter().filter(|(name, _)| !name.ends_with(".tmp"));
        let bytes = files().map(|(_, file)| file.len()).fold(0, usize::saturating_add);
        let mut at = at.checked_rem(bytes)?;
        let other = Self::holding(state.durable.clone(), &state);
        for (name, file) in files() {
            if at < file.len() {
                let mut file = file.to_vec();
                *file.get_mut(at)? ^= 1 << (bit % 8);
                other.put_file(name, file);
                return Some(other);
            }
            at = at.saturating_sub(file.len());
        }
        None
    }

    /// The tag of a payment's state in the newest sealed segment that knows it.
    #[must_use]
    pub fn sealed_tag(&self, key: &[u8]) -> Option<u8> {
        let days = Days::load(&Place::Memory(self.clone()), false).ok()?;
        days.find(key).ok()?.map(|(tag, _)| tag)
    }

    /// How many files of sealed segments there are.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.state().files.keys().filter(|name| name.ends_with(".legs")).count()
    }

    fn holding(keys: BTreeMap<IVec, IVec>, like: &State) -> Self {
        let (witness, files) = (like.witness, like.files.clone());
        let state = State {
            live: keys.clone(),
            durable: keys,
            witness,
            older_witness: witness,
            files,
            ..State::default()
        };
        Self(Arc::new(Mutex::new(state)))
    }

    pub(super) fn put_file(&self, name: &str, bytes: Vec<u8>) {
        self.state().files.insert(name.to_owned(), bytes.into());
    }

    pub(super) fn file(&self, name: &str) -> Option<Arc<[u8]>> {
        self.state().files.get(name).map(Arc::clone)
    }

    pub(super) fn remove_file(&self, name: &str) {
        self.state().files.remove(name);
    }

    pub(super) fn file_names(&self) -> Vec<String> {
        self.state().files.keys().cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<IVec> {
        self.state().live.get(key).cloned()
    }

    pub(super) fn apply(&self, changes: Vec<Change>) -> Result<(), Error> {
        let mut state = self.state();
        let full = state.take_fault(&[DiskFault::Full]).is_some();
        change(&mut state.live, changes.iter().cloned());
        state.unsynced.push(changes);
        if full { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    pub(super) fn flush(&self) -> Result<(), Error> {
        let mut state = self.state();
        let state = &mut *state;
        match state.take_fault(&[DiskFault::SyncFails, DiskFault::SyncLies]) {
            Some(DiskFault::SyncFails) => {
                state.sync_failed = true;
                return Err(Error::other("a sync failed"));
            }
            Some(DiskFault::SyncLies) => {}
            Some(DiskFault::Full) | None => {
                change(&mut state.durable, state.unsynced.drain(..).flatten());
            }
        }
        state.syncs = state.syncs.saturating_add(1);
        Ok(())
    }

    pub(super) fn syncs(&self) -> u64 {
        self.state().syncs
    }

    pub(super) fn sync_failed(&self) -> bool {
        self.state().sync_failed
    }

    pub(super) fn witness(&self) -> Option<Head> {
        self.state().witness
    }

    pub(super) fn note_witness(&self, head: Head) {
        let mut state = self.state();
        state.older_witness = state.witness.or(Some(head));
        state.witness = Some(head);
    }

    /// Bytes of everything a reader sees.
    pub(super) fn bytes(&self) -> u64 {
        let state = self.state();
        let bytes = |(key, value): (&IVec, &IVec)| key.len().saturating_add(value.len());
        let sum = state.live.iter().map(bytes).fold(0_usize, usize::saturating_add);
        u64::try_from(sum).unwrap_or(u64::MAX)
    }

    pub(super) fn walk(&self, first: &[u8], last: Option<&[u8]>) -> Walk {
        let last = last.map_or(Bound::Unbounded, |last| Bound::Included(last.into()));
        Walk { disk: self.clone(), first: Bound::Included(first.into()), last, over: false }
    }

    pub(super) fn walk_prefix(&self, prefix: &[u8]) -> Walk {
        let mut after = prefix.to_vec();
        while after.pop_if(|byte| *byte == u8::MAX).is_some() {}
        let last = match after.last_mut() {
            None => Bound::Unbounded,
            Some(byte) => {
                *byte = byte.saturating_add(1);
                Bound::Excluded(after.into())
            }
        };
        Walk { disk: self.clone(), first: Bound::Included(prefix.into()), last, over: false }
    }
}

/// A walk over the keys between two bounds, seeing what is written meanwhile.
pub(super) struct Walk {
    disk: MemoryDisk,
    first: Bound<IVec>,
    last: Bound<IVec>,
    over: bool,
}

impl Walk {
    fn step(&mut self, back: bool) -> Option<Pair> {
        if self.over {
            return None;
        }
        let found = {
            let state = self.disk.state();
            let mut range = state.live.range::<IVec, _>((self.first.as_ref(), self.last.as_ref()));
            let found = if back { range.next_back() } else { range.next() };
            found.map(|(key, value)| (key.clone(), value.clone()))
        };
        let Some((key, _)) = &found else {
            self.over = true;
            return None;
        };
        let bound = Bound::Excluded(key.clone());
        let (own, other) = if back { (&mut self.last, &self.first) } else { (&mut self.first, &self.last) };
        // A range whose bounds meet at one key is empty, and may not be asked for.
        self.over = matches!(other, Bound::Included(end) | Bound::Excluded(end) if end == key);
        *own = bound;
        found
    }
}

impl Iterator for Walk {
    type Item = Pair;

    fn next(&mut self) -> Option<Pair> {
        self.step(false)
    }
}

impl DoubleEndedIterator for Walk {
    fn next_back(&mut self) -> Option<Pair> {
        self.step(true)
    }
}
