//! Hostile or broken peers.

use billswitch::control::{BookRequest, Reply, Request};

use crate::peer::{ATMNET, Outgoing, Peer};
use crate::site::{Setup, Site, UNPAID, WIRED};

#[tokio::test]
async fn a_length_of_zero_or_over_the_maximum_closes_the_connection() {
    let site = Site::open().await;
    for header in [[0x00, 0x00], [0xff, 0xff], [0x10, 0x01]] {
        let mut peer = site.atmnet().await;
        peer.send_bytes(&header).await;
        peer.closed().await;
    }
    assert_eq!(site.atmnet().await.ask(&Outgoing::inquiry(1, UNPAID)).await.code(), "00");
}

#[tokio::test]
async fn a_frame_that_never_completes_is_closed_at_the_frame_deadline() {
    let setup = Setup { link_lines: "frame_timeout_ms = 200", ..Setup::default() };
    let site = Site::with(setup).await;
    for begun in [&[0x00][..], &[0x00, 0xf0], &[0x00, 0xf0, b'0', b'2']] {
        let mut peer = site.atmnet().await;
        peer.send_bytes(begun).await;
        peer.closed().await;
    }
}

#[tokio::test]
async fn a_silent_peer_is_closed_at_the_idle_deadline() {
    let setup = Setup { link_lines: "idle_timeout_ms = 200", ..Setup::default() };
    let site = Site::with(setup).await;
    site.atmnet().await.closed().await;
}

#[tokio::test]
async fn frames_nobody_can_answer_are_counted_and_close_the_link_after_some() {
    let setup = Setup { link_lines: "unanswerable_max = 3", ..Setup::default() };
    let site = Site::with(setup).await;
    let mut peer = site.atmnet().await;
    peer.send_frame(b"xxxx").await;
    peer.send_frame(&Outgoing::payment(1, UNPAID, 1000).without(11).bytes()).await;
    assert_eq!(peer.ask(&Outgoing::inquiry(2, UNPAID)).await.code(), "00", "two are borne");
    let unasked = Outgoing::network("001").with_mti("0810").bytes();
    for _ in 0..2 {
        peer.send_frame(&unasked).await;
    }
    assert_eq!(peer.ask(&Outgoing::inquiry(3, UNPAID)).await.code(), "00", "and two more behind a sound one");
    for _ in 0..3 {
        peer.send_frame(&unasked).await;
    }
    peer.closed().await;
    let Reply::Links(links) = site.operator(Request::Links).await else { panic!("links") };
    assert_eq!(links[0].unanswerable, 7);
}

#[tokio::test]
async fn an_address_of_no_link_is_refused() {
    let site = Site::open().await;
    Peer::connect(site.address, "127.0.9.9").await.closed().await;
    assert_eq!(site.atmnet().await.ask(&Outgoing::inquiry(1, UNPAID)).await.code(), "00");
}

#[tokio::test]
async fn connections_of_a_link_are_bounded_and_the_established_ones_unharmed() {
    let setup = Setup { link_lines: "connections_max = 2", ..Setup::default() };
    let site = Site::with(setup).await;
    let mut first = site.atmnet().await;
    let _second = site.atmnet().await;
    Peer::connect(site.address, ATMNET).await.closed().await;
    assert_eq!(first.ask(&Outgoing::inquiry(1, UNPAID)).await.code(), "00");
}

#[tokio::test]
async fn requests_waiting_for_a_biller_are_bounded_and_reversals_still_get_in() {
    let setup = Setup { link_lines: "waiting_max = 2", ..Setup::default() };
    let mut site = Site::with(setup).await;
    let mut peer = site.atmnet().await;
    let first = Outgoing::payment_at(WIRED, 1, "1", 1000);
    peer.send(&first).await;
    let held = site.wired.post().await;
    peer.send(&Outgoing::payment_at(WIRED, 2, "2", 1000)).await;
    let _also_held = site.wired.post().await;
    assert_eq!(peer.ask(&Outgoing::payment_at(WIRED, 3, "3", 1000)).await.code(), "96");
    assert_eq!(peer.ask(&Outgoing::reversal_of(&first, 4)).await.code(), "00");
    held.answer(billswitch::switch::Outcome::NotSent);
    assert_eq!(peer.receive().await.code(), "91");
    assert_eq!(peer.ask(&Outgoing::inquiry(5, UNPAID)).await.code(), "00", "there is room again");
}

#[tokio::test]
async fn a_message_as_large_as_a_frame_may_be_is_answered_and_journalled() {
    let site = Site::open().await;
    let mut peer = site.atmnet().await;
    let mut echo = Outgoing::network("301");
    for field in [46, 47, 58, 59] {
        echo = echo.with(field, &"x".repeat(990));
    }
    assert!(echo.bytes().len() > 4000, "{}", echo.bytes().len());
    assert_eq!(peer.ask(&echo).await.code(), "00");
    let long = Outgoing::payment(1, &"7".repeat(41), 1000);
    assert_eq!(peer.ask(&long).await.code(), "30", "no bill is called by so long a number");
    let Reply::Verified(verified) =
        site.operator(Request::Journal(billswitch::control::JournalRequest::Verify)).await
    else {
        panic!("verified")
    };
    assert!(verified.legs >= 6);
}

#[tokio::test]
async fn bills_sent_over_the_control_socket_are_checked_like_those_of_a_file() {
    let site = Site::open().await;
    let biller = crate::site::BOOK.parse().unwrap();
    type Spoil = fn(&mut billswitch::biller::book::Row);
    let spoil: [(Spoil, &str); 3] = [
        (|row| row.psid = "7".repeat(600).into(), "psid: longer than"),
        (
            |row| row.bill.amount_within_due = billswitch::money::MinorUnits::ZERO,
            "amount_within_due: nothing to pay",
        ),
        (|row| row.bill.heads[0].head = "A=B".parse().unwrap(), "heads: a head is"),
    ];
    for (spoil, want) in spoil {
        let mut rows = crate::site::rows();
        spoil(&mut rows[2]);
        let refused = site.operator_refused(Request::Book(BookRequest::Import { biller, rows })).await;
        assert!(refused.contains(want), "{refused}");
    }
    assert_eq!(site.atmnet().await.ask(&Outgoing::inquiry(1, UNPAID)).await.code(), "00");
}
