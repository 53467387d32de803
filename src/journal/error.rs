//! What can be wrong with a journal, and what to do about it.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::ids::BusinessDate;

/// Why the journal refused. Carries sequence numbers and paths, never what a leg holds.
#[derive(Debug, Error)]
pub enum JournalError {
    /// Another process has the store open.
    #[error("{} is held by another process: stop that one, or use its control socket", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Its reason.
        source: std::io::Error,
    },
    /// Written by a version of this program that lays its store out otherwise.
    #[error(
        "the store has format {found}, this program reads {want}: open it with the version that wrote it"
    )]
    Format {
        /// The store's.
        found: u32,
        /// This program's.
        want: u32,
    },
    /// What is stored is not what was written.
    #[error(
        "the journal is damaged: {what}{}. Do not serve from it: keep a copy of the directory as it is, restore \
         the last good copy, and compare the two with `journal verify`",
        near(*sequence)
    )]
    Damaged {
        /// What does not agree.
        what: &'static str,
        /// The leg nearest to the damage, where one is known.
        sequence: Option<u64>,
    },
    /// Legs are missing.
    #[error(
        "the journal has a gap: leg {expected} should follow, {} does. Do not serve from it: keep a copy of \
         the directory as it is, restore the last good copy, and compare the two with `journal verify`",
        found.map_or_else(|| "nothing".to_owned(), |found| format!("leg {found}"))
    )]
    Gap {
        /// The first missing leg.
        expected: u64,
        /// The leg that stands in its place; `None` at the end.
        found: Option<u64>,
    },
    /// Legs that were archived and removed from here.
    #[error(
        "legs {first} to {last} of business date {date} are pruned here: `billswitch journal restore` puts them back from \
         their archive"
    )]
    Pruned {
        /// The date.
        date: BusinessDate,
        /// The first leg that is not here.
        first: u64,
        /// The last.
        last: u64,
    },
    /// A leg that does not read as a record, or that an index points to in vain.
    #[error(
        "a leg does not read as a record{}: the store was written by another program or version, or is damaged; run \
         `journal verify`",
        near(*sequence)
    )]
    Leg {
        /// Which, where known.
        sequence: Option<u64>,
    },
    /// The store ends, in good order, before what was durable: its last records are gone.
    #[error(
        "the journal ends at leg {found}, but had been made durable up to leg {durable}: its last turns are \
         lost. Do not serve from it: keep a copy of the directory as it is and restore the last good copy. To go \
         on without the lost turns, once they are known from the other side's records, remove its file `witness`"
    )]
    Lost {
        /// The last leg that was durable; the same as `found` if only keys were lost.
        durable: u64,
        /// The last leg that is there.
        found: u64,
    },
    /// The submitter counted legs otherwise than the journal.
    #[error("the turn begins at leg {found}, the journal is at {expected}: the submitter miscounted")]
    OutOfStep {
        /// The next leg by the journal's count.
        expected: u64,
        /// The turn's first leg by the submitter's.
        found: u64,
    },
    /// A leg, key or value over its bound.
    #[error("a {what} of {bytes} bytes is over the journal's bound of {max}")]
    TooLarge {
        /// `leg`, `key` or `value`.
        what: &'static str,
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        max: usize,
    },
    /// A key that is empty, or of the journal's own.
    #[error("keys that begin with L or M are the journal's own, and no key is empty")]
    ReservedKey,
    /// A flush that did not reach the disk although it reported success.
    #[error(
        "a flush of the store ended without an fdatasync: it failed, or this build does not replace \
         sync_file_range and must not be used"
    )]
    NotSynced,
    /// An earlier commit failed, so what is on disk is unknown until the store is opened again.
    #[error("an earlier commit failed: end the process and open the store again")]
    Poisoned,
    /// The store's engine refused for a reason of its own.
    #[error("the store refused: {detail}")]
    Engine {
        /// The engine's words.
        detail: Box<str>,
    },
}

/// ` near leg 7`, or nothing.
fn near(sequence: Option<u64>) -> String {
    sequence.map_or_else(String::new, |sequence| format!(" near leg {sequence}"))
}

impl JournalError {
    /// Damage at or about leg `sequence`.
    pub(super) const fn damaged(what: &'static str, sequence: u64) -> Self {
        Self::Damaged { what, sequence: Some(sequence) }
    }

    /// Names the file an I/O error is about.
    pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what, path: path.to_path_buf(), source }
    }

    /// Takes an error of sled's apart.
    pub(super) fn from_engine(error: sled::Error, path: &Path) -> Self {
        match error {
            sled::Error::Io(source) => Self::io("reading or writing the store in", path)(source),
            sled::Error::Corruption { .. } => {
                Self::Damaged { what: "the store's own checksum does not agree", sequence: None }
            }
            sled::Error::Unsupported(detail) | sled::Error::ReportableBug(detail) => {
                Self::Engine { detail: detail.into() }
            }
            sled::Error::CollectionNotFound(_) => Self::Damaged { what: "a tree is missing", sequence: None },
        }
    }
}
