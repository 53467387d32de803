//! Sealed days: legs that leave the working store are found as before, wherever the process ends in between; what is owed
//! stays; and no byte of them changes without a word.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use billswitch::bounds::Sealing;
use billswitch::ids::{KeyParts, PaymentKey};
use billswitch::journal::{JournalError, Sealer, Step, Store, Turn, Writer, ledger};
use billswitch::switch::{State, What};

use crate::records;
use crate::records::{DAY, cut_over, date, forget, pay, payment, record, seal, turn, working_keys};
use crate::turns::{Dice, open_store, try_open};

/// Small enough for several segments a day.
const SEALING: Sealing = Sealing { working_legs_max: 100, segment_legs_max: 150 };
/// More steps than any sealing here takes.
const MANY: usize = 10_000;

/// Payments `numbers`, ten turns a group, so that blocks hold several.
fn fill(store: &Store, writer: &mut Writer, numbers: std::ops::RangeInclusive<u64>, day: i32) {
    for number in numbers {
        writer.commit(&[pay(store, number, day, State::Posted)]).unwrap();
    }
}

/// What must be the same whatever is sealed: each leg, by walk and by number, and each payment.
#[derive(Debug, PartialEq)]
struct Seen {
    legs: Vec<(u64, Vec<u8>)>,
    payments: Vec<(PaymentKey, State)>,
}

fn see(store: &Store, payments: u64) -> Seen {
    let legs: Vec<_> = store.legs(1).map(Result::unwrap).collect();
    for (sequence, leg) in &legs {
        assert_eq!(store.leg(*sequence).unwrap().as_ref(), Some(leg), "leg {sequence}");
    }
    let payments = (1..=payments).map(|number| {
        let payment = ledger::find(store, &records::key(number)).unwrap().unwrap();
        (payment.key, payment.state)
    });
    Seen { legs, payments: payments.collect() }
}

/// A store with two days of payments, the first of them over.
fn two_days(dir: &Path) -> (Store, Writer) {
    let (store, mut writer) = open_store(dir);
    fill(&store, &mut writer, 1..=200, DAY);
    cut_over(&store, &mut writer, DAY + 1);
    fill(&store, &mut writer, 201..=230, DAY + 1);
    (store, writer)
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for date in std::fs::read_dir(dir.join("days")).unwrap() {
        found.extend(std::fs::read_dir(date.unwrap().path()).unwrap().map(|file| file.unwrap().path()));
    }
    found.sort();
    found
}

#[test]
fn sealed_legs_are_read_like_all_others_and_so_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer) = two_days(dir.path());
    let before = see(&store, 230);
    seal(&store, &mut writer, &mut Sealer::new(&store, SEALING), DAY + 1, MANY);
    assert!(see(&store, 230) == before);
    let names: Vec<_> = segments(dir.path());
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names[0].ends_with("2026-11-20/00000000000000000001.legs"), "{names:?}");
    assert_eq!(working_keys(&store), 30, "those of today");
    let verified = store.verify(&mut |_| ()).unwrap();
    assert_eq!((verified.legs, verified.sealed, verified.keys), (461, 400, Some(30)));
    drop((store, writer));
    let (store, _writer) = open_store(dir.path());
    assert!(see(&store, 230) == before);
    for from in (1..470).step_by(13) {
        let legs: Vec<_> = store.legs(from).map(|leg| leg.unwrap().0).collect();
        assert!(legs.into_iter().eq(from..462), "from {from}");
    }
    let last: Vec<_> = store.last_legs(100).map(|leg| leg.unwrap().0).collect();
    assert!(last.into_iter().eq(362..462));
    let all =
        ledger::payments(&store).map(|found| found.unwrap().0).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(all.len(), 230);
    assert_eq!(ledger::payments(&store).count(), 230);
}

