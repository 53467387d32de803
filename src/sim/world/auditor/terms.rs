//! What the operator's file says at a time: taken over whole, or not at all.

use super::{Account, Auditor, Bought, Ordered};
use crate::sim::world::file::File;
use crate::sim::world::frames::Heard;
use crate::sim::world::site::{REPLY_TIMEOUT_MS, limits, takes_parts};

/// A new file is in force once its turn is durable; what was decided before that may still be on its way for as long as two
/// slow commits take.
const SETTLED_MS: u64 = 7_000;

impl Bought {
    /// Whether its amount is one that is taken of its bill. One that is made already is the department's to refuse, but for what
    /// its bill says.
    pub(super) fn is_taken(&self) -> bool {
        let ruled = self.by_bill || !self.advice;
        self.limits.filter(|_| ruled).is_none_or(|(least, most)| (least..=most).contains(&self.debits))
    }
}

impl Auditor {
    /// The operator has a sound file read.
    pub(in crate::sim::world) fn configured(&mut self, file: &File) {
        self.files.push((self.now_ms, *file));
    }

    /// Files of which something may still be in force that was decided at `since_ms` or later.
    pub(super) fn files_since(&self, since_ms: u64) -> impl Iterator<Item = &File> {
        let until = |at: usize| self.files.get(at.saturating_add(1)).map_or(u64::MAX, |(from, _)| *from);
        let files = self.files.iter().enumerate();
        let still = files.filter(move |(at, _)| until(*at).saturating_add(SETTLED_MS) >= since_ms);
        still.map(|(_, (_, file))| file)
    }

    /// The one file that can be in force, if there is only one.
    fn settled_file(&self, since_ms: u64) -> Option<&File> {
        let mut files = self.files_since(since_ms);
        files.next().filter(|_| files.next().is_none())
    }

    /// A payment was refused for its amount or its currency.
    pub(super) fn refused_for_its_amount(&mut self, account: &Account) {
        let bought = &account.bought;
        // These ask for the bill, and may find that another amount is due.
        let other_reason = bought.embedded || bought.looked_up;
        let since_ms = account.asked_at_ms.unwrap_or(0);
        let foreign = self.files_since(since_ms).any(|file| file.foreign == Some(bought.place));
        let rrn = account.rrn();
        self.hold(3, other_reason || foreign, || {
            format!("payment {rrn} was refused for its currency, which its biller takes")
        });
    }

    /// The switch says what is due on a bill: also what else is taken of it, if that is so.
    pub(super) fn hears_of_bill(&mut self, (biller, bill): (usize, u64), reached_ms: u64, heard: &Heard) {
        let open = self.files_since(reached_ms).any(|file| file.suspended != Some(biller));
        self.hold(3, open, || format!("bill {bill} of biller {biller} was told of, which is suspended"));
        let limits = limits(biller, bill).filter(|_| takes_parts(biller, bill));
        let amount = |tag| heard.of_bill(tag).and_then(|digits| digits.parse::<u64>().ok());
        let (status, said) = (heard.of_bill("ST"), amount("MN").zip(amount("MX")));
        let told = (status == Some("T"), said) == (limits.is_some(), limits);
        self.hold(3, told, || {
            format!("bill {bill} of biller {biller} takes {limits:?}, and was told otherwise")
        });
    }

    /// A payment was refused for being too small or too large.
    pub(super) fn refused_for_limits(&mut self, account: &Account) {
        let (rrn, bought) = (account.rrn(), &account.bought);
        let own = account.posts_left == 0;
        let since_ms = account.asked_at_ms.unwrap_or(0);
        let least = self.files_since(since_ms).filter_map(|file| file.least(bought.place)).max();
        let small = least.is_some_and(|least| bought.debits < least);
        self.hold(3, !own || small || !bought.is_taken(), || {
            format!(
                "payment {rrn} was refused for its amount, which is within {:?} and {least:?}",
                bought.limits
            )
        });
    }

    /// Payments approved of another amount than was due.
    pub(in crate::sim::world) const fn other_amounts(&self) -> usize {
        self.other_amounts
    }

    /// A payment is posted that nobody had heard of before.
    pub(super) fn begins_at_its_biller(&mut self, ordered: &Ordered) {
        let Some(account) = self.accounts.get(&ordered.key).cloned() else { return };
        let (now_ms, rrn, link) = (self.now_ms, account.rrn(), account.bought.link);
        if account.posts_left == 0 {
            let file = self.settled_file(account.asked_at_ms.unwrap_or(0));
            let foreign = file.is_some_and(|file| file.foreign == Some(account.bought.place));
            self.hold(3, !foreign, || {
                format!("payment {rrn} was posted at a biller that does not take its currency")
            });
            // One that is made already is only the department's to refuse.
            let Bought { place, debits, advice, .. } = account.bought;
            let since_ms = account.asked_at_ms.unwrap_or(0);
            let taken = advice || self.files_since(since_ms).any(|file| file.takes(place, debits));
            self.hold(3, taken, || {
                format!("payment {rrn} of {debits} was posted at a biller that, by its rules, takes no such payment")
            });
        }
        if ordered.owed {
            return;
        }
        let waiting = self.waiting.entry(link).or_default();
        waiting.retain(|_, since| since.saturating_add(REPLY_TIMEOUT_MS) > now_ms);
        waiting.insert(ordered.key.clone(), now_ms);
        let waiting = waiting.len();
        let most = self.settled_file(now_ms).map(|file| file.waiting_max(link));
        let held = most.is_none_or(|most| usize::try_from(most).is_ok_and(|most| waiting <= most));
        self.hold(3, held, || {
            format!("with payment {rrn}, {waiting} of link {link} wait for their billers, of {most:?}")
        });
    }

    /// The acquirer of a payment waits for its biller no longer.
    pub(super) fn waits_no_more(&mut self, link: usize, key: &[u8]) {
        self.waiting.entry(link).or_default().remove(key);
    }
}
