//! What is added up afterwards from the journal: daily scrolls, totals, look-ups, and whether journal and bill books agree.

mod audit;
mod bills;
mod history;
mod scroll;
mod settled;
mod totals;

pub use audit::{AuditError, Audited, audit, bills};
pub use bills::{BillFound, BillQuery, BillState, bill, find_bills};
pub use history::{Found, find_payments, tail};
pub use scroll::{HeadLine, ScrollError, ScrollLine, by_head, scroll};
pub use settled::{SettledHead, SettledLine, settled, settled_heads, write_heads, write_scroll};
pub use totals::{TotalsAudited, totals_of_legs};
