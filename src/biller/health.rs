//! What operators are told of the way to a department.

use serde::{Deserialize, Serialize};

use crate::clock::UnixMillis;

/// Whether a department can be reached.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum Reach {
    /// As far as is known.
    #[default]
    Up,
    /// Orders are refused without being sent.
    Down,
}

/// How the circuit breaker before a department stands.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum Breaker {
    /// Orders go through.
    #[default]
    Closed,
    /// Too many failed: nothing goes through until a pause has passed.
    Open,
    /// One order is on its way to find out whether the department answers again.
    Probing,
}

impl Breaker {
    /// The word people are shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::Probing => "probing",
        }
    }
}

/// What went wrong last. Never holds content of a message.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LastError {
    /// In a few words.
    pub what: String,
    /// When, wall clock.
    pub at: UnixMillis,
}

/// How the way to a department is.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Health {
    /// Whether orders are sent.
    pub reach: Reach,
    /// The breaker before it.
    pub breaker: Breaker,
    /// Orders that wait for its answer.
    pub in_flight: u32,
    /// Orders at once at most; 0 if nothing bounds them.
    pub in_flight_max: u32,
    /// Orders refused since the start because too many were in flight.
    pub refused_full: u64,
    /// Orders refused since the start because the breaker was open.
    pub refused_open: u64,
    /// What went wrong last, if anything has.
    pub last_error: Option<LastError>,
    /// Answers since the start that were to nothing that was awaited, of the department's host: twice, to something else, or
    /// much too late.
    pub unasked: u64,
    /// Messages of its host since the start without a MAC where one is due, or with a wrong one.
    pub mac_refused: u64,
    /// Frames of its host since the start whose message type or trace number could not be read.
    pub unreadable: u64,
    /// Check value of the key that messages to its host get their MACs by; empty if they have none.
    pub mac_key: String,
}
