//! The simulated department itself: its bills, what has been paid, and what it answers.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use thiserror::Error;

use super::ledger::{Entry, Ledger, LedgerError};
use crate::biller::book::{LineFault, RowReader};
use crate::ids::BusinessDate;
use crate::money::MinorUnits;
use crate::switch::{Bill, BillStatus};

/// Longest consumer number of the contract.
const CONSUMER_MAX: usize = 24;

/// Why there is no department.
#[derive(Debug, Error)]
pub enum OfficeError {
    /// The file of bills cannot be read.
    #[error("{}: {source}", path.display())]
    Bills {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A line of it.
    #[error(transparent)]
    Line(#[from] LineFault),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// A department's bills and postings.
pub struct Office {
    bills: HashMap<Box<str>, Bill>,
    paid: Mutex<Paid>,
    ledger: Ledger,
    today: Option<BusinessDate>,
}

#[derive(Default)]
struct Paid {
    by_consumer: HashMap<Box<str>, Entry>,
    /// Receipts given so far.
    receipts: u64,
}

/// The bills of a file in the columns of `billswitch book import`.
pub(in crate::sim) fn bills_of(path: &Path) -> Result<HashMap<Box<str>, Bill>, OfficeError> {
    let fault = |source| OfficeError::Bills { path: path.to_path_buf(), source };
    let file = std::fs::File::open(path).map_err(fault)?;
    let mut reader = RowReader::new(&path.display().to_string(), std::io::BufReader::new(file));
    let rows = std::iter::from_fn(|| reader.next_row());
    Ok(rows.map(|row| row.map(|row| (row.psid, row.bill))).collect::<Result<_, _>>()?)
}

impl Office {
    /// Opens a department with the bills of a file, in the columns of `billswitch book import`, and a ledger.
    /// `today` is what bills expire by; the calendar's if none.
    ///
    /// # Errors
    ///
    /// [`OfficeError`].
    pub fn open(bills: &Path, ledger: &Path, today: Option<BusinessDate>) -> Result<Self, OfficeError> {
        let bills = bills_of(bills)?;
        let (ledger, held) = Ledger::open(ledger)?;
        let mut paid = Paid { receipts: u64::try_from(held.len()).unwrap_or(0), ..Paid::default() };
        paid.by_consumer.extend(held.into_iter().map(|entry| (entry.consumer.as_str().into(), entry)));
        Ok(Self { bills, paid: Mutex::new(paid), ledger, today })
    }

    /// How many bills it has, and how many of them have been paid here.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.bills.len(), self.paid().by_consumer.len())
    }

    fn paid(&self) -> MutexGuard<'_, Paid> {
        self.paid.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn today(&self) -> BusinessDate {
        let calendar = || BusinessDate::new(jiff::Zoned::now().date());
        self.today.unwrap_or_else(calendar)
    }

    /// What is due on a bill. None if what it would tell of is not on disk.
    pub(super) async fn inquiry(&self, request: &Value, wrong_amount: bool) -> Option<Value> {
        let consumer = text(request, "consumer_number");
        if consumer.is_empty() || consumer.len() > CONSUMER_MAX {
            return Some(code("04"));
        }
        let Some(bill) = self.bills.get(consumer) else { return Some(code("01")) };
        let paid = self.paid().by_consumer.get(consumer).cloned();
        if paid.is_some() && !self.ledger.flush().await {
            return None;
        }
        let expired = self.today() > bill.expiry_date;
        let (response, letter) = match (&paid, bill.status) {
            (Some(_), _) | (None, BillStatus::Paid) => ("00", "P"),
            (None, BillStatus::Blocked) => ("02", "B"),
            (None, BillStatus::Unpaid | BillStatus::Partial(_)) if expired => ("01", "B"),
            (None, BillStatus::Unpaid | BillStatus::Partial(_)) => ("00", "U"),
        };
        let more = u64::from(wrong_amount).saturating_mul(100);
        let signed = |amount: MinorUnits| format!("+{:013}", amount.minor().saturating_add(more));
        let (authorisation, day) = match &paid {
            Some(entry) => {
                let mut parts = entry.identity.split(' ');
                let mut next = || parts.next().unwrap_or_default().to_owned();
                (next(), next())
            }
            None => (" ".repeat(6), " ".repeat(8)),
        };
        let amount_paid =
            paid.as_ref().map_or_else(|| " ".repeat(12), |entry| format!("{:012}", entry.amount));
        Some(json!({
            "response_Code": response,
            "consumer_detail": format!("{:<30.30}", bill.name),
            "bill_status": letter,
            "due_date": bill.due_date.compact(),
            "amount_within_dueDate": signed(bill.amount_within_due),
            "amount_after_dueDate": signed(bill.amount_after_due),
            "billing_month": bill.billing_month.as_str(),
            "date_paid": day,
            "amount_paid": amount_paid,
            "tran_auth_Id": authorisation,
            "reserved": "",
        }))
    }

    /// Posts a payment, or says why not. None if it could not be written down, which nobody may be told of.
    pub(super) async fn payment(&self, request: &Value, wrong_amount: bool) -> Option<Value> {
        let consumer = text(request, "consumer_number");
        let parts = [("tran_auth_id", 6), ("tran_date", 8), ("tran_time", 6)].map(|(key, len)| {
            let value = text(request, key);
            (value.len() == len && value.bytes().all(|byte| byte.is_ascii_digit())).then_some(value)
        });
        let [Some(authorisation), Some(date), Some(time)] = parts else { return Some(code("04")) };
        let amount = text(request, "transaction_amount");
        let amount = (amount.len() == 12).then(|| MinorUnits::from_digits(amount.as_bytes()).ok()).flatten();
        let Some(amount) = amount else { return Some(code("04")) };
        let identity = format!("{authorisation} {date} {time}");
        let Some(bill) = self.bills.get(consumer) else { return Some(code("01")) };
        let due = match (bill.due_on(self.today()), bill.status) {
            (_, BillStatus::Paid) => return Some(code("06")),
            (Ok(due), BillStatus::Unpaid | BillStatus::Partial(_)) => due,
            (_, BillStatus::Blocked | BillStatus::Unpaid | BillStatus::Partial(_)) => {
                return Some(code("04"));
            }
        };
        let more = u64::from(wrong_amount).saturating_mul(100);
        let booked = amount.minor().saturating_add(more);
        match self.book(consumer, identity, booked, due == amount) {
            Booked::New(entry) => self.ledger.note(&entry).await.then(|| posted("00", &entry.receipt)),
            Booked::Known(answer) => self.ledger.flush().await.then_some(answer),
            Booked::Refused => Some(code("04")),
        }
    }

    fn book(&self, consumer: &str, identity: String, amount: u64, due: bool) -> Booked {
        let mut paid = self.paid();
        if let Some(known) = paid.by_consumer.get(consumer) {
            let same = known.identity == identity;
            return Booked::Known(if same { posted("03", &known.receipt) } else { code("06") });
        }
        if !due {
            return Booked::Refused;
        }
        paid.receipts = paid.receipts.saturating_add(1);
        let entry = Entry {
            consumer: consumer.to_owned(),
            identity,
            amount,
            receipt: format!("V{:09}", paid.receipts),
            at: millis(),
            undone: false,
        };
        paid.by_consumer.insert(consumer.into(), entry.clone());
        Booked::New(entry)
    }
}

/// What a payment came to.
enum Booked {
    /// It is a posting, and has to be on disk before it is told of.
    New(Entry),
    /// The bill is paid; what is said of it once that is on disk.
    Known(Value),
    Refused,
}

fn text<'a>(request: &'a Value, key: &str) -> &'a str {
    request.get(key).and_then(Value::as_str).unwrap_or_default().trim()
}

/// An answer of nothing but a code, as departments give it.
pub(super) fn code(code: &str) -> Value {
    json!({ "response_Code": code })
}

fn posted(code: &str, receipt: &str) -> Value {
    json!({ "response_Code": code, "Identification_parameter": receipt, "reserved": "" })
}

pub(in crate::sim) fn millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
