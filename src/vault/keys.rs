//! The keys, and what is done with them.

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use thiserror::Error;
use zeroize::Zeroizing;

/// Bytes of the nonce of AES-GCM.
pub(super) const NONCE_BYTES: usize = 12;

/// Why a key file was refused, or a sealed number not opened.
#[derive(Debug, Error)]
pub enum VaultError {
    /// The key file does not read as one.
    #[error("{file}:{line}: {reason}")]
    KeyFile {
        /// The key file.
        file: String,
        /// Line, from 1; 0 means the file as a whole.
        line: usize,
        /// What is wrong; never what stands there.
        reason: &'static str,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gave no random bytes: {0}")]
    Randomness(getrandom::Error),
    /// Sealed under a key version that the key file does not hold.
    #[error("sealed under key version {0}, which the key file does not hold")]
    KeyVersion(u8),
    /// A key of a link that is none; which it is stands nowhere.
    #[error("no key for a MAC: {0}")]
    MacKey(&'static str),
    /// A key that came with the check value of another.
    #[error("the key is not the one that its check value is of")]
    CheckValue,
    /// The sealed bytes were changed, or are not sealed bytes.
    #[error("the sealed card number does not open: it was changed, or the key is another one")]
    Sealed,
}

/// A card number as stored: nobody reads it without the key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SealedPan {
    /// The same number always has the same hash.
    pub hash: [u8; 16],
    /// Version of the key it is sealed under.
    pub key_version: u8,
    /// Nonce, then the ciphertext with its tag.
    pub sealed: Vec<u8>,
}

/// Holds the keys. Its `Debug` shows none of them.
pub struct Vault {
    /// By version; the last one seals.
    sealing: Vec<(u8, Box<Aes256Gcm>)>,
    /// By version, for the keys of links.
    pub(super) sealing_links: Vec<(u8, Box<Aes256Gcm>)>,
    /// By version: tells one key from another, and nothing of it.
    checks: Vec<(u8, [u8; 16])>,
    look_up: Hmac<Sha256>,
    content: Hmac<Sha256>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let versions: Vec<u8> = self.sealing.iter().map(|(version, _)| *version).collect();
        f.debug_struct("Vault").field("key_versions", &versions).finish_non_exhaustive()
    }
}

impl Vault {
    /// Reads a key file: lines of `version hex`, 1 to 255 and 64 hexadecimal digits, versions rising; `#` starts a
    /// comment. The last key seals, the others still open what they sealed; the first one also keys the hashes, so
    /// it stays in the file for as long as the store is kept.
    ///
    /// # Errors
    ///
    /// [`VaultError::KeyFile`] with the line.
    pub fn parse(file: &str, text: &str) -> Result<Self, VaultError> {
        let fault = |line, reason| VaultError::KeyFile { file: file.to_owned(), line, reason };
        let mut sealing: Vec<(u8, Box<Aes256Gcm>)> = Vec::new();
        let mut sealing_links = Vec::new();
        let mut checks = Vec::new();
        let mut hashing = None;
        for (index, text) in text.lines().enumerate() {
            let line = index.saturating_add(1);
            let text = text.split('#').next().unwrap_or_default().trim();
            if text.is_empty() {
                continue;
            }
            let (version, key) = text.split_once(' ').ok_or(fault(line, "want `version hex`"))?;
            let version: u8 =
                version.parse().map_err(|_| fault(line, "the version is a number from 1 to 255"))?;
            if sealing.last().is_some_and(|(last, _)| *last >= version) || version == 0 {
                return Err(fault(line, "versions start at 1 and rise from line to line"));
            }
            let mut master = Zeroizing::new([0_u8; 32]);
            hex::decode_to_slice(key.trim(), master.as_mut_slice())
                .map_err(|_| fault(line, "a key is 64 hexadecimal digits"))?;
            let cipher = |purpose| {
                let key = derive(master.as_slice(), purpose);
                Aes256Gcm::new_from_slice(key.as_slice()).map(Box::new)
            };
            let unfit = |_| fault(line, "not a key for AES-256");
            sealing_links.push((version, cipher(b"billswitch: seal link keys").map_err(unfit)?));
            let cards = cipher(b"billswitch: seal card numbers").map_err(unfit)?;
            hashing.get_or_insert_with(|| {
                let look_up = keyed(&derive(master.as_slice(), b"billswitch: look up card numbers"));
                (look_up, keyed(&derive(master.as_slice(), b"billswitch: compare content")))
            });
            checks
                .push((version, first_half(keyed(&derive(master.as_slice(), b"billswitch: check the key")))));
            sealing.push((version, cards));
        }
        let (look_up, content) = hashing.ok_or(fault(0, "holds no key; `billswitch key` makes one"))?;
        Ok(Self { sealing, sealing_links, checks, look_up, content })
    }

    /// The text of a new key file with one random key.
    ///
    /// # Errors
    ///
    /// [`VaultError::Randomness`].
    pub fn new_key_file() -> Result<Zeroizing<String>, VaultError> {
        let mut master = Zeroizing::new([0_u8; 32]);
        getrandom::fill(master.as_mut_slice()).map_err(VaultError::Randomness)?;
        let key = Zeroizing::new(hex::encode(master.as_slice()));
        Ok(Zeroizing::new(format!(
            "# billswitch keys: version, key. Add lines, never change one.\n1 {}\n",
            *key
        )))
    }

    /// Each key's version and check value, by which a store knows its own keys.
    #[must_use]
    pub fn checks(&self) -> &[(u8, [u8; 16])] {
        &self.checks
    }

