//! The engine: takes a turn of whatever is ready, steps the switch through it, and hands the turn to the valve. While
//! one turn is being synced the next is being stepped.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::ask::{Input, Waiting};
use super::desk::Desk;
use super::inspect;
use super::release::Release;
use super::standing::Standing;
use super::{Shared, StartError};
use crate::biller::book::{self, Receipts};
use crate::clock::{Now, SystemClock, UnixMillis};
use crate::ids::{BillerCode, LinkName, PaymentKey};
use crate::journal::{JournalError, Valve, ledger};
use crate::switch::{
    Action, Answer, Ask, AskId, Event, Operation, Order, Outcome, Output, Payment, Prior, Reason, Record,
    Request, Resolution, State, Switch, What,
};
use crate::telemetry::Counters;

/// Most events of one turn.
const TURN_EVENTS_MAX: usize = 256;
/// Longest sleep; a day.
const SLEEP_MS_MAX: u64 = 86_400_000;

pub(super) struct Engine {
    pub(super) shared: Arc<Shared>,
    pub(super) switch: Switch,
    pub(super) desk: Desk,
    pub(super) waiting: HashMap<AskId, Waiting>,
    receipts: Receipts,
    clock: SystemClock,
    valve: Valve<Release>,
    release: Release,
    connections: HashMap<LinkName, u32>,
    asks: u64,
    when_settled: Vec<oneshot::Sender<()>>,
    /// It was told to end.
    stop: bool,
    /// The valve takes no more turns: nothing may leave any more.
    failed: bool,
}

/// Where the engine hears from: who waits for the switch, and those the switch or the operator waits for.
pub(super) struct Inputs {
    pub(super) requests: mpsc::Receiver<Input>,
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
            tracing::error!("the engine ended: nothing leaves any more, the process ends");
            std::process::exit(super::exit::JOURNAL_FAILED);
        }
    }
}

