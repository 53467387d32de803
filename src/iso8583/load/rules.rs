//! `[[when]]` and `[[presence]]`.

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::super::load_error::{DialectError, DialectReason};
use super::super::rules::{CONDITIONS_MAX, MtiPattern, Test};
use super::draft::{self, Draft};
use super::source::{Place, Source, Value};

/// Another layout of some fields, as read.
#[derive(Clone)]
pub(super) struct WhenDraft {
    pub(super) place: Place,
    pub(super) given: GivenDraft,
    pub(super) fields: BTreeMap<u8, Draft>,
}

/// Something that is so of some messages.
#[derive(Clone)]
pub(super) struct GivenDraft {
    pub(super) mti: Vec<MtiPattern>,
    pub(super) field: Option<(u8, Test)>,
}

/// Which fields must be there, as read.
#[derive(Clone)]
pub(super) struct PresenceDraft {
    pub(super) place: Place,
    pub(super) mti: Vec<MtiPattern>,
    pub(super) mandatory: Vec<u8>,
    pub(super) forbidden: Vec<u8>,
    pub(super) conditional: Vec<ConditionalDraft>,
}

#[derive(Clone)]
pub(super) struct ConditionalDraft {
    pub(super) fields: Vec<u8>,
    pub(super) given: ConditionDraft,
}

#[derive(Clone)]
pub(super) enum ConditionDraft {
    With(u8),
    Without(u8),
    Value(u8, Test),
}

/// Reads `[[when]]` tables; those of an extending file come before those of its base, for the first that holds counts.
pub(super) fn whens(
    source: &Source<'_>,
    value: &Value<'_>,
    base: &BTreeMap<u8, Draft>,
    whens: &mut Vec<WhenDraft>,
) -> Result<(), DialectError> {
    let want = "tables [[when]] with mti, or field and is or begins, and fields";
    let mut read = Vec::new();
    for item in source.list("when", value, want)? {
        let record = source.table("when", item, want)?;
        let (mut mti, mut fields) = (Vec::new(), None);
        for (key, value) in record {
            match key.get_ref().as_ref() {
                "mti" => mti = patterns(source, value)?,
                "field" | "is" | "begins" => {}
                "fields" => fields = Some(value),
                _ => return Err(source.unknown(key, "mti, field, is, begins, fields")),
            }
        }
        let field = test(source, record)?;
        let Some(changed) = fields.filter(|_| !mti.is_empty() || field.is_some()) else {
            return Err(source.wants("when", item, want));
        };
        if read.len().saturating_add(whens.len()) >= CONDITIONS_MAX {
            let max = CONDITIONS_MAX;
            return Err(source.error(&item.span(), DialectReason::TooManyConditions { max }));
        }
        let table = source.table("fields", changed, "a table")?;
        let named = table.iter().filter_map(|(key, _)| key.get_ref().parse::<u8>().ok());
        let known = |number| base.get(&number).map(|draft| (number, draft.clone()));
        let mut drafts = named.filter_map(known).collect();
        draft::varied(source, changed, &mut drafts)?;
        let place = source.place(&item.span());
        read.push(WhenDraft { place, given: GivenDraft { mti, field }, fields: drafts });
    }
    read.append(whens);
    *whens = read;
    Ok(())
}

/// Reads `[[presence]]` tables, in addition to those of the base.
pub(super) fn presence(
    source: &Source<'_>,
    value: &Value<'_>,
    rules: &mut Vec<PresenceDraft>,
) -> Result<(), DialectError> {
    let want = "tables [[presence]] with mti, mandatory, forbidden, conditional";
    for item in source.list("presence", value, want)? {
        let place = source.place(&item.span());
        let mut rule = PresenceDraft {
            place,
            mti: Vec::new(),
            mandatory: Vec::new(),
            forbidden: Vec::new(),
            conditional: Vec::new(),
        };
        for (key, value) in source.table("presence", item, want)? {
            match key.get_ref().as_ref() {
                "mti" => rule.mti = patterns(source, value)?,
                "mandatory" => rule.mandatory = numbers(source, "mandatory", value)?,
                "forbidden" => rule.forbidden = numbers(source, "forbidden", value)?,
                "conditional" => rule.conditional = conditional(source, value)?,
                _ => return Err(source.unknown(key, "mti, mandatory, forbidden, conditional")),
            }
        }
        if rule.mti.is_empty() {
            return Err(source.error(&item.span(), DialectReason::Missing { key: "mti" }));
        }
        rules.push(rule);
    }
    Ok(())
}

