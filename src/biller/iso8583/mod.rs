//! Departments with an ISO 8583 host: a dialled, signed-on link with a dialect and a profile of its own, the other way
//! round than an acquirer's.
//!
//! A [`Host`] keeps some connections to one host; several departments may be reached by it, each an [`Iso8583`].

mod awaited;
mod host;
mod keys;
mod kind;
mod line;
mod paid;
mod talk;

use std::sync::Arc;

use super::{Adapter, Health, LastError, Reach, Reply, Signal};
use crate::clock::Ticks;
use crate::profile::{AnswerKey, Asked, Identity, Marks};
use crate::switch::{LegId, Order, Outcome};

pub use host::{Host, HostHealth, HostSettings, Unasked};
pub use keys::{HostKeys, KeyAnswer, OneKey};
pub use kind::{BehindHost, HostConfig, IsoConfig};

/// A department behind a host.
pub struct Iso8583 {
    host: Arc<Host>,
    department: Arc<Department>,
}

/// What a host has to be told of a department.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Department {
    /// What the host calls it.
    pub product: String,
    /// DE 49 of what it takes.
    pub currency: String,
    /// An order's place is given back after this; its answer is still listened for, but it is a late one.
    pub reply_timeout_ms: u64,
}

impl Iso8583 {
    /// A department that this host serves.
    #[must_use]
    pub fn new(host: Arc<Host>, department: Department) -> Self {
        Self { host, department: Arc::new(department) }
    }
}

impl Adapter for Iso8583 {
    fn start(&self, reachable: Signal) {
        self.host.on_reach(reachable);
    }

    fn submit(&self, leg: LegId, order: Order, reply: Reply) {
        self.host.submit(Sending::new(leg, order, reply, Arc::clone(&self.department), self.host.ticks()));
    }

    fn health(&self) -> Health {
        let host = self.host.health();
        Health {
            reach: if host.signed_on > 0 { Reach::Up } else { Reach::Down },
            last_error: host.last_error.map(|(what, at)| LastError { what, at }),
            unasked: host.unasked,
            mac_refused: host.mac_refused,
            unreadable: host.unreadable,
            mac_key: host.mac_key,
            ..Health::default()
        }
    }
}

/// An order on its way to a connection. One that is let go before a byte of it has left was certainly not sent, and says
/// so.
struct Sending {
    leg: LegId,
    order: Order,
    reply: Option<Reply>,
    department: Arc<Department>,
    /// When it was given.
    at: Ticks,
    /// If it is the look-up of who has paid: that of a payment whose repeat was refused.
    who_paid: Option<Asked>,
}

impl Sending {
    const fn new(leg: LegId, order: Order, reply: Reply, department: Arc<Department>, at: Ticks) -> Self {
        Self { leg, order, reply: Some(reply), department, at, who_paid: None }
    }

    /// From here on a byte of it may have left: whoever has it answers for it.
    fn leaves(mut self, identity: Identity, told: Marks, connection: u64) -> Option<Awaited> {
        let reply = self.reply.take()?;
        let repeated = paid::Repeated::of(&self.order, told, &self.department);
        Some(Awaited {
            leg: self.leg,
            reply: Some(reply),
            identity,
            asked: self.who_paid.take().unwrap_or_else(|| Asked::of(&self.order)),
            subject: subject(&self.order),
            connection,
            until: self.at.after_ms(self.department.reply_timeout_ms),
            repeated,
        })
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if let Some(reply) = self.reply.take() {
            // The payment that a look-up is about was sent.
            let outcome = if self.who_paid.is_some() { Outcome::Unknown } else { Outcome::NotSent };
            reply(self.leg, outcome);
        }
    }
}

/// An order that has left and has not been answered.
struct Awaited {
    leg: LegId,
    /// None once it has been told that there was no answer in time, or none to come.
    reply: Option<Reply>,
    identity: Identity,
    asked: Asked,
    /// The payment it is about; an order about another one is never taken for it.
    subject: u64,
    /// The connection it left by.
    connection: u64,
    /// When its place is given back.
    until: Ticks,
    /// What to look the bill up for, should the host say that it is paid.
    repeated: Option<Box<paid::Repeated>>,
}

impl Awaited {
    /// It will not leave after all.
    fn not_sent(mut self) {
        if let Some(reply) = self.reply.take() {
            reply(self.leg, self.unsent());
        }
    }

    /// What is said if it has not left: the payment that a look-up is about was sent.
    const fn unsent(&self) -> Outcome {
        if matches!(self.asked, Asked::WhoPaid { .. }) { Outcome::Unknown } else { Outcome::NotSent }
    }

    const fn key(&self) -> AnswerKey {
        self.identity.key
    }
}

/// The number of the payment that an order is about; 0 of an order about none.
const fn subject(order: &Order) -> u64 {
    match order {
        Order::LookUp(_) => 0,
        Order::Post { payment, .. } | Order::Reverse { payment, .. } => payment.trace,
    }
}

#[cfg(test)]
mod tests;
