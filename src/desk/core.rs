//! The switch at its desk: steps it through events, lets the bill books answer within the turn, and gathers what the turn
//! journals and what may leave with it. No task, no channel, no clock: whoever runs it says what happens and when.

use std::collections::HashMap;

use super::{Desk, Standing};
use crate::biller::book::{self, Receipts};
use crate::clock::{Now, UnixMillis};
use crate::ids::{BillerCode, LinkName};
use crate::journal::totals::open_closings;
use crate::journal::{JournalError, Store, Turn, Unloading, ledger};
use crate::switch::{
    Action, Alarm, Answer, Ask, AskId, Event, LegId, NewKeys, Operation, Order, Outcome, Output, Payment,
    Prior, Reason, Record, Request, Resolution, SendTotals, State, Switch, What,
};

/// What may leave once its turn is durable. `W` is whoever waits for an answer.
#[derive(Debug)]
pub struct Leaving<W> {
    /// Answers to those who asked.
    pub answers: Vec<(W, Answer)>,
    /// Orders to billers that are not of the book.
    pub orders: Vec<(LegId, BillerCode, Order)>,
    /// Keys of links, in use before any of the answers.
    pub keys: Vec<(LinkName, NewKeys)>,
    /// Our totals, for links.
    pub totals: Vec<SendTotals>,
    /// What a person should know of.
    pub alarms: Vec<Alarm>,
}

impl<W> Default for Leaving<W> {
    fn default() -> Self {
        Self {
            answers: Vec::new(),
            orders: Vec::new(),
            keys: Vec::new(),
            totals: Vec::new(),
            alarms: Vec::new(),
        }
    }
}

impl<W> Leaving<W> {
    /// Whether nothing is to leave.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        let (answers, orders) = (self.answers.is_empty(), self.orders.is_empty());
        answers && orders && self.keys.is_empty() && self.totals.is_empty() && self.alarms.is_empty()
    }
}

/// Told of every record as it is made.
pub type Watch = Box<dyn FnMut(&Record) + Send>;

/// The switch with its desk.
pub struct Core<W> {
    /// What decides.
    pub switch: Switch,
    /// What it has decided, and what of that the store does not show yet.
    pub desk: Desk,
    waiting: HashMap<AskId, W>,
    receipts: Receipts,
    connections: HashMap<LinkName, u32>,
    asks: u64,
    leaving: Leaving<W>,
    watch: Watch,
}

impl<W> Core<W> {
    /// A switch at the desk of this store.
    #[must_use]
    pub fn new(store: Store, switch: Switch, standing: &Standing, watch: Watch) -> Self {
        Self {
            switch,
            desk: Desk::new(store),
            waiting: HashMap::new(),
            receipts: standing.receipts,
            connections: HashMap::new(),
            asks: 0,
            leaving: Leaving::default(),
            watch,
        }
    }

    /// Takes up what was open when the process ended, as its first turn.
    ///
    /// # Errors
    ///
    /// [`JournalError`] if the store cannot be read, or a record cannot be written down.
    pub fn recover(&mut self, now: Now, store: &Store) -> Result<(), JournalError> {
        let (key, value) = Standing::date_entry(self.switch.date());
        self.desk.put(key, value);
        for (due, payment) in ledger::open_payments(store)? {
            tracing::warn!(payment = %payment.key, biller = %payment.biller, state = payment.state.name(),
                "found open: taken up as if its deadline had passed");
            self.step(now, Event::Recovered { payment: Box::new(payment), due })?;
        }
        for (link, closing) in open_closings(store)? {
            self.step(now, Event::TotalsOwed(link, Box::new(closing)))?;
        }
        Ok(())
    }

