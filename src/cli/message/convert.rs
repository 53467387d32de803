//! `billswitch convert`: messages of one dialect written in another.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use bytes::BytesMut;
use clap::Args;
use serde_json::{Map, Value};

use super::{DialectArgs, FromArgs, MessageToolError, REFUSED, print_bytes, unframed};
use crate::iso8583::{self, Decoded, Dialect, Framing, JsonError, Message, Mirror};

/// What `convert` is told.
#[derive(Args, Clone, Debug)]
#[command(
    about = "Write ISO 8583 messages of one dialect in another",
    long_about = "Reads ISO 8583 messages in one dialect and writes them in another, field by field: values stay, their coding changes. \
        What does not fit is told, and nothing is written then: nothing is ever cut off or left out unasked. The header is the \
        message's own if the other dialect takes it, and else that dialect's.",
    after_long_help = "Examples:\n  \
        billswitch convert --dialect iso87-ascii --to iso87-bcd message.hex\n  \
        billswitch convert --dialect onelink --to iso87-ascii-binary-bitmap --drop-unknown message.hex\n  \
        billswitch convert --dialect iso87-ascii --to tpdu-pos --framing 'binary 2' --raw m.hex > m.bin\n  \
        billswitch convert --to iso87-ascii message.hex | billswitch decode --dialect iso87-ascii -\n\n\
        The output holds card data, as the input does.\n\n\
        Exit code: 0 if every message was written, 2 if one was refused or does not fit, 1 if there was nothing to convert."
)]
pub struct ConvertArgs {
    /// How to read.
    #[command(flatten)]
    pub from: FromArgs,
    /// Dialect to write
    #[arg(long, value_name = "NAME")]
    pub to: String,
    /// Frame what is written, as `binary 2` or any other framing that a dialect may have
    #[arg(long, value_name = "FRAMING", value_parser = Framing::parse)]
    pub framing: Option<Framing>,
    /// Print bytes rather than hex
    #[arg(long)]
    pub raw: bool,
    /// Leave out what does not fit, and list it on standard error
    #[arg(long)]
    pub drop_unknown: bool,
    /// A message, the path of a file with messages, or - for standard input
    #[arg(value_name = "HEX|BASE64|FILE|-")]
    pub input: String,
}

impl ConvertArgs {
    /// The dialect to write.
    #[must_use]
    pub fn target(&self) -> DialectArgs {
        DialectArgs { dialect: self.to.clone(), specs: self.from.with.specs.clone() }
    }
}

/// A message in another dialect, or what of it does not fit there.
struct Converted {
    frame: BytesMut,
    /// By field, what is wrong with it there; they were left out.
    misfits: Vec<String>,
    /// What is wrong with the message without them.
    failed: Option<String>,
}

/// Converts messages and prints them.
///
/// # Errors
///
/// [`MessageToolError`] if there is no message, or if the output cannot be written.
pub fn convert(
    args: &ConvertArgs,
    dialect: &Dialect,
    target: &Dialect,
) -> Result<ExitCode, MessageToolError> {
    let found = args.from.read(&args.input, dialect)?;
    let many = found.len() > 1;
    let mut mirror = Mirror::new();
    let (mut out, mut said, mut refused) = (BytesMut::new(), String::new(), false);
    for message in &found {
        let place = if many { format!("{}: ", message.place) } else { String::new() };
        // Writing to a string cannot fail.
        let mut say = |text: &str| {
            let _ = writeln!(said, "billswitch: {place}{text}");
        };
        let decoded = iso8583::decode(dialect, unframed(dialect, &message.bytes).message, &mut mirror);
        if let Some(fault) = decoded.fault {
            say(&format!("refused: {fault}"));
            refused = true;
            continue;
        }
        let Converted { frame, misfits, failed } = rewritten(&decoded, target);
        for misfit in &misfits {
            say(&format!("{} {misfit}", if args.drop_unknown { "left out:" } else { "does not fit:" }));
        }
        let framed = match failed {
            Some(failed) => Err(failed),
            None if !misfits.is_empty() && !args.drop_unknown => {
                refused = true;
                continue;
            }
            None => put(&frame, args, &mut out),
        };
        if let Err(failed) = framed {
            say(&failed);
            refused = true;
        }
    }
    // Nobody is left to be told if this fails.
    let _ = io::stderr().lock().write_all(said.as_bytes());
    print_bytes(&out)?;
    Ok(if refused { ExitCode::from(REFUSED) } else { ExitCode::SUCCESS })
}

