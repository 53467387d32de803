//! What is changed while payments run: keys, and the operator's file.

use super::dice::Dice;
use super::file::{Blunder, File};
use super::outage::FRESH_BILLS;
use super::plan::{Amount, Intent, LINKS, Move, Plan, Way, intent};

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

/// So long after a file was read it is certainly in force.
const SETTLED_MS: u64 = 7_100;

/// The biller whose currency may change: the one that has no host.
const FOREIGN: usize = 4;

/// Some payments come at once over a link that may have one waiting by then, if the day is long enough.
fn crowd(dice: &mut Dice, plan: &mut Plan, link: usize, from: u64) {
    if from >= plan.heal_at_ms {
        return;
    }
    let paid = plan.moves.iter().filter(|(_, one)| matches!(one, Move::Pay(_))).count();
    let first = u64::try_from(paid).unwrap_or_default();
    for number in first..first.saturating_add(4) {
        let bill = FRESH_BILLS.saturating_add(number);
        let plain = Intent {
            link,
            biller: 1,
            bill,
            amount: Amount::Due,
            way: Way::Asked,
            ..intent(dice, number, 1, (1, None))
        };
        plan.moves.push((from.saturating_add(dice.below(40)), Move::Pay(plain)));
    }
}

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
        if let (Some(link), None) = (file.narrow, file.fault) {
            crowd(&mut dice, &mut plan, link, at.saturating_add(SETTLED_MS));
        }
    }
    plan.moves.sort_by_key(|(at, _)| *at);
    plan
}
