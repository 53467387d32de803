//! Our own totals, as the acquirers are told them.

use std::collections::btree_map::Entry;

use super::Auditor;
use crate::switch::SendTotals;

impl Auditor {
    /// Our totals leave for a link. Whatever happens in between, a date's are the same each time; and only what was never told
    /// is told for the first time.
    pub(in super::super) fn sends_totals(&mut self, totals: &SendTotals) {
        match self.told.entry((totals.link, totals.date)) {
            Entry::Vacant(first) => drop(first.insert(*totals)),
            Entry::Occupied(first) => {
                let first = *first.get();
                let same = (totals.ours, totals.at) == (first.ours, first.at);
                self.hold(2, same && totals.again, || {
                    format!("{} was told {first:?}, and then {totals:?}", totals.link)
                });
            }
        }
    }
}
