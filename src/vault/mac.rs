//! MACs: the retail MAC of ANSI X9.19 (ISO 9797-1 algorithm 3 with DES), and AES-CMAC (RFC 4493).

use std::sync::Arc;

use aes::{Aes128, Aes192, Aes256};
use cmac::{Cmac, Mac};
use des::Des;
use des::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::VaultError;
use super::exchange::{CheckValue, Kek};
use crate::iso8583::{Covered, Framing, MAC_BYTES_MAX, MacAlgorithm, MacPadding, Seal, SentMac};

/// Bytes of a DES block.
const BLOCK: usize = 8;

/// A key that makes MACs. Its `Debug` shows its check value.
pub struct MacKey {
    bytes: Zeroizing<Vec<u8>>,
    algorithm: MacAlgorithm,
    cipher: Cipher,
    check: CheckValue,
}

enum Cipher {
    /// The key of every block, and the key of the step in between at the last.
    Retail(Box<(Des, Des)>),
    Cmac128(Box<Cmac<Aes128>>),
    Cmac192(Box<Cmac<Aes192>>),
    Cmac256(Box<Cmac<Aes256>>),
}

impl MacKey {
    /// A key for this algorithm: 16 bytes for a retail MAC; 16, 24 or 32 for AES-CMAC.
    ///
    /// # Errors
    ///
    /// [`VaultError::MacKey`] for a key of another length, or one of two equal halves, whose retail MAC is single DES.
    pub fn new(algorithm: MacAlgorithm, key: &[u8]) -> Result<Self, VaultError> {
        let cipher = match (algorithm, key.len()) {
            (MacAlgorithm::Retail(_), 16) => {
                let (first, second) = key.split_at(BLOCK);
                if bool::from(first.ct_eq(second)) {
                    return Err(VaultError::MacKey("its two halves are the same"));
                }
                let des = |key| Des::new_from_slice(key).map_err(|_| LENGTH);
                Cipher::Retail(Box::new((des(first)?, des(second)?)))
            }
            (MacAlgorithm::AesCmac, 16) => Cipher::Cmac128(cmac(key)?),
            (MacAlgorithm::AesCmac, 24) => Cipher::Cmac192(cmac(key)?),
            (MacAlgorithm::AesCmac, 32) => Cipher::Cmac256(cmac(key)?),
            (MacAlgorithm::Retail(_) | MacAlgorithm::AesCmac, _) => return Err(LENGTH),
        };
        let check = Kek::new(algorithm, key)?.check_value();
        Ok(Self { bytes: Zeroizing::new(key.to_vec()), algorithm, cipher, check })
    }

    /// How it makes MACs.
    #[must_use]
    pub const fn algorithm(&self) -> MacAlgorithm {
        self.algorithm
    }

    /// What tells it from another key, and nothing of it.
    #[must_use]
    pub const fn check_value(&self) -> CheckValue {
        self.check
    }

    /// The MAC of some bytes, whole: eight bytes and zeros for a retail MAC.
    #[must_use]
    pub fn tag(&self, covered: &Covered<'_>) -> [u8; MAC_BYTES_MAX] {
        match (&self.cipher, self.algorithm) {
            (Cipher::Retail(keys), MacAlgorithm::Retail(padding)) => {
                let mut run = Chain::default();
                covered.feed(&mut |bytes| run.take(&keys.0, bytes));
                run.end(keys, padding)
            }
            // The algorithm says the same of it.
            (Cipher::Retail(keys), MacAlgorithm::AesCmac) => Chain::default().end(keys, MacPadding::Bit),
            (Cipher::Cmac128(mac), _) => run(&**mac, covered),
            (Cipher::Cmac192(mac), _) => run(&**mac, covered),
            (Cipher::Cmac256(mac), _) => run(&**mac, covered),
        }
    }

    /// Whether a MAC as sent is that of these bytes. Takes as long whichever of its bytes is wrong.
    #[must_use]
    pub fn fits(&self, covered: &Covered<'_>, sent: &SentMac) -> bool {
        let (tag, sent) = (self.tag(covered), sent.as_bytes());
        tag.get(..sent.len()).is_some_and(|tag| !sent.is_empty() && bool::from(tag.ct_eq(sent)))
    }

    /// Whether it is the same key.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        bool::from(self.bytes.ct_eq(&other.bytes))
    }

    pub(super) fn secret(&self) -> &[u8] {
        &self.bytes
    }
}

/// What a message's MAC is worth.
pub enum MacVerdict {
    /// It is right, or none is due. With this key the answer is sealed: what the peer has used, it understands.
    Good(Option<Arc<MacKey>>),
    /// There is none: the data element to blame.
    Missing(u8),
    /// It is of no key in use.
    Wrong,
}

/// Lets `write` have the seal of a key for messages that stand so on their connection; none where there is no key.
pub fn with_seal<T>(key: Option<&MacKey>, framing: Framing, write: impl FnOnce(Option<&Seal<'_>>) -> T) -> T {
    let Some(key) = key else { return write(None) };
    let tag = |covered: &Covered<'_>| key.tag(covered);
    write(Some(&Seal { framing, tag: &tag }))
}

impl std::fmt::Debug for MacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MacKey").field("check_value", &self.check).finish_non_exhaustive()
    }
}

const LENGTH: VaultError = VaultError::MacKey("a retail MAC's has 16 bytes, AES-CMAC's 16, 24 or 32");

fn cmac<C: Mac + KeyInit>(key: &[u8]) -> Result<Box<C>, VaultError> {
    <C as KeyInit>::new_from_slice(key).map(Box::new).map_err(|_| LENGTH)
}

fn run<C: Mac + Clone>(mac: &C, covered: &Covered<'_>) -> [u8; MAC_BYTES_MAX] {
    let mut mac = mac.clone();
    covered.feed(&mut |bytes| mac.update(bytes));
    let mut tag = [0; MAC_BYTES_MAX];
    tag.iter_mut().zip(mac.finalize().into_bytes()).for_each(|(to, byte)| *to = byte);
    tag
}

/// DES in cipher block chaining, of which only the last block is kept.
#[derive(Default)]
struct Chain {
    block: [u8; BLOCK],
    /// Bytes of the block that is begun.
    filled: usize,
    /// Whether there was any block.
    any: bool,
}

impl Chain {
    fn take(&mut self, key: &Des, bytes: &[u8]) {
        for byte in bytes {
            if let Some(place) = self.block.get_mut(self.filled) {
                *place ^= byte;
            }
            self.filled = self.filled.saturating_add(1);
            if self.filled >= BLOCK {
                self.encrypt(key);
            }
        }
    }

    fn encrypt(&mut self, key: &Des) {
        key.encrypt_block((&mut self.block).into());
        (self.filled, self.any) = (0, true);
    }

    fn end(mut self, keys: &(Des, Des), padding: MacPadding) -> [u8; MAC_BYTES_MAX] {
        let (first, second) = keys;
        match padding {
            MacPadding::Zeros if self.filled == 0 && self.any => {}
            MacPadding::Zeros => self.encrypt(first),
            MacPadding::Bit => {
                self.take(first, &[0x80]);
                if self.filled > 0 {
                    self.encrypt(first);
                }
            }
        }
        second.decrypt_block((&mut self.block).into());
        first.encrypt_block((&mut self.block).into());
        let mut tag = [0; MAC_BYTES_MAX];
        tag.iter_mut().zip(self.block).for_each(|(to, byte)| *to = byte);
        tag
    }
}