#[test]
fn within_a_day_legs_are_sealed_as_soon_as_there_are_too_many_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer) = open_store(dir.path());
    let mut sealer = Sealer::new(&store, SEALING);
    for number in 1..=1_000 {
        writer.commit(&[pay(&store, number, DAY, State::Posted)]).unwrap();
        seal(&store, &mut writer, &mut sealer, DAY, MANY);
        assert!(working_keys(&store) <= 52, "{} at payment {number}", working_keys(&store));
    }
    assert!(segments(dir.path()).len() >= 12);
    assert_eq!(see(&store, 1_000).legs.len(), 2_000);
}

#[test]
fn a_crash_between_any_two_steps_of_sealing_harms_nothing_and_it_is_gone_on_with() {
    let whole = tempfile::tempdir().unwrap();
    let (store, mut writer) = two_days(whole.path());
    let before = see(&store, 230);
    let steps = seal(&store, &mut writer, &mut Sealer::new(&store, SEALING), DAY + 1, MANY);
    assert!(steps > 12, "{steps}");
    drop((store, writer));
    for crash_after in 0..steps {
        let dir = tempfile::tempdir().unwrap();
        let (store, mut writer) = two_days(dir.path());
        seal(&store, &mut writer, &mut Sealer::new(&store, SEALING), DAY + 1, crash_after);
        drop((store, writer));
        let (store, mut writer) = open_store(dir.path());
        assert!(see(&store, 230) == before, "after {crash_after} steps");
        store.verify(&mut |_| ()).unwrap();
        seal(&store, &mut writer, &mut Sealer::new(&store, SEALING), DAY + 1, MANY);
        assert_eq!((segments(dir.path()).len(), working_keys(&store)), (3, 30), "after {crash_after} steps");
        assert!(see(&store, 230) == before, "after {crash_after} steps, and gone on");
    }
}

#[test]
fn what_is_owed_something_is_carried_over_and_stays_in_the_working_store() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer) = open_store(dir.path());
    let states = [State::Sent, State::Confirming, State::Reversing, State::Exception];
    for (number, state) in (1..).zip(states) {
        writer.commit(&[pay(&store, number, DAY, state)]).unwrap();
    }
    fill(&store, &mut writer, 5..=100, DAY);
    cut_over(&store, &mut writer, DAY + 1);
    let mut sealer = Sealer::new(&store, SEALING);
    let seal = |store: &Store, writer: &mut Writer, sealer: &mut Sealer, day| {
        seal(store, writer, sealer, day, MANY);
        cut_over(store, writer, day);
        seal(store, writer, sealer, day, MANY);
    };
    seal(&store, &mut writer, &mut sealer, DAY + 1);
    assert_eq!(working_keys(&store), 4);
    seal(&store, &mut writer, &mut sealer, DAY + 2);
    seal(&store, &mut writer, &mut sealer, DAY + 3);
    assert_eq!(working_keys(&store), 4, "from day to day");
    assert_eq!(ledger::exceptions(&store).unwrap().len(), 1);
    for (number, state) in (1..).zip(states) {
        assert_eq!(ledger::find(&store, &records::key(number)).unwrap().unwrap().state, state);
    }
}

#[test]
fn more_that_is_owed_than_the_working_store_is_to_have_is_not_sealed_round_and_round() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer) = open_store(dir.path());
    let mut sealer = Sealer::new(&store, SEALING);
    for number in 1..=400 {
        writer.commit(&[pay(&store, number, DAY, State::Confirming)]).unwrap();
        let steps = seal(&store, &mut writer, &mut sealer, DAY, MANY);
        assert!(steps < MANY, "{steps} steps, and no end, at payment {number}");
    }
    assert_eq!(working_keys(&store), 400);
    let (few, legs) = (segments(dir.path()).len(), store.next_sequence());
    assert!(few < 25 && legs < 4_000, "{few} segments and {legs} legs for 800");
    // What is over leaves as it always does.
    for number in 401..=1_000 {
        writer.commit(&[pay(&store, number, DAY, State::Posted)]).unwrap();
        seal(&store, &mut writer, &mut sealer, DAY, MANY);
        assert!(working_keys(&store) <= 530, "{} at payment {number}", working_keys(&store));
    }
    store.verify(&mut |_| ()).unwrap();
}

