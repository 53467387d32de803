//! Keys on their way between two houses: a key is sent encrypted under a key-encrypting key (KEK, zone key) that both have,
//! with a check value by which the other side knows that it has got the same.
//!
//! A key for retail MACs is encrypted with triple DES, its two halves each by itself (ECB), as networks do; an AES key with
//! AES, block by block. The check value of a DES key is the beginning of eight zero bytes encrypted under it; of an AES key
//! the beginning of the CMAC of sixteen zero bytes (ANSI X9.24-1:2017).

use aes::{Aes128, Aes192, Aes256};
use cmac::{Cmac, Mac};
use des::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, BlockSizeUser, KeyInit};
use des::{TdesEde2, TdesEde3};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::VaultError;
use super::mac::MacKey;
use crate::iso8583::MacAlgorithm;

/// Fewest bytes of a check value that prove anything.
const CHECK_BYTES_MIN: usize = 3;

/// Tells one key from another, and nothing of either. Shown as its first three bytes, as networks show it.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct CheckValue([u8; 8]);

impl CheckValue {
    /// Whether this is how the value begins that was sent with a key: three bytes at least, eight at most.
    #[must_use]
    pub fn begins(&self, sent: &[u8]) -> bool {
        let own = self.0.get(..sent.len());
        sent.len() >= CHECK_BYTES_MIN && own.is_some_and(|own| bool::from(own.ct_eq(sent)))
    }
}

impl std::fmt::Display for CheckValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, c, ..] = self.0;
        write!(f, "{a:02X}{b:02X}{c:02X}")
    }
}

impl std::fmt::Debug for CheckValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// A key-encrypting key. Its `Debug` shows its check value.
pub struct Kek(Cipher);

enum Cipher {
    Double(Box<TdesEde2>),
    Triple(Box<TdesEde3>),
    Aes128(Box<Aes128>),
    Aes192(Box<Aes192>),
    Aes256(Box<Aes256>),
}

const LENGTH: VaultError =
    VaultError::MacKey("a key-encrypting key has 16 or 24 bytes for triple DES, and 16, 24 or 32 for AES");

impl Kek {
    /// A key that encrypts keys of this algorithm: of 16 or 24 bytes for triple DES, of 16, 24 or 32 for AES.
    ///
    /// # Errors
    ///
    /// [`VaultError::MacKey`] for a key of another length.
    pub fn new(algorithm: MacAlgorithm, key: &[u8]) -> Result<Self, VaultError> {
        Ok(Self(match (algorithm, key.len()) {
            (MacAlgorithm::Retail(_), 16) => Cipher::Double(cipher(key)?),
            (MacAlgorithm::Retail(_), 24) => Cipher::Triple(cipher(key)?),
            (MacAlgorithm::AesCmac, 16) => Cipher::Aes128(cipher(key)?),
            (MacAlgorithm::AesCmac, 24) => Cipher::Aes192(cipher(key)?),
            (MacAlgorithm::AesCmac, 32) => Cipher::Aes256(cipher(key)?),
            (MacAlgorithm::Retail(_) | MacAlgorithm::AesCmac, _) => return Err(LENGTH),
        }))
    }

    /// What tells it from another key, and nothing of it.
    #[must_use]
    pub fn check_value(&self) -> CheckValue {
        CheckValue(match &self.0 {
            Cipher::Double(key) => encrypted_zeros(&**key),
            Cipher::Triple(key) => encrypted_zeros(&**key),
            Cipher::Aes128(key) => cmac_of_zeros((**key).clone()),
            Cipher::Aes192(key) => cmac_of_zeros((**key).clone()),
            Cipher::Aes256(key) => cmac_of_zeros((**key).clone()),
        })
    }

    /// The MAC key that was sent encrypted under this one.
    ///
    /// # Errors
    ///
    /// [`VaultError::MacKey`] if it is of no length that such a key has; [`VaultError::CheckValue`] if it is not the key that
    /// was meant.
    pub fn receive(
        &self,
        algorithm: MacAlgorithm,
        wrapped: &[u8],
        check: &[u8],
    ) -> Result<MacKey, VaultError> {
        let mut key = Zeroizing::new(wrapped.to_vec());
        match &self.0 {
            Cipher::Double(kek) => decrypt(&**kek, &mut key)?,
            Cipher::Triple(kek) => decrypt(&**kek, &mut key)?,
            Cipher::Aes128(kek) => decrypt(&**kek, &mut key)?,
            Cipher::Aes192(kek) => decrypt(&**kek, &mut key)?,
            Cipher::Aes256(kek) => decrypt(&**kek, &mut key)?,
        }
        let key = MacKey::new(algorithm, &key)?;
        if key.check_value().begins(check) { Ok(key) } else { Err(VaultError::CheckValue) }
    }

    /// A key encrypted under this one, as it is sent.
    ///
    /// # Errors
    ///
    /// [`VaultError::MacKey`] for a key that is not of whole blocks.
    pub fn send(&self, key: &[u8]) -> Result<Vec<u8>, VaultError> {
        let mut wrapped = key.to_vec();
        match &self.0 {
            Cipher::Double(kek) => encrypt(&**kek, &mut wrapped)?,
            Cipher::Triple(kek) => encrypt(&**kek, &mut wrapped)?,
            Cipher::Aes128(kek) => encrypt(&**kek, &mut wrapped)?,
            Cipher::Aes192(kek) => encrypt(&**kek, &mut wrapped)?,
            Cipher::Aes256(kek) => encrypt(&**kek, &mut wrapped)?,
        }
        Ok(wrapped)
    }
}

impl std::fmt::Debug for Kek {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Kek").field(&self.check_value()).finish()
    }
}

fn cipher<C: KeyInit>(key: &[u8]) -> Result<Box<C>, VaultError> {
    C::new_from_slice(key).map(Box::new).map_err(|_| LENGTH)
}

const PARTIAL: VaultError = VaultError::MacKey("it is not of whole blocks");

fn decrypt<C: BlockCipherDecrypt + BlockSizeUser>(kek: &C, key: &mut [u8]) -> Result<(), VaultError> {
    let (blocks, rest) = Array::<u8, C::BlockSize>::slice_as_chunks_mut(key);
    blocks.iter_mut().for_each(|block| kek.decrypt_block(block));
    if rest.is_empty() { Ok(()) } else { Err(PARTIAL) }
}

fn encrypt<C: BlockCipherEncrypt + BlockSizeUser>(kek: &C, key: &mut [u8]) -> Result<(), VaultError> {
    let (blocks, rest) = Array::<u8, C::BlockSize>::slice_as_chunks_mut(key);
    blocks.iter_mut().for_each(|block| kek.encrypt_block(block));
    if rest.is_empty() { Ok(()) } else { Err(PARTIAL) }
}

fn encrypted_zeros(key: &impl BlockCipherEncrypt) -> [u8; 8] {
    let mut block = Array::default();
    key.encrypt_block(&mut block);
    first_eight(&block)
}

fn cmac_of_zeros<C>(key: C) -> [u8; 8]
where
    Cmac<C>: Mac + cmac::digest::InnerInit<Inner = C>,
    C: cmac::block_api::CmacCipher,
{
    let mut mac = <Cmac<C> as cmac::digest::InnerInit>::inner_init(key);
    mac.update(&[0; 16]);
    first_eight(&mac.finalize().into_bytes())
}

fn first_eight(bytes: &[u8]) -> [u8; 8] {
    bytes.first_chunk().copied().unwrap_or_default()
}
