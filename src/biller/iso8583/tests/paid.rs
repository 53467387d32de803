//! A repeat that is refused because the bill is paid has the bill looked up.

use super::*;
use crate::switch::Reason;

/// What the bill shows of its payment: DE 37, 32 and 11 as we have told them.
const OURS: &str = "PR012627271632409PI00227PT006000004";

fn again() -> Order {
    let payment = Payment { confirmations: 1, ..payment(1) };
    Order::Post { payment: Box::new(payment), again: true }
}

/// A host that has said of a repeat that its bill is paid, and is asked for the bill.
async fn refused_as_paid(site: &mut Site) -> (Peer, Frame) {
    let mut peer = site.signed_on().await;
    site.submit(1, again());
    let repeat = peer.frame().await;
    assert_eq!(
        (repeat.mti(), repeat.get(37).as_str(), repeat.get(32).as_str()),
        ("0220", "627271632409", "27")
    );
    peer.answer(&repeat, "21", &[]).await;
    let asked = peer.frame().await;
    assert_eq!((asked.mti(), asked.get(3).as_str()), ("0200", "380000"));
    assert!(asked.get(48).ends_with("CN0047001"), "{}", asked.get(48));
    (peer, asked)
}

#[tokio::test]
async fn a_repeat_refused_as_paid_is_posted_only_if_its_bill_shows_all_of_our_payment() {
    let posted = "Posted";
    let refused = "Declined(AlreadyPaid)";
    let table = [
        ("21", OURS.to_owned(), posted),
        ("00", format!("ST001P{OURS}"), posted),
        ("00", format!("ST001T{OURS}"), posted),
        ("00", format!("ST001U{OURS}"), refused),
        ("25", OURS.to_owned(), refused),
        ("21", OURS.replace("2409", "2408"), refused),
        ("21", OURS.replace("PI00227", "PI00228"), refused),
        ("21", OURS.replace("PI00227", ""), refused),
        ("21", OURS.replace("000004", "000007"), refused),
        ("21", "ST001P".to_owned(), refused),
        ("91", OURS.to_owned(), "Unknown"),
        ("96", OURS.to_owned(), "Unknown"),
    ];
    for (code, bill, want) in table {
        let mut site = Site::open(TIMES).await;
        let (mut peer, asked) = refused_as_paid(&mut site).await;
        peer.answer(&asked, code, &[(120, &bill)]).await;
        let (leg, outcome) = site.outcome().await;
        let told = format!("{outcome:?}");
        assert!(leg == 1 && told.starts_with(want), "{code} {bill}: {told}");
        assert!(site.late.try_recv().is_err() && site.replies.try_recv().is_err(), "{code} {bill}");
    }
}

#[tokio::test]
async fn a_payment_booked_with_another_amount_is_not_taken_for_ours() {
    let mut site = Site::open(TIMES).await;
    let (mut peer, asked) = refused_as_paid(&mut site).await;
    peer.answer(&asked, "21", &[(120, OURS), (4, "000000000999")]).await;
    assert!(matches!(site.outcome().await, (1, Outcome::Declined(Reason::AlreadyPaid))));
}

#[tokio::test]
async fn a_repeat_whose_bill_cannot_be_looked_up_is_never_called_unsent() {
    let mut site = Site::open(TIMES).await;
    let (peer, _) = refused_as_paid(&mut site).await;
    drop(peer);
    assert!(matches!(site.outcome().await, (1, Outcome::Silent | Outcome::Unknown)));
}

#[tokio::test]
async fn a_payment_refused_as_paid_the_first_time_is_refused() {
    let mut site = Site::open(TIMES).await;
    let mut peer = site.signed_on().await;
    site.submit(1, post(1));
    let frame = peer.frame().await;
    peer.answer(&frame, "21", &[(120, OURS)]).await;
    assert!(matches!(site.outcome().await, (1, Outcome::Declined(Reason::AlreadyPaid))));
}

#[tokio::test]
async fn a_look_up_that_does_not_leave_says_nothing_of_the_payment_that_did() {
    let mut site = Site::open(TIMES).await;
    let department = Arc::clone(&site.adapter.department);
    for written in [false, true] {
        let reply = Arc::clone(&site.reply);
        let mut looking_up = Sending::new(LegId(1), again(), reply, Arc::clone(&department), Ticks(0));
        looking_up.who_paid = Some(Asked::WhoPaid { post: Box::new(Asked::LookUp), told: Marks::new() });
        if written {
            looking_up.leaves(Identity::default(), Marks::new(), 0).unwrap().not_sent();
        } else {
            drop(looking_up);
        }
        assert!(matches!(site.outcome().await, (1, Outcome::Unknown)));
    }
}
