//! What comes back from billers, in time, late or not at all; and what was open when the store was opened.

use super::pending::{Due, GivenUp, LegOf, Open};
use super::{
    Action, Alarm, Answer, LegId, Ordered, Outcome, Output, Payment, Posting, Reason, Record, Replied,
    Reversal, State, Switch, What,
};
use crate::clock::{Now, UnixMillis};
use crate::ids::PaymentKey;

/// How long the answer to an order that was given up is still listened for, by the switch and by adapters: an hour.
pub const LATE_REPLY_MS: u64 = 3_600_000;
/// How long an order that was declined is listened for: a host that tells of its own silence in time, and of the approval
/// behind it. A minute.
pub const CONTRADICTION_MS: u64 = 60_000;

impl Switch {
    pub(super) fn replied(&mut self, now: Now, leg: LegId, outcome: Outcome, out: &mut Output) {
        if matches!(outcome, Outcome::Silent) {
            // Behind our own deadline it says nothing new: the answer is still listened for.
            if !self.pending.is_late(leg) {
                self.reply_overdue(now, leg, out);
            }
            return;
        }
        let Some(of) = self.pending.take(leg) else {
            out.actions.push(Action::Alarm(Alarm::UnmatchedReply(leg)));
            return;
        };
        if let LegOf::Post(key) | LegOf::LatePost(key) | LegOf::Confirm(key) = &of {
            self.listen_behind(now, leg, key, &outcome);
        }
        match of {
            LegOf::Inquiry { from, bill } => {
                if !self.is_embedded(&bill.biller) {
                    out.records.push(from.record(self, now, What::Replied(told(&outcome), bill.biller)));
                }
                self.inquiry_replied(now, from, bill, outcome, out);
            }
            LegOf::LookUp(key) => self.lookup_replied(now, &key, outcome, out),
            LegOf::Post(key) => self.post_replied(now, &key, outcome, out),
            LegOf::LatePost(key) => self.late_reply(now, key, &outcome, out),
            LegOf::ConfirmLookUp(key) => self.confirm_looked_up(now, &key, outcome, out),
            LegOf::Confirm(key) => self.confirm_replied(now, &key, outcome, out),
            LegOf::Reverse(key) => self.reverse_replied(now, &key, outcome, out),
            LegOf::LateReverse(key) => self.reverse_replied_late(now, &key, &outcome, out),
        }
    }

    /// A payment that waits for its bill; none if it is completed without by now.
    fn take_received(&mut self, key: &PaymentKey) -> Option<Open> {
        let waits = self.open.get(key).is_some_and(|open| open.payment.state == State::Received);
        if waits { self.take_open(key) } else { None }
    }

    fn lookup_replied(&mut self, now: Now, key: &PaymentKey, outcome: Outcome, out: &mut Output) {
        let Some(open) = self.take_received(key) else { return };
        match outcome {
            Outcome::Found(bill) => self.bill_found(now, open, bill, out),
            Outcome::Declined(reason) => self.decline(now, open, Answer::plain(reason), out),
            Outcome::NotSent
            | Outcome::Duplicate
            | Outcome::Unknown
            | Outcome::Silent
            | Outcome::Posted(_)
            | Outcome::Reversed => {
                self.decline(now, open, Answer::plain(Reason::BillerUnavailable), out);
            }
        }
    }

    /// A biller that has declined may approve all the same, of orders that have left the process: that is heard too.
    fn listen_behind(&mut self, now: Now, leg: LegId, key: &PaymentKey, outcome: &Outcome) {
        let payment = self.open.get(key).map(|open| &open.payment);
        let payment = payment.or_else(|| self.given_up.get(key).map(GivenUp::payment));
        let left = payment.is_some_and(|payment| !self.is_embedded(&payment.biller));
        if left && matches!(outcome, Outcome::Declined(_)) {
            self.pending.keep_late(leg, LegOf::LatePost(key.clone()), now.ticks.after_ms(CONTRADICTION_MS));
        }
    }

    fn post_replied(&mut self, now: Now, key: &PaymentKey, outcome: Outcome, out: &mut Output) {
        let Some(mut open) = self.take_open(key) else { return };
        self.note_reply(now, &mut open, &outcome, out);
        match outcome {
            Outcome::Posted(posting) => self.posted(now, open, posting, out),
            Outcome::Declined(reason) => self.refuse(now, open, Answer::plain(reason), out),
            Outcome::NotSent => self.refuse(now, open, Answer::plain(Reason::BillerUnavailable), out),
            Outcome::Duplicate => self.contested(now, open, out),
            // An answer that makes no sense is no decline: the biller may have posted.
            Outcome::Unknown | Outcome::Silent | Outcome::Found(_) | Outcome::Reversed => {
                self.in_doubt(now, open, out)
            }
        }
    }

