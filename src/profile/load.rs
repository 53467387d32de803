//! Reads a profile file and checks it against its dialect.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use thiserror::Error;
use toml::Spanned;

use super::answer::WIDTH_MAX;
use super::outward;
use super::tables::{AnswerTable, ClassesTable, CodesTable, FactTable, File, PlaceTable};
use super::{Class, Fact, From, Kind, NetworkCode, Paths, Place, Profile, Step, Told, Values};
use crate::iso8583::{Dialect, FieldPath, Mti};

/// A profile file that cannot be used: where, and why.
#[derive(Debug, Error)]
#[error("{file}:{line}: {fault}")]
pub struct ProfileError {
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub fault: ProfileFault,
}

/// What is wrong with a profile file.
#[derive(Debug, Error)]
pub enum ProfileFault {
    /// Not TOML, an unknown key, a missing one, or a value of the wrong kind.
    #[error("{0}")]
    Syntax(String),
    /// The dialect it names is not there, or is itself at fault.
    #[error("dialect `{name}`: {why}")]
    Dialect {
        /// As named.
        name: String,
        /// What its loader said.
        why: String,
    },
    /// A path that leads nowhere in the dialect.
    #[error("path `{path}`: {why}")]
    Path {
        /// As written.
        path: String,
        /// Why not.
        why: String,
    },
    /// Not a message type of four digits.
    #[error("`{0}` is not a message type: four digits, such as 0200")]
    Mti(String),
    /// Two classes that no message can tell apart.
    #[error("message type {0} with the same processing code belongs to another class already")]
    Ambiguous(String),
    /// A fact no answer has.
    #[error("`{0}` is not a fact of an answer: {known}", known = Fact::KNOWN)]
    Fact(String),
    /// A MAC that cannot be made or looked for.
    #[error("{0}")]
    Mac(String),
    /// What the switch is to say, or to understand of an answer.
    #[error("{0}")]
    Outward(String),
    /// An outcome without a response code, or a name that is no outcome.
    #[error("{0}")]
    Code(String),
}

/// What every check needs to blame the right line.
pub(super) struct Check<'a> {
    file: &'a str,
    text: &'a str,
    pub(super) dialect: &'a Dialect,
}

impl Profile {
    /// Reads the profile `name` from `text`; `dialect` finds the dialect it names.
    ///
    /// # Errors
    ///
    /// [`ProfileError`] with file, line and reason.
    pub fn parse(
        name: &str,
        file: &str,
        text: &str,
        dialect: &dyn Fn(&str) -> Result<Arc<Dialect>, String>,
    ) -> Result<Self, ProfileError> {
        let parsed: File = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text, &span));
            let fault = ProfileFault::Syntax(error.message().to_owned());
            ProfileError { file: file.to_owned(), line, fault }
        })?;
        let wanted = parsed.dialect.get_ref();
        let dialect = dialect(wanted).map_err(|why| ProfileError {
            file: file.to_owned(),
            line: line_of(text, &parsed.dialect.span()),
            fault: ProfileFault::Dialect { name: wanted.clone(), why },
        })?;
        let check = Check { file, text, dialect: &dialect };
        let paths = parsed.fields.places(&|name, table| check.place(name, table))?;
        check.known(&parsed.repeat.ignores)?;
        check.known(&parsed.answer.echo)?;
        let response_code_field = check.path(&parsed.answer.response_code)?.field();
        let classes = check.classes(&parsed.classes, response_code_field)?;
        let answer = check.answer(&parsed.answer)?;
        check.keys(&paths, &classes)?;
        let values = check.values(&parsed.values)?;
        let codes = check.codes(&parsed.codes, response_code_field, &classes)?;
        let read = |table| outward::outward(&check, table, &parsed.network_codes, response_code_field);
        let outward = parsed.outward.as_ref().map(read).transpose()?;
        let ours = check.ours(&parsed.ours)?;
        let own: Vec<_> = ours.values().collect();
        let mac = check.mac(parsed.mac.as_ref(), &classes, &own, &parsed.answer.echo)?;
        let key_change = match &parsed.key_change {
            Some(table) => Some(check.key_places(table.get_ref())?),
            None if parsed.network_codes.change_key.is_empty() => None,
            None => {
                let fault = ProfileFault::Mac("change_key is told, but no [key_change]".to_owned());
                return Err(check.fail(&(0..0), fault));
            }
        };
        let network_codes = network_codes(&parsed.network_codes);
        let repeat_ignores = parsed.repeat.ignores.iter().map(|field| *field.get_ref()).collect();
        Ok(Self {
            name: name.to_owned(),
            dialect,
            paths,
            classes,
            values,
            network_codes,
            repeat_ignores,
            answer,
            ours,
            mac,
            key_change,
            codes,
            response_code_field,
            outward,
        })
    }
}

