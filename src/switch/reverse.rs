//! Reversals: asked for by the acquirer, or owed because a payment is in doubt.

use super::forward::Place;
use super::part::PartAnswer;
use super::pending::{LegOf, Open};
use super::{
    Action, Alarm, Answer, Asker, BillRef, BillerTerms, Order, Ordered, Output, Payment, Prior, Reason,
    Replacement, Reversal, ReversalRequest, State, Switch, What,
};
use crate::clock::Now;
use crate::ids::BillerCode;

impl Switch {
    pub(super) fn reversal(&mut self, now: Now, from: Asker, request: ReversalRequest, out: &mut Output) {
        if let Err(reason) = self.gate(&from.link) {
            return self.tell(now, &from, Answer::plain(reason), out);
        }
        if let Some(open) = self.take_open(&request.original) {
            return self.reverse_open(now, from, open, &request, out);
        }
        match request.prior {
            Prior::Known(ref payment) => {
                let payment = Payment::clone(payment);
                self.reverse_known(now, from, payment, &request, out);
            }
            Prior::SomebodyElses => {
                let original = request.original.clone();
                out.actions.push(Action::Alarm(Alarm::ReversalBySomebodyElse { link: from.link, original }));
                // Remembered under this link's own key, which is not the other's: nothing happens to the other's payment.
                self.remember_reversal(now, &from, request, out);
            }
            Prior::Unknown => self.remember_reversal(now, &from, request, out),
        }
    }

    /// Nothing to undo yet. Remembered, so that the payment is declined should it still come.
    fn remember_reversal(&mut self, now: Now, from: &Asker, request: ReversalRequest, out: &mut Output) {
        let reason = Reason::OriginalUnknown;
        let payment = Payment {
            link: from.link,
            state: State::ReversedFirst,
            reversal: Some(Reversal { answer: Some(reason), ..Reversal::default() }),
            taken_in: now.wall,
            ..Payment::new(
                request.original,
                BillRef { biller: BillerCode::EMPTY, consumer: "".into() },
                request.amount,
                self.date,
            )
        };
        out.records.push(Open::new(payment).record(now, What::Answered { reason }, None));
        out.actions.push(Action::Answer { ask: from.id, answer: Answer::plain(reason) });
    }

    /// The payment is still being worked on: before the order to post has left it is cancelled, after that it nets
    /// to zero once the biller has answered.
    fn reverse_open(
        &mut self,
        now: Now,
        from: Asker,
        mut open: Open,
        request: &ReversalRequest,
        out: &mut Output,
    ) {
        if let Some(answer) = open.payment.answer_of_part(request) {
            let reason = match answer {
                // The biller is being told: whoever repeats the request hears of it, as of any reversal.
                PartAnswer::Pending => None,
                PartAnswer::Told(reason) => Some(reason),
            };
            if let Some(reason) = reason {
                self.tell(now, &from, Answer::plain(reason), out);
                self.open.insert(open.payment.key.clone(), open);
                return;
            }
        } else if let Some(reason) = amount_fault(&open.payment, request) {
            self.tell(now, &from, Answer::plain(reason), out);
            self.open.insert(open.payment.key.clone(), open);
            return;
        }
        let what = What::Answered { reason: Reason::Approved };
        let received = open.payment.state == State::Received;
        if received || is_unsent_advice(&open) {
            out.actions.push(Action::Answer { ask: from.id, answer: Answer::plain(Reason::Approved) });
            open.answer_reversal(Reason::Approved, out);
            open.payment.state = State::Reversed;
            let totals_date = Some(self.totals_date(request.settled_on));
            let answer = Some(Reason::Approved);
            open.payment.reversal = Some(Reversal { answer, totals_date, ..Reversal::default() });
            if received {
                self.answer_payment(&mut open, Answer::plain(Reason::ReversedFirst), out);
            }
            out.records.push(open.record(now, what, None));
            return self.close(open);
        }
        let before = open.payment.reversal.unwrap_or_default();
        let totals_date = before.totals_date.or_else(|| Some(self.totals_date(request.settled_on)));
        let answer = if request.advice {
            out.actions.push(Action::Answer { ask: from.id, answer: Answer::plain(Reason::Approved) });
            Some(Reason::Approved)
        } else if open.place.as_ref().is_some_and(Place::is_waiting) {
            // Its order waits for its turn, or for the biller to come back: longer than an acquirer's patience.
            out.actions.push(Action::Answer { ask: from.id, answer: Answer::plain(Reason::InDoubt) });
            before.answer
        } else {
            open.reversal_asks.push((from, false));
            before.answer
        };
        open.payment.reversal = Some(Reversal { answer, totals_date, ..before });
        let due = open.due;
        out.records.push(open.record(now, what, due));
        self.open.insert(open.payment.key.clone(), open);
    }

    fn reverse_known(
        &mut self,
        now: Now,
        from: Asker,
        payment: Payment,
        request: &ReversalRequest,
        out: &mut Output,
    ) {
        match payment.answer_of_part(request) {
            Some(PartAnswer::Told(reason)) => return self.tell(now, &from, Answer::plain(reason), out),
            Some(PartAnswer::Pending) => {
                // With people, or theirs to say.
                let told = payment.reversal.and_then(|reversal| reversal.answer);
                return self.tell(now, &from, Answer::plain(told.unwrap_or(Reason::InDoubt)), out);
            }
            None => {}
        }
        if let Replacement::Amount(left) = request.replacement {
            return self.reverse_part(now, from, payment, left, request, out);
        }
        let fault = amount_fault(&payment, request);
        let unknown = payment.state == State::Exception && payment.posting.is_none();
        let told = match payment.reversal.and_then(|reversal| reversal.answer) {
            // Refused once, it has been undone since, or people say so.
            Some(_) if payment.state == State::Reversed => None,
            None if unknown && payment.is_wanted_back() && !request.advice => Some(Reason::InDoubt),
            answered => answered,
        };
        if let Some(told) = told {
            return self.tell(now, &from, Answer::plain(told), out);
        }
        let plain = match payment.state {
            State::Declined | State::Reversed => Some(fault.unwrap_or(Reason::Approved)),
            State::ReversedFirst => Some(Reason::OriginalUnknown),
            State::Received
            | State::Sent
            | State::Posted
            | State::Confirming
            | State::Reversing
            | State::Exception => fault,
        };
        if let Some(reason) = plain {
            return self.tell(now, &from, Answer::plain(reason), out);
        }
        self.undo_asked(now, from, payment, request, out);
    }

