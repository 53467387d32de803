//! Bodies of calls, and what their answers mean.

use super::fields::Fields;
use super::{Contract, Done, Identity, Inquiry, Is, Part, Place, Status, Told};
use crate::ids::{BusinessDate, Short};
use crate::money::MinorUnits;
use crate::switch::{Bill, BillStatus, Limits, Outcome, Payment, Reason, Reference};

/// Longest name of a person that is passed on, in characters.
const NAME_CHARS_MAX: usize = 100;

/// What the answer to a payment says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Heard {
    /// Posted, under this receipt if the department has told one that can be read out.
    Posted(Option<Short<20>>),
    /// The very same was posted before, under this receipt if it is told: ours, unless the bill shows otherwise.
    Duplicate(Option<Short<20>>),
    /// The bill is paid; whether by us, the bill must show.
    AlreadyPaid,
    /// Nothing is posted, and why.
    Refused(Reason),
    /// It may have been posted.
    Unknown,
}

/// What an inquiry shows of who paid a bill.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PaidBy {
    /// This payment: its authorisation, and where they are told its amount and its day.
    Us,
    /// Another.
    Another,
    /// It is paid, or can be paid several times, and the answer does not show by whom.
    NotTold,
    /// Nobody.
    Nobody,
    /// There is no such bill.
    NoBill,
    /// The answer cannot be understood.
    Unknown,
}

/// What a request is made from.
struct Source<'a> {
    consumer: &'a str,
    bank: &'a str,
    payment: Option<(&'a Payment, Identity)>,
}

impl Contract {
    /// The body of an inquiry.
    ///
    /// # Errors
    ///
    /// [`Reason::NoSuchBill`] where the contract has no room for such a number: nothing can be sent.
    pub fn inquiry(&self, consumer: &str, bank: &str) -> Result<Vec<u8>, Reason> {
        body(&self.inquiry.request, &Source { consumer, bank, payment: None }, |_| None)
    }

    /// The body of a payment, the same each time.
    ///
    /// # Errors
    ///
    /// As [`Contract::inquiry`], and [`Reason::AmountNotAccepted`] for an amount of nothing, or too large for the contract.
    pub fn payment(&self, payment: &Payment, bank: &str) -> Result<Vec<u8>, Reason> {
        let source =
            Source { consumer: &payment.consumer, bank, payment: Some((payment, Identity::of(payment))) };
        let (digits, sign) = (self.payment.amount_digits, if self.payment.amount_signed { "+" } else { "" });
        let amount = |amount: MinorUnits| {
            let text = format!("{sign}{:0digits$}", amount.minor());
            let fits = text.len() == digits.saturating_add(sign.len()) && amount != MinorUnits::ZERO;
            fits.then_some(text)
        };
        body(&self.payment.request, &source, amount)
    }

    /// What the answer to an inquiry says: the bill, why there is none to pay, or nothing that can be understood.
    #[must_use]
    pub fn read_inquiry(&self, body: &[u8]) -> Outcome {
        let Some(fields) = Fields::read(body) else { return Outcome::Unknown };
        match self.inquiry.meaning(&fields) {
            None | Some((Told::Unknown, _)) => Outcome::Unknown,
            Some((Told::Refused(reason), _)) => Outcome::Declined(reason),
            Some((Told::Found, None)) => Outcome::Unknown,
            Some((Told::Found, Some(status))) => match (self.inquiry.bill(&fields, status), status) {
                (Some(bill), _) => Outcome::Found(Box::new(bill)),
                // What of it cannot be read changes nothing.
                (None, Status::Paid) => Outcome::Declined(Reason::AlreadyPaid),
                (None, Status::Blocked) => Outcome::Declined(Reason::Blocked),
                (None, Status::Unpaid | Status::Partial) => Outcome::Unknown,
            },
        }
    }

