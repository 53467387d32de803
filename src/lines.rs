//! Faults in a line of a file that people write, and the checks that lines of numbers have in common.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use thiserror::Error;
use toml::Spanned;

/// Bounds of a number, and how they are told.
pub type Bounds = (RangeInclusive<u32>, &'static str);

/// Bounds of a count.
pub const COUNT: Bounds = (1..=100_000, "1 to 100,000");
/// Bounds of a span of time: 1 ms to a day.
pub const SPAN: Bounds = (1..=86_400_000, "1 to 86,400,000 ms, which is a day");

/// Something in a file that cannot be: where, and why. Who has the file tells its name and the line.
#[derive(Debug)]
pub struct Fault {
    /// Bytes of the file's text.
    pub span: Range<usize>,
    /// What is wrong there.
    pub why: Why,
}

/// What is wrong with a line.
#[derive(Debug, Error)]
pub enum Why {
    /// Not TOML, an unknown key, a missing one, or a value of the wrong kind; or whatever else is said in words.
    #[error("{0}")]
    Words(String),
    /// A value outside its bounds.
    #[error("{key} is {bounds}")]
    Bounds {
        /// The key.
        key: &'static str,
        /// What it may be.
        bounds: &'static str,
    },
    /// Deadlines that do not nest.
    #[error("{inner} must be shorter than {outer}: who asks must wait longer than who is asked")]
    Deadlines {
        /// The one that is too long.
        inner: &'static str,
        /// The one it must stay within.
        outer: &'static str,
    },
}

impl Fault {
    /// A fault that is told in words.
    pub fn new(span: Range<usize>, why: impl Into<String>) -> Self {
        Self { span, why: Why::Words(why.into()) }
    }
}

impl From<toml::de::Error> for Fault {
    fn from(error: toml::de::Error) -> Self {
        Self::new(error.span().unwrap_or_default(), error.message())
    }
}

/// A number within its bounds.
///
/// # Errors
///
/// [`Why::Bounds`].
pub fn bounded<T: TryFrom<u32>>(
    value: &Spanned<u32>,
    key: &'static str,
    (range, bounds): Bounds,
) -> Result<T, Fault> {
    let within = range.contains(value.get_ref()).then(|| T::try_from(*value.get_ref()).ok()).flatten();
    within.ok_or_else(|| Fault { span: value.span(), why: Why::Bounds { key, bounds } })
}

/// A span of time in milliseconds, 1 ms to a day.
///
/// # Errors
///
/// [`Why::Bounds`].
pub fn millis(value: &Spanned<u32>, key: &'static str) -> Result<Duration, Fault> {
    let ms: u32 = bounded(value, key, SPAN)?;
    Ok(Duration::from_millis(ms.into()))
}

/// Two deadlines of which one has to end before the other.
///
/// # Errors
///
/// [`Why::Deadlines`].
pub fn nested(
    (inner, inner_name): (&Spanned<u32>, &'static str),
    (outer, outer_name): (&Spanned<u32>, &'static str),
) -> Result<(), Fault> {
    if inner.get_ref() < outer.get_ref() {
        return Ok(());
    }
    Err(Fault { span: inner.span(), why: Why::Deadlines { inner: inner_name, outer: outer_name } })
}
