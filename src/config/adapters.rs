//! How departments are reached, checked: what there is to say of each way its kind says.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::check::{Around, Check};
use super::file::{BillerTable, DeadlinesTable};
use super::{ConfigError, ConfigFault};
use crate::biller::kind::{Entry, Kind, KindFault, Way, alone};
use crate::bounds::GuardBounds;
use crate::lines::{COUNT, Fault};
use crate::switch::{Exactness, InDoubt};

/// Bounds of the breaker's first pause.
const PAUSE: (std::ops::RangeInclusive<u32>, &str) = (10..=60_000, "10 to 60,000 ms, which is a minute");
/// The tables of a department that are no kind's.
const SHARED: &[&str] = &["rules", "head_kinds"];

/// The tables of a department that kinds read themselves, by their names.
pub(super) type OwnTables<'a> = BTreeMap<String, Spanned<DeValue<'a>>>;

/// A department's kind, and what that has made of its lines.
pub(super) struct Reached<'a> {
    pub(super) kind: &'a dyn Kind,
    pub(super) way: Way,
    pub(super) reversible: bool,
    pub(super) in_doubt: InDoubt,
}

/// Takes the kinds' tables out of each `[[biller]]`, so that what is left is the same for all of them.
pub(super) fn own_tables<'a>(root: &mut DeTable<'a>) -> Vec<OwnTables<'a>> {
    let Some(DeValue::Array(billers)) = root.get_mut("biller").map(Spanned::get_mut) else {
        return Vec::new();
    };
    let own = |biller: &mut Spanned<DeValue<'a>>| {
        let DeValue::Table(biller) = biller.get_mut() else { return OwnTables::new() };
        let is_own = |(name, value): (&Spanned<_>, &Spanned<DeValue<'a>>)| {
            let name: &std::borrow::Cow<'a, str> = name.get_ref();
            (value.get_ref().is_table() && !SHARED.contains(&&**name)).then(|| name.to_string())
        };
        let names: Vec<String> = biller.iter().filter_map(is_own).collect();
        names.into_iter().filter_map(|name| biller.remove(name.as_str()).map(|table| (name, table))).collect()
    };
    billers.iter_mut().map(own).collect()
}

/// The names of some kinds, as they are told.
fn names<'a>(kinds: impl Iterator<Item = &'a &'a dyn Kind>) -> String {
    kinds.map(|kind| format!("`{}`", kind.name())).collect::<Vec<_>>().join(", ")
}

impl Check<'_> {
    pub(super) fn guard(&self, biller: &BillerTable) -> Result<GuardBounds, ConfigError> {
        let pause: u32 = self.bounded(&biller.breaker_pause_ms, "breaker_pause_ms", PAUSE)?;
        Ok(GuardBounds {
            in_flight_max: self.bounded(&biller.in_flight_max, "in_flight_max", COUNT)?,
            failures_max: self.bounded(&biller.breaker_failures, "breaker_failures", COUNT)?,
            pause: std::time::Duration::from_millis(pause.into()),
        })
    }

    /// Finds a department's kind, and lets it read what is said of the department.
    pub(super) fn reached<'a>(
        &self,
        biller: &BillerTable,
        own: &OwnTables<'_>,
        deadlines: &DeadlinesTable,
        around: &Around<'a>,
    ) -> Result<Reached<'a>, ConfigError> {
        let known = |name: &str| around.kinds.iter().find(|kind| kind.name() == name).copied();
        let adapter = &biller.adapter;
        let Some(kind) = known(adapter.get_ref()) else {
            let why =
                format!("`{}` is no adapter: there are {}", adapter.get_ref(), names(around.kinds.iter()));
            return Err(self.line(Fault::new(adapter.span(), why)));
        };
        if let Some((name, table)) = own.iter().find(|(name, _)| *name != kind.name()) {
            let none = || {
                format!(
                    "[biller.{name}] is the table of no adapter: there are {}",
                    names(around.kinds.iter())
                )
            };
            return Err(self.line(Fault::new(table.span(), known(name).map_or_else(none, alone))));
        }
        let entry = Entry {
            code: &biller.code,
            currency: biller.currency,
            reply_timeout_ms: &biller.reply_timeout_ms,
            in_flight_max: &biller.in_flight_max,
            reversible: biller.reversible.as_ref(),
            partly_reversible: biller.partly_reversible.as_ref(),
            in_doubt: biller.in_doubt.as_ref(),
            own: own.get(kind.name()),
            switch_ms: *deadlines.switch_ms.get_ref(),
            dir: around.dir,
            specs: around.specs,
            hosts: around.hosts,
        };
        let way = kind.way(&entry).map_err(|fault| match fault {
            KindFault::Line(fault) => self.line(fault),
            KindFault::Spec(error) => error.into(),
        })?;
        let (reversible, in_doubt) = kind.doubt(&entry).map_err(|fault| self.line(fault))?;
        Ok(Reached { kind, way, reversible, in_doubt })
    }

    /// Whether a part of a posting can be undone: where a whole one can, and where less than what is due is taken.
    pub(super) fn parts(
        &self,
        biller: &BillerTable,
        reached: &Reached<'_>,
        exactness: Option<Exactness>,
        kinds: &[&dyn Kind],
    ) -> Result<bool, ConfigError> {
        let Some(wanted) = biller.partly_reversible.as_ref().filter(|wanted| *wanted.get_ref()) else {
            return Ok(false);
        };
        let fault = |why: String| Err(self.fail(&wanted.span(), ConfigFault::Rule(why)));
        if !reached.kind.gives_parts_back() {
            let such = names(kinds.iter().filter(|kind| kind.gives_parts_back()));
            return fault(format!("`partly_reversible` is for departments whose adapter is one of {such}"));
        }
        if reached.reversible
            && matches!(exactness, Some(Exactness::ExactDown | Exactness::Range | Exactness::Any))
        {
            return Ok(true);
        }
        fault(
            "`partly_reversible` is for departments that are `reversible` and whose rules take less than what is due: \
             exactness is exact-down, range or any"
                .to_owned(),
        )
    }
}
