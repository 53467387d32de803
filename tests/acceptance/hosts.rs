//! Departments behind an ISO 8583 host, simulated, behind the whole switch: `onelink` acquirers, hosts of other networks, and
//! both ledgers compared.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use billswitch::config::Specs;
use billswitch::sim::iso::{Books, Host, Settings};
use billswitch::sim::rest::{Entry, read_ledger};
use billswitch::switch::State;
use billswitch::vault::LinkKeyFile;

use crate::peer::{Outgoing, Peer};
use crate::site::{Setup, Site, pause};
use crate::timeouts::until;

pub const DEPT: &str = "KPDEPT";

pub const BILLS: &str = "\
psid,name,billing_month,due_date,expiry_date,amount_within_due,amount_after_due,heads,status
7001,Ayesha Bibi,2611,2026-11-25,2026-12-25,1000,1100,,U
7002,Noor Zaman,2611,2026-11-25,2026-12-25,2000,2000,,U
7003,Haroon Wazir,2610,2026-11-25,2026-12-25,3500,3500,202609:1500|202610:2000,U
7004,Zarmina Shah,2611,2026-11-25,2026-12-25,1000,1000,B01401:300|B02372:700,U
";

/// A network that a host is of: profile, what it knows us by, and what it calls the department.
#[derive(Clone, Copy)]
pub struct Network {
    pub profile: &'static str,
    pub own: &'static str,
    pub product: &'static str,
    /// The key file of the host's side; the switch has [`KEYS`]. None: messages have no MACs.
    pub keys: Option<&'static str>,
}

/// The key file of the switch's side, where messages have MACs.
pub const KEYS: &str = "kek 00112233445566778899AABBCCDDEEFF\nmac 4CD648347C7C41F1691C586546C2CBE1 08D7B4\n";

pub const EBIPP: Network = Network {
    profile: "ebipp",
    own: "acquirer = \"27\", terminal = \"SWITCH01\"",
    product: "PDAM01",
    keys: None,
};
const POWER: Network = Network {
    profile: "pln",
    own: "bank = \"4510017\", switcher = \"1234567\", terminal = \"SWITCH01\", service_code = \"123\"",
    product: "99501",
    keys: None,
};
const FEES: Network = Network { product: "99504", ..POWER };
pub const ONELINK: Network = Network { profile: "onelink", product: "GAS", ..EBIPP };

/// Keys of a host that is soon dialled again, and of its department.
pub const HASTY: &str =
    "reply_timeout_ms = 2000\nretry_ms = 20\nbreaker_failures = 1000\nbreaker_pause_ms = 10\n";

/// Where hosts are: nobody else listens at this address, so that one that returns finds its port free.
const AT: &str = "127.0.3.1:0";

/// A host in front of which a switch stands.
pub struct Stand {
    pub site: Site,
    host: Option<Host>,
    address: SocketAddr,
    network: Network,
    pub dir: tempfile::TempDir,
    pub setup: Setup,
}

/// A host alone.
pub async fn serve(network: Network, dir: &Path, listen: &str, faults: &[&str]) -> Host {
    let today = Some("2026-11-20".parse().unwrap());
    let books = Books::open(&dir.join("bills.csv"), &dir.join("ledger.jsonl"), today).unwrap();
    let profile = Arc::new(Specs::new(None).profile(network.profile).unwrap());
    let framing = profile.dialect().framing();
    let key = network.keys.map(|text| {
        let file = LinkKeyFile::parse("host.keys", text, profile.mac_rule().unwrap().algorithm());
        file.unwrap().mac.unwrap()
    });
    let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    let settings = Settings { listen: listen.parse().unwrap(), profile, framing, key, faults, seed: 1 };
    Host::serve(Arc::new(books), settings).await.unwrap()
}

impl Stand {
    pub async fn with(network: Network, faults: &[&str], lines: &str) -> Self {
        Self::with_bills(network, faults, lines, BILLS).await
    }

