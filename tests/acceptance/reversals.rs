//! Reversals: rows 39–46.

use billswitch::switch::{Outcome, Reason};

use crate::peer::{ATMNET, NORTHBANK, Outgoing, Peer};
use crate::site::{LATE, Setup, Site, UNPAID, WIRED};

#[tokio::test]
async fn n39_reversal_of_an_approved_payment() {
    let mut site = Site::open().await;
    let mut peer = site.atmnet().await;
    let payment = Outgoing::payment(1, UNPAID, 1000);
    let first = peer.ask(&payment).await;
    let answer = peer.ask(&Outgoing::reversal_of(&payment, 2)).await;
    assert_eq!((answer.mti.as_str(), answer.code(), answer.field(11)), ("0430", "00", "000002"));
    assert_eq!(peer.ask(&Outgoing::inquiry(3, UNPAID)).await.fact("ST"), "U");
    let again = peer.ask(&Outgoing::payment(4, UNPAID, 1000)).await;
    assert_eq!(again.code(), "00");
    assert_ne!(again.fact("RN"), first.fact("RN"), "a receipt number is never given twice");
    let wired = Outgoing::payment_at(WIRED, 5, "1", 1000);
    peer.send(&wired).await;
    site.wired.post().await.approve("R1");
    assert_eq!(peer.receive().await.code(), "00");
    assert_eq!(
        peer.ask(&Outgoing::reversal_of(&wired, 6)).await.code(),
        "00",
        "an advice is answered at once"
    );
    site.wired.reverse().await.answer(Outcome::Reversed);
}

#[tokio::test]
async fn n40_reversal_of_an_unknown_original_also_after_a_restart() {
    let mut site = Site::open().await;
    let mut peer = site.atmnet().await;
    let payment = Outgoing::payment(1, UNPAID, 1000);
    let reversal = Outgoing::reversal_of(&payment, 2);
    assert_eq!(peer.ask(&reversal).await.code(), "25");
    assert_eq!(peer.ask(&payment).await.code(), "21", "a later original is declined");
    assert_eq!(peer.ask(&Outgoing::inquiry(3, UNPAID)).await.fact("ST"), "U");
    site.restart(Setup::default()).await;
    let mut peer = site.atmnet().await;
    assert_eq!(peer.ask(&payment.with_mti("0201")).await.code(), "21");
    assert_eq!(peer.ask(&reversal.with_mti("0421")).await.code(), "25");
}

#[tokio::test]
async fn n41_reversal_of_a_declined_original() {
    let site = Site::open().await;
    let mut peer = site.atmnet().await;
    let payment = Outgoing::payment(1, UNPAID, 999);
    assert_eq!(peer.ask(&payment).await.code(), "13");
    assert_eq!(peer.ask(&Outgoing::reversal_of(&payment, 2)).await.code(), "00");
    assert_eq!(peer.ask(&payment.with_mti("0201")).await.code(), "13", "no effect");
}

#[tokio::test]
async fn n42_a_repeated_reversal_has_one_effect() {
    let mut site = Site::open().await;
    let mut peer = site.atmnet().await;
    let payment = Outgoing::payment(1, UNPAID, 1000);
    peer.ask(&payment).await;
    let reversal = Outgoing::reversal_of(&payment, 2);
    let first = peer.ask(&reversal).await;
    assert_eq!(first.code(), "00");
    let other = Outgoing::payment(3, UNPAID, 1000);
    assert_eq!(peer.ask(&other).await.code(), "00", "paid by another meanwhile");
    for mti in ["0421", "0420"] {
        assert_eq!(peer.ask(&reversal.clone().with_mti(mti)).await, first, "{mti}");
    }
    assert_eq!(peer.ask(&Outgoing::inquiry(4, UNPAID)).await.fact("ST"), "P", "the other's payment stands");
    let wired = Outgoing::payment_at(WIRED, 5, "1", 1000);
    peer.send(&wired).await;
    site.wired.post().await.approve("R1");
    peer.receive().await;
    for mti in ["0420", "0421", "0420"] {
        assert_eq!(peer.ask(&Outgoing::reversal_of(&wired, 6).with_mti(mti)).await.code(), "00");
    }
    site.wired.reverse().await.answer(Outcome::Reversed);
    assert_eq!(peer.ask(&Outgoing::reversal_of(&wired, 6).with_mti("0421")).await.code(), "00");
    assert!(site.wired.is_idle(), "one reversal");
}

#[tokio::test]
async fn n43_a_reversal_of_another_amount_or_of_a_part() {
    let site = Site::open().await;
    let mut peer = site.atmnet().await;
    let payment = Outgoing::payment(1, UNPAID, 1000);
    peer.ask(&payment).await;
    let reversal = Outgoing::reversal_of(&payment, 2);
    let more = reversal.clone().with(4, "000000001001");
    let part = reversal.clone().with(95, &format!("{:012}{}", 400, "0".repeat(30)));
    assert_eq!(peer.ask(&more).await.code(), "13");
    assert_eq!(peer.ask(&part).await.code(), "13");
    assert_eq!(peer.ask(&Outgoing::inquiry(3, UNPAID)).await.fact("ST"), "P");
    assert_eq!(
        peer.ask(&reversal.with(95, &"0".repeat(42))).await.code(),
        "00",
        "a DE 95 of zeros asks for nothing"
    );
}

