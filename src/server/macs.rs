//! The MAC keys of the links and hosts that have them: which are in use, and what a message's MAC is worth.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::keys::{KeyError, read_secret};
use super::{Shared, StartError};
use crate::clock::UnixMillis;
use crate::config::{Config, LinkConfig, MacConfig};
use crate::desk::Standing;
use crate::ids::LinkName;
use crate::iso8583::{Framing, MacAlgorithm, Message};
use crate::journal::Store;
use crate::profile::{MacSeen, Profile};
use crate::switch::{KeyChange, NewKeys};
use crate::telemetry::Counters;
use crate::vault::{Kek, LinkKeyFile, LinkKeys, MacKey, MacVerdict as Verdict, Vault, VaultError};

/// Every link with a `[link.mac]`, and every host with a `mac`.
pub(super) struct Macs {
    links: BTreeMap<LinkName, LinkMac>,
}

struct LinkMac {
    algorithm: MacAlgorithm,
    kek: Kek,
    /// Tells one content of the key file from another: keys that came under another are not taken up again.
    mark: [u8; 16],
    window: Duration,
    held: RwLock<Held>,
}

/// The keys in use.
#[derive(Default)]
struct Held {
    current: Option<Arc<MacKey>>,
    /// The one before, and until when it is still good.
    former: Option<(Arc<MacKey>, Instant)>,
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

impl Macs {
    /// Reads each link's key file, and takes up the keys that have come since.
    pub(super) fn open(config: &Config, vault: &Vault, store: &Store) -> Result<Self, StartError> {
        let mut links = BTreeMap::new();
        for link in &config.links {
            let rule = link.profile.mac_rule();
            if let Some((mac, rule)) = link.mac.as_ref().zip(rule) {
                let stored = Standing::keys_of(store, &link.name)?;
                let one = LinkMac::open(config, mac, &link.name, rule.algorithm(), vault, stored)?;
                links.insert(link.name, one);
            }
        }
        for host in &config.hosts {
            if let Some((mac, rule)) = host.mac.as_ref().zip(host.profile.mac_rule()) {
                let stored = Standing::keys_of(store, &host.name)?;
                let one = LinkMac::open(config, mac, &host.name, rule.algorithm(), vault, stored)?;
                links.insert(host.name, one);
            }
        }
        Ok(Self { links })
    }

    /// What a message's MAC is worth on its link.
    pub(super) fn check(&self, link: &LinkConfig, message: &Message<'_, '_>) -> Verdict {
        if link.mac.is_none() && !self.links.contains_key(&link.name) {
            return Verdict::Good(None);
        }
        self.judge(&link.name, &link.profile, link.framing, message)
    }

    /// What a message's MAC is worth on a link, or of a host, that has keys.
    pub(super) fn judge(
        &self,
        name: &LinkName,
        profile: &Profile,
        framing: Framing,
        message: &Message<'_, '_>,
    ) -> Verdict {
        // Keys are read at start: whoever is to have them and has none is not believed.
        let Some(mac) = self.links.get(name) else { return Verdict::Wrong };
        let held = mac.held.read().unwrap_or_else(PoisonError::into_inner);
        let (covered, sent) = match profile.mac_of(message, framing) {
            MacSeen::NotDue => return Verdict::Good(held.current.clone()),
            MacSeen::Missing(field) => return Verdict::Missing(field),
            MacSeen::There(covered, sent) => (covered, sent),
        };
        let former = held.former.as_ref().filter(|(_, until)| Instant::now() < *until).map(|(key, _)| key);
        let fitting = held.current.iter().chain(former).find(|key| key.fits(&covered, &sent));
        fitting.map_or(Verdict::Wrong, |key| Verdict::Good(Some(Arc::clone(key))))
    }

    /// The key that a link's own messages are sealed with.
    pub(super) fn current(&self, link: &LinkName) -> Option<Arc<MacKey>> {
        let mac = self.links.get(link)?;
        mac.held.read().unwrap_or_else(PoisonError::into_inner).current.clone()
    }

    /// What is made of the new key in a message: nothing of it is in use before the switch says so.
    pub(super) fn receive(
        &self,
        name: &LinkName,
        profile: &Profile,
        vault: &Vault,
        message: &Message<'_, '_>,
    ) -> KeyChange {
        let received = self.links.get(name).zip(profile.sent_key(message));
        let Some((mac, sent)) = received else { return KeyChange::Refused };
        match mac.kek.receive(mac.algorithm, &sent.wrapped, &sent.check_value) {
            Ok(key) => mac.take(name, vault, key).unwrap_or(KeyChange::Refused),
            Err(_) => KeyChange::Refused,
        }
    }

