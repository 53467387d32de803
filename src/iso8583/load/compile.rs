//! Drafts become the flat table, each field checked against everything it says.

use std::collections::BTreeMap;

use super::super::charset::Class;
use super::super::dialect::{CardData, Dialect, Field, Secondary, Tertiary};
use super::super::load_error::{Conflict, DialectError, DialectReason};
use super::super::message::Fields;
use super::super::notation::Notation;
use super::super::rules::{CONDITIONS_MAX, Condition, Conditional, Given, Presence, When};
use super::super::structure::{Datasets, Structure, Subfield, Subfields, Widths};
use super::super::table::{Form, Layout, Prefix, PrefixForm, Table, Tlv};
use super::draft::{Draft, Word};
use super::inside::InsideDraft;
use super::rules::{ConditionDraft, GivenDraft, PresenceDraft};
use super::source::Source;
use super::{Forms, Whole};

/// Fields that carry card data by the standard: their record must say what of it may be kept.
const CARD_FIELDS: &[u8] = &[2, 34, 35, 36, 45, 52, 55];

/// Makes the dialect.
pub(super) fn compile(source: &Source<'_>, whole: Whole) -> Result<Dialect, DialectError> {
    let missing = |key| source.on_line(1, DialectReason::Missing { key });
    let mut dialect = Dialect {
        name: whole.name,
        note: whole.note,
        headers: whole.headers,
        mti: whole.mti.ok_or_else(|| missing("mti"))?,
        bitmap: whole.bitmap.ok_or_else(|| missing("bitmap"))?,
        secondary: whole.secondary.unwrap_or(Secondary::Announced),
        tertiary: whole.tertiary.unwrap_or(Tertiary::None),
        table: Table::EMPTY,
        structures: Vec::new(),
        fields: BTreeMap::new(),
        conditions: Vec::new(),
        whens: Vec::new(),
        presence: Vec::new(),
        codes: whole.codes,
        names: whole.names,
        mirrors: false,
    };
    let forms = Forms { binary: Some(whole.forms.binary.ok_or_else(|| missing("binary"))?), ..whole.forms };
    let mut lines = BTreeMap::new();
    for (number, draft) in whole.fields {
        lines.insert(number, draft.line.unwrap_or(1));
        let (layout, field) = field(source, &mut dialect, &forms, number, &draft)?;
        dialect.table.set(number, layout);
        dialect.fields.insert(number, field);
    }
    for when in whole.whens {
        let condition = condition(source, &mut dialect, when.line, when.given)?;
        let asked = dialect.conditions.get(condition).and_then(|condition| condition.field.as_ref());
        let asked = asked.map_or(0, |(field, _)| *field);
        let mut layouts = BTreeMap::new();
        for (number, draft) in when.fields {
            if number <= asked {
                let conflict = Conflict::ConditionTooLate { asked };
                let line = draft.line.unwrap_or(when.line);
                return Err(source.on_line(line, DialectReason::Conflict { field: number, conflict }));
            }
            let (layout, known) = field(source, &mut dialect, &forms, number, &draft)?;
            varies(&mut dialect, number, &known);
            layouts.insert(number, (layout, known));
        }
        dialect.whens.push(When { condition, layouts });
    }
    for rule in whole.presence {
        let rule = presence(source, &mut dialect, rule)?;
        dialect.presence.push(rule);
    }
    check_bitmaps(source, &dialect, &lines)?;
    Ok(dialect)
}

/// A field that another layout may stand in for: looked up the long way, and judged by the strictest.
fn varies(dialect: &mut Dialect, number: u8, known: &Field) {
    if let Some(layout) = dialect.table.layout_mut(number) {
        layout.varies = true;
        layout.plain = false;
    }
    let usual = dialect.fields.entry(number).or_insert_with(|| known.clone());
    usual.strictest = usual.strictest.max(known.strictest);
}

/// The number of a condition; its field is watched from now on.
fn condition(
    source: &Source<'_>,
    dialect: &mut Dialect,
    line: usize,
    given: GivenDraft,
) -> Result<usize, DialectError> {
    if let Some((field, _)) = &given.field {
        known(source, dialect, line, *field)?;
        if let Some(layout) = dialect.table.layout_mut(*field) {
            layout.watched = true;
            layout.plain = false;
        }
    }
    let index = dialect.conditions.len();
    if index >= CONDITIONS_MAX {
        return Err(source.on_line(line, DialectReason::TooManyConditions { max: CONDITIONS_MAX }));
    }
    dialect.conditions.push(Condition { mti: given.mti, field: given.field });
    Ok(index)
}

