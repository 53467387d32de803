//! The other way round: what the switch says to a department's host, and what it takes from the host's answers. Data as the
//! rest of a profile (`specs/README.md`); how a host is reached is none of its business.

mod load;
mod reply;
mod tables;
#[cfg(test)]
mod tests;
mod time;
mod word;
mod write;

use std::collections::BTreeMap;

use jiff::civil::DateTime;

use super::Profile;
use crate::ids::{ResponseCode, Short, Stan};
use crate::iso8583::{FieldPath, Message, Mti};
use crate::money::MinorUnits;
use crate::switch::{HeadAmount, Order, Payment, Reason};

pub(super) use load::outward;
pub(super) use tables::OutwardTable;
use time::TimeForm;
use word::Source;

/// The outward side of a profile, checked against its dialect when it was loaded.
#[derive(Debug)]
pub(super) struct Outward {
    inquiry: Saying,
    finds: Finds,
    /// Data elements of the answer to an inquiry that the payment gives back.
    keeps: Vec<u8>,
    payment: Saying,
    receipt: Vec<FieldPath>,
    authorisation: Vec<FieldPath>,
    reversal: Saying,
    /// A reversal of a part; none if the network has none.
    reduction: Option<Saying>,
    network: Saying,
    sign_on: Vec<u8>,
    sign_off: Vec<u8>,
    echo: Vec<u8>,
    /// What a host's configuration has to say of us.
    own: Vec<String>,
}

/// One kind of message that is sent, and what its answers mean.
#[derive(Debug)]
struct Saying {
    /// The type it is sent as at first, the second time, and so on; the last of them from then on.
    mti: Vec<Mti>,
    /// What it is made of, ascending.
    steps: Vec<Piece>,
    codes: BTreeMap<ResponseCode, Verdict>,
}

/// A data element of a message that is sent.
#[derive(Debug)]
enum Piece {
    Whole(u8, Source),
    /// What is inside one data element.
    Inside(u8, Vec<(Vec<u8>, Source)>),
}

/// What a response code says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    /// Done as told.
    Done,
    /// It has been told before, and did it then: ours, if we have told it before; else nobody knows whose.
    DoneIfAgain,
    /// Refused for certain.
    Refused(Reason),
    /// Nobody can tell what came of it.
    Unknown,
}

/// Where a bill stands in the answer to an inquiry.
#[derive(Debug)]
struct Finds {
    name: Vec<FieldPath>,
    status: Vec<FieldPath>,
    billing_month: Vec<FieldPath>,
    due_date: Dates,
    expiry_date: Dates,
    within_due: Vec<Amount>,
    after_due: Vec<Amount>,
    /// Of one payment, where the bill takes several or other amounts than the one due.
    minimum: Option<Amount>,
    maximum: Option<Amount>,
    /// A TLV element, repeated: head of account, `=`, amount.
    heads: Option<FieldPath>,
    /// Heads by place.
    head: Vec<Head>,
    /// Amounts that must be what is due, where the answer has them.
    agrees: Vec<Amount>,
    /// Where it shows whose payment has paid it, and what of a payment that was sent must be the same.
    paid_by: Vec<(FieldPath, FieldPath)>,
}

/// Places of dates, of which the earliest counts, and the forms they may have.
#[derive(Debug, Default)]
struct Dates {
    paths: Vec<FieldPath>,
    forms: Vec<TimeForm>,
}

/// A place of an amount.
#[derive(Debug)]
struct Amount {
    path: FieldPath,
    /// Where it says how many decimals it has; there must be none that counts.
    decimals: Option<FieldPath>,
}

/// A head of account by place: the sum of some amounts.
#[derive(Debug)]
struct Head {
    /// The first of these that there is.
    names: Vec<HeadName>,
    amounts: Vec<Amount>,
}

#[derive(Debug)]
enum HeadName {
    At(FieldPath),
    Called(Short<16>),
}

/// What a host knows us by: words for `own:…` in its profile.
pub type Own = BTreeMap<String, String>;

/// Something to be said to a department's host.
#[derive(Clone, Copy, Debug)]
pub enum Say<'a> {
    /// Here we are (0800, DE 70 = 001 or the like).
    SignOn,
    /// We leave.
    SignOff,
    /// Are you there?
    Echo,
    /// An order of the switch.
    Order(&'a Order),
}

/// What a message is made with beside what it says.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// What the host knows us by.
    pub own: &'a Own,
    /// What the host calls the department.
    pub product: &'a str,
    /// DE 49 of what it takes.
    pub currency: &'a str,
    /// For messages about no payment: a number that no other such message has had for long.
    pub number: u64,
    /// Now, UTC; a payment's messages have the payment's own time.
    pub utc: DateTime,
    /// The same moment where the switch is.
    pub local: DateTime,
}

/// What an answer is matched by (`acceptance.md`, hostile peers): the kind of message it answers, the trace number and the
/// time, and the institution and terminal where it has them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Identity {
    /// What the answer must share.
    pub key: AnswerKey,
    acquirer: Short<40>,
    terminal: Short<40>,
}

/// The part of an [`Identity`] that every answer has.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct AnswerKey {
    /// Version, class and function of the answer's message type.
    kind: Short<3>,
    /// DE 11, as it was sent.
    pub stan: Stan,
    /// DE 7 or the like, as it was sent.
    transmitted_at: Short<14>,
}

/// What a payment has told that a paid bill shows of its payment, in the profile's order; empty if the profile knows of none.
pub type Marks = Vec<Box<[u8]>>;

