//! Identities: what a message, a payment, a biller and a business day are known by.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use thiserror::Error;

/// Why a text is not an identity of the kind asked for.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum IdError {
    /// Longer than its kind allows.
    #[error("longer than {max} characters")]
    TooLong {
        /// Most characters allowed.
        max: usize,
    },
    /// A byte outside printable ASCII.
    #[error("holds a character that is not printable ASCII")]
    NotPrintable,
    /// Not a calendar date.
    #[error("not a date in the form 2026-11-20")]
    NotADate,
}

/// Up to `N` printable ASCII characters, held in place: copying one allocates nothing.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Short<const N: usize> {
    bytes: [u8; N],
    len: u8,
}

/// Systems trace audit number (DE 11): 6 digits, 12 in ISO 8583:2003.
pub type Stan = Short<12>;
/// Retrieval reference number (DE 37): 12 characters.
pub type Rrn = Short<12>;
/// What a request calls a department, such as `KPEXCISE`.
pub type BillerCode = Short<16>;
/// The name of a link in the configuration, such as `atmnet`.
pub type LinkName = Short<24>;
/// A response code as it stands in DE 39: two characters, four in ISO 8583:2003.
pub type ResponseCode = Short<4>;

impl<const N: usize> Short<N> {
    /// The empty text: the message did not carry the field.
    pub const EMPTY: Self = Self { bytes: [0; N], len: 0 };

    /// Takes the bytes as they are.
    ///
    /// # Errors
    ///
    /// [`IdError::TooLong`] or [`IdError::NotPrintable`].
    pub fn new(text: &[u8]) -> Result<Self, IdError> {
        let mut bytes = [0; N];
        let (Some(head), Ok(len)) = (bytes.get_mut(..text.len()), u8::try_from(text.len())) else {
            return Err(IdError::TooLong { max: N });
        };
        if !text.iter().all(|byte| (0x20..0x7f).contains(byte)) {
            return Err(IdError::NotPrintable);
        }
        head.copy_from_slice(text);
        Ok(Self { bytes, len })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The text's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Whether there is no text.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<const N: usize> Default for Short<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const N: usize> fmt::Display for Short<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Short<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl<const N: usize> FromStr for Short<N> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::new(text.as_bytes())
    }
}

impl<const N: usize> Serialize for Short<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de, const N: usize> Deserialize<'de> for Short<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit<const N: usize>;
        impl<const N: usize> de::Visitor<'_> for Visit<N> {
            type Value = Short<N>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a text of at most {N} printable ASCII characters")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Short::new(text.as_bytes()).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visit)
    }
}

/// What makes a payment the same payment, however often it is asked for (`domain.md` 3c): DE 7, STAN, RRN,
/// DE 32, DE 41 and the acquirer link, in that order, so that keys follow time and the link comes last.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PaymentKey(Arc<[u8]>);

/// Stands between the parts of a key; no field of a message may hold it.
const SEPARATOR: u8 = 0x1f;

impl PaymentKey {
    /// Joins the parts. Each is printable ASCII: whoever reads them from a message sees to that.
    #[must_use]
    pub fn new(parts: &KeyParts<'_>) -> Self {
        let mut key = Vec::with_capacity(96);
        for part in [parts.transmitted_at, parts.stan, parts.rrn, parts.acquirer, parts.terminal] {
            key.extend_from_slice(part);
            key.push(SEPARATOR);
        }
        key.extend_from_slice(parts.link);
        Self(key.into())
    }

    /// A key read back from the store.
    #[must_use]
    pub fn from_stored(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The key's bytes, as stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The parts it was made of. A part that is not there reads as empty.
    #[must_use]
    pub fn parts(&self) -> KeyParts<'_> {
        let mut parts = self.0.splitn(6, |byte| *byte == SEPARATOR);
        let mut next = || parts.next().unwrap_or_default();
        KeyParts {
            transmitted_at: next(),
            stan: next(),
            rrn: next(),
            acquirer: next(),
            terminal: next(),
            link: next(),
        }
    }

    /// Everything but the link: what two links would share if one spoke of the other's payment.
    #[must_use]
    pub fn without_link(&self) -> &[u8] {
        let link = self.parts().link.len();
        self.0.get(..self.0.len().saturating_sub(link)).unwrap_or_default()
    }
}

impl fmt::Debug for PaymentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(&self.0).replace('\u{1f}', "/"))
    }
}

impl fmt::Display for PaymentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Serialize for PaymentKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = std::str::from_utf8(&self.0).map_err(|_| ser::Error::custom("a key that is not text"))?;
        serializer.serialize_str(text)
    }
}

impl<'de> Deserialize<'de> for PaymentKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Ok(Self::from_stored(text.as_bytes()))
    }
}

/// The first of two digits of a month or a day.
fn tens(number: i8) -> u8 {
    number.unsigned_abs() / 10
}

/// The second.
fn ones(number: i8) -> u8 {
    number.unsigned_abs() % 10
}