    /// Has the biller undo what an acquirer wants back, which is told at once if it has advised, or else once that is done.
    pub(super) fn undo_asked(
        &mut self,
        now: Now,
        from: Asker,
        mut payment: Payment,
        request: &ReversalRequest,
        out: &mut Output,
    ) {
        let embedded = self.billers.get(&payment.biller).is_some_and(|terms| terms.embedded);
        let totals_date = Some(self.totals_date(request.settled_on));
        let mut reversal = Reversal { totals_date, ..Reversal::default() };
        let at_once = request.advice && !embedded;
        if at_once {
            // An advice is answered once it is stored: the acquirer need not wait for the biller.
            reversal.answer = Some(Reason::Approved);
            out.actions.push(Action::Answer { ask: from.id, answer: Answer::plain(Reason::Approved) });
        }
        payment.reversal = Some(reversal);
        let exception = payment.state == State::Exception;
        let mut open = Open::new(payment);
        if !at_once {
            open.reversal_asks.push((from, request.advice));
        }
        if exception {
            // It is with a person already, who learns that the acquirer wants it back.
            return self.give_up_reversal(now, open, out);
        }
        self.undo(now, open, What::Answered { reason: Reason::Approved }, out);
    }

    /// Only people can undo it. That it stands is said of what was posted alone: of the rest nobody knows.
    fn give_up_reversal(&mut self, now: Now, mut open: Open, out: &mut Output) {
        if open.payment.posting.is_none() {
            open.excuse_reversal(out);
        }
        self.give_up(now, open, Reason::NotReversible, out);
    }

    /// Starts undoing: from here the payment is `Reversing` until the biller has answered or a person takes over.
    pub(super) fn undo(&mut self, now: Now, mut open: Open, what: What, out: &mut Output) {
        open.payment.state = State::Reversing;
        open.payment.reversal.get_or_insert_with(Reversal::default);
        let reversible = self.billers.get(&open.payment.biller).is_some_and(|terms| terms.reversible);
        // A department is told once of each payment what to give back: a second time it could not tell from a repeat.
        let told = open.payment.part.is_some() && open.payment.wanted_part().is_none();
        if !reversible || told {
            return self.give_up_reversal(now, open, out);
        }
        self.owe(now, open, what, out);
    }

    /// Gives the order to reverse, for the first time or once more.
    pub(super) fn send_reversal(&mut self, now: Now, mut open: Open, terms: &BillerTerms, out: &mut Output) {
        let before = open.payment.reversal.unwrap_or_default();
        open.payment.reversal = Some(Reversal { attempts: before.attempts.saturating_add(1), ..before });
        if !terms.embedded {
            let due = open.due;
            let ordered = What::Ordered(Ordered::Reverse, terms.code);
            out.records.push(open.record(now, ordered, due));
        }
        open.undone_in_order = open.under_way_until.is_none_or(|until| until <= now.ticks);
        let of = LegOf::Reverse(open.payment.key.clone());
        let mut payment = open.payment.clone();
        if let Some(heads) = payment.wanted_part().map(|part| part.heads.clone()) {
            payment.heads = heads;
        }
        let order = Order::Reverse { payment: Box::new(payment), again: before.attempts > 0 };
        self.order(now, &mut open, of, order, out);
        self.open.insert(open.payment.key.clone(), open);
    }

    /// The biller has undone it, or never had it.
    pub(super) fn reversed(&mut self, now: Now, mut open: Open, out: &mut Output) {
        if open.payment.advice && !open.payment.is_wanted_back() {
            // Undone because it was in doubt; meanwhile the acquirer has said that it is made.
            open.payment.posting = None;
            return self.give_up(now, open, Reason::ReversedFirst, out);
        }
        if open.payment.wanted_part().is_some() {
            return self.part_given_back(now, open, What::Answered { reason: Reason::Approved }, out);
        }
        open.payment.state = State::Reversed;
        open.answer_reversal(Reason::Approved, out);
        out.records.push(open.record(now, What::Answered { reason: Reason::Approved }, None));
        self.close(open);
    }
}

/// Whether it was made without asking, and no order to post it has arrived at its biller, nor is on its way.
fn is_unsent_advice(open: &Open) -> bool {
    let payment = &open.payment;
    let none_arrived = payment.reference.is_none() || payment.confirmations == 0;
    payment.state == State::Confirming && payment.was_made_unasked() && none_arrived
}

/// What is wrong with the amount of a reversal of a whole payment, if anything: it is what was debited, or what is left of it.
fn amount_fault(payment: &Payment, request: &ReversalRequest) -> Option<Reason> {
    let debited = payment.part.as_ref().map_or(payment.amount, |part| part.from);
    let whole = [payment.amount, debited].contains(&request.amount);
    let whole = whole && request.replacement == Replacement::None;
    (!whole).then_some(Reason::AmountNotAccepted)
}
