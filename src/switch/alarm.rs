//! What a person should know of.

use super::{LegId, Reason, Reconciled};
use crate::ids::{BillerCode, BusinessDate, LinkName, PaymentKey, Stan};

/// What a person should know of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Alarm {
    /// A link asked to reverse a payment that another link made.
    ReversalBySomebodyElse {
        /// The link that asked.
        link: LinkName,
        /// The payment it described.
        original: PaymentKey,
    },
    /// A payment only a person can resolve.
    Exception {
        /// Which.
        key: PaymentKey,
        /// Whose.
        biller: BillerCode,
        /// Why.
        reason: Reason,
    },
    /// A biller approved a payment after the switch had closed it: it is reversed once more.
    LateApproval(PaymentKey),
    /// A biller approved a payment twice, each time with another receipt: it may have posted it twice.
    PostedTwice {
        /// Which.
        key: PaymentKey,
        /// Whose.
        biller: BillerCode,
    },
    /// An acquirer has counted otherwise.
    TotalsDiffer {
        /// Its link.
        link: LinkName,
        /// Both totals.
        reconciled: Reconciled,
    },
    /// An acquirer does not answer totals of ours.
    TotalsUnanswered {
        /// Its link.
        link: LinkName,
        /// The date they are for.
        date: BusinessDate,
    },
    /// A biller answered an order that nobody waits for.
    UnmatchedReply(LegId),
    /// A link sent a new key that is not what its check value says.
    KeyRefused(LinkName),
    /// The store's file system is almost full: new payments and inquiries are refused.
    DiskLow,
    /// A link answered what it was not asked.
    UnaskedAnswer {
        /// The link.
        link: LinkName,
        /// The answer's trace number.
        stan: Stan,
    },
}
