//! The guard's decisions: who may go to a department now. Told what time it is, it reads no clock.

use crate::biller::{Breaker, Health, Reach};
use crate::bounds::GuardBounds;
use crate::clock::Ticks;

/// One place in so many is kept for orders that are owed.
pub const RESERVED_SHARE: u32 = 4;
/// Longest pause of an open breaker.
const PAUSE_MS_MAX: u64 = 60_000;
/// Of the last so many orders half may fail; one more, and the breaker opens.
const WINDOW: u32 = 32;

/// What kind of order asks to pass.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Urgency {
    /// Nobody has promised anything yet.
    New,
    /// Money has moved, or may have.
    Owed,
}

/// Why an order may not pass.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refused {
    /// Too many are in flight.
    Full,
    /// The breaker is open.
    Open,
}

/// What became of an order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// The department said something that could be understood.
    Answered,
    /// It did not; in a few words, why.
    Failed(&'static str),
}

/// An order on its way; given back with what became of it.
#[derive(Debug)]
pub(super) struct Pass {
    probe: bool,
    subject: u64,
}

impl Pass {
    /// Whether it finds out if the department answers again.
    pub(super) const fn is_probe(&self) -> bool {
        self.probe
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed,
    Open { until: Ticks, pause_ms: u64 },
    Probing { pause_ms: u64 },
}

/// Bulkhead and breaker of one department.
#[derive(Debug)]
pub(super) struct Gate {
    bounds: GuardBounds,
    in_flight: u32,
    state: State,
    failures_in_a_row: u32,
    /// What the last failure was about: of one bill that always fails nothing follows for the others.
    pub(super) failed_last: Option<u64>,
    /// The last [`WINDOW`] orders, one bit each, set if it failed; and how many there have been, up to that.
    window: u32,
    seen: u32,
    refused_full: u64,
    refused_open: u64,
}

impl Gate {
    pub(super) const fn new(bounds: GuardBounds) -> Self {
        Self {
            bounds,
            in_flight: 0,
            state: State::Closed,
            failures_in_a_row: 0,
            failed_last: None,
            window: 0,
            seen: 0,
            refused_full: 0,
            refused_open: 0,
        }
    }

    /// Lets an order about `subject` pass, or says why not.
    pub(super) fn admit(&mut self, now: Ticks, urgency: Urgency, subject: u64) -> Result<Pass, Refused> {
        let probe = match self.state {
            State::Closed => false,
            State::Open { until, pause_ms } if now >= until => {
                // The one that finds out. It has a place: whoever was in flight before counts no more.
                self.state = State::Probing { pause_ms };
                true
            }
            State::Open { .. } | State::Probing { .. } => {
                self.refused_open = self.refused_open.saturating_add(1);
                return Err(Refused::Open);
            }
        };
        let reserved = match urgency {
            Urgency::New => self.bounds.in_flight_max.checked_div(RESERVED_SHARE).unwrap_or(0),
            Urgency::Owed => 0,
        };
        if !probe && self.in_flight >= self.bounds.in_flight_max.saturating_sub(reserved) {
            self.refused_full = self.refused_full.saturating_add(1);
            return Err(Refused::Full);
        }
        self.in_flight = self.in_flight.saturating_add(1);
        Ok(Pass { probe, subject })
    }

    /// Takes an order's place back; says whether the department has come up or gone down by it.
    pub(super) fn settle(&mut self, now: Ticks, pass: Pass, verdict: Verdict) -> Option<Reach> {
        self.in_flight = self.in_flight.saturating_sub(1);
        match (self.state, verdict) {
            (State::Closed, _) => self.note(now, pass.subject, verdict),
            (State::Probing { .. }, Verdict::Answered) if pass.probe => {
                self.state = State::Closed;
                self.failures_in_a_row = 0;
                self.failed_last = None;
                self.window = 0;
                self.seen = 0;
                Some(Reach::Up)
            }
            (State::Probing { pause_ms }, Verdict::Failed(_)) if pass.probe => {
                self.open(now, pause_ms.saturating_mul(2).min(PAUSE_MS_MAX));
                None
            }
            // Sent before the breaker opened: it says nothing of now.
            (State::Open { .. } | State::Probing { .. }, _) => None,
        }
    }

    fn note(&mut self, now: Ticks, subject: u64, verdict: Verdict) -> Option<Reach> {
        let failed = matches!(verdict, Verdict::Failed(_));
        if failed && self.failed_last.replace(subject) == Some(subject) {
            return None;
        }
        self.failures_in_a_row = if failed { self.failures_in_a_row.saturating_add(1) } else { 0 };
        self.window = (self.window << 1) | u32::from(failed);
        self.seen = self.seen.saturating_add(1).min(WINDOW);
        let often = self.seen == WINDOW && self.window.count_ones() > WINDOW / 2;
        if failed && (self.failures_in_a_row >= self.bounds.failures_max || often) {
            let pause_ms = u64::try_from(self.bounds.pause.as_millis()).unwrap_or(PAUSE_MS_MAX);
            self.open(now, pause_ms.min(PAUSE_MS_MAX));
            return Some(Reach::Down);
        }
        None
    }

    fn open(&mut self, now: Ticks, pause_ms: u64) {
        self.state = State::Open { until: now.after_ms(pause_ms), pause_ms };
    }

    /// When somebody may find out whether the department answers again; none if the breaker is not open.
    pub(super) const fn retry_at(&self) -> Option<Ticks> {
        match self.state {
            State::Open { until, .. } => Some(until),
            State::Closed | State::Probing { .. } => None,
        }
    }

    /// Whether an order may come, if only to find out.
    pub(super) fn is_open_to(&self, now: Ticks) -> bool {
        match self.state {
            State::Closed => true,
            State::Open { until, .. } => now >= until,
            State::Probing { .. } => false,
        }
    }

    pub(super) const fn reach(&self) -> Reach {
        match self.state {
            State::Closed => Reach::Up,
            State::Open { .. } | State::Probing { .. } => Reach::Down,
        }
    }

    pub(super) const fn health(&self) -> Health {
        let breaker = match self.state {
            State::Closed => Breaker::Closed,
            State::Open { .. } => Breaker::Open,
            State::Probing { .. } => Breaker::Probing,
        };
        Health {
            reach: self.reach(),
            breaker,
            in_flight: self.in_flight,
            in_flight_max: self.bounds.in_flight_max,
            refused_full: self.refused_full,
            refused_open: self.refused_open,
            last_error: None,
            unasked: 0,
            mac_refused: 0,
            unreadable: 0,
            mac_key: String::new(),
        }
    }
}
