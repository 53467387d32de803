//! Messages as JSON, for the tools: `{"mti": "0200", "fields": {"2": "…", "48": {"BI": "…"}}}`.

use bytes::BytesMut;
use serde_json::{Map, Value};
use thiserror::Error;

use super::build::Builder;
use super::cards::CardNumbers;
use super::charset::{Alphabet, Class};
use super::cursor::Cursor;
use super::dialect::Dialect;
use super::encode::Writer;
use super::encode_error::{EncodeError, EncodeReason};
use super::message::{Decoded, Message};
use super::mti::Mti;
use super::rules::Holding;
use super::structure::{BER_DEPTH, Structure, Within};
use super::tree::{Node, Shown, tree};

/// JSON that is not a message of a dialect: at which data element, and why.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{place}: {reason}")]
pub struct JsonError {
    /// `mti`, `fields`, or a path such as `48.CN`.
    pub place: String,
    /// What is wrong there.
    pub reason: JsonReason,
}

/// What is wrong with a message in JSON.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum JsonReason {
    /// A key that means nothing there.
    #[error("means nothing here")]
    Unknown,
    /// Something that must be there.
    #[error("is missing")]
    Missing,
    /// A value of the wrong kind.
    #[error("must be {0}")]
    Wants(&'static str),
    /// A value that the dialect does not allow.
    #[error("{0}")]
    Encode(EncodeError),
    /// The same, inside a field.
    #[error("{0}")]
    Inside(EncodeReason),
}

/// A decoded message as JSON. Binary is upper-case hex; a field with something inside is an object of it, or an array
/// of `[key, value]` if a tag repeats. What stands before the MTI is `header`, in hex, if there is anything; after a fault
/// there is another key, `fault`. `masked`: card data is shown as stars, as it must be outside of tests, as in
/// [`tree`](super::tree()).
#[must_use]
pub fn to_json(decoded: &Decoded<'_, '_>, masked: bool) -> Value {
    let message = &decoded.message;
    let mut whole = Map::new();
    let header = if masked { header_for_people(message) } else { message.header().to_vec() };
    if !header.is_empty() {
        whole.insert("header".to_owned(), Value::from(hex::encode_upper(header)));
    }
    whole.insert("mti".to_owned(), Value::from(message.mti().as_str()));
    whole.insert("fields".to_owned(), object(tree(message, masked)));
    if let Some(fault) = decoded.fault {
        let mut place = Map::new();
        place.insert("field".to_owned(), Value::from(fault.field));
        place.insert("offset".to_owned(), Value::from(fault.offset));
        place.insert("reason".to_owned(), Value::from(fault.reason.to_string()));
        whole.insert("fault".to_owned(), Value::Object(place));
    }
    Value::Object(whole)
}

/// What stood before the MTI, without the message's own card numbers; nothing if that may have been misread.
fn header_for_people(message: &Message<'_, '_>) -> Vec<u8> {
    if message.may_be_misread() {
        return Vec::new();
    }
    let own = CardNumbers::of(message);
    own.hidden_in(message.header()).unwrap_or_else(|| message.header().to_vec())
}

/// Nodes under their keys, or as pairs if a key repeats.
fn object(nodes: Vec<Node>) -> Value {
    let pairs: Vec<(String, Value)> = nodes.into_iter().map(|node| (node.key, shown(node.value))).collect();
    let mut object = Map::new();
    for (key, value) in &pairs {
        if object.insert(key.clone(), value.clone()).is_some() {
            let pair = |(key, value)| Value::Array(vec![Value::String(key), value]);
            return Value::Array(pairs.into_iter().map(pair).collect());
        }
    }
    Value::Object(object)
}

fn shown(value: Shown) -> Value {
    match value {
        Shown::Text(text) | Shown::Binary(text) => Value::from(text),
        Shown::Inside(nodes) => object(nodes),
    }
}

