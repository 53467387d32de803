//! The MAC keys of a link: which are in use, and what a message's MAC is worth.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::clock::{Now, Ticks, UnixMillis};
use crate::ids::LinkName;
use crate::iso8583::{Decoded, Framing, MacAlgorithm, Message};
use crate::profile::{MacSeen, Profile};
use crate::switch::{Ask, Evidence, KeyChange, NewKeys, Reason, Request};
use crate::vault::{Kek, LinkKeyFile, LinkKeys, MacKey, MacVerdict as Verdict, Spent, Vault, VaultError};

/// The keys of a link whose messages have MACs.
pub struct LinkMac {
    algorithm: MacAlgorithm,
    kek: Kek,
    /// Tells one content of the key file from another: keys that came under another are not taken up again.
    mark: [u8; 16],
    /// How long the old key is still good once there is a new one.
    window_ms: u64,
    current: Option<Arc<MacKey>>,
    /// The one before, and until when it is still good.
    former: Option<(Arc<MacKey>, Ticks)>,
    /// Those before.
    spent: Spent,
}

impl std::fmt::Debug for LinkMac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let check_value = self.current.as_ref().map(|key| key.check_value());
        f.debug_struct("LinkMac").field("current", &check_value).finish_non_exhaustive()
    }
}

/// A link's keys as the store has them.
#[derive(Deserialize, Serialize)]
struct Stored<'a> {
    mark: [u8; 16],
    /// When they came.
    at: UnixMillis,
    #[serde(borrow)]
    sealed: &'a [u8],
}

/// A link's key file: what it is called, and what stands in it.
#[derive(Clone, Copy)]
pub struct KeyText<'a> {
    /// For messages to people.
    pub file: &'a str,
    /// As [`LinkKeyFile::parse`] reads it.
    pub text: &'a str,
}

impl std::fmt::Debug for KeyText<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyText").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Why a message is nobody's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoMac {
    /// It has no MAC where one is due.
    Missing,
    /// Its MAC is of no key in use.
    Wrong,
}

impl LinkMac {
    /// Reads a link's key file, and takes up the keys that have come since: `stored` is what [`super::Standing::keys_of`]
    /// gives.
    ///
    /// # Errors
    ///
    /// [`VaultError`] if either cannot be read.
    pub fn open(
        link: &LinkName,
        key: KeyText<'_>,
        (algorithm, window_ms): (MacAlgorithm, u64),
        vault: &Vault,
        stored: Option<&[u8]>,
        now: Now,
    ) -> Result<Self, VaultError> {
        let LinkKeyFile { kek, mac: first } = LinkKeyFile::parse(key.file, key.text, algorithm)?;
        let mark = vault.digest(std::iter::once((0, key.text.as_bytes())));
        let mut mac =
            Self { algorithm, kek, mark, window_ms, current: None, former: None, spent: Spent::default() };
        match stored.and_then(|stored| postcard::from_bytes::<Stored<'_>>(stored).ok()) {
            Some(stored) if stored.mark == mark => {
                let keys = vault.open_link_keys(link.as_bytes(), algorithm, stored.sealed)?;
                // What is left of the old one's time; a clock that was set back gives it no more than all of it.
                let since_ms = now.wall.0.saturating_sub(stored.at.0);
                mac.hold(keys, now.ticks.after_ms(window_ms.saturating_sub(since_ms)));
            }
            Some(_) => {
                tracing::warn!(%link, file = key.file, "another key file: keys that came under the one before are forgotten");
                mac.current = first.map(Arc::new);
            }
            None => mac.current = first.map(Arc::new),
        }
        if mac.current.is_none() {
            tracing::warn!(%link, "no MAC key yet: what must have a MAC is refused until the peer has sent one");
        }
        Ok(mac)
    }

    fn hold(&mut self, keys: LinkKeys, until: Ticks) {
        self.former = keys.former.map(|former| (Arc::new(former), until));
        self.current = Some(Arc::new(keys.current));
        self.spent = keys.spent;
    }

    /// The key that a link's own messages are sealed with.
    #[must_use]
    pub fn current(&self) -> Option<Arc<MacKey>> {
        self.current.clone()
    }

