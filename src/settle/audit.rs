//! Whether the bill books say what the journal says: every payment that stands has paid its bill, and every bill that a
//! payment has paid has a payment that stands; and whether the totals of links and dates are what the legs add up to.

use std::collections::BTreeMap;

use thiserror::Error;

use super::totals::{TotalsAudited, audit_totals};
use crate::biller::book;
use crate::ids::{BillerCode, BusinessDate, LinkName, PaymentKey};
use crate::journal::{JournalError, Store, ledger};
use crate::switch::{Payment, Totals};

/// Times that something which disagrees is read again: live payments change both sides at once, but two reads do not
/// happen at once.
const READS: usize = 5;

/// How journal and books disagree.
#[derive(Debug, Error)]
pub enum AuditError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A bill cannot be read.
    #[error("{0}")]
    Book(String),
    /// A payment stands, and its bill is not paid by it.
    #[error(
        "payment {key} of {biller} stands in the journal, but has not paid its bill in the book: {ADVICE}"
    )]
    NotPaid {
        /// The payment.
        key: PaymentKey,
        /// The department.
        biller: BillerCode,
    },
    /// A bill is paid by a payment that does not stand.
    #[error("a bill of {biller} is paid in the book by {key}, which does not stand in the journal: {ADVICE}")]
    NotStanding {
        /// The payment the book names.
        key: PaymentKey,
        /// The department.
        biller: BillerCode,
    },
    /// Bills are missing.
    #[error("the book of {biller} holds {found} bills and should hold {noted}: {ADVICE}")]
    Count {
        /// The department.
        biller: BillerCode,
        /// How many were imported.
        noted: u64,
        /// How many there are.
        found: u64,
    },
    /// Totals are not what the legs add up to.
    #[error(
        "the totals of {link} on {date} are stored as {}, but its legs add up to {}: {ADVICE}",
        words(.stored),
        words(.counted)
    )]
    Totals {
        /// The business date.
        date: BusinessDate,
        /// The link.
        link: LinkName,
        /// What the store keeps.
        stored: Box<Totals>,
        /// What the legs add up to.
        counted: Box<Totals>,
    },
}

/// Totals in a line, in minor units.
fn words(Totals { debits, debit_reversals }: &Totals) -> String {
    let (given_back, back) = (debit_reversals.number, debit_reversals.amount);
    format!("{} paid ({} in all) and {given_back} given back ({back} in all)", debits.number, debits.amount)
}

/// What to do about a disagreement.
const ADVICE: &str = "keep a copy of the store as it is, and compare both with the acquirer's file before anything is \
                      corrected";

/// What agrees.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Audited {
    /// Payments that stand as posted.
    pub posted: u64,
    /// Bills paid by payments of the journal.
    pub paid_bills: u64,
    /// The totals of links and dates.
    pub totals: TotalsAudited,
}

/// Compares the books of `billers` and the totals of all links with the journal.
///
/// # Errors
///
/// [`AuditError`]: the first disagreement.
pub fn audit(store: &Store, billers: &[BillerCode]) -> Result<Audited, AuditError> {
    let mut audited = Audited::default();
    for found in ledger::payments(store) {
        let (_, leg) = found?;
        let payment = ledger::record_at(store, leg)?.payment.filter(|p| billers.contains(&p.biller));
        if let Some(payment) = payment.filter(|payment| payment.stands())
            && check_payment(store, &payment)?
        {
            audited.posted = audited.posted.saturating_add(1);
        }
    }
    for biller in billers {
        let paid = check_book(store, *biller)?;
        audited.paid_bills = audited.paid_bills.saturating_add(paid);
    }
    audited.totals = audit_totals(store)?;
    Ok(audited)
}

/// Whether the payment stands, and so has paid its bill; false if it no longer does, which a leg that is being sealed does not
/// tell.
fn check_payment(store: &Store, payment: &Payment) -> Result<bool, AuditError> {
    for _ in 0..READS {
        let stands = ledger::find(store, &payment.key)?.is_some_and(|now| now.stands());
        let bill = book_of(store, payment.biller, &payment.consumer)?;
        // A department that keeps its own bills has none here.
        let paid = bill.is_none_or(|paid_by| paid_by.as_ref() == Some(&payment.key));
        if paid || !stands {
            return Ok(stands);
        }
    }
    Err(AuditError::NotPaid { key: payment.key.clone(), biller: payment.biller })
}

/// Who paid a bill; none if the book does not have it.
fn book_of(store: &Store, biller: BillerCode, psid: &str) -> Result<Option<Option<PaymentKey>>, AuditError> {
    let Some(bytes) = store.get(&book::bill_key(biller, psid))? else { return Ok(None) };
    let bill =
        book::decode::<JournalError>(biller, &bytes).map_err(|error| AuditError::Book(error.to_string()))?;
    Ok(Some(bill.paid_by.map(|(key, _)| key)))
}

/// Counts the bills that payments have paid, having found each payment to stand.
fn check_book(store: &Store, biller: BillerCode) -> Result<u64, AuditError> {
    let prefix = book::bills_prefix(biller);
    let mut payers: BTreeMap<PaymentKey, String> = BTreeMap::new();
    let (mut found, mut paid) = (0_u64, 0_u64);
    for entry in store.scan(&prefix) {
        let (key, value) = entry?;
        found = found.saturating_add(1);
        let bill = book::decode::<JournalError>(biller, &value)
            .map_err(|error| AuditError::Book(error.to_string()))?;
        if let Some((payer, _)) = bill.paid_by {
            let psid = key.get(prefix.len()..).unwrap_or_default();
            payers.insert(payer, String::from_utf8_lossy(psid).into_owned());
        }
    }
    for (key, psid) in payers {
        if check_payer(store, biller, &key, &psid)? {
            paid = paid.saturating_add(1);
        }
    }
    let noted = bills(store, biller)?;
    if noted == found { Ok(paid) } else { Err(AuditError::Count { biller, noted, found }) }
}

/// Whether the payment stands; false if it has been undone meanwhile, and the bill with it, or if its date is pruned here,
/// so that nobody can say.
fn check_payer(store: &Store, biller: BillerCode, key: &PaymentKey, psid: &str) -> Result<bool, AuditError> {
    for _ in 0..READS {
        let payment = ledger::find(store, key)?;
        if payment.is_none() && ledger::may_be_pruned(store, key) {
            return Ok(false);
        }
        let stands = payment.is_some_and(|payment| payment.stands());
        let still = book_of(store, biller, psid)?.flatten().as_ref() == Some(key);
        if stands || !still {
            return Ok(stands);
        }
    }
    Err(AuditError::NotStanding { key: key.clone(), biller })
}

/// How many bills a department has in the book, as noted with each import.
///
/// # Errors
///
/// [`JournalError`] if the store cannot be read.
pub fn bills(store: &Store, biller: BillerCode) -> Result<u64, JournalError> {
    Ok(book::stored_count(store.get(&book::count_key(biller))?.as_deref()))
}
