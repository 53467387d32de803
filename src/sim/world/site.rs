//! What all runs share: the links' profile, the vault, the billers and their bills. The same in every run.

use std::sync::Arc;

use crate::biller::book::Row;
use crate::config::{SpecError, Specs};
use crate::ids::{BillerCode, BusinessDate, LinkName, Short};
use crate::money::MinorUnits;
use crate::profile::Profile;
use crate::switch::{
    Bill, BillStatus, BillerTerms, HeadAmount, HeadRule, InDoubt, LinkTerms, Part, Reference, Rules, Share,
    TotalsTerms,
};
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
    /// Undoes what it has posted, and forgets that it was told to undo what it had not.
    Forgetful,
}

/// A biller.
#[derive(Debug)]
pub(super) struct BillerSite {
    pub(super) code: BillerCode,
    pub(super) manner: Manner,
}

/// What all runs share.
pub struct Site {
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
/// Orders owed that are at a biller at once.
pub(super) const FORWARD_IN_FLIGHT_MAX: u32 = 3;
/// Orders owed that are given a second.
pub(super) const FORWARD_PER_SECOND: u32 = 5;
/// Bills that are asked for on most days, and all that there are in the book.
pub(super) const BILLS: u64 = 12;
const FIRST_DATE: i32 = 20_777;
/// Every link is sent our totals.
const TOTALS: TotalsTerms = TotalsTerms { wait_ms: 8_000, retry_ms: 2_000 };
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
        Ok(Arc::new(Self {
            profile,
            vault: Vault::parse("the simulation's keys", KEYS)?,
            links: ["atmnet", "northbank", "southbank"].map(|name| name.parse().unwrap_or_default()).to_vec(),
            billers: vec![
                biller("BOOK", Manner::Book),
                biller("PLAIN", Manner::Plain),
                biller("LOOKEDUP", Manner::LookedUp),
                biller("ONEWAY", Manner::OneWay),
                biller("CONFIRMS", Manner::Confirms),
                biller("FORGETFUL", Manner::Forgetful),
            ],
        }))
    }

    /// The business date on which every run begins.
    pub(super) fn first_date() -> BusinessDate {
        BusinessDate::from_day_number(FIRST_DATE)
            .unwrap_or_else(|_| BusinessDate::new(jiff::civil::Date::ZERO))
    }

    /// The links' terms.
    pub(super) fn link_terms(&self) -> impl Iterator<Item = LinkTerms> + '_ {
        self.links.iter().map(|name| LinkTerms { name: *name, in_flight_max: 12, totals: Some(TOTALS) })
    }

    /// The billers' terms.
    pub(super) fn biller_terms(&self, attempts_max: u16) -> impl Iterator<Item = BillerTerms> + '_ {
        self.billers.iter().map(move |biller| BillerTerms {
            code: biller.code,
            embedded: biller.manner == Manner::Book,
            looks_up_first: matches!(biller.manner, Manner::Book | Manner::LookedUp),
            currency: short("586"),
            surcharge_head: None,
            rules: Arc::new(rules(biller.manner)),
            reply_timeout_ms: REPLY_TIMEOUT_MS,
            reversible: !matches!(biller.manner, Manner::OneWay | Manner::Confirms),
            takes_parts_back: false,
            in_doubt: if biller.manner == Manner::Confirms { InDoubt::Confirm } else { InDoubt::Reverse },
            retry_ms: 200,
            attempts_max,
            forward_age_max_ms: 3_600_000,
            forward_in_flight_max: FORWARD_IN_FLIGHT_MAX,
            forward_per_second: FORWARD_PER_SECOND,
            in_doubt_max: 1_000,
        })
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

/// One department's heads come from a rule, which must sum to every amount, also of what is sent again.
fn rules(manner: Manner) -> Rules {
    let head = |name: &str, part| HeadRule { head: short(name), part };
    let heads = match manner {
        Manner::OneWay => vec![
            head("B01401", Part::Fixed(minor_units(300))),
            head("B02372", Part::Percent(Share(1_234))),
            head("C03845", Part::Remainder),
        ],
        Manner::Book | Manner::Plain | Manner::LookedUp | Manner::Confirms | Manner::Forgetful => Vec::new(),
    };
    Rules { heads, ..Rules::default() }
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
    let head = |name: &str, minor| HeadAmount { head: short(name), amount: minor_units(minor) };
    Bill {
        name: "A CITIZEN".into(),
        status: BillStatus::Unpaid,
        billing_month: short("2611"),
        due_date: BusinessDate::from_day_number(FIRST_DATE.saturating_add(days)).unwrap_or(first),
        expiry_date: expiry,
        amount_within_due: minor_units(due),
        amount_after_due: minor_units(due.saturating_add(50)),
        heads: vec![head("B01401", 300), head("B02372", due.saturating_sub(300))],
        reference: Reference::default(),
    }
}

pub(super) fn minor_units(minor: u64) -> MinorUnits {
    MinorUnits::new(minor).unwrap_or(MinorUnits::ZERO)
}

fn short<const N: usize>(text: &str) -> Short<N> {
    text.parse().unwrap_or_default()
}
