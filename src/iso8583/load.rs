//! Reading a dialect file: everything about it is checked here, so that a [`Dialect`] in hand is a sound one.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::charset::Class;
use super::dialect::{Bitmap, CardData, Dialect, Field, Part};
use super::load_error::{Conflict, DialectError, DialectReason};
use super::notation::Notation;
use super::table::{Layout, Table, Tlv};

/// Longest chain of `extends`.
const DEPTH_MAX: usize = 8;

/// Fields that carry card data by the standard: their record must say what of it may be kept.
const CARD_FIELDS: &[u8] = &[2, 35, 36, 45, 52, 55];

/// One field, as read.
#[derive(Clone)]
struct Draft {
    /// Line in the extending file; `None` if it came from the base.
    line: Option<usize>,
    name: String,
    text: String,
    notation: Notation,
    hex: Option<bool>,
    card_data: Option<CardData>,
    tlv: Option<Tlv>,
    parts: Vec<Part>,
}

/// A file with its bases merged in.
#[derive(Default)]
struct Whole {
    name: String,
    note: String,
    mti: bool,
    bitmap: Option<Bitmap>,
    hex: Option<bool>,
    fields: BTreeMap<u8, Draft>,
}

type Base<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Reads and checks a dialect.
pub(super) fn load(file: &str, text: &str, base: Base<'_>) -> Result<Dialect, DialectError> {
    let source = Source { file, text };
    let whole = read(&source, base, &mut Vec::new())?;
    compile(&source, whole)
}

/// A file being read: turns places in it into lines.
struct Source<'a> {
    file: &'a str,
    text: &'a str,
}

impl Source<'_> {
    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        before.bytes().filter(|byte| *byte == b'\n').count().saturating_add(1)
    }

    fn error(&self, span: &Range<usize>, reason: DialectReason) -> DialectError {
        self.on_line(self.line(span), reason)
    }

    fn on_line(&self, line: usize, reason: DialectReason) -> DialectError {
        DialectError { file: self.file.to_owned(), line, reason }
    }

    fn wants(&self, key: &str, value: &Spanned<DeValue<'_>>, want: &'static str) -> DialectError {
        self.error(&value.span(), DialectReason::Wants { key: key.to_owned(), want })
    }

    fn text(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<String, DialectError> {
        let text = value.get_ref().as_str().filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or_else(|| self.wants(key, value, "a text in quotes"))
    }

    fn number(&self, key: &str, value: &Spanned<DeValue<'_>>, max: u16) -> Result<u16, DialectError> {
        let number = value.get_ref().as_integer().and_then(|number| number.as_str().parse::<u16>().ok());
        let number = number.filter(|number| (1..=max).contains(number));
        number.ok_or_else(|| {
            self.wants(key, value, if max == 4 { "a number from 1 to 4" } else { "a number from 1 to 9999" })
        })
    }

    fn hex(&self, value: &Spanned<DeValue<'_>>) -> Result<bool, DialectError> {
        match value.get_ref().as_str() {
            Some("hex") => Ok(true),
            Some("raw") => Ok(false),
            Some(_) | None => Err(self.wants("binary", value, "\"hex\" or \"raw\"")),
        }
    }

    fn unknown(&self, key: &Spanned<std::borrow::Cow<'_, str>>, known: &'static str) -> DialectError {
        self.error(&key.span(), DialectReason::UnknownKey { key: key.get_ref().to_string(), known })
    }
}

/// Reads a file and, before it, what it extends.
fn read(source: &Source<'_>, base: Base<'_>, chain: &mut Vec<String>) -> Result<Whole, DialectError> {
    let document = DeTable::parse(source.text).map_err(|error| {
        let message = error.message().to_owned();
        source.error(&error.span().unwrap_or_default(), DialectReason::Syntax { message })
    })?;
    let table = document.get_ref();
    let missing = |key| source.on_line(1, DialectReason::Missing { key });
    let name = source.text("name", table.get("name").ok_or_else(|| missing("name"))?)?;
    chain.push(name.clone());
    let mut whole = match table.get("extends") {
        Some(extends) => {
            let parent = source.text("extends", extends)?;
            if chain.contains(&parent) || chain.len() >= DEPTH_MAX {
                return Err(source.error(&extends.span(), DialectReason::Circle { name: parent }));
            }
            let text = base(&parent).ok_or_else(|| {
                source.error(&extends.span(), DialectReason::NoBase { name: parent.clone() })
            })?;
            let file = format!("{parent}.toml");
            let mut whole = read(&Source { file: &file, text: &text }, base, chain)?;
            whole.fields.values_mut().for_each(|draft| draft.line = None);
            whole
        }
        None => Whole::default(),
    };
    whole.name = name;
    whole.note = String::new();
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "name" | "extends" => {}
            "note" => whole.note = source.text("note", value)?,
            "mti" => match value.get_ref().as_str() {
                Some("ascii") => whole.mti = true,
                Some(_) | None => return Err(source.wants("mti", value, "\"ascii\"")),
            },
            "bitmap" => match value.get_ref().as_str() {
                Some("hex") => whole.bitmap = Some(Bitmap::Hex),
                Some("binary") => whole.bitmap = Some(Bitmap::Binary),
                Some(_) | None => return Err(source.wants("bitmap", value, "\"hex\" or \"binary\"")),
            },
            "binary" => whole.hex = Some(source.hex(value)?),
            "fields" => fields(source, value, &mut whole.fields)?,
            _ => return Err(source.unknown(key, "name, note, extends, mti, bitmap, binary, fields")),
        }
    }
    if !whole.mti {
        return Err(missing("mti"));
    }
    if whole.fields.is_empty() {
        return Err(missing("fields"));
    }
    Ok(whole)
}

