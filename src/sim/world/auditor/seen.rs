//! What the auditor is told of: purchases, requests, orders and replies, in words of its own.

use crate::ids::BillerCode;
use crate::sim::world::frames::Numbers;

/// A payment as the acquirer knows it.
#[derive(Clone, Debug)]
pub(in crate::sim::world) struct Bought {
    pub(in crate::sim::world) number: u64,
    pub(in crate::sim::world) biller: BillerCode,
    /// The biller, and the acquirer's link, by place.
    pub(in crate::sim::world) place: usize,
    pub(in crate::sim::world) link: usize,
    /// Its bills are in our own book.
    pub(in crate::sim::world) embedded: bool,
    /// Its biller is asked for the bill first, also when the payment is made already.
    pub(in crate::sim::world) looked_up: bool,
    /// By the operator's file, it can be undone there.
    pub(in crate::sim::world) reversible: bool,
    /// And what is in doubt is made certain there.
    pub(in crate::sim::world) confirms: bool,
    /// Its biller gives parts back.
    pub(in crate::sim::world) gives_parts: bool,
    pub(in crate::sim::world) consumer: String,
    pub(in crate::sim::world) debits: u64,
    /// What is due on the bill within its due date, and the least and the most that is taken of it instead, if anything is.
    pub(in crate::sim::world) due: u64,
    pub(in crate::sim::world) limits: Option<(u64, u64)>,
    /// The bill itself says so, and not only the operator's file.
    pub(in crate::sim::world) by_bill: bool,
    /// It is made without asking, and told of.
    pub(in crate::sim::world) advice: bool,
    /// Its reversal is asked for: the acquirer waits for it.
    pub(in crate::sim::world) asked_back: bool,
}

/// What a request was for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::sim::world) enum Purpose {
    /// A payment, or its repeat.
    Payment,
    /// A payment that was made without asking, or that one's repeat.
    Advice,
    /// Its reversal, or that one's repeat.
    Reversal,
    /// The reversal of a part of it, by which this is left; which one of those that are wanted.
    Part {
        which: usize,
        left: u64,
    },
    /// Another payment under the same key.
    OtherContent,
    /// Somebody else's reversal of it.
    Meddling,
    /// What the acquirer has counted.
    Totals,
    SignOn,
    SignOff,
    /// Anything whose answer moves nothing.
    Talk,
    /// What is due on this biller's bill, each by its place.
    Inquiry {
        biller: usize,
        bill: u64,
    },
    /// It was spoilt on the way.
    Spoilt,
    /// Its MAC is missing, or of a key that nobody has agreed on.
    Forged,
    /// The link's new key of that number.
    NewKey(u64),
}

/// A request that reached the switch.
#[derive(Clone, Debug)]
pub(in crate::sim::world) struct Asked {
    pub(in crate::sim::world) connection: u64,
    pub(in crate::sim::world) link: usize,
    pub(in crate::sim::world) mti: &'static str,
    pub(in crate::sim::world) numbers: Numbers,
    /// Its MAC is of the key of that number.
    pub(in crate::sim::world) sealed: Option<u64>,
    /// When it reached the switch.
    pub(in crate::sim::world) reached_ms: u64,
    pub(in crate::sim::world) purpose: Purpose,
    /// The payment it is about.
    pub(in crate::sim::world) key: Option<Vec<u8>>,
}

/// What a reply to an order to post says of the payment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::sim::world) enum Told {
    /// It is not posted, and will not be.
    Refused,
    /// This order has not reached the biller.
    NotSent,
    /// That it is posted, or nothing that could be understood.
    Nothing,
}

/// An order that leaves for a biller.
#[derive(Clone, Debug)]
pub(in crate::sim::world) struct Ordered {
    /// Which start of the process gave it, and its number there.
    pub(in crate::sim::world) leg: (u64, u64),
    pub(in crate::sim::world) key: Vec<u8>,
    pub(in crate::sim::world) posts: bool,
    /// It was owed, rather than asked for just now.
    pub(in crate::sim::world) owed: bool,
    pub(in crate::sim::world) amount: u64,
    /// A part is to be given back, and this is left.
    pub(in crate::sim::world) left: Option<u64>,
    pub(in crate::sim::world) date: String,
    pub(in crate::sim::world) heads: Vec<(String, u64)>,
}
