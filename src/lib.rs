//! `billswitch`: a switch for bill payments. ISO 8583 comes in from ATM networks and banks, bills are found and paid
//! at the departments' systems, and every leg is journalled before anything leaves.
//!
//! `ARCHITECTURE.md` has the floor plan; each module imports only from the floors below its own.

pub mod biller;
pub mod bounds;
pub mod cli;
pub mod clock;
pub mod config;
pub mod contract;
pub mod control;
pub mod desk;
pub mod ids;
pub mod iso8583;
pub mod journal;
pub mod lines;
pub mod link;
pub mod money;
pub mod profile;
pub mod server;
pub mod settle;
pub mod sim;
pub mod specs;
pub mod switch;
pub mod telemetry;
pub mod vault;