/// A rule may only name fields that there are.
fn known(source: &Source<'_>, dialect: &Dialect, line: usize, field: u8) -> Result<(), DialectError> {
    if dialect.fields.contains_key(&field) {
        return Ok(());
    }
    Err(source.on_line(line, DialectReason::NoSuchField { field }))
}

fn presence(
    source: &Source<'_>,
    dialect: &mut Dialect,
    rule: PresenceDraft,
) -> Result<Presence, DialectError> {
    let line = rule.line;
    let set = |dialect: &Dialect, numbers: &[u8]| {
        let mut fields = Fields::default();
        for number in numbers {
            known(source, dialect, line, *number)?;
            fields.insert(*number);
        }
        Ok(fields)
    };
    let mandatory = set(dialect, &rule.mandatory)?;
    let forbidden = set(dialect, &rule.forbidden)?;
    if let Some(field) = mandatory.and(forbidden).first() {
        let conflict = Conflict::MandatoryAndForbidden;
        return Err(source.on_line(line, DialectReason::Conflict { field, conflict }));
    }
    let mut conditional = Vec::new();
    for one in rule.conditional {
        let fields = set(dialect, &one.fields)?;
        let given = match one.given {
            ConditionDraft::With(field) | ConditionDraft::Without(field) => {
                known(source, dialect, line, field)?;
                let with = matches!(one.given, ConditionDraft::With(_));
                if with { Given::With(field) } else { Given::Without(field) }
            }
            ConditionDraft::Value(field, test) => {
                let given = GivenDraft { mti: Vec::new(), field: Some((field, test)) };
                Given::Condition(condition(source, dialect, line, given)?)
            }
        };
        conditional.push(Conditional { fields, given });
    }
    Ok(Presence { mti: rule.mti, mandatory, forbidden, conditional })
}

/// Fields above 128 need a third bitmap, and the field that carries it must be able to.
fn check_bitmaps(
    source: &Source<'_>,
    dialect: &Dialect,
    lines: &BTreeMap<u8, usize>,
) -> Result<(), DialectError> {
    let refused = |field, conflict| {
        let line = lines.get(&field).copied().unwrap_or(1);
        source.on_line(line, DialectReason::Conflict { field, conflict })
    };
    let last = dialect.fields.keys().next_back().copied().unwrap_or(0);
    match dialect.tertiary {
        Tertiary::None | Tertiary::Field(_) if dialect.tertiary == Tertiary::None && last > 128 => {
            return Err(refused(last, Conflict::NoThirdBitmap));
        }
        Tertiary::Leading | Tertiary::None if dialect.fields.contains_key(&65) => {
            return Err(refused(65, Conflict::AnnouncesBitmap));
        }
        Tertiary::Field(carrier) => {
            let layout = dialect.table.layout(carrier);
            let fits = |layout: &Layout| {
                layout.class == Class::B
                    && layout.max == 8
                    && layout.prefix.is_none()
                    && layout.form == Form::Plain
            };
            if carrier > 128 || !layout.is_some_and(fits) {
                return Err(refused(carrier, Conflict::CannotCarryBitmap));
            }
        }
        Tertiary::None | Tertiary::Leading => {}
    }
    if dialect.secondary == Secondary::None
        && let Some(field) = dialect.fields.keys().find(|field| **field > 64)
    {
        return Err(refused(*field, Conflict::NoSecondBitmap));
    }
    Ok(())
}

/// One field of the table with what is inside it.
fn field(
    source: &Source<'_>,
    dialect: &mut Dialect,
    forms: &Forms,
    number: u8,
    draft: &Draft,
) -> Result<(Layout, Field), DialectError> {
    let refused =
        |line: usize, conflict| source.on_line(line, DialectReason::Conflict { field: number, conflict });
    let line = draft.line.unwrap_or(1);
    if draft.card_data.is_none() && CARD_FIELDS.contains(&number) {
        return Err(refused(line, Conflict::CardDataUnsaid));
    }
    let mut made = subfield(forms, draft).map_err(|(at, conflict)| refused(at.unwrap_or(line), conflict))?;
    made.layout.watched = false;
    if dialect.tertiary == Tertiary::Field(number) {
        made.layout.plain = false;
    }
    if let Some(structure) = made.structure {
        made.layout.inside = u16::try_from(dialect.structures.len()).ok();
        dialect.structures.push(*structure);
    }
    dialect.mirrors |= made.layout.is_mirrored() || made.mirrors;
    Ok((made.layout, made.field))
}

/// A field and everything inside it.
struct Made {
    layout: Layout,
    field: Field,
    structure: Option<Box<Structure>>,
    /// Whether anything inside is not plain on the wire.
    mirrors: bool,
}

/// What is wrong, and on which line if it is not the field's own.
type Refused = (Option<usize>, Conflict);

