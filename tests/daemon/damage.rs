//! One byte of the store changed while nobody serves it: found at start, found by `ctl journal verify`, or of no consequence.
//! Never silently missing.

use std::path::{Path, PathBuf};

use billswitch::journal::{self, Options, Turn, Write};

use crate::support::Dice;
use crate::support::bank::{Bank, Slip};
use crate::support::bills::import;
use crate::support::ledger::{Deal, Undo, compare, settle};
use crate::support::site::Site;
use crate::support::wait_for;

/// Places that are tried in the file that holds nearly everything, and in each of those beside it.
const PLACES: usize = 100;
const PLACES_BESIDE: usize = 12;
/// Has legs sealed into a file of their own.
const SEALING: &str = "[journal]\nworking_legs_max = 200\nsegment_legs_max = 200";

/// What became of a flipped byte.
#[derive(Debug, Default)]
struct Outcomes {
    refused: usize,
    found: usize,
    harmless: usize,
}

/// Serves a damaged store as far as it goes.
fn look(site: &Site, deals: &[Deal], at: usize, outcomes: &mut Outcomes) {
    let mut daemon = match site.try_serve(&[]) {
        Ok(daemon) => daemon,
        Err(refused) => {
            assert!(matches!(refused.code, Some(1 | 2)), "byte {at}: {refused:?}");
            assert!(refused.said.contains("billswitch: "), "byte {at}: it says why: {refused:?}");
            outcomes.refused += 1;
            return;
        }
    };
    let verified = site.run("ctl", &["journal", "verify"]);
    match verified.code {
        1 => outcomes.found += 1,
        0 => {
            let mut deals = deals.to_vec();
            settle(&daemon, &mut deals);
            compare(site, &["KPEXCISE"], &deals);
            outcomes.harmless += 1;
        }
        // It may have come upon it by itself, and ended for it.
        _ => {
            assert_eq!(daemon.ended().code(), Some(70), "byte {at}: {verified:?}: {}", daemon.log());
            outcomes.found += 1;
        }
    }
}

/// A store with payments and a reversal, stopped in good order and put aside, and what the clients were told.
fn stopped_store(site: &Site) -> (PathBuf, Vec<Deal>) {
    let bills = import(site, "KPEXCISE", 150);
    let daemon = site.serve(&[]);
    let mut deals: Vec<Deal> = bills
        .iter()
        .zip(1..)
        .map(|(bill, number)| {
            let slip = Slip { bill: bill.clone(), number };
            Deal::new(1, slip)
        })
        .collect();
    settle(&daemon, &mut deals);
    let undo = deals[7].slip.reversal("0420");
    deals[7].undo = Undo::Answered(Bank::signed_on(daemon.address, 1).ask(&undo));
    compare(site, &["KPEXCISE"], &deals);
    if std::fs::read_to_string(site.config()).unwrap().contains(SEALING) {
        wait_for("a segment to be sealed", || {
            let status = site.ctl(&["status"]);
            (status["working_legs"].as_u64().unwrap() <= 200).then_some(())
        });
    }
    daemon.stop();
    let whole = site.path("whole");
    std::fs::rename(site.store(), &whole).unwrap();
    (whole, deals)
}

#[test]
fn n_a_flipped_byte_in_the_store_is_found_or_of_no_consequence() {
    let site = Site::new();
    let (whole, deals) = stopped_store(&site);
    let db = files(&whole).into_iter().find(|file| file.ends_with("db")).unwrap();
    let original = std::fs::read(whole.join(&db)).unwrap();
    let used: Vec<usize> = (0..original.len()).filter(|at| original[*at] != 0).collect();
    let mut dice = Dice::new(20_261_120);
    let mut outcomes = Outcomes::default();
    for number in 0..PLACES {
        let mut roll = |sides: usize| usize::try_from(dice.roll(u64::try_from(sides).unwrap())).unwrap();
        // One in four anywhere, the others where something is written.
        let at = if number % 4 == 0 { roll(original.len()) } else { used[roll(used.len())] };
        copy_store(&whole, &site, Some((&db, at, 1 << roll(8))));
        look(&site, &deals, at, &mut outcomes);
    }
    println!("of {PLACES} flipped bytes of {}: {outcomes:?}", original.len());
    assert!(outcomes.refused + outcomes.found > PLACES / 3, "were they flipped? {outcomes:?}");
}

