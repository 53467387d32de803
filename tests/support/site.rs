//! A directory with a configuration and a store, the commands that work on it, and the daemon that serves it.

use std::ffi::OsStr;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use super::wait_for;

/// Everything but a line a leg.
const LOG: &str = "billswitch=info,billswitch::leg=off";

/// A configuration and a store of a test's own, gone when it ends.
pub(crate) struct Site {
    dir: TempDir,
    starts: AtomicU32,
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// What it printed, having succeeded.
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// The JSON it printed, having succeeded.
    pub(crate) fn json(self) -> serde_json::Value {
        let out = self.ok();
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }
}

/// How a daemon ended that did not come to serve.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
}

impl Site {
    /// The built-in configuration on a free port, with a store that does not exist yet.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let site = Self { dir, starts: AtomicU32::new(0) };
        let text = billswitch::config::BUILT_IN
            .replace("\"127.0.0.1:8583\"", "\"127.0.0.1:0\"")
            .replace("\"billswitch-store\"", &format!("{:?}", site.store()))
            // What a test finds does not depend on how full the machine's disk is, nor on how busy the machine is.
            .replace("drain_timeout_ms = 20000", "drain_timeout_ms = 20000\ndisk_low_bytes = 0")
            .replace("queue_max = 4096", "queue_max = 4096\nqueue_delay_ms = 60000");
        assert!(!text.contains(":8583") && text.contains("127.0.1.3"), "the built-in configuration changed");
        std::fs::write(site.config(), text).unwrap();
        site
    }

    /// Changes the configuration.
    pub(crate) fn edit(&self, change: impl FnOnce(String) -> String) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        std::fs::write(self.config(), change(text)).unwrap();
    }

    /// A file or directory of the site.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.path("billswitch.toml")
    }

    /// The store's directory.
    pub(crate) fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// The daemon's control socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.store().join("control.sock")
    }

    /// `billswitch SUB --config … ARGS`.
    pub(crate) fn command(&self, sub: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_billswitch"));
        command.arg(sub).arg("--config").arg(self.config()).args(args).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, sub: &str, args: &[&str]) -> Ran {
        ran(&mut self.command(sub, args))
    }

    /// Runs a command that has no configuration.
    pub(crate) fn run_plain(&self, sub: &str, args: &[&str]) -> Ran {
        ran(Command::new(env!("CARGO_BIN_EXE_billswitch")).arg(sub).args(args).stdin(Stdio::null()))
    }

    /// Runs `billswitch replay ARGS`.
    pub(crate) fn replay(&self, args: &[&str]) -> Ran {
        self.run_plain("replay", args)
    }

    /// `ctl … --json`, having succeeded.
    pub(crate) fn ctl(&self, args: &[&str]) -> serde_json::Value {
        self.run("ctl", &[args, &["--json"]].concat()).json()
    }

    /// Writes a file of the site and gives its path as text.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The store shall be in a directory of the site.
    pub(crate) fn store_in(&self, dir: &str) {
        let (was, is) = (format!("{:?}", self.store()), format!("{:?}", self.path(dir).join("store")));
        self.edit(|text| text.replace(&was, &is));
    }

    /// Begins a daemon, whether it comes to serve or not.
    pub(crate) fn spawn(&self, args: &[&str]) -> Spawned {
        self.spawn_with(args, &[])
    }

    fn spawn_with(&self, args: &[&str], environment: &[(&str, &OsStr)]) -> Spawned {
        let number = self.starts.fetch_add(1, Ordering::Relaxed);
        let log = self.path(&format!("serve-{number}.log"));
        let mut command = self.command("serve", args);
        if !args.contains(&"--log") {
            command.args(["--log", LOG]);
        }
        command.envs(environment.iter().copied());
        let child = command.stdout(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().unwrap();
        Spawned { child, log }
    }

    /// Starts a daemon and waits until it serves, or ends.
    pub(crate) fn try_serve(&self, args: &[&str]) -> Result<Daemon, Refused> {
        Self::serving(self.spawn(args))
    }

    /// The same, with these variables in its environment.
    pub(crate) fn try_serve_with(&self, environment: &[(&str, &OsStr)]) -> Result<Daemon, Refused> {
        Self::serving(self.spawn_with(&[], environment))
    }

    fn serving(mut spawned: Spawned) -> Result<Daemon, Refused> {
        let begun = wait_for("the daemon to serve or to end", || {
            if let Some(address) = listening(&spawned.log) {
                return Some(Ok(address));
            }
            let ended = spawned.child.try_wait().unwrap()?;
            let said = std::fs::read_to_string(&spawned.log).unwrap_or_default();
            Some(Err(Refused { code: ended.code(), said }))
        });
        begun.map(|address| Daemon { spawned, address })
    }

    /// Starts a daemon, which must come to serve.
    pub(crate) fn serve(&self, args: &[&str]) -> Daemon {
        self.try_serve(args).unwrap_or_else(|refused| panic!("{refused:?}"))
    }
}

fn ran(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The address in the log line that says it; that line is written once everything listens.
fn listening(log: &Path) -> Option<SocketAddr> {
    let text = std::fs::read_to_string(log).ok()?;
    let said = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut said = said.filter(|line| line["message"] == "listening");
    said.find_map(|line| line["address"].as_str()?.parse().ok())
}

/// A daemon that was begun. Killed when it is dropped.
pub(crate) struct Spawned {
    child: Child,
    log: PathBuf,
}

impl Spawned {
    /// SIGKILL, and waits for the end.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A daemon that serves. Killed when it is dropped.
pub(crate) struct Daemon {
    spawned: Spawned,
    pub(crate) address: SocketAddr,
}

impl Daemon {
    /// Its log so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.spawned.log).unwrap()
    }

    /// Its log file.
    pub(crate) fn log_path(&self) -> &Path {
        &self.spawned.log
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.spawned.kill();
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.spawned.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        wait_for("the daemon to end", || self.spawned.child.try_wait().unwrap())
    }

    /// Whether it still runs.
    pub(crate) fn lives(&mut self) -> bool {
        self.spawned.child.try_wait().unwrap().is_none()
    }

    /// SIGTERM, and the exit status 0 that follows.
    pub(crate) fn stop(mut self) {
        self.terminate();
        let ended = self.ended();
        assert_eq!(ended.code(), Some(0), "{}", self.log());
    }
}
