//! What is changed while payments run: keys, and the operator's file.

use super::dice::Dice;
use super::file::{Blunder, File};
use super::plan::{LINKS, Move, Plan};

/// On some days there are new keys.
pub(super) fn with_keys(mut plan: Plan) -> Plan {
    let mut dice = Dice::of(plan.seed, &[16]);
    if dice.one_in(4) {
        for _ in 0..dice.between(1, 3) {
            let at = dice.between(300, plan.heal_at_ms.saturating_sub(2_000));
            // Sometimes for longer than it may.
            plan.moves.push((at, Move::NewKey { keeps_ms: dice.between(1, 6_000) }));
        }
        plan.moves.sort_by_key(|(at, _)| *at);
    }
    plan
}

/// The biller whose currency may change: the one that has no host.
const FOREIGN: usize = 4;

/// On some days the operator changes the file while payments run, and does not always get it right.
pub(super) fn with_reloads(mut plan: Plan) -> Plan {
    let mut dice = Dice::of(plan.seed, &[14]);
    if !dice.one_in(6) {
        return plan;
    }
    for _ in 0..dice.between(1, 3) {
        let at = dice.between(300, plan.heal_at_ms.saturating_sub(2_000));
        let faults = [Blunder::Cut, Blunder::OutOfBounds, Blunder::Elsewhere, Blunder::Gone];
        let file = File {
            attempts_max: u16::try_from(dice.between(2, 7)).unwrap_or(4),
            per_second: u32::try_from(dice.between(3, 12)).unwrap_or(5),
            foreign: dice.one_in(2).then_some(FOREIGN),
            narrow: dice.one_in(2).then(|| dice.index(LINKS)),
            fault: faults.get(dice.index(8)).copied(),
        };
        plan.moves.push((at, Move::Reload(file)));
    }
    plan.moves.sort_by_key(|(at, _)| *at);
    plan
}
