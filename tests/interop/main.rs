//! The switch as strangers see it: an independent client talks to the daemon, an independent dissector reads what the
//! daemon recorded. Neither shares a line, a table or a library with it.
//!
//! They need tools that cargo does not bring. One that is missing is told on standard error and its test passes, but
//! where `CI` or `REQUIRE_INTEROP` is set it fails. `BILLSWITCH_PYTHON` names the Python that has pyiso8583 and cryptography.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may fail"
)]

mod answers;
mod client;
mod codec;
mod daemon;
mod dissector;
mod hosts;
mod mac;
#[path = "../fuzz/mutate.rs"]
#[allow(dead_code, reason = "only its dice are thrown here")]
mod mutate;
#[path = "../support/mod.rs"]
mod support;
mod tools;
