//! What we ask a peer of ourselves (`[ours]`), and what a peer's answer to it tells.

use std::collections::BTreeMap;

use bytes::BytesMut;
use jiff::civil::DateTime;
use toml::Spanned;

use super::Profile;
use super::load::{Check, ProfileError, ProfileFault};
use super::tables::OursTable;
use super::totals::TOTALS_FACTS;
use crate::ids::Short;
use crate::iso8583::{EncodeError, Message, Mti, Seal, Writer};

/// A request of ours that a profile may lay out.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Ours {
    /// Are you there? (DE 70 = 301)
    Echo,
    /// This is what we have counted for a date that is over (0520).
    Totals,
}

/// What every request of ours can tell; each kind may have more of its own.
const COMMON: &[&str] = &["stan", "transmitted_at", "local_at", "local_time", "local_date"];

impl Ours {
    const ALL: &[Self] = &[Self::Echo, Self::Totals];

    /// Its name in a profile's `[ours]`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Totals => "totals",
        }
    }

    /// The facts that whoever asks gives beside the common ones.
    const fn facts(self) -> &'static [&'static str] {
        match self {
            Self::Echo => &[],
            Self::Totals => TOTALS_FACTS,
        }
    }
}

/// The numbers and times of one request of ours.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// DE 11, 1 to 999,999.
    pub stan: u32,
    /// Now, UTC: DE 7 is told in it.
    pub utc: DateTime,
    /// Now, where the switch is.
    pub local: DateTime,
    /// It has been asked before: the message type is that of a repeat, where the profile has one.
    pub again: bool,
    /// The facts of this kind of request, by their names in the profile.
    pub facts: &'a [(&'static str, &'a [u8])],
}

/// What a peer's answer is found by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AnswerTo {
    /// Its message type.
    pub mti: Mti,
    /// The trace number of what it answers, as a number: some networks write zeros before it.
    pub stan: u32,
    /// DE 15, if it has one that is told.
    pub settled_on: Option<Short<4>>,
}

/// One request of ours, laid out.
#[derive(Debug)]
pub(super) struct OwnRequest {
    mti: Mti,
    /// That of a repeat.
    repeat: Mti,
    answer: Mti,
    /// DE 39 of its answers, and whether each says that our totals are agreed to.
    codes: Vec<(Vec<u8>, bool)>,
    /// By ascending data element.
    fields: BTreeMap<u8, Source>,
}

impl OwnRequest {
    /// Its message type, and that of its answer.
    pub(super) const fn types(&self) -> (Mti, Mti) {
        (self.mti, self.answer)
    }
}

/// Where a field of it comes from.
#[derive(Debug)]
enum Source {
    Text(Vec<u8>),
    Fact(&'static str),
}

impl Profile {
    /// Whether it lays this request out.
    #[must_use]
    pub fn has_ours(&self, kind: Ours) -> bool {
        self.ours.contains_key(&kind)
    }

    /// Appends a request of ours to `out`, unframed, and gives the message type its answer must have; none if the profile has
    /// no such request. A fact that is not given is left out. It has a MAC if `seal` is given and messages of its type have one.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if a fact does not fit its field; `out` is then as it was.
    pub fn ask(
        &self,
        kind: Ours,
        asking: &Asking<'_>,
        seal: Option<&Seal<'_>>,
        out: &mut BytesMut,
    ) -> Result<Option<Mti>, EncodeError> {
        let Some(request) = self.ours.get(&kind) else { return Ok(None) };
        let mti = if asking.again { request.repeat } else { request.mti };
        let mut writer = Writer::new(&self.dialect, mti, out);
        for (field, source) in &request.fields {
            match source {
                Source::Text(text) => writer.put(*field, text)?,
                Source::Fact(name) => {
                    if let Some(value) = asking.tell(name) {
                        writer.put(*field, &value)?;
                    }
                }
            }
        }
        match self.sealed(mti, seal) {
            Some((rule, seal)) => writer.finish_sealed(rule, seal, true)?,
            None => writer.finish()?,
        }
        Ok(Some(request.answer))
    }

    /// What a message answers, if it is an answer: to be looked for among what was asked on its link.
    #[must_use]
    pub fn answers(&self, message: &Message<'_, '_>) -> Option<AnswerTo> {
        let mti = message.mti();
        let stan = std::str::from_utf8(self.paths.stan.get(message)?).ok()?;
        let settled_on = self.text(message, &self.paths.settlement_date);
        let settled_on = settled_on.filter(|on: &Short<4>| !on.as_str().trim().is_empty());
        Some(AnswerTo { mti, stan: stan.trim().parse().ok()?, settled_on }).filter(|_| mti.is_response())
    }

