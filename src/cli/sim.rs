//! `billswitch sim`: the other sides of the switch, simulated.

mod acquirer;
mod wire;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use self::wire::WireArgs;
use super::CliError;
use super::output::{beside_verdict, output};
use crate::ids::BusinessDate;
use crate::sim::iso::{self, Books};
use crate::sim::rest::{Department, FaultRule, Office, OfficeError, Settings};

const REST_HELP: &str = "\
Faults are `CALLS:FAULT:WHEN`. CALLS: inquiry, payment or any. WHEN: a rate (5%), a consumer (consumer=7001) or \
once (nth=3).
  refuse             reset before anything is read (by rate or nth; CALLS does not matter)
  reset              reset once the request is read; nothing is done
  drop               carried out, and reset instead of an answer
  cut                carried out, and reset in the middle of the answer
  hang               nothing is done, and nothing answered
  late=MS            carried out, answered after that
  delay=MS           carried out after that
  slow=MS            carried out, answered a byte at a time, that apart
  garbage            carried out, answered with no JSON
  html               carried out, answered in another content type
  huge               carried out, answered with a megabyte
  status=HTTP        not carried out, answered with an HTTP status
  status-after=HTTP  carried out, answered with an HTTP status
  code=NN            not carried out, answered with a response code
  duplicate          a payment is posted and called a duplicate
  wrong-amount       an inquiry tells another amount, a payment is booked with another

The ledger is a line of JSON a posting (consumer, identity, amount in minor units, receipt, at), on disk before it \
is answered: it outlives kill -9, and is taken up again. Bills are in the columns of `billswitch book import`.

Examples:
  billswitch sim rest --listen 127.0.0.1:8090 --bills bills.csv --ledger department.jsonl
  billswitch sim rest --listen 127.0.0.1:8090 --bills fixtures/billers/certification.csv \\
    --ledger department.jsonl --fault payment:drop:5% --fault any:delay=200:1%";

const ISO_HELP: &str = "\
The host speaks the profile as its [classes] and [answer] say, so that the switch reaches it by the same file's \
[outward].

Faults are `CALLS:FAULT:WHEN`. CALLS: inquiry, payment, reversal or any. WHEN: a rate (5%), a consumer \
(consumer=7001) or once (nth=3).
  refuse        closed at once (by rate or nth; CALLS does not matter)
  reset         closed once the request is read; nothing is done
  drop          carried out, and closed instead of an answer
  cut           carried out, and closed in the middle of the answer
  hang          nothing is done, and nothing answered
  late=MS       carried out, answered after that
  delay=MS      carried out after that
  garbage       carried out, answered with a broken message
  duplicate     carried out, answered twice
  code=NN       not carried out, answered with a response code
  wrong-amount  an inquiry tells another amount, a payment's answer confirms another

The ledger is that of `sim rest`: a line of JSON a posting (consumer, identity, amount in minor units, receipt, at), \
and one with `undone` for each that is given back; on disk before it is answered, and taken up again. The identity is \
DE 7, 11, 37, 32 and 41, or what stands for them. Bills are in the columns of `billswitch book import`.

Examples:
  billswitch sim iso --listen 127.0.0.1:7001 --profile ebipp --bills bills.csv --ledger host.jsonl
  billswitch sim iso --listen 127.0.0.1:7002 --profile pln --bills bills.csv --ledger host.jsonl \\
    --fault payment:drop:5% --fault any:late=300:1%";

const COMPARE_HELP: &str = "\
Ledgers are those of `sim rest`, `sim iso` and `sim acquirer`; a scroll is that of `billswitch book export`. Compared is \
what stands on each bill, in minor units. What differs when all has come to an end should be in `billswitch ctl \
exceptions`.

Examples:
  billswitch sim compare acquirer.jsonl water.jsonl";

/// What `sim` takes.
#[derive(Args, Debug)]
pub(super) struct SimArgs {
    #[command(subcommand)]
    command: SimCommand,
}

#[derive(Debug, Subcommand)]
enum SimCommand {
    /// A department with an HTTP API, as the 1BILL-style contract has it
    #[command(after_help = REST_HELP)]
    Rest(RestArgs),
    /// A department's ISO 8583 host, in any profile
    #[command(after_help = ISO_HELP)]
    Iso(IsoArgs),
    /// An acquirer: inquires, pays, repeats and takes back at a rate, and keeps a ledger
    #[command(after_help = acquirer::HELP)]
    Acquirer(acquirer::AcquirerArgs),
    /// What stands in one ledger and not in another
    #[command(after_help = COMPARE_HELP)]
    Compare(CompareArgs),
}

