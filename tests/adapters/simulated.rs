//! Against the department that ships with the program, with each of its faults.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use billswitch::sim::rest::{Department, Office, Settings, read_ledger};
use billswitch::switch::Reason;

use crate::rig::{Came, Made, Rig, payment, posted};

/// 100.00 until 2026-12-31.
const DUE: &str = "10010000000001";

pub struct Stand {
    dir: tempfile::TempDir,
    pub department: Department,
}

impl Stand {
    pub async fn with(faults: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let department = serve(dir.path(), faults, None).await;
        Self { dir, department }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.department.address)
    }

    pub fn rig(&self) -> Rig {
        Rig::at(&self.url())
    }

    pub fn ledger(&self) -> PathBuf {
        self.dir.path().join("ledger.jsonl")
    }

    /// Identities of what it has posted.
    pub fn postings(&self) -> Vec<String> {
        read_ledger(&self.ledger()).unwrap().into_iter().map(|entry| entry.identity).collect()
    }
}

pub async fn serve(dir: &Path, faults: &[&str], credentials: Option<(&str, &str)>) -> Department {
    let settings = Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        credentials: credentials.map(|(name, word)| (name.to_owned(), word.to_owned())),
        tls: None,
        faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
        seed: 1,
    };
    Department::serve(office(dir), settings).await.unwrap()
}

pub fn office(dir: &Path) -> Arc<Office> {
    let bills = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/billers/certification.csv");
    Arc::new(Office::open(&bills, &dir.join("ledger.jsonl"), Some("2026-11-20".parse().unwrap())).unwrap())
}

#[tokio::test]
async fn the_twenty_consumers_of_a_certification_are_told_as_they_are() {
    let stand = Stand::with(&[]).await;
    let rig = stand.rig();
    for (at, amount) in (1..=14).zip(
        [10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000, 10_000_000_u64]
            .into_iter()
            .flat_map(|slab| [slab, slab + 5]),
    ) {
        let consumer = format!("100100000{at:05}");
        let Came::Found { status, within, .. } = rig.look_up(&consumer).await else { panic!("{consumer}") };
        assert_eq!((status.as_str(), within), ("U", amount), "{consumer}");
        let paid = rig.post(&payment(at, &consumer, amount), false).await;
        assert_eq!(paid, posted(&format!("V{at:09}"), &format!("{at:06}")));
    }
    for consumer in ["10010000000015", "10010000000016", "10010000000001"] {
        let Came::Found { status, .. } = rig.look_up(consumer).await else { panic!("{consumer}") };
        assert_eq!(status, "P", "{consumer}");
        let refused = rig.post(&payment(99, consumer, 120_000), false).await;
        assert_eq!(refused, Came::Declined(Reason::AlreadyPaid), "{consumer}");
    }
    let late = rig.look_up("10010000000017").await;
    assert!(matches!(late, Came::Found { within: 150_000, after: 165_000, .. }), "{late:?}");
    for consumer in ["10010000000018", "10010000000019"] {
        assert_eq!(rig.look_up(consumer).await, Came::Declined(Reason::Blocked), "{consumer}");
    }
    let long = "900001000000000000000020";
    assert!(matches!(rig.look_up(long).await, Came::Found { within: 333_300, .. }));
    assert_eq!(rig.post(&payment(20, long, 333_300), false).await, posted("V000000015", "000020"));
    assert_eq!(rig.look_up("10010000000099").await, Came::Declined(Reason::NoSuchBill));
    assert_eq!(stand.postings().len(), 15);
}

#[tokio::test]
async fn what_may_have_been_posted_is_unknown_and_its_repeat_finds_out() {
    for fault in ["drop", "cut", "garbage", "html", "huge", "status-after=500", "status-after=502"] {
        let stand = Stand::with(&[&format!("payment:{fault}:nth=1")]).await;
        let rig = stand.rig();
        let payment = payment(5, DUE, 10_000);
        assert_eq!(rig.post(&payment, false).await, Came::Unknown, "{fault}");
        assert_eq!(
            rig.post(&payment, true).await,
            posted("V000000001", "000005"),
            "{fault}: a duplicate, and ours"
        );
        assert_eq!(stand.postings(), ["000005 20261120 121366"], "{fault}");
    }
}

#[tokio::test]
async fn what_was_not_posted_after_all_is_posted_by_its_repeat() {
    for fault in ["reset", "status=500", "status=503", "code=02", "code=05", "code=77"] {
        let stand = Stand::with(&[&format!("payment:{fault}:nth=1")]).await;
        let rig = stand.rig();
        let payment = payment(5, DUE, 10_000);
        assert_eq!(rig.post(&payment, false).await, Came::Unknown, "{fault}");
        assert_eq!(rig.post(&payment, true).await, posted("V000000001", "000005"), "{fault}");
        assert_eq!(stand.postings().len(), 1, "{fault}");
    }
}

