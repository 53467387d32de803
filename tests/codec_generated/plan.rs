//! A dialect and one message of it, as plain data. What a field holds is kept with the field, and how long it may be
//! follows from that: whatever proptest takes away, what is left is a dialect and a message of it still.

use std::collections::BTreeMap;
use std::fmt;

use crate::wire;

/// One dialect with one message.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) forms: Forms,
    pub(crate) mti_form: &'static str,
    pub(crate) bitmap: &'static str,
    pub(crate) secondary: &'static str,
    pub(crate) third: Third,
    pub(crate) framing: Option<&'static str>,
    pub(crate) headers: Vec<Header>,
    /// The field, and whether it is in the message where no condition puts another in its place.
    pub(crate) fields: BTreeMap<u8, (bool, Field)>,
    pub(crate) whens: Vec<When>,
    /// Which of the fields that are there are mandatory, which of the others forbidden; no rules at all if `None`.
    pub(crate) rules: Option<u64>,
    pub(crate) mti: &'static str,
}

/// What is said of all values; `None` is left out of the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forms {
    pub(crate) digits: Option<&'static str>,
    pub(crate) text: Option<&'static str>,
    pub(crate) track: Option<&'static str>,
    pub(crate) binary: &'static str,
    pub(crate) lengths: Option<&'static str>,
    pub(crate) odd: Option<&'static str>,
    pub(crate) track_odd: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Third {
    None,
    Leading,
    Carried(u8),
}

/// What stands before the MTI: what the file says is sent, and what this message has.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) kind: &'static str,
    pub(crate) sent: Vec<u8>,
    pub(crate) begins: usize,
    pub(crate) has: Vec<u8>,
}

/// Another layout of some fields.
#[derive(Clone, Debug)]
pub(crate) struct When {
    pub(crate) mti: Vec<&'static str>,
    /// The values of DE 3, and whether it must only begin with one of them.
    pub(crate) asks: Option<(Vec<&'static str>, bool)>,
    pub(crate) fields: BTreeMap<u8, (bool, Field)>,
}

/// The field that conditions ask for.
pub(crate) const ASKED: u8 = 3;

#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// As in the notation; `absent` is one too.
    pub(crate) class: &'static str,
    pub(crate) word: Option<&'static str>,
    pub(crate) odd: Option<&'static str>,
    pub(crate) variable: Option<Variable>,
    pub(crate) card: Option<&'static str>,
    pub(crate) holds: Content,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Variable {
    /// How much longer than this message's the longest value is.
    pub(crate) slack: u16,
    pub(crate) dots: u8,
    pub(crate) form: Option<&'static str>,
    pub(crate) bytes: Option<u8>,
    pub(crate) counts: Option<&'static str>,
    pub(crate) itself: bool,
    pub(crate) filled: bool,
}

impl Variable {
    pub(crate) const PLAIN: Self =
        Self { slack: 9, dots: 2, form: None, bytes: None, counts: None, itself: false, filled: false };
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Leaf(Vec<u8>),
    /// Parts by width, and whether each has a name.
    Widths(Vec<(bool, Vec<u8>)>),
    /// Small fields, and how many of the last are not there.
    Parts(Vec<Field>, usize),
    Tlv(Tlv, Vec<(Vec<u8>, Vec<u8>)>),
    /// Levels that are allowed beyond those that there are.
    Ber(u8, Vec<Object>),
    Bitmap(Bitmap),
    Datasets(u8, Vec<Set>),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Tlv {
    pub(crate) tag: u8,
    pub(crate) length: u8,
    pub(crate) binary: bool,
    pub(crate) length_first: bool,
    pub(crate) counts: Option<&'static str>,
}

impl Tlv {
    pub(crate) fn counted(self) -> usize {
        match self.counts {
            Some("tag") => self.tag.into(),
            Some("length") => self.length.into(),
            Some("all") => (self.tag + self.length).into(),
            _ => 0,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) tag: Vec<u8>,
    pub(crate) value: Result<Vec<u8>, Vec<Object>>,
}

impl Object {
    /// How many levels deep these are; an empty one takes a level for what might be in it.
    pub(crate) fn levels(objects: &[Self]) -> u8 {
        let below = objects.iter().map(|object| match &object.value {
            Ok(_) => 0,
            Err(inner) => Self::levels(inner).max(1),
        });
        below.max().map_or(0, |below| below + 1)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Bitmap {
    pub(crate) hex: bool,
    pub(crate) bytes: u8,
    pub(crate) header: Vec<u8>,
    pub(crate) fields: BTreeMap<u8, (bool, Field)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(crate) id: u8,
    pub(crate) holds: SetContent,
}

#[derive(Clone, Debug)]
pub(crate) enum SetContent {
    Declared(Bitmap),
    Ber(Vec<Object>),
    Bytes(Vec<u8>),
}

impl Case {
    /// What the message has before its MTI.
    pub(crate) fn header(&self) -> Vec<u8> {
        self.headers.iter().flat_map(|header| header.has.iter().copied()).collect()
    }

    /// The fields of the message in order, but for the one that carries a bitmap.
    pub(crate) fn message(&self) -> Vec<(u8, &Field)> {
        let mut asked: Option<Vec<u8>> = None;
        let mut said = Vec::new();
        for number in 2..=192 {
            let holds = |when: &&When| when.holds(self.mti, asked.as_deref());
            let varied = self.whens.iter().filter(holds).find_map(|when| when.fields.get(&number));
            let Some((true, field)) = varied.or_else(|| self.fields.get(&number)) else { continue };
            if number == ASKED {
                asked = Some(wire::logical(field, &self.forms));
            }
            said.push((number, field));
        }
        said
    }

    /// All numbers that the dialect has.
    pub(crate) fn numbers(&self) -> Vec<u8> {
        let whens = self.whens.iter().flat_map(|when| when.fields.keys());
        let mut numbers: Vec<u8> = self.fields.keys().chain(whens).copied().collect();
        numbers.extend(match self.third {
            Third::Carried(carrier) => Some(carrier),
            Third::None | Third::Leading => None,
        });
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// The numbers of the message's fields, the one that carries a bitmap included.
    pub(crate) fn said(&self) -> Vec<u8> {
        let mut said: Vec<u8> = self.message().iter().map(|(number, _)| *number).collect();
        if let Third::Carried(carrier) = self.third
            && said.iter().any(|number| *number > 128)
        {
            said.push(carrier);
            said.sort_unstable();
        }
        said
    }
}

impl When {
    pub(crate) fn holds(&self, mti: &str, asked: Option<&[u8]>) -> bool {
        let fits =
            |pattern: &&'static str| pattern.bytes().zip(mti.bytes()).all(|(p, m)| p == b'x' || p == m);
        let mti = self.mti.is_empty() || self.mti.iter().any(fits);
        let value = self.asks.as_ref().is_none_or(|(texts, begins)| {
            let is = |value: &[u8], text: &str| {
                if *begins { value.starts_with(text.as_bytes()) } else { value == text.as_bytes() }
            };
            asked.is_some_and(|value| texts.iter().any(|text| is(value, text)))
        });
        mti && value
    }
}

impl fmt::Debug for Case {
    /// The file, and the message as JSON: what one wants to try by hand.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}\n{}\n", self.toml(), crate::expect::json(self))
    }
}