/// What must be remembered of an order to understand its answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Asked {
    /// A bill was asked for.
    LookUp,
    /// A payment was to be posted.
    Post {
        /// What was to be posted: what an answer tells as posted must be the same.
        amount: MinorUnits,
        /// How it splits.
        heads: Vec<HeadAmount>,
        /// Its number, for a receipt where the host gives none.
        trace: u64,
        /// It had been sent before.
        again: bool,
    },
    /// A payment was to be undone.
    Reverse {
        /// A part of it only.
        part: bool,
    },
    /// Who has paid a bill, because the repeat of its payment was refused as paid.
    WhoPaid {
        /// The payment.
        post: Box<Self>,
        /// What it has told; not empty.
        told: Marks,
    },
}

impl Asked {
    /// What is to be remembered of an order.
    #[must_use]
    pub fn of(order: &Order) -> Self {
        match order {
            Order::LookUp(_) => Self::LookUp,
            Order::Reverse { payment, .. } => Self::Reverse { part: payment.wanted_part().is_some() },
            Order::Post { payment, again } => Self::Post {
                amount: payment.amount,
                heads: payment.heads.clone(),
                trace: payment.trace,
                again: *again,
            },
        }
    }
}

impl Identity {
    /// Whether an answer that shares the key is to this: what it has of institution and terminal is ours. Some fill them
    /// up, with blanks or with zeros.
    #[must_use]
    pub fn is_answered_by(&self, answer: &Self) -> bool {
        let same = |sent: &Short<40>, told: &Short<40>| {
            let (sent, told) = (sent.as_str().trim(), told.as_str().trim());
            told.is_empty()
                || told == sent
                || told.strip_prefix(sent).is_some_and(|more| more.bytes().all(|byte| byte == b'0'))
        };
        same(&self.acquirer, &answer.acquirer) && same(&self.terminal, &answer.terminal)
    }
}

impl Profile {
    /// Whether a part of a payment can be given back by it.
    #[must_use]
    pub fn gives_parts_back(&self) -> bool {
        self.outward.as_ref().is_some_and(|outward| outward.reduction.is_some())
    }

    /// Whether it has an outward side: whether departments can be reached by it.
    #[must_use]
    pub const fn is_outward(&self) -> bool {
        self.outward.is_some()
    }

    /// What a host's configuration has to say of us, by name: `own:…` in the profile.
    #[must_use]
    pub fn own_words(&self) -> &[String] {
        self.outward.as_ref().map_or(&[], |outward| &outward.own)
    }

    /// What a message that was sent is answered by; none if it has no answer.
    #[must_use]
    pub fn identity_of(&self, sent: &Message<'_, '_>) -> Option<Identity> {
        let answer = sent.mti().to_response()?;
        self.identity(answer, sent)
    }

    /// What the repeat of a payment has told that its bill shows once it is paid; empty if the bill does not show it, or it is
    /// no such repeat.
    #[must_use]
    pub fn marks(&self, say: Say<'_>, sent: &Message<'_, '_>) -> Marks {
        if !matches!(say, Say::Order(Order::Post { again: true, .. })) {
            return Marks::new();
        }
        let pairs = self.outward.as_ref().map_or(&[][..], |outward| &outward.finds.paid_by);
        let value = |(_, told): &(FieldPath, FieldPath)| {
            sent.get(told).map(<[u8]>::trim_ascii).filter(|value| !value.is_empty()).map(Box::from)
        };
        pairs.iter().map(value).collect::<Option<_>>().unwrap_or_default()
    }

    /// What an answer says that it answers; none for what is no answer.
    #[must_use]
    pub fn answered_identity(&self, answer: &Message<'_, '_>) -> Option<Identity> {
        let mti = answer.mti();
        if mti.is_response() { self.identity(mti, answer) } else { None }
    }

    fn identity(&self, answer: Mti, message: &Message<'_, '_>) -> Option<Identity> {
        let kind = Short::new(answer.as_bytes().get(..3)?).ok()?;
        let stan = self.text(message, &self.paths.stan)?;
        let transmitted_at = self.text(message, &self.paths.transmitted_at).unwrap_or_default();
        Some(Identity {
            key: AnswerKey { kind, stan, transmitted_at },
            acquirer: self.text(message, &self.paths.acquirer).unwrap_or_default(),
            terminal: self.text(message, &self.paths.terminal).unwrap_or_default(),
        })
    }

    /// Whether a host's answer to a network message says yes.
    #[must_use]
    pub fn says_yes(&self, answer: &Message<'_, '_>) -> bool {
        let Some(outward) = &self.outward else { return false };
        self.code(answer).and_then(|code| outward.network.codes.get(&code)) == Some(&Verdict::Done)
    }

    /// The response code of a host's answer.
    #[must_use]
    pub fn code(&self, answer: &Message<'_, '_>) -> Option<ResponseCode> {
        ResponseCode::new(answer.field(self.response_code_field)?).ok()
    }
}

/// How often an order about a payment has been given before.
fn times_told(payment: &Payment, order: &Order) -> usize {
    match order {
        Order::LookUp(_) | Order::Post { again: false, .. } | Order::Reverse { again: false, .. } => 0,
        Order::Post { again: true, .. } => usize::from(payment.confirmations.max(1)),
        Order::Reverse { again: true, .. } => {
            payment.reversal.map_or(1, |reversal| usize::from(reversal.attempts.saturating_sub(1).max(1)))
        }
    }
}
