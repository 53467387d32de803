//! The standard's own notation for a field: `n 6`, `n..19`, `ans...999`, `x+n 8`, `b 8`.

use thiserror::Error;

use super::charset::Class;

/// A field's type as written: its characters and how its length is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Notation {
    /// [`Class::B`] for binary, whichever way it is written on the wire.
    pub(super) class: Class,
    /// Decimal digits of the length, one a dot; 0 for a fixed length.
    pub(super) prefix: u8,
    /// The fixed length, or the longest: characters, or bytes of binary. The sign of `x+n` counts.
    pub(super) max: u16,
}

/// Why a text is not a field type.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum NotationError {
    /// It does not begin with a character class.
    #[error(
        "not a field type: write a class (a, n, an, ns, as, ans, x+n, z, b) and a length, as in `n 6` or `ans...999`"
    )]
    Class,
    /// No number where the length should be.
    #[error("the length is missing: `n 6` is six digits, `n..19` up to nineteen after a two-digit length")]
    Length,
    /// The length is 0, or more than its prefix can tell.
    #[error("the length must be 1 to {max} here")]
    OutOfRange {
        /// Most that can be told.
        max: u16,
    },
    /// More than six dots.
    #[error("a length has at most six digits")]
    Prefix,
    /// `x+n` with a length prefix.
    #[error("an amount with a sign has a fixed length")]
    VariableSigned,
}

/// Longest first, so that `ans` is not read as `a`.
const CLASSES: &[(&str, Class)] = &[
    ("x+n", Class::Xn),
    ("ans", Class::Ans),
    ("an", Class::An),
    ("ns", Class::Ns),
    ("as", Class::As),
    ("a", Class::A),
    ("n", Class::N),
    ("z", Class::Z),
    ("b", Class::B),
];

/// A field that takes no bytes.
const ABSENT: &str = "absent";

/// Longest value: that of a frame.
const LONGEST: u16 = u16::MAX;

impl Notation {
    /// Whatever bytes there are.
    pub(super) const CONTENT: Self = Self { class: Class::B, prefix: 0, max: LONGEST };

    /// Whether the field takes no bytes.
    pub(super) const fn is_absent(self) -> bool {
        self.max == 0
    }

    /// Reads a field type.
    pub(super) fn parse(text: &str) -> Result<Self, NotationError> {
        if text == ABSENT {
            return Ok(Self { class: Class::B, prefix: 0, max: 0 });
        }
        let (class, rest) = CLASSES
            .iter()
            .find_map(|(name, class)| text.strip_prefix(name).map(|rest| (*class, rest)))
            .filter(|(_, rest)| rest.starts_with([' ', '.']) || rest.is_empty())
            .ok_or(NotationError::Class)?;
        let number = rest.trim_start_matches('.');
        let dots = rest.len().saturating_sub(number.len());
        let (prefix, number, most) = match dots {
            0 => (0, number.strip_prefix(' ').ok_or(NotationError::Length)?, LONGEST),
            1 => (1, number, 9),
            2 => (2, number, 99),
            3 => (3, number, 999),
            4 => (4, number, 9999),
            5 => (5, number, LONGEST),
            6 => (6, number, LONGEST),
            _ => return Err(NotationError::Prefix),
        };
        if number.is_empty() || number.len() > 5 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotationError::Length);
        }
        let max = number.parse::<u32>().map_err(|_| NotationError::Length)?;
        let max = u16::try_from(max).unwrap_or(0);
        if max == 0 || max > most {
            return Err(NotationError::OutOfRange { max: most });
        }
        match (class, prefix) {
            (Class::Xn, 0) => Ok(Self { class, prefix, max: max.saturating_add(1) }),
            (Class::Xn, _) => Err(NotationError::VariableSigned),
            _ => Ok(Self { class, prefix, max }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notation_is_read_as_the_standard_writes_it() {
        let table = [
            ("n 6", Ok((Class::N, 0, 6))),
            ("n..19", Ok((Class::N, 2, 19))),
            ("ans 40", Ok((Class::Ans, 0, 40))),
            ("ans...999", Ok((Class::Ans, 3, 999))),
            ("x+n 8", Ok((Class::Xn, 0, 9))),
            ("z..37", Ok((Class::Z, 2, 37))),
            ("b 8", Ok((Class::B, 0, 8))),
            ("b....9999", Ok((Class::B, 4, 9999))),
            ("n...19", Ok((Class::N, 3, 19))),
            ("q 6", Err(NotationError::Class)),
            ("", Err(NotationError::Class)),
            ("n6", Err(NotationError::Class)),
            ("nn 6", Err(NotationError::Class)),
            ("n", Err(NotationError::Length)),
            ("n ", Err(NotationError::Length)),
            ("n  6", Err(NotationError::Length)),
            ("n 6 ", Err(NotationError::Length)),
            ("n +6", Err(NotationError::Length)),
            ("n.. 19", Err(NotationError::Length)),
            ("n 0", Err(NotationError::OutOfRange { max: 65535 })),
            ("n..100", Err(NotationError::OutOfRange { max: 99 })),
            ("b......65535", Ok((Class::B, 6, 65535))),
            ("b......65536", Err(NotationError::OutOfRange { max: 65535 })),
            ("absent", Ok((Class::B, 0, 0))),
            ("n.......9", Err(NotationError::Prefix)),
            ("x+n..9", Err(NotationError::VariableSigned)),
        ];
        for (text, want) in table {
            let got = Notation::parse(text).map(|n| (n.class, n.prefix, n.max));
            assert_eq!(got, want, "{text:?}");
        }
    }
}
