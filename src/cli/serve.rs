//! `billswitch serve`: the daemon.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{CliError, Place, descriptors};
use crate::ids::BusinessDate;
use crate::server::{Extras, Reread, Server};
use crate::telemetry::recorder::{QUEUE_FRAMES, Recorder};
use crate::telemetry::start_logs;

const AFTER_HELP: &str = "\
Examples:
  billswitch serve
  billswitch serve --config deploy/billswitch.toml --store /var/lib/billswitch
  billswitch serve --record morning.pcap            record the traffic, card data masked

SIGTERM and SIGINT drain: new work is refused, what is in flight is finished or kept in the store, exit status 0. \
SIGHUP reads the configuration again, as `billswitch ctl reload` does.

Exit status: 0 drained; 70 the journal failed while serving, 75 the system would not let it start (a full disk, say): start it \
again; 1 the store is damaged, 2 it cannot be run so: a start again changes nothing; 4 another process has the store.";

/// What `serve` takes.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    place: Place,
    /// Record all traffic into a new capture file, card data masked at the same length
    #[arg(long, value_name = "FILE.pcap")]
    record: Option<PathBuf>,
    /// Business date a new store begins on, instead of the configured one
    #[arg(long, value_name = "DATE")]
    business_date: Option<BusinessDate>,
    /// What is logged to standard error: a level, or levels by target. A leg's line has the target billswitch::leg
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
}

pub(super) fn run(args: &ServeArgs) -> Result<ExitCode, CliError> {
    start_logs(&args.log)?;
    descriptors::raise();
    let mut config = args.place.load()?;
    if args.business_date.is_some() {
        config.business_date = args.business_date;
    }
    let place = args.place.clone();
    let reread: Reread = Arc::new(move || place.load().map_err(|error| error.to_string()));
    let mut extras = Extras { reread: Some(reread), ..Extras::default() };
    let recording = match &args.record {
        None => None,
        Some(path) => {
            let (handle, recorder) = Recorder::start(path, QUEUE_FRAMES)?;
            extras.recorder = Some(handle);
            Some(recorder)
        }
    };
    let runtime = tokio::runtime::Runtime::new().map_err(CliError::io("starting the runtime"))?;
    runtime.block_on(async {
        let [mut term, mut int, mut hangup] = signals().map_err(CliError::io("listening for signals"))?;
        let server = match Server::start(config, extras).await {
            Ok(server) => server,
            Err(error) => {
                // Nothing was recorded: the next start shall find the name free.
                args.record.as_ref().map(std::fs::remove_file);
                return Err(error.into());
            }
        };
        for (link, address) in server.listening() {
            tracing::info!(%link, %address, "listening");
        }
        loop {
            tokio::select! {
                _ = term.recv() => tracing::info!("SIGTERM: draining"),
                _ = int.recv() => tracing::info!("SIGINT: draining"),
                () = server.drain_asked() => tracing::info!("the operator asked: draining"),
                // What comes of it is logged and journalled.
                _ = hangup.recv() => { let _ = server.reload().await; continue }
            }
            break;
        }
        server.drain().await;
        Ok::<(), CliError>(())
    })?;
    // Connections that still hold a tape end with the runtime, so that the recording does.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    if let Some(recorder) = recording {
        let recorded = recorder.finish()?;
        tracing::info!(frames = recorded.frames, dropped = recorded.dropped, "recorded");
    }
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

fn signals() -> std::io::Result<[Signal; 3]> {
    Ok([signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?])
}
