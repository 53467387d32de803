//! Orders on their way to the billers, and replies on their way back.

use super::auditor::{Identity, Ordered, Reply, Told};
use super::billers::{Change, Mood};
use super::daemon::Input;
use super::dice::number_of;
use super::site::{REPLY_TIMEOUT_MS, minor_units};
use super::{Defect, Fault, Happening, Sent, World};
use crate::ids::{BillerCode, PaymentKey};
use crate::switch::{BillStatus, LegId, Limits, Order, Outcome, Payment, Reason};

/// The payment an order is about.
fn payment(order: &Order) -> Option<&Payment> {
    match order {
        Order::LookUp(_) => None,
        Order::Post { payment, .. } | Order::Reverse { payment, .. } => Some(payment),
    }
}

const fn posts(order: &Order) -> bool {
    matches!(order, Order::Post { .. })
}

const fn owed(order: &Order) -> bool {
    matches!(order, Order::Reverse { .. } | Order::Post { again: true, .. })
}

/// What it says, in the auditor's words.
const fn reply(outcome: &Outcome) -> Reply {
    match outcome {
        Outcome::NotSent => Reply::NotSent,
        // There is nothing to undo.
        Outcome::Declined(Reason::OriginalUnknown) => Reply::Told,
        Outcome::Declined(_) => Reply::Refused,
        Outcome::Duplicate => Reply::Contested,
        Outcome::Found(_) | Outcome::Posted(_) | Outcome::Reversed | Outcome::Unknown | Outcome::Silent => {
            Reply::Told
        }
    }
}

fn gives_part_back(order: &Order) -> bool {
    matches!(order, Order::Reverse { payment, .. } if payment.wanted_part().is_some())
}

fn name(order: &Order) -> &'static str {
    match order {
        Order::LookUp(_) => "look up a bill",
        Order::Post { .. } => "post",
        Order::Reverse { .. } if gives_part_back(order) => "give back a part of",
        Order::Reverse { .. } => "reverse",
    }
}

/// The trace number of a payment.
fn stan(key: &PaymentKey) -> String {
    String::from_utf8_lossy(key.parts().stan).into_owned()
}

/// RRN without its zeros, for the history.
fn called(order: &Order) -> String {
    let rrn = payment(order).map(|payment| String::from_utf8_lossy(payment.key.parts().rrn).into_owned());
    rrn.map_or_else(String::new, |rrn| format!(" payment {}", rrn.trim_start_matches('0')))
}

