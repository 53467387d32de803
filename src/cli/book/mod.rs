//! `billswitch book`: a department's bills, with the daemon running or without.

mod acts;
mod export;
mod import;
mod list;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{CliError, Place};
use crate::biller::book::Act;
use crate::config::Config;
use crate::control::{BookReply, BookRequest, Client, ControlError, Reply, Request};
use crate::ids::{BillerCode, BusinessDate};
use crate::journal;
use crate::server::{BookDesk, control_socket};
use crate::settle::{BillQuery, BillState};
use acts::{BillAct, Changes};

const AFTER_HELP: &str = "\
Examples:
  billswitch book import KPEXCISE bills.csv             new and changed bills
  billswitch book import KPEXCISE all.csv --full        and unpaid bills not in it are withdrawn
  billswitch book search KPEXCISE --state overdue
  billswitch book show KPEXCISE 11011000000000000
  billswitch book cancel KPEXCISE 11011000000000000 --why 'issued twice, letter 114'
  billswitch book correct KPEXCISE 11011000000000000 --why 'letter 115' \\
    --amount-within-due 90000 --heads B01401:90000
  billswitch book reissue KPEXCISE 11011000000000000 --why 'letter 116' \\
    --due-date 2027-01-15 --expiry-date 2027-02-15
  billswitch book export KPEXCISE --date 2026-11-20 > scroll.csv
  billswitch book export KPEXCISE --date 2026-11-20 --heads
  billswitch book unpaid KPEXCISE > unpaid.csv";

const IMPORT_HELP: &str = "\
Examples:
  billswitch book import KPEXCISE bills.csv             new and changed bills
  billswitch book import KPEXCISE bills.csv --skip-bad  although some lines are bad
  billswitch book import KPEXCISE all.csv --full        and unpaid bills not in it are withdrawn

A bill file is CSV with the header
  psid,name,billing_month,due_date,expiry_date,amount_within_due,amount_after_due,heads,status
Amounts are in minor units, heads are head:amount|head:amount and sum to amount_within_due, status is U, P or B. \
Importing again updates what changed. It never un-pays a bill, and never brings back one that an operator cancelled. \
Of bad lines nothing is imported, or with --skip-bad all the others are; the exit status is 1 either way.";

const EXPORT_HELP: &str = "\
Examples:
  billswitch book export KPEXCISE --date 2026-11-20 > scroll.csv
  billswitch book export KPEXCISE --date 2026-11-20 --heads
  billswitch book export KPEXCISE --date 2026-11-20 --json | jq 'map(.amount) | add'

