//! Making certain: billers that are asked again rather than told to undo, advices, reversals that wait, cutover by message,
//! and what people resolve.

use billswitch::control::{Reply, Request};
use billswitch::switch::{Order, Outcome, Reason, Resolution, State};

use crate::peer::{ATMNET, NORTHBANK, Outgoing, Peer};
use crate::site::{BOOK, Ordered, Setup, Site, UNPAID, WIRED};
use crate::timeouts::until;

/// A biller that is soon found silent, and then asked again: the same, until it says.
const CONFIRMING: Setup = Setup {
    reply_timeout_ms: 2000,
    link_lines: "",
    book_lines: "",
    biller_lines: "in_doubt = \"confirm\"\nreversible = false\nretry_ms = 50\nattempts_max = 3",
    drain_timeout_ms: 200,
    journal_lines: "",
    profile: "onelink",
    book: BOOK,
    bank: None,
    link_keys: None,
};

/// The same, but it can undo.
const REVERSIBLE: Setup =
    Setup { biller_lines: "in_doubt = \"confirm\"\nretry_ms = 50\nattempts_max = 3", ..CONFIRMING };

/// An order to post, and whether it is sent again.
async fn post(site: &mut Site) -> (Ordered, bool) {
    let ordered = site.wired.post().await;
    let Order::Post { again, .. } = ordered.order else { panic!("an order to post") };
    (ordered, again)
}

#[tokio::test]
async fn n31_a_payment_in_doubt_is_confirmed_and_its_repeat_then_told() {
    let mut site = Site::with(CONFIRMING).await;
    let mut peer = site.atmnet().await;
    let payment = Outgoing::payment_at(WIRED, 1, "1", 1000);
    peer.send(&payment).await;
    let (silent, again) = post(&mut site).await;
    assert!(!again);
    assert_eq!(peer.receive().await.code(), "68");
    let (confirmed, again) = post(&mut site).await;
    assert!(again, "the biller must know that it may have it");
    let identity = |ordered: &Ordered| match &ordered.order {
        Order::Post { payment, .. } => (
            payment.key.clone(),
            payment.consumer.clone(),
            payment.amount,
            payment.date,
            payment.heads.clone(),
        ),
        Order::LookUp(_) | Order::Reverse { .. } => panic!("an order to post"),
    };
    assert_eq!(identity(&silent), identity(&confirmed), "the same in all its parts");
    confirmed.approve("R1");
    until(&site, 1, State::Posted).await;
    let told = peer.ask(&payment.with_mti("0201")).await;
    assert_eq!((told.code(), told.fact("RN").as_str()), ("00", "R1"));
    silent.approve("R1");
    assert_eq!(peer.ask(&Outgoing::network("301")).await.field(70), "301", "nothing else came before this");
    until(&site, 1, State::Posted).await;
    assert!(site.wired.is_idle(), "one posting, never undone");
}

#[tokio::test]
async fn n31_a_payment_that_the_biller_refuses_when_asked_again_is_declined() {
    let mut site = Site::with(CONFIRMING).await;
    let mut peer = site.atmnet().await;
    let payment = Outgoing::payment_at(WIRED, 1, "1", 1000);
    peer.send(&payment).await;
    let (_silent, _) = post(&mut site).await;
    assert_eq!(peer.receive().await.code(), "68");
    let (refused, _) = post(&mut site).await;
    refused.answer(Outcome::Declined(Reason::NoSuchBill));
    until(&site, 1, State::Declined).await;
    assert_eq!(peer.ask(&payment.with_mti("0201")).await.code(), "25");
}

