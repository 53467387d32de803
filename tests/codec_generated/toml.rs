//! The dialect of a [`Case`] as the file that says it.

use std::fmt::Write;

use crate::plan::{Bitmap, Case, Content, Field, Forms, Header, SetContent, Third, Tlv, When};
use crate::wire;

impl Case {
    /// The whole file.
    pub(crate) fn toml(&self) -> String {
        let mut out = self.toml_without_rules();
        out.push_str(&self.rules());
        out
    }

    /// The file without what it says of which fields must be there.
    pub(crate) fn toml_without_rules(&self) -> String {
        let mut out = String::from("name = \"generated\"\n");
        let mut say = |key: &str, word: Option<&str>| {
            if let Some(word) = word {
                writeln!(out, "{key} = \"{word}\"").unwrap();
            }
        };
        say("framing", self.framing);
        say("mti", Some(self.mti_form));
        say("bitmap", Some(self.bitmap));
        say("secondary", (self.secondary != "announced").then_some(self.secondary));
        say("tertiary", (self.third == Third::Leading).then_some("leading"));
        let Forms { digits, text, track, binary, lengths, odd, track_odd } = self.forms;
        say("digits", digits);
        say("text", text);
        say("track", track);
        say("binary", Some(binary));
        say("lengths", lengths);
        say("odd", odd);
        say("track_odd", track_odd);
        if let Third::Carried(carrier) = self.third {
            writeln!(out, "tertiary = {carrier}").unwrap();
        }
        if !self.headers.is_empty() {
            let headers: Vec<String> = self.headers.iter().map(header).collect();
            writeln!(out, "header = [{}]", headers.join(", ")).unwrap();
        }
        writeln!(out, "[fields]").unwrap();
        if let Third::Carried(carrier) = self.third {
            writeln!(out, "{carrier} = {{ name = \"third bitmap\", type = \"b 8\", as = \"raw\" }}").unwrap();
        }
        for (number, (_, field)) in &self.fields {
            writeln!(out, "{number} = {}", self.record(field)).unwrap();
        }
        self.whens.iter().for_each(|when| out.push_str(&self.when(when)));
        out
    }

    fn when(&self, when: &When) -> String {
        let mut out = String::from("[[when]]\n");
        if !when.mti.is_empty() {
            writeln!(out, "mti = {:?}", when.mti).unwrap();
        }
        if let Some((texts, begins)) = &when.asks {
            let key = if *begins { "begins" } else { "is" };
            writeln!(out, "field = {}\n{key} = {texts:?}", crate::plan::ASKED).unwrap();
        }
        writeln!(out, "[when.fields]").unwrap();
        for (number, (_, field)) in &when.fields {
            writeln!(out, "{number} = {}", self.record(field)).unwrap();
        }
        out
    }

    /// Rules that the message keeps.
    fn rules(&self) -> String {
        let Some(seed) = self.rules else { return String::new() };
        let (said, all) = (self.said(), self.numbers());
        let mandatory = self.mandatory();
        let chosen = |at: usize| seed.rotate_right(u32::try_from(at % 64).unwrap()) & 0x100 != 0;
        let others: Vec<u8> = all.iter().copied().filter(|number| !said.contains(number)).collect();
        let forbidden: Vec<u8> =
            others.iter().enumerate().filter(|(at, _)| chosen(*at)).map(|(_, number)| *number).collect();
        let pattern: String =
            self.mti.chars().enumerate().map(|(at, digit)| if chosen(at) { 'x' } else { digit }).collect();
        let mut conditional = Vec::new();
        if let (Some(there), Some(any)) = (said.last(), all.first()) {
            conditional.push(format!("{{ fields = [{there}], with = {any} }}"));
            conditional.push(format!("{{ fields = [{there}], without = {any} }}"));
            if let Some(begins) = self.begins(*any) {
                conditional.push(format!("{{ fields = [{there}], field = {any}, begins = [\"{begins}\"] }}"));
            }
        }
        if let (Some(missing), Some(other)) = (others.first(), others.last()) {
            conditional.push(format!("{{ fields = [{missing}], with = {other} }}"));
        }
        format!(
            "[[presence]]\nmti = [\"{pattern}\", \"9999\"]\nmandatory = {mandatory:?}\nforbidden = {forbidden:?}\n\
             conditional = [{}]\n[[presence]]\nmti = [\"9999\"]\nmandatory = {all:?}\n",
            conditional.join(", ")
        )
    }

    /// What a value of a field may begin with, if there is a character that any of its class may.
    fn begins(&self, number: u8) -> Option<char> {
        match self.fields.get(&number)?.1.class {
            "n" | "an" | "ns" | "ans" | "z" | "b" => Some('1'),
            "a" | "as" => Some('A'),
            "x+n" => Some('C'),
            _ => None,
        }
    }

