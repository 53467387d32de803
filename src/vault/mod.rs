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
