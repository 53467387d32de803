//! The operator's configuration file: read, checked and taken over as the server does it.

use std::fmt::Write as _;
use std::path::Path;

use super::daemon::Input;
use super::plan::PARTLY;
use super::site::{BILLS, BillerSite, Manner, REPLY_TIMEOUT_MS, amount};
use super::{Defect, World};
use crate::config::{Config, ConfigError};
use crate::ids::LinkName;
use crate::switch::Operation;

/// What an operator may have written into the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct File {
    /// Orders given before a payment is handed to people.
    pub(super) attempts_max: u16,
    /// Orders owed that are given a second, at every biller.
    pub(super) per_second: u32,
    /// The biller at this place takes another currency than all payments have.
    pub(super) foreign: Option<usize>,
    /// The link at this place may have one request waiting for a biller.
    pub(super) narrow: Option<usize>,
    /// The biller at this place takes nothing below the middle of what is due on its bills.
    pub(super) tight: Option<usize>,
    /// The biller at this place takes nothing for the time being.
    pub(super) suspended: Option<usize>,
    /// What is wrong with the file.
    pub(super) fault: Option<Blunder>,
}

/// Why a file must be refused whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Blunder {
    /// The last line is cut off.
    Cut,
    /// A value is out of its bounds, in the last lines.
    OutOfBounds,
    /// A link is to listen elsewhere.
    Elsewhere,
    /// The last biller is gone.
    Gone,
}

impl File {
    /// What a run starts with.
    pub(super) const fn plain(attempts_max: u16) -> Self {
        Self {
            attempts_max,
            per_second: FORWARD_PER_SECOND,
            foreign: None,
            narrow: None,
            tight: None,
            suspended: None,
            fault: None,
        }
    }

    /// What stands in it.
    fn text(&self, links: &[LinkName], billers: &[BillerSite]) -> String {
        let mut text = HEAD.to_owned();
        for (place, name) in links.iter().enumerate() {
            let moved = if place == 0 && self.fault == Some(Blunder::Elsewhere) { 50 } else { 0 };
            let (port, waiting) =
                (place.saturating_add(7_001).saturating_add(moved), self.waiting_max(place));
            // Writing to a string does not fail.
            let _infallible = write!(
                text,
                "[[link]]\nname = \"{name}\"\nlisten = \"127.0.0.1:{port}\"\nprofile = \"onelink\"\nwaiting_max = {waiting}\n\
                 totals = \"send\"\ntotals_wait_ms = 8000\ntotals_retry_ms = 2000\n"
            );
        }
        let gone = usize::from(self.fault == Some(Blunder::Gone));
        for (place, BillerSite { code, manner }) in
            billers.iter().enumerate().take(billers.len().saturating_sub(gone))
        {
            let _infallible = write!(text, "[[biller]]\ncode = \"{code}\"\nname = \"{code}\"\n");
            text.push_str(match manner {
                Manner::Book => "adapter = \"book\"\n",
                // A host's currency is not read anew.
                Manner::Confirms => {
                    "adapter = \"rest\"\nrest = { url = \"http://127.0.0.1:7000\", bank_mnemonic = \"BSWITCH\" }\n"
                }
                Manner::Plain | Manner::LookedUp | Manner::OneWay | Manner::Forgetful => {
                    "adapter = \"iso8583\"\niso8583 = { host = \"net\" }\n"
                }
                Manner::Partly => "adapter = \"iso8583\"\niso8583 = { host = \"parts\" }\n",
            });
            text.push_str(match manner {
                Manner::OneWay => "reversible = false\n",
                Manner::Confirms => "reversible = false\nin_doubt = \"confirm\"\n",
                Manner::Partly => "partly_reversible = true\n",
                Manner::Book | Manner::Plain | Manner::LookedUp | Manner::Forgetful => "",
            });
            let (currency, attempts_max, per_second) =
                (self.currency(place), self.attempts_max, self.per_second);
            let _infallible = write!(
                text,
                "currency = \"{currency}\"\nreply_timeout_ms = {REPLY_TIMEOUT_MS}\nretry_ms = 200\nattempts_max = {attempts_max}\n\
                 forward_age_max_ms = {FORWARD_AGE_MAX_MS}\nforward_in_flight_max = {FORWARD_IN_FLIGHT_MAX}\n\
                 forward_per_second = {per_second}\nin_doubt_max = 1000\n"
            );
            self.write_rules(place, *manner, &mut text);
        }
        match self.fault {
            Some(Blunder::OutOfBounds) => text.push_str("[journal]\nworking_legs_max = 0\n"),
            Some(Blunder::Cut) => text.push_str("[journal]\nworking_legs_max ="),
            Some(Blunder::Elsewhere | Blunder::Gone) | None => {}
        }
        text
    }

