//! `billswitch replay`: a recorded capture played against a switch.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use comfy_table::Table;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::output::beside_verdict;
use super::tables::table;
use crate::iso8583::{Dialect, Framing, FramingFault};
use crate::sim::replay::capture::Capture;
use crate::sim::replay::{
    DEADLINE, Kind, OnProgress, Pacing, Percentiles, ReplayError, ReplayPlan, ReplayReport, Speed, expect,
    replay,
};

const AFTER_HELP: &str = "\
Each TCP connection of the capture is played on a connection of its own, from the loopback address that ends like the \
recorded one (10.0.1.2 is played from 127.0.1.2) if the switch is on loopback, so that the switch tells the links apart. \
Only what clients sent is played. Captures are classic pcap or pcapng, whole or joined in the middle of a stream.

Examples:
  billswitch replay morning.pcap --to 127.0.0.1:8583 --answers answers.jsonl --flat-out
  billswitch replay morning.pcap --to 127.0.0.1:8583 --rate 10
  tcpdump -i eth0 -s 0 -w morning.pcap port 8583

Exit status:
  0  every message was answered, and as expected
  1  something differed, or was not answered
  2  it could not be played: bad arguments, an unreadable capture, no connection";

/// Plays a recorded capture against a switch and checks every answer.
#[derive(Args, Clone, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct ReplayArgs {
    /// The capture, pcap or pcapng.
    #[arg(value_name = "FILE.pcap")]
    pub capture: PathBuf,
    /// The switch to play it to.
    #[arg(long, value_name = "ADDR")]
    pub to: SocketAddr,
    /// What a correct switch answers: a JSON line a message, in the capture's order.
    #[arg(long, value_name = "FILE")]
    pub answers: Option<PathBuf>,
    /// So many times the recorded speed, 0.001 to 1000000.
    #[arg(long, value_name = "X", default_value = "1", conflicts_with = "flat_out")]
    pub rate: Speed,
    /// As fast as the answers come.
    #[arg(long)]
    pub flat_out: bool,
    /// Only connections to this server port of the capture.
    #[arg(long)]
    pub port: Option<u16>,
    /// How the messages are laid out.
    #[arg(long, default_value = "onelink")]
    pub dialect: String,
    /// How frames stand on the connections, in the capture and to the switch, such as "ascii 4"; left out: as the dialect
    /// says
    #[arg(long, value_name = "FRAMING", value_parser = framing)]
    pub framing: Option<Framing>,
    /// Folder with dialects/ to take it from, instead of those that are built in
    #[arg(long, value_name = "DIR")]
    pub specs: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Most messages of a link in flight.
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub window: u32,
    /// How long an answer may take.
    #[arg(long, value_name = "MS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub timeout_ms: u32,
    /// Print at most so many differences.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit_differences: usize,
}

