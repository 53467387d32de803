//! Card data and keys. A PAN is kept only encrypted (AES-256-GCM, versioned keys) beside a keyed hash for look-up;
//! what the standard forbids to keep is dropped here, before anything is recorded (`domain.md` 4).

mod evidence;
mod exchange;
mod keys;
mod link_keys;
mod mac;
#[cfg(test)]
mod mac_tests;

pub use evidence::{EVIDENCE_BYTES_MAX, Kept, kept_fields};
pub use exchange::{CheckValue, Kek};
pub use keys::{SealedPan, Vault, VaultError};
pub use link_keys::{LinkKeyFile, LinkKeys, Spent};
pub use mac::{MacKey, MacVerdict, with_seal};

/// The MAC keys of a link, or of a host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MacConfig {
    /// The key file; relative to the store.
    pub key_file: std::path::PathBuf,
    /// How long the old key is still good once a new one is in use; an hour at most.
    pub window: std::time::Duration,
}
