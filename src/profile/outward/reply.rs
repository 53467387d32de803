//! A host's answer in, an outcome out. What is not understood is no decline: the host may have done as told.

use super::{Amount, Asked, Dates, Finds, HeadName, Marks, Outward, Verdict};
use crate::bounds::HEADS_MAX;
use crate::clock::UnixMillis;
use crate::ids::{BusinessDate, Short};
use crate::iso8583::{CardNumbers, Decoded, FieldPath, Message};
use crate::money::MinorUnits;
use crate::profile::Profile;
use crate::switch::{Bill, BillStatus, HeadAmount, Limits, Outcome, Posting, Reason, Reference};

/// The longest name that is kept of a bill.
const NAME_MAX: usize = 100;

impl Profile {
    /// What a host's answer to an order says; `at` is when it came.
    #[must_use]
    pub fn outcome(&self, asked: &Asked, decoded: &Decoded<'_, '_>, at: UnixMillis) -> Outcome {
        let Some(outward) = &self.outward else { return Outcome::Unknown };
        let answer = &decoded.message;
        let saying = match asked {
            Asked::LookUp | Asked::WhoPaid { .. } => &outward.inquiry,
            Asked::Post { .. } => &outward.payment,
            Asked::Reverse { part: false } => &outward.reversal,
            Asked::Reverse { part: true } => match &outward.reduction {
                Some(reduction) => reduction,
                None => return Outcome::Unknown,
            },
        };
        if decoded.fault.is_some() {
            return Outcome::Unknown;
        }
        let verdict = self.code(answer).and_then(|code| saying.codes.get(&code)).copied();
        match (verdict.unwrap_or(Verdict::Unknown), asked) {
            (verdict, Asked::WhoPaid { post, told }) => self.paid(outward, verdict, post, told, answer, at),
            (Verdict::Done, Asked::LookUp) => {
                self.found(outward, answer).map_or(Outcome::Unknown, |bill| Outcome::Found(Box::new(bill)))
            }
            (Verdict::Done, Asked::Post { .. }) | (Verdict::DoneIfAgain, Asked::Post { again: true, .. }) => {
                self.posting(outward, asked, answer, at).map_or(Outcome::Unknown, Outcome::Posted)
            }
            (Verdict::Done, Asked::Reverse { .. }) => Outcome::Reversed,
            (Verdict::Refused(reason), Asked::LookUp | Asked::Post { again: false, .. }) => {
                Outcome::Declined(reason)
            }
            // That the host cannot do it now says nothing of what it did before.
            (Verdict::Refused(reason), Asked::Post { again: true, .. } | Asked::Reverse { .. })
                if passes(reason) =>
            {
                Outcome::Unknown
            }
            (Verdict::Refused(reason), Asked::Post { .. } | Asked::Reverse { .. }) => {
                Outcome::Declined(reason)
            }
            (Verdict::DoneIfAgain, Asked::Post { again: false, .. }) => Outcome::Duplicate,
            (Verdict::DoneIfAgain | Verdict::Unknown, _) => Outcome::Unknown,
        }
    }

    /// What a bill says of its payment, whose repeat was refused because it is paid (`domain.md` 3c): it is ours if all of it is
    /// what we have told. Else only people can find out.
    fn paid(
        &self,
        outward: &Outward,
        verdict: Verdict,
        post: &Asked,
        told: &Marks,
        answer: &Message<'_, '_>,
        at: UnixMillis,
    ) -> Outcome {
        let finds = &outward.finds;
        let paid = match verdict {
            Verdict::Refused(reason) if passes(reason) => return Outcome::Unknown,
            Verdict::Refused(reason) => reason == Reason::AlreadyPaid,
            // Of several payments it shows the latest, if any.
            Verdict::Done => matches!(first(answer, &finds.status), Some(b"P" | b"T")),
            Verdict::DoneIfAgain | Verdict::Unknown => return Outcome::Unknown,
        };
        let shown = |((at, _), told): (&(FieldPath, FieldPath), &[u8])| {
            answer.get(at).map(<[u8]>::trim_ascii) == Some(told)
        };
        let ours = paid
            && !told.is_empty()
            && told.len() == finds.paid_by.len()
            && finds.paid_by.iter().zip(told.iter().map(AsRef::as_ref)).all(shown);
        let posting = if ours { self.posting(outward, post, answer, at) } else { None };
        posting.map_or(Outcome::Declined(Reason::AlreadyPaid), Outcome::Posted)
    }

