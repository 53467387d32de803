//! The bill book, with the daemon running or without.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::biller::book::{BookError, Change, LineFault, Row, RowReader};
use crate::desk::{Desk, import_rows};
use crate::ids::BillerCode;
use crate::journal::{JournalError, Store, Writer};

/// Why a file was not imported.
#[derive(Debug, Error)]
pub enum ImportError {
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A line is bad.
    #[error(transparent)]
    Line(#[from] LineFault),
    /// The book cannot be written.
    #[error(transparent)]
    Book(#[from] BookError<JournalError>),
}

/// A store that nobody serves, opened to work on its books.
pub struct BookDesk {
    desk: Desk,
    writer: Writer,
}

impl BookDesk {
    /// Works on this store.
    #[must_use]
    pub fn new(store: Store, writer: Writer) -> Self {
        Self { desk: Desk::new(store), writer }
    }

    /// Puts all bills of a file in the book, if every line is good; says how many there are.
    ///
    /// # Errors
    ///
    /// [`ImportError`].
    pub fn import_file(&mut self, biller: BillerCode, path: &Path) -> Result<usize, ImportError> {
        let name = path.display().to_string();
        let file = std::fs::File::open(path)
            .map_err(|source| ImportError::Unreadable { path: path.to_path_buf(), source })?;
        let mut reader = RowReader::new(&name, std::io::BufReader::new(file));
        let rows = std::iter::from_fn(|| reader.next_row()).collect::<Result<Vec<_>, _>>()?;
        Ok(self.import(biller, rows)?.len())
    }

    /// Puts bills in the book; they are on disk when this returns.
    ///
    /// # Errors
    ///
    /// [`BookError`].
    pub fn import(
        &mut self,
        biller: BillerCode,
        rows: Vec<Row>,
    ) -> Result<Vec<Change>, BookError<JournalError>> {
        let changes = import_rows(&mut self.desk, biller, rows)?;
        if let Some(turn) = self.desk.take_turn() {
            self.writer.commit(&[turn]).map_err(BookError::Store)?;
        }
        self.desk.forget(u64::MAX);
        Ok(changes)
    }
}
