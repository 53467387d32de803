//! What the switch has to know of links and billers to treat them rightly.

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
    /// How long it may take before a payment is in doubt.
    pub reply_timeout_ms: u64,
    /// Whether a posted payment can be undone.
    pub reversible: bool,
    /// Pause before the second order to reverse; it doubles with each further one.
    pub reversal_retry_ms: u64,
    /// Orders to reverse given before the payment becomes an exception.
    pub reversal_attempts_max: u16,
}

/// The terms of an acquirer's link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LinkTerms {
    /// Its name.
    pub name: LinkName,
    /// Requests of this link that may wait for a biller at once; the next is declined. Reversals always get in.
    pub in_flight_max: u32,
}
