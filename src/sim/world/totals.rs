//! Our own totals on their way to the acquirers, lost, late, doubled and not understood like all else; and what must hold of
//! them.

use super::dice::number_of;
use super::{Fault, Happening, World};
use crate::ids::BusinessDate;
use crate::journal::totals::{stored_closing, stored_totals};
use crate::journal::{JournalError, Store};
use crate::switch::{Claimed, Event, SendTotals, TotalsAnswer};

use super::daemon::Input;

impl World<'_> {
    /// Totals of ours leave for a link.
    pub(super) fn totals_leave(&mut self, totals: &SendTotals) {
        let SendTotals { link, date, again, .. } = *totals;
        self.note(|| format!("{link} is sent our totals of {date}{}", if again { " again" } else { "" }));
        self.auditor.sends_totals(totals);
        let at = self.site.links.iter().position(|name| *name == link).unwrap_or(usize::MAX);
        let connection = self.lines.get(at).map_or(0, |line| line.connection);
        let what = number_of(&[link.as_bytes(), &date.day_number().to_be_bytes()].concat());
        let nth = self.nth(what);
        let mut dice = self.dice(&[13, what, nth]);
        let twice = dice.permille(self.rates.of(Fault::RequestDuplicated));
        for _ in 0..=u8::from(twice) {
            let dropped = dice.permille(self.rates.of(Fault::RequestDropped))
                || dice.permille(self.rates.of(Fault::AnswerDropped));
            let delayed = dice.permille(self.rates.of(Fault::AnswerDelayed));
            let understood = !dice.permille(self.rates.of(Fault::RequestCorrupted));
            let (slow, quick) = (dice.between(100, 6_000), dice.between(1, 40));
            if connection != 0 && !dropped {
                let delay = if delayed { slow } else { quick };
                self.after(delay, Happening::TotalsReturn(at, connection, *totals, understood));
            }
        }
    }

    /// An acquirer's answer to them has come back: it has counted the same, or cannot say.
    pub(super) fn totals_return(&mut self, at: usize, connection: u64, sent: SendTotals, understood: bool) {
        if self.lines.get(at).is_none_or(|line| line.connection != connection) {
            return;
        }
        let code = if understood { "00" } else { "30" };
        let (code, agree) = (code.parse().unwrap_or_default(), understood.then_some(true));
        let (link, date, theirs) = (sent.link, sent.date, Claimed::default());
        self.note(|| format!("{link} answers our totals of {date} with {code}"));
        let answer = TotalsAnswer { link, date, code, agree, theirs };
        self.input(Input::Outside(Event::TotalsAnswered(Box::new(answer))));
    }

    /// Every date that was closed has been told to every link, and agreed to; and nothing was told that is not counted.
    pub(super) fn told_totals(&mut self, store: &Store, today: BusinessDate) -> Result<(), JournalError> {
        for link in &self.site.links {
            let mut date = super::Site::first_date();
            while date < today {
                let closing = stored_closing(store, *link, date)?;
                let (stored, _) = stored_totals(store, *link, date)?;
                if closing.as_ref().and_then(crate::switch::Closing::agrees) != Some(true) {
                    self.auditor
                        .object(6, || format!("{link} was not told the totals of {date}: {closing:?}"));
                }
                let sent = closing.and_then(|closing| closing.sent).map(|sent| sent.ours).unwrap_or_default();
                if sent.debits.amount > stored.debits.amount
                    || sent.debit_reversals.amount > stored.debit_reversals.amount
                {
                    let told = || format!("{link} was told {sent:?} of {date}, where {stored:?} is counted");
                    self.auditor.object(4, told);
                }
                date = date.next();
            }
        }
        Ok(())
    }
}
