//! Facts of a bill that has places for several: bills in one answer, and a fee's split by head.

use super::Fact;
use super::answer::Digits;
use crate::switch::{Bill, HeadAmount};

/// Bills that an answer has places for.
const BILLS_MAX: usize = 4;
/// Heads that it has places for.
const SPLITS_MAX: usize = 10;

impl Fact {
    /// `bills`, `bill_2_period`, `bill_2_amount`, `splits`, `split_2_minor`, `split_2_amount`.
    pub(super) fn by_place(name: &str) -> Option<Self> {
        let (kind, place) = match name {
            "bills" => return Some(Self::Bills),
            "splits" => return Some(Self::Splits),
            _ => name.split_once('_')?,
        };
        let (place, what) = place.split_once('_')?;
        let place: u8 = place.parse().ok().filter(|place| *place > 0)?;
        match (kind, what) {
            ("bill", "period") => Some(Self::BillPeriod(place)),
            ("bill", "amount") => Some(Self::BillAmount(place)),
            ("split", "minor") => Some(Self::SplitMinor(place)),
            ("split", "amount") => Some(Self::SplitAmount(place)),
            _ => None,
        }
    }

    /// Gives such a fact of a bill to `put`.
    pub(super) fn tell_by_place(self, bill: &Bill, put: &mut dyn FnMut(&[u8])) {
        let head = |place: u8| usize::from(place).checked_sub(1).and_then(|at| bill.heads.get(at));
        let amount =
            |head: &HeadAmount, put: &mut dyn FnMut(&[u8])| put(Digits::of(head.amount.minor()).as_bytes());
        let count = |many: usize| Digits::of(u64::try_from(many).unwrap_or(0));
        let (periods, splits) = (has_periods(bill), has_splits(bill));
        match self {
            Self::Bills => put(count(if periods { bill.heads.len() } else { 1 }).as_bytes()),
            Self::BillPeriod(place) if periods => {
                head(place).into_iter().for_each(|head| put(head.head.as_bytes()))
            }
            Self::BillPeriod(1) if bill.billing_month.as_bytes().len() == 4 => {
                put(&[b"20", bill.billing_month.as_bytes()].concat());
            }
            Self::BillAmount(place) if periods => head(place).into_iter().for_each(|head| amount(head, put)),
            Self::BillAmount(1) => put(Digits::of(bill.amount_within_due.minor()).as_bytes()),
            Self::Splits if splits => put(count(bill.heads.len()).as_bytes()),
            Self::SplitMinor(place) if splits => head(place).into_iter().for_each(|_| put(b"0")),
            Self::SplitAmount(place) if splits => head(place).into_iter().for_each(|head| amount(head, put)),
            Self::BillPeriod(_)
            | Self::BillAmount(_)
            | Self::Splits
            | Self::SplitMinor(_)
            | Self::SplitAmount(_)
            | Self::Name
            | Self::Status
            | Self::DueDate
            | Self::BillingMonth
            | Self::AmountWithinDue
            | Self::AmountAfterDue
            | Self::Minimum
            | Self::Maximum
            | Self::Heads
            | Self::Receipt
            | Self::DatePaid
            | Self::Total(_)
            | Self::Authorisation => {}
        }
    }
}

/// Whether its heads are billing periods, a bill each.
fn has_periods(bill: &Bill) -> bool {
    let period = |head: &HeadAmount| {
        let code = head.head.as_bytes();
        code.len() == 6 && code.iter().all(u8::is_ascii_digit)
    };
    (1..=BILLS_MAX).contains(&bill.heads.len()) && bill.heads.iter().all(period)
}

fn has_splits(bill: &Bill) -> bool {
    !has_periods(bill) && (1..=SPLITS_MAX).contains(&bill.heads.len())
}
