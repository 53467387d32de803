//! Money: whole minor units of one currency, with checked arithmetic and nothing else.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Money in minor units (paisa, cents) of one currency. Never negative, never a float.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct MinorUnits(u64);

/// Why an amount was refused.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum AmountError {
    /// More than the twelve digits of DE 4.
    #[error("the amount needs more than twelve digits")]
    TooLarge,
    /// The subtrahend was larger: money is never negative.
    #[error("the amount would be negative")]
    Negative,
    /// Something other than the digits 0 to 9, or nothing at all.
    #[error("an amount is 1 to 12 digits")]
    NotDigits,
}

impl MinorUnits {
    /// The largest amount DE 4 can carry: twelve nines.
    pub const MAX: Self = Self(999_999_999_999);
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount of `minor` minor units.
    ///
    /// # Errors
    ///
    /// [`AmountError::TooLarge`] above [`MinorUnits::MAX`].
    pub const fn new(minor: u64) -> Result<Self, AmountError> {
        if minor <= Self::MAX.0 { Ok(Self(minor)) } else { Err(AmountError::TooLarge) }
    }

    /// Reads 1 to 12 ASCII digits, as DE 4 carries them.
    ///
    /// # Errors
    ///
    /// [`AmountError::NotDigits`] for anything else.
    pub fn from_digits(digits: &[u8]) -> Result<Self, AmountError> {
        if digits.is_empty() || digits.len() > 12 {
            return Err(AmountError::NotDigits);
        }
        let mut minor = 0_u64;
        for byte in digits {
            if !byte.is_ascii_digit() {
                return Err(AmountError::NotDigits);
            }
            let digit = u64::from(byte.wrapping_sub(b'0'));
            minor = minor.checked_mul(10).and_then(|m| m.checked_add(digit)).ok_or(AmountError::TooLarge)?;
        }
        Self::new(minor)
    }

    /// Minor units as a plain number.
    #[must_use]
    pub const fn minor(self) -> u64 {
        self.0
    }

    /// Adds a fee in the same minor units.
    ///
    /// # Errors
    ///
    /// [`AmountError::TooLarge`] if the sum needs more than DE 4's twelve digits.
    pub fn plus(self, fee: Self) -> Result<Self, AmountError> {
        let sum = self.0.checked_add(fee.0).map(Self);
        sum.filter(|sum| *sum <= Self::MAX).ok_or(AmountError::TooLarge)
    }

    /// Takes `part` away.
    ///
    /// # Errors
    ///
    /// [`AmountError::Negative`] if `part` is the larger one.
    pub fn minus(self, part: Self) -> Result<Self, AmountError> {
        self.0.checked_sub(part.0).map(Self).ok_or(AmountError::Negative)
    }

    /// The sum of all of `parts`.
    ///
    /// # Errors
    ///
    /// [`AmountError::TooLarge`] if the sum needs more than twelve digits.
    pub fn sum(parts: impl IntoIterator<Item = Self>) -> Result<Self, AmountError> {
        parts.into_iter().try_fold(Self::ZERO, Self::plus)
    }
}

impl TryFrom<u64> for MinorUnits {
    type Error = AmountError;

    fn try_from(minor: u64) -> Result<Self, AmountError> {
        Self::new(minor)
    }
}

impl From<MinorUnits> for u64 {
    fn from(amount: MinorUnits) -> Self {
        amount.0
    }
}

impl std::fmt::Display for MinorUnits {
    /// Major units with two decimals, thousands apart: `1,516.00`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let major = (self.0 / 100).to_string();
        let mut grouped = String::with_capacity(20);
        for (index, digit) in major.chars().enumerate() {
            let left = major.len().saturating_sub(index);
            if index > 0 && left.is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        f.pad(&format!("{grouped}.{:02}", self.0 % 100))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_strictly() {
        let table: &[(&[u8], Result<u64, AmountError>)] = &[
            (b"000000012000", Ok(12_000)),
            (b"999999999999", Ok(999_999_999_999)),
            (b"", Err(AmountError::NotDigits)),
            (b"0000000000001", Err(AmountError::NotDigits)),
            (b"00000000A000", Err(AmountError::NotDigits)),
            (b"-1", Err(AmountError::NotDigits)),
        ];
        for (digits, want) in table {
            assert_eq!(MinorUnits::from_digits(digits).map(MinorUnits::minor), *want);
        }
    }

    #[test]
    fn sums_stop_at_twelve_digits_and_never_go_below_zero() {
        let one = MinorUnits::new(1).unwrap();
        assert_eq!(MinorUnits::MAX.plus(one), Err(AmountError::TooLarge));
        assert_eq!(MinorUnits::ZERO.minus(one), Err(AmountError::Negative));
        assert_eq!(MinorUnits::sum([one, one]).map(MinorUnits::minor), Ok(2));
    }

    #[test]
    fn people_read_major_units() {
        let table =
            [(0, "0.00"), (5, "0.05"), (1_516_000, "15,160.00"), (999_999_999_999, "9,999,999,999.99")];
        for (minor, text) in table {
            assert_eq!(MinorUnits::new(minor).unwrap().to_string(), text);
        }
    }
}
