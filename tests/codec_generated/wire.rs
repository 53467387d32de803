//! A message of a [`Case`] on the wire, written from the notation's description alone: slowly, and sharing nothing with
//! the codec.

use std::collections::BTreeMap;

use crate::plan::{Bitmap, Case, Content, Field, Forms, Object, SetContent, Third, Tlv};

/// The frame, and where each field ends in it; as field 1, where the first begins.
pub(crate) fn frame(case: &Case) -> (Vec<u8>, BTreeMap<u8, usize>) {
    let mut out = case.header();
    out.extend(match case.mti_form {
        "ascii" => case.mti.as_bytes().to_vec(),
        "bcd" => packed(case.mti.as_bytes(), "left 0"),
        _ => ebcdic("cp500", case.mti.as_bytes()),
    });
    let mut bits = [0_u64; 3];
    let said = case.said();
    for number in &said {
        bits[usize::from((number - 1) / 64)] |= (1 << 63) >> ((number - 1) % 64);
    }
    let leading = case.third == Third::Leading && bits[2] != 0;
    if leading {
        bits[1] |= 1 << 63;
    }
    let second = match case.secondary {
        "announced" => bits[1] != 0,
        "none" => false,
        _ => true,
    };
    if second && case.secondary != "unannounced" {
        bits[0] |= 1 << 63;
    }
    let mut put = |word: u64| {
        let hex = format!("{word:016X}");
        out.extend(match case.bitmap {
            "binary" => word.to_be_bytes().to_vec(),
            "hex" => hex.into_bytes(),
            _ => ebcdic("cp500", hex.as_bytes()),
        });
    };
    put(bits[0]);
    if second {
        put(bits[1]);
    }
    if leading {
        put(bits[2]);
    }
    let fields: BTreeMap<u8, &Field> = case.message().into_iter().collect();
    let mut ends = BTreeMap::from([(1, out.len())]);
    for number in said {
        match fields.get(&number) {
            Some(field) => out.extend(value(field, &case.forms)),
            None => out.extend(bits[2].to_be_bytes()),
        }
        ends.insert(number, out.len());
    }
    (out, ends)
}

/// A field with its length and filling.
pub(crate) fn value(field: &Field, forms: &Forms) -> Vec<u8> {
    let logical = logical(field, forms);
    let wire = written(field, forms, &logical);
    let Some(variable) = field.variable else { return wire };
    let counted = if variable.counts == Some("bytes") { wire.len() } else { logical.len() };
    let bytes = prefix_bytes(field, forms);
    let number = counted + if variable.itself { bytes } else { 0 };
    let decimal = |width: usize| format!("{number:0width$}").into_bytes();
    let mut out = match variable.form.or(forms.lengths).unwrap_or("ascii") {
        "ascii" => decimal(bytes),
        "ebcdic" => ebcdic("cp500", &decimal(bytes)),
        "bcd" => packed(&decimal(2 * bytes), "left 0"),
        _ => number.to_be_bytes()[8 - bytes..].to_vec(),
    };
    let behind = if variable.filled { wire_bytes(field, forms, max(field, forms)) - wire.len() } else { 0 };
    out.extend(wire);
    out.extend(vec![filling(field, forms); behind]);
    out
}

/// Bytes of the length.
pub(crate) fn prefix_bytes(field: &Field, forms: &Forms) -> usize {
    let variable = field.variable.unwrap();
    let usual = match variable.form.or(forms.lengths).unwrap_or("ascii") {
        "ascii" | "ebcdic" => variable.dots,
        "bcd" => variable.dots.div_ceil(2),
        _ if max(field, forms) <= 255 => 1,
        _ => 2,
    };
    variable.bytes.unwrap_or(usual).into()
}

/// The largest number that the length can tell.
pub(crate) fn most(field: &Field, forms: &Forms) -> usize {
    let base: usize = match field.variable.unwrap().form.or(forms.lengths).unwrap_or("ascii") {
        "ascii" | "ebcdic" => 10,
        "bcd" => 100,
        _ => 256,
    };
    base.pow(u32::try_from(prefix_bytes(field, forms)).unwrap()) - 1
}

