//! A payment: the business unit. What is stored of it, and the states it goes through.

use serde::{Deserialize, Serialize};

use super::{Bill, BillRef, CountedAs, HeadAmount, Partial, Reason, Reference, Totals};
use crate::clock::UnixMillis;
use crate::ids::{BillerCode, BusinessDate, LinkName, PaymentKey, Short};
use crate::money::MinorUnits;

/// A keyed digest of a request's content: tells a repeat from another request under the same key without keeping
/// the content.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Digest(pub [u8; 16]);

/// Where a payment stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum State {
    /// Taken in; nothing has left for the biller.
    Received,
    /// The order to post has left, or is about to: the biller may act on it.
    Sent,
    /// Posted at the biller. Stands.
    Posted,
    /// Refused; nothing was posted.
    Declined,
    /// In doubt, or told of after the fact: it is sent to the biller until it says posted or refused.
    Confirming,
    /// In doubt or taken back by the acquirer: the biller is being told to undo it.
    Reversing,
    /// Undone, or cancelled before it left.
    Reversed,
    /// Its reversal came first; should the payment still come, it is declined.
    ReversedFirst,
    /// Only a person can resolve it: the biller would not undo it, or could not be reached for too long.
    Exception,
}

impl State {
    /// Whether something is owed on it: by the biller, or by people.
    #[must_use]
    pub const fn is_owed(self) -> bool {
        match self {
            Self::Received | Self::Sent | Self::Confirming | Self::Reversing | Self::Exception => true,
            Self::Posted | Self::Declined | Self::Reversed | Self::ReversedFirst => false,
        }
    }

    /// The word people and programs are shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Sent => "sent",
            Self::Posted => "posted",
            Self::Declined => "declined",
            Self::Confirming => "confirming",
            Self::Reversing => "reversing",
            Self::Reversed => "reversed",
            Self::ReversedFirst => "reversed first",
            Self::Exception => "exception",
        }
    }
}

/// A payment as it is stored and taken up again.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Payment {
    /// What makes it the same payment.
    pub key: PaymentKey,
    /// The acquirer's link.
    pub link: LinkName,
    /// The department.
    pub biller: BillerCode,
    /// Consumer number or PSID.
    pub consumer: Box<str>,
    /// Channel code, DE 18 or the like; empty if not told.
    pub channel: Short<4>,
    /// What the acquirer debited; once a part of it was given back, what is left of that.
    pub amount: MinorUnits,
    /// The business date it was taken in on; it keeps it across a cutover.
    pub date: BusinessDate,
    /// Tells a repeat from other content.
    pub digest: Digest,
    /// Where it stands.
    pub state: State,
    /// What the acquirer was told; a repeat is told the same.
    pub answer: Option<Answer>,
    /// What was posted, once it was.
    pub posting: Option<Posting>,
    /// What became of a reversal, once there was one.
    pub reversal: Option<Reversal>,
    /// How the amount splits over heads of account, as the biller was told; empty where it splits by itself. Sent again,
    /// it is the same.
    pub heads: Vec<HeadAmount>,
    /// The acquirer has told of it after the fact (0220): it is done, and only the biller does not know yet.
    pub advice: bool,
    /// Orders to post given while it was being confirmed, but for those that certainly did not arrive.
    pub confirmations: u16,
    /// The date whose totals it counts for: that of its own message.
    pub totals_date: BusinessDate,
    /// How far it has been counted.
    pub counted: CountedAs,
    /// When it was taken in: what a biller is told of its time, however often.
    pub taken_in: UnixMillis,
    /// A number that no other payment of this store has: what a biller is told to know it by, however often.
    pub trace: u64,
    /// What the department wants to be told again with the payment; none as long as its bill has not been looked up and it
    /// has not been ordered to post: what was once sent is never looked up again, lest its repeat be another order.
    pub reference: Option<Reference>,
    /// What the acquirer has taken back of it, or wants back, where that is a part.
    pub part: Option<Partial>,
    /// How long the biller has been owed an order about it, while it is; kept with those that were handed to people.
    pub owed: Option<Owed>,
}

