//! The adapter for departments over HTTP against servers that do not know it: the simulated department, one in Python
//! written from the contract's description alone, and listeners that break off wherever one can.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test that fails may say so by panicking"
)]

mod broken;
#[path = "../support/optional.rs"]
mod optional;
mod python;
mod quirks;
mod rig;
mod simulated;
mod tls;