    /// Who has paid a bill, as the answer to an inquiry shows it.
    #[must_use]
    pub fn paid_by(&self, payment: &Payment, body: &[u8]) -> PaidBy {
        let Some(fields) = Fields::read(body) else { return PaidBy::Unknown };
        match self.inquiry.meaning(&fields) {
            Some((Told::Found, Some(Status::Unpaid))) => PaidBy::Nobody,
            Some((Told::Found, Some(Status::Paid)) | (Told::Refused(Reason::AlreadyPaid), _)) => {
                self.inquiry.payer(&fields, payment)
            }
            Some((Told::Refused(Reason::NoSuchBill), _)) => PaidBy::NoBill,
            // The latest of several payments is shown, if any is.
            Some((Told::Found, Some(Status::Partial))) => match self.inquiry.payer(&fields, payment) {
                PaidBy::Us => PaidBy::Us,
                PaidBy::Another | PaidBy::NotTold | PaidBy::Nobody | PaidBy::NoBill | PaidBy::Unknown => {
                    PaidBy::NotTold
                }
            },
            Some((Told::Found, Some(Status::Blocked) | None) | (Told::Refused(_) | Told::Unknown, _))
            | None => PaidBy::Unknown,
        }
    }

    /// What the answer to a payment says. What is said of a repeat must hold of every time before it.
    #[must_use]
    pub fn read_payment(&self, again: bool, body: &[u8]) -> Heard {
        let Some(fields) = Fields::read(body) else { return Heard::Unknown };
        let Some(code) = fields.text(&self.payment.code) else { return Heard::Unknown };
        let own = if again { self.payment.codes_again.get(code) } else { None };
        let receipt = || {
            let text = self.payment.receipt.as_deref().and_then(|key| fields.text(key))?;
            Short::new(text.as_bytes()).ok().filter(|receipt| !receipt.is_empty())
        };
        match own.or_else(|| self.payment.codes.get(code)) {
            Some(Done::Posted) => Heard::Posted(receipt()),
            Some(Done::Duplicate) => Heard::Duplicate(receipt()),
            Some(Done::Refused(Reason::AlreadyPaid)) => Heard::AlreadyPaid,
            Some(Done::Refused(reason)) => Heard::Refused(*reason),
            Some(Done::Unknown) | None => Heard::Unknown,
        }
    }
}

fn body(
    parts: &[Part],
    source: &Source<'_>,
    amount: impl Fn(MinorUnits) -> Option<String>,
) -> Result<Vec<u8>, Reason> {
    let mut object = serde_json::Map::with_capacity(parts.len());
    for part in parts {
        let of_payment = |value: fn(&Identity) -> &str| {
            source.payment.as_ref().map(|(_, identity)| value(identity).to_owned()).unwrap_or_default()
        };
        let value = match part.is {
            Is::Consumer => source.consumer.to_owned(),
            Is::Bank => source.bank.to_owned(),
            Is::Authorisation => of_payment(|identity| identity.authorisation.as_str()),
            Is::Date => of_payment(|identity| identity.date.as_str()),
            Is::Time => of_payment(|identity| identity.time.as_str()),
            Is::Amount => source
                .payment
                .as_ref()
                .and_then(|(payment, _)| amount(payment.amount))
                .ok_or(Reason::AmountNotAccepted)?,
            Is::Nothing => String::new(),
        };
        if part.max.is_some_and(|max| value.chars().count() > max) {
            return Err(Reason::NoSuchBill);
        }
        object.insert(part.key.clone(), serde_json::Value::String(value));
    }
    serde_json::to_vec(&object).map_err(|_| Reason::Internal)
}

impl Inquiry {
    /// What code and status mean together. None if the code is not of the contract, or the status is needed and is not.
    fn meaning(&self, fields: &Fields) -> Option<(Told, Option<Status>)> {
        let code = fields.text(&self.answer.code)?;
        let letter = fields.text(&self.answer.status)?;
        let both = (!letter.is_empty()).then(|| self.codes.get(&format!("{code}/{letter}"))).flatten();
        let told = both.or_else(|| self.codes.get(code))?;
        Some((*told, self.statuses.get(letter).copied()))
    }

