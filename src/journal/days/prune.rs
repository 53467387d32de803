//! Taking the legs of a business date away, and putting them back. What stays of a pruned date is the footer of each of its
//! segments: the chain goes through it, and an archive can be held against it.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, TryLockError};

use super::archive::{check_against, of_date, unpack_into};
use super::archive_error::ArchiveError;
use super::footer::Footer;
use super::segment::Segment;
use super::{Days, Place, name};
use crate::ids::BusinessDate;
use crate::journal::error::JournalError;
use crate::journal::store::Store;
use crate::journal::{block_sequence, ledger};

impl Store {
    /// Takes the legs of a date that is over away. With `archived` it is first seen that this file has all of them, byte
    /// for byte. `today` is the business date in force.
    ///
    /// A repeat of a pruned payment is a new payment: dates are pruned when nobody can ask for them any more, and the oldest
    /// first, lest an older date's word on a payment be the last that is here.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`].
    pub fn prune(
        &self,
        date: BusinessDate,
        today: BusinessDate,
        archived: Option<&Path>,
    ) -> Result<u64, ArchiveError> {
        let shared = self.shared();
        let _one_at_a_time = one_at_a_time(&shared.pruning)?;
        let days = shared.days();
        let all = of_date(&days, date)?;
        let whole: Vec<&Segment> = all.iter().copied().filter(|segment| segment.is_whole).collect();
        if whole.is_empty() {
            return Err(ArchiveError::IsPruned(date));
        }
        if date.date() >= today.date() {
            return Err(ArchiveError::StillWorking(date, "it is not over"));
        }
        if let Some(older) = days.list().into_iter().find(|day| day.date < date && day.pruned < day.segments)
        {
            return Err(ArchiveError::OlderIsHere { date, older: older.date });
        }
        self.is_out_of_work(date, &whole)?;
        if let Some(archived) = archived {
            check_against(archived, date, &all)?;
        }
        for segment in &whole {
            let mut stub = shared.place().create(&name(date, segment.footer.first, false))?;
            stub.write(&segment.footer.encode())?;
            stub.sync()?;
            stub.publish()?;
        }
        shared.change_days(|days| days.looked_at_again(shared.place(), date, |_| false))?;
        for segment in &whole {
            shared.place().remove(&name(date, segment.footer.first, true))?;
        }
        Ok(whole.iter().map(|segment| segment.footer.legs()).fold(0, u64::saturating_add))
    }

    /// Whether nobody works with these legs any more: their blocks and keys have been let go of, and what was owed has been
    /// carried over.
    fn is_out_of_work(&self, date: BusinessDate, segments: &[&Segment]) -> Result<(), ArchiveError> {
        let shared = self.shared();
        let first_block = shared.step(|| shared.medium.all_blocks().next())?;
        let first_block = first_block.and_then(|(key, _)| block_sequence(&key)).unwrap_or(u64::MAX);
        let last = segments.iter().map(|segment| segment.footer.last).max().unwrap_or_default();
        if first_block <= last {
            return Err(ArchiveError::StillWorking(date, "it is being sealed, try again in a moment"));
        }
        for sequence in ledger::working_sequences(self) {
            let sequence = sequence?;
            let in_here = |Footer { first, last, .. }: &Footer| (*first..=*last).contains(&sequence);
            if segments.iter().any(|segment| in_here(&segment.footer)) {
                return Err(ArchiveError::StillWorking(date, "a payment of it is open, or with people"));
            }
        }
        Ok(())
    }

    /// Puts an archived date back that is pruned here, the latest first.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`].
    pub fn restore(&self, from: &Path) -> Result<BusinessDate, ArchiveError> {
        let shared = self.shared();
        let _one_at_a_time = one_at_a_time(&shared.pruning)?;
        let days = shared.days();
        let date = unpack_into(shared.place(), Some(&days), from)?;
        shared.change_days(|days| days.looked_at_again(shared.place(), date, |_| true))?;
        for segment in of_date(&days, date)? {
            shared.place().remove(&name(date, segment.footer.first, false))?;
        }
        Ok(date)
    }
}

/// Each removes what the other makes. Whoever comes second is told so, and does not wait: there is no saying for how long.
fn one_at_a_time(pruning: &Mutex<()>) -> Result<MutexGuard<'_, ()>, ArchiveError> {
    match pruning.try_lock() {
        Ok(guard) => Ok(guard),
        Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => Err(ArchiveError::UnderWay),
    }
}

/// Puts an archived date into a directory that is no store, from where it can be read ([`super::super::open_restored`]).
///
/// # Errors
///
/// [`ArchiveError`].
pub fn restore_into(dir: &Path, from: &Path) -> Result<BusinessDate, ArchiveError> {
    unpack_into(&Place::in_store(dir), None, from)
}

impl Days {
    /// The same segments, those of a date looked at again: whole or pruned, as `is_whole` says.
    fn looked_at_again(
        &self,
        place: &Place,
        date: BusinessDate,
        is_whole: impl Fn(&Segment) -> bool,
    ) -> Result<Self, JournalError> {
        let mut days = Self { is_part: self.is_part, ..Self::default() };
        for segment in self.segments() {
            if segment.footer.date == date {
                let whole = is_whole(segment);
                let name = name(date, segment.footer.first, whole);
                days.push(std::sync::Arc::new(Segment::look(place, &name, whole)?))?;
            } else {
                days.push(std::sync::Arc::clone(segment))?;
            }
        }
        Ok(days)
    }
}