/// Characters of the longest value, or bytes of what is binary.
pub(crate) fn max(field: &Field, forms: &Forms) -> usize {
    let slack = field.variable.map_or(0, |variable| variable.slack.into());
    logical(field, forms).len() + slack
}

/// How the characters are written: as the field says, or as all of its class are.
pub(crate) fn word(field: &Field, forms: &Forms) -> &'static str {
    field.word.unwrap_or(match field.class {
        "n" | "x+n" => forms.digits.unwrap_or("ascii"),
        "z" => forms.track.unwrap_or("ascii"),
        "b" | "absent" if field.variable.is_some() => "raw",
        "b" | "absent" => forms.binary,
        _ => forms.text.unwrap_or("ascii"),
    })
}

pub(crate) fn odd(field: &Field, forms: &Forms) -> &'static str {
    field.odd.unwrap_or(match field.class {
        "z" => forms.track_odd.unwrap_or("right F"),
        _ => forms.odd.unwrap_or("left 0"),
    })
}

fn written(field: &Field, forms: &Forms, logical: &[u8]) -> Vec<u8> {
    match word(field, forms) {
        "bcd" if field.class == "x+n" => {
            let (sign, digits) = logical.split_at(1);
            let mut out = match forms.text {
                Some(page @ ("cp037" | "cp500" | "cp1047")) => ebcdic(page, sign),
                _ => sign.to_vec(),
            };
            out.extend(packed(digits, odd(field, forms)));
            out
        }
        "bcd" => packed(logical, odd(field, forms)),
        "hex" => hex::encode_upper(logical).into_bytes(),
        page @ ("cp037" | "cp500" | "cp1047") => ebcdic(page, logical),
        _ => logical.to_vec(),
    }
}

pub(crate) fn wire_bytes(field: &Field, forms: &Forms, units: usize) -> usize {
    match word(field, forms) {
        "bcd" if field.class == "x+n" => 1 + (units - 1).div_ceil(2),
        "bcd" => units.div_ceil(2),
        "hex" => units * 2,
        _ => units,
    }
}

fn filling(field: &Field, forms: &Forms) -> u8 {
    match (word(field, forms), field.class) {
        ("bcd" | "raw", _) => 0,
        ("hex", _) => b'0',
        ("cp037" | "cp500" | "cp1047", "n") => 0xf0,
        ("cp037" | "cp500" | "cp1047", _) => 0x40,
        (_, "n") => b'0',
        (_, _) => b' ',
    }
}

