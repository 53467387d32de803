//! `billswitch demo`: the main job in one command, and whether all of it agrees.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::{Map, Value, json};

use super::output::{Output, beside_verdict};
use super::tables::{grouped, table};
use super::{CliError, replay as replay_cli};
use crate::config::Config;
use crate::ids::{BillerCode, BusinessDate};
use crate::journal::{self, Store, ledger};
use crate::money::MinorUnits;
use crate::server::{BookDesk, Extras, Server};
use crate::settle;
use crate::sim::cpu::CpuTimes;
use crate::sim::replay::capture::Capture;
use crate::sim::replay::{Kind, ReplayError, ReplayPlan, ReplayReport, expect, replay};
use crate::switch::{Reason, What};
use crate::telemetry::start_logs;

const AFTER_HELP: &str = "\
Makes a store of its own, imports the departments' bills, serves on loopback, replays the morning against it over TCP as \
fast as the answers come, and then checks: every answer, the journal, the books against the journal, and the bills that are \
paid in the end against the list of those that should be.

Examples:
  billswitch demo
  billswitch demo fixtures/morning --keep demo-store
  billswitch demo --json | jq .faults

Exit status: 0 all of it agrees, 1 something does not, 2 it could not be run.";

/// Differences shown one by one.
const SHOWN: usize = 20;

/// What `demo` takes.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct DemoArgs {
    /// Folder with requests.pcap, answers.jsonl, bills-<biller>.csv and paid-<biller>.txt
    #[arg(value_name = "DIR", default_value = "fixtures/morning")]
    morning: PathBuf,
    /// The business date of the morning
    #[arg(long, value_name = "DATE", default_value = "2026-11-20")]
    business_date: BusinessDate,
    /// Make the store here and keep it, to be looked at with `ctl` and `book` afterwards
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &DemoArgs) -> Result<ExitCode, CliError> {
    start_logs("error")?;
    if !args.morning.join("requests.pcap").exists() {
        let morning = args.morning.display();
        return Err(CliError::Book(format!(
            "there is no recorded morning in {morning}: run it in the checkout, or name the folder"
        )));
    }
    let temporary = tempfile::tempdir().map_err(CliError::io("making a temporary folder"))?;
    let store = args.keep.clone().unwrap_or_else(|| temporary.path().join("store"));
    let load = || -> Result<Config, CliError> {
        let mut config = Config::load(None)?;
        config.store.clone_from(&store);
        config.business_date = Some(args.business_date);
        // A port of its own, so that it disturbs no switch that is running.
        config.links.iter_mut().for_each(|link| link.listen.set_port(0));
        // What is answered shall not depend on how busy the machine is, nor on how full its disk.
        config.limits.queue_delay_ms = 60_000;
        config.limits.disk_low_bytes = 0;
        Ok(config)
    };
    let config = load()?;
    let mut demo = Demo { out: beside_verdict(), told: args.json.then(Map::new), faults: Vec::new() };
    demo.say("store", json!(store), &format!("store {}", store.display()))?;
    let imported = import(&config, &args.morning)?;
    let line = format!("{} bills of {} departments imported", grouped(imported), config.billers.len());
    demo.say("bills", json!(imported), &line)?;
    let (report, cpu) = serve_and_replay(load()?, &args.morning)?;
    demo.replayed(&report, &cpu)?;
    demo.check(&config, &args.morning, args.business_date)?;
    let kept = args.keep.as_ref().map(|store| format!("the store is kept in {}", store.display()));
    kept.map_or(Ok(()), |line| demo.say("kept", json!(true), &line))?;
    demo.verdict()
}

/// Imports every department's bills into a store that nobody serves yet.
fn import(config: &Config, morning: &Path) -> Result<u64, CliError> {
    let (store, writer) = journal::open(&config.store, &journal::Options::default())?;
    let mut desk = BookDesk::new(store, writer);
    let mut imported = 0_usize;
    for biller in &config.billers {
        let path = morning.join(format!("bills-{}.csv", biller.code));
        imported = imported.saturating_add(desk.import_file(biller.code, &path)?);
    }
    Ok(u64::try_from(imported).unwrap_or(u64::MAX))
}

