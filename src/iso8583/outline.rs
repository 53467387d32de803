//! A dialect told for people: what its fields are, what is inside them, and what holds for some messages only.

use std::fmt::Write as _;

use super::dialect::{CardData, Dialect, Field};
use super::message::Fields;
use super::rules::{Conditional, Given, MtiPattern, Presence, Test};
use super::structure::{Structure, Subfield};
use super::table::Layout;

/// A field, or something inside one, as a dialect declares it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// As in a path: `48`, `90.stan`, `127.25.3`; `48.CN` of an element that has a name.
    pub path: String,
    /// What it is called.
    pub name: String,
    /// Its type in the standard's notation; of a part by width, its width.
    pub notation: String,
    /// How what is inside is divided; empty if nothing is.
    pub inside: String,
    /// What of it may be kept.
    pub card_data: CardData,
}

/// A condition in words, and the fields that are otherwise where it holds.
pub type Otherwise = (String, Vec<Entry>);

impl Dialect {
    /// All fields with what is inside them, ascending, as they are if no condition holds.
    #[must_use]
    pub fn outline(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (number, field) in &self.fields {
            if let Some(layout) = self.table.layout(*number) {
                self.field_entries(*number, layout, field, &mut entries);
            }
        }
        entries
    }

    /// What is otherwise for some messages, in the order of the file.
    #[must_use]
    pub fn otherwise(&self) -> Vec<Otherwise> {
        let told = self.whens.iter().map(|when| {
            let mut entries = Vec::new();
            for (number, (layout, field)) in &when.layouts {
                self.field_entries(*number, layout, field, &mut entries);
            }
            (self.condition(when.condition), entries)
        });
        told.collect()
    }

    /// Which fields must be there and which must not, a sentence each.
    #[must_use]
    pub fn presence_rules(&self) -> Vec<String> {
        self.presence.iter().flat_map(|rule| self.rules(rule)).collect()
    }

    /// Paths of the fields whose values have meanings, with each code and what it means.
    pub fn coded(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = (&str, &str)>)> {
        self.codes.iter().map(|(path, codes)| {
            (path.as_str(), codes.iter().map(|(code, meaning)| (code.as_str(), meaning.as_str())))
        })
    }

    fn field_entries(&self, number: u8, layout: &Layout, field: &Field, entries: &mut Vec<Entry>) {
        let path = number.to_string();
        let structure = self.structure(layout);
        entries.push(entry(&path, field, structure));
        if let Some(structure) = structure {
            inside(structure, &path, entries);
        }
        let within = format!("{path}.");
        let named = self.names.iter().filter(|(path, _)| path.starts_with(&within));
        entries.extend(named.map(|(path, name)| Entry {
            path: path.clone(),
            name: name.clone(),
            notation: String::new(),
            inside: String::new(),
            card_data: CardData::None,
        }));
    }

    fn condition(&self, index: usize) -> String {
        let Some(condition) = self.conditions.get(index) else { return String::new() };
        let mut words = Vec::new();
        if !condition.mti.is_empty() {
            words.push(format!("message type {}", types(&condition.mti)));
        }
        if let Some((field, test)) = &condition.field {
            let (verb, texts) = match test {
                Test::Is(texts) => ("is", texts),
                Test::Begins(texts) => ("begins with", texts),
            };
            let texts: Vec<String> =
                texts.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect();
            words.push(format!("DE {field} {verb} {}", texts.join(" or ")));
        }
        words.join(", ")
    }

    fn rules(&self, rule: &Presence) -> Vec<String> {
        let of = match rule.mti.as_slice() {
            [] => "every message".to_owned(),
            patterns => types(patterns),
        };
        let mut rules = Vec::new();
        for (fields, verb) in [(rule.mandatory, "must have"), (rule.forbidden, "must not have")] {
            if fields != Fields::default() {
                rules.push(format!("{of} {verb} DE {}", numbers(fields)));
            }
        }
        for Conditional { fields, given } in &rule.conditional {
            let given = match given {
                Given::With(field) => format!("with DE {field}"),
                Given::Without(field) => format!("without DE {field}"),
                Given::Condition(index) => format!("where {}", self.condition(*index)),
            };
            rules.push(format!("{of} must have DE {} {given}", numbers(*fields)));
        }
        rules
    }
}

fn types(patterns: &[MtiPattern]) -> String {
    let texts: Vec<String> =
        patterns.iter().map(|pattern| String::from_utf8_lossy(&pattern.0).into_owned()).collect();
    texts.join(", ")
}

fn numbers(fields: Fields) -> String {
    fields.iter().map(|field| field.to_string()).collect::<Vec<String>>().join(", ")
}

