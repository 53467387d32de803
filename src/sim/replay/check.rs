//! Answers against what a correct switch answers. Differences are values, and hold no card data.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::Serialize;

use super::expect::{Expected, FieldWant, Want};
use super::plan::Message;
use crate::iso8583::{self, CardData, Dialect, Mirror};

/// One way in which an answer is not what it should be.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Difference {
    /// The request's id among the expected answers, or its position in the capture where there are none. None for
    /// an answer that belongs to no request.
    pub id: Option<u64>,
    /// The link it was sent on.
    pub link: String,
    /// The request's STAN.
    pub stan: String,
    /// What differs: `answer`, `MTI`, `DE 39`, `DE 120.RN`, `race` …
    pub what: String,
    /// What it should be.
    pub expected: String,
    /// What it is.
    pub got: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, link, stan, what, expected, got } = self;
        match id {
            Some(id) => write!(f, "{id} {link} STAN {stan}: {what} should be {expected}, is {got}"),
            None => write!(f, "{link} STAN {stan}: {what} should be {expected}, is {got}"),
        }
    }
}

impl Difference {
    /// A difference in what came for `message`.
    pub(super) fn of(message: &Message, what: &str, expected: &str, got: &str) -> Self {
        Self {
            id: Some(message.id),
            link: message.link_name.to_string(),
            stan: message.key.stan.as_str().to_owned(),
            what: what.to_owned(),
            expected: expected.to_owned(),
            got: got.to_owned(),
        }
    }
}

/// The response code that wins a race.
const APPROVED: &[u8] = b"00";

/// Fewest digits of a card number.
const PAN_DIGITS_MIN: usize = 13;

/// Longest value shown of either side of a difference.
const SHOWN_CHARS_MAX: usize = 60;

/// Holds every answer against its line. What was not answered is passed over: that is a difference already.
pub(super) fn check(
    dialect: &Dialect,
    messages: &[Message],
    expected: &[Expected],
    answers: &[Option<Bytes>],
) -> Vec<Difference> {
    let mut differences = Vec::new();
    let mut races: BTreeMap<&str, Race<'_>> = BTreeMap::new();
    for ((message, line), answer) in messages.iter().zip(expected).zip(answers) {
        let mut one = Answer { dialect, message, frame: answer.as_deref(), found: &mut differences };
        match &line.answer {
            Want::Fields { mti, fields } => one.fields(mti.as_deref(), fields),
            Want::SameAs(original) => {
                one.same_as(answers.get(*original).and_then(|answer| answer.as_deref()));
            }
            Want::Race { group, one_of } => {
                let code = one.one_of(one_of);
                let race = races.entry(group).or_insert(Race { first: message, winners: 0, open: false });
                race.winners = race.winners.saturating_add(u64::from(code.as_deref() == Some(APPROVED)));
                race.open |= code.is_none();
            }
        }
    }
    for race in races.values() {
        // Of a race with an answer missing nothing is known but that two cannot have won it.
        if race.winners > 1 || (race.winners == 0 && !race.open) {
            let got = format!("{} approved", race.winners);
            differences.push(Difference::of(race.first, "race", "exactly one approved", &got));
        }
    }
    differences
}

/// The answers to one race.
struct Race<'a> {
    first: &'a Message,
    winners: u64,
    /// An answer is missing.
    open: bool,
}

/// One answer under examination.
struct Answer<'a> {
    dialect: &'a Dialect,
    message: &'a Message,
    frame: Option<&'a [u8]>,
    found: &'a mut Vec<Difference>,
}

