//! The configuration: one TOML file, read once into checked types, so that a value in hand is a checked one.

mod adapters;
mod check;
mod file;
mod hosts;
mod reload;
mod rules;
mod settlement;
mod spec_file;
mod specs;
mod told;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

pub use reload::can_take_over;
pub use settlement::{HeadKind, Settlement};
pub use spec_file::{SpecFault, SpecFile};
pub use specs::{SpecError, SpecKind, Specs};
pub use told::Told;

use crate::bounds::{GuardBounds, HostBounds, HttpBounds, LinkBounds, Sealing};
use crate::contract::Contract;
use crate::ids::{BillerCode, BusinessDate, LinkName, Short};
use crate::iso8583::{Framing, FramingError};
use crate::profile::{Own, Profile};
use crate::switch::{BillerTerms, LinkTerms};

/// The text of the configuration that is built in: `deploy/billswitch.toml`.
pub const BUILT_IN: &str = include_str!("../../deploy/billswitch.toml");

/// A configuration that can be run.
#[derive(Debug)]
pub struct Config {
    /// Directory of the store.
    pub store: PathBuf,
    /// The date a new store begins on; today if none.
    pub business_date: Option<BusinessDate>,
    /// For showing times to people.
    pub time_zone: jiff::tz::TimeZone,
    /// Where the keys come from.
    pub keys: KeySource,
    /// Bounds over all links.
    pub limits: Limits,
    /// When legs leave the working store.
    pub sealing: Sealing,
    /// The acquirers' links.
    pub links: Vec<LinkConfig>,
    /// Departments' hosts.
    pub hosts: Vec<HostConfig>,
    /// The departments.
    pub billers: Vec<BillerConfig>,
    /// All of it as it is written.
    pub written: toml::Table,
}

/// Where the vault's keys come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KeySource {
    /// A file; made if it is not there and `create` is set.
    File {
        /// Its path; relative to the store.
        path: PathBuf,
        /// Whether to make it.
        create: bool,
    },
    /// A systemd credential, by name.
    Credential(String),
}

/// Bounds over all links.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Requests that may wait for the switch at once; each link has an even share.
    pub queue_max: usize,
    /// TCP connections at once.
    pub connections_max: usize,
    /// How long a drain waits for what is in flight.
    pub drain_timeout: Duration,
    /// What has waited for longer is begun no more.
    pub queue_delay_ms: u64,
    /// With fewer bytes free in the store's file system nothing new is begun.
    pub disk_low_bytes: u64,
}

/// One acquirer's link.
#[derive(Clone, Debug)]
pub struct LinkConfig {
    /// Its name.
    pub name: LinkName,
    /// Where it is listened for.
    pub listen: SocketAddr,
    /// The peer's address, which tells links on one port apart; none takes whoever no other link takes.
    pub peer: Option<IpAddr>,
    /// What its messages mean.
    pub profile: Arc<Profile>,
    /// How its frames stand on a connection; never [`Framing::NONE`].
    pub framing: Framing,
    /// What becomes of a connection while there is another.
    pub second_connection: SecondConnection,
    /// Its keys, if its messages have MACs.
    pub mac: Option<MacConfig>,
    /// Bounds of each of its connections.
    pub bounds: LinkBounds,
    /// How the switch treats it.
    pub terms: LinkTerms,
    /// Tells whether anything of it changed: a hash of its lines, its profile and its dialect.
    pub digest: [u8; 32],
}

/// The MAC keys of a link, or of a host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MacConfig {
    /// The key file; relative to the store.
    pub key_file: PathBuf,
    /// How long the old key is still good once a new one is in use; an hour at most.
    pub window: Duration,
}

/// What becomes of a connection of a link that has one already.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum SecondConnection {
    /// Both serve, up to the link's `connections_max`.
    #[default]
    Pool,
    /// It is closed at once.
    Refuse,
    /// It takes the place of the older, which is closed: what the older waited for is kept, and a repeat gets it.
    Replace,
}

/// Which way totals go on a link.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum TotalsWay {
    /// The acquirer's are answered.
    #[default]
    Answer,
    /// That, and the acquirer is sent ours of each date that is closed.
    Send,
}

/// One department.
#[derive(Clone, Debug)]
pub struct BillerConfig {
    /// What requests call it.
    pub code: BillerCode,
    /// What people call it.
    pub name: String,
    /// How the switch treats it.
    pub terms: BillerTerms,
    /// How it is reached.
    pub way: Way,
    /// What is allowed to go on at once with it, unless its bills are in our own store.
    pub guard: GuardBounds,
    /// Where its money goes.
    pub settlement: Settlement,
}

/// How a department is reached.
#[derive(Clone, Debug)]
pub enum Way {
    /// Its bills are in our own store.
    Book,
    /// It has an HTTP API.
    Rest(Box<RestConfig>),
    /// It has an ISO 8583 host.
    Iso8583(IsoConfig),
}

/// A department behind an ISO 8583 host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IsoConfig {
    /// The name of a [`HostConfig`].
    pub host: LinkName,
    /// What the host calls the department.
    pub product: String,
}

