//! What is open: orders that wait for a biller, payments that wait for orders, and the deadlines of both.

use std::collections::{BTreeMap, HashMap};

use super::forward::Place;
use super::{Action, Answer, Asker, BillRef, LegId, Order, Output, Payment, Reason, Record, Switch, What};
use crate::clock::{Now, Ticks, UnixMillis};
use crate::ids::{BillerCode, BusinessDate, LinkName, PaymentKey, Rrn, Stan};

/// A payment the switch has something to do about.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) payment: Payment,
    /// Requests to pay that wait for the outcome.
    pub(super) asks: Vec<Asker>,
    /// Requests to reverse that wait for the outcome, each with whether it is an advice.
    pub(super) reversal_asks: Vec<(Asker, bool)>,
    /// The orders of this payment.
    pub(super) legs: Vec<LegId>,
    /// The entry in the store's list of what is due.
    pub(super) due: Option<UnixMillis>,
    /// Whether it counts among the requests of its link that wait for a biller.
    pub(super) counted: bool,
    /// Whether it counts among the payments open at its biller.
    pub(super) held: bool,
    /// Its place in its biller's queue, while an order is owed.
    pub(super) place: Option<Place>,
    /// Until when an order to post may be under way to the biller still: before, that the biller knows of none proves nothing.
    pub(super) under_way_until: Option<Ticks>,
    /// Whether the last order to undo left behind that time.
    pub(super) undone_in_order: bool,
}

/// A payment that is put away, for as long as there is an order to post whose answer would be news.
#[derive(Debug)]
pub(super) struct GivenUp {
    payment: Payment,
    /// The orders that are listened for, at least one.
    legs: Vec<LegId>,
}

impl GivenUp {
    pub(super) const fn payment(&self) -> &Payment {
        &self.payment
    }
}

/// What an order is for.
#[derive(Clone, Debug)]
pub(super) enum LegOf {
    Inquiry {
        from: Asker,
        bill: BillRef,
    },
    LookUp(PaymentKey),
    Post(PaymentKey),
    /// An order to post, the first or another, that was not answered in time, or declined; another may have been given since.
    LatePost(PaymentKey),
    /// What is due on the bill of a payment that was made without asking.
    ConfirmLookUp(PaymentKey),
    /// Post, again.
    Confirm(PaymentKey),
    Reverse(PaymentKey),
    /// The order to reverse was not answered in time; another may have been given since.
    LateReverse(PaymentKey),
}

/// What happens at a deadline.
#[derive(Clone, Debug)]
pub(super) enum Due {
    /// The answer to an order is overdue.
    Reply(LegId),
    /// A biller's queue wants to be looked at.
    Forward(BillerCode),
    /// Our totals of a closed date are looked after.
    Totals(LinkName, BusinessDate),
    /// No late answer is listened for any more.
    Forget(LegId),
}

/// Orders and deadlines.
#[derive(Debug, Default)]
pub(super) struct Pending {
    legs: HashMap<LegId, (LegOf, Option<(Ticks, u64)>)>,
    deadlines: BTreeMap<(Ticks, u64), Due>,
    counter: u64,
    inquiries: usize,
}

impl Pending {
    pub(super) fn next_deadline(&self) -> Option<Ticks> {
        self.deadlines.keys().next().map(|(at, _)| *at)
    }

    pub(super) const fn inquiries(&self) -> usize {
        self.inquiries
    }

    /// Takes up a new order; `timeout` is none for an order that is answered within the turn.
    pub(super) fn add(&mut self, of: LegOf, timeout: Option<Ticks>) -> LegId {
        self.counter = self.counter.saturating_add(1);
        let leg = LegId(self.counter);
        if matches!(of, LegOf::Inquiry { .. }) {
            self.inquiries = self.inquiries.saturating_add(1);
        }
        let timer = timeout.map(|at| (at, leg.0));
        if let Some(at) = timer {
            self.deadlines.insert(at, Due::Reply(leg));
        }
        self.legs.insert(leg, (of, timer));
        leg
    }

    /// The order is over, or is now `late`.
    pub(super) fn take(&mut self, leg: LegId) -> Option<LegOf> {
        let (of, timer) = self.legs.remove(&leg)?;
        if let Some(at) = timer {
            self.deadlines.remove(&at);
        }
        if matches!(of, LegOf::Inquiry { .. }) {
            self.inquiries = self.inquiries.saturating_sub(1);
        }
        Some(of)
    }

    /// Keeps listening for the answer to an order whose deadline has passed.
    pub(super) fn keep_late(&mut self, leg: LegId, of: LegOf, until: Ticks) {
        let timer = (until, leg.0);
        self.deadlines.insert(timer, Due::Forget(leg));
        self.legs.insert(leg, (of, Some(timer)));
    }

    /// Whether the order's own deadline has passed, and its answer is listened for all the same.
    pub(super) fn is_late(&self, leg: LegId) -> bool {
        let late = |of: &LegOf| matches!(of, LegOf::LatePost(_) | LegOf::LateReverse(_));
        self.legs.get(&leg).is_some_and(|(of, _)| late(of))
    }

    /// Forgets an order, unless its late answer would be news; says whether it would.
    pub(super) fn drop_unless_late(&mut self, leg: LegId) -> bool {
        // One to confirm that is still on its way may post what has been undone meanwhile.
        let news = |of: &LegOf| matches!(of, LegOf::LatePost(_) | LegOf::Confirm(_));
        let late = self.legs.get(&leg).is_some_and(|(of, _)| news(of));
        if !late {
            self.take(leg);
        }
        late
    }

