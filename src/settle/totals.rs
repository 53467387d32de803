//! Totals of links and dates, added up from the journal's legs: what the store keeps beside them must be the same.

use std::collections::BTreeMap;

use super::AuditError;
use crate::ids::{BusinessDate, LinkName};
use crate::journal::totals::all_totals;
use crate::journal::{JournalError, Store, ledger};
use crate::switch::{Tally, Totals};

/// What came of holding the totals that the store keeps against its legs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TotalsAudited {
    /// Totals of a link and a date that are what its legs add up to.
    pub agree: u64,
    /// Totals that are more than the legs that are left of their date: others of these are pruned here.
    pub uncheckable: u64,
    /// Up to this date, inclusive, totals may stand on legs that are pruned here; none if nothing is.
    pub pruned_to: Option<BusinessDate>,
}

/// Holds the totals of every link and date against the legs, also while the store is being written to: they only ever
/// grow, so that what the legs add up to lies between what is stored before they are read and what is after.
///
/// # Errors
///
/// [`AuditError`]: the first totals that disagree.
pub(super) fn audit_totals(store: &Store) -> Result<TotalsAudited, AuditError> {
    let before = all_totals(store)?;
    let legs = totals_of_legs(store)?;
    let after = all_totals(store)?;
    // After they were read, lest they be pruned meanwhile. A message may count for the date after the one it came on.
    let pruned = store.sealed_days().into_iter().filter(|day| day.pruned > 0).map(|day| day.date.next());
    let mut audited = TotalsAudited { pruned_to: pruned.max(), ..TotalsAudited::default() };
    let keys: std::collections::BTreeSet<_> = after.keys().chain(before.keys()).chain(legs.keys()).collect();
    for key in keys {
        let of = |all: &BTreeMap<_, Totals>| all.get(key).copied().unwrap_or_default();
        let (least, counted, most) = (of(&before), of(&legs), of(&after));
        if covers(&counted, &least) && covers(&most, &counted) {
            audited.agree = audited.agree.saturating_add(1);
        } else if covers(&most, &counted) && audited.pruned_to.is_some_and(|to| key.0 <= to) {
            audited.uncheckable = audited.uncheckable.saturating_add(1);
        } else {
            let (date, link) = *key;
            return Err(AuditError::Totals {
                date,
                link,
                stored: Box::new(most),
                counted: Box::new(counted),
            });
        }
    }
    Ok(audited)
}

/// Whether the one is nowhere less than the other.
const fn covers(more: &Totals, less: &Totals) -> bool {
    const fn both(more: &Tally, less: &Tally) -> bool {
        more.number >= less.number && more.amount >= less.amount
    }
    both(&more.debits, &less.debits) && both(&more.debit_reversals, &less.debit_reversals)
}

/// The totals of every link and date that any leg adds to, of those that are not pruned here.
///
/// # Errors
///
/// [`JournalError`] if the journal cannot be read.
pub fn totals_of_legs(store: &Store) -> Result<BTreeMap<(BusinessDate, LinkName), Totals>, JournalError> {
    let mut all: BTreeMap<(BusinessDate, LinkName), Totals> = BTreeMap::new();
    for leg in store.legs_left() {
        let (sequence, leg) = leg?;
        let record = ledger::from_leg(sequence, &leg)?;
        if let Some(counted) = record.counted {
            all.entry((counted.date, record.link)).or_default().count(&counted);
        }
    }
    Ok(all)
}