    fn write_rules(&self, place: usize, manner: Manner, text: &mut String) {
        text.push_str("[biller.rules]\n");
        if matches!(manner, Manner::OneWay | Manner::Partly) {
            text.push_str(HEADS);
        }
        if manner == Manner::Partly {
            let _infallible = writeln!(text, "exactness = \"range\"\namount_max = {MOST}");
        }
        if let Some(least) = self.least(place) {
            let _infallible = writeln!(text, "amount_min = {least}");
        }
        if self.suspended == Some(place) {
            text.push_str("suspended = {}\n");
        }
    }

    /// The smallest payment that the biller at this place takes, if there is one.
    pub(super) fn least(&self, biller: usize) -> Option<u64> {
        let tight = (self.tight == Some(biller)).then(|| amount(biller, BILLS / 2));
        tight.or((biller == PARTLY).then_some(LEAST))
    }

    /// Whether the biller at this place takes a payment of so much.
    pub(super) fn takes(&self, biller: usize, minor: u64) -> bool {
        let most = if biller == PARTLY { MOST } else { u64::MAX };
        self.suspended != Some(biller)
            && minor <= most
            && self.least(biller).is_none_or(|least| minor >= least)
    }

    /// DE 49 of what the biller at this place takes.
    pub(super) fn currency(&self, biller: usize) -> &'static str {
        if self.foreign == Some(biller) { "840" } else { "586" }
    }

    /// Requests of the link at this place that may wait for billers.
    pub(super) fn waiting_max(&self, link: usize) -> u32 {
        if self.narrow == Some(link) { 1 } else { WAITING_MAX }
    }
}

const HEAD: &str = r#"
store = "store"
time_zone = "UTC"
[vault]
key_file = "keys"
[deadlines]
terminal_ms = 60000
acquirer_ms = 45000
switch_ms = 30000
[limits]
queue_max = 64
connections_max = 8
drain_timeout_ms = 1500
[[host]]
name = "net"
address = "127.0.0.1:7900"
profile = "ebipp"
own = { acquirer = "27", terminal = "SWITCH01" }
[[host]]
name = "parts"
address = "127.0.0.1:7901"
profile = "onelink"
own = { acquirer = "27", terminal = "SWITCH01" }
"#;

/// Heads from a rule, which must sum to every amount, also of what is sent again.
const HEADS: &str = r#"heads = [{ head = "B01401", fixed = 300 }, { head = "B02372", percent = "12.34" }, { head = "C03845", remainder = true }]
"#;

/// How long an order may be owed before people get it.
pub(super) const FORWARD_AGE_MAX_MS: u64 = 3_600_000;
/// Smallest payment that the biller takes that gives parts back, in minor units: more than an eighth of any of its bills.
pub(super) const LEAST: u64 = 1_000_000;
/// And the largest: less than nine eighths.
pub(super) const MOST: u64 = 5_500_000;
/// Orders owed that are at a biller at once.
pub(super) const FORWARD_IN_FLIGHT_MAX: u32 = 3;
/// Orders owed that are given a second.
pub(super) const FORWARD_PER_SECOND: u32 = 5;
/// Requests of a link that may wait for billers.
const WAITING_MAX: u32 = 12;

/// Reads a file as an operator would have written it for these links and billers.
///
/// # Errors
///
/// [`ConfigError`] if something is wrong with it.
pub(super) fn read(file: &File, links: &[LinkName], billers: &[BillerSite]) -> Result<Config, ConfigError> {
    Config::parse("billswitch.toml", &file.text(links, billers), Path::new("."))
}

impl World<'_> {
    /// The operator has the file read anew, as it stands now.
    pub(super) fn reload(&mut self, file: &File) {
        let half = self.defect == Some(Defect::ReloadByHalves);
        match (self.site.take_over(file), file.fault) {
            (Ok(fresh), None) => {
                self.note(|| format!("the operator has this read anew: {file:?}"));
                self.file = *file;
                self.auditor.configured(file);
                let mut billers: Vec<_> = self.site.terms_in(&fresh).collect();
                if self.defect == Some(Defect::KeepOldRules) {
                    let before = self.site.biller_terms(&File::plain(1));
                    billers.iter_mut().zip(before).for_each(|(fresh, before)| fresh.rules = before.rules);
                }
                let links = fresh.links.iter().map(|link| link.terms).collect();
                let links = if half { Vec::new() } else { links };
                self.input(Input::Operate(Operation::Configure { links, billers }));
            }
            (Err(why), Some(_)) => {
                self.note(|| format!("the operator has a file read that is refused: {why}"));
                self.input(Input::Operate(Operation::KeepConfiguration));
                if self.defect == Some(Defect::TakeFaultyFile) {
                    let (links, billers) = (self.site.link_terms(file), self.site.biller_terms(file));
                    self.input(Input::Operate(Operation::Configure { links, billers }));
                }
            }
            (Ok(_), Some(fault)) => {
                self.auditor.object(0, || format!("a file was taken over although it is faulty: {fault:?}"));
            }
            (Err(why), None) => self.auditor.object(0, || format!("a sound file was refused: {why}")),
        }
    }
}
