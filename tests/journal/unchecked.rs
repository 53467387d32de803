//! A store whose keys are checked after it was opened: what the engine lost is found, whatever is written meanwhile.

use std::path::Path;

use billswitch::journal::{JournalError, Options, Turn, Write, open, open_unchecked};

use crate::turns::{open_store, turn};

/// Takes the store to `turns` turns and closes it; then its engine forgets a key, or has a value as it once was.
fn store_with(turns: u64, key: &[u8], value: Option<&[u8]>) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer) = open_store(dir.path());
    (1..=turns).for_each(|number| writer.commit(&[turn(number)]).unwrap());
    drop((store, writer));
    let engine = engine(dir.path());
    match value {
        Some(value) => engine.insert(key, value).unwrap(),
        None => engine.remove(key).unwrap(),
    }
    .unwrap();
    engine.flush().unwrap();
    dir
}

/// The engine itself, once the journal has let it go.
fn engine(dir: &Path) -> sled::Db {
    loop {
        match sled::Config::new().path(dir).open() {
            Ok(db) => return db,
            Err(error) => assert!(error.to_string().contains("lock"), "{error}"),
        }
        std::thread::yield_now();
    }
}

fn put(key: &[u8], value: &[u8], first_sequence: u64) -> Turn {
    let writes = vec![Write::Put { key: key.to_vec(), value: value.to_vec() }];
    Turn { first_sequence, writes, moves_money: true, ..Turn::default() }
}

fn is_damage<T: std::fmt::Debug>(said: Result<T, JournalError>) {
    assert!(matches!(said, Err(JournalError::Damaged { .. })), "{said:?}");
}

#[test]
fn a_key_that_is_lost_or_as_it_once_was_is_found_before_an_ordinary_opening_is_done() {
    for value in [None, Some(&b"as it once was"[..])] {
        let dir = store_with(5, b"B|last", value);
        is_damage(open(dir.path(), &Options::default()));
    }
}

#[test]
fn the_check_that_comes_after_the_opening_finds_it_too_even_if_the_key_has_been_written_anew() {
    for value in [None, Some(&b"as it once was"[..])] {
        let dir = store_with(5, b"B|last", value);
        let (_store, mut writer, unchecked) = open_unchecked(dir.path(), &Options::default()).unwrap();
        assert_eq!(unchecked.count(), 6, "five of the turns and one of all");
        writer.commit(&[put(b"B|last", b"anew", 11)]).unwrap();
        is_damage(unchecked.check());
    }
}

#[test]
fn what_is_written_between_opening_and_check_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer) = open_store(dir.path());
    (1..=5).for_each(|number| writer.commit(&[turn(number)]).unwrap());
    drop((store, writer));
    let (_store, mut writer, unchecked) = open_unchecked(dir.path(), &Options::default()).unwrap();
    writer.commit(&[put(b"Z|new", b"1", 11), put(b"B|last", b"2", 11)]).unwrap();
    assert_eq!(unchecked.check().unwrap(), 7);
}

#[test]
fn so_many_keys_that_two_threads_read_them_are_all_read() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer) = open_store(dir.path());
    let group = |from: u64| {
        let put = |prefix, number| {
            let key = format!("{prefix}|{number:07}").into_bytes();
            Write::Put { key, value: vec![7; 20] }
        };
        let writes = (from..from + 250).flat_map(|number| [put('B', number), put('T', number)]).collect();
        Turn { first_sequence: 1, writes, ..Turn::default() }
    };
    (0..60).for_each(|number| writer.commit(&[group(number * 250)]).unwrap());
    writer.close().unwrap();
    drop((store, writer));
    for key in [&b"B|0000000"[..], b"B|0014999", b"T|0000000", b"T|0014999"] {
        let (_store, _writer, unchecked) = open_unchecked(dir.path(), &Options::default()).unwrap();
        assert_eq!(unchecked.check().unwrap(), 30_000);
        drop((_store, _writer));
        let engine = engine(dir.path());
        let lost = engine.remove(key).unwrap().unwrap();
        engine.flush().unwrap();
        drop(engine);
        is_damage(open(dir.path(), &Options::default()));
        let engine = self::engine(dir.path());
        engine.insert(key, lost).unwrap();
        engine.flush().unwrap();
    }
}
