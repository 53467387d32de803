//! What the store keeps of totals: those of each link and date, beside them what the link last said it had, and ours as it
//! was sent them. All of it can be made anew from the legs.
//!
//! `Ototals`, `Oreconciled` and `Osent`, each followed by the day's number and the link's name; `Oclosed`: the date last
//! closed.

use std::collections::BTreeMap;

use super::{JournalError, Store};
use crate::ids::{BusinessDate, LinkName};
use crate::switch::{Closing, Reconciled, Record, Totals, What};

const TOTALS_PREFIX: &[u8] = b"Ototals";
const RECONCILED_PREFIX: &[u8] = b"Oreconciled";
/// Ours, as they were sent or are to be.
const CLOSING_PREFIX: &[u8] = b"Osent";
/// Under this is the date that was last closed by a cutover.
pub const CLOSED_KEY: &[u8] = b"Oclosed";

/// The key of the totals of a link and a date.
#[must_use]
pub fn totals_key(date: BusinessDate, link: LinkName) -> Vec<u8> {
    key(TOTALS_PREFIX, date, link)
}

/// The entry that a record makes beside payments and totals, if it makes one.
#[must_use]
pub fn entry(record: &Record) -> Option<(Vec<u8>, Vec<u8>)> {
    if record.what == What::CutOver {
        Some((CLOSED_KEY.to_vec(), written(&record.date.previous())))
    } else if let What::Reconciled(reconciled) = &record.what {
        Some((key(RECONCILED_PREFIX, reconciled.date, record.link), written(&**reconciled)))
    } else if let What::Closing(closing) = &record.what {
        Some((key(CLOSING_PREFIX, closing.date, record.link), written(&**closing)))
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

/// How our own totals of a date stand with a link; none if it is not to have them.
///
/// # Errors
///
/// [`JournalError`] if that cannot be read.
pub fn stored_closing(
    store: &Store,
    link: LinkName,
    date: BusinessDate,
) -> Result<Option<Closing>, JournalError> {
    store.get(&key(CLOSING_PREFIX, date, link))?.map(|closing| read(&closing)).transpose()
}

/// Our own totals that are still owed to their links, from the oldest on.
///
/// # Errors
///
/// As [`all_totals`].
pub fn open_closings(store: &Store) -> Result<Vec<(LinkName, Closing)>, JournalError> {
    let mut open = Vec::new();
    for entry in store.scan(CLOSING_PREFIX) {
        let (key, value) = entry?;
        let of = date_and_link(key.get(CLOSING_PREFIX.len()..).unwrap_or_default());
        let (_, link) = of.ok_or(JournalError::Leg { sequence: None })?;
        let closing: Closing = read(&value)?;
        if closing.end.is_none() {
            open.push((link, closing));
        }
    }
    Ok(open)
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

/// A value as it is stored.
#[must_use]
pub fn written<T: serde::Serialize>(value: &T) -> Vec<u8> {
    // Numbers and dates: there is nothing that could not be written.
    postcard::to_allocvec(value).unwrap_or_default()
}

/// A stored value.
///
/// # Errors
///
/// [`JournalError::Leg`] if it is none.
pub fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, JournalError> {
    postcard::from_bytes(bytes).map_err(|_| JournalError::Leg { sequence: None })
}
