//! From the file as written to checked types.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Spanned;
use toml::de::{DeTable, Deserializer};

use super::adapters::{OwnTables, Reached, own_tables};
use super::file::{
    BillerTable, DeadlinesTable, File, JournalTable, LimitsTable, LinkTable, MacTable, VaultTable,
};
use super::{BillerConfig, Config, ConfigError, ConfigFault, KeySource, Limits, LinkConfig, TotalsWay};
use crate::biller::iso8583::HostConfig;
use crate::biller::kind::{Kind, Way};
use crate::bounds::{LinkBounds, Sealing};
use crate::iso8583::{Dialect, Framing};
use crate::lines::{self, Bounds, COUNT, Fault, SPAN};
use crate::profile::{Ours, Profile, line_of};
use crate::specs::{SpecError, Specs};
use crate::switch::{BillerTerms, LinkTerms, TotalsTerms};
use crate::vault::MacConfig;

/// A peer that has said nothing for so long is asked for an echo.
const IDLE_ECHO: Duration = Duration::from_secs(60);

pub(super) struct Check<'a> {
    file: &'a str,
    text: &'a str,
}

/// A configuration whose departments are reached in one of these ways.
pub(super) fn checked(
    file: &str,
    text: &str,
    dir: &Path,
    kinds: &[&dyn Kind],
) -> Result<Config, ConfigError> {
    let check = Check { file, text };
    let syntax = |error: toml::de::Error| check.line(error.into());
    let mut root = DeTable::parse(text).map_err(syntax)?;
    let own = own_tables(root.get_mut());
    let parsed = File::deserialize(Deserializer::from(root)).map_err(syntax)?;
    let specs = Specs::new(parsed.specs.as_ref().map(|specs| dir.join(specs)));
    check.deadlines(&parsed.deadlines)?;
    let zone = &parsed.time_zone;
    let time_zone = jiff::tz::TimeZone::get(zone.get_ref())
        .map_err(|_| check.fail(&zone.span(), ConfigFault::TimeZone(zone.get_ref().clone())))?;
    let limits = check.limits(&parsed.limits)?;
    let mut links = check.links(&parsed.link, &specs)?;
    let hosts = check.hosts(&parsed.host, &links, &specs)?;
    let around = Around { kinds, hosts: &hosts, dir, specs: &specs, zone: &time_zone };
    let billers = check.billers(&parsed.biller, &own, &parsed.deadlines, &around)?;
    let keys = check.keys(&parsed.vault)?;
    let sealing = check.sealing(&parsed.journal)?;
    let File { store, business_date, .. } = parsed;
    let written: toml::Table = toml::from_str(text).map_err(syntax)?;
    let lines = written.get("link").and_then(toml::Value::as_array).into_iter().flatten();
    for (link, lines) in links.iter_mut().zip(lines) {
        link.digest =
            Sha256::new().chain_update(link.digest).chain_update(lines.to_string()).finalize().into();
    }
    Ok(Config { store, business_date, time_zone, keys, limits, sealing, links, hosts, billers, written })
}

/// What departments are checked against, beside their own tables.
pub(super) struct Around<'a> {
    pub(super) kinds: &'a [&'a dyn Kind],
    pub(super) hosts: &'a [HostConfig],
    pub(super) dir: &'a Path,
    pub(super) specs: &'a Specs,
    zone: &'a jiff::tz::TimeZone,
}

