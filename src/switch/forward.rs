//! Store and forward: an order that is owed to a biller, to undo or to confirm, waits in a queue of that biller's own
//! (`domain.md` 3c). It goes out in the order in which it came to be owed, paced and a few at once, so that live traffic keeps
//! its latency; what fails waits on its own, so that one bad record never blocks those behind it; and what has failed too
//! often or is too old is handed to people, never dropped.

use std::collections::BTreeMap;

use super::pending::{Due, Open};
use super::{Output, Owed, Reason, State, Switch, What};
use crate::clock::{Now, Ticks, UnixMillis};
use crate::ids::{BillerCode, PaymentKey};

/// The longest pause between two orders about one payment: five minutes.
const PAUSE_MAX_MS: u64 = 300_000;
const MICROS: u64 = 1_000_000;

/// What is owed to one biller. Keys alone: the payments are among those open.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Its adapter has said that it cannot be reached: nothing goes out.
    down: bool,
    /// May go out, in the order in which it came to be owed.
    ready: BTreeMap<u64, PaymentKey>,
    /// Failed, and waits until then.
    later: BTreeMap<(Ticks, u64), PaymentKey>,
    /// All of them, by when they are too old.
    ages: BTreeMap<(Ticks, u64), PaymentKey>,
    /// Orders that the biller has not answered.
    at_biller: u32,
    /// The next paced order may go out at this microsecond.
    next_us: u64,
    /// When it wants to be looked at.
    wake: Option<(Ticks, u64)>,
    /// Payments of this biller that are sent and not answered, or owed an order.
    held: usize,
}

/// A payment's place in its biller's queue.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Smaller ones go first. One that has failed gets a new one: while a biller comes and goes, it is not the same payment that
    /// is tried each time.
    number: u64,
    /// Its first number.
    born: u64,
    /// When it came to be owed, or was found so at the start.
    from: Ticks,
    /// How long it had been owed at `from`.
    aged_ms: u64,
    /// When it is too old.
    expires: Ticks,
    /// Orders given since the biller was last known to come up: the next pause depends on it.
    tries: u16,
    /// Until when it waits; none while the order is at the biller.
    waits: Option<Ticks>,
}

impl Place {
    /// What is stored of it.
    pub(super) const fn owed(&self, now: Now) -> Owed {
        Owed { age_ms: self.aged_ms.saturating_add(self.from.until_ms(now.ticks)), at: now.wall }
    }

    /// Whether its order waits to be given.
    pub(super) const fn is_waiting(&self) -> bool {
        self.waits.is_some()
    }
}

/// What operators are told of a biller's queue.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Owing {
    /// Payments that are owed an order.
    pub count: usize,
    /// Orders of these that the biller has and has not answered.
    pub at_biller: u32,
    /// How long the oldest has been owed one; 0 if none is.
    pub oldest_ms: u64,
    /// Its adapter has said that it cannot be reached.
    pub down: bool,
}

impl Queue {
    fn count(&self) -> usize {
        let at_biller = usize::try_from(self.at_biller).unwrap_or(usize::MAX);
        self.ready.len().saturating_add(self.later.len()).saturating_add(at_biller)
    }

    fn remove(&mut self, place: &Place) {
        self.ages.remove(&(place.expires, place.born));
        match place.waits {
            None => self.at_biller = self.at_biller.saturating_sub(1),
            Some(until) => {
                // Where it is by now depends on whether its pause has ended.
                self.later.remove(&(until, place.number));
                self.ready.remove(&place.number);
            }
        }
    }

    /// Those whose pause has ended may go out.
    fn promote(&mut self, now: Ticks) {
        while let Some(first) = self.later.first_entry().filter(|first| first.key().0 <= now) {
            let number = first.key().1;
            let key = first.remove();
            self.ready.insert(number, key);
        }
    }

    /// The next that may go out now, if there is room and it is its time.
    fn next(&mut self, now: Ticks, in_flight_max: u32, per_second: u32) -> Option<PaymentKey> {
        let now_us = now.0.saturating_mul(1000);
        if self.down || self.at_biller >= in_flight_max || self.next_us > now_us.saturating_add(999) {
            return None;
        }
        let (_, key) = self.ready.pop_first()?;
        let apart = MICROS.checked_div(per_second.into()).unwrap_or(MICROS);
        self.next_us = self.next_us.max(now_us).saturating_add(apart);
        Some(key)
    }