#[test]
fn an_unloading_that_was_not_done_is_given_again() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer) = two_days(dir.path());
    let before = see(&store, 230);
    let mut sealer = Sealer::new(&store, SEALING);
    let mut given = 0;
    for _ in 0..MANY {
        if let Step::Unload(unloading) = sealer.step(date(DAY + 1)).unwrap() {
            given += 1;
            // Each of the first is not done.
            sealer.not_unloaded(!unloading.carry_over.is_empty());
            if given == 3 {
                break;
            }
        }
    }
    assert_eq!((given, working_keys(&store)), (3, 230));
    seal(&store, &mut writer, &mut sealer, DAY + 1, MANY);
    assert_eq!(working_keys(&store), 30, "those of today");
    assert!(see(&store, 230) == before);
}

#[test]
fn what_changes_while_it_is_sealed_keeps_what_it_has_become() {
    for steps in 0..40 {
        let dir = tempfile::tempdir().unwrap();
        let (store, mut writer) = two_days(dir.path());
        let mut sealer = Sealer::new(&store, SEALING);
        seal(&store, &mut writer, &mut sealer, DAY + 1, steps);
        // Its reversal, whatever has been sealed of it.
        let reversed = record(DAY + 1, What::Settled, Some(payment(50, DAY, State::Reversed)));
        writer.commit(&[turn(&store, &[reversed])]).unwrap();
        seal(&store, &mut writer, &mut sealer, DAY + 1, MANY);
        let found = ledger::find(&store, &records::key(50)).unwrap().unwrap();
        assert_eq!(found.state, State::Reversed, "after {steps} steps");
        let all = ledger::payments(&store).map(Result::unwrap);
        assert_eq!(all.filter(|(key, _)| *key == records::key(50)).count(), 1);
    }
}

#[test]
fn a_key_is_let_go_of_only_if_nothing_newer_is_known_under_it() {
    use billswitch::journal::Write::{DeleteIf, Put};
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer) = open_store(dir.path());
    let put = |value: u8| Put { key: b"T".to_vec(), value: vec![value] };
    let let_go = |value: u8| DeleteIf { key: b"T".to_vec(), value: vec![value] };
    let of = |writes| Turn { first_sequence: 1, writes, moves_money: true, ..Turn::default() };
    let table = [
        (vec![of(vec![put(1)])], Some(1)),
        (vec![of(vec![let_go(2)])], Some(1)),
        (vec![of(vec![let_go(1)])], None),
        (vec![of(vec![let_go(1)])], None),
        (vec![of(vec![put(1), let_go(1)])], None),
        (vec![of(vec![put(3)]), of(vec![let_go(1)])], Some(3)),
        (vec![of(vec![let_go(3), put(4)])], Some(4)),
        (vec![of(vec![let_go(4)]), of(vec![let_go(3)])], None),
    ];
    for (at, (group, want)) in table.into_iter().enumerate() {
        writer.commit(&group).unwrap();
        let found = store.get(b"T").unwrap().map(|value| value.to_vec());
        assert_eq!(found, want.map(|byte| vec![byte]), "row {at}");
        assert!(store.verify(&mut |_| ()).is_ok(), "row {at}: the digest of the keys agrees");
    }
}

#[test]
fn a_block_that_no_segment_holds_is_not_let_go_of() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer) = open_store(dir.path());
    fill(&store, &mut writer, 1..=5, DAY);
    let first_sequence = store.next_sequence();
    let refused = writer.commit(&[Turn { first_sequence, writes: vec![forget(1)], ..Turn::default() }]);
    assert!(matches!(refused, Err(JournalError::ReservedKey)));
}

#[test]
fn another_links_payment_is_known_from_a_sealed_segment_too() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer) = two_days(dir.path());
    seal(&store, &mut writer, &mut Sealer::new(&store, SEALING), DAY + 1, MANY);
    let like = |number| {
        let key = records::key(number);
        PaymentKey::new(&KeyParts { link: b"northbank", ..key.parts() })
    };
    for number in [1, 77, 200, 230] {
        assert!(ledger::is_somebody_elses(&store, &like(number)).unwrap(), "{number}");
    }
    assert!(!ledger::is_somebody_elses(&store, &like(231)).unwrap());
}

