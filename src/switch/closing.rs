//! Our own totals of a date that was closed, sent to the acquirers that are to have them (0520, then 0521s until it is
//! answered), and what became of that (`domain.md` 3c).
//!
//! A date's totals are owed from the cutover that closed it, in the store from that turn on. They go out once nothing that
//! may still count for the date is open on the link, or it has been waited for long enough; what comes after that is in
//! [`Totals`], beside what was sent. A message and its repeats are the same, for as long as it takes.

use serde::{Deserialize, Serialize};

use super::pending::Due;
use super::{
    Action, Alarm, Asker, Claimed, CountedAs, Output, Payment, Reconciled, State, Switch, Totals, What,
};
use crate::clock::{Now, Ticks, UnixMillis};
use crate::ids::{BusinessDate, LinkName, Short, Stan};

/// Times that a date's totals are sent to one link before people are told that it does not answer.
const TIMES_MAX: u16 = 100;
/// The longest pause between two of these: five minutes.
const PAUSE_MAX_MS: u64 = 300_000;
/// How often it is looked whether something of a closed date is still open; and how far apart the totals of several dates
/// go out that a link has missed.
const LOOK_MS: u64 = 250;
/// Dates whose totals are owed to one link at most: the oldest gives way.
const OWED_MAX: usize = 100;

/// When and how often a link is sent our totals.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TotalsTerms {
    /// How long payments of a closed date that are still open are waited for.
    pub wait_ms: u64,
    /// How long an answer may take before the totals are sent again; it doubles each time, up to five minutes.
    pub retry_ms: u64,
}

/// Our totals of a closed date for one link, as they stand in the store.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Closing {
    /// The date.
    pub date: BusinessDate,
    /// When it was closed, wall clock.
    pub closed_at: UnixMillis,
    /// What was sent; none as long as nothing was.
    pub sent: Option<SentTotals>,
    /// What became of it; none while they are owed.
    pub end: Option<ClosingEnd>,
}

/// Totals that were sent.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SentTotals {
    /// When first, wall clock: DE 7 of all of them.
    pub at: UnixMillis,
    /// What was sent.
    pub ours: Totals,
    /// How often.
    pub times: u16,
    /// DE 39 of the last answer, if that did not say whether they agree.
    pub code: Option<Short<4>>,
}

/// How it ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum ClosingEnd {
    /// The acquirer has answered.
    Answered {
        /// When, wall clock.
        at: UnixMillis,
        /// DE 39.
        code: Short<4>,
        /// What it says it has counted itself, as far as it does.
        theirs: Claimed,
        /// Whether it has counted the same.
        agree: bool,
    },
    /// It has not, or the date gave way to later ones: people have been told.
    GivenUp,
}

impl Closing {
    /// DE 11 of a date's totals: a number of the day, so that it is the same however often and after whatever restart.
    #[must_use]
    pub fn stan(date: BusinessDate) -> u32 {
        date.day_number().unsigned_abs().checked_rem(999_999).unwrap_or_default().saturating_add(1)
    }

    /// Whether the acquirer agrees; none as long as it has not said.
    #[must_use]
    pub const fn agrees(&self) -> Option<bool> {
        match &self.end {
            Some(ClosingEnd::Answered { agree, .. }) => Some(*agree),
            Some(ClosingEnd::GivenUp) | None => None,
        }
    }
}

/// Totals to be sent, once that they were is durable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SendTotals {
    /// To whom.
    pub link: LinkName,
    /// The date.
    pub date: BusinessDate,
    /// What we have counted.
    pub ours: Totals,
    /// When they were sent first, wall clock.
    pub at: UnixMillis,
    /// They were sent before: a repeat (0521).
    pub again: bool,
    /// An answer that takes longer answers nothing, unless they have been sent again by then.
    pub patience_ms: u64,
}

/// An acquirer's answer to totals of ours.
#[derive(Clone, Copy, Debug)]
pub struct TotalsAnswer {
    /// Whose.
    pub link: LinkName,
    /// The date that was asked about.
    pub date: BusinessDate,
    /// DE 39; empty if there is none.
    pub code: Short<4>,
    /// Whether it says, by its codes, that they agree; none if it says neither.
    pub agree: Option<bool>,
    /// What it says it has counted itself.
    pub theirs: Claimed,
}

