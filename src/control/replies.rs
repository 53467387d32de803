//! What replies hold.

use serde::{Deserialize, Serialize};

use crate::biller::book::Change;
use crate::biller::{Health, Settlement};
use crate::clock::UnixMillis;
use crate::ids::{BillerCode, BusinessDate, LinkName, Rrn, Stan};
use crate::journal::Verified;
use crate::settle::Audited;
use crate::switch::{Closing, Payment, Reconciled, Record, Totals};

/// How the switch is.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct StatusReply {
    /// Version of the daemon.
    pub version: String,
    /// Process id.
    pub pid: u32,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// The business date.
    pub business_date: BusinessDate,
    /// Whether it is refusing new work.
    pub draining: bool,
    /// Payments and inquiries not resolved.
    pub open: u64,
    /// Requests waiting for an answer.
    pub waiting: u64,
    /// Alarms since the start.
    pub alarms: u64,
    /// Connections refused since the start.
    pub refused_connections: u64,
    /// Sequence of the last leg in the journal.
    pub last_leg: u64,
    /// Legs in the working store: the others are sealed.
    pub working_legs: u64,
    /// Business dates of which legs are sealed, pruned ones too.
    pub sealed_days: u64,
    /// The oldest of them.
    pub oldest_sealed_date: Option<BusinessDate>,
    /// Bytes of the store.
    pub store_bytes: u64,
    /// Syncs to disk since the start.
    pub syncs: u64,
    /// Bytes free in the store's file system when last looked at; none if that could not be known.
    pub free_bytes: Option<u64>,
    /// So few are free that new payments and inquiries are refused.
    pub disk_low: bool,
    /// Requests that changed nothing and left no leg in the journal, because so few were free.
    #[serde(default)]
    pub unrecorded: u64,
    /// Values moved out of the store's file, which must be 0.
    pub blobs: u64,
}

/// One link.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct LinkReply {
    /// Its name.
    pub name: LinkName,
    /// Where it is listened for.
    pub listen: String,
    /// The peer's address; empty for any.
    pub peer: String,
    /// What its messages mean.
    pub profile: String,
    /// Whether it has signed on.
    pub signed_on: bool,
    /// Connections open now.
    pub connections: u64,
    /// Frames read since the start.
    pub frames: u64,
    /// Answers sent.
    pub answers: u64,
    /// Answers whose connection had gone.
    pub undelivered: u64,
    /// Frames nobody could answer.
    pub unanswerable: u64,
    /// Answers of the peer to nothing that we had asked.
    pub unasked: u64,
    /// Messages refused for their MAC.
    pub mac_refused: u64,
    /// Check value of the MAC key in use; empty if there is none.
    pub mac_key: String,
    /// Connections closed because the peer answered none of our echoes.
    pub deaf: u64,
}

/// One department.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct BillerReply {
    /// Its code.
    pub code: BillerCode,
    /// Its name.
    pub name: String,
    /// Whether the operator has blocked it.
    pub blocked: bool,
    /// Whether it can be reached, as far as its adapter has said.
    pub reachable: bool,
    /// Payments that it is owed an order about, to reverse or to confirm.
    pub owed: u64,
    /// How long the oldest of these has been owed; 0 if there is none.
    pub owed_oldest_ms: u64,
    /// Bills in the book.
    pub bills: u64,
    /// Payments posted since the start.
    pub posted: u64,
    /// Payments declined since the start.
    pub declined: u64,
    /// Payments undone since the start.
    pub reversed: u64,
    /// Payments that came to be in doubt since the start.
    pub in_doubt: u64,
    /// Where its money goes.
    #[serde(default)]
    pub settlement: Settlement,
    /// How the way to it is; none if its bills are in our own store.
    pub health: Option<Health>,
}

/// One payment and its history.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PaymentReply {
    /// The payment as it stands.
    pub payment: Payment,
    /// The card it was made with: first six and last four digits at most; empty if none was told.
    pub card: String,
    /// Its legs, oldest first.
    pub legs: Vec<LegReply>,
}

/// A payment that only a person can resolve.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ExceptionReply {
    /// Its latest leg: `resolve` asks for it.
    pub leg: u64,
    /// Since when, wall clock.
    pub at: UnixMillis,
    /// Why it is one.
    pub why: String,
    /// What is known, and what to find out.
    pub next: String,
    /// The payment.
    pub payment: Payment,
}

