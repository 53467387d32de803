//! `billswitch sim acquirer`: pays a department's bills through the switch.

use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::wire::WireArgs;
use crate::biller::iso8583::Host;
use crate::cli::CliError;
use crate::cli::output::beside_verdict;
use crate::ids::{BillerCode, BusinessDate};
use crate::profile::Own;
use crate::sim::acquirer::{Plan, Way};
use crate::sim::rest::OfficeError;

/// What stands below its options.
pub(super) const HELP: &str = "\
It speaks as the switch does to a host: by the [outward] side of the profile, which asks for words of its own (--own), such as \
`acquirer` and `terminal`. It gives up if it is not signed on within 30 seconds.

Each bill is asked for and paid. What is not answered, or answered as in doubt, is taken back (0420, then 0421s) until \
that is heard; an approval is in the ledger before anything else is done about it, and it stands there if the switch will not \
have it taken back. Prints what came of it as JSON.

Examples:
  billswitch sim acquirer --connect 127.0.0.1:8583 --profile onelink --own acquirer=27 \\
    --own terminal=SIM00001 --biller WATER --bills deploy/examples/water.csv \\
    --ledger acquirer.jsonl --currency 360";

/// How long a simulated acquirer tries to sign on.
const SIGN_ON_TIMEOUT: Duration = Duration::from_secs(30);

/// What `sim acquirer` takes.
#[derive(Args, Debug)]
pub(super) struct AcquirerArgs {
    /// The switch's link: host name or address, and port
    #[arg(long, value_name = "ADDR")]
    connect: String,
    /// The link's profile: onelink, ebipp, pln, iso87 or one of --specs with an [outward] side
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

pub(super) fn run(args: AcquirerArgs) -> Result<ExitCode, CliError> {
    let profile = Arc::new(crate::config::Specs::new(args.specs).profile(&args.profile)?);
    if !profile.is_outward() {
        let why =
            format!("profile `{}` has no [outward]: nothing can be said to a switch by it", profile.name());
        return Err(CliError::Usage(why));
    }
    let pair = |own: &String| {
        let (name, text) =
            own.split_once('=').ok_or_else(|| CliError::Usage(format!("--own {own}: NAME=TEXT")))?;
        Ok((name.to_owned(), text.to_owned()))
    };
    let own = args.own.iter().map(pair).collect::<Result<Own, CliError>>()?;
    if let Some(missing) = profile.own_words().iter().find(|name| !own.contains_key(*name)) {
        return Err(CliError::Usage(format!("the profile wants to know --own {missing}=…")));
    }
    let to = args.connect.clone();
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
        signed_on(&link, &to).await?;
        let report = crate::sim::acquirer::run(link, &args.ledger, plan).await.map_err(OfficeError::from)?;
        stop.send_replace(true);
        let json = serde_json::to_string(&report).unwrap_or_default();
        writeln!(beside_verdict(), "{json}").map_err(CliError::io("writing"))?;
        Ok(if report.repeats_refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
    })
}

/// Waits for the link to be up; what is wrong with it is told.
async fn signed_on(link: &Host, to: &str) -> Result<(), CliError> {
    if tokio::time::timeout(SIGN_ON_TIMEOUT, link.signed_on()).await.is_ok() {
        return Ok(());
    }
    let why = link.health().last_error.map_or_else(|| "no answer".to_owned(), |(why, _)| why);
    let after = SIGN_ON_TIMEOUT.as_secs();
    let late = std::io::Error::new(std::io::ErrorKind::TimedOut, why);
    Err(CliError::io(format!("not signed on to {to} after {after} s"))(late))
}
