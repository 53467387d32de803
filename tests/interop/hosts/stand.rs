//! A switch between banks and three hosts, and what all of them hold of each payment in the end.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Map, Value, json};

use crate::support::bank::{Bank, Frame, Slip};
use crate::support::bills::{Bill, DATE};
use crate::support::site::{Daemon, Site};
use crate::support::wait_for;
use crate::tools;

/// A department: its code, its host's network, what the host calls it, and what is done about doubt.
#[derive(Debug)]
pub(super) struct Department {
    pub(super) code: &'static str,
    pub(super) network: &'static str,
    product: &'static str,
    in_doubt: &'static str,
    digits: usize,
}

const fn department(
    code: &'static str,
    network: &'static str,
    product: &'static str,
    in_doubt: &'static str,
) -> Department {
    Department { code, network, product, in_doubt, digits: 12 }
}

pub(super) static WATER: Department = department("WATER", "ebipp", "PDAM01", "reverse");
pub(super) static FORWARD: Department = department("FORWARD", "ebipp", "PDAM02", "confirm");
pub(super) static POWER: Department = department("POWER", "pln", "99501", "reverse");
pub(super) static FEES: Department =
    Department { digits: 13, ..department("FEES", "pln", "99504", "reverse") };
pub(super) static GAS: Department = department("GAS", "onelink", "GAS", "reverse");
pub(super) static GASFWD: Department = department("GASFWD", "onelink", "GASFWD", "confirm");
pub(super) static ALL: [&Department; 6] = [&WATER, &FORWARD, &POWER, &FEES, &GAS, &GASFWD];

/// What a network's hosts are told of us.
const NETWORKS: [(&str, &str); 3] = [
    ("ebipp", "acquirer = \"27\", terminal = \"SWITCH01\""),
    ("pln", "bank = \"4510017\", switcher = \"1234567\", terminal = \"SWITCH01\", service_code = \"123\""),
    ("onelink", "acquirer = \"27\", terminal = \"SWITCH01\""),
];

/// Bills that are to be, by network.
#[derive(Default)]
pub(super) struct Bills {
    by_network: BTreeMap<&'static str, Map<String, Value>>,
    count: u64,
}

impl Bills {
    /// A bill, with what is not as of others: how it is treated, or what it is made of.
    pub(super) fn add(&mut self, department: &'static Department, more: &Value) -> Bill {
        self.count += 1;
        let amount = more["amount"].as_u64().unwrap_or(10_000 + self.count);
        let psid = format!("{:0width$}", 7_000_000_000 + self.count, width = department.digits);
        let mut bill = json!({
            "name": "SITI AMINAH",
            "amount": amount,
            "bills": [{ "period": "202611", "due": "20301220", "amount": amount }],
            "expires": "20301231",
            "split": [amount - 300, 300],
        });
        bill.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.by_network.entry(department.network).or_default().insert(psid.clone(), bill);
        Bill { biller: department.code, psid, amount }
    }
}

/// The Python host of a network. Killed when it is dropped.
struct Host(Child);

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a host has written down of a bill.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Held {
    pub(super) posted: u32,
    pub(super) undone: u32,
    /// Minor units that stand.
    pub(super) amount: u64,
}

pub(super) struct Stand {
    pub(super) site: Site,
    pub(super) daemon: Option<Daemon>,
    hosts: Vec<Host>,
    pub(super) bank: Bank,
    number: u32,
    /// Every payment that was asked for, with what the bank was told last.
    deals: Vec<(Slip, String)>,
}

impl Stand {
    /// Three hosts with these bills, and the switch before them; none where there is no Python.
    pub(super) fn open(bills: &Bills, reply_timeout_ms: u32) -> Option<Self> {
        Self::changed(bills, reply_timeout_ms, |_| {})
    }

    /// The same, where messages to and from the host of `network` have MACs of this key.
    pub(super) fn sealed(
        mut bills: Bills,
        network: &'static str,
        (key, kek): (&str, &str),
        key_file: &str,
    ) -> Option<Self> {
        let scenario = bills.by_network.entry(network).or_default();
        scenario.insert("mac key".to_owned(), json!(key));
        scenario.insert("mac kek".to_owned(), json!(kek));
        Self::changed(&bills, 3000, |site| {
            let file = site.file("host.keys", key_file);
            fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
            let profile = format!("profile = \"{network}\"\nown");
            site.edit(|text| {
                text.replace(&profile, &format!("mac = {{ key_file = \"{file}\" }}\n{profile}"))
            });
        })
    }