    pub async fn with_bills(network: Network, faults: &[&str], lines: &str, bills: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("bills.csv"), bills).unwrap();
        let host = serve(network, dir.path(), AT, faults).await;
        let Network { profile, own, product, keys } = network;
        let mac = if keys.is_some() { "mac = { key_file = \"../link.keys\" }\n" } else { "" };
        let lines = format!(
            "\n[[link]]\nname = \"simulated\"\nlisten = \"127.0.0.1:0\"\npeer = \"127.0.1.9\"\nprofile = \"onelink\"\n\n[[host]]\nname = \"host\"\naddress = \"{}\"\nprofile = \"{profile}\"\nown = {{ {own} }}\n{mac}reconnect_ms = 10\n\
             reconnect_max_ms = 40\n\n[[biller]]\ncode = \"{DEPT}\"\nname = \"Department\"\nadapter = \"iso8583\"\n{lines}\
             iso8583 = {{ host = \"host\", product = \"{product}\" }}\n",
            host.address
        );
        // Kept for as long as the test runs: a setup's lines are static.
        let link_keys = keys.map(|_| KEYS);
        let setup =
            Setup { biller_lines: lines.leak(), drain_timeout_ms: 200, link_keys, ..Setup::default() };
        let site = Site::with(setup).await;
        let address = host.address;
        Self { site, host: Some(host), address, network, dir, setup }
    }

    /// The host ends, with its connections.
    pub fn dies(&mut self) {
        self.host = None;
    }

    /// It is there again, with the ledger it had.
    pub async fn returns(&mut self, faults: &[&str]) {
        self.host = Some(serve(self.network, self.dir.path(), &self.address.to_string(), faults).await);
    }

    /// Asks until the host answers: it may be dialled only now.
    pub async fn reached(&self, peer: &mut Peer, first_stan: u32) {
        let asking = async {
            for stan in first_stan.. {
                if peer.ask(&Outgoing::inquiry_at(DEPT, stan, "7002")).await.code() == "00" {
                    return;
                }
                pause().await;
            }
        };
        tokio::time::timeout(crate::site::PATIENCE, asking).await.expect("the host is to be reached");
    }

    /// Postings, and how many of them were given back.
    pub fn ledger(&self) -> (Vec<Entry>, usize) {
        let entries = read_ledger(&self.dir.path().join("ledger.jsonl")).unwrap();
        let (undone, posted): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(|entry| entry.undone);
        (posted, undone.len())
    }
}

#[tokio::test]
async fn a_bill_of_another_network_is_found_paid_and_given_back_to_an_acquirer_who_speaks_none_of_it() {
    for network in [EBIPP, POWER, FEES, ONELINK] {
        let name = format!("{} {}", network.profile, network.product);
        let stand = Stand::with(network, &[], "reply_timeout_ms = 10000\n").await;
        let mut peer = stand.site.atmnet().await;
        stand.reached(&mut peer, 100).await;
        let found = peer.ask(&Outgoing::inquiry_at(DEPT, 1, "7001")).await;
        assert_eq!(
            (found.code(), found.fact("NM").as_str(), found.fact("AW").as_str()),
            ("00", "Ayesha Bibi", "1000"),
            "{name}"
        );
        assert_eq!(peer.ask(&Outgoing::inquiry_at(DEPT, 2, "7009")).await.code(), "25", "{name}");

        assert_eq!(
            peer.ask(&Outgoing::payment_at(DEPT, 3, "7001", 1001)).await.code(),
            "13",
            "{name}: nothing is sent"
        );
        let payment = Outgoing::payment_at(DEPT, 4, "7001", 1000);
        let paid = peer.ask(&payment).await;
        assert_eq!((paid.code(), paid.fact("RN").as_str()), ("00", "H000000001"), "{name}");
        let (posted, undone) = stand.ledger();
        assert_eq!((posted.len(), posted[0].amount, undone), (1, 1000, 0), "{name}");
        assert_eq!(peer.ask(&payment.clone().with_mti("0201")).await.fact("RN"), "H000000001", "{name}");
        assert_eq!(peer.ask(&Outgoing::payment_at(DEPT, 5, "7001", 1000)).await.code(), "21", "{name}");

        assert_eq!(peer.ask(&Outgoing::reversal_of(&payment, 9)).await.code(), "00", "{name}");
        until(&stand.site, 4, State::Reversed).await;
        assert_eq!(stand.ledger().1, 1, "{name}");
        assert_eq!(
            peer.ask(&Outgoing::inquiry_at(DEPT, 6, "7001")).await.code(),
            "00",
            "{name}: unpaid again"
        );
    }
}

