//! What is asked of a bill book, and what it answers.

use serde::{Deserialize, Serialize};

use super::ImportReply;
use crate::biller::book::{Act, Row};
use crate::ids::BillerCode;
use crate::settle::{BillFound, BillQuery};

/// Most bills, or PSIDs, of one reply.
pub const LIST_MAX: usize = 2_000;

/// Work on a bill book.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum BookRequest {
    /// Put bills in it.
    Import {
        /// Whose.
        biller: BillerCode,
        /// The bills.
        rows: Vec<Row>,
    },
    /// Withdraw the unpaid ones of these: a full list came without them.
    Withdraw {
        /// Whose.
        biller: BillerCode,
        /// Which.
        psids: Vec<Box<str>>,
    },
    /// Do something about one bill.
    Act {
        /// Whose.
        biller: BillerCode,
        /// Which.
        psid: Box<str>,
        /// What.
        act: Act,
        /// Why, for the journal.
        why: Box<str>,
    },
    /// Tell all of one bill.
    Show {
        /// Whose.
        biller: BillerCode,
        /// Which.
        psid: Box<str>,
    },
    /// List bills, in order of their PSIDs.
    Search {
        /// Whose.
        biller: BillerCode,
        /// Which of them.
        query: BillQuery,
        /// Only those behind this PSID.
        after: Option<Box<str>>,
        /// At most so many; at most [`LIST_MAX`].
        limit: usize,
    },
}

/// What a bill book answers.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum BookReply {
    /// To an import, or a withdrawal.
    Imported(ImportReply),
    /// The bill, as it is or has become; none if the book does not have it.
    Bill(Option<Box<BillFound>>),
    /// To a search.
    Bills {
        /// Those found.
        bills: Vec<BillFound>,
        /// Behind which PSID to go on; none at the end.
        next: Option<Box<str>>,
    },
}
