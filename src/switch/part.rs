//! Partial reversals (DE 95): of a payment that is posted, a part is given back, and it stands with what is left.
//!
//! The department is told like of any reversal, in the same queue; until it has answered the payment stands as it was.

use serde::{Deserialize, Serialize};

use super::pending::Open;
use super::{
    Answer, Asker, Counted, CountedAs, HeadAmount, Output, Payment, Posting, Reason, Record, Replacement,
    ReversalRequest, State, Switch, What,
};
use crate::clock::Now;
use crate::ids::BusinessDate;
use crate::money::MinorUnits;

/// A part of a payment that was given back, or is to be.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Partial {
    /// What the payment was.
    pub from: MinorUnits,
    /// What is left of it.
    pub left: MinorUnits,
    /// How what is left splits over heads of account; empty where it splits by itself.
    pub heads: Vec<HeadAmount>,
    /// Whether it has been counted as given back.
    pub counted: bool,
    /// Whether it is given back.
    pub state: PartialState,
}

/// What becomes of a part that is wanted back.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum PartialState {
    /// The department is told, or people have it: the payment's reversal is that of the part.
    Wanted,
    /// It has been given back: the payment stands with what is left.
    Done,
    /// It has not, people say: the payment stands whole. Who wanted it was told this.
    Kept(Reason),
}

/// What there is to be said to a request about a payment of which a part is given back.
pub(super) enum PartAnswer {
    /// It asks for the very part that is being given back.
    Pending,
    /// This, and nothing more happens.
    Told(Reason),
}

impl Partial {
    /// What is given back.
    #[must_use]
    pub fn given_back(&self) -> MinorUnits {
        self.from.minus(self.left).unwrap_or(MinorUnits::ZERO)
    }
}

impl Payment {
    /// The part that is wanted back and not yet given.
    #[must_use]
    pub fn wanted_part(&self) -> Option<&Partial> {
        self.part.as_ref().filter(|part| part.state == PartialState::Wanted)
    }

    /// A posting as the department tells of it late: of a payment that stands with less by now, it splits as that does.
    pub(super) fn as_it_stands(&self, posting: &Posting) -> Posting {
        let given_back = self.part.as_ref().is_some_and(|part| part.state == PartialState::Done);
        let heads = if given_back { &self.heads } else { &posting.heads };
        Posting { heads: heads.clone(), ..posting.clone() }
    }

    /// People say that it stands whole: who wants the part back is told what it was told before.
    pub(super) fn keep_part(&mut self) {
        if let Some(part) = self.part.as_mut().filter(|part| part.state == PartialState::Wanted) {
            let told = self.reversal.take().and_then(|reversal| reversal.answer);
            part.state = PartialState::Kept(told.unwrap_or(Reason::NotReversible));
        }
    }

    /// Counts the part that is wanted back, once, if the payment was counted itself.
    pub(super) fn count_part(&mut self, date: BusinessDate) -> Option<Counted> {
        let part = self.part.as_mut().filter(|part| !part.counted && self.counted == CountedAs::Debit)?;
        part.counted = true;
        Some(Counted { date, amount: part.given_back(), reversal: true })
    }

    /// What a reversal of it is told, if a part of it is given back already and that decides it.
    pub(super) fn answer_of_part(&self, request: &ReversalRequest) -> Option<PartAnswer> {
        let part = self.part.as_ref()?;
        match request.replacement {
            Replacement::Amount(left) if (request.amount, left) == (part.from, part.left) => {
                Some(match part.state {
                    PartialState::Wanted => PartAnswer::Pending,
                    PartialState::Done => PartAnswer::Told(Reason::Approved),
                    PartialState::Kept(told) => PartAnswer::Told(told),
                })
            }
            // A second part of it.
            Replacement::Amount(_) | Replacement::Unreadable => {
                Some(PartAnswer::Told(Reason::AmountNotAccepted))
            }
            // All of it is wanted back: to be asked again when it is known what is left.
            Replacement::None if part.state == PartialState::Wanted => {
                Some(PartAnswer::Told(Reason::InDoubt))
            }
            Replacement::None => None,
        }
    }
}

impl Switch {
    /// A part is wanted back. It is refused before anything is promised wherever it cannot be given back to the minor unit.
    pub(super) fn reverse_part(
        &mut self,
        now: Now,
        from: Asker,
        mut payment: Payment,
        left: MinorUnits,
        request: &ReversalRequest,
        out: &mut Output,
    ) {
        match self.part_of(&payment, left, request) {
            Ok(part) => payment.part = Some(part),
            Err(reason) => return self.tell(now, &from, Answer::plain(reason), out),
        }
        self.undo_asked(now, from, payment, request, out);
    }

    fn part_of(
        &self,
        payment: &Payment,
        left: MinorUnits,
        request: &ReversalRequest,
    ) -> Result<Partial, Reason> {
        let refused = Reason::AmountNotAccepted;
        let terms = self.billers.get(&payment.biller).ok_or(refused)?;
        let stands = payment.state == State::Posted && payment.reversal.is_none();
        let is_part = request.amount == payment.amount && left < payment.amount;
        let taken = terms.reversible && terms.takes_parts_back && !terms.embedded;
        if !(stands && is_part && taken && terms.rules.leave(left, payment.channel)) {
            return Err(refused);
        }
        let heads = terms.rules.split_left(payment, left)?;
        Ok(Partial { from: payment.amount, left, heads, counted: false, state: PartialState::Wanted })
    }

    /// The department has given the part back: what is left stands.
    pub(super) fn part_given_back(&mut self, now: Now, mut open: Open, what: What, out: &mut Output) {
        open.answer_reversal(Reason::Approved, out);
        let payment = &mut open.payment;
        let date = payment.reversal.and_then(|reversal| reversal.totals_date);
        let counted = date.and_then(|date| payment.count_part(date));
        if let Some(part) = &mut payment.part {
            part.state = PartialState::Done;
            payment.amount = part.left;
            payment.heads = part.heads.clone();
            if let Some(posting) = &mut payment.posting {
                posting.heads = part.heads.clone();
            }
        }
        payment.reversal = None;
        payment.state = State::Posted;
        let record = open.record(now, what, None);
        out.records.push(Record { counted, ..record });
        self.close(open);
    }
}
