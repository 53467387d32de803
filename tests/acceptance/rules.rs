//! The rules of a department, each over TCP: which bills are its own, which amounts it takes, when, and how they split.

use billswitch::money::MinorUnits;
use billswitch::switch::{Bill, BillStatus, Limits, Order, Outcome, Reason};

use crate::peer::{NORTHBANK, Outgoing, Peer};
use crate::site::{EXPIRED, LATE, Ordered, Setup, Site, UNPAID, WIRED, posting, rows};

/// A site whose wired department has these rules.
async fn wired(rules: &'static str) -> Site {
    Site::with(Setup { biller_lines: rules, ..Setup::default() }).await
}

/// A site whose bill book has these rules.
async fn book(rules: &'static str) -> Site {
    Site::with(Setup { book_lines: rules, ..Setup::default() }).await
}

/// The heads that an order to post splits into.
fn heads(ordered: &Ordered) -> Vec<(String, u64)> {
    let Order::Post { payment, .. } = &ordered.order else { panic!("{:?}", ordered.order) };
    payment.heads.iter().map(|head| (head.head.to_string(), head.amount.minor())).collect()
}

async fn pay(peer: &mut Peer, stan: u32, consumer: &str, amount: u64) -> String {
    peer.ask(&Outgoing::payment_at(WIRED, stan, consumer, amount)).await.code().to_owned()
}

#[tokio::test]
async fn a_number_that_is_none_of_the_departments_is_refused_and_nothing_is_sent() {
    let rules = "[biller.rules]\npsid = { prefix = \"79\", lengths = [11], pattern = \"[0-9]+\", check_digit = \"luhn\" }";
    let mut site = wired(rules).await;
    let mut peer = site.atmnet().await;
    for (stan, consumer) in [(1, "79927398710"), (2, "7992739871"), (3, "80027398713"), (4, "7992739871x")] {
        assert_eq!(pay(&mut peer, stan, consumer, 500).await, "25", "{consumer}");
        assert_eq!(peer.ask(&Outgoing::inquiry_at(WIRED, stan + 10, consumer)).await.code(), "25");
    }
    assert!(site.wired.is_idle());
    peer.send(&Outgoing::payment_at(WIRED, 5, "79927398713", 500)).await;
    site.wired.post().await.approve("R1");
    assert_eq!(peer.receive().await.code(), "00");
}

#[tokio::test]
async fn an_amount_outside_the_limits_of_all_or_of_its_channel_is_refused_with_61() {
    let rules = "[biller.rules]\namount_min = 100\namount_max = 5000\nchannels = { \"6011\" = { amount_max = 2000 } }";
    let mut site = wired(rules).await;
    let mut peer = site.atmnet().await;
    for (stan, amount, code) in [(1, 99, "61"), (2, 2001, "61"), (3, 5001, "61")] {
        assert_eq!(pay(&mut peer, stan, "1", amount).await, code, "{amount}");
    }
    assert!(site.wired.is_idle());
    let teller = |stan, amount| {
        let bill = format!("BI{:03}{WIRED}CN0011CH0046010", WIRED.len());
        Outgoing::payment_at(WIRED, stan, "1", amount).with(48, &bill)
    };
    assert_eq!(peer.ask(&teller(4, 5001)).await.code(), "61");
    for message in [teller(5, 5000), Outgoing::payment_at(WIRED, 6, "1", 2000)] {
        peer.send(&message).await;
        site.wired.post().await.approve("R1");
        assert_eq!(peer.receive().await.code(), "00");
    }
}

#[tokio::test]
async fn n19_more_than_is_due_is_taken_where_the_department_says_so() {
    let mut site = wired("[biller.rules]\nexactness = \"exact-up\"").await;
    let mut peer = site.atmnet().await;
    let bill = rows().remove(0).bill;
    for (stan, amount, taken) in [(1, 999, false), (2, 1250, true)] {
        peer.send(&Outgoing::payment_at(WIRED, stan, "1", amount)).await;
        let looked_up = site.wired.order().await;
        assert!(matches!(looked_up.order, Order::LookUp(_)), "the amount is held against the bill first");
        looked_up.answer(Outcome::Found(Box::new(bill.clone())));
        if taken {
            let post = site.wired.post().await;
            assert_eq!(heads(&post).iter().map(|(_, part)| part).sum::<u64>(), amount);
            post.approve("R1");
        }
        assert_eq!(peer.receive().await.code(), if taken { "00" } else { "13" });
    }
}

