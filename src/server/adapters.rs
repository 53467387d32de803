//! The departments on a wire: one adapter for each that the configuration names, each behind its guard.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::ask::Input;
use super::host_keys::KeysOfHost;
use super::macs::Macs;
use super::release::replies_to;
use crate::biller::iso8583::{Host, HostConfig, HostKeys, HostSettings, Unasked};
use crate::biller::kind::{AdapterError, Hosts, Way};
use crate::biller::{Adapter, Guarded};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::desk;
use crate::ids::{BillerCode, LinkName};
use crate::vault::Vault;

/// The adapters of departments on a wire, by code.
pub(super) type Adapters = BTreeMap<BillerCode, Arc<dyn Adapter>>;

/// Why a host cannot be spoken to.
#[derive(Debug, Error)]
enum HostError {
    /// Its key file has no key for MACs.
    #[error("{} has no `mac`: a host's messages get their MACs by it from the beginning", .0.display())]
    NoMacKey(PathBuf),
}

/// Makes the adapter of every configured department on a wire that has none yet, each behind its guard.
///
/// # Errors
///
/// [`AdapterError`], with the department it is about.
pub(super) fn adapters(
    config: &Config,
    given: Adapters,
    clock: SystemClock,
    hosting: &Hosting,
) -> Result<Adapters, (BillerCode, AdapterError)> {
    let mut adapters = given;
    let dialled = Dialled { hosting, config, clock, hosts: RefCell::default() };
    for biller in &config.billers {
        if adapters.contains_key(&biller.code) {
            continue;
        }
        if let Way::Wire(making) = &biller.way {
            let adapter = making.adapter(&dialled).map_err(|error| (biller.code, error))?;
            let guarded = Guarded::new(biller.code, biller.guard, clock, adapter);
            adapters.insert(biller.code, Arc::new(guarded));
        }
    }
    Ok(adapters)
}

/// The hosts that departments have asked for, each once.
struct Dialled<'a> {
    hosting: &'a Hosting,
    config: &'a Config,
    clock: SystemClock,
    hosts: RefCell<BTreeMap<LinkName, Arc<Host>>>,
}

impl Hosts for Dialled<'_> {
    fn host(&self, config: &HostConfig) -> Result<Arc<Host>, AdapterError> {
        let known = self.hosts.borrow().get(&config.name).map(Arc::clone);
        if let Some(known) = known {
            return Ok(known);
        }
        let host = self.hosting.host(config, self.config, self.clock).map_err(AdapterError::new)?;
        self.hosts.borrow_mut().insert(config.name, Arc::clone(&host));
        Ok(host)
    }
}

/// What hosts share with the switch.
pub(super) struct Hosting {
    /// Where a late answer goes, and one that nobody asked for.
    pub(super) urgent: mpsc::Sender<Input>,
    /// The keys of hosts that have them.
    pub(super) macs: Arc<Macs>,
    /// Makes what may be kept of one.
    pub(super) vault: Arc<Vault>,
    /// Connections end when this turns true.
    pub(super) stop: watch::Receiver<bool>,
}

impl Hosting {
    fn host(&self, config: &HostConfig, all: &Config, clock: SystemClock) -> Result<Arc<Host>, HostError> {
        let settings = HostSettings {
            name: config.name.to_string(),
            address: config.address.clone(),
            source: config.source,
            profile: Arc::clone(&config.profile),
            framing: config.framing,
            own: config.own.clone(),
            keys: self.keys(config, &all.store, clock)?,
            zone: all.time_zone.clone(),
            bounds: config.bounds,
            late: replies_to(&self.urgent),
            unasked: self.unasked(config),
            stop: self.stop.clone(),
        };
        Ok(Host::start(settings, &Handle::current()))
    }

    /// With keys but without one to make MACs with nothing could be said.
    fn keys(
        &self,
        config: &HostConfig,
        store: &Path,
        clock: SystemClock,
    ) -> Result<Option<Arc<dyn HostKeys>>, HostError> {
        let Some(mac) = &config.mac else { return Ok(None) };
        let (macs, vault) = (Arc::clone(&self.macs), Arc::clone(&self.vault));
        let keys = KeysOfHost::new(config, macs, vault, clock, self.urgent.clone());
        if keys.current().is_none() {
            return Err(HostError::NoMacKey(store.join(&mac.key_file)));
        }
        Ok(Some(Arc::new(keys)))
    }

    /// A host's answer that nobody asked for is journalled as that of a link of its name.
    fn unasked(&self, config: &HostConfig) -> Unasked {
        let (profile, vault) = (Arc::clone(&config.profile), Arc::clone(&self.vault));
        let (urgent, host) = (self.urgent.clone(), config.name);
        Arc::new(move |decoded| {
            let stray = desk::stray(&profile, &vault, host, decoded);
            // Without room it is told here alone: biller's answers go before it.
            if urgent.try_send(Input::Unasked(Box::new(stray))).is_err() {
                tracing::error!(%host, "alarm: a host answered what it was not asked; there is no room to journal it");
            }
        })
    }
}
