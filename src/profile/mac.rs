//! The MAC of a link's messages (`[mac]`), and the new keys that come for it (`[key_change]`).

use serde::Deserialize;
use toml::Spanned;

use super::load::{Check, ProfileError, ProfileFault};
use super::ours::OwnRequest;
use super::tables::{KeyChangeTable, MacTable};
use super::{Class, Kind, Profile};
use crate::iso8583::{
    Covered, FieldPath, Framing, MacAlgorithm, MacFrom, MacPadding, MacRule, Message, Mti, Seal, SentMac,
};

/// Which messages have a MAC, and how.
#[derive(Debug)]
pub(super) struct MacTerms {
    rule: MacRule,
    /// Message types that must have one: those of requests, and of the answers to them.
    due: Vec<Mti>,
}

/// Where a new key stands in a message, and its check value.
#[derive(Debug)]
pub(super) struct KeyPlaces {
    key: FieldPath,
    check_value: FieldPath,
}

/// A MAC that was looked for.
#[derive(Clone, Copy, Debug)]
pub enum MacSeen<'a> {
    /// Messages of this type have none.
    NotDue,
    /// There is none, or none that covers the whole message: the data element to blame.
    Missing(u8),
    /// It is there, to be compared with that of these bytes.
    There(Covered<'a>, SentMac),
}

/// A key as a peer sends it: encrypted under the key both have, and the check value it says it has.
pub struct SentKey {
    /// The encrypted key.
    pub wrapped: Vec<u8>,
    /// The beginning of its check value.
    pub check_value: Vec<u8>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum AlgorithmName {
    Retail,
    AesCmac,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FromName {
    Length,
    Header,
    #[default]
    Mti,
}

#[derive(Clone, Copy, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum OverName {
    #[default]
    Bytes,
    Hex,
}

impl Profile {
    /// How its messages' MACs are made, if they have any.
    #[must_use]
    pub fn mac_rule(&self) -> Option<&MacRule> {
        self.mac.as_ref().map(|mac| &mac.rule)
    }

    /// The MAC of a message that came in frames of this kind.
    #[must_use]
    pub fn mac_of<'a>(&self, message: &Message<'_, 'a>, framing: Framing) -> MacSeen<'a> {
        let Some(mac) = self.mac.as_ref().filter(|mac| mac.due.contains(&message.mti())) else {
            return MacSeen::NotDue;
        };
        match message.mac(&mac.rule, framing) {
            Some((covered, sent)) => MacSeen::There(covered, sent),
            None => MacSeen::Missing(mac.rule.fields().first().copied().unwrap_or_default()),
        }
    }

    /// Whether messages of this type have a MAC.
    pub(super) fn has_mac(&self, mti: Mti) -> bool {
        self.mac.as_ref().is_some_and(|mac| mac.due.contains(&mti))
    }

    /// With what a message of this type is sealed, if it is to be.
    pub(super) fn sealed<'s>(
        &self,
        mti: Mti,
        seal: Option<&'s Seal<'s>>,
    ) -> Option<(&MacRule, &'s Seal<'s>)> {
        let mac = self.mac.as_ref().filter(|mac| mac.due.contains(&mti))?;
        Some((&mac.rule, seal?))
    }

    /// Whether this field of a message holds a new key: nobody is told it again.
    pub(super) fn holds_key(&self, message: &Message<'_, '_>, field: u8) -> bool {
        self.key_change.as_ref().is_some_and(|places| places.key.field() == field) && self.brings_key(message)
    }

    /// Whether a message brings a new key: only one of the network's can, and an answer that repeats what it answers.
    #[must_use]
    pub fn brings_key(&self, message: &Message<'_, '_>) -> bool {
        let Some(places) = &self.key_change else { return false };
        let mti = message.mti();
        let either = |(asked, answer): &(Mti, Mti)| *asked == mti || *answer == mti;
        let network = |class: &Class| class.kind == Kind::Network && class.mti.iter().any(either);
        self.classes.iter().any(network) && message.get(&places.key).is_some()
    }

