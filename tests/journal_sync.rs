//! Alone in its process, because syncs are counted by process.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use billswitch::journal::{LEG_BYTES_MAX, Options, Turn, Valve, Write, open};

fn turn(number: u64) -> Turn {
    Turn {
        first_sequence: number,
        legs: vec![vec![7; 300]],
        writes: vec![Write::Put { key: b"T|1".to_vec(), value: number.to_be_bytes().to_vec() }],
        moves_money: true,
    }
}

#[test]
fn every_money_turn_waits_for_a_sync_and_an_inquiry_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer) = open(dir.path(), &Options::default()).unwrap();
    let syncs = || store.health().unwrap().syncs;
    assert!(syncs() >= 1, "opening proves that a flush is a sync");

    for number in 1..=10 {
        let before = syncs();
        writer.commit(&[turn(number)]).unwrap();
        assert!(syncs() > before, "turn {number} was not synced");
    }

    // An inquiry does not wait for a sync, but not for ever without one either.
    let inquiry = |number| Turn { moves_money: false, ..turn(number) };
    let waited = (11..=60).map(|number| {
        let before = syncs();
        writer.commit(&[inquiry(number)]).unwrap();
        assert!(writer.is_unsynced() || syncs() > before);
        writer.is_unsynced()
    });
    let waited: Vec<_> = waited.collect();
    assert!(waited[0] && waited.contains(&false), "{waited:?}");

    // A group is synced if any of its turns moves money, and takes what waited along.
    let before = syncs();
    writer.commit(&[inquiry(61), turn(62)]).unwrap();
    assert!(syncs() > before);
    assert!(!writer.is_unsynced());

    // Nothing written, nothing to wait for.
    let next = writer.next_sequence();
    writer.commit(&[Turn { first_sequence: next, moves_money: true, ..Turn::default() }]).unwrap();
    assert!(!writer.is_unsynced());

    // A turn larger than the engine's write buffer is synced like any other.
    let before = syncs();
    let legs = (0..400).map(|_| vec![7; LEG_BYTES_MAX]).collect();
    writer.commit(&[Turn { first_sequence: next, legs, moves_money: true, ..Turn::default() }]).unwrap();
    assert!(syncs() > before);
    assert!(!writer.is_unsynced());
    drop((store, writer));

    // In a valve an inquiry is synced by itself when nothing follows it: then, and only then, the witness
    // changes.
    let dir = tempfile::tempdir().unwrap();
    let (_store, writer) = open(dir.path(), &Options::default()).unwrap();
    let witness = || std::fs::read(dir.path().join("witness")).unwrap();
    let before = witness();
    let valve = Valve::start(writer, 1, |()| (), |error| panic!("{error}")).unwrap();
    valve.submit_blocking(inquiry(1), ()).unwrap();
    let give_up = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while witness() == before {
        assert!(std::time::Instant::now() < give_up, "an idle valve did not sync");
        std::thread::yield_now();
    }
    valve.close();
}
