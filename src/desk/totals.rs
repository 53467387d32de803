//! The totals of each link and date: a leg that adds to them does so in its own turn, so that they are there after a restart
//! without the journal being read.

use super::Desk;
use crate::biller::book::Shelf;
use crate::ids::{BusinessDate, LinkName};
use crate::journal::JournalError;
use crate::journal::totals::{CLOSED_KEY, read, totals_key, written};
use crate::switch::{Counted, Totals, TotalsRequest, reconciled_date};

impl Desk {
    /// Looks up what an acquirer's totals are to be held against.
    ///
    /// # Errors
    ///
    /// [`JournalError`] if the store cannot be read.
    pub(super) fn look_up_totals(
        &self,
        link: LinkName,
        today: BusinessDate,
        request: &mut TotalsRequest,
    ) -> Result<(), JournalError> {
        let closed = self.read(CLOSED_KEY)?.map(|date| read(&date)).transpose()?;
        let date = reconciled_date(today, closed, request.date);
        request.ours =
            date.map(|date| Ok::<_, JournalError>((date, self.totals(link, date)?))).transpose()?;
        Ok(())
    }

    pub(super) fn totals(&self, link: LinkName, date: BusinessDate) -> Result<Totals, JournalError> {
        self.read(&totals_key(date, link))?.map_or(Ok(Totals::default()), |totals| read(&totals))
    }

    /// Adds what a leg adds.
    pub(super) fn count(&mut self, link: LinkName, counted: &Counted) -> Result<(), JournalError> {
        let mut totals = self.totals(link, counted.date)?;
        totals.count(counted);
        self.put(totals_key(counted.date, link), written(&totals));
        Ok(())
    }
}
