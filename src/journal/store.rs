//! Reading the store.

use std::fs::File;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::block::{Block, Head};
use super::damage::guarded;
use super::days::{Days, Footer, Place, SealedDay};
use super::error::JournalError;
use super::medium::Medium;
use super::walk::Blocks;
use super::{HEAD_KEY, block_sequence};

/// The store, for reading. Cheap to clone; the directory stays locked until the last clone and the
/// [`Writer`](super::Writer) are gone.
///
/// Reads see what the writer has applied, which may be up to one group commit ahead of what is durable:
/// whoever must decide something on it submits to the same valve, behind what was read.
#[derive(Clone)]
pub struct Store(Arc<Shared>);

/// What readers and the writer share. The database is dropped, and so written out, before the lock is let go.
pub(super) struct Shared {
    pub(super) medium: Medium,
    pub(super) dir: PathBuf,
    head: Mutex<Head>,
    /// The head as of the last sync: what is sealed lies before it.
    durable: Mutex<Head>,
    next_sequence: AtomicU64,
    /// The sealed segments as they are now.
    days: RwLock<Arc<Days>>,
    changing_days: Mutex<()>,
    /// Held by whoever prunes or restores, from the first file to the last: each removes what the other has made.
    pub(super) pruning: Mutex<()>,
    place: Place,
    /// None where there is no directory to lock.
    _lock: Option<File>,
}

impl Shared {
    pub(super) fn new(medium: Medium, dir: PathBuf, place: Place, days: Days, lock: Option<File>) -> Self {
        let head = Head::default();
        Self {
            medium,
            dir,
            next_sequence: AtomicU64::new(head.next()),
            head: Mutex::new(head),
            durable: Mutex::new(head),
            days: RwLock::new(Arc::new(days)),
            changing_days: Mutex::new(()),
            pruning: Mutex::new(()),
            place,
            _lock: lock,
        }
    }

