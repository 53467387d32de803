//! How either side leaves.

use super::*;

#[tokio::test]
async fn a_host_that_signs_off_gets_no_more_orders_and_may_answer_what_it_has() {
    let mut site = Site::open(TIMES).await;
    let mut peer = site.signed_on().await;
    site.submit(1, post(1));
    let frame = peer.frame().await;
    assert_eq!(peer.asks("002").await.get(39), "00");
    assert!(!timeout(PATIENCE, site.reach.recv()).await.unwrap().unwrap(), "down");
    site.submit(2, post(2));
    assert!(matches!(site.outcome().await, (2, Outcome::NotSent)));
    peer.answer(&frame, "00", &[(38, "000001")]).await;
    assert!(matches!(site.outcome().await, (1, Outcome::Posted(_))), "answered, and not in doubt");
    peer.ended().await;
    site.signed_on().await;
}

#[tokio::test]
async fn a_host_that_signs_off_and_answers_nothing_is_left_when_the_answers_are_overdue() {
    let mut site = Site::open(Times { reply: 1, ..TIMES }).await;
    let mut peer = site.signed_on().await;
    site.submit(1, post(1));
    peer.frame().await;
    peer.asks("002").await;
    peer.ended().await;
    site.signed_on().await;
}

#[tokio::test]
async fn a_switch_that_goes_down_signs_off() {
    let mut site = Site::open(TIMES).await;
    let mut peer = site.signed_on().await;
    site.stop.send_replace(true);
    assert_eq!(peer.frame().await.get(70), "002");
    peer.ended().await;
    assert!(!timeout(PATIENCE, site.reach.recv()).await.unwrap().unwrap());
}
