//! A department with an HTTP API, simulated, behind the whole switch: what acquirers are told, and that both ledgers agree.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use billswitch::control::{Reply, Request};
use billswitch::sim::rest::{Department, Entry, Office, Settings, read_ledger};
use billswitch::switch::State;

use crate::peer::Outgoing;
use crate::site::{Setup, Site, pause};
use crate::timeouts::until;

const DEPT: &str = "DEPT";
/// A bill of 100.00, due on 2026-12-31.
const DUE: &str = "10010000000001";

/// Where departments are: nobody else listens at this address, so that one that returns finds its port free.
const AT: &str = "127.0.3.1:0";

/// A simulated department in front of which a switch stands.
struct Stand {
    site: Site,
    department: Department,
    ledger: tempfile::TempDir,
}

impl Stand {
    async fn with(faults: &[&str], lines: &str) -> Self {
        Self::of(None, faults, lines).await
    }

    /// A department with so many bills of its own, or those of a certification.
    async fn of(own: Option<u32>, faults: &[&str], lines: &str) -> Self {
        let ledger = tempfile::tempdir().unwrap();
        let fixture = || Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/billers/certification.csv");
        let bills = own.map_or_else(fixture, |count| bills(ledger.path(), count));
        let department = serve_bills(&bills, ledger.path(), AT, faults).await;
        let lines = format!(
            "\n[[biller]]\ncode = \"{DEPT}\"\nname = \"Department\"\nadapter = \"rest\"\nretry_ms = 20\n{lines}\n\
             [biller.rest]\nurl = \"http://{}/api/\"\nbank_mnemonic = \"BSWITCH\"\n",
            department.address
        );
        // Kept for as long as the test runs: a setup's lines are static.
        let site = Site::with(Setup { biller_lines: lines.leak(), ..Setup::default() }).await;
        Self { site, department, ledger }
    }

    fn entries(&self) -> Vec<Entry> {
        read_ledger(&self.ledger.path().join("ledger.jsonl")).unwrap()
    }
}

async fn serve(dir: &Path, listen: &str, faults: &[&str]) -> Department {
    let bills = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/billers/certification.csv");
    serve_bills(&bills, dir, listen, faults).await
}

async fn serve_bills(bills: &Path, dir: &Path, listen: &str, faults: &[&str]) -> Department {
    let today = Some("2026-11-20".parse().unwrap());
    let office = Arc::new(Office::open(bills, &dir.join("ledger.jsonl"), today).unwrap());
    let settings = Settings {
        listen: listen.parse().unwrap(),
        credentials: None,
        tls: None,
        faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
        seed: 1,
    };
    Department::serve(office, settings).await.unwrap()
}

#[tokio::test]
async fn a_department_over_http_is_asked_and_paid_and_its_ledger_says_the_same() {
    let stand = Stand::with(&[], "").await;
    let mut peer = stand.site.atmnet().await;
    let found = peer.ask(&Outgoing::inquiry_at(DEPT, 1, DUE)).await;
    assert_eq!(
        (found.code(), found.fact("NM").as_str(), found.fact("ST").as_str()),
        ("00", "Ayesha Bibi", "U")
    );
    let paid = peer.ask(&Outgoing::payment_at(DEPT, 2, DUE, 10_000)).await;
    assert_eq!((paid.code(), paid.fact("RN").as_str()), ("00", "V000000001"));
    let [entry] = &stand.entries()[..] else { panic!("one posting") };
    assert_eq!((entry.consumer.as_str(), entry.amount, entry.receipt.as_str()), (DUE, 10_000, "V000000001"));
    assert!(entry.identity.starts_with(&paid.fact("AI")) && entry.identity.ends_with("20261120 090500"));
    assert_eq!(peer.ask(&Outgoing::inquiry_at(DEPT, 3, DUE)).await.code(), "21");
    assert_eq!(
        peer.ask(&Outgoing::payment_at(DEPT, 4, DUE, 10_000)).await.code(),
        "21",
        "paid, but not by this one"
    );
    assert_eq!(stand.entries().len(), 1);
}

#[tokio::test]
async fn a_payment_whose_answer_was_lost_is_confirmed_by_its_duplicate_and_posted_once() {
    let stand = Stand::with(&["payment:drop:nth=1"], "").await;
    let mut peer = stand.site.atmnet().await;
    let payment = Outgoing::payment_at(DEPT, 1, DUE, 10_000);
    assert_eq!(peer.ask(&payment).await.code(), "68");
    until(&stand.site, 1, State::Posted).await;
    let told = peer.ask(&payment.with_mti("0201")).await;
    assert_eq!((told.code(), told.fact("RN").as_str()), ("00", "V000000001"));
    assert_eq!(stand.entries().len(), 1);
}

#[tokio::test]
async fn a_department_that_is_not_there_is_told_from_one_that_fell_silent() {
    let stand =
        Stand::with(&["payment:hang:nth=1"], "reply_timeout_ms = 3000\nbreaker_failures = 1000\n").await;
    let mut peer = stand.site.atmnet().await;
    assert_eq!(peer.ask(&Outgoing::payment_at(DEPT, 1, DUE, 10_000)).await.code(), "68", "it may have it");
    until(&stand.site, 1, State::Posted).await;
    let Stand { site, department, ledger } = stand;
    let address = department.address.to_string();
    drop(department);
    // Its connections may take a moment to end: a request on one of them is in doubt, and so not asked for here.
    let unpaid = "10010000000002";
    let refused = async {
        loop {
            if peer.ask(&Outgoing::inquiry_at(DEPT, 2, unpaid)).await.code() == "91" {
                return;
            }
            pause().await;
        }
    };
    tokio::time::timeout(crate::site::PATIENCE, refused).await.unwrap();
    assert_eq!(peer.ask(&Outgoing::payment_at(DEPT, 3, unpaid, 10_005)).await.code(), "91");
    until(&site, 3, State::Declined).await;
    let department = serve(ledger.path(), &address, &[]).await;
    assert_eq!(peer.ask(&Outgoing::payment_at(DEPT, 4, unpaid, 10_005)).await.code(), "00");
    drop(department);
}