    /// The same, with a site that `change` has had its way with.
    pub(super) fn changed(bills: &Bills, reply_timeout_ms: u32, change: impl Fn(&Site)) -> Option<Self> {
        let python = tools::python()?;
        let site = Site::new();
        let mut hosts = Vec::new();
        let mut lines = String::new();
        for (network, own) in NETWORKS {
            let none = Map::new();
            let scenario = Value::Object(bills.by_network.get(network).unwrap_or(&none).clone());
            site.file(&format!("{network}.json"), &scenario.to_string());
            let (host, port) = begin(&python, &site, network);
            hosts.push(host);
            lines += &format!(
                "\n[[host]]\nname = \"{network}\"\naddress = \"127.0.0.1:{port}\"\nprofile = \"{network}\"\nown = {{ {own} }}\n\
                 reconnect_ms = 10\nreconnect_max_ms = 40\n"
            );
        }
        for Department { code, network, product, in_doubt, .. } in ALL {
            lines += &format!(
                "\n[[biller]]\ncode = \"{code}\"\nname = \"{code}\"\nadapter = \"iso8583\"\nreply_timeout_ms = {reply_timeout_ms}\n\
                 in_doubt = \"{in_doubt}\"\nretry_ms = 20\nbreaker_failures = 10000\nbreaker_pause_ms = 10\n\
                 iso8583 = {{ host = \"{network}\", product = \"{product}\" }}\n"
            );
        }
        site.edit(|text| text + &lines);
        change(&site);
        let (daemon, bank) = serve(&site);
        let stand = Self { site, daemon: Some(daemon), hosts, bank, number: 0, deals: Vec::new() };
        stand.until_reached();
        Some(stand)
    }

    fn until_reached(&self) {
        wait_for("every host to be signed on", || {
            let billers = self.site.ctl(&["billers"]);
            let billers = billers.as_array().unwrap().iter();
            let mut ours = billers.filter(|biller| ALL.iter().any(|one| biller["code"] == one.code));
            ours.all(|biller| biller["reachable"] == true).then_some(())
        });
    }

    pub(super) fn slip(&mut self, bill: &Bill) -> Slip {
        self.number += 1;
        Slip { bill: bill.clone(), number: self.number }
    }

    pub(super) fn inquire(&mut self, bill: &Bill) -> Frame {
        let slip = self.slip(bill);
        self.bank.ask(&slip.inquiry())
    }

    /// Pays a bill; gives the slip and the answer.
    pub(super) fn pay(&mut self, bill: &Bill) -> (Slip, Frame) {
        let slip = self.slip(bill);
        let told = self.bank.ask(&slip.payment());
        self.deals.push((slip.clone(), told.code()));
        (slip, told)
    }

    /// Pays many at once; gives slips and answers in the order of the bills.
    pub(super) fn pay_all(&mut self, bills: &[Bill]) -> Vec<(Slip, Frame)> {
        let slips: Vec<Slip> = bills.iter().map(|bill| self.slip(bill)).collect();
        let asked: Vec<Vec<u8>> = slips.iter().map(Slip::payment).collect();
        let told = self.bank.ask_all(&asked);
        self.deals.extend(slips.iter().cloned().zip(told.iter().map(Frame::code)));
        slips.into_iter().zip(told).collect()
    }

    /// Tells of a payment that is made already.
    pub(super) fn advise(&mut self, bill: &Bill) -> Slip {
        let slip = self.slip(bill);
        let told = self.bank.ask(&slip.advice());
        assert_eq!(told.code(), "00", "an advice is stored, whatever comes of it");
        self.deals.push((slip.clone(), "00".to_owned()));
        slip
    }

    /// Sends a payment of which no answer is waited for.
    pub(super) fn send(&mut self, bill: &Bill) -> Slip {
        let slip = self.slip(bill);
        self.bank.send(&slip.payment()).unwrap();
        self.deals.push((slip.clone(), String::new()));
        slip
    }

    /// The acquirer's 0420; stored at once.
    pub(super) fn take_back(&mut self, slip: &Slip) {
        assert_eq!(self.bank.ask(&slip.reversal("0420")).code(), "00");
    }

    /// The word for what the switch holds of a payment, once nothing is under way.
    pub(super) fn state(&self, slip: &Slip) -> String {
        wait_for("the payment to come to its end", || {
            let found = self.site.ctl(&["txn", "--rrn", &slip.rrn()]);
            let state = found[0]["payment"]["state"].as_str()?.to_lowercase();
            (!["received", "sent", "confirming", "reversing"].contains(&state.as_str())).then_some(state)
        })
    }