/// Runs the engine on a thread of its own, which gives the valve back when it ends.
pub(super) fn run(mut engine: Engine, inputs: Inputs) -> Result<JoinHandle<Valve<Release>>, StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(StartError::Engine)?;
    engine.recover()?;
    let thread = std::thread::Builder::new().name("engine".to_owned());
    let body = move || {
        let mut sentinel = Sentinel { told: false };
        runtime.block_on(engine.serve(inputs));
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
        clock: SystemClock,
        valve: Valve<Release>,
    ) -> Self {
        let desk = Desk::new(shared.store.clone());
        Self {
            shared,
            switch,
            desk,
            waiting: HashMap::new(),
            receipts: standing.receipts,
            clock,
            valve,
            release: Release::default(),
            connections: HashMap::new(),
            asks: 0,
            when_settled: Vec::new(),
            stop: false,
            failed: false,
        }
    }

    /// Takes up what was open when the process ended, as the first turn.
    fn recover(&mut self) -> Result<(), JournalError> {
        let (key, value) = Standing::date_entry(self.switch.date());
        self.desk.put(key, value);
        let now = self.clock.now();
        for (due, payment) in ledger::open_payments(&self.shared.store)? {
            tracing::warn!(payment = %payment.key, biller = %payment.biller, state = payment.state.name(),
                "found open: taken up as if its deadline had passed");
            self.step(now, Event::Recovered { payment: Box::new(payment), due });
        }
        Ok(())
    }

    async fn serve(&mut self, mut inputs: Inputs) {
        let mut ready = Vec::with_capacity(TURN_EVENTS_MAX);
        loop {
            let queue_empty = inputs.requests.is_empty();
            self.end_turn(queue_empty).await;
            if self.stop || self.failed {
                return;
            }
            let deadline = self.switch.next_deadline();
            let pause = deadline.map_or(u64::MAX, |at| self.clock.now().ticks.until_ms(at));
            let asleep = tokio::time::sleep(std::time::Duration::from_millis(pause.min(SLEEP_MS_MAX)));
            tokio::select! {
                biased;
                Some(input) = inputs.urgent.recv() => ready.push(input),
                Some(input) = inputs.requests.recv() => ready.push(input),
                () = asleep => {}
            }
            while ready.len() < TURN_EVENTS_MAX {
                let next = inputs.urgent.try_recv().or_else(|_| inputs.requests.try_recv());
                let Ok(input) = next else { break };
                ready.push(input);
            }
            let now = self.clock.now();
            for input in ready.drain(..) {
                self.take(now, input);
            }
            // After what is ready: an answer that came in time is not late because the switch was busy.
            if deadline.is_some_and(|at| at <= now.ticks) {
                self.step(now, Event::DeadlinePassed);
            }
        }
    }

    fn take(&mut self, now: Now, input: Input) {
        match input {
            Input::Asked(ask, waiting) => self.asked(now, *ask, waiting),
            Input::Connected(link) => {
                let connections = self.connections.entry(link).or_default();
                *connections = connections.saturating_add(1);
                if *connections == 1 {
                    self.step(now, Event::LinkUp(link));
                }
            }
            Input::Disconnected(link) => {
                let connections = self.connections.entry(link).or_default();
                *connections = connections.saturating_sub(1);
                if *connections == 0 {
                    self.step(now, Event::LinkDown(link));
                }
            }
            Input::Replied(leg, outcome) => self.step(now, Event::BillerReplied { leg, outcome }),
            Input::Operate(operation, done) => {
                self.operate(now, operation);
                if let Some(done) = done {
                    self.release.tell.push(Box::new(move || {
                        let _ = done.send(());
                    }));
                }
            }
            Input::Resolve(key, resolution, why, done) => {
                let resolved = self.resolve(now, &key, resolution, why);
                self.release.tell.push(Box::new(move || drop(done.send(resolved))));
            }
            Input::Import(biller, rows, done) => {
                let imported =
                    super::import_rows(&mut self.desk, biller, rows).map_err(|error| error.to_string());
                self.release.tell.push(Box::new(move || drop(done.send(imported))));
            }
            Input::Inspect(done) => drop(done.send(inspect::inspect(self))),
            Input::WhenSettled(done) => self.when_settled.push(done),
            Input::Stop => self.stop = true,
        }
    }

    fn operate(&mut self, now: Now, operation: Operation) {
        self.step(now, Event::Operator(operation));
    }

    /// Does what an operator has found out about a payment; says why not, if it is not with people.
    fn resolve(
        &mut self,
        now: Now,
        key: &PaymentKey,
        resolution: Resolution,
        why: Box<str>,
    ) -> Result<Payment, String> {
        let known = self.desk.prior(key, false).map_err(|error| error.to_string())?;
        let Prior::Known(payment) = known else { return Err("there is no such payment".to_owned()) };
        if payment.state != State::Exception {
            return Err(format!("the payment is {}: only an exception is resolved", payment.state.name()));
        }
        if resolution == Resolution::Undone && self.switch.is_embedded(&payment.biller) {
            return Err(
                "its bill stands in our own book as paid: resolve it with `again`, which gives it back"
                    .to_owned(),
            );
        }
        self.operate(now, Operation::Resolve { payment, resolution, why });
        match self.desk.prior(key, false) {
            Ok(Prior::Known(payment)) => Ok(*payment),
            Ok(Prior::Unknown | Prior::SomebodyElses) => Err("the payment is gone".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn asked(&mut self, now: Now, mut ask: Ask, waiting: Waiting) {
        self.asks = self.asks.saturating_add(1);
        ask.id = AskId(self.asks);
        self.waiting.insert(ask.id, waiting);
        let prior = match &mut ask.request {
            Request::Payment(request) | Request::Advice(request) => {
                self.desk.prior(&request.key, false).map(|prior| request.prior = prior)
            }
            Request::Reversal(request) => {
                self.desk.prior(&request.original, true).map(|prior| request.prior = prior)
            }
            Request::SignOn
            | Request::SignOff
            | Request::Echo
            | Request::CutOver { .. }
            | Request::Inquiry(_)
            | Request::Refused { .. } => Ok(()),
        };
        if let Err(error) = prior {
            tracing::error!(%error, "the store cannot be read: a request is refused");
            ask.request = Request::Refused { reason: Reason::Internal, bad_field: None, network: false };
        }
        self.step(now, Event::Asked(Box::new(ask)));
    }

    /// Steps the switch, and lets the bill books answer within the turn.
    fn step(&mut self, now: Now, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let mut output = Output::default();
            self.switch.step(now, event, &mut output);
            for record in &output.records {
                self.record(record);
            }
            for action in output.actions {
                match action {
                    Action::Answer { ask, answer } => self.answer(ask, answer),
                    Action::Order { leg, biller, order } if self.switch.is_embedded(&biller) => {
                        let outcome = self.carry_out(now.wall, order);
                        events.push(Event::BillerReplied { leg, outcome });
                    }
                    Action::Order { leg, biller, order } => self.release.orders.push((leg, biller, order)),
                    Action::Alarm(alarm) => self.release.alarms.push(alarm),
                }
            }
        }
    }

    /// An order to a bill book: part of the turn.
    fn carry_out(&mut self, at: UnixMillis, order: Order) -> Outcome {
        match order {
            Order::LookUp(bill) => book::look_up(&self.desk, &bill),
            Order::Reverse(payment) => book::reverse(&mut self.desk, &payment),
            Order::Post { payment, again: _ } => {
                let before = self.receipts;
                let outcome = book::post(&mut self.desk, &payment, at, &mut self.receipts);
                if self.receipts != before {
                    let (key, value) = Standing::receipts_entry(self.receipts);
                    self.desk.put(key, value);
                }
                outcome
            }
        }
    }

    fn answer(&mut self, ask: AskId, answer: Answer) {
        if let Some(waiting) = self.waiting.remove(&ask) {
            self.release.answers.push((waiting, answer));
        }
    }

    fn record(&mut self, record: &Record) {
        if let Some(payment) = &record.payment {
            self.count(payment.state, &payment.biller, record);
        }
        let standing = if record.what == What::CutOver {
            Some(Standing::date_entry(record.date))
        } else if let What::Blocked(biller, blocked) = &record.what {
            Some(Standing::blocked_entry(*biller, *blocked))
        } else {
            None
        };
        if let Some((key, value)) = standing {
            self.desk.put(key, value);
        }
        if let Err(error) = self.desk.record(record) {
            // A record that cannot be written down must not be followed by what it allows: nothing of this turn leaves.
            tracing::error!(%error, "a leg cannot be journalled: the process ends");
            std::process::exit(super::exit::JOURNAL_FAILED);
        }
    }

    fn count(&self, state: State, biller: &BillerCode, record: &Record) {
        let Some(counters) = self.shared.counters.biller(biller) else { return };
        match (&record.what, state) {
            (What::Answered { .. }, State::Posted) => Counters::count(&counters.posted),
            (What::Answered { .. }, State::Declined) => Counters::count(&counters.declined),
            (What::Answered { .. }, State::Reversed) => Counters::count(&counters.reversed),
            (What::Answered { reason: Reason::InDoubt }, _) => Counters::count(&counters.in_doubt),
            _ => {}
        }
    }

    /// Hands the turn over. Waits while the valve is two turns behind: that is what bounds everything upstream.
    async fn end_turn(&mut self, queue_empty: bool) {
        self.desk.forget(self.valve.committed());
        let turn = self.desk.take_turn();
        let release = std::mem::take(&mut self.release);
        if turn.is_some() || !release.is_empty() {
            let turn = turn.unwrap_or_else(|| self.desk.empty_turn());
            if self.valve.submit(turn, release).await.is_err() {
                // The journal has failed; nothing of this turn may leave.
                self.failed = true;
            }
        }
        // What has been read and not been stepped is in flight too.
        if queue_empty && self.waiting.is_empty() && self.switch.open_count() == 0 {
            for done in self.when_settled.drain(..) {
                let _ = done.send(());
            }
        }
    }
}
