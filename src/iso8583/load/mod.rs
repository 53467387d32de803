//! Reading a dialect file: everything about it is checked here, so that a [`Dialect`] in hand is a sound one.

mod compile;
mod draft;
mod field;
mod inside;
mod rules;
mod sense;
mod source;

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::dialect::{Bitmap, Dialect, MtiForm, Secondary, Tertiary};
use super::framing::Framing;
use super::header::Header;
use super::load_error::{DialectError, DialectReason};
use super::packed::Odd;
use super::table::PrefixForm;
use draft::{Draft, LENGTHS, ODD, WANT_LENGTHS, WANT_ODD, WORDS, Word};
use rules::{PresenceDraft, WhenDraft};
use source::{Files, Place, Source, Value};

/// Longest chain of `extends`.
const DEPTH_MAX: usize = 8;

/// A file with its bases merged in.
#[derive(Default)]
struct Whole {
    name: String,
    note: String,
    framing: Option<(Framing, Place)>,
    headers: Vec<Header>,
    mti: Option<MtiForm>,
    bitmap: Option<Bitmap>,
    secondary: Option<Secondary>,
    tertiary: Option<Tertiary>,
    forms: Forms,
    fields: BTreeMap<u8, Draft>,
    whens: Vec<WhenDraft>,
    presence: Vec<PresenceDraft>,
    codes: BTreeMap<String, (Place, BTreeMap<String, String>)>,
    names: BTreeMap<String, (Place, String)>,
}

/// How values are written unless their field says otherwise.
#[derive(Clone, Copy)]
struct Forms {
    digits: Word,
    text: Word,
    track: Word,
    binary: Option<Word>,
    lengths: PrefixForm,
    odd: Odd,
    track_odd: Odd,
}

impl Default for Forms {
    fn default() -> Self {
        Self {
            digits: Word::Ascii,
            text: Word::Ascii,
            track: Word::Ascii,
            binary: None,
            lengths: PrefixForm::Ascii,
            odd: Odd::LEFT_ZERO,
            track_odd: Odd::RIGHT_F,
        }
    }
}

type Base<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Reads and checks a dialect.
pub(super) fn load(file: &str, text: &str, base: Base<'_>) -> Result<Dialect, DialectError> {
    let mut chain = Vec::new();
    let whole = read(&Source::new(file, text, 0), base, &mut chain)?;
    compile::compile(&Files { file, chain }, whole)
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
        Some(extends) => extended(source, extends, base, chain)?,
        None => Whole::default(),
    };
    whole.name = name;
    whole.note = String::new();
    if let Some(fields) = table.get("fields") {
        draft::fields(source, fields, &mut whole.fields, &mut whole.whens)?;
    }
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "name" | "extends" | "fields" => {}
            "note" => whole.note = source.text("note", value)?,
            "framing" => whole.framing = Some((framing(source, value)?, source.place(&value.span()))),
            "header" => whole.headers = headers(source, value)?,
            "when" => rules::whens(source, value, &whole.fields, &mut whole.whens)?,
            "presence" => rules::presence(source, value, &mut whole.presence)?,
            "codes" => codes(source, value, &mut whole.codes)?,
            "names" => names(source, value, &mut whole.names)?,
            word => {
                if !layout(source, word, value, &mut whole)? && !form(source, word, value, &mut whole.forms)?
                {
                    let known = "name, note, extends, framing, header, mti, bitmap, secondary, tertiary, digits, text, \
                                 track, binary, lengths, odd, track_odd, fields, when, presence, codes, names";
                    return Err(source.unknown(key, known));
                }
            }
        }
    }
    if whole.mti.is_none() {
        return Err(missing("mti"));
    }
    if whole.fields.is_empty() {
        return Err(missing("fields"));
    }
    Ok(whole)
}

/// Reads what a file extends.
fn extended(
    source: &Source<'_>,
    extends: &Value<'_>,
    base: Base<'_>,
    chain: &mut Vec<String>,
) -> Result<Whole, DialectError> {
    let parent = source.text("extends", extends)?;
    if chain.contains(&parent) || chain.len() >= DEPTH_MAX {
        return Err(source.error(&extends.span(), DialectReason::Circle { name: parent }));
    }
    let text = base(&parent)
        .ok_or_else(|| source.error(&extends.span(), DialectReason::NoBase { name: parent.clone() }))?;
    let file = format!("{parent}.toml");
    read(&Source::new(&file, &text, chain.len()), base, chain)
}

