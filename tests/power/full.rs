//! A file system without room: the daemon ends, and goes on where it was when there is some.

use crate::load::Load;
use crate::mounts::{Mounted, skipped};
use crate::support::Dice;
use crate::support::bills::import;
use crate::support::ledger::{compare, settle};
use crate::support::site::Site;

#[test]
fn a_full_disk_ends_the_daemon_and_with_room_it_goes_on_where_it_was() {
    let site = Site::new();
    let Some(disk) = Mounted::memory(64, &site.path("disk")) else {
        return skipped("a full disk cannot be tried, mounting a tmpfs is not permitted");
    };
    site.store_in("disk");
    let bills = import(&site, "KPEXCISE", 3000);
    let mut daemon = site.serve(&[]);
    disk.leave(3 << 20);
    let load = Load::start(daemon.address, &bills, &mut Dice::new(20_261_124));
    let ended = daemon.ended();
    assert_eq!(ended.code(), Some(70), "{}", daemon.log());
    let mut deals = load.ended();
    let answered = deals.iter().filter(|deal| deal.answer.is_some()).count();
    println!("{answered} of {} answered before it was full", deals.len());
    assert!(answered > 100);
    disk.leave(64 << 20);
    let daemon = site.serve(&[]);
    settle(&daemon, &mut deals);
    compare(&site, &["KPEXCISE"], &deals);
    daemon.stop();
}
