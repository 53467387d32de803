//! What the benches of a daemon with a large store have in common.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use billswitch::clock::UnixMillis;
use billswitch::control::{Client, Reply, Request};
use billswitch::journal::{Store, Writer};
use billswitch::switch::{Ordered, Payment, Record, State, What};

use crate::records;
use crate::support::bank::{Bank, network};
use crate::support::bills::{Bill, HEADER};
use crate::support::site::Site;

/// A department that cannot be reached.
pub(crate) const WATER: &str = r#"
[[biller]]
code = "KPWATER"
name = "Water and Sanitation"
adapter = "rest"
[biller.rest]
url = "http://127.0.0.1:1"
bank_mnemonic = "BSWITCH"
"#;

/// A daemon that serves a site's store.
pub(crate) struct Daemon {
    child: Child,
    /// Where its links are listened for.
    pub(crate) address: SocketAddr,
    began: Instant,
    /// From its start until it has answered an operator's first question.
    pub(crate) answered: Duration,
    /// From its start until it has signed a bank on.
    pub(crate) signed_on: Duration,
}

impl Daemon {
    /// Starts it, and asks it until it answers.
    pub(crate) fn start(site: &Site) -> (Self, Bank) {
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let listening = |line: &str| match line.starts_with("listen = ") {
            true => format!("listen = \"{address}\"\n"),
            false => format!("{line}\n"),
        };
        site.edit(|text| text.lines().map(listening).collect());
        let began = Instant::now();
        let mut command = site.command("serve", &["--log", "error"]);
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        while began.elapsed() < Duration::from_secs(120) {
            let asked = Client::connect(&site.socket()).and_then(|mut it| it.ask(Request::Status));
            if let Ok(Reply::Status(_)) = asked {
                let answered = began.elapsed();
                let mut bank = Bank::connect(address, 1).unwrap();
                assert_eq!(bank.ask(&network("001")).code(), "00");
                return (Self { child, address, began, answered, signed_on: began.elapsed() }, bank);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        panic!("the daemon does not answer");
    }

    /// How long it has run.
    pub(crate) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Megabytes of memory that it has.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024
    }

    /// Ends it by this signal.
    pub(crate) fn stop(mut self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        self.child.wait().unwrap();
    }
}

/// Bill `number` of KPEXCISE.
pub(crate) fn bill(number: u64) -> Bill {
    Bill { biller: "KPEXCISE", psid: format!("11{number:015}"), amount: 10_000 }
}

/// Has `book import` take so many bills in, through the daemon if one runs, and says how long that took.
pub(crate) fn import(site: &Site, bills: u64) -> Duration {
    let mut text = format!("{HEADER}\n");
    for number in 0..bills {
        let Bill { psid, amount, .. } = bill(number);
        let heads = "B01401:6000|B02372:4000";
        writeln!(text, "{psid},Ayesha Bibi,2611,2099-12-30,2099-12-31,{amount},11000,{heads},U").unwrap();
    }
    let file = site.file("bills.csv", &text);
    let began = Instant::now();
    site.run("book", &["import", "KPEXCISE", &file]).ok();
    began.elapsed()
}

/// So many payments behind number `after` that were sent to that department and not answered.
pub(crate) fn leave_open(store: &Store, writer: &mut Writer, after: u64, count: u64, day: i32) {
    let open = (after + 1..=after + count).map(|number| {
        let payment = records::payment(number, day, State::Confirming);
        let payment = Payment { biller: "KPWATER".parse().unwrap(), ..payment };
        let due = Some(UnixMillis(payment.taken_in.0 + number));
        let what = What::TimedOut(Ordered::Post, payment.biller);
        Record { due, ..records::record(day, what, Some(payment)) }
    });
    for some in open.collect::<Vec<_>>().chunks(250) {
        let turn = records::turn(store, some);
        writer.commit(&[turn]).unwrap();
    }
}
