//! The valve: what may leave once a turn is durable, and not before.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use thiserror::Error;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::error::JournalError;
use super::sluice::{Item, Sluice};
use super::writer::{Turn, Writer};

/// How long turns that move no money may stay unsynced when nothing follows them.
const IDLE_BEFORE_SYNC: Duration = Duration::from_millis(200);

/// The valve takes no more turns: it was closed, or a commit failed.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the journal takes no more turns")]
pub struct Closed;

/// A thread that commits turns, as many together as are ready, and then releases what came with them, in
/// order.
///
/// After an error nothing is released any more: the process must end, and learns at its next start from the
/// store what has happened. [`Valve::close`] ends the thread in good order; where the valve is dropped instead,
/// the thread works on by itself until its queue is empty.
#[derive(Debug)]
pub struct Valve<S> {
    queue: mpsc::Sender<Item<S>>,
    committed: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl<S: Send + 'static> Valve<S> {
    /// Starts the thread. At most `capacity_turns` (at least 1) wait in the queue. `release` is called on
    /// that thread with what came with each committed turn; it must not block for long, nothing is committed
    /// meanwhile. `fail` is called once if a commit fails; the server ends the process there.
    ///
    /// # Errors
    ///
    /// [`JournalError::Engine`] if the system gives no thread.
    pub fn start(
        writer: Writer,
        capacity_turns: usize,
        release: impl FnMut(S) + Send + 'static,
        fail: impl FnOnce(JournalError) + Send + 'static,
    ) -> Result<Self, JournalError> {
        let (queue, turns) = mpsc::channel(capacity_turns.max(1));
        let sluice = Sluice::new(writer);
        let committed = sluice.count();
        let worker = Worker { sluice, turns, carried: None, release };
        let thread = std::thread::Builder::new().name("journal".to_owned());
        let thread = thread.spawn(move || worker.run(fail)).map_err(no_thread)?;
        Ok(Self { queue, committed, thread })
    }

    /// Hands over a turn, waiting while the queue is full. Not to be called inside an async task.
    ///
    /// # Errors
    ///
    /// [`Closed`]: the turn is not committed and nothing of it leaves.
    pub fn submit_blocking(&self, turn: Turn, release: S) -> Result<(), Closed> {
        self.queue.blocking_send(Item { turn, release }).map_err(|_| Closed)
    }

    /// Hands over a turn, waiting while the queue is full. If it is dropped before it is done, nothing was
    /// handed over.
    ///
    /// # Errors
    ///
    /// [`Closed`]: the turn is not committed and nothing of it leaves.
    pub async fn submit(&self, turn: Turn, release: S) -> Result<(), Closed> {
        self.queue.send(Item { turn, release }).await.map_err(|_| Closed)
    }

    /// How many turns have been committed since the start: what the submitter still holds of them in memory,
    /// readers of the store now see. It rises before anything of the turn is released.
    #[must_use]
    pub fn committed(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }

    /// Commits and releases what is queued, makes all of it durable, and ends the thread. An error of this
    /// last sync goes to `fail` like any other. Blocks until it is done.
    pub fn close(self) {
        drop(self.queue);
        // A panic in `release` or `fail` has been reported where it happened; there is nothing to add to it
        // here.
        let _ = self.thread.join();
    }
}

fn no_thread(error: std::io::Error) -> JournalError {
    JournalError::Engine { detail: error.to_string().into() }
}

struct Worker<S, R> {
    sluice: Sluice<S>,
    turns: mpsc::Receiver<Item<S>>,
    /// A turn that did not fit into the last group.
    carried: Option<Item<S>>,
    release: R,
}

impl<S, R: FnMut(S)> Worker<S, R> {
    fn run(mut self, fail: impl FnOnce(JournalError)) {
        if let Err(error) = self.serve() {
            // Submitters learn of it before the process ends.
            self.turns.close();
            fail(error);
        }
    }

    fn serve(&mut self) -> Result<(), JournalError> {
        // Only for waiting with a time limit.
        let idle = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(no_thread)?;
        while let Some(first) = self.wait(&idle)? {
            self.gather(first);
            self.sluice.commit(&mut self.release)?;
        }
        self.sluice.writer.close()
    }

    /// The next turn; `None` when the valve is closed and its queue empty.
    fn wait(&mut self, idle: &Runtime) -> Result<Option<Item<S>>, JournalError> {
        if let Some(item) = self.carried.take() {
            return Ok(Some(item));
        }
        if self.sluice.writer.is_unsynced() {
            let turns = &mut self.turns;
            match idle.block_on(async { tokio::time::timeout(IDLE_BEFORE_SYNC, turns.recv()).await }) {
                Ok(item) => return Ok(item),
                Err(_elapsed) => self.sluice.sync()?,
            }
        }
        Ok(self.turns.blocking_recv())
    }

    /// Takes what else is ready, up to a group's size.
    fn gather(&mut self, first: Item<S>) {
        let mut next = Some(first);
        while let Some(Item { turn, release }) = next {
            if let Err((turn, release)) = self.sluice.take(turn, release) {
                self.carried = Some(Item { turn, release });
                return;
            }
            next = self.turns.try_recv().ok();
        }
    }
}
