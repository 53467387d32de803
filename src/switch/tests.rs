//! The switch under any order of events: a small world of billers that post, refuse, stay silent and answer late.

#![allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

mod any_order;
mod clock;
mod closing;
mod forward;
mod late;
mod orders;
mod parts;
mod people;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::bill::tests::bill;
use super::*;
use crate::clock::UnixMillis;
use crate::ids::{KeyParts, Short};
use crate::money::MinorUnits;

const LINK: &str = "atmnet";
const BILLER: &str = "KPTEST";

/// What kind of biller it is.
#[derive(Clone, Copy, Debug)]
struct Kind {
    looks_up_first: bool,
    reversible: bool,
    in_doubt: InDoubt,
}

const PLAIN: Kind = Kind { looks_up_first: false, reversible: true, in_doubt: InDoubt::Reverse };

fn kind() -> impl Strategy<Value = Kind> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(looks_up_first, reversible, confirms)| Kind {
        looks_up_first,
        reversible,
        in_doubt: if confirms { InDoubt::Confirm } else { InDoubt::Reverse },
    })
}

fn terms(kind: Kind) -> BillerTerms {
    let Kind { looks_up_first, reversible, in_doubt } = kind;
    BillerTerms {
        code: BILLER.parse().unwrap(),
        embedded: false,
        looks_up_first,
        currency: "586".parse().unwrap(),
        surcharge_head: None,
        rules: std::sync::Arc::default(),
        reply_timeout_ms: 1000,
        reversible,
        takes_parts_back: true,
        in_doubt,
        retry_ms: 100,
        attempts_max: 4,
        forward_age_max_ms: 3_600_000,
        forward_in_flight_max: 2,
        forward_per_second: 1_000_000,
        in_doubt_max: 100,
    }
}

/// A switch, the biller's own ledger, and what the acquirer was told.
struct World {
    switch: Switch,
    now_ms: u64,
    /// How far the wall clock is ahead of the other.
    ahead_ms: u64,
    asks: u64,
    /// Orders the biller has not answered.
    orders: Vec<(LegId, Order)>,
    /// What stands at the biller.
    posted: BTreeSet<PaymentKey>,
    /// How often each was posted.
    postings: BTreeMap<PaymentKey, u32>,
    /// What it was told to undo: an order to post that comes after that is refused, or approved, but never left open.
    undone: BTreeSet<PaymentKey>,
    /// What it refused to post, and refuses whenever it is sent again.
    refused: BTreeSet<PaymentKey>,
    /// Answers by request.
    answers: BTreeMap<AskId, Vec<Answer>>,
    /// Payments whose reversal the acquirer was told is done, or has nothing to undo.
    taken_back: BTreeSet<PaymentKey>,
    /// Requests to pay, with their keys.
    payments: Vec<(AskId, PaymentKey)>,
    /// The store: the latest of each payment, and what is due.
    stored: BTreeMap<PaymentKey, Payment>,
    due: BTreeSet<(UnixMillis, PaymentKey)>,
    /// How often each counted as a debit, and as a debit reversal.
    counted: BTreeMap<PaymentKey, [u32; 2]>,
    /// What each counted in all.
    net: BTreeMap<PaymentKey, i64>,
    /// What the biller holds of payments of which it has given a part back.
    left: BTreeMap<PaymentKey, u64>,
    /// What the acquirer was told is left of payments of which it wanted a part back.
    left_told: BTreeMap<PaymentKey, u64>,
}

impl World {
    fn new(kind: Kind) -> Self {
        Self::at(terms(kind))
    }

    fn at(terms: BillerTerms) -> Self {
        let link = LinkTerms { name: LINK.parse().unwrap(), in_flight_max: 1000, totals: None };
        let mut world = Self {
            switch: Switch::new([link], [terms], [], "2026-11-20".parse().unwrap()),
            now_ms: 0,
            ahead_ms: 0,
            asks: 0,
            orders: Vec::new(),
            posted: BTreeSet::new(),
            postings: BTreeMap::new(),
            undone: BTreeSet::new(),
            refused: BTreeSet::new(),
            answers: BTreeMap::new(),
            taken_back: BTreeSet::new(),
            payments: Vec::new(),
            stored: BTreeMap::new(),
            due: BTreeSet::new(),
            counted: BTreeMap::new(),
            net: BTreeMap::new(),
            left: BTreeMap::new(),
            left_told: BTreeMap::new(),
        };
        world.ask(Request::SignOn);
        world
    }