/// Reads `[fields]` over what the base has.
fn fields(
    source: &Source<'_>,
    value: &Spanned<DeValue<'_>>,
    drafts: &mut BTreeMap<u8, Draft>,
) -> Result<(), DialectError> {
    let table = value.get_ref().as_table().ok_or_else(|| source.wants("fields", value, "a table"))?;
    for (key, value) in table {
        let number = key.get_ref().parse::<u8>().ok();
        let number = number.filter(|n| (2..=128).contains(n) && *n != 65 && n.to_string() == *key.get_ref());
        let field = number.ok_or_else(|| source.error(&key.span(), DialectReason::FieldNumber))?;
        match value.get_ref() {
            DeValue::String(none) if none == "none" => {
                drafts
                    .remove(&field)
                    .ok_or_else(|| source.error(&value.span(), DialectReason::NothingToRemove { field }))?;
            }
            DeValue::Table(record) => {
                let draft = draft(source, field, &key.span(), record, drafts.get(&field))?;
                drafts.insert(field, draft);
            }
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_) => {
                return Err(source.wants(key.get_ref(), value, "a record in braces, or \"none\""));
            }
        }
    }
    Ok(())
}

/// Reads one field's record. What it leaves out it inherits, but a new `type` starts the layout afresh: the
/// base's `binary`, `tlv` and `parts` belonged to the old one.
fn draft(
    source: &Source<'_>,
    field: u8,
    place: &Range<usize>,
    record: &DeTable<'_>,
    base: Option<&Draft>,
) -> Result<Draft, DialectError> {
    let line = source.line(place);
    let missing = |key| source.on_line(line, DialectReason::Missing { key });
    let name = match (record.get("name"), base) {
        (Some(value), _) => source.text("name", value)?,
        (None, Some(base)) => base.name.clone(),
        (None, None) => return Err(missing("name")),
    };
    let card_data = base.and_then(|base| base.card_data);
    let mut draft = match (record.get("type"), base) {
        (Some(value), _) => {
            let text = source.text("type", value)?;
            let notation = Notation::parse(&text)
                .map_err(|reason| source.error(&value.span(), DialectReason::Notation { field, reason }))?;
            Draft { line: None, name, text, notation, hex: None, card_data, tlv: None, parts: Vec::new() }
        }
        (None, Some(base)) => Draft { name, ..base.clone() },
        (None, None) => return Err(missing("type")),
    };
    draft.line = Some(line);
    for (key, value) in record {
        match key.get_ref().as_ref() {
            "name" | "type" => {}
            "binary" => draft.hex = Some(source.hex(value)?),
            "tlv" => draft.tlv = Some(tlv(source, value)?),
            "parts" => draft.parts = parts(source, field, value)?,
            "card_data" => {
                draft.card_data = Some(match value.get_ref().as_str() {
                    Some("pan") => CardData::Pan,
                    Some("never") => CardData::Never,
                    Some("none") => CardData::None,
                    Some(_) | None => {
                        return Err(source.wants("card_data", value, "\"pan\", \"never\" or \"none\""));
                    }
                });
            }
            _ => return Err(source.unknown(key, "name, type, binary, card_data, tlv, parts")),
        }
    }
    Ok(draft)
}

fn tlv(source: &Source<'_>, value: &Spanned<DeValue<'_>>) -> Result<Tlv, DialectError> {
    let want = "{ tag = characters, length = digits }";
    let table = value.get_ref().as_table().ok_or_else(|| source.wants("tlv", value, want))?;
    if let Some((key, _)) = table.iter().find(|(key, _)| !matches!(key.get_ref().as_ref(), "tag" | "length"))
    {
        return Err(source.unknown(key, "tag, length"));
    }
    let width = |key| {
        let value = table.get(key).ok_or_else(|| source.wants("tlv", value, want))?;
        source.number(key, value, 4).map(|width| u8::try_from(width).unwrap_or(u8::MAX))
    };
    Ok(Tlv { tag: width("tag")?, length: width("length")? })
}

