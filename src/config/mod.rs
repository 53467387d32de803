//! The configuration: one TOML file, read once into checked types, so that a value in hand is a checked one.

mod adapters;
mod check;
mod file;
mod hosts;
mod reload;
mod rules;
mod settlement;
mod spec_file;
mod told;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

pub use crate::specs::{SpecError, SpecKind, Specs};
pub use reload::can_take_over;
pub use spec_file::{SpecFault, SpecFile};
pub use told::Told;

use crate::biller::Settlement;
use crate::biller::iso8583::HostConfig;
use crate::biller::kind::{KINDS, Way};
use crate::bounds::{GuardBounds, LinkBounds, Sealing};
use crate::ids::{BillerCode, BusinessDate, LinkName};
use crate::iso8583::{Framing, FramingError};
use crate::lines::Why;
use crate::profile::Profile;
use crate::switch::{BillerTerms, LinkTerms};
use crate::vault::MacConfig;

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
    /// What can be wrong with any line.
    #[error(transparent)]
    Line(#[from] Why),
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
    /// A time zone the system does not know.
    #[error("the system knows no time zone `{0}`")]
    TimeZone(String),
    /// Neither key file nor credential, or both.
    #[error("[vault] wants either `key_file` or `credential`")]
    KeySource,
    /// A host that cannot be spoken to.
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
        check::checked(file, text, dir, KINDS)
    }
}

#[cfg(test)]
mod tests;
