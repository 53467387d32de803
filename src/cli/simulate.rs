//! `billswitch simulate`: the switch in a world of faults, one seed a run.

use std::io::{IsTerminal, Write};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::CliError;
use super::output::beside_verdict;
use crate::sim::world::{Found, Plan, Report, Site, minimise, play, simulate};

const AFTER_HELP: &str = "\
Each seed is a run of the real switch, desk, codec and journal among fake links, billers, clocks and disks: messages are \
lost, delayed, doubled and spoilt, acquirers want payments back or parts of them, billers hang, refuse and answer late or \
garbled, the process is killed at every step and the disk fails; billers are gone until hundreds of payments are owed to \
them, links get new MAC keys, and the operator has the configuration read anew. An auditor with books of its own checks the invariants after every event. The same seed is the \
same run.

What must hold, by number:
  1  a payment is posted once at most
  2  an approval that is sent is on disk before it leaves
  3  what acquirers were told is what billers have, or it is with people; doubt is kept
  4  journal, scrolls, totals and billers' books agree by biller, head and date
  5  no answer leaves on a connection that its request did not come from
  6  once the faults stop, what is owed goes out: in its order, at its pace, all of it
  0  the switch does not fail by itself

Examples:
  billswitch simulate --seeds 10000
  billswitch simulate --first 4711 --history

Exit status:
  0  every invariant held under every seed
  1  one did not: its seed is told, with the shortest history that still shows it
  2  it could not be run";

/// Run the switch through seeded faults and check that nothing is lost and nothing is posted twice
#[derive(Args, Clone, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct SimulateArgs {
    /// How many seeds to run
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first of them
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    first: u64,
    /// Threads; as many as there are cores if not given
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Print what is planned and what happens under the first seed, and run no other
    #[arg(long, conflicts_with = "json")]
    history: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &SimulateArgs) -> Result<ExitCode, CliError> {
    let site = Site::new()?;
    let mut out = beside_verdict();
    if args.history {
        let plan = Plan::of(args.first);
        let outcome = play(&site, &plan, None, true);
        let verdict =
            outcome.violation.as_ref().map_or("every invariant held".to_owned(), ToString::to_string);
        let story = outcome.history.join("\n");
        writeln!(out, "{plan}\n{story}\n\n{verdict}").map_err(CliError::io("the terminal"))?;
        return Ok(if outcome.violation.is_none() { ExitCode::SUCCESS } else { ExitCode::from(1) });
    }
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = args.threads.map_or(cores, NonZeroUsize::get);
    let bar = (std::io::stderr().is_terminal() && !args.json).then(|| progress_bar(args.seeds));
    let began = Instant::now();
    let moved = |done| {
        if let Some(bar) = &bar {
            bar.set_position(done);
        }
    };
    let report = simulate(&site, args.first, args.seeds, threads, None, &moved);
    if let Some(bar) = &bar {
        bar.finish_and_clear();
    }
    let shortest = report.found.as_ref().map(|found| minimise(&site, &Plan::of(found.seed), None));
    let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let told = if args.json {
        let story = shortest.as_ref().map(|shortest| &shortest.outcome.history);
        writeln!(out, "{:#}", report_json(args, &report, elapsed_ms, story))
    } else {
        match (&report.found, shortest) {
            (Some(found), Some(shortest)) => {
                let story = Story { found, plan: &shortest.plan, lines: &shortest.outcome.history };
                tell(&story, shortest.tries, &mut out)
            }
            (Some(_), None) | (None, _) => writeln!(
                out,
                "{} seeds from {}, {} events, {elapsed_ms} ms: every invariant held",
                report.seeds, args.first, report.events
            ),
        }
    };
    told.map_err(CliError::io("the terminal"))?;
    Ok(if report.found.is_none() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// A violation, with the shortest run that shows it.
struct Story<'a> {
    found: &'a Found,
    plan: &'a Plan,
    lines: &'a [String],
}

fn tell(story: &Story<'_>, tries: u32, out: &mut impl Write) -> std::io::Result<()> {
    let Found { seed, violation } = story.found;
    writeln!(out, "seed {seed}: {violation}")?;
    writeln!(out, "\nThe shortest run that still shows it ({tries} tried):\n{}", story.plan)?;
    for line in story.lines {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "\nThe whole of it: billswitch simulate --first {seed} --history")
}

fn report_json(
    args: &SimulateArgs,
    report: &Report,
    elapsed_ms: u64,
    story: Option<&Vec<String>>,
) -> serde_json::Value {
    json!({
        "first": args.first,
        "seeds": report.seeds,
        "events": report.events,
        "elapsed_ms": elapsed_ms,
        "violation": report.found.as_ref().map(|found| json!({
            "seed": found.seed,
            "invariant": found.violation.invariant,
            "what": found.violation.what,
            "history": story,
        })),
    })
}

fn progress_bar(seeds: u64) -> ProgressBar {
    let template = "{elapsed} [{wide_bar}] {pos}/{len} seeds, {per_sec}, {eta} to go";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(seeds).with_style(style.progress_chars("=> "))
}
