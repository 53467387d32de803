//! The power goes while banks trade: what was acknowledged before is on the disk, whatever the disk made of its cache.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::disk::{Cache, Disk, ext4};
use crate::load::Load;
use crate::mounts::{Mounted, skipped};
use crate::support::Dice;
use crate::support::bills::import;
use crate::support::ledger::{Deal, compare, settle};
use crate::support::site::Site;

/// Bytes of the disk. What is found at each of the cuts is held in memory, all of them at once.
const BYTES: u64 = 64 << 20;
/// Bills there are to pay.
const BILLS: u64 = 6000;
/// Times that the power is cut, for each way in which a cache can end.
const TIMES: usize = 4;
const WAYS: [Cache; 4] = [Cache::Lost, Cache::Kept, Cache::Begun, Cache::Scattered];

/// A disk with an ext4 on it, mounted for a site whose store lies there. `None`, having said so, where that cannot be had.
fn disk_site() -> Option<(Disk, Mounted, Site)> {
    let cannot = |what| skipped(&format!("a power cut cannot be tried, {what}"));
    let Some(empty) = ext4(BYTES) else {
        cannot("there is no mkfs.ext4");
        return None;
    };
    let Some(disk) = Disk::spin_up(empty) else {
        cannot("FUSE is not permitted");
        return None;
    };
    let site = Site::new();
    let Some(mounted) = Mounted::mount(&disk.path(), &["-o", "loop"], &site.path("disk")) else {
        cannot("a loop device is not permitted");
        return None;
    };
    site.store_in("disk");
    Some((disk, mounted, site))
}

/// A machine that starts on what was found on a disk: ext4 replays its journal, the daemon serves, and every one of these deals
/// is as its bank knows it.
fn comes_back(found: &[u8], deals: &mut [Deal]) {
    let site = Site::new();
    let image = site.path("found.img");
    write_sparse(&image, found);
    let _mounted = Mounted::mount(&image, &["-o", "loop"], &site.path("disk")).expect("ext4 comes back");
    site.store_in("disk");
    let daemon = site.serve(&[]);
    settle(&daemon, deals);
    compare(&site, &["KPEXCISE"], deals);
    daemon.stop();
}

fn write_sparse(path: &Path, bytes: &[u8]) {
    use std::os::unix::fs::FileExt;
    let file = std::fs::File::create(path).unwrap();
    file.set_len(u64::try_from(bytes.len()).unwrap()).unwrap();
    for (place, block) in bytes.chunks(4096).enumerate() {
        if block.iter().any(|byte| *byte != 0) {
            file.write_all_at(block, u64::try_from(place * 4096).unwrap()).unwrap();
        }
    }
}

fn seeded() -> Dice {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let seed = std::env::var("BILLSWITCH_SEED").map_or(now, |seed| seed.parse().unwrap());
    println!("random moments: BILLSWITCH_SEED={seed}");
    Dice::new(seed)
}

#[test]
fn what_was_acknowledged_before_the_power_went_is_there_when_it_is_back() {
    let Some((disk, mounted, site)) = disk_site() else { return };
    let mut dice = seeded();
    let bills = import(&site, "KPEXCISE", BILLS);
    let daemon = site.serve(&[]);
    let load = Load::start(daemon.address, &bills, &mut dice);
    let mut cuts = Vec::new();
    for time in 0..TIMES {
        for way in WAYS {
            load.until_answered(load.answered() + 1 + usize::try_from(dice.roll(120)).unwrap());
            std::thread::sleep(Duration::from_micros(dice.roll(8000)));
            // Answers that were on their way when the disk stopped may still come in.
            let arriving = Duration::from_micros(dice.roll(8000));
            let (deals, found) = disk.cut(way, &mut dice, || {
                std::thread::sleep(arriving);
                load.so_far()
            });
            cuts.push((format!("cut {time}, cache {way:?}"), deals, found));
        }
    }
    drop(daemon);
    load.ended();
    drop(mounted);
    drop(disk);
    for (cut, mut deals, found) in cuts {
        let answered = deals.iter().filter(|deal| deal.answer.is_some()).count();
        println!("{cut}: {answered} of {} answered", deals.len());
        comes_back(&found, &mut deals);
    }
}

#[test]
fn a_disk_that_dies_ends_the_daemon_and_what_it_acknowledged_is_on_it() {
    let Some((disk, mounted, site)) = disk_site() else { return };
    let mut dice = seeded();
    let bills = import(&site, "KPEXCISE", BILLS);
    let mut daemon = site.serve(&[]);
    let load = Load::start(daemon.address, &bills, &mut dice);
    load.until_answered(500);
    disk.die();
    let ended = daemon.ended();
    assert_eq!(ended.code(), Some(70), "{}", daemon.log());
    let mut deals = load.ended();
    let ((), found) = disk.cut(Cache::Lost, &mut dice, || ());
    drop(mounted);
    drop(disk);
    comes_back(&found, &mut deals);
}
