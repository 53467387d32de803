//! Departments that are reached over a wire, simulated: each a process with a ledger of its own.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::Dice;
use super::bills::DATE;
use super::site::Site;

/// Where departments are. A port that was found free here is still so when one opens: nobody else listens at this address.
pub(super) const AT: &str = "127.0.3.1";

/// A kind of department.
pub(crate) struct Way {
    /// The command that plays one.
    sim: &'static [&'static str],
    /// How it is configured, at this port of this machine.
    config: fn(u16) -> String,
    /// What goes wrong there while it lives.
    pub(crate) faults: &'static [&'static str],
    /// It can undo what it has posted.
    pub(crate) undoes: bool,
}

/// Over HTTP: nothing can be undone, what is in doubt is confirmed.
pub(crate) const REST: Way = Way {
    sim: &["sim", "rest"],
    config: |port| {
        format!(
            "adapter = \"rest\"\n[biller.rest]\nurl = \"http://{AT}:{port}\"\nbank_mnemonic = \"TESTBANK\"\n\
             connect_timeout_ms = 200\n"
        )
    },
    faults: &[
        "payment:drop:3%",
        "payment:reset:2%",
        "payment:cut:1%",
        "payment:garbage:1%",
        "payment:hang:1%",
        "payment:delay=100:2%",
        "payment:late=700:1%",
        "payment:status=500:1%",
        "payment:status-after=500:1%",
        "payment:duplicate:1%",
        "any:refuse:1%",
    ],
    undoes: false,
};

/// An ISO 8583 host: what is in doubt is reversed.
pub(crate) const ISO: Way = Way {
    sim: &["sim", "iso", "--profile", "onelink"],
    config: |port| {
        format!(
            "adapter = \"iso8583\"\n[biller.iso8583]\nhost = \"host\"\n[[host]]\nname = \"host\"\n\
             address = \"{AT}:{port}\"\nprofile = \"onelink\"\nown = {{ acquirer = \"27\", terminal = \"SWITCH01\" }}\n\
             connections = 2\nreconnect_ms = 10\nreconnect_max_ms = 200\n"
        )
    },
    faults: &[
        "payment:drop:3%",
        "payment:reset:2%",
        "payment:cut:1%",
        "payment:garbage:1%",
        "payment:hang:1%",
        "payment:delay=100:2%",
        "payment:late=700:1%",
        "payment:code=96:1%",
        "payment:duplicate:1%",
        "reversal:drop:3%",
        "reversal:hang:1%",
        "reversal:late=700:1%",
        "any:refuse:1%",
    ],
    undoes: true,
};

/// A department at work. Killed when it is dropped; its ledger stays.
pub(crate) struct Department(Child);

impl Department {
    /// Opens it, with the bills of the site's file of this biller.
    pub(crate) fn open(way: &Way, site: &Site, biller: &str, port: u16, faults: &[&str], seed: u64) -> Self {
        let (listen, seed) = (format!("{AT}:{port}"), seed.to_string());
        let mut command = Command::new(env!("CARGO_BIN_EXE_billswitch"));
        command.args(way.sim).args(["--listen", &listen, "--today", DATE, "--seed", &seed]);
        command.arg("--bills").arg(site.path(&format!("{biller}.csv")));
        command.arg("--ledger").arg(ledger_file(site, biller));
        command.args(faults.iter().flat_map(|fault| ["--fault", fault]));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("listening"), "{line}");
        Self(child)
    }
}

impl Drop for Department {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a department has posted and given back.
pub(crate) fn ledger_file(site: &Site, biller: &str) -> PathBuf {
    site.path(&format!("{biller}.jsonl"))
}

/// Terms of a department that is soon found silent and soon asked again.
pub(crate) const HASTY: &str =
    "reply_timeout_ms = 400\nretry_ms = 50\nattempts_max = 1000\nbreaker_pause_ms = 100";

/// Adds such a department to a site's configuration, on these terms. Gives the port it is expected at.
pub(crate) fn configure(way: &Way, site: &Site, biller: &str, terms: &str) -> u16 {
    let port = TcpListener::bind((AT, 0)).unwrap().local_addr().unwrap().port();
    let way = (way.config)(port);
    site.edit(|text| format!("{text}\n[[biller]]\ncode = \"{biller}\"\nname = \"Wired\"\n{terms}\n{way}"));
    port
}

/// A seed for a department.
pub(crate) fn seed(dice: &mut Dice) -> u64 {
    dice.roll(1 << 32)
}
