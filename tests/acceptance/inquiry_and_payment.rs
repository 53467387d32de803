//! Inquiries and payments: rows 14–30c.

use billswitch::control::{Reply, Request};
use billswitch::switch::{Order, Outcome, Reason};

use crate::peer::{ATMNET, NORTHBANK, Outgoing, Peer};
use crate::site::{BLOCKED, BOOK, EXPIRED, LATE, PAID, Site, UNPAID, WIRED};

#[tokio::test]
async fn n14_inquiry_found() {
    let site = Site::open().await;
    let answer = site.atmnet().await.ask(&Outgoing::inquiry(1, UNPAID)).await;
    assert_eq!((answer.mti.as_str(), answer.code()), ("0210", "00"));
    let facts = ["NM", "ST", "DD", "BM", "AW", "AA"].map(|tag| answer.fact(tag));
    assert_eq!(facts, ["Ayesha Bibi", "U", "20261125", "2611", "1000", "1100"]);
    assert_eq!(answer.facts("FH"), ["B01401=300", "B02372=700"]);
}

#[tokio::test]
async fn n15_reference_unknown() {
    let site = Site::open().await;
    let mut peer = site.atmnet().await;
    assert_eq!(peer.ask(&Outgoing::inquiry(1, "7999")).await.code(), "25");
    assert_eq!(peer.ask(&Outgoing::payment(2, "7999", 1000)).await.code(), "25");
}

#[tokio::test]
async fn n16_bill_already_paid() {
    let site = Site::open().await;
    let mut peer = site.atmnet().await;
    let answer = peer.ask(&Outgoing::inquiry(1, PAID)).await;
    assert_eq!((answer.code(), answer.fact("ST").as_str()), ("21", "P"));
    assert_eq!(peer.ask(&Outgoing::payment(2, PAID, 1000)).await.code(), "21");
    assert_eq!(peer.ask(&Outgoing::inquiry(3, BLOCKED)).await.code(), "62");
    assert_eq!(peer.ask(&Outgoing::payment(4, BLOCKED, 1000)).await.code(), "62");
}

#[tokio::test]
async fn n17_payment_approved() {
    let site = Site::open().await;
    let mut peer = site.atmnet().await;
    let answer = peer.ask(&Outgoing::payment(17, UNPAID, 1000)).await;
    assert_eq!((answer.mti.as_str(), answer.code()), ("0210", "00"));
    assert_eq!((answer.field(11), answer.field(37)), ("000017", "000000000017"));
    assert_eq!((answer.fact("ST").as_str(), answer.fact("PD").as_str()), ("P", "20261120"));
    assert!(!answer.fact("RN").is_empty());
    assert_eq!(answer.field(38), answer.fact("AI"));
    assert_eq!(peer.ask(&Outgoing::inquiry(18, UNPAID)).await.code(), "21");
}

#[tokio::test]
async fn n18_payment_declined_by_the_biller() {
    let mut site = Site::open().await;
    let mut peer = site.atmnet().await;
    let table = [
        (Outcome::Declined(Reason::AlreadyPaid), "21"),
        (Outcome::Declined(Reason::NoSuchBill), "25"),
        (Outcome::Declined(Reason::Blocked), "62"),
        (Outcome::NotSent, "91"),
    ];
    for (stan, (outcome, code)) in (1..).zip(table) {
        peer.send(&Outgoing::payment_at(WIRED, stan, "1", 1000)).await;
        site.wired.post().await.answer(outcome);
        assert_eq!(peer.receive().await.code(), code);
    }
    assert!(site.wired.is_idle(), "nothing was posted, so nothing is undone");
}

