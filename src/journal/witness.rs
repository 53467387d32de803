//! The witness: a small file beside the store that remembers how far the journal had been made durable.
//!
//! The store cannot tell a flipped byte in its last records from a write that was cut short: it drops both
//! and opens cleanly, at an earlier state that agrees with itself. The witness is written after each sync and
//! is not synced itself: it can only lag behind the store, and a store that ends before it has lost
//! acknowledged legs. A kill leaves it exact; after a power cut it may be some seconds old, and then it
//! vouches for less.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::block::{HEAD_BYTES, Head};
use super::error::JournalError;
use super::memory::MemoryDisk;

/// Two slots, written in turn, each in a disk sector of its own: a torn write leaves the other whole.
const SLOT_BYTES: u64 = 512;
const NAME: &str = "witness";
/// What it is called before it is whole for the first time.
const UNFINISHED: &str = "witness.new";

/// Who remembers.
#[derive(Debug)]
pub(super) enum Witness {
    /// The open file.
    File { file: File, path: PathBuf, second_slot: bool },
    /// A simulated disk's own note.
    Memory(MemoryDisk),
}

impl Witness {
    /// What the witness in `dir` has seen; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`]; [`JournalError::Damaged`] if neither slot can be read.
    pub(super) fn read(dir: &Path) -> Result<Option<Head>, JournalError> {
        let path = dir.join(NAME);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(JournalError::io("reading", &path)(error)),
        };
        let slot = |offset: usize| {
            let end = offset.checked_add(HEAD_BYTES)?;
            bytes.get(offset..end).and_then(Head::decode)
        };
        let slots = [slot(0), slot(512)];
        let latest = slots.into_iter().flatten().max_by_key(|head| head.commits);
        let unreadable = JournalError::Damaged { what: "its file `witness` cannot be read", sequence: None };
        latest.map(Some).ok_or(unreadable)
    }

    /// Makes the witness in `dir` one of `head`, durably but for its name, which is the directory's. A new one has its name only
    /// when it is whole: one that cannot be read keeps the store from being opened.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`].
    pub(super) fn create(dir: &Path, head: &Head) -> Result<Self, JournalError> {
        let path = dir.join(NAME);
        let is_new = !path.exists();
        let begun = if is_new { dir.join(UNFINISHED) } else { path.clone() };
        let file = File::options().create(true).truncate(false).write(true).open(&begun);
        let file = file.map_err(JournalError::io("creating", &begun))?;
        let mut witness = Self::File { file, path: path.clone(), second_slot: false };
        witness.note(head)?;
        witness.note(head)?;
        witness.sync()?;
        if is_new {
            std::fs::rename(&begun, &path).map_err(JournalError::io("creating", &path))?;
        }
        Ok(witness)
    }

    /// Notes that the journal is durable up to `head`.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`].
    pub(super) fn note(&mut self, head: &Head) -> Result<(), JournalError> {
        match self {
            Self::File { file, path, second_slot } => {
                let offset = if *second_slot { SLOT_BYTES } else { 0 };
                *second_slot = !*second_slot;
                file.write_all_at(&head.encode(), offset).map_err(JournalError::io("writing", path))
            }
            Self::Memory(disk) => {
                disk.note_witness(*head);
                Ok(())
            }
        }
    }

    /// Makes the last note durable.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`].
    pub(super) fn sync(&self) -> Result<(), JournalError> {
        match self {
            Self::File { file, path, .. } => file.sync_all().map_err(JournalError::io("syncing", path)),
            Self::Memory(_) => Ok(()),
        }
    }
}