#[derive(Args, Debug)]
struct CompareArgs {
    /// A ledger, or a scroll with the ending .csv
    #[arg(value_name = "ONE")]
    one: PathBuf,
    /// Another
    #[arg(value_name = "OTHER")]
    other: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct IsoArgs {
    /// Where to listen; port 0 takes a free one, which is printed
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
    /// What it speaks, meaning and layout: onelink, ebipp, pln, iso87 or a profile of --specs
    #[arg(long, value_name = "NAME", visible_alias = "dialect")]
    profile: String,
    /// Folder with dialects/ and profiles/, instead of those that are built in
    #[arg(long, value_name = "DIR")]
    specs: Option<PathBuf>,
    #[command(flatten)]
    wire: WireArgs,
    /// Bills, in the columns of `book import`
    #[arg(long, value_name = "FILE.csv")]
    bills: PathBuf,
    /// What is posted and given back; made if it is not there
    #[arg(long, value_name = "FILE.jsonl")]
    ledger: PathBuf,
    /// Something that goes wrong; may be given several times
    #[arg(long = "fault", visible_alias = "faults", value_name = "RULE")]
    faults: Vec<FaultRule>,
    /// Draws the faults that strike at a rate
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The day by which bills are due and expire, instead of the calendar's
    #[arg(long, value_name = "DATE")]
    today: Option<BusinessDate>,
}

#[derive(Args, Debug)]
struct RestArgs {
    /// Where to listen; port 0 takes a free one, which is printed
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
    /// Bills, in the columns of `book import`
    #[arg(long, value_name = "FILE.csv")]
    bills: PathBuf,
    /// What is posted; made if it is not there
    #[arg(long, value_name = "FILE.jsonl")]
    ledger: PathBuf,
    /// Something that goes wrong; may be given several times
    #[arg(long = "fault", visible_alias = "faults", value_name = "RULE")]
    faults: Vec<FaultRule>,
    /// Draws the faults that strike at a rate
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// User name that is asked for
    #[arg(long, value_name = "NAME", requires = "password")]
    username: Option<String>,
    /// Password that is asked for
    #[arg(long, value_name = "WORD", requires = "username")]
    password: Option<String>,
    /// Certificate chain, PEM: speak TLS
    #[arg(long, value_name = "FILE.pem", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE.pem", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// The day by which bills are due and expire, instead of the calendar's
    #[arg(long, value_name = "DATE")]
    today: Option<BusinessDate>,
}

pub(super) fn run(args: SimArgs) -> Result<ExitCode, CliError> {
    match args.command {
        SimCommand::Rest(args) => rest(args),
        SimCommand::Iso(args) => iso(args),
        SimCommand::Acquirer(args) => acquirer::run(args),
        SimCommand::Compare(args) => compare(&args),
    }
}

fn rest(args: RestArgs) -> Result<ExitCode, CliError> {
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(cert), Some(key)) => {
            let read = |path: &PathBuf| std::fs::read(path).map_err(CliError::io(path.display().to_string()));
            Some(crate::sim::rest::server_tls(&read(cert)?, &read(key)?)?)
        }
        (None, _) | (_, None) => None,
    };
    if !args.faults.iter().all(FaultRule::is_of_an_api) {
        return Err(CliError::Usage("--fault reversal:…: an HTTP contract has no reversals".to_owned()));
    }
    let office = Arc::new(Office::open(&args.bills, &args.ledger, args.today)?);
    let (bills, paid) = office.counts();
    let settings = Settings {
        listen: args.listen,
        credentials: args.username.zip(args.password),
        tls,
        faults: args.faults,
        seed: args.seed,
    };
    serving(
        async {
            let listening = Department::serve(office, settings).await;
            let department = listening.map_err(CliError::io(format!("cannot listen on {}", args.listen)))?;
            Ok((department.address, department))
        },
        bills,
        paid,
    )
}

fn iso(args: IsoArgs) -> Result<ExitCode, CliError> {
    let profile = Arc::new(crate::config::Specs::new(args.specs).profile(&args.profile)?);
    if !args.faults.iter().all(FaultRule::is_of_a_host) {
        let why = "--fault: slow, html, huge, status and status-after are of HTTP; a host has the others";
        return Err(CliError::Usage(why.to_owned()));
    }
    let books = Arc::new(Books::open(&args.bills, &args.ledger, args.today)?);
    let (bills, paid) = books.counts();
    let settings = iso::Settings {
        listen: args.listen,
        framing: args.wire.framing(&profile)?,
        key: args.wire.key(&profile)?,
        profile,
        faults: args.faults,
        seed: args.seed,
    };
    serving(
        async {
            let listening = iso::Host::serve(books, settings).await;
            let host = listening.map_err(CliError::io(format!("cannot listen on {}", args.listen)))?;
            Ok((host.address, host))
        },
        bills,
        paid,
    )
}

/// Begins to serve, says where, and goes on until the process is told to end.
fn serving<S>(
    begin: impl Future<Output = Result<(SocketAddr, S), CliError>>,
    bills: usize,
    paid: usize,
) -> Result<ExitCode, CliError> {
    let runtime = tokio::runtime::Runtime::new().map_err(CliError::io("starting the runtime"))?;
    runtime.block_on(async {
        let (address, served) = begin.await?;
        let mut out = output();
        writeln!(out, "listening on {address}: {bills} bills, {paid} paid here")
            .and_then(|()| out.flush())
            .map_err(CliError::io("writing"))?;
        let caught = |kind| signal(kind).map_err(CliError::io("listening for signals"));
        let (mut term, mut int) = (caught(SignalKind::terminate())?, caught(SignalKind::interrupt())?);
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        drop(served);
        Ok(ExitCode::SUCCESS)
    })
}

fn compare(args: &CompareArgs) -> Result<ExitCode, CliError> {
    let differences = crate::sim::acquirer::compare(&args.one, &args.other).map_err(OfficeError::from)?;
    let mut out = beside_verdict();
    let told = if args.json {
        writeln!(out, "{}", serde_json::to_string(&differences).unwrap_or_default())
    } else {
        differences.iter().try_for_each(|difference| {
            let amount = |amount: Option<u64>| {
                amount.map_or_else(|| "nothing".to_owned(), |amount| amount.to_string())
            };
            let (one, other) = (amount(difference.one), amount(difference.other));
            writeln!(out, "{}: {one} here, {other} there", difference.consumer)
        })
    };
    told.map_err(CliError::io("writing"))?;
    Ok(if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
