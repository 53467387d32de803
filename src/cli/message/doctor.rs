//! `billswitch doctor`: which dialect and framing fits these bytes, and why the others do not.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::culprit::all_dialects;
use super::fit::{self, Fit};
use super::input::{Format, Found, Input, Judge};
use super::{MessageToolError, Place, REFUSED, Source, print, score};
use crate::cli::tables::table;
use crate::config::Specs;
use crate::iso8583::{Dialect, Framing, Mirror};

/// What `doctor` is told.
#[derive(Args, Clone, Debug)]
#[command(
    about = "Say which dialect and framing fits messages, and why the others do not",
    long_about = "Says which dialect and framing fits messages, the likeliest first, and of each of the others the first fault.\n\n\
        Of several messages all must fit. What is weighed is how much a dialect explains: a strict class that holds says more \
        than a lax one, and well-known fields that hold what they should (dates, times, currencies, a card's check digit) more \
        still. The score is in bits a message: ten more are a thousand times likelier.",
    after_long_help = "Examples:\n  \
        billswitch doctor 003130383030823800000000000004000000000000003131323030393030303030303338303630393030303031313230303031\n  \
        billswitch doctor unknown.hex\n  \
        billswitch doctor --port 8583 morning.pcap\n  \
        billswitch doctor --specs deploy/specs --json unknown.hex | jq '.fits[0].dialect'\n\n\
        With --specs the dialects of that folder are tried as well as those that are built in. Of a capture or log the \
        first 4,096 messages are looked at.\n\n\
        Exit code: 0 if a dialect fits, 2 if none does, 1 if there was nothing to look at."
)]
pub struct DoctorArgs {
    /// Folder with dialects/ to try beside those that are built in
    #[arg(long, value_name = "DIR")]
    pub specs: Option<PathBuf>,
    /// What the input is; found out if not said
    #[arg(long = "input", value_name = "FORMAT", value_enum)]
    pub format: Option<Format>,
    /// Of a capture, only connections from or to this port
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// A message, the path of a file with messages, or - for standard input
    #[arg(value_name = "HEX|BASE64|FILE|-")]
    pub input: String,
}

/// Weighs all dialects against the messages and prints what came out.
///
/// # Errors
///
/// [`MessageToolError`] if there is no message to look at.
pub fn doctor(args: &DoctorArgs) -> Result<ExitCode, MessageToolError> {
    let dialects = all_dialects(&Specs::new(args.specs.clone()));
    let found = read(args, &dialects)?;
    let inputs: Vec<&[u8]> = found.iter().take(fit::MESSAGES_MAX).map(|found| &*found.bytes).collect();
    let fits = fit::rank(&dialects, &inputs);
    let count = found.len();
    print(&if args.json { format!("{:#}\n", as_json(&fits, count)) } else { as_text(&fits, count) })?;
    Ok(if fits.iter().any(Fit::is_sound) { ExitCode::SUCCESS } else { ExitCode::from(REFUSED) })
}

/// The messages; of a capture as that framing has them which leaves the least over.
fn read(args: &DoctorArgs, dialects: &[Dialect]) -> Result<Vec<Found>, MessageToolError> {
    let mirror = RefCell::new(Mirror::new());
    let best = |bytes: &[u8]| {
        let scores = dialects.iter().map(|dialect| score(dialect, bytes, &mut mirror.borrow_mut()));
        scores.max().unwrap_or(0)
    };
    let judge = Judge { score: &best };
    let source = Source { format: args.format, port: args.port };
    let first = source.read(&args.input, Framing::default(), judge)?;
    let in_capture = first.found.first().is_some_and(|found| matches!(found.place, Place::Packet { .. }));
    let mut chosen = first;
    if in_capture && args.input != "-" {
        for framing in Framing::COMMON {
            if chosen.remarks.is_empty() {
                break;
            }
            if let Ok(other) = source.read(&args.input, framing, judge)
                && other.remarks.len() < chosen.remarks.len()
            {
                chosen = other;
            }
        }
    }
    let Input { found, remarks } = chosen;
    super::remark(&remarks);
    Ok(found)
}

