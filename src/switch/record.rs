//! What the switch wants journalled: one record a leg, and the payment as it stands after it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Closing, ClosingEnd, Counted, Payment, Reason, Reconciled, Resolution};
use crate::clock::UnixMillis;
use crate::ids::{BillerCode, BusinessDate, LinkName, PaymentKey, Rrn, Short, Stan};

/// One leg, or one decision, with all that is needed to take it up again.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Record {
    /// Wall-clock time.
    pub at: UnixMillis,
    /// The business date it counts for.
    pub date: BusinessDate,
    /// What happened.
    pub what: What,
    /// The acquirer's link; empty for what concerns none.
    pub link: LinkName,
    /// DE 11; empty for what has none.
    pub stan: Stan,
    /// DE 37; empty for what has none.
    pub rrn: Rrn,
    /// The payment as it stands after this leg.
    pub payment: Option<Box<Payment>>,
    /// Until when (wall clock) the payment waits for something; none once it waits for nothing.
    pub due: Option<UnixMillis>,
    /// What `due` was before this record: the entry it replaces.
    pub was_due: Option<UnixMillis>,
    /// What it adds to the totals of the payment's link.
    pub counted: Option<Counted>,
    /// The message without what may not be kept. Stored behind the rest as it is.
    #[serde(skip)]
    pub evidence: Evidence,
}

/// A message without what may not be kept. Its `Debug` tells the length only.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Evidence(pub Bytes);

impl std::fmt::Debug for Evidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Evidence({} bytes)", self.0.len())
    }
}

/// What a record tells of.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum What {
    /// A request came in.
    Asked {
        /// Its message type.
        mti: Short<4>,
    },
    /// An answer came in to nothing that we had asked.
    Unasked {
        /// Its message type.
        mti: Short<4>,
    },
    /// It was answered.
    Answered {
        /// With what.
        reason: Reason,
    },
    /// An order left for a biller.
    Ordered(Ordered, BillerCode),
    /// The biller answered it.
    Replied(Replied, BillerCode),
    /// The same, after the deadline: nothing is forwarded.
    RepliedLate(Replied, BillerCode),
    /// No answer by the deadline.
    TimedOut(Ordered, BillerCode),
    /// An operator has said what has become of it, and how they know.
    Resolved(Resolution, Box<str>),
    /// Found in the list of what is due, with nothing owed.
    Settled,
    /// The payment was handed to people.
    GaveUp(Reason),
    /// The business date moved to the record's date.
    CutOver,
    /// The link's MACs are made with another key.
    KeyChanged {
        /// Its check value, in hexadecimal.
        check_value: Short<6>,
    },
    /// The operator blocked a biller, or took it up again.
    Blocked(BillerCode, bool),
    /// A new configuration came into force, or was refused whole.
    Configured(bool),
    /// An acquirer's totals were held against ours.
    Reconciled(Box<Reconciled>),
    /// The legs before it are sealed, and something is still owed on the payment: it stands as it stood.
    CarriedOver,
    /// The operator changed a bill of a department whose bills are in our own store.
    BillChanged {
        /// The department.
        biller: BillerCode,
        /// The bill.
        psid: Box<str>,
        /// What was done, in words.
        did: Box<str>,
        /// The operator's reason.
        why: Box<str>,
    },
    /// How our own totals of a closed date stand with the link that is to have them.
    Closing(Box<Closing>),
}

/// An order in a record.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Ordered {
    /// Say what is due.
    LookUp,
    /// Post.
    Post,
    /// Undo.
    Reverse,
}

/// An outcome in a record.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Replied {
    /// The bill.
    Found,
    /// Posted.
    Posted,
    /// Undone.
    Reversed,
    /// Refused.
    Declined(Reason),
    /// Certainly not sent.
    NotSent,
    /// Nothing that could be understood.
    Unknown,
}

impl Record {
    /// Whether what follows from it may only leave once it is on disk.
    #[must_use]
    pub const fn moves_money(&self) -> bool {
        self.payment.is_some()
            || matches!(
                self.what,
                What::CutOver
                    | What::KeyChanged { .. }
                    | What::Blocked(..)
                    | What::Configured(_)
                    | What::BillChanged { .. }
                    | What::Reconciled(_)
                    | What::Closing(_)
            )
    }

    /// The payment's key, if it is about one.
    #[must_use]
    pub fn key(&self) -> Option<&PaymentKey> {
        self.payment.as_ref().map(|payment| &payment.key)
    }
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Asked { mti } => write!(f, "asked {mti}"),
            Self::Unasked { mti } => write!(f, "an answer to nothing we asked, {mti}"),
            Self::Answered { reason } => write!(f, "answered: {reason}"),
            Self::Ordered(order, biller) => write!(f, "{biller} told to {order}"),
            Self::Replied(reply, biller) => write!(f, "{biller} replied: {reply}"),
            Self::RepliedLate(reply, biller) => write!(f, "{biller} replied late: {reply}"),
            Self::TimedOut(order, biller) => write!(f, "{biller} silent on the order to {order}"),
            Self::Resolved(Resolution::Stands, why) => write!(f, "resolved, it stands: {why}"),
            Self::Resolved(Resolution::Undone, why) => write!(f, "resolved, undone: {why}"),
            Self::Resolved(Resolution::Again, why) => write!(f, "resolved, the biller is asked again: {why}"),
            Self::Settled => f.write_str("nothing owed"),
            Self::GaveUp(reason) => write!(f, "given up: {reason}"),
            Self::CutOver => f.write_str("business date moved"),
            Self::KeyChanged { check_value } => write!(f, "new MAC key, check value {check_value}"),
            Self::Blocked(biller, true) => write!(f, "{biller} blocked"),
            Self::Blocked(biller, false) => write!(f, "{biller} unblocked"),
            Self::Configured(true) => f.write_str("a new configuration in force"),
            Self::Configured(false) => f.write_str("a new configuration refused"),
            Self::Reconciled(it) if it.agree() => write!(f, "totals of {} agree", it.date),
            Self::Reconciled(it) => write!(f, "totals of {} differ", it.date),
            Self::CarriedOver => f.write_str("carried over"),
            Self::Closing(closing) => tell_closing(closing, f),
            Self::BillChanged { biller, psid, did, why } => write!(f, "{biller} bill {psid} {did}: {why}"),
        }
    }
}

fn tell_closing(closing: &Closing, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    let date = closing.date;
    match (&closing.end, &closing.sent) {
        (Some(ClosingEnd::Answered { agree: true, .. }), _) => {
            write!(f, "our totals of {date} are agreed to")
        }
        (Some(ClosingEnd::Answered { agree: false, .. }), _) => write!(f, "our totals of {date} differ"),
        (Some(ClosingEnd::GivenUp), _) => write!(f, "our totals of {date} are not answered"),
        (None, Some(sent)) => match sent.code {
            Some(code) => write!(f, "our totals of {date} answered {code}, which settles nothing"),
            None => write!(f, "our totals of {date} sent, {} times by now", sent.times),
        },
        (None, None) => write!(f, "our totals of {date} to be sent"),
    }
}

impl std::fmt::Display for Ordered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::LookUp => "look up",
            Self::Post => "post",
            Self::Reverse => "reverse",
        })
    }
}

impl std::fmt::Display for Replied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Found => f.write_str("found"),
            Self::Posted => f.write_str("posted"),
            Self::Reversed => f.write_str("reversed"),
            Self::Declined(reason) => write!(f, "declined, {reason}"),
            Self::NotSent => f.write_str("not sent"),
            Self::Unknown => f.write_str("nothing understood"),
        }
    }
}
