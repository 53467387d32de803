//! `billswitch sim`: the other sides of the switch, simulated.

mod wire;

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use self::wire::WireArgs;
use super::CliError;
use super::output::{beside_verdict, output};
use crate::ids::{BillerCode, BusinessDate};
use crate::profile::Own;
use crate::sim::acquirer::{Plan, Way};
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

const ACQUIRER_HELP: &str = "\
Each bill is asked for and paid. What is not answered, or answered as in doubt, is taken back (0420, then 0421s) until \
that is heard; an approval is in the ledger before anything else is done about it. Prints what came of it as JSON.

Example:
  billswitch sim acquirer --connect 127.0.0.1:8583 --profile onelink --own acquirer=27 \\
    --own terminal=SIM00001 --biller WATER --bills deploy/examples/water.csv \\
    --ledger acquirer.jsonl --currency 360";

const COMPARE_HELP: &str = "\
Ledgers are those of `sim rest`, `sim iso` and `sim acquirer`; a scroll is that of `billswitch book export`. Compared is \
what stands on each bill, in minor units. What differs when all has come to an end should be in `billswitch ctl \
exceptions`.

Example:
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
    #[command(after_help = ACQUIRER_HELP)]
    Acquirer(AcquirerArgs),
    /// What stands in one ledger and not in another; exit status 1 if anything differs
    #[command(after_help = COMPARE_HELP)]
    Compare(CompareArgs),
}

#[derive(Args, Debug)]
struct AcquirerArgs {
    /// The switch's link: host name or address, and port
    #[arg(long, value_name = "ADDR")]
    connect: String,
    /// The link's profile; one with an [outward] side
    #[arg(long, value_name = "NAME")]
    profile: String,
    /// Folder with dialects/ and profiles/, instead of those that are built in
    #[arg(long, value_name = "DIR")]
    specs: Option<PathBuf>,
    /// The address to connect from, where the switch tells its links by that
    #[arg(long, value_name = "IP")]
    source: Option<IpAddr>,
    #[command(flatten)]
    wire: WireArgs,
    /// What the profile's own:NAME is, NAME=TEXT; may be given several times
    #[arg(long = "own", value_name = "NAME=TEXT")]
    own: Vec<String>,
    /// The department, by the switch's code
    #[arg(long, value_name = "CODE")]
    biller: BillerCode,
    /// Its bills, in the columns of `book import`: each is paid once
    #[arg(long, value_name = "FILE.csv")]
    bills: PathBuf,
    /// What the switch has approved, and what was taken back; made if it is not there
    #[arg(long, value_name = "FILE.jsonl")]
    ledger: PathBuf,
    /// Payments begun a second
    #[arg(long, value_name = "N", default_value_t = 100)]
    rate: u32,
    /// Payments at once
    #[arg(long, value_name = "N", default_value_t = 256)]
    in_flight: usize,
    /// How long an answer is waited for, milliseconds
    #[arg(long, value_name = "MS", default_value_t = 45_000)]
    timeout: u64,
    /// Of a hundred approved payments, how many are repeated
    #[arg(long, value_name = "N", default_value_t = 2)]
    repeats: u64,
    /// Of a hundred approved payments, how many are taken back
    #[arg(long, value_name = "N", default_value_t = 2)]
    reversals: u64,
    /// DE 49
    #[arg(long, value_name = "CODE", default_value = "586")]
    currency: String,
    /// The day by which bills are late, instead of the calendar's
    #[arg(long, value_name = "DATE")]
    today: Option<BusinessDate>,
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
    /// What it speaks
    #[arg(long, value_name = "NAME")]
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
    #[arg(long = "fault", value_name = "RULE")]
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
    #[arg(long = "fault", value_name = "RULE")]
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
        SimCommand::Acquirer(args) => acquirer(args),
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

fn acquirer(args: AcquirerArgs) -> Result<ExitCode, CliError> {
    let profile = Arc::new(crate::config::Specs::new(args.specs).profile(&args.profile)?);
    let pair = |own: &String| {
        let (name, text) =
            own.split_once('=').ok_or_else(|| CliError::Usage(format!("--own {own}: NAME=TEXT")))?;
        Ok((name.to_owned(), text.to_owned()))
    };
    let own = args.own.iter().map(pair).collect::<Result<Own, CliError>>()?;
    if let Some(missing) = profile.own_words().iter().find(|name| !own.contains_key(*name)) {
        return Err(CliError::Usage(format!("the profile wants to know --own {missing}=…")));
    }
    let way = Way {
        address: args.connect,
        source: args.source,
        framing: args.wire.framing(&profile)?,
        key: args.wire.key(&profile)?,
        profile,
        own,
    };
    let plan = Plan {
        biller: args.biller,
        currency: args.currency,
        consumers: crate::sim::acquirer::consumers(&args.bills)?,
        rate: args.rate,
        in_flight_max: args.in_flight,
        reply_timeout_ms: args.timeout,
        repeats: args.repeats,
        reversals: args.reversals,
        today: args.today,
    };
    let runtime = tokio::runtime::Runtime::new().map_err(CliError::io("starting the runtime"))?;
    runtime.block_on(async {
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let link = crate::sim::acquirer::link(way, stopped);
        link.signed_on().await;
        let report = crate::sim::acquirer::run(link, &args.ledger, plan).await.map_err(OfficeError::from)?;
        stop.send_replace(true);
        let json = serde_json::to_string(&report).unwrap_or_default();
        writeln!(beside_verdict(), "{json}").map_err(CliError::io("writing"))?;
        Ok(if report.repeats_refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
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
