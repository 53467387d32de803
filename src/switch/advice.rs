//! Advices: payments that were made without asking, of which the switch is told; and what people tell it of exceptions.

use super::pending::Open;
use super::{
    Action, Answer, Asker, InDoubt, Output, Payment, PaymentRequest, Posting, Prior, Reason, Resolution,
    Reversal, State, Switch, What,
};
use crate::clock::Now;
use crate::ids::Short;

impl Switch {
    /// Stores the advice, says so, and forwards it. It is never shed: the citizen's money is taken already.
    pub(super) fn advice(&mut self, now: Now, from: Asker, request: PaymentRequest, out: &mut Output) {
        if let Err(reason) = self.gate(&from.link) {
            return self.tell(now, &from, Answer::plain(reason), out);
        }
        let known = match (self.open.get(&request.key), &request.prior) {
            (Some(open), _) => Some(open.payment.clone()),
            (None, Prior::Known(payment)) => Some(Payment::clone(payment)),
            (None, Prior::Unknown | Prior::SomebodyElses) => None,
        };
        let Some(payment) = known else { return self.new_advice(now, &from, request, out) };
        if payment.digest != request.digest && payment.state != State::ReversedFirst {
            return self.tell(now, &from, Answer::plain(Reason::KeyReused), out);
        }
        match payment.state {
            // What was refused or undone, and now is said to be done, is a contradiction that people must see.
            State::Declined | State::Reversed | State::ReversedFirst if !payment.advice => {
                self.contradicted(now, &from, payment, request, out);
            }
            // Nothing was sent, and nothing of it is stored: it is completed like any other that was made without asking.
            State::Received if !payment.advice => {
                if let Some(mut open) = self.take_open(&payment.key) {
                    open.payment.advice = true;
                    self.answer_payment(&mut open, Answer::plain(Reason::InDoubt), out);
                    self.confirm(now, open, What::Answered { reason: Reason::Approved }, out);
                }
                out.actions.push(Action::Answer { ask: from.id, answer: Answer::plain(Reason::Approved) });
            }
            // It is being worked on: from here on what it is refused for is people's business, and it is not undone unasked.
            State::Sent | State::Confirming | State::Reversing if !payment.advice => {
                if let Some(mut open) = self.take_open(&payment.key) {
                    open.payment.advice = true;
                    let due = open.due;
                    out.records.push(open.record(now, What::Answered { reason: Reason::Approved }, due));
                    self.open.insert(payment.key, open);
                }
                out.actions.push(Action::Answer { ask: from.id, answer: Answer::plain(Reason::Approved) });
            }
            // People have it: they learn that the acquirer has made it, and it is not undone behind its back.
            State::Exception if !payment.advice => {
                let reason = payment.answer.as_ref().map_or(Reason::InDoubt, |answer| answer.reason);
                self.tell(now, &from, Answer::plain(Reason::Approved), out);
                self.give_up(now, Open::new(Payment { advice: true, ..payment }), reason, out);
            }
            // An advice that was taken is never declined: people see to it.
            State::Declined => {
                let told = payment.answer.unwrap_or(Answer::plain(Reason::Approved));
                self.tell(now, &from, told, out);
            }
            State::Received
            | State::Sent
            | State::Posted
            | State::Confirming
            | State::Reversing
            | State::Reversed
            | State::ReversedFirst
            | State::Exception => self.tell(now, &from, Answer::plain(Reason::Approved), out),
        }
    }

    /// The acquirer says of a payment that is over, and does not stand, that it is made.
    fn contradicted(
        &mut self,
        now: Now,
        from: &Asker,
        known: Payment,
        mut request: PaymentRequest,
        out: &mut Output,
    ) {
        let reason = known.answer.as_ref().map_or(Reason::ReversedFirst, |answer| answer.reason);
        self.tell(now, from, Answer::plain(Reason::Approved), out);
        let payment = if known.state == State::ReversedFirst {
            // Of its reversal, which came first, nothing was known but the key.
            self.redirect(&mut request.bill);
            Payment { reversal: known.reversal, ..self.taken_in(now, from, request) }
        } else {
            known
        };
        // What was posted once is undone: it does not stand.
        let again = Payment { advice: true, posting: None, ..payment };
        self.give_up(now, Open::new(again), reason, out);
    }

