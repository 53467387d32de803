//! Holds a department's ledger against what the switch says of a day.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::rest::{Entry, LedgerError, read_ledger};

/// Why two books cannot be compared.
#[derive(Debug, Error)]
pub enum CompareError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The scroll cannot be read.
    #[error("{}: {source}", path.display())]
    Scroll {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        source: csv::Error,
    },
    /// A line of the scroll lacks what is compared.
    #[error("{}:{line}: not a line of a scroll: it has time, psid, amount, …, receipt, rrn", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
    },
}

/// Where the two books differ.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// Posted at the department, and not in the scroll.
    NotInScroll {
        /// The bill.
        consumer: String,
    },
    /// In the scroll, and not posted at the department.
    NotInLedger {
        /// The bill.
        consumer: String,
    },
    /// Posted with another amount or receipt.
    Differs {
        /// The bill.
        consumer: String,
    },
    /// Posted twice at the department.
    Twice {
        /// The bill.
        consumer: String,
    },
}

impl Difference {
    /// The bill they differ about.
    #[must_use]
    pub fn consumer(&self) -> &str {
        match self {
            Self::NotInScroll { consumer }
            | Self::NotInLedger { consumer }
            | Self::Differs { consumer }
            | Self::Twice { consumer } => consumer,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInScroll { consumer } => {
                write!(f, "{consumer}: posted at the department, not in the scroll")
            }
            Self::NotInLedger { consumer } => {
                write!(f, "{consumer}: in the scroll, not posted at the department")
            }
            Self::Differs { consumer } => write!(f, "{consumer}: posted with another amount or receipt"),
            Self::Twice { consumer } => write!(f, "{consumer}: posted twice at the department"),
        }
    }
}

/// What a comparison found.
#[derive(Clone, Debug, Default, Eq, PartialEq, serde::Serialize)]
pub struct Comparison {
    /// Bills that both say the same of.
    pub same: u64,
    /// Their sum, minor units.
    pub amount: u64,
    /// Where they differ, by bill.
    pub differences: Vec<Difference>,
}

/// Compares a scroll, as `book export` writes it, with a ledger, as the simulated departments keep it.
///
/// # Errors
///
/// [`CompareError`].
pub fn compare(scroll: &Path, ledger: &Path) -> Result<Comparison, CompareError> {
    let ours = read_scroll(scroll)?;
    Ok(held_against(ours, read_ledger(ledger)?))
}

/// Compares amounts and receipts by bill with postings.
#[must_use]
pub fn held_against(ours: BTreeMap<String, (u64, String)>, theirs: Vec<Entry>) -> Comparison {
    let mut comparison = Comparison::default();
    let mut left = ours;
    let mut seen = std::collections::BTreeSet::new();
    for Entry { consumer, amount, receipt, .. } in standing(theirs) {
        if !seen.insert(consumer.clone()) {
            comparison.differences.push(Difference::Twice { consumer });
            continue;
        }
        match left.remove(&consumer) {
            None => comparison.differences.push(Difference::NotInScroll { consumer }),
            Some(told) if told == (amount, receipt) => {
                comparison.same = comparison.same.saturating_add(1);
                comparison.amount = comparison.amount.saturating_add(amount);
            }
            Some(_) => comparison.differences.push(Difference::Differs { consumer }),
        }
    }
    let missing = left.into_keys().map(|consumer| Difference::NotInLedger { consumer });
    comparison.differences.extend(missing);
    comparison.differences.sort();
    comparison
}

/// The postings that have not been given back since.
fn standing(ledger: Vec<Entry>) -> Vec<Entry> {
    let mut standing: Vec<Option<Entry>> = Vec::with_capacity(ledger.len());
    let mut places: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for entry in ledger {
        if entry.undone {
            let place = places.get_mut(&entry.identity).and_then(Vec::pop);
            if let Some(slot) = place.and_then(|place| standing.get_mut(place)) {
                *slot = None;
            }
        } else {
            places.entry(entry.identity.clone()).or_default().push(standing.len());
            standing.push(Some(entry));
        }
    }
    standing.into_iter().flatten().collect()
}

fn read_scroll(path: &Path) -> Result<BTreeMap<String, (u64, String)>, CompareError> {
    let fault = |source| CompareError::Scroll { path: path.to_path_buf(), source };
    let mut reader = csv::Reader::from_path(path).map_err(fault)?;
    let headers = reader.headers().map_err(fault)?.clone();
    let column = |name: &str| headers.iter().position(|header| header == name);
    let places = (column("psid"), column("amount"), column("receipt"));
    let mut lines = BTreeMap::new();
    for record in reader.records() {
        let record = record.map_err(fault)?;
        let line = record.position().map_or(0, csv::Position::line);
        let read = || {
            let get = |place: Option<usize>| place.and_then(|place| record.get(place));
            let amount = get(places.1)?.parse().ok()?;
            Some((get(places.0)?.to_owned(), (amount, get(places.2)?.to_owned())))
        };
        let (consumer, told) = read().ok_or_else(|| CompareError::Line { path: path.to_path_buf(), line })?;
        lines.insert(consumer, told);
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(consumer: &str, amount: u64, receipt: &str) -> Entry {
        Entry {
            consumer: consumer.to_owned(),
            identity: String::new(),
            amount,
            receipt: receipt.to_owned(),
            at: 0,
            undone: false,
        }
    }

    #[test]
    fn what_was_given_back_does_not_count_and_may_be_paid_anew() {
        let paid =
            |identity: &str, undone| Entry { identity: identity.to_owned(), undone, ..entry("1", 100, "A") };
        let ours = || BTreeMap::from([("1".to_owned(), (100, "A".to_owned()))]);
        let found = held_against(ours(), vec![paid("a", false), paid("a", true), paid("b", false)]);
        assert_eq!((found.same, found.differences.len()), (1, 0));
        let gone = held_against(ours(), vec![paid("a", false), paid("a", true)]);
        assert_eq!(gone.differences, [Difference::NotInLedger { consumer: "1".to_owned() }]);
    }

    #[test]
    fn each_way_in_which_two_books_can_differ_is_told_by_bill() {
        let ours = [("1", 100, "A"), ("2", 200, "B"), ("3", 300, "C"), ("5", 500, "E")];
        let ours =
            ours.map(|(consumer, amount, receipt)| (consumer.to_owned(), (amount, receipt.to_owned())));
        let theirs = vec![
            entry("1", 100, "A"),
            entry("2", 201, "B"),
            entry("4", 400, "D"),
            entry("5", 500, "F"),
            entry("1", 100, "G"),
        ];
        let found = held_against(ours.into(), theirs);
        let told = |consumer: &str| consumer.to_owned();
        assert_eq!((found.same, found.amount), (1, 100));
        assert_eq!(
            found.differences,
            [
                Difference::NotInScroll { consumer: told("4") },
                Difference::NotInLedger { consumer: told("3") },
                Difference::Differs { consumer: told("2") },
                Difference::Differs { consumer: told("5") },
                Difference::Twice { consumer: told("1") },
            ]
        );
    }
}
