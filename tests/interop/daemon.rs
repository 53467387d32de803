//! The daemon as it is built: a process, a port of its own, a store of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use tempfile::TempDir;

/// How long the daemon may take to do what it is asked to. Far more than it needs: only a hang is to be caught.
const PATIENCE: Duration = Duration::from_secs(60);

const BILLSWITCH: &str = env!("CARGO_BIN_EXE_billswitch");

/// The morning's links, told apart by where they come from, and one for anybody else; the port is the system's choice.
const LINKS: [(&str, Option<&str>); 4] = [
    ("atmnet", Some("127.0.1.1")),
    ("northbank", Some("127.0.1.2")),
    ("agentpay", Some("127.0.1.3")),
    ("stranger", None),
];

pub(crate) const BILLERS: [&str; 4] = ["KPEXCISE", "KPPOLICE", "KPLANDRC", "KPBOARDS"];

/// A place for one daemon.
pub(crate) struct Home {
    directory: TempDir,
}

/// A daemon that serves and records.
pub(crate) struct Daemon<'home> {
    /// The daemon must end before its directory does.
    _home: &'home Home,
    child: Child,
    /// Lines of its log, until it ends.
    log: Receiver<String>,
    seen: Vec<String>,
    pub(crate) address: SocketAddr,
}

impl Home {
    pub(crate) fn new() -> Self {
        let home = Self { directory: tempfile::tempdir().unwrap() };
        std::fs::write(home.path().join("billswitch.toml"), configuration()).unwrap();
        home
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn recording(&self) -> PathBuf {
        self.path().join("traffic.pcap")
    }

    /// Puts bills in the book, with `billswitch book import`.
    pub(crate) fn import(&self, biller: &str, bills: &Path) {
        let output = self.billswitch("book").args(["import", biller]).arg(bills).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Starts the daemon and waits until it listens.
    pub(crate) fn serve(&self) -> Daemon<'_> {
        let mut serve = self.billswitch("serve");
        serve.arg("--record").arg(self.recording()).stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = serve.stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (told, log) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| told.send(line)));
        let address = SocketAddr::from(([0; 4], 0));
        let mut daemon = Daemon { _home: self, child, log, seen: Vec::new(), address };
        daemon.address =
            daemon.told("\"message\":\"listening\"")["address"].as_str().unwrap().parse().unwrap();
        daemon
    }

    fn billswitch(&self, command: &str) -> Command {
        let mut billswitch = Command::new(BILLSWITCH);
        billswitch.arg(command).arg("--config").arg(self.path().join("billswitch.toml"));
        billswitch.arg("--store").arg(self.path().join("store"));
        billswitch
    }
}

impl Daemon<'_> {
    /// Waits for a line of the log.
    fn told(&mut self, what: &str) -> serde_json::Value {
        loop {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) => {
                    let found = line.contains(what).then(|| serde_json::from_str(&line).unwrap());
                    self.seen.push(line);
                    if let Some(found) = found {
                        return found;
                    }
                }
                Err(error) => panic!("no {what} in the log: {error}\n{}", self.seen.join("\n")),
            }
        }
    }

    /// Drains the daemon and waits for its end. What it logged comes back.
    pub(crate) fn stop(mut self) -> Vec<String> {
        let kill = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status().unwrap();
        assert!(kill.success());
        let recorded = self.told("\"message\":\"recorded\"");
        assert_eq!(recorded["dropped"], 0, "every frame is to be in the recording");
        self.told("\"message\":\"stopped\"");
        // Nothing but the end of the process closes its log.
        assert_eq!(self.log.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
        assert!(self.child.wait().unwrap().success());
        std::mem::take(&mut self.seen)
    }

    /// Plays a capture against the daemon, with `billswitch replay`: in seconds, but not so fast that on a busy machine
    /// the recorder, which never holds up the traffic, has to leave frames out.
    pub(crate) fn replay(&self, capture: &Path, answers: &Path) -> (ExitStatus, String) {
        let mut replay = Command::new(BILLSWITCH);
        replay.arg("replay").arg(capture).arg("--answers").arg(answers).args(["--rate", "200"]);
        let output = replay.args(["--to", &self.address.to_string()]).output().unwrap();
        (output.status, String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        // It has ended already, or the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration() -> String {
    let mut text = String::from(
        r#"store = "store"
business_date = "2026-11-20"
time_zone = "Asia/Karachi"
vault = { key_file = "vault.keys", create_key_file = true }
deadlines = { terminal_ms = 60000, acquirer_ms = 45000, switch_ms = 30000 }
limits = { queue_max = 4096, connections_max = 16, drain_timeout_ms = 20000 }
"#,
    );
    for (name, peer) in LINKS {
        let peer = peer.map_or(String::new(), |peer| format!("peer = \"{peer}\"\n"));
        text.push_str(&format!(
            "[[link]]\nname = \"{name}\"\nlisten = \"127.0.0.1:0\"\nprofile = \"onelink\"\n{peer}"
        ));
    }
    for code in BILLERS {
        text.push_str(&format!("[[biller]]\ncode = \"{code}\"\nname = \"{code}\"\nadapter = \"book\"\n"));
    }
    text
}
