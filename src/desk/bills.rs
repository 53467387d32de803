//! Work on the bill book that is no payment: imports, and what operators do about single bills.

use super::Desk;
use crate::biller::book::{
    self, Act, ActFault, BookBill, BookError, Change, Did, Listing, Row, Shelf, find, store,
};
use crate::clock::UnixMillis;
use crate::ids::{BillerCode, BusinessDate, LinkName, Rrn, Stan};
use crate::journal::JournalError;
use crate::switch::{BillStatus, Evidence, Record, What};

/// Something to be done to a bill book as part of a turn.
#[derive(Debug)]
pub enum BookWork {
    /// Put bills in it.
    Import(BillerCode, Vec<Row>),
    /// A full list came without these.
    Withdraw(BillerCode, Vec<Box<str>>),
    /// What an operator wants done about one bill.
    Act {
        /// The department.
        biller: BillerCode,
        /// The bill.
        psid: Box<str>,
        /// What to do.
        act: Act,
        /// Their reason.
        why: Box<str>,
    },
}

impl BookWork {
    /// Whether it is about as many bills as a file may have; an operator's act is about one.
    #[must_use]
    pub const fn is_much(&self) -> bool {
        match self {
            Self::Import(..) | Self::Withdraw(..) => true,
            Self::Act { .. } => false,
        }
    }
}

/// What was done.
#[derive(Debug)]
pub enum BookDone {
    /// For each row what became of it.
    Imported(Vec<Change>),
    /// How many were withdrawn.
    Withdrawn(u64),
    /// The bill as it stands.
    Acted(Box<BookBill>),
    /// Nothing: why not.
    Refused(ActFault),
}

/// Does work on a book with the turn that is being gathered: it is done when that turn is durable.
///
/// # Errors
///
/// [`BookError`] if the store cannot be read, or a bill in it.
pub fn work(
    desk: &mut Desk,
    at: UnixMillis,
    date: BusinessDate,
    work: BookWork,
) -> Result<BookDone, BookError<JournalError>> {
    match work {
        BookWork::Import(biller, rows) => import_rows(desk, biller, rows, at).map(BookDone::Imported),
        BookWork::Withdraw(biller, psids) => withdraw(desk, biller, &psids, at).map(BookDone::Withdrawn),
        BookWork::Act { biller, psid, act, why } => {
            let done = act_on_bill(desk, (at, date), (biller, &psid), &act, &why)?;
            Ok(done.map_or_else(BookDone::Refused, |bill| BookDone::Acted(Box::new(bill))))
        }
    }
}

/// Puts bills in the book at `at`, and keeps count of them.
///
/// # Errors
///
/// [`BookError`]; what was written before it stays in the turn, and importing again brings it to the same end.
pub fn import_rows<S: Shelf>(
    shelf: &mut S,
    biller: BillerCode,
    rows: Vec<Row>,
    at: UnixMillis,
) -> Result<Vec<Change>, BookError<S::Error>> {
    let mut bills = book::count(shelf, biller)?;
    let mut put = |row: Row| {
        let held = find(shelf, biller, &row.psid)?;
        let (bill, change) = book::merge(held, row.bill, at);
        if matches!(change, Change::Added | Change::Updated) {
            store(shelf, biller, &row.psid, &bill)?;
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

/// Withdraws the bills that a full list came without, where they are unpaid and listed; says how many were.
///
/// # Errors
///
/// [`BookError`]; what was written before it stays in the turn.
fn withdraw<S: Shelf>(
    shelf: &mut S,
    biller: BillerCode,
    psids: &[Box<str>],
    at: UnixMillis,
) -> Result<u64, BookError<S::Error>> {
    let mut withdrawn = 0_u64;
    for psid in psids {
        let Some(mut held) = find(shelf, biller, psid)? else { continue };
        if held.bill.status != BillStatus::Paid && matches!(held.listing, Listing::Listed | Listing::Held) {
            held.listing = Listing::Withdrawn;
            held.note(at, Did::Withdrawn, "");
            store(shelf, biller, psid, &held)?;
            withdrawn = withdrawn.saturating_add(1);
        }
    }
    Ok(withdrawn)
}

/// Does what an operator wants done about one bill, and journals it with the reason; gives the bill back as it stands.
///
/// # Errors
///
/// [`BookError`] if the store cannot be read or written. An act that is refused is the inner error, and changes nothing.
fn act_on_bill(
    desk: &mut Desk,
    (at, date): (UnixMillis, BusinessDate),
    (biller, psid): (BillerCode, &str),
    act: &Act,
    why: &str,
) -> Result<Result<BookBill, ActFault>, BookError<JournalError>> {
    let Some(before) = find(desk, biller, psid)? else { return Ok(Err(ActFault::NoSuchBill)) };
    let mut bill = before.clone();
    let did = match bill.act(psid, act, at, why) {
        Ok(did) => did,
        Err(fault) => return Ok(Err(fault)),
    };
    if let (Act::Reissue { correction, .. }, Did::ReissuedAs(other)) = (act, &did)
        && **other != *psid
    {
        if find(desk, biller, other)?.is_some() {
            return Ok(Err(ActFault::Taken(other.clone())));
        }
        let successor = match before.successor(psid, other, correction, at, why) {
            Ok(successor) => successor,
            Err(fault) => return Ok(Err(fault)),
        };
        store(desk, biller, other, &successor)?;
        let bills = book::count(desk, biller)?.saturating_add(1);
        book::set_count(desk, biller, bills);
    }
    store(desk, biller, psid, &bill)?;
    let what = What::BillChanged { biller, psid: psid.into(), did: did.to_string().into(), why: why.into() };
    let record = Record {
        at,
        date,
        what,
        link: LinkName::EMPTY,
        stan: Stan::EMPTY,
        rrn: Rrn::EMPTY,
        payment: None,
        due: None,
        was_due: None,
        counted: None,
        evidence: Evidence::default(),
    };
    desk.record(&record).map_err(BookError::Store)?;
    Ok(Ok(bill))
}