#[tokio::test]
async fn a_refused_repeat_is_believed_once_its_bill_shows_that_nobody_has_paid() {
    let table = [
        ("payment:drop:nth=1", posted("20261120000005", "000005")),
        ("payment:reset:nth=1", Came::Declined(Reason::NoSuchBill)),
    ];
    for (fault, want) in table {
        let stand = Stand::with(&[
            fault,
            "payment:code=01:nth=2",
            "payment:code=01:nth=3",
            "inquiry:status=500:nth=1",
        ])
        .await;
        let rig = stand.rig();
        let payment = payment(5, DUE, 10_000);
        assert_eq!(rig.post(&payment, false).await, Came::Unknown, "{fault}");
        assert_eq!(rig.post(&payment, true).await, Came::Unknown, "{fault}: the bill cannot be looked at");
        assert_eq!(rig.last_error(), "a refusal of what may have been posted, which the bill does not show");
        assert_eq!(rig.post(&payment, true).await, want, "{fault}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_silence_whatever_became_of_the_payment() {
    for fault in ["hang", "late=60000", "slow=5000", "delay=60000"] {
        let stand = Stand::with(&[&format!("payment:{fault}:nth=1")]).await;
        let made = Made { answer_timeout: Duration::from_millis(300), ..Made::at(&stand.url()) };
        let rig = made.rig();
        assert_eq!(rig.post(&payment(5, DUE, 10_000), false).await, Came::Silence, "{fault}");
        assert_eq!(rig.last_error(), "no answer in time", "{fault}");
    }
}

#[tokio::test]
async fn an_answer_that_comes_slowly_but_in_time_counts() {
    for fault in ["late=50", "slow=1", "delay=50"] {
        let stand = Stand::with(&[&format!("payment:{fault}:nth=1")]).await;
        assert_eq!(
            stand.rig().post(&payment(5, DUE, 10_000), false).await,
            posted("V000000001", "000005"),
            "{fault}"
        );
    }
}

#[tokio::test]
async fn called_a_duplicate_the_first_time_it_is_ours_for_nobody_else_has_its_identity() {
    let stand = Stand::with(&["payment:duplicate:nth=1"]).await;
    assert_eq!(stand.rig().post(&payment(5, DUE, 10_000), false).await, posted("V000000001", "000005"));
}

#[tokio::test]
async fn booked_with_another_amount_it_is_not_taken_for_ours() {
    let stand = Stand::with(&["payment:wrong-amount:nth=1", "payment:garbage:nth=1"]).await;
    let rig = stand.rig();
    // The rule that strikes is the first; its answer is plain.
    assert_eq!(rig.post(&payment(5, DUE, 10_000), false).await, posted("V000000001", "000005"));
    assert_eq!(
        rig.post(&payment(5, DUE, 10_000), true).await,
        Came::Unknown,
        "a duplicate that the bill contradicts"
    );
    assert_eq!(rig.last_error(), "a duplicate that the bill does not show");
}

#[tokio::test]
async fn an_inquiry_that_fails_is_never_more_than_unknown() {
    for fault in ["drop", "cut", "garbage", "html", "huge", "status=404", "status-after=500", "code=09"] {
        let stand = Stand::with(&[&format!("inquiry:{fault}:nth=1")]).await;
        assert_eq!(stand.rig().look_up(DUE).await, Came::Unknown, "{fault}");
    }
}

#[tokio::test]
async fn refused_for_its_credentials_nothing_was_posted_the_first_time_but_nobody_knows_of_a_repeat() {
    let dir = tempfile::tempdir().unwrap();
    let department = serve(dir.path(), &[], Some(("switch", "right"))).await;
    let url = format!("http://{}", department.address);
    let rig = |credentials| Made { credentials, ..Made::at(&url) }.rig();
    let wrong = rig(Some("username = \"switch\"\npassword = \"wrong\""));
    assert_eq!(wrong.post(&payment(5, DUE, 10_000), false).await, Came::Declined(Reason::BillerUnavailable));
    assert_eq!(wrong.post(&payment(5, DUE, 10_000), true).await, Came::Unknown);
    assert_eq!(wrong.last_error(), "a payment answered with HTTP 401");
    assert_eq!(rig(None).look_up(DUE).await, Came::Unknown);
    let right = rig(Some("username = \"switch\"\npassword = \"right\""));
    assert_eq!(right.post(&payment(5, DUE, 10_000), true).await, posted("V000000001", "000005"));
}

#[tokio::test]
async fn the_department_takes_its_ledger_up_again_and_leaves_out_a_line_that_was_never_finished() {
    let stand = Stand::with(&[]).await;
    let first = stand.rig().post(&payment(5, DUE, 10_000), false).await;
    let Stand { dir, department } = stand;
    drop(department);
    let ledger = dir.path().join("ledger.jsonl");
    let mut text = std::fs::read_to_string(&ledger).unwrap();
    text.push_str("{\"consumer\":\"1001000000");
    std::fs::write(&ledger, text).unwrap();
    let department = serve(dir.path(), &[], None).await;
    let rig = Rig::at(&format!("http://{}", department.address));
    assert_eq!(rig.post(&payment(5, DUE, 10_000), true).await, first);
    assert_eq!(rig.post(&payment(6, "10010000000002", 10_005), false).await, posted("V000000002", "000006"));
    assert_eq!(read_ledger(&ledger).unwrap().len(), 2);
}
