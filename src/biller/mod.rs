//! Departments and how they are reached. An adapter takes an order and gives back its outcome; the switch knows nothing
//! of any of them.
//!
//! `book` keeps a department's bills in our own store and answers within the turn. Whatever leaves the process
//! implements [`Adapter`].

pub mod book;
pub mod iso8583;

use crate::switch::{LegId, Order, Outcome};

/// Takes outcomes back to the switch.
pub type Reply = std::sync::Arc<dyn Fn(LegId, Outcome) + Send + Sync>;

/// A department that is reached over a wire.
pub trait Adapter: Send + Sync {
    /// Starts carrying out an order and returns at once. Exactly one outcome goes to `reply`, unless there is none to
    /// tell: silence is what the switch's deadline is for. [`Outcome::NotSent`] only where the order certainly did
    /// not arrive; anything that is not understood is [`Outcome::Unknown`].
    fn submit(&self, leg: LegId, order: Order, reply: Reply);
}
