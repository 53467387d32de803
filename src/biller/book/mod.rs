//! The bill book: a department's bills in our own store. Paying one is a conditional write in the very turn that
//! journals the outcome, so that of two payments at once exactly one wins.

mod import;
mod kind;
mod listing;
mod receipt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use import::{COLUMNS, Change, LineFault, Row, RowFault, RowReader, merge, parse_amount, parse_heads};
pub use kind::InBook;
pub use listing::{Act, ActFault, Correction, Did, Listing, Note, heads_text};
pub use receipt::Receipts;

use crate::clock::UnixMillis;
use crate::ids::{BillerCode, PaymentKey};
use crate::switch::{Bill, BillRef, BillStatus, Outcome, Payment, Posting, Reason};

const BILL_PREFIX: u8 = b'B';
const COUNT_PREFIX: u8 = b'N';
const SEPARATOR: u8 = 0x1f;
/// Bytes of a stored bill at most, its checksum not counted: well within what the store takes as a value.
const MAX_STORED_BYTES: usize = 3_500;

/// Where the book keeps its bills: reads see what the turn has written so far.
pub trait Shelf {
    /// Why a read can fail.
    type Error: std::error::Error;

    /// The value under a key.
    ///
    /// # Errors
    ///
    /// Whatever keeps the store from being read.
    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error>;

    /// Sets the value under a key, with the turn.
    fn write(&mut self, key: Vec<u8>, value: Vec<u8>);
}

/// Why a bill could not be read.
#[derive(Debug, Error)]
pub enum BookError<E: std::error::Error> {
    /// The store could not be read.
    #[error(transparent)]
    Store(E),
    /// What is stored under the bill's key is not what was written.
    #[error("a bill of {biller} is damaged in the store: its checksum does not agree")]
    Damaged {
        /// Whose bill.
        biller: BillerCode,
    },
}

/// A bill in the book.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct BookBill {
    /// What an inquiry is told.
    pub bill: Bill,
    /// The payment that paid it here; none if it is unpaid, or was paid elsewhere.
    pub paid_by: Option<(PaymentKey, Posting)>,
    /// Whether it is one that can be asked for.
    pub listing: Listing,
    /// What was done to it, oldest first.
    pub notes: Vec<Note>,
    /// Notes that found no room any more.
    pub notes_dropped: u32,
}

/// Looks a bill up.
pub fn look_up<S: Shelf>(shelf: &S, bill: &BillRef) -> Outcome {
    match find(shelf, bill.biller, &bill.consumer) {
        Ok(found) => found
            .and_then(|found| found.shown())
            .map_or(Outcome::Declined(Reason::NoSuchBill), |bill| Outcome::Found(Box::new(bill))),
        Err(error) => refuse(&error),
    }
}

/// Posts a payment: its bill becomes paid, unless somebody has paid it. The same payment again gets its posting again.
pub fn post<S: Shelf>(shelf: &mut S, payment: &Payment, at: UnixMillis, receipts: &mut Receipts) -> Outcome {
    let mut found = match find(shelf, payment.biller, &payment.consumer) {
        Ok(Some(found)) => found,
        Ok(None) => return Outcome::Declined(Reason::NoSuchBill),
        Err(error) => return refuse(&error),
    };
    match (&found.paid_by, found.shown().map(|bill| bill.status)) {
        (Some((key, posting)), _) if *key == payment.key => return Outcome::Posted(posting.clone()),
        (Some(_), _) | (None, Some(BillStatus::Paid)) => return Outcome::Declined(Reason::AlreadyPaid),
        (None, Some(BillStatus::Blocked)) => return Outcome::Declined(Reason::Blocked),
        (None, None) => return Outcome::Declined(Reason::NoSuchBill),
        // No file of bills can say `T`.
        (None, Some(BillStatus::Unpaid | BillStatus::Partial(_))) => {}
    }
    let (receipt, authorisation) = receipts.issue(payment.date);
    let posting = Posting { receipt, authorisation, at, heads: payment.heads.clone() };
    found.bill.status = BillStatus::Paid;
    found.paid_by = Some((payment.key.clone(), posting.clone()));
    found.note(at, Did::Paid { receipt, amount: payment.amount }, "");
    match store(shelf, payment.biller, &payment.consumer, &found) {
        Ok(()) => Outcome::Posted(posting),
        Err(error) => refuse::<S::Error>(&error),
    }
}

