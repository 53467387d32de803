//! What a seed stands for: a list of moves, and how often messages meet which fault. All of it is drawn up before the run
//! begins, so that a run can be repeated with some of it left out.

use super::dice::{Dice, number_of};
pub(super) use super::faults::{Fault, Rates};
use super::file::File;
use super::outage;
use super::site::{limits, takes_parts};
use super::upkeep::{with_keys, with_reloads};
use crate::bounds::Sealing;

/// What an acquirer does about a payment, beside waiting for its answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Intent {
    /// Its number in the plan: makes its STAN, RRN and time.
    pub(super) number: u64,
    /// Which link, by place.
    pub(super) link: usize,
    /// Which biller, by place.
    pub(super) biller: usize,
    /// Which of its bills.
    pub(super) bill: u64,
    /// Terminals share trace numbers.
    pub(super) terminal: u64,
    /// What is paid of it.
    pub(super) amount: Amount,
    /// Repeats before it gives up and reverses.
    pub(super) repeats: u32,
    /// Reverses an approved payment after so many milliseconds.
    pub(super) regrets_after_ms: Option<u64>,
    /// Wants parts of an approved payment back: the second is one too many.
    pub(super) parts: [Option<Wish>; 2],
    /// Sends the reversal before the payment.
    pub(super) reverses_first: bool,
    /// Repeats at once, without waiting.
    pub(super) repeats_at_once: bool,
    /// Sends something else under the same key, too.
    pub(super) reuses_key: bool,
    /// Another link asks for its reversal, too.
    pub(super) meddled_with: bool,
    /// How it is told of.
    pub(super) way: Way,
}

/// What an acquirer pays of a bill.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Amount {
    /// What is due within the due date.
    Due,
    /// One minor unit more than that.
    OneMore,
    /// The least that is taken of the bill, where another amount than the due one is.
    Least,
    /// One minor unit less than that.
    TooLittle,
    /// The most that is taken of it.
    Most,
    /// One minor unit more than that.
    TooMuch,
}

/// A part of an approved payment that its acquirer wants back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Wish {
    /// So many milliseconds after the approval.
    pub(super) after_ms: u64,
    /// What is to be left, in eighths of what was paid: 1 to 9.
    pub(super) eighths: u64,
}

/// How a payment comes to the switch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    /// Asked for: 0200, its reversal an advice (0420).
    Asked,
    /// Asked for, and asked back: 0200 and 0400, each answered when the biller has answered.
    AskedBack,
    /// Made without asking, and told of: 0220.
    Told,
}

/// When, within the next turn that moves money, the process ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Moment {
    /// At once, whatever it is doing.
    Now,
    /// Before the turn is written.
    BeforeCommit,
    /// While the turn is written or synced: some of what was not durable stays.
    WithinCommit,
    /// When the turn is durable, and before anything has left.
    AfterCommit,
    /// When so many of its actions have left.
    WithinRelease(u64),
    /// The disk is full.
    DiskFull,
    /// A sync fails.
    SyncFails,
}

/// Something that happens by itself, at a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Move {
    /// An acquirer pays.
    Pay(Intent),
    /// An acquirer asks what is due.
    Inquire { link: usize, biller: usize, bill: u64 },
    /// A peer sends bytes that are no message.
    Garbage { link: usize, length: u64 },
    /// An acquirer signs off, and on again later.
    SignOff { link: usize, for_ms: u64 },
    /// An acquirer asks whether anybody is there.
    Echo { link: usize },
    /// A peer answers what it was not asked: that it has paid.
    AnswersUnasked { link: usize },
    /// A connection breaks.
    LinkDies { link: usize },
    /// A biller cannot be reached. `refuses`: and that is certain.
    BillerDies { biller: usize, for_ms: u64, refuses: bool },
    /// The disk is almost full for a time.
    DiskFills { for_ms: u64 },
    /// A link asks so many things at once.
    Floods { link: usize, biller: usize, count: u64 },
    /// The process ends.
    Crash { moment: Moment, down_ms: u64 },
    /// The process is told to drain, and started again.
    Drain { down_ms: u64 },
    /// The wall clock is set.
    ClockJumps { by_ms: i64 },
    /// The operator blocks a biller, for a time.
    Block { biller: usize, for_ms: u64 },
    /// A network moves the business date.
    NetworkCutsOver { link: usize },
    /// The operator moves the business date.
    CutOver,
    /// The peer of the link that has MACs sends a new key, and goes on with the old one for so long after it was taken.
    NewKey { keeps_ms: u64 },
    /// The operator changes the file and has it read anew.
    Reload(File),
    /// An acquirer sends what it has counted. `advice`: 0520 rather than 0500.
    Totals { link: usize, advice: bool },
}

