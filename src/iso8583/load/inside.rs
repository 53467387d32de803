//! What a field's record says of its inside.

use std::collections::{BTreeMap, BTreeSet};

use toml::de::{DeTable, DeValue};

use super::super::dialect::identifier;
use super::super::load_error::{Conflict, DialectError, DialectReason};
use super::super::notation::Notation;
use super::super::structure::{BER_DEPTH, Part};
use super::super::table::Tlv;
use super::draft::{self, Draft, Word};
use super::source::{Source, Value};

/// The inside of a field, as read.
#[derive(Clone)]
pub(super) enum InsideDraft {
    /// And whether the last may be shorter.
    Widths(Vec<Part>, bool),
    Parts(Vec<(String, Draft)>),
    Tlv(Tlv),
    Ber {
        depth: u8,
    },
    Bitmap {
        hex: bool,
        bytes: u8,
        header: u8,
        fields: BTreeMap<u8, Draft>,
    },
    Datasets {
        length: u8,
        known: BTreeMap<u8, Draft>,
    },
}

/// Reads the keys of a record that tell of its inside; `base` is what is there already.
pub(super) fn read(
    source: &Source<'_>,
    field: u8,
    record: &DeTable<'_>,
    base: Option<&InsideDraft>,
) -> Result<Option<InsideDraft>, DialectError> {
    let kinds = ["parts", "tlv", "ber", "bitmap", "datasets"];
    let mut said = record.iter().filter(|(key, _)| kinds.contains(&key.get_ref().as_ref()));
    let Some((key, value)) = said.next() else {
        return subfields_only(source, field, record, base);
    };
    if let Some((other, _)) = said.next() {
        // `datasets` may stand in a record beside nothing else, and so may the others.
        return Err(source.conflict(&other.span(), field, Conflict::TwoInsides));
    }
    let inside = match key.get_ref().as_ref() {
        "parts" => parts(source, field, value)?,
        "tlv" => InsideDraft::Tlv(tlv(source, value)?),
        "ber" => InsideDraft::Ber { depth: depth(source, value)? },
        "bitmap" => bitmap(source, field, record, value, base)?,
        _ => datasets(source, field, value, base)?,
    };
    if !matches!(inside, InsideDraft::Bitmap { .. })
        && let Some((key, _)) = record.get_key_value("fields")
    {
        return Err(source.conflict(&key.span(), field, Conflict::FieldsWithoutBitmap));
    }
    Ok(Some(inside))
}

/// A record that gives `fields` alone changes those of its base.
fn subfields_only(
    source: &Source<'_>,
    field: u8,
    record: &DeTable<'_>,
    base: Option<&InsideDraft>,
) -> Result<Option<InsideDraft>, DialectError> {
    let Some((key, value)) = record.get_key_value("fields") else { return Ok(None) };
    let Some(InsideDraft::Bitmap { hex, bytes, header, fields }) = base else {
        return Err(source.conflict(&key.span(), field, Conflict::FieldsWithoutBitmap));
    };
    let mut fields = fields.clone();
    subfields(source, field, value, &mut fields)?;
    Ok(Some(InsideDraft::Bitmap { hex: *hex, bytes: *bytes, header: *header, fields }))
}

fn tlv(source: &Source<'_>, value: &Value<'_>) -> Result<Tlv, DialectError> {
    let want = "{ tag = characters, length = digits }, with as = \"binary\", first = \"length\" or counts";
    let mut tlv = Tlv { tag: 0, length: 0, ..Tlv::NONE };
    let mut counts = (false, false);
    let width = |key: &str, value: &Value<'_>| {
        let width = source.number(key, value, 4, "a number from 1 to 4")?;
        Ok(u8::try_from(width).unwrap_or(4))
    };
    for (key, value) in source.table("tlv", value, want)? {
        match key.get_ref().as_ref() {
            "tag" => tlv.tag = width("tag", value)?,
            "length" => tlv.length = width("length", value)?,
            "as" => {
                let words = [("text", false), ("binary", true)];
                tlv.binary = source.word("as", value, &words, "\"text\" or \"binary\"")?;
            }
            "first" => {
                let words = [("tag", false), ("length", true)];
                tlv.length_first = source.word("first", value, &words, "\"tag\" or \"length\"")?;
            }
            "counts" => {
                let words = [
                    ("value", (false, false)),
                    ("tag", (true, false)),
                    ("length", (false, true)),
                    ("all", (true, true)),
                ];
                let want = "\"value\", \"tag\", \"length\" or \"all\"";
                counts = source.word("counts", value, &words, want)?;
            }
            _ => return Err(source.unknown(key, "tag, length, as, first, counts")),
        }
    }
    if tlv.tag == 0 || tlv.length == 0 {
        return Err(source.wants("tlv", value, want));
    }
    let tag = if counts.0 { tlv.tag } else { 0 };
    let length = if counts.1 { tlv.length } else { 0 };
    Ok(Tlv { counted: tag.saturating_add(length), ..tlv })
}

