//! How departments are reached, checked.

use std::path::Path;
use std::sync::Arc;

use toml::Spanned;

use super::check::{COUNT, Check};
use super::file::{AdapterKind, BillerTable, DeadlinesTable, RestTable};
use super::{ConfigError, ConfigFault, CredentialSource, HostConfig, RestConfig, SpecError, Specs, Way};
use crate::bounds::{GuardBounds, HttpBounds};
use crate::switch::{Exactness, InDoubt};

/// Bounds of the breaker's first pause.
const PAUSE: (std::ops::RangeInclusive<u32>, &str) = (10..=60_000, "10 to 60,000 ms, which is a minute");

impl Check<'_> {
    pub(super) fn guard(&self, biller: &BillerTable) -> Result<GuardBounds, ConfigError> {
        let pause: u32 = self.bounded(&biller.breaker_pause_ms, "breaker_pause_ms", PAUSE)?;
        Ok(GuardBounds {
            in_flight_max: self.bounded(&biller.in_flight_max, "in_flight_max", COUNT)?,
            failures_max: self.bounded(&biller.breaker_failures, "breaker_failures", COUNT)?,
            pause: std::time::Duration::from_millis(pause.into()),
        })
    }

    /// Whether a posting can be undone, and what is done about doubt. A contract over HTTP has no reversal.
    pub(super) fn policy(&self, biller: &BillerTable) -> Result<(bool, InDoubt), ConfigError> {
        let reversible = biller.reversible.as_ref().map(Spanned::get_ref).copied();
        let in_doubt = biller.in_doubt.as_ref().map(Spanned::get_ref).copied();
        match biller.adapter {
            AdapterKind::Book | AdapterKind::Iso8583 => {
                Ok((reversible.unwrap_or(true), in_doubt.unwrap_or(InDoubt::Reverse)))
            }
            AdapterKind::Rest => {
                let at = |span| Err(self.fail(&span, ConfigFault::Irreversible));
                match (&biller.reversible, &biller.in_doubt) {
                    (Some(reversible), _) if *reversible.get_ref() => at(reversible.span()),
                    (_, Some(in_doubt)) if *in_doubt.get_ref() == InDoubt::Reverse => at(in_doubt.span()),
                    (Some(_) | None, Some(_) | None) => Ok((false, InDoubt::Confirm)),
                }
            }
        }
    }

    /// Whether a part of a posting can be undone: where a whole one can, and where less than what is due is taken.
    pub(super) fn parts(
        &self,
        biller: &BillerTable,
        reversible: bool,
        exactness: Option<Exactness>,
    ) -> Result<bool, ConfigError> {
        let Some(wanted) = biller.partly_reversible.as_ref().filter(|wanted| *wanted.get_ref()) else {
            return Ok(false);
        };
        let fault = |why: &str| Err(self.fail(&wanted.span(), ConfigFault::Host(why.to_owned())));
        let takes_less = matches!(exactness, Some(Exactness::ExactDown | Exactness::Range | Exactness::Any));
        match (biller.adapter, reversible && takes_less) {
            (AdapterKind::Iso8583, true) => Ok(true),
            (AdapterKind::Iso8583, false) => fault(
                "`partly_reversible` is for departments that are `reversible` and whose rules take less than what is due: \
                 exactness is exact-down, range or any",
            ),
            (AdapterKind::Book | AdapterKind::Rest, _) => {
                fault("`partly_reversible` is for departments behind an ISO 8583 host")
            }
        }
    }

    pub(super) fn way(
        &self,
        biller: &BillerTable,
        deadlines: &DeadlinesTable,
        hosts: &[HostConfig],
        dir: &Path,
        specs: &Specs,
    ) -> Result<Way, ConfigError> {
        match (biller.adapter, &biller.rest, &biller.iso8583) {
            (AdapterKind::Book, None, None) => Ok(Way::Book),
            (AdapterKind::Rest, Some(table), None) => {
                Ok(Way::Rest(Box::new(self.rest(biller, table.get_ref(), dir, specs)?)))
            }
            (AdapterKind::Iso8583, None, Some(table)) => self.behind_host(biller, table, deadlines, hosts),
            (AdapterKind::Book | AdapterKind::Iso8583, Some(table), _) => {
                Err(self.fail(&table.span(), ConfigFault::Adapter("rest")))
            }
            (AdapterKind::Book | AdapterKind::Rest, _, Some(table)) => {
                Err(self.fail(&table.span(), ConfigFault::Adapter("iso8583")))
            }
            (AdapterKind::Rest, None, None) => {
                Err(self.fail(&biller.code.span(), ConfigFault::Adapter("rest")))
            }
            (AdapterKind::Iso8583, None, None) => {
                Err(self.fail(&biller.code.span(), ConfigFault::Adapter("iso8583")))
            }
        }
    }

    fn rest(
        &self,
        biller: &BillerTable,
        table: &RestTable,
        dir: &Path,
        specs: &Specs,
    ) -> Result<RestConfig, ConfigError> {
        let url = table.url.get_ref();
        let fault = |why| self.fail(&table.url.span(), ConfigFault::Url(why));
        let tls = url.starts_with("https://");
        if !tls && !url.starts_with("http://") {
            return Err(fault("a department's `url` begins with https:// or http://"));
        }
        if url.contains(['?', '#', '@', ' ']) {
            return Err(fault(
                "a department's `url` is host, port and path: credentials have a file of their own",
            ));
        }
        if url.parse::<http::Uri>().ok().and_then(|uri| uri.host().map(str::len)).is_none_or(|len| len == 0) {
            return Err(fault("a department's `url` is host, port and path"));
        }
        match (tls, &table.ca_file) {
            (true, None) => {
                return Err(fault(
                    "https:// needs `ca_file`, the authorities that may vouch for the department",
                ));
            }
            (false, Some(_)) => return Err(fault("`ca_file` is for https://")),
            (true, Some(_)) | (false, None) => {}
        }
        let credentials = match (&table.credentials_file, &table.credential) {
            (None, None) => None,
            (Some(file), None) => Some(CredentialSource::File(dir.join(file))),
            (None, Some(name)) => Some(CredentialSource::Credential(name.clone())),
            (Some(_), Some(_)) => return Err(self.fail(&table.url.span(), ConfigFault::Credentials)),
        };
        let contract = specs.contract(table.contract.get_ref()).map_err(|error| match error {
            missing @ SpecError::Missing { .. } => {
                self.fail(&table.contract.span(), ConfigFault::Profile(missing.to_string()))
            }
            error @ (SpecError::Dialect(_) | SpecError::Profile(_) | SpecError::Contract(_)) => error.into(),
        })?;
        // Given or not, whoever cannot be connected to is known not to have the order before the order is overdue.
        let quarter = biller.reply_timeout_ms.get_ref().div_ceil(4);
        let connect = table.connect_timeout_ms.clone().unwrap_or_else(|| Spanned::new(0..0, quarter));
        if table.connect_timeout_ms.is_some() {
            self.nested(&connect, "connect_timeout_ms", &biller.reply_timeout_ms, "reply_timeout_ms")?;
        }
        Ok(RestConfig {
            url: url.clone(),
            contract: Arc::new(contract),
            bank: *table.bank_mnemonic.get_ref(),
            ca_file: table.ca_file.as_ref().map(|file| dir.join(file)),
            credentials,
            bounds: HttpBounds {
                connect_timeout: self.millis(&connect, "connect_timeout_ms")?,
                answer_timeout: self.millis(&biller.reply_timeout_ms, "reply_timeout_ms")?,
                idle_connections_max: self.bounded(&biller.in_flight_max, "in_flight_max", COUNT)?,
            },
        })
    }
}
