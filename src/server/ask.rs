//! What reaches the engine, and what waits in it for an answer.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::inspect::Status;
use crate::clock::Ticks;
use crate::desk::{BookDone, BookWork};
use crate::ids::LinkName;
use crate::journal::{JournalError, Unloading};
use crate::switch::{Answer, Ask, LegId, Operation, Outcome, Payment, Resolution, Stray, TotalsAnswer};
use crate::vault::MacKey;

/// Something for the engine to take in.
pub(super) enum Input {
    /// A request, and where its answer goes.
    Asked(Box<Ask>, Waiting),
    /// A connection of a link began.
    Connected(LinkName),
    /// A connection of a link ended.
    Disconnected(LinkName),
    /// An answer to nothing that we asked.
    Unasked(Box<Stray>),
    /// An acquirer's answer to totals of ours.
    TotalsAnswered(Box<TotalsAnswer>),
    /// A biller's outcome.
    Replied(LegId, Outcome),
    /// The operator's word; answered once it is durable.
    Operate(Operation, Option<oneshot::Sender<()>>),
    /// What has become of a payment that was handed to people; answered once it is durable.
    Resolve(Box<Payment>, Resolution, Box<str>, oneshot::Sender<Result<Payment, String>>),
    /// Something to be done to a bill book; answered once it is durable.
    Book(BookWork, oneshot::Sender<Result<BookDone, String>>),
    /// Let go of what is sealed, and carry over what is still owed something; answered once that is in the store, or with why
    /// nothing of it could be done.
    Unload(Unloading, oneshot::Sender<Result<(), JournalError>>),
    /// Tell when all that was taken in before is durable.
    Durable(oneshot::Sender<()>),
    /// A question about the switch's state.
    Inspect(oneshot::Sender<Status>),
    /// Tell when nothing is open and nobody waits.
    WhenSettled(oneshot::Sender<()>),
    /// End.
    Stop,
}

/// A request that waits for its answer. Its frame holds card data: no `Debug`.
pub(super) struct Waiting {
    /// When it was read.
    pub(super) read: Ticks,
    pub(super) link: LinkName,
    pub(super) frame: Bytes,
    pub(super) answers: mpsc::Sender<Outbound>,
    /// What its answer is sealed with.
    pub(super) key: Option<Arc<MacKey>>,
    pub(super) place: OwnedSemaphorePermit,
}

/// What is on its way to its connection. The frame of a request holds card data: no `Debug`.
pub(super) enum Outbound {
    /// An answer.
    Answer {
        /// The request it answers.
        frame: Bytes,
        /// What is answered.
        answer: Answer,
        /// What it is sealed with.
        key: Option<Arc<MacKey>>,
        /// The request's place in the connection's window; free once the answer is written.
        _place: OwnedSemaphorePermit,
    },
    /// A request of ours.
    Request {
        /// The message, to be framed.
        message: Bytes,
        /// Its place on the connection; free once it is written.
        _place: OwnedSemaphorePermit,
    },
}
