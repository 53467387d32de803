//! Many seeds, on all cores.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::{Defect, Plan, Site, Violation, play};

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcomes {
    /// The first invariant that did not hold, if any.
    pub violation: Option<Violation>,
    /// Events of the run.
    pub events: u64,
    /// Segments of sealed legs at its end.
    pub segments: usize,
    /// Payments that were owed an order to their billers when the faults stopped.
    pub owed: usize,
    /// Payments that were left to people, each for a reason.
    pub exceptions: usize,
    /// Parts of payments that billers have given back.
    pub parts: usize,
    /// Payments that were approved of another amount than was due.
    pub other_amounts: usize,
    /// A digest of the history, if that was kept: the same seed gives the same.
    pub digest: u64,
    /// The history, if it was kept.
    pub history: Vec<String>,
}

/// A seed under which an invariant did not hold.
#[derive(Clone, Debug)]
pub struct Found {
    /// The seed.
    pub seed: u64,
    /// What did not hold.
    pub violation: Violation,
}

/// What came of many seeds.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Seeds run.
    pub seeds: u64,
    /// Events in all of them.
    pub events: u64,
    /// The first seed, by number, under which something did not hold.
    pub found: Option<Found>,
}

/// Told the seeds run so far.
pub type Progress<'a> = &'a (dyn Fn(u64) + Sync);

/// Runs `seeds` seeds from `first` on, on `threads` threads, and stops at the first violation: the one with the lowest
/// seed, whichever thread finds it first.
#[must_use]
pub fn simulate(
    site: &Arc<Site>,
    first: u64,
    seeds: u64,
    threads: usize,
    defect: Option<Defect>,
    progress: Progress<'_>,
) -> Report {
    let (next, done, events) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let stop = AtomicBool::new(false);
    let work = || {
        let mut found = None;
        while !stop.load(Ordering::Acquire) {
            let at = next.fetch_add(1, Ordering::AcqRel);
            if at >= seeds {
                break;
            }
            let seed = first.saturating_add(at);
            let outcome = play_guarded(site, &Plan::of(seed), defect, false);
            events.fetch_add(outcome.events, Ordering::AcqRel);
            progress(done.fetch_add(1, Ordering::AcqRel).saturating_add(1));
            if let Some(violation) = outcome.violation {
                stop.store(true, Ordering::Release);
                found = Some(Found { seed, violation });
                break;
            }
        }
        found
    };
    let found = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let found = threads.into_iter().filter_map(|thread| thread.join().ok().flatten());
        found.min_by_key(|found| found.seed)
    });
    Report { seeds: done.into_inner(), events: events.into_inner(), found }
}

/// Runs a plan. A panic of the switch is a violation like any other.
pub(super) fn play_guarded(
    site: &Arc<Site>,
    plan: &Plan,
    defect: Option<Defect>,
    keep_history: bool,
) -> Outcomes {
    catch_unwind(AssertUnwindSafe(|| play(site, plan, defect, keep_history))).unwrap_or_else(|_| {
        let violation = Violation { invariant: 0, at_ms: 0, what: "the switch panicked".to_owned() };
        Outcomes {
            violation: Some(violation),
            events: 0,
            segments: 0,
            owed: 0,
            exceptions: 0,
            parts: 0,
            other_amounts: 0,
            digest: 0,
            history: Vec::new(),
        }
    })
}
