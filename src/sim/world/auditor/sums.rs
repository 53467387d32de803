//! What may be of totals to which payments belong that people have had a hand in.

use std::collections::BTreeSet;

use super::Account;

/// Sums that are told apart. Where there are more, it is only seen whether a sum is within their bounds.
const SUMS_MAX: usize = 4_096;

impl Account {
    /// What it may come to in the totals, in minor units, beside nothing: all of it, or what is left of it.
    pub(super) fn may_count(&self) -> Vec<u64> {
        std::iter::once(self.bought.debits).chain(self.wishes.keys().copied()).collect()
    }
}

/// Whether `wanted` can be the sum of payments of which each comes to nothing or to one of its amounts.
pub(super) fn sums_up(wanted: i128, payments: &[Vec<u64>]) -> bool {
    let most = payments.iter().filter_map(|amounts| amounts.iter().max());
    let most = most.fold(0_i128, |sum, most| sum.saturating_add((*most).into()));
    if !(0..=most).contains(&wanted) {
        return false;
    }
    let mut sums = BTreeSet::from([0_i128]);
    for amounts in payments {
        let with = |sum: &i128| {
            let sum = *sum;
            amounts.iter().map(move |amount| sum.saturating_add((*amount).into()))
        };
        let more: Vec<i128> = sums.iter().flat_map(with).filter(|sum| *sum <= wanted).collect();
        sums.extend(more);
        if sums.len() > SUMS_MAX {
            return true;
        }
    }
    sums.contains(&wanted)
}

#[cfg(test)]
mod tests {
    use super::sums_up;

    #[test]
    fn each_payment_counts_once_or_not_at_all() {
        let payments = [vec![100], vec![30, 20], vec![7]];
        for wanted in [0, 7, 20, 27, 30, 100, 107, 120, 127, 130, 137] {
            assert!(sums_up(wanted, &payments), "{wanted}");
        }
        for wanted in [-7, 1, 14, 50, 57, 101, 150, 157, 200] {
            assert!(!sums_up(wanted, &payments), "{wanted}");
        }
        let many: Vec<_> = (0..64).map(|bit| vec![1_u64 << (bit % 40)]).collect();
        assert!(sums_up(12_345, &many) && !sums_up(i128::MAX, &many));
    }
}
