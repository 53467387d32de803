//! `billswitch decode` and `billswitch encode`: one message, for people and for programs.

use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use bytes::BytesMut;
use clap::Args;
use serde_json::Value;
use thiserror::Error;

use crate::iso8583::{self, DecodeError, Decoded, Dialect, JsonError, Mirror, Mti};

/// Exit code for a message that is refused.
const REFUSED: u8 = 2;
/// Most bytes read as one message: a frame of 65,535 bytes as hex with a space after each.
const INPUT_BYTES_MAX: u64 = 200_000;
/// Bytes shown on each side of a fault.
const EXCERPT_BYTES: usize = 12;

/// What `decode` is told.
#[derive(Args, Clone, Debug)]
#[command(
    about = "Show an ISO 8583 message field by field",
    long_about = "Shows an ISO 8583 message field by field: number, name, type, offset, length, value.\n\n\
        The message is hex, with or without spaces, and with or without its two-byte length header. \
        Card data is masked unless --unmasked is given; use that on test data only.",
    after_long_help = "Examples:\n  \
        billswitch decode 30383030823800000000000004000000000000003131323030393030303030303338303630393030303031313230303031\n  \
        billswitch decode --dialect iso87-ascii message.hex\n  \
        xxd -p message.bin | billswitch decode --json - | jq .fields\n\n\
        Exit code: 0 if the message is sound, 2 if it is refused (what decoded is shown first, then the fault), \
        1 if there was nothing to decode."
)]
pub struct DecodeArgs {
    /// Dialect to read it with: a name from specs/dialects
    #[arg(long, value_name = "NAME", default_value = "onelink")]
    pub dialect: String,
    /// Folder with dialects/ to take it from, instead of those that are built in
    #[arg(long, value_name = "DIR")]
    pub specs: Option<PathBuf>,
    /// Print JSON: {"mti": …, "fields": {…}}; `encode` takes the same
    #[arg(long)]
    pub json: bool,
    /// Show card data. For test data only
    #[arg(long)]
    pub unmasked: bool,
    /// Hex, the path of a file that holds hex or the bare frame, or - for standard input
    #[arg(value_name = "HEX|FILE|-")]
    pub input: String,
}

/// What `encode` is told.
#[derive(Args, Clone, Debug)]
#[command(
    about = "Write an ISO 8583 message from JSON",
    long_about = "Writes an ISO 8583 message from JSON and prints it as hex, without a length header.\n\n\
        Numbers in fields of fixed length may be short (zeros are put before), text too (blanks are put after). \
        A TLV field is an object of its elements, or an array of [tag, value] where a tag repeats; binary is hex.",
    after_long_help = "Examples:\n  \
        billswitch encode '{\"mti\": \"0800\", \"fields\": {\"7\": \"1120090000\", \"11\": \"1\", \"70\": \"301\"}}'\n  \
        billswitch encode --dialect iso87-ascii echo.json | billswitch decode --dialect iso87-ascii -\n  \
        billswitch decode --json --unmasked message.hex | jq '.fields.\"4\" = \"100\"' | billswitch encode -"
)]
pub struct EncodeArgs {
    /// Dialect to write it in: a name from specs/dialects
    #[arg(long, value_name = "NAME", default_value = "onelink")]
    pub dialect: String,
    /// Folder with dialects/ to take it from, instead of those that are built in
    #[arg(long, value_name = "DIR")]
    pub specs: Option<PathBuf>,
    /// JSON, the path of a file that holds it, or - for standard input
    #[arg(value_name = "JSON|FILE|-")]
    pub input: String,
}