    /// Takes a request in; its answer goes to `waiting`.
    ///
    /// # Errors
    ///
    /// As [`Core::step`].
    pub fn asked(&mut self, now: Now, mut ask: Ask, waiting: W) -> Result<(), JournalError> {
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
            Request::Totals(request) => self.desk.look_up_totals(ask.link, self.switch.date(), request),
            Request::SignOn
            | Request::SignOff
            | Request::Echo
            | Request::CutOver { .. }
            | Request::ChangeKey(_)
            | Request::Inquiry(_)
            | Request::Refused { .. } => Ok(()),
        };
        if let Err(error) = prior {
            tracing::error!(%error, "the store cannot be read: a request is refused");
            ask.request = Request::Refused { reason: Reason::Internal, bad_field: None, network: false };
        }
        self.step(now, Event::Asked(Box::new(ask)))
    }

    /// A connection of a link began.
    ///
    /// # Errors
    ///
    /// As [`Core::step`].
    pub fn connected(&mut self, now: Now, link: LinkName) -> Result<(), JournalError> {
        let connections = self.connections.entry(link).or_default();
        *connections = connections.saturating_add(1);
        if *connections == 1 { self.step(now, Event::LinkUp(link)) } else { Ok(()) }
    }

    /// A connection of a link ended.
    ///
    /// # Errors
    ///
    /// As [`Core::step`].
    pub fn disconnected(&mut self, now: Now, link: LinkName) -> Result<(), JournalError> {
        let connections = self.connections.entry(link).or_default();
        *connections = connections.saturating_sub(1);
        if *connections == 0 { self.step(now, Event::LinkDown(link)) } else { Ok(()) }
    }

    /// Does what an operator has found out about a payment; says why not, if it is not with people, or not any more as they have
    /// `seen` it. A leg that changed nothing of it, as one that carries it over, is no other payment.
    ///
    /// # Errors
    ///
    /// As [`Core::step`].
    pub fn resolve(
        &mut self,
        now: Now,
        seen: &Payment,
        resolution: Resolution,
        why: Box<str>,
    ) -> Result<Result<Payment, String>, JournalError> {
        let key = &seen.key;
        let known = match self.desk.prior(key, false) {
            Ok(known) => known,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let Prior::Known(payment) = known else { return Ok(Err("there is no such payment".to_owned())) };
        if payment.state != State::Exception {
            let state = payment.state.name();
            return Ok(Err(format!("the payment is {state}: only an exception is resolved")));
        }
        // What was found out may be true of what it was then only: its acquirer may have been told since that it is undone.
        if *payment != *seen {
            return Ok(Err("the payment has changed since".to_owned()));
        }
        if self.switch.is_embedded(&payment.biller)
            && let Err(why) = self.book_allows(&payment, resolution)
        {
            return Ok(Err(why));
        }
        self.step(now, Event::Operator(Operation::Resolve { payment, resolution, why }))?;
        Ok(match self.desk.prior(key, false) {
            Ok(Prior::Known(payment)) => Ok(*payment),
            Ok(Prior::Unknown | Prior::SomebodyElses) => Err("the payment is gone".to_owned()),
            Err(error) => Err(error.to_string()),
        })
    }

    /// What people say of a payment must be what our own book says of its bill.
    fn book_allows(&self, payment: &Payment, resolution: Resolution) -> Result<(), String> {
        let found = book::find(&self.desk, payment.biller, &payment.consumer);
        let found = found.map_err(|error| error.to_string())?;
        let paid = found.and_then(|bill| bill.paid_by).is_some_and(|(payer, _)| payer == payment.key);
        match (resolution, paid) {
            (Resolution::Undone, true) => {
                Err("its bill stands in our own book as paid by it: resolve it with `again`, which gives it back")
            }
            (Resolution::Stands, false) => {
                Err("its bill does not stand in our own book as paid by it: `again` posts it if the bill can be paid by now \
                     (`billswitch book correct`, `reissue`), `undone` says that the citizen has the money back")
            }
            (Resolution::Undone | Resolution::Stands | Resolution::Again, _) => Ok(()),
        }
        .map_err(str::to_owned)
    }

    /// Has the working store let go of what is sealed, and gives each payment whose latest leg is sealed a new one, if
    /// something is still owed on it. The inner error is why one of them cannot be read: nothing has been done then, and it
    /// may be tried again.
    ///
    /// # Errors
    ///
    /// As [`Core::step`].
    pub fn unload(
        &mut self,
        now: Now,
        unloading: Unloading,
    ) -> Result<Result<(), JournalError>, JournalError> {
        let Unloading { writes, carry_over } = unloading;
        let priors = carry_over.iter().map(|key| self.desk.prior(key, false)).collect::<Result<Vec<_>, _>>();
        let priors = match priors {
            Ok(priors) => priors,
            Err(error) => return Ok(Err(error)),
        };
        for prior in priors {
            match prior {
                Prior::Known(payment) if payment.state.is_owed() => {
                    self.step(now, Event::CarriedOver(payment))?;
                }
                Prior::Known(_) | Prior::Unknown | Prior::SomebodyElses => {}
            }
        }
        self.desk.unload(writes);
        Ok(Ok(()))
    }

    /// Steps the switch, and lets the bill books answer within the turn.
    ///
    /// # Errors
    ///
    /// [`JournalError`] if a record cannot be written down: nothing of the turn may leave then, nor anything after it.
    pub fn step(&mut self, now: Now, event: Event) -> Result<(), JournalError> {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let mut output = Output::default();
            self.switch.step(now, event, &mut output);
            for record in &output.records {
                self.record(record)?;
            }
            for action in output.actions {
                match action {
                    Action::Answer { ask, answer } => self.answer(ask, answer),
                    Action::Order { leg, biller, order } if self.switch.is_embedded(&biller) => {
                        let outcome = self.carry_out(now.wall, order);
                        events.push(Event::BillerReplied { leg, outcome });
                    }
                    Action::Order { leg, biller, order } => self.leaving.orders.push((leg, biller, order)),
                    Action::UseKeys { link, keys } => {
                        let (key, value) = Standing::keys_entry(&link, &keys.sealed);
                        self.desk.put(key, value);
                        self.leaving.keys.push((link, keys));
                    }
                    Action::AddUp { link, date } => {
                        let ours = self.desk.totals(link, date)?;
                        events.push(Event::AddedUp { link, date, ours });
                    }
                    Action::SendTotals(totals) => self.leaving.totals.push(totals),
                    Action::Alarm(alarm) => self.leaving.alarms.push(alarm),
                }
            }
        }
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<(), JournalError> {
        (self.watch)(record);
        let standing = if record.what == What::CutOver {
            let (key, value) = Standing::cut_over_entry(record.at);
            self.desk.put(key, value);
            Some(Standing::date_entry(record.date))
        } else if let What::Blocked(biller, blocked) = &record.what {
            Some(Standing::blocked_entry(*biller, *blocked))
        } else {
            None
        };
        if let Some((key, value)) = standing {
            self.desk.put(key, value);
        }
        self.desk.record(record)
    }

    /// An order to a bill book: part of the turn.
    fn carry_out(&mut self, at: UnixMillis, order: Order) -> Outcome {
        match order {
            Order::LookUp(bill) => book::look_up(&self.desk, &bill),
            Order::Reverse { payment, again: _ } => book::reverse(&mut self.desk, &payment, at),
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
            self.leaving.answers.push((waiting, answer));
        }
    }

    /// The turn as gathered, with what may leave once it is committed; the next begins. `committed` turns are known to be
    /// in the store.
    pub fn take_turn(&mut self, committed: u64) -> (Option<Turn>, Leaving<W>) {
        self.desk.forget(committed);
        (self.desk.take_turn(), std::mem::take(&mut self.leaving))
    }

    /// Requests that have not been answered.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

impl<W> std::fmt::Debug for Core<W> {
    /// Counts alone: those who wait may hold card data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("switch", &self.switch).field("waiting", &self.waiting.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{KeyParts, PaymentKey};
    use crate::journal::{MemoryDisk, Write, open_memory};

    #[test]
    fn a_payment_that_cannot_be_read_keeps_its_unloading_whole_out_of_the_turn() {
        let (store, mut writer) = open_memory(&MemoryDisk::new()).unwrap();
        let key = PaymentKey::new(&KeyParts { stan: b"000001", link: b"atmnet", ..KeyParts::default() });
        // Its latest leg is said to be one that there is not.
        let entry = [b"T", key.as_bytes()].concat();
        let value = [&[0][..], &99_u64.to_be_bytes()].concat();
        let put = Write::Put { key: entry.clone(), value };
        writer.commit(&[Turn { first_sequence: 1, writes: vec![put], ..Turn::default() }]).unwrap();
        let date = "2026-11-20".parse().unwrap();
        let switch = Switch::new([], [], [], date);
        let standing = Standing::load(&store, || date).unwrap();
        let mut core: Core<()> = Core::new(store, switch, &standing, Box::new(|_| ()));
        let now = crate::clock::SystemClock::start().now();
        let unloading = || Unloading {
            writes: vec![Write::Delete { key: entry.clone() }],
            carry_over: vec![key.clone()],
        };
        assert!(core.unload(now, unloading()).unwrap().is_err());
        assert!(core.take_turn(0).0.is_none(), "nothing was let go of");
        let nothing = Unloading { carry_over: Vec::new(), ..unloading() };
        core.unload(now, nothing).unwrap().unwrap();
        assert!(core.take_turn(0).0.is_some());
    }
}
