//! Departments' hosts, checked: what is said to them can be said.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use toml::Spanned;

use super::check::Check;
use super::file::HostTable;
use super::{ConfigError, ConfigFault, LinkConfig};
use crate::biller::iso8583::HostConfig;
use crate::bounds::{HostBounds, LinkBounds};
use crate::ids::LinkName;
use crate::lines::COUNT;
use crate::profile::{Profile, Say};
use crate::specs::Specs;
use crate::vault::MacConfig;

/// Frames in a row without a readable message type or trace number before a connection is closed: as many as a link may have.
const UNREADABLE_MAX: u32 = 10;

impl Check<'_> {
    pub(super) fn hosts(
        &self,
        tables: &[Spanned<HostTable>],
        links: &[LinkConfig],
        specs: &Specs,
    ) -> Result<Vec<HostConfig>, ConfigError> {
        let mut names: BTreeSet<LinkName> = links.iter().map(|link| link.name).collect();
        let mut hosts = Vec::new();
        for table in tables.iter().map(Spanned::get_ref) {
            let name = *table.name.get_ref();
            if name.is_empty() || !names.insert(name) {
                let fault = ConfigFault::Twice { what: "host or link", name: name.to_string() };
                return Err(self.fail(&table.name.span(), fault));
            }
            hosts.push(self.host(table, specs)?);
        }
        Ok(hosts)
    }

    fn host(&self, table: &HostTable, specs: &Specs) -> Result<HostConfig, ConfigError> {
        let name = *table.name.get_ref();
        let address = table.address.get_ref();
        let port = address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
        if port.is_none_or(|(host, port)| host.is_empty() || port == 0) {
            let why = "`address` is a host name or address, and a port: 10.1.2.3:7001".to_owned();
            return Err(self.fail(&table.address.span(), ConfigFault::Host(why)));
        }
        let (profile, _) = self.profile(&table.profile, specs)?;
        if !profile.is_outward() {
            let why =
                format!("profile `{}` has no [outward]: nothing can be said to a host by it", profile.name());
            return Err(self.fail(&table.profile.span(), ConfigFault::Host(why)));
        }
        let host = HostConfig {
            name,
            address: address.clone(),
            source: table.source,
            framing: self.framing(
                name.as_str(),
                table.framing.as_ref(),
                &table.profile,
                profile.dialect(),
            )?,
            own: self.own(table, profile.own_words())?,
            bounds: self.host_bounds(table)?,
            mac: self.host_mac(table, &profile)?,
            profile,
        };
        host.can_be_told("", Say::SignOn)
            .map_err(|why| self.fail(&table.name.span(), ConfigFault::Host(why)))?;
        Ok(host)
    }

    /// With keys nothing about bills and payments goes without a MAC: an answer without one could be anybody's.
    fn host_mac(&self, table: &HostTable, profile: &Profile) -> Result<Option<MacConfig>, ConfigError> {
        let mac = self.mac(table.mac.as_ref(), profile)?;
        match (&table.mac, profile.sent_without_mac()) {
            (Some(said), Some(mti)) => {
                let why = format!("profile `{}` has no MAC for {mti}: [mac] mti", profile.name());
                Err(self.fail(&said.span(), ConfigFault::Host(why)))
            }
            (Some(_), None) | (None, _) => Ok(mac),
        }
    }

    /// All that the profile asks for, and nothing that it does not.
    fn own(&self, table: &HostTable, asked: &[String]) -> Result<BTreeMap<String, String>, ConfigError> {
        if let Some((name, _)) = table.own.iter().find(|(name, _)| !asked.contains(name.get_ref())) {
            let known = asked.join(", ");
            let why = format!("the profile has no `own:{}`: it has {known}", name.get_ref());
            return Err(self.fail(&name.span(), ConfigFault::Host(why)));
        }
        let own: BTreeMap<String, String> =
            table.own.iter().map(|(name, own)| (name.get_ref().clone(), own.clone())).collect();
        match asked.iter().find(|name| !own.contains_key(*name)) {
            None => Ok(own),
            Some(name) => {
                let why = format!("the profile wants to know `{name}`: own = {{ {name} = \"…\" }}");
                Err(self.fail(&table.profile.span(), ConfigFault::Host(why)))
            }
        }
    }

    fn host_bounds(&self, table: &HostTable) -> Result<HostBounds, ConfigError> {
        let connections: u32 = self.bounded(&table.connections, "connections", (1..=16, "1 to 16"))?;
        let idle_echo = self.millis(&table.idle_echo_ms, "idle_echo_ms")?;
        let echo_timeout = self.millis(&table.echo_timeout_ms, "echo_timeout_ms")?;
        let link = LinkBounds {
            frame_bytes_max: self.bounded(
                &table.frame_bytes_max,
                "frame_bytes_max",
                (1..=9999, "1 to 9999"),
            )?,
            frame_timeout: self.millis(&table.frame_timeout_ms, "frame_timeout_ms")?,
            write_timeout: self.millis(&table.write_timeout_ms, "write_timeout_ms")?,
            idle_echo: Some(idle_echo),
            echo_timeout,
            // Two echoes that are not answered end it before.
            idle_timeout: idle_echo.saturating_add(echo_timeout.saturating_mul(4)),
            in_flight_max: 1,
            unanswerable_max: UNREADABLE_MAX,
            connections_max: connections,
        };
        let first: Duration = self.millis(&table.reconnect_ms, "reconnect_ms")?;
        let longest = self.millis(&table.reconnect_max_ms, "reconnect_max_ms")?;
        Ok(HostBounds {
            link,
            connections: usize::try_from(connections).unwrap_or(1),
            queue_max: self.bounded(&table.queue_max, "queue_max", COUNT)?,
            connect_timeout: self.millis(&table.connect_timeout_ms, "connect_timeout_ms")?,
            sign_on_timeout: self.millis(&table.sign_on_timeout_ms, "sign_on_timeout_ms")?,
            reconnect: (first, longest.max(first)),
        })
    }
}
