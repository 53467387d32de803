//! Reads a department's bill file: CSV with the columns of `COLUMNS`, in that order.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{BookBill, Did, Listing};
use crate::bounds::HEADS_MAX;
use crate::clock::UnixMillis;
use crate::ids::BusinessDate;
use crate::money::MinorUnits;
use crate::switch::{Bill, BillStatus, HeadAmount, Reference};

/// The columns of a bill file. Amounts are in minor units, `heads` is `head:amount|head:amount`, status U, P or B.
pub const COLUMNS: [&str; 9] = [
    "psid",
    "name",
    "billing_month",
    "due_date",
    "expiry_date",
    "amount_within_due",
    "amount_after_due",
    "heads",
    "status",
];

/// Longest PSID: the widest consumer number of any known aggregator is 24.
const PSID_MAX: usize = 40;
/// Longest name.
const NAME_MAX: usize = 100;

/// One bill of a file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Row {
    /// What it is called by.
    pub psid: Box<str>,
    /// The bill.
    pub bill: Bill,
}

/// What is wrong with a row, wherever it comes from.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{column}: {reason}")]
pub struct RowFault {
    /// Column by name.
    pub column: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

impl Row {
    /// Checks what its types do not: lengths, characters, and what no single column shows.
    ///
    /// # Errors
    ///
    /// [`RowFault`]: the first.
    pub fn check(&self) -> Result<(), RowFault> {
        let fault = |column, reason: String| RowFault { column, reason };
        let bill = &self.bill;
        printable(&self.psid, PSID_MAX).map_err(|reason| fault("psid", reason))?;
        printable(&bill.name, NAME_MAX).map_err(|reason| fault("name", reason))?;
        if bill.billing_month.as_bytes().len() != 4
            || !bill.billing_month.as_bytes().iter().all(u8::is_ascii_digit)
        {
            return Err(fault("billing_month", "not yyMM".to_owned()));
        }
        if bill.amount_within_due == MinorUnits::ZERO {
            return Err(fault("amount_within_due", "nothing to pay".to_owned()));
        }
        if bill.amount_after_due < bill.amount_within_due {
            return Err(fault("amount_after_due", "less than amount_within_due".to_owned()));
        }
        if bill.expiry_date < bill.due_date {
            return Err(fault("expiry_date", "before due_date".to_owned()));
        }
        if bill.heads.len() > HEADS_MAX {
            return Err(fault("heads", format!("more than {HEADS_MAX} heads")));
        }
        let nameless = |head: &HeadAmount| head.head.is_empty() || head.head.as_bytes().contains(&b'=');
        if bill.heads.iter().any(|head| nameless(head) || head.amount == MinorUnits::ZERO) {
            return Err(fault(
                "heads",
                "a head is 1 to 16 characters without `=`, with an amount".to_owned(),
            ));
        }
        let heads = MinorUnits::sum(bill.heads.iter().map(|head| head.amount));
        if !bill.heads.is_empty() && heads != Ok(bill.amount_within_due) {
            return Err(fault("heads", "do not sum to amount_within_due".to_owned()));
        }
        Ok(())
    }
}

/// A line that is no bill: where, and why.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{file}:{line}: column {column}: {reason}")]
pub struct LineFault {
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: u64,
    /// Column by name; `line` for the line as a whole.
    pub column: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

/// Reads rows one after the other.
pub struct RowReader<R> {
    file: String,
    reader: csv::Reader<R>,
    record: csv::StringRecord,
    header_read: bool,
}

impl<R: std::io::Read> RowReader<R> {
    /// Reads from `source`; faults name `file`.
    pub fn new(file: &str, source: R) -> Self {
        let reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(source);
        Self { file: file.to_owned(), reader, record: csv::StringRecord::new(), header_read: false }
    }

    /// Bytes read so far, for progress.
    pub fn position(&self) -> u64 {
        self.reader.position().byte()
    }

    /// The next row, the fault of the next line, or none at the end. After a fault reading goes on with the next line,
    /// but for a missing header: without it no line can be trusted.
    pub fn next_row(&mut self) -> Option<Result<Row, LineFault>> {
        if !self.header_read {
            match self.read() {
                Ok(true) if self.record.iter().map(str::trim).eq(COLUMNS) => self.header_read = true,
                Ok(_) => {
                    let want = COLUMNS.join(",");
                    return Some(
                        Err(self.fault("line", format!("the first line must be the header {want}"))),
                    );
                }
                Err(fault) => return Some(Err(fault)),
            }
        }
        match self.read() {
            Ok(false) => None,
            Ok(true) => Some(self.row()),
            Err(fault) => Some(Err(fault)),
        }
    }

    /// Whether the header was there.
    pub const fn has_header(&self) -> bool {
        self.header_read
    }

    fn read(&mut self) -> Result<bool, LineFault> {
        self.reader.read_record(&mut self.record).map_err(|error| LineFault {
            file: self.file.clone(),
            line: error.position().map_or_else(|| self.reader.position().line(), csv::Position::line),
            column: "line",
            reason: if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) {
                "not UTF-8".to_owned()
            } else {
                "not CSV, or cannot be read".to_owned()
            },
        })
    }