/// Totals that are owed.
#[derive(Debug)]
pub(super) struct OwedTotals {
    closing: Closing,
    /// Since when open payments have been waited for.
    from: Ticks,
    /// Not sent again before.
    next: Ticks,
    timer: Option<(Ticks, u64)>,
}

impl Payment {
    /// Whether it may yet be counted for a date.
    fn may_count_for(&self, date: BusinessDate) -> bool {
        let undecided = matches!(self.state, State::Received | State::Sent | State::Confirming);
        let given_back = self.reversal.and_then(|reversal| reversal.totals_date);
        match self.counted {
            CountedAs::Nothing => undecided && self.totals_date == date,
            CountedAs::Debit => {
                let counted = self.wanted_part().is_some_and(|part| part.counted);
                self.state != State::Reversed && given_back == Some(date) && !counted
            }
            CountedAs::Undone => false,
        }
    }
}

impl Switch {
    /// A date is closed: its totals are owed to every link that is to have them.
    pub(super) fn owe_totals(&mut self, now: Now, date: BusinessDate, out: &mut Output) {
        let sends = self.sessions.iter().filter(|(_, session)| session.totals.is_some());
        let mut links: Vec<LinkName> = sends.map(|(link, _)| *link).collect();
        links.sort_unstable();
        for link in links {
            let closing = Closing { date, closed_at: now.wall, sent: None, end: None };
            self.write_closing(now, link, &closing, out);
            self.take_up_totals(now, link, closing);
            let owed: Vec<BusinessDate> = self.dates_owed(&link).collect();
            if let (true, Some(oldest)) = (owed.len() > OWED_MAX, owed.first()) {
                self.give_up_totals(now, link, *oldest, out);
            }
            self.totals_due(now, link, date, out);
        }
    }

    /// Totals that were owed when the process ended are owed still, if their link is still to have them.
    pub(super) fn take_up_totals(&mut self, now: Now, link: LinkName, closing: Closing) {
        if self.sessions.get(&link).is_some_and(|session| session.totals.is_some()) {
            let owed = OwedTotals { from: now.ticks, next: now.ticks, timer: None, closing };
            self.closings.insert((link, owed.closing.date), owed);
        }
    }

    /// Dates and links whose totals are still owed.
    #[must_use]
    pub fn totals_owed(&self) -> usize {
        self.closings.len()
    }

    fn dates_owed(&self, link: &LinkName) -> impl Iterator<Item = BusinessDate> {
        let of_link = self.closings.keys().filter(move |(of, _)| of == link);
        of_link.map(|(_, date)| *date)
    }

    /// The link can be asked again: what it has missed goes out, the oldest at once.
    pub(super) fn totals_after_sign_on(&mut self, now: Now, link: LinkName, out: &mut Output) {
        let dates: Vec<BusinessDate> = self.dates_owed(&link).collect();
        for (number, date) in (0_u64..).zip(dates) {
            if number == 0 {
                self.totals_due(now, link, date, out);
            } else {
                self.look_again(link, date, now.ticks.after_ms(number.saturating_mul(LOOK_MS)));
            }
        }
    }

    /// Sends a date's totals, for the first time or once more, if it is time and the link can be asked.
    pub(super) fn totals_due(&mut self, now: Now, link: LinkName, date: BusinessDate, out: &mut Output) {
        let terms = self.sessions.get(&link).filter(|session| session.signed_on);
        let terms = terms.and_then(|session| session.totals).filter(|_| !self.draining);
        let (Some(terms), Some(owed)) = (terms, self.closings.get(&(link, date))) else { return };
        let Some(sent) = &owed.closing.sent else {
            let waits = owed.from.until_ms(now.ticks) < terms.wait_ms;
            let counts =
                |open: &super::pending::Open| open.payment.link == link && open.payment.may_count_for(date);
            if waits && self.open.values().any(counts) {
                return self.look_again(link, date, now.ticks.after_ms(LOOK_MS));
            }
            out.actions.push(Action::AddUp { link, date });
            return;
        };
        if owed.next > now.ticks {
            let next = owed.next;
            self.look_again(link, date, next);
        } else if sent.times >= TIMES_MAX {
            self.give_up_totals(now, link, date, out);
        } else {
            let again = SentTotals { times: sent.times.saturating_add(1), ..sent.clone() };
            self.send_totals(now, link, date, again, out);
        }
    }

