//! The rules by which a department takes payments (`domain.md` 3b): which bills are its own, which amounts it accepts,
//! when it is open, whether a payment needs an inquiry before it, and how an amount splits over heads of account.

mod amounts;
mod heads;
mod hours;
mod inquired;
mod psid;
#[cfg(test)]
mod tests;

pub use amounts::{Exactness, Late, Limits, Share, Stage};
pub use heads::{HeadRule, Part};
pub use hours::{Hours, Span, Window};
pub(super) use inquired::Inquired;
pub use psid::{CheckDigit, Pattern, PsidRule};

use super::{BillRef, HeadAmount, Payment, PaymentRequest, Reason, Switch};
use crate::clock::{Now, UnixMillis};
use crate::ids::{BillerCode, LinkName, Short};
use crate::money::MinorUnits;

/// What a department asks of payments of its bills. Without any of it, it takes what it is sent.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rules {
    /// What its bills are called.
    pub psid: Option<PsidRule>,
    /// Which amounts are accepted for a bill. None: the one that is due, where the bill is looked up before it is paid;
    /// where it is not, the department sees to it.
    pub exactness: Option<Exactness>,
    /// Smallest and largest payment.
    pub limits: Limits,
    /// The same for payments of one channel, beside those for all.
    pub channels: Vec<(Short<4>, Limits)>,
    /// What is due after the due date.
    pub late: Late,
    /// Whether an expired bill is refused at inquiry, and at payment.
    pub expiry: Expiry,
    /// When it takes inquiries and payments; none if always.
    pub hours: Option<Hours>,
    /// Meanwhile it takes none.
    pub suspended: Option<Span>,
    /// Inquiries before payments.
    pub inquiry: Inquiries,
    /// How an amount splits, where the bill does not say.
    pub heads: Vec<HeadRule>,
    /// Requests for other codes, or for none of ours, that are for it all the same.
    pub routes: Vec<Route>,
}

/// When the hard expiry date of a bill counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Expiry {
    /// It is told at inquiry that the bill has expired.
    pub at_inquiry: bool,
    /// An expired bill cannot be paid.
    pub at_payment: bool,
}

impl Default for Expiry {
    fn default() -> Self {
        Self { at_inquiry: true, at_payment: true }
    }
}

/// Whether there are inquiries at a department, and whether a payment needs one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Inquiries {
    /// A payment is refused unless the bill was asked for on the same link, and found payable, within so many
    /// milliseconds. That is remembered in memory only: after a restart the acquirer asks again.
    Mandatory {
        /// For how long an inquiry counts.
        valid_ms: u64,
    },
    /// As the acquirer likes.
    #[default]
    Optional,
    /// There are none: they are refused.
    None,
}

/// Requests that are for a department although they do not name it by its code.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Route {
    /// The code they name; none for all codes that are nobody's.
    pub code: Option<BillerCode>,
    /// How their bill's number begins; may be empty where there is a code.
    pub prefix: Box<str>,
}

impl Rules {
    /// Whether a bill has to be looked up before it is paid, for the rules to be kept.
    #[must_use]
    pub fn need_the_bill(&self) -> bool {
        self.exactness.is_some() || self.late != Late::Bill || self.expiry != Expiry::default()
    }

    /// Whether it takes inquiries and payments at this time.
    fn is_open(&self, at: UnixMillis) -> bool {
        let closed = self.suspended.as_ref().is_some_and(|span| span.holds(at));
        !closed && self.hours.as_ref().is_none_or(|hours| hours.hold(at))
    }

    /// What is wrong with a bill's number, or with the time, if anything.
    fn refuse(&self, now: Now, bill: &BillRef) -> Result<(), Reason> {
        if !self.is_open(now.wall) {
            return Err(Reason::BillerUnavailable);
        }
        let own = self.psid.as_ref().is_none_or(|rule| rule.takes(&bill.consumer));
        own.then_some(()).ok_or(Reason::NoSuchBill)
    }

    /// What is wrong with an inquiry, if anything.
    pub(super) fn refuse_inquiry(&self, now: Now, bill: &BillRef) -> Result<(), Reason> {
        if self.inquiry == Inquiries::None {
            return Err(Reason::Unsupported);
        }
        self.refuse(now, bill)
    }