#[tokio::test]
async fn n31_n32_a_host_that_approves_too_late_is_told_to_undo_it_once() {
    let stand = Stand::with(EBIPP, &["payment:late=3000:nth=1"], HASTY).await;
    let mut peer = stand.site.atmnet().await;
    stand.reached(&mut peer, 100).await;
    let payment = Outgoing::payment_at(DEPT, 1, "7001", 1000);
    assert_eq!(peer.ask(&payment).await.code(), "68");
    until(&stand.site, 1, State::Reversed).await;
    assert_eq!(peer.ask(&payment.with_mti("0201")).await.code(), "68", "not forwarded");
    let (posted, undone) = stand.ledger();
    assert_eq!((posted.len(), undone), (1, 1));
}

#[tokio::test]
async fn n33_a_host_that_declines_too_late_leaves_nothing_to_undo() {
    let stand = Stand::with(EBIPP, &["payment:hang:nth=1", "reversal:code=48:nth=1"], HASTY).await;
    let mut peer = stand.site.atmnet().await;
    stand.reached(&mut peer, 100).await;
    assert_eq!(peer.ask(&Outgoing::payment_at(DEPT, 1, "7001", 1000)).await.code(), "68");
    until(&stand.site, 1, State::Reversed).await;
    assert_eq!(stand.ledger().0, []);
}

#[tokio::test]
async fn n7_a_host_that_drops_the_connection_after_the_send_is_dialled_again_and_then_told_to_undo() {
    let stand = Stand::with(EBIPP, &["payment:drop:nth=1"], HASTY).await;
    let mut peer = stand.site.atmnet().await;
    stand.reached(&mut peer, 100).await;
    assert_eq!(peer.ask(&Outgoing::payment_at(DEPT, 1, "7001", 1000)).await.code(), "68");
    until(&stand.site, 1, State::Reversed).await;
    let (posted, undone) = stand.ledger();
    assert_eq!((posted.len(), undone), (1, 1));
}

#[tokio::test]
async fn n34_what_a_host_says_that_cannot_be_understood_is_doubt_and_not_a_decline() {
    for fault in [
        "payment:cut:nth=1",
        "payment:garbage:nth=1",
        "payment:wrong-amount:nth=1",
        "payment:code=03:nth=1",
        "payment:code=77:nth=1",
    ] {
        let stand = Stand::with(EBIPP, &[fault], HASTY).await;
        let mut peer = stand.site.atmnet().await;
        stand.reached(&mut peer, 100).await;
        assert_eq!(peer.ask(&Outgoing::payment_at(DEPT, 1, "7001", 1000)).await.code(), "68", "{fault}");
        until(&stand.site, 1, State::Reversed).await;
        let (posted, undone) = stand.ledger();
        assert_eq!(posted.len(), undone, "{fault}");
        drop(stand);
    }
}

#[tokio::test]
async fn n35_a_host_that_is_not_there_is_declined_at_once_and_nothing_is_reversed() {
    let mut stand = Stand::with(EBIPP, &[], HASTY).await;
    let mut peer = stand.site.atmnet().await;
    stand.reached(&mut peer, 100).await;
    stand.dies();
    // The end of the connection may take a moment to be noticed: an inquiry finds out without harm.
    for stan in 200.. {
        if peer.ask(&Outgoing::inquiry_at(DEPT, stan, "7002")).await.code() == "91" {
            break;
        }
        pause().await;
    }
    assert_eq!(peer.ask(&Outgoing::payment_at(DEPT, 1, "7001", 1000)).await.code(), "91");
    until(&stand.site, 1, State::Declined).await;
    stand.returns(&[]).await;
    stand.reached(&mut peer, 300).await;
    assert_eq!(peer.ask(&Outgoing::payment_at(DEPT, 2, "7001", 1000)).await.code(), "00");
    assert_eq!(stand.ledger().0.len(), 1);
}

#[tokio::test]
async fn a_payment_in_doubt_is_completed_forward_where_the_department_wants_it_so() {
    let lines = format!("{HASTY}in_doubt = \"confirm\"\n");
    let stand = Stand::with(EBIPP, &["payment:drop:nth=1", "payment:code=89:nth=2"], &lines).await;
    let mut peer = stand.site.atmnet().await;
    stand.reached(&mut peer, 100).await;
    let payment = Outgoing::payment_at(DEPT, 1, "7001", 1000);
    assert_eq!(peer.ask(&payment).await.code(), "68");
    until(&stand.site, 1, State::Posted).await;
    let told = peer.ask(&payment.with_mti("0201")).await;
    assert_eq!((told.code(), told.fact("RN").as_str()), ("00", "H000000001"));
    let (posted, undone) = stand.ledger();
    assert_eq!((posted.len(), undone), (1, 0));
}

