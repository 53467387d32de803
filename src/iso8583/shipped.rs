//! The dialects that come with the program, built in.

use super::{Dialect, DialectError};

/// Name and text of every shipped dialect; a text is `specs/dialects/<name>.toml`.
pub const DIALECTS: &[(&str, &str)] = &[
    ("iso87-ascii", include_str!("../../specs/dialects/iso87-ascii.toml")),
    ("iso87-ascii-binary-bitmap", include_str!("../../specs/dialects/iso87-ascii-binary-bitmap.toml")),
    ("iso87-bcd", include_str!("../../specs/dialects/iso87-bcd.toml")),
    ("iso93-ascii", include_str!("../../specs/dialects/iso93-ascii.toml")),
    ("iso93-bcd", include_str!("../../specs/dialects/iso93-bcd.toml")),
    ("iso2003-ascii", include_str!("../../specs/dialects/iso2003-ascii.toml")),
    ("onelink", include_str!("../../specs/dialects/onelink.toml")),
    ("ebipp", include_str!("../../specs/dialects/ebipp.toml")),
    ("pln", include_str!("../../specs/dialects/pln.toml")),
    ("postilion", include_str!("../../specs/dialects/postilion.toml")),
    ("postilion-icc", include_str!("../../specs/dialects/postilion-icc.toml")),
    ("base24", include_str!("../../specs/dialects/base24.toml")),
    ("visa-base1-style", include_str!("../../specs/dialects/visa-base1-style.toml")),
    ("mastercard-ipm-style", include_str!("../../specs/dialects/mastercard-ipm-style.toml")),
    ("mastercard-ipm-ebcdic-style", include_str!("../../specs/dialects/mastercard-ipm-ebcdic-style.toml")),
    ("unionpay-pos-style", include_str!("../../specs/dialects/unionpay-pos-style.toml")),
    ("tpdu-pos", include_str!("../../specs/dialects/tpdu-pos.toml")),
];

/// The text of a shipped dialect.
#[must_use]
pub fn dialect_text(name: &str) -> Option<&'static str> {
    DIALECTS.iter().find(|(shipped, _)| *shipped == name).map(|(_, text)| *text)
}

/// A shipped dialect, ready for use; `None` if none has this name.
///
/// # Errors
///
/// [`DialectError`] if its file is wrong; a test keeps that from being shipped.
pub fn dialect(name: &str) -> Option<Result<Dialect, DialectError>> {
    let text = dialect_text(name)?;
    let base = |name: &str| dialect_text(name).map(str::to_owned);
    Some(Dialect::parse(&format!("{name}.toml"), text, &base))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_dialect_loads_under_its_own_name() {
        for (name, _) in DIALECTS {
            let loaded = dialect(name).unwrap().unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(loaded.name(), *name);
            assert!(!loaded.note().is_empty(), "{name} says where it comes from");
        }
        assert!(dialect("no-such-network").is_none());
    }
}
