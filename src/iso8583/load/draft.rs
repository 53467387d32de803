//! One field's record, as read: nothing is decided yet that depends on the rest of the file.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::super::dialect::CardData;
use super::super::load_error::{DialectError, DialectReason};
use super::super::notation::Notation;
use super::super::packed::Odd;
use super::super::pages::Page;
use super::super::table::PrefixForm;
use super::inside::{self, InsideDraft};
use super::rules::WhenDraft;
use super::source::{Place, Source, Value};

/// One field, as read.
#[derive(Clone)]
pub(super) struct Draft {
    /// Where it stands.
    pub(super) place: Option<Place>,
    pub(super) name: String,
    pub(super) text: String,
    pub(super) notation: Notation,
    pub(super) word: Option<Word>,
    pub(super) odd: Option<Odd>,
    pub(super) length: Option<LengthDraft>,
    pub(super) filled: bool,
    pub(super) card_data: Option<CardData>,
    pub(super) inside: Option<InsideDraft>,
}

/// How characters are written, as a file says it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Word {
    Ascii,
    Latin1,
    Ebcdic(Page),
    Bcd,
    Raw,
    Hex,
}

pub(super) const WORDS: &[(&str, Word)] = &[
    ("ascii", Word::Ascii),
    ("latin1", Word::Latin1),
    ("cp037", Word::Ebcdic(Page::Cp037)),
    ("cp500", Word::Ebcdic(Page::Cp500)),
    ("cp1047", Word::Ebcdic(Page::Cp1047)),
    ("bcd", Word::Bcd),
    ("raw", Word::Raw),
    ("hex", Word::Hex),
];

/// A length prefix, as far as it is said.
#[derive(Clone, Copy, Default)]
pub(super) struct LengthDraft {
    pub(super) form: Option<PrefixForm>,
    pub(super) bytes: Option<u8>,
    pub(super) counts_bytes: Option<bool>,
    pub(super) includes_itself: bool,
}

pub(super) const LENGTHS: &[(&str, PrefixForm)] = &[
    ("ascii", PrefixForm::Ascii),
    ("bcd", PrefixForm::Bcd),
    ("binary", PrefixForm::Binary),
    ("ebcdic", PrefixForm::Ebcdic),
];
pub(super) const WANT_LENGTHS: &str = "\"ascii\", \"bcd\", \"binary\" or \"ebcdic\"";

pub(super) const ODD: &[(&str, Odd)] = &[
    ("left 0", Odd::LEFT_ZERO),
    ("right 0", Odd::RIGHT_ZERO),
    ("left F", Odd::LEFT_F),
    ("right F", Odd::RIGHT_F),
];
pub(super) const WANT_ODD: &str = "\"left 0\", \"right 0\", \"left F\" or \"right F\"";

/// Reads `[fields]` over what the base has. A field that is taken away is none for any messages.
pub(super) fn fields(
    source: &Source<'_>,
    value: &Value<'_>,
    drafts: &mut BTreeMap<u8, Draft>,
    whens: &mut Vec<WhenDraft>,
) -> Result<(), DialectError> {
    let removed = changed(source, value, drafts, "a record in braces, or \"none\"")?;
    for (field, span) in removed {
        let usual = drafts.remove(&field).is_some();
        let varied = whens.iter_mut().filter_map(|when| when.fields.remove(&field)).count();
        if !usual && varied == 0 {
            return Err(source.error(&span, DialectReason::NothingToRemove { field }));
        }
    }
    whens.retain(|when| !when.fields.is_empty());
    Ok(())
}

/// Reads the fields of `[when.fields]` over what there is. None can be taken away for some messages: what follows it would
/// be read at another place, and `forbidden` says that it must not be there.
pub(super) fn varied(
    source: &Source<'_>,
    value: &Value<'_>,
    drafts: &mut BTreeMap<u8, Draft>,
) -> Result<(), DialectError> {
    let want = "a record in braces; a field that some messages must not have is `forbidden` in [[presence]]";
    let removed = changed(source, value, drafts, want)?;
    let Some((field, span)) = removed.into_iter().next() else { return Ok(()) };
    Err(source.error(&span, DialectReason::Wants { key: field.to_string(), want }))
}

