//! The real daemon on disks that fail: power cuts, a dead disk, calls that report an error, a full file system.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints its seed"
)]

mod clock;
mod cut;
mod disk;
mod faulty;
mod full;
mod load;
mod mounts;
#[path = "../support/optional.rs"]
mod optional;
#[path = "../support/mod.rs"]
mod support;
mod watermark;