/// Undoes a payment: its bill is payable again. Undoing what was not posted, or twice, changes nothing.
pub fn reverse<S: Shelf>(shelf: &mut S, payment: &Payment, at: UnixMillis) -> Outcome {
    let mut found = match find(shelf, payment.biller, &payment.consumer) {
        Ok(Some(found)) => found,
        Ok(None) => return Outcome::Declined(Reason::OriginalUnknown),
        Err(error) => return refuse(&error),
    };
    let ours = found.paid_by.take_if(|(key, _)| *key == payment.key);
    let Some((_, posting)) = ours else { return Outcome::Declined(Reason::OriginalUnknown) };
    found.bill.status = BillStatus::Unpaid;
    found.note(at, Did::Undone { receipt: posting.receipt }, "");
    match store(shelf, payment.biller, &payment.consumer, &found) {
        Ok(()) => Outcome::Reversed,
        Err(error) => refuse::<S::Error>(&error),
    }
}

/// A bill, if the book has it.
///
/// # Errors
///
/// [`BookError`].
pub fn find<S: Shelf>(
    shelf: &S,
    biller: BillerCode,
    psid: &str,
) -> Result<Option<BookBill>, BookError<S::Error>> {
    let stored = shelf.read(&bill_key(biller, psid)).map_err(BookError::Store)?;
    stored.map(|bytes| decode(biller, &bytes)).transpose()
}

/// Puts a bill in the book.
///
/// # Errors
///
/// [`BookError::Damaged`] if it cannot be written down, which no bill should be.
pub fn store<S: Shelf>(
    shelf: &mut S,
    biller: BillerCode,
    psid: &str,
    bill: &BookBill,
) -> Result<(), BookError<S::Error>> {
    let encode = |bill: &BookBill| postcard::to_allocvec(bill).map_err(|_| BookError::Damaged { biller });
    let mut bytes = encode(bill)?;
    let mut bounded = std::borrow::Cow::Borrowed(bill);
    while bytes.len() > MAX_STORED_BYTES && !bounded.notes.is_empty() {
        bounded.to_mut().drop_oldest_note();
        bytes = encode(&bounded)?;
    }
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_be_bytes());
    shelf.write(bill_key(biller, psid), bytes);
    Ok(())
}

/// How many bills a department has in the book.
///
/// # Errors
///
/// [`BookError::Store`].
pub fn count<S: Shelf>(shelf: &S, biller: BillerCode) -> Result<u64, BookError<S::Error>> {
    let stored = shelf.read(&count_key(biller)).map_err(BookError::Store)?;
    Ok(stored_count(stored.as_deref()))
}

/// Reads the stored number of bills; none has been stored for a department without any.
#[must_use]
pub fn stored_count(stored: Option<&[u8]>) -> u64 {
    stored.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes)
}

/// Notes how many bills a department has.
pub fn set_count<S: Shelf>(shelf: &mut S, biller: BillerCode, bills: u64) {
    shelf.write(count_key(biller), bills.to_be_bytes().to_vec());
}

/// Reads the stored form of a bill.
///
/// # Errors
///
/// [`BookError::Damaged`].
pub fn decode<E: std::error::Error>(biller: BillerCode, bytes: &[u8]) -> Result<BookBill, BookError<E>> {
    let damaged = || BookError::Damaged { biller };
    let (bill, sum) = bytes.split_last_chunk::<4>().ok_or_else(damaged)?;
    if crc32c::crc32c(bill) != u32::from_be_bytes(*sum) {
        return Err(damaged());
    }
    postcard::from_bytes(bill).map_err(|_| damaged())
}

/// The prefix of the keys of a department's bills.
#[must_use]
pub fn bills_prefix(biller: BillerCode) -> Vec<u8> {
    let mut key = vec![BILL_PREFIX];
    key.extend_from_slice(biller.as_bytes());
    key.push(SEPARATOR);
    key
}

/// The key of a bill.
#[must_use]
pub fn bill_key(biller: BillerCode, psid: &str) -> Vec<u8> {
    let mut key = bills_prefix(biller);
    key.extend_from_slice(psid.as_bytes());
    key
}

/// The key under which the number of bills of a department is noted.
#[must_use]
pub fn count_key(biller: BillerCode) -> Vec<u8> {
    let mut key = vec![COUNT_PREFIX];
    key.extend_from_slice(biller.as_bytes());
    key
}

/// A bill that cannot be read is not paid, and not called unknown either.
fn refuse<E: std::error::Error>(error: &BookError<E>) -> Outcome {
    tracing::error!(%error, "the bill book cannot be read");
    Outcome::Declined(Reason::Internal)
}

#[cfg(test)]
mod tests;
