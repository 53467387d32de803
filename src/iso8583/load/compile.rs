//! Drafts become the flat table, each field checked against everything it says.

use std::collections::BTreeMap;

use super::super::charset::Class;
use super::super::dialect::{Dialect, Field, Secondary, Tertiary};
use super::super::load_error::{Conflict, DialectError, DialectReason};
use super::super::message::Fields;
use super::super::rules::{CONDITIONS_MAX, Condition, Conditional, Given, Presence, When};
use super::super::table::{Form, Layout, Table};
use super::draft::Draft;
use super::field;
use super::rules::{ConditionDraft, GivenDraft, PresenceDraft};
use super::sense::{self, Asked};
use super::source::{Files, Place};
use super::{Forms, Whole};

/// Fields that carry card data by the standard: their record must say what of it may be kept.
const CARD_FIELDS: &[u8] = &[2, 34, 35, 36, 45, 52, 55];

/// Makes the dialect.
pub(super) fn compile(files: &Files<'_>, whole: Whole) -> Result<Dialect, DialectError> {
    let missing = |key| files.error(Place::START, DialectReason::Missing { key });
    let mut dialect = Dialect {
        name: whole.name,
        note: whole.note,
        framing: whole.framing.map(|(framing, _)| framing).unwrap_or_default(),
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
        codes: BTreeMap::new(),
        names: BTreeMap::new(),
        mirrors: false,
    };
    let forms = Forms { binary: Some(whole.forms.binary.ok_or_else(|| missing("binary"))?), ..whole.forms };
    let framed = whole.framing.map_or(Place::START, |(_, place)| place);
    sense::head_ends_no_frame(files, &dialect, framed)?;
    let (mut places, mut asked) = (BTreeMap::new(), Vec::new());
    for (number, draft) in whole.fields {
        places.insert(number, draft.place.unwrap_or(Place::START));
        let (layout, field) = field(files, &mut dialect, &forms, number, &draft)?;
        dialect.table.set(number, layout);
        dialect.fields.insert(number, field);
    }
    for when in whole.whens {
        let condition = condition(files, &mut dialect, &mut asked, when.place, when.given)?;
        let decides = dialect.conditions.get(condition).and_then(|condition| condition.field.as_ref());
        let decides = decides.map_or(0, |(field, _)| *field);
        let mut layouts = BTreeMap::new();
        for (number, draft) in when.fields {
            let place = draft.place.unwrap_or(when.place);
            if number <= decides {
                return Err(files.conflict(place, number, Conflict::ConditionTooLate { asked: decides }));
            }
            if dialect.tertiary == Tertiary::Field(number) {
                return Err(files.conflict(place, number, Conflict::CannotCarryBitmap));
            }
            places.entry(number).or_insert(place);
            let (layout, known) = field(files, &mut dialect, &forms, number, &draft)?;
            varies(&mut dialect, number, &known);
            layouts.insert(number, (layout, known));
        }
        dialect.whens.push(When { condition, layouts });
    }
    for rule in whole.presence {
        let rule = presence(files, &mut dialect, &mut asked, rule)?;
        dialect.presence.push(rule);
    }
    check_bitmaps(files, &dialect, &places)?;
    sense::may_hold(files, &dialect, &asked)?;
    dialect.codes = sense::of_places(files, &dialect, whole.codes)?;
    dialect.names = sense::of_places(files, &dialect, whole.names)?;
    watch(&mut dialect);
    Ok(dialect)
}

/// Marks the fields that conditions ask for, in all of their layouts.
fn watch(dialect: &mut Dialect) {
    for (field, _) in dialect.conditions.iter().filter_map(|condition| condition.field.as_ref()) {
        let varied = dialect.whens.iter_mut().filter_map(|when| when.layouts.get_mut(field));
        for layout in dialect.table.layout_mut(*field).into_iter().chain(varied.map(|(layout, _)| layout)) {
            layout.watched = true;
            layout.plain = false;
            layout.recoded = false;
        }
    }
}

/// A field that another layout may stand in for: looked up the long way, and judged by the strictest.
fn varies(dialect: &mut Dialect, number: u8, known: &Field) {
    if let Some(layout) = dialect.table.layout_mut(number) {
        layout.varies = true;
        layout.plain = false;
        layout.recoded = false;
    }
    let usual = dialect.fields.entry(number).or_insert_with(|| known.clone());
    usual.strictest = usual.strictest.max(known.strictest);
}