/// Plays the capture and prints what came of it.
///
/// # Errors
///
/// [`ReplayError`] if it could not be played; that answers differ is exit status 1.
pub fn run(args: &ReplayArgs, dialect: Arc<Dialect>) -> Result<ExitCode, ReplayError> {
    let framing = args.framing.unwrap_or_else(|| dialect.framing());
    let capture = Capture::read_framed(&args.capture, args.port, framing)?;
    let expected = args.answers.as_deref().map(expect::read).transpose()?;
    let mut errors = std::io::stderr();
    for stream in &capture.streams {
        let told = [
            (stream.skipped_bytes, "before the first whole frame"),
            (stream.unfinished_bytes, "of a last frame, cut"),
        ];
        for (bytes, what) in told.into_iter().filter(|(bytes, _)| *bytes > 0) {
            writeln!(errors, "{}: {bytes} bytes {what}, are not played", stream.client)?;
        }
    }
    let bar = (std::io::stderr().is_terminal() && !args.json).then(progress_bar);
    let plan = ReplayPlan {
        to: args.to,
        capture,
        expected,
        dialect,
        framing,
        pacing: if args.flat_out { Pacing::FlatOut } else { Pacing::Recorded { speed: args.rate } },
        window: usize::try_from(args.window).unwrap_or(usize::MAX),
        answer_timeout: Duration::from_millis(u64::from(args.timeout_ms)),
        deadline: DEADLINE,
        on_progress: bar.clone().map(move_bar),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let report = runtime.block_on(replay(plan));
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let report = report?;
    let mut out = beside_verdict();
    if args.json {
        writeln!(out, "{:#}", report_json(&report, args.limit_differences))?;
    } else {
        print_report(&report, args.limit_differences, &mut out)?;
    }
    Ok(if report.differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// A framing that tells one frame from the next.
fn framing(text: &str) -> Result<Framing, Box<dyn std::error::Error + Send + Sync>> {
    match Framing::parse(text)? {
        Framing::NONE => Err(FramingFault::Unframed.into()),
        framing => Ok(framing),
    }
}

fn progress_bar() -> ProgressBar {
    let template = "{elapsed} [{wide_bar}] {pos}/{len} answered, {per_sec}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style.progress_chars("=> "))
}

fn move_bar(bar: ProgressBar) -> OnProgress {
    Box::new(move |done, of| {
        bar.set_length(u64::try_from(of).unwrap_or(u64::MAX));
        bar.set_position(u64::try_from(done).unwrap_or(u64::MAX));
    })
}

/// Prints a report for people: throughput, latencies, response codes and the first differences.
///
/// # Errors
///
/// Whatever writing to `out` gives.
pub fn print_report(
    report: &ReplayReport,
    limit_differences: usize,
    out: &mut impl Write,
) -> std::io::Result<()> {
    writeln!(
        out,
        "{} messages, {} answered in {} ms: {} a second",
        report.outcomes.len(),
        report.answered(),
        report.elapsed.as_millis(),
        report.answers_per_second()
    )?;
    writeln!(out, "{}", latency_table(report))?;
    writeln!(out, "{}", code_table(report))?;
    for (count, what) in [
        (report.late, "answers came after their request had been given up"),
        (report.unasked, "requests of the switch's own were not answered"),
    ] {
        if count > 0 {
            writeln!(out, "{count} {what}")?;
        }
    }
    if report.cut_short {
        writeln!(out, "the time for the whole was up before the end")?;
    }
    for difference in report.differences.iter().take(limit_differences) {
        writeln!(out, "{difference}")?;
    }
    let more = report.differences.len().saturating_sub(limit_differences);
    if more > 0 {
        writeln!(out, "… and {more} more")?;
    }
    match report.differences.len() {
        0 => writeln!(out, "no differences"),
        1 => writeln!(out, "1 difference"),
        count => writeln!(out, "{count} differences"),
    }
}

fn latency_table(report: &ReplayReport) -> Table {
    let mut table = table(&["latency, µs", ">answers", ">p50", ">p90", ">p99", ">p99.9", ">max"]);
    let mut row = |name: &str, of: Percentiles| {
        let figures = [of.count, of.p50_us, of.p90_us, of.p99_us, of.p999_us, of.max_us];
        table.add_row(std::iter::once(name.to_owned()).chain(figures.map(|figure| figure.to_string())));
    };
    for kind in Kind::ALL {
        row(kind.name(), report.latencies.of(kind));
    }
    row("all", report.latencies.all());
    table
}

fn code_table(report: &ReplayReport) -> Table {
    let mut table = table(&["answered", "DE 39", ">messages"]);
    for ((kind, code), count) in report.codes() {
        let code = if code.is_empty() { "none".to_owned() } else { code };
        table.add_row([kind.name().to_owned(), code, count.to_string()]);
    }
    table
}

/// A report for programs. Of the differences the first `limit_differences` are listed and all are counted.
#[must_use]
pub fn report_json(report: &ReplayReport, limit_differences: usize) -> serde_json::Value {
    let latencies = Kind::ALL.map(|kind| (kind.name().to_owned(), json!(report.latencies.of(kind))));
    let all = std::iter::once(("all".to_owned(), json!(report.latencies.all())));
    let latencies: serde_json::Map<_, _> = latencies.into_iter().chain(all).collect();
    let codes = report.codes();
    let codes: Vec<_> = codes
        .iter()
        .map(|((kind, code), count)| json!({ "kind": kind, "39": code, "messages": count }))
        .collect();
    let shown: Vec<_> = report.differences.iter().take(limit_differences).collect();
    json!({
        "messages": report.outcomes.len(),
        "answered": report.answered(),
        "elapsed_us": u64::try_from(report.elapsed.as_micros()).unwrap_or(u64::MAX),
        "answers_per_second": report.answers_per_second(),
        "latency": latencies,
        "codes": codes,
        "late": report.late,
        "unasked": report.unasked,
        "cut_short": report.cut_short,
        "differences": report.differences.len(),
        "first_differences": shown,
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        replay: ReplayArgs,
    }

    fn parsed(line: &str) -> Result<ReplayArgs, clap::Error> {
        Program::try_parse_from(line.split(' ')).map(|program| program.replay)
    }

    #[test]
    fn a_rate_is_a_positive_number_and_excludes_flat_out() {
        let args = parsed("replay a.pcap --to 127.0.0.1:8583").unwrap();
        assert_eq!((args.rate, args.flat_out, args.window), (Speed::RECORDED, false, 512));
        let due = |rate: &str| {
            let args = parsed(&format!("replay a.pcap --to 127.0.0.1:8583 --rate {rate}"))?;
            Ok::<_, clap::Error>(Pacing::Recorded { speed: args.rate }.due(Duration::from_secs(9)))
        };
        assert_eq!(due("4.5").unwrap(), Duration::from_secs(2));
        assert_eq!(due("0.5").unwrap(), Duration::from_secs(18));
        for wrong in ["0", "0.0001", "-1", "NaN", "inf", "1000001", "fast"] {
            assert!(due(wrong).is_err(), "{wrong}");
        }
        assert!(parsed("replay a.pcap --to 127.0.0.1:8583 --rate 2 --flat-out").is_err());
        assert!(parsed("replay a.pcap --to 127.0.0.1:8583 --window 0").is_err());
        assert!(parsed("replay a.pcap").is_err());
    }

    #[test]
    fn a_framing_is_one_that_tells_frames_apart() {
        let framing = |text: &str| {
            let line = ["replay", "a.pcap", "--to", "127.0.0.1:8583", "--framing", text];
            Program::try_parse_from(line).map(|program| program.replay.framing)
        };
        assert_eq!(framing("ascii 4").unwrap(), Some(Framing::parse("ascii 4").unwrap()));
        assert!(framing("none").unwrap_err().to_string().contains("framing `none` is for tools"));
        assert!(framing("binary 3").unwrap_err().to_string().contains("there are `binary 2`"));
        assert_eq!(parsed("replay a.pcap --to 127.0.0.1:8583").unwrap().framing, None);
    }
}
