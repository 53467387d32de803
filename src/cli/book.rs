//! `billswitch book`: a department's bills in, its scroll out; through the daemon if it runs, else in the store itself.

use std::fs::File;
use std::io::{BufReader, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::tables::grouped;
use super::{CliError, Place};
use crate::biller::book::{LineFault, Row, RowReader};
use crate::config::Config;
use crate::control::{Client, ControlError, ImportReply, Reply, Request};
use crate::ids::{BillerCode, BusinessDate};
use crate::journal;
use crate::server::{BookDesk, control_socket};
use crate::settle;

/// Bills put in the book with one turn.
const BATCH: usize = 500;
/// Bad lines told one by one.
const FAULTS_TOLD: usize = 20;

const AFTER_HELP: &str = "\
Examples:
  billswitch book import KPEXCISE bills.csv
  billswitch book import KPEXCISE bills.csv --skip-bad
  billswitch book export KPEXCISE --date 2026-11-20 > scroll.csv

A bill file is CSV with the header
  psid,name,billing_month,due_date,expiry_date,amount_within_due,amount_after_due,heads,status
Amounts are in minor units, heads are head:amount|head:amount and sum to amount_within_due, status is U, P or B.
Importing again updates what changed, and never un-pays a bill.

Exit status: 0 done, 1 a line is bad (nothing was imported, or with --skip-bad all the others were), 2 it cannot be done.";

/// What `book` takes.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct BookArgs {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: BookCommand,
}

