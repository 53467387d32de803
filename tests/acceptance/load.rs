//! More than the switch can do: queues that are full, a biller that is slow, a disk that is almost full.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use billswitch::control::{BookRequest, Reply, Request, StatusReply};
use billswitch::switch::{Outcome, Record, State, What};
use tokio::time::timeout;

use crate::peer::{ATMNET, NORTHBANK, Outgoing, Peer};
use crate::site::{BOOK, LATE, PATIENCE, Setup, Site, UNPAID, WIRED, pause, rows};
use crate::timeouts::until;

/// Requests of one burst.
const BURST: u32 = 900;

/// Asks until it is not shed: on a busy machine one request, too, may have to wait for its turn.
async fn ask_until_taken(peer: &mut Peer, message: &Outgoing) -> String {
    let asked = async {
        loop {
            let answer = peer.ask(message).await;
            if answer.code() != "96" {
                return answer.code().to_owned();
            }
        }
    };
    timeout(PATIENCE, asked).await.expect("there is room again")
}

#[tokio::test]
async fn queues_full_new_requests_are_shed_with_96_and_reversals_and_repeats_never() {
    let site = Site::limited(Setup::default(), "queue_delay_ms = 1", None).await;
    let mut peer = site.atmnet().await;
    let paid = Outgoing::payment(1, UNPAID, 1000);
    assert_eq!(ask_until_taken(&mut peer, &paid).await, "00");
    let (mut shed, mut next) = (None, 10);
    for _ in 0..50 {
        for stan in next..next + BURST {
            peer.send(&Outgoing::payment(stan, UNPAID, 1000)).await;
        }
        // At the end of all of them, where the wait is longest: a repeat, and the reversal of an unknown payment.
        peer.send(&paid.clone().with_mti("0201")).await;
        let unknown = Outgoing::payment(next + 100_000, UNPAID, 1000);
        peer.send(&Outgoing::reversal_of(&unknown, next + 200_000)).await;
        for _ in 0..BURST + 2 {
            let answer = peer.receive().await;
            match (answer.mti.as_str(), answer.field(11)) {
                ("0430", _) => assert_eq!(answer.code(), "25", "a reversal is never shed"),
                ("0211" | "0210", "000001") => assert_eq!(answer.code(), "00", "a repeat is never shed"),
                (_, stan) if answer.code() == "96" => shed = stan.parse::<u32>().ok(),
                (_, _) => assert_eq!(answer.code(), "21", "paid already"),
            }
        }
        next += BURST;
        if shed.is_some() {
            break;
        }
    }
    let shed = shed.expect("some have waited too long");
    // Nothing was kept of it: asked again, it is a payment like any other.
    let again = Outgoing::payment(shed, UNPAID, 1000).with_mti("0201");
    assert_eq!(ask_until_taken(&mut peer, &again).await, "21");
}

#[tokio::test]
async fn biller_slow_its_own_payments_are_shed_and_other_billers_unharmed() {
    let setup = Setup { biller_lines: "in_doubt_max = 2", ..Setup::default() };
    let mut site = Site::with(setup).await;
    let mut peer = site.atmnet().await;
    for stan in 1..=2 {
        peer.send(&Outgoing::payment_at(WIRED, stan, "1", 1000)).await;
    }
    let (first, second) = (site.wired.post().await, site.wired.post().await);
    let third = Outgoing::payment_at(WIRED, 3, "1", 1000);
    assert_eq!(peer.ask(&third).await.code(), "96", "two are at the biller");
    assert_eq!(peer.ask(&Outgoing::payment(4, UNPAID, 1000)).await.code(), "00", "the other has room");
    let told = Outgoing::payment_at(WIRED, 5, "1", 1000).with_mti("0220");
    assert_eq!(peer.ask(&told).await.code(), "00", "what is paid already is not shed");
    site.wired.post().await.approve("R5");
    until(&site, 5, State::Posted).await;
    // One in doubt has left its acquirer alone, and still counts.
    first.answer(Outcome::Unknown);
    assert_eq!(peer.receive().await.code(), "68");
    assert_eq!(peer.ask(&third).await.code(), "96");
    site.wired.reverse().await.answer(Outcome::Reversed);
    until(&site, 1, State::Reversed).await;
    peer.send(&third).await;
    site.wired.post().await.approve("R3");
    assert_eq!(peer.receive().await.code(), "00");
    second.approve("R2");
    assert_eq!(peer.receive().await.code(), "00");
}

