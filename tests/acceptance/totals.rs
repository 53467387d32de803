//! Totals: what an acquirer has counted against what the switch has, and that a cutover freezes them.

use billswitch::control::{Reply, Request, TotalsReply};
use billswitch::settle::totals_of_legs;
use billswitch::switch::Outcome;

use crate::peer::{ATMNET, Incoming, NORTHBANK, Outgoing, Peer};
use crate::site::{LATE, Setup, Site, UNPAID, WIRED, posting};

/// What one side has counted: payments and what was given back, each with its sum.
#[derive(Clone, Copy, Default)]
struct Counted(u64, u64, u64, u64);

fn totals(
    mti: &'static str,
    date: Option<&str>,
    Counted(debits, paid, reversals, back): Counted,
) -> Outgoing {
    let sign = if paid >= back { 'D' } else { 'C' };
    let message = Outgoing::totals(mti)
        .with(76, &format!("{debits:010}"))
        .with(77, &format!("{reversals:010}"))
        .with(88, &format!("{paid:016}"))
        .with(89, &format!("{back:016}"))
        .with(97, &format!("{sign}{:016}", paid.abs_diff(back)));
    date.into_iter().fold(message, |message, date| message.with(15, date))
}

/// What an answer tells: DE 66, 76, 88, 77, 89 and 97.
fn told(answer: &Incoming) -> [&str; 6] {
    [66, 76, 88, 77, 89, 97].map(|field| answer.field(field))
}

async fn ctl(site: &Site, date: &str) -> TotalsReply {
    let date = Some(date.parse().unwrap());
    let request = Request::Totals { date, link: Some("atmnet".parse().unwrap()) };
    let Reply::Totals(mut totals) = site.operator(request).await else { panic!("totals") };
    assert_eq!(totals.len(), 1);
    totals.remove(0)
}

#[tokio::test]
async fn n58_totals_agree_or_the_difference_is_reported() {
    let site = Site::open().await;
    let mut peer = site.atmnet().await;
    let payment = Outgoing::payment(1, UNPAID, 1000);
    assert_eq!(peer.ask(&payment).await.code(), "00");
    let late = Outgoing::payment(2, LATE, 1100);
    assert_eq!(peer.ask(&late).await.code(), "00");
    assert_eq!(peer.ask(&Outgoing::payment(3, LATE, 1100)).await.code(), "21", "refused: counts nowhere");
    assert_eq!(peer.ask(&Outgoing::inquiry(4, LATE)).await.fact("ST"), "P");
    for _ in 0..2 {
        assert_eq!(peer.ask(&late.clone().with_mti("0201")).await.code(), "00", "a repeat counts nowhere");
        assert_eq!(peer.ask(&Outgoing::reversal_of(&payment, 5)).await.code(), "00");
    }
    let own = Counted(2, 2100, 1, 1000);
    let answer = peer.ask(&totals("0520", Some("1120"), own)).await;
    assert_eq!((answer.mti.as_str(), answer.code(), answer.field(15)), ("0530", "00", "1120"));
    let ours = ["0000000002", "0000000000002100", "0000000001", "0000000000001000", "D0000000000001100"];
    assert_eq!(told(&answer), ["1", ours[0], ours[1], ours[2], ours[3], ours[4]]);
    assert_eq!(answer.field(74), "0000000000", "we have no credits");
    assert_eq!(ctl(&site, "2026-11-20").await.agree, Some(true));

    let answer = peer.ask(&totals("0500", Some("1120"), Counted(2, 2100, 0, 0))).await;
    assert_eq!(answer.mti, "0510");
    assert_eq!(told(&answer), ["2", ours[0], ours[1], ours[2], ours[3], ours[4]]);
    site.alarms(1).await;
    let kept = ctl(&site, "2026-11-20").await;
    assert_eq!((kept.agree, kept.ours.debit_reversals.amount), (Some(false), 1000));
    assert_eq!(kept.reconciled.unwrap().theirs.debit_reversals_number, Some(0));

    let credits = peer.ask(&totals("0501", Some("1120"), own).with(86, "0000000000000001")).await;
    assert_eq!(credits.field(66), "2", "a credit is one more than ours");
    let mut other = Peer::signed_on(site.address, NORTHBANK).await;
    let answer = other.ask(&totals("0521", None, Counted::default())).await;
    assert_eq!(told(&answer)[0], "1", "each link has totals of its own");
}

