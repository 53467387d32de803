//! The morning's traffic played over TCP against a responder that answers out of order, truthfully or not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may fail"
)]

mod responder;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use billswitch::cli::replay::{print_report, report_json};
use billswitch::iso8583::{Dialect, Framing, Mirror, decode, shipped};
use billswitch::sim::replay::capture::{Capture, Stream};
use billswitch::sim::replay::expect::{self, Expected, FieldWant, Want};
use billswitch::sim::replay::{Kind, Pacing, ReplayError, ReplayPlan, ReplayReport, replay};
use billswitch::telemetry::recorder::{Direction, QUEUE_FRAMES, Recorder};
use responder::{Desk, Lie};
use tokio::net::TcpListener;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/morning")).join(name)
}

fn morning() -> (Capture, Vec<Expected>) {
    let capture = Capture::read(&fixture("requests.pcap"), None).unwrap();
    (capture, expect::read(&fixture("answers.jsonl")).unwrap())
}

fn onelink() -> Arc<Dialect> {
    Arc::new(shipped::dialect("onelink").unwrap().unwrap())
}

/// Plays the morning against a responder with these lies.
async fn play_with(
    (capture, lines): (Capture, Vec<Expected>),
    lies: &[(u64, Lie)],
    change: impl FnOnce(&mut ReplayPlan),
) -> (ReplayReport, Arc<Desk>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let desk = Desk::new(lines.clone(), lies);
    let mut plan =
        ReplayPlan::flat_out(listener.local_addr().unwrap(), capture, Some(lines), Arc::clone(&desk.dialect));
    change(&mut plan);
    let serving = Arc::clone(&desk);
    let accept = tokio::spawn(async move {
        loop {
            let (stream, peer) = listener.accept().await.unwrap();
            tokio::spawn(Arc::clone(&serving).serve(stream, peer));
        }
    });
    let report = replay(plan).await.unwrap();
    accept.abort();
    (report, desk)
}

async fn play(lies: &[(u64, Lie)]) -> ReplayReport {
    play_with(morning(), lies, |_| {}).await.0
}

fn shown(report: &ReplayReport) -> Vec<String> {
    report.differences.iter().map(ToString::to_string).collect()
}

/// Whether the answer must hold elements: a payment's, that it was paid.
fn expects_receipt(line: &Expected) -> bool {
    line.what == "payment" && matches!(&line.answer, Want::Fields { fields, .. } if fields.contains_key(&120))
}

