//! A part of a payment is given back (DE 95): row 43, with a department behind a host that takes less than what is due.

use billswitch::control::{ExceptionReply, PaymentReply, Reply, Request};
use billswitch::switch::{Payment, Resolution, State, Totals};

use crate::hosts::{DEPT, HASTY, ONELINK, Stand};
use crate::peer::{Outgoing, Peer};
use crate::site::{PATIENCE, Site, pause};

/// Any amount from 100 to 5000, an eighth of it for one head of account.
const PARTLY: &str = "partly_reversible = true\nrules = { exactness = \"range\", amount_min = 100, amount_max = 5000, \
    heads = [{ head = \"B01401\", percent = \"12.5\" }, { head = \"C03845\", remainder = true }] }\n";

async fn stand(faults: &[&str]) -> (Stand, Peer) {
    let stand = Stand::with(ONELINK, faults, &format!("{HASTY}{PARTLY}")).await;
    let mut peer = stand.site.atmnet().await;
    stand.reached(&mut peer, 100).await;
    (stand, peer)
}

/// The reversal of all but `left` of a payment.
fn part_of(payment: &Outgoing, stan: u32, left: u64) -> Outgoing {
    Outgoing::reversal_of(payment, stan).with(95, &format!("{left:012}{:030}", 0))
}

async fn found(site: &Site, stan: u32) -> Payment {
    let request = Request::Txn { rrn: Some(format!("{stan:012}")), stan: None };
    let Reply::Payments(mut found) = site.operator(request).await else { panic!("payments") };
    let PaymentReply { payment, .. } = found.remove(0);
    payment
}

