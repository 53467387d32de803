//! What leaves once its turn is durable. This is the only way to a socket or a biller.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::Shared;
use super::ask::{Input, Outbound, Waiting};
use crate::biller::Reply;
use crate::desk::Leaving;
use crate::switch::{Alarm, Answer};
use crate::telemetry::Counters;

/// Something to be told to whoever waits for the turn to be durable.
pub(super) type Tell = Box<dyn FnOnce() + Send>;

/// What may leave with one turn.
#[derive(Default)]
pub(super) struct Release {
    pub(super) leaving: Leaving<Waiting>,
    pub(super) tell: Vec<Tell>,
}

impl Release {
    pub(super) const fn is_empty(&self) -> bool {
        self.leaving.is_empty() && self.tell.is_empty()
    }
}

/// Takes outcomes to the engine.
pub(super) fn replies_to(urgent: &mpsc::Sender<Input>) -> Reply {
    let urgent = urgent.clone();
    Arc::new(move |leg, outcome| {
        // It has room for every order there can be; an answer without room is like none, and its payment in doubt.
        if urgent.try_send(Input::Replied(leg, outcome)).is_err() {
            tracing::error!(leg = leg.0, "a biller's answer found the queue full: its payment is in doubt");
        }
    })
}

/// Carries releases out, on the valve's thread; nothing in here waits.
pub(super) struct Releasing {
    shared: Arc<Shared>,
    reply: Reply,
}

impl Releasing {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let reply = replies_to(&shared.urgent);
        Self { shared, reply }
    }

    pub(super) fn release(&self, release: Release) {
        // Whoever hears that a key was taken may use it at once.
        for (link, keys) in &release.leaving.keys {
            self.shared.macs.install(link, &self.shared.vault, keys);
        }
        // Alarms first: whoever hears an answer can see what it is about.
        for alarm in &release.leaving.alarms {
            self.alarm(alarm);
        }
        for (waiting, answer) in release.leaving.answers {
            self.answer(waiting, answer);
        }
        for (leg, biller, order) in release.leaving.orders {
            match self.shared.adapters.get(&biller) {
                Some(adapter) => adapter.submit(leg, order, Arc::clone(&self.reply)),
                None => (self.reply)(leg, crate::switch::Outcome::NotSent),
            }
        }
        for totals in &release.leaving.totals {
            self.shared.peers.send_totals(totals);
        }
        release.tell.into_iter().for_each(|tell| tell());
    }

    fn answer(&self, waiting: Waiting, answer: Answer) {
        let Waiting { link, frame, answers, key, place, read: _ } = waiting;
        // There is a place for every answer, so this fails only if the connection has gone; a repeat gets it.
        let sent = answers.try_send(Outbound::Answer { frame, answer, key, _place: place });
        // Hosts have no counters here.
        match (self.shared.counters.link(&link), sent) {
            (Some(counters), Ok(())) => Counters::count(&counters.answers),
            (Some(counters), Err(_)) => Counters::count(&counters.undelivered),
            (None, _) => {}
        }
    }

    fn alarm(&self, alarm: &Alarm) {
        Counters::count(&self.shared.counters.alarms);
        match alarm {
            Alarm::ReversalBySomebodyElse { link, original } => {
                tracing::error!(%link, %original, "alarm: a link asked to reverse another link's payment");
            }
            Alarm::Exception { key, biller, reason } => {
                tracing::error!(payment = %key, %biller, %reason, "alarm: a payment only a person can resolve");
            }
            Alarm::LateApproval(key) => {
                tracing::error!(payment = %key, "alarm: approved after it had been closed: it is reversed once more");
            }
            Alarm::KeyRefused(link) => {
                tracing::error!(%link, "alarm: a link sent a key that is not what its check value says");
            }
            Alarm::TotalsDiffer { link, reconciled } => {
                let (date, ours, theirs) = (reconciled.date, reconciled.ours, reconciled.theirs);
                tracing::error!(%link, %date, ?ours, ?theirs, "alarm: an acquirer has counted otherwise");
            }
            Alarm::TotalsUnanswered { link, date } => {
                tracing::error!(%link, %date, "alarm: a link does not answer our totals, which are not sent again");
            }
            Alarm::UnaskedAnswer { link, stan } => {
                if let Some(counters) = self.shared.counters.link(link) {
                    Counters::count(&counters.unasked);
                }
                tracing::error!(%link, %stan, "alarm: a link answered what it was not asked");
            }
            Alarm::DiskLow => {
                tracing::error!(
                    "alarm: the store's file system is almost full: new payments and inquiries are refused"
                );
            }
            Alarm::UnmatchedReply(leg) => {
                tracing::error!(leg = leg.0, "alarm: a biller answered an order that nobody waits for");
            }
        }
    }
}
