//! A business date in one file: archived, pruned, put back here and read elsewhere; and nothing that differs is taken for
//! it.

use std::fs::File;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use billswitch::bounds::Sealing;
use billswitch::journal::{
    ArchiveError, JournalError, Sealer, Store, Writer, archive, ledger, open_restored, restore_into,
    sealed_days,
};
use billswitch::switch::State;

use crate::records::{self, DAY, cut_over, date, pay, seal};
use crate::turns::{Dice, open_store};

const SEALING: Sealing = Sealing { working_legs_max: 1_000, segment_legs_max: 60 };

/// A store with two sealed days of fifty payments each, and some of today's.
fn three_days(dir: &Path) -> (Store, Writer, Sealer) {
    let (store, mut writer) = open_store(dir);
    let mut sealer = Sealer::new(&store, SEALING);
    for day in 0..3 {
        let first = u64::try_from(day).unwrap() * 50 + 1;
        for number in first..first + 50 {
            writer.commit(&[pay(&store, number, DAY + day, State::Posted)]).unwrap();
        }
        if day < 2 {
            cut_over(&store, &mut writer, DAY + day + 1);
        }
    }
    seal(&store, &mut writer, &mut sealer, DAY + 2, 10_000);
    (store, writer, sealer)
}

fn archived(dir: &Path, day: i32) -> PathBuf {
    let to = dir.join(format!("{}.bsa", date(day)));
    archive(dir, date(day), &to, &mut |_, _| ()).unwrap();
    to
}

fn legs(store: &Store) -> Vec<(u64, Vec<u8>)> {
    store.legs(1).map(Result::unwrap).collect()
}

/// The files of a sealed date, in order.
fn files_of(dir: &Path, day: i32) -> Vec<PathBuf> {
    let Ok(listing) = std::fs::read_dir(dir.join("days").join(date(day).to_string())) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = listing.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn a_date_is_archived_pruned_and_put_back_and_all_is_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _writer, _) = three_days(dir.path());
    let before = legs(&store);
    let days = store.sealed_days();
    assert_eq!(
        days.iter().map(|day| (day.legs, day.pruned, day.complete)).collect::<Vec<_>>(),
        [(100, 0, true), (101, 0, true)]
    );
    assert_eq!(days, sealed_days(dir.path()).unwrap());
    let file = archived(dir.path(), DAY);
    assert_eq!(store.prune(date(DAY), date(DAY + 2), Some(&file)).unwrap(), 100);

    // What is left of it is the chain.
    let verified = store.verify(&mut |_| ()).unwrap();
    assert_eq!((verified.pruned, verified.sealed, verified.legs), (100, 101, 202));
    assert!(matches!(store.leg(7), Err(JournalError::Pruned { first: 1, .. })));
    assert!(ledger::find(&store, &records::key(7)).unwrap().is_none());
    assert!(ledger::may_be_pruned(&store, &records::key(7)));
    assert_eq!(ledger::records_of(&store, date(DAY + 1)).filter(Result::is_err).count(), 0, "of another day");
    assert!(ledger::records_of(&store, date(DAY)).any(|record| record.is_err()), "never silently less");
    assert!(matches!(store.prune(date(DAY), date(DAY + 2), None), Err(ArchiveError::IsPruned(_))));
    drop((store, _writer));

    let (store, _writer) = open_store(dir.path());
    assert_eq!(store.sealed_days()[0].pruned, store.sealed_days()[0].segments);
    assert_eq!(store.restore(&file).unwrap(), date(DAY));
    assert!(legs(&store) == before);
    assert_eq!(store.verify(&mut |_| ()).unwrap().pruned, 0);
    assert_eq!(ledger::find(&store, &records::key(7)).unwrap().unwrap().state, State::Posted);
    assert!(matches!(store.restore(&file), Err(ArchiveError::NotPruned(_))), "it is here");
    drop((store, _writer));
    assert!(legs(&open_store(dir.path()).0) == before);
}

#[test]
fn an_archive_is_read_on_another_machine_alone_or_with_others() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _writer, _) = three_days(dir.path());
    let all = legs(&store);
    let elsewhere = tempfile::tempdir().unwrap();
    restore_into(elsewhere.path(), &archived(dir.path(), DAY + 1)).unwrap();
    let restored = open_restored(elsewhere.path()).unwrap();
    let want: Vec<_> = all.iter().filter(|(leg, _)| (101..=201).contains(leg)).cloned().collect();
    assert!(legs(&restored) == want);
    let verified = restored.verify(&mut |_| ()).unwrap();
    assert_eq!((verified.first, verified.last, verified.legs), (101, 201, 101));
    assert_eq!(ledger::payments(&restored).count(), 50);
    assert_eq!(ledger::records_of(&restored, date(DAY + 1)).map(Result::unwrap).count(), 101);
    assert_eq!(restored.last_legs(3).map(|leg| leg.unwrap().0).collect::<Vec<_>>(), [199, 200, 201]);
    restore_into(elsewhere.path(), &archived(dir.path(), DAY)).unwrap();
    let restored = open_restored(elsewhere.path()).unwrap();
    assert!(legs(&restored) == all[..201]);
}

