//! What the switch shows of itself while it runs.

mod counters;
mod logs;
pub mod recorder;

pub use counters::{BillerCounters, Counters, LinkCounters};
pub use logs::{LogError, start_logs};
