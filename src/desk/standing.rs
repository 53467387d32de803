//! What stands in the store beside payments and bills: the business date, blocked billers, the count of receipts.

use std::collections::BTreeSet;

use crate::biller::book::Receipts;
use crate::clock::UnixMillis;
use crate::ids::{BillerCode, BusinessDate, LinkName};
use crate::journal::{JournalError, Store};
use crate::switch::Switch;

const DATE_KEY: &[u8] = b"Odate";
const CUT_OVER_KEY: &[u8] = b"Ocutover";
const BLOCKED_PREFIX: &[u8] = b"Oblocked";
const KEYS_PREFIX: &[u8] = b"Omac";
const RECEIPTS_KEY: &[u8] = b"Oreceipts";

/// The state of a store that outlives the process.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The business date.
    pub date: BusinessDate,
    /// When it last moved; none if it never has.
    pub cut_over_at: Option<UnixMillis>,
    /// Billers the operator has blocked.
    pub blocked: BTreeSet<BillerCode>,
    /// Receipt numbers issued.
    pub receipts: Receipts,
}

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

impl Standing {
    /// The business date of a store; none if it has not been served from yet.
    ///
    /// # Errors
    ///
    /// As [`Standing::load`].
    pub fn date(store: &Store) -> Result<Option<BusinessDate>, JournalError> {
        let date = store.get(DATE_KEY)?;
        let broken = |_| JournalError::Leg { sequence: None };
        date.map(|date| postcard::from_bytes(&date).map_err(broken)).transpose()
    }

    /// Reads what stands in a store; a new one is on the date that `first_date` gives.
    ///
    /// # Errors
    ///
    /// [`JournalError`] if the store cannot be read, or holds what is none of it.
    pub fn load(store: &Store, first_date: impl FnOnce() -> BusinessDate) -> Result<Self, JournalError> {
        let date = Self::date(store)?.unwrap_or_else(first_date);
        let receipts = match store.get(RECEIPTS_KEY)? {
            Some(receipts) => {
                postcard::from_bytes(&receipts).map_err(|_| JournalError::Leg { sequence: None })?
            }
            None => Receipts::starting_on(date),
        };
        let mut blocked = BTreeSet::new();
        for entry in store.scan(BLOCKED_PREFIX) {
            let (key, value) = entry?;
            if *value == *b"1" {
                let code = key.get(BLOCKED_PREFIX.len()..).unwrap_or_default();
                blocked.insert(BillerCode::new(code).map_err(|_| JournalError::Leg { sequence: None })?);
            }
        }
        let cut_over_at = store.get(CUT_OVER_KEY)?.map(|at| postcard::from_bytes(&at));
        let cut_over_at = cut_over_at.transpose().map_err(|_| JournalError::Leg { sequence: None })?;
        Ok(Self { date, cut_over_at, blocked, receipts })
    }

    /// The entry for the business date.
    #[must_use]
    pub fn date_entry(date: BusinessDate) -> Entry {
        (DATE_KEY.to_vec(), postcard::to_allocvec(&date).unwrap_or_default())
    }

    /// The entry for the time at which the date moved.
    #[must_use]
    pub fn cut_over_entry(at: UnixMillis) -> Entry {
        (CUT_OVER_KEY.to_vec(), postcard::to_allocvec(&at).unwrap_or_default())
    }

    /// Takes up where the process before has left off: by the wall clock, for no other runs from one process to the next.
    #[must_use]
    pub fn resume(&self, switch: Switch, wall: UnixMillis) -> Switch {
        match self.cut_over_at {
            Some(at) => switch.cut_over_before(wall.0.saturating_sub(at.0)),
            None => switch,
        }
    }

    /// The entry for a biller's being blocked or not.
    #[must_use]
    pub fn blocked_entry(biller: BillerCode, blocked: bool) -> Entry {
        let flag: &[u8] = if blocked { b"1" } else { b"0" };
        ([BLOCKED_PREFIX, biller.as_bytes()].concat(), flag.to_vec())
    }

    /// The entry for a link's MAC keys, sealed.
    #[must_use]
    pub fn keys_entry(link: &LinkName, sealed: &[u8]) -> Entry {
        ([KEYS_PREFIX, link.as_bytes()].concat(), sealed.to_vec())
    }

    /// A link's MAC keys, as [`Standing::keys_entry`] has them; none if none came since the link was made.
    ///
    /// # Errors
    ///
    /// [`JournalError`] if the store cannot be read.
    pub fn keys_of(store: &Store, link: &LinkName) -> Result<Option<Vec<u8>>, JournalError> {
        Ok(store.get(&[KEYS_PREFIX, link.as_bytes()].concat())?.map(|sealed| sealed.to_vec()))
    }

    /// The entry for the count of receipts.
    #[must_use]
    pub fn receipts_entry(receipts: Receipts) -> Entry {
        (RECEIPTS_KEY.to_vec(), postcard::to_allocvec(&receipts).unwrap_or_default())
    }
}
