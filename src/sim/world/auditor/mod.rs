//! The auditor: keeps books of its own on acquirers and billers, and holds every event against the invariants of the
//! acceptance table. It shares no decision with the switch: what a payment is and has come to it knows from what it has seen at
//! both ends. To read, it borrows: answers by the codec, bills by the book's decoder, sealed legs by the store's look-up, MACs by
//! the vault. Whether a payment is open, due or with people it reads from the store's own bytes.

mod account;
mod closing;
mod exceptions;
mod identity;
mod keys;
mod pace;
mod parts;
mod queue;
mod seen;
mod stored;
mod sums;
mod terms;
mod told;
mod violation;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use closing::{Belief, Lines};
pub(super) use exceptions::Reply;
pub(super) use identity::Identity;
pub(super) use seen::{Asked, Bought, Ordered, Purpose, Told};
pub use violation::Violation;

use super::file::File;
use super::frames::{Heard, Numbers};
use crate::ids::{BusinessDate, LinkName};
use crate::journal::MemoryDisk;
use crate::switch::SendTotals;
use account::Account;
use stored::{is_due, paid_in_book, tag};

/// The auditor.
#[derive(Debug, Default)]
pub(super) struct Auditor {
    accounts: BTreeMap<Vec<u8>, Account>,
    asked: BTreeMap<u64, (Asked, bool)>,
    signed_on: BTreeSet<usize>,
    orders: BTreeSet<(u64, u64)>,
    violation: Option<Violation>,
    now_ms: u64,
    disk_low: bool,
    paces: pace::Paces,
    /// Totals as they were first told, by link and date.
    told: BTreeMap<(LinkName, BusinessDate), SendTotals>,
    owed: queue::Owed,
    drained: queue::Drained,
    owed_at_heal: usize,
    /// Parts that billers have given back.
    given_back: usize,
    /// Payments approved of another amount than was due.
    other_amounts: usize,
    keys: keys::Keys,
    /// The operator's files, by when each was read; the first is that of the start.
    files: Vec<(u64, File)>,
    /// Payments of each link that were begun at their billers and are not answered, by when.
    waiting: BTreeMap<usize, BTreeMap<Vec<u8>, u64>>,
    clock_set: bool,
    exceptions: exceptions::Seen,
    identities: identity::Identities,
}

/// DE 39 of a refusal that says nothing about the payment: the request was not looked at, or its bytes were not.
pub(super) fn says_nothing(code: &str) -> bool {
    matches!(code, "91" | "96" | "30" | "63")
}

/// DE 39 of a request that was not believed.
fn is_refusal(code: &str) -> bool {
    matches!(code, "63" | "30" | "91")
}

impl Auditor {
    /// What was violated first, if anything.
    pub(super) const fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    pub(super) const fn at(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
    }

    pub(super) fn object(&mut self, invariant: u8, what: impl FnOnce() -> String) {
        if self.violation.is_none() {
            self.violation = Some(Violation { invariant, at_ms: self.now_ms, what: what() });
        }
    }

