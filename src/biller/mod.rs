//! Departments and how they are reached. An adapter takes an order and gives back its outcome; the switch knows nothing
//! of any of them.
//!
//! `book` keeps a department's bills in our own store and answers within the turn. Whatever leaves the process
//! implements [`Adapter`], and stands behind a [`Guarded`].

pub mod book;
mod guard;
mod health;
pub mod rest;

pub use guard::{Guarded, RESERVED_SHARE};
pub use health::{Breaker, Health, LastError, Reach};

use crate::ids::BillerCode;
use crate::switch::{LegId, Order, Outcome};

/// Takes outcomes back to the switch.
pub type Reply = std::sync::Arc<dyn Fn(LegId, Outcome) + Send + Sync>;

/// Told when a department can be reached again, and when it no longer can; on any thread, and must not wait.
pub type Told = std::sync::Arc<dyn Fn(BillerCode, Reach) + Send + Sync>;

/// A department that is reached over a wire.
///
/// # Orders
///
/// | order | what is asked | outcomes |
/// |---|---|---|
/// | `LookUp` | what is due on a bill | `Found`, `Declined` |
/// | `Post`, `again: false` | post a payment that the department has never been told of | `Posted`, `Declined` |
/// | `Post`, `again: true` | the same, but it may have been told of it: then that posting is the outcome, and there is no second | `Posted`, `Declined` |
/// | `Reverse` | undo a posting; may come more than once, and is done once | `Reversed`, `Declined` |
///
/// and each of them `NotSent` and `Unknown`. `again: true` comes to departments of either policy: with *confirm* because an
/// order was not answered, with *reverse* because an acquirer tells of a payment after the fact (an advice) and tells of it
/// until it is answered. Every adapter must therefore know a repeat: what makes it the same payment at the department
/// (a number, a date) comes from the payment's key alone, so that it is the same after a restart.
///
/// # Outcomes
///
/// - [`Outcome::NotSent`]: not one byte of the order can have reached the department. The citizen is told so and given the money back.
/// - [`Outcome::Declined`]: the department has understood the order and says that nothing is posted. Said of a repeat, it
///   must hold of every order of that payment before it.
/// - [`Outcome::Unknown`]: everything else. It costs a repeat; the other two, wrongly said, cost somebody's money.
pub trait Adapter: Send + Sync {
    /// Starts carrying out an order and returns at once. At most one outcome goes to `reply`. An adapter that gives up
    /// waiting lets go of `reply` without a word: that is noted, and what follows is for the switch's deadline to say.
    fn submit(&self, leg: LegId, order: Order, reply: Reply);

    /// How it is at the moment, for operators.
    fn health(&self) -> Health {
        Health::default()
    }
}
