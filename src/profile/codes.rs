//! DE 39 for each outcome, and where a class of messages has other words for one (`domain.md` 3d).

use std::collections::BTreeMap;

use toml::Spanned;

use super::load::{Check, ProfileFault};
use super::tables::OutcomesTable;
use super::{Class, Kind, Profile, ProfileError};
use crate::ids::ResponseCode;
use crate::iso8583::{Message, Mti, Writer};
use crate::switch::Reason;

/// What is told for each outcome.
pub(super) type Codes = BTreeMap<Reason, ResponseCode>;

impl Profile {
    /// DE 39 for an outcome of a request.
    #[must_use]
    pub fn response_code_to(&self, request: &Message<'_, '_>, reason: Reason) -> ResponseCode {
        let differs = self.classes.iter().any(|class| class.codes.contains_key(&reason));
        let class = if differs { self.class(request).ok() } else { None };
        let own = class.and_then(|class| class.codes.get(&reason)).copied();
        own.unwrap_or_else(|| self.response_code(reason))
    }
}

impl Check<'_> {
    /// A response code that its field cannot hold would leave every answer with it unwritten.
    pub(super) fn writable(&self, field: u8, code: &Spanned<ResponseCode>) -> Result<(), ProfileError> {
        let mut out = bytes::BytesMut::new();
        let mut writer = Writer::new(self.dialect, Mti::UNREADABLE, &mut out);
        writer.put(field, code.get_ref().as_bytes()).map_err(|error| {
            let fault = ProfileFault::Code(format!("response code `{}`: {error}", code.get_ref()));
            self.fail(&code.span(), fault)
        })
    }

    /// The codes of some outcomes.
    pub(super) fn some_codes(&self, table: &OutcomesTable, field: u8) -> Result<Codes, ProfileError> {
        let mut codes = Codes::new();
        for (name, code) in table {
            let unknown = || {
                let fault =
                    ProfileFault::Code(format!("`{}` is not an outcome of the switch", name.get_ref()));
                self.fail(&name.span(), fault)
            };
            let reason = Reason::from_name(name.get_ref()).ok_or_else(unknown)?;
            self.writable(field, code)?;
            codes.insert(reason, *code.get_ref());
        }
        Ok(codes)
    }

    /// The codes of all outcomes.
    pub(super) fn codes(
        &self,
        table: &Spanned<OutcomesTable>,
        field: u8,
        classes: &[Class],
    ) -> Result<Codes, ProfileError> {
        let codes = self.some_codes(table.get_ref(), field)?;
        let fail = |fault| Err(self.fail(&table.span(), ProfileFault::Code(fault)));
        if let Some(reason) = Reason::ALL.iter().find(|reason| !codes.contains_key(reason)) {
            return fail(format!("no response code for the outcome `{}`", reason.name()));
        }
        match doubted(&codes, classes) {
            None => Ok(codes),
            Some(reason) => fail(format!(
                "`in_doubt` and `{}` have one code: nobody could tell a payment that may have been made from one that was not",
                reason.name()
            )),
        }
    }
}

/// An outcome that is told of payments, or of their reversals, in the words for doubt.
fn doubted(codes: &Codes, classes: &[Class]) -> Option<Reason> {
    let of_money = |class: &&Class| matches!(class.kind, Kind::Payment | Kind::Advice | Kind::Reversal);
    classes.iter().filter(of_money).find_map(|class| {
        let code = |reason: &Reason| class.codes.get(reason).or_else(|| codes.get(reason));
        let doubt = code(&Reason::InDoubt);
        let same = |reason: &&Reason| **reason != Reason::InDoubt && code(reason) == doubt;
        Reason::ALL.iter().find(same).copied()
    })
}