    /// What was counted for a closed date, as it is to be sent.
    pub(super) fn added_up(
        &mut self,
        now: Now,
        link: LinkName,
        date: BusinessDate,
        ours: Totals,
        out: &mut Output,
    ) {
        self.send_totals(now, link, date, SentTotals { at: now.wall, ours, times: 1, code: None }, out);
    }

    fn send_totals(
        &mut self,
        now: Now,
        link: LinkName,
        date: BusinessDate,
        sent: SentTotals,
        out: &mut Output,
    ) {
        let retry_ms =
            self.sessions.get(&link).and_then(|session| session.totals).map(|terms| terms.retry_ms);
        let (Some(retry_ms), Some(owed)) = (retry_ms, self.closings.get_mut(&(link, date))) else { return };
        let doubled = 1_u64 << sent.times.clamp(1, 20).saturating_sub(1);
        let pause_ms = retry_ms.saturating_mul(doubled).min(PAUSE_MAX_MS);
        // Twice that, so that no answer falls between a pause and the repeat behind it.
        let patience_ms = pause_ms.saturating_mul(2);
        let (ours, at, again) = (sent.ours, sent.at, sent.times > 1);
        owed.next = now.ticks.after_ms(pause_ms);
        owed.closing.sent = Some(sent);
        let (next, closing) = (owed.next, owed.closing.clone());
        self.write_closing(now, link, &closing, out);
        out.actions.push(Action::SendTotals(SendTotals { link, date, ours, at, again, patience_ms }));
        self.look_again(link, date, next);
    }

    /// An acquirer has answered. What says neither that they agree nor that they differ is no answer, and it is asked again.
    pub(super) fn totals_answered(&mut self, now: Now, answer: &TotalsAnswer, out: &mut Output) {
        let TotalsAnswer { link, date, code, agree, theirs } = *answer;
        let sent = |owed: &OwedTotals| owed.closing.sent.clone().map(|sent| (owed.closing.clone(), sent));
        let Some((mut closing, sent)) = self.closings.get(&(link, date)).and_then(sent) else {
            // Given up between its coming in and this.
            out.actions.push(Action::Alarm(Alarm::UnaskedAnswer { link, stan: stan(date) }));
            return;
        };
        let Some(agree) = agree else {
            closing.sent = Some(SentTotals { code: Some(code), ..sent });
            self.write_closing(now, link, &closing, out);
            if let Some(owed) = self.closings.get_mut(&(link, date)) {
                owed.closing = closing;
            }
            return;
        };
        let agree = agree && theirs.agrees(&sent.ours);
        if !agree {
            let reconciled = Reconciled { at: now.wall, date, ours: sent.ours, theirs };
            out.actions.push(Action::Alarm(Alarm::TotalsDiffer { link, reconciled }));
        }
        closing.end = Some(ClosingEnd::Answered { at: now.wall, code, theirs, agree });
        self.end_closing(now, link, &closing, out);
    }

    fn give_up_totals(&mut self, now: Now, link: LinkName, date: BusinessDate, out: &mut Output) {
        let Some(owed) = self.closings.get(&(link, date)) else { return };
        let closing = Closing { end: Some(ClosingEnd::GivenUp), ..owed.closing.clone() };
        out.actions.push(Action::Alarm(Alarm::TotalsUnanswered { link, date }));
        self.end_closing(now, link, &closing, out);
    }

    fn end_closing(&mut self, now: Now, link: LinkName, closing: &Closing, out: &mut Output) {
        self.write_closing(now, link, closing, out);
        if let Some(timer) = self.closings.remove(&(link, closing.date)).and_then(|owed| owed.timer) {
            self.pending.cancel(&timer);
        }
    }

    fn write_closing(&self, now: Now, link: LinkName, closing: &Closing, out: &mut Output) {
        let from = Asker { link, stan: stan(closing.date), ..Asker::nobody() };
        out.records.push(from.record(self, now, What::Closing(Box::new(closing.clone()))));
    }

    fn look_again(&mut self, link: LinkName, date: BusinessDate, at: Ticks) {
        let Some(owed) = self.closings.get_mut(&(link, date)) else { return };
        if let Some(timer) = owed.timer.take() {
            self.pending.cancel(&timer);
        }
        owed.timer = Some(self.pending.at(at, Due::Totals(link, date)));
    }
}

fn stan(date: BusinessDate) -> Stan {
    Stan::new(format!("{:06}", Closing::stan(date)).as_bytes()).unwrap_or_default()
}
