//! Confirming: a payment is sent to the biller, in all its parts the same, until it says posted or refused. So it is done
//! with one in doubt where the biller cannot undo, or would rather not, and with one that was made without asking.

use super::pending::{LegOf, Open};
use super::{
    Answer, BillRef, BillerTerms, InDoubt, Order, Ordered, Outcome, Output, Payment, Reason, State, Switch,
    What,
};
use crate::clock::Now;
use crate::ids::PaymentKey;

impl Switch {
    /// Starts confirming: from here the payment is `Confirming` until the biller has said, or a person takes over.
    pub(super) fn confirm(&mut self, now: Now, mut open: Open, what: What, out: &mut Output) {
        open.payment.state = State::Confirming;
        self.owe(now, open, what, out);
    }

    /// Gives the order to post, or gives it once more; before that, if it has not been done, the bill is looked up, for its
    /// heads and for what the department wants back.
    pub(super) fn send_confirmation(
        &mut self,
        now: Now,
        mut open: Open,
        terms: &BillerTerms,
        out: &mut Output,
    ) {
        open.payment.confirmations = open.payment.confirmations.saturating_add(1);
        let looks_up = terms.looks_up_first && open.payment.reference.is_none();
        let key = open.payment.key.clone();
        if looks_up {
            if !terms.embedded {
                let (due, what) = (open.due, What::Ordered(Ordered::LookUp, terms.code));
                out.records.push(open.record(now, what, due));
            }
            let bill = BillRef { biller: open.payment.biller, consumer: open.payment.consumer.clone() };
            self.order(now, &mut open, LegOf::ConfirmLookUp(key), Order::LookUp(bill), out);
        } else {
            self.post_again(now, &mut open, out);
        }
        self.open.insert(open.payment.key.clone(), open);
    }

    fn post_again(&mut self, now: Now, open: &mut Open, out: &mut Output) {
        open.payment.reference.get_or_insert_default();
        if !self.is_embedded(&open.payment.biller) {
            // Heads and all: asked again after a restart, it must be the same.
            let (due, what) = (open.due, What::Ordered(Ordered::Post, open.payment.biller));
            out.records.push(open.record(now, what, due));
        }
        // Also the first order about an advice: the next one may overtake it, and then it must find that one's posting.
        let order = Order::Post { payment: Box::new(open.payment.clone()), again: true };
        self.order(now, open, LegOf::Confirm(open.payment.key.clone()), order, out);
    }

    /// The bill of a payment that was made without asking: what it splits into, or that it should not have been made.
    pub(super) fn confirm_looked_up(
        &mut self,
        now: Now,
        key: &PaymentKey,
        outcome: Outcome,
        out: &mut Output,
    ) {
        if !self.is_confirming(key) {
            return;
        }
        let Some(mut open) = self.take_open(key) else { return };
        not_sent(&mut open, &outcome);
        self.note_reply(now, &mut open, &outcome, out);
        match outcome {
            Outcome::Found(bill) => match self.heads_of(&open.payment, &bill) {
                Ok(heads) => {
                    open.payment.heads = heads;
                    open.payment.reference = Some(bill.reference);
                    self.post_again(now, &mut open, out);
                    self.open.insert(open.payment.key.clone(), open);
                }
                Err(reason) => self.refused(now, open, reason, out),
            },
            Outcome::Declined(reason) => self.refused(now, open, reason, out),
            Outcome::NotSent
            | Outcome::Duplicate
            | Outcome::Unknown
            | Outcome::Silent
            | Outcome::Posted(_)
            | Outcome::Reversed => {
                self.later(now, open, out);
            }
        }
    }

    pub(super) fn confirm_replied(&mut self, now: Now, key: &PaymentKey, outcome: Outcome, out: &mut Output) {
        if !self.is_confirming(key) {
            return self.late_reply(now, key.clone(), &outcome, out);
        }
        let Some(mut open) = self.take_open(key) else { return };
        not_sent(&mut open, &outcome);
        self.note_reply(now, &mut open, &outcome, out);
        match outcome {
            Outcome::Posted(posting) => {
                open.payment.posting = Some(posting);
                self.confirmed(now, open, out);
            }
            Outcome::Declined(reason) => self.refused(now, open, reason, out),
            Outcome::NotSent
            | Outcome::Duplicate
            | Outcome::Unknown
            | Outcome::Silent
            | Outcome::Found(_)
            | Outcome::Reversed => {
                self.later(now, open, out);
            }
        }
    }

    /// Whether it is still to be made certain: a late answer may have done that meanwhile.
    pub(super) fn is_confirming(&self, key: &PaymentKey) -> bool {
        self.open.get(key).is_some_and(|open| open.payment.state == State::Confirming)
    }

    /// It is posted. Who repeats the request is told so from now on; what the acquirer wants back meanwhile is undone.
    pub(super) fn confirmed(&mut self, now: Now, open: Open, out: &mut Output) {
        let Some(posting) = open.payment.posting.clone() else { return };
        if open.payment.reversal.is_some() {
            return self.undo(now, open, What::Answered { reason: Reason::ReversedFirst }, out);
        }
        self.approve(now, open, posting, out);
    }

    /// It is not posted, and will not be. Where the acquirer has kept the money all the same, people must decide.
    fn refused(&mut self, now: Now, open: Open, reason: Reason, out: &mut Output) {
        // What the bill is now says nothing of what was done to it before, unless nothing was sent before this order: paid, it may
        // be by us; expired or held back, it may have been paid in time. Only people find out. To an acquirer that wants it back
        // it must not be called undone.
        let sent_before = !open.payment.was_made_unasked() || open.payment.confirmations > 1;
        let of_the_bill = matches!(reason, Reason::AlreadyPaid | Reason::Expired | Reason::Blocked);
        let perhaps_ours = of_the_bill && sent_before;
        if open.payment.reversal.is_some() && !perhaps_ours {
            return self.reversed(now, open, out);
        }
        if open.payment.advice || perhaps_ours {
            return self.give_up(now, open, reason, out);
        }
        self.decline(now, open, Answer::plain(reason), out);
    }

    /// Whether an approval that comes after the payment was handed to people is what they were to find out.
    pub(super) fn late_approval_is_welcome(&self, payment: &Payment) -> bool {
        let confirms =
            self.billers.get(&payment.biller).is_some_and(|terms| terms.in_doubt == InDoubt::Confirm);
        payment.state == State::Exception && (confirms || payment.advice) && payment.reversal.is_none()
    }
}

/// An order that certainly did not arrive counts as not given.
fn not_sent(open: &mut Open, outcome: &Outcome) {
    if matches!(outcome, Outcome::NotSent) {
        open.payment.confirmations = open.payment.confirmations.saturating_sub(1);
    }
}