/// The parts of a [`PaymentKey`]; an absent field is empty.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct KeyParts<'a> {
    /// DE 7, transmission date and time, MMDDhhmmss.
    pub transmitted_at: &'a [u8],
    /// DE 11.
    pub stan: &'a [u8],
    /// DE 37.
    pub rrn: &'a [u8],
    /// DE 32, acquiring institution.
    pub acquirer: &'a [u8],
    /// DE 41, terminal.
    pub terminal: &'a [u8],
    /// Name of the link the request came from.
    pub link: &'a [u8],
}

/// A business day. It moves by cutover only, never with the clock.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BusinessDate(jiff::civil::Date);

impl BusinessDate {
    /// After every other day: the last day of a bill that has none.
    pub const NEVER: Self = Self(jiff::civil::Date::MAX);

    /// The business day on which calendar day `date` is worked.
    #[must_use]
    pub const fn new(date: jiff::civil::Date) -> Self {
        Self(date)
    }

    /// The calendar date it is called by.
    #[must_use]
    pub const fn date(self) -> jiff::civil::Date {
        self.0
    }

    /// The next calendar day; the last day of the calendar stays.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.tomorrow().unwrap_or(self.0))
    }

    /// The calendar day before; the first day of the calendar stays.
    #[must_use]
    pub fn previous(self) -> Self {
        Self(self.0.yesterday().unwrap_or(self.0))
    }

    /// `yyyyMMdd`, as DE 48 and DE 120 carry dates.
    #[must_use]
    pub fn compact(self) -> String {
        format!("{:04}{:02}{:02}", self.0.year(), self.0.month(), self.0.day())
    }

    /// `MMdd`, as DE 15 carries it.
    #[must_use]
    pub fn month_day(self) -> String {
        format!("{:02}{:02}", self.0.month(), self.0.day())
    }

    /// Whether `said`, as DE 15 has it, is its month and day.
    #[must_use]
    pub fn is_called(self, said: &[u8]) -> bool {
        let two = |number: i8| [b'0'.saturating_add(tens(number)), b'0'.saturating_add(ones(number))];
        let (month, day) = (two(self.0.month()), two(self.0.day()));
        said == [month, day].as_flattened()
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub fn day_number(self) -> i32 {
        let epoch = jiff::civil::date(1970, 1, 1);
        epoch.until(self.0).map_or(0, |span| span.get_days())
    }

    /// The day `days` after 1970-01-01.
    ///
    /// # Errors
    ///
    /// [`IdError::NotADate`] outside the calendar.
    pub fn from_day_number(days: i32) -> Result<Self, IdError> {
        let span = jiff::Span::new().try_days(days).map_err(|_| IdError::NotADate)?;
        jiff::civil::date(1970, 1, 1).checked_add(span).map(Self).map_err(|_| IdError::NotADate)
    }
}

impl fmt::Display for BusinessDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

impl fmt::Debug for BusinessDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BusinessDate {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        jiff::civil::Date::strptime("%Y-%m-%d", text).map(Self).map_err(|_| IdError::NotADate)
    }
}

impl Serialize for BusinessDate {
    /// As `2026-11-20` for people, as a day number in the store.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i32(self.day_number())
        }
    }
}

impl<'de> Deserialize<'de> for BusinessDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
            text.parse().map_err(de::Error::custom)
        } else {
            Self::from_day_number(i32::deserialize(deserializer)?).map_err(de::Error::custom)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_bounded_and_printable() {
        assert_eq!(Stan::new(b"004707").unwrap().as_str(), "004707");
        assert_eq!(ResponseCode::new(b"00000"), Err(IdError::TooLong { max: 4 }));
        assert_eq!(Rrn::new(b"12\x1f45"), Err(IdError::NotPrintable));
    }

    #[test]
    fn a_payment_key_gives_back_its_parts() {
        let parts = KeyParts {
            transmitted_at: b"1120090009",
            stan: b"004707",
            rrn: b"627271632409",
            acquirer: b"",
            terminal: b"NBIBK797",
            link: b"northbank",
        };
        let key = PaymentKey::new(&parts);
        assert_eq!(key.parts(), parts);
        assert_eq!(PaymentKey::from_stored(key.as_bytes()), key);
        assert!(key.as_bytes().starts_with(key.without_link()));
        assert!(key.without_link().ends_with(b"NBIBK797\x1f"));
    }

    #[test]
    fn business_dates_survive_the_store_and_the_wire() {
        let date: BusinessDate = "2026-11-20".parse().unwrap();
        assert_eq!(date.compact(), "20261120");
        assert_eq!(BusinessDate::from_day_number(date.day_number()), Ok(date));
        let bytes = postcard::to_allocvec(&date).unwrap();
        assert_eq!(postcard::from_bytes::<BusinessDate>(&bytes).unwrap(), date);
        assert!(
            date.is_called(date.month_day().as_bytes()) && !date.is_called(b"1121") && !date.is_called(b"")
        );
        assert_eq!("2026-12-31".parse::<BusinessDate>().unwrap().next().to_string(), "2027-01-01");
        assert_eq!("2026-02-30".parse::<BusinessDate>(), Err(IdError::NotADate));
    }
}
