//! The daemon as strangers meet it: with a link for anybody beside the morning's, and recording.

use std::path::{Path, PathBuf};

use crate::support::site::{Daemon, Site};

pub(crate) const BILLERS: [&str; 4] = ["KPEXCISE", "KPPOLICE", "KPLANDRC", "KPBOARDS"];

/// A link that takes whoever comes from an address of no other.
const STRANGER: &str = "\n[[link]]\nname = \"stranger\"\nlisten = \"127.0.0.1:0\"\nprofile = \"onelink\"\n";

/// A place for one daemon that strangers may talk to.
pub(crate) fn site() -> Site {
    let site = Site::new();
    site.edit(|text| text + STRANGER);
    site
}

pub(crate) fn import(site: &Site, biller: &str, bills: &Path) {
    site.run("book", &["import", biller, bills.to_str().unwrap()]).ok();
}

pub(crate) fn recording(site: &Site) -> PathBuf {
    site.path("traffic.pcap")
}

pub(crate) fn serve(site: &Site) -> Daemon {
    site.serve(&["--record", recording(site).to_str().unwrap(), "--log", "info"])
}

/// Drains the daemon; gives back what it logged. Every frame must be in the recording.
pub(crate) fn stop(daemon: Daemon) -> String {
    let log = daemon.log_path().to_owned();
    daemon.stop();
    let log = std::fs::read_to_string(log).unwrap();
    let told = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let recorded = told.filter(|line| line["message"] == "recorded").map(|line| line["dropped"].as_u64());
    assert_eq!(recorded.collect::<Vec<_>>(), [Some(0)]);
    log
}