    /// When there is something to do, if nothing else happens before.
    fn wants(&self, in_flight_max: u32) -> Option<Ticks> {
        let paced = !self.ready.is_empty() && self.at_biller < in_flight_max;
        let paced = paced.then_some(Ticks(self.next_us / 1000));
        let later = self.later.keys().next().map(|(at, _)| *at);
        let sends = [paced, later].into_iter().flatten().filter(|_| !self.down);
        let ages = self.ages.keys().next().map(|(at, _)| *at);
        sends.chain(ages).min()
    }
}

impl Switch {
    /// A biller's adapter has said that it can be reached again: what is owed goes out, from the oldest on, without further
    /// pauses.
    pub(super) fn biller_up(&mut self, biller: BillerCode) {
        let queue = self.queues.entry(biller).or_default();
        queue.down = false;
        for ((_, number), key) in std::mem::take(&mut queue.later) {
            if let Some(place) = self.open.get_mut(&key).and_then(|open| open.place.as_mut()) {
                place.tries = 0;
            }
            queue.ready.insert(number, key);
        }
        self.look_after(biller);
    }

    /// A biller's adapter has said that it cannot be reached: nothing that is owed goes out until it can.
    pub(super) fn biller_down(&mut self, biller: BillerCode) {
        self.queues.entry(biller).or_default().down = true;
        self.look_after(biller);
    }

    /// What is owed to a biller.
    #[must_use]
    pub fn owing(&self, now: Ticks, biller: &BillerCode) -> Owing {
        let (Some(queue), Some(terms)) = (self.queues.get(biller), self.billers.get(biller)) else {
            return Owing::default();
        };
        let oldest = queue.ages.keys().next().map(|(expires, _)| now.until_ms(*expires));
        Owing {
            count: queue.count(),
            at_biller: queue.at_biller,
            oldest_ms: oldest.map_or(0, |left| terms.forward_age_max_ms.saturating_sub(left)),
            down: queue.down,
        }
    }

    /// Whether so much of a biller is open that nothing new may be begun there.
    pub(super) fn is_full(&self, biller: &BillerCode) -> bool {
        let Some(max) = self.billers.get(biller).map(|terms| terms.in_doubt_max) else { return false };
        let held = self.queues.get(biller).map_or(0, |queue| queue.held);
        held >= usize::try_from(max).unwrap_or(usize::MAX)
    }

    /// A payment counts among those open at its biller.
    pub(super) fn hold(&mut self, open: &mut Open) {
        if !std::mem::replace(&mut open.held, true) {
            let queue = self.queues.entry(open.payment.biller).or_default();
            queue.held = queue.held.saturating_add(1);
        }
    }

    /// A payment comes to be owed an order: to undo it while it is `Reversing`, to post it again while it is `Confirming`.
    /// The decision is written down at once; the order goes out when it is its turn, or at once if an acquirer waits for it.
    pub(super) fn owe(&mut self, now: Now, mut open: Open, what: What, out: &mut Output) {
        let biller = open.payment.biller;
        let Some(terms) = self.billers.get(&biller) else {
            return self.give_up(now, open, Reason::NoBiller, out);
        };
        let (embedded, timeout_ms) = (terms.embedded, terms.reply_timeout_ms);
        self.queue_up(now, &mut open, 0);
        if embedded {
            return self.give(now, open, out);
        }
        let due = open.due.unwrap_or(UnixMillis(now.wall.0.saturating_add(timeout_ms)));
        out.records.push(open.record(now, what, Some(due)));
        let down = self.queues.get(&biller).is_some_and(|queue| queue.down);
        if open.reversal_asks.is_empty() {
            self.put_ready(open);
        } else if down {
            open.excuse_reversal(out);
            self.put_ready(open);
        } else {
            self.give(now, open, out);
        }
    }

