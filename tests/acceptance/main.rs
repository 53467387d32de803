//! The acceptance scenarios, each against the real switch over TCP and named after its row.

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

mod certain;
mod closing;
mod cutover;
mod departments;
mod forward;
mod framings;
mod host_ledgers;
mod hostile;
mod hosts;
mod inquiry_and_payment;
mod links;
mod load;
mod macs;
mod network;
mod parts;
mod peer;
mod profiles;
mod reversals;
mod rows;
mod rules;
mod site;
mod timeouts;
mod totals;
mod unasked;