#[test]
fn dates_with_a_gap_between_them_are_read_one_after_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer, mut sealer) = three_days(dir.path());
    cut_over(&store, &mut writer, DAY + 3);
    for number in 151..=160 {
        writer.commit(&[pay(&store, number, DAY + 3, State::Posted)]).unwrap();
    }
    seal(&store, &mut writer, &mut sealer, DAY + 3, 10_000);
    let elsewhere = tempfile::tempdir().unwrap();
    for day in [DAY, DAY + 2] {
        restore_into(elsewhere.path(), &archived(dir.path(), day)).unwrap();
    }
    let restored = open_restored(elsewhere.path()).unwrap();
    let found: Vec<_> = restored.legs(1).map(|leg| leg.unwrap().0).collect();
    assert!(found.into_iter().eq((1..=100).chain(202..=302)));
    restored.verify(&mut |_| ()).unwrap();
}

#[test]
fn what_is_worked_with_is_not_pruned() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer) = open_store(dir.path());
    writer.commit(&[pay(&store, 1, DAY, State::Exception)]).unwrap();
    for number in 2..=40 {
        writer.commit(&[pay(&store, number, DAY, State::Posted)]).unwrap();
    }
    cut_over(&store, &mut writer, DAY + 1);
    writer.commit(&[pay(&store, 41, DAY + 1, State::Posted)]).unwrap();
    let today = date(DAY + 1);
    assert!(matches!(store.prune(date(DAY), today, None), Err(ArchiveError::NoSuchDate(_))));
    // Step by step: refused until nothing of it is worked with any more, and the exception has been carried over.
    let (mut sealer, mut refused) = (Sealer::new(&store, SEALING), 0);
    while store.prune(date(DAY), today, None).is_err() {
        let carried = ledger::exceptions(&store).unwrap()[0].0 > 2;
        assert!(!carried || refused > 1);
        if store.sealed_days().first().is_some_and(|day| day.complete) {
            assert!(matches!(store.prune(date(DAY), date(DAY), None), Err(ArchiveError::StillWorking(..))));
        }
        seal(&store, &mut writer, &mut sealer, DAY + 1, 1);
        refused += 1;
    }
    assert!(refused > 3 && ledger::exceptions(&store).unwrap()[0].0 > 80, "{refused}");
    assert_eq!(ledger::exceptions(&store).unwrap().len(), 1, "what is owed is not pruned with its day");
    store.verify(&mut |_| ()).unwrap();
}

#[test]
fn a_flipped_byte_of_an_archive_is_found_and_nothing_is_pruned_or_restored_by_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _writer, _) = three_days(dir.path());
    let before = legs(&store);
    let file = archived(dir.path(), DAY);
    let bytes = std::fs::metadata(&file).unwrap().len();
    let flip = |at: u64, bit: u64| {
        let file = File::options().read(true).write(true).open(&file).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ (1 << bit)], at).unwrap();
    };
    let mut dice = Dice(3);
    let (mut found, mut harmless) = (0, 0);
    for _ in 0..60 {
        let (at, bit) = (dice.below(bytes), dice.below(8));
        flip(at, bit);
        let elsewhere = tempfile::tempdir().unwrap();
        if restore_into(elsewhere.path(), &file).is_err() {
            found += 1;
            assert!(store.prune(date(DAY), date(DAY + 2), Some(&file)).is_err(), "byte {at}");
            let left = files_of(elsewhere.path(), DAY);
            assert!(left.iter().all(|file| file.extension().unwrap() == "legs"), "byte {at}: {left:?}");
        } else {
            // Padding of the packing: what comes out of it is the same.
            assert!(legs(&open_restored(elsewhere.path()).unwrap()) == before[..100], "byte {at}");
            harmless += 1;
        }
        flip(at, bit);
    }
    assert!(found > 50, "{found} found, {harmless} harmless");
    let other = archived(dir.path(), DAY + 1);
    assert!(store.prune(date(DAY), date(DAY + 2), Some(&other)).is_err(), "another date's");
    assert!(legs(&store) == before);
}

