//! What stands before every department on a wire: a bulkhead, so that a slow one holds up nobody else, and a circuit
//! breaker, so that one that fails is left alone instead of putting one citizen's payment after the other in doubt.

mod gate;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use gate::RESERVED_SHARE;

use super::{Adapter, Health, LastError, Reach, Reply, Told};
use crate::bounds::GuardBounds;
use crate::clock::{Now, SystemClock};
use crate::ids::BillerCode;
use crate::switch::{LegId, Order, Outcome, Reason};
use gate::{Gate, Pass, Urgency, Verdict};

/// An adapter behind its guard.
pub struct Guarded<A> {
    inner: A,
    shared: Arc<Shared>,
}

struct Shared {
    biller: BillerCode,
    clock: SystemClock,
    told: Told,
    gate: Mutex<(Gate, Option<LastError>)>,
}

impl<A: Adapter> Guarded<A> {
    /// Stands before `inner`, and tells `told` when the department goes down and comes up again.
    pub fn new(biller: BillerCode, bounds: GuardBounds, clock: SystemClock, told: Told, inner: A) -> Self {
        let gate = Mutex::new((Gate::new(bounds), None));
        Self { inner, shared: Arc::new(Shared { biller, clock, told, gate }) }
    }
}

impl<A: Adapter> Adapter for Guarded<A> {
    fn submit(&self, leg: LegId, order: Order, reply: Reply) {
        let now = self.shared.clock.now();
        let admitted = self.shared.gate().0.admit(now.ticks, urgency(&order));
        match admitted {
            Ok(pass) => {
                let ticket = Ticket { shared: Arc::clone(&self.shared), pass: Mutex::new(Some(pass)) };
                let settle: Reply = Arc::new(move |leg, outcome| {
                    ticket.settle(verdict(&outcome));
                    reply(leg, outcome);
                });
                self.inner.submit(leg, order, settle);
            }
            Err(_) => reply(leg, Outcome::NotSent),
        }
    }

    fn health(&self) -> Health {
        let inner = self.inner.health();
        let (gate, last_error) = &*self.shared.gate();
        let reach = if gate.reach() == Reach::Down { Reach::Down } else { inner.reach };
        Health { reach, last_error: inner.last_error.or_else(|| last_error.clone()), ..gate.health() }
    }
}

impl Shared {
    fn gate(&self) -> MutexGuard<'_, (Gate, Option<LastError>)> {
        // Nothing in here panics half-way.
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, pass: Pass, verdict: Verdict) {
        let Now { ticks, wall } = self.clock.now();
        let changed = {
            let (gate, last_error) = &mut *self.gate();
            if let Verdict::Failed(what) = verdict {
                *last_error = Some(LastError { what: what.to_owned(), at: wall });
            }
            gate.settle(ticks, pass, verdict)
        };
        if let Some(reach) = changed {
            let biller = self.biller;
            match reach {
                Reach::Down => {
                    tracing::warn!(%biller, "too many orders failed: the breaker is open, and payments are refused unsent")
                }
                Reach::Up => tracing::info!(%biller, "the department answers again: the breaker is closed"),
            }
            (self.told)(biller, reach);
        }
    }
}

/// An order's place. One that is let go without an outcome was not answered.
struct Ticket {
    shared: Arc<Shared>,
    pass: Mutex<Option<Pass>>,
}

impl Ticket {
    fn settle(&self, verdict: Verdict) {
        let pass = self.pass.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(pass) = pass {
            self.shared.settle(pass, verdict);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.settle(Verdict::Failed("no answer in time"));
    }
}

/// What is owed goes on when new work has to wait: a reversal, and what may have been posted already.
const fn urgency(order: &Order) -> Urgency {
    match order {
        Order::LookUp(_) | Order::Post { again: false, .. } => Urgency::New,
        Order::Post { again: true, .. } | Order::Reverse(_) => Urgency::Owed,
    }
}

const fn verdict(outcome: &Outcome) -> Verdict {
    match outcome {
        Outcome::NotSent => Verdict::Failed("not sent"),
        Outcome::Unknown => Verdict::Failed("no answer that could be understood"),
        // It says itself that it is not at work.
        Outcome::Declined(Reason::BillerUnavailable | Reason::Internal) => {
            Verdict::Failed("it says that it is not available")
        }
        Outcome::Found(_) | Outcome::Posted(_) | Outcome::Reversed | Outcome::Declined(_) => {
            Verdict::Answered
        }
    }
}

#[cfg(test)]
mod tests;
