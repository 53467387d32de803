//! What is added up afterwards from the journal: daily scrolls, totals, look-ups, and whether journal and bill books agree.

mod audit;
mod history;
mod scroll;
mod totals;

pub use audit::{AuditError, Audited, audit, bills};
pub use history::{Found, find_payments, tail};
pub use scroll::{ScrollError, ScrollLine, scroll, write_scroll};
pub use totals::totals_of_legs;