#[tokio::test]
async fn n19_an_amount_that_differs_is_refused_and_nothing_posted() {
    let site = Site::open().await;
    let mut peer = site.atmnet().await;
    for (stan, amount) in [(1, 999), (2, 1001), (3, 1100), (4, 0)] {
        assert_eq!(peer.ask(&Outgoing::payment(stan, UNPAID, amount)).await.code(), "13", "{amount}");
    }
    let dollars = Outgoing::payment(5, UNPAID, 1000).with(49, "840");
    assert_eq!(peer.ask(&dollars).await.code(), "13");
    assert_eq!(peer.ask(&Outgoing::inquiry(6, UNPAID)).await.fact("ST"), "U");
}

#[tokio::test]
async fn n20_a_field_that_cannot_be_decoded() {
    let site = Site::open().await;
    let mut peer = site.atmnet().await;
    let letter = |bytes: &[u8]| {
        let at = bytes.windows(12).position(|window| window == b"000000001000").unwrap();
        let mut bytes = bytes.to_vec();
        bytes[at] = b'A';
        bytes
    };
    peer.send_frame(&letter(&Outgoing::payment(20, UNPAID, 1000).bytes())).await;
    let answer = peer.receive().await;
    assert_eq!((answer.mti.as_str(), answer.code(), answer.field(44)), ("0210", "30", "004"));
    let echoed = [2, 3, 7, 11, 32, 37, 41].map(|field| !answer.field(field).is_empty());
    assert!(echoed.iter().all(|echoed| *echoed), "what decoded is echoed: {echoed:?}");
    assert_eq!(answer.field(4), "");
    let cut = Outgoing::payment(21, UNPAID, 1000).bytes();
    peer.send_frame(&cut[..cut.len() - 10]).await;
    let answer = peer.receive().await;
    assert_eq!((answer.code(), answer.field(44), answer.field(11)), ("30", "048", "000021"));
    let long = [&Outgoing::payment(22, UNPAID, 1000).bytes()[..], b"00"].concat();
    peer.send_frame(&long).await;
    assert_eq!(peer.receive().await.code(), "30");
    let missing = peer.ask(&Outgoing::payment(23, UNPAID, 1000).without(41)).await;
    assert_eq!((missing.code(), missing.field(44)), ("30", "041"));
    assert_eq!(peer.ask(&Outgoing::inquiry(24, UNPAID)).await.fact("ST"), "U");
}

#[tokio::test]
async fn n21_unsupported_processing_code() {
    let site = Site::open().await;
    let mut peer = site.atmnet().await;
    assert_eq!(peer.ask(&Outgoing::payment(1, UNPAID, 1000).with(3, "990000")).await.code(), "12");
    let unknown = peer.ask(&Outgoing::payment(2, UNPAID, 1000).with_mti("0100")).await;
    assert_eq!((unknown.mti.as_str(), unknown.code()), ("0110", "12"));
}

#[tokio::test]
async fn n22_a_biller_blocked_by_the_operator() {
    let site = Site::open().await;
    let mut peer = site.atmnet().await;
    let biller = BOOK.parse().unwrap();
    assert!(matches!(site.operator(Request::Block { biller }).await, Reply::Done(_)));
    assert_eq!(peer.ask(&Outgoing::inquiry(1, UNPAID)).await.code(), "91");
    assert_eq!(peer.ask(&Outgoing::payment(2, UNPAID, 1000)).await.code(), "91");
    assert!(matches!(site.operator(Request::Unblock { biller }).await, Reply::Done(_)));
    assert_eq!(peer.ask(&Outgoing::payment(3, UNPAID, 1000)).await.code(), "00");
}

#[tokio::test]
async fn a_blocked_biller_stays_blocked_over_a_restart_and_its_payments_can_be_reversed() {
    let mut site = Site::open().await;
    let payment = Outgoing::payment(1, UNPAID, 1000);
    assert_eq!(site.atmnet().await.ask(&payment).await.code(), "00");
    site.operator(Request::Block { biller: BOOK.parse().unwrap() }).await;
    site.restart(crate::site::Setup::default()).await;
    let mut peer = site.atmnet().await;
    assert_eq!(peer.ask(&Outgoing::inquiry(2, UNPAID)).await.code(), "91");
    assert_eq!(peer.ask(&Outgoing::reversal_of(&payment, 3)).await.code(), "00");
}