#[tokio::test]
async fn an_operator_sees_the_breaker_open_and_payments_are_refused_unsent_until_it_closes() {
    let lines = "breaker_failures = 2\nbreaker_pause_ms = 60000\n";
    let stand = Stand::with(&["inquiry:status=500:100%"], lines).await;
    let mut peer = stand.site.atmnet().await;
    for (stan, bill) in [(1, DUE), (2, "10010000000002")] {
        assert_eq!(peer.ask(&Outgoing::inquiry_at(DEPT, stan, bill)).await.code(), "91");
    }
    assert_eq!(peer.ask(&Outgoing::payment_at(DEPT, 3, DUE, 10_000)).await.code(), "91");
    assert_eq!(stand.entries(), []);
    let Reply::Billers(billers) = stand.site.operator(Request::Billers).await else { panic!("billers") };
    let health = billers.iter().find(|biller| biller.code.as_str() == DEPT).unwrap().health.clone().unwrap();
    assert_eq!((health.breaker.name(), health.refused_open), ("open", 1));
    assert_eq!(health.last_error.unwrap().what, "an inquiry answered with HTTP 500");
}

/// A department with so many unpaid bills of its own, `00000000000001` and so on, 100.00 each.
fn bills(dir: &Path, count: u32) -> std::path::PathBuf {
    let mut text = String::from(
        "psid,name,billing_month,due_date,expiry_date,amount_within_due,amount_after_due,heads,status\n",
    );
    for bill in 1..=count {
        writeln!(text, "{bill:014},A Citizen,2611,2026-12-31,2027-12-31,10000,11000,,U").unwrap();
    }
    let path = dir.join("bills.csv");
    std::fs::write(&path, text).unwrap();
    path
}

#[tokio::test]
async fn after_a_day_of_faults_both_ledgers_say_the_same_or_people_are_told() {
    const PAYMENTS: u32 = 2_000;
    let faults = [
        "payment:drop:3%",
        "payment:cut:2%",
        "payment:garbage:2%",
        "payment:status-after=500:2%",
        "payment:duplicate:2%",
        "payment:reset:3%",
        "payment:status=503:2%",
        "payment:code=05:2%",
        "any:hang:0.5%",
        "inquiry:garbage:10%",
        "any:refuse:1%",
    ];
    let lines = "reply_timeout_ms = 2000\nbreaker_failures = 1000\nbreaker_pause_ms = 100\nattempts_max = 100\nforward_per_second = 1000\n";
    let stand = Stand::of(Some(PAYMENTS), &faults, lines).await;
    let mut peer = stand.site.atmnet().await;
    let pay = |stan: u32| Outgoing::payment_at(DEPT, stan, &format!("{stan:014}"), 10_000);
    let (mut told, mut sent) = (BTreeMap::<String, Vec<u32>>::new(), 0);
    for answered in 0..PAYMENTS {
        while sent < PAYMENTS && sent - answered < 64 {
            sent += 1;
            peer.send(&pay(sent)).await;
        }
        let answer = peer.receive().await;
        told.entry(answer.code().to_owned()).or_default().push(answer.field(11).parse().unwrap());
    }
    let settled = async {
        loop {
            let Reply::Status(status) = stand.site.operator(Request::Status).await else {
                panic!("a status")
            };
            if status.open == 0 {
                return;
            }
            pause().await;
        }
    };
    tokio::time::timeout(crate::site::PATIENCE, settled).await.expect("what is in doubt is made certain");
    // What the switch has decided last may not be on disk yet, where a scroll is read: this is answered behind it.
    stand.site.operator(Request::Unblock { biller: DEPT.parse().unwrap() }).await;
    let scroll = Request::Scroll { biller: DEPT.parse().unwrap(), date: "2026-11-20".parse().unwrap() };
    let Reply::Scroll(scroll) = stand.site.operator(scroll).await else { panic!("a scroll") };
    let ours: BTreeMap<_, _> =
        scroll.into_iter().map(|line| (line.psid, (line.amount.minor(), line.receipt.to_string()))).collect();
    for stan in told.get("00").expect("most are approved") {
        assert!(ours.contains_key(&format!("{stan:014}")), "approved, and not in the scroll: {stan}");
    }
    let counts: Vec<(String, usize)> = told.iter().map(|(code, stans)| (code.clone(), stans.len())).collect();
    assert!(
        told.contains_key("68") && told.keys().all(|code| ["00", "68", "91"].contains(&code.as_str())),
        "{counts:?}"
    );
    let (mut same, mut differ, mut left) = (0_u32, Vec::new(), ours);
    for Entry { consumer, amount, receipt, .. } in stand.entries() {
        // A second posting of one bill finds nothing left.
        if left.remove(&consumer) == Some((amount, receipt)) {
            same += 1;
        } else {
            differ.push(consumer);
        }
    }
    differ.extend(left.into_keys());
    let Reply::Exceptions(exceptions) = stand.site.operator(Request::Exceptions).await else {
        panic!("exceptions")
    };
    let known: BTreeSet<_> = exceptions.iter().map(|found| found.payment.consumer.to_string()).collect();
    let unknown: Vec<_> = differ.iter().filter(|consumer| !known.contains(*consumer)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    // How many is the machine's business: where the disk is slow the breaker opens, and the others are refused unsent.
    assert!(same > 0, "{counts:?}");
}