fn conditional(source: &Source<'_>, value: &Value<'_>) -> Result<Vec<ConditionalDraft>, DialectError> {
    let want = "a list of { fields = […], with = 52 }, { fields = […], without = 35 } or \
                { fields = […], field = 22, begins = […] }";
    let mut all = Vec::new();
    for item in source.list("conditional", value, want)? {
        let record = source.table("conditional", item, want)?;
        let known = |key: &str| matches!(key, "fields" | "with" | "without" | "field" | "is" | "begins");
        if let Some((key, _)) = record.iter().find(|(key, _)| !known(key.get_ref())) {
            return Err(source.unknown(key, "fields, with, without, field, is, begins"));
        }
        let fields = record.get("fields").ok_or_else(|| source.wants("conditional", item, want))?;
        let given = match (record.get("with"), record.get("without"), test(source, record)?) {
            (Some(with), None, None) => ConditionDraft::With(source.field_value(with)?),
            (None, Some(without), None) => ConditionDraft::Without(source.field_value(without)?),
            (None, None, Some((field, test))) => ConditionDraft::Value(field, test),
            _ => return Err(source.wants("conditional", item, want)),
        };
        all.push(ConditionalDraft { fields: numbers(source, "fields", fields)?, given });
    }
    Ok(all)
}

/// Reads `field` with `is` or `begins`, if they are there.
fn test(source: &Source<'_>, record: &DeTable<'_>) -> Result<Option<(u8, Test)>, DialectError> {
    let (is, begins) = (record.get("is"), record.get("begins"));
    let Some(field) = record.get("field") else {
        return match is.or(begins) {
            None => Ok(None),
            Some(value) => Err(source.wants("field", value, "said beside `is` or `begins`")),
        };
    };
    let number = source.field_value(field)?;
    match (is, begins) {
        (Some(value), None) => Ok(Some((number, Test::Is(texts(source, "is", value)?)))),
        (None, Some(value)) => Ok(Some((number, Test::Begins(texts(source, "begins", value)?)))),
        (Some(_), Some(_)) | (None, None) => {
            Err(source.wants("field", field, "with either `is` or `begins` beside it"))
        }
    }
}

fn texts(source: &Source<'_>, key: &str, value: &Value<'_>) -> Result<Vec<Vec<u8>>, DialectError> {
    let list = source.list(key, value, "a list of texts")?;
    // A value is asked as characters, one byte each.
    let bytes = |text: String| text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect::<Option<_>>();
    let read = |value| {
        bytes(source.text(key, value)?).ok_or_else(|| source.wants(key, value, "characters of ISO 8859-1"))
    };
    list.into_iter().map(read).collect()
}

fn patterns(source: &Source<'_>, value: &Value<'_>) -> Result<Vec<MtiPattern>, DialectError> {
    let want = "a list of message types such as \"0200\" or \"08xx\"";
    let list = source.list("mti", value, want)?;
    let read = |item: &&Value<'_>| item.get_ref().as_str().and_then(MtiPattern::parse);
    let patterns: Option<Vec<_>> = list.iter().map(read).collect();
    patterns.filter(|patterns| !patterns.is_empty()).ok_or_else(|| source.wants("mti", value, want))
}

fn numbers(source: &Source<'_>, key: &str, value: &Value<'_>) -> Result<Vec<u8>, DialectError> {
    let list = source.list(key, value, "a list of data element numbers")?;
    list.into_iter().map(|value| source.field_value(value)).collect()
}
