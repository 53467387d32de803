//! Totals: what was paid and given back over one link, by date, and their comparison with what the acquirer has counted
//! (0500 and 0520, `domain.md` 3c).
//!
//! A payment is a debit once it is approved to the acquirer, or its advice is taken. It is a debit reversal beside that
//! once the acquirer, which has asked for it back, is told that it has it back, or it is undone at the biller for that.
//! Each counts by the date of its own message: so what comes after a cutover leaves the date before it as it was, and only
//! what was under way is added to it. What people resolve by hand they settle by hand; it is counted nowhere.

use serde::{Deserialize, Serialize};

use super::{About, Action, Alarm, Answer, Asker, Output, Payment, Reason, Switch, What};
use crate::clock::{Now, UnixMillis};
use crate::ids::{BusinessDate, Short};
use crate::money::MinorUnits;

/// How many, and how much in minor units.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Tally {
    /// How many messages.
    pub number: u64,
    /// Their sum in minor units. It has sixteen digits in DE 86 to 89.
    pub amount: u64,
}

impl Tally {
    const fn add(&mut self, amount: MinorUnits) {
        self.number = self.number.saturating_add(1);
        self.amount = self.amount.saturating_add(amount.minor());
    }
}

/// What we have counted for a link and a date. A switch that bills are paid through has no credits: they are all zero.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Totals {
    /// Payments: DE 76 and 88.
    pub debits: Tally,
    /// Payments given back: DE 77 and 89.
    pub debit_reversals: Tally,
}

impl Totals {
    /// Counts one more.
    pub const fn count(&mut self, counted: &Counted) {
        if counted.reversal {
            self.debit_reversals.add(counted.amount);
        } else {
            self.debits.add(counted.amount);
        }
    }

    /// DE 97: what the acquirer owes for the day, or is owed.
    #[must_use]
    pub const fn net(&self) -> Net {
        let (debits, reversals) = (self.debits.amount, self.debit_reversals.amount);
        Net { debit: debits >= reversals, amount: debits.abs_diff(reversals) }
    }
}

/// DE 97, amount, net settlement: `D` or `C`, and the amount.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Net {
    /// `D`: more was paid than given back.
    pub debit: bool,
    /// In minor units.
    pub amount: u64,
}

impl Net {
    /// The sign and sixteen digits.
    #[must_use]
    pub fn digits(self) -> String {
        format!("{}{:016}", if self.debit { 'D' } else { 'C' }, self.amount)
    }

    /// Nothing has no sign.
    const fn is(self, other: Self) -> bool {
        self.amount == other.amount && (self.debit == other.debit || self.amount == 0)
    }
}

/// What the acquirer says it has counted; `None` is what it does not say.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Claimed {
    /// DE 74.
    pub credits_number: Option<u64>,
    /// DE 75.
    pub credit_reversals_number: Option<u64>,
    /// DE 76.
    pub debits_number: Option<u64>,
    /// DE 77.
    pub debit_reversals_number: Option<u64>,
    /// DE 86, in minor units, as are the next three.
    pub credits_amount: Option<u64>,
    /// DE 87.
    pub credit_reversals_amount: Option<u64>,
    /// DE 88.
    pub debits_amount: Option<u64>,
    /// DE 89.
    pub debit_reversals_amount: Option<u64>,
    /// DE 97.
    pub net: Option<Net>,
}

impl Claimed {
    /// Whether all that is said is so.
    #[must_use]
    pub fn agrees(&self, ours: &Totals) -> bool {
        let Totals { debits, debit_reversals } = ours;
        let pairs = [
            (self.credits_number, 0),
            (self.credit_reversals_number, 0),
            (self.debits_number, debits.number),
            (self.debit_reversals_number, debit_reversals.number),
            (self.credits_amount, 0),
            (self.credit_reversals_amount, 0),
            (self.debits_amount, debits.amount),
            (self.debit_reversals_amount, debit_reversals.amount),
        ];
        let same = pairs.iter().all(|(theirs, ours)| theirs.is_none_or(|theirs| theirs == *ours));
        same && self.net.is_none_or(|net| net.is(ours.net()))
    }
}

/// Totals as an acquirer sends them.
#[derive(Clone, Debug)]
pub struct TotalsRequest {
    /// DE 15, if it has that: month and day.
    pub date: Option<Short<4>>,
    /// What it has counted.
    pub theirs: Claimed,
    /// The date they are for, and what we have counted for it, looked up by whoever calls `step`; none if there is no
    /// such date.
    pub ours: Option<(BusinessDate, Totals)>,
}