/// Serves and replays on runtimes of their own, so that the CPU time of each can be told.
fn serve_and_replay(config: Config, morning: &Path) -> Result<(ReplayReport, CpuTimes), CliError> {
    let link = config.links.first().map(|link| (Arc::clone(link.profile.dialect()), link.framing));
    let (dialect, framing) = link.ok_or_else(|| CliError::Book("no link is configured".to_owned()))?;
    let runtime = |name: &str| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let built = builder.worker_threads(2).thread_name(name).enable_all().build();
        built.map_err(CliError::io("starting a runtime"))
    };
    let (switch, player) = (runtime("switch")?, runtime("player")?);
    let capture = Capture::read(&morning.join("requests.pcap"), None).map_err(ReplayError::from)?;
    let expected =
        expect::read(&morning.join("answers.jsonl")).map_err(|error| CliError::Replay(error.into()))?;
    let server = switch.block_on(Server::start(config, Extras::default()))?;
    let address = server.addresses().first().copied();
    let address = address.ok_or_else(|| CliError::Book("nothing is listened on".to_owned()))?;
    let before = CpuTimes::read();
    let plan = ReplayPlan { framing, ..ReplayPlan::flat_out(address, capture, Some(expected), dialect) };
    let report = player.block_on(async { tokio::spawn(replay(plan)).await });
    let cpu = CpuTimes::read().since(&before);
    switch.block_on(server.drain());
    let report = report.map_err(|_| CliError::Book("the player failed".to_owned()))??;
    Ok((report, cpu))
}

struct Demo {
    out: Output,
    /// What is told at the end instead, to a program.
    told: Option<Map<String, Value>>,
    /// What did not agree.
    faults: Vec<String>,
}

impl Demo {
    /// Tells people a line, or a program the value under the key.
    fn say(&mut self, key: &str, value: Value, line: &str) -> Result<(), CliError> {
        if let Some(told) = &mut self.told {
            told.insert(key.to_owned(), value);
            return Ok(());
        }
        writeln!(self.out, "{line}").map_err(CliError::io("writing"))
    }

    fn replayed(&mut self, report: &ReplayReport, cpu: &CpuTimes) -> Result<(), CliError> {
        match &mut self.told {
            Some(told) => drop(told.insert("replay".to_owned(), replay_cli::report_json(report, SHOWN))),
            None => {
                replay_cli::print_report(report, SHOWN, &mut self.out).map_err(CliError::io("writing"))?
            }
        }
        if !report.differences.is_empty() {
            self.faults.push(format!("{} answers differ", report.differences.len()));
        }
        let payments = u128::from(report.latencies.of(Kind::Payment).count.max(1));
        let each = |time: std::time::Duration| time.as_micros().checked_div(payments).unwrap_or_default();
        let store = cpu.of("journal").saturating_add(cpu.of("sled"));
        let switch = cpu.of("switch").saturating_add(cpu.of("engine"));
        let a_second = payments.saturating_mul(1_000_000).checked_div(report.elapsed.as_micros());
        let number = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
        let (payments, a_second) = (number(payments), number(a_second.unwrap_or_default()));
        let told = json!({
            "count": payments,
            "per_second": a_second,
            "cpu_us_each": { "switch": number(each(switch)), "store": number(each(store)) },
        });
        let line = format!(
            "{} payments with their inquiries and the rest: {} a second; CPU a payment {} µs in the switch, {} µs in its store",
            grouped(payments),
            grouped(a_second),
            each(switch),
            each(store),
        );
        self.say("payments", told, &line)
    }

    /// Looks at the store as the switch left it.
    fn check(&mut self, config: &Config, morning: &Path, date: BusinessDate) -> Result<(), CliError> {
        let (store, _writer) = journal::open(&config.store, &journal::Options::default())?;
        let verified = store.verify(&mut |_| {})?;
        let whole = format!(
            "the journal is whole: {} legs in {} blocks",
            grouped(verified.legs),
            grouped(verified.blocks)
        );
        self.say("journal", json!({ "legs": verified.legs, "blocks": verified.blocks }), &whole)?;
        let billers: Vec<BillerCode> = config.billers.iter().map(|biller| biller.code).collect();
        match settle::audit(&store, &billers) {
            Ok(audited) => {
                let agree = format!("journal and books agree: {} payments stand", grouped(audited.posted));
                self.say("standing", json!(audited.posted), &agree)?;
            }
            Err(error) => self.faults.push(error.to_string()),
        }
        self.refused(&store, config)?;
        self.paid(&store, config, morning, date)
    }

