//! The one link whose messages have MACs: its peer's side. The peer knows its keys by number and makes the MACs itself.

use bytes::{BufMut, Bytes, BytesMut};

use super::auditor::Purpose;
use super::dice::Dice;
use super::frames::key_change;
use super::{Happening, World};
use crate::iso8583::{Covered, MacAlgorithm, MacPadding};
use crate::vault::{Kek, MacKey, VaultError};

/// Its place among the links.
pub(super) const SEALED: usize = 2;
/// How long the key before is still good.
pub(super) const WINDOW_MS: u64 = 3_000;
/// As the links' profile has it.
pub(super) const ALGORITHM: MacAlgorithm = MacAlgorithm::Retail(MacPadding::Zeros);
/// Bytes of a MAC.
const MAC_BYTES: usize = 8;
const KEK: [u8; 16] = *b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff";
/// How long the peer waits until it sends a key again.
const PATIENCE_MS: u64 = 2_500;

/// What the peer knows of its keys.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Keyring {
    /// With this one it makes its MACs.
    in_use: u64,
    /// The last that it was told is in use.
    told: u64,
    /// The last that it has sent.
    sent: u64,
    /// How long it goes on with the old one.
    keeps_ms: u64,
}

/// Key number `number` of a run.
pub(super) fn key(seed: u64, number: u64) -> Result<MacKey, VaultError> {
    MacKey::new(ALGORITHM, &secret(seed, number))
}

fn secret(seed: u64, number: u64) -> Vec<u8> {
    let mut dice = Dice::of(seed, &[15, number]);
    [dice.next(), dice.next()].iter().flat_map(|half| half.to_be_bytes()).collect()
}

/// The key as it is sent, and its check value.
fn wrapped(seed: u64, number: u64) -> Result<(String, String), VaultError> {
    let kek = Kek::new(ALGORITHM, &KEK)?;
    let wrapped = kek.send(&secret(seed, number))?;
    Ok((hex::encode_upper(wrapped), key(seed, number)?.check_value().to_string()))
}

/// The key file on the switch's side.
pub(super) fn key_file(seed: u64) -> Result<String, VaultError> {
    let (first, check) = wrapped(seed, 0)?;
    Ok(format!("kek {}\nmac {first} {check}\n", hex::encode_upper(KEK)))
}

/// The message with its MAC: in the last data element of the first bitmap, or of the second if there is one.
fn with_mac(frame: &[u8], key: &MacKey) -> Option<Bytes> {
    let mut out = BytesMut::from(frame);
    let two = *frame.get(4)? & 0x80 != 0;
    *out.get_mut(if two { 19 } else { 11 })? |= 1;
    let tag = key.tag(&Covered::bytes(&out));
    out.put_slice(tag.get(..MAC_BYTES)?);
    Some(out.freeze())
}

/// Whether the MAC at a message's end is of this key.
pub(super) fn has_mac_of(frame: &[u8], key: &MacKey) -> bool {
    let Some((under, mac)) = frame.split_last_chunk::<MAC_BYTES>() else { return false };
    key.tag(&Covered::bytes(under)).starts_with(mac)
}

/// Whether messages of this type have MACs on that link.
pub(super) fn is_sealed(link: usize, mti: &str) -> bool {
    link == SEALED && ["02", "04"].iter().any(|class| mti.starts_with(class))
}

impl World<'_> {
    /// The message as it leaves the peer, with the number of the key that its MAC is of.
    pub(super) fn sealed(&self, link: usize, mti: &str, frame: &Bytes) -> (Bytes, Option<u64>) {
        if !is_sealed(link, mti) {
            return (frame.clone(), None);
        }
        let number = self.keyring.in_use;
        let sealed = self.key(number).and_then(|key| with_mac(frame, &key));
        sealed.map_or_else(|| (frame.clone(), None), |sealed| (sealed, Some(number)))
    }

    /// The same message as somebody sends it who has not the key, or does not know that there is one.
    pub(super) fn forged(&self, frame: &Bytes, dice: &mut Dice) -> Bytes {
        let number = 1_000_u64.saturating_add(dice.below(1_000));
        let forged = self.key(number).filter(|_| dice.one_in(2)).and_then(|key| with_mac(frame, &key));
        forged.unwrap_or_else(|| frame.clone())
    }

    fn key(&self, number: u64) -> Option<MacKey> {
        key(self.plan.seed, number).ok()
    }

    /// The peer sends a new key, if it has been told of the one before.
    pub(super) fn sends_new_key(&mut self, keeps_ms: u64) {
        if self.keyring.told == self.keyring.sent {
            self.keyring.sent = self.keyring.sent.saturating_add(1);
            self.keyring.keeps_ms = keeps_ms;
            self.send_key();
        }
    }

    /// Sends the key, again if it must be, until it is told that it is in use.
    pub(super) fn send_key(&mut self) {
        let number = self.keyring.sent;
        if self.keyring.told == number {
            return;
        }
        self.messages = self.messages.saturating_add(1);
        let message = wrapped(self.plan.seed, number).map_err(|error| error.to_string());
        let message = message.and_then(|(key, check)| {
            key_change(self.site, self.messages, &key, &check).map_err(|error| error.to_string())
        });
        match message {
            Ok((numbers, frame)) => {
                self.send(SEALED, "0800", (numbers, Purpose::NewKey(number), None), Ok(frame), 0);
                self.after(PATIENCE_MS, Happening::SendKey);
            }
            Err(error) => self.auditor.object(0, || error),
        }
    }

    /// The answer to a new key.
    pub(super) fn hears_of_key(&mut self, number: u64, code: &str) {
        if code == "00" && number > self.keyring.told {
            self.keyring.told = number;
            let keeps_ms = self.keyring.keeps_ms;
            self.note(|| format!("key {number} will be used in {keeps_ms} ms"));
            self.after(keeps_ms, Happening::UseKey(number));
        }
    }

    pub(super) fn use_key(&mut self, number: u64) {
        self.keyring.in_use = self.keyring.in_use.max(number);
    }

    /// The switch knows the key no more, or does not know it yet: the other may be the one.
    pub(super) fn tries_the_other_key(&mut self) {
        let Keyring { in_use, told, sent, .. } = self.keyring;
        self.keyring.in_use = if in_use == sent { told } else { sent };
    }
}