    fn key(number: u8) -> PaymentKey {
        PaymentKey::new(&KeyParts { stan: &[b'0' + number], link: LINK.as_bytes(), ..KeyParts::default() })
    }

    fn prior(&self, key: &PaymentKey) -> Prior {
        self.stored.get(key).map_or(Prior::Unknown, |payment| Prior::Known(Box::new(payment.clone())))
    }

    fn ask(&mut self, request: Request) -> AskId {
        self.asks += 1;
        let id = AskId(self.asks);
        let link = LINK.parse().unwrap();
        let (stan, rrn, mti) = (Short::EMPTY, Short::EMPTY, Short::EMPTY);
        let ask = Ask { id, link, mti, stan, rrn, request, evidence: Evidence::default(), stale: false };
        self.step(Event::Asked(Box::new(ask)));
        id
    }

    fn pay(&mut self, number: u8, content: u8) {
        let request = self.request(number, content);
        let key = request.key.clone();
        let id = self.ask(Request::Payment(Box::new(request)));
        self.payments.push((id, key));
    }

    fn advise(&mut self, number: u8) {
        let request = self.request(number, 0);
        let key = request.key.clone();
        let id = self.ask(Request::Advice(Box::new(request)));
        self.payments.push((id, key));
    }

    /// People say what has become of it.
    fn resolve(&mut self, number: u8, resolution: Resolution) {
        let payment = Box::new(self.stored[&Self::key(number)].clone());
        let why = "by hand".into();
        self.step(Event::Operator(Operation::Resolve { payment, resolution, why }));
    }

    fn request(&self, number: u8, content: u8) -> PaymentRequest {
        let key = Self::key(number);
        PaymentRequest {
            key: key.clone(),
            bill: BillRef { biller: BILLER.parse().unwrap(), consumer: "1".into() },
            amount: MinorUnits::new(1000).unwrap(),
            currency: "586".parse().unwrap(),
            channel: Short::EMPTY,
            settled_on: None,
            digest: Digest([content; 16]),
            prior: self.prior(&key),
        }
    }

    fn reverse(&mut self, number: u8, advice: bool) {
        self.take_back(number, advice, Replacement::None);
    }

    fn take_back(&mut self, number: u8, advice: bool, replacement: Replacement) {
        let original = Self::key(number);
        let prior = self.prior(&original);
        let amount = MinorUnits::new(1000).unwrap();
        let key = original.clone();
        let id = self.ask(Request::Reversal(Box::new(ReversalRequest {
            original,
            amount,
            replacement,
            settled_on: None,
            advice,
            prior,
        })));
        let told = self.answers.get(&id).and_then(|answers| answers.first()).map(|answer| answer.reason);
        match (told, replacement) {
            (Some(Reason::Approved), Replacement::Amount(left)) => {
                self.left_told.insert(key, left.minor());
            }
            (Some(Reason::Approved | Reason::OriginalUnknown), _) => {
                self.taken_back.insert(key);
            }
            (_, _) => {}
        }
    }

