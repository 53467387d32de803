//! Looking bills up in a bill book.

use serde::{Deserialize, Serialize};

use super::AuditError;
use crate::biller::book::{self, BookBill, Listing, Note};
use crate::ids::{BillerCode, BusinessDate, PaymentKey};
use crate::journal::{JournalError, Store};
use crate::money::MinorUnits;
use crate::switch::{Bill, BillStatus, Posting};

/// A bill with all that the book knows of it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct BillFound {
    /// What it is called by.
    pub psid: Box<str>,
    /// How it stands, in words.
    pub state: String,
    /// The PSID under which it was issued anew, if it was.
    #[serde(default)]
    pub replaced_by: Option<Box<str>>,
    /// What is to be paid today, in minor units; none if nothing can be.
    pub due_now: Option<MinorUnits>,
    /// What it says.
    pub bill: Bill,
    /// The payment that paid it here.
    pub paid_by: Option<(PaymentKey, Posting)>,
    /// What was done to it, oldest first.
    pub notes: Vec<Note>,
    /// Older notes that found no room.
    pub notes_dropped: u32,
}

/// How a bill stands, to search by.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, clap::ValueEnum)]
pub enum BillState {
    /// It can be paid, early or late.
    Unpaid,
    /// It can be paid, and its due date has passed.
    Overdue,
    /// Nobody paid it in time.
    Expired,
    /// Paid here, or elsewhere as the department says.
    Paid,
    /// Held back by the department or an operator.
    Blocked,
    /// A full list came without it.
    Withdrawn,
    /// Cancelled, or replaced by another.
    Cancelled,
}

/// Which bills are looked for; what is not said does not matter.
#[derive(Clone, Debug, Default, Deserialize, Serialize, clap::Args)]
pub struct BillQuery {
    /// PSIDs that begin so
    #[arg(long, value_name = "DIGITS")]
    pub psid: Option<String>,
    /// Names that hold this, whatever its case
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// How they stand
    #[arg(long, value_enum)]
    pub state: Option<BillState>,
}

impl BillFound {
    fn new(psid: &str, held: BookBill, date: BusinessDate) -> Self {
        let shown = held.shown();
        let due_now = shown.and_then(|bill| bill.due_on(date).ok());
        let state = match (&held.listing, state(&held, date)) {
            (Listing::Replaced(other), BillState::Cancelled) => format!("replaced by {other}"),
            (Listing::Held, BillState::Blocked) => "blocked by an operator".to_owned(),
            (_, BillState::Blocked) => "blocked by the department".to_owned(),
            (_, BillState::Paid) if held.paid_by.is_none() => "paid elsewhere".to_owned(),
            (_, BillState::Paid) => "paid".to_owned(),
            (_, BillState::Unpaid) => "unpaid".to_owned(),
            (_, BillState::Overdue) => "overdue".to_owned(),
            (_, BillState::Expired) => "expired".to_owned(),
            (_, BillState::Withdrawn) => "withdrawn".to_owned(),
            (_, BillState::Cancelled) => "cancelled".to_owned(),
        };
        let BookBill { bill, paid_by, notes, notes_dropped, listing } = held;
        let replaced_by = if let Listing::Replaced(other) = listing { Some(other) } else { None };
        Self { psid: psid.into(), state, replaced_by, due_now, bill, paid_by, notes, notes_dropped }
    }
}

fn state(held: &BookBill, date: BusinessDate) -> BillState {
    match (held.bill.status, &held.listing) {
        (BillStatus::Paid, _) => BillState::Paid,
        (_, Listing::Withdrawn) => BillState::Withdrawn,
        (_, Listing::Cancelled | Listing::Replaced(_)) => BillState::Cancelled,
        (BillStatus::Blocked, _) | (_, Listing::Held) => BillState::Blocked,
        (BillStatus::Unpaid | BillStatus::Partial(_), Listing::Listed) if date > held.bill.expiry_date => {
            BillState::Expired
        }
        (BillStatus::Unpaid | BillStatus::Partial(_), Listing::Listed) if date > held.bill.due_date => {
            BillState::Overdue
        }
        (BillStatus::Unpaid | BillStatus::Partial(_), Listing::Listed) => BillState::Unpaid,
    }
}

impl BillQuery {
    fn fits(&self, psid: &str, held: &BookBill, date: BusinessDate) -> bool {
        let state = state(held, date);
        let stands = |wanted| match wanted {
            BillState::Unpaid => matches!(state, BillState::Unpaid | BillState::Overdue),
            BillState::Overdue
            | BillState::Expired
            | BillState::Paid
            | BillState::Blocked
            | BillState::Withdrawn
            | BillState::Cancelled => state == wanted,
        };
        let lower = |text: &str| text.to_lowercase();
        self.psid.as_ref().is_none_or(|begin| psid.starts_with(begin.as_str()))
            && self.name.as_ref().is_none_or(|name| lower(&held.bill.name).contains(&lower(name)))
            && self.state.is_none_or(stands)
    }
}

/// One bill as it stands on `date`, if the book has it.
///
/// # Errors
///
/// [`AuditError`] if it cannot be read.
pub fn bill(
    store: &Store,
    biller: BillerCode,
    psid: &str,
    date: BusinessDate,
) -> Result<Option<BillFound>, AuditError> {
    let Some(stored) = store.get(&book::bill_key(biller, psid))? else { return Ok(None) };
    Ok(Some(BillFound::new(psid, decoded(biller, &stored)?, date)))
}

/// The first `limit` bills that fit, in order of their PSIDs from behind `after`; and behind which to go on, if there are more.
///
/// # Errors
///
/// [`AuditError`] if they cannot be read.
pub fn find_bills(
    store: &Store,
    biller: BillerCode,
    query: &BillQuery,
    after: Option<&str>,
    limit: usize,
    date: BusinessDate,
) -> Result<(Vec<BillFound>, Option<Box<str>>), AuditError> {
    let all = book::bills_prefix(biller);
    let prefix = query.psid.as_ref().map_or_else(|| all.clone(), |psid| book::bill_key(biller, psid));
    let after = after.map(|psid| book::bill_key(biller, psid));
    let mut found: Vec<BillFound> = Vec::new();
    for entry in store.scan_behind(&prefix, after.as_deref()) {
        let (key, value) = entry?;
        let psid = key.get(all.len()..).unwrap_or_default();
        let psid = String::from_utf8_lossy(psid);
        let held = decoded(biller, &value)?;
        if !query.fits(&psid, &held, date) {
            continue;
        }
        if found.len() >= limit {
            let next = found.last().map(|bill| bill.psid.clone());
            return Ok((found, next));
        }
        found.push(BillFound::new(&psid, held, date));
    }
    Ok((found, None))
}

fn decoded(biller: BillerCode, stored: &[u8]) -> Result<BookBill, AuditError> {
    book::decode::<JournalError>(biller, stored).map_err(|error| AuditError::Book(error.to_string()))
}
