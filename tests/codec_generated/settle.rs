//! Makes what was drawn fit together: a record may not say what its type or its value forbids.

use crate::plan::{ASKED, Bitmap, Case, Content, Field, Forms, Set, SetContent, Third, Variable};
use crate::wire;

/// By the standard these carry card data, and a record must say what of it may be kept.
const CARD_FIELDS: [u8; 7] = [2, 34, 35, 36, 45, 52, 55];

impl Case {
    /// The same with everything left out that would be refused when the file is loaded.
    pub(crate) fn settled(mut self) -> Self {
        if let Third::Carried(carrier) = self.third
            && (self.secondary == "none" || carrier == ASKED || CARD_FIELDS.contains(&carrier))
        {
            self.third = Third::None;
        }
        let last = match (self.secondary, self.third) {
            ("none", _) => 64,
            (_, Third::None) => 128,
            (_, _) => 192,
        };
        let carrier = if let Third::Carried(carrier) = self.third { carrier } else { 0 };
        let keep = |number: u8| {
            number <= last && number != carrier && (number != 65 || matches!(self.third, Third::Carried(_)))
        };
        self.fields.retain(|number, _| keep(*number));
        for when in &mut self.whens {
            let asks = when.asks.is_some();
            when.fields.retain(|number, _| keep(*number) && !(asks && *number <= ASKED));
        }
        self.whens.retain(|when| !when.fields.is_empty() && (when.asks.is_some() || !when.mti.is_empty()));
        let first = self.whens.first();
        let there = first.is_some_and(|when| when.asks.is_none() && when.fields.contains_key(&ASKED));
        if self.whens.iter().any(|when| when.asks.is_some()) && !there {
            let asked = Field::leaf("n", b"380000");
            self.fields.entry(ASKED).or_insert((true, asked));
        }
        self.settle_questions();
        if self.fields.is_empty() {
            self.fields.insert(4, (true, Field::leaf("n", b"000000000100")));
        }
        let carded: Vec<u8> = self
            .fields
            .iter()
            .filter(|(_, (_, field))| field.card.is_some())
            .map(|(number, _)| *number)
            .collect();
        let forms = self.forms;
        // What is said of card data is kept where another layout does not say it again.
        let said = |number: &u8| CARD_FIELDS.contains(number) || carded.contains(number);
        let whens = self.whens.iter_mut().flat_map(|when| when.fields.iter_mut());
        for (number, (_, field)) in self.fields.iter_mut().chain(whens) {
            field.settle(&forms, false);
            if said(number) && field.card.is_none() {
                field.card = Some("none");
            }
        }
        self
    }
}

impl Case {
    /// A value that is asked for is one that its field can have.
    fn settle_questions(&mut self) {
        let usual = self.fields.get(&ASKED).map(|(_, field)| field);
        let varied = self.whens.iter().filter_map(|when| when.fields.get(&ASKED)).map(|(_, field)| field);
        let fixed = usual.into_iter().chain(varied).all(|field| field.variable.is_none());
        for (texts, begins) in self.whens.iter_mut().filter_map(|when| when.asks.as_mut()) {
            *begins |= fixed && texts.iter().any(|text| text.len() != 6);
        }
    }
}

impl Field {
    /// A field of fixed length of which nothing else is said.
    pub(crate) fn leaf(class: &'static str, value: &[u8]) -> Self {
        let holds = Content::Leaf(value.to_vec());
        Self { class, word: None, odd: None, variable: None, card: None, holds }
    }

