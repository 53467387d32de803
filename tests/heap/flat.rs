//! Row 60, to the byte: payment after payment, paid, repeated, refused and taken back, and nothing of them stays in memory.

use crate::memory;
use crate::peer::{Outgoing, Peer};
use crate::site::{Setup, Site, UNPAID};

/// Until the store's cache and every pool have what they will ever have.
const WARM_UP: u32 = 8000;
/// Payments of which one measurement is the least.
const ONCE: u32 = 8000;
/// Measurements after the first. What is on its way through the store is now more and now less, by a hundred kilobytes: one of
/// them without growth says that there is none, while what stays of every payment stays for all of them.
const TIMES: u32 = 4;
const AT_ONCE: u32 = 50;
/// What a payment may leave behind, in bytes: its share in what is kept of each sealed segment, which here has only 500 legs,
/// and what measuring is off by. The smallest key of a payment is larger.
const BYTES_A_PAYMENT: isize = 16;

/// Pays one bill many times over, of which one is taken; repeats all of it, and takes all of it back.
async fn bout(peer: &mut Peer, first: u32) {
    let stans = first..first + AT_ONCE;
    let payments: Vec<Outgoing> = stans.clone().map(|stan| Outgoing::payment(stan, UNPAID, 1000)).collect();
    let repeats = payments.iter().map(|payment| payment.clone().with_mti("0201")).collect();
    let reversals =
        payments.iter().zip(stans).map(|(payment, stan)| Outgoing::reversal_of(payment, 500_000 + stan));
    for (messages, codes) in
        [(payments.clone(), ["00", "21"]), (repeats, ["00", "21"]), (reversals.collect(), ["00", "00"])]
    {
        for message in &messages {
            peer.send(message).await;
        }
        for _ in &messages {
            assert!(codes.contains(&peer.receive().await.code()));
        }
    }
}

/// The least that is held while so many payments are made: what is on its way through the working store is more or less.
async fn least_held(peer: &mut Peer, next: &mut u32, payments: u32) -> isize {
    let mut least = isize::MAX;
    for _ in 0..payments / AT_ONCE {
        bout(peer, *next).await;
        *next += AT_ONCE;
        least = least.min(memory::live());
    }
    least
}

#[tokio::test(flavor = "multi_thread")]
async fn n60_the_live_heap_does_not_grow_with_the_payments_that_have_passed() {
    // Soon sealed: the working store is as large as it will be.
    let journal_lines = "[journal]\nworking_legs_max = 500\nsegment_legs_max = 500";
    let site = Site::with(Setup { journal_lines, ..Setup::default() }).await;
    let (mut peer, mut next) = (site.atmnet().await, 1);
    least_held(&mut peer, &mut next, WARM_UP).await;
    let early = least_held(&mut peer, &mut next, ONCE).await;
    let mut grown = Vec::new();
    for time in 1..=TIMES {
        let late = least_held(&mut peer, &mut next, ONCE).await;
        grown.push((late - early) / isize::try_from(time * ONCE).unwrap());
        if grown.last() < Some(&BYTES_A_PAYMENT) {
            break;
        }
    }
    println!("{early} bytes at first, then more by {grown:?} a payment");
    assert!(
        grown.last() < Some(&BYTES_A_PAYMENT),
        "{early} bytes at first, then more by {grown:?} a payment"
    );
    site.drain().await;
}