    /// What is wrong with a payment before its bill is looked at, if anything.
    pub(super) fn refuse_payment(&self, now: Now, request: &PaymentRequest) -> Result<(), Reason> {
        self.refuse(now, &request.bill)?;
        self.hold(request.amount, request.channel).then_some(()).ok_or(Reason::OutsideLimits)
    }

    /// Whether an amount is within the limits of all payments, and of those of a channel.
    fn hold(&self, amount: MinorUnits, channel: Short<4>) -> bool {
        let of_channel = self.channels.iter().filter(|(of, _)| *of == channel);
        let mut limits = of_channel.map(|(_, limits)| limits).chain([&self.limits]);
        limits.all(|limits| limits.hold(amount))
    }

    /// Whether a payment that has been made may be left with a smaller amount: where less than what is due is taken.
    pub(super) fn leave(&self, left: MinorUnits, channel: Short<4>) -> bool {
        let takes_less = match self.exactness {
            Some(Exactness::ExactDown | Exactness::Range | Exactness::Any) => true,
            Some(Exactness::Exact | Exactness::ExactUp) | None => false,
        };
        takes_less && left > MinorUnits::ZERO && self.hold(left, channel)
    }

    /// How what is left of a payment splits over heads of account: by rule, or not at all. Where the bill gave the split, only
    /// the department knows.
    pub(super) fn split_left(&self, payment: &Payment, left: MinorUnits) -> Result<Vec<HeadAmount>, Reason> {
        let posted = payment.posting.as_ref().map_or(&[][..], |posting| &posting.heads);
        if self.heads.is_empty() && !(payment.heads.is_empty() && posted.is_empty()) {
            return Err(Reason::AmountNotAccepted);
        }
        heads::split(&self.heads, left)
    }
}

/// Where requests go that do not name a department by its code: the longest prefix first.
#[derive(Debug, Default)]
pub(super) struct Routes(Vec<(Route, BillerCode)>);

impl Routes {
    pub(super) fn new<'a>(all: impl Iterator<Item = (BillerCode, &'a Rules)>) -> Self {
        let mut routes: Vec<_> =
            all.flat_map(|(to, rules)| rules.routes.iter().map(move |route| (route.clone(), to))).collect();
        routes.sort_by_key(|(route, _)| std::cmp::Reverse(route.prefix.len()));
        Self(routes)
    }

    /// The department that a bill is one of. A code that is somebody's is obeyed: only routes that name it can lead
    /// elsewhere. `known`: it is a department's own code.
    fn find(&self, bill: &BillRef, known: bool) -> Option<BillerCode> {
        let begins = |route: &Route| bill.consumer.starts_with(&*route.prefix);
        let named = |route: &Route| route.code == Some(bill.biller);
        let mut of_code = self.0.iter().filter(|(route, _)| named(route) && begins(route));
        let is_code = known || self.0.iter().any(|(route, _)| named(route));
        let mut of_none =
            self.0.iter().filter(|(route, _)| !is_code && route.code.is_none() && begins(route));
        of_code.next().or_else(|| of_none.next()).map(|(_, to)| *to)
    }
}

impl Switch {
    /// Puts the code of the department that has the bill in place of the one that the request names.
    pub(super) fn redirect(&self, bill: &mut BillRef) {
        if !self.routes.0.is_empty() {
            let known = self.billers.contains_key(&bill.biller);
            bill.biller = self.routes.find(bill, known).unwrap_or(bill.biller);
        }
    }

    /// How an amount splits by rule, at a department whose bills are not looked up.
    pub(super) fn heads_by_rule(
        &self,
        biller: &BillerCode,
        amount: MinorUnits,
    ) -> Result<Vec<HeadAmount>, Reason> {
        self.billers.get(biller).map_or(Ok(Vec::new()), |terms| heads::split(&terms.rules.heads, amount))
    }

    /// Whether a payment has the inquiry before it that its department demands.
    pub(super) fn was_inquired(&self, now: Now, link: LinkName, bill: &BillRef) -> Result<(), Reason> {
        let demands = self
            .billers
            .get(&bill.biller)
            .is_some_and(|terms| matches!(terms.rules.inquiry, Inquiries::Mandatory { .. }));
        let fine = !demands || self.inquired.holds(now.ticks, link, bill);
        fine.then_some(()).ok_or(Reason::InquiryNeeded)
    }
}