/// Writes a message given as JSON to the end of a buffer. Each field may also be a plain text: its value as characters
/// (binary as hex).
///
/// # Errors
///
/// [`JsonError`]; the buffer is left as it was.
pub fn from_json(dialect: &Dialect, json: &Value, out: &mut BytesMut) -> Result<(), JsonError> {
    let wants = |place: &str, want| fault(place, JsonReason::Wants(want));
    let whole = json.as_object().ok_or_else(|| wants("message", "an object with `mti` and `fields`"))?;
    if let Some(key) = whole.keys().find(|key| !matches!(key.as_str(), "header" | "mti" | "fields")) {
        return Err(fault(key, JsonReason::Unknown));
    }
    let mti = whole.get("mti").ok_or_else(|| fault("mti", JsonReason::Missing))?;
    let mti = mti.as_str().and_then(|text| text.parse::<Mti>().ok());
    let mti = mti.ok_or_else(|| wants("mti", "four digits in quotes"))?;
    let fields = whole.get("fields").ok_or_else(|| fault("fields", JsonReason::Missing))?;
    let fields =
        fields.as_object().ok_or_else(|| wants("fields", "an object, such as {\"11\": \"000001\"}"))?;
    let mut ordered = Vec::new();
    for (key, value) in fields {
        let number = key.parse::<u8>().ok().filter(|number| number.to_string() == *key);
        ordered.push((number.ok_or_else(|| fault(key, JsonReason::Unknown))?, value));
    }
    ordered.sort_by_key(|(number, _)| *number);
    let mut writer = match whole.get("header") {
        None => Writer::new(dialect, mti, out),
        Some(header) => {
            let bytes = header.as_str().and_then(|text| hex::decode(text).ok());
            let bytes = bytes.ok_or_else(|| wants("header", "hex, two characters a byte"))?;
            Writer::with_header(dialect, mti, &bytes, out)
                .map_err(|error| fault("header", JsonReason::Encode(error)))?
        }
    };
    for (field, value) in ordered {
        let holding = writer.holding();
        let bytes = field_bytes(dialect, holding, field, value)?;
        writer.put(field, &bytes).map_err(|error| fault(&field.to_string(), JsonReason::Encode(error)))?;
    }
    writer.finish().map_err(|error| {
        let place = if error.field == 0 { "message".to_owned() } else { error.field.to_string() };
        fault(&place, JsonReason::Encode(error))
    })
}

fn fault(place: &str, reason: JsonReason) -> JsonError {
    JsonError { place: place.to_owned(), reason }
}

/// A field's value as the writer takes it.
fn field_bytes(dialect: &Dialect, holding: Holding, field: u8, value: &Value) -> Result<Vec<u8>, JsonError> {
    let place = field.to_string();
    let Some(layout) = dialect.layout_in(field, holding) else {
        let error = EncodeError { field, reason: EncodeReason::Undefined };
        return Err(fault(&place, JsonReason::Encode(error)));
    };
    let within = dialect.structure(layout).map(Within::Declared);
    value_bytes(layout.alphabet(), within, value, &place)
}

fn value_bytes(
    alphabet: Alphabet,
    within: Option<Within<'_>>,
    value: &Value,
    place: &str,
) -> Result<Vec<u8>, JsonError> {
    match (value, within) {
        (Value::String(text), _) if alphabet.class == Class::B => {
            hex::decode(text).map_err(|_| fault(place, JsonReason::Wants("hex, two characters a byte")))
        }
        (Value::String(text), _) => {
            latin1(text).ok_or_else(|| fault(place, JsonReason::Wants("characters of ISO 8859-1")))
        }
        (Value::Object(object), Some(within)) => {
            inside(alphabet, within, object.iter().map(|(key, value)| (key.as_str(), value)), place)
        }
        (Value::Array(pairs), Some(within)) => {
            let pair = |pair: &'_ Value| match pair.as_array().map(Vec::as_slice) {
                Some([Value::String(key), value]) => Ok((key.clone(), value.clone())),
                Some(_) | None => Err(fault(place, JsonReason::Wants("pairs of [key, value]"))),
            };
            let pairs: Vec<(String, Value)> = pairs.iter().map(pair).collect::<Result<_, _>>()?;
            inside(alphabet, within, pairs.iter().map(|(key, value)| (key.as_str(), value)), place)
        }
        (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_), _) => {
            let want =
                if within.is_some() { "a text, or what is inside as an object" } else { "a text in quotes" };
            Err(fault(place, JsonReason::Wants(want)))
        }
    }
}

