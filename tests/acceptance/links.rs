//! What the switch asks of its peers, and whose connections it takes: rows 5, 6, 10, and answers that nobody asked for.

use billswitch::control::{JournalRequest, LinkReply, Reply, Request};

use crate::peer::{ATMNET, Incoming, NORTHBANK, Outgoing, Peer};
use crate::site::{Setup, Site, UNPAID, WIRED};

/// Peers are asked soon, and have all the time a slow machine needs to answer.
const SOON: &str = "idle_echo_ms = 50\necho_timeout_ms = 10000";

fn setup(link_lines: &'static str) -> Setup {
    Setup { link_lines, ..Setup::default() }
}

fn answer_to(echo: &Incoming) -> Outgoing {
    Outgoing::network("301").with_mti("0810").with(11, echo.field(11)).with(39, "00")
}

async fn counted(site: &Site, link: usize) -> LinkReply {
    let Reply::Links(links) = site.operator(Request::Links).await else { panic!("links") };
    links[link].clone()
}

#[tokio::test]
async fn n5_an_idle_link_is_asked_for_an_echo() {
    let site = Site::with(setup(SOON)).await;
    let mut peer = Peer::connect(site.address, ATMNET).await;
    let mut stan = 0;
    // More often than silence is borne: each answer begins it anew.
    for _ in 0..4 {
        let echo = peer.receive().await;
        assert_eq!((echo.mti.as_str(), echo.field(70), echo.field(7).len()), ("0800", "301", 10));
        assert_eq!(echo.fields.len(), 3);
        let next: u32 = echo.field(11).parse().unwrap();
        assert!(stan == 0 || next == stan % 999_999 + 1, "{next} after {stan}");
        stan = next;
        peer.send(&answer_to(&echo)).await;
    }
    let counted = counted(&site, 0).await;
    assert_eq!((counted.connections, counted.unasked, counted.deaf, counted.unanswerable), (1, 0, 0, 0));
}

#[tokio::test]
async fn n6_a_peer_that_answers_neither_of_two_echoes_is_closed() {
    let site = Site::with(setup("idle_echo_ms = 50\necho_timeout_ms = 50")).await;
    let mut peer = Peer::connect(site.address, ATMNET).await;
    for _ in 0..2 {
        assert_eq!(peer.receive().await.field(70), "301");
    }
    peer.closed().await;
    site.alarms(1).await;
    let counted = counted(&site, 0).await;
    assert_eq!((counted.deaf, counted.connections), (1, 0));
}

#[tokio::test]
async fn whatever_a_peer_says_ends_its_silence() {
    let site = Site::with(setup(SOON)).await;
    let mut peer = Peer::connect(site.address, ATMNET).await;
    for stan in 1..5 {
        // It answers no echo of ours, and asks for its own: each of the two has one answer, and there it ends.
        assert_eq!(peer.receive().await.mti, "0800");
        let stan = format!("{stan:06}");
        peer.send(&Outgoing::network("301").with(11, &stan)).await;
        let mut answer = peer.receive().await;
        // Where the machine is slow, we have asked again before its question came.
        while answer.mti == "0800" {
            answer = peer.receive().await;
        }
        assert_eq!((answer.mti.as_str(), answer.field(11)), ("0810", stan.as_str()));
    }
    assert_eq!(counted(&site, 0).await.deaf, 0);
}

#[tokio::test]
async fn a_link_may_be_asked_for_no_echo() {
    let site = Site::with(setup("idle_echo_ms = 0\nidle_timeout_ms = 300")).await;
    Peer::connect(site.address, ATMNET).await.closed().await;
}

