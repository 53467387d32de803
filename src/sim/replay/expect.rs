//! What a correct switch answers: `answers.jsonl`, a line a message in the capture's order.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

/// What one message's answer must be, and what must have happened before the message may be sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Expected {
    /// The message's name, by which other lines refer to it; not its position.
    pub id: u64,
    /// The link that sends it.
    pub link: String,
    /// What it is, in words for people.
    pub what: String,
    /// The request's MTI.
    pub mti: String,
    /// The request's STAN.
    pub stan: String,
    /// Position of the line whose message must have been answered first.
    pub after: Option<usize>,
    /// What to compare the answer with.
    pub answer: Want,
}

/// What an answer is held against.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Want {
    /// An MTI and fields.
    Fields {
        /// The answer's MTI.
        mti: Option<String>,
        /// By data element.
        fields: BTreeMap<u8, FieldWant>,
    },
    /// Field for field the answer of the line at this position, apart from the MTI.
    SameAs(usize),
    /// One of several links that pay one bill at once: of each group exactly one is approved.
    Race {
        /// The group's name.
        group: String,
        /// The response codes that may be given.
        one_of: Vec<String>,
    },
}

/// What a field must hold.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(untagged)]
pub enum FieldWant {
    /// This value; `*` is any, but not an empty one.
    Value(String),
    /// TLV elements by tag, each with a value of the same kind.
    Elements(BTreeMap<String, String>),
}

/// Why a file of expected answers cannot be used.
#[derive(Debug, Error)]
pub enum ExpectError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A line is not what it should be.
    #[error("{path}:{line}: {reason}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: LineFault,
    },
}

/// What is wrong with a line of expected answers.
#[derive(Debug, Error)]
pub enum LineFault {
    /// Not JSON, or not with the members of a line.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// Two lines have this id.
    #[error("id {0} is used twice")]
    IdTwice(u64),
    /// A reference to a line that does not come before this one: the message could never be sent.
    #[error("{member} names {id}, which is no id of a line before this one")]
    NotBefore {
        /// `after` or `same_as`.
        member: &'static str,
        /// What it names.
        id: u64,
    },
    /// A name under `answer` that is neither `mti` nor the number of a data element.
    #[error("answer has {0:?}, which is neither \"mti\" nor a data element from 2 to 192")]
    NotAField(String),
    /// Not exactly one of `answer`, `same_as`, and `one_of` with `race`.
    #[error("a line has either `answer`, or `same_as`, or `one_of` and `race`")]
    NoWant,
}

/// A line as it stands in the file.
#[derive(Deserialize)]
struct Line {
    id: u64,
    link: String,
    #[serde(default)]
    what: String,
    mti: String,
    stan: String,
    after: Option<u64>,
    answer: Option<BTreeMap<String, FieldWant>>,
    same_as: Option<u64>,
    one_of: Option<Vec<String>>,
    race: Option<String>,
}

/// Reads the expected answers at `path`.
///
/// # Errors
///
/// [`ExpectError`], with the line.
pub fn read(path: &Path) -> Result<Vec<Expected>, ExpectError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ExpectError::Io { path: path.to_owned(), source })?;
    parse(path, &text)
}

/// Reads expected answers from `text`; `path` is for errors.
///
/// # Errors
///
/// [`ExpectError::Line`].
pub fn parse(path: &Path, text: &str) -> Result<Vec<Expected>, ExpectError> {
    let (mut all, mut positions) = (Vec::new(), HashMap::new());
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let located = |reason| ExpectError::Line { path: path.to_owned(), line: number, reason };
        let expected = serde_json::from_str(line)
            .map_err(LineFault::from)
            .and_then(|line| expected(line, &positions))
            .map_err(located)?;
        positions.insert(expected.id, all.len());
        all.push(expected);
    }
    Ok(all)
}

fn expected(line: Line, positions: &HashMap<u64, usize>) -> Result<Expected, LineFault> {
    if positions.contains_key(&line.id) {
        return Err(LineFault::IdTwice(line.id));
    }
    let find = |member, id| positions.get(&id).copied().ok_or(LineFault::NotBefore { member, id });
    let answer = match (line.answer, line.same_as, line.one_of, line.race) {
        (Some(members), None, None, None) => fields(members)?,
        (None, Some(id), None, None) => Want::SameAs(find("same_as", id)?),
        (None, None, Some(one_of), Some(group)) => Want::Race { group, one_of },
        _ => return Err(LineFault::NoWant),
    };
    let after = line.after.map(|id| find("after", id)).transpose()?;
    Ok(Expected {
        id: line.id,
        link: line.link,
        what: line.what,
        mti: line.mti,
        stan: line.stan,
        after,
        answer,
    })
}

fn fields(members: BTreeMap<String, FieldWant>) -> Result<Want, LineFault> {
    let (mut mti, mut fields) = (None, BTreeMap::new());
    for (name, want) in members {
        match (name.as_str(), want) {
            ("mti", FieldWant::Value(value)) => mti = Some(value),
            (number, want) => match number.parse::<u8>() {
                Ok(field @ 2..=192) => {
                    fields.insert(field, want);
                }
                Ok(_) | Err(_) => return Err(LineFault::NotAField(name)),
            },
        }
    }
    Ok(Want::Fields { mti, fields })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        parse(Path::new("a.jsonl"), text).unwrap_err().to_string()
    }

    const SIGN_ON: &str =
        r#"{"id": 7, "link": "a", "mti": "0800", "stan": "000001", "answer": {"mti": "0810", "39": "00"}}"#;

    #[test]
    fn references_are_by_id_and_become_positions() {
        let repeat = r#"{"id": 3, "link": "a", "mti": "0201", "stan": "000001", "after": 7, "same_as": 7}"#;
        let all = parse(Path::new("a.jsonl"), &format!("{SIGN_ON}\n\n{repeat}\n")).unwrap();
        assert_eq!((all[1].after, &all[1].answer), (Some(0), &Want::SameAs(0)));
        let want = BTreeMap::from([(39, FieldWant::Value("00".into()))]);
        assert_eq!(all[0].answer, Want::Fields { mti: Some("0810".into()), fields: want });
    }

    #[test]
    fn a_bad_line_is_refused_with_its_number_and_the_reason() {
        let table: &[(&str, &str)] = &[
            (r#""answer": {"mti": "0810"}, "after": 8"#, "after names 8, which is no id of a line before"),
            (r#""same_as": 9"#, "same_as names 9"),
            (r#""same_as": 7, "answer": {}"#, "either `answer`, or `same_as`"),
            (r#""race": "x""#, "either `answer`, or `same_as`"),
            (r#""answer": {"DE39": "00"}"#, "neither \"mti\" nor a data element"),
            (r#""answer": {"1": "00"}"#, "neither \"mti\" nor a data element"),
            (r#""answer": 5"#, "invalid type"),
        ];
        for (members, reason) in table {
            let line = format!(r#"{{"id": 8, "link": "a", "mti": "0200", "stan": "000002", {members}}}"#);
            let fault = fault(&format!("{SIGN_ON}\n{line}"));
            assert!(fault.starts_with("a.jsonl:2: ") && fault.contains(reason), "{members}: {fault}");
        }
        assert_eq!(fault(&format!("{SIGN_ON}\n{SIGN_ON}")), "a.jsonl:2: id 7 is used twice");
    }
}
