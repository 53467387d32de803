//! Outcome in, message out.

use bytes::BytesMut;

use super::totals::TotalTold;
use super::{Fact, From, Profile, Step, Told};
use crate::ids::BusinessDate;
use crate::iso8583::{EncodeError, Message, Seal, Writer};
use crate::money::MinorUnits;
use crate::switch::{About, Answer, Bill, BillStatus, HeadAmount, Limits, Posting};

impl Profile {
    /// Appends the answer to `request` to `out`.
    ///
    /// A fact that its field cannot hold is left out with all the others rather than the answer, and if need be so is
    /// all that the answer is not found by: the acquirer must hear the outcome.
    ///
    /// Gives back why something had to be left out, if it had.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if not even the outcome could be written; `out` is then as it was.
    pub fn answer(
        &self,
        request: &Message<'_, '_>,
        answer: &Answer,
        out: &mut BytesMut,
    ) -> Result<Option<EncodeError>, EncodeError> {
        self.answer_sealed(request, answer, None, out)
    }

    /// As [`Profile::answer`], with a MAC if `seal` is given and answers to messages of the request's type have one.
    ///
    /// # Errors
    ///
    /// As [`Profile::answer`].
    pub fn answer_sealed(
        &self,
        request: &Message<'_, '_>,
        answer: &Answer,
        seal: Option<&Seal<'_>>,
        out: &mut BytesMut,
    ) -> Result<Option<EncodeError>, EncodeError> {
        let mut write = |about, extent| self.write(request, answer, about, (extent, seal), out);
        let Err(first) = write(&answer.about, Extent::All) else { return Ok(None) };
        write(&About::Nothing, Extent::All)
            .or_else(|_| write(&About::Nothing, Extent::Outcome))
            .or_else(|_| write(&About::Nothing, Extent::Trace))
            .map(|()| Some(first))
    }

    fn write(
        &self,
        request: &Message<'_, '_>,
        answer: &Answer,
        about: &About,
        (extent, seal): (Extent, Option<&Seal<'_>>),
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let mut writer =
            Writer::answering(&self.dialect, self.answer_mti(request.mti()), request.header(), out);
        for step in &self.answer {
            match step {
                Step::Echo(field) if !self.echoes(extent, *field) || self.holds_key(request, *field) => {}
                Step::Echo(field) => {
                    if let Some(value) = request.field(*field) {
                        writer.put(*field, value)?;
                    }
                }
                Step::ResponseCode(field) => {
                    writer.put(*field, self.response_code_to(request, answer.reason).as_bytes())?;
                }
                Step::BadField(_) if extent == Extent::Trace => {}
                Step::BadField(field) => {
                    if let Some(bad) = answer.bad_field {
                        writer.put(*field, &three_digits(bad))?;
                    }
                }
                Step::Elements(field, facts) if extent == Extent::Outcome && self.identifies(*field) => {
                    elements(&mut writer, *field, facts, request, about)?;
                }
                Step::Fact(..) | Step::Elements(..) if extent != Extent::All => {}
                Step::Fact(field, told) => told.tell(request, about, &mut |value| {
                    // A writer remembers its first error until `finish`.
                    let _ = writer.put(*field, value);
                }),
                Step::Elements(field, facts) => elements(&mut writer, *field, facts, request, about)?,
            }
        }
        match (self.sealed(request.mti(), seal), extent) {
            (Some((rule, seal)), _) => writer.finish_sealed(rule, seal, extent == Extent::All),
            (None, Extent::All) => writer.finish(),
            (None, Extent::Outcome | Extent::Trace) => writer.finish_as_it_is(),
        }
    }

    fn echoes(&self, extent: Extent, field: u8) -> bool {
        match extent {
            Extent::All => true,
            Extent::Outcome => self.identifies(field),
            Extent::Trace => self.paths.stan.0.iter().any(|path| path.field() == field),
        }
    }
}

/// How much of an answer is written.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Extent {
    All,
    /// The outcome, and what the answer is found by.
    Outcome,
    /// The outcome and the trace number: nothing less tells anybody anything.
    Trace,
}

fn elements(
    writer: &mut Writer<'_, '_>,
    field: u8,
    facts: &[(Vec<u8>, Told)],
    request: &Message<'_, '_>,
    about: &About,
) -> Result<(), EncodeError> {
    pieces(writer, field, facts, &|told, put| told.tell(request, about, put))
}

/// Gives a value, or values, of what is to be told.
type Teller<'t, T> = dyn Fn(&T, &mut dyn FnMut(&[u8])) + 't;