impl Answer<'_> {
    fn fields(&mut self, mti: Option<&str>, fields: &BTreeMap<u8, FieldWant>) {
        let Some(frame) = self.frame else {
            return;
        };
        let mut mirror = Mirror::new();
        let decoded = iso8583::decode(self.dialect, frame, &mut mirror);
        if let Some(fault) = &decoded.fault {
            self.differs("answer", "readable", &fault.to_string());
        }
        let got = decoded.message.mti();
        if let Some(mti) = mti.filter(|mti| *mti != got.as_str()) {
            self.differs("MTI", mti, got.as_str());
        }
        for (field, want) in fields {
            match want {
                FieldWant::Value(want) => {
                    if !fits(want, decoded.message.field(*field)) {
                        let got = self.shown(frame, *field, None);
                        self.differs(&format!("DE {field}"), want, &got);
                    }
                }
                FieldWant::Elements(elements) => {
                    for (tag, want) in elements {
                        let mut values = decoded.message.elements(*field);
                        if !values.any(|(found, value)| found == tag.as_bytes() && fits(want, Some(value))) {
                            let got = self.shown(frame, *field, Some(tag));
                            self.differs(&format!("DE {field}.{tag}"), want, &got);
                        }
                    }
                }
            }
        }
    }

    fn same_as(&mut self, original: Option<&[u8]>) {
        let (Some(frame), Some(original)) = (self.frame, original) else {
            return;
        };
        let (mut mirror, mut first_mirror) = (Mirror::new(), Mirror::new());
        let ours = iso8583::decode(self.dialect, frame, &mut mirror);
        let first = iso8583::decode(self.dialect, original, &mut first_mirror);
        for field in 2..=192 {
            if ours.message.field(field) == first.message.field(field) {
                continue;
            }
            let (want, got) = (self.shown(original, field, None), self.shown(frame, field, None));
            self.differs(&format!("DE {field}"), &format!("{want}, as first answered"), &got);
        }
        if ours.fault != first.fault {
            let fault = ours.fault.map_or_else(|| "readable".to_owned(), |fault| fault.to_string());
            self.differs("answer", "as first answered", &fault);
        }
    }

    /// The response code, empty if the answer has none; None without an answer.
    fn one_of(&mut self, codes: &[String]) -> Option<Vec<u8>> {
        let frame = self.frame?;
        let mut mirror = Mirror::new();
        let decoded = iso8583::decode(self.dialect, frame, &mut mirror);
        let code = decoded.message.field(39).unwrap_or_default();
        if !codes.iter().any(|allowed| allowed.as_bytes() == code) {
            let got = self.shown(frame, 39, None);
            self.differs("DE 39", &format!("one of {}", codes.join(", ")), &got);
        }
        Some(code.to_vec())
    }

    fn shown(&self, frame: &[u8], field: u8, tag: Option<&str>) -> String {
        shown(self.dialect, &self.message.frame, frame, field, tag)
    }

    fn differs(&mut self, what: &str, expected: &str, got: &str) {
        self.found.push(Difference::of(self.message, what, expected, got));
    }
}

fn fits(want: &str, got: Option<&[u8]>) -> bool {
    match got {
        Some(got) if want == "*" => !got.is_empty(),
        Some(got) => got == want.as_bytes(),
        None => false,
    }
}

/// A value for people: without card data, printable, and not too long.
fn shown(dialect: &Dialect, request: &[u8], frame: &[u8], field: u8, tag: Option<&str>) -> String {
    if dialect.card_data(field) != CardData::None {
        return "(card data)".to_owned();
    }
    let mut mirror = Mirror::new();
    let message = iso8583::decode(dialect, frame, &mut mirror).message;
    let value = match tag {
        None => message.field(field),
        Some(tag) => {
            message.elements(field).find(|(found, _)| *found == tag.as_bytes()).map(|(_, value)| value)
        }
    };
    let Some(value) = value else {
        return "absent".to_owned();
    };
    // A text may repeat a card number of the request's, which the answer itself need not carry.
    let mut mirror = Mirror::new();
    let asked = iso8583::decode(dialect, request, &mut mirror).message;
    let repeats = |(field, card): (u8, &[u8])| {
        let mut digits = card.windows(PAN_DIGITS_MIN);
        dialect.card_data(field) != CardData::None
            && digits.any(|digits| value.windows(PAN_DIGITS_MIN).any(|part| part == digits))
    };
    if asked.fields().chain(message.fields()).any(repeats) {
        return "(card data)".to_owned();
    }
    let text: String = value.escape_ascii().map(char::from).take(SHOWN_CHARS_MAX).collect();
    if text.is_empty() { "empty".to_owned() } else { text }
}
