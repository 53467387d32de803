//! What the auditor knows of a payment.

use std::collections::BTreeMap;

use super::Bought;

/// What the auditor knows of a payment.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) bought: Bought,
    /// The acquirer has asked for it back.
    pub(super) wanted_back: bool,
    /// When it, or its reversal, was first asked for: whichever it is that it is owed for.
    pub(super) asked_at_ms: Option<u64>,
    /// It was approved, and then wanted back.
    pub(super) undoing: bool,
    /// An order that was owed for the same has left before.
    pub(super) forwarded: bool,
    /// It has been asked for, and only while the disk was almost full.
    pub(super) asked: bool,
    pub(super) asked_while_low: bool,
    /// What the acquirer was last told of it, where that says anything.
    pub(super) told: Option<String>,
    pub(super) approved: bool,
    /// It was told of, and taken.
    pub(super) advised: bool,
    /// People have looked after it.
    pub(super) resolved: bool,
    /// Orders to post that have left.
    pub(super) posts_left: u32,
    /// The last of them has certainly come to nothing, and the switch was told so.
    pub(super) refused: bool,
    /// Postings that stand at the biller.
    pub(super) standing: u32,
    /// What is left of it there, if a part was given back.
    pub(super) left: Option<u64>,
    /// What the acquirer wants to be left of it: each part that it has asked for, and whether it was ever told no.
    pub(super) wishes: BTreeMap<u64, bool>,
    /// What it was told is left.
    pub(super) left_told: Option<u64>,
    /// What is left by the order to give a part back, and the heads of that.
    pub(super) left_ordered: Option<(u64, Vec<(String, u64)>)>,
    /// Business date and heads by which it was posted.
    pub(super) ordered: Option<(String, Vec<(String, u64)>)>,
}

impl Account {
    /// Of a payment that its acquirer is about to make.
    pub(super) const fn new(bought: Bought) -> Self {
        Self {
            bought,
            wanted_back: false,
            asked_at_ms: None,
            undoing: false,
            forwarded: false,
            asked: false,
            asked_while_low: false,
            told: None,
            approved: false,
            advised: false,
            resolved: false,
            posts_left: 0,
            refused: false,
            standing: 0,
            left: None,
            wishes: BTreeMap::new(),
            left_told: None,
            left_ordered: None,
            ordered: None,
        }
    }

    /// DE 37, without its zeros.
    pub(super) const fn rrn(&self) -> u64 {
        self.bought.number.saturating_add(1)
    }
}
