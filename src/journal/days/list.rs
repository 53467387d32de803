//! The sealed dates as people see them.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Days, Place};
use crate::ids::BusinessDate;
use crate::journal::error::JournalError;

/// A sealed business date as people see it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SealedDay {
    /// The date.
    pub date: BusinessDate,
    /// Segments.
    pub segments: u64,
    /// How many of them are pruned.
    pub pruned: u64,
    /// Whether all of its legs are sealed.
    pub complete: bool,
    /// Sequence of the first leg.
    pub first: u64,
    /// Sequence of the last leg.
    pub last: u64,
    /// Legs.
    pub legs: u64,
    /// Payments; one with legs in two segments counts twice.
    pub payments: u64,
    /// Bytes on the disk.
    pub bytes: u64,
}

impl Days {
    /// The dates, oldest first.
    pub(in crate::journal) fn list(&self) -> Vec<SealedDay> {
        let mut days: Vec<SealedDay> = Vec::new();
        for segment in self.segments() {
            let footer = &segment.footer;
            if days.last().is_none_or(|day| day.date != footer.date) {
                let (date, first, last) = (footer.date, footer.first, footer.last);
                let (segments, pruned, legs, payments, bytes) = (0, 0, 0, 0, 0);
                let complete = false;
                days.push(SealedDay { date, segments, pruned, complete, first, last, legs, payments, bytes });
            }
            let Some(day) = days.last_mut() else { continue };
            day.segments = day.segments.saturating_add(1);
            day.pruned = day.pruned.saturating_add(u64::from(!segment.is_whole));
            (day.last, day.complete) = (footer.last, footer.is_last);
            day.legs = day.legs.saturating_add(footer.legs());
            day.payments = day.payments.saturating_add(footer.payments);
            day.bytes = day.bytes.saturating_add(segment.bytes);
        }
        days
    }
}

/// The sealed dates of the store in `dir`, which somebody may be serving from.
///
/// # Errors
///
/// [`JournalError`] if a segment's ends are damaged.
pub fn sealed_days(dir: &Path) -> Result<Vec<SealedDay>, JournalError> {
    Ok(Days::load(&Place::in_store(dir), true)?.list())
}