/// A run, drawn up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Plan {
    /// The seed it was drawn from.
    pub(super) seed: u64,
    /// What happens when: milliseconds from the start, in order.
    pub(super) moves: Vec<(u64, Move)>,
    /// What befalls messages meanwhile.
    pub(super) rates: Rates,
    /// Faults end here; from here on everything has to come to its end.
    pub(super) heal_at_ms: u64,
    /// Orders given before a payment is handed to people.
    pub(super) attempts_max: u16,
    /// About some payments a biller never says a word.
    pub(super) bad_records: bool,
    /// When legs are sealed, and how many at a time.
    pub(super) sealing: Sealing,
}

/// So little that legs are sealed all the time.
const SEALING: Sealing = Sealing { working_legs_max: 40, segment_legs_max: 24 };

/// Links and billers of the world, by number.
pub(super) const LINKS: usize = 3;
pub(super) const BILLERS: usize = 7;
/// The biller that forgets: it can only be lived with while the process stands.
pub(super) const FORGETFUL: usize = 6;
/// The biller that gives parts back.
pub(super) const PARTLY: usize = 5;

/// One seed in so many is a long outage, with hundreds of payments owed at its end.
const OUTAGES_ONE_IN: u64 = 64;

impl Plan {
    /// What this seed stands for.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        if Dice::of(seed, &[11]).one_in(OUTAGES_ONE_IN) {
            return with_keys(with_reloads(outage::plan(seed)));
        }
        let mut dice = Dice::of(seed, &[1]);
        let heal_at_ms = dice.between(8_000, 30_000);
        let mut rates = Rates::default();
        // Few faults at a time reach deeper than all of them at once.
        let (share, most) = (dice.between(100, 700), dice.between(30, 350));
        for fault in Fault::ALL {
            if dice.below(1000) < share {
                rates.set(fault, u16::try_from(dice.between(5, most)).unwrap_or(100));
            }
        }
        let crashes = dice.below(3) > 0;
        let mut moves = Vec::new();
        let payments = dice.between(4, 40);
        let billers = if crashes { FORGETFUL } else { BILLERS };
        let focus = dice.one_in(2).then(|| dice.index(billers));
        let few_bills = dice.between(2, 12);
        let span = heal_at_ms.saturating_sub(2_000);
        // Some days everybody comes at once.
        let opens = if dice.one_in(3) { dice.between(300, span.saturating_sub(3_000)) } else { 300 };
        let closes = if opens > 300 { opens.saturating_add(3_000) } else { span };
        for number in 0..payments {
            let at = dice.between(opens, closes);
            moves.push((at, Move::Pay(intent(&mut dice, number, few_bills, (billers, focus)))));
        }
        for _ in 0..dice.below(8) {
            let at = dice.between(300, span);
            moves.push((at, happening(&mut dice, few_bills, crashes)));
        }
        if crashes {
            for _ in 0..dice.between(1, 3) {
                let at = dice.between(opens, closes.saturating_add(1_500));
                moves.push((at, crash(&mut dice)));
                if dice.one_in(2) {
                    // And once more while it is still taking up what was open.
                    moves.push((at.saturating_add(dice.between(20, 3_000)), crash(&mut dice)));
                }
            }
        }
        moves.sort_by_key(|(at, _)| *at);
        let attempts_max = u16::try_from(dice.between(2, 7)).unwrap_or(4);
        let bad_records = false;
        with_keys(with_reloads(Self {
            seed,
            moves,
            rates,
            heal_at_ms,
            attempts_max,
            bad_records,
            sealing: SEALING,
        }))
    }

    /// Whether its biller says nothing about this payment, whatever it is told.
    pub(super) fn is_bad(&self, key: &[u8]) -> bool {
        self.bad_records && Dice::of(self.seed, &[13, number_of(key)]).one_in(20)
    }
}

