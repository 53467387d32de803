//! Our own totals of a date that was closed, as they are sent to an acquirer, and what becomes of its answers: row 58.

use billswitch::control::{JournalRequest, LinkReply, Reply, Request, TotalsReply};
use billswitch::switch::{ClosingEnd, Outcome};
use tokio::time::timeout;

use crate::peer::{ATMNET, Incoming, NORTHBANK, Outgoing, Peer};
use crate::site::{LATE, PATIENCE, Setup, Site, UNPAID, WIRED, pause};

/// Sent, and sent again only after longer than a test takes.
const PATIENT: &str = "totals = \"send\"\ntotals_retry_ms = 300000";
/// Sent again and again.
const HASTY: &str = "totals = \"send\"\ntotals_retry_ms = 20";

fn setup(link_lines: &'static str) -> Setup {
    Setup { link_lines, ..Setup::default() }
}

/// The answer to totals of ours, as a host gives it that has counted the same.
fn agreeing(sent: &Incoming) -> Outgoing {
    let echoed = [7, 11, 15, 50].into_iter();
    let answer = Outgoing::totals("0530").with(39, "00").with(66, "1");
    echoed.fold(answer, |answer, field| answer.with(field, sent.field(field)))
}

async fn ctl(site: &Site, link: &str, date: &str) -> TotalsReply {
    let date = Some(date.parse().unwrap());
    let request = Request::Totals { date, link: Some(link.parse().unwrap()) };
    let Reply::Totals(mut totals) = site.operator(request).await else { panic!("totals") };
    totals.remove(0)
}

/// Waits until a link's totals stand so that something can be told of them.
async fn until<T>(site: &Site, link: &str, date: &str, tell: impl Fn(&TotalsReply) -> Option<T>) -> T {
    let told = async {
        loop {
            if let Some(told) = tell(&ctl(site, link, date).await) {
                return told;
            }
            pause().await;
        }
    };
    timeout(PATIENCE, told).await.expect("an answer is due")
}

/// Waits until the first link has agreed, or has not.
async fn until_answered(site: &Site, date: &str, agrees: bool) -> TotalsReply {
    let told = until(site, "atmnet", date, |told| told.closing_agrees.map(|_| told.clone())).await;
    assert_eq!(told.closing_agrees, Some(agrees), "{told:?}");
    told
}

async fn counted(site: &Site, link: usize) -> LinkReply {
    let Reply::Links(links) = site.operator(Request::Links).await else { panic!("links") };
    links[link].clone()
}

/// DE 15, 76, 88, 77, 89 and 97.
fn told(sent: &Incoming) -> [&str; 6] {
    [15, 76, 88, 77, 89, 97].map(|field| sent.field(field))
}

#[tokio::test]
async fn n58_our_totals_of_a_closed_date_are_sent_and_the_answer_is_kept() {
    let site = Site::with(setup(PATIENT)).await;
    let mut peer = site.atmnet().await;
    let payment = Outgoing::payment(1, UNPAID, 1000);
    assert_eq!(peer.ask(&payment).await.code(), "00");
    assert_eq!(peer.ask(&Outgoing::payment(2, LATE, 1100)).await.code(), "00");
    assert_eq!(peer.ask(&Outgoing::reversal_of(&payment, 3)).await.code(), "00");
    assert!(ctl(&site, "atmnet", "2026-11-20").await.closing.is_none(), "it is not over");
    let cutover = Outgoing::network("201").with(15, "1121");
    assert_eq!(peer.ask(&cutover).await.mti, "0810", "its own answer comes before a question of ours");
    let sent = peer.receive().await;
    assert_eq!(sent.mti, "0520");
    let want =
        ["1120", "0000000002", "0000000000002100", "0000000001", "0000000000001000", "D0000000000001100"];
    assert_eq!(told(&sent), want);
    assert_eq!(
        [74, 75, 86, 87].map(|field| sent.field(field)),
        [&"0".repeat(10), &"0".repeat(10), &"0".repeat(16), &"0".repeat(16)]
    );
    assert_eq!((sent.field(7).len(), sent.field(11).len(), sent.field(50)), (10, 6, "586"));
    peer.send(&agreeing(&sent).with(76, "0000000002").with(88, "0000000000002100")).await;
    let kept = until_answered(&site, "2026-11-20", true).await;
    let Some(ClosingEnd::Answered { code, theirs, .. }) = kept.closing.unwrap().end else {
        panic!("an answer")
    };
    assert_eq!((code.as_str(), theirs.debits_number), ("00", Some(2)));
    assert_eq!((counted(&site, 0).await.unasked, kept.reconciled), (0, None));
    // What comes later for the old date is told beside what was sent.
    assert_eq!(peer.ask(&Outgoing::payment(4, UNPAID, 1000).with(15, "1120")).await.code(), "00");
    let later = ctl(&site, "atmnet", "2026-11-20").await;
    assert_eq!((later.ours.debits.number, later.closing.unwrap().sent.unwrap().ours.debits.number), (3, 2));
    site.alarms(0).await;
}

