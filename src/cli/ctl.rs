//! `billswitch ctl`: the operator's commands.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use comfy_table::Table;
use jiff::tz::TimeZone;

use super::output::output;
use super::tables::{grouped, pairs, span, table};
use super::totals::totals_table;
use super::{CliError, Place};
use crate::biller::Reach;
use crate::biller::{HeadKind, Settlement};
use crate::config::Config;
use crate::control::{
    BillerReply, Client, ExceptionReply, LegReply, LinkReply, PaymentReply, Reply, Request, StatusReply,
    VerifyReply,
};
use crate::server::control_socket;
use crate::switch::{PartialState, Payment};

const AFTER_HELP: &str = "\
Examples:
  billswitch ctl status
  billswitch ctl links --json | jq '.[] | select(.signed_on | not) | .name'
  billswitch ctl totals --date 2026-11-20 --link atmnet
  billswitch ctl txn --rrn 632409004707
  billswitch ctl journal tail -n 50
  billswitch ctl --store /var/lib/billswitch block KPPOLICE";

/// What `ctl` takes.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct CtlArgs {
    #[command(flatten)]
    place: Place,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    request: Request,
}

pub(super) fn run(args: CtlArgs) -> Result<ExitCode, CliError> {
    let config = match (args.place.load(), &args.place.store) {
        // A file that is being mended keeps nobody from the daemon whose store they name.
        (Err(_), Some(store)) => Config { store: store.clone(), ..Config::load(None)? },
        (loaded, _) => loaded?,
    };
    let mut client = Client::connect(&control_socket(&config.store))?;
    let reply = client.ask(args.request)?;
    let text = if args.json { json(&reply) } else { Ok(people(&reply, &config.time_zone)) };
    let written = text.and_then(|text| writeln!(output(), "{text}"));
    written.map_err(CliError::io("writing"))?;
    Ok(ExitCode::SUCCESS)
}

/// The reply without the name of its kind: a program knows what it asked for.
fn json(reply: &Reply) -> std::io::Result<String> {
    let value = match reply {
        Reply::Status(reply) => serde_json::to_value(reply),
        Reply::Links(reply) => serde_json::to_value(reply),
        Reply::Billers(reply) => serde_json::to_value(reply),
        Reply::Payments(reply) => serde_json::to_value(reply),
        Reply::Exceptions(reply) => serde_json::to_value(reply),
        Reply::Totals(reply) => serde_json::to_value(reply),
        Reply::Legs(reply) => serde_json::to_value(reply),
        Reply::Verified(reply) => serde_json::to_value(reply),
        Reply::Book(reply) => serde_json::to_value(reply),
        Reply::Scroll(reply) => serde_json::to_value(reply),
        Reply::Done(text) => Ok(serde_json::json!({ "done": text })),
        Reply::Failed(text) => Ok(serde_json::json!({ "failed": text })),
        Reply::Version { daemon } => Ok(serde_json::json!({ "version": daemon })),
    };
    Ok(serde_json::to_string_pretty(&value?)?)
}

fn people(reply: &Reply, zone: &TimeZone) -> String {
    match reply {
        Reply::Status(status) => status_table(status).to_string(),
        Reply::Links(links) => links_table(links).to_string(),
        Reply::Billers(billers) => billers_text(billers, zone),
        Reply::Payments(payments) if payments.is_empty() => "no such payment".to_owned(),
        Reply::Payments(payments) => {
            payments.iter().map(|payment| payment_text(payment, zone)).collect::<Vec<_>>().join("\n\n")
        }
        Reply::Exceptions(found) if found.is_empty() => "no exceptions".to_owned(),
        Reply::Exceptions(found) => exceptions_text(found, zone),
        Reply::Totals(totals) => totals_table(totals, zone).to_string(),
        Reply::Legs(legs) => legs_table(legs, zone).to_string(),
        Reply::Verified(verified) => verified_text(verified),
        Reply::Book(_) | Reply::Scroll(_) => String::new(),
        Reply::Done(text) | Reply::Failed(text) => text.clone(),
        Reply::Version { daemon } => format!("the daemon speaks version {daemon}"),
    }
}