/// Reads records of fields over what there is, and gives those that are to be taken away.
fn changed(
    source: &Source<'_>,
    value: &Value<'_>,
    drafts: &mut BTreeMap<u8, Draft>,
    want: &'static str,
) -> Result<Vec<(u8, Range<usize>)>, DialectError> {
    let mut removed = Vec::new();
    for (key, value) in source.table("fields", value, "a table")? {
        let field = source.field_number(key.get_ref(), &key.span())?;
        match value.get_ref() {
            DeValue::String(none) if none == "none" => removed.push((field, value.span())),
            DeValue::Table(record) => {
                let draft = draft(source, field, &key.span(), record, drafts.get(&field))?;
                drafts.insert(field, draft);
            }
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_) => return Err(source.wants(key.get_ref(), value, want)),
        }
    }
    Ok(removed)
}

/// Reads one field's record. What it leaves out it inherits, but a new `type` starts the layout afresh: what the base
/// said of its form and of what is inside belonged to the old one.
pub(super) fn draft(
    source: &Source<'_>,
    field: u8,
    place: &Range<usize>,
    record: &DeTable<'_>,
    base: Option<&Draft>,
) -> Result<Draft, DialectError> {
    let missing = |key| source.error(place, DialectReason::Missing { key });
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
            Draft { name, card_data, ..Draft::plain(text, notation) }
        }
        (None, Some(base)) => Draft { name, ..base.clone() },
        (None, None) => return Err(missing("type")),
    };
    draft.place = Some(source.place(place));
    for (key, value) in record {
        match key.get_ref().as_ref() {
            "name" | "type" | "header" => {}
            "as" => {
                let want =
                    "\"ascii\", \"latin1\", \"cp037\", \"cp500\", \"cp1047\", \"bcd\", \"raw\" or \"hex\"";
                draft.word = Some(source.word("as", value, WORDS, want)?);
            }
            "odd" => draft.odd = Some(source.word("odd", value, ODD, WANT_ODD)?),
            "length" => draft.length = Some(length(source, value)?),
            "filled" => draft.filled = source.yes("filled", value)?,
            "card_data" => {
                let words = [("pan", CardData::Pan), ("never", CardData::Never), ("none", CardData::None)];
                let want = "\"pan\", \"never\" or \"none\"";
                draft.card_data = Some(source.word("card_data", value, &words, want)?);
            }
            "parts" | "tlv" | "ber" | "bitmap" | "fields" | "datasets" => {}
            _ => {
                let known = "name, type, as, odd, length, filled, card_data, parts, tlv, ber, bitmap, fields, datasets";
                return Err(source.unknown(key, known));
            }
        }
    }
    if let Some(inside) = inside::read(source, field, record, draft.inside.as_ref())? {
        draft.inside = Some(inside);
    }
    Ok(draft)
}

impl Draft {
    /// A field of this type of which nothing else is said.
    pub(super) const fn plain(text: String, notation: Notation) -> Self {
        Self {
            place: None,
            name: String::new(),
            text,
            notation,
            word: None,
            odd: None,
            length: None,
            filled: false,
            card_data: None,
            inside: None,
        }
    }
}

fn length(source: &Source<'_>, value: &Value<'_>) -> Result<LengthDraft, DialectError> {
    if value.get_ref().is_str() {
        let form = source.word("length", value, LENGTHS, WANT_LENGTHS)?;
        return Ok(LengthDraft { form: Some(form), ..LengthDraft::default() });
    }
    let want = "a word such as \"bcd\", or { as = \"binary\", bytes = 1, counts = \"bytes\", includes = \"itself\" }";
    let mut length = LengthDraft::default();
    for (key, value) in source.table("length", value, want)? {
        match key.get_ref().as_ref() {
            "as" => length.form = Some(source.word("as", value, LENGTHS, WANT_LENGTHS)?),
            "bytes" => {
                let bytes = source.number("bytes", value, 6, "a number from 1 to 6")?;
                length.bytes = u8::try_from(bytes).ok();
            }
            "counts" => {
                let words = [("digits", false), ("bytes", true)];
                length.counts_bytes =
                    Some(source.word("counts", value, &words, "\"digits\" or \"bytes\"")?);
            }
            "includes" => {
                length.includes_itself = source.word("includes", value, &[("itself", true)], "\"itself\"")?;
            }
            _ => return Err(source.unknown(key, "as, bytes, counts, includes")),
        }
    }
    Ok(length)
}
