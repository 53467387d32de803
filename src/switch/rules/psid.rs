//! What a department's bills are called.

use serde::Deserialize;

/// The rule for a department's bill numbers. A number that breaks it is no bill of its: nothing is sent for it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PsidRule {
    /// How every number begins; may be empty.
    pub prefix: Box<str>,
    /// How long numbers may be, in characters; empty: any length.
    pub lengths: Vec<u8>,
    /// What every number is like, from its first character to its last.
    pub pattern: Option<Pattern>,
    /// How its digits check themselves.
    pub check_digit: Option<CheckDigit>,
}

/// A regular expression. Two are the same if they are written the same.
#[derive(Clone, Debug)]
pub struct Pattern(regex_lite::Regex);

impl Pattern {
    /// Reads a regular expression, which must match a number as a whole.
    ///
    /// # Errors
    ///
    /// [`regex_lite::Error`] for what is none.
    pub fn new(text: &str) -> Result<Self, regex_lite::Error> {
        regex_lite::Regex::new(&format!("^(?:{text})$")).map(Self)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

/// How a number's last digits check the others.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum CheckDigit {
    /// The last digit is that of ISO/IEC 7812-1, known as Luhn's.
    Luhn,
    /// The whole number leaves 1 when divided by 97: ISO/IEC 7064, MOD 97-10, with two check digits.
    Mod97,
}

impl PsidRule {
    /// Whether a number keeps the rule.
    #[must_use]
    pub fn takes(&self, number: &str) -> bool {
        let length = self.lengths.is_empty()
            || self.lengths.iter().any(|length| usize::from(*length) == number.chars().count());
        number.starts_with(&*self.prefix)
            && length
            && self.pattern.as_ref().is_none_or(|pattern| pattern.0.is_match(number))
            && self.check_digit.is_none_or(|check| check.holds(number))
    }
}

impl CheckDigit {
    fn holds(self, number: &str) -> bool {
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return false;
        }
        let digits = number.bytes().map(|byte| u32::from(byte.wrapping_sub(b'0')));
        match self {
            Self::Luhn => {
                let weighed = digits.rev().enumerate().map(|(place, digit)| {
                    let doubled = if place.is_multiple_of(2) { digit } else { digit.saturating_mul(2) };
                    if doubled > 9 { doubled.saturating_sub(9) } else { doubled }
                });
                weighed.fold(0_u32, u32::saturating_add).is_multiple_of(10)
            }
            Self::Mod97 => {
                let rest = |rest: u32, digit| rest.saturating_mul(10).saturating_add(digit) % 97;
                digits.fold(0, rest) == 1
            }
        }
    }
}
