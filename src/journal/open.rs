//! Opening a store: lock, left-overs, engine, sync, checks, in that order.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::block::Head;
use super::damage::{guarded, watch_engine_panics};
use super::days::{Days, Place};
use super::error::JournalError;
use super::medium::Medium;
use super::memory::MemoryDisk;
use super::store::{Shared, Store};
use super::unchecked::Unchecked;
use super::verify::check_ends;
use super::witness::Witness;
use super::writer::{Writer, flush};
use super::{FORMAT_KEY, OPENS_KEY};

/// The layout that this program writes and reads.
const FORMAT: u32 = 4;

/// How a store is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes of pages the engine may keep in memory.
    pub cache_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache_bytes: 64 << 20 }
    }
}

/// Opens the store in `dir`, or creates it, and checks its ends and all keys. Nobody else can open it until the [`Store`],
/// its clones and the [`Writer`] are gone.
///
/// # Errors
///
/// [`JournalError`]; each kind says what to do next.
pub fn open(dir: &Path, options: &Options) -> Result<(Store, Writer), JournalError> {
    let (store, writer, unchecked) = open_unchecked(dir, options)?;
    unchecked.check()?;
    Ok((store, writer))
}

/// The same, but the keys are still to be checked: a million take a second or two.
///
/// # Errors
///
/// As [`open`].
pub fn open_unchecked(dir: &Path, options: &Options) -> Result<(Store, Writer, Unchecked), JournalError> {
    watch_engine_panics();
    create_dir(dir)?;
    let lock = lock(dir)?;
    remove_left_overs(dir)?;
    let witness = Witness::read(dir)?;
    let db = open_engine(dir, options)?;
    let place = Place::in_store(dir);
    let days = Days::load(&place, false)?;
    let shared = Shared::new(Medium::Sled(db), dir.to_path_buf(), place, days, Some(lock));
    let (store, head) = check_without_keys(shared, witness.as_ref())?;
    let witness = Witness::create(dir, &head)?;
    sync_path(dir)?;
    store.health()?;
    let writer = Writer::new(Arc::clone(store.shared()), witness);
    let unchecked = Unchecked::of(&store);
    Ok((store, writer, unchecked))
}

/// Opens the store on a disk that a simulation plays, or creates it, with every check that a real one gets.
///
/// # Errors
///
/// As [`open`].
pub fn open_memory(disk: &MemoryDisk) -> Result<(Store, Writer), JournalError> {
    let medium = Medium::Memory(disk.clone());
    let place = Place::Memory(disk.clone());
    let days = Days::load(&place, false)?;
    let shared = Shared::new(medium, "memory".into(), place, days, None);
    let (store, head) = check_without_keys(shared, disk.witness().as_ref())?;
    Unchecked::of(&store).check()?;
    disk.note_witness(head);
    let writer = Writer::new(Arc::clone(store.shared()), Witness::Memory(disk.clone()));
    Ok((store, writer))
}

/// Opens the sealed dates in `dir`, which is no store: some dates of one that were restored there. They can be read as a
/// store can; there is nothing else in it.
///
/// # Errors
///
/// [`JournalError`] if a segment's ends are damaged.
pub fn open_restored(dir: &Path) -> Result<Store, JournalError> {
    let place = Place::in_store(dir);
    let days = Days::load(&place, true)?;
    let head = Head { last: days.last(), hash: days.hash(), ..Head::default() };
    let shared = Shared::new(Medium::Memory(MemoryDisk::new()), dir.to_path_buf(), place, days, None);
    shared.set_head(head);
    Ok(Store::new(Arc::new(shared)))
}

/// Checks what lies on a medium: format and both ends; and that a flush of it is a sync.
fn check_without_keys(shared: Shared, witness: Option<&Head>) -> Result<(Store, Head), JournalError> {
    let shared = Arc::new(shared);
    check_format(&shared, witness.is_none())?;
    let head = shared.stored_head()?;
    check_ends(&shared, &head, witness)?;
    shared.set_head(head);
    // What is there now is synced before anything is served from it.
    shared.set_durable(head);
    let store = Store::new(Arc::clone(&shared));
    mark(&shared)?;
    if witness.is_none() && head.last > 0 {
        tracing::warn!(
            last_sequence = head.last,
            "the store had no witness: what it lost at its end, if anything, is unknown"
        );
    }
    Ok((store, head))
}

