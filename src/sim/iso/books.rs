//! The bills of the simulated host, and what has been paid and given back.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::UnixMillis;
use crate::ids::{BusinessDate, PaymentKey};
use crate::sim::rest::ledger::Ledger;
use crate::sim::rest::office::{bills_of, millis};
use crate::sim::rest::{Entry, OfficeError};
use crate::switch::{
    About, Answer, Bill, BillRef, BillStatus, PaymentRequest, Posting, Reason, Replacement, ReversalRequest,
};

/// What a host holds of one payment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Held {
    /// The posting as the ledger has it.
    pub entry: Entry,
    /// It was given back.
    pub undone: bool,
}

/// A host's bills and postings.
pub struct Books {
    bills: HashMap<Box<str>, Bill>,
    state: Mutex<State>,
    ledger: Ledger,
    today: Option<BusinessDate>,
}

#[derive(Default)]
struct State {
    /// By identity.
    held: HashMap<String, Held>,
    /// Who has paid each bill.
    paid: HashMap<Box<str>, String>,
    /// Given back before they were there: should they still come, they are refused.
    never: HashSet<String>,
}

impl Books {
    /// Opens a host's books: bills in the columns of `billswitch book import`, and a ledger. `today` is what bills expire
    /// by; the calendar's if none.
    ///
    /// # Errors
    ///
    /// [`OfficeError`].
    pub fn open(bills: &Path, ledger: &Path, today: Option<BusinessDate>) -> Result<Self, OfficeError> {
        let bills = bills_of(bills)?;
        let (ledger, entries) = Ledger::open(ledger)?;
        let mut state = State::default();
        entries.into_iter().for_each(|entry| state.take(entry));
        Ok(Self { bills, state: Mutex::new(state), ledger, today })
    }

    /// How many bills it has, and how many of them stand as paid here.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.bills.len(), self.state().paid.len())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn today(&self) -> BusinessDate {
        self.today.unwrap_or_else(|| BusinessDate::new(jiff::Zoned::now().date()))
    }

    /// What is due on a bill.
    pub(super) fn look_up(&self, asked: &BillRef, wrong_amount: bool) -> Answer {
        let Some(bill) = self.bills.get(&asked.consumer) else { return Answer::plain(Reason::NoSuchBill) };
        let mut bill = bill.clone();
        if self.state().paid.contains_key(&asked.consumer) {
            bill.status = BillStatus::Paid;
        }
        if wrong_amount {
            let more = crate::money::MinorUnits::new(100).unwrap_or_default();
            bill.amount_within_due = bill.amount_within_due.plus(more).unwrap_or_default();
            bill.amount_after_due = bill.amount_after_due.plus(more).unwrap_or_default();
            bill.heads.clear();
        }
        let reason = bill.due_on(self.today()).err().unwrap_or(Reason::Approved);
        let about = if reason == Reason::Approved { About::Bill(Box::new(bill)) } else { About::Nothing };
        Answer { reason, bad_field: None, about }
    }

    /// Posts a payment, or says why not; on disk before it is told. None if it could not be written down.
    pub(super) async fn post(&self, request: &PaymentRequest) -> Option<Answer> {
        let booked = self.book(request);
        match booked {
            Ok((entry, true)) => self.ledger.note(&entry).await.then(|| self.posted(&entry)),
            Ok((entry, false)) => self.ledger.flush().await.then(|| self.posted(&entry)),
            Err(reason) => Some(Answer::plain(reason)),
        }
    }

    fn posted(&self, entry: &Entry) -> Answer {
        let posting = Posting {
            receipt: entry.receipt.parse().unwrap_or_default(),
            authorisation: entry.receipt.get(4..).and_then(|code| code.parse().ok()).unwrap_or_default(),
            at: UnixMillis(entry.at),
            heads: Vec::new(),
        };
        let about = About::Posted { posting, date: self.today() };
        Answer { about, ..Answer::plain(Reason::Approved) }
    }

    /// The posting of a payment, and whether it is a new one.
    fn book(&self, request: &PaymentRequest) -> Result<(Entry, bool), Reason> {
        let (identity, consumer) = (identity(&request.key), &request.bill.consumer);
        let bill = self.bills.get(consumer).ok_or(Reason::NoSuchBill)?;
        let mut state = self.state();
        if let Some(held) = state.held.get(&identity) {
            return if held.undone { Err(Reason::ReversedFirst) } else { Ok((held.entry.clone(), false)) };
        }
        if state.never.contains(&identity) {
            return Err(Reason::ReversedFirst);
        }
        if state.paid.contains_key(consumer) {
            return Err(Reason::AlreadyPaid);
        }
        let due = bill.due_on(self.today())?;
        if due != request.amount {
            return Err(Reason::AmountNotAccepted);
        }
        let number = state.held.len().saturating_add(1);
        let entry = Entry {
            consumer: consumer.to_string(),
            identity,
            amount: request.amount.minor(),
            receipt: format!("H{number:09}"),
            at: millis(),
            undone: false,
        };
        state.take(entry.clone());
        Ok((entry, true))
    }

    /// Gives a payment back, or a part of it; what was never there is remembered. None if it could not be written down.
    pub(super) async fn undo(&self, request: &ReversalRequest) -> Option<Answer> {
        let undone = {
            let mut state = self.state();
            let identity = identity(&request.original);
            match state.held.get(&identity) {
                None => {
                    state.never.insert(identity);
                    return Some(Answer::plain(Reason::OriginalUnknown));
                }
                Some(held) => match undoing(held, request) {
                    Err(reason) => return Some(Answer::plain(reason)),
                    Ok(None) => None,
                    Ok(Some(entry)) => {
                        state.take(entry.clone());
                        Some(entry)
                    }
                },
            }
        };
        let written = match undone {
            Some(entry) => self.ledger.note(&entry).await,
            None => self.ledger.flush().await,
        };
        written.then(|| Answer::plain(Reason::Approved))
    }
}

