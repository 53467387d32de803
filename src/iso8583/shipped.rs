//! The dialects that come with the program, built in.

use super::{Dialect, DialectError};

/// Name and text of every shipped dialect; a text is `specs/dialects/<name>.toml`.
pub const DIALECTS: &[(&str, &str)] = &[
    ("iso87-ascii", include_str!("../../specs/dialects/iso87-ascii.toml")),
    ("iso87-ascii-binary-bitmap", include_str!("../../specs/dialects/iso87-ascii-binary-bitmap.toml")),
    ("onelink", include_str!("../../specs/dialects/onelink.toml")),
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
