//! Looking things up in the journal.

use std::collections::BTreeMap;

use crate::ids::PaymentKey;
use crate::journal::{JournalError, Store, ledger};
use crate::switch::{Payment, Record, What};

/// Most payments one look-up gives.
const FOUND_MAX: usize = 1000;

/// A payment and its legs with their sequences, oldest first.
pub type Found = (Payment, Vec<(u64, Record)>);

/// The payments with this RRN and this STAN, where given.
///
/// # Errors
///
/// [`JournalError`] if the journal cannot be read.
pub fn find_payments(
    store: &Store,
    rrn: Option<&str>,
    stan: Option<&str>,
) -> Result<Vec<Found>, JournalError> {
    let mut found: BTreeMap<PaymentKey, Found> = BTreeMap::new();
    for key in ledger::payment_keys(store) {
        let key = key?;
        let parts = key.parts();
        let wanted = rrn.is_none_or(|rrn| parts.rrn == rrn.as_bytes())
            && stan.is_none_or(|stan| parts.stan == stan.as_bytes());
        if wanted
            && found.len() < FOUND_MAX
            && let Some(payment) = ledger::find(store, &key)?
        {
            found.insert(key, (payment, Vec::new()));
        }
    }
    if !found.is_empty() {
        gather_legs(store, &mut found)?;
    }
    Ok(found.into_values().collect())
}

fn gather_legs(store: &Store, found: &mut BTreeMap<PaymentKey, Found>) -> Result<(), JournalError> {
    let keys: Vec<PaymentKey> = found.keys().cloned().collect();
    for record in ledger::records_about(store, &keys)? {
        let (sequence, record) = record?;
        let of = match record.key() {
            Some(key) => found.get_mut(key),
            // A request is recorded before it is known what it is about: it belongs where its numbers do.
            None => found.values_mut().find(|(payment, _)| {
                let parts = payment.key.parts();
                let same_rrn = !record.rrn.is_empty() && parts.rrn == record.rrn.as_bytes();
                let same = parts.stan == record.stan.as_bytes() && payment.link == record.link;
                // A host has trace numbers of its own, and the acquirer's reference: what it says unasked belongs there.
                same_rrn && (same || matches!(record.what, What::Unasked { .. }))
            }),
        };
        if let Some((_, legs)) = of {
            legs.push((sequence, record));
        }
    }
    Ok(())
}

/// The latest `count` legs, oldest first.
///
/// # Errors
///
/// [`JournalError`] if the journal cannot be read.
pub fn tail(store: &Store, count: u64) -> Result<Vec<(u64, Record)>, JournalError> {
    store
        .last_legs(count)
        .map(|leg| leg.and_then(|(sequence, leg)| Ok((sequence, ledger::from_leg(sequence, &leg)?))))
        .collect()
}
