//! The engine: takes a turn of whatever is ready, steps the switch through it, and hands the turn to the valve. While
//! one turn is being synced the next is being stepped.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot, watch};

use super::ask::{Input, Waiting};
use super::exit::journal_failed;
use super::hold::Checked;
use super::inspect;
use super::lanes::Incoming;
use super::release::{Release, Tell};
use super::{Shared, Signals, StartError};
use crate::clock::Now;
use crate::desk::{self, Core, Standing};
use crate::journal::{JournalError, Valve};
use crate::switch::{Event, Reason, Record, State, Switch, What};
use crate::telemetry::Counters;

/// Most events of one turn.
const TURN_EVENTS_MAX: usize = 256;
/// Longest sleep; a day.
const SLEEP_MS_MAX: u64 = 86_400_000;

pub(super) struct Engine {
    pub(super) shared: Arc<Shared>,
    pub(super) core: Core<Waiting>,
    /// What the switch knows of the world outside.
    known: Signals,
    valve: Valve<Release>,
    /// What waits for the store's keys to be checked.
    pub(super) held: VecDeque<Input>,
    /// Who is to be told that the turn is durable.
    tell: Vec<Tell>,
    when_settled: Vec<oneshot::Sender<()>>,
    /// It was told to end.
    stop: bool,
    /// The valve takes no more turns: nothing may leave any more.
    failed: bool,
}

/// Where the engine hears from: who waits for the switch, and those the switch or the operator waits for.
pub(super) struct Inputs {
    pub(super) requests: Incoming<Input>,
    /// Taken first, so that no flood of requests keeps a biller's answer from being in time.
    pub(super) urgent: mpsc::Receiver<Input>,
}

/// Ends the process if the engine's thread ends without having been told to: a switch without its engine would take
/// connections and answer nothing.
struct Sentinel {
    told: bool,
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        if !self.told {
            journal_failed(|| tracing::error!("the engine ended: nothing leaves any more, the process ends"));
        }
    }
}

/// Runs the engine on a thread of its own, which gives the valve back when it ends. If the store's keys are still being
/// checked it waits for that first.
pub(super) fn run(
    mut engine: Engine,
    mut inputs: Inputs,
    checked: Option<Checked>,
) -> Result<JoinHandle<Valve<Release>>, StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(StartError::Engine)?;
    if checked.is_none() {
        engine.recover()?;
    }
    let thread = std::thread::Builder::new().name("engine".to_owned());
    let body = move || {
        let mut sentinel = Sentinel { told: false };
        runtime.block_on(async {
            if let Some(checked) = checked {
                engine.hold(&mut inputs, checked).await;
            }
            engine.serve(inputs).await;
        });
        sentinel.told = !engine.failed;
        engine.valve
    };
    thread.spawn(body).map_err(StartError::Engine)
}

impl Engine {
    pub(super) fn new(
        shared: Arc<Shared>,
        switch: Switch,
        standing: Standing,
        valve: Valve<Release>,
    ) -> Self {
        let counting = Arc::clone(&shared);
        let watch = Box::new(move |record: &Record| count(&counting.counters, record));
        let core = Core::new(shared.store.clone(), switch, &standing, watch);
        Self {
            shared,
            core,
            known: Signals::default(),
            valve,
            held: VecDeque::new(),
            tell: Vec::new(),
            when_settled: Vec::new(),
            stop: false,
            failed: false,
        }
    }

    /// Takes up what was open when the process ended, as the first turn.
    fn recover(&mut self) -> Result<(), JournalError> {
        self.core.recover(self.shared.clock.now(), &self.shared.store)
    }

    /// The same once it runs: what cannot be taken up ends the process.
    pub(super) fn recover_or_end(&mut self) {
        written(self.recover());
    }

    /// Whether it was told to end, or has to.
    pub(super) const fn is_over(&self) -> bool {
        self.stop || self.failed
    }

    async fn serve(&mut self, mut inputs: Inputs) {
        let mut ready = Vec::with_capacity(TURN_EVENTS_MAX);
        let mut signals = self.shared.signals.subscribe();
        signals.mark_changed();
        loop {
            let queue_empty = self.held.is_empty() && inputs.requests.is_empty();
            self.end_turn(queue_empty).await;
            if self.is_over() {
                return;
            }
            let deadline = self.core.switch.next_deadline();
            let pause = deadline.map_or(u64::MAX, |at| self.shared.clock.now().ticks.until_ms(at));
            let asleep = tokio::time::sleep(std::time::Duration::from_millis(pause.min(SLEEP_MS_MAX)));
            tokio::select! {
                biased;
                () = std::future::ready(()), if !self.held.is_empty() => {}
                Some(input) = inputs.urgent.recv() => ready.push(input),
                Ok(()) = signals.changed() => signals.mark_changed(),
                () = inputs.requests.arrived() => {}
                () = asleep => {}
            }
            while ready.len() < TURN_EVENTS_MAX {
                let waited = self.held.pop_front();
                let next =
                    waited.or_else(|| inputs.urgent.try_recv().ok()).or_else(|| inputs.requests.take());
                let Some(input) = next else { break };
                ready.push(input);
            }
            let now = self.shared.clock.now();
            self.look_outside(now, &mut signals);
            for input in ready.drain(..) {
                self.take(now, input);
            }
            // After what is ready: an answer that came in time is not late because the switch was busy.
            if deadline.is_some_and(|at| at <= now.ticks) {
                written(self.core.step(now, Event::DeadlinePassed));
            }
        }
    }

