//! The end of a run: what every side believes, and what the product's own audit says.

use std::collections::BTreeMap;

use super::World;
use super::auditor::{Belief, Lines};
use super::daemon::Input;
use super::deals::Deal;
use super::dice::number_of;
use super::site::Manner;
use crate::ids::{BusinessDate, PaymentKey};
use crate::journal::ledger::find;
use crate::journal::totals::stored_totals;
use crate::journal::{JournalError, Store};
use crate::settle;
use crate::switch::Resolution;

impl World<'_> {
    /// Holds all books against each other.
    pub(super) fn close(&mut self) {
        let Some(daemon) = &mut self.daemon else {
            return self.auditor.object(6, || "the process did not come up again".to_owned());
        };
        if let Err(error) = daemon.sync() {
            return self.auditor.object(0, || format!("the last sync failed: {error}"));
        }
        let (store, settled, today) = (daemon.store().clone(), daemon.is_settled(), daemon.date());
        if !settled || !self.disk.durable(b"D").is_empty() {
            let open = self.still_open();
            self.auditor.object(6, || format!("the faults have long stopped, and {open}"));
        }
        let beliefs = self.deals.iter().map(|deal| (deal.key.clone(), belief(deal))).collect();
        self.auditor.closes(&beliefs, &self.disk);
        if let Err(error) = self.totals(&store, today, &beliefs) {
            self.auditor.object(4, || format!("the totals cannot be read: {error}"));
        }
        if let Err(error) = self.told_totals(&store, today) {
            self.auditor.object(4, || format!("our totals cannot be read: {error}"));
        }
        match self.scrolls(&store, today) {
            Ok(lines) => self.auditor.reads_scrolls(&lines, &self.disk),
            Err(error) => self.auditor.object(4, || format!("the scrolls cannot be read: {error}")),
        }
        if let Err(error) = store.verify(&mut |_| ()) {
            self.auditor.object(2, || format!("the journal is not whole: {error}"));
        }
        let books = self.site.billers.iter().filter(|biller| biller.manner == Manner::Book);
        let books: Vec<_> = books.map(|biller| biller.code).collect();
        if let Err(error) = settle::audit(&store, &books) {
            self.auditor.object(4, || format!("journal and book disagree: {error}"));
        }
        for (key, value) in self.disk.durable(b"T") {
            self.history.weigh(&key);
            self.history.weigh(&value);
        }
    }

    /// Why a run has not come to its end.
    fn still_open(&self) -> String {
        let due = self.disk.durable(b"D");
        // When it is due, eight bytes, then whose it is.
        let names =
            due.iter().take(3).map(|(key, _)| String::from_utf8_lossy(key.get(9..).unwrap_or_default()));
        let names: Vec<_> = names.map(|name| name.replace('\u{1f}', " ")).collect();
        let unsettled = self.daemon.as_ref().map_or_else(String::new, super::Daemon::unsettled);
        let (count, names) = (due.len(), names.join(", "));
        format!(
            "{count} payments are due ({names}); {unsettled}; {} of the acquirers' are open",
            self.open_deals
        )
    }

    /// Lets people look after what was left to them, once; says whether there was anything. They look at the biller's own
    /// list, or have the switch ask once more.
    pub(super) fn resolves(&mut self) -> bool {
        if std::mem::replace(&mut self.resolved, true) {
            return false;
        }
        let keys: Vec<Vec<u8>> = self.deals.iter().map(|deal| deal.key.clone()).collect();
        let mut any = false;
        for key in keys {
            let mut dice = self.dice(&[9, number_of(&key)]);
            let Some(handed) = self.auditor.hands_over(&key, &self.disk) else { continue };
            // The question that people are asked is whether the part was given back, where one is wanted.
            let part = self.daemon.as_ref().and_then(|daemon| {
                let payment = find(daemon.store(), &PaymentKey::from_stored(&key)).ok().flatten()?;
                payment.wanted_part().map(|_| ())
            });
            let stands = if part.is_some() { !handed.given_back } else { handed.stands };
            let resolution = match (dice.below(3), stands) {
                (0, _) => Resolution::Again,
                (_, true) => Resolution::Stands,
                (_, false) => Resolution::Undone,
            };
            any = true;
            self.note(|| format!("people resolve {}: {resolution:?}", String::from_utf8_lossy(&key)));
            self.input(Input::Resolve(PaymentKey::from_stored(&key), resolution));
        }
        any
    }

    /// Holds the totals that the store keeps against its legs, and against what was paid over each link.
    fn totals(
        &mut self,
        store: &Store,
        today: BusinessDate,
        beliefs: &BTreeMap<Vec<u8>, Belief>,
    ) -> Result<(), JournalError> {
        let legs = settle::totals_of_legs(store)?;
        for link in &self.site.links {
            let mut net = 0_i128;
            let mut date = super::Site::first_date();
            while date <= today {
                let (stored, _) = stored_totals(store, *link, date)?;
                let counted = legs.get(&(date, *link)).copied().unwrap_or_default();
                if stored != counted {
                    self.auditor.object(4, || {
                        format!("the totals of {link} on {date} are {stored:?}, by the legs {counted:?}")
                    });
                }
                net = net.saturating_add(stored.debits.amount.into());
                net = net.saturating_sub(stored.debit_reversals.amount.into());
                date = date.next();
            }
            self.auditor.reads_totals(link.as_str(), net, beliefs, &self.disk);
        }
        Ok(())
    }

    /// Every line of every scroll.
    fn scrolls(&self, store: &Store, today: BusinessDate) -> Result<Lines, JournalError> {
        let mut lines = BTreeMap::new();
        let mut date = super::Site::first_date();
        while date <= today {
            for biller in &self.site.billers {
                for line in settle::scroll(store, biller.code, date)? {
                    let heads = line.heads.iter();
                    let heads = heads.map(|part| (part.head.to_string(), part.amount.minor())).collect();
                    lines.insert(line.rrn.to_string(), (date.to_string(), line.amount.minor(), heads));
                }
            }
            date = date.next();
        }
        Ok(lines)
    }
}

fn belief(deal: &Deal) -> Belief {
    if deal.denied {
        return Belief::WithPeople;
    }
    match (&deal.outcome, deal.reversed) {
        (_, true) => Belief::NotPaid,
        (Some(code), false) if code == "00" => Belief::Paid,
        (Some(_), false) => Belief::NotPaid,
        (None, false) => Belief::Unsure,
    }
}
