//! What all runs share: the links' profile, the vault, the billers and their bills. The same in every run.

use std::sync::Arc;

use super::file::{File, LEAST, MOST, read};
use super::plan::PARTLY;
use crate::biller::book::Row;
use crate::config::{Config, ConfigError, SpecError, Specs, can_take_over};
use crate::ids::{BillerCode, BusinessDate, LinkName, Short};
use crate::money::MinorUnits;
use crate::profile::Profile;
use crate::switch::{Bill, BillStatus, BillerTerms, HeadAmount, Limits, LinkTerms, Reference, Rules, Span};
use crate::vault::{Vault, VaultError};

/// Why the world cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// The profile of the links.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The operator's file.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// How a biller of the world behaves, faults apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Manner {
    /// Its bills are in our own book.
    Book,
    /// Takes any amount for a bill that is not paid; undoes; remembers what it was told to undo.
    Plain,
    /// The same, and is asked for the bill first.
    LookedUp,
    /// Undoes nothing.
    OneWay,
    /// Undoes nothing, and knows a payment when it sees it again.
    Confirms,
    /// Is asked for the bill first, takes other amounts than it says, undoes, and gives parts back.
    Partly,
    /// Undoes what it has posted, and forgets that it was told to undo what it had not.
    Forgetful,
}

impl Manner {
    /// Whether its bill is looked up before a payment of it is posted.
    pub(super) const fn is_asked_first(self) -> bool {
        matches!(self, Self::Book | Self::LookedUp | Self::Partly)
    }
}

/// A biller.
#[derive(Debug)]
pub(super) struct BillerSite {
    pub(super) code: BillerCode,
    pub(super) manner: Manner,
}

/// What all runs share.
pub struct Site {
    /// What it is started with.
    config: Config,
    pub(super) profile: Profile,
    pub(super) vault: Vault,
    pub(super) links: Vec<LinkName>,
    pub(super) billers: Vec<BillerSite>,
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site").field("billers", &self.billers).finish_non_exhaustive()
    }
}

/// How long a biller may take, in milliseconds.
pub(super) const REPLY_TIMEOUT_MS: u64 = 2_000;
/// Bills that are asked for on most days, and all that there are in the book.
pub(super) const BILLS: u64 = 12;
/// The place of the biller that is only looked up.
const LOOKED_UP: usize = 2;
const FIRST_DATE: i32 = 20_777;
/// Every link is sent our totals.
const KEYS: &str = "1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";

impl Site {
    /// Sets the world up.
    ///
    /// # Errors
    ///
    /// [`SiteError`] if what is built in cannot be read.
    pub fn new() -> Result<Arc<Self>, SiteError> {
        let specs = Specs::new(None);
        let profile = specs.profile("onelink")?;
        let biller = |code: &str, manner| BillerSite { code: code.parse().unwrap_or_default(), manner };
        let links =
            ["atmnet", "northbank", "southbank"].map(|name| name.parse().unwrap_or_default()).to_vec();
        let billers = vec![
            biller("BOOK", Manner::Book),
            biller("PLAIN", Manner::Plain),
            biller("LOOKEDUP", Manner::LookedUp),
            biller("ONEWAY", Manner::OneWay),
            biller("CONFIRMS", Manner::Confirms),
            biller("PARTLY", Manner::Partly),
            biller("FORGETFUL", Manner::Forgetful),
        ];
        let config = read(&File::plain(1), &links, &billers)?;
        Ok(Arc::new(Self {
            config,
            profile,
            vault: Vault::parse("the simulation's keys", KEYS)?,
            links,
            billers,
        }))
    }

    /// The business date on which every run begins.
    pub(super) fn first_date() -> BusinessDate {
        BusinessDate::from_day_number(FIRST_DATE)
            .unwrap_or_else(|_| BusinessDate::new(jiff::civil::Date::ZERO))
    }

