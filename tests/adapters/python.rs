//! Against a department in Python that shares nothing with us but the contract's description.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use billswitch::switch::Reason;

use crate::optional::not_tested;
use crate::rig::{Came, Made, Rig, contract, payment, posted};

struct Python(Child, u16);

impl Python {
    /// Starts it; none, told on standard error, where there is no Python and none is required.
    fn start() -> Option<Self> {
        let python = std::env::var_os("BILLSWITCH_PYTHON").unwrap_or_else(|| "python3".into());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/adapters/department.py");
        let started = Command::new(python).arg(script).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = match started {
            Ok(child) => child,
            Err(error) => {
                not_tested(&format!("no Python: {error}"));
                return None;
            }
        };
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Some(Self(child, line.trim().parse().unwrap()))
    }

    fn made(&self) -> Made {
        Made {
            credentials: Some("username = \"switch\"\npassword = \"s3cret\"\n"),
            ..Made::at(&format!("http://127.0.0.1:{}/v1/", self.1))
        }
    }

    fn rig(&self) -> Rig {
        self.made().rig()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn found(status: &str, within: u64, after: u64) -> Came {
    Came::Found { name: "SHAHID AFRIDI".to_owned(), status: status.to_owned(), within, after }
}

#[tokio::test]
async fn every_quirk_of_an_inquiry_is_understood() {
    let Some(python) = Python::start() else { return };
    let rig = python.rig();
    let declined = Came::Declined;
    let table = [
        ("100", "as described", found("U", 12_000, 13_000)),
        ("101", "keys in another case", found("U", 12_000, 13_000)),
        ("102", "a negative amount", found("U", 0, 13_000)),
        ("103", "paid fields on an unpaid bill", found("U", 12_000, 13_000)),
        ("104", "paid, 00/P", found("P", 12_000, 13_000)),
        ("105", "paid, 06/P", found("P", 12_000, 13_000)),
        ("106", "expired, 01/B", declined(Reason::Expired)),
        ("107", "expired or blocked, 02/B", declined(Reason::Blocked)),
        ("108", "overdue, the amount within zeroed", found("U", 0, 13_000)),
        ("109", "overdue, both amounts filled", found("U", 12_000, 13_000)),
        ("110", "a body of a code only", declined(Reason::BillerUnavailable)),
        ("111", "partial payments allowed", found("T", 12_000, 13_000)),
        ("112", "code 01", declined(Reason::NoSuchBill)),
        ("113", "code 02", declined(Reason::Blocked)),
        ("114", "code 03", Came::Unknown),
        ("115", "code 05", Came::Unknown),
        ("116", "code 06", declined(Reason::AlreadyPaid)),
        ("117", "an empty object", Came::Unknown),
        ("118", "a number it does not know", declined(Reason::NoSuchBill)),
    ];
    for (consumer, what, want) in table {
        assert_eq!(rig.look_up(consumer).await, want, "{what}");
    }
}

#[tokio::test]
async fn every_code_of_a_payment_is_understood_the_first_time_and_again() {
    let Some(python) = Python::start() else { return };
    let rig = python.rig();
    let table = [
        ("201", Came::Declined(Reason::NoSuchBill), Came::Declined(Reason::NoSuchBill)),
        ("202", Came::Unknown, Came::Unknown),
        ("203", Came::Unknown, Came::Unknown),
        ("204", Came::Declined(Reason::BillerUnavailable), Came::Unknown),
        ("205", Came::Unknown, Came::Unknown),
        ("206", Came::Declined(Reason::AlreadyPaid), Came::Declined(Reason::AlreadyPaid)),
        ("209", Came::Unknown, Came::Unknown),
    ];
    for (consumer, first, again) in table {
        assert_eq!(rig.post(&payment(1, consumer, 12_000), false).await, first, "{consumer}");
        assert_eq!(rig.post(&payment(1, consumer, 12_000), true).await, again, "{consumer} again");
    }
    assert_eq!(rig.post(&payment(1, "220", 12_000), false).await, posted("PY00000001", "000001"));
    assert_eq!(
        rig.post(&payment(1, "220", 12_000), true).await,
        posted("PY00000001", "000001"),
        "03, and ours"
    );
    assert_eq!(rig.post(&payment(2, "220", 12_000), false).await, Came::Declined(Reason::AlreadyPaid));
    assert_eq!(
        rig.post(&payment(2, "220", 12_000), true).await,
        Came::Declined(Reason::AlreadyPaid),
        "by another"
    );
}

#[tokio::test]
async fn posted_and_then_unheard_of_it_is_found_out_by_the_same_identity() {
    let Some(python) = Python::start() else { return };
    let rig = python.rig();
    let payment = payment(77, "210", 12_000);
    assert_eq!(rig.post(&payment, false).await, Came::Unknown);
    // Also by an adapter that knows nothing of the time before, as after a restart.
    let after_restart = python.rig();
    assert_eq!(after_restart.post(&payment, true).await, posted("PY00000001", "000077"));
}

#[tokio::test]
async fn an_aggregator_of_thirteen_digits_that_says_04_of_a_paid_bill_is_reached_by_its_own_file() {
    let Some(python) = Python::start() else { return };
    let made = Made { contract: contract(&[("amount_digits = 12", "amount_digits = 13")]), ..python.made() };
    let rig = made.rig();
    assert_eq!(rig.post(&payment(1, "300", 12_000), false).await, posted("PY00000001", "000001"));
    let refused = Came::Declined(Reason::BillerUnavailable);
    assert_eq!(rig.post(&payment(2, "300", 12_000), false).await, refused, "paid by another");
    assert_eq!(rig.post(&payment(1, "300", 12_000), true).await, posted("PY00000001", "000001"));
    assert_eq!(python.rig().post(&payment(3, "301", 12_000), false).await, posted("PY00000002", "000003"));
    assert_eq!(
        python.rig().post(&payment(4, "300", 12_000), false).await,
        refused,
        "twelve digits it refuses"
    );
}

#[tokio::test]
async fn a_bill_that_takes_parts_is_paid_several_times_and_each_payment_is_found_out_by_itself() {
    let Some(python) = Python::start() else { return };
    let rig = python.rig();
    assert_eq!(rig.look_up("240").await, found("T", 12_000, 13_000));
    let (first, second) = (payment(1, "240", 5000), payment(2, "240", 7000));
    assert_eq!(rig.post(&first, false).await, Came::Unknown, "posted, and not heard of");
    assert_eq!(rig.post(&second, false).await, posted("PT00000002", "000002"));
    // The bill shows the second by now, which says nothing against the first.
    assert_eq!(rig.post(&first, true).await, posted("PT00000001", "000001"));
    assert_eq!(rig.post(&second, true).await, posted("PT00000002", "000002"));
    let too_much = payment(3, "240", 10_001);
    assert_eq!(
        rig.post(&too_much, false).await,
        Came::Declined(Reason::BillerUnavailable),
        "it sees to it itself"
    );
}

#[tokio::test]
async fn a_repeat_that_is_refused_may_have_been_posted_before_and_its_bill_shows_it() {
    let Some(python) = Python::start() else { return };
    let rig = python.rig();
    assert_eq!(rig.post(&payment(1, "230", 12_000), false).await, Came::Unknown);
    let own = posted("20261120000001", "000001");
    assert_eq!(rig.post(&payment(1, "230", 12_000), true).await, own, "its receipt was lost on the way");
    let another = rig.post(&payment(2, "230", 12_000), true).await;
    assert_eq!(another, Came::Declined(Reason::AlreadyPaid), "paid, and not by this one");
}

#[tokio::test]
async fn a_path_it_does_not_have_and_credentials_it_does_not_know() {
    let Some(python) = Python::start() else { return };
    let lost = Made { url: format!("http://127.0.0.1:{}/v2", python.1), ..python.made() }.rig();
    assert_eq!(lost.post(&payment(1, "220", 12_000), false).await, Came::Unknown);
    assert_eq!(lost.last_error(), "a payment answered with HTTP 404");
    let stranger =
        Made { credentials: Some("username = \"switch\"\npassword = \"no\""), ..python.made() }.rig();
    assert_eq!(
        stranger.post(&payment(1, "220", 12_000), false).await,
        Came::Declined(Reason::BillerUnavailable)
    );
}
