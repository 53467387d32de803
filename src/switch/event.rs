//! What goes into the switch and what comes out of it.

use super::{
    Alarm, Answer, Bill, BillRef, BillerTerms, Closing, Digest, Evidence, LinkTerms, Payment, Posting,
    Reason, Record, SendTotals, Totals, TotalsAnswer, TotalsRequest,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::clock::UnixMillis;
use crate::ids::{BillerCode, BusinessDate, LinkName, PaymentKey, Rrn, Short, Stan};
use crate::money::MinorUnits;

/// Where an answer goes: the composition root's handle to one request on one connection.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct AskId(pub u64);

/// One order to a biller; its outcome comes back under the same number.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LegId(pub u64);

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// A request came in on a link.
    Asked(Box<Ask>),
    /// A biller answered an order, or certainly did not get it.
    BillerReplied {
        /// The order.
        leg: LegId,
        /// What became of it.
        outcome: Outcome,
    },
    /// Time has passed: whatever is due happens.
    DeadlinePassed,
    /// A connection of the link came up; it has to sign on.
    LinkUp(LinkName),
    /// The link's last connection went down.
    LinkDown(LinkName),
    /// An open payment was found in the store at start: its deadline is now.
    Recovered {
        /// The payment as stored.
        payment: Box<Payment>,
        /// Its entry in the store's list of what is due.
        due: UnixMillis,
    },
    /// Whether there is so little room left in the store's file system that it is kept for what is open already.
    DiskLow(bool),
    /// The leg of a payment that is still owed something leaves the working store: it gets a new one as it stands.
    CarriedOver(Box<Payment>),
    /// A biller can be reached again: what is owed to it goes out.
    BillerUp(BillerCode),
    /// A biller cannot be reached: nothing that is owed to it goes out.
    BillerDown(BillerCode),
    /// An answer came in that nothing of ours had asked for on its link.
    Unasked(Box<Stray>),
    /// Totals of ours were found in the store at start that their link has not answered.
    TotalsOwed(LinkName, Box<Closing>),
    /// What was counted for a closed date, as [`Action::AddUp`] asked.
    AddedUp {
        /// Over this link.
        link: LinkName,
        /// For this date.
        date: BusinessDate,
        /// What it is.
        ours: Totals,
    },
    /// An acquirer has answered totals of ours.
    TotalsAnswered(Box<TotalsAnswer>),
    /// The operator's word.
    Operator(Operation),
}

/// An answer that nobody asked for: it is matched with nothing.
#[derive(Clone, Debug)]
pub struct Stray {
    /// The link it came in on.
    pub link: LinkName,
    /// Its message type.
    pub mti: Short<4>,
    /// DE 11; empty if absent.
    pub stan: Stan,
    /// DE 37; empty if absent.
    pub rrn: Rrn,
    /// The message without what may not be kept, for the journal.
    pub evidence: Evidence,
}

/// What an operator may tell the switch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Operation {
    /// Take no new inquiries and payments; what is in flight is finished.
    Drain,
    /// Move to the next business date.
    CutOver,
    /// Say what has become of a payment that was handed to people.
    Resolve {
        /// The payment as the store has it.
        payment: Box<Payment>,
        /// What has become of it.
        resolution: Resolution,
        /// How they know; at most 200 characters.
        why: Box<str>,
    },
    /// Refuse everything for this biller with 91.
    Block(BillerCode),
    /// Take it up again.
    Unblock(BillerCode),
    /// Deal by these terms from now on: with the same links and billers, reached as before.
    Configure {
        /// Every link's.
        links: Vec<LinkTerms>,
        /// Every biller's.
        billers: Vec<BillerTerms>,
    },
    /// A new configuration was refused, and everything stays as it is: to be journalled.
    KeepConfiguration,
}

/// What an operator has found out about a payment that only a person could resolve.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, clap::ValueEnum)]
pub enum Resolution {
    /// It is posted at the biller, and stays.
    Stands,
    /// Nothing is posted at the biller, or not any more; or, where a part is wanted back, that part.
    Undone,
    /// The biller is asked again, as at first.
    Again,
}

/// One request of an acquirer.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Where the answer goes.
    pub id: AskId,
    /// The link it came in on.
    pub link: LinkName,
    /// The message type it came as, for the record.
    pub mti: Short<4>,
    /// DE 11.
    pub stan: Stan,
    /// DE 37; empty if absent.
    pub rrn: Rrn,
    /// What it asks for.
    pub request: Request,
    /// The message without what may not be kept, for the journal.
    pub evidence: Evidence,
    /// It has waited so long for its turn that nothing new is begun for it; what may not be shed is done all the same.
    pub stale: bool,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub enum Request {
    /// Start taking this link's requests.
    SignOn,
    /// Stop taking them.
    SignOff,
    /// Are you there?
    Echo,
    /// Move to the next business date.
    CutOver {
        /// The day the network moves to, if it says so (DE 15: month and day).
        to: Option<Short<4>>,
    },
    /// Make MACs with another key from now on.
    ChangeKey(KeyChange),
    /// What is due on a bill?
    Inquiry(BillRef),
    /// Pay a bill; also its repeats.
    Payment(Box<PaymentRequest>),
    /// Know of a payment that was made without asking; also its repeats.
    Advice(Box<PaymentRequest>),
    /// Undo a payment; also its repeats.
    Reversal(Box<ReversalRequest>),
    /// Here is what we have counted: is it what you have?
    Totals(Box<TotalsRequest>),
    /// It cannot be carried out whatever it is; the answer says why.
    Refused {
        /// Why.
        reason: Reason,
        /// The first field at fault (DE 44), if a field is.
        bad_field: Option<u8>,
        /// It is a network management message.
        network: bool,
    },
}