    /// What is told as posted must be what was to be posted.
    fn posting(
        &self,
        outward: &Outward,
        asked: &Asked,
        answer: &Message<'_, '_>,
        at: UnixMillis,
    ) -> Option<Posting> {
        let Asked::Post { amount, heads, trace, .. } = asked else { return None };
        if let Some(told) = self.paths.amount.get(answer)
            && MinorUnits::from_digits(told) != Ok(*amount)
        {
            return None;
        }
        let own = CardNumbers::of(answer);
        let receipt = first(answer, &outward.receipt).filter(|receipt| !own.in_text(receipt));
        let receipt = receipt.and_then(|receipt| Short::new(receipt).ok());
        // So that the citizen has something to show, and the host's people something to look for.
        let trace = || Short::new(format!("{trace:012}").as_bytes()).unwrap_or_default();
        let authorisation = first(answer, &outward.authorisation).and_then(|code| Short::new(code).ok());
        Some(Posting {
            receipt: receipt.unwrap_or_else(trace),
            authorisation: authorisation.unwrap_or_default(),
            at,
            heads: heads.clone(),
        })
    }

    fn found(&self, outward: &Outward, answer: &Message<'_, '_>) -> Option<Bill> {
        let finds = &outward.finds;
        let heads = finds.heads(answer)?;
        let sum = MinorUnits::sum(heads.iter().map(|head| head.amount)).ok()?;
        let within = match sum_of(&finds.within_due, answer)? {
            Some(told) if heads.is_empty() || told == sum => told,
            None if !heads.is_empty() => sum,
            Some(_) | None => return None,
        };
        for amount in &finds.agrees {
            if amount.get(answer)?.is_some_and(|told| told != within) {
                return None;
            }
        }
        let after = sum_of(&finds.after_due, answer)?.unwrap_or(within);
        let name = first(answer, &finds.name).unwrap_or_default();
        let name = name.get(..NAME_MAX).unwrap_or(name);
        let status = match first(answer, &finds.status) {
            None | Some(b"U") => BillStatus::Unpaid,
            Some(b"T") => BillStatus::Partial(Limits {
                min: limit(finds.minimum.as_ref(), answer)?,
                max: limit(finds.maximum.as_ref(), answer)?,
            }),
            Some(b"P") => BillStatus::Paid,
            Some(b"B") => BillStatus::Blocked,
            Some(_) => return None,
        };
        let billing_month = first(answer, &finds.billing_month).and_then(|month| Short::new(month).ok());
        let kept = self.keep(answer, &outward.keeps)?;
        Some(Bill {
            name: String::from_utf8_lossy(name).into(),
            status,
            billing_month: billing_month.unwrap_or_default(),
            due_date: finds.due_date.earliest(answer)?,
            expiry_date: finds.expiry_date.earliest(answer)?,
            amount_within_due: within,
            amount_after_due: after.max(within),
            heads,
            reference: Reference::new(&kept)?,
        })
    }
}

/// A limit of one payment, if there is one; `None` outside if it cannot be read.
#[expect(clippy::option_option, reason = "not there, and not readable, are two things")]
fn limit(place: Option<&Amount>, answer: &Message<'_, '_>) -> Option<Option<MinorUnits>> {
    place
        .map_or(Some(None), |place| place.get(answer))
        .map(|limit| limit.filter(|limit| *limit != MinorUnits::ZERO))
}

