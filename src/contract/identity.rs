//! What makes a payment the same payment at a department.

use sha2::{Digest, Sha256};

use crate::ids::Short;
use crate::switch::Payment;

/// Numbers of six digits.
const AUTHORISATIONS: u64 = 1_000_000;

/// By which, together with the consumer number, a department knows a payment again (`domain.md` 3a): derived from what the
/// payment is stored with, so that it is the same however often it is sent, and after a restart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Identity {
    /// `tran_auth_id`: six digits of a hash over the payment's key, so that two acquirers that number their messages alike, and pay
    /// the same bill in the same second, are still told apart.
    pub authorisation: Short<6>,
    /// `tran_date`: the business date it counts for, yyyyMMdd.
    pub date: Short<8>,
    /// `tran_time`: hhmmss as the acquirer said in DE 7, whether there is such a time or not.
    pub time: Short<6>,
}

impl Identity {
    /// The identity of a payment.
    #[must_use]
    pub fn of(payment: &Payment) -> Self {
        let hash = Sha256::digest(payment.key.as_bytes());
        let head = hash.first_chunk::<8>().map_or(0, |head| u64::from_be_bytes(*head));
        let authorisation = format!("{:06}", head % AUTHORISATIONS);
        let told = payment.key.parts().transmitted_at;
        let time = told.last_chunk::<6>().filter(|time| time.iter().all(u8::is_ascii_digit));
        Self {
            authorisation: Short::new(authorisation.as_bytes()).unwrap_or_default(),
            date: Short::new(payment.date.compact().as_bytes()).unwrap_or_default(),
            time: Short::new(time.unwrap_or(b"000000")).unwrap_or_default(),
        }
    }
}
