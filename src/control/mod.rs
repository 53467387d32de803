//! What operators ask of a running switch, and what it answers. One JSON line each way over a Unix socket that only its
//! owner may open; clap parses the same type from the command line that travels over the socket.

mod books;
mod client;
mod replies;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use books::{BookReply, BookRequest, LIST_MAX};
pub use client::{Client, ControlError};
pub use replies::{
    BillerReply, ExceptionReply, ImportReply, LegReply, LinkReply, PaymentReply, StatusReply, TotalsReply,
    VerifyReply,
};

use crate::ids::{BillerCode, BusinessDate, LinkName};
use crate::settle::ScrollLine;
use crate::switch::Resolution;

/// Version of the requests and replies; both sides must agree.
pub const VERSION: u32 = 4;

/// Longest request, its end of line included.
pub const LINE_BYTES_MAX: u64 = 4 << 20;
/// Longest reply: a scroll of a large department has some hundred thousand lines.
pub const REPLY_BYTES_MAX: u64 = 64 * LINE_BYTES_MAX;

/// What can be asked.
#[derive(Clone, Debug, clap::Subcommand, Deserialize, Serialize)]
pub enum Request {
    /// How the switch is: date, what is open, counts, the journal
    Status,
    /// The links: signed on or not, connections, counts
    Links,
    /// Ask a link's peer whether it is there (0800, DE 70 = 301), and say what it answers
    Echo {
        /// The link's name, such as atmnet
        link: LinkName,
    },
    /// The departments: blocked or not, reachable or not, bills in the book, what is owed to each, counts, and the way to each
    Billers,
    /// Refuse a department's inquiries and payments with 91 until it is unblocked; reversals still go through
    Block {
        /// The department's code, such as KPEXCISE
        biller: BillerCode,
    },
    /// Take a blocked department up again
    Unblock {
        /// The department's code
        biller: BillerCode,
    },
    /// Find payments and show what happened to each
    ///
    /// A repeat that changed nothing and is sealed in another segment than its payment is not among what is shown.
    #[command(visible_alias = "payment", group(clap::ArgGroup::new("number").required(true).multiple(true)))]
    Txn {
        /// Retrieval reference number (DE 37)
        #[arg(long, group = "number")]
        rrn: Option<String>,
        /// Systems trace audit number (DE 11)
        #[arg(long, group = "number")]
        stan: Option<String>,
    },
    /// The payments that only a person can resolve, and why each is one
    Exceptions,
    /// Say what has become of an exception, once you have found out at the department
    Resolve {
        /// Its leg, as `exceptions` shows it
        leg: u64,
        /// stands: it is posted, and stays. undone: nothing is posted, or the part that is wanted back is given back. again: ask the
        /// department once more
        #[arg(long = "as", value_enum)]
        resolution: Resolution,
        /// How you know, for the journal: `seen in the department's list, A. Khan`
        #[arg(long, value_parser = why)]
        why: String,
    },
    /// What was paid and given back over each link, ours beside what the acquirer has last said (0500, 0520), and beside what it was
    /// sent and has answered where it is sent ours
    Totals {
        /// Of this business date, such as 2026-11-20; of the current one and the one before, if left out
        #[arg(long)]
        date: Option<BusinessDate>,
        /// Of this link alone
        #[arg(long)]
        link: Option<LinkName>,
    },
    /// Read or check the journal
    #[command(subcommand)]
    Journal(JournalRequest),
    /// Refuse new work, finish what is in flight, then end the daemon; the same as SIGTERM
    Drain,
    /// Read the configuration again: terms, links' limits and profiles are taken over whole, or nothing is; the same as SIGHUP
    Reload,
    /// Move to the next business date; payments in flight keep theirs
    Cutover,
    /// Works on a bill book. The `book` commands send these.
    #[command(skip)]
    Book(BookRequest),
    /// Writes a daily scroll. The `book export` command sends this.
    #[command(skip)]
    Scroll {
        /// Whose.
        biller: BillerCode,
        /// Of which business date.
        date: BusinessDate,
    },
}

/// What can be asked of the journal.
#[derive(Clone, Debug, clap::Subcommand, Deserialize, Serialize)]
pub enum JournalRequest {
    /// Show the latest legs
    Tail {
        /// How many
        #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        legs: u32,
    },
    /// Check every block, the chain of all, and the bill books and totals against it
    Verify,
    /// Takes a sealed date away. The `journal prune` command sends this.
    #[command(skip)]
    Prune {
        /// Which.
        date: BusinessDate,
        /// An archive that must have all of it, if there is one.
        archived: Option<PathBuf>,
    },
    /// Puts an archived date back. The `journal restore` command sends this.
    #[command(skip)]
    Restore {
        /// The archive.
        from: PathBuf,
    },
}

/// Longest reason given for a resolution, in characters.
const WHY_CHARS_MAX: usize = 200;
/// And in bytes, because it is written down in a leg beside the payment: enough for as many in the scripts of our operators.
const WHY_BYTES_MAX: usize = 400;

/// A reason that says something, and has no line of its own to break out of.
///
/// # Errors
///
/// What it should be, for whoever typed it.
pub fn why(text: &str) -> Result<String, String> {
    let text = text.trim();
    let too_long = text.chars().count() > WHY_CHARS_MAX || text.len() > WHY_BYTES_MAX;
    if text.is_empty() || too_long || text.chars().any(char::is_control) {
        return Err(format!("one line of 1 to {WHY_CHARS_MAX} characters, at most {WHY_BYTES_MAX} bytes"));
    }
    Ok(text.to_owned())
}

/// A request as it travels.
#[derive(Debug, Deserialize, Serialize)]
pub struct Envelope {
    /// [`VERSION`] of whoever asks.
    pub version: u32,
    /// What is asked.
    pub request: Request,
}

/// What is answered.
#[derive(Debug, Deserialize, Serialize)]
pub enum Reply {
    /// To `status`.
    Status(StatusReply),
    /// To `links`.
    Links(Vec<LinkReply>),
    /// To `billers`.
    Billers(Vec<BillerReply>),
    /// To `txn`.
    Payments(Vec<PaymentReply>),
    /// To `exceptions`.
    Exceptions(Vec<ExceptionReply>),
    /// To `totals`.
    Totals(Vec<TotalsReply>),
    /// To `journal tail`.
    Legs(Vec<LegReply>),
    /// To `journal verify`.
    Verified(VerifyReply),
    /// To work on a bill book.
    Book(BookReply),
    /// To a scroll.
    Scroll(Vec<ScrollLine>),
    /// Done; what was done.
    Done(String),
    /// Not done; why, and what to do.
    Failed(String),
    /// The two sides are of different versions.
    Version {
        /// The daemon's.
        daemon: u32,
    },
}
