//! What stands before every department on a wire: a bulkhead, so that a slow one holds up nobody else, and a circuit
//! breaker, so that one that fails is left alone instead of putting one citizen's payment after the other in doubt.

mod gate;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

pub use gate::RESERVED_SHARE;

use super::{Adapter, Health, LastError, Reach, Reply, Signal};
use crate::bounds::GuardBounds;
use crate::clock::{Now, SystemClock};
use crate::ids::BillerCode;
use crate::switch::{LegId, Order, Outcome};
use gate::{Gate, Pass, Urgency, Verdict};

/// An adapter behind its guard.
pub struct Guarded<A> {
    inner: A,
    shared: Arc<Shared>,
}

struct Shared {
    biller: BillerCode,
    clock: SystemClock,
    state: Mutex<State>,
}

struct State {
    gate: Gate,
    last_error: Option<LastError>,
    /// What the adapter itself says.
    inner_up: bool,
    /// What the switch was told last.
    told: bool,
    /// Where the switch is told, and where a pause is waited for; none before the start.
    voice: Option<(Signal, Handle)>,
}

impl<A: Adapter> Guarded<A> {
    /// Stands before `inner`.
    pub fn new(biller: BillerCode, bounds: GuardBounds, clock: SystemClock, inner: A) -> Self {
        let state =
            State { gate: Gate::new(bounds), last_error: None, inner_up: true, told: true, voice: None };
        Self { inner, shared: Arc::new(Shared { biller, clock, state: Mutex::new(state) }) }
    }
}

impl<A: Adapter> Adapter for Guarded<A> {
    fn start(&self, reachable: Signal) {
        self.shared.state().voice = Some((reachable, Handle::current()));
        let shared = Arc::downgrade(&self.shared);
        self.inner.start(Arc::new(move |up| {
            if let Some(shared) = shared.upgrade() {
                shared.state().inner_up = up;
                shared.tell();
            }
        }));
    }

    fn submit(&self, leg: LegId, order: Order, reply: Reply) {
        let now = self.shared.clock.now();
        let admitted = self.shared.state().gate.admit(now.ticks, urgency(&order), subject(&order));
        let Ok(pass) = admitted else { return reply(leg, Outcome::NotSent) };
        if pass.is_probe() {
            // What is owed waits for what this one finds out.
            self.shared.tell();
        }
        let ticket = Ticket { shared: Arc::clone(&self.shared), pass: Mutex::new(Some(pass)) };
        let settle: Reply = Arc::new(move |leg, outcome| {
            ticket.settle(verdict(&outcome));
            reply(leg, outcome);
        });
        self.inner.submit(leg, order, settle);
    }

    fn health(&self) -> Health {
        let inner = self.inner.health();
        let state = self.shared.state();
        let up = state.inner_up && inner.reach == Reach::Up && state.gate.reach() == Reach::Up;
        Health {
            reach: if up { Reach::Up } else { Reach::Down },
            last_error: inner.last_error.or_else(|| state.last_error.clone()),
            unasked: inner.unasked,
            mac_refused: inner.mac_refused,
            unreadable: inner.unreadable,
            mac_key: inner.mac_key,
            ..state.gate.health()
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the switch whether what is owed may go out, if that has changed: after the pause of an open breaker it may,
    /// for somebody has to find out.
    fn tell(&self) {
        let now = self.clock.now().ticks;
        let mut state = self.state();
        let open = state.inner_up && state.gate.is_open_to(now);
        if open != state.told
            && let Some((signal, _)) = state.voice.clone()
        {
            state.told = open;
            // Within the lock: of two words the later one must be the last.
            signal(open);
        }
    }

    fn settle(self: &Arc<Self>, pass: Pass, verdict: Verdict) {
        let Now { ticks, wall } = self.clock.now();
        let (changed, pause) = {
            let mut state = self.state();
            if let Verdict::Failed(what) = verdict {
                state.last_error = Some(LastError { what: what.to_owned(), at: wall });
            }
            let changed = state.gate.settle(ticks, pass, verdict);
            let runtime = state.voice.as_ref().map(|(_, runtime)| runtime.clone());
            (changed, state.gate.retry_at().zip(runtime))
        };
        let biller = self.biller;
        match changed {
            Some(Reach::Down) => {
                tracing::warn!(%biller, "too many orders failed: the breaker is open, and payments are refused unsent");
            }
            Some(Reach::Up) => {
                tracing::info!(%biller, "the department answers again: the breaker is closed");
            }
            None => {}
        }
        self.tell();
        if let Some((at, runtime)) = pause {
            let shared = Arc::downgrade(self);
            let pause = Duration::from_millis(ticks.until_ms(at));
            runtime.spawn(async move {
                tokio::time::sleep(pause).await;
                if let Some(shared) = shared.upgrade() {
                    shared.tell();
                }
            });
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
        Order::Post { again: true, .. } | Order::Reverse { .. } => Urgency::Owed,
    }
}

/// The bill that an order is about.
fn subject(order: &Order) -> u64 {
    let consumer = match order {
        Order::LookUp(bill) => &bill.consumer,
        Order::Post { payment, .. } | Order::Reverse { payment, .. } => &payment.consumer,
    };
    let mut hasher = DefaultHasher::new();
    consumer.hash(&mut hasher);
    hasher.finish()
}

const fn verdict(outcome: &Outcome) -> Verdict {
    match outcome {
        Outcome::NotSent => Verdict::Failed("not sent"),
        Outcome::Unknown => Verdict::Failed("no answer that could be understood"),
        Outcome::Silent => Verdict::Failed("no answer so far"),
        // Refused, whatever for: it is at work.
        Outcome::Found(_)
        | Outcome::Posted(_)
        | Outcome::Reversed
        | Outcome::Declined(_)
        | Outcome::Duplicate => Verdict::Answered,
    }
}

#[cfg(test)]
mod tests;
