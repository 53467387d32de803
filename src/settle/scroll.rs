//! The daily scroll: a line for each payment of a department and business date that stands.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::clock::UnixMillis;
use crate::ids::{BillerCode, BusinessDate, LinkName, PaymentKey, Rrn, Short};
use crate::journal::{JournalError, Store, ledger};
use crate::money::{AmountError, MinorUnits};
use crate::switch::{HeadAmount, Payment};

/// Why a scroll could not be written.
#[derive(Debug, Error)]
pub enum ScrollError {
    /// The journal could not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The file could not be written.
    #[error("the scroll could not be written: {0}")]
    Write(#[from] csv::Error),
    /// The file could not be written.
    #[error("the scroll could not be written: {0}")]
    Flush(#[from] std::io::Error),
    /// More than twelve digits of minor units.
    #[error("the sum of a head is larger than any amount: {0}")]
    Sum(#[from] AmountError),
}

/// One line: a payment that stands.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ScrollLine {
    /// When it was posted, wall clock.
    pub at: UnixMillis,
    /// The bill.
    pub psid: String,
    /// What was paid.
    pub amount: MinorUnits,
    /// How it splits over heads of account.
    pub heads: Vec<HeadAmount>,
    /// Channel code.
    pub channel: Short<4>,
    /// The acquirer's link.
    pub acquirer: LinkName,
    /// Receipt number.
    pub receipt: Short<20>,
    /// DE 37.
    pub rrn: Rrn,
}

/// The payments of `biller` that count for `date` and stand, in the order in which they were posted. A payment counts for
/// the date it was taken in on; one that was undone, whenever that was, is not there.
///
/// # Errors
///
/// [`JournalError`] if the journal cannot be read.
pub fn scroll(
    store: &Store,
    biller: BillerCode,
    date: BusinessDate,
) -> Result<Vec<ScrollLine>, JournalError> {
    let mut standing: BTreeMap<PaymentKey, ScrollLine> = BTreeMap::new();
    for record in ledger::records_of(store, date) {
        let (_, record) = record?;
        let Some(payment) = record.payment.filter(|p| p.biller == biller && p.date == date) else { continue };
        match line(&payment) {
            Some(line) => drop(standing.insert(payment.key, line)),
            None => drop(standing.remove(&payment.key)),
        }
    }
    let mut lines: Vec<ScrollLine> = standing.into_values().collect();
    lines.sort_by(|a, b| (a.at, &a.receipt).cmp(&(b.at, &b.receipt)));
    Ok(lines)
}

fn line(payment: &Payment) -> Option<ScrollLine> {
    let posting = payment.posting.as_ref().filter(|_| payment.stands())?;
    Some(ScrollLine {
        at: posting.at,
        psid: payment.consumer.to_string(),
        amount: payment.amount,
        heads: posting.heads.clone(),
        channel: payment.channel,
        acquirer: payment.link,
        receipt: posting.receipt,
        rrn: Rrn::new(payment.key.parts().rrn).unwrap_or_default(),
    })
}

/// What a department got on one head of account.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct HeadLine {
    /// The head; empty for what does not split.
    pub head: Short<16>,
    /// The acquirer's link it came by.
    pub acquirer: LinkName,
    /// Payments with a part on it.
    pub payments: u64,
    /// Their parts, added up.
    pub amount: MinorUnits,
}

/// A scroll by head of account and acquirer.
///
/// # Errors
///
/// [`ScrollError::Sum`] if a sum is larger than any amount.
pub fn by_head(lines: &[ScrollLine]) -> Result<Vec<HeadLine>, ScrollError> {
    let mut heads: BTreeMap<(Short<16>, LinkName), HeadLine> = BTreeMap::new();
    for line in lines {
        let whole = [HeadAmount { head: Short::EMPTY, amount: line.amount }];
        let parts = if line.heads.is_empty() { whole.as_slice() } else { &line.heads };
        for part in parts {
            let (head, acquirer) = (part.head, line.acquirer);
            let none = || HeadLine { head, acquirer, payments: 0, amount: MinorUnits::ZERO };
            let sum = heads.entry((head, acquirer)).or_insert_with(none);
            sum.payments = sum.payments.saturating_add(1);
            sum.amount = sum.amount.plus(part.amount)?;
        }
    }
    Ok(heads.into_values().collect())
}