/// Waits until a payment is posted with so much.
async fn until_left(site: &Site, stan: u32, left: u64) -> Payment {
    let reached = async {
        loop {
            let payment = found(site, stan).await;
            if (payment.state, payment.amount.minor()) == (State::Posted, left) {
                return payment;
            }
            pause().await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.expect("the part is due")
}

async fn totals(site: &Site) -> Totals {
    let date = Some("2026-11-20".parse().unwrap());
    let request = Request::Totals { date, link: Some("atmnet".parse().unwrap()) };
    let Reply::Totals(totals) = site.operator(request).await else { panic!("totals") };
    totals[0].ours
}

/// Number and sum of what was given back.
async fn given_back(site: &Site) -> (u64, u64) {
    let back = totals(site).await.debit_reversals;
    (back.number, back.amount)
}

/// What the host holds: the amounts of its postings as they were written down, and how many were undone.
fn held(stand: &Stand) -> (Vec<u64>, usize) {
    let (posted, undone) = stand.ledger();
    (posted.iter().map(|entry| entry.amount).collect(), undone)
}

async fn exceptions(site: &Site) -> Vec<ExceptionReply> {
    let Reply::Exceptions(found) = site.operator(Request::Exceptions).await else { panic!("exceptions") };
    found
}

async fn paid(peer: &mut Peer, stan: u32) -> Outgoing {
    let payment = Outgoing::payment_at(DEPT, stan, "7001", 1000);
    assert_eq!(peer.ask(&payment).await.code(), "00");
    payment
}

#[tokio::test]
async fn n43_a_part_is_given_back_to_the_minor_unit_where_the_department_takes_less_than_is_due() {
    let (stand, mut peer) = stand(&[]).await;
    let payment = paid(&mut peer, 1).await;
    let part = part_of(&payment, 2, 601);
    let answer = peer.ask(&part).await;
    assert_eq!((answer.mti.as_str(), answer.code()), ("0430", "00"));
    let left = until_left(&stand.site, 1, 601).await;
    let heads: Vec<u64> = left.posting.unwrap().heads.iter().map(|head| head.amount.minor()).collect();
    assert_eq!(heads, [75, 526], "split anew, to the minor unit");
    assert_eq!(held(&stand), (vec![1000, 601], 0), "the department holds what is left");
    for mti in ["0421", "0420"] {
        assert_eq!(peer.ask(&part.clone().with_mti(mti)).await.code(), "00", "{mti}");
    }
    assert_eq!(peer.ask(&part.clone().with_mti("0401")).await.code(), "00");
    assert_eq!(held(&stand), (vec![1000, 601], 0), "one effect");
    let ours = totals(&stand.site).await;
    assert_eq!((ours.debits.number, ours.debits.amount), (1, 1000));
    assert_eq!((ours.debit_reversals.number, ours.debit_reversals.amount), (1, 399), "the difference");
    let scroll = Request::Scroll { biller: DEPT.parse().unwrap(), date: "2026-11-20".parse().unwrap() };
    let Reply::Scroll(lines) = stand.site.operator(scroll).await else { panic!("a scroll") };
    let [line] = lines.as_slice() else { panic!("one line: {lines:?}") };
    assert_eq!((line.amount.minor(), line.heads.iter().map(|head| head.amount.minor()).sum()), (601, 601));
    // A second part, and another amount than was debited, are refused; a repeat of the payment gets what it got.
    assert_eq!(peer.ask(&part_of(&payment, 3, 500)).await.code(), "13");
    assert_eq!(peer.ask(&part.clone().with(4, "000000000999")).await.code(), "13");
    assert_eq!(peer.ask(&payment.clone().with_mti("0201")).await.code(), "00");
    // The rest is not told to the department, which could not tell that from a repeat, but to people.
    assert_eq!(peer.ask(&Outgoing::reversal_of(&payment, 4).with_mti("0400")).await.code(), "21");
    stand.site.alarms(1).await;
    let [exception] = exceptions(&stand.site).await.try_into().unwrap();
    assert_eq!((exception.payment.amount.minor(), held(&stand).1), (601, 0));
    assert_eq!(given_back(&stand.site).await, (1, 399), "nothing was promised");
}

#[tokio::test]
async fn n43_a_part_that_cannot_be_given_back_exactly_is_refused_before_anything_is_promised() {
    let (stand, mut peer) = stand(&[]).await;
    let payment = paid(&mut peer, 1).await;
    let with = |de95: String| Outgoing::reversal_of(&payment, 2).with(95, &de95);
    let refused = [
        ("more than was debited", part_of(&payment, 2, 1001)),
        ("as much as was debited", part_of(&payment, 2, 1000)),
        ("below the smallest payment", part_of(&payment, 2, 99)),
        ("of another amount", part_of(&payment, 2, 600).with(4, "000000001100")),
        ("a fee", with(format!("{:012}{:012}D00000001C00000000", 600, 0))),
        ("settled as something else", with(format!("{:012}{:012}{:018}", 600, 500, 0))),
        ("no amount", with(format!("{:<42}", "60000000000X"))),
    ];
    for (why, message) in refused {
        for mti in ["0420", "0400"] {
            assert_eq!(peer.ask(&message.clone().with_mti(mti)).await.code(), "13", "{why}");
        }
    }
    assert_eq!(
        (found(&stand.site, 1).await.state, held(&stand), given_back(&stand.site).await),
        (State::Posted, (vec![1000], 0), (0, 0))
    );
    let declined = Outgoing::payment_at(DEPT, 5, "7009", 1000);
    assert_eq!(peer.ask(&declined).await.code(), "25");
    assert_eq!(peer.ask(&part_of(&declined, 6, 600)).await.code(), "13", "of a payment that was declined");
    assert_eq!(found(&stand.site, 5).await.state, State::Declined);
    let settled = with(format!("{:012}{:012}C00000000C00000000", 600, 600)).with_mti("0400");
    assert_eq!(peer.ask(&settled).await.code(), "00", "the same in the settlement's amount");
    until_left(&stand.site, 1, 600).await;
}

#[tokio::test]
async fn n43_a_part_is_refused_where_the_bill_gave_the_split_or_the_department_takes_none_back() {
    let rules =
        "partly_reversible = true\nrules = { exactness = \"range\", amount_min = 100, amount_max = 5000 }\n";
    for (lines, bill) in [(rules, "7004"), ("", "7001")] {
        let stand = Stand::with(ONELINK, &[], &format!("reply_timeout_ms = 10000\n{lines}")).await;
        let mut peer = stand.site.atmnet().await;
        stand.reached(&mut peer, 100).await;
        let payment = Outgoing::payment_at(DEPT, 1, bill, 1000);
        assert_eq!(peer.ask(&payment).await.code(), "00");
        assert_eq!(peer.ask(&part_of(&payment, 2, 600)).await.code(), "13", "{bill}");
        assert_eq!(held(&stand), (vec![1000], 0));
        assert_eq!(
            peer.ask(&Outgoing::reversal_of(&payment, 3).with_mti("0400")).await.code(),
            "00",
            "all of it"
        );
    }
}

#[tokio::test]
async fn n43_a_part_of_a_payment_in_doubt_is_refused() {
    let (stand, mut peer) = stand(&["payment:hang:nth=1", "reversal:hang:100%"]).await;
    let payment = Outgoing::payment_at(DEPT, 1, "7001", 1000);
    assert_eq!(peer.ask(&payment).await.code(), "68");
    assert_eq!(peer.ask(&part_of(&payment, 2, 600)).await.code(), "13");
    assert_eq!(found(&stand.site, 1).await.state, State::Reversing);
}

#[tokio::test]
async fn n48_a_part_is_told_again_until_the_host_answers_with_one_effect() {
    for fault in [
        "reversal:hang:nth=1",
        "reversal:drop:nth=1",
        "reversal:garbage:nth=1",
        "reversal:late=3000:nth=1",
        "reversal:duplicate:100%",
    ] {
        let (stand, mut peer) = stand(&[fault]).await;
        let payment = paid(&mut peer, 1).await;
        assert_eq!(peer.ask(&part_of(&payment, 2, 600)).await.code(), "00", "{fault}");
        until_left(&stand.site, 1, 600).await;
        assert_eq!(held(&stand), (vec![1000, 600], 0), "{fault}");
        assert_eq!(given_back(&stand.site).await, (1, 400), "{fault}");
    }
}

#[tokio::test]
async fn n52_a_part_is_given_back_after_the_host_was_down_and_the_switch_restarted() {
    let (mut stand, mut peer) = stand(&[]).await;
    let payment = paid(&mut peer, 1).await;
    stand.dies();
    let part = part_of(&payment, 2, 600);
    assert_eq!(peer.ask(&part).await.code(), "00", "stored");
    assert_eq!(
        peer.ask(&Outgoing::reversal_of(&payment, 3)).await.code(),
        "68",
        "all of it: once the part is known"
    );
    assert_eq!(given_back(&stand.site).await, (1, 400));
    drop(peer);
    let setup = stand.setup;
    stand.site.restart(setup).await;
    stand.returns(&[]).await;
    until_left(&stand.site, 1, 600).await;
    let mut peer = stand.site.atmnet().await;
    assert_eq!(peer.ask(&part.with_mti("0421")).await.code(), "00");
    assert_eq!((held(&stand), given_back(&stand.site).await), ((vec![1000, 600], 0), (1, 400)));
}

#[tokio::test]
async fn n50_a_part_that_the_department_refuses_is_with_people_who_say_what_became_of_it() {
    for (resolution, left) in
        [(Resolution::Stands, 1000), (Resolution::Undone, 600), (Resolution::Again, 600)]
    {
        let (stand, mut peer) = stand(&["reversal:code=21:nth=1"]).await;
        let payment = paid(&mut peer, 1).await;
        let part = part_of(&payment, 2, 600).with_mti("0400");
        assert_eq!(peer.ask(&part).await.code(), "21", "the department's word");
        let [exception] = exceptions(&stand.site).await.try_into().unwrap();
        assert!(exception.next.contains("of 10.00 is to be left 6.00"), "{}", exception.next);
        assert_eq!(given_back(&stand.site).await.0, 0, "nothing was promised");
        let why = "the department's list".to_owned();
        stand.site.operator(Request::Resolve { leg: exception.leg, resolution, why }).await;
        until_left(&stand.site, 1, left).await;
        let told = if left == 1000 { "21" } else { "00" };
        assert_eq!(peer.ask(&part.with_mti("0401")).await.code(), told, "{resolution:?}");
        let all = Outgoing::reversal_of(&payment, 3).with_mti("0400");
        assert_eq!(peer.ask(&all).await.code(), "21", "{resolution:?}: with people again");
    }
}
