//! Which amounts are accepted.

use serde::{Deserialize, Serialize};

use super::Rules;
use crate::ids::{BusinessDate, Short};
use crate::money::{AmountError, MinorUnits};
use crate::switch::{Bill, BillStatus, HeadAmount, Reason};

/// Which amount is accepted for a bill on which another is due.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Exactness {
    /// The one that is due, to the minor unit.
    Exact,
    /// That, or more.
    ExactUp,
    /// That, or less.
    ExactDown,
    /// Any within the limits, which must be set.
    Range,
    /// Any at all, within the limits if there are any.
    Any,
}

impl Exactness {
    fn accepts(self, amount: MinorUnits, due: MinorUnits) -> bool {
        match self {
            Self::Exact => amount == due,
            Self::ExactUp => amount >= due,
            Self::ExactDown => amount <= due && amount > MinorUnits::ZERO,
            Self::Range | Self::Any => amount > MinorUnits::ZERO,
        }
    }
}

/// Smallest and largest payment; none where there is no such limit.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Limits {
    /// Nothing below it is taken.
    pub min: Option<MinorUnits>,
    /// Nothing above it is taken.
    pub max: Option<MinorUnits>,
}

impl Limits {
    /// Whether an amount is within them.
    #[must_use]
    pub fn hold(&self, amount: MinorUnits) -> bool {
        self.min.is_none_or(|min| amount >= min) && self.max.is_none_or(|max| amount <= max)
    }
}

/// A part of an amount: hundredths of a percent, 0 to 10,000.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Share(pub u16);

impl Share {
    /// The part of an amount, cut to whole minor units.
    #[must_use]
    pub fn of(self, amount: MinorUnits) -> MinorUnits {
        let part = u128::from(amount.minor()).saturating_mul(u128::from(self.0)) / 10_000;
        u64::try_from(part).ok().and_then(|part| MinorUnits::new(part).ok()).unwrap_or(amount)
    }
}

/// What is due after the due date.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Late {
    /// What the bill says.
    #[default]
    Bill,
    /// The same as before it.
    Within,
    /// Nothing: the bill cannot be paid any more.
    Refused,
    /// So much more.
    More(MinorUnits),
    /// So much more of the amount within due date.
    Percent(Share),
}

/// What a bill is looked up for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// To be told of.
    Inquiry,
    /// To be paid.
    Payment,
}

impl Rules {
    /// The bill as the department's rules have it.
    ///
    /// # Errors
    ///
    /// [`AmountError`] if its late amount would be too large.
    pub fn applied(&self, mut bill: Bill, stage: Stage) -> Result<Bill, AmountError> {
        let expires = match stage {
            Stage::Inquiry => self.expiry.at_inquiry,
            Stage::Payment => self.expiry.at_payment,
        };
        if !expires {
            bill.expiry_date = BusinessDate::new(jiff::civil::Date::MAX);
        }
        let within = bill.amount_within_due;
        match self.late {
            Late::Bill => {}
            Late::Within => bill.amount_after_due = within,
            Late::Refused => bill.expiry_date = bill.expiry_date.min(bill.due_date),
            Late::More(more) => bill.amount_after_due = within.plus(more)?,
            Late::Percent(share) => bill.amount_after_due = within.plus(share.of(within))?,
        }
        Ok(bill)
    }

    /// How a payment of a bill splits over heads of account, if it is one that is accepted.
    ///
    /// # Errors
    ///
    /// Why it is not accepted.
    pub fn accept(
        &self,
        bill: &Bill,
        amount: MinorUnits,
        date: BusinessDate,
        surcharge_head: Option<Short<16>>,
    ) -> Result<Vec<HeadAmount>, Reason> {
        let bill = self.applied(bill.clone(), Stage::Payment).map_err(|_| Reason::Internal)?;
        let due = bill.due_on(date)?;
        let (own, limits) = match bill.status {
            // The department itself says that it takes other amounts of this bill.
            BillStatus::Partial(limits) => (Exactness::Any, limits),
            BillStatus::Unpaid | BillStatus::Paid | BillStatus::Blocked => {
                (Exactness::Exact, Limits::default())
            }
        };
        if !self.exactness.unwrap_or(own).accepts(amount, due) {
            return Err(Reason::AmountNotAccepted);
        }
        if !limits.hold(amount) {
            return Err(Reason::OutsideLimits);
        }
        if !self.heads.is_empty() {
            return super::heads::split(&self.heads, amount);
        }
        let asked = MinorUnits::sum(bill.heads.iter().map(|head| head.amount));
        if asked.is_ok_and(|asked| amount < asked) {
            return Ok(super::heads::in_order(&bill.heads, amount));
        }
        bill.split(amount, surcharge_head).map_err(|_| Reason::Internal)
    }
}
