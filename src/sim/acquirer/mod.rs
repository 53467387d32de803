//! An acquirer, simulated: inquires, pays, repeats and takes back at a rate, and keeps a ledger of what the switch has
//! approved to it. It speaks as the switch speaks to a host: by the outward side of a profile.

mod compare;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;

pub use compare::{Difference, compare};

use crate::biller::iso8583::{Department, Host, HostKeys, HostSettings, Iso8583, OneKey};
use crate::biller::{Adapter, Reply};
use crate::bounds::{HostBounds, LinkBounds};
use crate::clock::UnixMillis;
use crate::ids::{BillerCode, BusinessDate, KeyParts, PaymentKey};
use crate::iso8583::Framing;
use crate::profile::{Own, Profile};
use crate::sim::rest::ledger::Ledger;
use crate::sim::rest::office::millis;
use crate::sim::rest::{Entry, LedgerError};
use crate::switch::{BillRef, LegId, Order, Outcome, Payment, Posting, Reason, Reversal, State};
use crate::vault::MacKey;

/// How long a payment may wait before it is asked for again.
const PAUSE: Duration = Duration::from_millis(200);
/// How often a bill is asked for of a department that cannot be reached, after the first time.
const ASKED_MAX: u32 = 50;

/// What an acquirer does.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The department, by the switch's code.
    pub biller: BillerCode,
    /// DE 49.
    pub currency: String,
    /// The bills to be paid, each once.
    pub consumers: Vec<Box<str>>,
    /// Payments begun a second.
    pub rate: u32,
    /// Payments at once.
    pub in_flight_max: usize,
    /// How long an answer is waited for, milliseconds.
    pub reply_timeout_ms: u64,
    /// Of a hundred payments that were approved, those that are repeated.
    pub repeats: u64,
    /// Of a hundred payments that were approved, those that are taken back.
    pub reversals: u64,
    /// The day by which bills are late; the calendar's if none.
    pub today: Option<BusinessDate>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Serialize)]
pub struct Report {
    /// Approved, and not taken back.
    pub standing: u64,
    /// Refused, or not to be sent.
    pub declined: u64,
    /// Approved, and taken back.
    pub taken_back: u64,
    /// Not answered, or in doubt, and taken back.
    pub doubtful: u64,
    /// Approved, or not answered, or in doubt, and the switch would not have it taken back.
    pub reversals_refused: u64,
    /// Repeats that were refused: each is a fault of the switch.
    pub repeats_refused: u64,
}

struct Acquirer {
    adapter: Iso8583,
    ledger: Ledger,
    plan: Plan,
    legs: AtomicU64,
    traces: AtomicU64,
    report: Mutex<Report>,
}

/// Pays every bill of the plan over this link, and goes on until each has come to an end.
///
/// # Errors
///
/// [`LedgerError`] if the ledger cannot be opened.
pub async fn run(link: Arc<Host>, ledger: &Path, plan: Plan) -> Result<Report, LedgerError> {
    let (ledger, _) = Ledger::open(ledger)?;
    let department = Department {
        product: plan.biller.to_string(),
        currency: plan.currency.clone(),
        reply_timeout_ms: plan.reply_timeout_ms,
    };
    let (consumers, places) = (plan.consumers.clone(), Arc::new(Semaphore::new(plan.in_flight_max)));
    let mut pace =
        tokio::time::interval(Duration::from_secs(1).checked_div(plan.rate.max(1)).unwrap_or_default());
    let acquirer = Arc::new(Acquirer {
        adapter: Iso8583::new(link, department),
        ledger,
        plan,
        legs: AtomicU64::new(1),
        // Not the numbers of a run before this one.
        traces: AtomicU64::new(millis()),
        report: Mutex::new(Report::default()),
    });
    let mut payments = JoinSet::new();
    for (number, consumer) in (0_u64..).zip(consumers) {
        pace.tick().await;
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let acquirer = Arc::clone(&acquirer);
        payments.spawn(async move {
            acquirer.pay(number, consumer).await;
            drop(place);
        });
        while payments.try_join_next().is_some() {}
    }
    while payments.join_next().await.is_some() {}
    let report = *acquirer.report.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(report)
}

