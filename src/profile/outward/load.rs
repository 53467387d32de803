//! Checks the `[outward]` table against the dialect.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;

use super::super::load::{Check, ProfileError, ProfileFault};
use super::super::tables::{CodesTable, PlaceTable};
use super::tables::{AmountTable, DatesTable, FindsTable, HeadTable, OutwardTable, SayingTable, TellsTable};
use super::{
    Amount, Dates, Finds, Head, HeadName, Outward, Piece, Saying, Source, TimeForm, Verdict, word::Word,
};
use crate::ids::Short;
use crate::iso8583::{CardData, FieldPath};
use crate::switch::Reason;

/// Reads the outward side; `codes` are the profile's network codes, and DE 39 stands in the field `code`.
pub(in super::super) fn outward(
    check: &Check<'_>,
    table: &OutwardTable,
    codes: &CodesTable,
    code: u8,
) -> Result<Outward, ProfileError> {
    let none = TellsTable::new();
    let loader = Loader { check, code };
    let saying = |table: &Spanned<SayingTable>, tells| loader.saying(table, tells);
    let first = |codes: &[String]| codes.first().cloned().unwrap_or_default().into_bytes();
    for field in &table.keeps {
        loader.keepable(field)?;
    }
    let mut outward = Outward {
        inquiry: saying(&table.inquiry, &table.tells)?,
        finds: loader.finds(table)?,
        keeps: table
            .keeps
            .iter()
            .map(|field| *field.get_ref())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
        payment: saying(&table.payment, &table.tells)?,
        receipt: loader.paths(table.posted.receipt.as_ref())?,
        authorisation: loader.paths(table.posted.authorisation.as_ref())?,
        reversal: saying(&table.reversal, &table.tells)?,
        reduction: table.reduction.as_ref().map(|said| saying(said, &table.tells)).transpose()?,
        network: saying(&table.network, &none)?,
        sign_on: first(&codes.sign_on),
        sign_off: first(&codes.sign_off),
        echo: first(&codes.echo),
        own: Vec::new(),
    };
    let mut own = BTreeSet::new();
    let all = [&outward.inquiry, &outward.payment, &outward.reversal, &outward.network];
    for saying in all.into_iter().chain(&outward.reduction) {
        let sources = saying.steps.iter().flat_map(|piece| match piece {
            Piece::Whole(_, source) => vec![source],
            Piece::Inside(_, inside) => inside.iter().map(|(_, source)| source).collect(),
        });
        for word in sources.flat_map(|source| &source.words) {
            if let Word::Own(name) = word {
                own.insert(name.clone());
            }
        }
    }
    outward.own = own.into_iter().collect();
    Ok(outward)
}

struct Loader<'a, 'c> {
    check: &'a Check<'c>,
    /// The data element of the response code.
    code: u8,
}

impl Loader<'_, '_> {
    fn refuse(&self, span: &Range<usize>, why: String) -> ProfileError {
        self.check.fail(span, ProfileFault::Outward(why))
    }

    fn path(&self, span: &Range<usize>, text: &str) -> Result<FieldPath, ProfileError> {
        self.check.path(&Spanned::new(span.clone(), text.to_owned()))
    }

    fn paths(&self, table: Option<&Spanned<PlaceTable>>) -> Result<Vec<FieldPath>, ProfileError> {
        let Some(table) = table else { return Ok(Vec::new()) };
        table.get_ref().0.iter().map(|text| self.path(&table.span(), text)).collect()
    }

    /// What is kept of an answer is stored as it is.
    fn keepable(&self, field: &Spanned<u8>) -> Result<(), ProfileError> {
        self.check.known(std::slice::from_ref(field))?;
        let number = *field.get_ref();
        if self.check.dialect.card_data(number) == CardData::None {
            return Ok(());
        }
        Err(self.refuse(&field.span(), format!("DE {number} holds card data: it is not kept")))
    }

    fn saying(&self, table: &Spanned<SayingTable>, shared: &TellsTable) -> Result<Saying, ProfileError> {
        let SayingTable { mti, tells, codes } = table.get_ref();
        let mut types = Vec::new();
        for text in mti {
            let mti = self.check.mti(text)?;
            if mti.is_response() {
                let why = format!("`{}` is the type of an answer", text.get_ref());
                return Err(self.refuse(&text.span(), why));
            }
            types.push(mti);
        }
        if types.is_empty() {
            return Err(self.refuse(&table.span(), "a message has at least one type: `mti`".to_owned()));
        }
        let mut verdicts = BTreeMap::new();
        for (code, says) in codes {
            self.check.writable(self.code, code)?;
            let unknown = || {
                let why = format!(
                    "`{}` is no meaning of a code: done, done if again, unknown, or an outcome such as already_paid",
                    says.get_ref()
                );
                self.refuse(&says.span(), why)
            };
            verdicts.insert(*code.get_ref(), verdict(says.get_ref()).ok_or_else(unknown)?);
        }
        if !verdicts.values().any(|verdict| *verdict == Verdict::Done) {
            return Err(self.refuse(&table.span(), "no code says `done`".to_owned()));
        }
        Ok(Saying { mti: types, steps: self.steps(shared, tells)?, codes: verdicts })
    }