    fn hold(&mut self, invariant: u8, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.object(invariant, what);
        }
    }

    /// An acquirer is about to pay.
    pub(super) fn buys(&mut self, key: Vec<u8>, bought: Bought) {
        self.accounts.entry(key).or_insert_with(|| Account::new(bought));
    }

    /// An acquirer is about to ask for its money back.
    pub(super) fn wants_back(&mut self, key: &[u8]) {
        if let Some(account) = self.accounts.get_mut(key) {
            account.wanted_back = true;
        }
    }

    /// A request has reached the switch.
    pub(super) fn asks(&mut self, number: u64, mut asked: Asked) {
        asked.reached_ms = self.now_ms;
        if let Purpose::NewKey(number) = asked.purpose {
            self.key_comes(number);
        }
        if let Some(key) = asked.key.clone().filter(|_| asked.purpose == Purpose::Payment) {
            self.begins(&key);
        }
        if let Some(key) = asked.key.as_deref().filter(|_| asked.purpose == Purpose::Advice) {
            self.is_advised(key);
        }
        if let Some(account) = asked.key.as_ref().and_then(|key| self.accounts.get_mut(key)) {
            account.asked_at_ms.get_or_insert(self.now_ms);
            if let Purpose::Part { left, .. } = asked.purpose {
                account.wishes.entry(left).or_default();
            }
            // What stands is owed for its reversal alone.
            let back = matches!(asked.purpose, Purpose::Reversal | Purpose::Part { .. });
            if back && account.told.as_deref() == Some("00") && !account.undoing {
                (account.asked_at_ms, account.undoing) = (Some(self.now_ms), true);
                account.forwarded = false;
            }
        }
        self.asked.insert(number, (asked, false));
    }

    /// The links' sessions are over.
    pub(super) fn signed_off(&mut self, link: usize) {
        self.signed_on.remove(&link);
        self.waiting.remove(&link);
    }

    /// An answer to request `number` leaves on a connection.
    pub(super) fn answers(&mut self, number: u64, connection: u64, heard: &Heard, disk: &MemoryDisk) {
        let Some((asked, answered)) = self.asked.get_mut(&number) else {
            return self.object(5, || format!("an answer {} that nobody asked for", heard.mti));
        };
        let again = std::mem::replace(answered, true);
        let asked = asked.clone();
        self.hold(5, !again, || format!("request {} was answered twice", asked.numbers.stan));
        self.hold(5, connection == asked.connection, || {
            format!("the answer to request {} left on another connection", asked.numbers.stan)
        });
        if asked.purpose == Purpose::Spoilt {
            let believed = heard.code == "00" || (asked.sealed.is_some() && !is_refusal(&heard.code));
            return self.hold(3, !believed, || format!("a spoilt request was answered {}", heard.code));
        }
        let mti = match asked.mti {
            "0200" | "0201" => "0210",
            "0400" | "0401" => "0410",
            "0220" | "0221" => "0230",
            "0420" | "0421" => "0430",
            "0500" => "0510",
            "0520" => "0530",
            _ => "0810",
        };
        let Numbers { transmitted_at, stan, rrn } = &asked.numbers;
        let own = (mti, transmitted_at, stan, rrn)
            == (heard.mti.as_str(), &heard.transmitted_at, &heard.stan, &heard.rrn);
        self.hold(5, own, || format!("the answer to request {stan} has other numbers: {heard:?}"));
        if let Some(key) = asked.sealed.filter(|_| asked.purpose != Purpose::Forged) {
            self.answers_sealed(&asked, key, &heard.code);
        }
        match asked.purpose {
            Purpose::NewKey(number) => self.key_taken(number, &heard.code),
            Purpose::Forged => self.hold(3, is_refusal(&heard.code), || {
                format!("request {stan}, whose MAC is forged or missing, was answered {}", heard.code)
            }),
            Purpose::Payment => self.answers_payment(&asked, &heard.code, disk),
            Purpose::Advice => self.answers_advice(&asked, &heard.code, disk),
            Purpose::Reversal => self.answers_reversal(&asked, &heard.code),
            Purpose::Part { left, .. } => self.answers_part(&asked, left, &heard.code, disk),
            Purpose::OtherContent => self.hold(3, heard.code != "00", || {
                format!("other content under the key of {} was approved", rrn)
            }),
            Purpose::Meddling => self.hold(3, heard.code != "00", || {
                format!("the reversal of {rrn} by somebody else was accepted")
            }),
            Purpose::Totals => self.hold(4, matches!(heard.code.as_str(), "00" | "91"), || {
                format!("totals were answered with {}", heard.code)
            }),
            Purpose::Inquiry { biller, bill } if heard.code == "00" => {
                self.hears_of_bill((biller, bill), asked.reached_ms, heard)
            }
            Purpose::SignOn if heard.code == "00" => drop(self.signed_on.insert(asked.link)),
            Purpose::SignOff if heard.code == "00" => drop(self.signed_on.remove(&asked.link)),
            Purpose::SignOn
            | Purpose::SignOff
            | Purpose::Talk
            | Purpose::Inquiry { .. }
            | Purpose::Spoilt => {}
        }
    }

    fn answers_payment(&mut self, asked: &Asked, code: &str, disk: &MemoryDisk) {
        if let Some(key) = asked.key.as_deref() {
            self.waits_no_more(asked.link, key);
        }
        let gated = code == "91" && !self.signed_on.contains(&asked.link);
        let Some(key) = asked.key.as_deref() else { return };
        let Some(account) = self.accounts.get_mut(key) else { return };
        if gated || matches!(code, "96" | "30" | "63") {
            return;
        }
        let before = account.told.replace(code.to_owned());
        let (rrn, account) = (asked.numbers.rrn.clone(), account.clone());
        let first = before.is_none();
        // What is in doubt may become certain; nothing that was certain becomes anything else.
        let same = before.is_none_or(|before| before == code || before == "68" || before == "91");
        self.hold(3, same, || format!("payment {rrn} got another answer than before: {code}"));
        let tag = tag(disk, key);
        match code {
            "00" => {
                if let Some(account) = self.accounts.get_mut(key) {
                    account.approved = true;
                    let other =
                        account.bought.limits.is_some() && account.bought.debits != account.bought.due;
                    self.other_amounts = self.other_amounts.saturating_add(usize::from(first && other));
                }
                self.hold(2, tag.is_some_and(|tag| b"PvVXc".contains(&tag)), || {
                    format!("the approval of {rrn} left before it was durable")
                });
                let begun = self.begun_on_a_full_disk(&account);
                self.hold(3, !begun, || format!("payment {rrn} was begun on a disk that is almost full"));
                let stands = account.standing > 0 || account.wanted_back;
                let paid =
                    if account.bought.embedded { paid_in_book(disk, &account.bought, key) } else { stands };
                self.hold(3, paid || account.wanted_back, || {
                    format!("payment {rrn} was approved, and its biller has posted nothing")
                });
            }
            "68" => {
                self.hold(2, tag.is_some_and(|tag| tag != b's'), || {
                    format!("the doubt about {rrn} was told before it was durable")
                });
                if first {
                    self.is_owed(key);
                }
            }
            _ => {
                match code {
                    "13" if first => self.refused_for_its_amount(&account),
                    "61" if first => self.refused_for_limits(&account),
                    _ => {}
                }
                let doubtful = account.posts_left > 0 && !account.refused && !account.wanted_back;
                self.hold(3, !doubtful, || {
                    format!(
                        "payment {rrn} was declined with {code} while its biller had said nothing of the kind"
                    )
                });
                self.hold(3, account.standing == 0 || account.wanted_back, || {
                    format!("payment {rrn} was declined with {code}, and its biller has posted it")
                });
            }
        }
    }

    fn answers_advice(&mut self, asked: &Asked, code: &str, disk: &MemoryDisk) {
        let rrn = &asked.numbers.rrn;
        let shed = matches!(code, "91" | "96") && self.signed_on.contains(&asked.link);
        self.hold(3, !shed, || format!("the advice of {rrn} was shed with {code}"));
        let Some(key) = asked.key.as_deref().filter(|_| code == "00") else { return };
        self.hold(2, tag(disk, key).is_some_and(|tag| tag != b'F'), || {
            format!("the advice of {rrn} was taken before it was durable")
        });
        let Some(account) = self.accounts.get_mut(key) else { return };
        if !std::mem::replace(&mut account.advised, true) {
            self.is_owed(key);
        }
    }

    fn answers_reversal(&mut self, asked: &Asked, code: &str) {
        let advised = asked.mti.starts_with("042");
        let shed = advised && matches!(code, "91" | "96") && self.signed_on.contains(&asked.link);
        self.hold(3, !shed, || format!("the reversal of {} was shed with {code}", asked.numbers.rrn));
        let Some(key) = asked.key.as_deref().filter(|_| advised && code == "00") else { return };
        if self.accounts.get(key).is_some_and(|account| account.undoing) {
            self.is_owed(key);
        }
    }

    /// An order leaves for a biller.
    pub(super) fn orders(&mut self, ordered: Ordered, disk: &MemoryDisk) {
        self.paces(&ordered);
        if ordered.owed {
            self.is_in_turn(&ordered.key, disk);
            self.counts(&ordered.key, ordered.posts);
        }
        if ordered.posts {
            self.begins_at_its_biller(&ordered);
        }
        if !ordered.posts {
            self.gives_back_once(&ordered);
        }
        let Ordered { leg, key, posts, owed: _, amount, left, date, heads } = ordered;
        let once = self.orders.insert(leg);
        let Some(account) = self.accounts.get_mut(&key) else {
            return self.object(1, || "an order about a payment that nobody made".to_owned());
        };
        let rrn = account.bought.number.saturating_add(1);
        let (debits, first) = (account.bought.debits, account.ordered.clone());
        let bought = account.bought.clone();
        if posts {
            account.posts_left = account.posts_left.saturating_add(1);
            account.refused = false;
            account.ordered = Some((date.clone(), heads.clone()));
        }
        self.hold(3, !posts || bought.is_taken(), || {
            format!("payment {rrn} was ordered with {debits}, which is not taken: {:?}", bought.limits)
        });
        self.hold(1, once, || format!("an order about payment {rrn} left twice"));
        self.hold(4, amount == debits, || format!("payment {rrn} was ordered with {amount}, not {debits}"));
        let sum = heads.iter().fold(0_u64, |sum, (_, part)| sum.saturating_add(*part));
        self.hold(4, heads.is_empty() || sum == left.unwrap_or(amount), || {
            format!("the heads of payment {rrn} sum to {sum}")
        });
        let same_heads = first.as_ref().is_none_or(|(_, first)| *first == heads);
        self.hold(1, !posts || same_heads, || format!("payment {rrn} was ordered again with other heads"));
        let same_date = first.is_none_or(|(first, _)| first == date);
        self.hold(4, same_date, || format!("payment {rrn} changed its date to {date}"));
        let tag = tag(disk, &key);
        // Within one group of turns the store may be further than the order: what was decided since is there as well.
        self.hold(2, tag.is_some_and(|tag| !b"rF".contains(&tag)), || {
            format!("an order about payment {rrn} left before its intent was durable")
        });
        let over = tag.is_some_and(|tag| b"PNVX".contains(&tag));
        self.hold(3, over || is_due(disk, &key), || {
            format!("an order about payment {rrn} left, and nothing is due")
        });
    }

    /// A biller's reply about an order to post is handed to the switch.
    pub(super) fn replied(&mut self, key: &[u8], told: Told) {
        if let Some(account) = self.accounts.get_mut(key) {
            match told {
                Told::Refused => account.refused = true,
                // That one order has not left says nothing of those before it.
                Told::NotSent => account.refused |= account.posts_left == 1,
                Told::Nothing => {}
            }
        }
    }

    /// A biller has posted a payment, or undone it.
    pub(super) fn posted(&mut self, key: &[u8], amount: u64) {
        let Some(account) = self.accounts.get_mut(key) else {
            return self.object(1, || "a posting of a payment that nobody made".to_owned());
        };
        account.standing = account.standing.saturating_add(1);
        let (rrn, debits) = (account.bought.number.saturating_add(1), account.bought.debits);
        let standing = account.standing;
        self.hold(1, standing == 1, || format!("payment {rrn} was posted {standing} times"));
        self.hold(4, amount == debits, || format!("payment {rrn} was posted with {amount}, not {debits}"));
    }

    pub(super) fn undone(&mut self, key: &[u8]) {
        let Some(account) = self.accounts.get_mut(key) else { return };
        account.standing = 0;
        let (rrn, part) = (account.rrn(), account.left.is_some());
        self.hold(1, !part, || format!("all of payment {rrn} was undone, of which a part was given back"));
    }

    /// The process has started again: what had left must be there.
    pub(super) fn restarted(&mut self, disk: &MemoryDisk) {
        self.signed_on.clear();
        self.waiting.clear();
        self.keys_restarted();
        self.starts_again();
        let lost = |(key, account): &(&Vec<u8>, &Account)| {
            let tag = tag(disk, key);
            let approval = account.approved && !tag.is_some_and(|tag| b"PvVXc".contains(&tag));
            approval || (account.advised && tag.is_none()) || (account.posts_left > 0 && tag.is_none())
        };
        let lost =
            self.accounts.iter().find(lost).map(|(_, account)| account.bought.number.saturating_add(1));
        if let Some(rrn) = lost {
            self.object(2, || {
                format!("payment {rrn} is not in the store any more as it was when its messages left")
            });
        }
    }
}
