//! Receipt numbers: unique, and short enough to read out on a telephone.

use serde::{Deserialize, Serialize};

use crate::ids::{BusinessDate, Short};

/// Days before this day number (2020-01-01) have no receipts: it keeps the numbers short.
const FIRST_DAY: i32 = 18_262;

/// Counts receipts. A number is the business day (four digits), the count within it (at least four) and a check digit
/// that catches every wrong digit and every two neighbours swapped (Damm).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Receipts {
    date: BusinessDate,
    issued: u64,
}

impl Receipts {
    /// None issued yet on `date`.
    #[must_use]
    pub const fn starting_on(date: BusinessDate) -> Self {
        Self { date, issued: 0 }
    }

    /// The next receipt number, and the six-digit authorisation that goes with it.
    ///
    /// A payment taken in before a cutover and posted after it gets a number of the day on which the numbers are: they never
    /// go back.
    pub fn issue(&mut self, date: BusinessDate) -> (Short<20>, Short<6>) {
        if date > self.date {
            *self = Self::starting_on(date);
        }
        self.issued = self.issued.saturating_add(1);
        let day = self.date.day_number().saturating_sub(FIRST_DAY).max(0);
        let digits = format!("{day:04}{:04}", self.issued);
        let number = format!("{digits}{}", check_digit(&digits));
        let authorisation = format!("{:06}", self.issued % 1_000_000);
        (number.parse().unwrap_or_default(), authorisation.parse().unwrap_or_default())
    }
}

/// Damm's check digit over decimal digits: the whole number, check digit included, checks to 0.
fn check_digit(digits: &str) -> u8 {
    const TABLE: [[u8; 10]; 10] = [
        [0, 3, 1, 7, 5, 9, 8, 6, 4, 2],
        [7, 0, 9, 2, 1, 5, 4, 8, 6, 3],
        [4, 2, 0, 6, 8, 7, 1, 3, 5, 9],
        [1, 7, 5, 0, 9, 8, 3, 4, 2, 6],
        [6, 1, 2, 3, 0, 4, 5, 9, 7, 8],
        [3, 6, 7, 4, 2, 0, 9, 5, 8, 1],
        [5, 8, 6, 9, 7, 2, 0, 1, 3, 4],
        [8, 9, 4, 5, 3, 6, 2, 0, 1, 7],
        [9, 4, 3, 8, 6, 1, 7, 2, 0, 5],
        [2, 5, 8, 1, 4, 3, 6, 7, 9, 0],
    ];
    let step = |interim: u8, digit: u8| {
        let row = TABLE.get(usize::from(interim));
        row.and_then(|row| row.get(usize::from(digit.wrapping_sub(b'0')))).copied().unwrap_or_default()
    };
    digits.bytes().fold(0, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> BusinessDate {
        text.parse().unwrap()
    }

    #[test]
    fn numbers_are_unique_across_days_and_never_go_back() {
        let mut receipts = Receipts::starting_on(date("2026-11-20"));
        let mut seen = std::collections::BTreeSet::new();
        for day in ["2026-11-20", "2026-11-21", "2026-11-20", "2026-11-21"] {
            for _ in 0..12_000 {
                assert!(seen.insert(receipts.issue(date(day)).0), "{day}");
            }
        }
    }

    #[test]
    fn a_number_is_nine_digits_on_a_quiet_day_and_its_check_digit_holds() {
        let mut receipts = Receipts::starting_on(date("2026-11-20"));
        let (number, authorisation) = receipts.issue(date("2026-11-20"));
        assert_eq!(number.as_str().len(), 9);
        assert_eq!(authorisation.as_str(), "000001");
        assert_eq!(check_digit(number.as_str()), 0);
        let wrong = number.as_str().replace('1', "2");
        assert_ne!(check_digit(&wrong), 0);
    }
}
