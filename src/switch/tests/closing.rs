//! Our own totals: how often a link is asked, and what becomes of those that it never answers.

use super::*;

/// A switch with one link that is to have our totals, and what it sends.
struct Sender {
    switch: Switch,
    now_ms: u64,
    sent: Vec<SendTotals>,
    ended: Vec<(BusinessDate, ClosingEnd)>,
    alarms: Vec<Alarm>,
}

impl Sender {
    fn new() -> Self {
        let totals = Some(TotalsTerms { wait_ms: 1000, retry_ms: 10 });
        let link = LinkTerms { name: LINK.parse().unwrap(), in_flight_max: 1000, totals };
        let switch = Switch::new([link], [terms(PLAIN)], [], "2026-11-20".parse().unwrap());
        Self { switch, now_ms: 0, sent: Vec::new(), ended: Vec::new(), alarms: Vec::new() }
    }

    fn step(&mut self, event: Event) {
        let now = Now { ticks: Ticks(self.now_ms), wall: UnixMillis(self.now_ms) };
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let mut out = Output::default();
            self.switch.step(now, event, &mut out);
            for record in out.records {
                if let What::Closing(closing) = record.what
                    && let Some(end) = closing.end
                {
                    self.ended.push((closing.date, end));
                }
            }
            for action in out.actions {
                match action {
                    Action::AddUp { link, date } => {
                        events.push(Event::AddedUp { link, date, ours: Totals::default() });
                    }
                    Action::SendTotals(totals) => self.sent.push(totals),
                    Action::Alarm(alarm) => self.alarms.push(alarm),
                    Action::Answer { .. } | Action::Order { .. } | Action::UseKeys { .. } => {}
                }
            }
        }
    }

    fn sign_on(&mut self) {
        let (link, stan, rrn, mti) = (LINK.parse().unwrap(), Short::EMPTY, Short::EMPTY, Short::EMPTY);
        let (id, request, evidence) = (AskId(1), Request::SignOn, Evidence::default());
        self.step(Event::Asked(Box::new(Ask { id, link, mti, stan, rrn, request, evidence, stale: false })));
    }

    /// Until nothing is due any more.
    fn pass(&mut self) {
        while let Some(Ticks(at)) = self.switch.next_deadline() {
            self.now_ms = self.now_ms.max(at);
            self.step(Event::DeadlinePassed);
        }
    }
}

#[test]
fn a_link_that_never_answers_is_asked_a_hundred_times_ever_less_often_and_then_people_are_told() {
    let mut sender = Sender::new();
    sender.sign_on();
    sender.step(Event::Operator(Operation::CutOver));
    let date = "2026-11-20".parse().unwrap();
    sender.pass();
    assert_eq!(sender.sent.len(), 100);
    assert!(sender.sent.iter().skip(1).all(|sent| sent.again && (sent.date, sent.at.0) == (date, 0)));
    assert_eq!(sender.ended, [(date, ClosingEnd::GivenUp)]);
    assert_eq!(sender.alarms, [Alarm::TotalsUnanswered { link: LINK.parse().unwrap(), date }]);
    // Sixteen pauses that double from 10 ms on, and then five minutes each.
    let doubling: u64 = (0..15).map(|times| 10 << times).sum();
    assert_eq!(sender.now_ms, doubling + 85 * 300_000);
}

#[test]
fn a_link_that_is_away_for_long_is_owed_a_hundred_dates_and_gets_each_once_it_is_back() {
    let mut sender = Sender::new();
    for _ in 0..102 {
        sender.step(Event::Operator(Operation::CutOver));
    }
    let given_up: Vec<String> = sender.ended.iter().map(|(date, _)| date.to_string()).collect();
    assert_eq!(given_up, ["2026-11-20", "2026-11-21"], "the oldest two");
    assert_eq!((sender.alarms.len(), sender.sent.len(), sender.switch.next_deadline()), (2, 0, None));
    sender.sign_on();
    assert_eq!(sender.sent.len(), 1, "not all at once");
    for _ in 0..20_000 {
        for sent in std::mem::take(&mut sender.sent) {
            let SendTotals { link, date, .. } = sent;
            let (code, theirs) = ("00".parse().unwrap(), Claimed::default());
            let answer = TotalsAnswer { link, date, code, agree: Some(true), theirs };
            sender.step(Event::TotalsAnswered(Box::new(answer)));
        }
        let Some(Ticks(at)) = sender.switch.next_deadline() else { break };
        sender.now_ms = sender.now_ms.max(at);
        sender.step(Event::DeadlinePassed);
    }
    assert_eq!(sender.ended.len(), 102, "each came to an end");
    assert_eq!(sender.alarms.len(), 2);
}

#[test]
fn totals_that_are_found_owed_behind_a_sign_on_go_out_too_and_not_all_at_once() {
    let mut sender = Sender::new();
    sender.sign_on();
    for date in ["2026-11-17", "2026-11-18", "2026-11-19"] {
        let closing =
            Closing { date: date.parse().unwrap(), closed_at: UnixMillis(0), sent: None, end: None };
        sender.step(Event::TotalsOwed(LINK.parse().unwrap(), Box::new(closing)));
    }
    let dates = |sender: &Sender| -> Vec<String> {
        sender.sent.iter().filter(|sent| !sent.again).map(|sent| sent.date.to_string()).collect()
    };
    assert_eq!(dates(&sender), ["2026-11-17"]);
    sender.pass();
    assert_eq!(dates(&sender), ["2026-11-17", "2026-11-18", "2026-11-19"]);
}