#[tokio::test]
async fn n44_a_reversal_of_a_reversal() {
    let site = Site::open().await;
    let mut peer = site.atmnet().await;
    let payment = Outgoing::payment(1, UNPAID, 1000);
    peer.ask(&payment).await;
    let reversal = Outgoing::reversal_of(&payment, 2);
    let original = "0420000002      1120090600      1120090600";
    assert_eq!(peer.ask(&reversal.with(90, original)).await.code(), "12");
    assert_eq!(peer.ask(&Outgoing::inquiry(3, UNPAID)).await.fact("ST"), "P");
}

#[tokio::test]
async fn n45_a_reversal_by_another_acquirer() {
    let site = Site::open().await;
    let mut peer = site.atmnet().await;
    let payment = Outgoing::payment(1, UNPAID, 1000);
    peer.ask(&payment).await;
    let mut other = Peer::signed_on(site.address, NORTHBANK).await;
    let reversal = Outgoing::reversal_of(&payment, 2);
    assert_eq!(other.ask(&reversal).await.code(), "25");
    assert_eq!(other.ask(&reversal.clone().with_mti("0421")).await.code(), "25");
    assert_eq!(peer.ask(&Outgoing::inquiry(3, UNPAID)).await.fact("ST"), "P", "no effect");
    site.alarms(1).await;
    let own = Outgoing::payment(1, LATE, 1100);
    assert_eq!(other.ask(&own).await.code(), "21", "what the other took back it cannot pay under that key");
    assert_eq!(peer.ask(&reversal).await.code(), "00");
}

#[tokio::test]
async fn n46_a_reversal_while_the_original_is_in_flight() {
    let mut site = Site::open().await;
    let mut peer = site.atmnet().await;
    let payment = Outgoing::payment_at(WIRED, 1, "1", 1000);
    peer.send(&payment).await;
    let order = site.wired.post().await;
    let reversal = Outgoing::reversal_of(&payment, 2);
    assert_eq!(peer.ask(&reversal).await.code(), "00");
    assert!(site.wired.is_idle(), "the biller is told once it has answered");
    order.approve("R1");
    assert_ne!(peer.receive().await.code(), "00", "what is taken back is not approved");
    site.wired.reverse().await.answer(Outcome::Reversed);
    assert_eq!(peer.ask(&reversal.with_mti("0421")).await.code(), "00");
    let declined = Outgoing::payment_at(WIRED, 3, "1", 1000);
    peer.send(&declined).await;
    let order = site.wired.post().await;
    assert_eq!(peer.ask(&Outgoing::reversal_of(&declined, 4)).await.code(), "00");
    order.answer(Outcome::Declined(Reason::NoSuchBill));
    assert_eq!(peer.receive().await.code(), "25");
    assert!(site.wired.is_idle(), "nothing was posted, so nothing is undone");
}

#[tokio::test]
async fn a_reversal_of_a_payment_in_doubt_is_answered_and_adds_no_second_one() {
    let mut site = Site::open().await;
    let mut peer = Peer::signed_on(site.address, ATMNET).await;
    let payment = Outgoing::payment_at(WIRED, 1, "1", 1000);
    peer.send(&payment).await;
    site.wired.post().await.answer(Outcome::Unknown);
    assert_eq!(peer.receive().await.code(), "68");
    let order = site.wired.reverse().await;
    assert_eq!(peer.ask(&Outgoing::reversal_of(&payment, 2)).await.code(), "00");
    order.answer(Outcome::Reversed);
    assert_eq!(peer.ask(&Outgoing::reversal_of(&payment, 2).with_mti("0421")).await.code(), "00");
    assert!(site.wired.is_idle());
}

#[tokio::test]
async fn a_biller_that_refuses_a_reversal_leaves_an_exception_and_not_reversible_is_said() {
    let setup = Setup { biller_lines: "reversible = false", ..Setup::default() };
    let mut site = Site::with(setup).await;
    let mut peer = site.atmnet().await;
    let payment = Outgoing::payment_at(WIRED, 1, "1", 1000);
    peer.send(&payment).await;
    site.wired.post().await.approve("R1");
    peer.receive().await;
    assert_eq!(peer.ask(&Outgoing::reversal_of(&payment, 2)).await.code(), "00", "the advice is stored");
    site.alarms(1).await;
    assert!(site.wired.is_idle());
}

#[tokio::test]
async fn a_repeat_behind_the_reversal_gets_its_stored_answer_and_posts_nothing() {
    let site = Site::open().await;
    let mut peer = site.atmnet().await;
    let payment = Outgoing::payment(1, UNPAID, 1000);
    let first = peer.ask(&payment).await;
    assert_eq!(peer.ask(&Outgoing::reversal_of(&payment, 2)).await.code(), "00");
    assert_eq!(peer.ask(&payment.with_mti("0201")).await, first);
    assert_eq!(peer.ask(&Outgoing::inquiry(3, UNPAID)).await.fact("ST"), "U");
}

#[tokio::test]
async fn a_reversal_that_came_first_counts_for_a_link_also_where_another_has_such_a_payment() {
    let site = Site::open().await;
    let (mut one, mut two) = (site.atmnet().await, Peer::signed_on(site.address, NORTHBANK).await);
    let payment = Outgoing::payment(1, UNPAID, 1000);
    let reversal = Outgoing::reversal_of(&payment, 2);
    assert_eq!(one.ask(&reversal).await.code(), "25");
    assert_eq!(two.ask(&reversal).await.code(), "25");
    assert_eq!(two.ask(&payment).await.code(), "21");
    assert_eq!(one.ask(&payment).await.code(), "21");
    site.alarms(0).await;
}