    /// `within_text`: whether it stands inside of a field of characters, and so must be those itself.
    fn settle(&mut self, forms: &Forms, within_text: bool) {
        let bytes = match &self.holds {
            Content::Datasets(..) | Content::Ber(..) => true,
            Content::Tlv(tlv, _) => tlv.binary,
            Content::Leaf(_) | Content::Widths(..) | Content::Parts(..) | Content::Bitmap(_) => false,
        };
        if within_text && bytes {
            self.holds = Content::Leaf(b"\xc0\xde".to_vec());
        }
        self.class = match (&self.holds, self.class) {
            (Content::Leaf(_), "absent") => "absent",
            (Content::Leaf(_), "char") if within_text => "b",
            (Content::Leaf(_) | Content::Widths(..), class) => class,
            (Content::Tlv(tlv, _), _) if !tlv.binary => {
                if self.class == "an" {
                    "an"
                } else {
                    "ans"
                }
            }
            (Content::Parts(..) | Content::Bitmap(_), _) if within_text || self.class == "ans" => "ans",
            (_, _) => "b",
        };
        if self.class == "absent" {
            *self = Self { word: None, odd: None, variable: None, card: None, ..self.clone() };
            self.holds = Content::Leaf(Vec::new());
            return;
        }
        let typed = matches!(self.holds, Content::Parts(..) | Content::Bitmap(_) | Content::Datasets(..));
        self.settle_word(forms, within_text, typed);
        match &mut self.holds {
            Content::Parts(parts, _) => {
                parts.iter_mut().for_each(|part| part.settle(forms, self.class == "ans"))
            }
            Content::Bitmap(inside) => inside.settle(forms, self.class == "ans"),
            Content::Datasets(length, sets) => datasets(length, sets, forms),
            Content::Leaf(_) | Content::Widths(..) | Content::Tlv(..) | Content::Ber(..) => {}
        }
        self.settle_characters(forms);
        let text_tlv = matches!(&self.holds, Content::Tlv(tlv, _) if !tlv.binary);
        // Small fields fill a fixed length exactly.
        let missing = matches!(&self.holds, Content::Parts(_, missing) if *missing > 0);
        let empty = wire::logical(self, forms).is_empty();
        if self.class == "x+n" {
            self.variable = None;
        } else if text_tlv || empty || missing {
            self.variable.get_or_insert(Variable::PLAIN);
        }
        if within_text {
            self.word = Some(if self.class == "b" { "hex" } else { "ascii" });
            self.odd = None;
            if let Some(variable) = &mut self.variable {
                variable.form = Some("ascii");
            }
        }
        if typed && self.class == "b" {
            self.word = Some("raw");
        }
        if wire::word(self, forms) != "bcd" {
            self.odd = None;
        }
        if self.card == Some("pan") && !matches!(self.class, "n" | "an" | "ans") {
            self.card = None;
        }
        self.settle_length(forms);
    }

    fn settle_word(&mut self, forms: &Forms, within_text: bool, typed: bool) {
        let fits = match (self.word, self.class) {
            (Some("raw" | "hex"), class) => class == "b",
            (Some("bcd"), class) => matches!(class, "n" | "x+n" | "z"),
            (Some(_), class) => class != "b",
            (None, _) => true,
        };
        if !fits {
            self.word = None;
        }
        if within_text || (typed && self.class == "ans") {
            self.word = Some(if self.class == "b" { "hex" } else { "ascii" });
        } else if self.class == "b"
            && self.word == Some("hex")
            && self.variable.is_some_and(|v| v.counts.is_none())
        {
            self.word = None;
        } else if typed && wire::word(self, forms) == "hex" {
            self.word = Some("raw");
        }
    }

    /// What the form of its characters cannot hold becomes something that it can.
    fn settle_characters(&mut self, forms: &Forms) {
        let word = wire::word(self, forms);
        let text = matches!(self.class, "a" | "an" | "as" | "ans");
        let high = text && matches!(word, "latin1" | "cp037" | "cp500" | "cp1047");
        let letter = if self.class == "ns" { b'*' } else { b'x' };
        let class = self.class;
        let fix = |bytes: &mut Vec<u8>| {
            for byte in bytes {
                match class {
                    "z" if word == "bcd" && !byte.is_ascii_digit() => *byte = b'D',
                    "b" | "char" => {}
                    _ if *byte >= 0x80 && !high => *byte = letter,
                    _ => {}
                }
            }
        };
        match &mut self.holds {
            Content::Leaf(value) => fix(value),
            Content::Widths(parts) => parts.iter_mut().for_each(|(_, part)| fix(part)),
            Content::Tlv(_, elements) => elements.iter_mut().for_each(|(tag, value)| {
                fix(tag);
                fix(value);
            }),
            Content::Parts(..) | Content::Ber(..) | Content::Bitmap(_) | Content::Datasets(..) => {}
        }
    }