/// Flips one bit of one byte of a file.
fn flip(path: &Path, at: u64, bit: u64) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ (1 << bit)], at).unwrap();
}

#[test]
fn a_flipped_byte_anywhere_in_a_segment_is_found_at_opening_or_by_verify() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer) = two_days(dir.path());
    seal(&store, &mut writer, &mut Sealer::new(&store, SEALING), DAY + 1, MANY);
    drop((store, writer));
    let file = segments(dir.path()).remove(1);
    let bytes = std::fs::metadata(&file).unwrap().len();
    let mut dice = Dice(20_261_122);
    // Header and footer densely, what lies between here and there.
    let ends = (0..64).chain(bytes - 400..bytes);
    let places: Vec<_> = ends.chain((0..60).map(|_| dice.below(bytes))).collect();
    let (mut at_opening, mut by_verify) = (0, 0);
    for at in places {
        let bit = at % 8;
        flip(&file, at, bit);
        match try_open(dir.path()) {
            Err(_) => at_opening += 1,
            Ok((store, _writer)) => {
                assert!(store.verify(&mut |_| ()).is_err(), "byte {at} of {bytes}");
                by_verify += 1;
            }
        }
        flip(&file, at, bit);
    }
    assert!(at_opening > 100 && by_verify > 30, "{at_opening} at opening, {by_verify} by verify");
    open_store(dir.path()).0.verify(&mut |_| ()).unwrap();
}

#[test]
fn a_flipped_byte_is_never_read_as_another_leg_or_another_payment() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer) = two_days(dir.path());
    let before = see(&store, 230);
    seal(&store, &mut writer, &mut Sealer::new(&store, SEALING), DAY + 1, MANY);
    let file = segments(dir.path()).remove(0);
    let bytes = std::fs::metadata(&file).unwrap().len();
    let mut dice = Dice(7);
    let mut refused = 0;
    for _ in 0..150 {
        let (at, bit) = (dice.below(bytes), dice.below(8));
        flip(&file, at, bit);
        for (number, (key, state)) in (1..).zip(&before.payments).step_by(17) {
            match ledger::find(&store, key) {
                Ok(found) => assert_eq!(found.map(|found| found.state), Some(*state), "byte {at}: {number}"),
                Err(_) => refused += 1,
            }
        }
        flip(&file, at, bit);
    }
    assert!(refused > 20, "{refused}");
}

#[test]
fn a_missing_segment_is_a_gap_at_opening_and_one_in_anothers_place_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer) = two_days(dir.path());
    seal(&store, &mut writer, &mut Sealer::new(&store, SEALING), DAY + 1, MANY);
    drop((store, writer));
    for file in segments(dir.path()) {
        let aside = dir.path().join("aside");
        std::fs::rename(&file, &aside).unwrap();
        let refused = try_open(dir.path());
        assert!(matches!(refused, Err(JournalError::Gap { .. })), "{}: {refused:?}", file.display());
        std::fs::rename(&aside, &file).unwrap();
    }
    let files = segments(dir.path());
    std::fs::copy(&files[1], &files[0]).unwrap();
    assert!(matches!(try_open(dir.path()), Err(JournalError::Damaged { .. })));
}

#[test]
fn a_working_store_that_ends_before_what_is_sealed_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer) = two_days(dir.path());
    seal(&store, &mut writer, &mut Sealer::new(&store, SEALING), DAY + 1, MANY);
    drop((store, writer));
    // The segments of one store beside the working store of another.
    let other = tempfile::tempdir().unwrap();
    let (store, mut writer) = open_store(other.path());
    fill(&store, &mut writer, 1..=10, DAY);
    drop((store, writer));
    std::fs::rename(dir.path().join("days"), other.path().join("days")).unwrap();
    let refused = try_open(other.path());
    assert!(matches!(refused, Err(JournalError::Lost { durable: 400, found: 20 })), "{refused:?}");
    assert_eq!(date(DAY).to_string(), "2026-11-20");
}