    /// What was refused and why, as the journal has it.
    fn refused(&mut self, store: &Store, config: &Config) -> Result<(), CliError> {
        let mut reasons: BTreeMap<Reason, u64> = BTreeMap::new();
        for leg in store.legs(1) {
            let (sequence, leg) = leg?;
            if let What::Answered { reason } = ledger::from_leg(sequence, &leg)?.what {
                let times = reasons.entry(reason).or_default();
                *times = times.saturating_add(1);
            }
        }
        reasons.remove(&Reason::Approved);
        let profile = config.links.first().map(|link| &link.profile);
        let mut rows = table(&["refused because", "DE 39", ">times"]);
        let mut told = Vec::new();
        for (reason, times) in reasons {
            let code = profile.map(|profile| profile.response_code(reason)).unwrap_or_default();
            rows.add_row([reason.to_string().as_str(), code.as_str(), &grouped(times)]);
            told.push(json!({ "reason": reason.to_string(), "39": code.as_str(), "times": times }));
        }
        self.say("refused", json!(told), &rows.to_string())
    }

    /// What was paid per department and head, and whether it is what should be.
    fn paid(
        &mut self,
        store: &Store,
        config: &Config,
        morning: &Path,
        date: BusinessDate,
    ) -> Result<(), CliError> {
        let mut rows = table(&["department", "head", ">payments", ">amount"]);
        let mut told = Vec::new();
        for biller in &config.billers {
            let lines = settle::scroll(store, biller.code, date)?;
            let amounts = lines.iter().map(|line| line.amount);
            let total = MinorUnits::sum(amounts).map_err(|error| CliError::Book(error.to_string()))?;
            rows.add_row([biller.name.as_str(), "all", &grouped(count(&lines)), &total.to_string()]);
            let mut heads: BTreeMap<&str, Vec<MinorUnits>> = BTreeMap::new();
            for head in lines.iter().flat_map(|line| &line.heads) {
                heads.entry(head.head.as_str()).or_default().push(head.amount);
            }
            let (mut of_heads, mut told_heads) = (MinorUnits::ZERO, Vec::new());
            for (head, amounts) in heads {
                let sum = MinorUnits::sum(amounts.iter().copied());
                let sum = sum.map_err(|error| CliError::Book(error.to_string()))?;
                of_heads = of_heads.plus(sum).map_err(|error| CliError::Book(error.to_string()))?;
                rows.add_row(["", head, &grouped(count(&amounts)), &sum.to_string()]);
                told_heads.push(json!({ "head": head, "payments": count(&amounts), "amount": sum }));
            }
            told.push(json!({
                "biller": biller.code,
                "payments": count(&lines),
                "amount": total,
                "heads": told_heads,
            }));
            if of_heads != total {
                self.faults.push(format!("the heads of {} do not sum to what was paid", biller.code));
            }
            let paid: BTreeSet<String> = lines.into_iter().map(|line| line.psid).collect();
            self.compare(biller.code, &paid, &morning.join(format!("paid-{}.txt", biller.code)))?;
        }
        self.say("paid", json!(told), &rows.to_string())
    }

    fn compare(&mut self, biller: BillerCode, paid: &BTreeSet<String>, list: &Path) -> Result<(), CliError> {
        let text = std::fs::read_to_string(list).map_err(CliError::io(list.display().to_string()))?;
        let wanted: BTreeSet<String> = text.split_whitespace().map(str::to_owned).collect();
        let (missing, extra) = (wanted.difference(paid).count(), paid.difference(&wanted).count());
        if missing > 0 || extra > 0 {
            self.faults.push(format!(
                "{biller}: {missing} bills should be paid and are not, {extra} are and should not be"
            ));
        }
        Ok(())
    }

    fn verdict(mut self) -> Result<ExitCode, CliError> {
        let agrees = self.faults.is_empty();
        let told = if let Some(mut told) = self.told.take() {
            told.insert("ok".to_owned(), json!(agrees));
            told.insert("faults".to_owned(), json!(self.faults));
            writeln!(self.out, "{:#}", Value::Object(told))
        } else if agrees {
            writeln!(self.out, "all of it agrees: every answer, the journal, the books, and the bills paid")
        } else {
            self.faults.iter().try_for_each(|fault| writeln!(self.out, "AT FAULT: {fault}"))
        };
        told.map_err(CliError::io("writing"))?;
        Ok(if agrees { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

fn count<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}