/// Waits until the switch has looked at the disk and says this of it.
async fn until_disk(site: &Site, free: u64, low: bool) {
    let looked = async {
        loop {
            let Reply::Status(status) = site.operator(Request::Status).await else { panic!("a status") };
            if (status.free_bytes, status.disk_low) == (Some(free), low) {
                return;
            }
            pause().await;
        }
    };
    timeout(PATIENCE, looked).await.unwrap_or_else(|_| panic!("{free} bytes free are due"));
}

#[tokio::test]
async fn disk_below_its_watermark_payments_are_refused_with_96_and_the_reserve_is_for_reversals() {
    let free = Arc::new(AtomicU64::new(2_000_000));
    let says = Arc::clone(&free);
    let reading = Arc::new(move || Some(says.load(SeqCst)));
    let setup = Setup::default();
    let mut site = Site::limited(setup, "disk_low_bytes = 1000000", Some(reading)).await;
    let mut peer = site.atmnet().await;
    let paid = Outgoing::payment(1, UNPAID, 1000);
    assert_eq!(peer.ask(&paid).await.code(), "00");
    peer.send(&Outgoing::payment_at(WIRED, 2, "1", 1000)).await;
    let in_flight = site.wired.post().await;
    free.store(999_999, SeqCst);
    until_disk(&site, 999_999, true).await;
    site.alarms(1).await;
    assert_eq!(peer.ask(&Outgoing::payment(3, UNPAID, 1000)).await.code(), "96");
    assert_eq!(peer.ask(&Outgoing::inquiry(4, UNPAID)).await.code(), "96");
    in_flight.approve("R2");
    assert_eq!(peer.receive().await.code(), "00", "what is in flight goes on");
    assert_eq!(peer.ask(&paid.clone().with_mti("0201")).await.code(), "00", "a repeat gets what is stored");
    assert_eq!(peer.ask(&Outgoing::reversal_of(&paid, 5)).await.code(), "00", "reversals go on");
    assert_eq!(peer.ask(&Outgoing::network("301")).await.code(), "00");
    // A little more is not enough: it would change with every file that comes and goes.
    free.store(1_100_000, SeqCst);
    until_disk(&site, 1_100_000, true).await;
    assert_eq!(peer.ask(&Outgoing::payment(3, UNPAID, 1000)).await.code(), "96");
    free.store(1_125_000, SeqCst);
    until_disk(&site, 1_125_000, false).await;
    assert_eq!(peer.ask(&Outgoing::payment(3, UNPAID, 1000)).await.code(), "00", "it may be asked again");
    site.alarms(1).await;
}

async fn status(site: &Site) -> StatusReply {
    let Reply::Status(status) = site.operator(Request::Status).await else { panic!("a status") };
    status
}