/// Reads a key that tells how messages begin; false if it is none of them.
fn layout(
    source: &Source<'_>,
    key: &str,
    value: &Value<'_>,
    whole: &mut Whole,
) -> Result<bool, DialectError> {
    match key {
        "mti" => {
            let words = [("ascii", MtiForm::Ascii), ("bcd", MtiForm::Bcd), ("ebcdic", MtiForm::Ebcdic)];
            let want = "\"ascii\", \"bcd\" or \"ebcdic\"";
            whole.mti = Some(source.word(key, value, &words, want)?);
        }
        "bitmap" => {
            let words = [("hex", Bitmap::Hex), ("binary", Bitmap::Binary), ("ebcdic hex", Bitmap::EbcdicHex)];
            let want = "\"hex\", \"binary\" or \"ebcdic hex\"";
            whole.bitmap = Some(source.word(key, value, &words, want)?);
        }
        "secondary" => {
            let words = [
                ("announced", Secondary::Announced),
                ("always", Secondary::Always),
                ("unannounced", Secondary::Unannounced),
                ("none", Secondary::None),
            ];
            let want = "\"announced\", \"always\", \"unannounced\" or \"none\"";
            whole.secondary = Some(source.word(key, value, &words, want)?);
        }
        "tertiary" if value.get_ref().as_integer().is_some() => {
            whole.tertiary = Some(Tertiary::Field(source.field_value(value)?));
        }
        "tertiary" => {
            let words = [("none", Tertiary::None), ("leading", Tertiary::Leading)];
            let want = "\"none\", \"leading\" or the number of the field that carries it";
            whole.tertiary = Some(source.word(key, value, &words, want)?);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Reads a key that tells how values are written; false if it is none of them.
fn form(source: &Source<'_>, key: &str, value: &Value<'_>, forms: &mut Forms) -> Result<bool, DialectError> {
    let word = |fits: fn(Word) -> bool, want| {
        let words: Vec<(&str, Word)> = WORDS.iter().copied().filter(|(_, word)| fits(*word)).collect();
        source.word(key, value, &words, want)
    };
    let digits = |word| matches!(word, Word::Ascii | Word::Bcd | Word::Ebcdic(_));
    let want_digits = "\"ascii\", \"bcd\", \"cp037\", \"cp500\" or \"cp1047\"";
    match key {
        "digits" => forms.digits = word(digits, want_digits)?,
        "track" => forms.track = word(digits, want_digits)?,
        "text" => {
            let text = |word| matches!(word, Word::Ascii | Word::Latin1 | Word::Ebcdic(_));
            forms.text = word(text, "\"ascii\", \"latin1\", \"cp037\", \"cp500\" or \"cp1047\"")?;
        }
        "binary" => {
            forms.binary = Some(word(|word| matches!(word, Word::Raw | Word::Hex), "\"hex\" or \"raw\"")?);
        }
        "lengths" => forms.lengths = source.word(key, value, LENGTHS, WANT_LENGTHS)?,
        "odd" => forms.odd = source.word(key, value, ODD, WANT_ODD)?,
        "track_odd" => forms.track_odd = source.word(key, value, ODD, WANT_ODD)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn framing(source: &Source<'_>, value: &Value<'_>) -> Result<Framing, DialectError> {
    let text = source.text("framing", value)?;
    Framing::parse(&text).map_err(|error| source.error(&value.span(), DialectReason::Framing(error)))
}

fn headers(source: &Source<'_>, value: &Value<'_>) -> Result<Vec<Header>, DialectError> {
    let want = "a list of { tpdu = hex }, { text = \"…\" }, { bytes = hex } or { counted = hex }";
    let list = source.list("header", value, want)?;
    list.into_iter().map(|item| header(source, item, want)).collect()
}

fn header(source: &Source<'_>, item: &Value<'_>, want: &'static str) -> Result<Header, DialectError> {
    let record = source.table("header", item, want)?;
    let known = |key: &str| matches!(key, "tpdu" | "text" | "bytes" | "counted" | "begins");
    if let Some((key, _)) = record.iter().find(|(key, _)| !known(key.get_ref())) {
        return Err(source.unknown(key, "tpdu, text, bytes, counted, begins"));
    }
    let said = ["tpdu", "text", "bytes", "counted"].map(|key| record.get(key).map(|value| (key, value)));
    let mut said = said.into_iter().flatten();
    let (Some((kind, value)), None) = (said.next(), said.next()) else {
        return Err(source.wants("header", item, want));
    };
    let begins = record.get("begins");
    if begins.is_some() && !matches!(kind, "text" | "bytes") {
        return Err(source.wants("header", item, "without `begins`: that is for `text` and `bytes`"));
    }
    Ok(match kind {
        "tpdu" => {
            let sent = <[u8; 5]>::try_from(source.hex("tpdu", value)?);
            Header::Tpdu { sent: sent.map_err(|_| source.wants("tpdu", value, "five bytes in hex"))? }
        }
        "counted" => {
            let sent = source.hex("counted", value)?;
            if sent.first().copied().map(usize::from) != Some(sent.len()) || sent.len() < 2 {
                let want = "bytes in hex, two or more, the first of them their number";
                return Err(source.wants("counted", value, want));
            }
            Header::Counted { sent }
        }
        kind => {
            let bytes = |key, value| {
                if kind == "text" {
                    source.text(key, value).map(String::into_bytes)
                } else {
                    source.hex(key, value)
                }
            };
            let sent = bytes(kind, value)?;
            let begins = begins.map(|value| bytes("begins", value)).transpose()?.unwrap_or_default();
            if !sent.starts_with(&begins) {
                return Err(source.wants("header", item, "one that begins with what `begins` says"));
            }
            Header::Fixed { sent, begins }
        }
    })
}

fn codes(
    source: &Source<'_>,
    value: &Value<'_>,
    codes: &mut BTreeMap<String, (Place, BTreeMap<String, String>)>,
) -> Result<(), DialectError> {
    for (path, value) in source.table("codes", value, "tables of values and what they mean")? {
        let place = source.place(&path.span());
        let (said, meanings) =
            codes.entry(path.get_ref().to_string()).or_insert_with(|| (place, BTreeMap::new()));
        *said = place;
        for (code, value) in source.table(path.get_ref(), value, "a table of values and what they mean")? {
            meanings.insert(code.get_ref().to_string(), source.text(code.get_ref(), value)?);
        }
    }
    Ok(())
}

fn names(
    source: &Source<'_>,
    value: &Value<'_>,
    names: &mut BTreeMap<String, (Place, String)>,
) -> Result<(), DialectError> {
    for (path, value) in source.table("names", value, "a table of paths and what stands there")? {
        let named = (source.place(&path.span()), source.text(path.get_ref(), value)?);
        names.insert(path.get_ref().to_string(), named);
    }
    Ok(())
}
