//! A file system that is almost full: what is left is for reversals, and the daemon lives.

use crate::mounts::{Mounted, skipped};
use crate::support::bank::{Bank, Slip};
use crate::support::bills::import;
use crate::support::site::Site;
use crate::support::wait_for;

#[test]
fn below_the_watermark_payments_are_refused_and_reversals_are_not() {
    let site = Site::new();
    let Some(disk) = Mounted::memory(128, &site.path("disk")) else {
        return skipped("a disk that is almost full cannot be tried, mounting a tmpfs is not permitted");
    };
    site.store_in("disk");
    site.edit(|text| text.replace("disk_low_bytes = 0", "disk_low_bytes = 33554432"));
    let bills = import(&site, "KPEXCISE", 10);
    let daemon = site.serve(&[]);
    let mut bank = Bank::signed_on(daemon.address, 1);
    let slips: Vec<Slip> = (1..).zip(bills).map(|(number, bill)| Slip { bill, number }).collect();
    assert_eq!(bank.ask(&slips[0].payment()).code(), "00");
    let low = |want: bool| {
        wait_for("the disk to be looked at", || (site.ctl(&["status"])["disk_low"] == want).then_some(()));
    };
    disk.leave(16 << 20);
    low(true);
    assert_eq!(bank.ask(&slips[1].payment()).code(), "96");
    assert_eq!(bank.ask(&slips[1].inquiry()).code(), "96");
    assert_eq!(bank.ask(&slips[0].repeat()).code(), "00");
    assert_eq!(bank.ask(&slips[0].reversal("0420")).code(), "00");
    assert!(daemon.log().contains("almost full"), "{}", daemon.log());
    disk.leave(64 << 20);
    low(false);
    assert_eq!(bank.ask(&slips[1].payment()).code(), "00");
    daemon.stop();
}