#[tokio::test]
async fn disk_below_its_watermark_what_changes_nothing_is_answered_and_takes_no_room() {
    let free = Arc::new(AtomicU64::new(2_000_000));
    let says = Arc::clone(&free);
    let reading = Arc::new(move || Some(says.load(SeqCst)));
    let site = Site::limited(Setup::default(), "disk_low_bytes = 1000000", Some(reading)).await;
    let mut peer = site.atmnet().await;
    let paid = Outgoing::payment(1, UNPAID, 1000);
    assert_eq!(peer.ask(&paid).await.code(), "00");
    free.store(999_999, SeqCst);
    until_disk(&site, 999_999, true).await;
    let before = status(&site).await;
    let unknown = Outgoing::network("301").with(70, "999");
    for (asked, code) in [
        (&Outgoing::payment(3, UNPAID, 1000), "96"),
        (&Outgoing::inquiry(4, UNPAID), "96"),
        (&paid.clone().with_mti("0201"), "00"),
        (&Outgoing::network("301"), "00"),
        (&unknown, "12"),
    ] {
        assert_eq!(peer.ask(asked).await.code(), code);
    }
    let mut stranger = Peer::connect(site.address, NORTHBANK).await;
    assert_eq!(stranger.ask(&Outgoing::payment(5, UNPAID, 1000)).await.code(), "91");
    stranger.send(&Outgoing::network("301").with_mti("0810")).await;
    site.alarms(2).await;
    let after = status(&site).await;
    assert_eq!((after.last_leg, after.unrecorded), (before.last_leg, 7));
    // What moves money is written down, whatever is left.
    assert_eq!(peer.ask(&Outgoing::reversal_of(&paid, 6)).await.code(), "00");
    let advice = Outgoing::payment(7, UNPAID, 1000).with_mti("0220");
    assert_eq!(peer.ask(&advice).await.code(), "00");
    let after = status(&site).await;
    assert!(after.last_leg >= before.last_leg + 4, "{} legs more", after.last_leg - before.last_leg);
    assert_eq!(after.unrecorded, 7);
}

#[tokio::test]
async fn what_a_link_says_that_has_not_signed_on_leaves_no_evidence() {
    let mut site = Site::open().await;
    let mut peer = Peer::connect(site.address, ATMNET).await;
    assert_eq!(peer.ask(&Outgoing::payment(1, UNPAID, 1000)).await.code(), "91");
    assert_eq!(peer.ask(&Outgoing::network("301")).await.code(), "00");
    assert_eq!(peer.ask(&Outgoing::network("001")).await.code(), "00");
    assert_eq!(peer.ask(&Outgoing::payment(1, UNPAID, 1000)).await.code(), "00");
    let asked = |record: &Record| matches!(record.what, What::Asked { .. });
    let legs = site.journalled().await;
    let kept: Vec<_> = legs.iter().filter(|leg| asked(leg)).map(|leg| !leg.evidence.0.is_empty()).collect();
    assert_eq!(kept, [false, false, true, true]);
}

#[tokio::test]
async fn disk_below_its_watermark_no_bills_come_in_and_nothing_is_sealed() {
    let free = Arc::new(AtomicU64::new(2_000_000));
    let says = Arc::clone(&free);
    let reading = Arc::new(move || Some(says.load(SeqCst)));
    let site = Site::limited(Setup::default(), "disk_low_bytes = 1000000", Some(reading)).await;
    let mut peer = site.atmnet().await;
    assert_eq!(peer.ask(&Outgoing::payment(1, UNPAID, 1000)).await.code(), "00");
    free.store(999_999, SeqCst);
    until_disk(&site, 999_999, true).await;
    let import = || Request::Book(BookRequest::Import { biller: BOOK.parse().unwrap(), rows: rows() });
    let said = site.operator_refused(import()).await;
    assert!(said.contains("almost full"), "{said}");
    let psids = vec![LATE.into()];
    let withdraw = Request::Book(BookRequest::Withdraw { biller: BOOK.parse().unwrap(), psids });
    assert!(site.operator_refused(withdraw).await.contains("almost full"));
    assert_eq!(peer.ask(&Outgoing::inquiry(2, UNPAID)).await.code(), "96");
    site.operator(Request::Cutover).await;
    // It is looked five times a second whether there is something to seal.
    let later = status(&site).await.uptime_s + 2;
    while status(&site).await.uptime_s < later {
        assert_eq!(status(&site).await.sealed_days, 0);
    }
    free.store(2_000_000, SeqCst);
    until_disk(&site, 2_000_000, false).await;
    site.operator(import()).await;
    let sealed = async { while status(&site).await.sealed_days == 0 {} };
    timeout(PATIENCE, sealed).await.expect("the day that is over is sealed");
}
