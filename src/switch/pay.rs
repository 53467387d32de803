//! Payments: each is posted at most once, and each request for it is answered.

use super::pending::{LegOf, Open};
use super::{
    About, Action, Answer, Asker, Bill, InDoubt, Order, Ordered, Output, Payment, PaymentRequest, Posting,
    Prior, Reason, State, Switch, What,
};
use crate::clock::Now;
use crate::ids::PaymentKey;

impl Switch {
    pub(super) fn payment(&mut self, now: Now, from: Asker, request: PaymentRequest, out: &mut Output) {
        if let Err(reason) = self.gate(&from.link) {
            return self.tell(now, &from, Answer::plain(reason), out);
        }
        if self.open.contains_key(&request.key) {
            return self.repeat_of_open(now, from, &request, out);
        }
        match &request.prior {
            Prior::Known(payment) => {
                let answer = stored_answer(payment, &request);
                self.tell(now, &from, answer, out);
            }
            Prior::Unknown | Prior::SomebodyElses => self.new_payment(now, from, request, out),
        }
    }

    /// The payment is being worked on: its repeat waits for the same outcome, or is told what is already decided.
    fn repeat_of_open(&mut self, now: Now, from: Asker, request: &PaymentRequest, out: &mut Output) {
        let Some(open) = self.open.get_mut(&request.key) else { return };
        if open.payment.digest == request.digest && open.payment.answer.is_none() {
            open.asks.push(from);
            return;
        }
        let answer = stored_answer(&open.payment, request);
        self.tell(now, &from, answer, out);
    }

    fn new_payment(&mut self, now: Now, from: Asker, mut request: PaymentRequest, out: &mut Output) {
        if let Err(reason) = self.gate_new_work(&from) {
            return self.tell(now, &from, Answer::plain(reason), out);
        }
        self.redirect(&mut request.bill);
        if self.is_full(&request.bill.biller) {
            return self.tell(now, &from, Answer::plain(Reason::Overloaded), out);
        }
        let ruled = self.rule_on(now, &from, &request);
        let bill = request.bill.clone();
        let mut open = Open::new(self.taken_in(now, &from, request));
        open.asks.push(from);
        open.counted = true;
        self.waits_for_biller(&from.link);
        let looks_up_first = match ruled {
            Ok(looks_up_first) => looks_up_first,
            Err(reason) => return self.decline(now, open, Answer::plain(reason), out),
        };
        if looks_up_first {
            let of = LegOf::LookUp(open.payment.key.clone());
            self.order(now, &mut open, of, Order::LookUp(bill), out);
            self.open.insert(open.payment.key.clone(), open);
        } else {
            match self.heads_by_rule(&bill.biller, open.payment.amount) {
                Ok(heads) => self.post(now, open, heads, out),
                Err(reason) => self.decline(now, open, Answer::plain(reason), out),
            }
        }
    }

    /// What is wrong with a payment before its bill is looked at, if anything; else whether the bill is looked up.
    fn rule_on(&self, now: Now, from: &Asker, request: &PaymentRequest) -> Result<bool, Reason> {
        let terms = self.route(&request.bill.biller)?;
        if !request.currency.is_empty() && request.currency != terms.currency {
            return Err(Reason::AmountNotAccepted);
        }
        terms.rules.refuse_payment(now, request)?;
        self.was_inquired(now, from.link, &request.bill)?;
        Ok(terms.looks_up_first)
    }

    /// A payment as it is when it comes in.
    pub(super) fn taken_in(&mut self, now: Now, from: &Asker, request: PaymentRequest) -> Payment {
        let totals_date = self.totals_date(request.settled_on);
        let PaymentRequest { key, bill, amount, channel, digest, .. } = request;
        let trace = self.next_trace;
        self.next_trace = trace.wrapping_add(1);
        Payment {
            link: from.link,
            channel,
            digest,
            taken_in: now.wall,
            trace,
            totals_date,
            ..Payment::new(key, bill, amount, self.date)
        }
    }

    /// The bill is known: the amount must be the one due today, to the minor unit.
    pub(super) fn bill_found(&mut self, now: Now, mut open: Open, bill: Box<Bill>, out: &mut Output) {
        match self.heads_of(&open.payment, &bill) {
            Ok(heads) => {
                open.payment.reference = Some(bill.reference);
                self.post(now, open, heads, out);
            }
            Err(reason) => {
                self.decline(now, open, Answer { about: About::Bill(bill), ..Answer::plain(reason) }, out)
            }
        }
    }

    /// How a payment splits over the heads of its bill, if it is the amount that is due.
    pub(super) fn heads_of(&self, payment: &Payment, bill: &Bill) -> Result<Vec<super::HeadAmount>, Reason> {
        let terms = self.billers.get(&payment.biller).ok_or(Reason::NoBiller)?;
        terms.rules.accept(bill, payment.amount, payment.date, terms.surcharge_head)
    }