#[tokio::test]
async fn n58_our_totals_are_repeated_unchanged_until_they_are_answered_and_a_difference_is_an_alarm() {
    let site = Site::with(setup(HASTY)).await;
    let mut peer = site.atmnet().await;
    assert_eq!(peer.ask(&Outgoing::payment(1, UNPAID, 1000)).await.code(), "00");
    site.operator(Request::Cutover).await;
    let first = peer.receive().await;
    assert_eq!(first.mti, "0520");
    for _ in 0..3 {
        let again = peer.receive().await;
        assert_eq!((again.mti.as_str(), &again.fields), ("0521", &first.fields));
    }
    // It cannot say: that is no answer, and there is one more question at least.
    peer.send(&agreeing(&first).with(39, "96")).await;
    let asked = until(&site, "atmnet", "2026-11-20", |told| {
        let sent = told.closing.as_ref()?.sent.as_ref()?;
        (sent.code? == "96".parse().unwrap()).then_some(sent.times)
    })
    .await;
    for _ in 4..=asked {
        let again = peer.receive().await;
        assert_eq!((again.mti.as_str(), &again.fields), ("0521", &first.fields));
    }
    peer.send(&agreeing(&first).with(66, "2").with(76, "0000000000").with(88, "0000000000000000")).await;
    let kept = until_answered(&site, "2026-11-20", false).await;
    let closing = kept.closing.unwrap();
    assert!(closing.sent.unwrap().times >= 5);
    let Some(ClosingEnd::Answered { theirs, .. }) = closing.end else { panic!("an answer") };
    assert_eq!(theirs.debits_amount, Some(0));
    site.alarms(1).await;
}

#[tokio::test]
async fn n58_an_answer_differs_by_its_code_by_its_settlement_code_or_by_what_it_has_counted() {
    let site = Site::with(setup(PATIENT)).await;
    let mut peer = site.atmnet().await;
    let all: [fn(Outgoing) -> Outgoing; 4] = [
        |answer| answer.with(39, "95").without(66),
        |answer| answer.with(66, "2"),
        |answer| answer.with(77, "0000000001"),
        |answer| answer.with(97, "C0000000000000001"),
    ];
    for (day, differ) in (20..).zip(all) {
        site.operator(Request::Cutover).await;
        let sent = peer.receive().await;
        assert_eq!(sent.field(15), format!("11{day}"));
        peer.send(&differ(agreeing(&sent))).await;
        until_answered(&site, &format!("2026-11-{day}"), false).await;
    }
    site.alarms(4).await;
}

#[tokio::test]
async fn n58_our_totals_wait_for_what_is_in_flight_of_their_date() {
    let mut site = Site::with(setup(PATIENT)).await;
    let mut peer = site.atmnet().await;
    peer.send(&Outgoing::payment_at(WIRED, 1, "1", 500)).await;
    let order = site.wired.post().await;
    let mut other = Peer::signed_on(site.address, NORTHBANK).await;
    site.operator(Request::Cutover).await;
    let sent = other.receive().await;
    assert_eq!(
        (told(&sent)[0], told(&sent)[1]),
        ("1120", "0000000000"),
        "another link's are not held up by it"
    );
    let waiting = ctl(&site, "atmnet", "2026-11-20").await.closing.unwrap();
    assert_eq!((waiting.sent, waiting.end), (None, None));
    assert_eq!(
        peer.ask(&Outgoing::inquiry(2, UNPAID)).await.code(),
        "00",
        "and nothing was sent before this"
    );
    order.approve("R1");
    assert_eq!(peer.receive().await.code(), "00");
    let sent = peer.receive().await;
    assert_eq!(
        (sent.mti.as_str(), told(&sent)[1], told(&sent)[2]),
        ("0520", "0000000001", "0000000000000500")
    );
}

#[tokio::test]
async fn n58_our_totals_go_out_without_what_is_in_flight_for_too_long() {
    let mut site = Site::with(setup("totals = \"send\"\ntotals_retry_ms = 300000\ntotals_wait_ms = 1")).await;
    let mut peer = site.atmnet().await;
    peer.send(&Outgoing::payment_at(WIRED, 1, "1", 500)).await;
    let order = site.wired.post().await;
    site.operator(Request::Cutover).await;
    let sent = peer.receive().await;
    assert_eq!((sent.mti.as_str(), told(&sent)[1]), ("0520", "0000000000"));
    peer.send(&agreeing(&sent)).await;
    until_answered(&site, "2026-11-20", true).await;
    order.answer(Outcome::Posted(crate::site::posting("R1")));
    assert_eq!(peer.receive().await.code(), "00");
    let later = ctl(&site, "atmnet", "2026-11-20").await;
    assert_eq!((later.ours.debits.number, later.closing.unwrap().sent.unwrap().ours.debits.number), (1, 0));
}