    /// The sealed segments.
    pub(super) fn days(&self) -> Arc<Days> {
        Arc::clone(&self.days.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks the sealed segments. One that is pruned or put back meanwhile has another file than the list said that was asked: an
    /// error is taken for one only if the list is still the same.
    pub(super) fn in_days<T>(
        &self,
        ask: impl Fn(&Days) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        loop {
            let days = self.days();
            let said = ask(&days);
            if said.is_ok() || Arc::ptr_eq(&days, &self.days()) {
                return said;
            }
        }
    }

    /// Replaces the list of sealed segments: from now on what they hold is read from them.
    pub(super) fn change_days(
        &self,
        change: impl FnOnce(&Days) -> Result<Days, JournalError>,
    ) -> Result<(), JournalError> {
        // Who seals and who prunes change different ends of it, and must not undo each other's change.
        let _one_at_a_time = self.changing_days.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = Arc::new(change(&self.days())?);
        *self.days.write().unwrap_or_else(PoisonError::into_inner) = changed;
        Ok(())
    }

    /// Where sealed segments lie.
    pub(super) const fn place(&self) -> &Place {
        &self.place
    }

    /// The journal's end as of the last sync.
    pub(super) fn durable(&self) -> Head {
        *self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_durable(&self, head: Head) {
        *self.durable.lock().unwrap_or_else(PoisonError::into_inner) = head;
    }

    /// The bytes of the block that holds leg `sequence`, with its first leg's, from wherever it lies; none if there is no
    /// block up to it.
    pub(super) fn block_of(&self, sequence: u64) -> Result<Option<(u64, Vec<u8>)>, JournalError> {
        let sealed = |days: &Days| days.holding(sequence).map(|segment| segment.block(sequence)).transpose();
        if let Some(block) = self.in_days(sealed)? {
            return Ok(Some(block));
        }
        let found = self.step(|| self.medium.blocks(0, sequence).next_back())?;
        let found = found.and_then(|(key, bytes)| Some((block_sequence(&key)?, bytes)));
        // It may have been sealed and let go of between the two.
        let block = self.in_days(sealed)?;
        Ok(block.or_else(|| found.map(|(first, bytes)| (first, bytes.to_vec()))))
    }

    /// Where the journal ends, as last committed.
    pub(super) fn head(&self) -> Head {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_head(&self, head: Head) {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = head;
        self.next_sequence.store(head.next(), Ordering::Release);
    }

    /// One value, its engine's panics caught.
    pub(super) fn read(&self, key: &[u8]) -> Result<Option<sled::IVec>, JournalError> {
        guarded("reading a key fails", None, || self.medium.get(key).map_err(|e| self.engine(e)))
    }

    /// The next step of a walk over the store, its engine's panics caught.
    pub(super) fn step(
        &self,
        walk: impl FnOnce() -> Option<sled::Result<(sled::IVec, sled::IVec)>>,
    ) -> Result<Option<(sled::IVec, sled::IVec)>, JournalError> {
        guarded("walking over the keys fails", None, || walk().transpose().map_err(|e| self.engine(e)))
    }

    pub(super) fn engine(&self, error: sled::Error) -> JournalError {
        JournalError::from_engine(error, &self.dir)
    }

    /// The stored end of the journal; the empty journal's if there is none.
    pub(super) fn stored_head(&self) -> Result<Head, JournalError> {
        let unreadable = JournalError::Damaged { what: "the head checkpoint cannot be read", sequence: None };
        self.read(HEAD_KEY)?.map_or(Ok(Head::default()), |bytes| Head::decode(&bytes).ok_or(unreadable))
    }
}

/// A key or value as read from the store: bytes.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Value(sled::IVec);

impl Deref for Value {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Value {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Value {
    /// The length alone: values may hold what must not be logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// How the store is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Health {
    /// Sequence of the last committed leg; 0 before the first.
    pub last_sequence: u64,
    /// Bytes of the store's files.
    pub bytes_on_disk: u64,
    /// Values that the engine moved into files of their own, which it never syncs. Anything but 0 is an
    /// alarm: values are bounded so that this cannot happen.
    pub blobs: u64,
    /// Syncs that reached the disk since the process began.
    pub syncs: u64,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("dir", &self.0.dir)
            .field("next_sequence", &self.next_sequence())
            .finish()
    }
}

impl Store {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    pub(super) const fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    /// The value under `key`.
    ///
    /// # Errors
    ///
    /// [`JournalError::Damaged`] or [`JournalError::Io`].
    pub fn get(&self, key: &[u8]) -> Result<Option<Value>, JournalError> {
        self.0.read(key).map(|value| value.map(Value))
    }

    /// All keys that begin with `prefix` and their values, in order of the keys. It ends after the first
    /// error.
    pub fn scan(&self, prefix: &[u8]) -> impl Iterator<Item = Result<(Value, Value), JournalError>> + use<> {
        self.scan_behind(prefix, None)
    }

    /// The same, from the key behind `after` on.
    pub fn scan_behind(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
    ) -> impl Iterator<Item = Result<(Value, Value), JournalError>> + use<> {
        let shared = Arc::clone(&self.0);
        let after = after.filter(|after| *after > prefix);
        let prefix = prefix.to_vec();
        let walk =
            after.map_or_else(|| shared.medium.with_prefix(&prefix), |after| shared.medium.behind(after));
        let mut walk = Some(walk);
        std::iter::from_fn(move || {
            let steps = walk.as_mut()?;
            let step = shared.step(|| steps.next());
            if step.is_err() {
                walk = None;
            }
            let pair = step.map(|pair| pair.filter(|(key, _)| key.starts_with(&prefix)));
            pair.map(|pair| pair.map(|(key, value)| (Value(key), Value(value)))).transpose()
        })
    }

    /// One leg; `None` if it has not been committed yet.
    ///
    /// # Errors
    ///
    /// [`JournalError::Damaged`] or [`JournalError::Gap`] if it has been and cannot be read.
    pub fn leg(&self, sequence: u64) -> Result<Option<Vec<u8>>, JournalError> {
        // A key may already show a leg whose turn is applied and not yet durable: it is there, beyond the end. So what is
        // there is looked for first, and only what is missing is held against the end.
        let gap = JournalError::Gap { expected: sequence, found: None };
        let committed = sequence > 0 && sequence < self.next_sequence();
        let leg = match &self.0.block_of(sequence)? {
            Some((first, bytes)) => Block::decode(*first, bytes)?.leg(sequence).map(<[u8]>::to_vec),
            None => None,
        };
        if leg.is_none() && committed { Err(gap) } else { Ok(leg) }
    }

    /// The legs from `from` on, up to the last that is committed now, with their sequences. Each block's
    /// checksum and that none is missing is checked on the way; it ends after the first error.
    pub fn legs(&self, from: u64) -> impl Iterator<Item = Result<(u64, Vec<u8>), JournalError>> + use<> {
        self.legs_between(from, self.next_sequence())
    }

    /// The same, up to leg `end` − 1.
    pub(super) fn legs_between(
        &self,
        from: u64,
        end: u64,
    ) -> impl Iterator<Item = Result<(u64, Vec<u8>), JournalError>> + use<> {
        // Where only some dates are here, it begins with the next of them.
        let next = self.0.days().holding(from).map_or(from, |segment| segment.footer.first);
        let from = from.max(next).max(1);
        let (mut blocks, mut refused) = match Blocks::from(&self.0, from, end) {
            Ok(blocks) => (Some(blocks), None),
            Err(error) => (None, Some(error)),
        };
        let mut ready = Vec::new().into_iter();
        std::iter::from_fn(move || {
            if let Some(error) = refused.take() {
                return Some(Err(error));
            }
            if let Some(leg) = ready.next() {
                return Some(Ok(leg));
            }
            let legs = blocks.as_mut()?.next_with(|block, _| {
                let legs = (block.first..).zip(block.legs());
                let legs = legs.filter(|(sequence, _)| (from..end).contains(sequence));
                Ok(legs.map(|(sequence, leg)| (sequence, leg.to_vec())).collect::<Vec<_>>())
            })?;
            match legs {
                Ok(legs) => {
                    ready = legs.into_iter();
                    ready.next().map(Ok)
                }
                Err(error) => {
                    blocks = None;
                    Some(Err(error))
                }
            }
        })
    }

    /// The legs of the sealed segments that `keep` wants, by their number and footer, then those of the working store.
    pub(super) fn legs_where(
        &self,
        keep: &dyn Fn(usize, &Footer) -> bool,
    ) -> impl Iterator<Item = Result<(u64, Vec<u8>), JournalError>> + use<> {
        let days = self.0.days();
        let mut ranges = Vec::new();
        for (number, segment) in days.segments().iter().enumerate() {
            let footer = &segment.footer;
            if keep(number, footer) {
                ranges.push((footer.first, footer.last.saturating_add(1)));
            }
        }
        ranges.push((days.last().saturating_add(1), self.next_sequence()));
        let store = self.clone();
        ranges.into_iter().flat_map(move |(from, end)| store.legs_between(from, end))
    }

    /// All legs that are here, oldest first: those of pruned segments are not.
    pub fn legs_left(&self) -> impl Iterator<Item = Result<(u64, Vec<u8>), JournalError>> + use<> {
        let whole: Vec<bool> = self.0.days().segments().iter().map(|segment| segment.is_whole).collect();
        self.legs_where(&|number, _| whole.get(number) == Some(&true))
    }

    /// The last `count` legs, oldest first.
    pub fn last_legs(
        &self,
        count: u64,
    ) -> impl Iterator<Item = Result<(u64, Vec<u8>), JournalError>> + use<> {
        self.legs(self.next_sequence().saturating_sub(count))
    }

    /// Says, whenever it is called, whether a sync of this store has failed; none once the store is closed, which it does
    /// not hinder.
    pub fn sync_failure(&self) -> impl Fn() -> Option<bool> + Send + use<> {
        let shared = Arc::downgrade(&self.0);
        move || shared.upgrade().map(|shared| shared.medium.sync_failed())
    }

    /// The sequence of the leg that will be committed next; the first leg of a store is 1.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.0.next_sequence.load(Ordering::Acquire)
    }

    /// Bytes of the store's files.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`].
    pub fn bytes_on_disk(&self) -> Result<u64, JournalError> {
        let mut bytes = self.0.days().bytes();
        if let Medium::Memory(disk) = &self.0.medium {
            return Ok(disk.bytes().saturating_add(bytes));
        }
        let io = || JournalError::io("reading the size of", &self.0.dir);
        for entry in std::fs::read_dir(&self.0.dir).map_err(io())? {
            let meta = entry.and_then(|entry| entry.metadata()).map_err(io())?;
            bytes = bytes.saturating_add(meta.len());
        }
        Ok(bytes)
    }

    /// The sealed business dates, oldest first.
    #[must_use]
    pub fn sealed_days(&self) -> Vec<SealedDay> {
        self.0.days().list()
    }

    /// Sequence of the last sealed leg: those after it are in the working store; 0 if none is sealed.
    #[must_use]
    pub fn sealed_to(&self) -> u64 {
        self.0.days().last()
    }

    /// How the store is. Blobs are logged as an error too.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`].
    pub fn health(&self) -> Result<Health, JournalError> {
        let blobs = match &self.0.medium {
            Medium::Memory(_) => 0,
            Medium::Sled(_) => {
                let path = self.0.dir.join("blobs");
                let entries = std::fs::read_dir(&path).map_err(JournalError::io("listing", &path))?;
                u64::try_from(entries.count()).unwrap_or(u64::MAX)
            }
        };
        if blobs > 0 {
            tracing::error!(blobs, "the store holds values in files of their own, which are not synced");
        }
        Ok(Health {
            last_sequence: self.0.head().last,
            bytes_on_disk: self.bytes_on_disk()?,
            blobs,
            syncs: self.0.medium.syncs(),
        })
    }
}
