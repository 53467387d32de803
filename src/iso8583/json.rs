//! Messages as JSON, for the tools: `{"mti": "0200", "fields": {"2": "…", "48": {"BI": "…"}}}`.

use bytes::BytesMut;
use serde_json::{Map, Value};
use thiserror::Error;

use super::charset::Class;
use super::dialect::{Dialect, Part};
use super::encode::Writer;
use super::encode_error::EncodeError;
use super::mask::{self, CardNumbers};
use super::message::{Decoded, Message};
use super::mti::Mti;

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
}

/// A decoded message as JSON. Binary is upper-case hex; a TLV field is an object of its elements, or an array
/// of `[tag, value]` if a tag repeats; a field with parts is an object of them, unless its blanks are not
/// blank. After a fault there is a third key, `fault`. `masked`: card data is shown as stars, as it must be
/// outside of tests.
#[must_use]
pub fn to_json(dialect: &Dialect, decoded: &Decoded<'_, '_>, masked: bool) -> Value {
    let message = &decoded.message;
    let pans = masked.then(|| CardNumbers::of(message));
    let mut fields = Map::new();
    for (field, value) in message.fields() {
        let shown = match &pans {
            Some(pans) => mask::for_people(message, pans, field, value),
            None => value.to_vec(),
        };
        fields.insert(field.to_string(), field_value(dialect, message, field, value, &shown));
    }
    let mut whole = Map::new();
    whole.insert("mti".to_owned(), Value::from(message.mti().as_str()));
    whole.insert("fields".to_owned(), Value::Object(fields));
    if let Some(fault) = decoded.fault {
        let mut place = Map::new();
        place.insert("field".to_owned(), Value::from(fault.field));
        place.insert("offset".to_owned(), Value::from(fault.offset));
        place.insert("reason".to_owned(), Value::from(fault.reason.to_string()));
        whole.insert("fault".to_owned(), Value::Object(place));
    }
    Value::Object(whole)
}

/// `shown` is `value`, or as long and masked.
fn field_value(dialect: &Dialect, message: &Message<'_, '_>, field: u8, value: &[u8], shown: &[u8]) -> Value {
    if dialect.is_binary(field) {
        // Masked binary is as many stars as it has bytes.
        return if shown == value { Value::from(hex::encode_upper(value)) } else { text(shown) };
    }
    if dialect.layout(field).is_some_and(|layout| layout.class == Class::Hex) {
        return Value::from(String::from_utf8_lossy(shown).to_ascii_uppercase());
    }
    if dialect.is_tlv(field) {
        return elements(message, field, value, shown);
    }
    let parts = dialect.parts(field);
    if parts.is_empty() || !blanks_are_blank(parts, value) { text(shown) } else { parts_of(parts, shown) }
}

fn text(bytes: &[u8]) -> Value {
    Value::from(String::from_utf8_lossy(bytes))
}

fn elements(message: &Message<'_, '_>, field: u8, value: &[u8], shown: &[u8]) -> Value {
    let mut pairs = Vec::<(String, Value)>::new();
    for (tag, inside) in message.elements(field) {
        // The element's place in the field, to find the same bytes in the masked copy.
        let at = inside.as_ptr().addr().saturating_sub(value.as_ptr().addr());
        let inside = shown.get(at..at.saturating_add(inside.len())).unwrap_or_default();
        pairs.push((String::from_utf8_lossy(tag).into_owned(), text(inside)));
    }
    let mut object = Map::new();
    for (tag, inside) in &pairs {
        if object.insert(tag.clone(), inside.clone()).is_some() {
            let pair = |(tag, inside)| Value::Array(vec![Value::String(tag), inside]);
            return Value::Array(pairs.into_iter().map(pair).collect());
        }
    }
    Value::Object(object)
}

fn part<'v>(part: &Part, value: &'v [u8]) -> Option<&'v [u8]> {
    value.get(usize::from(part.start)..usize::from(part.start.saturating_add(part.len)))
}

/// Whether the parts say everything: all of them there, and nothing between them or after them.
fn blanks_are_blank(parts: &[Part], value: &[u8]) -> bool {
    let width = parts.iter().map(|part| usize::from(part.len)).sum::<usize>();
    let blank = |bytes: &[u8]| bytes.iter().all(|byte| *byte == b' ');
    value.len() == width
        && parts.iter().filter(|part| part.name.is_none()).all(|gap| part(gap, value).is_some_and(blank))
}