/// Frames a message and puts it out as bytes, or as a line of hex.
fn put(message: &[u8], args: &ConvertArgs, out: &mut BytesMut) -> Result<(), String> {
    let mut framed = BytesMut::new();
    let framing = args.framing.unwrap_or(Framing::NONE);
    framing.put(message, &mut framed).map_err(|fault| fault.to_string())?;
    if args.raw {
        out.extend_from_slice(&framed);
    } else {
        out.extend_from_slice(hex::encode_upper(&framed).as_bytes());
        out.extend_from_slice(b"\n");
    }
    Ok(())
}

/// Writes a message in another dialect. A field that does not fit with what is inside it is tried as one value.
fn rewritten(decoded: &Decoded<'_, '_>, target: &Dialect) -> Converted {
    let message = &decoded.message;
    let mut json = iso8583::to_json(decoded, false);
    let mut misfits = Vec::new();
    let mut plain: BTreeSet<u8> = BTreeSet::new();
    // Every round settles one field at least.
    loop {
        let mut frame = BytesMut::new();
        let Err(JsonError { place, reason }) = iso8583::from_json(target, &json, &mut frame) else {
            let Some(number) = filled_up(message, &json, target, &frame) else {
                return Converted { frame, misfits, failed: None };
            };
            let name = message.dialect().field_name(number).unwrap_or_default();
            let longer = target.field_max(number).unwrap_or_default();
            misfits.push(format!(
                "{number} ({name}): has {longer} characters there, and would be filled up to them"
            ));
            let fields = json.get_mut("fields").and_then(Value::as_object_mut);
            fields.map(|fields| fields.shift_remove(&number.to_string()));
            continue;
        };
        let whole = json.as_object_mut();
        let fields = whole.and_then(|whole| whole.get_mut("fields")).and_then(Value::as_object_mut);
        let number = place.split('.').next().and_then(|number| number.parse::<u8>().ok());
        let known = number.zip(fields).filter(|(number, fields)| fields.contains_key(&number.to_string()));
        match known {
            Some((number, fields)) => {
                let value =
                    whole_value(message.dialect(), target, number, message.field(number).unwrap_or_default());
                if let Some(value) = value.filter(|_| plain.insert(number)) {
                    fields.insert(number.to_string(), value);
                } else {
                    fields.shift_remove(&number.to_string());
                    let name = message.dialect().field_name(number).unwrap_or_default();
                    misfits.push(format!("{place} ({name}): {}", without_place(&reason.to_string())));
                }
            }
            None if place == "header" => {
                json.as_object_mut().map(|whole: &mut Map<String, Value>| whole.shift_remove("header"));
            }
            None => {
                let failed = Some(format!("cannot be written as {}: {place}: {reason}", target.name()));
                return Converted { frame, misfits, failed };
            }
        }
    }
}

/// The first field whose value would be another one there: a writer fills up what is short, which makes no time a date.
fn filled_up(message: &Message<'_, '_>, json: &Value, target: &Dialect, frame: &[u8]) -> Option<u8> {
    let mut mirror = Mirror::new();
    let decoded = iso8583::decode(target, frame, &mut mirror);
    let written = iso8583::to_json(&decoded, false);
    let fields = |json: &Value| json.get("fields").and_then(Value::as_object).cloned().unwrap_or_default();
    let (asked, written) = (fields(json), fields(&written));
    let changed = asked.iter().filter(|(key, value)| written.get(*key) != Some(value));
    let mut numbers = changed.filter_map(|(key, _)| key.parse::<u8>().ok());
    numbers.find(|number| decoded.message.field(*number) != message.field(*number))
}

