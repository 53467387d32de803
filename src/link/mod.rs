//! Links: TCP connections that carry frames, with every wait and every queue bounded.
//!
//! What a frame means is not known here: frames go to an [`Intake`], and what an [`Outlet`] has made of answers goes back.

mod accept;
mod connection;
mod dial;
mod frame;
mod seldom;

pub use accept::{Admission, accept, listen};
pub use connection::{Closed, Intake, Outlet, serve};
pub use dial::{Redial, dial};
pub use frame::{FrameCodec, FrameFault};
pub use seldom::Seldom;
