//! A repeat that is refused because the bill is paid: perhaps by us. The bill is looked up for it (`domain.md` 3c).

use std::sync::Arc;

use super::{Awaited, Department, Sending};
use crate::clock::Ticks;
use crate::profile::{Asked, Marks};
use crate::switch::{BillRef, Order, Outcome, Reason};

/// A payment that may have been posted before.
pub(super) struct Repeated {
    bill: BillRef,
    /// What it has told that its bill shows once it is paid.
    told: Marks,
    department: Arc<Department>,
}

impl Repeated {
    /// Nothing of what is no repeat, nor where a bill shows nothing of its payment.
    pub(super) fn of(order: &Order, told: Marks, department: &Arc<Department>) -> Option<Box<Self>> {
        let Order::Post { payment, again: true } = order else { return None };
        let bill = BillRef { biller: payment.biller, consumer: payment.consumer.clone() };
        (!told.is_empty()).then(|| Box::new(Self { bill, told, department: Arc::clone(department) }))
    }
}

impl Awaited {
    /// The look-up that comes before the outcome of a repeat that is refused as paid, and has that outcome to tell; nothing
    /// if there is none to wait for, or nobody waits any more.
    pub(super) fn who_paid(&mut self, outcome: &Outcome, now: Ticks) -> Option<Sending> {
        if !matches!(outcome, Outcome::Declined(Reason::AlreadyPaid)) {
            return None;
        }
        let repeated = self.repeated.take()?;
        let reply = self.reply.take()?;
        let Repeated { bill, told, department } = *repeated;
        let asked = Asked::WhoPaid { post: Box::new(self.asked.clone()), told };
        let mut looking_up = Sending::new(self.leg, Order::LookUp(bill), reply, department, now);
        looking_up.who_paid = Some(asked);
        Some(looking_up)
    }
}