#[tokio::test]
async fn a_repeat_refused_for_what_its_bill_has_become_is_for_people_who_are_told_why() {
    let table = [
        (
            Reason::AlreadyPaid,
            "told that its bill is paid and not that it was by this payment; it may have been posted",
        ),
        (
            Reason::Expired,
            "refused for what its bill is now, which says nothing of the time before; it may have been posted",
        ),
        (
            Reason::Blocked,
            "refused for what its bill is now, which says nothing of the time before; it may have been posted",
        ),
    ];
    for (reason, why) in table {
        let mut site = Site::with(CONFIRMING).await;
        let mut peer = site.atmnet().await;
        let payment = Outgoing::payment_at(WIRED, 1, "1", 1000);
        peer.send(&payment).await;
        let (silent, _) = post(&mut site).await;
        silent.answer(Outcome::Unknown);
        assert_eq!(peer.receive().await.code(), "68");
        let (refused, _) = post(&mut site).await;
        refused.answer(Outcome::Declined(reason));
        until(&site, 1, State::Exception).await;
        assert_eq!(peer.ask(&payment.with_mti("0201")).await.code(), "68", "never called declined");
        let Reply::Exceptions(found) = site.operator(Request::Exceptions).await else { panic!("exceptions") };
        assert!(found[0].next.contains(why), "{}", found[0].next);
    }
}

#[tokio::test]
async fn n32_a_late_approval_confirms_what_is_being_confirmed() {
    let mut site = Site::with(CONFIRMING).await;
    let mut peer = site.atmnet().await;
    peer.send(&Outgoing::payment_at(WIRED, 1, "1", 1000)).await;
    let (late, _) = post(&mut site).await;
    assert_eq!(peer.receive().await.code(), "68");
    let (_asked_again, _) = post(&mut site).await;
    late.approve("R1");
    until(&site, 1, State::Posted).await;
}

#[tokio::test]
async fn n37_a_payment_being_confirmed_is_so_after_a_restart() {
    let mut site = Site::with(CONFIRMING).await;
    let mut peer = site.atmnet().await;
    peer.send(&Outgoing::payment_at(WIRED, 1, "1", 1000)).await;
    let (_lost, _) = post(&mut site).await;
    assert_eq!(peer.receive().await.code(), "68");
    site.restart(CONFIRMING).await;
    let (confirmed, again) = post(&mut site).await;
    assert!(again);
    confirmed.approve("R1");
    until(&site, 1, State::Posted).await;
}

#[tokio::test]
async fn n51_a_biller_that_stays_silent_leaves_an_exception_which_a_person_resolves() {
    // There is no answer that would have to be in time.
    let site = Site::with(Setup { reply_timeout_ms: 400, ..CONFIRMING }).await;
    let mut peer = site.atmnet().await;
    let payment = Outgoing::payment_at(WIRED, 1, "1", 1000);
    peer.send(&payment).await;
    assert_eq!(peer.receive().await.code(), "68");
    until(&site, 1, State::Exception).await;
    let Reply::Exceptions(found) = site.operator(Request::Exceptions).await else { panic!("exceptions") };
    let [exception] = &found[..] else { panic!("one exception") };
    assert_eq!(exception.payment.consumer.as_ref(), "1");
    assert!(exception.next.contains("it may have been posted"), "{}", exception.next);
    let resolve =
        |leg, resolution| Request::Resolve { leg, resolution, why: "seen in their list".to_owned() };
    site.operator(resolve(exception.leg, Resolution::Stands)).await;
    until(&site, 1, State::Posted).await;
    let Reply::Exceptions(found) = site.operator(Request::Exceptions).await else { panic!("exceptions") };
    assert!(found.is_empty());
    let refused = site.operator_refused(resolve(exception.leg, Resolution::Undone)).await;
    assert!(refused.contains("the payment is posted"), "{refused}");
    let refused = site.operator_refused(resolve(9_999_999, Resolution::Undone)).await;
    assert!(refused.contains("leg 9999999 is no exception"), "{refused}");
}

#[tokio::test]
async fn what_people_found_out_is_refused_of_a_payment_that_has_changed_since() {
    let site = Site::with(CONFIRMING).await;
    let mut peer = site.atmnet().await;
    let payment = Outgoing::payment_at(WIRED, 1, "1", 1000);
    peer.send(&payment).await;
    assert_eq!(peer.receive().await.code(), "68");
    until(&site, 1, State::Exception).await;
    let Reply::Exceptions(before) = site.operator(Request::Exceptions).await else { panic!("exceptions") };
    // While the department is asked, the citizen gets the money back.
    let reversal = Outgoing::reversal_of(&payment, 2).with_mti("0420");
    assert_eq!(peer.ask(&reversal).await.code(), "00");
    let Reply::Exceptions(after) = site.operator(Request::Exceptions).await else { panic!("exceptions") };
    let resolve = |leg, resolution| Request::Resolve { leg, resolution, why: "on the phone".to_owned() };
    let refused = site.operator_refused(resolve(before[0].leg, Resolution::Stands)).await;
    let newest = format!("its latest leg is {}", after[0].leg);
    assert!(refused.contains("has changed since") && refused.contains(&newest), "{refused}");
    until(&site, 1, State::Exception).await;
    site.operator(resolve(after[0].leg, Resolution::Undone)).await;
    until(&site, 1, State::Reversed).await;
}

