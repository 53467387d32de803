//! The MAC keys of a link: as its key file has them, and as the store keeps those that came later.

use aes_gcm::Nonce;
use aes_gcm::aead::{Aead, Payload};
use zeroize::Zeroizing;

use super::keys::NONCE_BYTES;
use super::{Kek, MacKey, Vault, VaultError};
use crate::iso8583::MacAlgorithm;

/// What a link's key file holds.
#[derive(Debug)]
pub struct LinkKeyFile {
    /// Keys come encrypted under this one.
    pub kek: Kek,
    /// The first MAC key; without one the peer has to send one before anything else.
    pub mac: Option<MacKey>,
}

/// The MAC keys of a link at one time.
#[derive(Debug)]
pub struct LinkKeys {
    /// The one in use.
    pub current: MacKey,
    /// The one before.
    pub former: Option<MacKey>,
    /// Those before that, the oldest first.
    pub spent: Spent,
}

/// Keys that were in use once and are not to come again, by what [`Vault::mark_of`] makes of them: the last
/// [`Spent::MAX`], a quarter of a year of a key a day.
#[derive(Clone, Debug, Default)]
pub struct Spent(Vec<[u8; Spent::BYTES]>);

impl Spent {
    /// How many are known.
    pub const MAX: usize = 100;
    const BYTES: usize = 8;

    /// Whether a key of this mark was in use.
    #[must_use]
    pub fn knows(&self, mark: &[u8; 8]) -> bool {
        self.0.contains(mark)
    }

    /// Adds one, and lets go of the oldest if there are too many.
    pub fn add(&mut self, mark: [u8; 8]) {
        self.0.push(mark);
        self.0.drain(..self.0.len().saturating_sub(Self::MAX));
    }
}

impl LinkKeyFile {
    /// Reads a link's key file: a line `kek HEX`, and if there is a key from the beginning a line `mac HEX CHECK`, encrypted
    /// under the first and with its check value; `#` starts a comment.
    ///
    /// # Errors
    ///
    /// [`VaultError::KeyFile`] with the line.
    pub fn parse(file: &str, text: &str, algorithm: MacAlgorithm) -> Result<Self, VaultError> {
        let fault = |line, reason| VaultError::KeyFile { file: file.to_owned(), line, reason };
        let (mut kek, mut mac) = (None, None);
        for (index, text) in text.lines().enumerate() {
            let line = index.saturating_add(1);
            let words: Vec<&str> =
                text.split('#').next().unwrap_or_default().split_ascii_whitespace().collect();
            match (words.as_slice(), &kek, &mac) {
                ([], _, _) => {}
                (["kek", key], None, None) => {
                    let key = from_hex(key).ok_or(fault(line, "a key is hexadecimal digits"))?;
                    let key = Kek::new(algorithm, &key);
                    kek = Some(key.map_err(|_| {
                        fault(line, "no KEK: triple DES has 32 or 48 digits, AES 32, 48 or 64")
                    })?);
                }
                (["mac", key, check], Some(kek), None) => {
                    let wrong = "not the key that this check value is of, or not under this kek";
                    let parts = from_hex(key).zip(from_hex(check));
                    let (key, check) = parts.ok_or(fault(line, "want `mac HEX CHECK`"))?;
                    let key = kek.receive(algorithm, &key, &check);
                    mac = Some(key.map_err(|_| fault(line, wrong))?);
                }
                _ => {
                    return Err(fault(line, "want one line `kek HEX`, and then at most one `mac HEX CHECK`"));
                }
            }
        }
        Ok(Self { kek: kek.ok_or(fault(0, "holds no kek; `billswitch key link` makes one"))?, mac })
    }

