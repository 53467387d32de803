//! Advices: payments that were made without asking, of which the switch is told; and what people tell it of exceptions.

use super::pending::Open;
use super::{
    Action, Alarm, Answer, Asker, InDoubt, Output, Payment, PaymentRequest, Posting, Prior, Reason,
    Resolution, Reversal, State, Switch, What,
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
                let reason = payment.answer.as_ref().map_or(Reason::ReversedFirst, |answer| answer.reason);
                let (key, biller) = (payment.key.clone(), payment.biller);
                self.tell(now, &from, Answer::plain(Reason::Approved), out);
                // What was posted once is undone: it does not stand.
                let again = Payment { state: State::Exception, advice: true, posting: None, ..payment };
                let mut open = Open::new(again);
                out.records.push(open.record(now, What::GaveUp(reason), None));
                out.actions.push(Action::Alarm(Alarm::Exception { key, biller, reason }));
                self.close(open);
            }
            State::Received
            | State::Sent
            | State::Posted
            | State::Declined
            | State::Confirming
            | State::Reversing
            | State::Reversed
            | State::ReversedFirst
            | State::Exception => self.tell(now, &from, Answer::plain(Reason::Approved), out),
        }
    }

    fn new_advice(&mut self, now: Now, from: &Asker, mut request: PaymentRequest, out: &mut Output) {
        self.redirect(&mut request.bill);
        let Some(terms) = self.billers.get(&request.bill.biller) else {
            return self.tell(now, from, Answer::plain(Reason::NoBiller), out);
        };
        if !request.currency.is_empty() && request.currency != terms.currency {
            return self.tell(now, from, Answer::plain(Reason::AmountNotAccepted), out);
        }
        let looks_up_first = terms.looks_up_first;
        let mut open = Open::new(Payment { advice: true, ..self.taken_in(now, from, request) });
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
            Resolution::Undone => open.payment.state = State::Reversed,
            Resolution::Again => return self.ask_again(now, open, what, out),
        }
        out.records.push(open.record(now, what, None));
        self.close(open);
    }

    fn ask_again(&mut self, now: Now, mut open: Open, what: What, out: &mut Output) {
        open.payment.confirmations = 0;
        let terms = self.billers.get(&open.payment.biller);
        let confirms = terms.is_some_and(|terms| terms.in_doubt == InDoubt::Confirm);
        let wanted_back = open.payment.reversal.is_some();
        if !wanted_back && (open.payment.advice || confirms) {
            return self.confirm(now, open, what, out);
        }
        let before = open.payment.reversal.unwrap_or_default();
        open.payment.reversal = Some(Reversal { attempts: 0, ..before });
        self.undo(now, open, what, out);
    }
}
