//! A full disk: the turn that does not fit is refused, nothing is acknowledged after it, and what was stays.

use std::path::Path;
use std::process::Command;

use crate::turns::{open_store, turn, whole_turns};

/// A small file system of its own, gone when dropped; `None` where mounting is not permitted.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(bytes: u64) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let size = format!("size={bytes}");
        let mut mount = Command::new("mount");
        let mount = mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(dir.path()).output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}

#[test]
fn a_full_disk_ends_the_acknowledgements_and_loses_nothing() {
    let Some(disk) = SmallDisk::mount(6 << 20) else {
        use std::io::Write;
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: a full disk cannot be tried, mounting a tmpfs is not permitted"
        );
        return;
    };
    let (store, mut writer) = open_store(disk.path());
    let mut acknowledged = 0;
    let error = loop {
        match writer.commit(&[turn(acknowledged + 1)]) {
            Ok(()) => acknowledged += 1,
            Err(error) => break error,
        }
        assert!(acknowledged < 100_000, "the disk was never full");
    };
    assert!(acknowledged > 100, "{error}");
    // Never again, even if room were made.
    assert!(writer.commit(&[turn(acknowledged + 1)]).is_err());
    assert!(writer.sync().is_err());
    drop((store, writer));
    let output = Command::new("mount").args(["-o", "remount,size=64m"]).arg(disk.path()).output().unwrap();
    assert!(output.status.success());
    let (store, mut writer) = open_store(disk.path());
    let turns = whole_turns(&store).unwrap();
    assert!(turns >= acknowledged, "{turns} there, {acknowledged} acknowledged");
    writer.commit(&[turn(turns + 1)]).unwrap();
}