    /// Orders all that a message is made of by data element; its own words go before those it shares.
    fn steps(&self, shared: &TellsTable, own: &TellsTable) -> Result<Vec<Piece>, ProfileError> {
        let mut steps: BTreeMap<u8, Piece> = BTreeMap::new();
        let said = |path: &str| own.keys().any(|other| other.get_ref() == path);
        let all = own.iter().chain(shared.iter().filter(|(path, _)| !said(path.get_ref())));
        for (path, words) in all {
            let text = path.get_ref();
            let Some((field, inside)) = text.split_once('.') else {
                let place = self.check.path(path)?;
                let field = place.field();
                let whole = Piece::Whole(field, self.source(place, words)?);
                if steps.insert(field, whole).is_some() {
                    return Err(self.refuse(&path.span(), format!("DE {field} is told by its parts already")));
                }
                continue;
            };
            let pieces = if inside == "*" {
                self.parts(path, field, words)?
            } else {
                let place = self.check.path(path)?;
                vec![(place, inside.as_bytes().to_vec(), self.source(place, words)?)]
            };
            for (place, key, source) in pieces {
                let step =
                    steps.entry(place.field()).or_insert_with(|| Piece::Inside(place.field(), Vec::new()));
                let Piece::Inside(field, elements) = step else {
                    return Err(
                        self.refuse(&path.span(), format!("DE {} is told as a whole already", place.field()))
                    );
                };
                // A part that is told by itself is not echoed with the others.
                let exists = elements.iter().any(|(other, _)| *other == key);
                let own_words = all_told(own, shared, *field, &key);
                if !(inside == "*" && (exists || own_words)) {
                    elements.push((key, source));
                }
            }
        }
        Ok(steps.into_values().collect())
    }

    /// Every part of a field, echoed.
    fn parts(
        &self,
        path: &Spanned<String>,
        field: &str,
        words: &Spanned<PlaceTable>,
    ) -> Result<Vec<(FieldPath, Vec<u8>, Source)>, ProfileError> {
        let names = field.parse().map(|field| self.check.dialect.part_names(field)).unwrap_or_default();
        if names.is_empty() || words.get_ref().0 != ["echo"] {
            let why = format!("`{}` wants a field of parts by width, and `echo`", path.get_ref());
            return Err(self.refuse(&path.span(), why));
        }
        let part = |name: String| {
            let place = self.path(&path.span(), &format!("{field}.{name}"))?;
            Ok((place, name.into_bytes(), self.source(place, words)?))
        };
        names.into_iter().map(part).collect()
    }

    fn source(&self, place: FieldPath, words: &Spanned<PlaceTable>) -> Result<Source, ProfileError> {
        let dialect = self.check.dialect;
        let width = dialect.part_width(&place);
        let most = width.or_else(|| dialect.field_max(place.field())).unwrap_or(u16::MAX);
        let word = |text: &String| self.word(place, text, &words.span());
        let words = words.get_ref().0.iter().map(word).collect::<Result<Vec<_>, _>>()?;
        Ok(Source { words, width, most, digits: dialect.is_digits(place.field()) })
    }

    fn word(&self, place: FieldPath, text: &str, span: &Range<usize>) -> Result<Word, ProfileError> {
        let form = |form: &str| {
            let why = format!(
                "`{form}` is no form of a time: yyyy, yy, MM, dd, hh, mm and ss, with nothing between"
            );
            TimeForm::parse(form).ok_or_else(|| self.refuse(span, why))
        };
        if let Some(text) = text.strip_prefix('=') {
            return Ok(Word::Text(text.as_bytes().to_vec()));
        }
        match text.split_once(':') {
            Some(("own", name)) if !name.is_empty() => Ok(Word::Own(name.to_owned())),
            Some(("utc", text)) => Ok(Word::Utc(form(text)?)),
            Some(("local", text)) => Ok(Word::Local(form(text)?)),
            Some(("business", text)) => Ok(Word::Business(form(text)?)),
            Some(("echo", path)) => Ok(Word::Echo(self.path(span, path)?)),
            None if text == "echo" => Ok(Word::Echo(place)),
            Some(_) | None => Word::plain(text).ok_or_else(|| {
                self.refuse(span, format!("`{text}` is no word for what is told: {}", Word::KNOWN))
            }),
        }
    }

