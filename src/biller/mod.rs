//! Departments and how they are reached. An adapter takes an order and gives back its outcome; the switch knows nothing
//! of any of them.
//!
//! Each way to reach a department is a [`Kind`](kind::Kind), which reads its own lines of the configuration. `book` keeps a
//! department's bills in our own store: the desk carries its orders out within the turn, so it has no adapter. Whatever
//! leaves the process implements [`Adapter`], and stands behind a [`Guarded`].

pub mod book;
mod guard;
mod health;
pub mod iso8583;
pub mod kind;
pub mod rest;
mod settlement;

pub use guard::{Guarded, RESERVED_SHARE};
pub use health::{Breaker, Health, LastError, Reach};
pub use settlement::{HeadKind, Settlement};

use crate::switch::{LegId, Order, Outcome};

/// Takes outcomes back to the switch.
pub type Reply = std::sync::Arc<dyn Fn(LegId, Outcome) + Send + Sync>;

/// Tells the switch that a department can be reached (`true`) or cannot. The latest word counts; saying it again does no
/// harm.
pub type Signal = std::sync::Arc<dyn Fn(bool) + Send + Sync>;

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
/// (a number, a time) comes from what the payment is stored with alone, so that it is the same after a restart.
///
/// # Outcomes
///
/// - [`Outcome::NotSent`]: not one byte of the order can have reached the department. The citizen is told so and given the money back.
/// - [`Outcome::Declined`]: the department has understood the order and says that nothing is posted. Said of a repeat, it
///   must hold of every order of that payment before it.
/// - [`Outcome::Duplicate`]: to `Post`, `again: false` alone: it says that it has the payment already. People find out why.
/// - [`Outcome::Silent`]: not answered, and an answer may still come, behind this outcome: the switch listens for it.
/// - [`Outcome::Unknown`]: everything else. It costs a repeat; the other two, wrongly said, cost somebody's money.
pub trait Adapter: Send + Sync {
    /// Called once, on the switch's runtime, before the first order. While the department cannot be reached nothing that is
    /// owed to it goes out; when it can be again, what is owed goes out from the oldest on, paced. Live payments come all the
    /// same: each is told at once that it was not sent. An adapter that never says so counts as reachable.
    fn start(&self, reachable: Signal) {
        drop(reachable);
    }

    /// Starts carrying out an order and returns at once. At most one outcome goes to `reply`. An adapter that gives up
    /// waiting lets go of `reply` without a word: that is noted, and what follows is for the switch's deadline to say.
    fn submit(&self, leg: LegId, order: Order, reply: Reply);

    /// How it is at the moment, for operators.
    fn health(&self) -> Health {
        Health::default()
    }
}

impl Adapter for Box<dyn Adapter> {
    fn start(&self, reachable: Signal) {
        (**self).start(reachable);
    }

    fn submit(&self, leg: LegId, order: Order, reply: Reply) {
        (**self).submit(leg, order, reply);
    }

    fn health(&self) -> Health {
        (**self).health()
    }
}