impl State {
    fn take(&mut self, entry: Entry) {
        if entry.undone {
            if self.paid.get(entry.consumer.as_str()) == Some(&entry.identity) {
                self.paid.remove(entry.consumer.as_str());
            }
            if let Some(held) = self.held.get_mut(&entry.identity) {
                held.undone = true;
            }
            return;
        }
        self.paid.insert(entry.consumer.as_str().into(), entry.identity.clone());
        self.held.insert(entry.identity.clone(), Held { entry, undone: false });
    }
}

/// The posting as it is to stand, or to be no more; none if it is so already.
fn undoing(held: &Held, request: &ReversalRequest) -> Result<Option<Entry>, Reason> {
    let (standing, debited) = (held.entry.amount, request.amount.minor());
    let part = match request.replacement {
        Replacement::None => None,
        Replacement::Amount(left) if left < request.amount => Some(left.minor()),
        Replacement::Amount(_) | Replacement::Unreadable => return Err(Reason::AmountNotAccepted),
    };
    match part {
        // Told before.
        Some(left) if left == standing && !held.undone => Ok(None),
        None if held.undone && debited == standing => Ok(None),
        None if debited == standing => Ok(Some(Entry { at: millis(), undone: true, ..held.entry.clone() })),
        Some(left) if debited == standing && !held.undone => {
            Ok(Some(Entry { at: millis(), amount: left, ..held.entry.clone() }))
        }
        Some(_) | None => Err(Reason::AmountNotAccepted),
    }
}

/// What makes it the same payment at the host: time, trace number, reference, institution and terminal, as they came.
fn identity(key: &PaymentKey) -> String {
    let parts = key.parts();
    let parts = [parts.transmitted_at, parts.stan, parts.rrn, parts.acquirer, parts.terminal];
    let text = parts.map(|part| String::from_utf8_lossy(part.trim_ascii()).into_owned());
    text.join("/")
}
