//! The acquirers: each looks after its payments until it knows what became of them.

use super::auditor::{Bought, Purpose, says_nothing};
use super::parts::Part;
use super::plan::{Intent, Way};
use super::site::{Manner, amount, consumer, limits, takes_parts};
use super::{Happening, World};

/// How long an acquirer waits for an answer.
pub(super) const PATIENCE_MS: u64 = 4_500;
/// How often it asks about a part before it leaves it to its people.
pub(super) const PATIENCE_MAX: u32 = 16;
/// How often it asks for all of it while it is told that it is in doubt: longer than any outage and its queue.
const DOUBTED_MAX: u32 = 40;

/// A payment, on the acquirer's side.
#[derive(Clone, Debug)]
pub(super) struct Deal {
    pub(super) intent: Intent,
    pub(super) key: Vec<u8>,
    /// Requests to pay sent.
    sent: u32,
    /// More than one request may be about, so that a refusal need not be about the one that counts.
    pub(super) blurred: bool,
    /// DE 39 of the answer that counts.
    pub(super) outcome: Option<String>,
    reversing: bool,
    /// The parts that are wanted back.
    pub(super) parts: [Part; 2],
    reversals: u32,
    /// How often it was told that the biller cannot be reached.
    unreached: u32,
    /// What is in doubt at its biller is made certain.
    confirms: bool,
    pub(super) reversed: bool,
    /// Its reversal was refused: its people will talk to the biller's.
    pub(super) denied: bool,
    pub(super) closed: bool,
}