fn parts_of(parts: &[Part], shown: &[u8]) -> Value {
    let named = parts.iter().filter_map(|one| {
        let name = one.name.clone()?;
        part(one, shown).map(|bytes| (name, text(bytes)))
    });
    Value::Object(named.collect())
}

/// Writes a message given as JSON to the end of a buffer. Each field may also be a plain text: its value as
/// it stands on the wire (binary as hex).
///
/// # Errors
///
/// [`JsonError`]; the buffer is left as it was.
pub fn from_json(dialect: &Dialect, json: &Value, out: &mut BytesMut) -> Result<(), JsonError> {
    let wants = |place: &str, want| fault(place, JsonReason::Wants(want));
    let whole = json.as_object().ok_or_else(|| wants("message", "an object with `mti` and `fields`"))?;
    if let Some(key) = whole.keys().find(|key| !matches!(key.as_str(), "mti" | "fields")) {
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
    let mut writer = Writer::new(dialect, mti, out);
    for (field, value) in ordered {
        write_field(dialect, &mut writer, field, value)?;
    }
    writer.finish().map_err(|error| fault("message", JsonReason::Encode(error)))
}

fn fault(place: &str, reason: JsonReason) -> JsonError {
    JsonError { place: place.to_owned(), reason }
}

fn write_field(
    dialect: &Dialect,
    writer: &mut Writer<'_, '_>,
    field: u8,
    value: &Value,
) -> Result<(), JsonError> {
    let refused = |error| fault(&field.to_string(), JsonReason::Encode(error));
    match value {
        Value::String(text) if dialect.is_binary(field) => {
            let bytes = hex::decode(text)
                .map_err(|_| fault(&field.to_string(), JsonReason::Wants("hex, two characters a byte")))?;
            writer.put(field, &bytes).map_err(refused)
        }
        Value::String(text) => writer.put(field, text.as_bytes()).map_err(refused),
        Value::Object(object) if dialect.is_tlv(field) => {
            let pairs = object.iter().map(|(tag, inside)| Some((tag.as_str(), inside.as_str()?)));
            write_elements(writer, field, pairs)
        }
        Value::Array(pairs) if dialect.is_tlv(field) => {
            let pairs = pairs.iter().map(|pair| match pair.as_array().map(Vec::as_slice) {
                Some([Value::String(tag), Value::String(inside)]) => Some((tag.as_str(), inside.as_str())),
                Some(_) | None => None,
            });
            write_elements(writer, field, pairs)
        }
        Value::Object(object) if !dialect.parts(field).is_empty() => {
            let joined = join_parts(dialect.parts(field), field, object)?;
            writer.put(field, &joined).map_err(refused)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            let want =
                if dialect.is_tlv(field) { "a text, or elements as an object" } else { "a text in quotes" };
            Err(fault(&field.to_string(), JsonReason::Wants(want)))
        }
    }
}

fn write_elements<'v>(
    writer: &mut Writer<'_, '_>,
    field: u8,
    pairs: impl Iterator<Item = Option<(&'v str, &'v str)>>,
) -> Result<(), JsonError> {
    let refused = |error| fault(&field.to_string(), JsonReason::Encode(error));
    writer.begin(field).map_err(refused)?;
    for pair in pairs {
        let wants = || fault(&field.to_string(), JsonReason::Wants("texts under tags, or [tag, text] pairs"));
        let (tag, inside) = pair.ok_or_else(wants)?;
        let refused = |error| fault(&format!("{field}.{tag}"), JsonReason::Encode(error));
        writer.element(tag.as_bytes(), inside.as_bytes()).map_err(refused)?;
    }
    writer.end().map_err(refused)
}

/// Puts parts where they belong, blanks between.
fn join_parts(parts: &[Part], field: u8, object: &Map<String, Value>) -> Result<Vec<u8>, JsonError> {
    let named = |key: &str| parts.iter().any(|part| part.name.as_deref() == Some(key));
    if let Some(key) = object.keys().find(|key| !named(key)) {
        return Err(fault(&format!("{field}.{key}"), JsonReason::Unknown));
    }
    let mut joined = Vec::new();
    for part in parts {
        let width = usize::from(part.len);
        let Some(name) = &part.name else {
            joined.resize(joined.len().saturating_add(width), b' ');
            continue;
        };
        let place = format!("{field}.{name}");
        let value = object.get(name).ok_or_else(|| fault(&place, JsonReason::Missing))?;
        let text = value.as_str().filter(|text| text.len() == width);
        let text =
            text.ok_or_else(|| fault(&place, JsonReason::Wants("a text exactly as wide as the part")))?;
        joined.extend_from_slice(text.as_bytes());
    }
    Ok(joined)
}