    /// Gives the order to post. From here on silence means doubt.
    fn post(&mut self, now: Now, mut open: Open, heads: Vec<super::HeadAmount>, out: &mut Output) {
        open.payment.state = State::Sent;
        open.payment.heads = heads;
        open.payment.reference.get_or_insert_default();
        let terms = self.billers.get(&open.payment.biller).filter(|terms| !terms.embedded);
        // What is posted in our own store is decided in this very turn: only what leaves needs its intent on disk.
        if let Some(timeout_ms) = terms.map(|terms| terms.reply_timeout_ms) {
            self.hold(&mut open);
            let due = crate::clock::UnixMillis(now.wall.0.saturating_add(timeout_ms));
            let what = What::Ordered(Ordered::Post, open.payment.biller);
            out.records.push(open.record(now, what, Some(due)));
        }
        let order = Order::Post { payment: Box::new(open.payment.clone()), again: false };
        let of = LegOf::Post(open.payment.key.clone());
        self.order(now, &mut open, of, order, out);
        self.open.insert(open.payment.key.clone(), open);
    }

    /// Nothing was posted: say so and put the payment away.
    pub(super) fn decline(&mut self, now: Now, mut open: Open, answer: Answer, out: &mut Output) {
        open.payment.state = State::Declined;
        let reason = answer.reason;
        self.answer_payment(&mut open, answer, out);
        open.answer_reversal(Reason::Approved, out);
        out.records.push(open.record(now, What::Answered { reason }, None));
        self.close(open);
    }

    /// The payment is refused, behind its beginning: declined, unless the acquirer has said meanwhile that it is made (0220).
    /// Then it has kept the money, and people must decide.
    pub(super) fn refuse(&mut self, now: Now, mut open: Open, answer: Answer, out: &mut Output) {
        if !open.payment.advice || open.payment.is_wanted_back() {
            return self.decline(now, open, answer, out);
        }
        let reason = answer.reason;
        self.answer_payment(&mut open, answer, out);
        self.give_up(now, open, reason, out);
    }

    /// Posted in time: the approval is the answer, unless the acquirer has asked for it back meanwhile.
    pub(super) fn posted(&mut self, now: Now, mut open: Open, posting: Posting, out: &mut Output) {
        open.payment.posting = Some(posting.clone());
        if open.payment.reversal.is_some() {
            self.answer_payment(&mut open, Answer::plain(Reason::ReversedFirst), out);
            return self.undo(now, open, What::Answered { reason: Reason::ReversedFirst }, out);
        }
        self.approve(now, open, posting, out);
    }

    /// It is posted, and nobody has asked for it back: the payment stands, and whoever waits is told.
    pub(super) fn approve(&mut self, now: Now, mut open: Open, posting: Posting, out: &mut Output) {
        open.payment.state = State::Posted;
        let about = About::Posted { posting, date: open.payment.date };
        self.answer_payment(&mut open, Answer { about, ..Answer::plain(Reason::Approved) }, out);
        out.records.push(open.record(now, What::Answered { reason: Reason::Approved }, None));
        self.close(open);
    }

    /// The order may have been carried out. Never called declined: it is undone, or made certain, before anyone retries.
    pub(super) fn in_doubt(&mut self, now: Now, mut open: Open, out: &mut Output) {
        self.answer_payment(&mut open, Answer::plain(Reason::InDoubt), out);
        let what = What::Answered { reason: Reason::InDoubt };
        let terms = self.billers.get(&open.payment.biller);
        let policy = terms.map_or(InDoubt::Reverse, |terms| terms.in_doubt);
        // What the acquirer wants back is undone without being made certain first, where it can be.
        let undo = open.payment.reversal.is_some() && terms.is_some_and(|terms| terms.reversible);
        // One that is made, the acquirer says, is completed and not undone.
        let policy = if open.payment.advice { InDoubt::Confirm } else { policy };
        match policy {
            InDoubt::Confirm if !undo => self.confirm(now, open, what, out),
            InDoubt::Confirm | InDoubt::Reverse => self.undo(now, open, what, out),
        }
    }

    /// The biller says that it has this payment already, and was never told of it before: in doubt, and nothing that the
    /// switch could do about it would be sure to be done to this payment.
    pub(super) fn contested(&mut self, now: Now, mut open: Open, out: &mut Output) {
        self.answer_payment(&mut open, Answer::plain(Reason::InDoubt), out);
        self.give_up(now, open, Reason::KeyReused, out);
    }

    pub(super) fn take_open(&mut self, key: &PaymentKey) -> Option<Open> {
        self.open.remove(key)
    }

    /// Tells a person, and keeps the payment in the store for them.
    pub(super) fn give_up(&mut self, now: Now, mut open: Open, reason: Reason, out: &mut Output) {
        open.payment.state = State::Exception;
        // An advice is stored, whatever comes of it: asking again would change nothing. Who asked is told why not.
        open.answer_reversal(reason, out);
        out.records.push(open.record(now, What::GaveUp(reason), None));
        let (key, biller) = (open.payment.key.clone(), open.payment.biller);
        out.actions.push(Action::Alarm(super::Alarm::Exception { key, biller, reason }));
        self.close(open);
    }
}

/// What a repeat is told: the same as before, unless it is no repeat.
fn stored_answer(payment: &Payment, request: &PaymentRequest) -> Answer {
    if payment.state == State::ReversedFirst {
        return Answer::plain(Reason::ReversedFirst);
    }
    if payment.digest != request.digest {
        return Answer::plain(Reason::KeyReused);
    }
    payment.answer.clone().unwrap_or_else(|| Answer::plain(Reason::InDoubt))
}
