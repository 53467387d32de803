//! A call of the daemon's that fails: it ends at once and tries nothing again, and its next start has all that it acknowledged.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::load::Load;
use crate::optional::not_tested;
use crate::support::Dice;
use crate::support::bills::import;
use crate::support::ledger::{compare, settle};
use crate::support::site::Site;

/// As in the C library.
const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const BILLS: u64 = 3000;

/// A library to be preloaded, of this source. `None` where there is no compiler.
pub(crate) fn library(dir: &Path, name: &str, text: &str) -> Option<PathBuf> {
    let (source, library) = (dir.join(format!("{name}.c")), dir.join(format!("{name}.so")));
    std::fs::write(&source, text).unwrap();
    let mut cc = Command::new("cc");
    let output = cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg("-ldl").output();
    match output {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Some(library)
        }
        Err(_) => {
            not_tested("calls that fail and a clock that is set: there is no C compiler");
            None
        }
    }
}

/// One call that fails.
struct Fault {
    call: &'static str,
    file: &'static str,
    number: u64,
    errno: i32,
}

/// Trades until the call fails, and holds what the banks were told against the store as the next start finds it.
fn ends_and_recovers(fault: &Fault, dice: &mut Dice) {
    let Fault { call, file, number, errno } = fault;
    let what = format!("{call} {number} of {file}, error {errno}");
    let site = Site::new();
    let Some(library) = library(&site.path(""), "fault", include_str!("fault.c")) else { return };
    let bills = import(&site, "KPEXCISE", BILLS);
    let log = site.path("fault.log");
    let orders = format!("{call}:{file}:{number}:{errno}");
    let preloaded =
        [("LD_PRELOAD", library.as_os_str()), ("FAULT", orders.as_ref()), ("FAULT_LOG", log.as_os_str())];
    let mut deals = Vec::new();
    match site.try_serve_with(&preloaded) {
        // It failed while the store was opened.
        Err(refused) => {
            assert!(matches!(refused.code, Some(70 | 75)), "{what}: {refused:?}");
            assert!(refused.said.contains("billswitch: ") || refused.code == Some(70), "{what}: {refused:?}");
        }
        Ok(mut daemon) => {
            let load = Load::start(daemon.address, &bills, dice);
            let ended = daemon.ended();
            assert_eq!(ended.code(), Some(70), "{what}: {ended:?}: {}", daemon.log());
            assert!(daemon.log().contains("nothing leaves any more"), "{what}: {}", daemon.log());
            deals = load.ended();
            println!("{what}: {} payments", deals.len());
        }
    }
    let noted = std::fs::read_to_string(&log).unwrap_or_default();
    // Another thread's call may be noted first.
    assert!(noted.lines().any(|line| line == "failed"), "{what}: it did not fail");
    if *call == "fdatasync" {
        // Those that the engine's other threads had begun meanwhile may still come, of eight batches at most.
        assert!(noted.matches("again").count() <= 8, "{what}: it was tried again");
    }
    let daemon = site.serve(&[]);
    settle(&daemon, &mut deals);
    compare(&site, &["KPEXCISE"], &deals);
    daemon.stop();
}

#[test]
fn a_sync_that_fails_ends_the_daemon_at_once_and_is_never_tried_again() {
    let mut dice = Dice::new(20_261_122);
    for number in [1, 2, 3, 20, 150] {
        ends_and_recovers(&Fault { call: "fdatasync", file: "db", number, errno: EIO }, &mut dice);
    }
}

#[test]
fn a_write_that_fails_ends_the_daemon_at_once() {
    let mut dice = Dice::new(20_261_123);
    for (file, number, errno) in
        [("db", 1, EIO), ("db", 40, EIO), ("db", 300, ENOSPC), ("witness", 1, EIO), ("witness", 60, ENOSPC)]
    {
        ends_and_recovers(&Fault { call: "pwrite", file, number, errno }, &mut dice);
    }
}
