//! A day on which one biller is gone for long, while everybody goes on paying: hundreds of payments come to be owed an order,
//! to confirm or to undo, and go out when it is back.

use super::dice::Dice;
use super::plan::{Amount, Fault, Intent, LINKS, Move, PARTLY, Plan, Rates, Way, crash, wishes};
use crate::bounds::Sealing;

/// Billers that can be reached or not: not the book, nor the one that forgets.
const FIRST_OUTSIDE: u64 = 1;
const LAST_OUTSIDE: u64 = 5;
/// Bills from here on are each asked for once.
pub(super) const FRESH_BILLS: u64 = 1_000;

/// Legs of a day as busy as this one; with few in a segment, its scrolls would take longer than the day.
const SEALING: Sealing = Sealing { working_legs_max: 600, segment_legs_max: 500 };

/// The run of a seed that is such a day.
pub(super) fn plan(seed: u64) -> Plan {
    let mut dice = Dice::of(seed, &[12]);
    let heal_at_ms = dice.between(25_000, 45_000);
    let gone_from = dice.between(2_500, 6_000);
    let gone_until = dice.between(heal_at_ms.saturating_sub(8_000), heal_at_ms);
    let biller = usize::try_from(dice.between(FIRST_OUTSIDE, LAST_OUTSIDE)).unwrap_or(1);
    let mut rates = Rates::default();
    // What is to be seen is the queue: few other things go wrong.
    for fault in Fault::ALL {
        if dice.one_in(4) {
            rates.set(fault, u16::try_from(dice.between(2, 40)).unwrap_or_default());
        }
    }
    let for_ms = gone_until.saturating_sub(gone_from);
    let mut moves = vec![(gone_from, Move::BillerDies { biller, for_ms, refuses: dice.one_in(3) })];
    for number in 0..dice.between(150, 400) {
        let before = dice.one_in(4);
        let at = if before { dice.between(300, gone_from) } else { dice.between(gone_from, gone_until) };
        let mut intent = intent(&mut dice, number, biller);
        if before {
            // Paid while it could be, and wanted back while it cannot.
            intent.way = Way::Asked;
            let after_ms = dice.between(gone_from, gone_until).saturating_sub(at);
            match &mut intent.parts {
                [Some(part), _] if intent.biller == PARTLY => part.after_ms = after_ms,
                _ => intent.regrets_after_ms = Some(after_ms),
            }
        }
        moves.push((at, Move::Pay(intent)));
    }
    if dice.one_in(2) {
        moves.push((dice.between(gone_from, heal_at_ms), crash(&mut dice)));
    }
    if dice.one_in(2) {
        moves.push((dice.between(gone_from, heal_at_ms), Move::CutOver));
    }
    moves.sort_by_key(|(at, _)| *at);
    let bad_records = dice.one_in(2);
    Plan { seed, moves, rates, heal_at_ms, attempts_max: 6, bad_records, sealing: SEALING }
}

/// A payment, mostly one that was made already, mostly at the biller that is gone.
fn intent(dice: &mut Dice, number: u64, biller: usize) -> Intent {
    let elsewhere = if biller == 1 { 2 } else { 1 };
    let biller = if dice.one_in(10) { elsewhere } else { biller };
    Intent {
        number,
        link: dice.index(LINKS),
        biller,
        bill: FRESH_BILLS.saturating_add(number),
        terminal: dice.below(3),
        amount: Amount::Due,
        repeats: 1,
        regrets_after_ms: dice.one_in(6).then(|| dice.between(100, 8_000)),
        parts: wishes(dice, biller),
        reverses_first: false,
        repeats_at_once: dice.one_in(20),
        reuses_key: dice.one_in(30),
        meddled_with: dice.one_in(30),
        way: match dice.below(6) {
            0 => Way::Asked,
            1 => Way::AskedBack,
            _ => Way::Told,
        },
    }
}