#[tokio::test]
async fn what_people_say_of_a_bill_in_our_own_book_must_be_what_the_book_says() {
    let site = Site::open().await;
    let mut peer = site.atmnet().await;
    let advice = Outgoing::payment(1, UNPAID, 999).with_mti("0220");
    assert_eq!(peer.ask(&advice).await.code(), "00");
    until(&site, 1, State::Exception).await;
    let Reply::Exceptions(found) = site.operator(Request::Exceptions).await else { panic!("exceptions") };
    let why = || "their letter".to_owned();
    let resolve = |resolution| Request::Resolve { leg: found[0].leg, resolution, why: why() };
    let refused = site.operator_refused(resolve(Resolution::Stands)).await;
    assert!(refused.contains("does not stand in our own book as paid"), "{refused}");
    assert_eq!(peer.ask(&Outgoing::payment(2, UNPAID, 1000)).await.code(), "00", "it is unpaid");
    site.operator(resolve(Resolution::Undone)).await;
    until(&site, 1, State::Reversed).await;
}

#[tokio::test]
async fn n51_an_exception_may_be_asked_of_the_biller_once_more() {
    let mut site = Site::with(CONFIRMING).await;
    let mut peer = site.atmnet().await;
    peer.send(&Outgoing::payment_at(WIRED, 1, "1", 1000)).await;
    assert_eq!(peer.receive().await.code(), "68");
    until(&site, 1, State::Exception).await;
    while !site.wired.is_idle() {}
    let Reply::Exceptions(found) = site.operator(Request::Exceptions).await else { panic!("exceptions") };
    let (leg, why) = (found[0].leg, "their line is up again".to_owned());
    site.operator(Request::Resolve { leg, resolution: Resolution::Again, why }).await;
    let (confirmed, again) = post(&mut site).await;
    assert!(again);
    confirmed.approve("R1");
    until(&site, 1, State::Posted).await;
}

#[tokio::test]
async fn n30_an_advice_is_stored_answered_and_then_forwarded() {
    let mut site = Site::with(CONFIRMING).await;
    let mut peer = site.atmnet().await;
    let advice = Outgoing::payment_at(WIRED, 1, "1", 1000).with_mti("0220");
    let answer = peer.ask(&advice).await;
    assert_eq!((answer.mti.as_str(), answer.code()), ("0230", "00"));
    let (order, _) = post(&mut site).await;
    let again = peer.ask(&advice.clone().with_mti("0221")).await;
    assert_eq!((again.mti.as_str(), again.code()), ("0230", "00"), "one effect");
    order.answer(Outcome::NotSent);
    let (order, _) = post(&mut site).await;
    order.approve("R1");
    until(&site, 1, State::Posted).await;
    assert!(site.wired.is_idle());
    let other = peer.ask(&advice.with(4, "000000002000")).await;
    assert_eq!(other.code(), "94", "the same key, another amount");
    // A bill of the book: posted in the same turn, by the heads of the bill.
    let booked = Outgoing::payment(2, UNPAID, 1000).with_mti("0220");
    assert_eq!(peer.ask(&booked).await.code(), "00");
    assert_eq!(peer.ask(&Outgoing::inquiry(3, UNPAID)).await.fact("ST"), "P");
}

#[tokio::test]
async fn n30_an_advice_that_the_biller_refuses_is_for_people_not_for_nobody() {
    let mut site = Site::with(CONFIRMING).await;
    let mut peer = site.atmnet().await;
    assert_eq!(peer.ask(&Outgoing::payment_at(WIRED, 1, "1", 1000).with_mti("0220")).await.code(), "00");
    let (order, _) = post(&mut site).await;
    order.answer(Outcome::Declined(Reason::NoSuchBill));
    until(&site, 1, State::Exception).await;
    site.alarms(1).await;
}

