//! The pace at which what is owed goes out, and that nothing new is begun while the disk is almost full.

use std::collections::VecDeque;

use super::{Account, Auditor, Ordered};
use crate::ids::BillerCode;

/// More may leave at once than the pace says, for a slow commit holds up some turns: as many as wait for it, and what is due
/// when it is over.
const HELD_UP: usize = 8;

/// When orders that were owed have left for a biller, of the latest second.
pub(super) type Paces = std::collections::BTreeMap<BillerCode, VecDeque<u64>>;

impl Auditor {
    /// Whether the process has been told that its disk is almost full.
    pub(in crate::sim::world) const fn disk_is(&mut self, low: bool) {
        self.disk_low = low;
    }

    /// A payment is asked for: what counts is the disk at the time it was last asked for.
    pub(super) fn begins(&mut self, key: &[u8]) {
        let low = self.disk_low;
        if let Some(account) = self.accounts.get_mut(key).filter(|account| account.told.is_none()) {
            account.asked_while_low =
                low && account.ordered.is_none() && (account.asked_while_low || !account.asked);
            account.asked = true;
        }
    }

    /// A payment was approved that was asked for only while the disk was almost full, which it still is.
    pub(super) fn begun_on_a_full_disk(&self, account: &Account) -> bool {
        self.disk_low && account.asked_while_low
    }

    /// An order leaves that was owed, and that no acquirer waits for.
    pub(super) fn paces(&mut self, ordered: &Ordered) {
        let Some(account) = self.accounts.get(&ordered.key) else { return };
        if !ordered.owed || account.bought.asked_back {
            return;
        }
        let (now_ms, biller) = (self.now_ms, account.bought.biller);
        let latest = self.paces.entry(biller).or_default();
        while latest.front().is_some_and(|at| at.saturating_add(1_000) <= now_ms) {
            latest.pop_front();
        }
        latest.push_back(now_ms);
        let left = latest.len();
        let most = self.files_since(now_ms.saturating_sub(1_000)).map(|file| file.per_second).max();
        let most = usize::try_from(most.unwrap_or_default()).unwrap_or_default();
        self.hold(6, left <= most.saturating_add(HELD_UP), || {
            format!("{left} orders that were owed left for {biller} within a second")
        });
    }
}
