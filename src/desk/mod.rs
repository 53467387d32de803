//! The desk at which the switch works: what a turn gathers, and what of earlier turns the store does not show yet. The
//! server puts threads and sockets around it, the simulation a clock and a disk of its own.

mod bills;
mod core;
mod macs;
mod reading;
mod standing;
mod totals;

use std::collections::{BTreeMap, HashMap, VecDeque};

pub use self::core::{Core, Leaving, Watch};
pub use bills::{BookDone, BookWork, import_rows, work};
pub use macs::{KeyText, LinkMac, NoMac};
pub use reading::{read, stray};
pub use standing::{Entry, Standing};

use crate::biller::book::Shelf;
use crate::ids::PaymentKey;
use crate::journal::{JournalError, Store, Turn, Write, ledger, totals as kept_totals};
use crate::switch::{Payment, Prior, Record, State};

/// The engine's view of the store: what is committed, under what is on its way there, under what this turn has done.
#[derive(Debug)]
pub struct Desk {
    store: Store,
    /// Number of the turn being gathered.
    turn: u64,
    /// Sequence of the turn's first leg.
    first_sequence: u64,
    legs: Vec<Vec<u8>>,
    writes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// What the working store lets go of, before all other writes of the turn.
    unload: Vec<Write>,
    moves_money: bool,
    /// Payments that this turn has changed.
    changed: Vec<PaymentKey>,
    /// Payments of turns not known to be committed, with the turn that last changed each.
    payments: HashMap<PaymentKey, (u64, Payment)>,
    /// Other values of such turns.
    values: HashMap<Vec<u8>, (u64, Vec<u8>)>,
    /// What each of those turns changed.
    on_the_way: VecDeque<(u64, Vec<PaymentKey>, Vec<Vec<u8>>)>,
}

impl Desk {
    /// A desk with nothing on it.
    #[must_use]
    pub fn new(store: Store) -> Self {
        let first_sequence = store.next_sequence();
        Self {
            store,
            turn: 1,
            first_sequence,
            legs: Vec::new(),
            writes: BTreeMap::new(),
            unload: Vec::new(),
            moves_money: false,
            changed: Vec::new(),
            payments: HashMap::new(),
            values: HashMap::new(),
            on_the_way: VecDeque::new(),
        }
    }

    /// Adds a record to the turn.
    ///
    /// # Errors
    ///
    /// [`JournalError::Leg`] if it cannot be written down; another, if the totals it adds to cannot be read.
    pub fn record(&mut self, record: &Record) -> Result<(), JournalError> {
        let before = u64::try_from(self.legs.len()).unwrap_or(u64::MAX);
        let sequence = self.first_sequence.saturating_add(before);
        self.legs.push(ledger::to_leg(record)?);
        ledger::index(record, sequence, |write| match write {
            Write::Put { key, value } => drop(self.writes.insert(key, Some(value))),
            Write::Delete { key } => drop(self.writes.insert(key, None)),
            write @ (Write::DeleteIf { .. } | Write::Forget { .. }) => self.unload.push(write),
        });
        if let Some(counted) = &record.counted {
            self.count(record.link, counted)?;
        }
        if let Some((key, value)) = kept_totals::entry(record) {
            self.put(key, value);
        }
        if let Some(payment) = &record.payment {
            self.changed.push(payment.key.clone());
            self.payments.insert(payment.key.clone(), (self.turn, (**payment).clone()));
        }
        self.moves_money |= record.moves_money();
        Ok(())
    }

    /// Sets a value with the turn, which must then be on disk before anything of it leaves.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.writes.insert(key, Some(value));
        self.moves_money = true;
    }

    /// Has the working store let go of what a sealed segment holds. No money depends on it.
    pub fn unload(&mut self, writes: Vec<Write>) {
        self.unload.extend(writes);
    }

    /// What is known under a payment's key; for a reversal also whether another link has such a payment.
    ///
    /// # Errors
    ///
    /// [`JournalError`] if the store cannot be read.
    pub fn prior(&self, key: &PaymentKey, or_elsewhere: bool) -> Result<Prior, JournalError> {
        if let Some((_, payment)) = self.payments.get(key) {
            return Ok(Prior::Known(Box::new(payment.clone())));
        }
        if let Some(payment) = ledger::find(&self.store, key)? {
            return Ok(Prior::Known(Box::new(payment)));
        }
        let elsewhere = or_elsewhere && self.is_elsewhere(key)?;
        Ok(if elsewhere { Prior::SomebodyElses } else { Prior::Unknown })
    }

    fn is_elsewhere(&self, key: &PaymentKey) -> Result<bool, JournalError> {
        let like = |(_, payment): &(u64, Payment)| {
            payment.state != State::ReversedFirst && payment.key.without_link() == key.without_link()
        };
        Ok(self.payments.values().any(like) || ledger::is_somebody_elses(&self.store, key)?)
    }

    /// The turn as gathered, if there is anything in it; the next begins.
    pub fn take_turn(&mut self) -> Option<Turn> {
        if self.legs.is_empty() && self.writes.is_empty() && self.unload.is_empty() {
            return None;
        }
        let legs = std::mem::take(&mut self.legs);
        let number = self.turn;
        self.turn = self.turn.saturating_add(1);
        let first_sequence = self.first_sequence;
        self.first_sequence = first_sequence.saturating_add(u64::try_from(legs.len()).unwrap_or(u64::MAX));
        let mut keys = Vec::new();
        let mut writes = std::mem::take(&mut self.unload);
        writes.reserve(self.writes.len());
        for (key, value) in std::mem::take(&mut self.writes) {
            match value {
                None => writes.push(Write::Delete { key }),
                Some(value) => {
                    if !ledger::is_index(&key) {
                        self.values.insert(key.clone(), (number, value.clone()));
                        keys.push(key.clone());
                    }
                    writes.push(Write::Put { key, value });
                }
            }
        }
        self.on_the_way.push_back((number, std::mem::take(&mut self.changed), keys));
        Some(Turn { first_sequence, legs, writes, moves_money: std::mem::take(&mut self.moves_money) })
    }

    /// A turn of nothing: it keeps its place behind those before it.
    #[must_use]
    pub fn empty_turn(&mut self) -> Turn {
        self.on_the_way.push_back((self.turn, Vec::new(), Vec::new()));
        self.turn = self.turn.saturating_add(1);
        Turn { first_sequence: self.first_sequence, ..Turn::default() }
    }

    /// Forgets what the store shows by now: all turns up to number `committed`.
    pub fn forget(&mut self, committed: u64) {
        while self.on_the_way.front().is_some_and(|(turn, ..)| *turn <= committed) {
            let Some((turn, payments, keys)) = self.on_the_way.pop_front() else { return };
            for key in payments {
                if self.payments.get(&key).is_some_and(|(last, _)| *last == turn) {
                    self.payments.remove(&key);
                }
            }
            for key in keys {
                if self.values.get(&key).is_some_and(|(last, _)| *last == turn) {
                    self.values.remove(&key);
                }
            }
        }
    }
}

impl Shelf for Desk {
    type Error = JournalError;

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, JournalError> {
        if let Some(value) = self.writes.get(key) {
            return Ok(value.clone());
        }
        if let Some((_, value)) = self.values.get(key) {
            return Ok(Some(value.clone()));
        }
        Ok(self.store.get(key)?.map(|value| value.to_vec()))
    }

    fn write(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.put(key, value);
    }
}