fn status_table(status: &StatusReply) -> Table {
    let state = if status.draining { "draining" } else { "serving" };
    let free = status
        .free_bytes
        .map_or_else(|| "unknown".to_owned(), |free| format!("{} bytes free", grouped(free)));
    pairs([
        ("state", state.to_owned()),
        ("business date", status.business_date.to_string()),
        ("open", grouped(status.open)),
        ("waiting for an answer", grouped(status.waiting)),
        ("alarms since the start", grouped(status.alarms)),
        ("connections refused", grouped(status.refused_connections)),
        ("last leg", grouped(status.last_leg)),
        ("legs worked with", grouped(status.working_legs)),
        (
            "sealed days",
            status.oldest_sealed_date.map_or_else(
                || "none".to_owned(),
                |oldest| format!("{}, from {oldest} on", grouped(status.sealed_days)),
            ),
        ),
        (
            "store",
            format!(
                "{} bytes, {} syncs, {} blobs",
                grouped(status.store_bytes),
                grouped(status.syncs),
                status.blobs
            ),
        ),
        ("disk", format!("{free}{}", short_of_room(status))),
        ("up", format!("{} s, version {}, process {}", grouped(status.uptime_s), status.version, status.pid)),
    ])
}

/// What has come of a disk that is, or was, almost full.
fn short_of_room(status: &StatusReply) -> String {
    let low = if status.disk_low { ": too few, new requests are refused" } else { "" };
    match status.unrecorded {
        0 => low.to_owned(),
        count => format!("{low}; {} requests that changed nothing have left no leg", grouped(count)),
    }
}

fn links_table(links: &[LinkReply]) -> Table {
    let mut rows = table(&[
        "link",
        "state",
        "listen",
        "peer",
        "profile",
        ">connections",
        ">frames",
        ">answers",
        ">undelivered",
        ">unanswerable",
        ">unasked",
        ">wrong MAC",
        ">deaf",
        "MAC key",
    ]);
    for link in links {
        let state = match (link.connections, link.signed_on) {
            (0, _) => "down",
            (_, false) => "connected",
            (_, true) => "signed on",
        };
        let peer = if link.peer.is_empty() { "any" } else { &link.peer };
        rows.add_row([
            link.name.as_str(),
            state,
            &link.listen,
            peer,
            &link.profile,
            &grouped(link.connections),
            &grouped(link.frames),
            &grouped(link.answers),
            &grouped(link.undelivered),
            &grouped(link.unanswerable),
            &grouped(link.unasked),
            &grouped(link.mac_refused),
            &grouped(link.deaf),
            &link.mac_key,
        ]);
    }
    rows
}

fn billers_text(billers: &[BillerReply], zone: &TimeZone) -> String {
    let table = billers_table(billers);
    let mut ways = table_of_ways();
    let mut any = false;
    for biller in billers {
        let Some(health) = &biller.health else { continue };
        any = true;
        let reach = match health.reach {
            Reach::Up => "up",
            Reach::Down => "down",
        };
        let error = health.last_error.as_ref();
        ways.add_row([
            biller.code.as_str(),
            reach,
            health.breaker.name(),
            &format!("{} of {}", grouped(health.in_flight.into()), grouped(health.in_flight_max.into())),
            &grouped(health.refused_full),
            &grouped(health.refused_open),
            &grouped(health.unasked),
            &grouped(health.mac_refused),
            &grouped(health.unreadable),
            &health.mac_key,
            &error.map_or_else(String::new, |error| format!("{} {}", error.at.text(zone), error.what)),
        ]);
    }
    let ways = if any { format!("\n{ways}") } else { String::new() };
    format!("{table}{ways}{}", settlements_text(billers))
}

/// Where the departments' money goes, as far as that is configured.
fn settlements_text(billers: &[BillerReply]) -> String {
    let mut rows = table(&["settled", "account", "provincial heads", "federal heads"]);
    for biller in billers.iter().filter(|biller| !biller.settlement.is_empty()) {
        let Settlement { account, heads } = &biller.settlement;
        let of = |kind: HeadKind| {
            let its = heads.iter().filter(|(_, is)| **is == kind).map(|(head, _)| head.as_str());
            its.collect::<Vec<&str>>().join(", ")
        };
        let account = account.map_or_else(String::new, |account| account.to_string());
        let [provincial, federal] = [HeadKind::Provincial, HeadKind::Federal].map(of);
        rows.add_row([biller.code.as_str(), &account, &provincial, &federal]);
    }
    if rows.is_empty() { String::new() } else { format!("\n{rows}") }
}

fn table_of_ways() -> Table {
    table(&[
        "on a wire",
        "reach",
        "breaker",
        ">in flight",
        ">refused full",
        ">refused open",
        ">unasked",
        ">bad MAC",
        ">unreadable",
        "MAC key",
        "last error",
    ])
}

