//! Shortening a run that went wrong: moves and kinds of faults are left out for as long as it still goes wrong in the same
//! way. What remains is short enough to read.

use std::sync::Arc;

use super::plan::{Amount, Intent, Move};
use super::run::play_guarded;
use super::{Defect, Outcomes, Plan, Site};

/// Runs that are tried at most.
const TRIES_MAX: u32 = 3_000;

/// A run shortened.
#[derive(Clone, Debug)]
pub struct Minimised {
    /// What is left of the plan.
    pub plan: Plan,
    /// What comes of it, with its history.
    pub outcome: Outcomes,
    /// Runs it took.
    pub tries: u32,
}

/// Leaves out of `plan` what its violation does not need.
#[must_use]
pub fn minimise(site: &Arc<Site>, plan: &Plan, defect: Option<Defect>) -> Minimised {
    let wanted = play_guarded(site, plan, defect, false).violation.map(|violation| violation.invariant);
    let mut shortening = Shortening { site, defect, wanted, plan: plan.clone(), tries: 0 };
    if wanted.is_some() {
        while shortening.round() {}
    }
    let Shortening { plan, tries, .. } = shortening;
    let outcome = play_guarded(site, &plan, defect, true);
    Minimised { plan, outcome, tries }
}

struct Shortening<'a> {
    site: &'a Arc<Site>,
    defect: Option<Defect>,
    wanted: Option<u8>,
    plan: Plan,
    tries: u32,
}

impl Shortening<'_> {
    /// Takes the shorter plan if it still goes wrong in the same way.
    fn try_with(&mut self, plan: Plan) -> bool {
        if self.tries >= TRIES_MAX || plan == self.plan {
            return false;
        }
        self.tries = self.tries.saturating_add(1);
        let found =
            play_guarded(self.site, &plan, self.defect, false).violation.map(|violation| violation.invariant);
        let same = found == self.wanted;
        if same {
            self.plan = plan;
        }
        same
    }

    /// One pass over everything that can be left out; says whether anything was.
    fn round(&mut self) -> bool {
        let moves = self.leave_out_moves();
        let faults = self.leave_out_faults();
        let habits = self.leave_out_habits();
        moves || faults || habits
    }

    /// Halves first, then smaller and smaller pieces.
    fn leave_out_moves(&mut self) -> bool {
        let mut any = false;
        let mut piece = self.plan.moves.len().div_ceil(2);
        while piece > 0 {
            let mut at = 0;
            while at < self.plan.moves.len() {
                let mut plan = self.plan.clone();
                let end = at.saturating_add(piece).min(plan.moves.len());
                plan.moves.drain(at..end);
                if self.try_with(plan) {
                    any = true;
                } else {
                    at = at.saturating_add(piece);
                }
            }
            piece /= 2;
        }
        any
    }

    fn leave_out_faults(&mut self) -> bool {
        let mut any = false;
        let happening: Vec<_> = self.plan.rates.happening().map(|(fault, _)| fault).collect();
        for fault in happening {
            let mut plan = self.plan.clone();
            plan.rates.set(fault, 0);
            any |= self.try_with(plan);
        }
        any
    }

    /// What acquirers do beside paying.
    fn leave_out_habits(&mut self) -> bool {
        let mut any = false;
        for at in 0..self.plan.moves.len() {
            let plain: [fn(&mut Intent); 9] = [
                |intent| intent.meddled_with = false,
                |intent| intent.reuses_key = false,
                |intent| intent.repeats_at_once = false,
                |intent| intent.reverses_first = false,
                |intent| intent.regrets_after_ms = None,
                |intent| intent.parts = [None; 2],
                |intent| intent.parts[1] = None,
                |intent| intent.amount = Amount::Due,
                |intent| intent.repeats = 0,
            ];
            for without in plain {
                let mut plan = self.plan.clone();
                if let Some((_, Move::Pay(intent))) = plan.moves.get_mut(at) {
                    without(intent);
                    any |= self.try_with(plan);
                }
            }
        }
        any
    }
}
