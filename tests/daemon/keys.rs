//! A store knows the keys that it was filled with.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::bank::{Bank, Slip};
use crate::support::bills::import;
use crate::support::site::Site;
use crate::support::wait_for;

fn put(path: &Path, keys: &str) {
    std::fs::write(path, keys).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_store_is_served_with_its_own_keys_only_and_with_newer_ones_beside_them() {
    let site = Site::new();
    let bills = import(&site, "KPEXCISE", 1);
    let daemon = site.serve(&[]);
    let slip = Slip { bill: bills[0].clone(), number: 1 };
    let paid = Bank::signed_on(daemon.address, 1).ask(&slip.payment());
    daemon.stop();
    let file = site.store().join("vault.keys");
    let own = std::fs::read_to_string(&file).unwrap();

    let refused = |want: &str| {
        let refused = site.try_serve(&[]).err().unwrap_or_else(|| panic!("served, and not: {want}"));
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.said.contains(want), "{refused:?}");
    };
    put(&file, &format!("1 {}\n", "ab".repeat(32)));
    refused("put the store's own key file back");
    // A key file made anew in place of a lost one is no help either.
    std::fs::remove_file(&file).unwrap();
    refused("own key file back");

    put(&file, &format!("{own}2 {}\n", "cd".repeat(32)));
    let daemon = site.serve(&[]);
    let again = Bank::signed_on(daemon.address, 1).ask(&slip.repeat());
    assert_eq!((again.code().as_str(), again), ("00", paid), "a repeat is known again");
    daemon.stop();
    put(&file, &own);
    refused("key version 2, which this store was filled with, is missing");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    refused("may be read by others");
}

/// All that lies in a directory, and what others than its owner may do with it.
fn modes(dir: &Path, found: &mut Vec<(PathBuf, u32)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let (path, meta) = entry.map(|entry| (entry.path(), entry.metadata().unwrap())).unwrap();
        found.push((path.clone(), meta.permissions().mode() & 0o077));
        if meta.is_dir() {
            modes(&path, found);
        }
    }
}

#[test]
fn what_is_in_a_store_is_its_owners_alone_also_where_the_directory_is_not() {
    let site = Site::new();
    std::fs::create_dir(site.store()).unwrap();
    std::fs::set_permissions(site.store(), std::fs::Permissions::from_mode(0o755)).unwrap();
    import(&site, "KPEXCISE", 2);
    let daemon = site.serve(&[]);
    assert!(daemon.log().contains("chmod 700"), "{}", daemon.log());
    let mut found = Vec::new();
    modes(&site.store(), &mut found);
    daemon.stop();
    modes(&site.store(), &mut found);
    found.retain(|(_, mode)| *mode != 0);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn the_daemon_takes_as_many_open_files_as_it_may_and_check_says_if_they_are_too_few() {
    let site = Site::new();
    let program = env!("CARGO_BIN_EXE_billswitch");
    let shell = |script: &str| {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", script, program, "--config"]).arg(site.config());
        shell
    };
    let checked = shell("ulimit -n 300 && exec \"$0\" check \"$@\"").output().unwrap();
    let said = String::from_utf8(checked.stderr).unwrap();
    assert!(checked.status.success() && said.contains("have 300 files open"), "{said}");
    let checked = site.run("check", &[]);
    assert_eq!((checked.code, checked.err.as_str()), (0, ""));
    let mut serve = shell("ulimit -Sn 100 && exec \"$0\" serve \"$@\"");
    let mut child = serve.stderr(std::process::Stdio::null()).spawn().unwrap();
    wait_for("the daemon to serve", || site.socket().exists().then_some(()));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<&str> = files.split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers[0], numbers[1], "{files}");
    child.kill().unwrap();
    child.wait().unwrap();
}
