//! The switch itself: `step(now, event)` gives records and actions, and nothing else happens in here. No socket, no
//! clock, no store, no task, no randomness; it cannot fail, for a refusal is an answer.
//!
//! Whoever calls it journals the records first and carries out the actions only when they are durable.

mod advice;
mod alarm;
mod bill;
mod closing;
mod configure;
mod confirm;
mod event;
mod forward;
mod inquiry;
mod part;
mod pay;
mod payment;
mod pending;
mod reason;
mod record;
mod replies;
mod reverse;
mod rules;
mod session;
mod terms;
#[cfg(test)]
mod tests;
mod totals;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub use alarm::Alarm;
pub use bill::{Bill, BillRef, BillStatus, HeadAmount, Reference};
pub use closing::{Closing, ClosingEnd, SendTotals, SentTotals, TotalsAnswer, TotalsTerms};
pub use event::{
    Action, Ask, AskId, Event, KeyChange, LegId, NewKeys, Operation, Order, Outcome, Output, PaymentRequest,
    Prior, Replacement, Request, Resolution, ReversalRequest, Stray,
};
pub use forward::Owing;
pub use part::{Partial, PartialState};
pub use payment::{About, Answer, Digest, Owed, Payment, Posting, Reversal, State};
pub use reason::Reason;
pub use record::{Evidence, Ordered, Record, Replied, What};
pub use replies::{CONTRADICTION_MS, LATE_REPLY_MS};
pub use rules::{
    CheckDigit, Exactness, Expiry, HeadRule, Hours, Inquiries, Late, Limits, Part, Pattern, PsidRule, Route,
    Rules, Share, Span, Stage, Window,
};
pub use terms::{BillerTerms, InDoubt, LinkTerms};
pub use totals::{
    Claimed, Counted, CountedAs, Net, Reconciled, Tally, Totals, TotalsRequest, reconciled_date,
};

use crate::clock::{Now, Ticks};
use crate::ids::{BillerCode, BusinessDate, LinkName, PaymentKey, Rrn, Stan};
use closing::OwedTotals;
use forward::Queue;
use pending::{GivenUp, Open, Pending};
use rules::{Inquired, Routes};
use session::Session;

/// All that the switch knows beside the store: sessions, what is open, and the business date.
#[derive(Debug)]
pub struct Switch {
    billers: HashMap<BillerCode, BillerTerms>,
    routes: Routes,
    inquired: Inquired,
    blocked: BTreeSet<BillerCode>,
    sessions: HashMap<LinkName, Session>,
    open: HashMap<PaymentKey, Open>,
    /// Payments put away while answers to orders to post them are still listened for.
    given_up: HashMap<PaymentKey, GivenUp>,
    pending: Pending,
    /// Our own totals of closed dates, for links that have not answered them.
    closings: BTreeMap<(LinkName, BusinessDate), OwedTotals>,
    /// What is owed to each biller.
    queues: BTreeMap<BillerCode, Queue>,
    /// Billers whose queues are to be looked at before the step ends.
    unsettled: Vec<BillerCode>,
    /// Payments that came to be owed an order so far.
    owed_so_far: u64,
    date: BusinessDate,
    /// What the next payment is numbered.
    next_trace: u64,
    /// Until then a cutover that names no day is taken for the one that has been.
    guarded_until: Ticks,
    draining: bool,
    disk_low: bool,
    /// Requests that left no leg because the disk was almost full.
    unrecorded: u64,
}

impl Switch {
    /// A switch with nothing open, on `date`.
    #[must_use]
    pub fn new(
        links: impl IntoIterator<Item = LinkTerms>,
        billers: impl IntoIterator<Item = BillerTerms>,
        blocked: impl IntoIterator<Item = BillerCode>,
        date: BusinessDate,
    ) -> Self {
        let billers: HashMap<_, _> = billers.into_iter().map(|terms| (terms.code, terms)).collect();
        let routes = Routes::new(billers.values().map(|terms| (terms.code, &*terms.rules)));
        Self {
            billers,
            routes,
            inquired: Inquired::default(),
            blocked: blocked.into_iter().collect(),
            sessions: links.into_iter().map(|terms| (terms.name, Session::new(&terms))).collect(),
            open: HashMap::new(),
            given_up: HashMap::new(),
            pending: Pending::default(),
            closings: BTreeMap::new(),
            queues: BTreeMap::new(),
            unsettled: Vec::new(),
            owed_so_far: 0,
            date,
            next_trace: 1,
            guarded_until: Ticks(0),
            draining: false,
            disk_low: false,
            unrecorded: 0,
        }
    }

