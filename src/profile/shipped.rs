//! The profiles that are built in, so that the switch runs without a folder of data files.

/// Name and text of each profile under `specs/profiles/`.
pub const PROFILES: &[(&str, &str)] = &[
    ("iso87", include_str!("../../specs/profiles/iso87.toml")),
    ("onelink", include_str!("../../specs/profiles/onelink.toml")),
    ("ebipp", include_str!("../../specs/profiles/ebipp.toml")),
    ("pln", include_str!("../../specs/profiles/pln.toml")),
];

/// The text of a built-in profile.
#[must_use]
pub fn profile_text(name: &str) -> Option<&'static str> {
    PROFILES.iter().find(|(shipped, _)| *shipped == name).map(|(_, text)| *text)
}