fn depth(source: &Source<'_>, value: &Value<'_>) -> Result<u8, DialectError> {
    let want = "true, or { depth = 1 to 16 }";
    match value.get_ref() {
        DeValue::Boolean(true) => Ok(BER_DEPTH),
        DeValue::Table(table) => {
            let depth = table.get("depth").filter(|_| table.len() == 1);
            let depth = depth.ok_or_else(|| source.wants("ber", value, want))?;
            let depth = source.number("depth", depth, 16, "a number from 1 to 16")?;
            Ok(u8::try_from(depth).unwrap_or(16))
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(false)
        | DeValue::Datetime(_)
        | DeValue::Array(_) => Err(source.wants("ber", value, want)),
    }
}

/// Reads parts in their order: all by width, or each with a type of its own.
fn parts(source: &Source<'_>, field: u8, value: &Value<'_>) -> Result<InsideDraft, DialectError> {
    let want = "a list of { name = \"…\", width = characters } and { blank = characters }, the last perhaps { name = \"…\", up_to = characters }, or of small fields with a type";
    let list = source.list("parts", value, want)?;
    let (mut widths, mut typed) = (Vec::<Part>::new(), Vec::<(String, Draft)>::new());
    let (mut start, mut taken, mut open) = (0_u16, BTreeSet::new(), false);
    for item in list {
        let record = source.table("parts", item, want)?;
        let name = record.get("name").map(|name| part_name(source, name)).transpose()?;
        if name.as_ref().is_some_and(|name| !taken.insert(name.clone())) {
            return Err(source.conflict(&item.span(), field, Conflict::SamePart));
        }
        if record.get("type").is_some() {
            let name = name.ok_or_else(|| source.wants("parts", item, want))?;
            typed.push((name, draft::draft(source, field, &item.span(), record, None)?));
            continue;
        }
        if open {
            return Err(source.wants("parts", item, "a list in which `up_to` is the last"));
        }
        let known = |key: &str| matches!(key, "name" | "width" | "up_to" | "blank");
        if let Some((key, _)) = record.iter().find(|(key, _)| !known(key.get_ref())) {
            return Err(source.unknown(key, "name, width, up_to, blank"));
        }
        let width = |key, value| source.number(key, value, 9999, "a number from 1 to 9999");
        let (up_to, exact) = (record.get("up_to"), record.get("width"));
        open = up_to.is_some();
        let (name, len) = match (name, up_to.xor(exact), record.get("blank")) {
            (Some(name), Some(value), None) => (Some(name), width("width", value)?),
            (None, None, Some(value)) => (None, width("blank", value)?),
            _ => return Err(source.wants("parts", item, want)),
        };
        widths.push(Part { name, start, len });
        start = start.saturating_add(len);
    }
    match (widths.is_empty(), typed.is_empty()) {
        (false, true) => Ok(InsideDraft::Widths(widths, open)),
        (true, false) => Ok(InsideDraft::Parts(typed)),
        (true, true) => Err(source.wants("parts", value, want)),
        (false, false) => Err(source.conflict(&value.span(), field, Conflict::MixedParts)),
    }
}

/// A part's name stands in field paths, so it is short and has no dot.
fn part_name(source: &Source<'_>, value: &Value<'_>) -> Result<String, DialectError> {
    let fits = |name: &str| {
        name.len() <= 16 && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    };
    let name = source.text("name", value)?;
    let want = "at most 16 small letters, digits and `_`";
    if fits(&name) { Ok(name) } else { Err(source.wants("name", value, want)) }
}

fn bitmap(
    source: &Source<'_>,
    field: u8,
    record: &DeTable<'_>,
    value: &Value<'_>,
    base: Option<&InsideDraft>,
) -> Result<InsideDraft, DialectError> {
    let want = "{ form = \"binary\" or \"hex\", bytes = 1 to 16 }, with header = 1 for a byte before it";
    let (mut hex, mut bytes, mut header) = (None, None, 0);
    for (key, value) in source.table("bitmap", value, want)? {
        match key.get_ref().as_ref() {
            "form" => {
                let words = [("binary", false), ("hex", true)];
                hex = Some(source.word("form", value, &words, "\"binary\" or \"hex\"")?);
            }
            "bytes" => bytes = Some(source.number("bytes", value, 16, "a number from 1 to 16")?),
            "header" => header = source.number("header", value, 32, "a number from 1 to 32")?,
            _ => return Err(source.unknown(key, "form, bytes, header")),
        }
    }
    let (Some(hex), Some(bytes)) = (hex, bytes) else { return Err(source.wants("bitmap", value, want)) };
    let mut fields = match base {
        Some(InsideDraft::Bitmap { fields, .. }) => fields.clone(),
        Some(_) | None => BTreeMap::new(),
    };
    if let Some(value) = record.get("fields") {
        subfields(source, field, value, &mut fields)?;
    }
    if fields.is_empty() {
        return Err(source.conflict(&value.span(), field, Conflict::BitmapWithoutFields));
    }
    let small = |number: u16| u8::try_from(number).unwrap_or(u8::MAX);
    Ok(InsideDraft::Bitmap { hex, bytes: small(bytes), header: small(header), fields })
}

fn subfields(
    source: &Source<'_>,
    field: u8,
    value: &Value<'_>,
    drafts: &mut BTreeMap<u8, Draft>,
) -> Result<(), DialectError> {
    for (key, value) in source.table("fields", value, "a table of subfields")? {
        let number = key.get_ref().parse::<u8>().ok().filter(|n| n.to_string() == *key.get_ref());
        let number = number.filter(|number| (1..=128).contains(number));
        let number =
            number.ok_or_else(|| source.error(&key.span(), DialectReason::SubfieldNumber { field }))?;
        if value.get_ref().as_str() == Some("none") {
            let missing = || source.error(&value.span(), DialectReason::NothingToRemove { field });
            drafts.remove(&number).ok_or_else(missing)?;
            continue;
        }
        let record = source.table(key.get_ref(), value, "a record in braces, or \"none\"")?;
        let draft = draft::draft(source, field, &key.span(), record, drafts.get(&number))?;
        drafts.insert(number, draft);
    }
    Ok(())
}

fn datasets(
    source: &Source<'_>,
    field: u8,
    value: &Value<'_>,
    base: Option<&InsideDraft>,
) -> Result<InsideDraft, DialectError> {
    let want =
        "{ id = 1, length = bytes of the length }, with a table for each identifier in hex that is known";
    let mut known = match base {
        Some(InsideDraft::Datasets { known, .. }) => known.clone(),
        Some(_) | None => BTreeMap::new(),
    };
    let mut length = 2;
    for (key, value) in source.table("datasets", value, want)? {
        match key.get_ref().as_ref() {
            "id" => {
                source.number("id", value, 1, "1: an identifier is one byte")?;
            }
            "length" => length = source.number("length", value, 4, "a number from 1 to 4")?,
            id => {
                let unknown = || source.unknown(key, "id, length, or an identifier in hex");
                let number = identifier(id).ok_or_else(unknown)?;
                let record = source.table(id, value, "a record in braces")?;
                // A set is what its frame holds: there is no type to say.
                let content =
                    Draft { word: Some(Word::Raw), ..Draft::plain("b".to_owned(), Notation::CONTENT) };
                let base = known.get(&number).cloned().unwrap_or(content);
                let forms = ["type", "as", "odd", "length", "filled"];
                if let Some((said, _)) = forms.iter().find_map(|form| record.get_key_value(*form)) {
                    return Err(source.conflict(&said.span(), field, Conflict::SetHasForm));
                }
                known.insert(number, draft::draft(source, field, &key.span(), record, Some(&base))?);
            }
        }
    }
    Ok(InsideDraft::Datasets { length: u8::try_from(length).unwrap_or(2), known })
}
