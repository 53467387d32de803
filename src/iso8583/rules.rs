//! Rules of a dialect beyond its table: another layout for some messages, and which fields must be there.

use std::collections::BTreeMap;

use super::dialect::Field;
use super::message::Fields;
use super::mti::Mti;
use super::table::Layout;

/// Most conditions of a dialect: which of them hold is kept as bits of one word.
pub(super) const CONDITIONS_MAX: usize = 64;

/// Message types, `x` standing for any digit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct MtiPattern(pub(super) [u8; 4]);

impl MtiPattern {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let pattern = <[u8; 4]>::try_from(text.as_bytes()).ok()?;
        pattern.iter().all(|c| c.is_ascii_digit() || *c == b'x').then_some(Self(pattern))
    }

    fn fits(self, mti: Mti) -> bool {
        self.0.iter().zip(mti.as_bytes()).all(|(want, is)| *want == b'x' || want == is)
    }
}

/// Whether a message type is among those of a rule; none given is all.
fn fits(patterns: &[MtiPattern], mti: Mti) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| pattern.fits(mti))
}

/// What a value is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Test {
    Is(Vec<Vec<u8>>),
    Begins(Vec<Vec<u8>>),
}

impl Test {
    fn holds(&self, value: &[u8]) -> bool {
        match self {
            Self::Is(texts) => texts.iter().any(|text| text == value),
            Self::Begins(texts) => texts.iter().any(|text| value.starts_with(text)),
        }
    }
}

/// Something that is so of some messages: their type, and what stands in one of their fields.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) mti: Vec<MtiPattern>,
    pub(super) field: Option<(u8, Test)>,
}

/// Another layout of some fields, for some messages.
#[derive(Clone, Debug)]
pub(super) struct When {
    /// Of the dialect's conditions, by place.
    pub(super) condition: usize,
    pub(super) layouts: BTreeMap<u8, (Layout, Field)>,
}

/// Which of a dialect's conditions hold for a message, as far as it is known: one bit each.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Holding(u64);

impl Holding {
    /// Those that ask for the message type alone.
    pub(super) fn of(conditions: &[Condition], mti: Mti) -> Self {
        let mut holding = Self(0);
        for (index, condition) in conditions.iter().enumerate() {
            if condition.field.is_none() && fits(&condition.mti, mti) {
                holding.0 |= Self::bit(index);
            }
        }
        holding
    }

    /// Adds those that ask for this field.
    #[cold]
    pub(super) fn learn(&mut self, conditions: &[Condition], mti: Mti, field: u8, value: &[u8]) {
        for (index, condition) in conditions.iter().enumerate() {
            let asked = condition.field.as_ref();
            if asked.is_some_and(|(asked, test)| *asked == field && test.holds(value))
                && fits(&condition.mti, mti)
            {
                self.0 |= Self::bit(index);
            }
        }
    }

    fn has(self, index: usize) -> bool {
        self.0 & Self::bit(index) != 0
    }

    fn bit(index: usize) -> u64 {
        u32::try_from(index).ok().and_then(|index| 1_u64.checked_shl(index)).unwrap_or(0)
    }

    /// The first layout of a field whose condition holds.
    pub(super) fn find(self, whens: &[When], field: u8) -> Option<&(Layout, Field)> {
        whens.iter().filter(|when| self.has(when.condition)).find_map(|when| when.layouts.get(&field))
    }
}

/// Which fields messages of some types must have, and must not.
#[derive(Clone, Debug)]
pub(super) struct Presence {
    pub(super) mti: Vec<MtiPattern>,
    pub(super) mandatory: Fields,
    pub(super) forbidden: Fields,
    pub(super) conditional: Vec<Conditional>,
}

/// Fields that must be there if something is so.
#[derive(Clone, Debug)]
pub(super) struct Conditional {
    pub(super) fields: Fields,
    pub(super) given: Given,
}

#[derive(Clone, Debug)]
pub(super) enum Given {
    With(u8),
    Without(u8),
    /// One of the dialect's conditions, by place.
    Condition(usize),
}

/// A rule that a message breaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Breach {
    Missing(u8),
    Forbidden(u8),
}

/// The first rule that a message breaks.
pub(super) fn breach(rules: &[Presence], mti: Mti, fields: Fields, holding: Holding) -> Option<Breach> {
    for rule in rules.iter().filter(|rule| fits(&rule.mti, mti)) {
        if let Some(missing) = rule.mandatory.without(fields).first() {
            return Some(Breach::Missing(missing));
        }
        if let Some(forbidden) = rule.forbidden.and(fields).first() {
            return Some(Breach::Forbidden(forbidden));
        }
        for conditional in &rule.conditional {
            let so = match conditional.given {
                Given::With(field) => fields.has(field),
                Given::Without(field) => !fields.has(field),
                Given::Condition(condition) => holding.has(condition),
            };
            if let Some(missing) = conditional.fields.without(fields).first().filter(|_| so) {
                return Some(Breach::Missing(missing));
            }
        }
    }
    None
}
