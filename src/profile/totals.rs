//! Totals (0500, 0520): where an acquirer's stand in its request, and what an answer tells of ours.

use super::request::Refusal;
use super::{Place, Profile};
use crate::ids::{BusinessDate, LinkName, Short};
use crate::iso8583::Message;
use crate::switch::{Claimed, Net, Reason, Totals, TotalsAnswer, TotalsRequest};

/// What an answer to totals can tell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum TotalFact {
    /// DE 66: 1 in balance, 2 out of balance.
    SettlementCode,
    /// We have no credits: each of them is 0.
    Credits,
    DebitsNumber,
    DebitReversalsNumber,
    DebitsAmount,
    DebitReversalsAmount,
    Net,
}

/// A fact of totals, as it is told.
pub(super) enum TotalTold {
    Number(u64),
    Net(Net),
}

impl TotalFact {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "settlement_code" => Self::SettlementCode,
            "credits_number" | "credit_reversals_number" | "credits_amount" | "credit_reversals_amount" => {
                Self::Credits
            }
            "debits_number" => Self::DebitsNumber,
            "debit_reversals_number" => Self::DebitReversalsNumber,
            "debits_amount" => Self::DebitsAmount,
            "debit_reversals_amount" => Self::DebitReversalsAmount,
            "net" => Self::Net,
            _ => return None,
        })
    }

    pub(super) const fn is_number(self) -> bool {
        !matches!(self, Self::Net)
    }

    pub(super) const fn told(self, ours: &Totals, agree: bool) -> TotalTold {
        TotalTold::Number(match self {
            Self::SettlementCode => {
                if agree {
                    1
                } else {
                    2
                }
            }
            Self::Credits => 0,
            Self::DebitsNumber => ours.debits.number,
            Self::DebitReversalsNumber => ours.debit_reversals.number,
            Self::DebitsAmount => ours.debits.amount,
            Self::DebitReversalsAmount => ours.debit_reversals.amount,
            Self::Net => return TotalTold::Net(ours.net()),
        })
    }
}

/// What our totals of a date can tell (`[ours.totals]`).
pub(super) const TOTALS_FACTS: &[&str] = &[
    "settlement_date",
    "credits_number",
    "credit_reversals_number",
    "debits_number",
    "debit_reversals_number",
    "credits_amount",
    "credit_reversals_amount",
    "debits_amount",
    "debit_reversals_amount",
    "net",
];

/// Each of the facts of our totals as it is told: the date as month and day (DE 15), numbers in ten digits (DE 74 to 77),
/// amounts in sixteen (DE 86 to 89), the net amount behind its sign (DE 97).
#[must_use]
pub fn told_of(date: BusinessDate, ours: &Totals) -> Vec<(&'static str, String)> {
    let tell = |name: &'static str| {
        let digits = if name.ends_with("_number") { 10 } else { 16 };
        let told = match TotalFact::from_name(name).map(|fact| fact.told(ours, true)) {
            Some(TotalTold::Number(number)) => format!("{number:0digits$}"),
            Some(TotalTold::Net(net)) => net.digits(),
            None => date.month_day(),
        };
        (name, told)
    };
    TOTALS_FACTS.iter().map(|name| tell(name)).collect()
}

impl Profile {
    /// What an answer to our totals says: by its code (DE 39), its settlement code (DE 66), and what it has counted itself.
    #[must_use]
    pub fn totals_answer(
        &self,
        link: LinkName,
        date: BusinessDate,
        message: &Message<'_, '_>,
    ) -> TotalsAnswer {
        let code = self.code_of(message);
        let in_balance = self.paths.settlement_code.get(message).is_none_or(|said| said.trim_ascii() != b"2");
        let agree = self.agreed(code).map(|agreed| agreed && in_balance);
        let (theirs, agree) = match self.totals(message) {
            Ok(request) => (request.theirs, agree),
            // What cannot be read is no agreement.
            Err(_) => (Claimed::default(), agree.filter(|agreed| !agreed)),
        };
        TotalsAnswer { link, date, code: Short::new(code).unwrap_or_default(), agree, theirs }
    }

    pub(super) fn totals(&self, message: &Message<'_, '_>) -> Result<TotalsRequest, Refusal> {
        let paths = &self.paths;
        let number = |place: &Place| digits(message, place);
        let theirs = Claimed {
            credits_number: number(&paths.credits_number)?,
            credit_reversals_number: number(&paths.credit_reversals_number)?,
            debits_number: number(&paths.debits_number)?,
            debit_reversals_number: number(&paths.debit_reversals_number)?,
            credits_amount: number(&paths.credits_amount)?,
            credit_reversals_amount: number(&paths.credit_reversals_amount)?,
            debits_amount: number(&paths.debits_amount)?,
            debit_reversals_amount: number(&paths.debit_reversals_amount)?,
            net: net(message, &paths.net)?,
        };
        Ok(TotalsRequest { date: self.text(message, &paths.settlement_date), theirs, ours: None })
    }
}

/// A count or a sum, of up to sixteen digits; none if it is not told.
fn digits(message: &Message<'_, '_>, place: &Place) -> Result<Option<u64>, Refusal> {
    let Some(digits) = place.get(message) else { return Ok(None) };
    number(digits).map(Some).ok_or((Reason::Malformed, place.field()))
}

/// A sum behind its sign.
fn net(message: &Message<'_, '_>, place: &Place) -> Result<Option<Net>, Refusal> {
    let Some(told) = place.get(message) else { return Ok(None) };
    let read = || {
        let (sign, digits) = told.split_first()?;
        let debit = match sign {
            b'D' => true,
            b'C' => false,
            _ => return None,
        };
        Some(Net { debit, amount: number(digits)? })
    };
    read().map(Some).ok_or((Reason::Malformed, place.field()))
}

fn number(digits: &[u8]) -> Option<u64> {
    let all = !digits.is_empty() && digits.len() <= 16 && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| all)?.parse().ok()
}