#[tokio::test]
async fn n58_totals_that_cannot_be_compared_are_refused() {
    let site = Site::open().await;
    let mut off = Peer::connect(site.address, ATMNET).await;
    assert_eq!(off.ask(&totals("0520", None, Counted::default())).await.code(), "91");
    drop(off);
    let mut peer = Peer::signed_on(site.address, NORTHBANK).await;
    let sound = totals("0520", None, Counted::default());
    for (message, field) in [(sound.clone().without(88), "088"), (sound.clone().with(15, "1350"), "")] {
        let answer = peer.ask(&message).await;
        assert_eq!((answer.mti.as_str(), answer.code(), answer.field(44)), ("0530", "30", field));
        assert_eq!(answer.field(66), "");
    }
}

#[tokio::test]
async fn n54_a_cutover_freezes_the_totals_of_the_date_before_but_for_what_says_it_is_of_it() {
    let mut site = Site::open().await;
    let mut peer = site.atmnet().await;
    let payment = Outgoing::payment(1, UNPAID, 1000);
    assert_eq!(peer.ask(&payment).await.code(), "00");
    let in_flight = Outgoing::payment_at(WIRED, 2, "1", 500);
    peer.send(&in_flight).await;
    let order = site.wired.post().await;
    let before = totals("0500", None, Counted(1, 1000, 0, 0));
    assert_eq!(peer.ask(&before).await.field(66), "1", "no day was closed yet: today's");
    assert_eq!(peer.ask(&Outgoing::network("201").with(15, "1121")).await.code(), "00");
    order.approve("R2");
    assert_eq!(peer.receive().await.code(), "00");
    // What comes after the cutover counts for the new day, whatever it undoes; a message may say that it is of the old.
    assert_eq!(peer.ask(&Outgoing::reversal_of(&payment, 3)).await.code(), "00");
    assert_eq!(peer.ask(&Outgoing::payment(4, LATE, 1100).with(15, "1120")).await.code(), "00");
    let old = peer.ask(&totals("0500", None, Counted(3, 2600, 0, 0))).await;
    assert_eq!(told(&old)[0], "1", "without a date it is the one that was closed: {old:?}");
    let new = peer.ask(&totals("0500", Some("1121"), Counted(0, 0, 1, 1000))).await;
    assert_eq!(told(&new)[..2], ["1", "0000000000"]);
    assert_eq!(told(&new)[5], "C0000000000001000");
    // They are there again after a restart, and the journal says the same.
    drop(peer);
    site.stop().await;
    let (store, writer) =
        billswitch::journal::open(&site.store(), &billswitch::journal::Options::default()).unwrap();
    let legs = totals_of_legs(&store).unwrap();
    let of = |date: &str| legs[&(date.parse().unwrap(), "atmnet".parse().unwrap())];
    assert_eq!((of("2026-11-20").debits.number, of("2026-11-20").debits.amount), (3, 2600));
    assert_eq!((of("2026-11-21").debits.number, of("2026-11-21").debit_reversals.amount), (0, 1000));
    drop((store, writer));
    site.restart(Setup::default()).await;
    let mut peer = site.atmnet().await;
    let old = peer.ask(&totals("0521", Some("1120"), Counted(3, 2600, 0, 0))).await;
    assert_eq!(told(&old)[0], "1");
}

#[tokio::test]
async fn n58_what_is_in_doubt_counts_once_it_is_certain() {
    let setup = Setup {
        reply_timeout_ms: 50,
        biller_lines: "in_doubt = \"confirm\"\nretry_ms = 1",
        ..Setup::default()
    };
    let mut site = Site::with(setup).await;
    let mut peer = site.atmnet().await;
    let payment = Outgoing::payment_at(WIRED, 1, "1", 500);
    peer.send(&payment).await;
    let _unanswered = site.wired.post().await;
    assert_eq!(peer.receive().await.code(), "68");
    let doubtful = peer.ask(&totals("0520", None, Counted::default())).await;
    assert_eq!(doubtful.field(66), "1", "nothing was approved");
    site.wired.post().await.answer(Outcome::Posted(posting("R1")));
    // A repeat hears of it once it is certain.
    while peer.ask(&payment.clone().with_mti("0201")).await.code() != "00" {}
    assert_eq!(peer.ask(&totals("0520", None, Counted(1, 500, 0, 0))).await.field(66), "1");
}
