//! Store and forward, rows 47–53. Its pace is shown where time can be counted: in `src/switch/tests/forward.rs`.

use billswitch::control::{Reply, Request};
use billswitch::switch::{Order, Outcome, Reason, State};

use crate::peer::{Outgoing, Peer};
use crate::site::{BOOK, Ordered, Setup, Site, UNPAID, WIRED};
use crate::timeouts::until;

/// A biller that is soon found silent, and asked again soon.
const HASTY: Setup = Setup {
    reply_timeout_ms: 2000,
    link_lines: "",
    book_lines: "",
    biller_lines: "retry_ms = 50\nattempts_max = 4\nforward_in_flight_max = 2\nforward_per_second = 1000",
    drain_timeout_ms: 200,
    journal_lines: "",
    profile: "onelink",
    book: BOOK,
    bank: None,
    link_keys: None,
};

/// Pays, and has the biller post it.
async fn paid(site: &mut Site, peer: &mut Peer, stan: u32) -> Outgoing {
    let payment = Outgoing::payment_at(WIRED, stan, "1", 1000);
    peer.send(&payment).await;
    site.wired.post().await.approve(&format!("R{stan}"));
    assert_eq!(peer.receive().await.code(), "00");
    payment
}

/// Says that the biller is down, once the switch knows of it.
async fn goes_down(site: &Site) {
    site.wired.is_up(false);
    site.until_biller("that the biller is known to be down", |biller| !biller.reachable).await;
}

/// The trace number of the payment that an order to reverse is about, and whether it is a repeat.
fn reversal(ordered: &Ordered) -> (String, bool) {
    let Order::Reverse { payment, again } = &ordered.order else { panic!("a reversal") };
    (String::from_utf8(payment.key.parts().stan.to_vec()).unwrap(), *again)
}

#[tokio::test]
async fn n47_a_reversal_is_answered_at_once_while_the_biller_is_down_and_delivered_when_it_is_up() {
    let mut site = Site::with(HASTY).await;
    let mut peer = site.atmnet().await;
    let payment = paid(&mut site, &mut peer, 1).await;
    goes_down(&site).await;
    assert_eq!(peer.ask(&Outgoing::reversal_of(&payment, 2)).await.code(), "00");
    let biller = site.biller().await;
    assert_eq!((biller.owed, biller.reachable), (1, false));
    assert!(site.wired.is_idle(), "nothing goes out to a biller that is down");
    site.wired.is_up(true);
    let ordered = site.wired.reverse().await;
    assert_eq!(reversal(&ordered), ("000001".to_owned(), false));
    ordered.answer(Outcome::Reversed);
    until(&site, 1, State::Reversed).await;
    site.until_biller("that nothing is owed", |biller| biller.owed == 0).await;
}

#[tokio::test]
async fn n48_what_was_owed_goes_out_in_order_a_few_at_once_and_first_as_0420_then_as_0421() {
    let setup = Setup {
        reply_timeout_ms: 15_000,
        biller_lines: "retry_ms = 50\nforward_in_flight_max = 2\nforward_per_second = 100",
        ..HASTY
    };
    let mut site = Site::with(setup).await;
    let mut peer = site.atmnet().await;
    let mut payments = Vec::new();
    for stan in 1..=20 {
        payments.push(paid(&mut site, &mut peer, stan).await);
    }
    goes_down(&site).await;
    for (payment, stan) in payments.iter().zip(101..) {
        assert_eq!(peer.ask(&Outgoing::reversal_of(payment, stan)).await.code(), "00");
    }
    site.until_biller("that all of them are owed", |biller| biller.owed == 20).await;
    site.wired.is_up(true);
    let (first, second) = (site.wired.reverse().await, site.wired.reverse().await);
    assert_eq!(reversal(&first), ("000001".to_owned(), false));
    assert_eq!(reversal(&second), ("000002".to_owned(), false));
    // Behind the two at the biller the others wait: an answer to something else goes through the same engine.
    assert_eq!(peer.ask(&Outgoing::network("301")).await.field(70), "301");
    assert!(site.wired.is_idle(), "two at the biller at once");
    first.answer(Outcome::Unknown);
    second.answer(Outcome::Reversed);
    let mut order = Vec::new();
    for _ in 3..=21 {
        let ordered = site.wired.reverse().await;
        let (stan, again) = reversal(&ordered);
        assert_eq!(again, stan == "000001", "only what was sent before comes as a repeat");
        order.push(stan);
        ordered.answer(Outcome::Reversed);
    }
    order.retain(|stan| stan != "000001");
    assert!(order.is_sorted() && order.len() == 18, "{order:?}");
    for stan in 1..=20 {
        until(&site, stan, State::Reversed).await;
    }
}

