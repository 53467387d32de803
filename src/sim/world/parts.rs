//! Parts of approved payments that acquirers want back (DE 95): each is asked for until it is known what became of it.

use super::auditor::{Purpose, says_nothing};
use super::deals::{PATIENCE_MAX, PATIENCE_MS};
use super::plan::{Intent, Way};
use super::{Happening, World};

/// A part, on the acquirer's side.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Part {
    /// Requests for it sent.
    sent: u32,
    /// How often it was told that it is not known yet.
    unknown: u32,
    /// It has been given back, or will not be.
    known: bool,
}

impl Intent {
    /// Whether anything of it is wanted back after it was approved.
    pub(super) fn wants_anything_back(&self) -> bool {
        self.regrets_after_ms.is_some() || self.parts.iter().any(Option::is_some)
    }
}

impl World<'_> {
    /// The customer wants a part back, or waits to hear of it.
    pub(super) fn want_part(&mut self, at: usize, which: usize) {
        let Some(deal) = self.deals.get_mut(at).filter(|deal| !deal.closed) else { return };
        let ready = self.lines.get(deal.intent.link).is_some_and(|line| line.ready);
        let Some(part) = deal.parts.get_mut(which).filter(|part| !part.known) else { return };
        if !ready {
            return self.after(300, Happening::WantPart(at, which));
        }
        let again = part.sent > 0;
        part.sent = part.sent.saturating_add(1);
        let (intent, key) = (deal.intent, deal.key.clone());
        let Some(left) = intent.left(which) else { return };
        let mti = match (intent.way, again) {
            (Way::AskedBack, false) => "0400",
            (Way::AskedBack, true) => "0401",
            (Way::Asked | Way::Told, false) => "0420",
            (Way::Asked | Way::Told, true) => "0421",
        };
        let frame = intent.part(self.site, mti, which);
        let about = (intent.part_numbers(which), Purpose::Part { which, left }, Some((at, key)));
        self.send(intent.link, mti, about, frame, 0);
        self.after(PATIENCE_MS, Happening::WantPart(at, which));
    }

    /// The answer to the request for a part has come.
    pub(super) fn hears_of_part(&mut self, at: usize, which: usize, code: &str) {
        let Some(deal) = self.deals.get_mut(at).filter(|deal| !deal.closed) else { return };
        let asked = deal.intent.way == Way::AskedBack;
        let Some(part) = deal.parts.get_mut(which).filter(|part| !part.known) else { return };
        if code == "68" || says_nothing(code) {
            part.unknown = part.unknown.saturating_add(u32::from(asked || code == "68"));
            if part.unknown < PATIENCE_MAX {
                return;
            }
        }
        part.known = true;
        // Refused for its amount, it has changed nothing; refused otherwise, its people will talk to the biller's.
        deal.denied |= !matches!(code, "00" | "13");
        let nothing_more =
            deal.intent.parts.iter().zip(&deal.parts).all(|(wish, part)| wish.is_none() || part.known);
        if nothing_more && deal.intent.regrets_after_ms.is_none() {
            self.shut(at);
        }
    }
}