    /// Seals a card number under the newest key.
    ///
    /// # Errors
    ///
    /// [`VaultError::Randomness`]; [`VaultError::Sealed`] if the cipher refuses, which it does for no card number.
    pub fn seal(&self, pan: &[u8]) -> Result<SealedPan, VaultError> {
        let (key_version, cipher) = self.sealing.last().ok_or(VaultError::KeyVersion(0))?;
        let mut nonce = [0_u8; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(VaultError::Randomness)?;
        let cipher_text = cipher.encrypt(&Nonce::from(nonce), pan).map_err(|_| VaultError::Sealed)?;
        let sealed = [nonce.as_slice(), &cipher_text].concat();
        Ok(SealedPan { hash: self.hash(pan), key_version: *key_version, sealed })
    }

    /// Opens a sealed card number.
    ///
    /// # Errors
    ///
    /// [`VaultError::KeyVersion`] or [`VaultError::Sealed`].
    pub fn open(&self, pan: &SealedPan) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let held = self.sealing.iter().find(|(version, _)| *version == pan.key_version);
        let (_, cipher) = held.ok_or(VaultError::KeyVersion(pan.key_version))?;
        let (nonce, cipher_text) = pan.sealed.split_first_chunk::<NONCE_BYTES>().ok_or(VaultError::Sealed)?;
        let plain = cipher.decrypt(&Nonce::from(*nonce), cipher_text).map_err(|_| VaultError::Sealed)?;
        Ok(Zeroizing::new(plain))
    }

    /// The hash under which a card number is looked up.
    #[must_use]
    pub fn hash(&self, pan: &[u8]) -> [u8; 16] {
        let mut mac = self.look_up.clone();
        mac.update(pan);
        first_half(mac)
    }

    /// A digest of a request's content: field numbers, lengths and values, in order.
    #[must_use]
    pub fn digest<'a>(&self, fields: impl Iterator<Item = (u8, &'a [u8])>) -> [u8; 16] {
        let mut mac = self.content.clone();
        for (field, value) in fields {
            mac.update(&[field]);
            mac.update(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
            mac.update(value);
        }
        first_half(mac)
    }
}

fn first_half(mac: Hmac<Sha256>) -> [u8; 16] {
    let tag: [u8; 32] = mac.finalize().into_bytes().into();
    let (half, _) = tag.split_at(16);
    half.try_into().unwrap_or_default()
}

fn derive(master: &[u8], purpose: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut mac = keyed(master);
    mac.update(purpose);
    Zeroizing::new(mac.finalize().into_bytes().to_vec())
}

/// HMAC takes a key of any length, so this cannot fail.
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &str = "1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
    const PAN: &[u8] = b"4000000000000002";

    #[test]
    fn a_sealed_number_opens_only_unchanged_and_under_its_key() {
        let vault = Vault::parse("keys", KEYS).unwrap();
        let mut sealed = vault.seal(PAN).unwrap();
        assert_eq!(vault.open(&sealed).unwrap().as_slice(), PAN);
        assert_ne!(vault.seal(PAN).unwrap().sealed, sealed.sealed, "a nonce is never used twice");
        assert_eq!(vault.seal(PAN).unwrap().hash, sealed.hash);
        *sealed.sealed.last_mut().unwrap() ^= 1;
        assert!(matches!(vault.open(&sealed), Err(VaultError::Sealed)));
    }

    #[test]
    fn an_older_key_still_opens_and_hashes_stay() {
        let old = Vault::parse("keys", KEYS).unwrap();
        let new = Vault::parse("keys", &format!("{KEYS}2 {}\n", "ab".repeat(32))).unwrap();
        let sealed = old.seal(PAN).unwrap();
        assert_eq!(new.open(&sealed).unwrap().as_slice(), PAN);
        assert_eq!(new.seal(PAN).unwrap().key_version, 2);
        assert_eq!(new.hash(PAN), old.hash(PAN));
        assert!(matches!(old.open(&new.seal(PAN).unwrap()), Err(VaultError::KeyVersion(2))));
    }

    #[test]
    fn a_bad_key_file_is_told_by_line_and_never_quoted() {
        let table = [
            ("", 0),
            ("# only a comment\n", 0),
            ("1 zz\n", 1),
            ("# x\n\n1 00\n", 3),
            ("0 00\n", 1),
            ("one\n", 1),
        ];
        for (text, want) in table {
            let error = Vault::parse("keys", text).unwrap_err();
            let VaultError::KeyFile { line, .. } = &error else { panic!("{error}") };
            assert_eq!(*line, want, "{text:?}");
        }
        let falling = format!("2 {}\n1 {}\n", "ab".repeat(32), "cd".repeat(32));
        assert!(!Vault::parse("keys", &falling).unwrap_err().to_string().contains("cd"));
    }

    #[test]
    fn a_new_key_file_reads_back() {
        let text = Vault::new_key_file().unwrap();
        assert!(Vault::parse("keys", &text).is_ok());
        assert_ne!(*text, *Vault::new_key_file().unwrap());
    }

    #[test]
    fn content_digests_tell_where_fields_end() {
        let vault = Vault::parse("keys", KEYS).unwrap();
        let one = vault.digest([(3, b"12".as_slice()), (4, b"3")].into_iter());
        let two = vault.digest([(3, b"1".as_slice()), (4, b"23")].into_iter());
        assert_ne!(one, two);
    }
}
