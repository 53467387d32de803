//! A profile file as it is written, before anything in it is checked.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::mac::{AlgorithmName, FromName, OverName};
use super::outward::OutwardTable;
use super::{Paths, Place};
use crate::ids::ResponseCode;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(rename = "note")]
    pub(super) _note: Option<String>,
    pub(super) dialect: Spanned<String>,
    pub(super) fields: FieldsTable,
    pub(super) classes: ClassesTable,
    pub(super) network_codes: CodesTable,
    #[serde(default)]
    pub(super) values: BTreeMap<Spanned<String>, Vec<String>>,
    pub(super) repeat: RepeatTable,
    pub(super) answer: AnswerTable,
    pub(super) mac: Option<MacTable>,
    pub(super) key_change: Option<Spanned<KeyChangeTable>>,
    #[serde(default)]
    pub(super) ours: BTreeMap<Spanned<String>, OursTable>,
    pub(super) codes: Spanned<OutcomesTable>,
    pub(super) outward: Option<OutwardTable>,
}

/// Declares the `[fields]` table once: as it stands in the file, and as checked paths.
macro_rules! fields_table {
    ($($name:ident),*) => {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct FieldsTable { $(pub(super) $name: Option<Spanned<PlaceTable>>),* }

        impl FieldsTable {
            pub(super) fn places<E>(
                &self,
                place: &dyn Fn(&str, Option<&Spanned<PlaceTable>>) -> Result<Place, E>,
            ) -> Result<Paths, E> {
                Ok(Paths { $($name: place(stringify!($name), self.$name.as_ref())?),* })
            }
        }
    };
}

fields_table!(
    processing_code,
    amount,
    transmitted_at,
    stan,
    acquirer,
    rrn,
    terminal,
    currency,
    biller,
    consumer,
    channel,
    network_code,
    settlement_date,
    original_mti,
    original_stan,
    original_transmitted_at,
    replacement_amounts,
    credits_number,
    credit_reversals_number,
    debits_number,
    debit_reversals_number,
    credits_amount,
    credit_reversals_amount,
    debits_amount,
    debit_reversals_amount,
    net,
    settlement_code
);

/// A path, or a list of paths of which a message has one.
pub(super) struct PlaceTable(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for PlaceTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = PlaceTable;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field path, or a list of them")
            }

            fn visit_str<E>(self, path: &str) -> Result<PlaceTable, E> {
                Ok(PlaceTable(vec![path.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<PlaceTable, A::Error> {
                let mut paths = Vec::new();
                while let Some(path) = list.next_element()? {
                    paths.push(path);
                }
                Ok(PlaceTable(paths))
            }
        }
        deserializer.deserialize_any(Visit)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClassesTable {
    pub(super) inquiry: ClassTable,
    pub(super) payment: ClassTable,
    pub(super) advice: Option<ClassTable>,
    pub(super) reversal: ClassTable,
    pub(super) reconciliation: Option<ClassTable>,
    pub(super) network: ClassTable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClassTable {
    pub(super) mti: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    pub(super) processing_codes: Vec<String>,
    #[serde(default)]
    pub(super) required: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) codes: OutcomesTable,
}

/// Response codes by outcome.
pub(super) type OutcomesTable = BTreeMap<Spanned<String>, Spanned<ResponseCode>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CodesTable {
    pub(super) sign_on: Vec<String>,
    pub(super) sign_off: Vec<String>,
    pub(super) echo: Vec<String>,
    #[serde(default)]
    pub(super) cut_over: Vec<String>,
    #[serde(default)]
    pub(super) change_key: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RepeatTable {
    pub(super) ignores: Vec<Spanned<u8>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnswerTable {
    pub(super) echo: Vec<Spanned<u8>>,
    pub(super) response_code: Spanned<String>,
    pub(super) bad_field: Option<Spanned<String>>,
    pub(super) facts: BTreeMap<Spanned<String>, Spanned<FactTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MacTable {
    pub(super) algorithm: Spanned<AlgorithmName>,
    pub(super) padding: Option<Spanned<u8>>,
    pub(super) bytes: Spanned<u8>,
    pub(super) fields: Spanned<Vec<u8>>,
    #[serde(default)]
    pub(super) from: FromName,
    #[serde(default)]
    pub(super) over: OverName,
    pub(super) mti: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyChangeTable {
    pub(super) key: Spanned<String>,
    pub(super) check_value: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OursTable {
    pub(super) mti: BTreeMap<Spanned<String>, Spanned<String>>,
    /// The message type of its repeats; of totals.
    pub(super) repeat: Option<Spanned<String>>,
    pub(super) fields: BTreeMap<Spanned<String>, Spanned<String>>,
    /// What DE 39 of the answer says; of totals.
    #[serde(default)]
    pub(super) codes: BTreeMap<String, Spanned<String>>,
}

/// `"name"`, or `{ fact = "name", width = 25, cut = true }`.
pub(super) struct FactTable {
    pub(super) fact: String,
    pub(super) width: Option<u16>,
    pub(super) cut: bool,
}

impl<'de> Deserialize<'de> for FactTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Record {
            fact: String,
            width: Option<u16>,
            #[serde(default)]
            cut: bool,
        }
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = FactTable;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a fact, or { fact = \"name\", width = 25, cut = true }")
            }

            fn visit_str<E>(self, fact: &str) -> Result<FactTable, E> {
                Ok(FactTable { fact: fact.to_owned(), width: None, cut: false })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FactTable, A::Error> {
                let Record { fact, width, cut } = Record::deserialize(MapAccessDeserializer::new(map))?;
                Ok(FactTable { fact, width, cut })
            }
        }
        deserializer.deserialize_any(Visit)
    }
}