    /// The fields that the rules want.
    pub(crate) fn mandatory(&self) -> Vec<u8> {
        let Some(seed) = self.rules else { return Vec::new() };
        let said = self.said();
        let chosen = |at: usize| seed.rotate_right(u32::try_from(at % 64).unwrap()) & 1 != 0;
        said.iter().enumerate().filter(|(at, _)| chosen(*at)).map(|(_, number)| *number).collect()
    }

    fn record(&self, field: &Field) -> String {
        record(field, &self.forms, "a field")
    }
}

fn header(header: &Header) -> String {
    let shown = |bytes: &[u8]| {
        if header.kind == "text" { String::from_utf8(bytes.to_vec()).unwrap() } else { hex::encode(bytes) }
    };
    let begins = match header.begins {
        0 => String::new(),
        len => format!(", begins = \"{}\"", shown(&header.sent[..len])),
    };
    format!("{{ {} = \"{}\"{begins} }}", header.kind, shown(&header.sent))
}

fn record(field: &Field, forms: &Forms, name: &str) -> String {
    let mut out = format!("{{ name = \"{name}\", type = \"{}\"", notation(field, forms));
    if let Some(word) = field.word {
        write!(out, ", as = \"{word}\"").unwrap();
    }
    if let Some(odd) = field.odd {
        write!(out, ", odd = \"{odd}\"").unwrap();
    }
    if let Some(variable) = &field.variable {
        let mut said = Vec::new();
        said.extend(variable.form.map(|form| format!("as = \"{form}\"")));
        said.extend(variable.bytes.map(|bytes| format!("bytes = {bytes}")));
        said.extend(variable.counts.map(|counts| format!("counts = \"{counts}\"")));
        said.extend(variable.itself.then(|| "includes = \"itself\"".to_owned()));
        if !said.is_empty() {
            write!(out, ", length = {{ {} }}", said.join(", ")).unwrap();
        }
        if variable.filled {
            write!(out, ", filled = true").unwrap();
        }
    }
    if let Some(card) = field.card {
        write!(out, ", card_data = \"{card}\"").unwrap();
    }
    out.push_str(&inside(&field.holds, forms));
    out.push_str(" }");
    out
}

fn inside(content: &Content, forms: &Forms) -> String {
    match content {
        Content::Leaf(_) => String::new(),
        Content::Widths(parts) => {
            let part = |(at, (named, value)): (usize, &(bool, Vec<u8>))| match named {
                true => format!("{{ name = \"p{at}\", width = {} }}", value.len()),
                false => format!("{{ blank = {} }}", value.len()),
            };
            let parts: Vec<String> = parts.iter().enumerate().map(part).collect();
            format!(", parts = [{}]", parts.join(", "))
        }
        Content::Parts(parts, _) => {
            let part = |(at, part): (usize, &Field)| record(part, forms, &format!("p{at}"));
            let parts: Vec<String> = parts.iter().enumerate().map(part).collect();
            format!(", parts = [{}]", parts.join(", "))
        }
        Content::Tlv(Tlv { tag, length, binary, length_first, counts }, _) => {
            let mut said = format!("tag = {tag}, length = {length}");
            said.push_str(if *binary { ", as = \"binary\"" } else { "" });
            said.push_str(if *length_first { ", first = \"length\"" } else { "" });
            counts.iter().for_each(|counts| write!(said, ", counts = \"{counts}\"").unwrap());
            format!(", tlv = {{ {said} }}")
        }
        Content::Ber(more, objects) => {
            let levels = crate::plan::Object::levels(objects).max(1);
            match levels + more {
                8 => ", ber = true".to_owned(),
                depth => format!(", ber = {{ depth = {depth} }}"),
            }
        }
        Content::Bitmap(inside) => format!(", {}", bitmap(inside, forms)),
        Content::Datasets(length, sets) => {
            let mut out = format!(", datasets = {{ id = 1, length = {length}");
            for set in sets {
                if let SetContent::Declared(inside) = &set.holds {
                    write!(out, ", {:02X} = {{ name = \"set\", {} }}", set.id, bitmap(inside, forms))
                        .unwrap();
                }
            }
            out + " }"
        }
    }
}

fn bitmap(inside: &Bitmap, forms: &Forms) -> String {
    let form = if inside.hex { "hex" } else { "binary" };
    let header = match inside.header.len() {
        0 => String::new(),
        len => format!(", header = {len}"),
    };
    let fields: Vec<String> = inside
        .fields
        .iter()
        .map(|(number, (_, field))| format!("{number} = {}", record(field, forms, "a subfield")))
        .collect();
    let bytes = inside.bytes;
    format!("bitmap = {{ form = \"{form}\", bytes = {bytes}{header} }}, fields = {{ {} }}", fields.join(", "))
}

fn notation(field: &Field, forms: &Forms) -> String {
    let max = wire::max(field, forms);
    match (field.class, &field.variable) {
        ("absent", _) => "absent".to_owned(),
        ("x+n", _) => format!("x+n {}", max - 1),
        (class, None) => format!("{class} {max}"),
        (class, Some(variable)) => format!("{class}{}{max}", ".".repeat(variable.dots.into())),
    }
}