/// Two totals that were held against each other.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Reconciled {
    /// When, wall clock.
    pub at: UnixMillis,
    /// The date they are for.
    pub date: BusinessDate,
    /// What we had counted.
    pub ours: Totals,
    /// What the acquirer had.
    pub theirs: Claimed,
}

impl Reconciled {
    /// Whether they agree.
    #[must_use]
    pub fn agree(&self) -> bool {
        self.theirs.agrees(&self.ours)
    }
}

/// What a leg adds to the totals of its link.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Counted {
    /// For this date.
    pub date: BusinessDate,
    /// What was paid, or given back.
    pub amount: MinorUnits,
    /// Given back.
    pub reversal: bool,
}

/// How far a payment has been counted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum CountedAs {
    /// Not at all.
    #[default]
    Nothing,
    /// As a debit.
    Debit,
    /// As a debit, and as a debit reversal.
    Undone,
}

impl Payment {
    /// What there is to be counted of it since it was counted last.
    pub(super) fn count(&mut self) -> Option<Counted> {
        let approved = self.answer.as_ref().is_some_and(|answer| answer.reason == Reason::Approved);
        let given_back = self.reversal.and_then(|reversal| {
            let undone = self.state == super::State::Reversed || reversal.answer == Some(Reason::Approved);
            reversal.totals_date.filter(|_| undone)
        });
        if self.wanted_part().is_some() {
            return given_back.and_then(|date| self.count_part(date));
        }
        let (counted, date) = match (self.counted, given_back) {
            (CountedAs::Nothing, _) if approved => (CountedAs::Debit, self.totals_date),
            (CountedAs::Debit, Some(date)) => (CountedAs::Undone, date),
            (CountedAs::Nothing | CountedAs::Debit | CountedAs::Undone, _) => return None,
        };
        self.counted = counted;
        Some(Counted { date, amount: self.amount, reversal: counted == CountedAs::Undone })
    }
}

impl Switch {
    /// The date that a message counts for: the one it names in DE 15, if that is today's or next to it, for a network may
    /// move to its next day some time before or after the switch does; else today's.
    pub(super) fn totals_date(&self, said: Option<Short<4>>) -> BusinessDate {
        let today = self.date;
        let near = [today, today.previous(), today.next()];
        let named = |date: &BusinessDate| said.is_some_and(|said| date.is_called(said.as_bytes()));
        near.into_iter().find(named).unwrap_or(today)
    }

    /// An acquirer's totals are held against ours, and both are kept.
    pub(super) fn totals(&mut self, now: Now, from: &Asker, request: &TotalsRequest, out: &mut Output) {
        if let Err(reason) = self.gate(&from.link) {
            return self.tell(now, from, Answer::plain(reason), out);
        }
        let Some((date, ours)) = request.ours else {
            return self.tell(now, from, Answer::plain(Reason::Malformed), out);
        };
        let reconciled = Reconciled { at: now.wall, date, ours, theirs: request.theirs };
        if !reconciled.agree() {
            out.actions.push(Action::Alarm(Alarm::TotalsDiffer { link: from.link, reconciled }));
        }
        out.records.push(from.record(self, now, What::Reconciled(Box::new(reconciled))));
        let about = About::Totals { date, ours, agree: reconciled.agree() };
        let answer = Answer { about, ..Answer::plain(Reason::Approved) };
        out.actions.push(Action::Answer { ask: from.id, answer });
    }
}

/// The date that totals are for: the nearest that has this month and day, up to tomorrow and a year back. Without them it
/// is the date that was last closed; today's, if none ever was.
#[must_use]
pub fn reconciled_date(
    today: BusinessDate,
    closed: Option<BusinessDate>,
    said: Option<Short<4>>,
) -> Option<BusinessDate> {
    let Some(said) = said.filter(|said| !said.as_str().trim().is_empty()) else {
        return Some(closed.unwrap_or(today));
    };
    let tomorrow = today.next();
    let years = [tomorrow.date().year(), tomorrow.date().year().saturating_sub(1)];
    let (month, day) = said.as_str().split_at_checked(2)?;
    let (month, day) = (month.parse().ok()?, day.parse().ok()?);
    let dates = years.into_iter().filter_map(|year| jiff::civil::Date::new(year, month, day).ok());
    dates.map(BusinessDate::new).find(|date| *date <= tomorrow)
}
