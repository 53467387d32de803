//! What messages mean on one kind of link, as data: message types and processing codes become requests, facts of an
//! outcome become fields, reasons become DE 39 (`domain.md` 2). No Rust knows a field path of a particular bank.

mod answer;
mod by_place;
mod codes;
mod load;
mod mac;
mod ours;
mod outward;
mod request;
pub mod shipped;
mod tables;
#[cfg(test)]
mod tests;
mod totals;

use std::collections::BTreeMap;
use std::sync::Arc;

use codes::Codes;
pub use load::{ProfileError, line_of};
pub use mac::{MacSeen, SentKey};
pub use ours::{AnswerTo, Asking, Ours};
pub use outward::{AnswerKey, Asked, Facts, Identity, Marks, Own, Say};
pub use request::{Parsed, Unanswerable};
use totals::TotalFact;
pub use totals::told_of;

use crate::ids::{ResponseCode, Rrn, Stan};
use crate::iso8583::{Dialect, FieldPath, Message, Mti};
use crate::switch::Reason;

/// A profile, checked against its dialect when it was loaded.
#[derive(Debug)]
pub struct Profile {
    name: String,
    dialect: Arc<Dialect>,
    paths: Paths,
    classes: Vec<Class>,
    /// What must stand at a place that a message has: places whose other values nobody here understands.
    values: Values,
    network_codes: Vec<(Vec<u8>, NetworkCode)>,
    /// Data elements that a repeat may have otherwise.
    repeat_ignores: Vec<u8>,
    /// What answers are made of, in ascending order of data elements.
    answer: Vec<Step>,
    /// What we ask of ourselves.
    ours: BTreeMap<Ours, ours::OwnRequest>,
    mac: Option<mac::MacTerms>,
    key_change: Option<mac::KeyPlaces>,
    codes: Codes,
    /// Where an answer has its response code.
    response_code_field: u8,
    /// The other way round, if departments are reached by it.
    outward: Option<outward::Outward>,
}

/// Places, each with all that may stand there.
type Values = Vec<(FieldPath, Vec<Vec<u8>>)>;

/// Where things stand in a request.
#[derive(Debug)]
struct Paths {
    processing_code: Place,
    amount: Place,
    transmitted_at: Place,
    stan: Place,
    acquirer: Place,
    rrn: Place,
    terminal: Place,
    currency: Place,
    biller: Place,
    consumer: Place,
    channel: Place,
    network_code: Place,
    settlement_date: Place,
    original_mti: Place,
    original_stan: Place,
    original_transmitted_at: Place,
    replacement_amounts: Place,
    credits_number: Place,
    credit_reversals_number: Place,
    debits_number: Place,
    debit_reversals_number: Place,
    credits_amount: Place,
    credit_reversals_amount: Place,
    debits_amount: Place,
    debit_reversals_amount: Place,
    net: Place,
    settlement_code: Place,
}

/// Where something stands: the first of some paths that a message has. None: the network does not have it.
#[derive(Debug)]
struct Place(Vec<FieldPath>);

impl Place {
    /// The first that is there and not blank; a blank one, if there is no other.
    fn get<'a>(&self, message: &Message<'_, 'a>) -> Option<&'a [u8]> {
        let mut found = self.0.iter().filter_map(|path| message.get(path));
        let first = found.next()?;
        let told = |value: &&[u8]| !value.trim_ascii().is_empty();
        if told(&first) { Some(first) } else { found.find(told).or(Some(first)) }
    }

    /// The data element to blame.
    fn field(&self) -> Option<u8> {
        self.0.first().map(FieldPath::field)
    }
}

/// A class of messages.
#[derive(Debug)]
struct Class {
    kind: Kind,
    /// Message types with those of their answers.
    mti: Vec<(Mti, Mti)>,
    /// `x` stands for any character. Empty: any.
    processing_codes: Vec<Vec<u8>>,
    /// With the data element to blame when it is missing.
    required: Vec<(u8, FieldPath)>,
    /// Where it has another response code for an outcome than all.
    codes: Codes,
}

