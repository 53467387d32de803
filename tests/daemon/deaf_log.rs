//! A log that nobody takes: what is lost is lines, not payments.

use std::io::Read;
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

#[test]
fn a_log_whose_reader_does_not_read_stops_no_payment_and_no_sigterm() {
    let site = Site::new();
    let bills = import(&site, "KPEXCISE", 300);
    let daemon = site.serve(&[]);
    let address = daemon.address;
    daemon.stop();
    site.edit(|text| text.replace("\"127.0.0.1:0\"", &format!("\"{address}\"")));
    let mut serve = site.command("serve", &["--log", "trace"]);
    let mut child = serve.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // Open until the end, and not read: a pipe takes 64 KB, some fifty payments' lines.
    let mut unread = child.stderr.take().unwrap();
    wait_for("the daemon to serve", || std::net::TcpStream::connect(address).ok());
    let mut bank = Bank::signed_on(address, 2);
    for (bill, number) in bills.iter().zip(1..) {
        let slip = Slip { bill: bill.clone(), number };
        assert_eq!(bank.ask(&slip.payment()).code(), "00", "{number}");
    }
    drop(bank);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let status = wait_for("the daemon to end", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
    let mut said = String::new();
    unread.read_to_string(&mut said).unwrap();
    assert!(said.len() < 300 * 200, "{} bytes: the pipe took it all, and nothing was tried", said.len());
}
