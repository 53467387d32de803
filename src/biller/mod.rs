//! Departments and how they are reached. An adapter takes an order and gives back its outcome; the switch knows nothing
//! of any of them.
//!
//! `book` keeps a department's bills in our own store and answers within the turn. Whatever leaves the process
//! implements [`Adapter`].

pub mod book;

use crate::switch::{LegId, Order, Outcome};

/// Takes outcomes back to the switch.
pub type Reply = std::sync::Arc<dyn Fn(LegId, Outcome) + Send + Sync>;

/// Tells the switch that a department can be reached (`true`) or cannot. The latest word counts; saying it again does no
/// harm.
pub type Signal = std::sync::Arc<dyn Fn(bool) + Send + Sync>;

/// A department that is reached over a wire.
pub trait Adapter: Send + Sync {
    /// Called once, on the switch's runtime, before the first order. While the department cannot be reached nothing that is
    /// owed to it goes out; when it can be again, what is owed goes out from the oldest on, paced. Live payments come all the
    /// same: each is told at once that it was not sent. An adapter that never says so counts as reachable.
    fn start(&self, reachable: Signal) {
        drop(reachable);
    }

    /// Starts carrying out an order and returns at once. Exactly one outcome goes to `reply`, unless there is none to
    /// tell: silence is what the switch's deadline is for. [`Outcome::NotSent`] only where the order certainly did
    /// not arrive; anything that is not understood is [`Outcome::Unknown`].
    fn submit(&self, leg: LegId, order: Order, reply: Reply);
}
