//! What an operator does about one bill.

use std::io::Write;

use clap::Args;

use super::{Books, list};
use crate::biller::book::{Act, Correction, parse_amount, parse_heads};
use crate::cli::CliError;
use crate::cli::output::output;
use crate::config::Config;
use crate::control::{BookReply, BookRequest, why};
use crate::ids::{BillerCode, BusinessDate, Short};
use crate::money::MinorUnits;
use crate::switch::HeadAmount;

/// Which bill, and why.
#[derive(Args, Debug)]
pub(super) struct BillAct {
    /// The department's code, such as KPEXCISE
    biller: BillerCode,
    /// The bill
    psid: String,
    /// Why, for the journal and the bill's history: `letter 114 of the department, A. Khan`
    #[arg(long, value_parser = why)]
    why: String,
    /// Print JSON: the bill as it is now
    #[arg(long)]
    json: bool,
}

/// What of a bill changes.
#[derive(Args, Debug)]
pub(super) struct Changes {
    /// The person billed
    #[arg(long)]
    name: Option<String>,
    /// yyMM
    #[arg(long, value_name = "yyMM")]
    billing_month: Option<Short<4>>,
    /// Last day of the amount within due date
    #[arg(long, value_name = "DATE")]
    due_date: Option<BusinessDate>,
    /// Last day on which it can be paid
    #[arg(long, value_name = "DATE")]
    expiry_date: Option<BusinessDate>,
    /// Due up to and on the due date, in minor units
    #[arg(long, value_name = "MINOR", value_parser = parse_amount)]
    amount_within_due: Option<MinorUnits>,
    /// Due after it, in minor units
    #[arg(long, value_name = "MINOR", value_parser = parse_amount)]
    amount_after_due: Option<MinorUnits>,
    /// How the amount within due date splits: head:amount|head:amount
    #[arg(long, value_name = "HEADS", value_parser = heads)]
    heads: Option<Heads>,
}

/// Heads of account as one value of the command line.
#[derive(Clone, Debug)]
struct Heads(Vec<HeadAmount>);

fn heads(text: &str) -> Result<Heads, String> {
    parse_heads(text).map(Heads)
}

impl From<Changes> for Correction {
    fn from(changes: Changes) -> Self {
        Self {
            name: changes.name.map(Into::into),
            billing_month: changes.billing_month,
            due_date: changes.due_date,
            expiry_date: changes.expiry_date,
            amount_within_due: changes.amount_within_due,
            amount_after_due: changes.amount_after_due,
            heads: changes.heads.map(|heads| heads.0),
        }
    }
}

/// Has it done, and says how the bill stands then.
pub(super) fn run(config: &Config, act: BillAct, what: Act) -> Result<(), CliError> {
    let BillAct { biller, psid, why, json } = act;
    let request = BookRequest::Act { biller, psid: psid.clone().into(), act: what, why: why.into() };
    let BookReply::Bill(Some(bill)) = Books::at(config, biller)?.ask(request)? else {
        return Err(CliError::NoBill { biller: biller.to_string(), psid });
    };
    if json {
        return list::bill_json(&bill);
    }
    let done = bill.notes.last().map_or_else(String::new, |note| note.did.to_string());
    let text = format!("{biller} {psid}: {done}; it is {} now", bill.state);
    writeln!(output(), "{text}").map_err(CliError::io("writing"))
}