/// A payment at one of the first so many billers; most are at the one in focus, if one is.
pub(super) fn intent(
    dice: &mut Dice,
    number: u64,
    bills: u64,
    (billers, focus): (usize, Option<usize>),
) -> Intent {
    let (any, focused) = (dice.index(billers), dice.below(4) > 0);
    let biller = focus.filter(|_| focused).unwrap_or(any);
    let bill = dice.below(bills);
    Intent {
        number,
        link: dice.index(LINKS),
        biller,
        bill,
        terminal: dice.below(3),
        amount: amount(dice, biller, bill),
        repeats: u32::try_from(dice.below(4)).unwrap_or_default(),
        regrets_after_ms: dice.one_in(4).then(|| dice.between(1, 4_000)),
        parts: wishes(dice, biller),
        reverses_first: dice.one_in(15),
        repeats_at_once: dice.one_in(8),
        reuses_key: dice.one_in(15),
        meddled_with: dice.one_in(12),
        way: [Way::Asked, Way::AskedBack, Way::Told, Way::Asked, Way::Asked]
            .get(dice.index(5))
            .copied()
            .unwrap_or(Way::Asked),
    }
}

/// Any of what can be paid of a bill that takes parts; of others what is due, but for now and then.
pub(super) fn amount(dice: &mut Dice, biller: usize, bill: u64) -> Amount {
    let all = [Amount::Due, Amount::OneMore, Amount::Least, Amount::TooLittle, Amount::Most, Amount::TooMuch];
    let (any, other, wrong) = (dice.index(all.len()), dice.one_in(4), dice.one_in(20));
    match (limits(biller, bill), wrong) {
        (Some(_), _) if other || takes_parts(biller, bill) => all.get(any).copied().unwrap_or(Amount::Due),
        (_, true) => Amount::OneMore,
        (_, false) => Amount::Due,
    }
}

/// Parts that are wanted back: of every other payment at the biller that gives them, and now and then at one that does not.
pub(super) fn wishes(dice: &mut Dice, biller: usize) -> [Option<Wish>; 2] {
    let some = dice.one_in(if biller == PARTLY { 2 } else { 20 });
    let too_many = some && dice.one_in(3);
    [some, too_many].map(|wanted| {
        let wish = Wish { after_ms: dice.between(1, 4_000), eighths: dice.between(1, 9) };
        wanted.then_some(wish)
    })
}

fn happening(dice: &mut Dice, bills: u64, crashes: bool) -> Move {
    let (link, biller) = (dice.index(LINKS), dice.index(BILLERS));
    match dice.below(15) {
        0 | 1 => Move::Inquire { link, biller, bill: dice.below(bills) },
        2 => Move::Garbage { link, length: dice.between(1, 40) },
        3 => Move::SignOff { link, for_ms: dice.between(100, 3_000) },
        4 => Move::Echo { link },
        5 => Move::LinkDies { link },
        6 => Move::BillerDies { biller, for_ms: dice.between(500, 6_000), refuses: dice.one_in(2) },
        7 => Move::ClockJumps { by_ms: jump(dice) },
        10 => Move::NetworkCutsOver { link },
        11 => Move::AnswersUnasked { link },
        8 => Move::Block { biller, for_ms: dice.between(500, 5_000) },
        12 => Move::DiskFills { for_ms: dice.between(500, 6_000) },
        13 => Move::Floods { link, biller, count: dice.between(10, 60) },
        14 => Move::Totals { link, advice: dice.one_in(2) },
        9 if crashes => Move::Drain { down_ms: dice.between(100, 2_000) },
        _ => Move::CutOver,
    }
}

fn jump(dice: &mut Dice) -> i64 {
    let by = i64::try_from(dice.between(1_000, 7_200_000)).unwrap_or_default();
    if dice.one_in(2) { by } else { by.saturating_neg() }
}

pub(super) fn crash(dice: &mut Dice) -> Move {
    let moment = match dice.below(8) {
        0 | 1 => Moment::Now,
        2 => Moment::BeforeCommit,
        3 => Moment::WithinCommit,
        4 => Moment::AfterCommit,
        5 => Moment::WithinRelease(dice.below(3)),
        6 => Moment::DiskFull,
        _ => Moment::SyncFails,
    };
    // Often it is back before anybody has noticed.
    let down_ms = if dice.one_in(2) { dice.between(2, 60) } else { dice.between(50, 3_000) };
    Move::Crash { moment, down_ms }
}