impl World<'_> {
    /// An order leaves the switch.
    pub(super) fn order(&mut self, leg: LegId, biller: BillerCode, mut order: Order) {
        let Some(daemon) = &self.daemon else { return };
        let (incarnation, today) = (daemon.incarnation, daemon.date());
        self.spoil(&mut order, today);
        if self.is_kept_back(&order) {
            let place = self.site.place(&biller).unwrap_or_default();
            let sent = Sent { incarnation, leg, biller: place, order: Box::new(order), due_ms: 0 };
            return self.after(5, Happening::Replies(sent, Outcome::NotSent));
        }
        if self.is_forgotten(&order, incarnation) {
            let place = self.site.place(&biller).unwrap_or_default();
            let sent = Sent { incarnation, leg, biller: place, order: Box::new(order), due_ms: 0 };
            return self.after(5, Happening::Replies(sent, Outcome::Reversed));
        }
        self.note(|| format!("{biller} is told to {}{}", name(&order), called(&order)));
        if let Some(payment) = payment(&order) {
            let heads =
                payment.heads.iter().map(|part| (part.head.to_string(), part.amount.minor())).collect();
            let ordered = Ordered {
                leg: (incarnation, leg.0),
                key: payment.key.as_bytes().to_vec(),
                posts: posts(&order),
                owed: owed(&order),
                amount: payment.amount.minor(),
                left: payment.wanted_part().map(|part| part.left.minor()),
                date: payment.date.to_string(),
                heads,
            };
            self.auditor.orders(ordered, &self.disk);
            self.auditor.is_known_by(payment.key.as_bytes(), Identity::of(payment));
        }
        let Some(biller) = self.site.place(&biller) else { return };
        if let Order::LookUp(asked) = &order {
            self.auditor.looks_up(biller, &asked.consumer);
        }
        let due_ms = self.now_ms.saturating_add(REPLY_TIMEOUT_MS);
        let sent = Sent { incarnation, leg, biller, order: Box::new(order), due_ms };
        self.outstanding.push(sent.clone());
        self.travels(sent);
    }

    /// Where the seed says what becomes of an order.
    fn travels(&mut self, sent: Sent) {
        let what = payment(&sent.order).map_or(0, |payment| number_of(payment.key.as_bytes()));
        let what = what.wrapping_add(number_of(name(&sent.order).as_bytes()));
        let nth = self.nth(what);
        let mut dice = self.dice(&[4, what, nth]);
        let (not_sent, lost, delayed) = (
            dice.permille(self.rates.of(Fault::OrderNotSent)),
            dice.permille(self.rates.of(Fault::OrderLost)),
            dice.permille(self.rates.of(Fault::OrderDelayed)),
        );
        let (slow, quick) = (dice.between(200, 9_000), dice.between(1, 60));
        let down = self.billers.get(sent.biller).filter(|biller| biller.down_until_ms > self.now_ms);
        let down = down.map(|biller| biller.refuses);
        if self.defect == Some(Defect::SilenceIsDecline) {
            let decline = Outcome::Declined(Reason::BillerUnavailable);
            self.after(REPLY_TIMEOUT_MS.saturating_sub(10), Happening::Replies(sent.clone(), decline));
        }
        if self.defect == Some(Defect::PostTwice) && posts(&sent.order) {
            self.after(REPLY_TIMEOUT_MS, Happening::Arrives(sent.clone(), nth.saturating_add(1_000)));
        }
        if down == Some(true) || not_sent {
            return self.after(5, Happening::Replies(sent, Outcome::NotSent));
        }
        if down == Some(false) || lost {
            if self.defect == Some(Defect::LostIsNotSent) {
                // It was lost on the way back as often as on the way there.
                self.after(quick, Happening::Arrives(sent.clone(), nth));
                self.after(5, Happening::Replies(sent, Outcome::NotSent));
            }
            return self.note(|| "the order is lost".to_owned());
        }
        let delay = if delayed { slow } else { quick };
        self.after(delay, Happening::Arrives(sent, nth));
    }

    /// An order has reached its biller.
    pub(super) fn arrives(&mut self, sent: Sent, nth: u64) {
        let what = payment(&sent.order).map_or(0, |payment| number_of(payment.key.as_bytes()));
        let what = what.wrapping_add(number_of(name(&sent.order).as_bytes()));
        let mut dice = self.dice(&[5, what, nth]);
        let bad = payment(&sent.order).is_some_and(|payment| self.plan.is_bad(payment.key.as_bytes()));
        let hangs = dice.permille(self.rates.of(Fault::BillerHangs)) || bad;
        let mood = Mood {
            declines: dice.permille(self.rates.of(Fault::BillerDeclines)),
            keeps: dice.permille(self.rates.of(Fault::BillerKeeps)),
        };
        let wall = self.wall();
        let Some(biller) = self.billers.get_mut(sent.biller) else { return };
        if biller.down_until_ms > self.now_ms || hangs {
            return self
                .note(|| format!("nobody takes the order to {}{}", name(&sent.order), called(&sent.order)));
        }
        let sure = biller.replies_for_sure();
        let (outcome, change) = biller.take(&sent.order, mood, wall);
        if let (Some(payment), Some(change)) = (payment(&sent.order), change) {
            let done = match change {
                Change::Posted => "has posted",
                Change::Undone => "has undone",
                Change::GaveBack(_) => "has given back a part of",
            };
            self.history.note(self.now_ms, || format!("the biller {done}{}", called(&sent.order)));
            match change {
                Change::Posted => self.auditor.posted(payment.key.as_bytes(), payment.amount.minor()),
                Change::Undone => self.auditor.undone(payment.key.as_bytes()),
                Change::GaveBack(left) => self.auditor.given_back(payment.key.as_bytes(), left),
            }
        }
        let (lost, late, twice, garbled) = (
            dice.permille(self.rates.of(Fault::ReplyLost)) && !sure,
            dice.permille(self.rates.of(Fault::ReplyLate)),
            dice.permille(self.rates.of(Fault::ReplyTwice)),
            dice.permille(self.rates.of(Fault::ReplyGarbled)) && !sure,
        );
        let (slow, quick) = (dice.between(1_500, 15_000), dice.between(1, 60));
        if lost {
            return self.note(|| "its reply is lost".to_owned());
        }
        // A biller that mixes payments up says of a new one that it has it already, whatever it has done.
        let new = matches!(*sent.order, Order::Post { again: false, .. });
        let outcome = match (garbled, new && what.is_multiple_of(2)) {
            (true, true) => Outcome::Duplicate,
            (true, false) => Outcome::Unknown,
            (false, _) => outcome,
        };
        let delay = if late { slow } else { quick };
        let mut first = outcome.clone();
        if twice {
            let again = delay.saturating_add(dice.between(1, 3_000));
            if what.is_multiple_of(3) && !sure {
                // The connection ends before the answer, which comes by another.
                first = Outcome::Silent;
            }
            self.after(again, Happening::Replies(sent.clone(), outcome));
        }
        self.after(delay, Happening::Replies(sent, first));
    }

    /// A reply has come back to the switch.
    pub(super) fn replies(&mut self, sent: &Sent, mut outcome: Outcome) {
        let same = self.runs(sent.incarnation);
        if self.daemon.is_none() || !(same || self.defect == Some(Defect::ReuseLegNumbers)) {
            return;
        }
        let mut leg = sent.leg;
        match self.defect {
            Some(Defect::GarbageIsDecline) if matches!(outcome, Outcome::Unknown) => {
                outcome = Outcome::Declined(Reason::Blocked);
            }
            Some(Defect::ForgetLateApproval)
                if self.now_ms >= sent.due_ms && matches!(outcome, Outcome::Posted(_)) =>
            {
                return;
            }
            Some(Defect::IgnoreLimits) => {
                if let Outcome::Found(bill) = &mut outcome
                    && let BillStatus::Partial(limits) = &mut bill.status
                {
                    *limits = Limits::default();
                }
            }
            Some(Defect::PartRefusedIsDone)
                if gives_part_back(&sent.order) && matches!(outcome, Outcome::Declined(_)) =>
            {
                outcome = Outcome::Reversed;
            }
            Some(Defect::MatchByStan) => leg = self.leg_of_that_stan(sent),
            Some(_) | None => {}
        }
        if let Some(payment) = payment(&sent.order).filter(|_| sent.leg == leg) {
            let (key, order) = (payment.key.as_bytes(), &sent.order);
            self.auditor.hears(key, posts(order), owed(order), reply(&outcome));
        }
        if let Some(payment) = payment(&sent.order).filter(|_| posts(&sent.order)) {
            let honest = self.defect != Some(Defect::SilenceIsDecline) || self.now_ms >= sent.due_ms;
            let honest = honest && self.defect != Some(Defect::GarbageIsDecline);
            let told = match outcome {
                Outcome::Declined(_) if honest => Told::Refused,
                Outcome::NotSent if honest => Told::NotSent,
                Outcome::Declined(_)
                | Outcome::NotSent
                | Outcome::Found(_)
                | Outcome::Posted(_)
                | Outcome::Reversed
                | Outcome::Duplicate
                | Outcome::Unknown
                | Outcome::Silent => Told::Nothing,
            };
            self.auditor.replied(payment.key.as_bytes(), told);
        }
        let kind = match &outcome {
            Outcome::Found(_) => "found it",
            Outcome::Posted(_) => "posted",
            Outcome::Reversed => "reversed",
            Outcome::Declined(_) => "no",
            Outcome::NotSent => "not sent",
            Outcome::Duplicate => "it has it already",
            Outcome::Unknown => "something garbled",
            Outcome::Silent => "not there so far",
        };
        self.history.note(self.now_ms, || {
            format!("to the order to {}{} the reply is: {kind}", name(&sent.order), called(&sent.order))
        });
        self.input(Input::Replied(leg, outcome));
    }

    /// A defect: the oldest order of the same kind whose payment has the same trace number.
    fn leg_of_that_stan(&self, sent: &Sent) -> LegId {
        let Some(own) = payment(&sent.order) else { return sent.leg };
        let like = |other: &&Sent| {
            other.incarnation == sent.incarnation
                && posts(&other.order) == posts(&sent.order)
                && other.due_ms > self.now_ms
                && payment(&other.order).is_some_and(|payment| stan(&payment.key) == stan(&own.key))
        };
        self.outstanding.iter().find(like).map_or(sent.leg, |other| other.leg)
    }

    /// The defects by which an order that is owed does not leave.
    fn is_kept_back(&self, order: &Order) -> bool {
        let Some(own) = payment(order).filter(|_| owed(order)) else { return false };
        let is = |key: &[u8]| number_of(key).is_multiple_of(16);
        match self.defect {
            Some(Defect::PutOff) => is(own.key.as_bytes()),
            Some(Defect::BadRecordBlocks) => {
                let unanswered = |sent: &&Sent| {
                    let other = payment(&sent.order).filter(|_| self.runs(sent.incarnation));
                    other.is_some_and(|other| {
                        other.biller == own.biller
                            && other.key != own.key
                            && self.plan.is_bad(other.key.as_bytes())
                            && self.disk.has_durable(b"D", |entry| entry.ends_with(other.key.as_bytes()))
                    })
                };
                self.outstanding.iter().any(|sent| unanswered(&sent))
            }
            Some(_) | None => false,
        }
    }

    /// The defect by which a part is not ordered back once more after a restart.
    fn is_forgotten(&self, order: &Order, incarnation: u64) -> bool {
        let key = payment(order).map(|payment| &payment.key);
        let before = |sent: &Sent| {
            sent.incarnation != incarnation
                && gives_part_back(&sent.order)
                && payment(&sent.order).map(|payment| &payment.key) == key
        };
        self.defect == Some(Defect::ForgetPart)
            && gives_part_back(order)
            && self.outstanding.iter().any(before)
    }

    /// The defects that lie between the switch and a biller.
    fn spoil(&self, order: &mut Order, today: crate::ids::BusinessDate) {
        match (self.defect, order) {
            (Some(Defect::WrongAmount), Order::Post { payment, .. }) => {
                payment.amount = minor_units(payment.amount.minor().saturating_add(1));
            }
            (Some(Defect::HeadsDoNotSum), Order::Post { payment, .. }) => {
                if let Some(head) = payment.heads.last_mut() {
                    head.amount = minor_units(head.amount.minor().saturating_sub(1));
                }
            }
            (Some(Defect::PartAsWhole), Order::Reverse { payment, .. }) => payment.part = None,
            (Some(Defect::AnotherIdentity), Order::Post { payment, again: true }) => {
                payment.trace = payment.trace.wrapping_add(1_000_000);
            }
            (Some(Defect::DateOfToday), Order::Reverse { payment, .. }) => payment.date = today,
            _ => {}
        }
    }
}
