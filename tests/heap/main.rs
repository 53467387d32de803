//! What the switch holds in memory, counted in the allocator.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a test fails by panicking, and counts where memory is handed out"
)]

mod flat;
#[path = "../fuzz/memory.rs"]
#[allow(dead_code, reason = "a call's own share is not asked for here")]
mod memory;
#[path = "../acceptance/peer.rs"]
#[allow(dead_code, reason = "not all of it is used")]
mod peer;
#[path = "../acceptance/site.rs"]
#[allow(dead_code, reason = "not all of it is used")]
mod site;
