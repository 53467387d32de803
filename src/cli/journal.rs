//! `billswitch journal`: the sealed days of a store.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::ctl::{legs_table, payment_text, verified_text, whole_text};
use super::output::output;
use super::tables::{grouped, table};
use super::{CliError, Place};
use crate::config::Config;
use crate::control::{
    Client, ControlError, JournalRequest, LegReply, PaymentReply, Reply, Request, VerifyReply,
};
use crate::desk::Standing;
use crate::ids::{BillerCode, BusinessDate};
use crate::journal::{self, ArchiveError, JournalError, Options, SealedDay, Store};
use crate::server::control_socket;
use crate::settle;

const AFTER_HELP: &str = "\
Legs of a business date that is over are sealed: they lie in files of their own under `days/` in the store, and are \
read there like all others. A date can be archived (one file, checked, for another machine), pruned here (its legs go, \
what proves them stays) and restored, here or into an empty directory.

Examples:
  billswitch journal list
  billswitch journal archive 2026-11-20 --to /backup/2026-11-20.bsa
  billswitch journal prune 2026-11-20 --archived /backup/2026-11-20.bsa
  billswitch journal restore /backup/2026-11-20.bsa
  billswitch journal restore /backup/2026-11-20.bsa --store /tmp/looked-at
  billswitch journal scroll KPEXCISE --date 2026-11-20 --store /tmp/looked-at

`list`, `archive`, `prune` and `restore` work with the daemon running or without; what reads a store works without, or on \
restored days; with the daemon running see `billswitch ctl journal`.";

/// The sealed days of a store: list, archive, prune, restore, check and read them
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct JournalArgs {
    #[command(flatten)]
    place: Place,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: JournalCommand,
}

