//! Time-outs and restarts: rows 31–38.

use billswitch::control::{Reply, Request};
use billswitch::switch::{Order, Outcome, Reason, State};

use crate::peer::{Outgoing, Peer};
use crate::site::{Ordered, Setup, Site, UNPAID, WIRED, pause, posting};

/// A biller that is soon found silent.
const HASTY: Setup = Setup {
    reply_timeout_ms: 2000,
    link_lines: "",
    book_lines: "",
    biller_lines: "retry_ms = 50\nattempts_max = 3",
    drain_timeout_ms: 200,
    journal_lines: "",
    profile: "onelink",
    book: crate::site::BOOK,
    bank: None,
    link_keys: None,
};

/// Brings payment 1 in doubt: it is sent, and answered 68. Gives back the order that the biller has not answered.
async fn in_doubt(site: &mut Site, peer: &mut Peer) -> Ordered {
    peer.send(&Outgoing::payment_at(WIRED, 1, "1", 1000)).await;
    let silent = site.wired.post().await;
    assert_eq!(peer.receive().await.code(), "68");
    silent
}

/// The state of the payment with this RRN, as the journal has it.
async fn state_of(site: &Site, stan: u32) -> State {
    let rrn = Some(format!("{stan:012}"));
    let Reply::Payments(found) = site.operator(Request::Txn { rrn, stan: None }).await else {
        panic!("payments")
    };
    assert_eq!(found.len(), 1);
    found[0].payment.state
}

/// Waits until the payment is in this state.
pub async fn until(site: &Site, stan: u32, state: State) {
    let reached = async {
        while state_of(site, stan).await != state {
            pause().await;
        }
    };
    tokio::time::timeout(crate::site::PATIENCE, reached).await.expect("the state is due");
}

#[tokio::test]
async fn n31_a_silent_biller_leaves_the_payment_in_doubt_and_it_is_reversed() {
    let mut site = Site::with(HASTY).await;
    let mut peer = site.atmnet().await;
    let payment = Outgoing::payment_at(WIRED, 1, "1", 1000);
    peer.send(&payment).await;
    let _silent = site.wired.post().await;
    assert_eq!(peer.receive().await.code(), "68");
    let reversal = site.wired.reverse().await;
    assert_eq!(peer.ask(&payment.clone().with_mti("0201")).await.code(), "68", "in doubt, never declined");
    let Order::Reverse { payment: undone, .. } = &reversal.order else { panic!("a reversal") };
    assert_eq!((undone.state, undone.amount.minor()), (State::Reversing, 1000));
    reversal.answer(Outcome::Reversed);
    until(&site, 1, State::Reversed).await;
    assert_eq!(peer.ask(&payment.with_mti("0201")).await.code(), "68");
}

#[tokio::test]
async fn n32_an_approval_after_the_deadline_is_not_forwarded_and_reversed_once() {
    let mut site = Site::with(HASTY).await;
    let mut peer = site.atmnet().await;
    let late = in_doubt(&mut site, &mut peer).await;
    let reversal = site.wired.reverse().await;
    late.approve("R1");
    reversal.answer(Outcome::Reversed);
    until(&site, 1, State::Reversed).await;
    assert_eq!(peer.ask(&Outgoing::network("301")).await.field(70), "301", "nothing else came before this");
    assert!(site.wired.is_idle(), "one reversal");
}

#[tokio::test]
async fn n33_a_decline_after_the_deadline_resolves_without_harm() {
    let mut site = Site::with(HASTY).await;
    let mut peer = site.atmnet().await;
    let late = in_doubt(&mut site, &mut peer).await;
    let reversal = site.wired.reverse().await;
    late.answer(Outcome::Declined(Reason::NoSuchBill));
    reversal.answer(Outcome::Declined(Reason::OriginalUnknown));
    until(&site, 1, State::Reversed).await;
}

