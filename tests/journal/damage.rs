//! A flipped byte, a lost sector, a cut: it is found at opening or by the full walk, or it harms nothing.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use billswitch::journal::JournalError;

use crate::turns::{Dice, copy_store, open_store, try_open, turn, whole_turns};

/// Turns in the store that is damaged; enough for several of the engine's segments, some of them reused.
const TURNS: u64 = 1500;

/// What became of a flip.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    Refused,
    FoundByVerify,
    Harmless,
}

/// Opens a damaged copy. Panics if anything that was written is gone or different without a word.
fn fate(dir: &Path, what: &str) -> Fate {
    let (store, _writer) = match try_open(dir) {
        Ok(opened) => opened,
        Err(JournalError::Locked { .. }) => panic!("{what}: the last opening was not let go"),
        Err(_) => return Fate::Refused,
    };
    if store.verify(&mut |_| ()).is_err() {
        return Fate::FoundByVerify;
    }
    match whole_turns(&store) {
        Ok(TURNS) => Fate::Harmless,
        Ok(turns) => panic!("{what}: {turns} turns of {TURNS} without a word"),
        Err(lost) => panic!("{what}: verified, but {lost}"),
    }
}

/// What is done to a file.
#[derive(Clone, Copy, Debug)]
enum Damage {
    /// One byte is other than it was.
    Flip { offset: u64, mask: u8 },
    /// A disk sector reads as zeros.
    Zeros { offset: u64 },
    /// The file ends early.
    Cut { bytes: u64 },
}

impl Damage {
    fn inflict(self, path: &Path) {
        let file = File::options().read(true).write(true).open(path).unwrap();
        match self {
            Self::Flip { offset, mask } => {
                let mut byte = [0];
                file.read_exact_at(&mut byte, offset).unwrap();
                file.write_all_at(&[byte[0] ^ mask], offset).unwrap();
            }
            Self::Zeros { offset } => {
                let end = file.metadata().unwrap().len();
                let bytes = usize::try_from((end - offset).min(512)).unwrap();
                file.write_all_at(&vec![0; bytes], offset).unwrap();
            }
            Self::Cut { bytes } => file.set_len(bytes).unwrap(),
        }
    }
}

/// A store of [`TURNS`] turns, opened once in between, so that there is a snapshot of the engine's with
/// records on both sides of it.
fn whole_store() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for part in [1..=TURNS / 2, TURNS / 2 + 1..=TURNS] {
        let (_store, mut writer) = open_store(dir.path());
        part.for_each(|number| writer.commit(&[turn(number)]).unwrap());
    }
    dir
}

/// Damages the file whose name begins with `name` in a copy of the store, `times` times, and counts the fates
/// that were not harmless.
fn found(name: &str, times: u64, draw: impl Fn(&mut Dice, u64) -> Damage) -> usize {
    let dir = whole_store();
    let name = file_named(dir.path(), name);
    let bytes = std::fs::metadata(dir.path().join(&name)).unwrap().len();
    let mut dice = Dice(42);
    let fates = (0..times).map(|_| {
        let copy = tempfile::tempdir().unwrap();
        copy_store(dir.path(), copy.path());
        let damage = draw(&mut dice, bytes);
        damage.inflict(&copy.path().join(&name));
        fate(copy.path(), &format!("{name} {damage:?}"))
    });
    fates.filter(|fate| *fate != Fate::Harmless).count()
}

fn flip(dice: &mut Dice, bytes: u64) -> Damage {
    Damage::Flip { offset: dice.below(bytes), mask: u8::try_from(1 + dice.below(255)).unwrap() }
}

#[test]
fn a_flipped_byte_of_the_store_is_never_a_silent_loss() {
    let found = found("db", 120, flip);
    assert!(found > 40, "only {found} were found: were they flips?");
}

#[test]
fn a_lost_sector_of_the_store_is_never_a_silent_loss() {
    let zeros = |dice: &mut Dice, bytes| Damage::Zeros { offset: dice.below(bytes) / 512 * 512 };
    assert!(found("db", 40, zeros) > 10);
}

#[test]
fn a_store_that_is_cut_short_is_never_a_silent_loss() {
    let cut = |dice: &mut Dice, bytes| Damage::Cut { bytes: dice.below(bytes) };
    assert!(found("db", 20, cut) > 10);
}

#[test]
fn a_flipped_byte_beside_the_store_is_never_a_silent_loss() {
    for name in ["witness", "conf", "snap."] {
        found(name, 25, flip);
    }
}

/// The file of that name, or the one that begins so.
fn file_named(dir: &Path, start: &str) -> String {
    let names =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(start)).min_by_key(String::len).unwrap()
}