/// The id of the first line that fits.
fn id_of(fits: impl Fn(&Expected) -> bool) -> u64 {
    morning().1.iter().find(|line| fits(line)).unwrap().id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_out_of_order_reach_their_requests_and_nothing_differs() {
    let (report, desk) = play_with(morning(), &[], |_| {}).await;
    assert_eq!(shown(&report), Vec::<String>::new());
    assert_eq!((report.answered(), report.late, report.unasked), (3062, 0, 0));
    assert_eq!(report.codes()[&(Kind::Inquiry, "54".to_owned())], 23);
    assert_eq!(report.latencies.of(Kind::Network).count, 27);
    // Each message came after the one whose answer it waits for, and sign-on and sign-off stand at the ends.
    let seen = desk.seen.lock().unwrap();
    let place: HashMap<usize, usize> = seen.iter().enumerate().map(|(place, at)| (*at, place)).collect();
    for (at, line) in desk.lines.iter().enumerate() {
        assert!(line.after.is_none_or(|after| place[&after] < place[&at]), "{}", line.id);
    }
    for link in ["atmnet", "northbank", "agentpay"] {
        let of_link: Vec<_> =
            seen.iter().map(|at| &desk.lines[*at]).filter(|line| line.link == link).collect();
        let names: Vec<_> = of_link.iter().map(|line| line.what.as_str()).collect();
        assert_eq!((names[0], names[names.len() - 1]), ("sign-on", "sign-off"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_morning_recorded_once_more_with_its_cards_masked_plays_the_same() {
    let (capture, lines) = morning();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("again.pcap");
    let (handle, recorder) = Recorder::start(&path, QUEUE_FRAMES).unwrap();
    let begin =
        |stream: &Stream| handle.connection(stream.client, stream.server, onelink(), Framing::default());
    let tapes: Vec<_> = capture.streams.iter().map(begin).collect();
    for (stream, frame) in capture.in_order() {
        tapes[stream].frame(Direction::In, &frame.bytes);
    }
    let recorded = recorder.finish().unwrap();
    assert_eq!((recorded.frames, recorded.dropped), (3062, 0));
    let (report, _) = play_with((Capture::read(&path, None).unwrap(), lines), &[], |_| {}).await;
    assert_eq!((shown(&report), report.answered()), (vec![], 3062));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_recorded_pace_keeps_the_recorded_order_on_each_link() {
    let speed = "1000".parse().unwrap();
    let change = |plan: &mut ReplayPlan| plan.pacing = Pacing::Recorded { speed };
    let (report, _) = play_with(morning(), &[], change).await;
    assert_eq!(shown(&report), Vec::<String>::new());
    // The morning took 505 s, so a thousand times as fast cannot take less than half a second.
    assert!(report.elapsed >= Duration::from_millis(505), "{:?}", report.elapsed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_of_one_plays_the_morning_too() {
    let (report, _) = play_with(morning(), &[], |plan| plan.window = 1).await;
    assert_eq!((shown(&report), report.answered()), (vec![], 3062));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_lie_is_found_and_nothing_else() {
    let refused = id_of(|line| line.what == "pc");
    let bare = id_of(expects_receipt);
    let nameless = id_of(|line| line.what == "inquiry");
    let echoed = id_of(|line| line.what == "echo");
    let unknown = id_of(|line| line.what == "unknown");
    let lies = [
        (refused, Lie::Code("00")),
        (bare, Lie::Without("RN")),
        (nameless, Lie::Without("NM")),
        (echoed, Lie::Twice),
        (unknown, Lie::NoRrn),
    ];
    let report = play(&lies).await;
    let mut found: Vec<_> = report
        .differences
        .iter()
        .map(|it| (it.id, it.what.as_str(), it.expected.as_str(), it.got.as_str()))
        .collect();
    found.sort_unstable();
    let mut want = vec![
        (Some(refused), "DE 39", "12", "00"),
        (Some(bare), "DE 120.RN", "*", "absent"),
        (Some(nameless), "DE 120.NM", "Junaid Orakzai", "absent"),
        (Some(unknown), "DE 37", "the request's", "absent"),
        (None, "answer", "none", "an 0810 that no open request fits"),
    ];
    want.sort_unstable();
    assert_eq!(found, want);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_answered_otherwise_differs_field_by_field_and_no_card_number_is_shown() {
    let of_payment = |line: &&Expected, lines: &[Expected]| match line.answer {
        Want::SameAs(original) => lines[original].what == "payment" && expects_receipt(&lines[original]),
        Want::Fields { .. } | Want::Race { .. } => false,
    };
    let lines = morning().1;
    let repeat = lines.iter().find(|line| of_payment(line, &lines)).unwrap().id;
    let leaking = id_of(|line| line.what == "inquiry");
    let changed = id_of(|line| line.what == "echo");
    let lies = [(repeat, Lie::Code("94")), (leaking, Lie::Leak("NM")), (changed, Lie::Mti("0811"))];
    let (report, desk) = play_with(morning(), &lies, |_| {}).await;
    let mut found: Vec<_> =
        report.differences.iter().map(|it| (it.id.unwrap(), &*it.what, &*it.got)).collect();
    found.sort_unstable();
    let mut want = vec![
        (repeat, "DE 39", "94"),
        (repeat, "DE 120", "absent"),
        (leaking, "DE 120.NM", "(card data)"),
        (changed, "MTI", "0811"),
    ];
    want.sort_unstable();
    assert_eq!(found, want);
    let mut printed = Vec::new();
    print_report(&report, 3, &mut printed).unwrap();
    let printed = String::from_utf8(printed).unwrap();
    assert!(printed.starts_with("3062 messages, 3062 answered in "), "{printed}");
    assert!(printed.ends_with("… and 1 more\n4 differences\n"), "{printed}");
    let pans = report.outcomes.iter().filter_map(|outcome| {
        let mut mirror = Mirror::new();
        decode(&desk.dialect, &outcome.request, &mut mirror).message.field(2).map(<[u8]>::to_vec)
    });
    for pan in pans {
        assert!(!printed.contains(std::str::from_utf8(&pan).unwrap()));
    }
    assert_eq!(report_json(&report, 1)["first_differences"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_winners_of_a_race_are_one_difference_and_so_is_none() {
    let lines = morning().1;
    let of_race: Vec<&Expected> = lines.iter().filter(|line| line.what == "race").collect();
    let both = |code| of_race[..2].iter().map(|line| (line.id, Lie::Code(code))).collect::<Vec<_>>();
    for (code, got) in [("00", "2 approved"), ("21", "0 approved")] {
        let report = play(&both(code)).await;
        let found: Vec<_> =
            report.differences.iter().map(|it| (it.id, it.what.as_str(), it.got.as_str())).collect();
        assert_eq!(found, [(Some(of_race[0].id), "race", got)]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_never_answered_takes_only_those_with_it_that_wait_for_it() {
    let inquiry = id_of(|line| line.what == "inquiry");
    let lines = morning().1;
    let position = lines.iter().position(|line| line.id == inquiry).unwrap();
    let waits = |line: &&Expected| line.after == Some(position);
    let mut want = vec![(Some(inquiry), "none within 5000 ms".to_owned())];
    let why = "none: not sent, as the answer that it waits for did not come";
    want.extend(lines.iter().filter(waits).map(|line| (Some(line.id), why.to_owned())));
    // Few at once: the others are answered in time on a busy machine, too.
    let change = |plan: &mut ReplayPlan| {
        (plan.window, plan.answer_timeout) = (16, Duration::from_secs(5));
    };
    let (report, _) = play_with(morning(), &[(inquiry, Lie::Silence)], change).await;
    let found: Vec<_> = report.differences.iter().map(|it| (it.id, it.got.clone())).collect();
    assert_eq!(found, want);
    assert_eq!(report.answered(), 3062 - u64::try_from(want.len()).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_hung_up_on_is_told_and_the_others_go_on() {
    let lines = morning().1;
    let of_link = lines.iter().filter(|line| line.link == "agentpay").count();
    let sign_on = id_of(|line| line.link == "agentpay");
    let report = play(&[(sign_on, Lie::HangUp)]).await;
    assert_eq!(report.differences.len(), of_link);
    assert!(
        report.differences.iter().all(|it| it.link == "agentpay" && it.got.contains("closed by the switch"))
    );
    assert_eq!(report.answered(), u64::try_from(3062 - of_link).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_that_says_nothing_cannot_hold_the_replay_for_ever() {
    let sign_ons: Vec<_> = morning()
        .1
        .iter()
        .filter(|line| line.what == "sign-on")
        .map(|line| (line.id, Lie::Silence))
        .collect();
    let change = |plan: &mut ReplayPlan| plan.deadline = Duration::from_millis(200);
    let (report, _) = play_with(morning(), &sign_ons, change).await;
    assert!(report.cut_short);
    assert_eq!((report.answered(), report.differences.len()), (0, 3062));
}

#[tokio::test]
async fn a_line_that_is_not_its_message_is_refused_before_anything_is_sent() {
    let (capture, mut lines) = morning();
    lines.swap(7, 8);
    let nobody: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let plan = ReplayPlan::flat_out(nobody, capture.clone(), Some(lines.clone()), onelink());
    let error = replay(plan).await.err().unwrap();
    assert!(matches!(error, ReplayError::Mismatch { position: 8, .. }), "{error}");
    lines.pop();
    let plan = ReplayPlan::flat_out(nobody, capture.clone(), Some(lines), onelink());
    let error = replay(plan).await.err().unwrap();
    assert_eq!(error.to_string(), "the capture has 3062 messages and there are 3061 expected answers");
    let error = replay(ReplayPlan::flat_out(nobody, capture, None, onelink())).await.err().unwrap();
    assert!(error.to_string().contains("cannot connect to 127.0.0.1:1 from 127.0.1.1:0"), "{error}");
}

#[tokio::test]
async fn a_message_that_the_framing_cannot_carry_is_refused_before_anything_is_sent() {
    let (capture, lines) = morning();
    let nobody: SocketAddr = "127.0.0.1:1".parse().unwrap();
    // An ASCII zero: every message has one.
    let framing = Framing::parse("end 30").unwrap();
    let plan = ReplayPlan { framing, ..ReplayPlan::flat_out(nobody, capture, Some(lines), onelink()) };
    let error = replay(plan).await.err().unwrap().to_string();
    let want = "cannot be framed: byte 0 of the message is 30, which ends a frame";
    assert!(error.starts_with("message 1 of the capture (packet ") && error.ends_with(want), "{error}");
}

#[test]
fn nothing_but_after_and_the_races_orders_what_is_said_of_a_bill() {
    let (capture, lines) = morning();
    let (dialect, frames) = (onelink(), capture.in_order());
    let consumer = dialect.path("48.CN").unwrap();
    let mut of_bill: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
    for (position, (_, frame)) in frames.iter().enumerate() {
        let mut mirror = Mirror::new();
        if let Some(psid) = decode(&dialect, &frame.bytes, &mut mirror).message.get(&consumer) {
            of_bill.entry(psid.to_vec()).or_default().push(position);
        }
    }
    assert_eq!(of_bill.len(), 1511, "as many bills were asked for");
    let comes_before = |first: usize, mut later: usize| {
        while let Some(after) = lines[later].after {
            later = after;
            if later == first {
                return true;
            }
        }
        false
    };
    // Refused for what they are, whatever the bill's state: unreadable, unsupported, nothing to be found.
    let whatever_the_state = |line: &Expected| match &line.answer {
        Want::Fields { fields, .. } => {
            let code = fields.get(&39);
            ["30", "12", "25"].iter().any(|same| code == Some(&FieldWant::Value((*same).to_owned())))
        }
        Want::SameAs(_) | Want::Race { .. } => false,
    };
    let race = |line: &Expected| matches!(line.answer, Want::Race { .. });
    for positions in of_bill.values() {
        for (at, later) in positions.iter().enumerate() {
            for first in &positions[..at] {
                let (one, other) = (&lines[*first], &lines[*later]);
                assert!(
                    comes_before(*first, *later)
                        || whatever_the_state(one)
                        || whatever_the_state(other)
                        || (race(one) && race(other)),
                    "{} and {} have no order",
                    one.id,
                    other.id
                );
            }
        }
    }
}