#[derive(Debug, Subcommand)]
enum JournalCommand {
    /// The sealed business dates, and which are pruned
    List,
    /// Pack a sealed date into one file, and read that back; the store is not changed
    Archive {
        /// The business date, such as 2026-11-20
        date: BusinessDate,
        /// The file to make; must not be there
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Put an archived date back where it was pruned, or into a directory that is no store
    Restore {
        /// The archive
        file: PathBuf,
    },
    /// Take the legs of a date away; its repeats and reversals are then no longer recognised
    #[command(group(clap::ArgGroup::new("safety").required(true)))]
    Prune {
        /// The business date
        date: BusinessDate,
        /// Its archive: it must hold every leg, byte for byte
        #[arg(long, value_name = "FILE", group = "safety")]
        archived: Option<PathBuf>,
        /// Take them away although there is no archive: nobody can put them back
        #[arg(long, group = "safety")]
        without_archive: bool,
    },
    /// Check every block, the chain of all, and the bill books and totals against it
    Verify,
    /// Show the latest legs
    Tail {
        /// How many
        #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        legs: u32,
    },
    /// Find payments and show what happened to each
    ///
    /// A repeat that changed nothing and is sealed in another segment than its payment is not among what is shown.
    #[command(visible_alias = "payment", group(clap::ArgGroup::new("number").required(true).multiple(true)))]
    Txn {
        /// Retrieval reference number (DE 37)
        #[arg(long, group = "number")]
        rrn: Option<String>,
        /// Systems trace audit number (DE 11)
        #[arg(long, group = "number")]
        stan: Option<String>,
    },
    /// Write a department's daily scroll as CSV
    Scroll {
        /// The department's code
        biller: BillerCode,
        /// Of which business date
        #[arg(long)]
        date: BusinessDate,
    },
}

pub(super) fn run(args: JournalArgs) -> Result<ExitCode, CliError> {
    let config = args.place.load()?;
    let dir = config.store.clone();
    match args.command {
        JournalCommand::List => {
            must_be_there(&dir)?;
            let days = journal::sealed_days(&dir)?;
            say(args.json, &days, || days_table(&days))
        }
        JournalCommand::Archive { date, to } => {
            must_be_there(&dir)?;
            let bar = Progress::of("bytes");
            let day = journal::archive(&dir, date, &to, &mut |done, all| bar.at(done, all))?;
            let bytes = std::fs::metadata(&to).map(|meta| meta.len()).unwrap_or_default();
            say(args.json, &day, || {
                let (legs, size) = (grouped(day.legs), grouped(bytes));
                format!("{date}: {legs} legs are in {}, {size} bytes, read back and whole", to.display())
            })
        }
        JournalCommand::Restore { file } => restore(&dir, &file, args.json),
        JournalCommand::Prune { date, archived, without_archive: _ } => {
            prune(&dir, date, archived.as_deref(), args.json)
        }
        JournalCommand::Verify => verify(&config, args.json),
        JournalCommand::Tail { legs } => {
            let tail = settle::tail(&read(&dir)?, legs.into())?;
            let legs: Vec<_> = tail.iter().map(|(leg, record)| LegReply::new(*leg, record)).collect();
            say(args.json, &legs, || legs_table(&legs, &config.time_zone).to_string())
        }
        JournalCommand::Txn { rrn, stan } => {
            let found = settle::find_payments(&read(&dir)?, rrn.as_deref(), stan.as_deref())?;
            let told: Vec<_> = found.into_iter().map(|found| told(&found)).collect();
            say(args.json, &told, || {
                let texts = told.iter().map(|payment| payment_text(payment, &config.time_zone));
                let text = texts.collect::<Vec<_>>().join("\n\n");
                if text.is_empty() { "no such payment".to_owned() } else { text }
            })
        }
        JournalCommand::Scroll { biller, date } => {
            let lines = settle::scroll(&read(&dir)?, biller, date)?;
            let settlement = config.settlement_of(biller);
            if args.json {
                return say(true, &settle::settled(&lines, &settlement)?, String::new);
            }
            settle::write_scroll(&lines, &settlement, &config.time_zone, output())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// A payment without its card: that would need the vault's keys, which do not travel with an archive.
fn told((payment, legs): &settle::Found) -> PaymentReply {
    let legs = legs.iter().map(|(sequence, record)| LegReply::new(*sequence, record)).collect();
    PaymentReply { payment: payment.clone(), card: String::new(), legs }
}

/// Whether the directory is a store, rather than some restored days.
fn is_store(dir: &Path) -> bool {
    dir.join("db").exists()
}

fn must_be_there(dir: &Path) -> Result<(), CliError> {
    let there = is_store(dir) || dir.join("days").exists();
    there.then_some(()).ok_or_else(|| CliError::NoStore { path: dir.to_path_buf() })
}

/// A store that nobody serves, or some restored days.
fn read(dir: &Path) -> Result<Store, CliError> {
    must_be_there(dir)?;
    let opened = if is_store(dir) {
        journal::open(dir, &Options::default()).map(|(store, _)| store)
    } else {
        journal::open_restored(dir)
    };
    Ok(opened?)
}

/// Lets the daemon do it if one serves the store, or else does it here.
fn ask_or(
    dir: &Path,
    request: JournalRequest,
    here: impl FnOnce(&Store) -> Result<String, CliError>,
) -> Result<String, CliError> {
    match journal::open(dir, &Options::default()) {
        Ok((store, _writer)) => here(&store),
        Err(JournalError::Locked { .. }) => {
            let mut client = Client::connect(&control_socket(dir))?;
            let reply = client.ask(Request::Journal(request))?;
            if let Reply::Done(text) = reply { Ok(text) } else { Err(ControlError::Ended.into()) }
        }
        Err(error) => Err(error.into()),
    }
}

fn restore(dir: &Path, file: &Path, json: bool) -> Result<ExitCode, CliError> {
    let text = if is_store(dir) {
        let from = absolute(file)?;
        ask_or(dir, JournalRequest::Restore { from: from.clone() }, |store| {
            Ok(format!("{} is back", store.restore(&from)?))
        })?
    } else {
        std::fs::create_dir_all(dir).map_err(CliError::io(format!("creating {}", dir.display())))?;
        let date = journal::restore_into(dir, file)?;
        format!("{date} can be read with --store {}", dir.display())
    };
    say(json, &serde_json::json!({ "done": text }), || text.clone())
}

fn prune(dir: &Path, date: BusinessDate, archived: Option<&Path>, json: bool) -> Result<ExitCode, CliError> {
    if !is_store(dir) {
        return Err(CliError::NoStore { path: dir.to_path_buf() });
    }
    let archived = archived.map(absolute).transpose()?;
    let request = JournalRequest::Prune { date, archived: archived.clone() };
    let text = ask_or(dir, request, |store| {
        let today = Standing::date(store)?.ok_or(ArchiveError::NoSuchDate(date))?;
        let legs = store.prune(date, today, archived.as_deref())?;
        Ok(format!("{date} is pruned: {legs} legs are in its archive only"))
    })?;
    say(json, &serde_json::json!({ "done": text }), || text.clone())
}

fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    std::path::absolute(path).map_err(CliError::io(format!("resolving {}", path.display())))
}

fn verify(config: &Config, json: bool) -> Result<ExitCode, CliError> {
    let store = read(&config.store)?;
    let all = store.next_sequence().saturating_sub(1);
    let bar = Progress::of("legs");
    let verified = store.verify(&mut |leg| bar.at(leg, all))?;
    drop(bar);
    let billers: Vec<BillerCode> = config.billers.iter().map(|biller| biller.code).collect();
    if is_store(&config.store) {
        let reply = VerifyReply::new(&verified, &settle::audit(&store, &billers)?);
        return say(json, &reply, || verified_text(&reply));
    }
    let reply = VerifyReply::new(&verified, &settle::Audited::default());
    say(json, &reply, || {
        format!("{}\nrestored days have no keys, books or totals beside them", whole_text(&reply))
    })
}

fn say(json: bool, reply: &impl Serialize, people: impl FnOnce() -> String) -> Result<ExitCode, CliError> {
    let text =
        if json { serde_json::to_string_pretty(reply).map_err(std::io::Error::from) } else { Ok(people()) };
    let written = text.and_then(|text| writeln!(output(), "{text}"));
    written.map_err(CliError::io("writing"))?;
    Ok(ExitCode::SUCCESS)
}

fn days_table(days: &[SealedDay]) -> String {
    if days.is_empty() {
        return "no legs are sealed yet: they are soon after their business date is over".to_owned();
    }
    let mut rows =
        table(&["date", "state", ">segments", ">first leg", ">last leg", ">legs", ">payments", ">bytes"]);
    for day in days {
        let state = match day.pruned {
            0 if !day.complete => "being sealed",
            0 => "sealed",
            pruned if pruned == day.segments => "pruned",
            _ => "partly pruned",
        };
        rows.add_row([
            day.date.to_string().as_str(),
            state,
            &grouped(day.segments),
            &grouped(day.first),
            &grouped(day.last),
            &grouped(day.legs),
            &grouped(day.payments),
            &grouped(day.bytes),
        ]);
    }
    rows.to_string()
}

/// A bar on a terminal, and nothing elsewhere.
struct Progress(Option<ProgressBar>);

impl Progress {
    fn of(what: &str) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let template =
            format!("{{elapsed}} [{{wide_bar}}] {{human_pos}}/{{human_len}} {what}, {{eta}} to go");
        let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(Some(ProgressBar::new(0).with_style(style.progress_chars("=> "))))
    }

    fn at(&self, done: u64, all: u64) {
        if let Some(bar) = &self.0 {
            bar.set_length(all);
            bar.set_position(done);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