#[tokio::test]
async fn n14_n19_a_bill_that_takes_parts_is_told_with_its_limits_and_each_payment_is_held_against_them() {
    let limits = Limits { min: MinorUnits::new(200).ok(), max: MinorUnits::new(5000).ok() };
    let bill = Bill { status: BillStatus::Partial(limits), ..rows().remove(0).bill };
    // Whatever the department's rules are: where they say how exact an amount must be, that holds as well.
    let within = [(199, "61"), (200, "00"), (1000, "00"), (5000, "00"), (5001, "61")];
    let exact = [(999, "13"), (1000, "00"), (1001, "13")];
    let more = [(999, "13"), (1000, "00"), (5000, "00"), (5001, "61")];
    let table: [(&str, &[(u64, &str)]); 3] = [
        ("expiry = \"payment\"", &within),
        ("exactness = \"exact\"", &exact),
        ("exactness = \"exact-up\"", &more),
    ];
    for (rules, payments) in table {
        let mut site = wired(format!("[biller.rules]\n{rules}").leak()).await;
        let mut peer = site.atmnet().await;
        peer.send(&Outgoing::inquiry_at(WIRED, 1, "1")).await;
        site.wired.order().await.answer(Outcome::Found(Box::new(bill.clone())));
        let told = peer.receive().await;
        let facts = ["ST", "AW", "MN", "MX"].map(|tag| told.fact(tag));
        assert_eq!((told.code(), facts.each_ref().map(String::as_str)), ("00", ["T", "1000", "200", "5000"]));
        for (stan, (amount, code)) in (2..).zip(payments) {
            peer.send(&Outgoing::payment_at(WIRED, stan, "1", *amount)).await;
            site.wired.order().await.answer(Outcome::Found(Box::new(bill.clone())));
            if *code == "00" {
                let post = site.wired.post().await;
                assert_eq!(heads(&post).iter().map(|(_, part)| part).sum::<u64>(), *amount);
                post.approve("R1");
            }
            assert_eq!(peer.receive().await.code(), *code, "{rules}: {amount}");
        }
        assert!(site.wired.is_idle());
    }
}

#[tokio::test]
async fn n30c_an_amount_splits_by_rule_to_the_minor_unit() {
    let rules = "[biller.rules]\nheads = [{ head = \"B01401\", fixed = 100 }, { head = \"B02372\", percent = \"33.33\" }, { head = \"C03845\", remainder = true }]";
    let mut site = wired(rules).await;
    let mut peer = site.atmnet().await;
    peer.send(&Outgoing::payment_at(WIRED, 1, "1", 1001)).await;
    let post = site.wired.post().await;
    let parts = [("B01401", 100), ("B02372", 333), ("C03845", 568)];
    assert_eq!(heads(&post), parts.map(|(head, part)| (head.to_owned(), part)));
    post.approve("R1");
    assert_eq!(peer.receive().await.code(), "00");
    assert_eq!(pay(&mut peer, 2, "2", 99).await, "13", "it does not reach for the fixed part");
    assert!(site.wired.is_idle());
    // An advice is made already: it splits in the same way.
    peer.send(&Outgoing::payment_at(WIRED, 3, "3", 1001).with_mti("0220")).await;
    let post = site.wired.post().await;
    assert_eq!(heads(&post).len(), 3);
    post.answer(Outcome::Posted(posting("R3")));
    assert_eq!(peer.receive().await.code(), "00");
}

#[tokio::test]
async fn n30b_a_late_bill_costs_what_the_rule_says() {
    let site = book("[biller.rules]\nlate = { percent = \"2.5\" }").await;
    let mut peer = site.atmnet().await;
    let told = peer.ask(&Outgoing::inquiry(1, LATE)).await;
    assert_eq!((told.code(), told.fact("AA").as_str()), ("00", "1025"));
    assert_eq!(peer.ask(&Outgoing::payment(2, LATE, 1100)).await.code(), "13");
    let paid = peer.ask(&Outgoing::payment(3, LATE, 1025)).await;
    assert_eq!(paid.code(), "00");
    let parts = paid
        .facts("FH")
        .iter()
        .map(|head| head.split_once('=').unwrap().1.parse::<u64>().unwrap())
        .sum::<u64>();
    assert_eq!(parts, 1025);
}

#[tokio::test]
async fn n30b_a_late_bill_is_refused_where_the_department_says_so() {
    let site = book("[biller.rules]\nlate = { due = \"refused\" }").await;
    let mut peer = site.atmnet().await;
    assert_eq!(peer.ask(&Outgoing::inquiry(1, LATE)).await.code(), "54");
    assert_eq!(peer.ask(&Outgoing::payment(2, LATE, 1100)).await.code(), "54");
    assert_eq!(peer.ask(&Outgoing::payment(3, UNPAID, 1000)).await.code(), "00");
}

#[tokio::test]
async fn n30a_a_hard_expiry_may_count_at_payment_alone() {
    let site = book("[biller.rules]\nexpiry = \"payment\"").await;
    let mut peer = site.atmnet().await;
    assert_eq!(peer.ask(&Outgoing::inquiry(1, EXPIRED)).await.code(), "00");
    assert_eq!(peer.ask(&Outgoing::payment(2, EXPIRED, 1100)).await.code(), "54");
}