/// Reads parts in their order: each begins where the one before ends.
fn parts(source: &Source<'_>, field: u8, value: &Spanned<DeValue<'_>>) -> Result<Vec<Part>, DialectError> {
    let want = "a list of { name = \"…\", width = characters } and { blank = characters }";
    let list = value.get_ref().as_array().ok_or_else(|| source.wants("parts", value, want))?;
    let mut parts = Vec::<Part>::new();
    let mut start = 0_u16;
    for item in list.iter() {
        let record = item.get_ref().as_table().ok_or_else(|| source.wants("parts", item, want))?;
        let known = |key: &str| matches!(key, "name" | "width" | "blank");
        if let Some((key, _)) = record.iter().find(|(key, _)| !known(key.get_ref())) {
            return Err(source.unknown(key, "name, width, blank"));
        }
        let (name, len) = match (record.get("name"), record.get("width"), record.get("blank")) {
            (Some(name), Some(width), None) => {
                (Some(part_name(source, name)?), source.number("width", width, 9999)?)
            }
            (None, None, Some(blank)) => (None, source.number("blank", blank, 9999)?),
            _ => return Err(source.wants("parts", item, want)),
        };
        if name.is_some() && parts.iter().any(|part| part.name == name) {
            let conflict = Conflict::SamePart;
            return Err(source.error(&item.span(), DialectReason::Conflict { field, conflict }));
        }
        parts.push(Part { name, start, len });
        start = start.saturating_add(len);
    }
    if parts.is_empty() { Err(source.wants("parts", value, want)) } else { Ok(parts) }
}

/// A part's name stands in field paths, so it is short and has no dot.
fn part_name(source: &Source<'_>, value: &Spanned<DeValue<'_>>) -> Result<String, DialectError> {
    let fits = |name: &str| {
        name.len() <= 16 && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    };
    let name = source.text("name", value)?;
    let want = "at most 16 small letters, digits and `_`";
    if fits(&name) { Ok(name) } else { Err(source.wants("name", value, want)) }
}

/// Makes the flat table, checking each field against everything it says.
fn compile(source: &Source<'_>, whole: Whole) -> Result<Dialect, DialectError> {
    let missing = |key| source.on_line(1, DialectReason::Missing { key });
    let bitmap = whole.bitmap.ok_or_else(|| missing("bitmap"))?;
    let hex = whole.hex.ok_or_else(|| missing("binary"))?;
    let (mut table, mut fields) = (Table::EMPTY, BTreeMap::new());
    for (number, draft) in whole.fields {
        let layout = layout(number, &draft, hex).map_err(|conflict| {
            source.on_line(draft.line.unwrap_or(1), DialectReason::Conflict { field: number, conflict })
        })?;
        table.set(number, layout);
        let card_data = draft.card_data.unwrap_or(CardData::None);
        fields
            .insert(number, Field { name: draft.name, notation: draft.text, card_data, parts: draft.parts });
    }
    Ok(Dialect { name: whole.name, note: whole.note, bitmap, table, fields })
}

/// How a field lies on the wire, if all that its record says can be.
fn layout(number: u8, draft: &Draft, hex_default: bool) -> Result<Layout, Conflict> {
    let Notation { class, prefix, max } = draft.notation;
    let text = matches!(class, Class::An | Class::Ans);
    if draft.card_data.is_none() && CARD_FIELDS.contains(&number) {
        return Err(Conflict::CardDataUnsaid);
    }
    if draft.card_data == Some(CardData::Pan) && !(text || class == Class::N) {
        return Err(Conflict::PanNotText);
    }
    if let Some(tlv) = draft.tlv {
        if prefix == 0 {
            return Err(Conflict::FixedTlv);
        }
        if !text {
            return Err(Conflict::NotText);
        }
        if !draft.parts.is_empty() {
            return Err(Conflict::TlvAndParts);
        }
        if u16::from(tlv.tag).saturating_add(u16::from(tlv.length)) > max {
            return Err(Conflict::NoRoomForElement);
        }
    }
    if !draft.parts.is_empty() {
        if !text && class != Class::N {
            return Err(Conflict::NotText);
        }
        let parts = draft.parts.iter().map(|part| usize::from(part.len)).sum::<usize>();
        if parts > usize::from(max) {
            return Err(Conflict::PartsTooWide { parts, max });
        }
        if prefix == 0 && parts < usize::from(max) {
            return Err(Conflict::PartsTooNarrow { parts, max });
        }
    }
    if class != Class::B {
        return if draft.hex.is_some() {
            Err(Conflict::BinaryText)
        } else {
            Ok(Layout { max, prefix, class, tlv: draft.tlv })
        };
    }
    if !draft.hex.unwrap_or(hex_default) {
        return Ok(Layout { max, prefix, class, tlv: None });
    }
    // A default says how fixed binary is written; what has a length prefix counts bytes.
    match (prefix, draft.hex) {
        (0, _) => Ok(Layout { max: max.saturating_mul(2), prefix, class: Class::Hex, tlv: None }),
        (_, None) => Ok(Layout { max, prefix, class, tlv: None }),
        (_, Some(_)) => Err(Conflict::VariableHex),
    }
}
