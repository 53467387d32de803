//! Parts of payments: what the acquirer was told is given back is given back at the biller, once and no more than that.

use super::{Account, Asked, Auditor, Ordered, is_due, says_nothing, tag};
use crate::journal::MemoryDisk;
use crate::sim::world::file::File;

impl Account {
    /// What stands at its biller, or should.
    pub(super) fn amount_left(&self) -> u64 {
        self.left.unwrap_or(self.bought.debits)
    }

    /// How it splits over heads of account, as far as an order has said.
    pub(super) fn heads_left(&self) -> Option<(String, Vec<(String, u64)>)> {
        let (date, heads) = self.ordered.clone()?;
        let of_part = self.left_ordered.clone().filter(|_| self.left.is_some());
        Some((date, of_part.map_or(heads, |(_, heads)| heads)))
    }

    /// How much of it the acquirer has asked for by now.
    pub(super) fn asked_back(&self) -> (bool, usize) {
        (self.wanted_back, self.wishes.len())
    }
}

impl Auditor {
    /// An acquirer is told what becomes of a part that it wants back.
    pub(super) fn answers_part(&mut self, asked: &Asked, left: u64, code: &str, disk: &MemoryDisk) {
        let advised = asked.mti.starts_with("042");
        let rrn = &asked.numbers.rrn;
        let shed = advised && matches!(code, "91" | "96") && self.signed_on.contains(&asked.link);
        self.hold(3, !shed, || format!("the reversal of a part of {rrn} was shed with {code}"));
        let Some(account) = asked.key.as_deref().and_then(|key| self.accounts.get(key)).cloned() else {
            return;
        };
        let key = asked.key.as_deref().unwrap_or_default();
        if code != "00" {
            let empty = says_nothing(code) || code == "68";
            if let Some(refused) = self.wish(asked, left).filter(|_| !empty) {
                *refused = true;
            }
            let kept = says_nothing(code) || account.left_told != Some(left);
            return self.hold(3, kept, || {
                format!("a part of {rrn} was refused with {code} that had been given back")
            });
        }
        let debits = account.bought.debits;
        let place = account.bought.place;
        let since_ms = account.asked_at_ms.unwrap_or(0);
        let taken =
            self.files_since(since_ms).any(|file| File { suspended: None, ..*file }.takes(place, left));
        let is_part = account.bought.gives_parts && taken && left < debits;
        self.hold(3, is_part, || {
            format!("{left} is to be left of {debits}, and that was accepted for {rrn}")
        });
        let same = account.left_told.is_none_or(|told| told == left);
        self.hold(3, same, || format!("two parts of {rrn} were given back"));
        let done = account.left == Some(left) || account.resolved;
        self.hold(3, done || advised, || {
            format!("a part of {rrn} was told to be given back, and its biller has not done it")
        });
        // One that was advised is done, or owed, or with people.
        let durable = done || is_due(disk, key) || tag(disk, key) == Some(b'X');
        self.hold(2, durable, || format!("a part of {rrn} was accepted before that was durable"));
        if let Some(account) = self.accounts.get_mut(key) {
            account.left_told = Some(left);
        }
        if advised && !done {
            self.is_owed(key);
        }
    }

    fn wish(&mut self, asked: &Asked, left: u64) -> Option<&mut bool> {
        self.accounts.get_mut(asked.key.as_deref()?)?.wishes.get_mut(&left)
    }

    /// An order to undo a payment leaves, or a part of one: there is one such order of each, and its repeats.
    pub(super) fn gives_back_once(&mut self, ordered: &Ordered) {
        let Some(account) = self.accounts.get_mut(&ordered.key) else { return };
        let rrn = account.rrn();
        let (before, stands) = (account.left_ordered.clone(), account.standing > 0);
        let kept = account.told.as_deref() == Some("00") && !account.wanted_back;
        let wished = ordered.left.is_none_or(|left| account.wishes.contains_key(&left));
        let now = ordered.left.map(|left| (left, ordered.heads.clone()));
        if now.is_some() {
            account.left_ordered.clone_from(&now);
        }
        self.hold(1, before.is_none() || before == now, || {
            format!("payment {rrn} was ordered to be left with {before:?}, and then with {now:?}")
        });
        self.hold(3, wished, || format!("a part of payment {rrn} was ordered back that nobody wants"));
        self.hold(3, now.is_some() || !kept, || {
            format!("payment {rrn} was ordered to be undone, which was approved and which nobody wants back")
        });
        self.hold(3, now.is_none() || stands, || {
            format!("a part of payment {rrn} was ordered back, which does not stand")
        });
    }

    /// A biller has given a part back.
    pub(in crate::sim::world) fn given_back(&mut self, key: &[u8], left: u64) {
        let Some(account) = self.accounts.get_mut(key) else {
            return self.object(1, || "a part of a payment that nobody made was given back".to_owned());
        };
        let (rrn, before) = (account.rrn(), account.left.replace(left));
        let wished = account.wishes.contains_key(&left) && account.left_told.is_none_or(|told| told == left);
        self.given_back = self.given_back.saturating_add(1);
        self.hold(1, before.is_none(), || format!("a second part of payment {rrn} was given back"));
        self.hold(3, wished, || format!("payment {rrn} is left with {left}, which nobody wanted"));
    }

    /// Parts that were given back.
    pub(in crate::sim::world) const fn parts_given_back(&self) -> usize {
        self.given_back
    }

    /// Of a payment that stands, and that nobody has had a hand in: what is left of it is what the acquirer was told.
    pub(super) fn holds_what_was_told(&mut self, account: &Account) {
        let Account { left, left_told, .. } = *account;
        let rrn = account.rrn();
        // Refused too early, and a late copy of the request was taken: that answer may be lost, and nobody asks for it.
        let late = left_told.is_none() && left.is_some_and(|left| account.wishes.get(&left) == Some(&true));
        self.hold(3, left == left_told || late, || {
            format!(
                "of payment {rrn} {left:?} is left at the biller, and the acquirer was told {left_told:?}"
            )
        });
    }
}
