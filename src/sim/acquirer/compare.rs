//! Two ledgers side by side: what stands in the one must stand in the other.

use std::collections::BTreeMap;
use std::path::Path;

use crate::sim::rest::{Entry, LedgerError, read_ledger};

/// A bill of which two ledgers do not say the same. An amount in minor units; none where nothing stands.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
pub struct Difference {
    /// The bill.
    pub consumer: String,
    /// What the one says.
    pub one: Option<u64>,
    /// What the other says.
    pub other: Option<u64>,
}

/// What two ledgers do not agree in, by consumer: each that of a simulated peer, or, with the ending `.csv`, a scroll of
/// `billswitch book export`.
///
/// # Errors
///
/// [`LedgerError`].
pub fn compare(one: &Path, other: &Path) -> Result<Vec<Difference>, LedgerError> {
    let (one, other) = (read(one)?, read(other)?);
    let mut consumers: Vec<&String> = one.keys().chain(other.keys()).collect();
    consumers.sort();
    consumers.dedup();
    let difference = |consumer: &String| {
        let (one, other) = (one.get(consumer).copied(), other.get(consumer).copied());
        (one != other).then(|| Difference { consumer: consumer.clone(), one, other })
    };
    Ok(consumers.into_iter().filter_map(difference).collect())
}

fn read(path: &Path) -> Result<BTreeMap<String, u64>, LedgerError> {
    if path.extension().is_some_and(|ending| ending == "csv") {
        scroll(path)
    } else {
        Ok(standing(&read_ledger(path)?))
    }
}

/// A scroll lists what stands.
fn scroll(path: &Path) -> Result<BTreeMap<String, u64>, LedgerError> {
    let line = |at: usize| LedgerError::Line { path: path.to_path_buf(), line: at.saturating_add(1) };
    let text = std::fs::read_to_string(path)
        .map_err(|source| LedgerError::File { path: path.to_path_buf(), source })?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let columns = reader.headers().map_err(|_| line(0))?.clone();
    let column = |name: &str| columns.iter().position(|column| column == name).ok_or_else(|| line(0));
    let (consumer, amount) = (column("psid")?, column("amount")?);
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for (at, record) in (1_usize..).zip(reader.records()) {
        let record = record.map_err(|_| line(at))?;
        let paid: u64 = record.get(amount).and_then(|paid| paid.parse().ok()).ok_or_else(|| line(at))?;
        let sum = sums.entry(record.get(consumer).unwrap_or_default().to_owned()).or_default();
        *sum = sum.saturating_add(paid);
    }
    Ok(sums)
}

/// What stands on each bill: the sum of what was posted and not given back.
fn standing(entries: &[Entry]) -> BTreeMap<String, u64> {
    let mut stands: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for entry in entries {
        let key = (entry.consumer.as_str(), entry.identity.as_str());
        if entry.undone {
            stands.remove(&key);
        } else {
            stands.insert(key, entry.amount);
        }
    }
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for ((consumer, _), amount) in stands {
        let sum = sums.entry(consumer.to_owned()).or_default();
        *sum = sum.saturating_add(amount);
    }
    sums
}
