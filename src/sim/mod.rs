//! The other side of the wire: what plays a recorded day, or an invented one, against a switch, and departments for it.

pub mod compare;
pub mod cpu;
pub mod iso;
pub mod replay;
pub mod rest;
pub mod world;
