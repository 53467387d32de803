//! What is in flight across a cutover: rows 55 and 56.

use billswitch::control::{Reply, Request};
use billswitch::ids::BusinessDate;
use billswitch::switch::{Order, Outcome, State};

use crate::peer::Outgoing;
use crate::site::{Site, WIRED};
use crate::timeouts::until;

fn date(text: &str) -> BusinessDate {
    text.parse().unwrap()
}

/// Receipts in the scroll of a date.
async fn scroll(site: &Site, on: &str) -> Vec<String> {
    let request = Request::Scroll { biller: WIRED.parse().unwrap(), date: date(on) };
    let Reply::Scroll(lines) = site.operator(request).await else { panic!("a scroll") };
    lines.iter().map(|line| line.receipt.to_string()).collect()
}

#[tokio::test]
async fn n55_a_payment_in_flight_across_a_cutover_keeps_its_date() {
    let mut site = Site::open().await;
    let mut peer = site.atmnet().await;
    peer.send(&Outgoing::payment_at(WIRED, 1, "1", 1000)).await;
    let order = site.wired.post().await;
    site.operator(Request::Cutover).await;
    peer.send(&Outgoing::payment_at(WIRED, 2, "2", 1000)).await;
    let next = site.wired.post().await;
    let dated = |order: &Order| match order {
        Order::Post { payment, .. } => payment.date,
        Order::LookUp(_) | Order::Reverse { .. } => panic!("an order to post"),
    };
    assert_eq!((dated(&order.order), dated(&next.order)), (date("2026-11-20"), date("2026-11-21")));
    order.approve("R1");
    assert_eq!(peer.receive().await.fact("RN"), "R1");
    next.approve("R2");
    assert_eq!(peer.receive().await.fact("RN"), "R2");
    assert_eq!(scroll(&site, "2026-11-20").await, ["R1"]);
    assert_eq!(scroll(&site, "2026-11-21").await, ["R2"]);
}

#[tokio::test]
async fn n56_a_reversal_delivered_after_a_cutover_carries_the_date_of_its_original() {
    let mut site = Site::open().await;
    let mut peer = site.atmnet().await;
    let payment = Outgoing::payment_at(WIRED, 1, "1", 1000);
    peer.send(&payment).await;
    site.wired.post().await.approve("R1");
    assert_eq!(peer.receive().await.code(), "00");
    site.operator(Request::Cutover).await;
    assert_eq!(peer.ask(&Outgoing::reversal_of(&payment, 2)).await.code(), "00");
    let reversal = site.wired.reverse().await;
    let Order::Reverse { payment: undone, .. } = &reversal.order else { panic!("a reversal") };
    assert_eq!(undone.date, date("2026-11-20"));
    reversal.answer(Outcome::Reversed);
    until(&site, 1, State::Reversed).await;
    assert!(scroll(&site, "2026-11-20").await.is_empty(), "it no longer stands");
    assert!(scroll(&site, "2026-11-21").await.is_empty(), "and is nothing of the day it was undone on");
}
