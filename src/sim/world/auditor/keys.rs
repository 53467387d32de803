//! Which key a message's MAC must be of, and that nothing comes of a message whose MAC is of no such key.

use super::{Asked, Auditor};
use crate::sim::world::keys::{WINDOW_MS, has_mac_of};
use crate::vault::MacKey;

/// The keys of the link that has them, as the auditor has seen them come.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// The newest that has reached the switch, and when it first did.
    asked: (u64, u64),
    /// The newest of which the switch has said that it is in use, and when it first did.
    told: (u64, u64),
    started_ms: u64,
}

impl Auditor {
    /// A new key has reached the switch.
    pub(super) fn key_comes(&mut self, number: u64) {
        if number > self.keys.asked.0 {
            self.keys.asked = (number, self.now_ms);
        }
    }

    /// The switch says that a new key is in use.
    pub(super) fn key_taken(&mut self, number: u64, code: &str) {
        let first = number > self.keys.told.0;
        match code {
            "00" if first => self.keys.told = (number, self.now_ms),
            "00" | "91" | "96" => {}
            _ => self.hold(0, !first, || format!("new key {number} was refused with {code}")),
        }
    }

    pub(super) fn keys_restarted(&mut self) {
        self.keys.started_ms = self.now_ms;
    }

    /// A message whose MAC is of key `number` was answered.
    pub(super) fn answers_sealed(&mut self, asked: &Asked, number: u64, code: &str) {
        let Keys { asked: (newest, came_ms), told: (in_use, told_ms), started_ms } = self.keys;
        let (at, stan) = (asked.reached_ms, &asked.numbers.stan);
        if code == "91" {
            return;
        }
        let (refused, is_former) = (code == "63", number.saturating_add(1) == in_use);
        // The old one's time runs from when the new one was taken, and anew, at most, from a start.
        let over = told_ms.max(started_ms).saturating_add(WINDOW_MS) <= at;
        // What comes in the moment in which the new key is told to be in use may have been judged before.
        let old = number < in_use && at > told_ms && (!is_former || over);
        self.hold(3, refused || !old, || {
            format!(
                "request {stan} with a MAC of old key {number} was answered {code}: key {in_use} is in use"
            )
        });
        let in_window = started_ms <= came_ms && at < came_ms.saturating_add(WINDOW_MS);
        let current = number == in_use && at >= told_ms && (newest == in_use || in_window);
        let good = current || (is_former && newest == in_use && in_window);
        self.hold(3, !(refused && good), || {
            format!("request {stan} with a MAC of key {number}, which is good, was refused")
        });
    }

    /// What the answer was sealed with, to a peer that used this key.
    pub(in crate::sim::world) fn hears_mac(&mut self, stan: &str, frame: &[u8], key: Option<MacKey>) {
        let good = key.is_some_and(|key| has_mac_of(frame, &key));
        self.hold(3, good, || {
            format!("the answer to request {stan} has no MAC of the key that its peer used")
        });
    }
}