    fn step(&mut self, event: Event) {
        let now = Now { ticks: Ticks(self.now_ms), wall: UnixMillis(self.now_ms + self.ahead_ms) };
        let mut out = Output::default();
        self.switch.step(now, event, &mut out);
        for record in out.records {
            let Some(payment) = record.payment else { continue };
            if let Some(counted) = record.counted {
                let times = self.counted.entry(payment.key.clone()).or_default();
                times[usize::from(counted.reversal)] += 1;
                let amount = i64::try_from(counted.amount.minor()).unwrap();
                let net = self.net.entry(payment.key.clone()).or_default();
                *net += if counted.reversal { -amount } else { amount };
            }
            if record.due != record.was_due {
                if let Some(was_due) = record.was_due {
                    assert!(
                        self.due.remove(&(was_due, payment.key.clone())),
                        "an entry that was there is replaced"
                    );
                }
                self.due.extend(record.due.map(|due| (due, payment.key.clone())));
            }
            self.stored.insert(payment.key.clone(), *payment);
        }
        for action in out.actions {
            match action {
                Action::Answer { ask, answer } => self.answers.entry(ask).or_default().push(answer),
                Action::Order { leg, order, .. } => self.orders.push((leg, order)),
                Action::UseKeys { .. } | Action::AddUp { .. } | Action::SendTotals(_) | Action::Alarm(_) => {}
            }
        }
    }

    /// The biller acts on an order and answers, or acts and stays silent, or loses it.
    fn biller(&mut self, which: u8, how: u8) {
        if self.orders.is_empty() {
            return;
        }
        let (leg, order) = self.orders.remove(usize::from(which) % self.orders.len());
        let outcome = match (order, how % 5) {
            (_, 0) => return,
            (_, 1) => Outcome::NotSent,
            (Order::LookUp(_), _) => Outcome::Found(Box::new(bill())),
            (Order::Post { payment, .. }, how)
                if !self.posted.contains(&payment.key)
                    && (how == 2 || self.refused.contains(&payment.key)) =>
            {
                self.refused.insert(payment.key);
                Outcome::Declined(Reason::NoSuchBill)
            }
            (Order::Post { payment, .. }, how)
                if self.undone.contains(&payment.key)
                    && (how != 3 || self.postings.contains_key(&payment.key)) =>
            {
                Outcome::Declined(Reason::ReversedFirst)
            }
            (Order::Post { payment, .. }, how) => {
                // One that is sent again is known by its identity.
                if self.posted.insert(payment.key.clone()) {
                    *self.postings.entry(payment.key).or_default() += 1;
                }
                if how == 3 { Outcome::Posted(posting()) } else { Outcome::Unknown }
            }
            (Order::Reverse { payment, .. }, how) if payment.wanted_part().is_some() => {
                self.give_back_part(&payment, how)
            }
            (Order::Reverse { payment, .. }, how) => {
                let knew = self.posted.remove(&payment.key);
                self.undone.insert(payment.key);
                match how {
                    4 => Outcome::Unknown,
                    2 if !knew => Outcome::Declined(Reason::OriginalUnknown),
                    _ => Outcome::Reversed,
                }
            }
        };
        self.step(Event::BillerReplied { leg, outcome });
    }

    fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        self.step(Event::DeadlinePassed);
    }

    /// The process ends and starts anew on what is stored; orders on their way are lost or not, nobody knows.
    fn restart(&mut self, kind: Kind) {
        self.restart_at(terms(kind));
    }

    fn restart_at(&mut self, terms: BillerTerms) {
        let fresh = Self::at(terms);
        self.switch = fresh.switch;
        self.orders.retain(|(_, order)| matches!(order, Order::Post { .. }));
        // Orders to post may still be acted on, but their answers find nobody.
        for (_, order) in std::mem::take(&mut self.orders) {
            if let Order::Post { payment, .. } = order
                && !self.undone.contains(&payment.key)
                && !self.refused.contains(&payment.key)
                && self.posted.insert(payment.key.clone())
            {
                *self.postings.entry(payment.key).or_default() += 1;
            }
        }
        for (due, key) in self.due.clone() {
            let payment = Box::new(self.stored[&key].clone());
            self.step(Event::Recovered { payment, due });
        }
    }

    /// Faults stop: every order is answered, every deadline passes.
    fn heal(&mut self) {
        for _ in 0..4000 {
            while !self.orders.is_empty() {
                self.biller(0, 3);
            }
            self.pass(1000);
        }
    }
}

fn posting() -> Posting {
    let (receipt, authorisation) = ("R1".parse().unwrap(), "000001".parse().unwrap());
    Posting { receipt, authorisation, at: UnixMillis(0), heads: Vec::new() }
}