#[tokio::test]
async fn n39_a_reversal_that_asks_is_answered_when_the_biller_has() {
    let mut site = Site::with(REVERSIBLE).await;
    let mut peer = site.atmnet().await;
    let payment = Outgoing::payment_at(WIRED, 1, "1", 1000);
    peer.send(&payment).await;
    let (order, _) = post(&mut site).await;
    order.approve("R1");
    assert_eq!(peer.receive().await.code(), "00");
    peer.send(&Outgoing::reversal_of(&payment, 2).with_mti("0400")).await;
    let reversal = site.wired.reverse().await;
    assert_eq!(peer.ask(&Outgoing::network("301")).await.field(70), "301", "no answer before the biller's");
    reversal.answer(Outcome::Reversed);
    let answer = peer.receive().await;
    assert_eq!((answer.mti.as_str(), answer.code()), ("0410", "00"));
    assert_eq!(peer.ask(&Outgoing::reversal_of(&payment, 2).with_mti("0401")).await.code(), "00");
    assert!(site.wired.is_idle(), "one reversal");
}

#[tokio::test]
async fn n39_a_reversal_that_asks_what_cannot_be_undone_is_told_so() {
    let mut site = Site::with(CONFIRMING).await;
    let mut peer = site.atmnet().await;
    for (stan, mti, answered, code) in [(1, "0400", "0410", "21"), (2, "0420", "0430", "00")] {
        let payment = Outgoing::payment_at(WIRED, stan, "1", 1000);
        peer.send(&payment).await;
        let (order, _) = post(&mut site).await;
        order.approve("R1");
        assert_eq!(peer.receive().await.code(), "00");
        let answer = peer.ask(&Outgoing::reversal_of(&payment, stan + 10).with_mti(mti)).await;
        assert_eq!((answer.mti.as_str(), answer.code()), (answered, code));
        until(&site, stan, State::Exception).await;
    }
    site.alarms(2).await;
}

#[tokio::test]
async fn n54_a_networks_cutover_moves_the_date_once_however_often_it_is_said() {
    let site = Site::open().await;
    let mut peer = site.atmnet().await;
    assert_eq!(date(&site).await, "2026-11-20");
    let cutover = Outgoing::network("201").with(15, "1121");
    assert_eq!(peer.ask(&cutover).await.code(), "00");
    assert_eq!(peer.ask(&cutover).await.code(), "00");
    let mut north = Peer::signed_on(site.address, NORTHBANK).await;
    assert_eq!(north.ask(&cutover).await.code(), "00");
    assert_eq!(north.ask(&Outgoing::network("201")).await.code(), "00", "that day has just begun");
    assert_eq!(date(&site).await, "2026-11-21");
    assert_eq!(north.ask(&Outgoing::network("201").with(15, "1130")).await.code(), "30", "no day to move to");
    let mut stranger = Peer::connect(site.address, ATMNET).await;
    drop(peer);
    assert_eq!(stranger.ask(&Outgoing::network("001")).await.code(), "00");
    assert_eq!(date(&site).await, "2026-11-21");
}

#[tokio::test]
async fn n54_a_cutover_said_again_after_a_restart_moves_nothing() {
    let mut site = Site::open().await;
    assert_eq!(site.atmnet().await.ask(&Outgoing::network("201")).await.code(), "00");
    assert_eq!(date(&site).await, "2026-11-21");
    site.restart(Setup::default()).await;
    assert_eq!(site.atmnet().await.ask(&Outgoing::network("201")).await.code(), "00");
    assert_eq!(date(&site).await, "2026-11-21", "that is the day that has just begun");
    site.operator(Request::Cutover).await;
    assert_eq!(date(&site).await, "2026-11-22", "the operator's word counts at once");
}

async fn date(site: &Site) -> String {
    let Reply::Status(status) = site.operator(Request::Status).await else { panic!("a status") };
    status.business_date.to_string()
}
