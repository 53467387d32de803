//! Where sealed segments lie: files under the store's directory, or on a disk that a simulation plays. What is published
//! there is never written to again.

use std::fs::{DirBuilder, File};
use std::io::{BufWriter, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::journal::error::JournalError;
use crate::journal::memory::MemoryDisk;

/// Ending of a file that is not yet published: left behind by a crash, it is removed at the next start.
const UNFINISHED: &str = ".tmp";

/// The place of all segments of a store. Files are named `<business date>/<name>`.
#[derive(Clone, Debug)]
pub(in crate::journal) enum Place {
    /// The directory `days` of a store.
    Dir(PathBuf),
    /// A simulated disk.
    Memory(MemoryDisk),
}

/// A file that is open for reading.
pub(super) enum Handle {
    File(File, PathBuf),
    Memory(Arc<[u8]>),
}

impl Handle {
    /// Fills `bytes` from offset `at` on.
    ///
    /// # Errors
    ///
    /// [`JournalError::Damaged`] if the file ends before that; [`JournalError::Io`].
    pub(super) fn read_at(&self, bytes: &mut [u8], at: u64) -> Result<(), JournalError> {
        match self {
            Self::File(file, path) => file.read_exact_at(bytes, at).map_err(|error| {
                let short = error.kind() == ErrorKind::UnexpectedEof;
                if short { cut_short() } else { JournalError::io("reading", path)(error) }
            }),
            Self::Memory(whole) => {
                let from = usize::try_from(at).map_err(|_| cut_short())?;
                let end = from.checked_add(bytes.len()).ok_or_else(cut_short)?;
                bytes.copy_from_slice(whole.get(from..end).ok_or_else(cut_short)?);
                Ok(())
            }
        }
    }

    /// The same file once more.
    pub(super) fn share(&self) -> Result<Self, JournalError> {
        match self {
            Self::File(file, path) => {
                let file = file.try_clone().map_err(JournalError::io("opening", path))?;
                Ok(Self::File(file, path.clone()))
            }
            Self::Memory(whole) => Ok(Self::Memory(Arc::clone(whole))),
        }
    }

    /// Bytes of the file.
    pub(super) fn bytes(&self) -> Result<u64, JournalError> {
        match self {
            Self::File(file, path) => {
                file.metadata().map(|meta| meta.len()).map_err(JournalError::io("reading the size of", path))
            }
            Self::Memory(whole) => u64::try_from(whole.len()).map_err(|_| cut_short()),
        }
    }
}

fn cut_short() -> JournalError {
    JournalError::Damaged { what: "a sealed segment is cut short", sequence: None }
}

/// A file that is being written, and is none until it is published.
pub(super) enum Sink {
    File { file: BufWriter<File>, unfinished: Unfinished, to: PathBuf },
    Memory { disk: MemoryDisk, bytes: Vec<u8>, name: String },
}

/// A file under the name that it has until it is published. Whoever gives up takes it away: a restore that fails for want of
/// room must not keep what room there was until the next start.
pub(super) struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Gone if it was published. What cannot be removed now is removed at the next start.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Sink {
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), JournalError> {
        match self {
            Self::File { file, unfinished, .. } => {
                file.write_all(bytes).map_err(JournalError::io("writing", &unfinished.0))
            }
            Self::Memory { bytes: whole, .. } => {
                whole.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// Brings what is written to the disk, so that the last sync has little left to do.
    pub(super) fn sync(&mut self) -> Result<(), JournalError> {
        match self {
            Self::File { file, unfinished, .. } => file
                .flush()
                .and_then(|()| file.get_ref().sync_data())
                .map_err(JournalError::io("syncing", &unfinished.0)),
            Self::Memory { disk, bytes, name } => {
                disk.put_file(&unfinished_name(name), bytes.clone());
                Ok(())
            }
        }
    }

    /// The file as written so far, for reading it back. To be synced before.
    pub(super) fn read_back(&self) -> Result<Handle, JournalError> {
        match self {
            Self::File { unfinished, .. } => open_file(&unfinished.0),
            Self::Memory { bytes, .. } => Ok(Handle::Memory(bytes.as_slice().into())),
        }
    }

    /// Gives the file its name, for good. To be synced before.
    pub(super) fn publish(self) -> Result<(), JournalError> {
        match self {
            Self::File { unfinished, to, .. } => {
                std::fs::rename(&unfinished.0, &to).map_err(JournalError::io("publishing", &to))?;
                to.parent().map_or(Ok(()), sync_dir)
            }
            Self::Memory { disk, bytes, name } => {
                disk.put_file(&name, bytes);
                disk.remove_file(&unfinished_name(&name));
                Ok(())
            }
        }
    }
}

impl Place {
    /// The place of the segments of the store in `dir`.
    pub(in crate::journal) fn in_store(dir: &Path) -> Self {
        Self::Dir(dir.join("days"))
    }

    /// Names of all files, each `<directory>/<name>`, in order. If `tidy`, what a crash left unfinished is removed, and what
    /// is named stays so: a kill may have come between a file's publishing and its directory's sync, and the working store
    /// is to let go of what it holds.
    pub(super) fn list(&self, tidy: bool) -> Result<Vec<String>, JournalError> {
        let mut names = match self {
            Self::Dir(dir) => list_dir(dir)?,
            Self::Memory(disk) => disk.file_names(),
        };
        let newest = names.iter().max().and_then(|name| name.split_once('/'));
        if let (Self::Dir(dir), true, Some((date, _))) = (self, tidy, newest) {
            // Sealing publishes in order, so that only the newest date can have been left like that.
            sync_dir(&dir.join(date))?;
            sync_dir(dir)?;
        }
        for unfinished in names.extract_if(.., |name| name.ends_with(UNFINISHED)) {
            if tidy {
                self.remove(&unfinished)?;
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    pub(super) fn open(&self, name: &str) -> Result<Handle, JournalError> {
        match self {
            Self::Dir(dir) => open_file(&dir.join(name)),
            Self::Memory(disk) => disk
                .file(name)
                .map(Handle::Memory)
                .ok_or(JournalError::Damaged { what: "a sealed segment is gone", sequence: None }),
        }
    }

    /// Begins a file that [`Sink::publish`] will call `name`.
    pub(super) fn create(&self, name: &str) -> Result<Sink, JournalError> {
        match self {
            Self::Dir(dir) => {
                let to = dir.join(name);
                if let Some(parent) = to.parent() {
                    create_dirs(parent, dir)?;
                }
                let unfinished = dir.join(unfinished_name(name));
                let file = File::create(&unfinished).map_err(JournalError::io("creating", &unfinished))?;
                let unfinished = Unfinished(unfinished);
                Ok(Sink::File { file: BufWriter::with_capacity(1 << 18, file), unfinished, to })
            }
            Self::Memory(disk) => {
                Ok(Sink::Memory { disk: disk.clone(), bytes: Vec::new(), name: name.to_owned() })
            }
        }
    }

    /// Removes a file, if it is there.
    pub(super) fn remove(&self, name: &str) -> Result<(), JournalError> {
        match self {
            Self::Dir(dir) => {
                let path = dir.join(name);
                match std::fs::remove_file(&path) {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        return Err(JournalError::io("removing", &path)(error));
                    }
                    Ok(()) | Err(_) => {}
                }
                path.parent().map_or(Ok(()), sync_dir)
            }
            Self::Memory(disk) => {
                disk.remove_file(name);
                Ok(())
            }
        }
    }
}

fn unfinished_name(name: &str) -> String {
    format!("{name}{UNFINISHED}")
}

fn open_file(path: &Path) -> Result<Handle, JournalError> {
    let file = File::open(path).map_err(JournalError::io("opening", path))?;
    Ok(Handle::File(file, path.to_path_buf()))
}

/// Makes the directory of a date, for its owner alone, and its entry durable: also one that is there already, which whoever
/// made it may not have come to sync.
fn create_dirs(date: &Path, days: &Path) -> Result<(), JournalError> {
    DirBuilder::new().recursive(true).mode(0o700).create(date).map_err(JournalError::io("creating", date))?;
    sync_dir(days)?;
    days.parent().map_or(Ok(()), sync_dir)
}

fn sync_dir(dir: &Path) -> Result<(), JournalError> {
    sync_dir_of(dir).map_err(JournalError::io("syncing", dir))
}

/// Makes a file durable, and its entry in its directory.
pub(super) fn sync_file(file: &Path) -> std::io::Result<()> {
    File::open(file)?.sync_all()?;
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
    sync_dir_of(dir.unwrap_or_else(|| Path::new(".")))
}

fn sync_dir_of(dir: &Path) -> std::io::Result<()> {
    File::open(dir).and_then(|dir| dir.sync_all())
}

fn list_dir(dir: &Path) -> Result<Vec<String>, JournalError> {
    let mut names = Vec::new();
    for date in entries(dir)? {
        for name in entries(&dir.join(&date))? {
            names.push(format!("{date}/{name}"));
        }
    }
    Ok(names)
}

/// Names in a directory; none if it is not there, or is a file.
fn entries(dir: &Path) -> Result<Vec<String>, JournalError> {
    let listing = match std::fs::read_dir(dir) {
        Ok(listing) => listing,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(JournalError::io("listing", dir)(error)),
    };
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.map_err(JournalError::io("listing", dir))?;
        Ok(entry.file_name().to_string_lossy().into_owned())
    };
    listing.map(name).collect()
}
