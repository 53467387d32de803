//! The departments: each keeps a ledger of its own and knows nothing of the switch.

use std::collections::BTreeMap;

use super::auditor::Identity;
use super::site::{Manner, bill, bill_number, takes_parts};
use crate::clock::UnixMillis;
use crate::ids::Short;
use crate::money::MinorUnits;
use crate::switch::{Order, Outcome, Payment, Posting, Reason};

/// What a biller knows of one payment.
#[derive(Clone, Debug, Default)]
struct Entry {
    posting: Option<Posting>,
    /// What is left of it, since a part was given back.
    left: Option<MinorUnits>,
    refused: bool,
    undone: bool,
}

/// What has just changed in a biller's ledger.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Change {
    Posted,
    Undone,
    /// A part was given back, and so much is left.
    GaveBack(u64),
}

/// What a biller does with an order beside what it should.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mood {
    /// It says no to a payment.
    pub(super) declines: bool,
    /// It will not undo.
    pub(super) keeps: bool,
}

/// A biller's ledger.
#[derive(Debug)]
pub(super) struct Biller {
    manner: Manner,
    place: usize,
    /// By what a department sees of a payment.
    entries: BTreeMap<Identity, Entry>,
    /// Who has paid each bill.
    paid: BTreeMap<Box<str>, Identity>,
    receipts: u64,
    /// It cannot be reached until then.
    pub(super) down_until_ms: u64,
    /// Meanwhile connections are refused, so that an order certainly does not arrive.
    pub(super) refuses: bool,
    /// Its adapter has said so.
    pub(super) said_down: bool,
}

impl Biller {
    pub(super) const fn new(manner: Manner, place: usize) -> Self {
        Self {
            manner,
            place,
            entries: BTreeMap::new(),
            paid: BTreeMap::new(),
            receipts: 0,
            down_until_ms: 0,
            refuses: false,
            said_down: false,
        }
    }

    /// Whether a reply of its may get lost: one that forgets can only be lived with if its approvals arrive.
    pub(super) fn replies_for_sure(&self) -> bool {
        self.manner == Manner::Forgetful
    }

    /// Carries out an order.
    pub(super) fn take(&mut self, order: &Order, mood: Mood, at: UnixMillis) -> (Outcome, Option<Change>) {
        match order {
            Order::LookUp(asked) => {
                let found = bill_number(&asked.consumer)
                    .map(|number| Outcome::Found(Box::new(bill(self.place, number))));
                (found.unwrap_or(Outcome::Declined(Reason::NoSuchBill)), None)
            }
            Order::Post { payment, again } => {
                let heads = payment.heads.clone();
                self.post(payment, *again, mood, |receipt, authorisation| Posting {
                    receipt,
                    authorisation,
                    at,
                    heads,
                })
            }
            Order::Reverse { payment, again: _ } => match payment.wanted_part() {
                Some(part) => self.give_back(payment, part.left, mood),
                None => self.reverse(payment, mood),
            },
        }
    }

    fn post(
        &mut self,
        payment: &Payment,
        again: bool,
        mood: Mood,
        posting: impl FnOnce(Short<20>, Short<6>) -> Posting,
    ) -> (Outcome, Option<Change>) {
        let identity = Identity::of(payment);
        let entry = self.entries.entry(identity.clone()).or_default();
        if entry.undone && self.manner != Manner::Forgetful {
            return (Outcome::Declined(Reason::AlreadyPaid), None);
        }
        // A bill that takes parts is paid by as many as like to.
        let shared = bill_number(&payment.consumer).is_some_and(|number| takes_parts(self.place, number));
        let others = !shared && self.paid.get(&payment.consumer).is_some_and(|payer| *payer != identity);
        if entry.refused || others || (mood.declines && entry.posting.is_none()) {
            entry.refused = true;
            let reason = if others { Reason::AlreadyPaid } else { Reason::OutsideLimits };
            return (Outcome::Declined(reason), None);
        }
        // Told that it may have come before, it looks; and some always look.
        if (again || self.manner == Manner::Confirms)
            && let Some(posting) = &entry.posting
        {
            return (Outcome::Posted(posting.clone()), None);
        }
        self.receipts = self.receipts.saturating_add(1);
        let number = format!("{:09}", self.receipts);
        let authorisation = format!("{:06}", self.receipts);
        let posting = posting(number.parse().unwrap_or_default(), authorisation.parse().unwrap_or_default());
        entry.posting = Some(posting.clone());
        entry.undone = false;
        self.paid.insert(payment.consumer.clone(), identity);
        // A second posting of the same payment is one: it knows its repeats no better than its programmers did.
        (Outcome::Posted(posting), Some(Change::Posted))
    }

    /// Gives a part back, once: told so again, it knows that it has.
    fn give_back(&mut self, payment: &Payment, left: MinorUnits, mood: Mood) -> (Outcome, Option<Change>) {
        let entry = self.entries.entry(Identity::of(payment)).or_default();
        let refused = match (&entry.posting, entry.left) {
            (None, _) => Reason::OriginalUnknown,
            (Some(_), Some(known)) if known == left => return (Outcome::Reversed, None),
            (Some(_), Some(_)) => Reason::AmountNotAccepted,
            (Some(_), None) if mood.keeps || self.manner != Manner::Partly => Reason::NotReversible,
            (Some(_), None) => {
                entry.left = Some(left);
                return (Outcome::Reversed, Some(Change::GaveBack(left.minor())));
            }
        };
        (Outcome::Declined(refused), None)
    }

    fn reverse(&mut self, payment: &Payment, mood: Mood) -> (Outcome, Option<Change>) {
        let identity = Identity::of(payment);
        let entry = self.entries.entry(identity.clone()).or_default();
        if mood.keeps && entry.posting.is_some() || matches!(self.manner, Manner::OneWay | Manner::Confirms) {
            return (Outcome::Declined(Reason::NotReversible), None);
        }
        if entry.posting.take().is_some() {
            entry.undone = true;
            self.paid.retain(|_, payer| *payer != identity);
            return (Outcome::Reversed, Some(Change::Undone));
        }
        let known = std::mem::replace(&mut entry.undone, true);
        if known {
            return (Outcome::Reversed, None);
        }
        if self.manner == Manner::Forgetful {
            entry.undone = false;
        }
        (Outcome::Declined(Reason::OriginalUnknown), None)
    }
}