/// Opens the engine on a directory that is ours, and makes durable what it leaves undone.
fn open_engine(dir: &Path, options: &Options) -> Result<sled::Db, JournalError> {
    await_release(dir)?;
    // A kill may have left records written but not synced. The engine recovers them, and reuses the space of those
    // they replace, as if they were: so they shall be.
    let engine_file = dir.join("db");
    if engine_file.exists() {
        sync_path(&engine_file)?;
    }
    let db = guarded("opening the store fails", None, || {
        let config = sled::Config::new().path(dir).cache_capacity(options.cache_bytes);
        // No flusher of the engine's own: it only logs its errors.
        config.flush_every_ms(None).open().map_err(|error| JournalError::from_engine(error, dir))
    })?;
    // The engine syncs neither the file that holds its own settings nor the directory.
    sync_path(&dir.join("conf"))?;
    sync_path(dir)?;
    Ok(db)
}

/// Makes the directory, for its owner alone, and its entry in the parent durable.
fn create_dir(dir: &Path) -> Result<(), JournalError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(JournalError::io("creating", dir))?;
    let mode = dir.metadata().map_err(JournalError::io("looking at", dir))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let mode = format!("{mode:o}");
        tracing::warn!(dir = %dir.display(), mode, "others than its owner may look into the store's directory: chmod 700 it");
    }
    let parent = dir.canonicalize().map_err(JournalError::io("resolving", dir))?;
    parent.parent().map_or(Ok(()), sync_path)
}

fn sync_path(path: &Path) -> Result<(), JournalError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(JournalError::io("syncing", path))
}

/// Our own lock, taken before the engine touches a file: its own comes after it has begun to.
fn lock(dir: &Path) -> Result<File, JournalError> {
    let path = dir.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(JournalError::io("creating", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::Locked { path }),
        Err(TryLockError::Error(source)) => Err(JournalError::io("locking", &path)(source)),
    }
}

/// Waits until the engine's own file is free. We hold the lock, so whoever has it is an earlier opening of
/// this very process: the engine's I/O threads keep it for a moment after the last [`Store`] is gone.
///
/// # Errors
///
/// [`JournalError::Locked`] if it is not free after twenty seconds.
pub(super) fn await_release(dir: &Path) -> Result<(), JournalError> {
    let path = dir.join("db");
    for _ in 0..4000 {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(JournalError::io("opening", &path)(error)),
        };
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
            Err(TryLockError::Error(source)) => return Err(JournalError::io("locking", &path)(source)),
        }
    }
    Err(JournalError::Locked { path })
}

/// Removes what a kill during an earlier opening left behind: the engine takes it for a snapshot and refuses.
fn remove_left_overs(dir: &Path) -> Result<(), JournalError> {
    for entry in std::fs::read_dir(dir).map_err(JournalError::io("listing", dir))? {
        let name = entry.map_err(JournalError::io("listing", dir))?.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            let path = dir.join(name.as_ref());
            std::fs::remove_file(&path).map_err(JournalError::io("removing", &path))?;
        }
    }
    Ok(())
}

/// Notes the format of a new store, or refuses one of another. A store that is empty although there is a
/// witness has lost everything.
fn check_format(shared: &Shared, may_be_new: bool) -> Result<(), JournalError> {
    if let Some(found) = shared.read(FORMAT_KEY)? {
        let unreadable = JournalError::Damaged { what: "its format note cannot be read", sequence: None };
        let found = found.as_ref().try_into().map(u32::from_be_bytes).map_err(|_| unreadable)?;
        return if found == FORMAT { Ok(()) } else { Err(JournalError::Format { found, want: FORMAT }) };
    }
    let empty = shared.step(|| shared.medium.with_prefix(&[]).next())?.is_none();
    if !empty || !may_be_new {
        return Err(JournalError::Damaged { what: "its format note is missing", sequence: None });
    }
    put(shared, FORMAT_KEY, &FORMAT.to_be_bytes())
}

/// Writes a marker that differs at each opening and flushes it: the proof that a flush ends in a sync.
fn mark(shared: &Shared) -> Result<(), JournalError> {
    let opens = shared.read(OPENS_KEY)?.and_then(|bytes| bytes.as_ref().try_into().ok());
    let opens = opens.map_or(0, u64::from_be_bytes).wrapping_add(1);
    let before = shared.medium.syncs();
    put(shared, OPENS_KEY, &opens.to_be_bytes())?;
    flush(shared, before)
}

fn put(shared: &Shared, key: &[u8], value: &[u8]) -> Result<(), JournalError> {
    guarded("writing a note fails", None, || {
        shared.medium.insert(key, value).map_err(|error| shared.engine(error))
    })
}
