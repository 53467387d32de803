//! Bill inquiries: nothing moves, so an unanswered one is simply declined.

use std::sync::Arc;

use super::pending::LegOf;
use super::{
    About, Action, Answer, Asker, Bill, BillRef, BillerTerms, Inquiries, Order, Ordered, Outcome, Output,
    Reason, Stage, Switch, What,
};
use crate::clock::Now;
use crate::ids::BillerCode;

impl Switch {
    pub(super) fn inquiry(&mut self, now: Now, from: Asker, mut bill: BillRef, out: &mut Output) {
        self.redirect(&mut bill);
        let routed = self.gate_new_work(&from).and_then(|()| self.route(&bill.biller).cloned());
        let terms = match routed.and_then(|terms| terms.rules.refuse_inquiry(now, &bill).map(|()| terms)) {
            Ok(terms) => terms,
            Err(reason) => return self.tell(now, &from, Answer::plain(reason), out),
        };
        let biller = terms.code;
        let timeout = self.timeout(now, &biller);
        let leg = self.pending.add(LegOf::Inquiry { from, bill: bill.clone() }, timeout);
        self.waits_for_biller(&from.link);
        if !terms.embedded {
            out.records.push(from.record(self, now, What::Ordered(Ordered::LookUp, biller)));
        }
        out.actions.push(Action::Order { leg, biller, order: Order::LookUp(bill) });
    }

    /// The biller for a code, if it may be used.
    pub(super) fn route(&self, code: &BillerCode) -> Result<&BillerTerms, Reason> {
        let terms = self.billers.get(code).ok_or(Reason::NoBiller)?;
        if self.blocked.contains(code) { Err(Reason::BillerUnavailable) } else { Ok(terms) }
    }

    pub(super) fn inquiry_replied(
        &mut self,
        now: Now,
        from: Asker,
        asked: BillRef,
        outcome: Outcome,
        out: &mut Output,
    ) {
        self.waits_no_more(&from.link);
        let answer = match outcome {
            Outcome::Found(bill) => self.describe(now, &from, asked, *bill),
            Outcome::Declined(reason) => Answer::plain(reason),
            Outcome::NotSent
            | Outcome::Duplicate
            | Outcome::Unknown
            | Outcome::Posted(_)
            | Outcome::Reversed => Answer::plain(Reason::BillerUnavailable),
        };
        self.tell(now, &from, answer, out);
    }

    pub(super) fn inquiry_timed_out(&mut self, now: Now, from: Asker, biller: BillerCode, out: &mut Output) {
        out.records.push(from.record(self, now, What::TimedOut(Ordered::LookUp, biller)));
        self.waits_no_more(&from.link);
        self.tell(now, &from, Answer::plain(Reason::BillerUnavailable), out);
    }

    /// A bill that cannot be paid is told with the reason why, and with what is known of it.
    fn describe(&mut self, now: Now, from: &Asker, asked: BillRef, bill: Bill) -> Answer {
        let Some(rules) = self.billers.get(&asked.biller).map(|terms| Arc::clone(&terms.rules)) else {
            return Answer::plain(Reason::NoBiller);
        };
        let Ok(bill) = rules.applied(bill, Stage::Inquiry) else { return Answer::plain(Reason::Internal) };
        let reason = bill.due_on(self.date).err().unwrap_or(Reason::Approved);
        if let (Inquiries::Mandatory { valid_ms }, Reason::Approved) = (rules.inquiry, reason) {
            self.inquired.remember(now.ticks, now.ticks.after_ms(valid_ms), from.link, asked);
        }
        Answer { reason, bad_field: None, about: About::Bill(Box::new(bill)) }
    }
}