#[tokio::test]
async fn n34_an_answer_that_makes_no_sense_is_doubt_and_not_a_decline() {
    let mut site = Site::open().await;
    let mut peer = site.atmnet().await;
    peer.send(&Outgoing::payment_at(WIRED, 1, "1", 1000)).await;
    site.wired.post().await.answer(Outcome::Unknown);
    assert_eq!(peer.receive().await.code(), "68");
    site.wired.reverse().await.answer(Outcome::Reversed);
    until(&site, 1, State::Reversed).await;
}

#[tokio::test]
async fn n35_a_biller_down_before_the_send_is_declined_at_once_without_reversal() {
    let mut site = Site::open().await;
    let mut peer = site.atmnet().await;
    peer.send(&Outgoing::payment_at(WIRED, 1, "1", 1000)).await;
    site.wired.post().await.answer(Outcome::NotSent);
    assert_eq!(peer.receive().await.code(), "91");
    assert_eq!(state_of(&site, 1).await, State::Declined);
    assert!(site.wired.is_idle());
}

#[tokio::test]
async fn n36_an_acquirer_that_drops_before_its_answer_gets_it_on_its_repeat() {
    let mut site = Site::open().await;
    let mut peer = site.atmnet().await;
    let payment = Outgoing::payment_at(WIRED, 1, "1", 1000);
    peer.send(&payment).await;
    let order = site.wired.post().await;
    drop(peer);
    order.approve("R1");
    until(&site, 1, State::Posted).await;
    let answer = site.atmnet().await.ask(&payment.with_mti("0201")).await;
    assert_eq!((answer.code(), answer.fact("RN").as_str()), ("00", "R1"));
    assert!(site.wired.is_idle());
}

#[tokio::test]
async fn n37_a_payment_open_when_the_switch_ended_is_reversed_after_the_restart() {
    let patient = Setup { reply_timeout_ms: 20_000, ..HASTY };
    let mut site = Site::with(patient).await;
    let payment = Outgoing::payment_at(WIRED, 1, "1", 1000);
    let mut peer = site.atmnet().await;
    peer.send(&payment).await;
    let _lost = site.wired.post().await;
    site.restart(patient).await;
    let reversal = site.wired.reverse().await;
    let mut peer = site.atmnet().await;
    assert_eq!(peer.ask(&payment.clone().with_mti("0201")).await.code(), "68");
    reversal.answer(Outcome::Reversed);
    until(&site, 1, State::Reversed).await;
    site.restart(patient).await;
    assert!(site.wired.is_idle(), "resolved, so not taken up again");
}

#[tokio::test]
async fn a_reversal_goes_on_after_a_restart_and_ends_with_a_person() {
    let mut site = Site::with(HASTY).await;
    let mut peer = site.atmnet().await;
    let _silent = in_doubt(&mut site, &mut peer).await;
    let _silent = site.wired.reverse().await;
    // The second of three orders may go out while the switch drains; the last one goes out after the restart.
    site.restart(HASTY).await;
    let _silent = site.wired.reverse().await;
    until(&site, 1, State::Exception).await;
    site.alarms(1).await;
    let Reply::Status(status) = site.operator(Request::Status).await else { panic!("a status") };
    assert_eq!(status.open, 0);
}

#[tokio::test]
async fn an_unanswered_inquiry_is_declined_and_never_reversed() {
    let mut site = Site::with(HASTY).await;
    let mut peer = site.atmnet().await;
    peer.send(&Outgoing::inquiry_at(WIRED, 1, "1")).await;
    let late = site.wired.order().await;
    assert_eq!(peer.receive().await.code(), "91");
    late.approve("R1");
    assert_eq!(peer.ask(&Outgoing::inquiry(2, UNPAID)).await.code(), "00");
    assert!(site.wired.is_idle());
}

