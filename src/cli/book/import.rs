//! `book import`: a bill file into the book.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

use super::Books;
use crate::biller::book::{LineFault, Row, RowReader};
use crate::cli::CliError;
use crate::cli::output::beside_verdict;
use crate::cli::tables::grouped;
use crate::config::Config;
use crate::control::{BookReply, BookRequest, ControlError, ImportReply, LIST_MAX};
use crate::ids::BillerCode;
use crate::settle::{BillFound, BillQuery, BillState};

/// Bills put in the book with one turn.
const BATCH: usize = 500;
/// Bad lines told one by one.
const FAULTS_TOLD: usize = 20;

/// How a file is imported.
#[derive(Clone, Copy)]
pub(super) struct How {
    pub(super) skip_bad: bool,
    pub(super) full: bool,
    pub(super) json: bool,
}

/// Reads the file twice: all of it is checked before anything is imported, and none of it is kept in memory.
pub(super) fn run(config: &Config, biller: BillerCode, path: &Path, how: How) -> Result<ExitCode, CliError> {
    let checked = check(path, how)?;
    if checked.bad > 0 && !how.skip_bad {
        return Err(CliError::BadLines(checked.bad));
    }
    if how.full && checked.good == 0 {
        let why = "a full list without a bill would withdraw every bill: nothing was imported";
        return Err(CliError::NotFull(why.to_owned()));
    }
    if !config.store.exists() {
        let _ = writeln!(std::io::stderr(), "a new store is made in {}", config.store.display());
    }
    let mut books = Books::reach(config, biller)?;
    let bar = progress(checked.good, "importing {bar:40} {pos} of {len} bills, {eta} left");
    let mut rows = Rows::open(path)?;
    let mut kept = BTreeSet::new();
    let mut put_in = 0_u64;
    let good = std::iter::from_fn(|| {
        let row = rows.next_good()?;
        put_in = put_in.saturating_add(1);
        if how.full {
            kept.insert(row.psid.clone());
        }
        Some(row)
    });
    let mut total = put(&mut books, good, &bar)?;
    if put_in != checked.good {
        let why = format!(
            "{} changed while it was read: it had {} bills, and {put_in} were imported; import it again",
            path.display(),
            checked.good
        );
        return Err(CliError::NotFull(why));
    }
    if how.full {
        keep_successors(&mut books, &mut kept)?;
        total.add(&withdraw_others(&mut books, &kept)?);
    }
    bar.finish_and_clear();
    tell(&total, checked.bad, how)?;
    Ok(if checked.bad > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn put(
    books: &mut Books,
    mut rows: impl Iterator<Item = Row>,
    bar: &ProgressBar,
) -> Result<ImportReply, CliError> {
    let mut total = ImportReply::default();
    loop {
        let batch: Vec<Row> = rows.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return Ok(total);
        }
        let len = u64::try_from(batch.len()).unwrap_or(0);
        let biller = books.biller;
        total.add(&counted(books.ask(BookRequest::Import { biller, rows: batch })?)?);
        bar.inc(len);
    }
}

fn counted(reply: BookReply) -> Result<ImportReply, CliError> {
    match reply {
        BookReply::Imported(counted) => Ok(counted),
        BookReply::Bill(_) | BookReply::Bills { .. } => Err(ControlError::Ended.into()),
    }
}

/// A bill that was issued anew is in the file for as long as the department lists the one in whose place it is.
fn keep_successors(books: &mut Books, kept: &mut BTreeSet<Box<str>>) -> Result<(), CliError> {
    let mut replaced = Vec::new();
    each_bill(books, BillState::Cancelled, |_, bills| {
        replaced.extend(bills.into_iter().filter_map(|bill| Some((bill.psid, bill.replaced_by?))));
        Ok(())
    })?;
    // A successor may have been issued anew in its turn.
    loop {
        let (listed, others): (Vec<_>, Vec<_>) =
            replaced.into_iter().partition(|(psid, _)| kept.contains(psid));
        if listed.is_empty() {
            return Ok(());
        }
        kept.extend(listed.into_iter().map(|(_, successor)| successor));
        replaced = others;
    }
}

/// Goes through the bills of the book that stand so.
fn each_bill(
    books: &mut Books,
    state: BillState,
    mut each: impl FnMut(&mut Books, Vec<BillFound>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let query = BillQuery { state: Some(state), ..BillQuery::default() };
    let mut after = None;
    loop {
        let biller = books.biller;
        let search = BookRequest::Search { biller, query: query.clone(), after, limit: LIST_MAX };
        let BookReply::Bills { bills, next } = books.ask(search)? else {
            return Err(ControlError::Ended.into());
        };
        each(books, bills)?;
        if next.is_none() {
            return Ok(());
        }
        after = next;
    }
}

/// Withdraws what is unpaid in the book and not in the file. Nothing is withdrawn until every bill of the file is in.
fn withdraw_others(books: &mut Books, kept: &BTreeSet<Box<str>>) -> Result<ImportReply, CliError> {
    let mut total = ImportReply::default();
    for state in [BillState::Unpaid, BillState::Expired, BillState::Blocked] {
        each_bill(books, state, |books, bills| {
            let biller = books.biller;
            let psids: Vec<Box<str>> =
                bills.into_iter().map(|bill| bill.psid).filter(|psid| !kept.contains(psid)).collect();
            for batch in psids.chunks(BATCH) {
                let withdraw = BookRequest::Withdraw { biller, psids: batch.to_vec() };
                total.add(&counted(books.ask(withdraw)?)?);
            }
            Ok(())
        })?;
    }
    Ok(total)
}

/// What a file holds.
struct Checked {
    good: u64,
    bad: u64,
}

/// Reads the whole file, telling of bad lines.
fn check(path: &Path, how: How) -> Result<Checked, CliError> {
    let mut rows = Rows::open(path)?;
    let bar = progress(rows.bytes, "checking {bar:40} {percent} %, {eta} left");
    let mut checked = Checked { good: 0, bad: 0 };
    let mut err = std::io::stderr();
    while let Some(row) = rows.reader.next_row() {
        match row {
            Ok(_) => checked.good = checked.good.saturating_add(1),
            Err(fault) if !rows.reader.has_header() => return Err(CliError::BadLine(fault)),
            Err(fault) => {
                checked.bad = checked.bad.saturating_add(1);
                tell_fault(&mut err, &fault, checked.bad, how.skip_bad);
            }
        }
        if checked.good.is_multiple_of(1024) {
            bar.set_position(rows.reader.position());
        }
    }
    bar.finish_and_clear();
    let untold = checked.bad.saturating_sub(u64::try_from(FAULTS_TOLD).unwrap_or(0));
    if untold > 0 {
        let _ = writeln!(err, "… and {untold} more");
    }
    Ok(checked)
}

fn tell_fault(err: &mut impl Write, fault: &LineFault, number: u64, skip_bad: bool) {
    if usize::try_from(number).is_ok_and(|number| number <= FAULTS_TOLD) {
        let what = if skip_bad { "skipped" } else { "bad" };
        let _ = writeln!(err, "{what}: {fault}");
    }
}

/// The rows of a file.
struct Rows {
    reader: RowReader<BufReader<File>>,
    bytes: u64,
}

impl Rows {
    fn open(path: &Path) -> Result<Self, CliError> {
        let name = path.display().to_string();
        // Before it is opened: that would wait for somebody to write to a pipe.
        let about = std::fs::metadata(path).map_err(CliError::io(name.clone()))?;
        if !about.is_file() {
            let why = format!("{name} is no regular file, and bills are read twice: put them in one");
            return Err(CliError::Usage(why));
        }
        let file = File::open(path).map_err(CliError::io(name.clone()))?;
        let reader = RowReader::new(&name, BufReader::with_capacity(1 << 18, file));
        Ok(Self { reader, bytes: about.len() })
    }

    fn next_good(&mut self) -> Option<Row> {
        loop {
            match self.reader.next_row()? {
                Ok(row) => return Some(row),
                Err(_) if !self.reader.has_header() => return None,
                Err(_) => {}
            }
        }
    }
}

fn progress(length: u64, template: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style)
}

fn tell(done: &ImportReply, bad: u64, how: How) -> Result<(), CliError> {
    let text = if how.json {
        serde_json::json!({ "imported": done, "skipped": bad }).to_string()
    } else {
        let withdrawn =
            if how.full { format!(", {} withdrawn", grouped(done.withdrawn)) } else { String::new() };
        format!(
            "{} added, {} updated, {} unchanged, {} paid and kept, {} cancelled and kept{withdrawn}, {} bad lines skipped",
            grouped(done.added),
            grouped(done.updated),
            grouped(done.unchanged),
            grouped(done.kept_paid),
            grouped(done.kept_cancelled),
            grouped(bad)
        )
    };
    writeln!(beside_verdict(), "{text}").map_err(CliError::io("writing"))
}
