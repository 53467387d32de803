//! What a department's HTTP API means, as data: an order becomes the body of a call, and the answer an outcome. Nothing in
//! here knows of sockets; who calls is `biller::rest`.
//!
//! A contract is a file under `specs/billers/`: paths, header names, keys, widths, and what each code means for each of the
//! two calls (`domain.md` 3a). It has no reversal and no status call: what is in doubt is sent again, in all its parts the
//! same, and what is told to be paid is looked up and compared.

mod answer;
mod fields;
mod identity;
mod load;
pub mod shipped;

use std::collections::BTreeMap;

pub use answer::{Heard, PaidBy};
pub use identity::Identity;
pub use load::{ContractError, ContractFault};

use crate::switch::Reason;

/// The terms of talking to a department over HTTP.
#[derive(Clone, Debug)]
pub struct Contract {
    name: String,
    note: String,
    username: String,
    password: String,
    content_types: Vec<String>,
    inquiry: Inquiry,
    payment: Payment,
}

#[derive(Clone, Debug)]
struct Inquiry {
    path: String,
    request: Vec<Part>,
    amount_digits: usize,
    answer: InquiryKeys,
    codes: Codes<Told>,
    statuses: BTreeMap<String, Status>,
}

#[derive(Clone, Debug)]
struct Payment {
    path: String,
    request: Vec<Part>,
    amount_digits: usize,
    amount_signed: bool,
    refused_http: Vec<u16>,
    code: String,
    receipt: Option<String>,
    codes: Codes<Done>,
    codes_again: Codes<Done>,
}

/// Meanings by code, or by code and status with a slash between.
type Codes<T> = BTreeMap<String, T>;

/// One member of a request's body.
#[derive(Clone, Debug)]
struct Part {
    key: String,
    is: Is,
    /// Longest value, in characters.
    max: Option<usize>,
}

/// What stands in a member of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Is {
    Consumer,
    Bank,
    Authorisation,
    Amount,
    Date,
    Time,
    Nothing,
}

/// Where an inquiry's answer tells what; keys in lower case.
#[derive(Clone, Debug)]
struct InquiryKeys {
    code: String,
    name: String,
    status: String,
    due_date: String,
    within_due: String,
    after_due: String,
    billing_month: Option<String>,
    date_paid: Option<String>,
    amount_paid: Option<String>,
    authorisation: Option<String>,
    /// Of a bill with [`Status::Partial`] alone.
    minimum: Option<Place>,
    maximum: Option<Place>,
}

/// Characters of a member's text.
#[derive(Clone, Debug)]
struct Place {
    /// In lower case.
    key: String,
    /// Characters before them.
    skip: usize,
    width: usize,
}

/// What a code of an inquiry means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Told {
    Found,
    Unknown,
    Refused(Reason),
}

/// What a code of a payment means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Done {
    Posted,
    Duplicate,
    Unknown,
    Refused(Reason),
}

/// What a bill's status means.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Unpaid,
    /// Can be paid in parts, several times or in excess.
    Partial,
    Paid,
    Blocked,
}

/// One of the two calls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Call {
    /// What is due on a bill?
    Inquiry,
    /// Post a payment.
    Payment,
}

impl Contract {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is for, in words.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }

    /// The path of a call, behind the department's URL.
    #[must_use]
    pub fn path(&self, call: Call) -> &str {
        match call {
            Call::Inquiry => &self.inquiry.path,
            Call::Payment => &self.payment.path,
        }
    }

    /// Names of the headers that carry user name and password.
    #[must_use]
    pub fn credential_headers(&self) -> (&str, &str) {
        (&self.username, &self.password)
    }

    /// Whether an answer of this content type is read; parameters such as the character set do not count.
    #[must_use]
    pub fn reads(&self, content_type: &str) -> bool {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        self.content_types.iter().any(|known| known.eq_ignore_ascii_case(essence))
    }

    /// Whether a status other than 200 proves that a payment never sent before was not posted.
    #[must_use]
    pub fn refuses(&self, status: u16) -> bool {
        self.payment.refused_http.contains(&status)
    }
}

#[cfg(test)]
mod tests;