    fn bill(&self, fields: &Fields, status: Status) -> Option<Bill> {
        let keys = &self.answer;
        let month = keys.billing_month.as_deref().map_or(Some(""), |key| fields.text(key))?;
        let name = fields.text(&keys.name)?;
        Some(Bill {
            name: name.chars().take(NAME_CHARS_MAX).map(printable).collect(),
            status: match status {
                Status::Unpaid => BillStatus::Unpaid,
                Status::Partial => BillStatus::Partial(Limits {
                    min: keys.minimum.as_ref().and_then(|place| place.limit(fields)),
                    max: keys.maximum.as_ref().and_then(|place| place.limit(fields)),
                }),
                Status::Paid => BillStatus::Paid,
                Status::Blocked => BillStatus::Blocked,
            },
            billing_month: Short::new(month.as_bytes()).unwrap_or_default(),
            due_date: date(fields.text(&keys.due_date)?)?,
            // The contract has none: a bill past it is said to be blocked, or not to be there.
            expiry_date: BusinessDate::new(jiff::civil::Date::MAX),
            amount_within_due: self.amount(fields.text(&keys.within_due)?)?,
            amount_after_due: self.amount(fields.text(&keys.after_due)?)?,
            heads: Vec::new(),
            reference: Reference::default(),
        })
    }

    /// An amount with its sign. Who has paid too much before owes nothing.
    fn amount(&self, text: &str) -> Option<MinorUnits> {
        let (negative, digits) = match text.as_bytes() {
            [b'+', digits @ ..] => (false, digits),
            [b'-', digits @ ..] => (true, digits),
            digits => (false, digits),
        };
        let amount = (digits.len() == self.amount_digits).then(|| minor(digits)).flatten()?;
        Some(if negative { MinorUnits::ZERO } else { amount })
    }

    /// Whose authorisation a paid bill shows. The department may count another day than we do, by one.
    fn payer(&self, fields: &Fields, payment: &Payment) -> PaidBy {
        let read = |key: &Option<String>| key.as_deref().map_or(Some(""), |key| fields.text(key));
        let keys = &self.answer;
        let told = (read(&keys.authorisation), read(&keys.amount_paid), read(&keys.date_paid));
        let (Some(authorisation), Some(amount), Some(day)) = told else { return PaidBy::NotTold };
        if authorisation.is_empty() {
            return PaidBy::NotTold;
        }
        let identity = Identity::of(payment);
        let same_amount = amount.is_empty() || minor(amount.as_bytes()) == Some(payment.amount);
        let near = |day: BusinessDate| {
            day.day_number().saturating_sub(payment.date.day_number()).saturating_abs() <= 1
        };
        let same_day = day.is_empty() || date(day).is_some_and(near);
        if authorisation == identity.authorisation.as_str() && same_amount && same_day {
            PaidBy::Us
        } else {
            PaidBy::Another
        }
    }
}

impl Place {
    /// The limit that stands there; none where there are blanks, zeros or other text.
    fn limit(&self, fields: &Fields) -> Option<MinorUnits> {
        let text: String = fields.raw(&self.key)?.chars().skip(self.skip).take(self.width).collect();
        minor(text.trim().as_bytes()).filter(|limit| *limit != MinorUnits::ZERO)
    }
}

/// Digits of minor units, as many as there may be.
fn minor(digits: &[u8]) -> Option<MinorUnits> {
    let text = std::str::from_utf8(digits).ok()?;
    let plain = !text.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let value: u64 = plain.then(|| text.parse().ok()).flatten()?;
    MinorUnits::new(value).ok()
}

/// A date of eight digits.
fn date(text: &str) -> Option<BusinessDate> {
    let plain = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    let read = plain.then(|| jiff::civil::Date::strptime("%Y%m%d", text).ok()).flatten()?;
    Some(BusinessDate::new(read))
}

/// An answer's characters go on into messages of printable ASCII.
const fn printable(character: char) -> char {
    if matches!(character, ' '..='~') { character } else { '?' }
}