fn billers_table(billers: &[BillerReply]) -> Table {
    let mut rows = table(&[
        "biller",
        "name",
        "state",
        ">bills",
        ">posted",
        ">declined",
        ">reversed",
        ">in doubt",
        ">owed",
        ">oldest owed",
    ]);
    for biller in billers {
        let state = match (biller.blocked, biller.reachable) {
            (true, _) => "blocked",
            (false, true) => "served",
            (false, false) => "unreachable",
        };
        let oldest = if biller.owed == 0 { String::new() } else { span(biller.owed_oldest_ms) };
        rows.add_row([
            biller.code.as_str(),
            &biller.name,
            state,
            &grouped(biller.bills),
            &grouped(biller.posted),
            &grouped(biller.declined),
            &grouped(biller.reversed),
            &grouped(biller.in_doubt),
            &grouped(biller.owed),
            &oldest,
        ]);
    }
    rows
}

pub(super) fn legs_table(legs: &[LegReply], zone: &TimeZone) -> Table {
    let mut rows = table(&[">leg", "time", "date", "link", "STAN", "RRN", "what", "payment"]);
    for leg in legs {
        rows.add_row([
            leg.sequence.to_string().as_str(),
            &leg.at.text(zone),
            &leg.date.to_string(),
            leg.link.as_str(),
            leg.stan.as_str(),
            leg.rrn.as_str(),
            &leg.what,
            &leg.state,
        ]);
    }
    rows
}

fn exceptions_text(found: &[ExceptionReply], zone: &TimeZone) -> String {
    let texts = found.iter().map(|it| {
        let payment = &it.payment;
        pairs([
            ("leg", it.leg.to_string()),
            ("payment", payment.key.to_string()),
            ("bill", format!("{} {}", payment.biller, payment.consumer)),
            ("amount", format!("{} on {}", payment.amount, payment.date)),
            ("acquirer", payment.link.to_string()),
            ("since", it.at.text(zone)),
            ("why", it.why.clone()),
            ("next", it.next.clone()),
        ])
        .to_string()
    });
    texts.collect::<Vec<_>>().join("\n\n")
}

/// What of a payment the acquirer has taken back, where that is a part.
fn part_text(payment: &Payment) -> String {
    payment.part.as_ref().map_or_else(String::new, |part| {
        let (from, back) = (part.from, part.given_back());
        match part.state {
            PartialState::Wanted => format!(", of which {back} is wanted back"),
            PartialState::Done => format!(", of {from}: {back} was given back"),
            PartialState::Kept(_) => format!(", of which {back} was wanted back and not given"),
        }
    })
}

pub(super) fn payment_text(found: &PaymentReply, zone: &TimeZone) -> String {
    let payment = &found.payment;
    let posting = payment.posting.as_ref();
    let heads = posting.map(|posting| {
        let heads = posting.heads.iter().map(|head| format!("{} {}", head.head, head.amount));
        heads.collect::<Vec<_>>().join(", ")
    });
    let facts = pairs([
        ("payment", payment.key.to_string()),
        ("state", payment.state.name().to_owned()),
        ("bill", format!("{} {}", payment.biller, payment.consumer)),
        ("amount", format!("{} on {}{}", payment.amount, payment.date, part_text(payment))),
        ("acquirer", format!("{}, channel {}", payment.link, payment.channel)),
        ("card", found.card.clone()),
        ("receipt", posting.map_or_else(|| "none".to_owned(), |posting| posting.receipt.to_string())),
        ("heads", heads.unwrap_or_default()),
        ("answered", payment.answer.as_ref().map_or_else(String::new, |answer| answer.reason.to_string())),
    ]);
    format!("{facts}\n{}", legs_table(&found.legs, zone))
}

pub(super) fn verified_text(verified: &VerifyReply) -> String {
    let keys = verified.keys.map_or_else(
        || "keys: not checked, they changed meanwhile; ask again in a quiet moment".to_owned(),
        |keys| format!("keys: all {} are there", grouped(keys)),
    );
    let totals = match (verified.totals_uncheckable, verified.totals_pruned_to) {
        (0, _) | (_, None) => format!("all {} are what the legs add up to", grouped(verified.totals)),
        (more, Some(to)) => format!(
            "{} are what the legs add up to; {} up to {to} cannot be checked, legs of theirs are pruned here",
            grouped(verified.totals),
            grouped(more)
        ),
    };
    format!(
        "{}\n{keys}\njournal and books agree: {} payments stand, {} bills paid by them\ntotals of links and dates: {totals}",
        whole_text(verified),
        grouped(verified.posted),
        grouped(verified.paid_bills),
    )
}

/// The journal alone, as it can be said of restored days too.
pub(super) fn whole_text(verified: &VerifyReply) -> String {
    let pruned = match verified.pruned {
        0 => String::new(),
        legs => format!("; {} legs are pruned here, and only their chain was checked", grouped(legs)),
    };
    format!(
        "the journal is whole: {} legs in {} blocks, {} of them sealed, head {}{pruned}",
        grouped(verified.legs),
        grouped(verified.blocks),
        grouped(verified.sealed),
        verified.head_hash,
    )
}
