//! A department with an HTTP API, simulated: the 1BILL-style contract of `domain.md` 3a as a department would serve it, with
//! faults by rule and by rate, and a ledger on disk that both sides can be compared by afterwards.

pub(super) mod faults;
pub(super) mod ledger;
pub(super) mod office;
mod serve;
mod tls;

pub use faults::{Fault, FaultError, FaultRule};
pub use ledger::{Entry, LedgerError, read_ledger};
pub use office::{Office, OfficeError};
pub use serve::{Department, Settings};
pub use tls::{ServerTlsError, server_tls};