#[tokio::test]
async fn n49_a_biller_that_answers_91_to_a_reversal_gets_it_again() {
    let mut site = Site::with(HASTY).await;
    let mut peer = site.atmnet().await;
    let payment = paid(&mut site, &mut peer, 1).await;
    assert_eq!(peer.ask(&Outgoing::reversal_of(&payment, 2)).await.code(), "00");
    // More often than `attempts_max`: what was certainly not sent is not held against it, and stays a first order.
    for _ in 0..6 {
        let ordered = site.wired.reverse().await;
        assert!(!reversal(&ordered).1);
        ordered.answer(Outcome::NotSent);
    }
    site.wired.reverse().await.answer(Outcome::Unknown);
    let ordered = site.wired.reverse().await;
    assert!(reversal(&ordered).1, "the one before it may have arrived");
    ordered.answer(Outcome::Reversed);
    until(&site, 1, State::Reversed).await;
}

#[tokio::test]
async fn n50_a_reversal_that_the_biller_refuses_is_an_exception() {
    let mut site = Site::with(HASTY).await;
    let mut peer = site.atmnet().await;
    let payment = paid(&mut site, &mut peer, 1).await;
    assert_eq!(peer.ask(&Outgoing::reversal_of(&payment, 2)).await.code(), "00");
    site.wired.reverse().await.answer(Outcome::Declined(Reason::NotReversible));
    until(&site, 1, State::Exception).await;
    site.alarms(1).await;
    assert_eq!(site.biller().await.owed, 0);
}

#[tokio::test]
async fn n51_a_bad_record_ends_with_people_and_blocks_none_behind_it() {
    let setup = Setup { biller_lines: "retry_ms = 50\nattempts_max = 3\nforward_in_flight_max = 1", ..HASTY };
    let mut site = Site::with(setup).await;
    let mut peer = site.atmnet().await;
    let mut payments = Vec::new();
    for stan in 1..=4 {
        payments.push(paid(&mut site, &mut peer, stan).await);
    }
    goes_down(&site).await;
    for (payment, stan) in payments.iter().zip(101..) {
        assert_eq!(peer.ask(&Outgoing::reversal_of(payment, stan)).await.code(), "00");
    }
    site.wired.is_up(true);
    let mut bad = 0;
    while bad < 3 {
        let ordered = site.wired.reverse().await;
        // Nobody ever answers for the first.
        if reversal(&ordered).0 == "000001" {
            bad += 1;
        } else {
            ordered.answer(Outcome::Reversed);
        }
    }
    for stan in 2..=4 {
        until(&site, stan, State::Reversed).await;
    }
    until(&site, 1, State::Exception).await;
    let Reply::Exceptions(found) = site.operator(Request::Exceptions).await else { panic!("exceptions") };
    assert_eq!(found.len(), 1);
    assert!(
        found[0].next.starts_with("3 orders in 0 min brought no answer; it was posted"),
        "{}",
        found[0].next
    );
}

#[tokio::test]
async fn n51_what_is_owed_for_too_long_is_an_exception_also_while_the_biller_is_down() {
    let setup = Setup { biller_lines: "forward_age_max_ms = 1000", ..HASTY };
    let mut site = Site::with(setup).await;
    let mut peer = site.atmnet().await;
    let payment = paid(&mut site, &mut peer, 1).await;
    goes_down(&site).await;
    assert_eq!(peer.ask(&Outgoing::reversal_of(&payment, 2)).await.code(), "00");
    until(&site, 1, State::Exception).await;
    site.alarms(1).await;
    let Reply::Exceptions(found) = site.operator(Request::Exceptions).await else { panic!("exceptions") };
    assert!(found[0].next.starts_with("0 orders in 0 min brought no answer"), "{}", found[0].next);
    assert!(site.wired.is_idle());
}

