//! File systems of a test's own, gone when it ends.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Something mounted; unmounted when dropped.
pub(crate) struct Mounted(PathBuf);

impl Mounted {
    /// Mounts `what` at a directory that it makes. `None` where that is not permitted.
    pub(crate) fn mount(what: &Path, options: &[&str], at: &Path) -> Option<Self> {
        std::fs::create_dir(at).unwrap();
        let output = Command::new("mount").args(options).arg(what).arg(at).output();
        output.is_ok_and(|output| output.status.success()).then(|| Self(at.to_path_buf()))
    }

    /// A file system in memory of so many MiB.
    pub(crate) fn memory(mib: u32, at: &Path) -> Option<Self> {
        Self::mount(Path::new("tmpfs"), &["-t", "tmpfs", "-o", &format!("size={mib}m")], at)
    }

    /// Makes one in memory such that so many bytes are free.
    pub(crate) fn leave(&self, bytes: u64) {
        let df = Command::new("df").args(["--output=used", "-B1"]).arg(&self.0).output().unwrap();
        let text = String::from_utf8(df.stdout).unwrap();
        let used: u64 = text.lines().nth(1).unwrap().trim().parse().unwrap();
        let option = format!("remount,size={}", used + bytes);
        let status = Command::new("mount").args(["-o", &option]).arg(&self.0).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: after a test that failed a daemon may still be in it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// Says past the test harness what was not tried, and why.
pub(crate) fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}
