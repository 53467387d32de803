//! A scroll with what its department's settlement says of it: whose the heads are, and where the money goes.

use std::io::Write;

use serde::Serialize;

use super::scroll::{HeadLine, ScrollError, ScrollLine};
use crate::biller::{HeadKind, Settlement};
use crate::ids::Short;
use crate::money::{AmountError, MinorUnits};

/// A line of a scroll; what is not configured is left out.
#[derive(Debug, Serialize)]
pub struct SettledLine<'a> {
    #[serde(flatten)]
    line: &'a ScrollLine,
    /// Minor units on the province's heads.
    #[serde(skip_serializing_if = "Option::is_none")]
    provincial: Option<MinorUnits>,
    /// Minor units on the federation's heads.
    #[serde(skip_serializing_if = "Option::is_none")]
    federal: Option<MinorUnits>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settlement_account: Option<Short<34>>,
}

/// A head's sum; what is not configured is left out.
#[derive(Debug, Serialize)]
pub struct SettledHead<'a> {
    #[serde(flatten)]
    line: &'a HeadLine,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<HeadKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settlement_account: Option<Short<34>>,
}

/// The lines of a scroll, with whose money they are. What is on heads of no kind is nobody's here.
///
/// # Errors
///
/// [`ScrollError::Sum`] if the heads of a line sum to more than any amount.
pub fn settled<'a>(
    lines: &'a [ScrollLine],
    settlement: &Settlement,
) -> Result<Vec<SettledLine<'a>>, ScrollError> {
    let settled = |line: &'a ScrollLine| {
        let of = |kind: HeadKind| -> Result<Option<MinorUnits>, AmountError> {
            let its = line.heads.iter().filter(|head| settlement.heads.get(&head.head) == Some(&kind));
            let sum = MinorUnits::sum(its.map(|head| head.amount))?;
            Ok((!settlement.heads.is_empty()).then_some(sum))
        };
        Ok(SettledLine {
            line,
            provincial: of(HeadKind::Provincial)?,
            federal: of(HeadKind::Federal)?,
            settlement_account: settlement.account,
        })
    };
    lines.iter().map(settled).collect()
}

/// The sums of heads, with whose each is.
#[must_use]
pub fn settled_heads<'a>(heads: &'a [HeadLine], settlement: &Settlement) -> Vec<SettledHead<'a>> {
    let settled = |line: &'a HeadLine| SettledHead {
        line,
        kind: settlement.heads.get(&line.head).copied(),
        settlement_account: settlement.account,
    };
    heads.iter().map(settled).collect()
}

/// Writes a scroll as CSV: amounts in minor units, heads as `head:amount|head:amount`, times in `zone`. Where something of the
/// settlement is configured three columns more: the amounts on provincial and on federal heads, and the account.
///
/// # Errors
///
/// [`ScrollError`].
pub fn write_scroll(
    lines: &[ScrollLine],
    settlement: &Settlement,
    zone: &jiff::tz::TimeZone,
    out: impl Write,
) -> Result<(), ScrollError> {
    let mut csv = csv::Writer::from_writer(out);
    let own = ["time", "psid", "amount", "heads", "channel", "acquirer", "receipt", "rrn"];
    let more = ["provincial", "federal", "settlement_account"];
    csv.write_record(own.into_iter().chain(more.into_iter().filter(|_| !settlement.is_empty())))?;
    for SettledLine { line, provincial, federal, settlement_account } in settled(lines, settlement)? {
        let heads: Vec<String> =
            line.heads.iter().map(|head| format!("{}:{}", head.head, head.amount.minor())).collect();
        let own = [
            line.at.text(zone),
            line.psid.clone(),
            line.amount.minor().to_string(),
            heads.join("|"),
            line.channel.to_string(),
            line.acquirer.to_string(),
            line.receipt.to_string(),
            line.rrn.to_string(),
        ];
        let minor =
            |amount: Option<MinorUnits>| amount.map(|sum| sum.minor().to_string()).unwrap_or_default();
        let more = [minor(provincial), minor(federal), settlement_account.unwrap_or_default().to_string()];
        csv.write_record(own.into_iter().chain(more.into_iter().filter(|_| !settlement.is_empty())))?;
    }
    csv.flush()?;
    Ok(())
}

/// Writes heads as CSV, amounts in minor units. Where something of the settlement is configured two columns more: whose the
/// head is, and the account.
///
/// # Errors
///
/// [`ScrollError::Write`] or [`ScrollError::Flush`].
pub fn write_heads(heads: &[HeadLine], settlement: &Settlement, out: impl Write) -> Result<(), ScrollError> {
    let mut csv = csv::Writer::from_writer(out);
    let more = ["kind", "settlement_account"].into_iter().filter(|_| !settlement.is_empty());
    csv.write_record(["head", "acquirer", "payments", "amount"].into_iter().chain(more))?;
    for SettledHead { line, kind, settlement_account } in settled_heads(heads, settlement) {
        let own = [
            line.head.to_string(),
            line.acquirer.to_string(),
            line.payments.to_string(),
            line.amount.minor().to_string(),
        ];
        let kind = kind.map(HeadKind::as_str).unwrap_or_default().to_owned();
        let more = [kind, settlement_account.unwrap_or_default().to_string()];
        csv.write_record(own.into_iter().chain(more.into_iter().filter(|_| !settlement.is_empty())))?;
    }
    csv.flush()?;
    Ok(())
}