/// The totals of a link and a date.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct TotalsReply {
    /// The business date.
    pub date: BusinessDate,
    /// The link.
    pub link: LinkName,
    /// What we have counted so far.
    pub ours: Totals,
    /// When the acquirer last sent its totals, what they were, and what ours were then; none if it never did.
    pub reconciled: Option<Reconciled>,
    /// Whether these two agreed.
    pub agree: Option<bool>,
    /// How our own stand that this link is sent once the date is over; none if it is not.
    pub closing: Option<Closing>,
    /// Whether it has agreed to those; none as long as it has not said.
    pub closing_agrees: Option<bool>,
}

/// One leg.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct LegReply {
    /// Its sequence.
    pub sequence: u64,
    /// When, wall clock.
    pub at: UnixMillis,
    /// The business date it counts for.
    pub date: BusinessDate,
    /// The acquirer's link.
    pub link: LinkName,
    /// DE 11.
    pub stan: Stan,
    /// DE 37.
    pub rrn: Rrn,
    /// What happened.
    pub what: String,
    /// The payment's state after it; empty if it is about none.
    pub state: String,
}

impl LegReply {
    /// Tells of a record.
    #[must_use]
    pub fn new(sequence: u64, record: &Record) -> Self {
        Self {
            sequence,
            at: record.at,
            date: record.date,
            link: record.link,
            stan: record.stan,
            rrn: record.rrn,
            what: record.what.to_string(),
            state: record
                .payment
                .as_ref()
                .map_or_else(String::new, |payment| payment.state.name().to_owned()),
        }
    }
}

/// What checking found: everything is as it should be, or this would be a failure.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct VerifyReply {
    /// Legs in the journal.
    pub legs: u64,
    /// Blocks they are in.
    pub blocks: u64,
    /// How many of the legs are sealed.
    pub sealed: u64,
    /// Legs that are pruned here and were not read.
    pub pruned: u64,
    /// Keys beside the legs, all there; none if they could not be checked because they changed meanwhile.
    pub keys: Option<u64>,
    /// Hash of the last block, hexadecimal.
    pub head_hash: String,
    /// Payments that stand as posted.
    pub posted: u64,
    /// Bills in the books that a payment of the journal has paid.
    pub paid_bills: u64,
    /// Totals of a link and a date that are what its legs add up to.
    pub totals: u64,
    /// Totals of which legs are pruned here, so that they could not be checked.
    pub totals_uncheckable: u64,
    /// The last date of which that may be; none if nothing is pruned.
    pub totals_pruned_to: Option<BusinessDate>,
}

impl VerifyReply {
    /// Tells of a journal with which books and totals agree.
    #[must_use]
    pub fn new(verified: &Verified, audited: &Audited) -> Self {
        Self {
            legs: verified.legs,
            blocks: verified.blocks,
            sealed: verified.sealed,
            pruned: verified.pruned,
            keys: verified.keys,
            head_hash: hex::encode(verified.head_hash),
            posted: audited.posted,
            paid_bills: audited.paid_bills,
            totals: audited.totals.agree,
            totals_uncheckable: audited.totals.uncheckable,
            totals_pruned_to: audited.totals.pruned_to,
        }
    }
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ImportReply {
    /// Bills the book did not have.
    pub added: u64,
    /// Bills whose data changed.
    pub updated: u64,
    /// Bills with nothing to change.
    pub unchanged: u64,
    /// Bills that are paid in the book and stay so.
    pub kept_paid: u64,
    /// Bills that an operator cancelled or issued anew, and that stay so.
    pub kept_cancelled: u64,
    /// Unpaid bills that a full list came without.
    pub withdrawn: u64,
}

impl ImportReply {
    /// Counts one more row.
    pub fn count(&mut self, change: Change) {
        let counter = match change {
            Change::Added => &mut self.added,
            Change::Updated => &mut self.updated,
            Change::Unchanged => &mut self.unchanged,
            Change::KeptPaid => &mut self.kept_paid,
            Change::KeptCancelled => &mut self.kept_cancelled,
        };
        *counter = counter.saturating_add(1);
    }

    /// Adds what another batch did.
    pub fn add(&mut self, other: &Self) {
        self.added = self.added.saturating_add(other.added);
        self.updated = self.updated.saturating_add(other.updated);
        self.unchanged = self.unchanged.saturating_add(other.unchanged);
        self.kept_paid = self.kept_paid.saturating_add(other.kept_paid);
        self.kept_cancelled = self.kept_cancelled.saturating_add(other.kept_cancelled);
        self.withdrawn = self.withdrawn.saturating_add(other.withdrawn);
    }
}
