//! The journal from outside: what is written is there, what is damaged is noticed, and what was not made
//! durable does not leave.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod archive;
mod crash;
mod damage;
mod days;
mod full;
mod memory;
mod records;
mod store;
mod turns;
mod unchecked;
mod valve;