#[tokio::test]
async fn n23_no_biller_for_this_code() {
    let site = Site::open().await;
    let mut peer = site.atmnet().await;
    for (stan, code) in [(1, "KPNOBODY"), (3, "KPLONGERTHANANYBILLERCODEOFOURS")] {
        assert_eq!(peer.ask(&Outgoing::inquiry_at(code, stan, UNPAID)).await.code(), "92");
        assert_eq!(peer.ask(&Outgoing::payment_at(code, stan + 1, UNPAID, 1000)).await.code(), "92");
    }
}

#[tokio::test]
async fn n25_a_repeat_after_completion_gets_the_stored_answer_also_after_a_restart() {
    let mut site = Site::open().await;
    let mut peer = site.atmnet().await;
    let approved = Outgoing::payment(1, UNPAID, 1000);
    let declined = Outgoing::payment(2, LATE, 1000);
    let first = [peer.ask(&approved).await, peer.ask(&declined).await];
    assert_eq!([first[0].code(), first[1].code()], ["00", "13"]);
    for mti in ["0201", "0200"] {
        let again = [
            peer.ask(&approved.clone().with_mti(mti)).await,
            peer.ask(&declined.clone().with_mti(mti)).await,
        ];
        assert_eq!(again, first, "{mti}");
    }
    site.restart(crate::site::Setup::default()).await;
    let mut peer = site.atmnet().await;
    assert_eq!(peer.ask(&approved.with_mti("0201")).await, first[0]);
    assert_eq!(peer.ask(&declined.with_mti("0201")).await, first[1]);
}

#[tokio::test]
async fn n26_a_repeat_while_pending_is_posted_once_and_each_is_answered() {
    let mut site = Site::open().await;
    let mut peer = site.atmnet().await;
    let payment = Outgoing::payment_at(WIRED, 1, "1", 1000);
    peer.send(&payment).await;
    let order = site.wired.post().await;
    peer.send(&payment.clone().with_mti("0201")).await;
    peer.send(&payment).await;
    // Answered behind the repeats on the same connection: they have been taken in.
    assert_eq!(peer.ask(&Outgoing::network("301")).await.code(), "00");
    order.approve("R1");
    for _ in 0..3 {
        let answer = peer.receive().await;
        assert_eq!((answer.code(), answer.fact("RN").as_str()), ("00", "R1"));
    }
    assert!(site.wired.is_idle(), "one posting");
}

#[tokio::test]
async fn n27_same_key_new_content() {
    let mut site = Site::open().await;
    let mut peer = site.atmnet().await;
    assert_eq!(peer.ask(&Outgoing::payment(1, UNPAID, 1000)).await.code(), "00");
    let others = [
        Outgoing::payment(1, UNPAID, 1001),
        Outgoing::payment(1, LATE, 1000),
        Outgoing::payment(1, UNPAID, 1000).with(2, "4000000000000010"),
    ];
    for other in others {
        assert_eq!(peer.ask(&other).await.code(), "94");
        assert_eq!(peer.ask(&other.with_mti("0201")).await.code(), "94");
    }
    peer.send(&Outgoing::payment_at(WIRED, 2, "1", 1000)).await;
    let order = site.wired.post().await;
    assert_eq!(peer.ask(&Outgoing::payment_at(WIRED, 2, "1", 2000)).await.code(), "94", "while pending too");
    order.approve("R1");
    assert_eq!(peer.receive().await.code(), "00");
}

