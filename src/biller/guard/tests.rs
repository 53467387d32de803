//! Who may pass, with time told by the test; and that what is let go without a word is noted.

use super::*;
use crate::biller::Breaker;
use crate::bounds::GuardBounds;
use crate::clock::Ticks;
use crate::switch::BillRef;
use gate::Refused;
use std::time::Duration;

const BOUNDS: GuardBounds =
    GuardBounds { in_flight_max: 8, failures_max: 3, pause: Duration::from_millis(1000) };
const FAILED: Verdict = Verdict::Failed("silent");

fn gate() -> Gate {
    Gate::new(BOUNDS)
}

/// Lets one order pass and fail, each about another bill.
fn fail(gate: &mut Gate, at: u64) -> Option<Reach> {
    let subject = gate.failed_last.map_or(100, |last| last.saturating_add(1));
    let pass = gate.admit(Ticks(at), Urgency::New, subject).unwrap();
    gate.settle(Ticks(at), pass, FAILED)
}

#[test]
fn new_orders_leave_a_quarter_of_the_places_to_those_that_are_owed() {
    let mut gate = gate();
    let mut passes: Vec<Pass> = (0..6).map(|_| gate.admit(Ticks(0), Urgency::New, 1).unwrap()).collect();
    assert_eq!(gate.admit(Ticks(0), Urgency::New, 1).unwrap_err(), Refused::Full);
    passes.push(gate.admit(Ticks(0), Urgency::Owed, 1).unwrap());
    passes.push(gate.admit(Ticks(0), Urgency::Owed, 1).unwrap());
    assert_eq!(gate.admit(Ticks(0), Urgency::Owed, 1).unwrap_err(), Refused::Full);
    assert_eq!((gate.health().in_flight, gate.health().refused_full), (8, 2));
    for pass in passes.drain(..3) {
        gate.settle(Ticks(0), pass, Verdict::Answered);
    }
    gate.admit(Ticks(0), Urgency::New, 1).unwrap();
}

#[test]
fn so_many_failures_in_a_row_open_the_breaker_and_an_answer_between_them_does_not() {
    let mut gate = gate();
    assert_eq!((fail(&mut gate, 0), fail(&mut gate, 0)), (None, None));
    let pass = gate.admit(Ticks(0), Urgency::New, 1).unwrap();
    gate.settle(Ticks(0), pass, Verdict::Answered);
    assert_eq!((fail(&mut gate, 0), fail(&mut gate, 0)), (None, None));
    assert_eq!(fail(&mut gate, 0), Some(Reach::Down));
    assert_eq!(gate.admit(Ticks(999), Urgency::Owed, 1).unwrap_err(), Refused::Open);
    assert_eq!((gate.reach(), gate.health().refused_open), (Reach::Down, 1));
}

#[test]
fn after_the_pause_one_order_finds_out_and_its_answer_closes_the_breaker() {
    let mut gate = gate();
    (0..3).for_each(|_| {
        fail(&mut gate, 0);
    });
    let probe = gate.admit(Ticks(1000), Urgency::New, 1).unwrap();
    assert_eq!(gate.health().breaker, Breaker::Probing);
    assert_eq!(gate.admit(Ticks(1000), Urgency::New, 1).unwrap_err(), Refused::Open, "one at a time");
    assert_eq!(gate.settle(Ticks(1010), probe, Verdict::Answered), Some(Reach::Up));
    gate.admit(Ticks(1010), Urgency::New, 1).unwrap();
}

#[test]
fn a_probe_that_fails_doubles_the_pause_up_to_a_minute() {
    let mut gate = gate();
    (0..3).for_each(|_| {
        fail(&mut gate, 0);
    });
    let mut at = 1000;
    for pause in [2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000] {
        let probe = gate.admit(Ticks(at), Urgency::New, 1).unwrap();
        assert_eq!(gate.settle(Ticks(at), probe, FAILED), None, "it was down already");
        assert_eq!(gate.admit(Ticks(at + pause - 1), Urgency::New, 1).unwrap_err(), Refused::Open);
        at += pause;
    }
}

#[test]
fn what_was_sent_before_the_breaker_opened_neither_closes_it_nor_keeps_it_open() {
    let mut gate = gate();
    let before: Vec<Pass> = (0..2).map(|_| gate.admit(Ticks(0), Urgency::New, 1).unwrap()).collect();
    (0..3).for_each(|_| {
        fail(&mut gate, 0);
    });
    let probe = gate.admit(Ticks(1000), Urgency::New, 1).unwrap();
    let verdicts = [Verdict::Answered, FAILED];
    for (pass, verdict) in before.into_iter().zip(verdicts) {
        assert_eq!(gate.settle(Ticks(1001), pass, verdict), None);
        assert_eq!(gate.health().breaker, Breaker::Probing);
    }
    assert_eq!(gate.settle(Ticks(1002), probe, Verdict::Answered), Some(Reach::Up));
}

