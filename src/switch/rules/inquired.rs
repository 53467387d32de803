//! Inquiries that payments need before them: remembered for a time, in memory only.

use std::collections::{HashMap, VecDeque};

use crate::clock::Ticks;
use crate::ids::{BillerCode, LinkName};
use crate::switch::BillRef;

/// Inquiries remembered at once: beyond that the oldest is forgotten, and its payment refused until it is asked again.
const INQUIRIES_MAX: usize = 100_000;

/// Who has asked for which bill.
type Key = (LinkName, BillerCode, Box<str>);

/// Bills that were asked for and found payable.
#[derive(Debug, Default)]
pub(in crate::switch) struct Inquired {
    until: HashMap<Key, Ticks>,
    /// In the order in which they came, each with the time until which it counted then.
    order: VecDeque<(Ticks, Key)>,
}

impl Inquired {
    /// Remembers an inquiry until `until`, and forgets those whose time is over.
    pub(in crate::switch) fn remember(&mut self, now: Ticks, until: Ticks, link: LinkName, bill: BillRef) {
        let over = |(at, _): &(Ticks, Key)| *at <= now;
        while self.order.len() >= INQUIRIES_MAX || self.order.front().is_some_and(over) {
            let Some((at, key)) = self.order.pop_front() else { break };
            // It may have been asked once more since.
            if self.until.get(&key) == Some(&at) {
                self.until.remove(&key);
            }
        }
        let key = (link, bill.biller, bill.consumer);
        self.until.insert(key.clone(), until);
        self.order.push_back((until, key));
    }

    /// Whether this bill was asked for on this link, and that still counts.
    pub(in crate::switch) fn holds(&self, now: Ticks, link: LinkName, bill: &BillRef) -> bool {
        let key = (link, bill.biller, bill.consumer.clone());
        self.until.get(&key).is_some_and(|until| *until > now)
    }
}
