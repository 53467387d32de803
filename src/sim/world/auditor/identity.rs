//! What a department knows a payment by, which is not what we know it by: each payment has one such identity, and each such
//! identity is that of one payment.

use std::collections::BTreeMap;

use super::{Account, Auditor};
use crate::clock::UnixMillis;
use crate::switch::Payment;

/// A payment, as a department can tell it from others. Its host is told the trace number and the time in digits that are made
/// of these (`domain.md` 3a; DE 11, 7, 12 and 13).
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::sim::world) struct Identity {
    trace: u64,
    taken_in: UnixMillis,
    consumer: Box<str>,
}

impl Identity {
    /// Of the payment in an order.
    pub(in crate::sim::world) fn of(payment: &Payment) -> Self {
        Self { trace: payment.trace, taken_in: payment.taken_in, consumer: payment.consumer.clone() }
    }
}

/// Identities seen, and whose each is.
#[derive(Debug, Default)]
pub(super) struct Identities {
    by_key: BTreeMap<Vec<u8>, Identity>,
    /// By trace number alone: no run is so long that there are not enough of them.
    by_trace: BTreeMap<u64, Vec<u8>>,
}

impl Auditor {
    /// An order about a payment leaves that a department knows by this.
    pub(in crate::sim::world) fn is_known_by(&mut self, key: &[u8], identity: Identity) {
        let Some(account) = self.accounts.get(key) else { return };
        let (rrn, consumer) = (account.rrn(), account.bought.consumer.clone());
        let trace = identity.trace;
        let named = *identity.consumer == *consumer;
        self.hold(1, named, || format!("payment {rrn} was ordered for another bill"));
        let owner = self.identities.by_trace.entry(trace).or_insert_with(|| key.to_vec()).clone();
        let other = self.accounts.get(&owner).map_or(0, Account::rrn);
        self.hold(1, owner == key, || {
            format!("payments {other} and {rrn} have the same trace number at their billers, {trace}")
        });
        let first = self.identities.by_key.entry(key.to_vec()).or_insert_with(|| identity.clone()).clone();
        self.hold(1, first == identity, || {
            format!("payment {rrn} was known at its biller by {first:?}, and now by {identity:?}")
        });
    }
}