impl Acquirer {
    fn count(&self, count: impl FnOnce(&mut Report)) {
        count(&mut self.report.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn declined(&self) {
        self.count(|report| report.declined = report.declined.saturating_add(1));
    }

    /// The outcome of an order; of one that is not answered in time none is known.
    async fn order(&self, order: Order) -> Outcome {
        let (done, outcome) = oneshot::channel();
        let done = Mutex::new(Some(done));
        let reply: Reply = Arc::new(move |_, outcome| {
            if let Some(done) = done.lock().unwrap_or_else(PoisonError::into_inner).take() {
                let _ = done.send(outcome);
            }
        });
        let leg = LegId(self.legs.fetch_add(1, Ordering::Relaxed));
        self.adapter.submit(leg, order, reply);
        outcome.await.unwrap_or(Outcome::Unknown)
    }

    /// One citizen: asks what is due, pays it, and has it repeated or taken back if its number says so.
    async fn pay(&self, number: u64, consumer: Box<str>) {
        let today = self.plan.today.unwrap_or_else(|| BusinessDate::new(jiff::Zoned::now().date()));
        let bill = BillRef { biller: self.plan.biller, consumer: consumer.clone() };
        let found = self.look_up(bill).await;
        let Outcome::Found(bill) = found else {
            return self.declined();
        };
        let Ok(amount) = bill.due_on(today) else {
            return self.declined();
        };
        let mut payment = self.payment(consumer, amount, today);
        payment.reference = Some(bill.reference);
        let post = Order::Post { payment: Box::new(payment.clone()), again: false };
        match self.order(post).await {
            Outcome::Posted(posting) => self.approved(number, payment, &posting).await,
            Outcome::Declined(_) | Outcome::NotSent => self.declined(),
            Outcome::Found(_)
            | Outcome::Reversed
            | Outcome::Duplicate
            | Outcome::Unknown
            | Outcome::Silent => {
                match self.take_back(&mut payment).await {
                    // What never arrived is not there to be taken back.
                    Ok(()) | Err(Reason::OriginalUnknown) => {
                        self.count(|report| report.doubtful = report.doubtful.saturating_add(1));
                    }
                    Err(_) => self.not_taken_back(),
                }
            }
        }
    }

    /// Asks for a bill; again, if the department cannot be reached just now.
    async fn look_up(&self, bill: BillRef) -> Outcome {
        let mut asked = self.order(Order::LookUp(bill.clone())).await;
        for _ in 0..ASKED_MAX {
            let passes = matches!(
                asked,
                Outcome::NotSent | Outcome::Unknown | Outcome::Declined(Reason::BillerUnavailable)
            );
            if !passes {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            asked = self.order(Order::LookUp(bill.clone())).await;
        }
        asked
    }

    async fn approved(&self, number: u64, mut payment: Payment, posting: &Posting) {
        let entry = Entry {
            consumer: payment.consumer.to_string(),
            identity: String::from_utf8_lossy(payment.key.parts().rrn).into_owned(),
            amount: payment.amount.minor(),
            receipt: posting.receipt.to_string(),
            at: millis(),
            undone: false,
        };
        self.ledger.note(&entry).await;
        // By its number: the first so many of each hundred, and the last so many.
        let place = number.checked_rem(100).unwrap_or(0);
        if place < self.plan.repeats {
            payment.confirmations = 1;
            let again = Order::Post { payment: Box::new(payment.clone()), again: true };
            if matches!(self.order(again).await, Outcome::Declined(_)) {
                self.count(|report| report.repeats_refused = report.repeats_refused.saturating_add(1));
            }
        }
        if 100_u64.saturating_sub(place) > self.plan.reversals {
            return self.count(|report| report.standing = report.standing.saturating_add(1));
        }
        if self.take_back(&mut payment).await.is_err() {
            // It stands: what the switch holds of it is to be the same.
            return self.not_taken_back();
        }
        self.ledger.note(&Entry { at: millis(), undone: true, ..entry }).await;
        self.count(|report| report.taken_back = report.taken_back.saturating_add(1));
    }

    fn not_taken_back(&self) {
        self.count(|report| report.reversals_refused = report.reversals_refused.saturating_add(1));
    }

    /// Says that it is taken back until that is heard.
    ///
    /// # Errors
    ///
    /// Why the switch will not have it taken back.
    async fn take_back(&self, payment: &mut Payment) -> Result<(), Reason> {
        let mut attempts = 0_u16;
        loop {
            attempts = attempts.saturating_add(1);
            payment.reversal = Some(Reversal { answer: None, attempts, totals_date: None });
            let order = Order::Reverse { payment: Box::new(payment.clone()), again: attempts > 1 };
            match self.order(order).await {
                Outcome::Reversed => return Ok(()),
                Outcome::Declined(reason) if reason != Reason::BillerUnavailable => return Err(reason),
                Outcome::Declined(_)
                | Outcome::Found(_)
                | Outcome::Posted(_)
                | Outcome::NotSent
                | Outcome::Duplicate
                | Outcome::Unknown
                | Outcome::Silent => {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn payment(&self, consumer: Box<str>, amount: crate::money::MinorUnits, date: BusinessDate) -> Payment {
        let trace = self.traces.fetch_add(1, Ordering::Relaxed);
        let rrn = format!("{:012}", trace.checked_rem(1_000_000_000_000).unwrap_or(0));
        let terminal = format!("SIM{:05}", trace.checked_rem(100_000).unwrap_or(0));
        let parts = KeyParts { rrn: rrn.as_bytes(), terminal: terminal.as_bytes(), ..KeyParts::default() };
        Payment {
            channel: "6011".parse().unwrap_or_default(),
            state: State::Sent,
            taken_in: UnixMillis(millis()),
            trace,
            ..Payment::new(
                PaymentKey::new(&parts),
                BillRef { biller: self.plan.biller, consumer },
                amount,
                date,
            )
        }
    }
}

/// How a switch's link is reached.
pub struct Way {
    /// Host name or address, and port.
    pub address: String,
    /// The address that it is dialled from; the system's choice if none. A switch may tell its links by it.
    pub source: Option<IpAddr>,
    /// What is said; with an outward side.
    pub profile: Arc<Profile>,
    /// How frames stand on the connection.
    pub framing: Framing,
    /// What the profile asks for as `own:…`.
    pub own: Own,
    /// What messages get their MACs by; none if they have none.
    pub key: Option<MacKey>,
}

/// A link to a switch, dialled and signed on like that to a host.
#[must_use]
pub fn link(way: Way, stop: watch::Receiver<bool>) -> Arc<Host> {
    let Way { address, source, profile, framing, own, key } = way;
    let ms = Duration::from_millis;
    let link = LinkBounds {
        frame_bytes_max: 9999,
        frame_timeout: ms(10_000),
        write_timeout: ms(10_000),
        idle_echo: Some(ms(60_000)),
        echo_timeout: ms(10_000),
        idle_timeout: ms(600_000),
        in_flight_max: 1,
        unanswerable_max: 1,
        connections_max: 1,
    };
    let bounds = HostBounds {
        link,
        connections: 1,
        queue_max: 4096,
        connect_timeout: ms(5000),
        sign_on_timeout: ms(10_000),
        reconnect: (ms(50), ms(2000)),
    };
    let keys = key.map(|key| -> Arc<dyn HostKeys> { Arc::new(OneKey(Arc::new(key))) });
    let settings = HostSettings {
        name: "switch".to_owned(),
        address,
        source,
        framing,
        profile,
        own,
        keys,
        zone: jiff::tz::TimeZone::system(),
        bounds,
        // What comes late has been taken back.
        late: Arc::new(|_, _| ()),
        unasked: Arc::new(|_| ()),
        stop,
    };
    Host::start(settings, &tokio::runtime::Handle::current())
}

/// The consumers of a bill file, in its order.
///
/// # Errors
///
/// [`crate::sim::rest::OfficeError`].
pub fn consumers(bills: &Path) -> Result<Vec<Box<str>>, crate::sim::rest::OfficeError> {
    let fault = |source| crate::sim::rest::OfficeError::Bills { path: PathBuf::from(bills), source };
    let file = std::fs::File::open(bills).map_err(fault)?;
    let name = bills.display().to_string();
    let mut reader = crate::biller::book::RowReader::new(&name, std::io::BufReader::new(file));
    let rows = std::iter::from_fn(|| reader.next_row());
    Ok(rows.map(|row| row.map(|row| row.psid)).collect::<Result<_, _>>()?)
}