impl Class {
    /// Whether its messages must have this place, or the field it is in.
    fn requires(&self, path: &FieldPath) -> bool {
        self.required
            .iter()
            .any(|(field, required)| required == path || (*field == path.field() && required.is_whole()))
    }

    /// Whether messages of this type belong to it, their processing code apart.
    fn is_of(&self, mti: Mti) -> bool {
        self.mti.iter().any(|(asked, _)| *asked == mti)
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Inquiry,
    Payment,
    Advice,
    Reversal,
    Totals,
    Network,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum NetworkCode {
    SignOn,
    SignOff,
    Echo,
    CutOver,
    ChangeKey,
}

/// One step in making an answer.
#[derive(Debug)]
enum Step {
    Echo(u8),
    ResponseCode(u8),
    BadField(u8),
    Fact(u8, Told),
    /// What is inside one data element, in the order of the wire where that has one.
    Elements(u8, Vec<(Vec<u8>, Told)>),
}

/// Where a piece of an answer comes from, and how wide it is there.
#[derive(Clone, Debug)]
struct Told {
    from: From,
    /// Exactly so many characters: numbers get zeros before, texts blanks behind. `None`: as it is.
    width: Option<u16>,
    /// Whether a text that is too long is told in part: for names that people read.
    cut: bool,
}

#[derive(Clone, Debug)]
enum From {
    Fact(Fact),
    /// What stood at the same place of the request.
    Echo(FieldPath),
    /// Always the same, wherever there is anything to tell.
    Text(Vec<u8>),
}

/// What an answer can tell beside its response code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fact {
    Name,
    Status,
    DueDate,
    BillingMonth,
    AmountWithinDue,
    AmountAfterDue,
    /// The least and the most that one payment may be, where the department says so.
    Minimum,
    Maximum,
    /// Repeats: head code, `=`, minor units.
    Heads,
    Receipt,
    DatePaid,
    Authorisation,
    Total(TotalFact),
    /// Of a bill whose heads are billing periods (yyyyMM), at most four, a bill for each; of any other the one there is.
    Bills,
    BillPeriod(u8),
    BillAmount(u8),
    /// Of any other bill its heads by place, at most ten.
    Splits,
    /// No decimals, where there is such a head.
    SplitMinor(u8),
    SplitAmount(u8),
}

impl Profile {
    /// Its name: that of its file, without the ending.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The dialect its messages are laid out in.
    #[must_use]
    pub const fn dialect(&self) -> &Arc<Dialect> {
        &self.dialect
    }

    /// Data elements that an answer is found by: they are echoed whatever else cannot be.
    fn identifies(&self, field: u8) -> bool {
        let paths = &self.paths;
        let all = [&paths.stan, &paths.transmitted_at, &paths.rrn, &paths.terminal, &paths.acquirer];
        all.iter().any(|place| place.0.iter().any(|path| path.field() == field))
    }

    /// The trace number of a message, for a log line; empty if it has none.
    #[must_use]
    pub fn stan_of(&self, message: &Message<'_, '_>) -> Stan {
        self.paths.stan.get(message).and_then(|stan| Stan::new(stan).ok()).unwrap_or_default()
    }

    /// The trace and the reference number of a message; each empty if it has none.
    #[must_use]
    pub fn trace_of(&self, message: &Message<'_, '_>) -> (Stan, Rrn) {
        let rrn = self.paths.rrn.get(message).and_then(|rrn| Rrn::new(rrn).ok());
        (self.stan_of(message), rrn.unwrap_or_default())
    }

    /// DE 39 of an answer, as text; empty if it has none.
    #[must_use]
    pub fn code_of<'a>(&self, message: &Message<'_, 'a>) -> &'a [u8] {
        let code = self.answer.iter().find_map(|step| match step {
            Step::ResponseCode(field) => Some(*field),
            Step::Echo(_) | Step::BadField(_) | Step::Fact(..) | Step::Elements(..) => None,
        });
        code.and_then(|field| message.field(field)).unwrap_or_default()
    }

    /// DE 39 for an outcome.
    #[must_use]
    pub fn response_code(&self, reason: Reason) -> ResponseCode {
        self.codes.get(&reason).copied().unwrap_or_default()
    }
}