/// Whether a refusal is one of the moment, and not of the payment.
const fn passes(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::BillerUnavailable
            | Reason::NotSignedOn
            | Reason::Draining
            | Reason::Overloaded
            | Reason::Internal
    )
}

/// The first of some places that has more than blanks, without those around it.
fn first<'a>(answer: &Message<'_, 'a>, paths: &[FieldPath]) -> Option<&'a [u8]> {
    let values = paths.iter().filter_map(|path| answer.get(path)).map(<[u8]>::trim_ascii);
    values.into_iter().find(|value| !value.is_empty())
}

/// The sum of what there is of some amounts; nothing if there is none of them. `None` outside if one cannot be read.
#[expect(clippy::option_option, reason = "not there, and not readable, are two things")]
fn sum_of(amounts: &[Amount], answer: &Message<'_, '_>) -> Option<Option<MinorUnits>> {
    let mut sum = None;
    for amount in amounts {
        if let Some(told) = amount.get(answer)? {
            sum = Some(sum.unwrap_or(MinorUnits::ZERO).plus(told).ok()?);
        }
    }
    Some(sum)
}

impl Amount {
    /// The amount, if it is there; `None` outside if it cannot be read, or has decimals that count.
    #[expect(clippy::option_option, reason = "not there, and not readable, are two things")]
    fn get(&self, answer: &Message<'_, '_>) -> Option<Option<MinorUnits>> {
        let Some(digits) = answer.get(&self.path).map(<[u8]>::trim_ascii).filter(|digits| !digits.is_empty())
        else {
            return Some(None);
        };
        let decimals = self.decimals.as_ref().and_then(|path| answer.get(path));
        let decimals =
            decimals.map_or(Some(0), |digit| std::str::from_utf8(digit).ok()?.trim().parse::<u32>().ok())?;
        let unit = 10_u64.checked_pow(decimals)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let amount: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
        let whole =
            amount.checked_rem(unit).filter(|rest| *rest == 0).and_then(|_| amount.checked_div(unit))?;
        MinorUnits::new(whole).ok().map(Some)
    }
}

impl Dates {
    /// The earliest date there is; [`BusinessDate::NEVER`] where there is none. `None` if one cannot be read.
    fn earliest(&self, answer: &Message<'_, '_>) -> Option<BusinessDate> {
        let mut earliest = BusinessDate::NEVER;
        for text in self.paths.iter().filter_map(|path| answer.get(path)) {
            if text.iter().all(|byte| matches!(byte, b'0' | b' ')) {
                continue;
            }
            let date = self.forms.iter().find_map(|form| form.date(text))?;
            earliest = earliest.min(BusinessDate::new(date));
        }
        Some(earliest)
    }
}

impl Finds {
    /// The heads of account; `None` if one cannot be read, or there are more than [`HEADS_MAX`]. One without an amount is none.
    fn heads(&self, answer: &Message<'_, '_>) -> Option<Vec<HeadAmount>> {
        let mut heads = Vec::new();
        if let Some(path) = &self.heads {
            for (tag, value) in answer.elements(path.field()) {
                if path.leads_to(tag) {
                    let at = value.iter().position(|byte| *byte == b'=')?;
                    let (code, amount) = value.split_at_checked(at)?;
                    let amount = MinorUnits::from_digits(amount.get(1..)?).ok()?;
                    heads.push(HeadAmount { head: Short::new(code).ok()?, amount });
                }
            }
        }
        for head in &self.head {
            let Some(amount) = sum_of(&head.amounts, answer)?.filter(|sum| *sum > MinorUnits::ZERO) else {
                continue;
            };
            let mut names = head.names.iter().filter_map(|name| match name {
                HeadName::Called(code) => Some(*code),
                HeadName::At(path) => Short::new(answer.get(path)?.trim_ascii()).ok(),
            });
            let code = names.find(|code| !code.is_empty())?;
            heads.push(HeadAmount { head: code, amount });
        }
        (heads.len() <= HEADS_MAX).then_some(heads)
    }
}
