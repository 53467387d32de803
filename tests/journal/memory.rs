//! The disk that a simulation plays: what it may lose, and that nothing it does goes unnoticed.

use billswitch::journal::{DiskFault, JournalError, MemoryDisk, Turn, Write, open_memory};

/// A turn of one leg and one key.
fn turn(number: u64, moves_money: bool) -> Turn {
    let put = Write::Put { key: format!("B{number}").into(), value: vec![b'v'; 40] };
    Turn {
        first_sequence: number,
        legs: vec![format!("leg {number}").into()],
        writes: vec![put],
        moves_money,
    }
}

/// A disk with `durable` synced turns, and one behind them that is not.
fn written(durable: u64) -> MemoryDisk {
    let disk = MemoryDisk::new();
    let (_, mut writer) = open_memory(&disk).unwrap();
    for number in 1..=durable {
        writer.commit(&[turn(number, true)]).unwrap();
    }
    writer.commit(&[turn(durable + 1, false)]).unwrap();
    disk
}

fn legs(disk: &MemoryDisk) -> u64 {
    let (store, _) = open_memory(disk).unwrap();
    store.verify(&mut |_| ()).unwrap().legs
}

#[test]
fn a_crash_takes_what_was_not_synced_and_nothing_else() {
    for (kept, want) in [(0, 3), (1, 4)] {
        let disk = written(3);
        assert_eq!(disk.unsynced(), 1);
        disk.crash(kept, false);
        assert_eq!(legs(&disk), want);
    }
}

#[test]
fn a_torn_batch_is_noticed_wherever_it_is_torn() {
    let disk = written(3);
    let torn: Vec<_> = (0..8).filter_map(|changes| disk.torn(changes)).collect();
    assert!(!torn.is_empty());
    for torn in torn {
        assert!(open_memory(&torn).is_err());
    }
}

#[test]
fn every_flipped_bit_is_noticed_by_the_opening_or_by_verify() {
    let disk = written(3);
    disk.crash(1, false);
    let mut tried = 0;
    for key in 0..20 {
        for bit in 0..64 {
            let Some(flipped) = disk.flipped(key, bit * 7) else { continue };
            tried += 1;
            let seen = open_memory(&flipped).and_then(|(store, _)| store.verify(&mut |_| ()));
            assert!(seen.is_err(), "key {key}, bit {}", bit * 7);
        }
    }
    assert!(tried > 500);
}

#[test]
fn after_a_full_disk_or_a_failed_sync_nothing_is_taken_until_it_is_opened_again() {
    for fault in [DiskFault::Full, DiskFault::SyncFails] {
        let disk = written(3);
        disk.crash(0, false);
        let (_, mut writer) = open_memory(&disk).unwrap();
        disk.fail_next(fault);
        assert!(writer.commit(&[turn(4, true)]).is_err());
        assert!(matches!(writer.commit(&[turn(4, true)]), Err(JournalError::Poisoned)));
        disk.crash(0, false);
        assert_eq!(legs(&disk), 3, "{fault:?}");
    }
}

#[test]
fn a_sync_that_lied_is_found_out_after_the_crash() {
    let disk = written(3);
    disk.crash(0, false);
    let (_, mut writer) = open_memory(&disk).unwrap();
    disk.fail_next(DiskFault::SyncLies);
    writer.commit(&[turn(4, true)]).unwrap();
    disk.crash(0, false);
    assert!(matches!(open_memory(&disk), Err(JournalError::Lost { durable: 4, found: 3 })));
}