fn subfield(forms: &Forms, draft: &Draft) -> Result<Made, Refused> {
    let own = |conflict| (draft.line, conflict);
    let Notation { class, prefix: dots, max } = draft.notation;
    let form = form(forms, draft).map_err(own)?;
    if draft.card_data == Some(CardData::Pan) && !matches!(class, Class::N | Class::An | Class::Ans) {
        return Err(own(Conflict::PanNotText));
    }
    let prefix = prefix(forms, draft, dots).map_err(own)?;
    if draft.filled && prefix.is_none() {
        return Err(own(Conflict::FilledFixed));
    }
    let mut layout = Layout {
        max,
        class,
        plain: false,
        digits: 0,
        tlv: None,
        form,
        prefix,
        filled: draft.filled,
        inside: None,
        watched: false,
        varies: false,
    };
    if let Some(prefix) = prefix {
        prefix_holds(&layout, prefix).map_err(own)?;
    }
    let mut field = Field {
        name: draft.name.clone(),
        notation: draft.text.clone(),
        card_data: draft.card_data.unwrap_or(CardData::None),
        strictest: draft.card_data.unwrap_or(CardData::None),
    };
    let (structure, mirrors) = match &draft.inside {
        None => (None, false),
        Some(inside) => {
            let (structure, card_data, mirrors) = inside_of(forms, &layout, inside, own)?;
            // What may not be kept in part may not be kept as a whole.
            if card_data != CardData::None {
                field.strictest = CardData::Never;
            }
            (Some(Box::new(structure)), mirrors)
        }
    };
    let ascii_prefix = prefix.is_none_or(|prefix| {
        prefix.form == PrefixForm::Ascii && !prefix.counts_bytes && !prefix.includes_itself
    });
    let usual = match structure.as_deref() {
        None => Some(None),
        Some(Structure::Tlv(tlv)) if tlv.is_usual() => Some(Some(*tlv)),
        Some(_) => None,
    };
    if let Some(tlv) = usual.filter(|_| form == Form::Plain) {
        layout.tlv = tlv;
        layout.plain = ascii_prefix && !draft.filled;
        layout.digits = prefix.map_or(0, |prefix| prefix.bytes);
    }
    Ok(Made { layout, field, structure, mirrors })
}

fn form(forms: &Forms, draft: &Draft) -> Result<Form, Conflict> {
    let Notation { class, prefix, .. } = draft.notation;
    if draft.notation.is_absent() {
        return Ok(Form::Absent);
    }
    let binary = || {
        // A default says how fixed binary is written; what has a length prefix counts bytes.
        forms.binary.filter(|_| prefix == 0).unwrap_or(Word::Raw)
    };
    let (usual, odd) = match class {
        Class::N | Class::Xn => (forms.digits, forms.odd),
        Class::Z => (forms.track, forms.track_odd),
        Class::B => (binary(), forms.odd),
        Class::A | Class::An | Class::Ns | Class::As | Class::Ans => (forms.text, forms.odd),
    };
    let word = draft.word.unwrap_or(usual);
    if draft.odd.is_some() && word != Word::Bcd {
        return Err(Conflict::OddWithoutBcd);
    }
    match (word, class) {
        (Word::Raw, Class::B) => Ok(Form::Plain),
        (Word::Hex, Class::B) => {
            let said = draft.length.and_then(|length| length.counts_bytes).is_some();
            if prefix > 0 && !said { Err(Conflict::VariableHex) } else { Ok(Form::Hex) }
        }
        (Word::Raw | Word::Hex, _) => Err(Conflict::BinaryText),
        (_, Class::B) => Err(Conflict::TextBinary),
        (Word::Bcd, Class::N | Class::Xn | Class::Z) => {
            let ebcdic_sign = matches!(forms.text, Word::Ebcdic(_));
            Ok(Form::Bcd { odd: draft.odd.unwrap_or(odd), ebcdic_sign })
        }
        (Word::Bcd, _) => Err(Conflict::BcdText),
        (Word::Ascii, _) => Ok(Form::Plain),
        (Word::Latin1, _) => Ok(Form::Latin1),
        (Word::Ebcdic(page), _) => Ok(Form::Ebcdic(page)),
    }
}

fn prefix(forms: &Forms, draft: &Draft, dots: u8) -> Result<Option<Prefix>, Conflict> {
    if dots == 0 {
        return if draft.length.is_some() { Err(Conflict::LengthOfFixed) } else { Ok(None) };
    }
    let said = draft.length.unwrap_or_default();
    let form = said.form.unwrap_or(forms.lengths);
    let usual = match form {
        PrefixForm::Ascii | PrefixForm::Ebcdic => dots,
        PrefixForm::Bcd => dots.div_ceil(2),
        PrefixForm::Binary if draft.notation.max <= 255 => 1,
        PrefixForm::Binary => 2,
    };
    let bytes = said.bytes.unwrap_or(usual);
    let most = if matches!(form, PrefixForm::Bcd | PrefixForm::Binary) { 4 } else { 6 };
    if bytes > most {
        return Err(Conflict::PrefixTooWide { most });
    }
    let counts_bytes = said.counts_bytes.unwrap_or(false);
    Ok(Some(Prefix { form, bytes, counts_bytes, includes_itself: said.includes_itself }))
}