    /// Takes keys into use that are in the store by now.
    pub(super) fn install(&self, link: &LinkName, vault: &Vault, keys: &NewKeys) {
        let Some(mac) = self.links.get(link) else { return };
        let opened = postcard::from_bytes::<Stored<'_>>(&keys.sealed)
            .map_err(|_| VaultError::Sealed)
            .and_then(|stored| vault.open_link_keys(link.as_bytes(), mac.algorithm, stored.sealed));
        match opened {
            Ok(keys) => {
                let mut held = mac.held.write().unwrap_or_else(PoisonError::into_inner);
                *held = Held::of(keys, mac.window);
                let check_value = held.current.as_ref().map(|key| key.check_value());
                tracing::info!(%link, ?check_value, window_ms = mac.window.as_millis(), "a new MAC key is in use");
            }
            // Sealed by this very process.
            Err(error) => tracing::error!(%link, %error, "a new MAC key cannot be opened: the old one stays"),
        }
    }
}

impl Held {
    fn of(keys: LinkKeys, window: Duration) -> Self {
        let until = Instant::now().checked_add(window);
        let former = keys.former.map(Arc::new).zip(until);
        Self { current: Some(Arc::new(keys.current)), former }
    }
}

impl LinkMac {
    fn open(
        config: &Config,
        mac: &MacConfig,
        link: &LinkName,
        algorithm: MacAlgorithm,
        vault: &Vault,
        stored: Option<Vec<u8>>,
    ) -> Result<Self, StartError> {
        let path = config.store.join(&mac.key_file);
        let text = read_secret(&path)?;
        let file = LinkKeyFile::parse(&path.display().to_string(), &text, algorithm);
        let LinkKeyFile { kek, mac: first } = file.map_err(KeyError::from)?;
        let mark = vault.digest(std::iter::once((0, text.as_bytes())));
        let stored = stored.as_deref().and_then(|stored| postcard::from_bytes::<Stored<'_>>(stored).ok());
        let held = match stored {
            Some(stored) if stored.mark == mark => {
                let keys = vault.open_link_keys(link.as_bytes(), algorithm, stored.sealed);
                // What is left of the old one's time; a clock that was set back gives it no more than all of it.
                let since = now().0.saturating_sub(stored.at.0);
                let left = mac.window.saturating_sub(Duration::from_millis(since));
                Held::of(keys.map_err(KeyError::from)?, left)
            }
            Some(_) => {
                tracing::warn!(%link, file = %path.display(), "another key file: keys that came under the one before are forgotten");
                Held { current: first.map(Arc::new), former: None }
            }
            None => Held { current: first.map(Arc::new), former: None },
        };
        if held.current.is_none() {
            tracing::warn!(%link, "no MAC key yet: what must have a MAC is refused until the peer has sent one");
        }
        Ok(Self { algorithm, kek, mark, window: mac.window, held: RwLock::new(held) })
    }

    /// A new key becomes the current one, the current one the former.
    fn take(&self, link: &LinkName, vault: &Vault, key: MacKey) -> Result<KeyChange, VaultError> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        if held.current.as_ref().is_some_and(|current| current.is(&key)) {
            return Ok(KeyChange::Same);
        }
        if held.former.as_ref().is_some_and(|(former, _)| former.is(&key)) {
            // Nobody goes back to a key; whoever sends an old message again would have us do so.
            return Ok(KeyChange::Refused);
        }
        let sealed = vault.seal_link_keys(link.as_bytes(), &key, held.current.as_deref())?;
        let stored = Stored { mark: self.mark, at: now(), sealed: &sealed };
        let sealed = postcard::to_allocvec(&stored).map_err(|_| VaultError::Sealed)?;
        let check_value = key.check_value().to_string().parse().unwrap_or_default();
        Ok(KeyChange::New(NewKeys { check_value, sealed: Bytes::from(sealed) }))
    }
}

fn now() -> UnixMillis {
    UnixMillis(u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default())
}

/// A message whose MAC is missing or wrong: counted, and a person should know.
pub(super) fn alarm(shared: &Shared, link: &LinkName, stan: &dyn std::fmt::Display, missing: bool) {
    if let Some(counters) = shared.counters.link(link) {
        Counters::count(&counters.mac_refused);
    }
    Counters::count(&shared.counters.alarms);
    let what = if missing { "no MAC where one is due" } else { "a MAC of no key in use" };
    tracing::error!(%link, %stan, what, "alarm: a message that may be anybody's");
}
