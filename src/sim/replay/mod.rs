//! Replay: a recorded capture played against a switch, link by link, and every answer checked.
//!
//! A capture file becomes packets ([`capture`]), these become each client's frames, and the frames, set beside their
//! expected answers ([`expect`]), become a plan. Three things order a replay and nothing else does: `after`, and the
//! sign-on and sign-off of each link.

pub mod capture;
#[cfg(test)]
mod capture_tests;
mod check;
mod connection;
pub mod expect;
mod matching;
mod packets;
mod plan;
mod player;
mod reassembly;
mod report;
mod schedule;
pub mod ways;

pub use check::Difference;
pub use plan::{
    ANSWER_TIMEOUT, DEADLINE, Kind, OnProgress, Pacing, ReplayError, ReplayPlan, Speed, SpeedError, WINDOW,
};
pub use player::replay;
pub use report::{Latencies, Outcome, Percentiles, ReplayReport};