    /// Numbers payments from `first` on. Each payment that is numbered leaves a leg in the journal, so that the journal's next
    /// sequence is a number that no payment has had.
    #[must_use]
    pub const fn numbering_from(mut self, first: u64) -> Self {
        self.next_trace = first;
        self
    }

    /// The date moved so many milliseconds before the process started.
    #[must_use]
    pub const fn cut_over_before(mut self, ms: u64) -> Self {
        self.guarded_until = Ticks(session::CUTOVERS_APART_MS.saturating_sub(ms));
        self
    }

    /// Takes one event in; what follows from it is added to `out`.
    pub fn step(&mut self, now: Now, event: Event, out: &mut Output) {
        match event {
            Event::Asked(ask) => self.asked(now, *ask, out),
            Event::BillerReplied { leg, outcome } => self.replied(now, leg, outcome, out),
            Event::DeadlinePassed => self.deadlines_passed(now, out),
            Event::LinkUp(link) => self.link_up(link),
            Event::LinkDown(link) => self.link_down(link),
            Event::Recovered { payment, due } => self.recovered(now, *payment, due, out),
            Event::DiskLow(low) => self.disk_is(low, out),
            Event::CarriedOver(payment) => self.carried_over(now, *payment, out),
            Event::BillerUp(biller) => self.biller_up(biller),
            Event::BillerDown(biller) => self.biller_down(biller),
            Event::Unasked(stray) => self.unasked(now, *stray, out),
            Event::TotalsOwed(link, closing) => {
                self.take_up_totals(now, link, *closing);
                // On a large store it may have signed on before: then no sign-on to come has them sent.
                if self.is_signed_on(&link) {
                    self.totals_after_sign_on(now, link, out);
                }
            }
            Event::AddedUp { link, date, ours } => self.added_up(now, link, date, ours, out),
            Event::TotalsAnswered(answer) => self.totals_answered(now, &answer, out),
            Event::Operator(operation) => self.operate(now, operation, out),
        }
        self.forward(now, out);
    }