#[test]
fn an_archive_is_never_written_over_another_file() {
    let dir = tempfile::tempdir().unwrap();
    let (_store, _writer, _) = three_days(dir.path());
    let file = archived(dir.path(), DAY);
    let was = std::fs::read(&file).unwrap();
    assert!(archive(dir.path(), date(DAY + 1), &file, &mut |_, _| ()).is_err());
    assert!(std::fs::read(&file).unwrap() == was);
    let partial = dir.path().join(format!("{}.bsa.partial", date(DAY)));
    assert!(!partial.exists(), "what was packed for nothing is gone");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "its owner's alone");
    // Somebody else's that is in the making stays.
    std::fs::write(&partial, "half").unwrap();
    std::fs::remove_file(&file).unwrap();
    let refused = archive(dir.path(), date(DAY), &file, &mut |_, _| ()).unwrap_err();
    assert!(matches!(refused, ArchiveError::InTheMaking(_)), "{refused}");
    assert_eq!((std::fs::read(&partial).unwrap().as_slice(), file.exists()), (&b"half"[..], false));
    assert!(matches!(
        archive(dir.path(), date(DAY + 9), &dir.path().join("none"), &mut |_, _| ()),
        Err(ArchiveError::NoSuchDate(_))
    ));
}

#[test]
fn a_date_is_archived_once_all_of_it_is_sealed_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer) = open_store(dir.path());
    let mut sealer = Sealer::new(&store, Sealing { working_legs_max: 10, segment_legs_max: 10 });
    for number in 1..=30 {
        writer.commit(&[pay(&store, number, DAY, State::Posted)]).unwrap();
        seal(&store, &mut writer, &mut sealer, DAY, 10_000);
    }
    let to = dir.path().join("early.bsa");
    let early = |to: &Path| archive(dir.path(), date(DAY), to, &mut |_, _| ());
    assert!(matches!(early(&to), Err(ArchiveError::StillWorking(..))));
    assert!(!to.exists() && !store.sealed_days()[0].complete);
    cut_over(&store, &mut writer, DAY + 1);
    seal(&store, &mut writer, &mut sealer, DAY + 1, 10_000);
    assert_eq!(early(&to).unwrap().legs, 60, "the cutover itself is of the next");
}

#[test]
fn whoever_asks_for_a_payment_while_its_date_is_pruned_or_put_back_is_told_of_no_fault() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _writer, _) = three_days(dir.path());
    let file = archived(dir.path(), DAY);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| {
            let mut asked = 0_u64;
            while !over.load(Ordering::Relaxed) {
                let key = records::key(asked % 50 + 1);
                let found = ledger::find(&store, &key).unwrap();
                assert!(found.is_none_or(|payment| payment.key == key));
                ledger::is_somebody_elses(&store, &key).unwrap();
                asked += 1;
            }
            asked
        });
        for _ in 0..40 {
            if asked.is_finished() {
                break;
            }
            store.prune(date(DAY), date(DAY + 2), Some(&file)).unwrap();
            store.restore(&file).unwrap();
        }
        over.store(true, Ordering::Relaxed);
        assert!(asked.join().unwrap() > 0);
    });
}

#[test]
fn dates_are_pruned_from_the_oldest_on_and_put_back_from_the_latest_so_that_the_last_word_counts() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut writer) = open_store(dir.path());
    writer.commit(&[pay(&store, 1, DAY, State::Posted)]).unwrap();
    cut_over(&store, &mut writer, DAY + 1);
    writer.commit(&[pay(&store, 1, DAY + 1, State::Reversed)]).unwrap();
    cut_over(&store, &mut writer, DAY + 2);
    seal(&store, &mut writer, &mut Sealer::new(&store, SEALING), DAY + 2, 10_000);
    let state = || ledger::find(&store, &records::key(1)).unwrap().map(|payment| payment.state);
    let (first, second) = (archived(dir.path(), DAY), archived(dir.path(), DAY + 1));
    let prune = |day: i32| store.prune(date(day), date(DAY + 2), None);
    let refused = prune(DAY + 1).unwrap_err();
    assert!(matches!(refused, ArchiveError::OlderIsHere { .. }), "{refused}");
    assert_eq!(state(), Some(State::Reversed));
    prune(DAY).unwrap();
    assert_eq!(state(), Some(State::Reversed));
    prune(DAY + 1).unwrap();
    let refused = store.restore(&first).unwrap_err();
    assert!(matches!(refused, ArchiveError::LaterIsPruned { .. }), "{refused}");
    assert_eq!(state(), None, "pruned, and not posted again");
    store.restore(&second).unwrap();
    store.restore(&first).unwrap();
    assert_eq!(state(), Some(State::Reversed));
    store.verify(&mut |_| ()).unwrap();
}

