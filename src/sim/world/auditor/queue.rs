//! What is owed goes out from the oldest on; and once nothing is in its way any more, all of it does.

use std::collections::{BTreeMap, BTreeSet};

use super::{Account, Auditor, is_due};
use crate::ids::BillerCode;
use crate::journal::MemoryDisk;
use crate::sim::world::file::FORWARD_IN_FLIGHT_MAX;
use crate::sim::world::site::REPLY_TIMEOUT_MS;

/// Beside the pace: pauses between orders that failed, and a process that is just starting.
const SLACK_MS: u64 = 45_000;

/// Payments whose acquirers have been told what makes them owed an order, by when; each until its first order has left.
pub(super) type Owed = BTreeMap<BillerCode, BTreeSet<(u64, Vec<u8>)>>;

/// What was owed when the faults stopped.
pub(super) type Drained = Vec<(Vec<u8>, (bool, usize))>;

impl Auditor {
    /// The clock that orders what is owed over a restart has been set.
    pub(in crate::sim::world) const fn clock_set(&mut self) {
        self.clock_set = true;
    }

    /// An answer leaves that makes a payment owed an order, if anything still is about it.
    pub(super) fn is_owed(&mut self, key: &[u8]) {
        let is_news = |account: &&Account| !account.bought.looked_up && !account.forwarded;
        if let Some(account) = self.accounts.get(key).filter(is_news) {
            self.owed.entry(account.bought.biller).or_default().insert((self.now_ms, key.to_vec()));
        }
    }

    /// An order that was owed leaves: nothing may still wait for its first one that was owed before this one was asked for.
    pub(super) fn is_in_turn(&mut self, key: &[u8], disk: &MemoryDisk) {
        let Some(account) = self.accounts.get_mut(key) else { return };
        account.forwarded = true;
        let Account { ref bought, asked_at_ms, .. } = *account;
        let (rrn, asked_at_ms) = (account.rrn(), asked_at_ms.unwrap_or(0));
        let passes = bought.asked_back || bought.looked_up || self.clock_set;
        let Some(owed) = self.owed.get_mut(&bought.biller) else { return };
        owed.retain(|(_, other)| other != key);
        while let Some((since_ms, other)) = owed.first().filter(|(since_ms, _)| *since_ms < asked_at_ms) {
            if !passes && is_due(disk, other) {
                let (since_ms, other) = (*since_ms, other.clone());
                let other = self.accounts.get(&other).map_or(0, Account::rrn);
                return self.object(6, || {
                    format!("payment {rrn} went out before payment {other}, owed since {since_ms} ms")
                });
            }
            if passes {
                return;
            }
            owed.pop_first();
        }
    }

    /// The faults have stopped. Gives how long it may take until all that is owed now has gone out; `bad` says about which
    /// payments the biller says nothing even now.
    pub(in crate::sim::world) fn heals(&mut self, disk: &MemoryDisk, bad: impl Fn(&[u8]) -> bool) -> u64 {
        let due = |(key, account): &(&Vec<u8>, &Account)| !account.bought.embedded && is_due(disk, key);
        let due = self.accounts.iter().filter(due);
        self.drained = due.map(|(key, account)| (key.clone(), account.asked_back())).collect();
        self.owed_at_heal = self.drained.len();
        let silent = self.drained.iter().filter(|(key, _)| bad(key)).count();
        let (all, silent) = (count(self.drained.len()), count(silent));
        self.drained.retain(|(key, _)| !bad(key));
        let per_second = self.files.last().map_or(1, |(_, file)| file.per_second);
        let paced = all.saturating_mul(1_000).div_ceil(per_second.into());
        let held_up =
            silent.saturating_mul(REPLY_TIMEOUT_MS.saturating_mul(7)).div_ceil(FORWARD_IN_FLIGHT_MAX.into());
        paced.saturating_add(held_up).saturating_add(SLACK_MS)
    }

    /// Payments that were owed an order then.
    pub(in crate::sim::world) const fn owed_at_heal(&self) -> usize {
        self.owed_at_heal
    }

    /// That time is over.
    pub(in crate::sim::world) fn has_drained(&mut self, disk: &MemoryDisk) {
        let drained = std::mem::take(&mut self.drained);
        // One that was wanted back since is owed anew.
        let same = |key: &[u8], wanted| {
            self.accounts.get(key).is_some_and(|account| account.asked_back() == wanted && !account.resolved)
        };
        let left: Vec<_> =
            drained.iter().filter(|(key, wanted)| same(key, *wanted) && is_due(disk, key)).collect();
        if let Some((key, _)) = left.first() {
            let rrn = self.accounts.get(key).map_or(0, Account::rrn);
            let (left, of) = (left.len(), drained.len());
            self.object(6, || {
                format!("{left} of {of} payments, {rrn} among them, are still owed an order that nothing is in the way of")
            });
        }
    }
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
