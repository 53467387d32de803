//! The real daemon process, driven over TCP, over its control socket and by signals.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints its seed"
)]

mod at_once;
mod book;
mod canary;
mod control;
mod crowd;
mod damage;
mod days;
mod deaf_log;
mod drain;
mod fair;
mod hunt;
mod keys;
mod kill;
mod large;
mod record;
mod reload;
mod soak;
#[path = "../support/mod.rs"]
mod support;
mod ten_thousand;
mod three_ledgers;
mod totals;
mod verify;
mod wired;
