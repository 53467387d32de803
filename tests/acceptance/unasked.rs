//! What a department's host says that it was not asked, or that may be anybody's.

use billswitch::control::{BillerReply, Reply, Request};

use crate::hosts::{DEPT, HASTY, KEYS, Network, ONELINK, Stand};
use crate::peer::Outgoing;
use crate::site::{PATIENCE, pause};

async fn department(stand: &Stand) -> BillerReply {
    let Reply::Billers(billers) = stand.site.operator(Request::Billers).await else { panic!("billers") };
    billers.into_iter().find(|biller| biller.code.as_str() == DEPT).unwrap()
}

#[tokio::test]
async fn a_second_answer_of_a_host_is_matched_with_nothing_journalled_where_it_names_a_payment_counted_and_an_alarm()
 {
    let stand = Stand::with(ONELINK, &["payment:duplicate:nth=1"], HASTY).await;
    let mut peer = stand.site.atmnet().await;
    stand.reached(&mut peer, 100).await;
    let told = peer.ask(&Outgoing::payment_at(DEPT, 1, "7001", 1000)).await;
    assert_eq!(told.code(), "00");
    stand.site.alarms(1).await;
    assert_eq!(department(&stand).await.health.unwrap().unasked, 1);
    let ask = || Request::Txn { rrn: Some("000000000001".to_owned()), stan: None };
    let journalled = async {
        loop {
            let Reply::Payments(found) = stand.site.operator(ask()).await else { panic!("payments") };
            let legs: Vec<_> =
                found[0].legs.iter().map(|leg| (leg.link.to_string(), leg.what.clone())).collect();
            if legs.iter().any(|(link, _)| link == "host") {
                return legs;
            }
            pause().await;
        }
    };
    let legs = tokio::time::timeout(PATIENCE, journalled).await.expect("a leg under the host's name");
    assert!(legs.last().unwrap().1.contains("0210"), "{legs:?}");
    assert_eq!(peer.ask(&Outgoing::payment_at(DEPT, 2, "7001", 1000)).await.code(), "21", "it stands, once");
}

/// Another MAC key, under another key.
const OTHER_KEYS: &str =
    "kek 0123456789ABCDEFFEDCBA9876543210\nmac F08D805D3435580116F6D4D7A1D89161 29A9C3\n";

#[tokio::test]
async fn n24_a_host_with_the_same_key_is_believed_also_when_it_says_something_odd() {
    let network = Network { keys: Some(KEYS), ..ONELINK };
    let stand = Stand::with(network, &["payment:wrong-amount:nth=1", "payment:code=96:nth=2"], HASTY).await;
    let mut peer = stand.site.atmnet().await;
    stand.reached(&mut peer, 100).await;
    for (stan, code) in [(1, "68"), (2, "68"), (3, "00")] {
        let psid = format!("700{stan}");
        let amount = [1000, 2000, 3500][stan as usize - 1];
        assert_eq!(peer.ask(&Outgoing::payment_at(DEPT, stan, &psid, amount)).await.code(), code);
    }
    let health = department(&stand).await.health.unwrap();
    assert_eq!((health.mac_refused, health.mac_key.as_str()), (0, "08D7B4"));
}

#[tokio::test]
async fn n24_a_host_with_another_key_is_believed_nothing_and_nothing_is_paid() {
    let network = Network { keys: Some(OTHER_KEYS), ..ONELINK };
    let stand = Stand::with(network, &[], HASTY).await;
    let mut peer = stand.site.atmnet().await;
    // Perhaps it is not signed on when the first of these comes.
    let refused = async {
        while department(&stand).await.health.unwrap().mac_refused == 0 {
            assert_eq!(peer.ask(&Outgoing::inquiry_at(DEPT, 1, "7001")).await.code(), "91");
            pause().await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.expect("its answer is refused");
    assert_eq!(stand.ledger().0, []);
}