#[tokio::test]
async fn a_department_that_is_suspended_or_closed_takes_nothing_new_and_still_undoes() {
    let mut site = Site::open().await;
    let mut peer = site.atmnet().await;
    let paid = Outgoing::payment(1, UNPAID, 1000);
    assert_eq!(peer.ask(&paid).await.code(), "00");
    for closed in [
        "suspended = { from = \"2020-01-01T00:00\" }",
        "windows = [{ days = [], from = \"00:00\", until = \"24:00\" }]",
    ] {
        drop(peer);
        site.stop().await;
        let book_lines = format!("[biller.rules]\n{closed}").leak();
        site.restart(Setup { book_lines, ..Setup::default() }).await;
        peer = site.atmnet().await;
        assert_eq!(peer.ask(&Outgoing::inquiry(2, LATE)).await.code(), "91");
        assert_eq!(peer.ask(&Outgoing::payment(3, LATE, 1100).with(7, "1120090700")).await.code(), "91");
        assert_eq!(
            peer.ask(&paid.clone().with_mti("0201")).await.code(),
            "00",
            "what was answered stays answered"
        );
    }
    assert_eq!(peer.ask(&Outgoing::reversal_of(&paid, 4)).await.code(), "00");
    drop(peer);
    site.stop().await;
    let open = "[biller.rules]\nsuspended = { until = \"2020-01-01T00:00\" }\nwindows = [{ from = \"00:00\", until = \"24:00\" }]";
    site.restart(Setup { book_lines: open, ..Setup::default() }).await;
    let mut peer = site.atmnet().await;
    assert_eq!(peer.ask(&Outgoing::inquiry(5, UNPAID)).await.code(), "00");
}

#[tokio::test]
async fn a_payment_without_the_inquiry_that_the_department_demands_is_refused() {
    let mut site = book("[biller.rules]\ninquiry = \"mandatory\"").await;
    let mut peer = site.atmnet().await;
    assert_eq!(peer.ask(&Outgoing::payment(1, UNPAID, 1000)).await.code(), "12");
    let mut other = Peer::signed_on(site.address, NORTHBANK).await;
    assert_eq!(other.ask(&Outgoing::inquiry(2, UNPAID)).await.code(), "00");
    assert_eq!(peer.ask(&Outgoing::payment(3, UNPAID, 1000)).await.code(), "12", "another link's inquiry");
    assert_eq!(peer.ask(&Outgoing::inquiry(4, LATE)).await.code(), "00");
    assert_eq!(peer.ask(&Outgoing::payment(5, UNPAID, 1000)).await.code(), "12", "another bill's");
    assert_eq!(peer.ask(&Outgoing::inquiry(6, UNPAID)).await.code(), "00");
    assert_eq!(peer.ask(&Outgoing::payment(7, UNPAID, 1000)).await.code(), "00");
    // What is remembered is gone with the process, and comes back with the next inquiry.
    drop((peer, other));
    site.stop().await;
    site.restart(Setup { book_lines: "[biller.rules]\ninquiry = \"mandatory\"", ..Setup::default() }).await;
    let mut peer = site.atmnet().await;
    assert_eq!(peer.ask(&Outgoing::payment(8, LATE, 1100)).await.code(), "12");
}

#[tokio::test]
async fn a_department_without_inquiries_refuses_them_and_takes_payments() {
    let mut site = wired("[biller.rules]\ninquiry = \"none\"").await;
    let mut peer = site.atmnet().await;
    assert_eq!(peer.ask(&Outgoing::inquiry_at(WIRED, 1, "1")).await.code(), "12");
    peer.send(&Outgoing::payment_at(WIRED, 2, "1", 500)).await;
    site.wired.post().await.answer(Outcome::Declined(Reason::Blocked));
    assert_eq!(peer.receive().await.code(), "62");
}

#[tokio::test]
async fn a_bill_finds_its_department_by_code_and_prefix_and_the_longest_prefix_wins() {
    let mut site = Site::with(Setup {
        biller_lines: "[biller.rules]\nroutes = [{ code = \"GOVT\", prefix = \"70\" }, { prefix = \"9\" }]",
        book_lines: "[biller.rules]\nroutes = [{ code = \"GOVT\", prefix = \"7001\" }]",
        ..Setup::default()
    })
    .await;
    let mut peer = site.atmnet().await;
    let to_book = Outgoing::payment_at("GOVT", 1, UNPAID, 1000);
    assert_eq!(peer.ask(&to_book).await.code(), "00");
    assert!(site.wired.is_idle());
    for (stan, code, consumer) in [(2, "GOVT", "7099"), (3, "NOBODY", "95")] {
        let payment = Outgoing::payment_at(code, stan, consumer, 500);
        peer.send(&payment).await;
        site.wired.post().await.approve("R2");
        assert_eq!(peer.receive().await.code(), "00");
        assert_eq!(peer.ask(&payment.clone().with_mti("0201")).await.code(), "00", "a repeat is known");
    }
    assert_eq!(peer.ask(&Outgoing::payment_at("GOVT", 4, "81", 500)).await.code(), "92");
    assert_eq!(
        peer.ask(&Outgoing::payment(5, "95", 500)).await.code(),
        "25",
        "a code that is somebody's is obeyed"
    );
    assert_eq!(peer.ask(&Outgoing::reversal_of(&to_book, 6)).await.code(), "00");
}
