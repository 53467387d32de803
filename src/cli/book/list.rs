//! Bills told to people and programs.

use std::io::{BufWriter, Write};

use jiff::tz::TimeZone;

use super::Books;
use crate::biller::book::{COLUMNS, heads_text};
use crate::cli::CliError;
use crate::cli::output::output;
use crate::cli::tables::{pairs, table};
use crate::control::{BookReply, BookRequest, ControlError, LIST_MAX};
use crate::money::MinorUnits;
use crate::settle::{BillFound, BillQuery};

/// Hands the bills that fit to `each`, page by page, up to `limit`; says whether there are more.
fn walk(
    books: &mut Books,
    query: &BillQuery,
    limit: usize,
    each: &mut dyn FnMut(BillFound) -> std::io::Result<()>,
) -> Result<bool, CliError> {
    let (mut after, mut left, biller) = (None, limit, books.biller);
    loop {
        let page = LIST_MAX.min(left);
        let search = BookRequest::Search { biller, query: query.clone(), after, limit: page };
        let BookReply::Bills { bills, next } = books.ask(search)? else {
            return Err(ControlError::Ended.into());
        };
        left = left.saturating_sub(bills.len());
        bills.into_iter().try_for_each(&mut *each).map_err(CliError::io("writing"))?;
        after = next;
        if after.is_none() || left == 0 {
            return Ok(after.is_some());
        }
    }
}

pub(super) fn search(books: &mut Books, query: &BillQuery, limit: usize, json: bool) -> Result<(), CliError> {
    let mut found = Vec::new();
    let more = walk(books, query, limit.max(1), &mut |bill| {
        found.push(bill);
        Ok(())
    })?;
    let mut out = output();
    let written = if json {
        let text = serde_json::to_string_pretty(&found).map_err(std::io::Error::from);
        text.and_then(|text| writeln!(out, "{text}"))
    } else if found.is_empty() {
        writeln!(out, "no such bill")
    } else {
        let mut rows = table(&["PSID", "name", "due date", "expiry", ">within due", ">after due", "state"]);
        for bill in &found {
            rows.add_row([
                &*bill.psid,
                &bill.bill.name,
                &bill.bill.due_date.to_string(),
                &bill.bill.expiry_date.to_string(),
                &bill.bill.amount_within_due.to_string(),
                &bill.bill.amount_after_due.to_string(),
                &bill.state,
            ]);
        }
        let rest = if more { "\nthere are more: narrow the search, or raise --limit" } else { "" };
        writeln!(out, "{rows}{rest}")
    };
    written.map_err(CliError::io("writing"))
}

pub(super) fn show(books: &mut Books, psid: &str, json: bool, zone: &TimeZone) -> Result<(), CliError> {
    let biller = books.biller;
    let BookReply::Bill(Some(found)) = books.ask(BookRequest::Show { biller, psid: psid.into() })? else {
        return Err(CliError::NoBill { biller: biller.to_string(), psid: psid.to_owned() });
    };
    if json {
        return bill_json(&found);
    }
    writeln!(output(), "{}", bill_text(&found, zone)).map_err(CliError::io("writing"))
}

/// A bill with its history, for programs.
pub(super) fn bill_json(found: &BillFound) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(found).map_err(std::io::Error::from);
    text.and_then(|text| writeln!(output(), "{text}")).map_err(CliError::io("writing"))
}

fn bill_text(found: &BillFound, zone: &TimeZone) -> String {
    let bill = &found.bill;
    let paid = found.paid_by.as_ref().map_or_else(String::new, |(key, posting)| {
        format!("{} by {key}, receipt {}", posting.at.text(zone), posting.receipt)
    });
    let facts = pairs([
        ("PSID", found.psid.to_string()),
        ("name", bill.name.to_string()),
        ("state", found.state.clone()),
        ("due now", found.due_now.map_or_else(|| "nothing".to_owned(), |amount| amount.to_string())),
        ("within due date", format!("{} up to {}", bill.amount_within_due, bill.due_date)),
        ("after it", format!("{} up to {}", bill.amount_after_due, bill.expiry_date)),
        ("billing month", bill.billing_month.to_string()),
        ("heads", heads_text(&bill.heads)),
        ("paid", paid),
    ]);
    let mut rows = table(&["time", "what", "why"]);
    for note in &found.notes {
        rows.add_row([note.at.text(zone), note.did.to_string(), note.why.to_string()]);
    }
    let dropped = match found.notes_dropped {
        0 => String::new(),
        dropped => format!("\n{dropped} older notes are not kept here; the journal has what operators did"),
    };
    format!("{facts}\n{rows}{dropped}")
}

/// Writes every bill that fits, as CSV like a bill file with two columns more, or as JSON lines.
pub(super) fn write(books: &mut Books, query: &BillQuery, json: bool) -> Result<(), CliError> {
    let mut out = BufWriter::new(output());
    if json {
        walk(books, query, usize::MAX, &mut |bill| {
            serde_json::to_writer(&mut out, &bill)?;
            writeln!(out)
        })?;
    } else {
        let mut csv = csv::Writer::from_writer(&mut out);
        let header = COLUMNS.into_iter().chain(["due_now", "state"]);
        csv.write_record(header).map_err(std::io::Error::from).map_err(CliError::io("writing"))?;
        walk(books, query, usize::MAX, &mut |found| {
            let (bill, minor) = (&found.bill, |amount: MinorUnits| amount.minor().to_string());
            csv.write_record([
                &*found.psid,
                &bill.name,
                bill.billing_month.as_str(),
                &bill.due_date.to_string(),
                &bill.expiry_date.to_string(),
                &minor(bill.amount_within_due),
                &minor(bill.amount_after_due),
                &heads_text(&bill.heads),
                bill.status.letter(),
                &found.due_now.map(minor).unwrap_or_default(),
                &found.state,
            ])
            .map_err(std::io::Error::from)
        })?;
        csv.flush().map_err(CliError::io("writing"))?;
        drop(csv);
    }
    out.flush().map_err(CliError::io("writing"))
}