fn packed(digits: &[u8], odd: &str) -> Vec<u8> {
    let mut nibbles: Vec<u8> =
        digits.iter().map(|digit| if matches!(digit, b'D' | b'=') { 0xd } else { digit - b'0' }).collect();
    if nibbles.len() % 2 == 1 {
        let (side, with) = odd.split_once(' ').unwrap();
        let with = if with == "F" { 0xf } else { 0 };
        nibbles.insert(if side == "left" { 0 } else { nibbles.len() }, with);
    }
    nibbles.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Characters in a code page, by the table of others that is in the fixtures.
pub(crate) fn ebcdic(page: &str, text: &[u8]) -> Vec<u8> {
    static PAGES: &str = include_str!("../../fixtures/codec/code-pages.txt");
    let number = page.trim_start_matches("cp").trim_start_matches('0');
    let line = PAGES.lines().find(|line| line.trim_start_matches('0').starts_with(&format!("{number} ")));
    let table = hex::decode(line.unwrap().split_once(' ').unwrap().1).unwrap();
    let place = |byte: &u8| table.iter().position(|character| character == byte).unwrap();
    text.iter().map(|byte| u8::try_from(place(byte)).unwrap()).collect()
}

/// The value as the codec takes and gives it: characters, or bytes.
pub(crate) fn logical(field: &Field, forms: &Forms) -> Vec<u8> {
    content(&field.holds, forms)
}

fn content(content: &Content, forms: &Forms) -> Vec<u8> {
    match content {
        Content::Leaf(value) => value.clone(),
        Content::Widths(parts) => parts.iter().flat_map(|(_, part)| part).copied().collect(),
        Content::Parts(parts, missing) => {
            parts[..parts.len() - missing].iter().flat_map(|part| value(part, forms)).collect()
        }
        Content::Tlv(tlv, elements) => {
            elements.iter().flat_map(|(tag, value)| element(*tlv, tag, value)).collect()
        }
        Content::Ber(_, objects) => objects.iter().flat_map(object).collect(),
        Content::Bitmap(inside) => subfields(inside, forms),
        Content::Datasets(length, sets) => sets
            .iter()
            .flat_map(|set| {
                let value = set_content(&set.holds, forms);
                let mut out = vec![set.id];
                out.extend(&value.len().to_be_bytes()[8 - usize::from(*length)..]);
                out.extend(value);
                out
            })
            .collect(),
    }
}

pub(crate) fn set_content(holds: &SetContent, forms: &Forms) -> Vec<u8> {
    match holds {
        SetContent::Declared(inside) => subfields(inside, forms),
        SetContent::Ber(objects) => objects.iter().flat_map(object).collect(),
        SetContent::Bytes(bytes) => bytes.clone(),
    }
}

fn element(tlv: Tlv, tag: &[u8], value: &[u8]) -> Vec<u8> {
    let (width, number) = (usize::from(tlv.length), value.len() + tlv.counted());
    let length = if tlv.binary {
        number.to_be_bytes()[8 - width..].to_vec()
    } else {
        format!("{number:0width$}").into_bytes()
    };
    let head = if tlv.length_first { [&length, tag] } else { [tag, &length] };
    [head[0], head[1], value].concat()
}

fn object(object: &Object) -> Vec<u8> {
    let value = match &object.value {
        Ok(value) => value.clone(),
        Err(inner) => inner.iter().flat_map(self::object).collect(),
    };
    let length = match value.len() {
        len @ 0..0x80 => vec![len],
        len @ 0x80..0x100 => vec![0x81, len],
        len => vec![0x82, len / 256, len % 256],
    };
    let length = length.into_iter().map(|byte| u8::try_from(byte).unwrap());
    object.tag.iter().copied().chain(length).chain(value).collect()
}

fn subfields(inside: &Bitmap, forms: &Forms) -> Vec<u8> {
    let mut bits = 0_u128;
    let said = || inside.fields.iter().filter(|(_, (said, _))| *said);
    said().for_each(|(number, _)| bits |= (1 << 127) >> (number - 1));
    let bitmap = &bits.to_be_bytes()[..inside.bytes.into()];
    let mut out = inside.header.clone();
    out.extend(if inside.hex { hex::encode_upper(bitmap).into_bytes() } else { bitmap.to_vec() });
    said().for_each(|(_, (_, field))| out.extend(value(field, forms)));
    out
}

/// The values of what is inside, in order, as the codec takes them.
pub(crate) fn pieces(holds: &Content, forms: &Forms) -> Vec<Vec<u8>> {
    let subfields = |inside: &Bitmap| {
        let header = (!inside.header.is_empty()).then(|| inside.header.clone());
        let said = inside.fields.values().filter(|(said, _)| *said).map(|(_, field)| logical(field, forms));
        header.into_iter().chain(said).collect()
    };
    match holds {
        Content::Leaf(_) => Vec::new(),
        Content::Widths(parts) => {
            parts.iter().filter(|(named, _)| *named).map(|(_, value)| value.clone()).collect()
        }
        Content::Parts(parts, missing) => {
            parts[..parts.len() - missing].iter().map(|part| logical(part, forms)).collect()
        }
        Content::Tlv(_, elements) => elements.iter().map(|(_, value)| value.clone()).collect(),
        Content::Ber(_, objects) => objects
            .iter()
            .map(|object| match &object.value {
                Ok(value) => value.clone(),
                Err(inner) => inner.iter().flat_map(self::object).collect(),
            })
            .collect(),
        Content::Bitmap(inside) => subfields(inside),
        Content::Datasets(_, sets) => sets.iter().map(|set| set_content(&set.holds, forms)).collect(),
    }
}
