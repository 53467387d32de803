//! What makes a payment the same payment at a department.

use crate::ids::Short;
use crate::switch::Payment;

/// Numbers of six digits.
const AUTHORISATIONS: u64 = 1_000_000;

/// By which, together with the consumer number, a department knows a payment again (`domain.md` 3a): made from what the
/// payment is stored with, and nothing else, so that it is the same however often it is sent, after a restart and under
/// another configuration. No other payment of this store has it: their numbers repeat only after a million.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Identity {
    /// `tran_auth_id`: the last six digits of the payment's number.
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
        let authorisation = format!("{:06}", payment.trace.checked_rem(AUTHORISATIONS).unwrap_or_default());
        let told = payment.key.parts().transmitted_at;
        let time = told.last_chunk::<6>().filter(|time| time.iter().all(u8::is_ascii_digit));
        Self {
            authorisation: Short::new(authorisation.as_bytes()).unwrap_or_default(),
            date: Short::new(payment.date.compact().as_bytes()).unwrap_or_default(),
            time: Short::new(time.unwrap_or(b"000000")).unwrap_or_default(),
        }
    }
}
