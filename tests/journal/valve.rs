//! The valve: in order, after the commit, and never after an error.

use std::sync::mpsc;

use billswitch::journal::{Closed, JournalError, LEG_BYTES_MAX, Turn, Valve, Write};

use crate::turns::{open_store, turn, whole_turns};

#[test]
fn what_leaves_is_already_in_the_store_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (store, writer) = open_store(dir.path());
    let (released, out) = mpsc::channel();
    let seen = store.clone();
    let release = move |number: u64| released.send((number, seen.next_sequence())).unwrap();
    let valve = Valve::start(writer, 8, release, |error| panic!("{error}")).unwrap();
    for number in 1..=2000 {
        valve.submit_blocking(turn(number), number).unwrap();
    }
    valve.close();
    let out: Vec<_> = out.iter().collect();
    assert_eq!(out.len(), 2000);
    for (index, (number, next)) in (1..).zip(out) {
        assert_eq!(number, index);
        assert!(next > number * 2, "turn {number} left at leg {next}");
    }
    assert_eq!(whole_turns(&store), Ok(2000));
}

#[test]
fn committed_has_counted_a_turn_when_it_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let (_store, writer) = open_store(dir.path());
    let (released, out) = mpsc::channel();
    let release = move |number: u64| released.send(number).unwrap();
    let valve = Valve::start(writer, 8, release, |error| panic!("{error}")).unwrap();
    for number in 1..=50 {
        valve.submit_blocking(turn(number), number).unwrap();
        assert_eq!(out.recv().unwrap(), number);
        assert_eq!(valve.committed(), number);
    }
    valve.close();
}

#[test]
fn an_async_submitter_waits_while_the_queue_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let (store, writer) = open_store(dir.path());
    let (released, out) = mpsc::sync_channel(0);
    // A release that waits for its receiver, so that the queue fills.
    let release = move |number: u64| released.send(number).unwrap();
    let valve = Valve::start(writer, 1, release, |error| panic!("{error}")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let reader = std::thread::spawn(move || out.iter().collect::<Vec<_>>());
    runtime.block_on(async {
        for number in 1..=500 {
            valve.submit(turn(number), number).await.unwrap();
        }
    });
    valve.close();
    assert!(reader.join().unwrap().into_iter().eq(1..=500));
    assert_eq!(whole_turns(&store), Ok(500));
}

#[test]
fn after_an_error_nothing_leaves_and_nothing_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let (store, writer) = open_store(dir.path());
    let (released, out) = mpsc::channel();
    let (failed, failure) = mpsc::channel();
    let release = move |number: u64| released.send(number).unwrap();
    let valve = Valve::start(writer, 4, release, move |error| failed.send(error).unwrap()).unwrap();
    valve.submit_blocking(turn(1), 1).unwrap();
    assert_eq!(out.recv().unwrap(), 1);
    let bad = Turn { legs: vec![vec![0; LEG_BYTES_MAX + 1]], ..turn(2) };
    valve.submit_blocking(bad, 2).unwrap();
    // Some may still be queued; sooner or later the valve says that it is closed.
    while valve.submit_blocking(turn(2), 3) != Err(Closed) {}
    assert!(matches!(failure.recv().unwrap(), JournalError::TooLarge { .. }));
    valve.close();
    assert_eq!(out.iter().count(), 0, "something left after the error");
    assert_eq!(whole_turns(&store), Ok(1));
}

#[test]
fn turns_that_move_no_money_are_durable_once_the_valve_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let (store, writer) = open_store(dir.path());
    let valve = Valve::start(writer, 64, |_: u64| (), |error| panic!("{error}")).unwrap();
    for number in 1..=300 {
        valve.submit_blocking(Turn { moves_money: false, ..turn(number) }, number).unwrap();
    }
    valve.close();
    drop(store);
    let (store, _writer) = open_store(dir.path());
    assert_eq!(whole_turns(&store), Ok(300));
}

#[test]
fn a_group_larger_than_the_bound_is_split_and_a_single_large_turn_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (store, writer) = open_store(dir.path());
    let valve = Valve::start(writer, 64, |_: u64| (), |error| panic!("{error}")).unwrap();
    let mut first_sequence = 1;
    for legs in [1_u64, 511, 512, 513, 2000, 300, 300, 1] {
        let turn = Turn {
            first_sequence,
            legs: (0..legs).map(|_| vec![1; 100]).collect(),
            moves_money: true,
            ..Turn::default()
        };
        valve.submit_blocking(turn, 0).unwrap();
        first_sequence += legs;
    }
    for number in 0..3000_u32 {
        let writes = vec![Write::Put { key: format!("B|{number}").into(), value: vec![] }];
        valve.submit_blocking(Turn { first_sequence, writes, ..Turn::default() }, 0).unwrap();
    }
    valve.close();
    assert_eq!(store.next_sequence(), first_sequence);
    assert_eq!(store.scan(b"B|").count(), 3000);
    assert_eq!(store.verify(&mut |_| ()).unwrap().legs, first_sequence - 1);
}