/// Writes what is inside a field, in the order of the wire; nothing if `tell` has nothing to tell.
pub(super) fn pieces<T>(
    writer: &mut Writer<'_, '_>,
    field: u8,
    inside: &[(Vec<u8>, T)],
    tell: &Teller<'_, T>,
) -> Result<(), EncodeError> {
    let mut any = false;
    inside.iter().for_each(|(_, told)| tell(told, &mut |_| any = true));
    // In messages of another kind there may be nothing inside.
    if !(any && writer.has_inside(field)) {
        return Ok(());
    }
    writer.begin(field)?;
    // In messages of another kind the field may be laid out otherwise: pieces in another order, some nowhere.
    let mut next = Some(0);
    while let Some(at) = next {
        next = None;
        for (key, told) in inside {
            match writer.place(key) {
                Some(place) if place == at => tell(told, &mut |value| {
                    writer.skip_to(key);
                    // A writer remembers its first error until `end`.
                    let _ = writer.element(key, value);
                }),
                Some(place) if place > at => next = Some(next.map_or(place, |next| place.min(next))),
                Some(_) | None => {}
            }
        }
    }
    writer.end()
}

/// Longest piece with a width of its own: more than any name or reference has.
pub(super) const WIDTH_MAX: usize = 128;

impl Told {
    /// Gives the value, or values, to `put`, as wide as they must be; nothing if there is none.
    fn tell(&self, request: &Message<'_, '_>, about: &About, put: &mut dyn FnMut(&[u8])) {
        match &self.from {
            From::Echo(path) => request.get(path).into_iter().for_each(put),
            From::Text(_) if *about == About::Nothing => {}
            From::Text(text) => put(text),
            // What a department did not say is left out; a place of fixed width is filled.
            From::Fact(fact) => fact.tell(about, &mut |value| {
                if !value.is_empty() || self.width.is_some() {
                    self.wide(value, fact.is_number(), put);
                }
            }),
        }
    }

    fn wide(&self, value: &[u8], number: bool, put: &mut dyn FnMut(&[u8])) {
        let mut room = [if number { b'0' } else { b' ' }; WIDTH_MAX];
        let room = self.width.and_then(|width| room.get_mut(..usize::from(width)));
        let Some(room) = room else { return put(value) };
        let value = if self.cut { value.get(..room.len()).unwrap_or(value) } else { value };
        let from = if number { room.len().saturating_sub(value.len()) } else { 0 };
        match room.get_mut(from..from.saturating_add(value.len())) {
            Some(place) => {
                place.copy_from_slice(value);
                put(room);
            }
            // Too long: the writer refuses it and says so.
            None => put(value),
        }
    }
}

/// DE 44 names a field as three digits.
fn three_digits(field: u8) -> [u8; 3] {
    let digit = |n: u8| b'0'.saturating_add(n % 10);
    [digit(field / 100), digit(field / 10), digit(field)]
}

/// Decimal digits of a number, on the stack.
pub(super) struct Digits {
    bytes: [u8; 20],
    start: usize,
}