    /// When [`Event::DeadlinePassed`] is wanted next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Ticks> {
        self.pending.next_deadline()
    }

    /// The business date.
    #[must_use]
    pub const fn date(&self) -> BusinessDate {
        self.date
    }

    /// Payments not yet resolved, and inquiries not yet answered.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.open.len().saturating_add(self.pending.inquiries())
    }

    /// Whether new work is refused.
    #[must_use]
    pub const fn is_draining(&self) -> bool {
        self.draining
    }

    /// Requests since the start that changed nothing and left no leg, because the disk was almost full.
    #[must_use]
    pub const fn unrecorded(&self) -> u64 {
        self.unrecorded
    }

    /// Whether the operator has blocked this biller.
    #[must_use]
    pub fn is_blocked(&self, biller: &BillerCode) -> bool {
        self.blocked.contains(biller)
    }

    /// Whether orders to this biller are answered within the turn that gives them.
    #[must_use]
    pub fn is_embedded(&self, biller: &BillerCode) -> bool {
        self.billers.get(biller).is_some_and(|terms| terms.embedded)
    }

    /// Whether this link has signed on.
    #[must_use]
    pub fn is_signed_on(&self, link: &LinkName) -> bool {
        self.sessions.get(link).is_some_and(|session| session.signed_on)
    }

    fn asked(&mut self, now: Now, ask: Ask, out: &mut Output) {
        let Ask { id, link, mti, stan, rrn, request, evidence, stale } = ask;
        let from = Asker { id, link, stan, rrn, stale };
        let begun = (out.records.len(), out.actions.len());
        let was_signed_on = self.is_signed_on(&link);
        let mut record = from.record(self, now, What::Asked { mti });
        record.evidence = evidence;
        out.records.push(record);
        match request {
            Request::SignOn | Request::SignOff | Request::Echo => self.network(now, &from, &request, out),
            Request::ChangeKey(change) => self.change_key(now, &from, change, out),
            Request::CutOver { to } => self.cut_over_asked(now, &from, to, out),
            Request::Refused { reason, bad_field, network } => {
                // How to sign on must be learnt before signing on: network messages pass the gate.
                let gated = if network { None } else { self.gate(&from.link).err() };
                let refusal = || Answer { bad_field, ..Answer::plain(reason) };
                let answer = gated.map_or_else(refusal, Answer::plain);
                self.tell(now, &from, answer, out);
            }
            Request::Inquiry(bill) => self.inquiry(now, from, bill, out),
            Request::Payment(request) => self.payment(now, from, *request, out),
            Request::Advice(request) => self.advice(now, from, *request, out),
            Request::Reversal(request) => self.reversal(now, from, *request, out),
            Request::Totals(request) => self.totals(now, &from, &request, out),
        }
        self.spare_the_disk(begun, was_signed_on || self.is_signed_on(&link), out);
    }

    fn disk_is(&mut self, low: bool, out: &mut Output) {
        if low && !self.disk_low {
            out.actions.push(Action::Alarm(Alarm::DiskLow));
        }
        self.disk_low = low;
    }

    /// Writes a payment down as it stands, due when it was due: nothing about it changes.
    fn carried_over(&self, now: Now, payment: Payment, out: &mut Output) {
        let due = self.open.get(&payment.key).and_then(|open| open.due);
        let mut carried = Open::new(payment);
        carried.due = due;
        carried.place = self.open.get(&carried.payment.key).and_then(|open| open.place.clone());
        out.records.push(carried.record(now, What::CarriedOver, due));
    }

    /// Answers a request that leaves no trace on any payment.
    fn tell(&self, now: Now, from: &Asker, answer: Answer, out: &mut Output) {
        out.records.push(from.record(self, now, What::Answered { reason: answer.reason }));
        out.actions.push(Action::Answer { ask: from.id, answer });
    }

    fn operate(&mut self, now: Now, operation: Operation, out: &mut Output) {
        let what = match operation {
            Operation::Drain => {
                self.draining = true;
                return;
            }
            Operation::CutOver => {
                let closed = self.date;
                self.date = closed.next();
                self.guarded_until = now.ticks.after_ms(session::CUTOVERS_APART_MS);
                out.records.push(Asker::nobody().record(self, now, What::CutOver));
                return self.owe_totals(now, closed, out);
            }
            Operation::Resolve { payment, resolution, why } => {
                return self.resolve(now, *payment, resolution, why, out);
            }
            Operation::Block(biller) => {
                self.blocked.insert(biller);
                What::Blocked(biller, true)
            }
            Operation::Unblock(biller) => {
                self.blocked.remove(&biller);
                What::Blocked(biller, false)
            }
            Operation::Configure { links, billers } => {
                self.configure(&links, billers);
                What::Configured(true)
            }
            Operation::KeepConfiguration => What::Configured(false),
        };
        out.records.push(Asker::nobody().record(self, now, what));
    }
}

/// Who asked, for answers and records.
#[derive(Clone, Copy, Debug)]
struct Asker {
    id: AskId,
    link: LinkName,
    stan: Stan,
    rrn: Rrn,
    /// It has waited too long for anything new to be begun for it.
    stale: bool,
}

impl Asker {
    const fn nobody() -> Self {
        Self { id: AskId(0), link: LinkName::EMPTY, stan: Stan::EMPTY, rrn: Rrn::EMPTY, stale: false }
    }

    /// A record of this request that is about no payment.
    fn record(&self, switch: &Switch, now: Now, what: What) -> Record {
        Record {
            at: now.wall,
            date: switch.date,
            what,
            link: self.link,
            stan: self.stan,
            rrn: self.rrn,
            payment: None,
            due: None,
            was_due: None,
            counted: None,
            evidence: Evidence::default(),
        }
    }
}