#[derive(Debug, Subcommand)]
enum BookCommand {
    /// Put a department's bills in the book
    #[command(after_help = AFTER_HELP)]
    Import {
        /// The department's code, such as KPEXCISE
        biller: BillerCode,
        /// The bill file
        #[arg(value_name = "FILE.csv")]
        file: PathBuf,
        /// Import the good lines although some are bad
        #[arg(long)]
        skip_bad: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write a department's daily scroll: a line for each payment that stands
    #[command(after_help = AFTER_HELP)]
    Export {
        /// The department's code
        biller: BillerCode,
        /// Business date
        #[arg(long, value_name = "DATE")]
        date: BusinessDate,
        /// Print JSON instead of CSV
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(args: BookArgs) -> Result<ExitCode, CliError> {
    let config = args.place.load()?;
    match args.command {
        BookCommand::Import { biller, file, skip_bad, json } => {
            known(&config, biller)?;
            let (rows, bad) = read(&file, skip_bad)?;
            if bad > 0 && !skip_bad {
                return Err(CliError::BadLines(bad));
            }
            let done = import(&config, biller, rows)?;
            tell_import(&done, bad, json)?;
            Ok(if bad > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS })
        }
        BookCommand::Export { biller, date, json } => {
            known(&config, biller)?;
            export(&config, biller, date, json)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn known(config: &Config, code: BillerCode) -> Result<(), CliError> {
    let codes: Vec<String> = config.billers.iter().map(|biller| biller.code.to_string()).collect();
    if codes.contains(&code.to_string()) {
        return Ok(());
    }
    Err(CliError::NoBiller { code: code.to_string(), known: codes.join(", ") })
}

/// Reads the whole file before anything is imported, telling of bad lines.
fn read(path: &Path, skip_bad: bool) -> Result<(Vec<Row>, u64), CliError> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(CliError::io(name.clone()))?;
    let bytes = file.metadata().map_err(CliError::io(name.clone()))?.len();
    let bar = progress(bytes, "reading {bar:40} {percent} % {eta} left");
    let mut reader = RowReader::new(&name, BufReader::new(file));
    let (mut rows, mut faults): (Vec<Row>, Vec<LineFault>) = (Vec::new(), Vec::new());
    while let Some(row) = reader.next_row() {
        match row {
            Ok(row) => rows.push(row),
            Err(fault) if !reader.has_header() => return Err(CliError::BadLine(fault)),
            Err(fault) => faults.push(fault),
        }
        bar.set_position(reader.position());
    }
    bar.finish_and_clear();
    let mut err = std::io::stderr();
    for fault in faults.iter().take(FAULTS_TOLD) {
        let what = if skip_bad { "skipped" } else { "bad" };
        let _ = writeln!(err, "{what}: {fault}");
    }
    if faults.len() > FAULTS_TOLD {
        let _ = writeln!(err, "… and {} more", faults.len().saturating_sub(FAULTS_TOLD));
    }
    Ok((rows, u64::try_from(faults.len()).unwrap_or(u64::MAX)))
}

fn progress(length: u64, template: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style)
}

/// Imports through the daemon if one answers, else into the store itself.
pub(super) fn import(config: &Config, biller: BillerCode, rows: Vec<Row>) -> Result<ImportReply, CliError> {
    let bar = progress(
        u64::try_from(rows.len()).unwrap_or(u64::MAX),
        "importing {bar:40} {pos} of {len} bills {eta} left",
    );
    let mut total = ImportReply::default();
    let mut put: Box<dyn FnMut(Vec<Row>) -> Result<ImportReply, CliError>> =
        match Client::connect(&control_socket(&config.store)) {
            Ok(mut client) => Box::new(move |rows| {
                let reply = client.ask(Request::Import { biller, rows })?;
                if let Reply::Imported(reply) = reply { Ok(reply) } else { Err(ControlError::Ended.into()) }
            }),
            Err(ControlError::NoDaemon { .. }) => {
                if !config.store.exists() {
                    let _ = writeln!(std::io::stderr(), "a new store is made in {}", config.store.display());
                }
                let (store, writer) = journal::open(&config.store, &journal::Options::default())?;
                let mut desk = BookDesk::new(store, writer);
                Box::new(move |rows| {
                    let changes =
                        desk.import(biller, rows).map_err(|error| CliError::Book(error.to_string()))?;
                    let mut reply = ImportReply::default();
                    changes.into_iter().for_each(|change| reply.count(change));
                    Ok(reply)
                })
            }
            Err(error) => return Err(error.into()),
        };
    let mut rows = rows.into_iter();
    loop {
        let batch: Vec<Row> = rows.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            bar.finish_and_clear();
            return Ok(total);
        }
        let len = u64::try_from(batch.len()).unwrap_or(0);
        total.add(&put(batch)?);
        bar.inc(len);
    }
}

fn tell_import(done: &ImportReply, bad: u64, json: bool) -> Result<(), CliError> {
    let text = if json {
        serde_json::json!({ "imported": done, "skipped": bad }).to_string()
    } else {
        format!(
            "{} added, {} updated, {} unchanged, {} paid and kept, {} bad lines skipped",
            grouped(done.added),
            grouped(done.updated),
            grouped(done.unchanged),
            grouped(done.kept_paid),
            grouped(bad)
        )
    };
    writeln!(std::io::stdout(), "{text}").map_err(CliError::io("writing"))
}

fn export(config: &Config, biller: BillerCode, date: BusinessDate, json: bool) -> Result<(), CliError> {
    let lines = match Client::connect(&control_socket(&config.store)) {
        Ok(mut client) => {
            let reply = client.ask(Request::Scroll { biller, date })?;
            let Reply::Scroll(lines) = reply else { return Err(ControlError::Ended.into()) };
            lines
        }
        Err(ControlError::NoDaemon { .. }) => {
            if !config.store.join("db").exists() {
                return Err(CliError::NoStore { path: config.store.clone() });
            }
            let (store, _writer) = journal::open(&config.store, &journal::Options::default())?;
            settle::scroll(&store, biller, date)?
        }
        Err(error) => return Err(error.into()),
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    if json {
        let written = serde_json::to_writer_pretty(&mut out, &lines).map_err(std::io::Error::from);
        written.and_then(|()| writeln!(out)).map_err(CliError::io("writing"))?;
    } else {
        settle::write_scroll(&lines, &config.time_zone, &mut out)?;
    }
    out.flush().map_err(CliError::io("writing"))
}
