//! Orders whose answers are awaited: found by what identifies an answer, never by order or trace number alone.

use std::collections::{BTreeMap, HashMap};

use super::Awaited;
use crate::clock::Ticks;
use crate::profile::{AnswerKey, Identity};
use crate::switch::LATE_REPLY_MS;

/// Orders of which an answer is awaited in time, at most: the next is not sent.
pub(super) const AWAITED_MAX: usize = 65_536;
/// Orders of which only a late answer may still come, at most: the oldest is forgotten for the next.
const LATE_MAX: usize = 65_536;

/// All that has left for one host.
#[derive(Default)]
pub(super) struct Awaiting {
    orders: HashMap<AnswerKey, (u64, Awaited)>,
    /// When each is overdue, or forgotten.
    deadlines: BTreeMap<(Ticks, u64), AnswerKey>,
    /// Those that are awaited in time.
    live: usize,
    serial: u64,
}

/// Why an order must not be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refused {
    /// Too much is awaited.
    Full,
    /// An answer to it could be taken for the answer to another order.
    Ambiguous,
}

impl Awaiting {
    /// Whether an order may be sent.
    pub(super) fn admits(&self, awaited: &Awaited) -> Result<(), Refused> {
        match self.orders.get(&awaited.key()) {
            Some((_, other)) if other.subject != awaited.subject => Err(Refused::Ambiguous),
            Some(_) => Ok(()),
            None if self.live >= AWAITED_MAX => Err(Refused::Full),
            None => Ok(()),
        }
    }

    /// Awaits an answer from now on. A repeat takes the place of what it repeats: one answer serves both.
    pub(super) fn add(&mut self, awaited: Awaited) {
        let key = awaited.key();
        self.remove(&key);
        self.serial = self.serial.wrapping_add(1);
        self.deadlines.insert((awaited.until, self.serial), key);
        self.live = self.live.saturating_add(1);
        self.orders.insert(key, (self.serial, awaited));
    }

    /// Goes on listening for an order that has been answered: what declines it may be followed by an approval.
    pub(super) fn listen_on(&mut self, awaited: Awaited, until: Ticks) {
        let key = awaited.key();
        if awaited.reply.is_some() || self.orders.contains_key(&key) {
            return;
        }
        self.serial = self.serial.wrapping_add(1);
        self.deadlines.insert((until, self.serial), key);
        self.orders.insert(key, (self.serial, Awaited { until, ..awaited }));
        self.forget_oldest();
    }

    /// The order that an answer is to; nothing if it answers none.
    pub(super) fn answered(&mut self, answer: &Identity) -> Option<Awaited> {
        let (_, awaited) = self.orders.get(&answer.key)?;
        if awaited.identity.is_answered_by(answer) { self.remove(&answer.key) } else { None }
    }

    /// Orders that are overdue by now: each is from here on listened for as a late one. What has been listened for long
    /// enough is forgotten.
    pub(super) fn overdue(&mut self, now: Ticks) -> Vec<crate::biller::Reply> {
        let mut overdue = Vec::new();
        while let Some(first) = self.deadlines.first_entry() {
            if first.key().0 > now {
                break;
            }
            let key = first.remove();
            let Some((serial, awaited)) = self.orders.get_mut(&key) else { continue };
            match awaited.reply.take() {
                None => drop(self.orders.remove(&key)),
                Some(reply) => {
                    overdue.push(reply);
                    self.live = self.live.saturating_sub(1);
                    let until = now.after_ms(LATE_REPLY_MS);
                    awaited.until = until;
                    self.deadlines.insert((until, *serial), key);
                }
            }
        }
        self.forget_oldest();
        overdue
    }

    /// Everything that left by a connection which has ended: the host may have got it. Late answers are listened for as long
    /// as behind a deadline: they may still come, by another connection.
    pub(super) fn ended(
        &mut self,
        connection: u64,
        now: Ticks,
    ) -> Vec<(crate::switch::LegId, crate::biller::Reply)> {
        let mut gone = Vec::new();
        let until = now.after_ms(LATE_REPLY_MS);
        for (key, (serial, awaited)) in &mut self.orders {
            if awaited.connection == connection
                && let Some(reply) = awaited.reply.take()
            {
                gone.push((awaited.leg, reply));
                self.deadlines.remove(&(awaited.until, *serial));
                self.deadlines.insert((until, *serial), *key);
                awaited.until = until;
            }
        }
        self.live = self.live.saturating_sub(gone.len());
        self.forget_oldest();
        gone
    }

    /// Whether an answer is awaited in time of what left by a connection.
    pub(super) fn awaits(&self, connection: u64) -> bool {
        self.orders.values().any(|(_, awaited)| awaited.connection == connection && awaited.reply.is_some())
    }

    /// How many answers are awaited in time.
    pub(super) const fn live(&self) -> usize {
        self.live
    }

    fn remove(&mut self, key: &AnswerKey) -> Option<Awaited> {
        let (serial, awaited) = self.orders.remove(key)?;
        self.deadlines.remove(&(awaited.until, serial));
        if awaited.reply.is_some() {
            self.live = self.live.saturating_sub(1);
        }
        Some(awaited)
    }

    fn forget_oldest(&mut self) {
        while self.orders.len().saturating_sub(self.live) > LATE_MAX {
            let late =
                |key: &AnswerKey| self.orders.get(key).is_some_and(|(_, awaited)| awaited.reply.is_none());
            let Some(key) = self.deadlines.values().find(|key| late(key)).copied() else { return };
            self.remove(&key);
        }
    }
}