/// Whether a prefix can tell the longest value.
fn prefix_holds(layout: &Layout, prefix: Prefix) -> Result<(), Conflict> {
    let max = usize::from(layout.max);
    let counted = if prefix.counts_bytes { layout.wire_bytes(max) } else { max };
    let own = if prefix.includes_itself { usize::from(prefix.bytes) } else { 0 };
    let (need, most) = (counted.saturating_add(own), prefix.most());
    if need > most { Err(Conflict::PrefixTooNarrow { need, most }) } else { Ok(()) }
}

/// Makes the structure of a field, with the strictest card data in it and whether anything in it is not plain.
fn inside_of(
    forms: &Forms,
    layout: &Layout,
    inside: &InsideDraft,
    own: impl Fn(Conflict) -> Refused,
) -> Result<(Structure, CardData, bool), Refused> {
    let text = matches!(layout.class, Class::An | Class::Ans);
    let bytes = layout.class == Class::B;
    let (mut worst, mut mirrors) = (CardData::None, false);
    let mut sub = |key: String, draft: &Draft| {
        let made = subfield(forms, draft)?;
        worst = worst.max(made.field.strictest);
        mirrors |= made.mirrors || made.layout.is_mirrored();
        Ok(Subfield { key, layout: made.layout, field: made.field, structure: made.structure })
    };
    let structure = match inside {
        InsideDraft::Widths(parts) => {
            let wide: usize = parts.iter().map(|part| usize::from(part.len)).sum();
            if !text && layout.class != Class::N {
                return Err(own(Conflict::NotText));
            }
            if wide > usize::from(layout.max) {
                return Err(own(Conflict::PartsTooWide { parts: wide, max: layout.max }));
            }
            if layout.prefix.is_none() && wide < usize::from(layout.max) {
                return Err(own(Conflict::PartsTooNarrow { parts: wide, max: layout.max }));
            }
            Structure::Widths(Widths { parts: parts.clone(), short: layout.prefix.is_some() })
        }
        InsideDraft::Tlv(tlv) => {
            check_tlv(layout, *tlv, if tlv.binary { bytes } else { text }).map_err(own)?;
            Structure::Tlv(*tlv)
        }
        InsideDraft::Ber { depth } if bytes => Structure::Ber { depth: *depth },
        InsideDraft::Ber { .. } => return Err(own(Conflict::NotBytes)),
        InsideDraft::Parts(_) | InsideDraft::Bitmap { .. } | InsideDraft::Datasets { .. }
            if layout.form != Form::Plain || !(bytes || text) =>
        {
            return Err(own(Conflict::NotBytes));
        }
        InsideDraft::Parts(parts) => {
            let parts: Result<_, Refused> =
                parts.iter().map(|(key, draft)| sub(key.clone(), draft)).collect();
            Structure::Parts(parts?)
        }
        InsideDraft::Bitmap { hex, bytes, header, fields } => {
            let most = bytes.saturating_mul(8);
            if fields.keys().next_back().is_some_and(|last| *last > most) {
                return Err(own(Conflict::BitmapTooSmall { most }));
            }
            let fields: Result<_, Refused> = fields
                .iter()
                .map(|(number, draft)| sub(number.to_string(), draft).map(|field| (*number, field)))
                .collect();
            Structure::Bitmap(Subfields { hex: *hex, bytes: *bytes, header: *header, fields: fields? })
        }
        InsideDraft::Datasets { length, known } => {
            let known: Result<_, Refused> = known
                .iter()
                .map(|(id, draft)| sub(format!("{id:02X}"), draft).map(|field| (*id, field)))
                .collect();
            Structure::Datasets(Datasets { length: *length, known: known? })
        }
    };
    Ok((structure, worst, mirrors))
}

fn check_tlv(layout: &Layout, tlv: Tlv, fits: bool) -> Result<(), Conflict> {
    if layout.prefix.is_none() && !layout.filled && layout.class != Class::B {
        return Err(Conflict::FixedTlv);
    }
    if !fits {
        return Err(Conflict::NotText);
    }
    if u16::from(tlv.tag).saturating_add(u16::from(tlv.length)) > layout.max {
        return Err(Conflict::NoRoomForElement);
    }
    Ok(())
}