/// A text as bytes, one a character.
fn latin1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}

/// Puts a structured value together, from the inside out.
fn inside<'v>(
    alphabet: Alphabet,
    within: Within<'_>,
    pieces: impl Iterator<Item = (&'v str, &'v Value)>,
    place: &str,
) -> Result<Vec<u8>, JsonError> {
    let mut out = BytesMut::new();
    let mut cursor = Cursor::at_end(&mut out);
    let mut builder = Builder::new(within, alphabet, &mut cursor);
    let mut pieces: Vec<_> = pieces.collect();
    if let Within::Declared(structure) = within {
        order(structure, &mut pieces, place)?;
    }
    let missing = |reason| fault(place, JsonReason::Inside(reason));
    for (key, value) in pieces {
        let place = format!("{place}.{key}");
        let refused = |reason| {
            let unknown = reason == EncodeReason::NoSuchElement;
            fault(&place, if unknown { JsonReason::Unknown } else { JsonReason::Inside(reason) })
        };
        let (alphabet, within) = kind(alphabet, within, key);
        let bytes = value_bytes(alphabet, within, value, &place)?;
        // A key that is no Latin-1 is none of the field's.
        let key = latin1(key).unwrap_or_default();
        builder.element(&mut cursor, &key, &bytes).map_err(refused)?;
    }
    builder.finish(&mut cursor).map_err(missing)?;
    let len = cursor.at;
    out.truncate(len);
    Ok(out.to_vec())
}

/// Puts pieces into the order of the wire where the dialect gives one, and JSON need not.
fn order(structure: &Structure, pieces: &mut [(&str, &Value)], around: &str) -> Result<(), JsonError> {
    let place = |key: &str| match structure {
        Structure::Widths(widths) => widths.parts.iter().position(|part| part.name.as_deref() == Some(key)),
        Structure::Parts(parts) => parts.iter().position(|part| part.key == key),
        Structure::Bitmap(inside) if inside.is_header(key.as_bytes()) => Some(0),
        Structure::Bitmap(_) => key.parse().ok(),
        Structure::Tlv(_) | Structure::Ber { .. } | Structure::Datasets(_) => Some(0),
    };
    if let Some((key, _)) = pieces.iter().find(|(key, _)| place(key).is_none()) {
        return Err(fault(&format!("{around}.{key}"), JsonReason::Unknown));
    }
    if let Structure::Widths(widths) = structure {
        let said = |name: &String| pieces.iter().any(|(key, _)| key == name);
        let mut names = widths.parts.iter().filter_map(|part| part.name.as_ref());
        let missing = names.find(|name| !said(name));
        if let Some(name) = missing.filter(|_| !widths.short || names.any(said)) {
            return Err(fault(&format!("{around}.{name}"), JsonReason::Missing));
        }
    }
    pieces.sort_by_key(|(key, _)| place(key).unwrap_or(usize::MAX));
    Ok(())
}

/// What the value under a key is: its class, and what is inside it.
fn kind<'d>(around: Alphabet, within: Within<'d>, key: &str) -> (Alphabet, Option<Within<'d>>) {
    let ber = |depth: u8| {
        let tag = hex::decode(key).unwrap_or_default();
        let deeper = depth.checked_sub(1).filter(|_| super::ber::is_constructed(&tag));
        (Alphabet::BYTES, deeper.map(Within::Ber))
    };
    match within {
        Within::Ber(depth) => ber(depth),
        Within::Declared(Structure::Ber { depth }) => ber(depth.saturating_sub(1)),
        Within::Declared(Structure::Tlv(tlv)) => (if tlv.binary { Alphabet::BYTES } else { around }, None),
        Within::Declared(Structure::Widths(_)) => (around, None),
        Within::Declared(Structure::Bitmap(inside)) if inside.is_header(key.as_bytes()) => (around, None),
        Within::Declared(structure) => match Dialect::subfield(structure, key) {
            Some(field) => (field.layout.alphabet(), field.within()),
            // What is inside a data set, and not declared, is TLV.
            None => (
                Alphabet::BYTES,
                matches!(structure, Structure::Datasets(_)).then_some(Within::Ber(BER_DEPTH)),
            ),
        },
    }
}
