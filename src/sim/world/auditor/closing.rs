//! The last look, when the faults have stopped and everything has come to its end: the books must agree.

use std::collections::BTreeMap;

use super::sums::sums_up;
use super::{Auditor, paid_in_book, tag};
use crate::journal::MemoryDisk;

/// How an acquirer sees a payment when all is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::sim::world) enum Belief {
    /// The citizen's money is taken.
    Paid,
    /// It is not, or was given back.
    NotPaid,
    /// Its reversal was refused: people will settle it.
    WithPeople,
    /// It does not know: it never heard.
    Unsure,
}

/// What people find in a biller's own list.
#[derive(Clone, Copy, Debug)]
pub(in crate::sim::world) struct Handed {
    /// The payment stands.
    pub(in crate::sim::world) stands: bool,
    /// A part of it has been given back.
    pub(in crate::sim::world) given_back: bool,
}

/// One line of a scroll: date, amount and heads, under the RRN.
pub(in crate::sim::world) type Lines = BTreeMap<String, (String, u64, Vec<(String, u64)>)>;

impl Auditor {
    /// Approved at the acquirer, if and only if posted at the biller; else it is with people.
    pub(in crate::sim::world) fn closes(&mut self, beliefs: &BTreeMap<Vec<u8>, Belief>, disk: &MemoryDisk) {
        for (key, belief) in beliefs {
            let Some(account) = self.accounts.get(key).cloned() else { continue };
            let rrn = account.bought.number.saturating_add(1);
            let tag = tag(disk, key);
            let standing = if account.bought.embedded {
                paid_in_book(disk, &account.bought, key)
            } else {
                account.standing > 0
            };
            if tag == Some(b'X') {
                self.is_with_people(key, disk);
                continue;
            }
            if account.resolved || *belief == Belief::WithPeople {
                // What the acquirer was told is between it and the people: store and biller must agree all the same.
                let stands = tag == Some(b'P');
                self.hold(3, stands == standing, || {
                    format!("payment {rrn} was left to people; it stands in the store: {stands}, at the biller: {standing}")
                });
                continue;
            }
            match belief {
                Belief::WithPeople => {}
                Belief::Unsure => self.object(6, || format!("the acquirer never heard what became of {rrn}")),
                Belief::Paid => {
                    self.hold(3, standing, || {
                        format!("payment {rrn} is approved at the acquirer, and not posted at the biller")
                    });
                    self.holds_what_was_told(&account);
                }
                Belief::NotPaid => self.hold(3, !standing, || {
                    format!("payment {rrn} is posted at the biller, and not approved at the acquirer")
                }),
            }
            let settled = tag.is_none_or(|tag| b"PNVF".contains(&tag));
            self.hold(6, settled, || {
                format!("payment {rrn} is still open in the store: {:?}", tag.map(char::from))
            });
        }
    }

    /// What the totals of a link come to over all dates, against what its payments come to that the acquirer believes to
    /// be paid. Where people have had a hand in some, each of these may count or not.
    pub(in crate::sim::world) fn reads_totals(
        &mut self,
        link: &str,
        net: i128,
        beliefs: &BTreeMap<Vec<u8>, Belief>,
        disk: &MemoryDisk,
    ) {
        let (mut paid, mut open) = (0_i128, Vec::new());
        for (key, belief) in beliefs {
            let Some(account) = self.accounts.get(key).filter(|_| key.ends_with(link.as_bytes())) else {
                continue;
            };
            if account.resolved || *belief == Belief::WithPeople || tag(disk, key) == Some(b'X') {
                open.push(account.may_count());
            } else if *belief == Belief::Paid {
                paid = paid.saturating_add(account.amount_left().into());
            }
        }
        let rest = net.saturating_sub(paid);
        self.hold(4, sums_up(rest, &open), || {
            let open = open.len();
            format!(
                "the totals of {link} come to {net}, and what was paid over it to {paid}; {open} more, with which people have to do, cannot make that good"
            )
        });
    }

    /// People take a payment over, if it is theirs.
    pub(in crate::sim::world) fn hands_over(&mut self, key: &[u8], disk: &MemoryDisk) -> Option<Handed> {
        if tag(disk, key) != Some(b'X') {
            return None;
        }
        self.is_with_people(key, disk);
        self.is_asked_anew(key);
        let account = self.accounts.get_mut(key)?;
        account.resolved = true;
        let embedded = account.bought.embedded;
        let (given_back, standing) = (account.left.is_some(), account.standing > 0);
        let stands = if embedded { paid_in_book(disk, &account.bought, key) } else { standing };
        Some(Handed { stands, given_back })
    }

    /// What the scrolls of all billers and dates say, against what the billers hold.
    pub(in crate::sim::world) fn reads_scrolls(&mut self, lines: &Lines, disk: &MemoryDisk) {
        let mut wanted = Lines::new();
        for (key, account) in &self.accounts {
            let rrn = format!("{:012}", account.bought.number.saturating_add(1));
            let with_people = tag(disk, key) == Some(b'X');
            let line = lines.get(&rrn);
            let standing = if account.bought.embedded {
                paid_in_book(disk, &account.bought, key)
            } else {
                account.standing > 0
            };
            if with_people {
                // Either may be so: that is what people are to find out.
                wanted.extend(line.map(|line| (rrn, line.clone())));
            } else if standing {
                let own = account.heads_left().map(|(date, heads)| (date, account.amount_left(), heads));
                // What the book posts in its own turn, nobody has seen ordered: there the scroll gives the date.
                let book =
                    || line.map(|(date, _, heads)| (date.clone(), account.bought.debits, heads.clone()));
                wanted.extend(own.or_else(book).map(|own| (rrn, own)));
            }
        }
        let differs = wanted.iter().find(|(rrn, own)| lines.get(*rrn) != Some(*own));
        let differs = differs.or_else(|| lines.iter().find(|(rrn, _)| !wanted.contains_key(*rrn)));
        if let Some((rrn, _)) = differs {
            let (scroll, biller) = (format!("{:?}", lines.get(rrn)), format!("{:?}", wanted.get(rrn)));
            let rrn = rrn.clone();
            self.object(4, || format!("payment {rrn}: the scroll says {scroll}, the biller {biller}"));
        }
        let odd = lines.iter().find(|(_, (_, amount, heads))| {
            let sum = heads.iter().fold(0_u64, |sum, (_, part)| sum.saturating_add(*part));
            !heads.is_empty() && sum != *amount
        });
        if let Some((rrn, _)) = odd {
            let rrn = rrn.clone();
            self.object(4, || format!("the heads of payment {rrn} do not sum to its amount in the scroll"));
        }
    }
}
