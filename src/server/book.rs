//! The bill book, with the daemon running or without.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::books::imported;
use crate::biller::book::{BookError, Change, LineFault, Row, RowReader};
use crate::clock::SystemClock;
use crate::control::{BookReply, BookRequest, LIST_MAX};
use crate::desk::{self, BookDone, BookWork, Desk, Standing};
use crate::ids::{BillerCode, BusinessDate};
use crate::journal::{JournalError, Store, Writer};
use crate::settle;

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
    store: Store,
    desk: Desk,
    writer: Writer,
}

impl BookDesk {
    /// Works on this store.
    #[must_use]
    pub fn new(store: Store, writer: Writer) -> Self {
        Self { desk: Desk::new(store.clone()), store, writer }
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
        match self.work(BookWork::Import(biller, rows))? {
            BookDone::Imported(changes) => Ok(changes),
            BookDone::Withdrawn(_) | BookDone::Acted(_) | BookDone::Refused(_) => Ok(Vec::new()),
        }
    }

    /// Does work on a book; it is on disk when this returns.
    ///
    /// # Errors
    ///
    /// [`BookError`].
    pub fn work(&mut self, work: BookWork) -> Result<BookDone, BookError<JournalError>> {
        let date = self.date()?;
        let at = SystemClock::start().now().wall;
        let done = desk::work(&mut self.desk, at, date, work)?;
        if let Some(turn) = self.desk.take_turn() {
            self.writer.commit(&[turn]).map_err(BookError::Store)?;
        }
        self.desk.forget(u64::MAX);
        Ok(done)
    }

    /// Answers what the daemon would be asked.
    ///
    /// # Errors
    ///
    /// Why it cannot be done, as the daemon would say it.
    pub fn ask(&mut self, request: BookRequest) -> Result<BookReply, String> {
        let told = |error: BookError<JournalError>| error.to_string();
        let date = self.date().map_err(told)?;
        match request {
            BookRequest::Import { biller, rows } => {
                let done = self.work(BookWork::Import(biller, rows)).map_err(told)?;
                Ok(BookReply::Imported(imported(done)))
            }
            BookRequest::Withdraw { biller, psids } => {
                let done = self.work(BookWork::Withdraw(biller, psids)).map_err(told)?;
                Ok(BookReply::Imported(imported(done)))
            }
            BookRequest::Act { biller, psid, act, why } => {
                let why = crate::control::why(&why)?.into();
                let work = BookWork::Act { biller, psid: psid.clone(), act, why };
                if let BookDone::Refused(fault) = self.work(work).map_err(told)? {
                    return Err(fault.to_string());
                }
                self.ask(BookRequest::Show { biller, psid })
            }
            BookRequest::Show { biller, psid } => {
                let bill =
                    settle::bill(&self.store, biller, &psid, date).map_err(|error| error.to_string())?;
                Ok(BookReply::Bill(bill.map(Box::new)))
            }
            BookRequest::Search { biller, query, after, limit } => {
                let limit = limit.min(LIST_MAX);
                let found = settle::find_bills(&self.store, biller, &query, after.as_deref(), limit, date);
                let (bills, next) = found.map_err(|error| error.to_string())?;
                Ok(BookReply::Bills { bills, next })
            }
        }
    }

    /// The store itself, for reading.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    fn date(&self) -> Result<BusinessDate, BookError<JournalError>> {
        let today = || BusinessDate::new(jiff::Zoned::now().date());
        Ok(Standing::load(&self.store, today).map_err(BookError::Store)?.date)
    }
}
