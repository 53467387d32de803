//! The other side of the wire: what plays a recorded day, or an invented one, against a switch.

pub mod cpu;
pub mod replay;
pub mod world;