/// How long a payment has been owed an order. Time is counted on the clock that only moves forward while the process runs, and
/// on the wall clock only from one run to the next.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Owed {
    /// Milliseconds, as of `at`.
    pub age_ms: u64,
    /// Wall clock when this was written down.
    pub at: UnixMillis,
}

impl Payment {
    /// A payment of a bill about which nothing has been done or said: received, of no link or channel, without a number, and
    /// counted for the date it was taken in on.
    #[must_use]
    pub fn new(key: PaymentKey, bill: BillRef, amount: MinorUnits, date: BusinessDate) -> Self {
        Self {
            key,
            link: LinkName::EMPTY,
            biller: bill.biller,
            consumer: bill.consumer,
            channel: Short::EMPTY,
            amount,
            date,
            digest: Digest::default(),
            state: State::Received,
            answer: None,
            posting: None,
            reversal: None,
            heads: Vec::new(),
            advice: false,
            confirmations: 0,
            totals_date: date,
            counted: CountedAs::Nothing,
            taken_in: UnixMillis(0),
            trace: 0,
            reference: None,
            part: None,
            owed: None,
        }
    }

    /// Whether its acquirer has asked for it back; what the switch undoes by itself, it has not.
    pub(super) fn is_wanted_back(&self) -> bool {
        self.reversal.is_some_and(|reversal| reversal.totals_date.is_some())
    }

    /// Whether the switch first heard of it when it was made (0220): nothing was ordered before the orders to confirm.
    pub(super) fn was_made_unasked(&self) -> bool {
        self.advice && self.answer.as_ref().is_some_and(|answer| answer.reason == Reason::Approved)
    }

    /// Orders given to undo it or, while nobody wants it undone, to make it certain; those that certainly did not arrive are
    /// not counted.
    #[must_use]
    pub fn attempts(&self) -> u16 {
        match self.reversal {
            Some(reversal) if self.state != State::Confirming => reversal.attempts,
            Some(_) | None => self.confirmations,
        }
    }

    /// Whether, as far as is known, the biller holds it as paid: it was posted, and no reversal has been confirmed. One
    /// that only a person can resolve still stands if it was posted.
    #[must_use]
    pub const fn stands(&self) -> bool {
        match self.state {
            State::Posted => true,
            State::Confirming | State::Reversing | State::Exception => self.posting.is_some(),
            State::Received | State::Sent | State::Declined | State::Reversed | State::ReversedFirst => false,
        }
    }
}

/// A posting at a biller.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Posting {
    /// The department's receipt number, unique and short enough to read out.
    pub receipt: Short<20>,
    /// Six digits for DE 38.
    pub authorisation: Short<6>,
    /// When.
    pub at: UnixMillis,
    /// How the amount splits over heads of account; the parts sum to the amount.
    pub heads: Vec<HeadAmount>,
}

/// The undoing of a payment.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Reversal {
    /// What the acquirer was told, and is told again; `None` while it waits, or if only the switch asked.
    pub answer: Option<Reason>,
    /// Orders to undo given so far, but for those that certainly did not arrive.
    pub attempts: u16,
    /// The date whose totals it counts for; `None` if only the switch asked.
    pub totals_date: Option<BusinessDate>,
}

/// What an acquirer is told.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Answer {
    /// The outcome.
    pub reason: Reason,
    /// The first field at fault, where the message was.
    pub bad_field: Option<u8>,
    /// What it is about, if anything was found.
    pub about: About,
}

/// What an answer tells beside the outcome.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum About {
    /// The outcome only.
    Nothing,
    /// A bill that was found.
    Bill(Box<Bill>),
    /// A payment that was posted.
    Posted {
        /// Receipt, authorisation, heads and time.
        posting: Posting,
        /// The business date it counts for.
        date: BusinessDate,
    },
    /// Totals, held against the acquirer's.
    Totals {
        /// The date they are for.
        date: BusinessDate,
        /// What we have counted.
        ours: Totals,
        /// Whether the acquirer has counted the same.
        agree: bool,
    },
}

impl Answer {
    /// The outcome, and nothing more.
    #[must_use]
    pub const fn plain(reason: Reason) -> Self {
        Self { reason, bad_field: None, about: About::Nothing }
    }
}
