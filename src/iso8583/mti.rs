//! The message type indicator: version, class, function, origin.

use std::fmt;

use thiserror::Error;

/// Why bytes are not a message type indicator.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("a message type indicator is four digits")]
pub struct MtiError;

/// Message type indicator: four ASCII digits, such as `0200`.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Mti([u8; 4]);

impl Mti {
    /// What a message has whose own indicator could not be read. No network uses it.
    pub const UNREADABLE: Self = Self(*b"0000");

    /// Takes exactly four ASCII digits.
    ///
    /// # Errors
    ///
    /// [`MtiError`] for anything else.
    pub fn new(text: &[u8]) -> Result<Self, MtiError> {
        let digits = <[u8; 4]>::try_from(text).map_err(|_| MtiError)?;
        if digits.iter().all(u8::is_ascii_digit) { Ok(Self(digits)) } else { Err(MtiError) }
    }

    /// The four digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The four digits, as they stand on the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }

    /// First digit: `0` is ISO 8583:1987, `1` 1993, `2` 2003.
    #[must_use]
    pub const fn version(self) -> u8 {
        let [version, ..] = self.0;
        version
    }

    /// Second digit: `1` authorisation, `2` financial, `4` reversal, `5` reconciliation, `8` network.
    #[must_use]
    pub const fn class(self) -> u8 {
        let [_, class, ..] = self.0;
        class
    }

    /// What the first digit says, for people.
    #[must_use]
    pub const fn version_words(self) -> &'static str {
        match self.version() {
            b'0' => "ISO 8583:1987",
            b'1' => "ISO 8583:1993",
            b'2' => "ISO 8583:2003",
            b'8' => "a national version",
            b'9' => "a private version",
            _ => "a reserved version",
        }
    }

    /// What the second digit says, for people.
    #[must_use]
    pub const fn class_words(self) -> &'static str {
        match self.class() {
            b'1' => "authorisation",
            b'2' => "financial",
            b'3' => "file action",
            b'4' => "reversal or chargeback",
            b'5' => "reconciliation",
            b'6' => "administrative",
            b'7' => "fee collection",
            b'8' => "network management",
            _ => "reserved class",
        }
    }

    /// What the third digit says, for people.
    #[must_use]
    pub const fn function_words(self) -> &'static str {
        let [_, _, function, _] = self.0;
        match function {
            b'0' => "request",
            b'1' => "answer to a request",
            b'2' => "advice",
            b'3' => "answer to an advice",
            b'4' => "notification",
            b'5' => "acknowledgement of a notification",
            b'6' => "instruction",
            b'7' => "acknowledgement of an instruction",
            _ => "reserved function",
        }
    }

    /// What the fourth digit says, for people: who began, and whether this is said again.
    #[must_use]
    pub const fn origin_words(self) -> &'static str {
        let [.., origin] = self.0;
        match origin {
            b'0' => "from the acquirer",
            b'1' => "from the acquirer, repeated",
            b'2' => "from the issuer",
            b'3' => "from the issuer, repeated",
            b'4' => "from another",
            b'5' => "from another, repeated",
            _ => "of reserved origin",
        }
    }

    /// All four digits in words: `financial request from the acquirer (ISO 8583:1987)`. Of what answers, who began is meant.
    #[must_use]
    pub fn words(self) -> String {
        let (class, function) = (self.class_words(), self.function_words());
        let (origin, version) = (self.origin_words(), self.version_words());
        if self.is_response() {
            return format!("{class}, {function} {origin} ({version})");
        }
        format!("{class} {function} {origin} ({version})")
    }

    /// Whether this answers another message: the third digit is odd.
    #[must_use]
    pub const fn is_response(self) -> bool {
        let [_, _, function, _] = self.0;
        function & 1 == 1
    }

    /// Whether this is an advice (`0220`, `0420`) or its repeat: the third digit is 2.
    #[must_use]
    pub const fn is_advice(self) -> bool {
        let [_, _, function, _] = self.0;
        function == b'2'
    }

    /// Whether the sender says that it sent this before: the fourth digit is odd.
    #[must_use]
    pub const fn is_repeat(self) -> bool {
        let [.., origin] = self.0;
        origin & 1 == 1
    }

    /// What answers this: `0200` and `0201` → `0210`, `0421` → `0430`. `None` for what is itself an answer:
    /// answering one would have two ends talk for ever.
    #[must_use]
    pub const fn to_response(self) -> Option<Self> {
        if self.is_response() {
            return None;
        }
        let [version, class, function, origin] = self.0;
        // In ASCII as in number, an even digit has its lowest bit clear.
        Some(Self([version, class, function | 1, origin & !1]))
    }

    /// The same message sent again: `0200` → `0201`, `0420` → `0421`. A repeat stays one.
    #[must_use]
    pub const fn to_repeat(self) -> Self {
        let [version, class, function, origin] = self.0;
        Self([version, class, function, origin | 1])
    }

    /// The message that this repeats: `0201` → `0200`. An original stays one.
    #[must_use]
    pub const fn to_original(self) -> Self {
        let [version, class, function, origin] = self.0;
        Self([version, class, function, origin & !1])
    }
}

impl fmt::Display for Mti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Mti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Mti {
    type Err = MtiError;

    fn from_str(text: &str) -> Result<Self, MtiError> {
        Self::new(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_four_digits_are_an_indicator() {
        assert_eq!(Mti::new(b"0200").map(|mti| mti.as_str().to_owned()), Ok("0200".to_owned()));
        for wrong in [&b"020"[..], b"02000", b"02O0", b"", b"\x02\x00\x00\x00"] {
            assert_eq!(Mti::new(wrong), Err(MtiError));
        }
    }

    #[test]
    fn the_digits_are_told_in_words() {
        let table = [
            ("0200", "financial request from the acquirer (ISO 8583:1987)"),
            ("0421", "reversal or chargeback advice from the acquirer, repeated (ISO 8583:1987)"),
            ("1810", "network management, answer to a request from the acquirer (ISO 8583:1993)"),
            ("2622", "administrative advice from the issuer (ISO 8583:2003)"),
            ("9999", "reserved class, reserved function of reserved origin (a private version)"),
        ];
        for (mti, words) in table {
            assert_eq!(mti.parse::<Mti>().unwrap().words(), words);
        }
    }

    #[test]
    fn answers_and_repeats_follow_the_digits() {
        let table =
            [("0200", "0210"), ("0201", "0210"), ("0421", "0430"), ("0800", "0810"), ("2220", "2230")];
        for (asked, answer) in table {
            let asked: Mti = asked.parse().unwrap();
            assert_eq!(asked.to_response().unwrap().as_str(), answer);
            assert!(!asked.is_response() && asked.to_response().unwrap().is_response());
            assert!(asked.to_repeat().is_repeat() && !asked.to_original().is_repeat());
        }
        assert_eq!("0210".parse::<Mti>().unwrap().to_response(), None);
        assert!("0420".parse::<Mti>().unwrap().is_advice());
    }
}