    /// Tells the switch what is new outside.
    fn look_outside(&mut self, now: Now, signals: &mut watch::Receiver<Signals>) {
        if !signals.has_changed().unwrap_or(false) {
            return;
        }
        let latest = signals.borrow_and_update().clone();
        for (biller, word) in &latest.reachable {
            if self.known.reachable.get(biller) != Some(word) {
                let event = if word.0 { Event::BillerUp(*biller) } else { Event::BillerDown(*biller) };
                written(self.core.step(now, event));
            }
        }
        if self.known.room.low != latest.room.low {
            written(self.core.step(now, Event::DiskLow(latest.room.low)));
        }
        self.known = latest;
    }

    pub(super) fn take(&mut self, now: Now, input: Input) {
        match input {
            Input::Asked(mut ask, waiting) => {
                let waited_ms = waiting.read.until_ms(now.ticks);
                ask.stale = waited_ms > self.shared.config.limits.queue_delay_ms;
                written(self.core.asked(now, *ask, waiting));
            }
            Input::Connected(link) => written(self.core.connected(now, link)),
            Input::Disconnected(link) => written(self.core.disconnected(now, link)),
            Input::Unasked(stray) => written(self.core.step(now, Event::Unasked(stray))),
            Input::TotalsAnswered(answer) => written(self.core.step(now, Event::TotalsAnswered(answer))),
            Input::Replied(leg, outcome) => {
                written(self.core.step(now, Event::BillerReplied { leg, outcome }));
            }
            Input::Operate(operation, done) => {
                written(self.core.step(now, Event::Operator(operation)));
                if let Some(done) = done {
                    self.tell_when_durable(done);
                }
            }
            Input::Resolve(seen, resolution, why, done) => {
                let resolved = written(self.core.resolve(now, &seen, resolution, why));
                self.tell.push(Box::new(move || drop(done.send(resolved))));
            }
            Input::Book(work, done) if self.known.room.low && work.is_much() => {
                let why = "the store's file system is almost full, and what is left is for reversals: make room, then import again";
                drop(done.send(Err(why.to_owned())));
            }
            Input::Book(work, done) => {
                let date = self.core.switch.date();
                let worked = desk::work(&mut self.core.desk, now.wall, date, work);
                let worked = worked.map_err(|error| error.to_string());
                self.tell.push(Box::new(move || drop(done.send(worked))));
            }
            Input::Unload(unloading, done) => {
                let unloaded = written(self.core.unload(now, unloading));
                self.tell.push(Box::new(move || drop(done.send(unloaded))));
            }
            Input::Durable(done) => self.tell_when_durable(done),
            Input::Inspect(done) => drop(done.send(inspect::inspect(self))),
            Input::WhenSettled(done) => self.when_settled.push(done),
            Input::Stop => self.stop = true,
        }
    }

    fn tell_when_durable(&mut self, done: oneshot::Sender<()>) {
        self.tell.push(Box::new(move || {
            let _ = done.send(());
        }));
    }

    /// Hands the turn over. Waits while the valve is two turns behind: that is what bounds everything upstream.
    pub(super) async fn end_turn(&mut self, queue_empty: bool) {
        let (turn, leaving) = self.core.take_turn(self.valve.committed());
        let release = Release { leaving, tell: std::mem::take(&mut self.tell) };
        if turn.is_some() || !release.is_empty() {
            let turn = turn.unwrap_or_else(|| self.core.desk.empty_turn());
            if self.valve.submit(turn, release).await.is_err() {
                // The journal has failed; nothing of this turn may leave.
                self.failed = true;
            }
        }
        // What has been read and not been stepped is in flight too.
        if queue_empty && self.core.waiting() == 0 && self.core.switch.open_count() == 0 {
            for done in self.when_settled.drain(..) {
                let _ = done.send(());
            }
        }
    }
}

/// A record that cannot be written down must not be followed by what it allows: nothing of its turn leaves.
fn written<T>(step: Result<T, JournalError>) -> T {
    step.unwrap_or_else(|error| {
        journal_failed(|| tracing::error!(%error, "a leg cannot be journalled: the process ends"))
    })
}

fn count(counters: &Counters, record: &Record) {
    let Some(payment) = &record.payment else { return };
    let Some(counters) = counters.biller(&payment.biller) else { return };
    match (&record.what, payment.state) {
        (What::Answered { .. }, State::Posted) => Counters::count(&counters.posted),
        (What::Answered { .. }, State::Declined) => Counters::count(&counters.declined),
        (What::Answered { .. }, State::Reversed) => Counters::count(&counters.reversed),
        (What::Answered { reason: Reason::InDoubt }, _) => Counters::count(&counters.in_doubt),
        _ => {}
    }
}
