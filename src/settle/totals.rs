//! Totals of links and dates, added up from the journal's legs: what the store keeps beside them must be the same.

use std::collections::BTreeMap;

use crate::ids::{BusinessDate, LinkName};
use crate::journal::{JournalError, Store, ledger};
use crate::switch::Totals;

/// The totals of every link and date that any leg adds to.
///
/// # Errors
///
/// [`JournalError`] if the journal cannot be read.
pub fn totals_of_legs(store: &Store) -> Result<BTreeMap<(BusinessDate, LinkName), Totals>, JournalError> {
    let mut all: BTreeMap<(BusinessDate, LinkName), Totals> = BTreeMap::new();
    for leg in store.legs(1) {
        let (sequence, leg) = leg?;
        let record = ledger::from_leg(sequence, &leg)?;
        if let Some(counted) = record.counted {
            all.entry((counted.date, record.link)).or_default().count(&counted);
        }
    }
    Ok(all)
}
