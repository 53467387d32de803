//! `billswitch encode`: a message from JSON.

use std::process::ExitCode;

use bytes::BytesMut;
use clap::Args;
use serde_json::Value;

use super::input::{named, open};
use super::{DialectArgs, MessageToolError, print};
use crate::iso8583::{self, Dialect};

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
        billswitch decode --json --unmasked message.hex | jq '.fields.\"4\" = \"100\"' | billswitch encode -\n\n\
        Exit code: 0 if the message was written, 1 if there was none or it is none of the dialect."
)]
pub struct EncodeArgs {
    /// The dialect.
    #[command(flatten)]
    pub with: DialectArgs,
    /// JSON, the path of a file that holds it, or - for standard input
    #[arg(value_name = "JSON|FILE|-")]
    pub input: String,
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
        let source = open(&args.input)?;
        if source.is_argument {
            return Err(MessageToolError::NoJson { name: named(&args.input) });
        }
        source.bytes
    };
    let json: Value = serde_json::from_slice(&text).map_err(MessageToolError::Json)?;
    let mut frame = BytesMut::new();
    iso8583::from_json(dialect, &json, &mut frame).map_err(MessageToolError::Message)?;
    print(&format!("{}\n", hex::encode_upper(&frame)))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso8583::{Mirror, shipped};

    #[test]
    fn the_example_of_the_help_works() {
        let onelink = shipped::dialect("onelink").unwrap().unwrap();
        let help = EncodeArgs::augment_args(clap::Command::new("encode"));
        let text = help.get_after_long_help().unwrap().to_string();
        let json = text.split('\'').nth(1).unwrap();
        let mut out = BytesMut::new();
        iso8583::from_json(&onelink, &serde_json::from_str(json).unwrap(), &mut out).unwrap();
        assert_eq!(
            iso8583::decode(&onelink, &out, &mut Mirror::new()).message.field(11),
            Some(&b"000001"[..])
        );
    }
}
