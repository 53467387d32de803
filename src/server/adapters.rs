//! The departments on a wire: one adapter for each that the configuration names, each behind its guard.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use zeroize::Zeroizing;

use super::ask::Input;
use super::host_keys::KeysOfHost;
use super::macs::Macs;
use super::release::replies_to;
use crate::biller::iso8583::{Department, Host, HostKeys, HostSettings, Iso8583, Unasked};
use crate::biller::rest::{Credentials, Rest, RestError, RestSettings};
use crate::biller::{Adapter, Guarded};
use crate::clock::SystemClock;
use crate::config::{BillerConfig, Config, CredentialSource, HostConfig, RestConfig, Way};
use crate::desk;
use crate::ids::{BillerCode, LinkName};
use crate::vault::Vault;

/// The adapters of departments on a wire, by code.
pub(super) type Adapters = BTreeMap<BillerCode, Arc<dyn Adapter>>;

/// Why a department cannot be reached.
#[derive(Debug, Error)]
pub enum AdapterError {
    /// A file it needs cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Others may read the file with its password.
    #[error("{} may be read by others (mode {mode:o}): chmod 600 it", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The system gave no credentials.
    #[error(
        "credential `{0}`: $CREDENTIALS_DIRECTORY is not set; is this run by systemd with LoadCredential=?"
    )]
    NoCredentials(String),
    /// A host's key file has no key for MACs.
    #[error("{} has no `mac`: a host's messages get their MACs by it from the beginning", .0.display())]
    NoMacKey(PathBuf),
    /// The adapter itself.
    #[error(transparent)]
    Rest(#[from] RestError),
}

/// Makes the adapter of every configured department that has none yet. A new kind of adapter is one more arm here.
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
    let mut hosts: BTreeMap<LinkName, Arc<Host>> = BTreeMap::new();
    for biller in &config.billers {
        if adapters.contains_key(&biller.code) {
            continue;
        }
        let fault = |error| (biller.code, error);
        let adapter = match &biller.way {
            Way::Book => continue,
            Way::Rest(rest) => guarded(biller, clock, self::rest(rest).map_err(fault)?),
            Way::Iso8583(behind) => {
                let Some(host) = config.hosts.iter().find(|host| host.name == behind.host) else { continue };
                let host = match hosts.entry(host.name) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(place) => place.insert(hosting.host(host, config, clock).map_err(fault)?),
                };
                let department = Department {
                    product: behind.product.clone(),
                    currency: biller.terms.currency.to_string(),
                    reply_timeout_ms: biller.terms.reply_timeout_ms,
                };
                guarded(biller, clock, Iso8583::new(Arc::clone(host), department))
            }
        };
        adapters.insert(biller.code, adapter);
    }
    Ok(adapters)
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
    fn host(&self, config: &HostConfig, all: &Config, clock: SystemClock) -> Result<Arc<Host>, AdapterError> {
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
    ) -> Result<Option<Arc<dyn HostKeys>>, AdapterError> {
        let Some(mac) = &config.mac else { return Ok(None) };
        let (macs, vault) = (Arc::clone(&self.macs), Arc::clone(&self.vault));
        let keys = KeysOfHost::new(config, macs, vault, clock, self.urgent.clone());
        if keys.current().is_none() {
            return Err(AdapterError::NoMacKey(store.join(&mac.key_file)));
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

fn guarded<A: Adapter + 'static>(biller: &BillerConfig, clock: SystemClock, adapter: A) -> Arc<dyn Adapter> {
    Arc::new(Guarded::new(biller.code, biller.guard, clock, adapter))
}

fn rest(config: &RestConfig) -> Result<Rest, AdapterError> {
    let read = |path: &Path| {
        std::fs::read(path).map_err(|source| AdapterError::File { path: path.to_path_buf(), source })
    };
    let settings = RestSettings {
        url: config.url.parse().map_err(|_| RestError::Url)?,
        contract: Arc::clone(&config.contract),
        bank: config.bank.as_str().to_owned(),
        credentials: config.credentials.as_ref().map(credentials).transpose()?,
        authorities: config.ca_file.as_deref().map(read).transpose()?,
        bounds: config.bounds,
    };
    Ok(Rest::new(settings, Handle::current())?)
}

fn credentials(source: &CredentialSource) -> Result<Credentials, AdapterError> {
    let path = match source {
        CredentialSource::Credential(name) => {
            let dir = std::env::var_os("CREDENTIALS_DIRECTORY");
            let dir = dir.ok_or_else(|| AdapterError::NoCredentials(name.clone()))?;
            Path::new(&dir).join(name)
        }
        CredentialSource::File(path) => {
            let fault = |source| AdapterError::File { path: path.clone(), source };
            let mode = std::fs::metadata(path).map_err(fault)?.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(AdapterError::Mode { path: path.clone(), mode });
            }
            path.clone()
        }
    };
    let text = std::fs::read_to_string(&path).map_err(|source| AdapterError::File { path, source })?;
    Ok(Credentials::parse(&Zeroizing::new(text)).map_err(RestError::from)?)
}