    /// What the response code of an answer to our totals says of them; none if it says neither.
    pub(super) fn agreed(&self, code: &[u8]) -> Option<bool> {
        let codes = &self.ours.get(&Ours::Totals)?.codes;
        codes.iter().find(|(known, _)| known == code).map(|(_, agreed)| *agreed)
    }
}

impl Asking<'_> {
    fn tell(&self, name: &str) -> Option<Vec<u8>> {
        let at = |form: &str, time: DateTime| Some(time.strftime(form).to_string().into_bytes());
        match name {
            "stan" => Some(format!("{:06}", self.stan).into_bytes()),
            "transmitted_at" => at("%m%d%H%M%S", self.utc),
            "local_at" => at("%Y%m%d%H%M%S", self.local),
            "local_time" => at("%H%M%S", self.local),
            "local_date" => at("%m%d", self.local),
            _ => self.facts.iter().find(|(fact, _)| *fact == name).map(|(_, value)| value.to_vec()),
        }
    }
}

impl Check<'_> {
    /// Every request of ours: its message types, and that each field is one of the dialect's and each fact known.
    pub(super) fn ours(
        &self,
        tables: &BTreeMap<Spanned<String>, OursTable>,
    ) -> Result<BTreeMap<Ours, OwnRequest>, ProfileError> {
        let mut ours = BTreeMap::new();
        for (name, table) in tables {
            let kind = Ours::ALL.iter().copied().find(|kind| kind.name() == name.get_ref());
            let unknown =
                || self.syntax(name, &format!("`{}` is no request of ours: echo, totals", name.get_ref()));
            ours.insert(kind.ok_or_else(unknown)?, self.own_request(kind, name, table)?);
        }
        Ok(ours)
    }

    fn own_request(
        &self,
        kind: Option<Ours>,
        name: &Spanned<String>,
        table: &OursTable,
    ) -> Result<OwnRequest, ProfileError> {
        let own = kind.map_or(&[][..], Ours::facts);
        let mut pairs = table.mti.iter();
        let (Some((asked, answered)), None) = (pairs.next(), pairs.next()) else {
            return Err(self.syntax(name, "one message type, with that of its answer"));
        };
        if kind != Some(Ours::Totals) && (table.repeat.is_some() || !table.codes.is_empty()) {
            return Err(self.syntax(name, "`repeat` and `codes` are of totals"));
        }
        let mut fields = BTreeMap::new();
        for (path, fact) in &table.fields {
            let place = self.path(path)?;
            if !place.is_whole() {
                return Err(self.syntax(path, "a request of ours tells whole data elements"));
            }
            let source = match fact.get_ref().strip_prefix('=') {
                Some(text) => {
                    let mut out = BytesMut::new();
                    let written = Writer::new(self.dialect, Mti::UNREADABLE, &mut out)
                        .put(place.field(), text.as_bytes());
                    written.map_err(|error| self.syntax(fact, &format!("`={text}`: {error}")))?;
                    Source::Text(text.as_bytes().to_vec())
                }
                None => {
                    let known = COMMON.iter().chain(own).find(|known| *known == fact.get_ref());
                    let unknown = || {
                        let all: Vec<&str> = COMMON.iter().chain(own).copied().collect();
                        let why = format!("`{}` is none of {} or `=text`", fact.get_ref(), all.join(", "));
                        self.syntax(fact, &why)
                    };
                    Source::Fact(known.ok_or_else(unknown)?)
                }
            };
            fields.insert(place.field(), source);
        }
        let repeat = self.mti(table.repeat.as_ref().unwrap_or(asked))?;
        let codes = self.own_codes(&table.codes)?;
        Ok(OwnRequest { mti: self.mti(asked)?, repeat, answer: self.mti(answered)?, codes, fields })
    }

    fn own_codes(
        &self,
        codes: &BTreeMap<String, Spanned<String>>,
    ) -> Result<Vec<(Vec<u8>, bool)>, ProfileError> {
        let read = |(code, says): (&String, &Spanned<String>)| {
            let agreed = match says.get_ref().as_str() {
                "agree" => true,
                "differ" => false,
                _ => return Err(self.syntax(says, "an answer to totals says `agree` or `differ`")),
            };
            Ok((code.as_bytes().to_vec(), agreed))
        };
        codes.iter().map(read).collect()
    }

    fn syntax(&self, at: &Spanned<String>, why: &str) -> ProfileError {
        self.fail(&at.span(), ProfileFault::Syntax(why.to_owned()))
    }
}