/// Those that read every message first, then the others with what is wrong.
fn as_text(fits: &[Fit<'_>], found: usize) -> String {
    let count = found.min(fit::MESSAGES_MAX);
    let of = if count < found { format!(" of {}", found) } else { String::new() };
    let mut text = format!("{count}{of} message{}\n", if found == 1 { "" } else { "s" });
    let (good, bad): (Vec<&Fit<'_>>, Vec<&Fit<'_>>) = fits.iter().partition(|fit| fit.sound == fit.messages);
    for (title, list) in [("reads all of it:", good), ("does not:", bad)] {
        if list.is_empty() {
            continue;
        }
        let mut rows = table(&["dialect", "framing", ">score", "why"]);
        for fit in list {
            let why = why(fit);
            rows.add_row([fit.dialect.name(), &framing(fit), &fit.score.to_string(), &why]);
        }
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n{title}\n{rows}");
    }
    text
}

fn framing(fit: &Fit<'_>) -> String {
    if fit.framing == Framing::NONE { "bare".to_owned() } else { fit.framing.to_string() }
}

/// What speaks for a dialect, or against it.
fn why(fit: &Fit<'_>) -> String {
    let Fit { known, plausible, messages, sound, unknown_header, .. } = fit;
    let mut reasons = Vec::new();
    match fit.fault {
        None => reasons.push("no fault".to_owned()),
        Some((_, fault)) if *messages == 1 => reasons.push(fault.to_string()),
        Some((index, fault)) => {
            reasons.push(format!("{sound} of {messages} sound"));
            reasons.push(format!("message {}: {fault}", index.saturating_add(1)));
        }
    }
    if *unknown_header > 0 {
        reasons.push(format!("behind {unknown_header} bytes that it has no header for"));
    }
    if !fit.version_fits && fit.known > 0 {
        reasons.push("a message type of another version".to_owned());
    }
    if *known > 0 && fit.fault.is_none() {
        reasons.push(format!("{plausible} of {known} well-known fields hold what they should"));
    }
    reasons.join("; ")
}

fn as_json(fits: &[Fit<'_>], found: usize) -> Value {
    let one = |fit: &Fit<'_>| {
        let fault = fit.fault.map(|(index, fault)| {
            json!({ "message": index, "field": fault.field, "offset": fault.offset, "reason": fault.reason.to_string() })
        });
        json!({
            "dialect": fit.dialect.name(),
            "framing": fit.framing.to_string(),
            "score": fit.score,
            "messages": fit.messages,
            "sound": fit.sound,
            "unknown_header_bytes": fit.unknown_header,
            "known_fields": fit.known,
            "plausible_fields": fit.plausible,
            "version_fits": fit.version_fits,
            "fault": fault,
            "why": why(fit),
        })
    };
    let (good, bad): (Vec<&Fit<'_>>, Vec<&Fit<'_>>) = fits.iter().partition(|fit| fit.is_sound());
    let list = |fits: Vec<&Fit<'_>>| fits.into_iter().map(one).collect::<Vec<Value>>();
    json!({ "messages": found.min(fit::MESSAGES_MAX), "fits": list(good), "others": list(bad) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso8583::shipped;

    #[test]
    fn the_example_of_the_help_works() {
        let help = DoctorArgs::augment_args(clap::Command::new("doctor"));
        let text = help.get_after_long_help().unwrap().to_string();
        let frame = hex::decode(text.split_whitespace().find(|word| word.len() > 80).unwrap()).unwrap();
        let dialects: Vec<Dialect> =
            shipped::DIALECTS.iter().map(|(name, _)| shipped::dialect(name).unwrap().unwrap()).collect();
        let fits = fit::rank(&dialects, &[&frame]);
        assert!(fits[0].is_sound() && fits[0].framing == Framing::default());
    }
}
