//! The `[outward]` table as it is written.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::super::tables::PlaceTable;
use crate::ids::ResponseCode;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct OutwardTable {
    /// What inquiry, payment and reversal share.
    #[serde(default)]
    pub(super) tells: TellsTable,
    pub(super) inquiry: Spanned<SayingTable>,
    pub(super) finds: FindsTable,
    #[serde(default)]
    pub(super) keeps: Vec<Spanned<u8>>,
    pub(super) payment: Spanned<SayingTable>,
    pub(super) posted: PostedTable,
    pub(super) reversal: Spanned<SayingTable>,
    pub(super) reduction: Option<Spanned<SayingTable>>,
    pub(super) network: Spanned<SayingTable>,
}

/// Path to word or words.
pub(super) type TellsTable = BTreeMap<Spanned<String>, Spanned<PlaceTable>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SayingTable {
    pub(super) mti: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) tells: TellsTable,
    pub(super) codes: BTreeMap<Spanned<ResponseCode>, Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FindsTable {
    pub(super) name: Option<Spanned<PlaceTable>>,
    pub(super) status: Option<Spanned<PlaceTable>>,
    pub(super) billing_month: Option<Spanned<PlaceTable>>,
    pub(super) due_date: Option<Spanned<DatesTable>>,
    pub(super) expiry_date: Option<Spanned<DatesTable>>,
    #[serde(default)]
    pub(super) amount_within_due: Vec<Spanned<AmountTable>>,
    #[serde(default)]
    pub(super) amount_after_due: Vec<Spanned<AmountTable>>,
    pub(super) minimum: Option<Spanned<AmountTable>>,
    pub(super) maximum: Option<Spanned<AmountTable>>,
    pub(super) heads: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) head: Vec<Spanned<HeadTable>>,
    #[serde(default)]
    pub(super) agrees: Vec<Spanned<AmountTable>>,
    /// Place in the answer to place in the payment as it was sent.
    #[serde(default)]
    pub(super) paid_by: BTreeMap<Spanned<String>, Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PostedTable {
    pub(super) receipt: Option<Spanned<PlaceTable>>,
    pub(super) authorisation: Option<Spanned<PlaceTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DatesTable {
    pub(super) at: PlaceTable,
    pub(super) forms: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeadTable {
    /// `=CODE`, or the path of one; of several the first that there is.
    pub(super) head: PlaceTable,
    pub(super) amounts: Vec<AmountTable>,
}

/// `"path"`, or `{ at = "path", decimals = "path" }`.
pub(super) struct AmountTable {
    pub(super) at: String,
    pub(super) decimals: Option<String>,
}

impl<'de> Deserialize<'de> for AmountTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Record {
            at: String,
            decimals: Option<String>,
        }
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = AmountTable;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field path, or { at = \"48.total\", decimals = \"48.total_minor\" }")
            }

            fn visit_str<E>(self, path: &str) -> Result<AmountTable, E> {
                Ok(AmountTable { at: path.to_owned(), decimals: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AmountTable, A::Error> {
                let Record { at, decimals } = Record::deserialize(MapAccessDeserializer::new(map))?;
                Ok(AmountTable { at, decimals })
            }
        }
        deserializer.deserialize_any(Visit)
    }
}