    fn fault(&self, column: &'static str, reason: impl Into<String>) -> LineFault {
        let line = self.record.position().map_or(1, csv::Position::line);
        LineFault { file: self.file.clone(), line, column, reason: reason.into() }
    }

    fn row(&self) -> Result<Row, LineFault> {
        let found = self.record.len();
        let record: [&str; 9] = self
            .record
            .iter()
            .map(str::trim)
            .collect::<Vec<_>>()
            .try_into()
            .map_err(|_| self.fault("line", format!("has {found} columns, wants {}", COLUMNS.len())))?;
        let [psid, name, billing_month, due_date, expiry_date, within, after, heads, status] = record;
        let bill = Bill {
            name: name.into(),
            status: self.status(status)?,
            billing_month: billing_month.parse().map_err(|_| self.fault("billing_month", "not yyMM"))?,
            due_date: self.date("due_date", due_date)?,
            expiry_date: self.date("expiry_date", expiry_date)?,
            amount_within_due: self.amount("amount_within_due", within)?,
            amount_after_due: self.amount("amount_after_due", after)?,
            heads: self.heads(heads)?,
            reference: Reference::default(),
        };
        let row = Row { psid: psid.into(), bill };
        row.check().map_err(|fault| self.fault(fault.column, fault.reason))?;
        Ok(row)
    }

    fn date(&self, column: &'static str, text: &str) -> Result<BusinessDate, LineFault> {
        text.parse().map_err(|error: crate::ids::IdError| self.fault(column, error.to_string()))
    }

    fn amount(&self, column: &'static str, text: &str) -> Result<MinorUnits, LineFault> {
        parse_amount(text).map_err(|reason| self.fault(column, reason))
    }

    fn status(&self, text: &str) -> Result<BillStatus, LineFault> {
        match text {
            "U" => Ok(BillStatus::Unpaid),
            "P" => Ok(BillStatus::Paid),
            "B" => Ok(BillStatus::Blocked),
            _ => Err(self.fault("status", "not U, P or B")),
        }
    }

    fn heads(&self, text: &str) -> Result<Vec<HeadAmount>, LineFault> {
        parse_heads(text).map_err(|reason| self.fault("heads", reason))
    }
}

/// Heads as a bill file has them, `head:amount|head:amount` with amounts in minor units.
///
/// # Errors
///
/// What is wrong, in words.
pub fn parse_heads(text: &str) -> Result<Vec<HeadAmount>, String> {
    let head = |part: &str| {
        let (head, amount) = part.split_once(':').ok_or_else(|| "want head:amount".to_owned())?;
        let amount = parse_amount(amount)?;
        let head = head.parse().map_err(|_| "a head is 1 to 16 characters".to_owned())?;
        Ok(HeadAmount { head, amount })
    };
    text.split('|').filter(|part| !part.is_empty()).map(head).collect()
}

/// An amount in minor units.
///
/// # Errors
///
/// What is wrong, in words.
pub fn parse_amount(text: &str) -> Result<MinorUnits, String> {
    MinorUnits::from_digits(text.as_bytes()).map_err(|error| format!("{error}, in minor units"))
}

fn printable(text: &str, max: usize) -> Result<(), String> {
    if text.is_empty() {
        return Err("empty".to_owned());
    }
    if text.len() > max {
        return Err(format!("longer than {max} characters"));
    }
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Ok(());
    }
    Err("holds characters that an ISO 8583 message cannot carry: printable ASCII only".to_owned())
}

/// What an import did with a row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// The book did not have it.
    Added,
    /// Its data changed.
    Updated,
    /// Nothing to change.
    Unchanged,
    /// It is paid in the book: an import never un-pays, and what was paid stays as it was paid.
    KeptPaid,
    /// An operator cancelled it, or issued it anew: no file brings it back.
    KeptCancelled,
}

/// The bill as it is to stand after an import of `row` at `at`.
#[must_use]
pub fn merge(held: Option<BookBill>, row: Bill, at: UnixMillis) -> (BookBill, Change) {
    let Some(mut held) = held else {
        let mut bill = BookBill::listed(row);
        bill.note(at, Did::Imported, "");
        return (bill, Change::Added);
    };
    let withdrawn = held.listing == Listing::Withdrawn;
    if held.bill.status == BillStatus::Paid {
        let change = if held.bill == row { Change::Unchanged } else { Change::KeptPaid };
        return (held, change);
    }
    if matches!(held.listing, Listing::Cancelled | Listing::Replaced(_)) {
        return (held, Change::KeptCancelled);
    }
    if held.bill == row && !withdrawn {
        return (held, Change::Unchanged);
    }
    if withdrawn {
        held.listing = Listing::Listed;
    }
    held.bill = row;
    held.note(at, Did::Updated, "");
    (held, Change::Updated)
}
