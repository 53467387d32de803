//! Trouble that does not hit single messages: billers that go and come, a disk that fills, links that flood.

use super::daemon::Input;
use super::{Happening, World};
use crate::switch::Event;

impl World<'_> {
    pub(super) fn biller_dies(&mut self, place: usize, for_ms: u64, refuses: bool) {
        let until = self.now_ms.saturating_add(for_ms);
        let says = self.dice(&[10, u64::try_from(place).unwrap_or_default(), for_ms]).one_in(2);
        let Some(biller) = self.billers.get_mut(place) else { return };
        // What was said to be gone is said to be back, too, however often it goes meanwhile.
        let says = says || biller.said_down;
        (biller.down_until_ms, biller.refuses, biller.said_down) = (until, refuses, says);
        self.note(|| format!("biller {place} cannot be reached for {for_ms} ms"));
        if says {
            self.reachable(place, false);
            self.after(for_ms, Happening::BillerBack(place));
        }
    }

    /// The adapter of a biller finds it again, unless it has gone once more meanwhile.
    pub(super) fn biller_back(&mut self, place: usize) {
        let now_ms = self.now_ms;
        let back = |biller: &&mut super::Biller| biller.said_down && biller.down_until_ms <= now_ms;
        if let Some(biller) = self.billers.get_mut(place).filter(back) {
            biller.said_down = false;
            self.reachable(place, true);
        }
    }

    fn reachable(&mut self, place: usize, up: bool) {
        let Some(code) = self.site.billers.get(place).map(|biller| biller.code) else { return };
        self.note(|| format!("{code} {} reached", if up { "can be" } else { "cannot be" }));
        self.input(Input::Outside(if up { Event::BillerUp(code) } else { Event::BillerDown(code) }));
    }

    pub(super) fn disk_fills(&mut self, for_ms: u64) {
        self.disk_low = true;
        self.auditor.disk_is(true);
        self.note(|| format!("the disk is almost full for {for_ms} ms"));
        self.input(Input::Outside(Event::DiskLow(true)));
        self.after(for_ms, Happening::DiskFrees);
    }

    pub(super) fn disk_frees(&mut self) {
        self.disk_low = false;
        self.auditor.disk_is(false);
        self.input(Input::Outside(Event::DiskLow(false)));
    }

    /// What a process is told of the world outside when it starts.
    pub(super) fn tell_of_outside(&mut self) {
        if self.disk_low {
            self.input(Input::Outside(Event::DiskLow(true)));
        }
        for place in 0..self.billers.len() {
            if self.billers.get(place).is_some_and(|biller| biller.said_down) {
                self.reachable(place, false);
            }
        }
    }

    /// Everything that was in trouble is well again.
    pub(super) fn ends_trouble(&mut self) {
        for place in 0..self.billers.len() {
            if let Some(biller) = self.billers.get_mut(place) {
                biller.down_until_ms = 0;
            }
            self.biller_back(place);
        }
        if self.disk_low {
            self.disk_frees();
        }
    }

    /// One link asks for more than there is room for.
    pub(super) fn floods(&mut self, link: usize, biller: usize, count: u64) {
        for bill in 0..count {
            self.inquire(link, biller, bill.checked_rem(super::site::BILLS).unwrap_or_default());
        }
    }
}