impl World<'_> {
    /// An acquirer begins to pay.
    pub(super) fn begin(&mut self, intent: Intent) {
        let link = self.site.links.get(intent.link).copied().unwrap_or_default();
        let key = intent.key(link.as_str());
        let Some(biller) = self.site.billers.get(intent.biller) else { return };
        let bought = Bought {
            number: intent.number,
            biller: biller.code,
            place: intent.biller,
            link: intent.link,
            embedded: biller.manner == Manner::Book,
            looked_up: biller.manner.is_asked_first() && biller.manner != Manner::Book,
            gives_parts: biller.manner == Manner::Partly,
            reversible: !matches!(biller.manner, Manner::OneWay | Manner::Confirms),
            confirms: biller.manner == Manner::Confirms,
            consumer: consumer(intent.bill),
            debits: intent.debits(),
            due: amount(intent.biller, intent.bill),
            limits: limits(intent.biller, intent.bill),
            by_bill: takes_parts(intent.biller, intent.bill),
            advice: intent.way == Way::Told,
            asked_back: intent.way == Way::AskedBack,
        };
        self.auditor.buys(key.clone(), bought);
        self.deals.push(Deal {
            intent,
            key,
            sent: 0,
            blurred: false,
            outcome: None,
            reversing: false,
            parts: Default::default(),
            reversals: 0,
            unreached: 0,
            confirms: biller.manner == Manner::Confirms,
            reversed: false,
            denied: false,
            closed: false,
        });
        self.open_deals = self.open_deals.saturating_add(1);
        self.look(self.deals.len().saturating_sub(1));
    }

    /// Does what is next about a payment, if anything is.
    pub(super) fn look(&mut self, at: usize) {
        let Some(deal) = self.deals.get(at) else { return };
        if deal.closed || (deal.outcome.is_some() && !deal.reversing) {
            return;
        }
        let (intent, sent, reversing) = (deal.intent, deal.sent, deal.reversing);
        if !self.lines.get(intent.link).is_some_and(|line| line.ready) {
            return self.after(300, Happening::Look(at));
        }
        if reversing {
            self.send_reversal(at);
        } else if sent == 0 {
            if intent.reverses_first {
                self.reverse(at);
            }
            self.send_payment(at, false);
            if intent.repeats_at_once {
                self.send_payment(at, true);
            }
        } else if sent <= intent.repeats || intent.way == Way::Told {
            self.send_payment(at, true);
        } else {
            self.reverse(at);
        }
        self.after(PATIENCE_MS, Happening::Look(at));
    }

    /// The customer has thought better of it.
    pub(super) fn regret(&mut self, at: usize) {
        let Some(deal) = self.deals.get(at).filter(|deal| !deal.reversing) else { return };
        if !self.lines.get(deal.intent.link).is_some_and(|line| line.ready) {
            return self.after(300, Happening::Regret(at));
        }
        self.reverse(at);
        self.after(PATIENCE_MS, Happening::Look(at));
    }

    fn reverse(&mut self, at: usize) {
        let Some(deal) = self.deals.get_mut(at) else { return };
        deal.reversing = true;
        let key = deal.key.clone();
        self.auditor.wants_back(&key);
        self.send_reversal(at);
    }

    fn send_payment(&mut self, at: usize, again: bool) {
        let Some(deal) = self.deals.get_mut(at) else { return };
        deal.sent = deal.sent.saturating_add(1);
        deal.blurred |= deal.sent > 1;
        let (intent, key) = (deal.intent, deal.key.clone());
        let (mti, purpose) = match (intent.way, again) {
            (Way::Asked | Way::AskedBack, false) => ("0200", Purpose::Payment),
            (Way::Asked | Way::AskedBack, true) => ("0201", Purpose::Payment),
            (Way::Told, false) => ("0220", Purpose::Advice),
            (Way::Told, true) => ("0221", Purpose::Advice),
        };
        let frame = intent.payment(self.site, mti, 0);
        // Its reversal is on the way already, and overtakes it.
        let held_back = if intent.reverses_first && !again { 1_500 } else { 0 };
        let about = (intent.numbers(), purpose, Some((at, key)));
        self.send(intent.link, mti, about, frame, held_back);
    }

    fn send_reversal(&mut self, at: usize) {
        let Some(deal) = self.deals.get_mut(at) else { return };
        let mti = match (deal.intent.way, deal.reversals) {
            (Way::AskedBack, 0) => "0400",
            (Way::AskedBack, _) => "0401",
            (Way::Asked | Way::Told, 0) => "0420",
            (Way::Asked | Way::Told, _) => "0421",
        };
        deal.reversals = deal.reversals.saturating_add(1);
        let (intent, key) = (deal.intent, deal.key.clone());
        let frame = intent.reversal(self.site, mti);
        let about = (intent.reversal_numbers(), Purpose::Reversal, Some((at, key)));
        self.send(intent.link, mti, about, frame, 0);
    }

    /// The answer to a payment has come.
    pub(super) fn hears_of_payment(&mut self, at: usize, code: &str) {
        let Some(deal) = self.deals.get_mut(at) else { return };
        if deal.closed || deal.outcome.is_some() {
            return;
        }
        // An advice is repeated until it is taken; and what is in doubt at a biller that makes it certain will be certain.
        let told = deal.intent.way == Way::Told && code != "94";
        let unsettled = says_nothing(code) && (deal.blurred || deal.reversing || told);
        if unsettled || (code == "68" && deal.confirms) {
            // Looked after again at the next look.
            return;
        }
        deal.outcome = Some(code.to_owned());
        let (intent, reversing) = (deal.intent, deal.reversing);
        if !says_nothing(code) {
            self.try_it_on(at, intent);
        }
        if reversing {
            return;
        }
        let approved = code == "00";
        if let Some(after) = intent.regrets_after_ms.filter(|_| approved) {
            self.after(after, Happening::Regret(at));
        }
        for (which, wish) in intent.parts.iter().enumerate().filter(|_| approved) {
            if let Some(wish) = wish {
                self.after(wish.after_ms, Happening::WantPart(at, which));
            }
        }
        if !(approved && intent.wants_anything_back()) {
            self.shut(at);
        }
    }

    /// The answer to its reversal has come.
    pub(super) fn hears_of_reversal(&mut self, at: usize, code: &str) {
        let Some(deal) = self.deals.get_mut(at) else { return };
        if deal.closed {
            return;
        }
        let asked = deal.intent.way == Way::AskedBack;
        match code {
            "00" | "25" => deal.reversed = true,
            // Who asks for a reversal may be told no; and that nobody can be reached, in the end.
            _ if asked && !says_nothing(code) && code != "68" => deal.denied = true,
            "91" if asked => {
                deal.unreached = deal.unreached.saturating_add(1);
                if deal.unreached < 8 {
                    return;
                }
                deal.denied = true;
            }
            "68" if asked || deal.intent.parts[0].is_some() => {
                // It is in doubt and with people; or a part of it is being given back, or that is with people.
                deal.unreached = deal.unreached.saturating_add(1);
                let most = if deal.intent.parts[0].is_some() { PATIENCE_MAX } else { DOUBTED_MAX };
                if deal.unreached < most {
                    return;
                }
                deal.denied = true;
            }
            _ => return,
        }
        self.shut(at);
    }

    pub(super) fn shut(&mut self, at: usize) {
        let Some(deal) = self.deals.get_mut(at) else { return };
        if !std::mem::replace(&mut deal.closed, true) {
            self.open_deals = self.open_deals.saturating_sub(1);
        }
    }

    /// What must have no effect: the same key for something else, and somebody else's reversal.
    fn try_it_on(&mut self, at: usize, intent: Intent) {
        let Some(key) = self.deals.get(at).map(|deal| deal.key.clone()) else { return };
        if intent.reuses_key {
            let frame = intent.payment(self.site, "0200", 100);
            let about = (intent.numbers(), Purpose::OtherContent, Some((at, key.clone())));
            self.send(intent.link, "0200", about, frame, 0);
        }
        if intent.meddled_with {
            let other = intent.link.saturating_add(1).checked_rem(self.site.links.len()).unwrap_or_default();
            let frame = intent.reversal(self.site, "0420");
            let about = (intent.reversal_numbers(), Purpose::Meddling, Some((at, key)));
            self.send(other, "0420", about, frame, 0);
        }
    }
}
