//! An adapter, and orders for it.

use std::sync::Arc;
use std::time::Duration;

use billswitch::biller::rest::{Credentials, Rest, RestSettings};
use billswitch::biller::{Adapter, Reply};
use billswitch::bounds::HttpBounds;
use billswitch::clock::UnixMillis;
use billswitch::contract::{Contract, shipped};
use billswitch::ids::{KeyParts, PaymentKey};
use billswitch::money::MinorUnits;
use billswitch::switch::{BillRef, LegId, Order, Outcome, Payment, Posting, Reason, State};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Everything that is waited for happens within this, or the test fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What came of an order.
#[derive(Clone, Debug, PartialEq)]
pub enum Came {
    Found {
        name: String,
        status: String,
        within: u64,
        after: u64,
    },
    Posted {
        receipt: String,
        authorisation: String,
    },
    Declined(Reason),
    NotSent,
    Unknown,
    /// The adapter let go of it without a word.
    Silence,
}

pub struct Rig {
    pub rest: Rest,
}

/// How an adapter is made that is not like the others.
pub struct Made {
    pub url: String,
    pub contract: Contract,
    pub credentials: Option<&'static str>,
    pub authorities: Option<Vec<u8>>,
    pub answer_timeout: Duration,
    pub connect_timeout: Duration,
}

impl Made {
    pub fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            contract: contract(&[]),
            credentials: None,
            authorities: None,
            answer_timeout: PATIENCE,
            connect_timeout: Duration::from_secs(5),
        }
    }

    pub fn rig(self) -> Rig {
        let settings = RestSettings {
            url: self.url.parse().unwrap(),
            contract: Arc::new(self.contract),
            bank: "BSWITCH".to_owned(),
            credentials: self.credentials.map(|text| Credentials::parse(text).unwrap()),
            authorities: self.authorities,
            bounds: HttpBounds {
                connect_timeout: self.connect_timeout,
                answer_timeout: self.answer_timeout,
                idle_connections_max: 8,
            },
        };
        Rig { rest: Rest::new(settings, Handle::current()).unwrap() }
    }
}

/// The shipped contract, changed.
pub fn contract(changes: &[(&str, &str)]) -> Contract {
    let mut text = shipped::contract_text("1bill").unwrap().to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    Contract::parse("1bill", "1bill.toml", &text).unwrap()
}

/// A payment that the store has given this number.
pub fn payment(trace: u64, consumer: &str, amount: u64) -> Payment {
    let key =
        KeyParts { transmitted_at: b"1120121366", stan: b"000001", link: b"atmnet", ..KeyParts::default() };
    Payment {
        link: "atmnet".parse().unwrap(),
        channel: "6011".parse().unwrap(),
        state: State::Sent,
        taken_in: UnixMillis(1),
        trace,
        ..Payment::new(
            PaymentKey::new(&key),
            BillRef { biller: "DEPT".parse().unwrap(), consumer: consumer.into() },
            MinorUnits::new(amount).unwrap(),
            "2026-11-20".parse().unwrap(),
        )
    }
}

impl Rig {
    pub fn at(url: &str) -> Self {
        Made::at(url).rig()
    }

    pub async fn order(&self, order: Order) -> Came {
        let (outcomes, mut heard) = mpsc::unbounded_channel();
        let reply: Reply = Arc::new(move |leg, outcome| {
            assert_eq!(leg, LegId(7));
            outcomes.send(outcome).unwrap();
        });
        self.rest.submit(LegId(7), order, reply);
        let first = timeout(PATIENCE, heard.recv()).await.expect("an outcome, or the end of its reply");
        let second = timeout(PATIENCE, heard.recv()).await.expect("the end of its reply");
        assert!(second.is_none(), "one outcome at most");
        match first {
            None => Came::Silence,
            Some(Outcome::Found(bill)) => Came::Found {
                name: bill.name.to_string(),
                status: bill.status.letter().to_owned(),
                within: bill.amount_within_due.minor(),
                after: bill.amount_after_due.minor(),
            },
            Some(Outcome::Posted(Posting { receipt, authorisation, .. })) => {
                Came::Posted { receipt: receipt.to_string(), authorisation: authorisation.to_string() }
            }
            Some(Outcome::Declined(reason)) => Came::Declined(reason),
            Some(Outcome::NotSent) => Came::NotSent,
            Some(Outcome::Duplicate | Outcome::Unknown | Outcome::Silent) => Came::Unknown,
            Some(Outcome::Reversed) => panic!("there is no reversal"),
        }
    }

    pub async fn look_up(&self, consumer: &str) -> Came {
        let bill = BillRef { biller: "DEPT".parse().unwrap(), consumer: consumer.into() };
        self.order(Order::LookUp(bill)).await
    }

    pub async fn post(&self, payment: &Payment, again: bool) -> Came {
        self.order(Order::Post { payment: Box::new(payment.clone()), again }).await
    }

    /// What the adapter says went wrong last.
    pub fn last_error(&self) -> String {
        self.rest.health().last_error.map(|error| error.what).unwrap_or_default()
    }
}

pub fn posted(receipt: &str, authorisation: &str) -> Came {
    Came::Posted { receipt: receipt.to_owned(), authorisation: authorisation.to_owned() }
}