#[tokio::test]
async fn an_operator_asks_a_peer_and_only_its_own_answer_counts() {
    let site = Site::open().await;
    let (mut peer, mut other) = (site.atmnet().await, Peer::signed_on(site.address, NORTHBANK).await);
    let peers = async {
        let echo = peer.receive().await;
        // The same words on another link, of another type, and under another number are no answer.
        other.send(&answer_to(&echo)).await;
        assert_eq!(other.ask(&Outgoing::inquiry(1, UNPAID)).await.code(), "00");
        peer.send(&answer_to(&echo).with_mti("0210")).await;
        peer.send(&answer_to(&echo).with(11, "000000")).await;
        site.alarms(3).await;
        peer.send(&answer_to(&echo).with(39, "00")).await;
        echo
    };
    let (said, echo) = tokio::join!(site.operator(Request::Echo { link: "atmnet".parse().unwrap() }), peers);
    let Reply::Done(said) = said else { panic!("{said:?}") };
    assert!(said.starts_with("atmnet answered 00 within "), "{said}");
    // It has been answered: again is unasked.
    peer.send(&answer_to(&echo)).await;
    assert_eq!(peer.ask(&Outgoing::inquiry(2, UNPAID)).await.code(), "00", "and no answer is answered");
    site.alarms(4).await;
    assert_eq!((counted(&site, 0).await.unasked, counted(&site, 1).await.unasked), (3, 1));
    let Reply::Legs(legs) = site.operator(Request::Journal(JournalRequest::Tail { legs: 20 })).await else {
        panic!("legs")
    };
    let strays = legs.iter().filter(|leg| leg.what.starts_with("an answer to nothing we asked"));
    assert_eq!(strays.count(), 4);
}

#[tokio::test]
async fn an_operator_is_told_why_a_peer_cannot_be_asked() {
    let site = Site::with(setup("echo_timeout_ms = 50")).await;
    let ask = |link: &str| Request::Echo { link: link.parse().unwrap() };
    assert!(site.operator_refused(ask("nobody")).await.contains("no link `nobody`"));
    assert!(site.operator_refused(ask("atmnet")).await.contains("not connected"));
    let mut peer = site.atmnet().await;
    assert!(site.operator_refused(ask("atmnet")).await.contains("no answer came"));
    assert_eq!(peer.receive().await.mti, "0800");
}

#[tokio::test]
async fn answers_that_nobody_asked_for_close_the_link_after_some() {
    let site = Site::with(setup("unanswerable_max = 3")).await;
    let mut peer = site.atmnet().await;
    for _ in 0..3 {
        peer.send(&Outgoing::payment(1, UNPAID, 1000).with_mti("0210").with(39, "00")).await;
    }
    peer.closed().await;
    site.alarms(3).await;
    let mut again = site.atmnet().await;
    assert_eq!(again.ask(&Outgoing::inquiry(2, UNPAID)).await.fact("ST"), "U", "no answer pays a bill");
}

#[tokio::test]
async fn n10_a_second_connection_is_refused() {
    let site = Site::with(setup("second_connection = \"refuse\"")).await;
    let mut first = site.atmnet().await;
    Peer::connect(site.address, ATMNET).await.closed().await;
    assert_eq!(first.ask(&Outgoing::inquiry(1, UNPAID)).await.code(), "00");
    Peer::signed_on(site.address, NORTHBANK).await;
}

#[tokio::test]
async fn n10_a_second_connection_replaces_the_first_and_signs_on_for_itself() {
    let mut site = Site::with(setup("second_connection = \"replace\"")).await;
    let mut first = site.atmnet().await;
    let payment = Outgoing::payment_at(WIRED, 1, "1", 1000);
    first.send(&payment).await;
    let order = site.wired.post().await;
    let mut second = Peer::connect(site.address, ATMNET).await;
    first.closed().await;
    assert_eq!(second.ask(&Outgoing::inquiry(2, UNPAID)).await.code(), "91");
    assert_eq!(second.ask(&Outgoing::network("001")).await.code(), "00");
    order.approve("R1");
    let repeat = second.ask(&payment.with_mti("0201")).await;
    assert_eq!((repeat.code(), repeat.fact("RN").as_str()), ("00", "R1"));
    assert_eq!(counted(&site, 0).await.connections, 1);
}

#[tokio::test]
async fn n10_a_second_connection_is_pooled() {
    let site = Site::with(setup("second_connection = \"pool\"")).await;
    let mut first = site.atmnet().await;
    let mut second = Peer::connect(site.address, ATMNET).await;
    assert_eq!(second.ask(&Outgoing::inquiry(1, UNPAID)).await.code(), "00", "the link has signed on");
    assert_eq!(first.ask(&Outgoing::inquiry(2, UNPAID)).await.code(), "00");
    assert_eq!(counted(&site, 0).await.connections, 2);
}