fn entry(path: &str, field: &Field, structure: Option<&Structure>) -> Entry {
    Entry {
        path: path.to_owned(),
        name: field.name.clone(),
        notation: field.notation.clone(),
        inside: structure.map(division).unwrap_or_default(),
        card_data: field.strictest,
    }
}

/// How a structure is divided, in words.
fn division(structure: &Structure) -> String {
    match structure {
        Structure::Widths(_) => "parts by width".to_owned(),
        Structure::Parts(_) => "parts".to_owned(),
        Structure::Tlv(tlv) => {
            let unit = if tlv.binary { "byte" } else { "character" };
            let plural = |count: u8| if count == 1 { "" } else { "s" };
            let mut text = format!("elements: tag of {} {unit}{}", tlv.tag, plural(tlv.tag));
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                ", length of {}{}",
                tlv.length,
                if tlv.length_first { ", which stands first" } else { "" }
            );
            text
        }
        Structure::Ber { depth } => format!("BER-TLV, {depth} deep at most"),
        Structure::Bitmap(inside) => {
            let form = if inside.hex { " in hex" } else { "" };
            format!("subfields under a bitmap of {} bytes{form}", inside.bytes)
        }
        Structure::Datasets(sets) => format!("data sets with a length of {} bytes", sets.length),
    }
}

/// What a structure declares.
fn inside(structure: &Structure, path: &str, entries: &mut Vec<Entry>) {
    let mut put = |key: &str, subfield: &Subfield| {
        let path = format!("{path}.{key}");
        let structure = subfield.structure.as_deref();
        entries.push(entry(&path, &subfield.field, structure));
        if let Some(structure) = structure {
            inside(structure, &path, entries);
        }
    };
    match structure {
        Structure::Parts(parts) => parts.iter().for_each(|part| put(&part.key, part)),
        Structure::Bitmap(inside) => {
            inside.fields.iter().for_each(|subfield| put(&subfield.key, subfield));
        }
        Structure::Datasets(sets) => {
            sets.known.iter().for_each(|(id, subfield)| put(&format!("{id:02X}"), subfield));
        }
        Structure::Widths(widths) => {
            let named = widths.parts.iter().filter_map(|part| Some((part.name.as_ref()?, part.len)));
            entries.extend(named.map(|(name, len)| Entry {
                path: format!("{path}.{name}"),
                name: String::new(),
                notation: format!("{len} wide"),
                inside: String::new(),
                card_data: CardData::None,
            }));
        }
        Structure::Tlv(_) | Structure::Ber { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso8583::shipped;

    fn find<'e>(entries: &'e [Entry], path: &str) -> &'e Entry {
        entries.iter().find(|entry| entry.path == path).unwrap_or_else(|| panic!("{path}"))
    }

    #[test]
    fn fields_are_told_with_what_is_inside() {
        let onelink = shipped::dialect("onelink").unwrap().unwrap().outline();
        assert_eq!(find(&onelink, "48").inside, "elements: tag of 2 characters, length of 3");
        assert_eq!(find(&onelink, "48.CN").name, "consumer number");
        assert_eq!(find(&onelink, "90.stan").notation, "6 wide");
        let postilion = shipped::dialect("postilion").unwrap().unwrap().outline();
        assert_eq!(find(&postilion, "127").inside, "subfields under a bitmap of 8 bytes");
        assert_eq!(find(&postilion, "127.3").inside, "parts by width");
        assert_eq!(find(&postilion, "127.3.sink_node").notation, "12 wide");
    }

    #[test]
    fn what_holds_for_some_messages_is_told_in_words() {
        let pln = shipped::dialect("pln").unwrap().unwrap();
        let otherwise = pln.otherwise();
        assert_eq!(otherwise[0].0, "message type 2100, DE 2 is 99501");
        assert_eq!(find(&otherwise[0].1, "48.switcher").notation, "7 wide");
        assert_eq!(
            pln.presence_rules(),
            ["21xx, 22xx, 24xx must have DE 11", "2110, 2210, 2230, 2410, 2810 must have DE 39",]
        );
        let codes: Vec<_> = pln.coded().map(|(path, codes)| (path.to_owned(), codes.count())).collect();
        assert!(codes.contains(&("40".to_owned(), 3)), "{codes:?}");
    }

    #[test]
    fn every_shipped_dialect_is_told() {
        for (name, _) in shipped::DIALECTS {
            let dialect = shipped::dialect(name).unwrap().unwrap();
            assert!(dialect.outline().len() >= dialect.fields().count(), "{name}");
            assert!(dialect.otherwise().iter().all(|(condition, _)| !condition.is_empty()), "{name}");
        }
    }
}
