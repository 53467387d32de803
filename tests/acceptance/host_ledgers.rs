//! A simulated acquirer on one side and a simulated host on the other, and what both hold in the end.

use std::net::SocketAddr;
use std::sync::Arc;

use billswitch::config::Specs;
use billswitch::control::{Reply, Request};
use billswitch::sim::acquirer::{self, Plan, Report, Way};

use crate::hosts::{BILLS, DEPT, EBIPP, HASTY, ONELINK, Stand, serve};
use crate::site::{Site, pause};

/// Waits until nothing is open at the switch.
async fn settled(site: &Site) {
    let waiting = async {
        loop {
            let Reply::Status(status) = site.operator(Request::Status).await else { panic!("a status") };
            if status.open == 0 {
                return;
            }
            pause().await;
        }
    };
    tokio::time::timeout(crate::site::PATIENCE, waiting).await.expect("everything comes to an end");
}

/// The way of an acquirer of onelink.
fn way(to: SocketAddr) -> Way {
    let profile = Arc::new(Specs::new(None).profile("onelink").unwrap());
    let own =
        [("acquirer", "27"), ("terminal", "SIM00001")].map(|(name, own)| (name.to_owned(), own.to_owned()));
    Way {
        address: to.to_string(),
        source: Some("127.0.1.9".parse().unwrap()),
        framing: profile.dialect().framing(),
        profile,
        own: own.into_iter().collect(),
        key: None,
    }
}

#[tokio::test]
async fn after_many_payments_with_faults_acquirer_and_host_hold_the_same_to_stand() {
    let faults = [
        "payment:drop:3%",
        "payment:late=2500:3%",
        "payment:garbage:2%",
        "payment:duplicate:3%",
        "payment:wrong-amount:1%",
        "payment:code=89:2%",
        "reversal:drop:5%",
        "reversal:code=89:5%",
        "inquiry:delay=20:10%",
        "inquiry:drop:1%",
    ];
    let mut bills = BILLS.to_owned();
    for number in 0..300 {
        bills.push_str(&format!(
            "8{number:05},A CITIZEN,2611,2026-11-25,2026-12-25,{},{},,U\n",
            1000 + number,
            1000 + number
        ));
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bills.csv"), &bills).unwrap();
    let stand = Stand::with_bills(EBIPP, &faults, HASTY, &bills).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let way = way(stand.site.address);
    let link = acquirer::link(way, stopped);
    link.signed_on().await;
    let plan = Plan {
        biller: DEPT.parse().unwrap(),
        currency: "586".to_owned(),
        consumers: acquirer::consumers(&dir.path().join("bills.csv")).unwrap(),
        rate: 1000,
        in_flight_max: 8,
        reply_timeout_ms: 10_000,
        repeats: 10,
        reversals: 10,
        today: Some("2026-11-20".parse().unwrap()),
    };
    let ledger = dir.path().join("acquirer.jsonl");
    let report = acquirer::run(link, &ledger, plan).await.unwrap();
    assert!(
        report.standing > 50 && report.doubtful > 10 && report.taken_back > 0 && report.repeats_refused == 0,
        "{report:?}"
    );
    settled(&stand.site).await;
    let Reply::Exceptions(exceptions) = stand.site.operator(Request::Exceptions).await else {
        panic!("exceptions")
    };
    assert_eq!(exceptions.len(), 0);
    assert_eq!(acquirer::compare(&ledger, &stand.dir.path().join("ledger.jsonl")).unwrap(), []);
    drop(stop);
}

#[tokio::test]
async fn what_an_acquirer_may_not_take_back_stands_in_its_ledger() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("bills.csv"), BILLS).unwrap();
    let ways = ["reversal:code=21:100%", "payment:drop:nth=2"];
    let host = serve(ONELINK, dir.path(), "127.0.0.1:0", &ways).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let link = acquirer::link(way(host.address), stopped);
    link.signed_on().await;
    let plan = Plan {
        biller: ONELINK.product.parse().unwrap(),
        currency: "586".to_owned(),
        consumers: acquirer::consumers(&at("bills.csv")).unwrap(),
        rate: 1000,
        in_flight_max: 1,
        reply_timeout_ms: 10_000,
        repeats: 0,
        reversals: 100,
        today: Some("2026-11-20".parse().unwrap()),
    };
    let report = acquirer::run(link, &at("acquirer.jsonl"), plan).await.unwrap();
    let paid = report.reversals_refused;
    let declined = report.declined;
    assert_eq!(report, Report { reversals_refused: paid, declined, ..Report::default() });
    assert!(paid > 2, "{report:?}");
    let ledger = std::fs::read_to_string(at("acquirer.jsonl")).unwrap();
    assert!(!ledger.contains("\"undone\":true"), "{ledger}");
    assert_eq!(u64::try_from(ledger.lines().count()).unwrap(), paid - 1, "one was not answered");
    let differences = acquirer::compare(&at("acquirer.jsonl"), &at("ledger.jsonl")).unwrap();
    let posted_unheard = differences.iter().filter(|it| it.one.is_none() && it.other.is_some());
    assert_eq!((posted_unheard.count(), differences.len()), (1, 1), "what was in doubt stands at the host");
    drop(stop);
}