    /// The text of a link's key file: the KEK that these components make together (each XORed with the others), or a random
    /// one of 16 bytes if there are none. With `mac`, also a random first MAC key.
    ///
    /// # Errors
    ///
    /// [`VaultError::MacKey`] for components that make no key; [`VaultError::Randomness`].
    pub fn compose(
        algorithm: MacAlgorithm,
        components: &[Zeroizing<Vec<u8>>],
        mac: bool,
    ) -> Result<Zeroizing<String>, VaultError> {
        let kek = match components.split_first() {
            None => random()?,
            Some((first, others)) => {
                let mut kek = first.clone();
                for other in others {
                    if other.len() != kek.len() {
                        return Err(VaultError::MacKey("its components are not of one length"));
                    }
                    kek.iter_mut().zip(other.iter()).for_each(|(to, byte)| *to ^= byte);
                }
                kek
            }
        };
        let key = Kek::new(algorithm, &kek)?;
        let hex = Zeroizing::new(hex::encode_upper(&*kek));
        let mut text = Zeroizing::new(format!(
            "# Key file of a link: keep it as you keep money. Check value of the kek: {}.\nkek {}\n",
            key.check_value(),
            *hex
        ));
        if mac {
            let first = random()?;
            let (wrapped, check) = (key.send(&first)?, MacKey::new(algorithm, &first)?.check_value());
            text.push_str(&format!("mac {} {check}\n", hex::encode_upper(wrapped)));
        }
        Ok(text)
    }
}

fn random() -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let mut key = Zeroizing::new(vec![0; 16]);
    getrandom::fill(&mut key).map_err(VaultError::Randomness)?;
    Ok(key)
}

fn from_hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    hex::decode(text).ok().map(Zeroizing::new)
}

impl Vault {
    /// The keys of a link as the store keeps them: sealed under the vault's newest key, and good for this link alone.
    ///
    /// # Errors
    ///
    /// [`VaultError::Randomness`]; [`VaultError::Sealed`] if the cipher refuses, which it does for no keys.
    pub fn seal_link_keys(
        &self,
        link: &[u8],
        current: &MacKey,
        former: Option<&MacKey>,
        spent: &Spent,
    ) -> Result<Vec<u8>, VaultError> {
        let (version, cipher) = self.sealing_links.last().ok_or(VaultError::KeyVersion(0))?;
        let spent = spent.0.as_flattened();
        let mut keys = Zeroizing::new(Vec::with_capacity(spent.len().saturating_add(66)));
        for key in [Some(current), former].map(|key| key.map_or(&[][..], MacKey::secret)) {
            keys.push(u8::try_from(key.len()).unwrap_or_default());
            keys.extend_from_slice(key);
        }
        keys.extend_from_slice(spent);
        let mut nonce = [0_u8; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(VaultError::Randomness)?;
        let payload = Payload { msg: keys.as_slice(), aad: link };
        let sealed = cipher.encrypt(&Nonce::from(nonce), payload).map_err(|_| VaultError::Sealed)?;
        Ok([&[*version], nonce.as_slice(), &sealed].concat())
    }

    /// Opens what [`Vault::seal_link_keys`] has sealed.
    ///
    /// # Errors
    ///
    /// [`VaultError::KeyVersion`]; [`VaultError::Sealed`] also for another link's keys; [`VaultError::MacKey`] for keys of
    /// another algorithm.
    pub fn open_link_keys(
        &self,
        link: &[u8],
        algorithm: MacAlgorithm,
        sealed: &[u8],
    ) -> Result<LinkKeys, VaultError> {
        let (version, sealed) = sealed.split_first().ok_or(VaultError::Sealed)?;
        let held = self.sealing_links.iter().find(|(held, _)| held == version);
        let (_, cipher) = held.ok_or(VaultError::KeyVersion(*version))?;
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(VaultError::Sealed)?;
        let payload = Payload { msg: sealed, aad: link };
        let keys = cipher.decrypt(&Nonce::from(*nonce), payload).map_err(|_| VaultError::Sealed)?;
        let keys = Zeroizing::new(keys);
        let mut rest = keys.as_slice();
        let mut next = || {
            let (len, behind) = rest.split_first()?;
            let (key, behind) = behind.split_at_checked((*len).into())?;
            rest = behind;
            (!key.is_empty()).then(|| MacKey::new(algorithm, key))
        };
        let current = next().ok_or(VaultError::Sealed)??;
        let former = next().transpose()?;
        let (spent, behind) = rest.as_chunks();
        if !behind.is_empty() {
            return Err(VaultError::Sealed);
        }
        Ok(LinkKeys { current, former, spent: Spent(spent.to_vec()) })
    }

    /// What a key of a link is known by once it is in use no more: of no use without the vault's keys, and not to be turned
    /// back.
    #[must_use]
    pub fn mark_of(&self, key: &MacKey) -> [u8; 8] {
        let digest = self.digest(std::iter::once((0, key.secret())));
        digest.first_chunk().copied().unwrap_or_default()
    }
}