    fn finds(&self, outward: &OutwardTable) -> Result<Finds, ProfileError> {
        let table = &outward.finds;
        let amounts = |table: &[Spanned<AmountTable>]| {
            table
                .iter()
                .map(|amount| self.amount(&amount.span(), amount.get_ref()))
                .collect::<Result<Vec<_>, _>>()
        };
        let limit = |table: Option<&Spanned<AmountTable>>| {
            table.map(|amount| self.amount(&amount.span(), amount.get_ref())).transpose()
        };
        let heads = table.heads.as_ref().map(|heads| self.check.path(heads)).transpose()?;
        let head = table.head.iter().map(|head| self.head(head)).collect::<Result<Vec<_>, _>>()?;
        if table.amount_within_due.is_empty() && heads.is_none() && head.is_empty() {
            let why = "[outward.finds] wants `amount_within_due`, or heads that make it up".to_owned();
            return Err(self.refuse(&(0..0), why));
        }
        Ok(Finds {
            name: self.paths(table.name.as_ref())?,
            status: self.paths(table.status.as_ref())?,
            billing_month: self.paths(table.billing_month.as_ref())?,
            due_date: self.dates(table.due_date.as_ref())?,
            expiry_date: self.dates(table.expiry_date.as_ref())?,
            within_due: amounts(&table.amount_within_due)?,
            after_due: amounts(&table.amount_after_due)?,
            minimum: limit(table.minimum.as_ref())?,
            maximum: limit(table.maximum.as_ref())?,
            heads,
            head,
            agrees: amounts(&table.agrees)?,
            paid_by: self.paid_by(table, &[&outward.tells, &outward.payment.get_ref().tells])?,
        })
    }

    /// What a bill shows of its payment is compared with what a payment tells.
    fn paid_by(
        &self,
        table: &FindsTable,
        tells: &[&TellsTable],
    ) -> Result<Vec<(FieldPath, FieldPath)>, ProfileError> {
        let pair = |(at, told): (&Spanned<String>, &Spanned<String>)| {
            if !tells.iter().any(|tells| tells.keys().any(|path| path.get_ref() == told.get_ref())) {
                let why = format!("`paid_by`: a payment does not tell `{}`", told.get_ref());
                return Err(self.refuse(&told.span(), why));
            }
            Ok((self.check.path(at)?, self.check.path(told)?))
        };
        table.paid_by.iter().map(pair).collect()
    }

    fn dates(&self, table: Option<&Spanned<DatesTable>>) -> Result<Dates, ProfileError> {
        let Some(table) = table else { return Ok(Dates::default()) };
        let path = |text: &String| self.path(&table.span(), text);
        let form = |text: &String| {
            let why = || {
                self.refuse(&table.span(), format!("`{text}` is no form of a date: yyyyMMdd and the like"))
            };
            TimeForm::parse(text).ok_or_else(why)
        };
        Ok(Dates {
            paths: table.get_ref().at.0.iter().map(path).collect::<Result<_, _>>()?,
            forms: table.get_ref().forms.iter().map(form).collect::<Result<_, _>>()?,
        })
    }

    fn head(&self, table: &Spanned<HeadTable>) -> Result<Head, ProfileError> {
        let (span, HeadTable { head, amounts }) = (table.span(), table.get_ref());
        let name = |head: &String| {
            let Some(code) = head.strip_prefix('=') else { return Ok(HeadName::At(self.path(&span, head)?)) };
            let code = Short::new(code.as_bytes()).ok().filter(|code: &Short<16>| !code.is_empty());
            let why = || self.refuse(&span, "a head of account has 1 to 16 printable characters".to_owned());
            Ok(HeadName::Called(code.ok_or_else(why)?))
        };
        let names = head.0.iter().map(name).collect::<Result<_, _>>()?;
        let amounts = amounts.iter().map(|amount| self.amount(&span, amount)).collect::<Result<_, _>>()?;
        Ok(Head { names, amounts })
    }

    fn amount(&self, span: &Range<usize>, table: &AmountTable) -> Result<Amount, ProfileError> {
        let decimals = table.decimals.as_ref().map(|path| self.path(span, path)).transpose()?;
        Ok(Amount { path: self.path(span, &table.at)?, decimals })
    }
}

/// Whether a part of a field is told by a word of its own.
fn all_told(own: &TellsTable, shared: &TellsTable, field: u8, key: &[u8]) -> bool {
    let path = format!("{field}.{}", String::from_utf8_lossy(key));
    own.keys().chain(shared.keys()).any(|told| *told.get_ref() == path)
}

fn verdict(text: &str) -> Option<Verdict> {
    match text {
        "done" => Some(Verdict::Done),
        "done if again" => Some(Verdict::DoneIfAgain),
        "unknown" => Some(Verdict::Unknown),
        reason => Reason::from_name(reason)
            .filter(|reason| !matches!(reason, Reason::Approved | Reason::InDoubt))
            .map(Verdict::Refused),
    }
}
