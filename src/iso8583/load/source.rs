//! A file being read: its values as what they must be, and places in it as lines.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::load_error::{Conflict, DialectError, DialectReason};

/// A value with its place in the file.
pub(super) type Value<'v> = Spanned<DeValue<'v>>;
/// A key with its place in the file.
pub(super) type Key<'v> = Spanned<Cow<'v, str>>;

/// A file being read.
pub(super) struct Source<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
    /// Where the lines end.
    ends: Vec<usize>,
    /// How many files lead to it through `extends`.
    pub(super) depth: usize,
}

/// A line of a file, or of one that it extends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    /// How many files lead to it through `extends`.
    pub(super) depth: usize,
    pub(super) line: usize,
}

impl Place {
    /// Where what is missing might be.
    pub(super) const START: Self = Self { depth: 0, line: 1 };
}

/// The names of a file and of those that it extends.
pub(super) struct Files<'a> {
    pub(super) file: &'a str,
    /// Names of dialects by depth, its own first.
    pub(super) chain: Vec<String>,
}

impl Files<'_> {
    pub(super) fn error(&self, place: Place, reason: DialectReason) -> DialectError {
        let base = self.chain.get(place.depth).filter(|_| place.depth > 0);
        let file = base.map_or_else(|| self.file.to_owned(), |name| format!("{name}.toml"));
        DialectError { file, line: place.line, reason }
    }

    pub(super) fn conflict(&self, place: Place, field: u8, conflict: Conflict) -> DialectError {
        self.error(place, DialectReason::Conflict { field, conflict })
    }
}

impl<'a> Source<'a> {
    /// `depth`: how many files lead to it.
    pub(super) fn new(file: &'a str, text: &'a str, depth: usize) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at);
        Self { file, text, ends: ends.collect(), depth }
    }

    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        self.ends.partition_point(|end| *end < span.start).saturating_add(1)
    }

    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        Place { depth: self.depth, line: self.line(span) }
    }

    pub(super) fn error(&self, span: &Range<usize>, reason: DialectReason) -> DialectError {
        self.on_line(self.line(span), reason)
    }

    pub(super) fn on_line(&self, line: usize, reason: DialectReason) -> DialectError {
        DialectError { file: self.file.to_owned(), line, reason }
    }

    pub(super) fn conflict(&self, span: &Range<usize>, field: u8, conflict: Conflict) -> DialectError {
        self.error(span, DialectReason::Conflict { field, conflict })
    }

    pub(super) fn wants(&self, key: &str, value: &Value<'_>, want: &'static str) -> DialectError {
        self.error(&value.span(), DialectReason::Wants { key: key.to_owned(), want })
    }

    pub(super) fn unknown(&self, key: &Key<'_>, known: &'static str) -> DialectError {
        self.error(&key.span(), DialectReason::UnknownKey { key: key.get_ref().to_string(), known })
    }

    pub(super) fn text(&self, key: &str, value: &Value<'_>) -> Result<String, DialectError> {
        let text = value.get_ref().as_str().filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or_else(|| self.wants(key, value, "a text in quotes"))
    }

    /// A number from 1.
    pub(super) fn number(
        &self,
        key: &str,
        value: &Value<'_>,
        max: u16,
        want: &'static str,
    ) -> Result<u16, DialectError> {
        let number = value.get_ref().as_integer().and_then(|number| number.as_str().parse::<u16>().ok());
        number.filter(|number| (1..=max).contains(number)).ok_or_else(|| self.wants(key, value, want))
    }

    /// One of some words.
    pub(super) fn word<T: Copy>(
        &self,
        key: &str,
        value: &Value<'_>,
        words: &[(&str, T)],
        want: &'static str,
    ) -> Result<T, DialectError> {
        let text = value.get_ref().as_str();
        let found = words.iter().find(|(word, _)| text == Some(*word));
        found.map(|(_, meaning)| *meaning).ok_or_else(|| self.wants(key, value, want))
    }

    pub(super) fn yes(&self, key: &str, value: &Value<'_>) -> Result<bool, DialectError> {
        value.get_ref().as_bool().ok_or_else(|| self.wants(key, value, "true or false"))
    }

    pub(super) fn table<'v>(
        &self,
        key: &str,
        value: &'v Value<'v>,
        want: &'static str,
    ) -> Result<&'v DeTable<'v>, DialectError> {
        value.get_ref().as_table().ok_or_else(|| self.wants(key, value, want))
    }

    pub(super) fn list<'v>(
        &self,
        key: &str,
        value: &'v Value<'v>,
        want: &'static str,
    ) -> Result<Vec<&'v Value<'v>>, DialectError> {
        let list = value.get_ref().as_array().ok_or_else(|| self.wants(key, value, want))?;
        Ok(list.iter().collect())
    }

    /// Bytes in hex.
    pub(super) fn hex(&self, key: &str, value: &Value<'_>) -> Result<Vec<u8>, DialectError> {
        let bytes = value.get_ref().as_str().and_then(|text| hex::decode(text).ok());
        bytes
            .filter(|bytes| (1..=255).contains(&bytes.len()))
            .ok_or_else(|| self.wants(key, value, "bytes in hex, 1 to 255"))
    }

    /// The number of a data element, as a key or a value.
    pub(super) fn field_number(&self, text: &str, span: &Range<usize>) -> Result<u8, DialectError> {
        let number = text.parse::<u8>().ok();
        let number = number.filter(|n| (2..=192).contains(n) && n.to_string() == *text);
        number.ok_or_else(|| self.error(span, DialectReason::FieldNumber))
    }

    pub(super) fn field_value(&self, value: &Value<'_>) -> Result<u8, DialectError> {
        let number = value.get_ref().as_integer().map(|number| number.as_str().to_owned());
        self.field_number(&number.unwrap_or_default(), &value.span())
    }
}