#[test]
fn a_restore_that_was_cut_short_counts_for_nothing_and_is_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let (store, writer, _) = three_days(dir.path());
    let file = archived(dir.path(), DAY);
    let legs_file = files_of(dir.path(), DAY).remove(0);
    let bytes = std::fs::read(&legs_file).unwrap();
    store.prune(date(DAY), date(DAY + 2), Some(&file)).unwrap();
    drop((store, writer));
    // Of two segments the older one is back.
    std::fs::write(&legs_file, bytes).unwrap();
    let (store, _writer) = open_store(dir.path());
    assert_eq!(store.sealed_days()[0].pruned, 2);
    assert_eq!(ledger::find(&store, &records::key(1)).unwrap(), None);
    assert_eq!(store.restore(&file).unwrap(), date(DAY));
    assert_eq!(store.verify(&mut |_| ()).unwrap().pruned, 0);
}

#[test]
fn a_prune_that_was_cut_short_is_finished_by_an_archive_that_has_what_is_gone_too() {
    let dir = tempfile::tempdir().unwrap();
    let (store, writer, _) = three_days(dir.path());
    let file = archived(dir.path(), DAY);
    let legs_file = files_of(dir.path(), DAY).remove(1);
    let bytes = std::fs::read(&legs_file).unwrap();
    store.prune(date(DAY), date(DAY + 2), Some(&file)).unwrap();
    drop((store, writer));
    // Of two segments the older one is gone.
    std::fs::write(&legs_file, bytes).unwrap();
    let (store, _writer) = open_store(dir.path());
    assert_eq!(store.sealed_days()[0].pruned, 1);
    for at in [1_000, usize::MAX] {
        let other = altered(&file, at);
        let refused = store.prune(date(DAY), date(DAY + 2), Some(&other)).unwrap_err();
        assert!(matches!(refused, ArchiveError::Differs { .. }), "{refused}");
    }
    store.prune(date(DAY), date(DAY + 2), Some(&file)).unwrap();
    assert_eq!(store.sealed_days()[0].pruned, 2);
    store.restore(&file).unwrap();
    assert_eq!(store.verify(&mut |_| ()).unwrap().pruned, 0);
}

/// The archive with a bit of its first segment altered, in its body or at its end, and a manifest that says so.
fn altered(file: &Path, at: usize) -> PathBuf {
    use sha2::{Digest, Sha256};
    let mut archive = tar::Archive::new(zstd::Decoder::new(File::open(file).unwrap()).unwrap());
    let mut entries: Vec<(String, Vec<u8>)> = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        entries.push((entry.path().unwrap().display().to_string(), bytes));
    }
    let segment = &mut entries[1].1;
    let at = at.min(segment.len() - 20);
    segment[at] ^= 1;
    let sum = hex::encode(Sha256::digest(&*segment));
    let mut manifest: serde_json::Value = serde_json::from_slice(&entries[0].1).unwrap();
    manifest["segments"][0]["sha256"] = sum.into();
    entries[0].1 = serde_json::to_vec(&manifest).unwrap();
    let to = file.with_extension("altered");
    let mut tar = tar::Builder::new(zstd::Encoder::new(File::create(&to).unwrap(), 3).unwrap());
    for (name, bytes) in &entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len().try_into().unwrap());
        tar.append_data(&mut header, name, bytes.as_slice()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap();
    to
}

#[test]
fn who_prunes_while_another_restores_is_told_to_come_again_and_removes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (store, writer, _) = three_days(dir.path());
    let file = archived(dir.path(), DAY);
    store.prune(date(DAY), date(DAY + 2), Some(&file)).unwrap();
    // Who restores from here is in the midst of it as soon as the other end can be opened.
    let pipe = dir.path().join("pipe.bsa");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    std::thread::scope(|scope| {
        let restoring = scope.spawn(|| store.restore(&pipe));
        let mut archive = File::options().write(true).open(&pipe).unwrap();
        let refused =
            [store.prune(date(DAY + 1), date(DAY + 2), None).map(|_| ()), store.restore(&file).map(|_| ())];
        std::io::copy(&mut File::open(&file).unwrap(), &mut archive).unwrap();
        drop(archive);
        assert_eq!(restoring.join().unwrap().unwrap(), date(DAY));
        for refused in refused {
            assert!(matches!(refused, Err(ArchiveError::UnderWay)), "{refused:?}");
        }
    });
    drop((store, writer));
    let (store, _writer) = open_store(dir.path());
    assert_eq!(store.verify(&mut |_| ()).unwrap().pruned, 0);
}