    fn settle_length(&mut self, forms: &Forms) {
        let word = wire::word(self, forms);
        let len = wire::logical(self, forms).len();
        let odd = wire::odd(self, forms);
        let Some(variable) = &mut self.variable else { return };
        if word == "hex" && self.class == "b" && variable.counts.is_none() {
            variable.counts = Some("digits");
        }
        if variable.counts == Some("bytes") && word == "bcd" && odd.ends_with('0') && len % 2 == 1 {
            // Bytes alone do not tell whether a zero is a digit or filling.
            variable.slack = 0;
        }
        if let Content::Tlv(tlv, _) = &self.holds {
            variable.slack = variable.slack.max((tlv.tag + tlv.length).into());
        }
        if len == 0 {
            variable.slack = variable.slack.max(1);
        }
        let max = wire::max(self, forms);
        let variable = self.variable.as_mut().unwrap();
        let digits = u8::try_from(max.to_string().len()).unwrap();
        variable.dots = variable.dots.clamp(digits, 6);
        let form = variable.form.or(forms.lengths).unwrap_or("ascii");
        if matches!(form, "bcd" | "binary") {
            variable.bytes = variable.bytes.map(|bytes| bytes.min(4));
        }
        let counted = if variable.counts == Some("bytes") { wire::wire_bytes(self, forms, max) } else { max };
        for bytes in 1..=6 {
            let variable = self.variable.unwrap();
            let own = if variable.itself { wire::prefix_bytes(self, forms) } else { 0 };
            if counted + own <= wire::most(self, forms) {
                return;
            }
            self.variable.as_mut().unwrap().bytes = Some(bytes);
        }
    }
}

impl Bitmap {
    fn settle(&mut self, forms: &Forms, text: bool) {
        let most = self.bytes * 8;
        let fields = std::mem::take(&mut self.fields);
        self.fields = fields.into_iter().map(|(number, field)| ((number - 1) % most + 1, field)).collect();
        self.fields.values_mut().for_each(|(_, field)| field.settle(forms, text));
        if text {
            self.hex = true;
            self.header.iter_mut().for_each(|byte| *byte = b'0' + *byte % 10);
        }
    }
}

/// The identifiers up to 70 are TLV unless they are declared, and one is declared once.
fn datasets(length: &mut u8, sets: &mut Vec<Set>, forms: &Forms) {
    let mut longest = 0;
    let mut declared = Vec::new();
    sets.retain(|set| {
        let again = declared.contains(&set.id);
        if matches!(set.holds, SetContent::Declared(_)) {
            declared.push(set.id);
        }
        !again
    });
    sets.retain(|set| matches!(set.holds, SetContent::Declared(_)) || !declared.contains(&set.id));
    for set in sets {
        match &mut set.holds {
            SetContent::Declared(inside) => inside.settle(forms, false),
            SetContent::Ber(_) => {
                set.id = if declared.contains(&(set.id & 0x6f)) { 0x70 } else { set.id & 0x6f }
            }
            SetContent::Bytes(_) => {
                set.id = if declared.contains(&(set.id | 0x80)) { 0x71 } else { set.id | 0x80 }
            }
        }
        longest = longest.max(wire::set_content(&set.holds, forms).len());
    }
    if longest > 255 {
        *length = (*length).max(2);
    }
}