#[tokio::test]
async fn n58_our_totals_go_out_after_sign_on_and_go_on_after_a_restart() {
    let mut site = Site::with(setup(PATIENT)).await;
    let mut peer = site.atmnet().await;
    assert_eq!(peer.ask(&Outgoing::payment(1, UNPAID, 1000)).await.code(), "00");
    assert_eq!(peer.ask(&Outgoing::network("002")).await.code(), "00");
    site.operator(Request::Cutover).await;
    site.operator(Request::Cutover).await;
    assert_eq!(peer.ask(&Outgoing::network("301")).await.mti, "0810", "signed off: it is not asked");
    assert_eq!(peer.ask(&Outgoing::network("001")).await.code(), "00");
    let (first, second) = (peer.receive().await, peer.receive().await);
    assert_eq!((told(&first)[0], told(&first)[1]), ("1120", "0000000001"));
    assert_eq!((told(&second)[0], told(&second)[1]), ("1121", "0000000000"));
    peer.send(&agreeing(&second)).await;
    until_answered(&site, "2026-11-21", true).await;
    drop(peer);
    // The first was not answered, and goes on as it was; the second was.
    site.restart(setup(PATIENT)).await;
    let mut peer = site.atmnet().await;
    let again = peer.receive().await;
    assert_eq!((again.mti.as_str(), &again.fields), ("0521", &first.fields));
    peer.send(&agreeing(&again)).await;
    until_answered(&site, "2026-11-20", true).await;
    drop(peer);
    site.restart(setup(PATIENT)).await;
    let mut peer = site.atmnet().await;
    assert_eq!(peer.ask(&Outgoing::network("301")).await.mti, "0810");
    site.operator(Request::Cutover).await;
    assert_eq!(peer.receive().await.field(15), "1122", "nothing of the dates before");
}

#[tokio::test]
async fn n58_an_answer_to_other_totals_of_another_link_or_a_second_one_is_matched_with_nothing() {
    let site = Site::with(setup(PATIENT)).await;
    let (mut peer, mut other) = (site.atmnet().await, Peer::signed_on(site.address, NORTHBANK).await);
    peer.send(&Outgoing::totals("0530").with(15, "1120").with(39, "00")).await;
    site.alarms(1).await;
    site.operator(Request::Cutover).await;
    let (sent, others) = (peer.receive().await, other.receive().await);
    assert_eq!(sent.field(11), others.field(11), "the same words would fit both");
    other.send(&agreeing(&others)).await;
    assert!(until(&site, "northbank", "2026-11-20", |told| told.closing_agrees).await);
    other.send(&agreeing(&sent)).await;
    peer.send(&agreeing(&sent).with(11, "000000")).await;
    peer.send(&agreeing(&sent).with(15, "1119")).await;
    peer.send(&agreeing(&sent).with_mti("0510")).await;
    site.alarms(5).await;
    assert_eq!(ctl(&site, "atmnet", "2026-11-20").await.closing_agrees, None);
    peer.send(&agreeing(&sent)).await;
    until_answered(&site, "2026-11-20", true).await;
    peer.send(&agreeing(&sent).with(66, "2")).await;
    site.alarms(6).await;
    assert_eq!(ctl(&site, "atmnet", "2026-11-20").await.closing_agrees, Some(true));
    assert_eq!((counted(&site, 0).await.unasked, counted(&site, 1).await.unasked), (5, 1));
    let tail = Request::Journal(JournalRequest::Tail { legs: 40 });
    let Reply::Legs(legs) = site.operator(tail).await else { panic!("legs") };
    let strays = legs.iter().filter(|leg| leg.what.starts_with("an answer to nothing we asked"));
    assert_eq!(strays.count(), 6);
    let agreed = legs.iter().filter(|leg| leg.what == "our totals of 2026-11-20 are agreed to");
    assert_eq!(agreed.count(), 2, "one a link");
}

#[tokio::test]
async fn n58_a_link_is_sent_totals_only_if_it_is_to_have_them() {
    let site = Site::open().await;
    let mut peer = site.atmnet().await;
    site.operator(Request::Cutover).await;
    assert_eq!(peer.ask(&Outgoing::network("301")).await.mti, "0810");
    assert!(ctl(&site, "atmnet", "2026-11-20").await.closing.is_none());
    drop(Peer::signed_on(site.address, ATMNET).await);
}
