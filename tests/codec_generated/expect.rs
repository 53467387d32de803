//! The message of a [`Case`] as the JSON that the codec must make of it.

use serde_json::{Map, Value};

use crate::plan::{Bitmap, Case, Content, Field, Object, SetContent, Third};

/// The whole message.
pub(crate) fn json(case: &Case) -> Value {
    let mut whole = Map::new();
    let header = case.header();
    if !header.is_empty() {
        whole.insert("header".to_owned(), hex(&header));
    }
    whole.insert("mti".to_owned(), Value::from(case.mti));
    let mut fields: Vec<(u8, Value)> =
        case.message().into_iter().map(|(number, field)| (number, shown(field))).collect();
    let third = fields.iter().filter(|(number, _)| *number > 128);
    let third = third.fold(0_u64, |bits, (number, _)| bits | (1 << 63) >> (number - 129));
    if let Third::Carried(carrier) = case.third
        && third != 0
    {
        fields.push((carrier, hex(&third.to_be_bytes())));
        fields.sort_by_key(|(number, _)| *number);
    }
    whole.insert("fields".to_owned(), object(fields.into_iter().map(|(n, v)| (n.to_string(), v)).collect()));
    Value::Object(whole)
}

fn shown(field: &Field) -> Value {
    let text = |value: &[u8]| leaf(field.class, value);
    match &field.holds {
        Content::Leaf(value) => text(value),
        Content::Widths(parts) => {
            let blank = if field.class == "n" { b'0' } else { b' ' };
            let told = |(named, value): &(bool, Vec<u8>)| *named || value.iter().all(|byte| *byte == blank);
            if !parts.iter().all(told) {
                let whole: Vec<u8> = parts.iter().flat_map(|(_, part)| part).copied().collect();
                return text(&whole);
            }
            let named = parts.iter().enumerate().filter(|(_, (named, _))| *named);
            object(named.map(|(at, (_, value))| (format!("p{at}"), text(value))).collect())
        }
        Content::Parts(parts, missing) => {
            let there = parts[..parts.len() - missing].iter().enumerate();
            object(there.map(|(at, part)| (format!("p{at}"), shown(part))).collect())
        }
        Content::Tlv(tlv, elements) => {
            let element = |(tag, value): &(Vec<u8>, Vec<u8>)| {
                if tlv.binary { (hex::encode_upper(tag), hex(value)) } else { (latin1(tag), text(value)) }
            };
            object(elements.iter().map(element).collect())
        }
        Content::Ber(_, inner) => objects(inner),
        Content::Bitmap(inside) => subfields(inside, field.class),
        Content::Datasets(_, sets) => {
            let set = |set: &crate::plan::Set| {
                let shown = match &set.holds {
                    SetContent::Declared(inside) => subfields(inside, "b"),
                    SetContent::Ber(inner) => objects(inner),
                    SetContent::Bytes(bytes) => hex(bytes),
                };
                (hex::encode_upper([set.id]), shown)
            };
            object(sets.iter().map(set).collect())
        }
    }
}

fn subfields(inside: &Bitmap, class: &str) -> Value {
    let header = (!inside.header.is_empty()).then(|| ("header".to_owned(), leaf(class, &inside.header)));
    let said = inside.fields.iter().filter(|(_, (said, _))| *said);
    object(
        header
            .into_iter()
            .chain(said.map(|(number, (_, field))| (number.to_string(), shown(field))))
            .collect(),
    )
}

fn objects(objects: &[Object]) -> Value {
    let one = |object: &Object| {
        let value = match &object.value {
            Ok(value) => hex(value),
            Err(inner) => self::objects(inner),
        };
        (hex::encode_upper(&object.tag), value)
    };
    object(objects.iter().map(one).collect())
}

/// An object, or pairs where a key repeats.
fn object(pairs: Vec<(String, Value)>) -> Value {
    let object: Map<String, Value> = pairs.iter().cloned().collect();
    if object.len() == pairs.len() {
        return Value::Object(object);
    }
    Value::Array(pairs.into_iter().map(|(key, value)| Value::Array(vec![key.into(), value])).collect())
}

fn leaf(class: &str, value: &[u8]) -> Value {
    if matches!(class, "b" | "absent") { hex(value) } else { latin1(value).into() }
}

fn hex(bytes: &[u8]) -> Value {
    hex::encode_upper(bytes).into()
}

fn latin1(text: &[u8]) -> String {
    text.iter().map(|byte| char::from(*byte)).collect()
}
