//! That what is left to people is left to them for a reason: one that the auditor has seen itself, at the billers and in the
//! operator's file.

use std::collections::BTreeMap;

use super::{Account, Auditor, paid_in_book};
use crate::journal::MemoryDisk;
use crate::sim::world::file::FORWARD_AGE_MAX_MS;
use crate::sim::world::site::REPLY_TIMEOUT_MS;

/// A clock that is set, or a time in which the process does not run, ages a payment by nine tenths of what it may reach.
const AGE_LEFT_MS: u64 = FORWARD_AGE_MAX_MS / 10;

/// A bill, by its biller's place and by what it is called.
type Bill = (usize, String);

/// What a biller's reply says of the order that it is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::sim::world) enum Reply {
    /// It has certainly not arrived.
    NotSent,
    /// No.
    Refused,
    /// It had this payment before it was told of it.
    Contested,
    /// Anything else.
    Told,
}

/// What the auditor has seen of a payment between the switch and its biller.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Grounds {
    /// Orders to make it certain that have left, and not certainly come to nothing.
    confirmations: u32,
    /// Orders to undo it, likewise.
    reversals: u32,
    /// Those of both that certainly came to nothing.
    not_sent: u32,
    refused: bool,
    not_undone: bool,
    contested: bool,
    /// It was made without asking, the acquirer says.
    advised: bool,
}

/// What is seen of exceptions.
#[derive(Debug, Default)]
pub(super) struct Seen {
    of: BTreeMap<Vec<u8>, Grounds>,
    /// How often each bill was asked for: such an order counts as well, and names no payment.
    look_ups: BTreeMap<Bill, u32>,
    /// When the process was started again.
    starts: Vec<u64>,
    /// When a commit was slow.
    slow_commits: Vec<u64>,
    /// How many payments were found with people, for a reason.
    justified: usize,
}

impl Auditor {
    /// An order that is owed leaves.
    pub(super) fn counts(&mut self, key: &[u8], posts: bool) {
        let grounds = self.exceptions.of.entry(key.to_vec()).or_default();
        let count = if posts { &mut grounds.confirmations } else { &mut grounds.reversals };
        *count = count.saturating_add(1);
    }

    /// A bill is asked for.
    pub(in crate::sim::world) fn looks_up(&mut self, place: usize, consumer: &str) {
        let count = self.exceptions.look_ups.entry((place, consumer.to_owned())).or_default();
        *count = count.saturating_add(1);
    }

    /// The switch is told that a payment is made.
    pub(super) fn is_advised(&mut self, key: &[u8]) {
        self.exceptions.of.entry(key.to_vec()).or_default().advised = true;
    }

    pub(super) fn starts_again(&mut self) {
        self.exceptions.starts.push(self.now_ms);
    }

    /// The disk takes its time for a commit.
    pub(in crate::sim::world) fn commit_is_slow(&mut self) {
        self.exceptions.slow_commits.push(self.now_ms);
    }

    /// A biller's reply is handed to the switch; `owed` says whether the order was owed.
    pub(in crate::sim::world) fn hears(&mut self, key: &[u8], posts: bool, owed: bool, reply: Reply) {
        let grounds = self.exceptions.of.entry(key.to_vec()).or_default();
        let count = if posts { &mut grounds.confirmations } else { &mut grounds.reversals };
        match reply {
            Reply::NotSent if owed => {
                *count = count.saturating_sub(1);
                grounds.not_sent = grounds.not_sent.saturating_add(1);
            }
            Reply::Refused if posts => grounds.refused = true,
            Reply::Refused => grounds.not_undone = true,
            Reply::Contested => grounds.contested |= posts && !owed,
            Reply::NotSent | Reply::Told => {}
        }
    }

    /// A payment is with people.
    pub(super) fn is_with_people(&mut self, key: &[u8], disk: &MemoryDisk) {
        let Some(account) = self.accounts.get(key) else { return };
        let seen = &self.exceptions;
        let grounds = seen.of.get(key).copied().unwrap_or_default();
        let rrn = account.rrn();
        let reason = self.reason(key, account, &grounds, disk);
        self.exceptions.justified = self.exceptions.justified.saturating_add(1);
        self.hold(6, reason, || format!("payment {rrn} was left to people for no reason: {grounds:?}"));
    }

    /// People may have the switch ask once more: its orders are counted anew, but that there were some to post is not forgotten.
    pub(super) fn is_asked_anew(&mut self, key: &[u8]) {
        if let Some(grounds) = self.exceptions.of.get_mut(key) {
            (grounds.confirmations, grounds.reversals) = (grounds.confirmations.min(1), 0);
        }
    }

    /// Payments that were found with people.
    pub(in crate::sim::world) const fn justified(&self) -> usize {
        self.exceptions.justified
    }

    fn reason(&self, key: &[u8], account: &Account, grounds: &Grounds, disk: &MemoryDisk) -> bool {
        let Account { ref bought, asked_at_ms, wanted_back, posts_left, .. } = *account;
        let since_ms = asked_at_ms.unwrap_or(0);
        if bought.embedded {
            // The book says no, or posts: people see what it refuses of what is made already.
            return grounds.advised && !paid_in_book(disk, bought, key);
        }
        let since = |times: &[u64]| {
            let times = times.iter().filter(|at| at.saturating_add(REPLY_TIMEOUT_MS) >= since_ms).count();
            u32::try_from(times).unwrap_or(u32::MAX)
        };
        // A process that ends may have written an order down that has not left. One that leaves after its time has passed
        // in a commit has been given up, so that it is of no use to hear that it has not arrived.
        let restarts = since(&self.exceptions.starts);
        let too_late = since(&self.exceptions.slow_commits).min(grounds.not_sent);
        let looked_up = (bought.place, bought.consumer.clone());
        let looked_up = self.exceptions.look_ups.get(&looked_up).copied().filter(|_| bought.looked_up);
        let given = grounds.confirmations.saturating_add(looked_up.unwrap_or(0)).max(grounds.reversals);
        let given = given.saturating_add(restarts).saturating_add(too_late);
        let most = self.files_since(since_ms).map(|file| u32::from(file.attempts_max)).min();
        let used_up = most.is_none_or(|most| given >= most);
        let age_ms = self.now_ms.saturating_sub(since_ms);
        let aged = age_ms >= FORWARD_AGE_MAX_MS || (self.clock_set && age_ms >= AGE_LEFT_MS);
        let one_way = !bought.reversible && posts_left.saturating_add(restarts) > 0;
        let one_way = one_way && (wanted_back || (!bought.confirms && !grounds.advised));
        // Made, the acquirer says, and refused, or wanted back before, or undone while it was in doubt.
        let made = grounds.refused || bought.looked_up || wanted_back || grounds.reversals > 0;
        let made = grounds.advised && made;
        // A department is told once what to give back.
        let after_part = wanted_back && account.left_ordered.is_some();
        let paid_by = bought.confirms && grounds.refused;
        grounds.contested || grounds.not_undone || used_up || aged || one_way || made || after_part || paid_by
    }
}
