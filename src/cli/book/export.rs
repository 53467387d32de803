//! `book export`: the daily scroll of a department.

use std::io::{BufWriter, Write};

use crate::cli::CliError;
use crate::cli::output::output;
use crate::config::Config;
use crate::control::{Client, ControlError, Reply, Request};
use crate::ids::{BillerCode, BusinessDate};
use crate::journal;
use crate::server::control_socket;
use crate::settle::{self, ScrollLine};

pub(super) fn run(
    config: &Config,
    biller: BillerCode,
    date: BusinessDate,
    (heads, json): (bool, bool),
) -> Result<(), CliError> {
    let lines = scroll(config, biller, date)?;
    let settlement = config.settlement_of(biller);
    let mut out = BufWriter::new(output());
    let as_json = |out: &mut dyn Write, value: serde_json::Result<String>| {
        value.map_err(std::io::Error::from).and_then(|text| writeln!(out, "{text}"))
    };
    match (heads, json) {
        (false, false) => settle::write_scroll(&lines, &settlement, &config.time_zone, &mut out)?,
        (false, true) => {
            let lines = settle::settled(&lines, &settlement)?;
            as_json(&mut out, serde_json::to_string_pretty(&lines)).map_err(CliError::io("writing"))?;
        }
        (true, false) => settle::write_heads(&settle::by_head(&lines)?, &settlement, &mut out)?,
        (true, true) => {
            let heads = settle::by_head(&lines)?;
            let heads = serde_json::to_string_pretty(&settle::settled_heads(&heads, &settlement));
            as_json(&mut out, heads).map_err(CliError::io("writing"))?;
        }
    }
    out.flush().map_err(CliError::io("writing"))
}

fn scroll(config: &Config, biller: BillerCode, date: BusinessDate) -> Result<Vec<ScrollLine>, CliError> {
    match Client::connect(&control_socket(&config.store)) {
        Ok(mut client) => {
            let reply = client.ask(Request::Scroll { biller, date })?;
            if let Reply::Scroll(lines) = reply { Ok(lines) } else { Err(ControlError::Ended.into()) }
        }
        Err(ControlError::NoDaemon { .. }) => {
            if !config.store.join("db").exists() {
                return Err(CliError::NoStore { path: config.store.clone() });
            }
            let (store, _writer) = journal::open(&config.store, &journal::Options::default())?;
            Ok(settle::scroll(&store, biller, date)?)
        }
        Err(error) => Err(error.into()),
    }
}