    /// The new key in a message, if it holds one that could be read.
    #[must_use]
    pub fn sent_key(&self, message: &Message<'_, '_>) -> Option<SentKey> {
        let places = self.key_change.as_ref()?;
        let bytes = |path: &FieldPath| {
            let value = message.get(path)?;
            let raw = path.is_whole() && self.dialect.is_binary(path.field());
            if raw { Some(value.to_vec()) } else { hex::decode(value.trim_ascii()).ok() }
        };
        Some(SentKey { wrapped: bytes(&places.key)?, check_value: bytes(&places.check_value)? })
    }
}

impl Check<'_> {
    pub(super) fn mac(
        &self,
        table: Option<&MacTable>,
        classes: &[Class],
        ours: &[&OwnRequest],
        echoed: &[Spanned<u8>],
    ) -> Result<Option<MacTerms>, ProfileError> {
        let Some(table) = table else { return Ok(None) };
        let rule = self.mac_rule(table)?;
        if let Some(field) = echoed.iter().find(|field| rule.fields().contains(field.get_ref())) {
            let why = format!("data element {} is the MAC's: an answer has one of its own", field.get_ref());
            return Err(self.fail(&field.span(), ProfileFault::Mac(why)));
        }
        let mut due = Vec::new();
        for text in &table.mti {
            let asked = self.mti(text)?;
            let of_classes = classes.iter().flat_map(|class| &class.mti).copied();
            let pairs = of_classes.chain(ours.iter().map(|own| own.types()));
            let answers: Vec<Mti> =
                pairs.filter(|(mti, _)| *mti == asked).map(|(_, answer)| answer).collect();
            if answers.is_empty() {
                let why = format!("{asked} is no message type of a class");
                return Err(self.fail(&text.span(), ProfileFault::Mac(why)));
            }
            due.push(asked);
            due.extend(answers);
        }
        Ok(Some(MacTerms { rule, due }))
    }

    fn mac_rule(&self, table: &MacTable) -> Result<MacRule, ProfileError> {
        let padding_at = table.padding.as_ref().map_or_else(|| table.algorithm.span(), Spanned::span);
        let refuse = |why: &str| self.fail(&padding_at, ProfileFault::Mac(why.to_owned()));
        let algorithm = match (table.algorithm.get_ref(), table.padding.as_ref().map(Spanned::get_ref)) {
            (AlgorithmName::Retail, Some(1)) => MacAlgorithm::Retail(MacPadding::Zeros),
            (AlgorithmName::Retail, Some(2)) => MacAlgorithm::Retail(MacPadding::Bit),
            (AlgorithmName::AesCmac, None) => MacAlgorithm::AesCmac,
            (AlgorithmName::Retail, _) => return Err(refuse("a retail MAC has padding = 1 or 2")),
            (AlgorithmName::AesCmac, Some(_)) => return Err(refuse("AES-CMAC has a padding of its own")),
        };
        let from = match table.from {
            FromName::Length => MacFrom::Length,
            FromName::Header => MacFrom::Header,
            FromName::Mti => MacFrom::Mti,
        };
        let (bytes, fields) = (*table.bytes.get_ref(), table.fields.get_ref().clone());
        let rule = MacRule::new(self.dialect, algorithm, bytes, fields, from, table.over == OverName::Hex);
        rule.map_err(|(key, why)| {
            let span = if key == "bytes" { table.bytes.span() } else { table.fields.span() };
            self.fail(&span, ProfileFault::Mac(why))
        })
    }

    /// Places of a key, which is the one thing in a message that may be binary.
    pub(super) fn key_places(&self, table: &KeyChangeTable) -> Result<KeyPlaces, ProfileError> {
        let path = |text: &Spanned<String>| {
            self.dialect.path(text.get_ref()).map_err(|error| {
                let (path, why) = (text.get_ref().clone(), error.to_string());
                self.fail(&text.span(), ProfileFault::Path { path, why })
            })
        };
        Ok(KeyPlaces { key: path(&table.key)?, check_value: path(&table.check_value)? })
    }
}