/// A reason without the field that was named already.
fn without_place(reason: &str) -> &str {
    let behind = reason.strip_prefix("DE ").and_then(|rest| rest.split_once(": "));
    behind.map_or(reason, |(_, reason)| reason)
}

/// A field's value as one, if both dialects have it as characters, or both as bytes.
fn whole_value(dialect: &Dialect, target: &Dialect, field: u8, value: &[u8]) -> Option<Value> {
    match (dialect.is_binary(field), target.is_binary(field)) {
        (true, true) => Some(Value::from(hex::encode_upper(value))),
        (false, false) => Some(Value::from(value.iter().map(|byte| char::from(*byte)).collect::<String>())),
        (true, false) | (false, true) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso8583::{decode, from_json, shipped};

    fn dialect(name: &str) -> Dialect {
        shipped::dialect(name).unwrap().unwrap()
    }

    /// A message of one dialect in another: in JSON, and what does not fit.
    fn told(from: &str, to: &str, json: &str) -> (Value, Vec<String>, Option<String>) {
        let (from, to) = (dialect(from), dialect(to));
        let mut frame = BytesMut::new();
        from_json(&from, &serde_json::from_str(json).unwrap(), &mut frame).unwrap();
        let mut mirror = Mirror::new();
        let Converted { frame, misfits, failed } = rewritten(&decode(&from, &frame, &mut mirror), &to);
        let mut mirror = Mirror::new();
        let json = iso8583::to_json(&decode(&to, &frame, &mut mirror), false);
        (json["fields"].clone(), misfits, failed)
    }

    const PAYMENT: &str = r#"{"mti": "0200", "fields": {"2": "4242424242424242", "4": "000000001000",
        "48": {"BI": "KPEXCISE", "CN": "01"}, "52": "0102030405060708"}}"#;

    #[test]
    fn values_stay_and_their_coding_changes() {
        let (fields, misfits, failed) = told("onelink", "iso87-bcd", PAYMENT);
        assert_eq!((misfits, failed), (Vec::new(), None));
        assert_eq!(fields["2"], "4242424242424242");
        assert_eq!(fields["52"], "0102030405060708");
        assert_eq!(fields["48"], "BI008KPEXCISECN00201", "what is inside there is one value here");
        let (back, misfits, _) =
            told("iso87-bcd", "onelink", &format!("{{\"mti\": \"0200\", \"fields\": {fields}}}"));
        assert_eq!((&back["48"]["CN"], misfits), (&Value::from("01"), Vec::new()));
    }

    #[test]
    fn what_does_not_fit_is_told_and_left_out() {
        let message = r#"{"mti": "0200", "fields": {"4": "1000", "48": "no elements", "60": "longer than sixteen here",
            "62": "stays"}}"#;
        let (fields, misfits, failed) = told("iso87-ascii", "onelink", message);
        assert_eq!(failed, None);
        assert_eq!(
            misfits,
            [
                "48 (additional data, private): an element or subfield is malformed at byte 0 of the value",
                "60 (reserved, private): 24 bytes, more than 16",
            ]
        );
        assert_eq!((&fields["62"], &fields["48"]), (&Value::from("stays"), &Value::Null));
    }

    #[test]
    fn a_value_that_would_be_filled_up_does_not_fit() {
        let message = r#"{"mti": "0200", "fields": {"4": "1000", "12": "090009"}}"#;
        let (fields, misfits, _) = told("iso87-ascii", "iso93-ascii", message);
        assert_eq!(
            misfits,
            ["12 (time, local transaction): has 12 characters there, and would be filled up to them"]
        );
        assert_eq!((&fields["4"], &fields["12"]), (&Value::from("000000001000"), &Value::Null));
    }

    #[test]
    fn a_message_that_lacks_what_the_other_dialect_asks_for_is_refused() {
        let message = r#"{"mti": "2110", "fields": {"4": "1000", "39": "0000"}}"#;
        let (_, _, failed) = told("iso2003-ascii", "pln", message);
        assert!(failed.is_some_and(|failed| failed.starts_with("cannot be written as pln: 11: ")));
    }
}
