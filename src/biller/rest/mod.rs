//! A department with an HTTP API, as its contract says (`domain.md` 3a).

mod client;
mod connect;
mod credentials;
mod kind;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use thiserror::Error;
use tokio::runtime::Handle;

pub use connect::TlsError;
pub use credentials::{CredentialSource, Credentials, CredentialsError, CredentialsFileError};
pub use kind::{OverHttp, RestConfig};

use super::{Adapter, Health, LastError, Reply};
use crate::bounds::HttpBounds;
use crate::clock::UnixMillis;
use crate::contract::{Call, Contract, Heard, Identity, PaidBy};
use crate::ids::Short;
use crate::switch::{LegId, Order, Outcome, Payment, Posting, Reason};
use client::{Client, Heard as Got};

/// Why a department cannot be called.
#[derive(Debug, Error)]
pub enum RestError {
    /// Its certificate authority's file.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// User name and password.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The URL, with a path of the contract behind it, is none.
    #[error("the URL with the contract's path behind it is no URL")]
    Url,
}

/// How a department is called.
pub struct RestSettings {
    /// Where it is; the contract's paths go behind it.
    pub url: http::Uri,
    /// What the calls mean.
    pub contract: Arc<Contract>,
    /// Who we say that we are.
    pub bank: String,
    /// Who asks; none if the department does not want to know.
    pub credentials: Option<Credentials>,
    /// The certificate authorities that may vouch for it, PEM; none for a URL without TLS.
    pub authorities: Option<Vec<u8>>,
    /// How long is waited.
    pub bounds: HttpBounds,
}

/// A department with an HTTP API.
pub struct Rest {
    caller: Arc<Caller>,
    runtime: Handle,
}

/// What the calls of a department share.
struct Caller {
    contract: Arc<Contract>,
    bank: String,
    client: Client,
    answer_timeout: Duration,
    last_error: Mutex<Option<LastError>>,
}

impl Rest {
    /// Prepares to call a department; nothing is sent yet. Its calls run on `runtime`.
    ///
    /// # Errors
    ///
    /// [`RestError`].
    pub fn new(settings: RestSettings, runtime: Handle) -> Result<Self, RestError> {
        let answer_timeout = settings.bounds.answer_timeout;
        let (contract, bank) = (Arc::clone(&settings.contract), settings.bank.clone());
        let client = Client::new(settings)?;
        let caller = Caller { contract, bank, client, answer_timeout, last_error: Mutex::new(None) };
        Ok(Self { caller: Arc::new(caller), runtime })
    }
}

impl Adapter for Rest {
    fn submit(&self, leg: LegId, order: Order, reply: Reply) {
        let caller = Arc::clone(&self.caller);
        self.runtime.spawn(async move {
            match tokio::time::timeout(caller.answer_timeout, caller.carry_out(&order)).await {
                Ok(outcome) => reply(leg, outcome),
                // The switch's deadline says what follows.
                Err(_) => caller.note("no answer in time"),
            }
        });
    }

    fn health(&self) -> Health {
        let last_error = self.caller.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Health { last_error, ..Health::default() }
    }
}

impl Caller {
    async fn carry_out(&self, order: &Order) -> Outcome {
        match order {
            Order::LookUp(bill) => self.look_up(&bill.consumer).await,
            Order::Post { payment, again } => self.post(payment, *again).await,
            // There is no such call.
            Order::Reverse { .. } => Outcome::Declined(Reason::NotReversible),
        }
    }

    async fn look_up(&self, consumer: &str) -> Outcome {
        let body = match self.contract.inquiry(consumer, &self.bank) {
            Ok(body) => body,
            Err(reason) => return Outcome::Declined(reason),
        };
        match self.client.call(Call::Inquiry, body).await {
            Got::Body(body) => {
                let outcome = self.contract.read_inquiry(&body);
                if matches!(outcome, Outcome::Unknown) {
                    self.note("an inquiry's answer that cannot be understood");
                }
                outcome
            }
            Got::NotSent(why) => {
                self.note(why);
                Outcome::NotSent
            }
            Got::Status(status) => {
                self.note(&format!("an inquiry answered with HTTP {status}"));
                Outcome::Unknown
            }
            Got::Unknown(why) => {
                self.note(why);
                Outcome::Unknown
            }
        }
    }

