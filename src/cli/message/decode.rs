//! `billswitch decode`: a message field by field.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::{Found, MessageToolError, REFUSED, ReadArgs, print, unframed};
use crate::iso8583::{self, DecodeError, Decoded, Dialect, Mirror};

/// Text printed at once.
const PRINTED_BYTES: usize = 1 << 16;
/// Bytes shown on each side of a fault.
const EXCERPT_BYTES: usize = 12;

/// What `decode` is told.
#[derive(Args, Clone, Debug)]
#[command(
    about = "Show ISO 8583 messages field by field",
    long_about = "Shows ISO 8583 messages field by field: number, name, type, offset, length, value.\n\n\
        A message is hex, base64 or bare bytes, with or without its two-byte length header; a packet capture, and a \
        log with hex or hex dumps in it, may hold many. Card data is masked unless --unmasked is given; use that \
        on test data only.",
    after_long_help = "Examples:\n  \
        billswitch decode 30383030823800000000000004000000000000003131323030393030303030303338303630393030303031313230303031\n  \
        billswitch decode --dialect iso87-ascii message.hex\n  \
        xxd -p message.bin | billswitch decode --json - | jq .fields\n  \
        billswitch decode --port 8583 morning.pcap\n  \
        grep 'to the bank' switch.log | billswitch decode -\n\n\
        What the input is, is found out; --input says it where that goes wrong. Hex may have blanks, colons, commas and \
        0x in it; lines are one message, or one each, whichever makes sense, and a blank line ends one. Of several \
        messages each begins with a line that says where it was found; with --json each is a line of its own, with \
        that as \"at\".\n\n\
        Exit code: 0 if every message is sound, 2 if one is refused (what decoded is shown first, then the fault), \
        1 if there was nothing to decode."
)]
pub struct DecodeArgs {
    /// How to read.
    #[command(flatten)]
    pub read: ReadArgs,
    /// A message, the path of a file with messages, or - for standard input
    #[arg(value_name = "HEX|BASE64|FILE|-")]
    pub input: String,
}

/// Decodes messages and prints them.
///
/// # Errors
///
/// [`MessageToolError`] if there is no message to decode. A message that is refused is no error here: it is
/// shown, and the exit code is 2.
pub fn decode(args: &DecodeArgs, dialect: &Dialect) -> Result<ExitCode, MessageToolError> {
    let found = args.read.read(&args.input, dialect)?;
    let many = found.len() > 1;
    let mut refused = 0_usize;
    let mut mirror = Mirror::new();
    let mut text = String::new();
    for Found { bytes, place } in &found {
        let (header, frame) = unframed(dialect, bytes);
        let decoded = iso8583::decode(dialect, frame, &mut mirror);
        refused = refused.saturating_add(usize::from(decoded.fault.is_some()));
        if args.read.json {
            let mut json = iso8583::to_json(&decoded, !args.read.unmasked);
            // One alone stays as `encode` takes it.
            if let Some(whole) = json.as_object_mut().filter(|_| many) {
                whole.insert("at".to_owned(), Value::from(place.to_string()));
            }
            let _ = if many { writeln!(text, "{json}") } else { writeln!(text, "{json:#}") };
        } else {
            if many {
                let _ = writeln!(text, "── {place}");
            }
            text.push_str(&table(dialect, &decoded, !args.read.unmasked));
            if let Some(length) = header.filter(|length| *length != frame.len()) {
                let _ =
                    writeln!(text, "note: the length header says {length} bytes, {} are here", frame.len());
            }
            if many {
                text.push('\n');
            }
        }
        if text.len() > PRINTED_BYTES {
            print(&text)?;
            text.clear();
        }
    }
    if many && !args.read.json {
        let _ = writeln!(text, "{} messages, {refused} refused", found.len());
    }
    print(&text)?;
    Ok(if refused > 0 { ExitCode::from(REFUSED) } else { ExitCode::SUCCESS })
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
    use bytes::BytesMut;

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
        assert_eq!(table(&onelink, &iso8583::decode(&onelink, &frame, &mut Mirror::new()), true), want);
    }

    #[test]
    fn a_fault_comes_last_with_the_bytes_around_it() {
        let (onelink, mut frame) = (dialect("onelink"), frame(PAYMENT));
        frame[41] = b'O';
        let want = "
refused: DE 4 at byte 41: not of the character class n (amount, transaction)
      29  30 30 30 30 30 34 32 34 32 30 30 30 4F 30 30 31 32 30 30 30 30 30 32 30
                                              ^^";
        let shown = table(&onelink, &iso8583::decode(&onelink, &frame, &mut Mirror::new()), true);
        assert!(shown.contains(want), "{shown}");
        assert!(!shown.contains("amount, transaction  "), "{shown}");
    }

    #[test]
    fn the_example_of_the_help_works() {
        let help = |command: clap::Command| command.get_after_long_help().unwrap().to_string();
        let onelink = dialect("onelink");
        let text = help(DecodeArgs::augment_args(clap::Command::new("decode")));
        let hex = text.split_whitespace().find(|word| word.len() > 80).unwrap();
        let frame = hex::decode(hex).unwrap();
        assert_eq!(iso8583::decode(&onelink, &frame, &mut Mirror::new()).fault, None);
    }
}