    /// What was owed when the process ended is owed still. While it was down only the wall clock ran, which may have been
    /// set meanwhile: that ages a payment to nine tenths of what it may reach at most, so that no jump hands all of them to
    /// people before they have been tried once more.
    pub(super) fn owe_again(&mut self, now: Now, mut open: Open, out: &mut Output) {
        let Some(terms) = self.billers.get(&open.payment.biller) else {
            return self.give_up(now, open, Reason::NoBiller, out);
        };
        let max = terms.forward_age_max_ms;
        let before = open.payment.owed.unwrap_or(Owed { age_ms: 0, at: now.wall });
        let down_ms = now.wall.0.saturating_sub(before.at.0);
        let most = max.saturating_sub(max / 10).max(before.age_ms);
        let aged_ms = before.age_ms.saturating_add(down_ms).min(most);
        self.queue_up(now, &mut open, aged_ms);
        self.put_ready(open);
    }

    /// Gives a payment a new place at the end of its biller's queue.
    fn queue_up(&mut self, now: Now, open: &mut Open, aged_ms: u64) {
        self.leave_queue(open);
        self.hold(open);
        self.owed_so_far = self.owed_so_far.saturating_add(1);
        let max = self.billers.get(&open.payment.biller).map_or(0, |terms| terms.forward_age_max_ms);
        let place = Place {
            number: self.owed_so_far,
            born: self.owed_so_far,
            from: now.ticks,
            aged_ms,
            expires: now.ticks.after_ms(max.saturating_sub(aged_ms)),
            tries: 0,
            waits: Some(now.ticks),
        };
        let queue = self.queues.entry(open.payment.biller).or_default();
        queue.ages.insert((place.expires, place.born), open.payment.key.clone());
        open.place = Some(place);
    }

    fn put_ready(&mut self, open: Open) {
        let (biller, key) = (open.payment.biller, open.payment.key.clone());
        if let (Some(place), Some(queue)) = (&open.place, self.queues.get_mut(&biller)) {
            queue.ready.insert(place.number, key.clone());
        }
        self.open.insert(key, open);
        self.look_after(biller);
    }

    /// The order leaves the queue for the biller.
    fn give(&mut self, now: Now, mut open: Open, out: &mut Output) {
        let Some(terms) = self.billers.get(&open.payment.biller).cloned() else {
            return self.give_up(now, open, Reason::NoBiller, out);
        };
        if let (Some(place), Some(queue)) = (&mut open.place, self.queues.get_mut(&terms.code)) {
            place.waits = None;
            place.tries = place.tries.saturating_add(1);
            queue.at_biller = queue.at_biller.saturating_add(1);
        }
        if open.payment.state == State::Confirming {
            self.send_confirmation(now, open, &terms, out);
        } else {
            self.send_reversal(now, open, &terms, out);
        }
    }

    /// No usable answer to an order: the next one after a pause, or none any more. Whoever waits for it is told that it is
    /// open, for the pause may be longer than their patience.
    pub(super) fn later(&mut self, now: Now, open: Open, out: &mut Output) {
        self.later_than(now, open, None, out);
    }

    /// As [`Switch::later`], but not before a time, if there is one; then for once, however often it was tried.
    pub(super) fn later_than(
        &mut self,
        now: Now,
        mut open: Open,
        not_before: Option<Ticks>,
        out: &mut Output,
    ) {
        let Some(terms) = self.billers.get(&open.payment.biller) else {
            return self.give_up(now, open, Reason::NoBiller, out);
        };
        let (biller, first_ms, attempts_max) = (terms.code, terms.retry_ms, terms.attempts_max);
        let too_often = not_before.is_none() && open.payment.attempts() >= attempts_max;
        let too_old = open.place.as_ref().is_none_or(|place| place.expires <= now.ticks);
        if too_often || too_old {
            return self.give_up(now, open, Reason::BillerUnavailable, out);
        }
        open.excuse_reversal(out);
        let key = open.payment.key.clone();
        if let (Some(place), Some(queue)) = (&mut open.place, self.queues.get_mut(&biller)) {
            let pause = now.ticks.after_ms(pause_ms(first_ms, place.tries, &key));
            let until = not_before.map_or(pause, |not_before| pause.max(not_before));
            self.owed_so_far = self.owed_so_far.saturating_add(1);
            place.number = self.owed_so_far;
            if place.waits.replace(until).is_none() {
                queue.at_biller = queue.at_biller.saturating_sub(1);
            }
            queue.later.insert((until, place.number), key.clone());
        }
        self.open.insert(key, open);
        self.look_after(biller);
    }