impl Check<'_> {
    pub(super) fn fail(&self, span: &Range<usize>, fault: ConfigFault) -> ConfigError {
        ConfigError::Line { file: self.file.to_owned(), line: line_of(self.text, span), fault }
    }

    pub(super) fn line(&self, fault: Fault) -> ConfigError {
        self.fail(&fault.span, fault.why.into())
    }

    pub(super) fn bounded<T: TryFrom<u32>>(
        &self,
        value: &Spanned<u32>,
        key: &'static str,
        bounds: Bounds,
    ) -> Result<T, ConfigError> {
        lines::bounded(value, key, bounds).map_err(|fault| self.line(fault))
    }

    pub(super) fn millis(&self, value: &Spanned<u32>, key: &'static str) -> Result<Duration, ConfigError> {
        lines::millis(value, key).map_err(|fault| self.line(fault))
    }

    fn deadlines(&self, table: &DeadlinesTable) -> Result<(), ConfigError> {
        self.nested(&table.acquirer_ms, "acquirer_ms", &table.terminal_ms, "terminal_ms")?;
        self.nested(&table.switch_ms, "switch_ms", &table.acquirer_ms, "acquirer_ms")
    }

    fn nested(
        &self,
        inner: &Spanned<u32>,
        inner_name: &'static str,
        outer: &Spanned<u32>,
        outer_name: &'static str,
    ) -> Result<(), ConfigError> {
        lines::nested((inner, inner_name), (outer, outer_name)).map_err(|fault| self.line(fault))
    }

    fn limits(&self, table: &LimitsTable) -> Result<Limits, ConfigError> {
        Ok(Limits {
            queue_max: self.bounded(&table.queue_max, "queue_max", COUNT)?,
            connections_max: self.bounded(&table.connections_max, "connections_max", COUNT)?,
            drain_timeout: self.millis(&table.drain_timeout_ms, "drain_timeout_ms")?,
            queue_delay_ms: u64::from(self.bounded::<u32>(&table.queue_delay_ms, "queue_delay_ms", SPAN)?),
            disk_low_bytes: u64::from(*table.disk_low_bytes.get_ref()),
        })
    }

    fn sealing(&self, table: &JournalTable) -> Result<Sealing, ConfigError> {
        let working = (1..=10_000_000, "1 to 10,000,000");
        let segment = (1..=1_000_000, "1 to 1,000,000");
        Ok(Sealing {
            working_legs_max: self.bounded(&table.working_legs_max, "working_legs_max", working)?,
            segment_legs_max: self.bounded(&table.segment_legs_max, "segment_legs_max", segment)?,
        })
    }

    fn keys(&self, table: &Spanned<VaultTable>) -> Result<KeySource, ConfigError> {
        let vault = table.get_ref();
        match (&vault.key_file, &vault.credential) {
            (Some(path), None) => Ok(KeySource::File { path: path.clone(), create: vault.create_key_file }),
            (None, Some(name)) => Ok(KeySource::Credential(name.clone())),
            (Some(_), Some(_)) | (None, None) => Err(self.fail(&table.span(), ConfigFault::KeySource)),
        }
    }

    fn links(&self, tables: &[Spanned<LinkTable>], specs: &Specs) -> Result<Vec<LinkConfig>, ConfigError> {
        if tables.is_empty() {
            return Err(self.fail(&(0..0), ConfigFault::Nothing("link")));
        }
        let mut profiles: HashMap<String, (Arc<Profile>, [u8; 32])> = HashMap::new();
        let (mut names, mut places) = (BTreeSet::new(), BTreeSet::new());
        let mut links = Vec::new();
        for table in tables {
            let link = table.get_ref();
            let name = *link.name.get_ref();
            if name.is_empty() || !names.insert(name) {
                let fault = ConfigFault::Twice { what: "link", name: name.to_string() };
                return Err(self.fail(&link.name.span(), fault));
            }
            if !places.insert((link.listen, link.peer)) {
                return Err(self.fail(&table.span(), ConfigFault::SameLink(name.to_string())));
            }
            let wanted = link.profile.get_ref();
            let (profile, made_of) = match profiles.get(wanted) {
                Some((profile, made_of)) => (Arc::clone(profile), *made_of),
                None => self.profile(&link.profile, specs)?,
            };
            profiles.insert(wanted.clone(), (Arc::clone(&profile), made_of));
            links.push(self.link(link, profile, made_of)?);
        }
        Ok(links)
    }

    fn link(
        &self,
        link: &LinkTable,
        profile: Arc<Profile>,
        digest: [u8; 32],
    ) -> Result<LinkConfig, ConfigError> {
        let frame = (1..=9999, "1 to 9999");
        let bounds = LinkBounds {
            frame_bytes_max: self.bounded(&link.frame_bytes_max, "frame_bytes_max", frame)?,
            frame_timeout: self.millis(&link.frame_timeout_ms, "frame_timeout_ms")?,
            write_timeout: self.millis(&link.write_timeout_ms, "write_timeout_ms")?,
            idle_echo: self.idle_echo(link, &profile)?,
            echo_timeout: self.millis(&link.echo_timeout_ms, "echo_timeout_ms")?,
            idle_timeout: self.millis(&link.idle_timeout_ms, "idle_timeout_ms")?,
            in_flight_max: self.bounded(&link.in_flight_max, "in_flight_max", COUNT)?,
            unanswerable_max: self.bounded(&link.unanswerable_max, "unanswerable_max", COUNT)?,
            connections_max: self.bounded(&link.connections_max, "connections_max", COUNT)?,
        };
        let mac = self.mac(link.mac.as_ref(), &profile)?;
        let name = *link.name.get_ref();
        let terms = LinkTerms {
            name,
            in_flight_max: self.bounded(&link.waiting_max, "waiting_max", COUNT)?,
            totals: self.totals(link, &profile)?,
        };
        Ok(LinkConfig {
            name,
            listen: link.listen,
            peer: link.peer.map(|peer| peer.to_canonical()),
            framing: self.framing(name.as_str(), link.framing.as_ref(), &link.profile, profile.dialect())?,
            profile,
            second_connection: link.second_connection,
            mac,
            bounds,
            terms,
            digest,
        })
    }

    /// Left out, a peer is asked after [`IDLE_ECHO`], if its profile says how; 0 is never.
    fn idle_echo(&self, link: &LinkTable, profile: &Profile) -> Result<Option<Duration>, ConfigError> {
        match &link.idle_echo_ms {
            None => Ok(profile.has_ours(Ours::Echo).then_some(IDLE_ECHO)),
            Some(never) if *never.get_ref() == 0 => Ok(None),
            Some(ms) if profile.has_ours(Ours::Echo) => self.millis(ms, "idle_echo_ms").map(Some),
            Some(ms) => Err(self.fail(&ms.span(), ConfigFault::NoEcho(profile.name().to_owned()))),
        }
    }

    fn totals(&self, link: &LinkTable, profile: &Profile) -> Result<Option<TotalsTerms>, ConfigError> {
        let wait_ms = self.bounded(&link.totals_wait_ms, "totals_wait_ms", SPAN)?;
        let retry_ms = self.bounded(&link.totals_retry_ms, "totals_retry_ms", SPAN)?;
        match &link.totals {
            Some(way) if *way.get_ref() == TotalsWay::Send => {
                let lays_out = profile.has_ours(Ours::Totals);
                let none = || self.fail(&way.span(), ConfigFault::NoTotals(profile.name().to_owned()));
                lays_out.then_some(Some(TotalsTerms { wait_ms, retry_ms })).ok_or_else(none)
            }
            Some(_) | None => Ok(None),
        }
    }

    pub(super) fn mac(
        &self,
        table: Option<&Spanned<MacTable>>,
        profile: &Profile,
    ) -> Result<Option<MacConfig>, ConfigError> {
        let Some(table) = table else { return Ok(None) };
        if profile.mac_rule().is_none() {
            return Err(self.fail(&table.span(), ConfigFault::NoMac(profile.name().to_owned())));
        }
        let mac = table.get_ref();
        let hour = (1..=3_600_000, "1 to 3,600,000 ms, which is an hour");
        let window: u32 = self.bounded(&mac.window_ms, "window_ms", hour)?;
        Ok(Some(MacConfig { key_file: mac.key_file.clone(), window: Duration::from_millis(window.into()) }))
    }

    /// A profile that is named, and a digest of what it was made of.
    pub(super) fn profile(
        &self,
        name: &Spanned<String>,
        specs: &Specs,
    ) -> Result<(Arc<Profile>, [u8; 32]), ConfigError> {
        match specs.profile_with_digest(name.get_ref()) {
            Ok((profile, made_of)) => Ok((Arc::new(profile), made_of)),
            Err(missing @ SpecError::Missing { kind: "profile", .. }) => {
                Err(self.fail(&name.span(), ConfigFault::Profile(missing.to_string())))
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn framing(
        &self,
        name: &str,
        own: Option<&Spanned<String>>,
        profile: &Spanned<String>,
        dialect: &Dialect,
    ) -> Result<Framing, ConfigError> {
        let (framing, said_at) = match own {
            Some(text) => {
                let framing = Framing::parse(text.get_ref());
                (framing.map_err(|error| self.fail(&text.span(), error.into()))?, text.span())
            }
            None => (dialect.framing(), profile.span()),
        };
        if framing == Framing::NONE {
            let fault = ConfigFault::Unframed { link: name.to_owned(), own: own.is_some() };
            return Err(self.fail(&said_at, fault));
        }
        Ok(framing)
    }

    fn billers(
        &self,
        tables: &[Spanned<BillerTable>],
        own: &[OwnTables<'_>],
        deadlines: &DeadlinesTable,
        around: &Around<'_>,
    ) -> Result<Vec<BillerConfig>, ConfigError> {
        if tables.is_empty() {
            return Err(self.fail(&(0..0), ConfigFault::Nothing("biller")));
        }
        let mut codes = BTreeSet::new();
        let mut billers = Vec::new();
        for (biller, own) in tables.iter().map(Spanned::get_ref).zip(own) {
            let code = *biller.code.get_ref();
            if code.is_empty() || !codes.insert(code) {
                let fault = ConfigFault::Twice { what: "biller", name: code.to_string() };
                return Err(self.fail(&biller.code.span(), fault));
            }
            self.nested(&biller.reply_timeout_ms, "reply_timeout_ms", &deadlines.switch_ms, "switch_ms")?;
            let reached = self.reached(biller, own, deadlines, around)?;
            billers.push(self.biller(biller, reached, around)?);
        }
        self.routes(tables)?;
        Ok(billers)
    }

    fn biller(
        &self,
        biller: &BillerTable,
        reached: Reached<'_>,
        around: &Around<'_>,
    ) -> Result<BillerConfig, ConfigError> {
        let embedded = matches!(reached.way, Way::Book);
        let rules =
            biller.rules.as_ref().map(|table| self.rules(table, embedded, around.zone)).transpose()?;
        let rules = rules.unwrap_or_default();
        let settlement = self.settlement(biller, &rules)?;
        let takes_parts_back = self.parts(biller, &reached, rules.exactness, around.kinds)?;
        let code = *biller.code.get_ref();
        let pause = (1..=300_000, "1 to 300,000 ms, which is five minutes");
        let attempts = (1..=10_000, "1 to 10,000");
        let age = (1000..=2_592_000_000, "1,000 to 2,592,000,000 ms, which is thirty days");
        let many = (1..=1_000_000, "1 to 1,000,000");
        let terms = BillerTerms {
            code,
            embedded,
            looks_up_first: reached.kind.looks_up_first() || rules.need_the_bill(),
            currency: biller.currency,
            surcharge_head: biller.surcharge_head,
            rules: Arc::new(rules),
            reply_timeout_ms: self.bounded(&biller.reply_timeout_ms, "reply_timeout_ms", SPAN)?,
            reversible: reached.reversible,
            takes_parts_back,
            in_doubt: reached.in_doubt,
            retry_ms: self.bounded(&biller.retry_ms, "retry_ms", pause)?,
            attempts_max: self.bounded(&biller.attempts_max, "attempts_max", attempts)?,
            forward_age_max_ms: self.bounded(&biller.forward_age_max_ms, "forward_age_max_ms", age)?,
            forward_in_flight_max: self.bounded(
                &biller.forward_in_flight_max,
                "forward_in_flight_max",
                COUNT,
            )?,
            forward_per_second: self.bounded(
                &biller.forward_per_second,
                "forward_per_second",
                many.clone(),
            )?,
            in_doubt_max: self.bounded(&biller.in_doubt_max, "in_doubt_max", many)?,
        };
        let guard = self.guard(biller)?;
        Ok(BillerConfig { code, name: biller.name.clone(), terms, way: reached.way, guard, settlement })
    }
}
