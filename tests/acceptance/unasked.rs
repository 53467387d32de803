//! What a department's host says that it was not asked.

use billswitch::control::{BillerReply, Reply, Request};

use crate::hosts::{DEPT, HASTY, ONELINK, Stand};
use crate::peer::Outgoing;
use crate::site::PATIENCE;

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
        }
    };
    let legs = tokio::time::timeout(PATIENCE, journalled).await.expect("a leg under the host's name");
    assert!(legs.last().unwrap().1.contains("0210"), "{legs:?}");
    assert_eq!(peer.ask(&Outgoing::payment_at(DEPT, 2, "7001", 1000)).await.code(), "21", "it stands, once");
}