    /// Nothing is owed any more.
    pub(super) fn leave_queue(&mut self, open: &mut Open) {
        let Some(place) = open.place.take() else { return };
        if let Some(queue) = self.queues.get_mut(&open.payment.biller) {
            queue.remove(&place);
        }
        self.look_after(open.payment.biller);
    }

    /// Nothing is open any more, nor owed.
    pub(super) fn let_go(&mut self, open: &mut Open) {
        self.leave_queue(open);
        if std::mem::take(&mut open.held)
            && let Some(queue) = self.queues.get_mut(&open.payment.biller)
        {
            queue.held = queue.held.saturating_sub(1);
        }
    }

    /// A biller's queue is looked at before the step ends.
    pub(super) fn look_after(&mut self, biller: BillerCode) {
        if !self.unsettled.contains(&biller) {
            self.unsettled.push(biller);
        }
    }

    /// Lets out what may go out, at the end of every step.
    pub(super) fn forward(&mut self, now: Now, out: &mut Output) {
        while let Some(biller) = self.unsettled.pop() {
            self.forward_to(now, biller, out);
        }
    }

    fn forward_to(&mut self, now: Now, biller: BillerCode, out: &mut Output) {
        let Some(terms) = self.billers.get(&biller) else { return };
        let (in_flight_max, per_second) = (terms.forward_in_flight_max, terms.forward_per_second);
        while let Some(key) = self.too_old(now.ticks, &biller) {
            // One whose order is at the biller is handed over when that has failed.
            if let Some(open) = self.take_open(&key) {
                if open.place.as_ref().is_some_and(Place::is_waiting) {
                    self.give_up(now, open, Reason::BillerUnavailable, out);
                } else {
                    self.open.insert(key, open);
                }
            }
        }
        if let Some(queue) = self.queues.get_mut(&biller) {
            queue.promote(now.ticks);
        }
        let next = |switch: &mut Self| {
            switch.queues.get_mut(&biller).and_then(|queue| queue.next(now.ticks, in_flight_max, per_second))
        };
        while let Some(key) = next(self) {
            if let Some(open) = self.take_open(&key) {
                self.give(now, open, out);
            }
        }
        self.wake_for(biller, in_flight_max);
    }

    fn too_old(&mut self, now: Ticks, biller: &BillerCode) -> Option<PaymentKey> {
        let ages = &mut self.queues.get_mut(biller)?.ages;
        ages.first_entry().filter(|first| first.key().0 <= now).map(|first| first.remove())
    }

    fn wake_for(&mut self, biller: BillerCode, in_flight_max: u32) {
        let Some(queue) = self.queues.get_mut(&biller) else { return };
        let wants = queue.wants(in_flight_max);
        if queue.wake.map(|(at, _)| at) != wants {
            if let Some(timer) = queue.wake.take() {
                self.pending.cancel(&timer);
            }
            queue.wake = wants.map(|at| self.pending.at(at, Due::Forward(biller)));
        }
    }

    /// The time at which a biller's queue wanted to be looked at has come.
    pub(super) fn forward_due(&mut self, biller: BillerCode) {
        if let Some(queue) = self.queues.get_mut(&biller) {
            queue.wake = None;
        }
        self.look_after(biller);
    }
}

/// The pause after so many orders: it doubles each time, and is up to a quarter longer or shorter, so that what failed
/// together does not come back together. Which of these is drawn from the payment and the count, so that a run can be
/// repeated.
fn pause_ms(first_ms: u64, tries: u16, key: &PaymentKey) -> u64 {
    let doubled = first_ms.saturating_mul(1_u64 << tries.clamp(1, 20).saturating_sub(1)).min(PAUSE_MAX_MS);
    let shortest = doubled.saturating_sub(doubled / 4);
    // FNV-1a.
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = tries.to_be_bytes().iter().chain(key.as_bytes()).fold(0xcbf2_9ce4_8422_2325, mix);
    shortest.saturating_add((hash >> 16).checked_rem((doubled / 2).saturating_add(1)).unwrap_or(0))
}