    fn new_advice(&mut self, now: Now, from: &Asker, mut request: PaymentRequest, out: &mut Output) {
        self.redirect(&mut request.bill);
        let ruled = match self.billers.get(&request.bill.biller) {
            None => Err(Reason::NoBiller),
            Some(terms) if !request.currency.is_empty() && request.currency != terms.currency => {
                Err(Reason::AmountNotAccepted)
            }
            Some(terms) => Ok(terms.looks_up_first),
        };
        let mut open = Open::new(Payment { advice: true, ..self.taken_in(now, from, request) });
        let looks_up_first = match ruled {
            Ok(looks_up_first) => looks_up_first,
            Err(reason) => {
                // Another copy of it may come under other terms: who was told no must not be posted.
                open.asks.push(*from);
                return self.decline(now, open, Answer::plain(reason), out);
            }
        };
        if !looks_up_first {
            // It is made already: that it should not have been, only the department may say.
            let heads = self.heads_by_rule(&open.payment.biller, open.payment.amount);
            open.payment.heads = heads.unwrap_or_default();
        }
        self.answer_payment(&mut open, Answer::plain(Reason::Approved), out);
        out.actions.push(Action::Answer { ask: from.id, answer: Answer::plain(Reason::Approved) });
        self.confirm(now, open, What::Answered { reason: Reason::Approved }, out);
    }

    /// Does what an operator has found out about a payment that was handed to people.
    pub(super) fn resolve(
        &mut self,
        now: Now,
        payment: Payment,
        resolution: Resolution,
        why: Box<str>,
        out: &mut Output,
    ) {
        if payment.state != State::Exception || self.open.contains_key(&payment.key) {
            return;
        }
        let mut open = Open::new(payment);
        let what = What::Resolved(resolution, why);
        match resolution {
            Resolution::Undone if open.payment.wanted_part().is_some() => {
                return self.part_given_back(now, open, what, out);
            }
            Resolution::Stands => {
                open.payment.keep_part();
                open.payment.state = State::Posted;
                // What the department's own list says is not known here: it counts, by the heads it was sent with.
                let heads = open.payment.heads.clone();
                let receipt = Short::new(b"BY HAND").unwrap_or_default();
                let posting = Posting { receipt, authorisation: Short::EMPTY, at: now.wall, heads };
                open.payment.posting.get_or_insert(posting);
            }
            Resolution::Undone => {
                open.payment.state = State::Reversed;
                // People settle by hand what they resolve by hand: it is counted nowhere.
                let unanswered = |reversal: &Reversal| reversal.answer != Some(Reason::Approved);
                if let Some(reversal) = open.payment.reversal.as_mut().filter(|reversal| unanswered(reversal))
                {
                    reversal.totals_date = None;
                }
            }
            Resolution::Again => return self.ask_again(now, open, what, out),
        }
        out.records.push(open.record(now, what, None));
        self.close(open);
    }

    fn ask_again(&mut self, now: Now, mut open: Open, what: What, out: &mut Output) {
        // All its attempts but one again: it is not forgotten that there were some.
        open.payment.confirmations = open.payment.confirmations.min(1);
        let terms = self.billers.get(&open.payment.biller);
        let confirms = terms.is_some_and(|terms| terms.in_doubt == InDoubt::Confirm);
        // What the switch would have undone by itself, and never told its biller to, is made, the acquirer says.
        let only_meant = |reversal: &Reversal| *reversal == Reversal::default();
        if open.payment.advice && open.payment.reversal.as_ref().is_some_and(only_meant) {
            open.payment.reversal = None;
        }
        let wanted_back = open.payment.reversal.is_some();
        if !wanted_back && (open.payment.advice || confirms) {
            return self.confirm(now, open, what, out);
        }
        let before = open.payment.reversal.unwrap_or_default();
        open.payment.reversal = Some(Reversal { attempts: 0, ..before });
        self.undo(now, open, what, out);
    }
}