impl Check<'_> {
    pub(super) fn fail(&self, span: &Range<usize>, fault: ProfileFault) -> ProfileError {
        ProfileError { file: self.file.to_owned(), line: line_of(self.text, span), fault }
    }

    pub(super) fn path(&self, text: &Spanned<String>) -> Result<FieldPath, ProfileError> {
        let refuse =
            |why: String| self.fail(&text.span(), ProfileFault::Path { path: text.get_ref().clone(), why });
        let path = self.dialect.path(text.get_ref()).map_err(|error| refuse(error.to_string()))?;
        if self.dialect.is_binary(path.field()) && !text.get_ref().contains('.') {
            // What is read from a message makes keys, codes and numbers: text.
            return Err(refuse("binary data has no meaning here".to_owned()));
        }
        Ok(path)
    }

    fn place(&self, name: &str, table: Option<&Spanned<PlaceTable>>) -> Result<Place, ProfileError> {
        let Some(table) = table else {
            // Without these no message could be understood.
            let needed = [
                "stan",
                "amount",
                "biller",
                "consumer",
                "original_mti",
                "original_stan",
                "original_transmitted_at",
            ];
            return if needed.contains(&name) {
                let fault = ProfileFault::Syntax(format!("`{name}` is missing in [fields]"));
                Err(self.fail(&(0..0), fault))
            } else {
                Ok(Place(Vec::new()))
            };
        };
        if table.get_ref().0.is_empty() {
            let fault = ProfileFault::Syntax(format!("`{name}` is a list without a path: leave it out"));
            return Err(self.fail(&table.span(), fault));
        }
        let path = |text: &String| self.path(&Spanned::new(table.span(), text.clone()));
        table.get_ref().0.iter().map(path).collect::<Result<_, _>>().map(Place)
    }

    /// A reversal finds its payment by these: what one of them must tell, the other must, too.
    fn keys(&self, paths: &Paths, classes: &[Class]) -> Result<(), ProfileError> {
        let parts = [("rrn", &paths.rrn), ("acquirer", &paths.acquirer), ("terminal", &paths.terminal)];
        for (name, place) in parts {
            let paying = classes
                .iter()
                .filter(|class| matches!(class.kind, Kind::Payment | Kind::Advice | Kind::Reversal));
            let mut needed = paying.map(|class| place.0.iter().all(|path| class.requires(path)));
            let first = needed.next();
            if !place.0.is_empty() && needed.any(|needed| Some(needed) != first) {
                let fault = ProfileFault::Syntax(format!(
                    "`{name}` is part of what a payment is known by: let payment, advice and reversal all require it, or none"
                ));
                return Err(self.fail(&(0..0), fault));
            }
        }
        Ok(())
    }

    fn values(&self, table: &BTreeMap<Spanned<String>, Vec<String>>) -> Result<Values, ProfileError> {
        let known = |(path, values): (&Spanned<String>, &Vec<String>)| {
            Ok((self.path(path)?, values.iter().map(|value| value.clone().into_bytes()).collect()))
        };
        table.iter().map(known).collect()
    }

    pub(super) fn mti(&self, text: &Spanned<String>) -> Result<Mti, ProfileError> {
        let fault = || self.fail(&text.span(), ProfileFault::Mti(text.get_ref().clone()));
        Mti::new(text.get_ref().as_bytes()).map_err(|_| fault())
    }

    fn classes(&self, table: &ClassesTable, code_field: u8) -> Result<Vec<Class>, ProfileError> {
        let tables = [
            (Kind::Inquiry, Some(&table.inquiry)),
            (Kind::Payment, Some(&table.payment)),
            (Kind::Advice, table.advice.as_ref()),
            (Kind::Reversal, Some(&table.reversal)),
            (Kind::Totals, table.reconciliation.as_ref()),
            (Kind::Network, Some(&table.network)),
        ];
        let mut classes: Vec<Class> = Vec::new();
        for (kind, table) in tables.into_iter().filter_map(|(kind, table)| Some((kind, table?))) {
            let codes = self.some_codes(&table.codes, code_field)?;
            let mut class =
                Class { kind, mti: Vec::new(), processing_codes: Vec::new(), required: Vec::new(), codes };
            class
                .processing_codes
                .extend(table.processing_codes.iter().map(|code| code.clone().into_bytes()));
            for path in &table.required {
                let path = self.path(path)?;
                class.required.push((path.field(), path));
            }
            for (asked, answered) in &table.mti {
                let pair = (self.mti(asked)?, self.mti(answered)?);
                if classes.iter().any(|other| overlaps(other, pair.0, &class.processing_codes)) {
                    let fault = ProfileFault::Ambiguous(asked.get_ref().clone());
                    return Err(self.fail(&asked.span(), fault));
                }
                class.mti.push(pair);
            }
            classes.push(class);
        }
        Ok(classes)
    }

    /// Orders everything an answer is made of by data element, as the message will want it.
    fn answer(&self, table: &AnswerTable) -> Result<Vec<Step>, ProfileError> {
        let mut steps = BTreeMap::new();
        for field in table.echo.iter().map(|field| *field.get_ref()) {
            steps.insert(field, Step::Echo(field));
        }
        let code = self.path(&table.response_code)?.field();
        steps.insert(code, Step::ResponseCode(code));
        if let Some(bad_field) = &table.bad_field {
            let bad_field = self.path(bad_field)?.field();
            steps.insert(bad_field, Step::BadField(bad_field));
        }
        for (path, fact) in &table.facts {
            let place = self.path(path)?;
            let field = place.field();
            let told = self.told(place, fact)?;
            let twice = || {
                let why = "the answer holds something else in this data element already".to_owned();
                self.fail(&path.span(), ProfileFault::Path { path: path.get_ref().clone(), why })
            };
            match path.get_ref().split_once('.') {
                None if steps.contains_key(&field) => return Err(twice()),
                None => {
                    steps.insert(field, Step::Fact(field, told));
                }
                Some((_, tag)) => {
                    let step = steps.entry(field).or_insert_with(|| Step::Elements(field, Vec::new()));
                    let Step::Elements(_, elements) = step else { return Err(twice()) };
                    elements.push((tag.as_bytes().to_vec(), told));
                }
            }
        }
        Ok(steps.into_values().collect())
    }

    fn told(&self, place: FieldPath, fact: &Spanned<FactTable>) -> Result<Told, ProfileError> {
        let FactTable { fact: name, width, cut } = fact.get_ref();
        let refuse = |why: &str| self.fail(&fact.span(), ProfileFault::Fact(why.to_owned()));
        if *cut && name != "name" {
            return Err(refuse(
                "cut = true, which is for the `name` only: part of anything else is another thing",
            ));
        }
        if width.is_some_and(|width| usize::from(width) > WIDTH_MAX) {
            return Err(refuse("width, more than 128"));
        }
        let from = if name == "echo" {
            From::Echo(place)
        } else if let Some(text) = name.strip_prefix('=') {
            From::Text(text.as_bytes().to_vec())
        } else {
            let unknown = || self.fail(&fact.span(), ProfileFault::Fact(name.clone()));
            From::Fact(Fact::from_name(name).ok_or_else(unknown)?)
        };
        let own = self.dialect.part_width(&place);
        if let Some((said, part)) = width.zip(own).filter(|(said, part)| said != part) {
            let why = format!("width = {said}, but the part has {part}");
            return Err(self.fail(&fact.span(), ProfileFault::Fact(why)));
        }
        Ok(Told { from, width: width.or(own), cut: *cut })
    }

    /// Every data element named must be one of the dialect's.
    pub(super) fn known(&self, fields: &[Spanned<u8>]) -> Result<(), ProfileError> {
        match fields.iter().find(|field| self.dialect.field_name(*field.get_ref()).is_none()) {
            None => Ok(()),
            Some(field) => {
                let fault =
                    ProfileFault::Code(format!("the dialect has no data element {}", field.get_ref()));
                Err(self.fail(&field.span(), fault))
            }
        }
    }
}