    /// Has something happen at a time; the timer can be cancelled.
    pub(super) fn at(&mut self, at: Ticks, due: Due) -> (Ticks, u64) {
        self.counter = self.counter.saturating_add(1);
        let timer = (at, self.counter);
        self.deadlines.insert(timer, due);
        timer
    }

    pub(super) fn cancel(&mut self, timer: &(Ticks, u64)) {
        self.deadlines.remove(timer);
    }

    /// The first thing due by `now`.
    pub(super) fn pop_due(&mut self, now: Ticks) -> Option<Due> {
        let first = self.deadlines.first_entry()?;
        if first.key().0 > now { None } else { Some(first.remove()) }
    }
}

impl Open {
    pub(super) const fn new(payment: Payment) -> Self {
        Self {
            payment,
            asks: Vec::new(),
            reversal_asks: Vec::new(),
            legs: Vec::new(),
            due: None,
            counted: false,
            held: false,
            place: None,
            under_way_until: None,
            undone_in_order: false,
        }
    }

    /// A record of this payment as it stands now, due again at `due`.
    pub(super) fn record(&mut self, now: Now, what: What, due: Option<UnixMillis>) -> Record {
        let counted = self.payment.count();
        let owes = due.is_some() || self.payment.state == super::State::Exception;
        self.payment.owed = match &self.place {
            Some(place) if owes => Some(place.owed(now)),
            Some(_) | None => self.payment.owed.filter(|_| owes),
        };
        let parts = self.payment.key.parts();
        Record {
            at: now.wall,
            date: self.payment.date,
            what,
            link: self.payment.link,
            stan: Stan::new(parts.stan).unwrap_or_default(),
            rrn: Rrn::new(parts.rrn).unwrap_or_default(),
            payment: Some(Box::new(self.payment.clone())),
            due,
            was_due: std::mem::replace(&mut self.due, due),
            counted,
            evidence: super::Evidence::default(),
        }
    }

    /// Tells all who asked for the reversal. An advice is stored whatever comes of it.
    pub(super) fn answer_reversal(&mut self, reason: Reason, out: &mut Output) {
        let told = |advice: bool| if advice { Reason::Approved } else { reason };
        let mut last = None;
        for (ask, advice) in self.reversal_asks.drain(..) {
            last = Some(told(advice));
            out.actions.push(Action::Answer { ask: ask.id, answer: Answer::plain(told(advice)) });
        }
        if let (Some(reversal), Some(told)) = (&mut self.payment.reversal, last) {
            reversal.answer = Some(told);
        }
    }

    /// Those who asked, and did not advise, are told that it is open: their patience ends before the biller's.
    pub(super) fn excuse_reversal(&mut self, out: &mut Output) {
        for (ask, _) in self.reversal_asks.extract_if(.., |(_, advice)| !*advice) {
            out.actions.push(Action::Answer { ask: ask.id, answer: Answer::plain(Reason::InDoubt) });
        }
    }
}

impl Switch {
    /// Stores `answer` as what the acquirer was told, and tells all who wait for it. From here the payment holds up
    /// nobody of its link: what the biller still owes is between it and the switch.
    pub(super) fn answer_payment(&mut self, open: &mut Open, answer: Answer, out: &mut Output) {
        for ask in open.asks.drain(..) {
            out.actions.push(Action::Answer { ask: ask.id, answer: answer.clone() });
        }
        open.payment.answer = Some(answer);
        if std::mem::take(&mut open.counted) {
            self.waits_no_more(&open.payment.link);
        }
    }

    /// Puts a payment away. An order to post that was given up is listened for longer: should it be approved after all,
    /// the payment is taken up again.
    pub(super) fn close(&mut self, mut open: Open) {
        self.let_go(&mut open);
        if open.counted {
            self.waits_no_more(&open.payment.link);
        }
        // It may have been taken up from the store, for an operator or a reversal, while its orders were listened for.
        let listened_for = self.given_up.remove(&open.payment.key).map(|given_up| given_up.legs);
        let mut legs = open.legs;
        legs.extend(listened_for.unwrap_or_default());
        legs.retain(|leg| self.pending.drop_unless_late(*leg));
        if !legs.is_empty() {
            self.given_up.insert(open.payment.key.clone(), GivenUp { payment: open.payment, legs });
        }
    }

    /// A payment that is put away, to be taken up again.
    pub(super) fn take_given_up(&mut self, key: &PaymentKey) -> Option<Open> {
        let GivenUp { payment, legs } = self.given_up.remove(key)?;
        Some(Open { legs, ..Open::new(payment) })
    }

    /// One order of a payment is listened for no longer; others may be.
    pub(super) fn stop_listening(&mut self, leg: LegId, key: &PaymentKey) {
        if let Some(given_up) = self.given_up.get_mut(key) {
            given_up.legs.retain(|listened_for| *listened_for != leg);
            if given_up.legs.is_empty() {
                self.given_up.remove(key);
            }
        }
    }

    /// Gives an order about an open payment.
    pub(super) fn order(
        &mut self,
        now: Now,
        open: &mut Open,
        of: LegOf,
        order: Order,
        out: &mut Output,
    ) -> LegId {
        let biller = open.payment.biller;
        let timeout = self.timeout(now, &biller);
        if matches!(of, LegOf::Post(_) | LegOf::Confirm(_)) {
            open.under_way_until = timeout;
        }
        let leg = self.pending.add(of, timeout);
        open.legs.push(leg);
        out.actions.push(Action::Order { leg, biller, order });
        leg
    }

    /// When an answer of this biller is overdue; never for one that answers within the turn.
    pub(super) fn timeout(&self, now: Now, biller: &BillerCode) -> Option<Ticks> {
        let terms = self.billers.get(biller)?;
        (!terms.embedded).then(|| now.ticks.after_ms(terms.reply_timeout_ms))
    }
}