    /// The acquirer has its answer already: journal, do not forward. A reversal is on its way, or goes once more if the
    /// approval came behind its confirmation: whether the posting was before or after it, only the biller knows.
    pub(super) fn late_reply(&mut self, now: Now, key: PaymentKey, outcome: &Outcome, out: &mut Output) {
        let reopened = !self.open.contains_key(&key);
        let approved = matches!(outcome, Outcome::Posted(_));
        let Some(mut open) = self.open.remove(&key).or_else(|| self.take_given_up(&key)) else {
            if approved {
                out.actions.push(Action::Alarm(Alarm::LateApproval(key)));
            }
            return;
        };
        if let Outcome::Posted(posting) = outcome {
            self.hear_late_posting(&mut open.payment, posting, out);
        }
        let (due, what) = (open.due, What::RepliedLate(told(outcome), open.payment.biller));
        if !reopened && approved && open.payment.state == State::Confirming {
            out.records.push(open.record(now, what, due));
            self.confirmed(now, open, out);
        } else if !reopened {
            out.records.push(open.record(now, what, due));
            self.open.insert(key, open);
        } else if approved && self.late_approval_is_welcome(&open.payment) {
            // People have it, and this is what they would find out.
            out.records.push(open.record(now, what, None));
            self.confirmed(now, open, out);
        } else if approved && open.payment.state == State::Posted {
            // Sent more than once, and answered more than once.
            out.records.push(open.record(now, what, None));
            self.close(open);
        } else if !approved {
            // Where the acquirer has kept the money, it is no doubt that people have to resolve. Nor does a refusal of one order
            // end it where another may have posted, or has.
            let once = open.payment.confirmations == 0 && open.payment.posting.is_none();
            let doubted = open.payment.state == State::Exception && !open.payment.advice && once;
            if doubted && matches!(outcome, Outcome::Declined(reason) if *reason != Reason::AlreadyPaid) {
                // The doubt that was handed to a person is over: nothing was posted.
                open.payment.state = State::Declined;
            }
            out.records.push(open.record(now, what, None));
            self.close(open);
        } else {
            out.actions.push(Action::Alarm(Alarm::LateApproval(key)));
            // The orders before are over: the biller is asked anew.
            open.payment.reversal =
                open.payment.reversal.map(|reversal| Reversal { attempts: 0, ..reversal });
            self.undo(now, open, what, out);
        }
    }

    /// A posting that comes late. Two of one payment, with two receipts, may be two at the department: what the citizen was told
    /// stays, and people are told.
    fn hear_late_posting(&self, payment: &mut Payment, posting: &Posting, out: &mut Output) {
        match &payment.posting {
            Some(known) if known.receipt != posting.receipt => {
                let (key, biller) = (payment.key.clone(), payment.biller);
                out.actions.push(Action::Alarm(Alarm::PostedTwice { key, biller }));
            }
            Some(_) | None => payment.posting = Some(payment.as_it_stands(posting)),
        }
    }

    fn reverse_replied(&mut self, now: Now, key: &PaymentKey, outcome: Outcome, out: &mut Output) {
        let Some(mut open) = self.take_open(key) else { return };
        if let (Outcome::NotSent, Some(reversal)) = (&outcome, &mut open.payment.reversal) {
            // It certainly did not arrive: it counts as not given.
            reversal.attempts = reversal.attempts.saturating_sub(1);
        }
        self.note_reply(now, &mut open, &outcome, out);
        match outcome {
            Outcome::Reversed => self.reversed(now, open, out),
            // A biller that knows no such payment has nothing to undo: nothing stands, which is what was wanted. But one that
            // has posted it contradicts itself, and one that may have the order to post before it still, behind a connection
            // that broke, has not seen to it: they are asked again, the latter when that is over.
            Outcome::Declined(Reason::OriginalUnknown)
                if open.payment.posting.is_none() && open.undone_in_order =>
            {
                self.reversed(now, open, out);
            }
            Outcome::Declined(Reason::OriginalUnknown) if !self.is_embedded(&open.payment.biller) => {
                let not_before = open.under_way_until.filter(|_| !open.undone_in_order);
                self.later_than(now, open, not_before, out);
            }
            Outcome::Declined(reason) => self.give_up(now, open, reason, out),
            Outcome::NotSent
            | Outcome::Duplicate
            | Outcome::Unknown
            | Outcome::Silent
            | Outcome::Found(_)
            | Outcome::Posted(_) => {
                self.later(now, open, out);
            }
        }
    }

    /// Only the confirmation counts of an order that was given up: whatever else there is to say, the next order hears.
    fn reverse_replied_late(&mut self, now: Now, key: &PaymentKey, outcome: &Outcome, out: &mut Output) {
        if !matches!(outcome, Outcome::Reversed) {
            return;
        }
        if let Some(mut open) = self.take_open(key) {
            let (due, what) = (open.due, What::RepliedLate(told(outcome), open.payment.biller));
            out.records.push(open.record(now, what, due));
            self.reversed(now, open, out);
        }
    }

