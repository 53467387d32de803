//! `billswitch redact`: input with the card data of its messages overwritten, and nothing else changed.

mod in_place;

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Args;

use self::in_place::{Change, hide_numbers, replace, star_lines};
use super::input::open;
use super::{Found, FromArgs, MessageToolError, Place, REFUSED, Unframed, print_bytes, unframed};
use crate::iso8583::{self, Decoded, Dialect, Mirror, has_check_digit};

/// What `redact` is told.
#[derive(Args, Clone, Debug)]
#[command(
    about = "Overwrite the card data of messages, in whatever they stand in",
    long_about = "Prints the input with the card data of its messages overwritten, in the form it came in: hex stays hex, bytes stay \
        bytes, a log keeps its lines. Card numbers keep their first six and last four digits; track, PIN and chip data keep \
        nothing. They are looked for everywhere in a message, private fields and images of tracks included. Every message keeps \
        its length and stays as readable as it was.",
    after_long_help = "Examples:\n  \
        billswitch redact --dialect onelink message.hex\n  \
        billswitch redact --dialect iso87-bcd --input raw message.bin > redacted.bin\n  \
        billswitch redact switch.log > switch-redacted.log\n\n\
        What cannot be read to its end cannot be redacted with certainty: nothing is printed then. --force prints it with \
        everything overwritten but its type. Hex dumps with offsets are not rewritten, and captures are not either: \
        `billswitch serve --record` writes them redacted in the first place. Lines of a log whose hex looks like no message \
        stay as they are; standard error tells how many.\n\n\
        Exit code: 0 if all is redacted, 2 if something cannot be, 1 if there was nothing to redact."
)]
pub struct RedactArgs {
    /// How to read.
    #[command(flatten)]
    pub from: FromArgs,
    /// Overwrite what cannot be read, rather than refuse it
    #[arg(long)]
    pub force: bool,
    /// A message, the path of a file with messages, or - for standard input
    #[arg(value_name = "HEX|BASE64|FILE|-")]
    pub input: String,
}

/// Redacts the messages of an input and prints it.
///
/// # Errors
///
/// [`MessageToolError`] if there is no message in it.
pub fn redact(args: &RedactArgs, dialect: &Dialect) -> Result<ExitCode, MessageToolError> {
    // Read once: standard input cannot be read twice.
    let source = open(&args.input)?;
    let (mut whole, is_argument) = (source.bytes.clone(), source.is_argument);
    let found = args.from.read_source(source, &args.input, dialect)?;
    let mut refusals = Vec::new();
    let mut numbers = BTreeSet::new();
    let mut changes = Vec::new();
    for Found { bytes, place } in &found {
        let redacted = redacted(dialect, bytes, &mut numbers);
        if let Some(fault) = redacted.fault {
            refusals.push(format!("{place}: {fault}"));
        }
        let lines = match place {
            Place::Lines { first, last, .. } => Some((*first, *last)),
            Place::Whole { .. } | Place::Packet { .. } => None,
        };
        changes.push(Change { lines, before: bytes.clone(), after: redacted.bytes });
    }
    if found.iter().any(|found| matches!(found.place, Place::Packet { .. })) {
        return Err(MessageToolError::RedactsNoCapture);
    }
    if let [Change { before, after, .. }] = changes.as_slice()
        && *before == whole
    {
        whole.clone_from(after);
    } else {
        for index in replace(&mut whole, &changes) {
            if let (Some(change), Some(found)) = (changes.get(index), found.get(index)) {
                refusals.push(format!(
                    "{}: stands in a form that cannot be rewritten, such as a hex dump",
                    found.place
                ));
                star_lines(&mut whole, change.lines);
            }
        }
        hide_numbers(&mut whole, &numbers);
    }
    let mut errors = io::stderr().lock();
    for refusal in &refusals {
        let done = if args.force { "overwritten whole" } else { "cannot be redacted" };
        // If nobody can be told, nobody asks.
        let _ = writeln!(errors, "billswitch: {done}: {refusal}");
    }
    if !refusals.is_empty() && !args.force {
        let _ = writeln!(errors, "billswitch: nothing is printed; see --force");
        return Ok(ExitCode::from(REFUSED));
    }
    if is_argument {
        whole.push(b'\n');
    }
    print_bytes(&whole)?;
    Ok(ExitCode::SUCCESS)
}

/// A message without its card data. No `Debug`: it holds the others.
struct Redacted {
    bytes: Vec<u8>,
    /// Why it was overwritten whole, if it was.
    fault: Option<String>,
}

/// Redacts a message with its framing, and adds its card numbers to those that are known.
fn redacted(dialect: &Dialect, bytes: &[u8], numbers: &mut BTreeSet<Vec<u8>>) -> Redacted {
    let Unframed { message, .. } = unframed(dialect, bytes);
    let start = message.as_ptr().addr().saturating_sub(bytes.as_ptr().addr());
    let mut copy = bytes.to_vec();
    let mut mirror = Mirror::new();
    let decoded = iso8583::decode(dialect, message, &mut mirror);
    let inside = copy.get_mut(start..start.saturating_add(message.len())).unwrap_or_default();
    let fault = decoded.fault.filter(|_| decoded.layout_lost).map(|fault| fault.to_string());
    if fault.is_some() {
        // Any of it may be card data.
        let kept = kept(&decoded);
        inside.get_mut(kept..).unwrap_or_default().fill(b'*');
    } else {
        iso8583::mask_frame(dialect, inside);
        numbers.extend(own_numbers(&decoded));
    }
    Redacted { bytes: copy, fault }
}

/// Bytes of headers and type of a message, if it has them.
fn kept(decoded: &Decoded<'_, '_>) -> usize {
    if decoded.message.mti() == iso8583::Mti::UNREADABLE {
        return 0;
    }
    decoded.message.header().len().saturating_add(decoded.message.dialect().mti_bytes())
}

/// The card numbers that a message shows in DE 2 and its tracks.
fn own_numbers(decoded: &Decoded<'_, '_>) -> Vec<Vec<u8>> {
    let fields = [2, 34, 35, 36, 45].into_iter().filter_map(|field| decoded.message.field(field));
    let numbers = fields.map(|value| {
        let from = value.iter().position(u8::is_ascii_digit).unwrap_or(value.len());
        let digits = value.get(from..).unwrap_or_default();
        digits.iter().copied().take_while(u8::is_ascii_digit).collect::<Vec<u8>>()
    });
    numbers.filter(|number| (13..=19).contains(&number.len()) && has_check_digit(number)).collect()
}