#[tokio::test]
async fn a_drain_finishes_what_is_in_flight_and_refuses_what_is_new() {
    let mut site = Site::open().await;
    let mut peer = site.atmnet().await;
    peer.send(&Outgoing::payment_at(WIRED, 1, "1", 1000)).await;
    let order = site.wired.post().await;
    site.operator(Request::Drain).await;
    assert_eq!(peer.ask(&Outgoing::payment(2, UNPAID, 1000)).await.code(), "91");
    order.answer(Outcome::Posted(posting("R1")));
    assert_eq!(peer.receive().await.fact("RN"), "R1");
    site.drain().await;
    peer.closed().await;
}

#[tokio::test]
async fn an_approval_behind_the_confirmed_reversal_is_reversed_once_more_and_told() {
    let mut site = Site::with(HASTY).await;
    let mut peer = site.atmnet().await;
    let late = in_doubt(&mut site, &mut peer).await;
    site.wired.reverse().await.answer(Outcome::Declined(Reason::OriginalUnknown));
    until(&site, 1, State::Reversed).await;
    late.approve("R1");
    site.wired.reverse().await.answer(Outcome::Reversed);
    until(&site, 1, State::Reversed).await;
    site.alarms(1).await;
}

#[tokio::test]
async fn a_silent_biller_does_not_shut_the_link_to_the_others() {
    let setup = Setup { link_lines: "waiting_max = 3", ..HASTY };
    let mut site = Site::with(setup).await;
    let mut peer = site.atmnet().await;
    for stan in 1..=3 {
        peer.send(&Outgoing::payment_at(WIRED, stan, "1", 1000)).await;
    }
    for _ in 1..=3 {
        assert_eq!(peer.receive().await.code(), "68");
    }
    assert_eq!(
        peer.ask(&Outgoing::payment(4, UNPAID, 1000)).await.code(),
        "00",
        "what is being undone holds up nobody"
    );
    while !site.wired.is_idle() {}
}

#[tokio::test]
async fn a_slow_confirmation_of_a_reversal_counts() {
    let mut site = Site::with(HASTY).await;
    let mut peer = site.atmnet().await;
    let _silent = in_doubt(&mut site, &mut peer).await;
    let slow = site.wired.reverse().await;
    let _again = site.wired.reverse().await;
    slow.answer(Outcome::Reversed);
    until(&site, 1, State::Reversed).await;
}

#[tokio::test]
async fn a_decline_behind_an_exception_ends_the_doubt() {
    let setup = Setup { biller_lines: "reversible = false", ..HASTY };
    let mut site = Site::with(setup).await;
    let mut peer = site.atmnet().await;
    let late = in_doubt(&mut site, &mut peer).await;
    until(&site, 1, State::Exception).await;
    late.answer(Outcome::Declined(Reason::NoSuchBill));
    until(&site, 1, State::Declined).await;
}

#[tokio::test]
async fn n38_a_repeat_after_the_end_of_the_switch_gets_the_approval_that_was_never_read() {
    let mut site = Site::open().await;
    let payment = Outgoing::payment(1, UNPAID, 1000);
    let mut peer = site.atmnet().await;
    peer.send(&payment).await;
    until_known(&site, 1).await;
    drop(peer);
    site.restart(Setup::default()).await;
    let answer = site.atmnet().await.ask(&payment.with_mti("0201")).await;
    assert_eq!((answer.code(), answer.fact("ST").as_str()), ("00", "P"));
    assert_eq!(state_of(&site, 1).await, State::Posted);
}

/// Waits until the journal has the payment.
async fn until_known(site: &Site, stan: u32) {
    let known = async {
        loop {
            let request = Request::Txn { rrn: Some(format!("{stan:012}")), stan: None };
            let Reply::Payments(found) = site.operator(request).await else { panic!("payments") };
            if !found.is_empty() {
                return;
            }
            pause().await;
        }
    };
    tokio::time::timeout(crate::site::PATIENCE, known).await.expect("the payment is due");
}
