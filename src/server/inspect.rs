//! What the engine tells of itself.

use std::collections::{BTreeMap, BTreeSet};

use super::engine::Engine;
use crate::ids::{BillerCode, BusinessDate, LinkName};
use crate::switch::Owing;

/// A reading of the switch's state.
#[derive(Clone, Debug)]
pub(super) struct Status {
    pub(super) date: BusinessDate,
    pub(super) draining: bool,
    pub(super) open: u64,
    pub(super) waiting: u64,
    pub(super) unrecorded: u64,
    pub(super) signed_on: BTreeSet<LinkName>,
    pub(super) blocked: BTreeSet<BillerCode>,
    pub(super) owing: BTreeMap<BillerCode, Owing>,
}

pub(super) fn inspect(engine: &Engine) -> Status {
    let config = &engine.shared.config;
    let links = config.links.iter().map(|link| link.name);
    let billers = config.billers.iter().map(|biller| biller.code);
    let now = engine.shared.clock.now().ticks;
    let owing = billers.clone().map(|biller| (biller, engine.core.switch.owing(now, &biller))).collect();
    Status {
        date: engine.core.switch.date(),
        draining: engine.core.switch.is_draining(),
        open: u64::try_from(engine.core.switch.open_count()).unwrap_or(u64::MAX),
        waiting: u64::try_from(engine.core.waiting()).unwrap_or(u64::MAX),
        unrecorded: engine.core.switch.unrecorded(),
        signed_on: links.filter(|link| engine.core.switch.is_signed_on(link)).collect(),
        blocked: billers.filter(|biller| engine.core.switch.is_blocked(biller)).collect(),
        owing,
    }
}
