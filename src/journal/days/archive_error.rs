//! Why a sealed date is not archived, restored or pruned.

use std::path::PathBuf;

use thiserror::Error;

use crate::ids::BusinessDate;
use crate::journal::error::JournalError;

/// Why a date could not be archived, restored or pruned. Nothing has been changed then.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The archive's file.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// No leg of that date is sealed.
    #[error(
        "no legs of business date {0} are sealed here: `billswitch journal list` shows the dates that are"
    )]
    NoSuchDate(BusinessDate),
    /// Its legs are not here.
    #[error("business date {0} is pruned here: its legs are in its archive")]
    IsPruned(BusinessDate),
    /// There is nothing to put back.
    #[error("business date {0} is not pruned here, or is not this store's: there is nothing to restore")]
    NotPruned(BusinessDate),
    /// Dates are pruned from the oldest on.
    #[error(
        "business date {older} is older than {date} and not pruned here: the oldest comes first, or what {older} says of a \
         payment would count again"
    )]
    OlderIsHere {
        /// The date that was to be pruned.
        date: BusinessDate,
        /// The older one.
        older: BusinessDate,
    },
    /// Dates are put back from the latest on.
    #[error(
        "business date {later} is later than {date} and pruned here: the latest is restored first, or what {date} says of a \
         payment would count again; into an empty directory (--store DIR) any date can be restored"
    )]
    LaterIsPruned {
        /// The date that was to be put back.
        date: BusinessDate,
        /// The later one.
        later: BusinessDate,
    },
    /// Somebody else prunes or restores.
    #[error("another date is being pruned or restored: ask again when that is done")]
    UnderWay,
    /// Another archive is in the making, or was cut short.
    #[error("{} is there: another archive is being made, or was cut short; if none is being made, remove it", .0.display())]
    InTheMaking(PathBuf),
    /// Its legs are still worked with.
    #[error("business date {0} is not over, or something of it is still in the working store: {1}")]
    StillWorking(BusinessDate, &'static str),
    /// The file is no archive, or of another layout.
    #[error("{} is no archive of a business date: {why}", path.display())]
    NoArchive {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The archive does not hold what it says, or what the store remembers.
    #[error("{} does not hold what was sealed as {name}: keep it aside, and take another copy", path.display())]
    Differs {
        /// The file.
        path: PathBuf,
        /// The segment.
        name: String,
    },
}