    pub(super) fn restart(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill();
        }
        let (daemon, bank) = serve(&self.site);
        (self.daemon, self.bank) = (Some(daemon), bank);
        self.until_reached();
    }

    /// What operators are told of the way to a department.
    pub(super) fn health(&self, department: &Department) -> Value {
        let billers = self.site.ctl(&["billers"]);
        let all = billers.as_array().unwrap();
        all.iter().find(|biller| biller["code"] == department.code).unwrap()["health"].clone()
    }

    fn events(&self, network: &str) -> Vec<Value> {
        let text = fs::read_to_string(ledger(&self.site, network)).unwrap_or_default();
        // The last line may be written just now.
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// How often a host has noted this.
    pub(super) fn noted(&self, network: &str, event: &str) -> usize {
        self.events(network).iter().filter(|one| one["event"] == event).count()
    }

    /// What a bill's host has written down of it.
    pub(super) fn held(&self, bill: &Bill) -> Held {
        let network = ALL.iter().find(|one| one.code == bill.biller).unwrap().network;
        let mut held = Held::default();
        for event in self.events(network).iter().filter(|event| event["consumer"] == bill.psid) {
            let amount = event["amount"].as_u64().unwrap();
            match event["event"].as_str().unwrap() {
                "posted" => (held.posted, held.amount) = (held.posted + 1, held.amount + amount),
                "undone" => (held.undone, held.amount) = (held.undone + 1, held.amount - amount),
                other => panic!("{other} of a bill"),
            }
        }
        held
    }

    /// Holds hosts, switch, journal and what the bank was told against each other, and ends the switch.
    pub(super) fn agree(mut self) {
        for (network, _) in NETWORKS {
            let events = self.events(network);
            let complaints: Vec<_> = events.iter().filter(|event| event["event"] == "complaint").collect();
            assert!(complaints.is_empty(), "{network}: {complaints:#?}");
            assert!(self.noted(network, "echoed") > 0, "{network}: our answer to its echo");
        }
        wait_for("nothing to be open", || (self.site.ctl(&["status"])["open"] == 0).then_some(()));
        let mut standing: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for (slip, told) in &self.deals {
            let (state, held) = (self.state(slip), self.held(&slip.bill));
            assert!(held.posted <= held.undone + 1, "posted twice: {slip:?}");
            let stands = held.posted > held.undone;
            match state.as_str() {
                "posted" => assert!(stands && held.amount == slip.bill.amount, "{slip:?}: {held:?}"),
                "declined" | "reversed" => assert!(!stands, "{state}: {slip:?} stands at the host"),
                "exception" => {}
                other => panic!("{other}: {slip:?}"),
            }
            if state == "posted" {
                let sum = standing.entry(slip.bill.biller).or_default();
                *sum = (sum.0 + 1, sum.1 + slip.bill.amount);
            }
            assert!(told != "00" || state != "declined", "approved, and declined after all: {slip:?}");
        }
        let with_people = ALL.map(|department| self.exceptions(department));
        self.site.run("ctl", &["journal", "verify"]).ok();
        self.daemon.take().unwrap().stop();
        for (network, _) in NETWORKS {
            // Its thread may not have read yet what the switch has said last.
            wait_for("the sign-off", || (self.noted(network, "signed off") > 0).then_some(()));
        }
        for (department, with_people) in ALL.iter().zip(with_people) {
            let code = department.code;
            let scroll = self.site.run("journal", &["scroll", code, "--date", DATE, "--json"]).json();
            let lines = scroll.as_array().unwrap().iter();
            let listed =
                lines.fold((0, 0), |(count, sum), line| (count + 1, sum + line["amount"].as_u64().unwrap()));
            let (count, sum) = standing.get(code).copied().unwrap_or_default();
            assert_eq!(listed, (count + with_people.0, sum + with_people.1), "the scroll of {code}");
        }
        drop(self.hosts);
    }

    /// Number and sum of a department's payments that are with people, and stand until they have decided.
    fn exceptions(&self, department: &Department) -> (u64, u64) {
        let found = self.site.ctl(&["exceptions"]);
        let payments = found.as_array().unwrap().iter().map(|exception| &exception["payment"]);
        let ours =
            payments.filter(|payment| payment["biller"] == department.code && !payment["posting"].is_null());
        ours.fold((0, 0), |(count, sum), payment| (count + 1, sum + payment["amount"].as_u64().unwrap()))
    }
}

fn serve(site: &Site) -> (Daemon, Bank) {
    let daemon = site.serve(&[]);
    let bank = Bank::signed_on(daemon.address, 1);
    (daemon, bank)
}

fn ledger(site: &Site, network: &str) -> PathBuf {
    site.path(&format!("{network}.jsonl"))
}

fn begin(python: &OsStr, site: &Site, network: &str) -> (Host, u16) {
    let mut command = Command::new(python);
    command.arg("-B").arg(tools::file("host.py")).arg(network).arg(site.path(&format!("{network}.json")));
    command.arg(ledger(site, network)).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port = line.trim().parse();
    (Host(child), port.unwrap_or_else(|_| panic!("the host of {network} does not serve")))
}