#[tokio::test]
async fn n28_two_payments_of_one_bill_at_once_from_two_acquirers() {
    let site = Site::open().await;
    for round in 0..20 {
        let mut one = Peer::signed_on(site.address, ATMNET).await;
        let mut two = Peer::signed_on(site.address, NORTHBANK).await;
        let (first, second) =
            (Outgoing::payment(100 + round, UNPAID, 1000), Outgoing::payment(200 + round, UNPAID, 1000));
        let (a, b) = tokio::join!(one.ask(&first), two.ask(&second));
        let mut codes = [a.code(), b.code()];
        codes.sort_unstable();
        assert_eq!(codes, ["00", "21"]);
        let (winner, payment) = if a.code() == "00" { (&mut one, &first) } else { (&mut two, &second) };
        assert_eq!(winner.ask(&Outgoing::reversal_of(payment, 900 + round)).await.code(), "00");
    }
}

#[tokio::test]
async fn n29_a_hundred_interleaved_payments_answered_in_another_order() {
    let mut site = Site::open().await;
    let mut peer = site.atmnet().await;
    for stan in 1..=100 {
        peer.send(&Outgoing::payment_at(WIRED, stan, &format!("B{stan}"), 1000)).await;
    }
    let mut orders = Vec::new();
    for _ in 1..=100 {
        let ordered = site.wired.post().await;
        let Order::Post { payment, .. } = &ordered.order else { panic!("an order to post") };
        let stan: u32 = payment.consumer[1..].parse().unwrap();
        orders.push((stan, ordered));
    }
    orders.sort_by_key(|(stan, _)| (stan * 37) % 101);
    for (stan, order) in orders {
        order.approve(&format!("R{stan}"));
    }
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let answer = peer.receive().await;
        let stan: u32 = answer.field(11).parse().unwrap();
        assert_eq!(answer.fact("RN"), format!("R{stan}"), "every answer reaches its own request");
        assert!(seen.insert(stan));
    }
}

#[tokio::test]
async fn n30a_a_bill_past_its_hard_expiry() {
    let site = Site::open().await;
    let mut peer = site.atmnet().await;
    assert_eq!(peer.ask(&Outgoing::inquiry(1, EXPIRED)).await.code(), "54");
    assert_eq!(peer.ask(&Outgoing::payment(2, EXPIRED, 1100)).await.code(), "54");
}

#[tokio::test]
async fn n30b_a_bill_after_its_due_date() {
    let site = Site::open().await;
    let mut peer = site.atmnet().await;
    assert_eq!(peer.ask(&Outgoing::payment(1, LATE, 1000)).await.code(), "13");
    assert_eq!(peer.ask(&Outgoing::payment(2, LATE, 1100)).await.code(), "00");
}

#[tokio::test]
async fn n30c_a_payment_split_over_heads_of_account() {
    let site = Site::open().await;
    let mut peer = site.atmnet().await;
    for (stan, psid, amount) in [(1, UNPAID, 1000), (2, LATE, 1100)] {
        let answer = peer.ask(&Outgoing::payment(stan, psid, amount)).await;
        let parts = answer.facts("FH");
        let sum: u64 = parts.iter().map(|part| part.split_once('=').unwrap().1.parse::<u64>().unwrap()).sum();
        assert_eq!((parts.len(), sum), (2, amount));
    }
}

#[tokio::test]
async fn a_cutover_moves_what_is_due_and_repeats_are_known_across_it() {
    let site = Site::open().await;
    let mut peer = site.atmnet().await;
    let payment = Outgoing::payment(1, UNPAID, 1000);
    let first = peer.ask(&payment).await;
    for _ in 0..6 {
        site.operator(Request::Cutover).await;
    }
    let Reply::Status(status) = site.operator(Request::Status).await else { panic!("a status") };
    assert_eq!(status.business_date.to_string(), "2026-11-26");
    assert_eq!(peer.ask(&payment.clone().with_mti("0201")).await, first);
    assert_eq!(peer.ask(&Outgoing::reversal_of(&payment, 2)).await.code(), "00");
    assert_eq!(peer.ask(&Outgoing::payment(3, UNPAID, 1000)).await.code(), "13", "late by now");
    assert_eq!(peer.ask(&Outgoing::payment(4, UNPAID, 1100)).await.code(), "00");
}