impl Digits {
    pub(super) fn of(mut number: u64) -> Self {
        let mut digits = Self { bytes: [b'0'; 20], start: 20 };
        for (index, byte) in digits.bytes.iter_mut().enumerate().rev() {
            *byte = b'0'.saturating_add(u8::try_from(number % 10).unwrap_or_default());
            digits.start = index;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        digits
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// With zeros before them, so that there are so many at least; 20 at most.
    pub(super) fn as_wide(&self, width: usize) -> &[u8] {
        let start = self.bytes.len().saturating_sub(width).min(self.start);
        self.bytes.get(start..).unwrap_or_default()
    }
}

impl Fact {
    const fn is_number(self) -> bool {
        match self {
            Self::AmountWithinDue
            | Self::AmountAfterDue
            | Self::Minimum
            | Self::Maximum
            | Self::Bills
            | Self::BillAmount(_)
            | Self::Splits
            | Self::SplitAmount(_) => true,
            Self::Total(total) => total.is_number(),
            Self::Name
            | Self::Status
            | Self::DueDate
            | Self::BillingMonth
            | Self::Heads
            | Self::Receipt
            | Self::DatePaid
            | Self::BillPeriod(_)
            | Self::SplitMinor(_)
            | Self::Authorisation => false,
        }
    }

    /// Gives this fact's value, or values, to `put`; nothing if the outcome has none.
    fn tell(self, about: &About, put: &mut dyn FnMut(&[u8])) {
        match about {
            About::Nothing => {}
            About::Bill(bill) => self.tell_bill(bill, put),
            About::Posted { posting, date } => match self {
                Self::DatePaid => put(date.compact().as_bytes()),
                Self::Status => put(b"P"),
                Self::Name
                | Self::DueDate
                | Self::BillingMonth
                | Self::AmountWithinDue
                | Self::AmountAfterDue
                | Self::Minimum
                | Self::Maximum
                | Self::Heads
                | Self::Receipt
                | Self::Total(_)
                | Self::Authorisation => self.tell_posting(posting, put),
                Self::Bills
                | Self::BillPeriod(_)
                | Self::BillAmount(_)
                | Self::Splits
                | Self::SplitMinor(_)
                | Self::SplitAmount(_) => {}
            },
            About::Totals { date: _, ours, agree } => {
                if let Self::Total(total) = self {
                    match total.told(ours, *agree) {
                        TotalTold::Number(number) => put(Digits::of(number).as_bytes()),
                        TotalTold::Net(net) => put(net.digits().as_bytes()),
                    }
                }
            }
        }
    }

    fn tell_bill(self, bill: &Bill, put: &mut dyn FnMut(&[u8])) {
        match self {
            Self::Name => put(bill.name.as_bytes()),
            Self::Status => put(bill.status.letter().as_bytes()),
            Self::DueDate if bill.due_date == BusinessDate::NEVER => {}
            Self::DueDate => put(bill.due_date.compact().as_bytes()),
            Self::BillingMonth => put(bill.billing_month.as_bytes()),
            Self::AmountWithinDue => put(Digits::of(bill.amount_within_due.minor()).as_bytes()),
            Self::AmountAfterDue => put(Digits::of(bill.amount_after_due.minor()).as_bytes()),
            Self::Minimum => limit(bill, |limits| limits.min, put),
            Self::Maximum => limit(bill, |limits| limits.max, put),
            Self::Heads => tell_heads(&bill.heads, put),
            Self::Receipt | Self::DatePaid | Self::Authorisation | Self::Total(_) => {}
            Self::Bills
            | Self::BillPeriod(_)
            | Self::BillAmount(_)
            | Self::Splits
            | Self::SplitMinor(_)
            | Self::SplitAmount(_) => self.tell_by_place(bill, put),
        }
    }

    fn tell_posting(self, posting: &Posting, put: &mut dyn FnMut(&[u8])) {
        match self {
            Self::Heads => tell_heads(&posting.heads, put),
            Self::Receipt => put(posting.receipt.as_bytes()),
            Self::Authorisation => put(posting.authorisation.as_bytes()),
            Self::Name
            | Self::Status
            | Self::DueDate
            | Self::BillingMonth
            | Self::AmountWithinDue
            | Self::AmountAfterDue
            | Self::Minimum
            | Self::Maximum
            | Self::Total(_)
            | Self::DatePaid
            | Self::Bills
            | Self::BillPeriod(_)
            | Self::BillAmount(_)
            | Self::Splits
            | Self::SplitMinor(_)
            | Self::SplitAmount(_) => {}
        }
    }
}

fn limit(bill: &Bill, which: fn(&Limits) -> Option<MinorUnits>, put: &mut dyn FnMut(&[u8])) {
    if let BillStatus::Partial(limits) = bill.status
        && let Some(limit) = which(&limits)
    {
        put(Digits::of(limit.minor()).as_bytes());
    }
}

pub(super) fn tell_heads(heads: &[HeadAmount], put: &mut dyn FnMut(&[u8])) {
    for head in heads {
        let mut text = [0_u8; 40];
        let digits = Digits::of(head.amount.minor());
        let parts = [head.head.as_bytes(), b"=", digits.as_bytes()];
        let mut len = 0_usize;
        for (to, from) in text.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
            len = len.saturating_add(1);
        }
        put(text.get(..len).unwrap_or_default());
    }
}

impl Fact {
    pub(super) const KNOWN: &'static str = "name, status, due_date, billing_month, amount_within_due, amount_after_due, minimum, \
                                 maximum, heads, receipt, date_paid, authorisation, bills, bill_1_period, bill_1_amount, splits, \
                                 split_1_minor or split_1_amount; of totals settlement_code, credits_number, \
                                 credit_reversals_number, debits_number, debit_reversals_number, the same four with \
                                 _amount, or net";

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "name" => Self::Name,
            "status" => Self::Status,
            "due_date" => Self::DueDate,
            "billing_month" => Self::BillingMonth,
            "amount_within_due" => Self::AmountWithinDue,
            "amount_after_due" => Self::AmountAfterDue,
            "minimum" => Self::Minimum,
            "maximum" => Self::Maximum,
            "heads" => Self::Heads,
            "receipt" => Self::Receipt,
            "date_paid" => Self::DatePaid,
            "authorisation" => Self::Authorisation,
            _ => {
                let total = || super::totals::TotalFact::from_name(name).map(Self::Total);
                return Self::by_place(name).or_else(total);
            }
        })
    }
}
