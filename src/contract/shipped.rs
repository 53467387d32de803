//! The contracts that are built in.

/// Name and text of each contract under `specs/billers/`.
pub const CONTRACTS: &[(&str, &str)] = &[("1bill", include_str!("../../specs/billers/1bill.toml"))];

/// The text of a built-in contract.
#[must_use]
pub fn contract_text(name: &str) -> Option<&'static str> {
    CONTRACTS.iter().find(|(shipped, _)| *shipped == name).map(|(_, text)| *text)
}