    async fn post(&self, payment: &Payment, again: bool) -> Outcome {
        let body = match self.contract.payment(payment, &self.bank) {
            Ok(body) => body,
            // Such a payment cannot have been sent before either.
            Err(reason) => return Outcome::Declined(reason),
        };
        let heard = match self.client.call(Call::Payment, body).await {
            Got::Body(body) => self.contract.read_payment(again, &body),
            Got::NotSent(why) => {
                self.note(why);
                return Outcome::NotSent;
            }
            Got::Status(status) => {
                self.note(&format!("a payment answered with HTTP {status}"));
                // Refused now, it may have been posted before.
                let refused = self.contract.refuses(status) && !again;
                return if refused { Outcome::Declined(Reason::BillerUnavailable) } else { Outcome::Unknown };
            }
            Got::Unknown(why) => {
                self.note(why);
                return Outcome::Unknown;
            }
        };
        match heard {
            Heard::Posted(receipt) => posted(payment, receipt),
            Heard::Refused(reason) if !again => Outcome::Declined(reason),
            // It may have been posted before, and be refused now for what the bill has become: the bill shows it.
            Heard::Refused(reason) => match self.who_paid(payment).await {
                PaidBy::Us => posted(payment, None),
                PaidBy::Another | PaidBy::NotTold => Outcome::Declined(Reason::AlreadyPaid),
                PaidBy::Nobody | PaidBy::NoBill => Outcome::Declined(reason),
                PaidBy::Unknown => {
                    self.note("a refusal of what may have been posted, which the bill does not show");
                    Outcome::Unknown
                }
            },
            Heard::Unknown => {
                self.note("a payment's answer that says neither posted nor refused");
                Outcome::Unknown
            }
            Heard::Duplicate(receipt) => match self.who_paid(payment).await {
                // Its identity is ours; that the bill does not show by whom it was paid contradicts nothing.
                PaidBy::Us | PaidBy::NotTold => posted(payment, receipt),
                PaidBy::Another | PaidBy::Nobody | PaidBy::NoBill | PaidBy::Unknown => {
                    self.note("a duplicate that the bill does not show");
                    Outcome::Unknown
                }
            },
            Heard::AlreadyPaid => match self.who_paid(payment).await {
                PaidBy::Us => posted(payment, None),
                PaidBy::Another | PaidBy::NotTold => Outcome::Declined(Reason::AlreadyPaid),
                PaidBy::Nobody | PaidBy::NoBill | PaidBy::Unknown => {
                    self.note("a bill said to be paid, which it does not show");
                    Outcome::Unknown
                }
            },
        }
    }

    /// Looks up who has paid a payment's bill.
    async fn who_paid(&self, payment: &Payment) -> PaidBy {
        let Ok(body) = self.contract.inquiry(&payment.consumer, &self.bank) else { return PaidBy::Unknown };
        match self.client.call(Call::Inquiry, body).await {
            Got::Body(body) => self.contract.paid_by(payment, &body),
            Got::NotSent(_) | Got::Status(_) | Got::Unknown(_) => PaidBy::Unknown,
        }
    }

    fn note(&self, what: &str) {
        let error = LastError { what: what.to_owned(), at: wall() };
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

/// A posting as the department told of it. Where it gave no receipt that can be read out, the day and the authorisation
/// by which it knows the payment stand for it.
fn posted(payment: &Payment, receipt: Option<Short<20>>) -> Outcome {
    let identity = Identity::of(payment);
    let own =
        || Short::new(format!("{}{}", identity.date, identity.authorisation).as_bytes()).unwrap_or_default();
    Outcome::Posted(Posting {
        receipt: receipt.unwrap_or_else(own),
        authorisation: identity.authorisation,
        at: wall(),
        heads: payment.heads.clone(),
    })
}

fn wall() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
