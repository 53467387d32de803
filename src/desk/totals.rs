//! The totals of each link and date, as they stand in the store: a leg that adds to them does so in its own turn, so that
//! they are there after a restart without the journal being read. Beside them what the link last said it had.
//!
//! `Ototals` and `Oreconciled`, each followed by the day's number and the link's name; `Oclosed`: the date last closed.

use std::collections::BTreeMap;

use super::{Desk, Entry};
use crate::biller::book::Shelf;
use crate::ids::{BusinessDate, LinkName};
use crate::journal::{JournalError, Store};
use crate::switch::{Counted, Reconciled, Record, Totals, TotalsRequest, What, reconciled_date};

const TOTALS_PREFIX: &[u8] = b"Ototals";
const RECONCILED_PREFIX: &[u8] = b"Oreconciled";
/// The date that was last closed by a cutover.
const CLOSED_KEY: &[u8] = b"Oclosed";

impl Desk {
    /// Looks up what an acquirer's totals are to be held against.
    ///
    /// # Errors
    ///
    /// [`JournalError`] if the store cannot be read.
    pub(super) fn look_up_totals(
        &self,
        link: LinkName,
        today: BusinessDate,
        request: &mut TotalsRequest,
    ) -> Result<(), JournalError> {
        let closed = self.read(CLOSED_KEY)?.map(|date| read(&date)).transpose()?;
        let date = reconciled_date(today, closed, request.date);
        request.ours =
            date.map(|date| Ok::<_, JournalError>((date, self.totals(link, date)?))).transpose()?;
        Ok(())
    }

    fn totals(&self, link: LinkName, date: BusinessDate) -> Result<Totals, JournalError> {
        self.read(&key(TOTALS_PREFIX, date, link))?.map_or(Ok(Totals::default()), |totals| read(&totals))
    }

    /// Adds what a leg adds.
    pub(super) fn count(&mut self, link: LinkName, counted: &Counted) -> Result<(), JournalError> {
        let mut totals = self.totals(link, counted.date)?;
        totals.count(counted);
        self.put(key(TOTALS_PREFIX, counted.date, link), written(&totals));
        Ok(())
    }
}

/// The entry that a record makes beside payments and totals, if it makes one.
pub(super) fn entry(record: &Record) -> Option<Entry> {
    if record.what == What::CutOver {
        Some((CLOSED_KEY.to_vec(), written(&record.date.previous())))
    } else if let What::Reconciled(reconciled) = &record.what {
        Some((key(RECONCILED_PREFIX, reconciled.date, record.link), written(&**reconciled)))
    } else {
        None
    }
}

/// What a store has for a link and a date.
///
/// # Errors
///
/// [`JournalError`] if it cannot be read.
pub fn stored_totals(
    store: &Store,
    link: LinkName,
    date: BusinessDate,
) -> Result<(Totals, Option<Reconciled>), JournalError> {
    let totals = store.get(&key(TOTALS_PREFIX, date, link))?;
    let reconciled = store.get(&key(RECONCILED_PREFIX, date, link))?;
    let totals = totals.map_or(Ok(Totals::default()), |totals| read(&totals))?;
    Ok((totals, reconciled.map(|reconciled| read(&reconciled)).transpose()?))
}

/// What a store has for every link and date.
///
/// # Errors
///
/// [`JournalError`] if it cannot be read, or holds what is none of it.
pub fn all_totals(store: &Store) -> Result<BTreeMap<(BusinessDate, LinkName), Totals>, JournalError> {
    let mut all = BTreeMap::new();
    for entry in store.scan(TOTALS_PREFIX) {
        let (key, value) = entry?;
        let of = date_and_link(key.get(TOTALS_PREFIX.len()..).unwrap_or_default());
        all.insert(of.ok_or(JournalError::Leg { sequence: None })?, read(&value)?);
    }
    Ok(all)
}

/// What stands in a key behind its prefix.
fn date_and_link(rest: &[u8]) -> Option<(BusinessDate, LinkName)> {
    let (day, link) = rest.split_first_chunk()?;
    let date = BusinessDate::from_day_number(i32::from_be_bytes(*day)).ok()?;
    Some((date, LinkName::new(link).ok()?))
}

fn key(prefix: &[u8], date: BusinessDate, link: LinkName) -> Vec<u8> {
    [prefix, &date.day_number().to_be_bytes(), link.as_bytes()].concat()
}

fn written<T: serde::Serialize>(value: &T) -> Vec<u8> {
    // Numbers and dates: there is nothing that could not be written.
    postcard::to_allocvec(value).unwrap_or_default()
}

fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, JournalError> {
    postcard::from_bytes(bytes).map_err(|_| JournalError::Leg { sequence: None })
}
