//! What is changed while payments run: keys, and the operator's file.

use super::dice::Dice;
use super::file::{Blunder, File};
use super::outage::FRESH_BILLS;
use super::plan::{Amount, Intent, LINKS, Move, PARTLY, Plan, Way, intent};
use super::site::BILLS;

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

/// Some payments come at once where the file says something new by then, if the day is long enough: `which` gives the link, the
/// biller and the bill of each.
fn crowd(dice: &mut Dice, plan: &mut Plan, from: u64, which: impl Fn(&mut Dice, u64) -> (usize, usize, u64)) {
    if from >= plan.heal_at_ms {
        return;
    }
    let paid = plan.moves.iter().filter(|(_, one)| matches!(one, Move::Pay(_))).count();
    let first = u64::try_from(paid).unwrap_or_default();
    for number in first..first.saturating_add(4) {
        let (link, biller, bill) = which(dice, number);
        let any = intent(dice, number, 1, (1, None));
        let plain = Intent { link, biller, bill, amount: Amount::Due, way: Way::Asked, ..any };
        plan.moves.push((from.saturating_add(dice.below(40)), Move::Pay(plain)));
    }
}

/// On some days the operator changes the file while payments run, and does not always get it right.
pub(super) fn with_reloads(mut plan: Plan) -> Plan {
    let mut dice = Dice::of(plan.seed, &[14]);
    if !dice.one_in(4) {
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
            tight: dice.one_in(2).then(|| [1, 3, 4, PARTLY].get(dice.index(4)).copied().unwrap_or(PARTLY)),
            suspended: dice.one_in(3).then(|| dice.index(PARTLY).saturating_add(1)),
            fault: faults.get(dice.index(8)).copied(),
        };
        plan.moves.push((at, Move::Reload(file)));
        let settled = at.saturating_add(SETTLED_MS);
        if let (Some(link), None) = (file.narrow, file.fault) {
            crowd(&mut dice, &mut plan, settled, |_, number| (link, 1, FRESH_BILLS.saturating_add(number)));
        }
        if let (Some(biller), None) = (file.tight.or(file.suspended), file.fault) {
            crowd(&mut dice, &mut plan, settled, |dice, number| (dice.index(LINKS), biller, number % BILLS));
        }
    }
    plan.moves.sort_by_key(|(at, _)| *at);
    plan
}
