//! `billswitch check`: says what is wrong with the data files before the daemon does.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::output::{beside_verdict, output};
use super::{CliError, Place, descriptors};
use crate::config::{Config, Told};

const AFTER_HELP: &str = "\
Examples:
  billswitch check --config deploy/billswitch.toml
  billswitch check --config /etc/billswitch.toml && systemctl restart billswitch
  billswitch check --config deploy/billswitch.toml --json | jq -r '.fault.reason'

Exit status: 0 it can be run, 2 it cannot; what is wrong is said with file, line and reason.";

/// Exit status of a configuration that cannot be run.
const WRONG: u8 = 2;

/// What `check` takes.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    place: Place,
    /// Print JSON, also of what is wrong
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &CheckArgs) -> Result<ExitCode, CliError> {
    if args.json {
        return for_programs(args.place.load());
    }
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

fn for_programs(loaded: Result<Config, CliError>) -> Result<ExitCode, CliError> {
    let (told, code) = match loaded {
        Ok(config) => (sound(&config), ExitCode::SUCCESS),
        Err(CliError::Config(error)) => (json!({ "ok": false, "fault": Told::from(&error) }), WRONG.into()),
        Err(error) => return Err(error),
    };
    writeln!(beside_verdict(), "{told:#}").map_err(CliError::io("writing"))?;
    Ok(code)
}

fn sound(config: &Config) -> Value {
    let links = config.links.iter().map(|link| {
        json!({
            "name": link.name,
            "listen": link.listen,
            "profile": link.profile.name(),
            "framing": link.framing.to_string(),
        })
    });
    let hosts = config
        .hosts
        .iter()
        .map(|host| json!({ "name": host.name, "address": host.address, "profile": host.profile.name() }));
    let billers = config.billers.iter().map(|biller| json!({ "code": biller.code, "name": biller.name }));
    json!({
        "ok": true,
        "links": links.collect::<Vec<Value>>(),
        "hosts": hosts.collect::<Vec<Value>>(),
        "billers": billers.collect::<Vec<Value>>(),
        "store": config.store,
    })
}

fn list<T: AsRef<str>>(names: BTreeSet<T>) -> String {
    names.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ")
}