Columns: time, psid, amount, heads, channel, acquirer, receipt, rrn. With --heads: head, acquirer, payments, amount. \
Amounts are in minor units, heads are head:amount|head:amount. Of a department with a settlement_account or head_kinds in the \
configuration more follow: the amounts on provincial and on federal heads, or the head's kind, and the settlement_account.";

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
    #[command(after_help = IMPORT_HELP)]
    Import {
        /// The department's code, such as KPEXCISE
        biller: BillerCode,
        /// The bill file
        #[arg(value_name = "FILE.csv")]
        file: PathBuf,
        /// Import the good lines although some are bad
        #[arg(long, conflicts_with = "full")]
        skip_bad: bool,
        /// The file is all that is owed: unpaid bills that are not in it are withdrawn
        #[arg(long)]
        full: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Find bills
    Search {
        /// The department's code
        biller: BillerCode,
        #[command(flatten)]
        query: BillQuery,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one bill, and what was done to it
    Show {
        /// The department's code
        biller: BillerCode,
        /// The bill
        psid: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Hold a bill back: it is told as blocked until it is unblocked, whatever the department's file says
    Block(BillAct),
    /// Take a bill up again
    Unblock(BillAct),
    /// Cancel a bill that is not owed: it is told as unknown, and no file brings it back
    Cancel(BillAct),
    /// Correct what a bill says
    Correct {
        #[command(flatten)]
        act: BillAct,
        #[command(flatten)]
        changes: Changes,
    },
    /// Issue a bill anew: the same with other dates or amounts, or under another PSID; also one that was cancelled
    Reissue {
        #[command(flatten)]
        act: BillAct,
        /// The PSID it gets; the same if not said
        #[arg(long = "as", value_name = "PSID")]
        other: Option<String>,
        #[command(flatten)]
        changes: Changes,
    },
    /// Write a department's daily scroll: a line for each payment that stands
    #[command(after_help = EXPORT_HELP)]
    Export {
        /// The department's code
        biller: BillerCode,
        /// Business date
        #[arg(long, value_name = "DATE")]
        date: BusinessDate,
        /// A line for each head of account instead, with its sum
        #[arg(long)]
        heads: bool,
        /// Print JSON instead of CSV
        #[arg(long)]
        json: bool,
    },
    /// Write the bills that can be paid and are not, late ones too
    Unpaid {
        /// The department's code
        biller: BillerCode,
        /// Print JSON instead of CSV
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(args: BookArgs) -> Result<ExitCode, CliError> {
    let config = args.place.load()?;
    match args.command {
        BookCommand::Import { biller, file, skip_bad, full, json } => {
            known(&config, biller)?;
            return import::run(&config, biller, &file, import::How { skip_bad, full, json });
        }
        BookCommand::Search { biller, query, limit, json } => {
            list::search(&mut Books::at(&config, biller)?, &query, limit, json)?;
        }
        BookCommand::Show { biller, psid, json } => {
            list::show(&mut Books::at(&config, biller)?, &psid, json, &config.time_zone)?;
        }
        BookCommand::Block(act) => acts::run(&config, act, Act::Block)?,
        BookCommand::Unblock(act) => acts::run(&config, act, Act::Unblock)?,
        BookCommand::Cancel(act) => acts::run(&config, act, Act::Cancel)?,
        BookCommand::Correct { act, changes } => acts::run(&config, act, Act::Correct(changes.into()))?,
        BookCommand::Reissue { act, other, changes } => {
            let anew = Act::Reissue { psid: other.map(Into::into), correction: changes.into() };
            acts::run(&config, act, anew)?;
        }
        BookCommand::Export { biller, date, heads, json } => {
            known(&config, biller)?;
            export::run(&config, biller, date, (heads, json))?;
        }
        BookCommand::Unpaid { biller, json } => {
            let unpaid = BillQuery { state: Some(BillState::Unpaid), ..BillQuery::default() };
            list::write(&mut Books::at(&config, biller)?, &unpaid, json)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn known(config: &Config, code: BillerCode) -> Result<(), CliError> {
    let codes: Vec<String> = config.billers.iter().map(|biller| biller.code.to_string()).collect();
    if codes.contains(&code.to_string()) {
        return Ok(());
    }
    Err(CliError::NoBiller { code: code.to_string(), known: codes.join(", ") })
}

/// A department's bill book, wherever it is reached.
struct Books {
    biller: BillerCode,
    desk: Reached,
}

enum Reached {
    /// Through the daemon that serves it.
    Daemon(Client),
    /// In the store itself, which nobody serves.
    Store(Box<BookDesk>),
}

impl Books {
    /// The book of a department that is configured, in a store that is there.
    fn at(config: &Config, biller: BillerCode) -> Result<Self, CliError> {
        known(config, biller)?;
        let made = config.store.join("db").exists();
        match Self::reach(config, biller)? {
            Self { desk: Reached::Store(_), .. } if !made => {
                Err(CliError::NoStore { path: config.store.clone() })
            }
            books => Ok(books),
        }
    }

    /// The book of a department; in a store that is made if it is not there.
    fn reach(config: &Config, biller: BillerCode) -> Result<Self, CliError> {
        let desk = match Client::connect(&control_socket(&config.store)) {
            Ok(client) => Reached::Daemon(client),
            Err(ControlError::NoDaemon { .. }) => {
                let (store, writer) = journal::open(&config.store, &journal::Options::default())?;
                Reached::Store(Box::new(BookDesk::new(store, writer)))
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self { biller, desk })
    }

    fn ask(&mut self, request: BookRequest) -> Result<BookReply, CliError> {
        match &mut self.desk {
            Reached::Daemon(client) => {
                let reply = client.ask(Request::Book(request))?;
                if let Reply::Book(reply) = reply { Ok(reply) } else { Err(ControlError::Ended.into()) }
            }
            Reached::Store(desk) => {
                desk.ask(request).map_err(|why| CliError::Control(ControlError::Refused(why)))
            }
        }
    }
}
