//! Stores that somebody has been at with the bare engine, past every check of this module.

use std::path::Path;

use super::block::{Block, Head, Packer};
use super::open::await_release;
use super::{FORMAT_KEY, HEAD_KEY, JournalError, Options, Store, Turn, Write, block_key, open};

/// Turns of one leg, and so blocks: more than are checked at an opening.
const TURNS: u64 = 200;

fn filled() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (_store, mut writer) = open(dir.path(), &Options::default()).unwrap();
    for number in 1..=TURNS {
        let put = Write::Put { key: format!("B|{number:04}").into(), value: b"unpaid".to_vec() };
        let turn = Turn {
            first_sequence: number,
            legs: vec![leg(number)],
            writes: vec![put],
            moves_money: number == TURNS,
        };
        writer.commit(&[turn]).unwrap();
    }
    drop(writer);
    dir
}

fn leg(number: u64) -> Vec<u8> {
    format!("leg {number}").into_bytes()
}

/// Changes the store in `dir` with the bare engine.
fn tamper(dir: &Path, with: impl FnOnce(&sled::Db)) {
    await_release(dir).unwrap();
    let db = sled::Config::new().path(dir).flush_every_ms(None).open().unwrap();
    with(&db);
    db.flush().unwrap();
}

fn remove_block(dir: &Path, sequence: u64) {
    tamper(dir, |db| assert!(db.remove(block_key(sequence)).unwrap().is_some()));
}

fn reopened(dir: &Path) -> Result<Store, JournalError> {
    open(dir, &Options::default()).map(|(store, _)| store)
}

fn verified(store: &Store) -> Result<u64, JournalError> {
    store.verify(&mut |_| ()).map(|verified| verified.legs)
}

#[test]
fn a_block_missing_at_either_end_is_a_gap_at_opening() {
    for (sequence, want) in [(1, 1), (TURNS - 20, TURNS - 20), (TURNS, TURNS)] {
        let dir = filled();
        remove_block(dir.path(), sequence);
        match reopened(dir.path()) {
            Err(JournalError::Gap { expected, .. }) => assert_eq!(expected, want),
            other => panic!("block {sequence}: {other:?}"),
        }
    }
}

#[test]
fn a_block_missing_in_the_middle_is_a_gap_for_verify_and_for_every_reader() {
    let dir = filled();
    remove_block(dir.path(), 50);
    let store = reopened(dir.path()).unwrap();
    let gap =
        |error: &JournalError| matches!(error, JournalError::Gap { expected: 50, found: Some(51) | None });
    assert!(gap(&verified(&store).unwrap_err()));
    assert!(gap(&store.leg(50).unwrap_err()));
    assert_eq!(store.leg(49).unwrap(), Some(leg(49)));
    assert_eq!(store.leg(51).unwrap(), Some(leg(51)));
    let walk: Vec<_> = store.legs(1).collect();
    assert_eq!(walk.len(), 50, "it ends after the error");
    assert!(gap(walk.last().unwrap().as_ref().unwrap_err()));
    assert!(gap(store.legs(50).next().unwrap().as_ref().unwrap_err()));
}

#[test]
fn no_blocks_left_is_a_gap_at_opening() {
    let dir = filled();
    tamper(dir.path(), |db| (1..=TURNS).for_each(|sequence| drop(db.remove(block_key(sequence)).unwrap())));
    assert!(matches!(reopened(dir.path()), Err(JournalError::Gap { expected: 1, found: None })));
}

#[test]
fn a_block_rewritten_with_a_good_checksum_breaks_the_chain() {
    let dir = filled();
    tamper(dir.path(), |db| {
        let old = db.get(block_key(70)).unwrap().unwrap();
        let before = Block::decode(70, &old).unwrap().previous;
        let mut packer = Packer::after(Head { last: 69, block: 69, hash: before, ..Head::default() });
        let mut emit = |first, block| drop(db.insert(block_key(first), block).unwrap());
        packer.push(b"another leg", &mut emit).unwrap();
        packer.finish(&mut emit);
    });
    let store = reopened(dir.path()).unwrap();
    assert_eq!(store.leg(70).unwrap(), Some(b"another leg".to_vec()));
    assert!(matches!(verified(&store), Err(JournalError::Damaged { sequence: Some(71), .. })));
}

#[test]
fn a_block_under_another_key_and_a_damaged_head_are_refused() {
    let tampers: [fn(&sled::Db); 4] = [
        |db| {
            let block = db.get(block_key(TURNS - 3)).unwrap().unwrap();
            db.insert(block_key(TURNS - 2), block).unwrap();
        },
        |db| drop(db.remove(HEAD_KEY).unwrap()),
        |db| drop(db.insert(HEAD_KEY, b"short").unwrap()),
        |db| drop(db.insert(block_key(TURNS + 1), b"no block").unwrap()),
    ];
    for (index, with) in tampers.into_iter().enumerate() {
        let dir = filled();
        tamper(dir.path(), with);
        assert!(matches!(reopened(dir.path()), Err(JournalError::Damaged { .. })), "tamper {index}");
    }
}

#[test]
fn a_submitters_key_lost_changed_or_smuggled_in_is_noticed_at_opening() {
    let tampers: [fn(&sled::Db); 3] = [
        |db| drop(db.remove("B|0100").unwrap()),
        |db| drop(db.insert("B|0100", "paid").unwrap()),
        |db| drop(db.insert("B|9999", "paid").unwrap()),
    ];
    for with in tampers {
        let dir = filled();
        tamper(dir.path(), with);
        let refused = reopened(dir.path()).unwrap_err().to_string();
        assert!(refused.contains("keys beside the legs"), "{refused}");
    }
}

#[test]
fn a_store_of_another_format_is_refused_by_its_number() {
    let dir = filled();
    tamper(dir.path(), |db| drop(db.insert(FORMAT_KEY, &7_u32.to_be_bytes()).unwrap()));
    assert!(matches!(reopened(dir.path()), Err(JournalError::Format { found: 7, want: 4 })));
    let foreign = tempfile::tempdir().unwrap();
    tamper(foreign.path(), |db| drop(db.insert("somebody", "else's").unwrap()));
    assert!(matches!(reopened(foreign.path()), Err(JournalError::Damaged { .. })));
}

#[test]
fn keys_written_while_verify_walks_are_left_out_and_said_so() {
    let dir = filled();
    let (store, mut writer) = open(dir.path(), &Options::default()).unwrap();
    assert_eq!(store.verify(&mut |_| ()).unwrap().keys, Some(TURNS));
    let mut next = TURNS + 1;
    let verified = store.verify(&mut |legs| {
        if legs == 100 {
            let put = Write::Put { key: b"B|new".to_vec(), value: vec![] };
            let turn =
                Turn { first_sequence: next, legs: vec![leg(next)], writes: vec![put], moves_money: true };
            writer.commit(&[turn]).unwrap();
            next += 1;
        }
    });
    let verified = verified.unwrap();
    assert_eq!((verified.keys, verified.legs, verified.blocks), (None, TURNS, TURNS));
}