#[tokio::test]
async fn n39_n49_a_reversal_that_the_host_cannot_do_now_is_tried_again() {
    let stand = Stand::with(EBIPP, &["reversal:code=89:nth=1", "reversal:drop:nth=2"], HASTY).await;
    let mut peer = stand.site.atmnet().await;
    stand.reached(&mut peer, 100).await;
    let payment = Outgoing::payment_at(DEPT, 1, "7001", 1000);
    assert_eq!(peer.ask(&payment).await.code(), "00");
    assert_eq!(peer.ask(&Outgoing::reversal_of(&payment, 9)).await.code(), "00");
    until(&stand.site, 1, State::Reversed).await;
    assert_eq!(stand.ledger().1, 1, "once, although it was told three times");
}

#[tokio::test]
async fn n50_a_reversal_that_the_host_refuses_is_handed_to_people_and_the_payment_stands() {
    for (network, refused) in [(EBIPP, "reversal:code=12:nth=1"), (POWER, "reversal:code=12:nth=1")] {
        let stand = Stand::with(network, &[refused], HASTY).await;
        let mut peer = stand.site.atmnet().await;
        stand.reached(&mut peer, 100).await;
        let payment = Outgoing::payment_at(DEPT, 1, "7001", 1000);
        assert_eq!(peer.ask(&payment).await.code(), "00");
        assert_eq!(peer.ask(&Outgoing::reversal_of(&payment, 9)).await.code(), "00");
        until(&stand.site, 1, State::Exception).await;
        assert_eq!(stand.ledger().1, 0);
    }
}

#[tokio::test]
async fn n47_n52_what_is_owed_to_a_host_that_is_down_outlives_a_restart_and_is_the_same_order_then() {
    let mut stand = Stand::with(POWER, &[], HASTY).await;
    let mut peer = stand.site.atmnet().await;
    stand.reached(&mut peer, 100).await;
    let payment = Outgoing::payment_at(DEPT, 1, "7001", 1000);
    assert_eq!(peer.ask(&payment).await.code(), "00");
    stand.dies();
    assert_eq!(
        peer.ask(&Outgoing::reversal_of(&payment, 9)).await.code(),
        "00",
        "at once, though the host is down"
    );
    let setup = stand.setup;
    stand.site.restart(setup).await;
    stand.returns(&[]).await;
    until(&stand.site, 1, State::Reversed).await;
    let (posted, undone) = stand.ledger();
    assert_eq!(
        (posted.len(), undone),
        (1, 1),
        "found by the number and time that the payment had before the restart"
    );
}

#[tokio::test]
async fn several_bills_in_one_answer_and_a_fee_with_its_split_are_told_and_paid_as_one_with_a_head_each() {
    let table = [
        (POWER, "7003", 3500, ["202609=1500", "202610=2000"]),
        (FEES, "7004", 1000, ["HEAD1=300", "HEAD2=700"]),
    ];
    for (network, psid, amount, heads) in table {
        let stand = Stand::with(network, &[], "reply_timeout_ms = 10000\n").await;
        let mut peer = stand.site.atmnet().await;
        stand.reached(&mut peer, 100).await;
        let found = peer.ask(&Outgoing::inquiry_at(DEPT, 1, psid)).await;
        assert_eq!(
            (found.code(), found.fact("AW").parse(), found.facts("FH")),
            ("00", Ok(amount), heads.map(String::from).to_vec())
        );
        assert_eq!(
            peer.ask(&Outgoing::payment_at(DEPT, 2, psid, 1500)).await.code(),
            "13",
            "one of them alone"
        );
        let payment = Outgoing::payment_at(DEPT, 3, psid, amount);
        let paid = peer.ask(&payment).await;
        assert_eq!((paid.code(), paid.facts("FH")), ("00", heads.map(String::from).to_vec()));
        assert_eq!(stand.ledger().0[0].amount, amount);
        assert_eq!(peer.ask(&Outgoing::reversal_of(&payment, 9)).await.code(), "00");
        until(&stand.site, 3, State::Reversed).await;
        assert_eq!(stand.ledger().1, 1);
    }
}
