//! The members of an answer: one flat JSON object whose keys are matched in any case.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// Longest name of a key that is kept; no contract has a longer one.
const KEY_BYTES_MAX: usize = 64;

/// What an answer holds, by key in lower case.
pub(super) struct Fields(BTreeMap<String, Value>);

/// A member's value.
enum Value {
    Text(String),
    /// Something else than text: it is there, and cannot be read.
    Unreadable,
}

impl Fields {
    /// Reads an answer's body; none if it is not one JSON object, or says one thing twice.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// The text under a key as it came, blanks and all; none if there is none, or something else than text.
    pub(super) fn raw(&self, key: &str) -> Option<&str> {
        match self.0.get(key)? {
            Value::Text(text) => Some(text),
            Value::Unreadable => None,
        }
    }

    /// The text under a key without the spaces around it; empty if there is none. None if it is something else than text.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match self.0.get(key) {
            None => Some(""),
            Some(Value::Text(text)) => Some(text.trim()),
            Some(Value::Unreadable) => None,
        }
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some(mut key) = map.next_key::<String>()? {
                    key.make_ascii_lowercase();
                    let value = map.next_value::<serde_json::Value>()?;
                    let value = match value {
                        serde_json::Value::Null => continue,
                        serde_json::Value::String(text) => Value::Text(text),
                        serde_json::Value::Bool(_)
                        | serde_json::Value::Number(_)
                        | serde_json::Value::Array(_)
                        | serde_json::Value::Object(_) => Value::Unreadable,
                    };
                    // Of two that differ only in case, nobody knows which is meant.
                    if key.len() <= KEY_BYTES_MAX && fields.insert(key, value).is_some() {
                        return Err(serde::de::Error::custom("a key is there twice"));
                    }
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Read)
    }
}
