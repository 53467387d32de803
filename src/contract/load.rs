//! Reads a contract file and checks it.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use thiserror::Error;
use toml::Spanned;

use super::{Codes, Contract, Done, Inquiry, InquiryKeys, Is, Part, Payment, Place, Status, Told};
use crate::switch::Reason;

/// A contract file that cannot be used: where, and why.
#[derive(Debug, Error)]
#[error("{file}:{line}: {fault}")]
pub struct ContractError {
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub fault: ContractFault,
}

/// What is wrong with a contract file.
#[derive(Debug, Error)]
pub enum ContractFault {
    /// Not TOML, an unknown key, a missing one, or a value of the wrong kind.
    #[error("{0}")]
    Syntax(String),
    /// A word that means nothing here.
    #[error("`{word}` is not {known}")]
    Word {
        /// As written.
        word: String,
        /// What there is.
        known: &'static str,
    },
    /// A path that does not begin with a slash.
    #[error("a path begins with `/` and has no spaces, `?` or `#`")]
    Path,
    /// A name no HTTP header can have.
    #[error("`{0}` cannot be the name of a header")]
    Header(String),
    /// A width outside its bounds.
    #[error("an amount has 1 to 18 digits")]
    Digits,
    /// A call that lacks what a department must be told, or tells twice.
    #[error("the request tells `{what}` {times} times: it must be once")]
    Tells {
        /// What.
        what: &'static str,
        /// How often.
        times: usize,
    },
    /// Codes of which none means that all is well.
    #[error("no code means `{0}`")]
    Never(&'static str),
    /// An HTTP status that cannot refuse.
    #[error("only a status of 400 to 499 can say that nothing was posted")]
    Status,
    /// A place that no answer has.
    #[error("a place is counted `from` 1, and is 1 to 18 characters wide")]
    Place,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// What it is for, in words.
    note: String,
    http: HttpTable,
    inquiry: InquiryTable,
    payment: PaymentTable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpTable {
    username: Spanned<String>,
    password: Spanned<String>,
    content_types: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InquiryTable {
    path: Spanned<String>,
    amount_digits: Spanned<usize>,
    request: Spanned<toml::Table>,
    answer: InquiryAnswerTable,
    codes: Spanned<BTreeMap<Spanned<String>, Spanned<String>>>,
    statuses: BTreeMap<String, Status>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InquiryAnswerTable {
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
    minimum: Option<Spanned<PlaceTable>>,
    maximum: Option<Spanned<PlaceTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaceTable {
    key: String,
    /// Its first character, from 1.
    from: usize,
    width: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PaymentTable {
    path: Spanned<String>,
    amount_digits: Spanned<usize>,
    #[serde(default)]
    amount_signed: bool,
    #[serde(default)]
    refused_http: Vec<Spanned<u16>>,
    request: Spanned<toml::Table>,
    answer: PaymentAnswerTable,
    codes: Spanned<BTreeMap<Spanned<String>, Spanned<String>>>,
    #[serde(default)]
    codes_again: BTreeMap<Spanned<String>, Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PaymentAnswerTable {
    code: String,
    receipt: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PartTable {
    is: Is,
    max: Option<usize>,
}

struct Check<'a> {
    file: &'a str,
    text: &'a str,
}

impl Contract {
    /// Reads the contract `name` from `text`; faults name `file`.
    ///
    /// # Errors
    ///
    /// [`ContractError`] with file, line and reason.
    pub fn parse(name: &str, file: &str, text: &str) -> Result<Self, ContractError> {
        let check = Check { file, text };
        let parsed: File = toml::from_str(text).map_err(|error| {
            let fault = ContractFault::Syntax(error.message().to_owned());
            check.fail(&error.span().unwrap_or_default(), fault)
        })?;
        Ok(Self {
            name: name.to_owned(),
            note: parsed.note,
            username: check.header(parsed.http.username)?,
            password: check.header(parsed.http.password)?,
            content_types: parsed.http.content_types,
            inquiry: check.inquiry(parsed.inquiry)?,
            payment: check.payment(parsed.payment)?,
        })
    }
}

impl Check<'_> {
    fn fail(&self, span: &Range<usize>, fault: ContractFault) -> ContractError {
        let before = self.text.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count().saturating_add(1);
        ContractError { file: self.file.to_owned(), line, fault }
    }

    fn header(&self, name: Spanned<String>) -> Result<String, ContractError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if name.get_ref().is_empty() || !name.get_ref().bytes().all(fits) {
            return Err(self.fail(&name.span(), ContractFault::Header(name.get_ref().clone())));
        }
        Ok(name.into_inner().to_ascii_lowercase())
    }

    fn path(&self, path: Spanned<String>) -> Result<String, ContractError> {
        let fits = |byte: u8| byte.is_ascii_graphic() && byte != b'?' && byte != b'#';
        if !path.get_ref().starts_with('/') || !path.get_ref().bytes().all(fits) {
            return Err(self.fail(&path.span(), ContractFault::Path));
        }
        Ok(path.into_inner())
    }

    fn digits(&self, digits: &Spanned<usize>) -> Result<usize, ContractError> {
        let within = (1..=18).contains(digits.get_ref());
        within.then_some(*digits.get_ref()).ok_or_else(|| self.fail(&digits.span(), ContractFault::Digits))
    }

    /// A request must tell each of `needed` once: who is to be told what.
    fn request(
        &self,
        table: Spanned<toml::Table>,
        needed: &[(Is, &'static str)],
    ) -> Result<Vec<Part>, ContractError> {
        let span = table.span();
        let mut parts = Vec::new();
        for (key, value) in table.into_inner() {
            let part: PartTable = value.try_into().map_err(|error: toml::de::Error| {
                self.fail(&span, ContractFault::Syntax(format!("{key}: {}", error.message())))
            })?;
            parts.push(Part { key, is: part.is, max: part.max });
        }
        for (is, what) in needed {
            let times = parts.iter().filter(|part| part.is == *is).count();
            if times != 1 {
                return Err(self.fail(&span, ContractFault::Tells { what, times }));
            }
        }
        Ok(parts)
    }

    fn place(&self, table: Option<Spanned<PlaceTable>>) -> Result<Option<Place>, ContractError> {
        let Some(table) = table else { return Ok(None) };
        let (span, PlaceTable { key, from, width }) = (table.span(), table.into_inner());
        let skip = from.checked_sub(1).filter(|_| (1..=18).contains(&width));
        let skip = skip.ok_or_else(|| self.fail(&span, ContractFault::Place))?;
        Ok(Some(Place { key: key.to_ascii_lowercase(), skip, width }))
    }

    fn inquiry(&self, table: InquiryTable) -> Result<Inquiry, ContractError> {
        let keys = table.answer;
        let lower = |key: Option<String>| key.map(|key| key.to_ascii_lowercase());
        let word = |word: &str| match word {
            "found" => Some(Told::Found),
            "unknown" => Some(Told::Unknown),
            word => refusal(word).map(Told::Refused),
        };
        let codes =
            self.codes(table.codes.get_ref(), &word, "`found`, `unknown`, or an outcome of the switch")?;
        if !codes.values().any(|told| *told == Told::Found) {
            return Err(self.fail(&table.codes.span(), ContractFault::Never("found")));
        }
        Ok(Inquiry {
            path: self.path(table.path)?,
            request: self.request(table.request, &[(Is::Consumer, "consumer")])?,
            amount_digits: self.digits(&table.amount_digits)?,
            answer: InquiryKeys {
                code: keys.code.to_ascii_lowercase(),
                name: keys.name.to_ascii_lowercase(),
                status: keys.status.to_ascii_lowercase(),
                due_date: keys.due_date.to_ascii_lowercase(),
                within_due: keys.within_due.to_ascii_lowercase(),
                after_due: keys.after_due.to_ascii_lowercase(),
                billing_month: lower(keys.billing_month),
                date_paid: lower(keys.date_paid),
                amount_paid: lower(keys.amount_paid),
                authorisation: lower(keys.authorisation),
                minimum: self.place(keys.minimum)?,
                maximum: self.place(keys.maximum)?,
            },
            codes,
            statuses: table.statuses,
        })
    }

    fn payment(&self, table: PaymentTable) -> Result<Payment, ContractError> {
        let word = |word: &str| match word {
            "posted" => Some(Done::Posted),
            "duplicate" => Some(Done::Duplicate),
            "unknown" => Some(Done::Unknown),
            word => refusal(word).map(Done::Refused),
        };
        let known = "`posted`, `duplicate`, `unknown`, or an outcome of the switch";
        let codes = self.codes(table.codes.get_ref(), &word, known)?;
        if !codes.values().any(|done| *done == Done::Posted) {
            return Err(self.fail(&table.codes.span(), ContractFault::Never("posted")));
        }
        for status in &table.refused_http {
            if !(400..=499).contains(status.get_ref()) {
                return Err(self.fail(&status.span(), ContractFault::Status));
            }
        }
        let needed = [
            (Is::Consumer, "consumer"),
            (Is::Authorisation, "authorisation"),
            (Is::Amount, "amount"),
            (Is::Date, "date"),
            (Is::Time, "time"),
        ];
        Ok(Payment {
            path: self.path(table.path)?,
            request: self.request(table.request, &needed)?,
            amount_digits: self.digits(&table.amount_digits)?,
            amount_signed: table.amount_signed,
            refused_http: table.refused_http.into_iter().map(Spanned::into_inner).collect(),
            code: table.answer.code.to_ascii_lowercase(),
            receipt: table.answer.receipt.map(|key| key.to_ascii_lowercase()),
            codes,
            codes_again: self.codes(&table.codes_again, &word, known)?,
        })
    }

    fn codes<T>(
        &self,
        table: &BTreeMap<Spanned<String>, Spanned<String>>,
        word: &dyn Fn(&str) -> Option<T>,
        known: &'static str,
    ) -> Result<Codes<T>, ContractError> {
        let mut codes = BTreeMap::new();
        for (code, meaning) in table {
            let unknown = || {
                let fault = ContractFault::Word { word: meaning.get_ref().clone(), known };
                self.fail(&meaning.span(), fault)
            };
            codes.insert(code.get_ref().clone(), word(meaning.get_ref()).ok_or_else(unknown)?);
        }
        Ok(codes)
    }
}

/// A reason that a department can have for refusing. Approved is none, and doubt has a word of its own.
fn refusal(word: &str) -> Option<Reason> {
    Reason::from_name(word).filter(|reason| !matches!(reason, Reason::Approved | Reason::InDoubt))
}