/// Why there was nothing to show.
#[derive(Debug, Error)]
pub enum MessageToolError {
    /// The input is neither hex nor JSON, and no file of that name can be read.
    #[error("{path}: {source}; give {want}, a file, or - for standard input")]
    Read {
        /// What was taken for a path.
        path: PathBuf,
        /// What else it could have been.
        want: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// Standard input could not be read.
    #[error("standard input: {0}")]
    Stdin(io::Error),
    /// Nothing but white space.
    #[error("the input is empty")]
    Empty,
    /// More than one message can have.
    #[error("the input has more than {INPUT_BYTES_MAX} bytes; a message has 65,535 at most")]
    TooLong,
    /// Hex, but half a byte too much or too little.
    #[error("the input is {digits} hex digits: an odd number, so half a byte is missing")]
    OddHex {
        /// How many.
        digits: usize,
    },
    /// Not JSON.
    #[error("not JSON: {0}")]
    Json(serde_json::Error),
    /// JSON, but not a message of this dialect.
    #[error("{0}")]
    Message(JsonError),
    /// The answer could not be written.
    #[error("standard output: {0}")]
    Output(io::Error),
}

/// Decodes one message and prints it.
///
/// # Errors
///
/// [`MessageToolError`] if there is no message to decode. A message that is refused is no error here: it is
/// shown, and the exit code is 2.
pub fn decode(args: &DecodeArgs, dialect: &Dialect) -> Result<ExitCode, MessageToolError> {
    let bytes = if is_hex(args.input.as_bytes()) {
        args.input.clone().into_bytes()
    } else {
        read(&args.input, "the message in hex")?
    };
    let bytes = unhexed(bytes)?;
    let (header, frame) = split_header(&bytes);
    let mut mirror = Mirror::new();
    let decoded = iso8583::decode(dialect, frame, &mut mirror);
    let mut text = if args.json {
        format!("{:#}\n", iso8583::to_json(&decoded, !args.unmasked))
    } else {
        table(dialect, &decoded, !args.unmasked)
    };
    if let Some(length) = header.filter(|length| *length != frame.len() && !args.json) {
        let _ = writeln!(text, "note: the length header says {length} bytes, {} are here", frame.len());
    }
    print(&text)?;
    Ok(if decoded.fault.is_some() { ExitCode::from(REFUSED) } else { ExitCode::SUCCESS })
}

/// Encodes one message from JSON and prints it as hex.
///
/// # Errors
///
/// [`MessageToolError`] if the JSON is not a message of the dialect.
pub fn encode(args: &EncodeArgs, dialect: &Dialect) -> Result<ExitCode, MessageToolError> {
    let text = if args.input.trim_start().starts_with('{') {
        args.input.clone().into_bytes()
    } else {
        read(&args.input, "the message as JSON")?
    };
    let json: Value = serde_json::from_slice(&text).map_err(MessageToolError::Json)?;
    let mut frame = BytesMut::new();
    iso8583::from_json(dialect, &json, &mut frame).map_err(MessageToolError::Message)?;
    print(&format!("{}\n", hex::encode_upper(&frame)))?;
    Ok(ExitCode::SUCCESS)
}

/// A reader that stops listening (`| head`) is no fault of ours.
fn print(text: &str) -> Result<(), MessageToolError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(MessageToolError::Output(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A file, or standard input for `-`.
fn read(input: &str, want: &'static str) -> Result<Vec<u8>, MessageToolError> {
    let mut bytes = Vec::new();
    let limit = INPUT_BYTES_MAX.saturating_add(1);
    if input == "-" {
        io::stdin().lock().take(limit).read_to_end(&mut bytes).map_err(MessageToolError::Stdin)?;
    } else {
        std::fs::File::open(input)
            .and_then(|file| file.take(limit).read_to_end(&mut bytes))
            .map_err(|source| MessageToolError::Read { path: PathBuf::from(input), want, source })?;
    }
    if u64::try_from(bytes.len()).is_ok_and(|len| len > INPUT_BYTES_MAX) {
        return Err(MessageToolError::TooLong);
    }
    Ok(bytes)
}

fn is_hex(text: &[u8]) -> bool {
    let mut digits = text.iter().filter(|byte| !byte.is_ascii_whitespace()).peekable();
    digits.peek().is_some() && digits.all(u8::is_ascii_hexdigit)
}

/// The bytes that hex stands for; bytes that are not hex as they are.
fn unhexed(input: Vec<u8>) -> Result<Vec<u8>, MessageToolError> {
    if input.trim_ascii().is_empty() {
        return Err(MessageToolError::Empty);
    }
    if !is_hex(&input) {
        return Ok(input);
    }
    let digits: Vec<u8> = input.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    // A frame with hex bitmaps may itself look like hex; hex of a frame begins with a 3, which is no version.
    let is_frame = matches!(*input, [b'0'..=b'2', b'1'..=b'8', b'0'..=b'9', b'0'..=b'9', ..]);
    match hex::decode(&digits) {
        Ok(bytes) if begins(split_header(&bytes).1) || !is_frame => Ok(bytes),
        Err(_) if !is_frame => Err(MessageToolError::OddHex { digits: digits.len() }),
        Ok(_) | Err(_) => Ok(input.trim_ascii().to_vec()),
    }
}

/// Whether these bytes begin as a message does.
fn begins(bytes: &[u8]) -> bool {
    bytes.first_chunk::<4>().is_some_and(|mti| Mti::new(mti).is_ok())
}

/// Takes a two-byte length header off, if what follows it begins like a message and the start does not.
fn split_header(bytes: &[u8]) -> (Option<usize>, &[u8]) {
    match bytes.split_first_chunk::<2>() {
        Some((header, frame)) if begins(frame) => {
            let length = usize::from(u16::from_be_bytes(*header));
            if length == frame.len() || !begins(bytes) { (Some(length), frame) } else { (None, bytes) }
        }
        Some(_) | None => (None, bytes),
    }
}

/// The message as a table, the fault last.
fn table(dialect: &Dialect, decoded: &Decoded<'_, '_>, masked: bool) -> String {
    let message = &decoded.message;
    let mut text = String::new();
    let count = message.fields().count();
    let size = message.frame().len();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}  {}, {size} bytes, {count} fields\n", message.mti(), dialect.name());
    let _ = writeln!(text, " DE  offset  length  {:<11}{:<38}value", "type", "name");
    let json = iso8583::to_json(decoded, masked);
    for (field, value) in message.fields() {
        let _ = write!(
            text,
            "{field:>3}  {:>6}  {:>6}  {:<11}{:<38}",
            message.offset(field).unwrap_or_default(),
            value.len(),
            dialect.field_type(field).unwrap_or_default(),
            dialect.field_name(field).unwrap_or_default(),
        );
        let key = field.to_string();
        let shown = json.get("fields").and_then(|fields| fields.get(&key)).unwrap_or(&Value::Null);
        write_value(&mut text, shown);
    }
    if let Some(fault) = decoded.fault {
        write_fault(&mut text, dialect, decoded, fault, masked);
    }
    text
}

/// A plain value on the field's own line, elements and parts on lines of their own.
fn write_value(text: &mut String, shown: &Value) {
    match shown {
        Value::Object(inside) => {
            text.truncate(text.trim_end().len());
            text.push('\n');
            for (name, value) in inside {
                let _ = writeln!(text, "{:23}{name:<15} {}", "", value.as_str().unwrap_or_default());
            }
        }
        Value::Array(pairs) => {
            text.truncate(text.trim_end().len());
            text.push('\n');
            for pair in pairs {
                let part = |index: usize| pair.get(index).and_then(Value::as_str).unwrap_or_default();
                let _ = writeln!(text, "{:23}{:<15} {}", "", part(0), part(1));
            }
        }
        Value::String(value) => {
            text.push_str(value);
            text.push('\n');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => text.push('\n'),
    }
}

/// What is wrong and where, with the bytes around it and a mark under the one it begins at.
fn write_fault(
    text: &mut String,
    dialect: &Dialect,
    decoded: &Decoded<'_, '_>,
    fault: DecodeError,
    masked: bool,
) {
    let mut frame = decoded.message.frame().to_vec();
    if masked {
        iso8583::mask_frame(dialect, &mut frame);
    }
    let name = match fault.field {
        0 => "the message",
        1 => "bitmap",
        field => dialect.field_name(field).unwrap_or("not in this dialect"),
    };
    let _ = writeln!(text, "\nrefused: {fault} ({name})");
    let from = fault.offset.saturating_sub(EXCERPT_BYTES);
    let to = fault.offset.saturating_add(EXCERPT_BYTES).min(frame.len());
    let around = frame.get(from..to).unwrap_or_default();
    let before = fault.offset.saturating_sub(from).saturating_mul(3);
    let hex: Vec<String> = around.iter().map(|byte| format!("{byte:02X}")).collect();
    let _ = writeln!(text, "  {from:>6}  {}", hex.join(" "));
    let hint = if masked { "   (card data and what follows a lost layout are masked)" } else { "" };
    let _ = writeln!(text, "  {:6}  {:before$}^^{hint}", "", "");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso8583::shipped;

    fn dialect(name: &str) -> Dialect {
        shipped::dialect(name).unwrap().unwrap()
    }

    fn frame(json: &str) -> BytesMut {
        let mut out = BytesMut::new();
        iso8583::from_json(&dialect("onelink"), &serde_json::from_str(json).unwrap(), &mut out).unwrap();
        out
    }

    const PAYMENT: &str = r#"{"mti": "0420", "fields": {"2": "4242424242424242", "4": "120000",
        "48": {"BI": "KPEXCISE", "CN": "01"}, "64": "01020304050607FF",
        "90": {"mti": "0200", "stan": "004707", "transmitted_at": "1120090009", "local_at": "1120090009"}}}"#;

    #[test]
    fn a_message_is_shown_field_by_field() {
        let (onelink, frame) = (dialect("onelink"), frame(PAYMENT));
        let want = "\
0420  onelink, 123 bytes, 5 fields

 DE  offset  length  type       name                                  value
  2      22      16  n..19      primary account number                424242******4242
  4      38      12  n 12       amount, transaction                   000000120000
 48      53      20  ans...512  additional data, private
                       BI              KPEXCISE
                       CN              01
 64      73       8  b 8        message authentication code           01020304050607FF
 90      81      42  an 42      original data elements
                       mti             0200
                       stan            004707
                       transmitted_at  1120090009
                       local_at        1120090009
";
        let mut mirror = Mirror::new();
        assert_eq!(table(&onelink, &iso8583::decode(&onelink, &frame, &mut mirror), true), want);
    }

    #[test]
    fn a_fault_comes_last_with_the_bytes_around_it() {
        let (onelink, mut frame) = (dialect("onelink"), frame(PAYMENT));
        frame[41] = b'O';
        let want = "
refused: DE 4 at byte 41: not of the character class n (amount, transaction)
      29  30 30 30 30 30 34 32 34 32 30 30 30 4F 30 30 31 32 30 30 30 30 30 32 30
                                              ^^";
        let mut mirror = Mirror::new();
        let shown = table(&onelink, &iso8583::decode(&onelink, &frame, &mut mirror), true);
        assert!(shown.contains(want), "{shown}");
        assert!(!shown.contains("amount, transaction  "), "{shown}");
    }

    #[test]
    fn the_examples_of_the_help_work() {
        let help = |command: clap::Command| command.get_after_long_help().unwrap().to_string();
        let onelink = dialect("onelink");
        let text = help(DecodeArgs::augment_args(clap::Command::new("decode")));
        let hex = text.split_whitespace().find(|word| word.len() > 80).unwrap();
        let frame = unhexed(hex.into()).unwrap();
        let mut mirror = Mirror::new();
        assert_eq!(iso8583::decode(&onelink, &frame, &mut mirror).fault, None);
        let text = help(EncodeArgs::augment_args(clap::Command::new("encode")));
        let json = text.split('\'').nth(1).unwrap();
        let mut out = BytesMut::new();
        iso8583::from_json(&onelink, &serde_json::from_str(json).unwrap(), &mut out).unwrap();
        let mut mirror = Mirror::new();
        assert_eq!(iso8583::decode(&onelink, &out, &mut mirror).message.field(11), Some(&b"000001"[..]));
    }

    #[test]
    fn hex_is_taken_as_people_paste_it() {
        let bare = b"0800\x82\x20".to_vec();
        for text in ["303830308220", " 30 38 30 30\n82 20\n", "3038 3030 8220"] {
            assert_eq!(unhexed(text.into()).unwrap(), bare);
        }
        assert_eq!(unhexed(bare.clone()).unwrap(), bare, "bytes as they are");
        assert!(matches!(unhexed(b"3038303".to_vec()), Err(MessageToolError::OddHex { digits: 7 })));
        assert!(matches!(unhexed(b" \n".to_vec()), Err(MessageToolError::Empty)));
        // A frame that is all hex digits is a frame, since what it would stand for is none.
        let ascii = b"080082200000000000000400000000000000".to_vec();
        assert_eq!(unhexed(ascii.clone()).unwrap(), ascii);
    }

    #[test]
    fn a_length_header_is_told_from_a_message() {
        assert_eq!(split_header(b"\x00\x060800\x82\x20"), (Some(6), &b"0800\x82\x20"[..]));
        assert_eq!(split_header(b"\x00\x330800\x82\x20"), (Some(51), &b"0800\x82\x20"[..]));
        assert_eq!(split_header(b"0800\x82\x20"), (None, &b"0800\x82\x20"[..]));
        assert_eq!(split_header(b"08008220"), (None, &b"08008220"[..]));
        assert_eq!(split_header(b"\x08"), (None, &b"\x08"[..]));
    }
}