    /// The configuration in a file, if it can be taken over.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub(super) fn take_over(&self, file: &File) -> Result<Config, String> {
        let fresh = self.read(file).map_err(|error| error.to_string())?;
        can_take_over(&self.config, &fresh).map(|()| fresh)
    }

    fn read(&self, file: &File) -> Result<Config, ConfigError> {
        read(file, &self.links, &self.billers)
    }

    /// The links' terms by a file, as far as it says other than that with which the world was set up.
    pub(super) fn link_terms(&self, file: &File) -> Vec<LinkTerms> {
        let terms = self.config.links.iter().map(|link| link.terms).enumerate();
        terms.map(|(place, terms)| LinkTerms { in_flight_max: file.waiting_max(place), ..terms }).collect()
    }

    /// The billers' terms, likewise.
    pub(super) fn biller_terms(&self, file: &File) -> Vec<BillerTerms> {
        let terms = self.terms_in(&self.config).enumerate();
        let terms = terms.map(|(place, terms)| BillerTerms {
            currency: short(file.currency(place)),
            attempts_max: file.attempts_max,
            forward_per_second: file.per_second,
            rules: ruled(&terms.rules, file, place),
            ..terms
        });
        terms.collect()
    }

    /// The billers' terms in a configuration. It says of a host that it is asked for the bill first; of these only one is.
    pub(super) fn terms_in(&self, config: &Config) -> impl Iterator<Item = BillerTerms> {
        let manners = self.billers.iter().map(|biller| biller.manner);
        let terms = config.billers.iter().map(|biller| biller.terms.clone()).zip(manners);
        terms.map(|(terms, manner)| BillerTerms { looks_up_first: manner.is_asked_first(), ..terms })
    }

    /// The place of a biller among the world's.
    pub(super) fn place(&self, code: &BillerCode) -> Option<usize> {
        self.billers.iter().position(|biller| biller.code == *code)
    }

    /// The bills of the book, as its department sends them.
    pub(super) fn rows() -> Vec<Row> {
        (0..BILLS).map(|number| Row { psid: consumer(number).into(), bill: bill(0, number) }).collect()
    }
}

/// Rules as a file has them.
fn ruled(rules: &Arc<Rules>, file: &File, place: usize) -> Arc<Rules> {
    if ![file.tight, file.suspended].contains(&Some(place)) {
        return Arc::clone(rules);
    }
    let limits = Limits { min: file.least(place).map(minor_units), ..rules.limits };
    let suspended = (file.suspended == Some(place)).then_some(Span { from: None, until: None });
    Arc::new(Rules { limits, suspended, ..Rules::clone(rules) })
}

/// What a bill is called.
pub(super) fn consumer(number: u64) -> String {
    format!("{:012}", number.saturating_add(1))
}

/// Which bill is called that.
pub(super) fn bill_number(consumer: &str) -> Option<u64> {
    consumer.parse::<u64>().ok()?.checked_sub(1)
}

/// What is due on a bill, in minor units: no two have the same.
pub(super) fn amount(biller: usize, number: u64) -> u64 {
    let biller = u64::try_from(biller).unwrap_or_default();
    1_000_u64.saturating_add(biller.saturating_mul(1_000_000)).saturating_add(number.saturating_mul(137))
}

/// A bill: every third is due on the first day, and costs more after it.
pub(super) fn bill(biller: usize, number: u64) -> Bill {
    let first = Site::first_date();
    let due = amount(biller, number);
    let days = if number.is_multiple_of(3) { 0 } else { 30 };
    let expiry = BusinessDate::from_day_number(FIRST_DATE.saturating_add(60)).unwrap_or(first);
    let limits = limits(biller, number).filter(|_| takes_parts(biller, number));
    let status = limits.map_or(BillStatus::Unpaid, |(least, most)| {
        BillStatus::Partial(Limits { min: Some(minor_units(least)), max: Some(minor_units(most)) })
    });
    let head = |name: &str, minor| HeadAmount { head: short(name), amount: minor_units(minor) };
    Bill {
        name: "A CITIZEN".into(),
        status,
        billing_month: short("2611"),
        due_date: BusinessDate::from_day_number(FIRST_DATE.saturating_add(days)).unwrap_or(first),
        expiry_date: expiry,
        amount_within_due: minor_units(due),
        amount_after_due: minor_units(due.saturating_add(50)),
        heads: vec![head("B01401", 300), head("B02372", due.saturating_sub(300))],
        reference: Reference::default(),
    }
}

/// The least and the most that is taken of a bill by one payment, where that is not what is due: every fourth of the biller
/// that is only looked up takes parts (`T`), and the one that gives parts back takes such amounts of each.
pub(super) fn limits(biller: usize, number: u64) -> Option<(u64, u64)> {
    let due = amount(biller, number);
    match biller {
        PARTLY => Some((LEAST, MOST)),
        LOOKED_UP if number % 4 == 2 => Some((due / 2, due.saturating_add(due / 2))),
        _ => None,
    }
}

/// Whether the bill itself says so.
pub(super) fn takes_parts(biller: usize, number: u64) -> bool {
    biller != PARTLY && limits(biller, number).is_some()
}

pub(super) fn minor_units(minor: u64) -> MinorUnits {
    MinorUnits::new(minor).unwrap_or(MinorUnits::ZERO)
}

fn short<const N: usize>(text: &str) -> Short<N> {
    text.parse().unwrap_or_default()
}