/// An ISO 8583 host of one department or several.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Its name, which no link has: what it says unasked is journalled under it.
    pub name: LinkName,
    /// Host name or address, and port.
    pub address: String,
    /// The address that it is dialled from; the system's choice if none.
    pub source: Option<IpAddr>,
    /// What is said to it, and what its answers mean; has an outward side.
    pub profile: Arc<Profile>,
    /// How frames stand on a connection; never [`Framing::NONE`].
    pub framing: Framing,
    /// What it knows us by; has all that the profile asks for.
    pub own: Own,
    /// What messages get their MACs by; none if they have none. With it, every message about bills and payments has a MAC.
    pub mac: Option<MacConfig>,
    /// Bounds of its connections.
    pub bounds: HostBounds,
}

/// A department with an HTTP API.
#[derive(Clone, Debug)]
pub struct RestConfig {
    /// Where it is; the contract's paths go behind it.
    pub url: String,
    /// What the calls mean.
    pub contract: Arc<Contract>,
    /// Who we say that we are.
    pub bank: Short<8>,
    /// File with the authorities that may vouch for it, PEM; none for a URL without TLS.
    pub ca_file: Option<PathBuf>,
    /// Where user name and password come from; none if the department does not want to know.
    pub credentials: Option<CredentialSource>,
    /// How long is waited.
    pub bounds: HttpBounds,
}

/// Where a user name and a password come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CredentialSource {
    /// A file that only its owner may read.
    File(PathBuf),
    /// A systemd credential, by name.
    Credential(String),
}

/// A configuration that cannot be run: where, and why.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A line that says what cannot be.
    #[error("{file}:{line}: {fault}")]
    Line {
        /// The file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        fault: ConfigFault,
    },
    /// A file under `specs/` is at fault.
    #[error(transparent)]
    Spec(#[from] SpecError),
}

/// What is wrong with a line.
#[derive(Debug, Error)]
pub enum ConfigFault {
    /// Not TOML, an unknown key, a missing one, or a value of the wrong kind.
    #[error("{0}")]
    Syntax(String),
    /// A value outside its bounds.
    #[error("{key} is {bounds}")]
    Bounds {
        /// The key.
        key: &'static str,
        /// What it may be.
        bounds: &'static str,
    },
    /// Deadlines that do not nest.
    #[error("{inner} must be shorter than {outer}: who asks must wait longer than who is asked")]
    Deadlines {
        /// The one that is too long.
        inner: &'static str,
        /// The one it must stay within.
        outer: &'static str,
    },
    /// A name that is used twice.
    #[error("{what} `{name}` is there twice")]
    Twice {
        /// What is named.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Two links that no connection could tell apart.
    #[error("link `{0}` cannot be told from another on this port: give each a `peer` of its own")]
    SameLink(String),
    /// A profile that is not there.
    #[error("{0}")]
    Profile(String),
    /// An echo that the profile does not lay out.
    #[error("profile `{0}` has no [ours.echo]: leave idle_echo_ms out")]
    NoEcho(String),
    /// Totals of ours that the profile does not lay out.
    #[error("profile `{0}` has no [ours.totals]: leave `totals` out")]
    NoTotals(String),
    /// Keys for MACs that the profile does not have.
    #[error("profile `{0}` has no [mac]: its messages have none to be checked")]
    NoMac(String),
    /// A framing that is none.
    #[error("{0}")]
    Framing(#[from] FramingError),
    /// A link by which one frame could not be told from the next.
    #[error("link `{link}`: framing `none` is for tools{}", if *own { "" } else { ", and its dialect has no other: say `framing`" })]
    Unframed {
        /// The link.
        link: String,
        /// It is what the link itself says, rather than its dialect.
        own: bool,
    },
    /// A rule of a department that cannot be kept.
    #[error("{0}")]
    Rule(String),
    /// A biller whose table and adapter do not belong together.
    #[error("`adapter = \"{0}\"` and a table [biller.{0}] belong together: one is missing")]
    Adapter(&'static str),
    /// What a department's contract cannot do.
    #[error("a department with an HTTP API has no reversal: leave `reversible` and `in_doubt` out")]
    Irreversible,
    /// A department's URL.
    #[error("{0}")]
    Url(&'static str),
    /// Both a file and a credential.
    #[error("either `credentials_file` or `credential`, not both")]
    Credentials,
    /// A time zone the system does not know.
    #[error("the system knows no time zone `{0}`")]
    TimeZone(String),
    /// Neither key file nor credential, or both.
    #[error("[vault] wants either `key_file` or `credential`")]
    KeySource,
    /// A host that cannot be spoken to, or a department that names none.
    #[error("{0}")]
    Host(String),
    /// Nothing to serve.
    #[error("no {0} is configured")]
    Nothing(&'static str),
}

impl Config {
    /// Reads a configuration file, or the built-in one if `path` is none, with the specs it names.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with file, line and reason.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else {
            return Self::parse("built-in configuration", BUILT_IN, Path::new("."));
        };
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_path_buf(), source })?;
        let dir = path.parent().unwrap_or_else(|| Path::new("."));
        Self::parse(&path.display().to_string(), &text, dir)
    }

    /// Checks a configuration's text. A relative `specs` folder is taken from `dir`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with file, line and reason.
    pub fn parse(file: &str, text: &str, dir: &Path) -> Result<Self, ConfigError> {
        check::checked(file, text, dir)
    }
}

#[cfg(test)]
mod tests;
