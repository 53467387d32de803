//! A log that nobody takes: what is lost is lines, not payments.

use std::process::Stdio;

use crate::support::bank::{Bank, Slip};
use crate::support::bills::import;
use crate::support::site::Site;
use crate::support::wait_for;

#[test]
fn a_log_whose_reader_is_gone_or_whose_disk_is_full_stops_no_payment() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    for broken in [Stdio::piped(), full.into()] {
        let site = Site::new();
        let bills = import(&site, "KPEXCISE", 2);
        // The first daemon shows which port is free, since the second cannot say; nobody else listens at this address.
        site.edit(|text| text.replace("127.0.0.1:0", "127.0.3.2:0"));
        let daemon = site.serve(&[]);
        let address = daemon.address;
        daemon.stop();
        site.edit(|text| text.replace("\"127.0.3.2:0\"", &format!("\"{address}\"")));
        let mut serve = site.command("serve", &["--log", "trace"]);
        let mut child = serve.stdout(Stdio::null()).stderr(broken).spawn().unwrap();
        drop(child.stderr.take());
        wait_for("the daemon to serve", || {
            assert!(child.try_wait().unwrap().is_none(), "it ended");
            std::net::TcpStream::connect(address).ok()
        });
        for (bill, number) in bills.iter().zip(1..) {
            let slip = Slip { bill: bill.clone(), number };
            let mut bank = Bank::signed_on(address, 2);
            let paid = bank.ask(&slip.payment());
            assert_eq!((paid.mti(), paid.code().as_str()), (&b"0210"[..], "00"));
        }
        assert_eq!(site.ctl(&["status"])["open"], 0);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
