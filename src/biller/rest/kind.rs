//! Departments with an HTTP API: what `[biller.rest]` says, and their adapter made of it.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use thiserror::Error;
use tokio::runtime::Handle;
use toml::Spanned;

use super::credentials::{CredentialSource, Credentials};
use super::{Rest, RestError, RestSettings};
use crate::biller::Adapter;
use crate::biller::kind::{AdapterError, Entry, Hosts, Kind, KindFault, Making, Way};
use crate::bounds::HttpBounds;
use crate::contract::Contract;
use crate::ids::Short;
use crate::lines::{COUNT, Fault, bounded, millis, nested};
use crate::specs::SpecError;
use crate::switch::InDoubt;

/// `adapter = "rest"`.
pub struct OverHttp;

/// `[biller.rest]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    url: Spanned<String>,
    #[serde(default = "one_bill")]
    contract: Spanned<String>,
    bank_mnemonic: Spanned<Short<8>>,
    ca_file: Option<PathBuf>,
    credentials_file: Option<PathBuf>,
    credential: Option<String>,
    connect_timeout_ms: Option<Spanned<u32>>,
}

fn one_bill() -> Spanned<String> {
    Spanned::new(0..0, "1bill".to_owned())
}

/// A department with an HTTP API, checked.
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

impl Kind for OverHttp {
    fn name(&self) -> &'static str {
        "rest"
    }

    fn looks_up_first(&self) -> bool {
        false
    }

    fn way(&self, entry: &Entry<'_>) -> Result<Way, KindFault> {
        let table: Table = entry.table(self)?;
        let tls = is_tls(&table)?;
        let fault = |why| Fault::new(table.url.span(), why);
        match (tls, &table.ca_file) {
            (true, None) => {
                return Err(fault(
                    "https:// needs `ca_file`, the authorities that may vouch for the department",
                )
                .into());
            }
            (false, Some(_)) => return Err(fault("`ca_file` is for https://").into()),
            (true, Some(_)) | (false, None) => {}
        }
        let credentials = match (&table.credentials_file, &table.credential) {
            (None, None) => None,
            (Some(file), None) => Some(CredentialSource::File(entry.dir.join(file))),
            (None, Some(name)) => Some(CredentialSource::Credential(name.clone())),
            (Some(_), Some(_)) => {
                return Err(fault("either `credentials_file` or `credential`, not both").into());
            }
        };
        let contract = entry.specs.contract(table.contract.get_ref()).map_err(|error| match error {
            missing @ SpecError::Missing { .. } => {
                Fault::new(table.contract.span(), missing.to_string()).into()
            }
            error @ (SpecError::Dialect(_) | SpecError::Profile(_) | SpecError::Contract(_)) => {
                KindFault::Spec(error)
            }
        })?;
        Ok(Way::Wire(Arc::new(RestConfig {
            url: table.url.get_ref().clone(),
            contract: Arc::new(contract),
            bank: *table.bank_mnemonic.get_ref(),
            ca_file: table.ca_file.as_ref().map(|file| entry.dir.join(file)),
            credentials,
            bounds: bounds(&table, entry)?,
        })))
    }

    /// A contract over HTTP has no reversal.
    fn doubt(&self, entry: &Entry<'_>) -> Result<(bool, InDoubt), Fault> {
        let reversible = entry.reversible.filter(|said| *said.get_ref()).map(Spanned::span);
        let reverse = entry.in_doubt.filter(|said| *said.get_ref() == InDoubt::Reverse).map(Spanned::span);
        reversible.or(reverse).map_or(Ok((false, InDoubt::Confirm)), |span| {
            let why = "a department with an HTTP API has no reversal: leave `reversible` and `in_doubt` out";
            Err(Fault::new(span, why))
        })
    }
}

/// Whether the department's URL, which must be one, has TLS.
fn is_tls(table: &Table) -> Result<bool, Fault> {
    let url = table.url.get_ref();
    let fault = |why| Err(Fault::new(table.url.span(), why));
    let tls = url.starts_with("https://");
    if !tls && !url.starts_with("http://") {
        return fault("a department's `url` begins with https:// or http://");
    }
    if url.contains(['?', '#', '@', ' ']) {
        return fault("a department's `url` is host, port and path: credentials have a file of their own");
    }
    if url.parse::<http::Uri>().ok().and_then(|uri| uri.host().map(str::len)).is_none_or(|len| len == 0) {
        return fault("a department's `url` is host, port and path");
    }
    Ok(tls)
}

/// Given or not, whoever cannot be connected to is known not to have the order before the order is overdue.
fn bounds(table: &Table, entry: &Entry<'_>) -> Result<HttpBounds, Fault> {
    let quarter = entry.reply_timeout_ms.get_ref().div_ceil(4);
    let connect = table.connect_timeout_ms.clone().unwrap_or_else(|| Spanned::new(0..0, quarter));
    if table.connect_timeout_ms.is_some() {
        nested((&connect, "connect_timeout_ms"), (entry.reply_timeout_ms, "reply_timeout_ms"))?;
    }
    Ok(HttpBounds {
        connect_timeout: millis(&connect, "connect_timeout_ms")?,
        answer_timeout: millis(entry.reply_timeout_ms, "reply_timeout_ms")?,
        idle_connections_max: bounded(entry.in_flight_max, "in_flight_max", COUNT)?,
    })
}

/// A file of a department that cannot be read.
#[derive(Debug, Error)]
#[error("{}: {source}", path.display())]
struct Unreadable {
    path: PathBuf,
    source: std::io::Error,
}

impl Making for RestConfig {
    fn adapter(&self, _: &dyn Hosts) -> Result<Box<dyn Adapter>, AdapterError> {
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|source| AdapterError::new(Unreadable { path: path.clone(), source }))
        };
        let credentials = self.credentials.as_ref().map(Credentials::read).transpose();
        let settings = RestSettings {
            url: self.url.parse().map_err(|_| AdapterError::new(RestError::Url))?,
            contract: Arc::clone(&self.contract),
            bank: self.bank.as_str().to_owned(),
            credentials: credentials.map_err(AdapterError::new)?,
            authorities: self.ca_file.as_ref().map(read).transpose()?,
            bounds: self.bounds,
        };
        Ok(Box::new(Rest::new(settings, Handle::current()).map_err(AdapterError::new)?))
    }
}
