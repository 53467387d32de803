//! `billswitch check`: says what is wrong with the data files before the daemon does.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::output::output;
use super::{CliError, Place, descriptors};

const AFTER_HELP: &str = "\
Examples:
  billswitch check --config deploy/billswitch.toml
  billswitch check --config /etc/billswitch.toml && systemctl restart billswitch

Exit status: 0 it can be run, 2 it cannot; what is wrong is said with file, line and reason.";

/// What `check` takes.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(args: &CheckArgs) -> Result<ExitCode, CliError> {
    let config = args.place.load()?;
    let links = config.links.iter();
    let profiles: BTreeSet<&str> = links.clone().map(|link| link.profile.name()).collect();
    let framings: BTreeSet<String> = links.map(|link| link.framing.to_string()).collect();
    let said = writeln!(
        output(),
        "ok: {} links (profiles {}; framings {}), {} billers, store {}",
        config.links.len(),
        list(profiles),
        list(framings),
        config.billers.len(),
        config.store.display(),
    );
    said.map_err(CliError::io("writing"))?;
    if let Some(warning) = descriptors::too_few(&config) {
        let _ = writeln!(std::io::stderr(), "warning: {warning}");
    }
    Ok(ExitCode::SUCCESS)
}

fn list<T: AsRef<str>>(names: BTreeSet<T>) -> String {
    names.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ")
}
