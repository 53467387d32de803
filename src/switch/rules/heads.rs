//! How an amount splits over heads of account by rule. The parts sum to the amount, to the minor unit.

use super::Share;
use crate::ids::Short;
use crate::money::MinorUnits;
use crate::switch::{HeadAmount, Reason};

/// One head of account, and what it gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HeadRule {
    /// Head of account, such as `B01401`.
    pub head: Short<16>,
    /// Its part.
    pub part: Part,
}

/// What a head of account gets of an amount.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// Always the same.
    Fixed(MinorUnits),
    /// A share of the whole amount, cut to whole minor units.
    Percent(Share),
    /// What the others leave; one head has it.
    Remainder,
}

/// Splits an amount by rule; a head that gets nothing is left out. Without rules there are no heads.
pub(in crate::switch) fn split(rules: &[HeadRule], amount: MinorUnits) -> Result<Vec<HeadAmount>, Reason> {
    let mut left = amount;
    let mut heads = Vec::with_capacity(rules.len());
    for rule in rules {
        let part = match rule.part {
            Part::Fixed(part) => part,
            Part::Percent(share) => share.of(amount),
            Part::Remainder => MinorUnits::ZERO,
        };
        // An amount that does not reach for the fixed parts is not one that this department takes.
        left = left.minus(part).map_err(|_| Reason::AmountNotAccepted)?;
        heads.push(HeadAmount { head: rule.head, amount: part });
    }
    let remainder = rules.iter().position(|rule| rule.part == Part::Remainder);
    match remainder.and_then(|at| heads.get_mut(at)) {
        Some(head) => head.amount = left,
        None if left != MinorUnits::ZERO && !rules.is_empty() => return Err(Reason::AmountNotAccepted),
        None => {}
    }
    heads.retain(|head| head.amount > MinorUnits::ZERO);
    Ok(heads)
}

/// Splits less than a bill's heads ask for: each in its turn gets what it asks for, as far as the amount reaches.
pub(super) fn in_order(asked: &[HeadAmount], amount: MinorUnits) -> Vec<HeadAmount> {
    let mut left = amount;
    let mut heads = Vec::with_capacity(asked.len());
    for head in asked {
        let part = head.amount.min(left);
        left = left.minus(part).unwrap_or(MinorUnits::ZERO);
        heads.push(HeadAmount { head: head.head, amount: part });
    }
    heads.retain(|head| head.amount > MinorUnits::ZERO);
    heads
}