impl Request {
    /// Whether it is a network management message: these pass before the link has signed on.
    #[must_use]
    pub const fn is_of_the_network(&self) -> bool {
        match self {
            Self::SignOn | Self::SignOff | Self::Echo | Self::CutOver { .. } | Self::ChangeKey(_) => true,
            Self::Inquiry(_) | Self::Payment(_) | Self::Advice(_) | Self::Reversal(_) | Self::Totals(_) => {
                false
            }
            Self::Refused { network, .. } => *network,
        }
    }
}

/// What the vault has made of a new key.
#[derive(Clone, Debug)]
pub enum KeyChange {
    /// It is taken.
    New(NewKeys),
    /// It is the one in use: its sender has not heard that it was taken.
    Same,
    /// It is not the key it was said to be, or the link has no use for one.
    Refused,
}

/// The keys of a link from now on, sealed by the vault. Its `Debug` tells the check value only.
#[derive(Clone)]
pub struct NewKeys {
    /// Check value of the new one, in hexadecimal.
    pub check_value: Short<6>,
    /// As the store keeps them.
    pub sealed: Bytes,
}

impl std::fmt::Debug for NewKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewKeys({})", self.check_value)
    }
}

/// A payment as asked for.
#[derive(Clone, Debug)]
pub struct PaymentRequest {
    /// What makes it the same payment.
    pub key: PaymentKey,
    /// The bill.
    pub bill: BillRef,
    /// What the acquirer debited.
    pub amount: MinorUnits,
    /// DE 49; empty if absent.
    pub currency: Short<3>,
    /// Channel code; empty if not told.
    pub channel: Short<4>,
    /// DE 15, if told: the month and day that it is settled on.
    pub settled_on: Option<Short<4>>,
    /// Over everything a repeat must share.
    pub digest: Digest,
    /// What the store knows under this key.
    pub prior: Prior,
}

/// A reversal as asked for.
#[derive(Clone, Debug)]
pub struct ReversalRequest {
    /// The payment to undo.
    pub original: PaymentKey,
    /// DE 4: what was debited, and is to be given back.
    pub amount: MinorUnits,
    /// DE 95: whether only a part of it is.
    pub replacement: Replacement,
    /// DE 15, if told: the month and day that the reversal itself is settled on.
    pub settled_on: Option<Short<4>>,
    /// It is told and not asked (0420 rather than 0400): answered once it is stored, without waiting for the biller.
    pub advice: bool,
    /// What the store knows under the original's key.
    pub prior: Prior,
}

/// What a reversal says is left of the payment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Replacement {
    /// Nothing: all of it is undone.
    None,
    /// This amount; the rest is given back.
    Amount(MinorUnits),
    /// Something that is no amount.
    Unreadable,
}

/// What the store knows under a key, looked up by whoever calls `step`.
#[derive(Clone, Debug)]
pub enum Prior {
    /// Nothing.
    Unknown,
    /// The payment, as it last stood.
    Known(Box<Payment>),
    /// Nothing on this link, but another link has a payment of that description.
    SomebodyElses,
}

/// What a biller did with an order.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The bill asked for.
    Found(Box<Bill>),
    /// Posted.
    Posted(Posting),
    /// Undone, or never there to be undone.
    Reversed,
    /// Understood and refused.
    Declined(Reason),
    /// The order certainly did not reach the biller.
    NotSent,
    /// Told of a payment for the first time, it says that it has it already: by a way of its own, or because another payment
    /// has come under the same numbers. Which, only people find out: to undo it might undo the other, and to tell of it again
    /// would be answered in the same way, whether it is posted or not.
    Duplicate,
    /// It may have arrived; there was no answer, or none that could be understood.
    Unknown,
}

/// Something to be done once the records of the turn are durable.
#[derive(Clone, Debug)]
pub enum Action {
    /// Answer a request.
    Answer {
        /// Which.
        ask: AskId,
        /// With what.
        answer: Answer,
    },
    /// Hand an order to a biller.
    Order {
        /// Its number.
        leg: LegId,
        /// The biller.
        biller: BillerCode,
        /// What to do.
        order: Order,
    },
    /// Look up what was counted for a closed date: [`Event::AddedUp`] is to follow in the same turn.
    AddUp {
        /// Over this link.
        link: LinkName,
        /// For this date.
        date: BusinessDate,
    },
    /// Send a link our totals.
    SendTotals(SendTotals),
    /// Make and check a link's MACs with these keys.
    UseKeys {
        /// The link.
        link: LinkName,
        /// Its keys.
        keys: NewKeys,
    },
    /// Tell the operator.
    Alarm(Alarm),
}

/// What a biller is told to do.
#[derive(Clone, Debug)]
pub enum Order {
    /// Say what is due.
    LookUp(BillRef),
    /// Post a payment, its amount split over its heads where the switch has seen the bill.
    Post {
        /// What to post.
        payment: Box<Payment>,
        /// It was sent before, and may have been posted: if so, that posting is the outcome, and there is no second. An
        /// advice comes so from the first: [`Payment::attempts`] is 1 then.
        again: bool,
    },
    /// Undo a payment. May come more than once; done once.
    Reverse {
        /// What to undo.
        payment: Box<Payment>,
        /// It was ordered before, and that may have arrived: a repeat (0421), where the first is a 0420.
        again: bool,
    },
}

/// What one step, or the steps of one turn, ask for: first the records, and when they are durable the actions.
#[derive(Debug, Default)]
pub struct Output {
    /// To be journalled, in order.
    pub records: Vec<Record>,
    /// To be done after that, in order.
    pub actions: Vec<Action>,
}