#[test]
fn n_so_is_one_in_the_small_files_beside_it() {
    let site = Site::new();
    site.edit(|text| text.replacen("[[link]]", &format!("{SEALING}\n\n[[link]]"), 1));
    let (whole, deals) = stopped_store(&site);
    let mut dice = Dice::new(20_261_121);
    let mut outcomes = Outcomes::default();
    copy_store(&whole, &site, None);
    look(&site, &deals, 0, &mut outcomes);
    assert_eq!(outcomes.harmless, 1, "an unharmed copy is as good as the store");
    let mut names = Vec::new();
    for file in files(&whole) {
        let bytes = std::fs::metadata(whole.join(&file)).unwrap().len();
        if bytes == 0 || file.ends_with("db") {
            continue;
        }
        names.push(file.display().to_string());
        let before = outcomes.harmless;
        for _ in 0..PLACES_BESIDE {
            let (at, bit) = (usize::try_from(dice.roll(bytes)).unwrap(), dice.roll(8));
            copy_store(&whole, &site, Some((&file, at, 1 << bit)));
            look(&site, &deals, at, &mut outcomes);
        }
        println!("{}: {} of {PLACES_BESIDE} without consequence", file.display(), outcomes.harmless - before);
    }
    for name in ["witness", "vault.keys", "conf", ".legs"] {
        assert!(names.iter().any(|file| file.ends_with(name)), "{name} is not among {names:?}");
    }
    println!("small files: {outcomes:?}");
}

/// The files of a store, by their paths in it.
fn files(store: &Path) -> Vec<PathBuf> {
    let (mut dirs, mut found) = (vec![PathBuf::new()], Vec::new());
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(store.join(&dir)).unwrap() {
            let entry = entry.unwrap();
            let path = dir.join(entry.file_name());
            if entry.path().is_dir() { dirs.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// The store as it was, but for some bits of one byte of one file.
fn copy_store(from: &Path, site: &Site, flip: Option<(&Path, usize, u8)>) {
    let _ = std::fs::remove_dir_all(site.store());
    let copied = std::process::Command::new("cp").arg("-a").arg(from).arg(site.store()).status();
    assert!(copied.unwrap().success());
    if let Some((file, at, bits)) = flip {
        let mut bytes = std::fs::read(from.join(file)).unwrap();
        bytes[at] ^= bits;
        std::fs::write(site.store().join(file), bytes).unwrap();
    }
}

/// Writes the totals of the site's only link and date as `by` more, in good order: only the legs can tell.
fn miscount(site: &Site, by: i8) {
    // A process that another test begins holds for a moment, until it runs its program, all that was open here, a lock among it.
    let (store, mut writer) =
        wait_for("the store to be let go", || journal::open(&site.store(), &Options::default()).ok());
    let (key, value) = store.scan(b"Ototals").next().unwrap().unwrap();
    let (key, mut value) = (key.to_vec(), value.to_vec());
    // The number of payments, its lowest bits first.
    value[0] = value[0].wrapping_add_signed(by);
    let (first_sequence, writes) = (store.next_sequence(), vec![Write::Put { key, value }]);
    writer.commit(&[Turn { first_sequence, writes, moves_money: true, ..Turn::default() }]).unwrap();
}

#[test]
fn totals_that_the_legs_do_not_bear_out_are_found_and_named() {
    let site = Site::new();
    let (whole, _) = stopped_store(&site);
    std::fs::rename(&whole, site.store()).unwrap();
    let agree = "all 1 are what the legs add up to";
    assert!(site.run("journal", &["verify"]).ok().contains(agree));
    for by in [1, -2] {
        miscount(&site, by);
        let found = site.run("journal", &["verify"]);
        assert!(found.code == 1 && found.err.contains("the totals of atmnet on 2026-11-20 are"), "{found:?}");
    }
    miscount(&site, 1);
    assert!(site.run("journal", &["verify"]).ok().contains(agree));
}
