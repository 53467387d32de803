//! `billswitch diff`: two messages, or two lists of them, field by field.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::compare::{Line, compare};
use super::{DialectArgs, Found, MessageToolError, REFUSED, ReadArgs, print, unframed};
use crate::iso8583::{self, Decoded, Dialect, Mirror};

/// What `diff` is told.
#[derive(Args, Clone, Debug)]
#[command(
    about = "Compare ISO 8583 messages field by field",
    long_about = "Compares two ISO 8583 messages field by field, with everything inside of fields: what differs, and what only one \
        has. Two files with several messages are compared one by one, in order. The second may be of another dialect: \
        values are compared, not bytes. Card data is compared and shown masked.",
    after_long_help = "Examples:\n  \
        billswitch diff request.hex answer.hex\n  \
        billswitch diff --ignore 7,11,12,13,37 monday.hex tuesday.hex\n  \
        billswitch diff --dialect onelink --dialect-b iso87-bcd ours.hex theirs.hex\n  \
        billswitch diff --json a.hex b.hex | jq -r '.[].differences[].path'\n\n\
        A path is a field (48, with all that is inside), something in one (48.CN), mti or header.\n\n\
        Exit code: 0 if they are the same, 2 if they differ or one is refused, 1 if there was nothing to compare."
)]
pub struct DiffArgs {
    /// How to read.
    #[command(flatten)]
    pub read: ReadArgs,
    /// Dialect of B, if it is another
    #[arg(long, value_name = "NAME")]
    pub dialect_b: Option<String>,
    /// Paths that may differ, with commas between
    #[arg(long, value_name = "PATHS", value_delimiter = ',')]
    pub ignore: Vec<String>,
    /// Show also what is the same
    #[arg(long)]
    pub all: bool,
    /// The first: a message, the path of a file with messages, or - for standard input
    #[arg(value_name = "A")]
    pub a: String,
    /// The second, likewise
    #[arg(value_name = "B")]
    pub b: String,
}

impl DiffArgs {
    /// Where the dialect of B is, if it is another.
    #[must_use]
    pub fn with_b(&self) -> Option<DialectArgs> {
        let specs = self.read.from.with.specs.clone();
        self.dialect_b.clone().map(|dialect| DialectArgs { dialect, specs })
    }
}

/// A pair of messages, compared.
struct Pair {
    lines: Vec<Line>,
    /// What is wrong with the first and the second.
    faults: [Option<String>; 2],
}

impl Pair {
    fn of(a: &Decoded<'_, '_>, b: &Decoded<'_, '_>, args: &DiffArgs) -> Self {
        let faults = [a, b].map(|decoded| decoded.fault.map(|fault| fault.to_string()));
        // What was read at a wrong place is no value to compare, nor to show.
        let unread = [a, b].iter().any(|decoded| decoded.layout_lost);
        let lines = if unread { Vec::new() } else { compare(a, b, &args.ignore, !args.read.unmasked) };
        Self { lines, faults }
    }

    fn is_same(&self) -> bool {
        self.faults.iter().all(Option::is_none) && self.lines.iter().all(|line| line.same)
    }
}

/// Compares the messages of two inputs and prints what differs.
///
/// # Errors
///
/// [`MessageToolError`] if one of the two has no message.
pub fn diff(
    args: &DiffArgs,
    dialect: &Dialect,
    other: Option<&Dialect>,
) -> Result<ExitCode, MessageToolError> {
    let other = other.unwrap_or(dialect);
    let (a, b) = (args.read.from.read(&args.a, dialect)?, args.read.from.read(&args.b, other)?);
    let (mut first, mut second) = (Mirror::new(), Mirror::new());
    let mut same = a.len() == b.len();
    let (mut text, mut list) = (String::new(), Vec::new());
    for (a, b) in a.iter().zip(&b) {
        let pair = Pair::of(
            &iso8583::decode(dialect, unframed(dialect, &a.bytes).message, &mut first),
            &iso8583::decode(other, unframed(other, &b.bytes).message, &mut second),
            args,
        );
        same &= pair.is_same();
        if args.read.json {
            list.push(as_json(&pair, a, b));
        } else {
            write_pair(&mut text, &pair, a, b, args.all);
        }
    }
    if args.read.json {
        let _ = writeln!(text, "{:#}", Value::from(list));
    }
    if a.len() != b.len() && !args.read.json {
        let _ = writeln!(text, "A has {} messages, B has {}", a.len(), b.len());
    }
    print(&text)?;
    Ok(if same { ExitCode::SUCCESS } else { ExitCode::from(REFUSED) })
}

fn write_pair(text: &mut String, pair: &Pair, a: &Found, b: &Found, all: bool) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "A: {}\nB: {}", a.place, b.place);
    for (side, fault) in ["A", "B"].iter().zip(&pair.faults) {
        if let Some(fault) = fault {
            let _ = writeln!(text, "{side} is refused: {fault}");
        }
    }
    let shown: Vec<&Line> = pair.lines.iter().filter(|line| all || !line.same).collect();
    let width = |of: fn(&Line) -> usize, least: usize| {
        shown.iter().map(|line| of(line)).max().unwrap_or(0).max(least)
    };
    let path = width(|line| line.path.chars().count(), 4);
    let name = width(|line| line.name.chars().count(), 4);
    let value = width(|line| line.a.as_ref().map_or(1, |value| value.chars().count()), 1);
    for line in &shown {
        let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let (a, b) = (side(&line.a), side(&line.b));
        let verdict = line.verdict();
        let row = format!("  {:<path$}  {:<name$}  {verdict:<9}  {a:<value$}  {b}", line.path, line.name);
        let _ = writeln!(text, "{}", row.trim_end());
    }
    let count = pair.lines.iter().filter(|line| line.same).count();
    let _ = writeln!(text, "  {count} the same, {} not", pair.lines.len().saturating_sub(count));
}

fn as_json(pair: &Pair, a: &Found, b: &Found) -> Value {
    let differing = pair.lines.iter().filter(|line| !line.same);
    let differences: Vec<Value> = differing
        .map(|line| json!({ "path": line.path, "name": line.name, "verdict": line.verdict(), "a": line.a, "b": line.b }))
        .collect();
    let [fault_a, fault_b] = &pair.faults;
    json!({
        "a": a.place.to_string(),
        "b": b.place.to_string(),
        "same": pair.is_same(),
        "fault_a": fault_a,
        "fault_b": fault_b,
        "differences": differences,
    })
}