/// The number of a condition; its field is watched from now on.
fn condition(
    files: &Files<'_>,
    dialect: &mut Dialect,
    asked: &mut Vec<Asked>,
    place: Place,
    given: GivenDraft,
) -> Result<usize, DialectError> {
    if let Some((field, test)) = &given.field {
        known(files, dialect, place, *field)?;
        asked.push((place, *field, test.clone()));
    }
    let index = dialect.conditions.len();
    if index >= CONDITIONS_MAX {
        return Err(files.error(place, DialectReason::TooManyConditions { max: CONDITIONS_MAX }));
    }
    dialect.conditions.push(Condition { mti: given.mti, field: given.field });
    Ok(index)
}

/// A rule may only name fields that there are.
fn known(files: &Files<'_>, dialect: &Dialect, place: Place, field: u8) -> Result<(), DialectError> {
    if dialect.fields.contains_key(&field) {
        return Ok(());
    }
    Err(files.error(place, DialectReason::NoSuchField { field }))
}

fn presence(
    files: &Files<'_>,
    dialect: &mut Dialect,
    asked: &mut Vec<Asked>,
    rule: PresenceDraft,
) -> Result<Presence, DialectError> {
    let place = rule.place;
    let set = |dialect: &Dialect, numbers: &[u8]| {
        let mut fields = Fields::default();
        for number in numbers {
            known(files, dialect, place, *number)?;
            fields.insert(*number);
        }
        Ok(fields)
    };
    let mandatory = set(dialect, &rule.mandatory)?;
    let forbidden = set(dialect, &rule.forbidden)?;
    if let Some(field) = mandatory.and(forbidden).first() {
        return Err(files.conflict(place, field, Conflict::MandatoryAndForbidden));
    }
    let mut conditional = Vec::new();
    for one in rule.conditional {
        let fields = set(dialect, &one.fields)?;
        let given = match one.given {
            ConditionDraft::With(field) | ConditionDraft::Without(field) => {
                known(files, dialect, place, field)?;
                let with = matches!(one.given, ConditionDraft::With(_));
                if with { Given::With(field) } else { Given::Without(field) }
            }
            ConditionDraft::Value(field, test) => {
                let given = GivenDraft { mti: Vec::new(), field: Some((field, test)) };
                Given::Condition(condition(files, dialect, asked, place, given)?)
            }
        };
        conditional.push(Conditional { fields, given });
    }
    Ok(Presence { mti: rule.mti, mandatory, forbidden, conditional })
}

/// Fields above 128 need a third bitmap, and the field that carries it must be able to.
fn check_bitmaps(
    files: &Files<'_>,
    dialect: &Dialect,
    places: &BTreeMap<u8, Place>,
) -> Result<(), DialectError> {
    let refused = |field, conflict| {
        files.conflict(places.get(&field).copied().unwrap_or(Place::START), field, conflict)
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
            let fits = |layout: &Layout| {
                layout.class == Class::B
                    && layout.max == 8
                    && layout.prefix.is_none()
                    && layout.form == Form::Plain
                    && layout.inside.is_none()
            };
            if carrier > 128 || !dialect.table.layout(carrier).is_some_and(fits) {
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
    files: &Files<'_>,
    dialect: &mut Dialect,
    forms: &Forms,
    number: u8,
    draft: &Draft,
) -> Result<(Layout, Field), DialectError> {
    let place = draft.place.unwrap_or(Place::START);
    if draft.card_data.is_none() && CARD_FIELDS.contains(&number) {
        return Err(files.conflict(place, number, Conflict::CardDataUnsaid));
    }
    let made = field::field(forms, draft);
    let mut made = made.map_err(|(at, conflict)| files.conflict(at.unwrap_or(place), number, conflict))?;
    if let Some(end) = dialect.framing.end_byte() {
        sense::ends_no_frame(end, &made.layout, made.structure.as_deref())
            .map_err(|conflict| files.conflict(place, number, conflict))?;
    }
    if matches!(dialect.tertiary, Tertiary::Field(carrier) if number >= carrier) {
        // The writer looks where the third bitmap belongs.
        made.layout.plain = false;
        made.layout.recoded = false;
    }
    if let Some(structure) = made.structure {
        made.layout.inside = u16::try_from(dialect.structures.len()).ok();
        dialect.structures.push(*structure);
    }
    dialect.mirrors |= made.layout.is_mirrored() || made.mirrors;
    Ok((made.layout, made.field))
}
