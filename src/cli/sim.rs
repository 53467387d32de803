//! `billswitch sim`: the other sides of the switch, simulated.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use super::CliError;
use crate::ids::BusinessDate;
use crate::sim::rest::{Department, FaultRule, Office, Settings};

const REST_HELP: &str = "\
Faults are `CALLS:FAULT:WHEN`. CALLS: inquiry, payment or any. WHEN: a rate (5%), a consumer (consumer=7001) or once (nth=3).
  refuse        the connection is reset before anything is read       (only by rate or nth; CALLS does not matter)
  reset         it is reset once the request is read; nothing is done
  drop          carried out, and reset instead of an answer
  cut           carried out, and reset in the middle of the answer
  hang          nothing is done, and nothing answered
  late=MS       carried out, answered after that                      delay=MS   carried out after that
  slow=MS       carried out, answered a byte at a time, that apart
  garbage       carried out, answered with no JSON                    html       in another content type
  huge          carried out, answered with a megabyte
  status=HTTP   not carried out, answered with an HTTP status         status-after=HTTP   carried out
  code=NN       not carried out, answered with a response code        duplicate  a payment is posted and called a duplicate
  wrong-amount  an inquiry tells another amount, a payment is booked with another

The ledger is a line of JSON a posting (consumer, identity, amount in minor units, receipt, at), on disk before it is
answered: it outlives kill -9, and is taken up again. Bills are in the columns of `billswitch book import`.

Examples:
  billswitch sim rest --listen 127.0.0.1:8090 --bills fixtures/billers/certification.csv --ledger department.jsonl
  billswitch sim rest --listen 127.0.0.1:8090 --bills bills.csv --ledger l.jsonl --fault payment:drop:5% --fault any:delay=200:1%";

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
    let runtime = tokio::runtime::Runtime::new().map_err(CliError::io("starting the runtime"))?;
    runtime.block_on(async {
        let listening = Department::serve(office, settings).await;
        let department = listening.map_err(CliError::io(format!("cannot listen on {}", args.listen)))?;
        let mut out = std::io::stdout();
        writeln!(out, "listening on {}: {bills} bills, {paid} paid here", department.address)
            .and_then(|()| out.flush())
            .map_err(CliError::io("writing"))?;
        let caught = |kind| signal(kind).map_err(CliError::io("listening for signals"));
        let (mut term, mut int) = (caught(SignalKind::terminate())?, caught(SignalKind::interrupt())?);
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        drop(department);
        Ok(ExitCode::SUCCESS)
    })
}
