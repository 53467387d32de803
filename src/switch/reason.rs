//! Why a request was refused, in the switch's own words. A profile turns a reason into a response code.

use serde::{Deserialize, Serialize};

/// Declares [`Reason`] together with the name each has in a profile file.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*) => {
        /// The outcome of a request. Inside the switch this is all there is; DE 39 is the profile's business
        /// (`domain.md` 3d).
        #[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        pub enum Reason {
            $($(#[doc = $doc])* $variant,)*
        }

        impl Reason {
            /// Every reason, in the order declared.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in a profile's `[codes]` table.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

reasons! {
    /// Done as asked.
    Approved = "approved",
    /// The department knows no such bill.
    NoSuchBill = "no_such_bill",
    /// Somebody paid it before.
    AlreadyPaid = "already_paid",
    /// The department holds the bill back.
    Blocked = "blocked",
    /// Past the hard expiry date.
    Expired = "expired",
    /// Not the amount that is due, or not in the biller's currency.
    AmountNotAccepted = "amount_not_accepted",
    /// Below the smallest amount that the department takes, or above the largest.
    OutsideLimits = "outside_limits",
    /// The department takes no payment of a bill that was not asked for before.
    InquiryNeeded = "inquiry_needed",
    /// The biller cannot be reached, is silent to an inquiry, closed or suspended, or the operator has blocked it.
    BillerUnavailable = "biller_unavailable",
    /// The link has not signed on.
    NotSignedOn = "not_signed_on",
    /// The switch is going down and takes no new work.
    Draining = "draining",
    /// No biller is configured for this code.
    NoBiller = "no_biller",
    /// The payment left and no answer was understood: it may have been posted.
    InDoubt = "in_doubt",
    /// The message cannot be decoded, or a field this request needs is missing.
    Malformed = "malformed",
    /// A message type, processing code or network management code outside the profile.
    Unsupported = "unsupported",
    /// The message's MAC is not the one that its link's key makes of it.
    MacWrong = "mac_wrong",
    /// A new key that is not the one its check value is of, or that its link has no use for.
    KeyRefused = "key_refused",
    /// The same key came before with other content.
    KeyReused = "key_reused",
    /// Nothing to reverse under this key on this link.
    OriginalUnknown = "original_unknown",
    /// The biller does not take payments back.
    NotReversible = "not_reversible",
    /// The payment's reversal came before it, or while it was on its way.
    ReversedFirst = "reversed_first",
    /// Too much is open on this link at once.
    Overloaded = "overloaded",
    /// A fault inside the switch or its biller's data.
    Internal = "internal",
}

impl Reason {
    /// Finds a reason by its name in a profile.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.name() == name)
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.name().replace('_', " "))
    }
}
