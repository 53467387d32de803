//! The store from outside: what is written is there, what must be refused is.

use std::os::unix::fs::PermissionsExt;

use crate::turns::{copy_store, leg, open_store, try_open, turn, whole_turns};
use billswitch::journal::{
    JournalError, KEY_BYTES_MAX, LEG_BYTES_MAX, Options, Turn, VALUE_BYTES_MAX, Write, open,
};

#[test]
fn reopening_keeps_everything() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let mut next = 1;
    for _ in 0..4 {
        let (store, mut writer) = open_store(&path);
        assert_eq!(store.next_sequence(), (next - 1) * 2 + 1);
        let group: Vec<_> = (next..next + 20).map(turn).collect();
        writer.commit(&group).unwrap();
        for number in next + 20..next + 50 {
            writer.commit(&[turn(number)]).unwrap();
        }
        next += 50;
        assert_eq!(whole_turns(&store), Ok(next - 1));
    }
    let (store, _writer) = open_store(&path);
    assert_eq!(whole_turns(&store), Ok(200));
    let health = store.health().unwrap();
    assert_eq!((health.blobs, health.last_sequence), (0, 400));
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn an_empty_store_is_whole_and_stays_so() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let (store, writer) = open_store(&dir.path().join("a/new/one"));
        assert_eq!((store.next_sequence(), writer.next_sequence()), (1, 1));
        assert_eq!(whole_turns(&store), Ok(0));
        assert_eq!(store.legs(0).count(), 0);
        assert_eq!(store.leg(1).unwrap(), None);
        assert_eq!(store.last_legs(5).count(), 0);
    }
}

#[test]
fn a_second_opening_is_refused_until_the_first_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (store, writer) = open_store(dir.path());
    let second = || open(dir.path(), &Options::default());
    assert!(matches!(second(), Err(JournalError::Locked { .. })));
    drop(writer);
    let clone = store.clone();
    drop(store);
    assert!(matches!(second(), Err(JournalError::Locked { .. })));
    drop(clone);
    assert!(try_open(dir.path()).is_ok());
}

#[test]
fn legs_are_found_by_their_sequence_wherever_they_stand_in_a_block() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer) = open_store(dir.path());
    // Blocks of every size: groups of 1 to 40 turns.
    let mut number = 1;
    for size in 1..=40 {
        let group: Vec<_> = (number..number + size).map(turn).collect();
        writer.commit(&group).unwrap();
        number += size;
    }
    let end = store.next_sequence();
    assert_eq!(end, (number - 1) * 2 + 1);
    for sequence in 1..end {
        assert_eq!(store.leg(sequence).unwrap(), Some(leg(sequence)), "leg {sequence}");
    }
    for sequence in [0, end, end + 1, u64::MAX] {
        assert_eq!(store.leg(sequence).unwrap(), None, "leg {sequence}");
    }
    for from in (0..end + 3).step_by(7) {
        let legs: Vec<_> = store.legs(from).map(Result::unwrap).collect();
        let want: Vec<_> = (from.max(1)..end).map(|sequence| (sequence, leg(sequence))).collect();
        assert!(legs == want, "legs from {from}");
    }
    let last: Vec<_> = store.last_legs(3).map(|step| step.unwrap().0).collect();
    assert_eq!(last, [end - 3, end - 2, end - 1]);
    assert_eq!(u64::try_from(store.last_legs(u64::MAX).count()).unwrap(), end - 1);
}

#[test]
fn the_largest_of_everything_fits_and_one_byte_more_is_refused_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer) = open_store(dir.path());
    let of = |leg: usize, key: usize, value: usize, first_sequence| Turn {
        first_sequence,
        legs: vec![vec![1; leg]],
        writes: vec![Write::Put { key: vec![b'T'; key], value: vec![2; value] }],
        moves_money: true,
    };
    writer.commit(&[of(LEG_BYTES_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX, 1)]).unwrap();
    writer.commit(&[of(0, 1, 0, 2)]).unwrap();
    let too_large = [
        ("leg", of(LEG_BYTES_MAX + 1, 1, 1, 3)),
        ("leg", of(70_000, 1, 1, 3)),
        ("key", of(1, KEY_BYTES_MAX + 1, 1, 3)),
        ("value", of(1, 1, VALUE_BYTES_MAX + 1, 3)),
    ];
    for (want, turn) in too_large {
        // A good turn before it in the group is refused with it.
        let good = of(9, 2, 9, 3);
        let bad = Turn { first_sequence: 4, ..turn };
        let refused = writer.commit(&[good, bad]);
        assert!(matches!(refused, Err(JournalError::TooLarge { what, .. }) if what == want), "{want}");
    }
    for key in [&b""[..], b"L", b"L\0\0\0\0\0\0\0\x01", b"Mhead"] {
        for write in [Write::Put { key: key.to_vec(), value: vec![] }, Write::Delete { key: key.to_vec() }] {
            let turn = Turn { first_sequence: 3, writes: vec![write], ..Turn::default() };
            assert!(matches!(writer.commit(&[turn]), Err(JournalError::ReservedKey)));
        }
    }
    assert_eq!(store.next_sequence(), 3);
    assert_eq!(store.get(b"TT").unwrap().as_deref(), None);
    assert_eq!(store.leg(1).unwrap(), Some(vec![1; LEG_BYTES_MAX]));
    // A refusal leaves the writer as it was.
    writer.commit(&[of(5, 1, 5, 3)]).unwrap();
    store.verify(&mut |_| ()).unwrap();
}

