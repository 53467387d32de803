//! The bill book, with the daemon running or without.

use super::desk::Desk;
use crate::biller::book::{self, BookError, Change, Row, Shelf};
use crate::ids::BillerCode;
use crate::journal::{JournalError, Store, Writer};

/// Puts bills in the book, and keeps count of them.
///
/// # Errors
///
/// [`BookError`]; what was written before it stays in the turn, and importing again brings it to the same end.
pub fn import_rows<S: Shelf>(
    shelf: &mut S,
    biller: BillerCode,
    rows: Vec<Row>,
) -> Result<Vec<Change>, BookError<S::Error>> {
    let mut bills = book::count(shelf, biller)?;
    let mut put = |row: Row| {
        let held = book::find(shelf, biller, &row.psid)?;
        let (bill, change) = book::merge(held, row.bill);
        if matches!(change, Change::Added | Change::Updated) {
            book::store(shelf, biller, &row.psid, &bill)?;
        }
        if change == Change::Added {
            bills = bills.saturating_add(1);
        }
        Ok(change)
    };
    let changes = rows.into_iter().map(&mut put).collect();
    // Also when a row could not be put: those before it are in the turn.
    book::set_count(shelf, biller, bills);
    changes
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
