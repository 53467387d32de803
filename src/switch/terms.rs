//! What the switch has to know of links and billers to treat them rightly.

use std::sync::Arc;

use serde::Deserialize;

use super::{Rules, TotalsTerms};
use crate::ids::{BillerCode, LinkName, Short};

/// The terms on which a department is paid (`domain.md` 3b).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BillerTerms {
    /// What requests call it.
    pub code: BillerCode,
    /// Its bills are kept in our own store, so that its orders are answered within the turn that gives them and
    /// nothing ever leaves the process.
    pub embedded: bool,
    /// The bill is looked up, and the amount checked against it, before the order to post is given.
    pub looks_up_first: bool,
    /// DE 49 of the only currency it takes.
    pub currency: Short<3>,
    /// The head of account that gets the surcharge of a late payment; the bill's first head if none is named.
    pub surcharge_head: Option<Short<16>>,
    /// Which payments it takes, when, and how they split.
    pub rules: Arc<Rules>,
    /// How long it may take before a payment is in doubt.
    pub reply_timeout_ms: u64,
    /// Whether a posted payment can be undone.
    pub reversible: bool,
    /// Whether a part of a posted payment can be undone.
    pub takes_parts_back: bool,
    /// What is done about a payment whose order to post was not answered.
    pub in_doubt: InDoubt,
    /// Pause before an order is given a second time; it doubles with each further one, up to five minutes, and is up to a
    /// quarter longer or shorter.
    pub retry_ms: u64,
    /// Orders to reverse, or to confirm, given before the payment becomes an exception. Those that certainly did not arrive
    /// are not counted.
    pub attempts_max: u16,
    /// How long an order may be owed before the payment becomes an exception.
    pub forward_age_max_ms: u64,
    /// Orders owed that are at the biller at once, but for those that an acquirer waits for.
    pub forward_in_flight_max: u32,
    /// Orders owed that are given a second; 1 to 1,000,000.
    pub forward_per_second: u32,
    /// Payments open at the biller at once: sent and not answered, or owed an order. New ones beyond that are declined.
    pub in_doubt_max: u32,
}

/// What is done about a payment that may or may not have been posted (`domain.md` 3c).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum InDoubt {
    /// The biller is told to undo it.
    Reverse,
    /// It is sent again, in all its parts the same, until the biller says posted or refused: for billers that know a
    /// repeat when they see one, and perhaps cannot undo.
    Confirm,
}

/// The terms of an acquirer's link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LinkTerms {
    /// Its name.
    pub name: LinkName,
    /// Requests of this link that may wait for a biller at once; the next is declined. Reversals always get in.
    pub in_flight_max: u32,
    /// How it is sent our totals; none if it is not.
    pub totals: Option<TotalsTerms>,
}