    /// Records a biller's reply, unless the biller lives in our own store.
    pub(super) fn note_reply(&self, now: Now, open: &mut Open, outcome: &Outcome, out: &mut Output) {
        if !self.is_embedded(&open.payment.biller) {
            let due = open.due;
            let what = What::Replied(told(outcome), open.payment.biller);
            out.records.push(open.record(now, what, due));
        }
    }

    pub(super) fn deadlines_passed(&mut self, now: Now, out: &mut Output) {
        while let Some(due) = self.pending.pop_due(now.ticks) {
            match due {
                Due::Reply(leg) => self.reply_overdue(now, leg, out),
                Due::Forget(leg) => {
                    if let Some(LegOf::LatePost(key)) = self.pending.take(leg) {
                        self.stop_listening(leg, &key);
                    }
                }
                Due::Totals(link, date) => self.totals_due(now, link, date, out),
                Due::Forward(biller) => self.forward_due(biller),
            }
        }
    }

    fn reply_overdue(&mut self, now: Now, leg: LegId, out: &mut Output) {
        match self.pending.take(leg) {
            None | Some(LegOf::LatePost(_) | LegOf::LateReverse(_)) => {}
            Some(LegOf::Inquiry { from, bill }) => self.inquiry_timed_out(now, from, bill.biller, out),
            Some(LegOf::LookUp(key)) => {
                if let Some(open) = self.take_received(&key) {
                    self.decline(now, open, Answer::plain(Reason::BillerUnavailable), out);
                }
            }
            Some(LegOf::Post(key)) => {
                if let Some(mut open) = self.take_open(&key) {
                    self.pending.keep_late(leg, LegOf::LatePost(key), now.ticks.after_ms(LATE_REPLY_MS));
                    note_silence(now, &mut open, Ordered::Post, out);
                    self.in_doubt(now, open, out);
                }
            }
            Some(LegOf::ConfirmLookUp(key)) => {
                if self.is_confirming(&key)
                    && let Some(mut open) = self.take_open(&key)
                {
                    note_silence(now, &mut open, Ordered::LookUp, out);
                    self.later(now, open, out);
                }
            }
            Some(LegOf::Confirm(key)) => {
                let until = now.ticks.after_ms(LATE_REPLY_MS);
                self.pending.keep_late(leg, LegOf::LatePost(key.clone()), until);
                if self.is_confirming(&key)
                    && let Some(mut open) = self.take_open(&key)
                {
                    note_silence(now, &mut open, Ordered::Post, out);
                    self.later(now, open, out);
                }
            }
            Some(LegOf::Reverse(key)) => {
                if let Some(mut open) = self.take_open(&key) {
                    let until = now.ticks.after_ms(LATE_REPLY_MS);
                    self.pending.keep_late(leg, LegOf::LateReverse(key), until);
                    note_silence(now, &mut open, Ordered::Reverse, out);
                    self.later(now, open, out);
                }
            }
        }
    }

    /// What was open when the process ended is taken up as if its deadline had just passed.
    pub(super) fn recovered(&mut self, now: Now, payment: Payment, due: UnixMillis, out: &mut Output) {
        let mut open = Open::new(payment);
        open.due = Some(due);
        open.under_way_until = self.timeout(now, &open.payment.biller);
        match open.payment.state {
            State::Sent => {
                note_silence(now, &mut open, Ordered::Post, out);
                self.in_doubt(now, open, out);
            }
            State::Confirming | State::Reversing => self.owe_again(now, open, out),
            State::Received
            | State::Posted
            | State::Declined
            | State::Reversed
            | State::ReversedFirst
            | State::Exception => {
                // Nothing is owed any more: only the entry in the list of what is due is to go.
                out.records.push(open.record(now, What::Settled, None));
                self.close(open);
            }
        }
    }
}

fn note_silence(now: Now, open: &mut Open, ordered: Ordered, out: &mut Output) {
    let due = open.due;
    let what = What::TimedOut(ordered, open.payment.biller);
    let record: Record = open.record(now, what, due);
    out.records.push(record);
}

/// The outcome without its content, for a record.
const fn told(outcome: &Outcome) -> Replied {
    match outcome {
        Outcome::Found(_) => Replied::Found,
        Outcome::Posted(_) => Replied::Posted,
        Outcome::Reversed => Replied::Reversed,
        Outcome::Declined(reason) => Replied::Declined(*reason),
        Outcome::NotSent => Replied::NotSent,
        Outcome::Duplicate | Outcome::Unknown | Outcome::Silent => Replied::Unknown,
    }
}
