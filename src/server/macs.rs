//! The MAC keys of the links and hosts that have them: read at start, and shared by all their connections.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::keys::{KeyError, read_secret};
use super::{Shared, StartError};
use crate::clock::SystemClock;
use crate::config::{Config, LinkConfig};
use crate::desk::{KeyText, LinkMac, NoMac, Standing};
use crate::ids::LinkName;
use crate::iso8583::{Decoded, Framing, Message};
use crate::journal::Store;
use crate::profile::Profile;
use crate::switch::{Ask, KeyChange, NewKeys, Reason, Request};
use crate::telemetry::Counters;
use crate::vault::{MacConfig, MacKey, MacVerdict as Verdict, Vault};

/// Every link with a `[link.mac]`, and every host with a `mac`.
pub(super) struct Macs {
    clock: SystemClock,
    links: BTreeMap<LinkName, RwLock<LinkMac>>,
}

impl Macs {
    /// Reads each link's and each host's key file, and takes up the keys that have come since.
    pub(super) fn open(
        config: &Config,
        vault: &Vault,
        store: &Store,
        clock: SystemClock,
    ) -> Result<Self, StartError> {
        let links = config.links.iter().map(|link| (link.name, &link.mac, &link.profile));
        let hosts = config.hosts.iter().map(|host| (host.name, &host.mac, &host.profile));
        let mut held = BTreeMap::new();
        for (name, mac, profile) in links.chain(hosts) {
            if let Some((mac, rule)) = mac.as_ref().zip(profile.mac_rule()) {
                let MacConfig { key_file, window, .. } = mac;
                let stored = Standing::keys_of(store, &name)?;
                let path = config.store.join(key_file);
                let (file, text) = (path.display().to_string(), read_secret(&path)?);
                let key = KeyText { file: &file, text: &text };
                let window_ms = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
                let rule = (rule.algorithm(), window_ms);
                let one = LinkMac::open(&name, key, rule, vault, stored.as_deref(), clock.now());
                held.insert(name, RwLock::new(one.map_err(KeyError::from)?));
            }
        }
        Ok(Self { clock, links: held })
    }

    /// What the MAC of a message that is no request is worth on its link.
    pub(super) fn check(&self, link: &LinkConfig, message: &Message<'_, '_>) -> Verdict {
        if link.mac.is_none() && !self.links.contains_key(&link.name) {
            return Verdict::Good(None);
        }
        self.check_of(&link.name, &link.profile, link.framing, message)
    }

    /// The same of a host, or a link, that is to have keys.
    pub(super) fn check_of(
        &self,
        name: &LinkName,
        profile: &Profile,
        framing: Framing,
        message: &Message<'_, '_>,
    ) -> Verdict {
        // Keys are read at start: whoever is to have them and has none is not believed.
        let Some(mac) = self.links.get(name) else { return Verdict::Wrong };
        let mac = mac.read().unwrap_or_else(PoisonError::into_inner);
        mac.check(profile, framing, message, self.clock.now().ticks)
    }

    /// What is made of the new key in a message: nothing of it is in use before the switch says so.
    pub(super) fn receive(
        &self,
        name: &LinkName,
        profile: &Profile,
        vault: &Vault,
        message: &Message<'_, '_>,
    ) -> KeyChange {
        let Some(mac) = self.links.get(name) else { return KeyChange::Refused };
        let mac = mac.read().unwrap_or_else(PoisonError::into_inner);
        mac.receive(name, profile, vault, message, self.clock.now().wall)
    }

    /// Judges a request, as [`LinkMac::judge`] does.
    pub(super) fn judge(
        &self,
        link: &LinkConfig,
        vault: &Vault,
        decoded: &Decoded<'_, '_>,
        ask: &mut Ask,
    ) -> (Option<Arc<MacKey>>, Option<NoMac>) {
        let Some(mac) = self.links.get(&link.name) else {
            if link.mac.is_none() {
                return (None, None);
            }
            let network = ask.request.is_of_the_network();
            ask.request = Request::Refused { reason: Reason::MacWrong, bad_field: None, network };
            return (None, Some(NoMac::Wrong));
        };
        let mac = mac.read().unwrap_or_else(PoisonError::into_inner);
        mac.judge((&link.profile, link.framing, vault), decoded, ask, self.clock.now())
    }

    /// The key that a link's own messages are sealed with.
    pub(super) fn current(&self, link: &LinkName) -> Option<Arc<MacKey>> {
        let mac = self.links.get(link)?;
        mac.read().unwrap_or_else(PoisonError::into_inner).current()
    }

    /// Takes keys into use that are in the store by now.
    pub(super) fn install(&self, link: &LinkName, vault: &Vault, keys: &NewKeys) {
        let Some(mac) = self.links.get(link) else { return };
        let mut mac = mac.write().unwrap_or_else(PoisonError::into_inner);
        match mac.install(link, vault, keys, self.clock.now().ticks) {
            Ok(()) => {
                let check_value = mac.current().map(|key| key.check_value());
                tracing::info!(%link, ?check_value, "a new MAC key is in use");
            }
            // Sealed by this very process.
            Err(error) => tracing::error!(%link, %error, "a new MAC key cannot be opened: the old one stays"),
        }
    }
}

/// A message whose MAC is missing or wrong: counted, and a person should know.
pub(super) fn alarm(shared: &Shared, link: &LinkName, stan: &dyn std::fmt::Display, why: NoMac) {
    if let Some(counters) = shared.counters.link(link) {
        Counters::count(&counters.mac_refused);
    }
    Counters::count(&shared.counters.alarms);
    let what = match why {
        NoMac::Missing => "no MAC where one is due",
        NoMac::Wrong => "a MAC of no key in use",
    };
    tracing::error!(%link, %stan, what, "alarm: a message that may be anybody's");
}
