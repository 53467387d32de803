//! The profiles that are built in, so that the switch runs without a folder of data files.

/// Name and text of each profile under `specs/profiles/`.
pub const PROFILES: &[(&str, &str)] = &[("onelink", include_str!("../../specs/profiles/onelink.toml"))];

/// The text of a built-in profile.
#[must_use]
pub fn profile_text(name: &str) -> Option<&'static str> {
    PROFILES.iter().find(|(shipped, _)| *shipped == name).map(|(_, text)| *text)
}