#[test]
fn more_than_half_of_the_last_thirty_two_failing_opens_the_breaker_though_answers_come_between() {
    let mut gate = Gate::new(GuardBounds { failures_max: 100, ..BOUNDS });
    let mut failed = 0;
    for turn in 0..1000 {
        let pass = gate.admit(Ticks(0), Urgency::New, turn).unwrap();
        // Two of three fail.
        let verdict = if turn % 3 == 0 { Verdict::Answered } else { FAILED };
        failed += u32::from(verdict == FAILED);
        if gate.settle(Ticks(0), pass, verdict) == Some(Reach::Down) {
            assert_eq!((turn, failed), (31, 21), "as soon as there are thirty-two to tell by");
            return;
        }
    }
    panic!("it stays closed");
}

/// Keeps what it is given, for the test to answer or to let go.
#[derive(Default)]
struct Held(Mutex<Vec<(LegId, Reply)>>);

impl Adapter for Arc<Held> {
    fn submit(&self, leg: LegId, _: Order, reply: Reply) {
        self.0.lock().unwrap().push((leg, reply));
    }
}

#[tokio::test]
async fn a_reply_let_go_without_a_word_frees_its_place_and_counts_as_a_failure() {
    let held = Arc::new(Held::default());
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    let biller = "DEPT".parse().unwrap();
    // Here time is not told: the pause must not be over between two lines.
    let bounds = GuardBounds { pause: Duration::from_secs(60), ..BOUNDS };
    let guarded = Guarded::new(biller, bounds, SystemClock::start(), Arc::clone(&held));
    guarded.start(Arc::new(move |up| telling.lock().unwrap().push(up)));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hearing = Arc::clone(&heard);
    let reply: Reply =
        Arc::new(move |leg, outcome| hearing.lock().unwrap().push((leg, format!("{outcome:?}"))));
    let order = |leg: u64| Order::LookUp(BillRef { biller, consumer: leg.to_string().into() });
    for leg in 0..3 {
        guarded.submit(LegId(leg), order(leg), Arc::clone(&reply));
        assert_eq!(guarded.health().in_flight, 1);
        held.0.lock().unwrap().clear();
        assert_eq!(guarded.health().in_flight, 0);
    }
    assert_eq!(*told.lock().unwrap(), [false]);
    guarded.submit(LegId(3), order(3), reply);
    assert_eq!(*heard.lock().unwrap(), [(LegId(3), "NotSent".to_owned())], "refused without being sent");
    let health = guarded.health();
    assert_eq!((health.reach, health.breaker, health.refused_open), (Reach::Down, Breaker::Open, 1));
    assert_eq!(health.last_error.unwrap().what, "no answer in time");
}

#[tokio::test]
async fn after_its_pause_the_switch_is_told_to_find_out_and_by_the_answer_that_all_is_well() {
    let held = Arc::new(Held::default());
    let (telling, mut told) = tokio::sync::mpsc::unbounded_channel();
    let biller = "DEPT".parse().unwrap();
    let bounds = GuardBounds { failures_max: 1, pause: Duration::from_millis(20), ..BOUNDS };
    let guarded = Guarded::new(biller, bounds, SystemClock::start(), Arc::clone(&held));
    guarded.start(Arc::new(move |up| telling.send(up).unwrap()));
    let order = || Order::LookUp(BillRef { biller, consumer: "7001".into() });
    let ignored: Reply = Arc::new(|_, _| {});
    guarded.submit(LegId(1), order(), Arc::clone(&ignored));
    held.0.lock().unwrap().clear();
    assert_eq!(told.recv().await, Some(false));
    assert_eq!(told.recv().await, Some(true), "nobody else would ever ask");
    guarded.submit(LegId(2), order(), ignored);
    assert_eq!(told.recv().await, Some(false), "one is enough to find out");
    let (leg, reply) = held.0.lock().unwrap().pop().unwrap();
    reply(leg, Outcome::Declined(crate::switch::Reason::NoSuchBill));
    assert_eq!(told.recv().await, Some(true));
    assert_eq!(guarded.health().reach, Reach::Up);
}

#[test]
fn one_bill_that_always_fails_closes_the_department_to_nobody() {
    let mut gate = gate();
    for _ in 0..1000 {
        let pass = gate.admit(Ticks(0), Urgency::Owed, 7).unwrap();
        assert_eq!(gate.settle(Ticks(0), pass, FAILED), None);
    }
}
