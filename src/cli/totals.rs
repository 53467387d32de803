//! Totals as people read them.

use comfy_table::Table;
use jiff::tz::TimeZone;

use super::tables::{grouped, table};
use crate::clock::UnixMillis;
use crate::control::TotalsReply;
use crate::switch::{Claimed, Closing, ClosingEnd, Net, Tally, Totals};

/// A row of ours, of each link that is sent them what was sent and what it has answered, and of each link that has sent its
/// own a row of those and one of what is between them.
pub(super) fn totals_table(all: &[TotalsReply], zone: &TimeZone) -> Table {
    let mut rows = table(&["date", "link", "whose", ">paid", ">amount", ">given back", ">amount", ">net"]);
    for totals in all {
        let (date, link) = (totals.date.to_string(), totals.link.to_string());
        rows.add_row(row(&date, &link, "ours, so far", &claimed(&totals.ours)));
        if let Some(closing) = &totals.closing {
            closing_rows(&mut rows, &date, &link, closing, zone);
        }
        let Some(reconciled) = totals.reconciled else { continue };
        let at = reconciled.at.civil(zone).strftime("%H:%M:%S").to_string();
        rows.add_row(row(&date, &link, &format!("ours, at {at}"), &claimed(&reconciled.ours)));
        rows.add_row(row(&date, &link, "theirs", &reconciled.theirs));
        rows.add_row(difference(&date, &link, &claimed(&reconciled.ours), &reconciled.theirs));
    }
    rows
}

/// What was sent, and what came of it.
fn closing_rows(rows: &mut Table, date: &str, link: &str, closing: &Closing, zone: &TimeZone) {
    let clock = |at: UnixMillis| at.civil(zone).strftime("%H:%M:%S").to_string();
    let Some(sent) = &closing.sent else {
        rows.add_row(row(date, link, "ours, not sent yet", &Claimed::default()));
        return;
    };
    let times = if sent.times == 1 { String::new() } else { format!(", {} times", sent.times) };
    let so_far = match (&closing.end, sent.code) {
        (None, Some(code)) => format!(", answered {code}: asked again"),
        (None, None) => ", no answer yet".to_owned(),
        (Some(ClosingEnd::GivenUp), _) => ", given up".to_owned(),
        (Some(ClosingEnd::Answered { .. }), _) => String::new(),
    };
    let ours = claimed(&sent.ours);
    rows.add_row(row(date, link, &format!("ours, sent at {}{times}{so_far}", clock(sent.at)), &ours));
    if let Some(ClosingEnd::Answered { at, code, theirs, agree }) = &closing.end {
        let verdict = if *agree { "agree" } else { "DIFFER" };
        let whose = format!("theirs, answered {code} at {}: {verdict}", clock(*at));
        rows.add_row(row(date, link, &whose, theirs));
        if *theirs != Claimed::default() && !agree {
            rows.add_row(difference(date, link, &ours, theirs));
        }
    }
}

fn claimed(ours: &Totals) -> Claimed {
    let Totals { debits, debit_reversals } = ours;
    let told = |tally: &Tally| (Some(tally.number), Some(tally.amount));
    let (debits_number, debits_amount) = told(debits);
    let (debit_reversals_number, debit_reversals_amount) = told(debit_reversals);
    let net = Some(ours.net());
    Claimed {
        debits_number,
        debits_amount,
        debit_reversals_number,
        debit_reversals_amount,
        net,
        ..Claimed::default()
    }
}

fn row(date: &str, link: &str, whose: &str, of: &Claimed) -> [String; 8] {
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), grouped);
    let amount = |amount: Option<u64>| amount.map_or_else(|| "-".to_owned(), major);
    [
        date.to_owned(),
        link.to_owned(),
        whose.to_owned(),
        number(of.debits_number),
        amount(of.debits_amount),
        number(of.debit_reversals_number),
        amount(of.debit_reversals_amount),
        of.net.map_or_else(|| "-".to_owned(), net),
    ]
}

/// What they have more than we, or less.
fn difference(date: &str, link: &str, ours: &Claimed, theirs: &Claimed) -> [String; 8] {
    let between = |ours: Option<u64>, theirs: Option<u64>, show: &dyn Fn(u64) -> String| {
        let (Some(ours), Some(theirs)) = (ours, theirs) else { return "-".to_owned() };
        match theirs.cmp(&ours) {
            std::cmp::Ordering::Equal => "0".to_owned(),
            std::cmp::Ordering::Greater => format!("+{}", show(theirs.abs_diff(ours))),
            std::cmp::Ordering::Less => format!("-{}", show(theirs.abs_diff(ours))),
        }
    };
    let agree = if ours.net == theirs.net { "0" } else { "differs" };
    [
        date.to_owned(),
        link.to_owned(),
        "theirs above ours".to_owned(),
        between(ours.debits_number, theirs.debits_number, &grouped),
        between(ours.debits_amount, theirs.debits_amount, &major),
        between(ours.debit_reversals_number, theirs.debit_reversals_number, &grouped),
        between(ours.debit_reversals_amount, theirs.debit_reversals_amount, &major),
        if theirs.net.is_some() { agree.to_owned() } else { "-".to_owned() },
    ]
}

/// Minor units as people write amounts: sums here may have sixteen digits.
fn major(minor: u64) -> String {
    format!("{}.{:02}", grouped(minor / 100), minor % 100)
}

fn net(net: Net) -> String {
    format!("{} {}", if net.debit { "debit" } else { "credit" }, major(net.amount))
}