#[test]
fn a_submitter_that_miscounts_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer) = open_store(dir.path());
    for (first_sequence, turns) in [(0, 1), (2, 1), (1, 2)] {
        let group: Vec<_> = (0..turns).map(|_| Turn { first_sequence, ..turn(1) }).collect();
        assert!(matches!(writer.commit(&group), Err(JournalError::OutOfStep { .. })));
    }
    assert_eq!(store.next_sequence(), 1);
    assert_eq!(whole_turns(&store), Ok(0));
}

#[test]
fn within_a_group_the_later_write_to_a_key_wins() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer) = open_store(dir.path());
    let put = |value: u8| Write::Put { key: b"T".to_vec(), value: vec![value] };
    let delete = || Write::Delete { key: b"T".to_vec() };
    let of = |writes| Turn { first_sequence: 1, writes, moves_money: true, ..Turn::default() };
    let table = [
        (vec![of(vec![put(1), put(2)]), of(vec![put(3)])], Some(3)),
        (vec![of(vec![put(4)]), of(vec![delete()])], None),
        (vec![of(vec![delete(), put(5)])], Some(5)),
        (vec![of(vec![delete()]), of(vec![put(6), delete(), put(7)])], Some(7)),
    ];
    for (group, want) in table {
        writer.commit(&group).unwrap();
        assert_eq!(store.get(b"T").unwrap().map(|value| value.to_vec()), want.map(|byte| vec![byte]));
    }
}

#[test]
fn scans_follow_the_prefix_and_the_order_of_keys() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer) = open_store(dir.path());
    let keys = ["D|1", "D|2", "D|10", "E|1", "D", "T|D|1"];
    let writes = keys.map(|key| Write::Put { key: key.into(), value: key.into() }).to_vec();
    writer.commit(&[Turn { first_sequence: 1, writes, ..Turn::default() }]).unwrap();
    let found: Vec<_> = store.scan(b"D|").map(|pair| pair.unwrap().0.to_vec()).collect();
    assert_eq!(found, [b"D|1".to_vec(), b"D|10".to_vec(), b"D|2".to_vec()]);
}

#[test]
fn what_a_kill_during_opening_leaves_behind_does_not_matter() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer) = open_store(dir.path());
    writer.commit(&[turn(1)]).unwrap();
    drop((store, writer));
    for junk in ["snap.0000000000000000.generating", "snap.FFFFFFFFFFFFFFFF.generating"] {
        std::fs::write(dir.path().join(junk), b"cut short").unwrap();
    }
    let (store, _writer) = open_store(dir.path());
    assert_eq!(whole_turns(&store), Ok(1));
}

#[test]
fn blobs_show_in_the_health() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _writer) = open_store(dir.path());
    std::fs::write(dir.path().join("blobs/4711"), b"x").unwrap();
    assert_eq!(store.health().unwrap().blobs, 1);
}

#[test]
fn a_store_that_ends_before_its_witness_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer) = open_store(dir.path());
    (1..=5).for_each(|number| writer.commit(&[turn(number)]).unwrap());
    drop((store, writer));
    let copy = tempfile::tempdir().unwrap();
    copy_store(dir.path(), copy.path());
    let (store, mut writer) = open_store(dir.path());
    (6..=9).for_each(|number| writer.commit(&[turn(number)]).unwrap());
    drop((store, writer));
    // The store as it was after five turns, beside the witness of nine.
    std::fs::copy(dir.path().join("witness"), copy.path().join("witness")).unwrap();
    let refused = open(copy.path(), &Options::default());
    assert!(matches!(refused, Err(JournalError::Lost { durable: 18, found: 10 })), "{refused:?}");

    // Nothing of the store left at all.
    let empty = tempfile::tempdir().unwrap();
    std::fs::copy(dir.path().join("witness"), empty.path().join("witness")).unwrap();
    assert!(matches!(open(empty.path(), &Options::default()), Err(JournalError::Damaged { .. })));

    // The same where the lost turns brought keys alone.
    let (store, mut writer) = open_store(dir.path());
    let before = tempfile::tempdir().unwrap();
    copy_store(dir.path(), before.path());
    let writes = vec![Write::Put { key: b"B|imported".to_vec(), value: b"bill".to_vec() }];
    writer.commit(&[Turn { first_sequence: 19, writes, moves_money: true, ..Turn::default() }]).unwrap();
    drop((store, writer));
    std::fs::copy(dir.path().join("witness"), before.path().join("witness")).unwrap();
    let refused = open(before.path(), &Options::default());
    assert!(matches!(refused, Err(JournalError::Lost { durable: 18, found: 18 })), "{refused:?}");

    // The operator who accepts the older state removes the witness.
    std::fs::remove_file(copy.path().join("witness")).unwrap();
    let (store, _writer) = open_store(copy.path());
    assert_eq!(whole_turns(&store), Ok(5));
}

#[test]
fn a_witness_that_a_kill_left_unfinished_is_none() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("witness.new"), vec![b'x'; 2000]).unwrap();
    drop(open_store(dir.path()));
    assert!(!dir.path().join("witness.new").exists());
    drop(open_store(dir.path()));
}
