//! Turns whose content follows from their number, so that what a store should hold can be said without having
//! seen it.

use std::path::Path;
use std::time::Duration;

use billswitch::journal::{JournalError, Options, Store, Turn, Write, Writer, open};

/// Legs of every turn.
pub(crate) const LEGS_A_TURN: u64 = 2;

/// A small generator with a seed, so that a failure can be had again.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// The leg of sequence `sequence`: 200 to 400 bytes.
pub(crate) fn leg(sequence: u64) -> Vec<u8> {
    let mut dice = Dice(sequence);
    let bytes = 200 + dice.below(201);
    (0..bytes).map(|_| u8::try_from(dice.below(256)).unwrap()).collect()
}

/// The key turn `number` writes; in no order.
pub(crate) fn key(number: u64) -> Vec<u8> {
    format!("T|{:016x}", Dice(number).below(u64::MAX)).into_bytes()
}

/// The value turn `number` writes under its key.
pub(crate) fn value(number: u64) -> Vec<u8> {
    format!("{number:0>100}").into_bytes()
}

/// Turn `number`, from 1 on: two legs, a put, and one key that every turn overwrites.
pub(crate) fn turn(number: u64) -> Turn {
    let first_sequence = (number - 1) * LEGS_A_TURN + 1;
    Turn {
        first_sequence,
        legs: (first_sequence..first_sequence + LEGS_A_TURN).map(leg).collect(),
        writes: vec![
            Write::Put { key: key(number), value: value(number) },
            Write::Put { key: b"B|last".to_vec(), value: value(number) },
        ],
        moves_money: true,
    }
}

/// Opens with the defaults.
pub(crate) fn open_store(dir: &Path) -> (Store, Writer) {
    try_open(dir).unwrap()
}

/// Opens with the defaults, or says why that is refused; not that it is locked as long as it may be let go. A process that
/// another test begins holds for a moment, until it runs its program, all that was open here, a lock among it.
pub(crate) fn try_open(dir: &Path) -> Result<(Store, Writer), JournalError> {
    for _ in 0..6_000 {
        match open(dir, &Options::default()) {
            Err(JournalError::Locked { .. }) => std::thread::sleep(Duration::from_millis(5)),
            opened => return opened,
        }
    }
    open(dir, &Options::default())
}

/// The number of whole turns in the store, or what is wrong with it: the chain must verify, each leg and key
/// must be as written, and no turn may be there in part.
pub(crate) fn whole_turns(store: &Store) -> Result<u64, String> {
    let verified = store.verify(&mut |_| ()).map_err(|error| error.to_string())?;
    let turns = verified.last / LEGS_A_TURN;
    if verified.last % LEGS_A_TURN != 0 {
        return Err(format!("ends inside a turn, at leg {}", verified.last));
    }
    let mut next = 1;
    for step in store.legs(1) {
        let (sequence, bytes) = step.map_err(|error| error.to_string())?;
        if sequence != next || bytes != leg(next) {
            return Err(format!("leg {next} is not as written"));
        }
        next += 1;
    }
    if next != verified.last + 1 {
        return Err(format!("the walk ends at {next}, the chain at {}", verified.last));
    }
    for number in 1..=turns {
        let stored = store.get(&key(number)).map_err(|error| error.to_string())?;
        if stored.as_deref() != Some(value(number).as_slice()) {
            return Err(format!("the key of turn {number} is not as written"));
        }
    }
    let keys = store.scan(b"T|").filter(Result::is_ok).count();
    if u64::try_from(keys).ok() != Some(turns) {
        return Err(format!("{keys} keys of {turns} turns"));
    }
    let last = store.get(b"B|last").map_err(|error| error.to_string())?;
    let want = (turns > 0).then(|| value(turns));
    if last.as_deref() != want.as_deref() {
        return Err("the overwritten key is not the last turn's".to_owned());
    }
    Ok(turns)
}

/// Copies the files of a store's directory, its lock and its empty directories aside.
pub(crate) fn copy_store(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}