#[tokio::test]
async fn n52_what_is_owed_is_owed_after_a_restart_and_each_is_done_once() {
    let setup = Setup {
        biller_lines: "retry_ms = 50\nforward_in_flight_max = 4\nforward_per_second = 200",
        reply_timeout_ms: 15_000,
        ..HASTY
    };
    let mut site = Site::with(setup).await;
    let mut peer = site.atmnet().await;
    let mut payments = Vec::new();
    for stan in 1..=10 {
        payments.push(paid(&mut site, &mut peer, stan).await);
    }
    goes_down(&site).await;
    for (payment, stan) in payments.iter().zip(101..) {
        assert_eq!(peer.ask(&Outgoing::reversal_of(payment, stan)).await.code(), "00");
    }
    site.wired.is_up(true);
    for _ in 1..=3 {
        site.wired.reverse().await.answer(Outcome::Reversed);
    }
    for stan in 1..=3 {
        until(&site, stan, State::Reversed).await;
    }
    let unanswered = [site.wired.reverse().await, site.wired.reverse().await];
    drop(unanswered);
    site.restart(setup).await;
    let mut seen = Vec::new();
    for _ in 4..=10 {
        let ordered = site.wired.reverse().await;
        seen.push(reversal(&ordered));
        ordered.answer(Outcome::Reversed);
    }
    for stan in 4..=10 {
        until(&site, stan, State::Reversed).await;
    }
    let stans: Vec<_> = seen.iter().map(|(stan, _)| stan.as_str()).collect();
    assert_eq!(stans, ["000004", "000005", "000006", "000007", "000008", "000009", "000010"]);
    assert!(seen[0].1 && seen[1].1, "the orders that were not answered may have arrived: {seen:?}");
    assert!(site.wired.is_idle(), "nothing twice");
}

#[tokio::test]
async fn n53_live_traffic_goes_on_while_much_is_owed() {
    let setup = Setup {
        reply_timeout_ms: 15_000,
        biller_lines: "forward_in_flight_max = 2\nforward_per_second = 1000",
        ..HASTY
    };
    let mut site = Site::with(setup).await;
    let mut peer = site.atmnet().await;
    let mut payments = Vec::new();
    for stan in 1..=30 {
        payments.push(paid(&mut site, &mut peer, stan).await);
    }
    goes_down(&site).await;
    for (payment, stan) in payments.iter().zip(101..) {
        assert_eq!(peer.ask(&Outgoing::reversal_of(payment, stan)).await.code(), "00");
    }
    site.wired.is_up(true);
    // The biller takes its time over two reversals: live payments reach it past the 28 that wait behind.
    let _slow = [site.wired.reverse().await, site.wired.reverse().await];
    for stan in 201..=205 {
        paid(&mut site, &mut peer, stan).await;
    }
    assert_eq!(peer.ask(&Outgoing::payment(301, UNPAID, 1000)).await.code(), "00");
    // An acquirer that waits for its reversal does not wait behind them either.
    let asked = paid(&mut site, &mut peer, 206).await;
    peer.send(&Outgoing::reversal_of(&asked, 401).with_mti("0400")).await;
    let ordered = site.wired.reverse().await;
    assert_eq!(reversal(&ordered).0, "000206");
    ordered.answer(Outcome::Reversed);
    let answer = peer.receive().await;
    assert_eq!((answer.mti.as_str(), answer.code()), ("0410", "00"));
    assert_eq!(site.biller().await.owed, 30);
}

#[tokio::test]
async fn a_reversal_that_asks_is_told_that_it_is_open_while_its_order_has_to_wait() {
    let mut site = Site::with(HASTY).await;
    let mut peer = site.atmnet().await;
    let payment = paid(&mut site, &mut peer, 1).await;
    goes_down(&site).await;
    let asked = Outgoing::reversal_of(&payment, 2);
    assert_eq!(peer.ask(&asked.clone().with_mti("0400")).await.code(), "68");
    assert_eq!(peer.ask(&asked.clone().with_mti("0401")).await.code(), "68");
    site.wired.is_up(true);
    site.wired.reverse().await.answer(Outcome::Reversed);
    until(&site, 1, State::Reversed).await;
    assert_eq!(peer.ask(&asked.with_mti("0401")).await.code(), "00");
    assert!(site.wired.is_idle());
}