fn overlaps(class: &Class, mti: Mti, processing_codes: &[Vec<u8>]) -> bool {
    let same_type = class.mti.iter().any(|(other, _)| *other == mti);
    let any = class.processing_codes.is_empty() || processing_codes.is_empty();
    // Two patterns meet where each place is the same, or anything in one of them.
    let meet = |one: &Vec<u8>, other: &Vec<u8>| {
        let place = |(a, b): (&u8, &u8)| a == b || *a == b'x' || *b == b'x';
        one.len() == other.len() && one.iter().zip(other).all(place)
    };
    let both =
        || class.processing_codes.iter().any(|one| processing_codes.iter().any(|other| meet(one, other)));
    same_type && (any || both())
}

fn network_codes(table: &CodesTable) -> Vec<(Vec<u8>, NetworkCode)> {
    let all = [
        (&table.sign_on, NetworkCode::SignOn),
        (&table.sign_off, NetworkCode::SignOff),
        (&table.echo, NetworkCode::Echo),
        (&table.cut_over, NetworkCode::CutOver),
        (&table.change_key, NetworkCode::ChangeKey),
    ];
    all.into_iter()
        .flat_map(|(codes, code)| codes.iter().map(move |c| (c.clone().into_bytes(), code)))
        .collect()
}

/// The line, from 1, on which a span of a file's text starts.
#[must_use]
pub fn line_of(text: &str, span: &Range<usize>) -> usize {
    let before = text.get(..span.start).unwrap_or_default();
    before.matches('\n').count().saturating_add(1)
}