    /// What a message's MAC is worth, if it came now and in frames of this kind.
    #[must_use]
    pub fn check(
        &self,
        profile: &Profile,
        framing: Framing,
        message: &Message<'_, '_>,
        now: Ticks,
    ) -> Verdict {
        let (covered, sent) = match profile.mac_of(message, framing) {
            MacSeen::NotDue => return Verdict::Good(self.current()),
            MacSeen::Missing(field) => return Verdict::Missing(field),
            MacSeen::There(covered, sent) => (covered, sent),
        };
        let former = self.former.as_ref().filter(|(_, until)| now < *until).map(|(key, _)| key);
        let fitting = self.current.iter().chain(former).find(|key| key.fits(&covered, &sent));
        fitting.map_or(Verdict::Wrong, |key| Verdict::Good(Some(Arc::clone(key))))
    }

    /// What is made of the new key in a message: nothing of it is in use before the switch says so.
    #[must_use]
    pub fn receive(
        &self,
        link: &LinkName,
        profile: &Profile,
        vault: &Vault,
        message: &Message<'_, '_>,
        now: UnixMillis,
    ) -> KeyChange {
        let Some(sent) = profile.sent_key(message) else { return KeyChange::Refused };
        match self.kek.receive(self.algorithm, &sent.wrapped, &sent.check_value) {
            Ok(key) => self.take(link, vault, key, now).unwrap_or(KeyChange::Refused),
            Err(_) => KeyChange::Refused,
        }
    }

    /// A new key becomes the current one, the current one the former.
    fn take(
        &self,
        link: &LinkName,
        vault: &Vault,
        key: MacKey,
        at: UnixMillis,
    ) -> Result<KeyChange, VaultError> {
        if self.current.as_ref().is_some_and(|current| current.is(&key)) {
            return Ok(KeyChange::Same);
        }
        let former = self.former.as_ref().map(|(former, _)| former);
        if former.is_some_and(|former| former.is(&key)) || self.spent.knows(&vault.mark_of(&key)) {
            // Nobody goes back to a key; whoever sends an old message again would have us do so.
            return Ok(KeyChange::Refused);
        }
        let mut spent = self.spent.clone();
        if let Some(former) = former {
            spent.add(vault.mark_of(former));
        }
        let sealed = vault.seal_link_keys(link.as_bytes(), &key, self.current.as_deref(), &spent)?;
        let stored = Stored { mark: self.mark, at, sealed: &sealed };
        let sealed = postcard::to_allocvec(&stored).map_err(|_| VaultError::Sealed)?;
        let check_value = key.check_value().to_string().parse().unwrap_or_default();
        Ok(KeyChange::New(NewKeys { check_value, sealed: Bytes::from(sealed) }))
    }

    /// Takes keys into use that are in the store by now.
    ///
    /// # Errors
    ///
    /// [`VaultError`] if they are not as [`LinkMac::receive`] gave them: the old ones stay in use.
    pub fn install(
        &mut self,
        link: &LinkName,
        vault: &Vault,
        keys: &NewKeys,
        now: Ticks,
    ) -> Result<(), VaultError> {
        let stored = postcard::from_bytes::<Stored<'_>>(&keys.sealed).map_err(|_| VaultError::Sealed)?;
        let keys = vault.open_link_keys(link.as_bytes(), self.algorithm, stored.sealed)?;
        // Sent twice before it was in use: the old one's time runs from the first.
        if !self.current.as_ref().is_some_and(|current| current.is(&keys.current)) {
            self.hold(keys, now.after_ms(self.window_ms));
        }
        Ok(())
    }

    /// Judges a request by its MAC, and looks at the key that it may bring. Gives what the answer is sealed with; a request
    /// that may be anybody's is refused, whatever it asks for: then it is also said whether it has no MAC at all.
    pub fn judge(
        &self,
        (profile, framing, vault): (&Profile, Framing, &Vault),
        decoded: &Decoded<'_, '_>,
        ask: &mut Ask,
        now: Now,
    ) -> (Option<Arc<MacKey>>, Option<NoMac>) {
        if decoded.fault.is_some() {
            // It is refused as it is, and its bytes are not what they were.
            return (self.current(), None);
        }
        let message = &decoded.message;
        let (reason, bad_field, why) = match self.check(profile, framing, message, now.ticks) {
            Verdict::Good(key) => {
                if let Request::ChangeKey(change) = &mut ask.request {
                    *change = self.receive(&ask.link, profile, vault, message, now.wall);
                }
                return (key, None);
            }
            Verdict::Missing(field) => (Reason::Malformed, Some(field), NoMac::Missing),
            Verdict::Wrong => (Reason::MacWrong, None, NoMac::Wrong),
        };
        let network = ask.request.is_of_the_network();
        ask.request = Request::Refused { reason, bad_field, network };
        // It may be anybody's, and anybody could fill the disk with it.
        ask.evidence = Evidence::default();
        (self.current(), Some(why))
    }
}
