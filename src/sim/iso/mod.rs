//! A department's ISO 8583 host, simulated: it speaks any profile, from the side that acquirers' peers speak it, with faults
//! by rule and by rate and the ledger that `sim rest` keeps.

mod books;
mod serve;

pub use books::{Books, Held};
pub use serve::{Host, Settings};
