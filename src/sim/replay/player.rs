//! The player: one task that holds the schedule and hears of every link; it waits for events and deadlines only.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use super::check::{self, Difference};
use super::connection::{self, Connection, Event};
use super::matching::{Key, Match, Open};
use super::plan::{self, Message, ReplayError, ReplayPlan};
use super::report::{Latencies, Outcome, ReplayReport};
use super::schedule::{Next, Schedule};
use crate::iso8583::{self, Mirror};

/// Events that may wait for the player; connections wait when there are more.
const EVENTS_MAX: usize = 1024;

/// Most bytes handed to a connection at a time, so that the first answers come while the rest is written.
const BATCH_BYTES: usize = 32 * 1024;

/// How long the switch may take to close when all is answered: what it still says until then is one answer too many.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// Plays the plan. Differences are in the report, not errors.
///
/// # Errors
///
/// [`ReplayError`] if it could not be played at all: answers that do not belong to the capture, or no connection.
pub async fn replay(mut plan: ReplayPlan) -> Result<ReplayReport, ReplayError> {
    let messages = plan::messages(&plan)?;
    let (events, heard) = mpsc::channel(EVENTS_MAX);
    let mut connections = Vec::new();
    for (number, stream) in plan.capture.streams.iter().enumerate() {
        let from = SocketAddr::new(connection::loopback_of(stream.client.ip()).into(), 0);
        let socket = connection::connect(from, plan.to);
        let connected = tokio::time::timeout(plan.answer_timeout, socket);
        let connected = connected.await.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
        let socket = connected.map_err(|source| {
            let message = messages.iter().find(|message| message.planned.link == number);
            let link = message.map(|message| message.link_name.to_string()).unwrap_or_default();
            ReplayError::Connect { link, to: plan.to, from, source }
        })?;
        connections.push(connection::start(number, socket, plan.framing, events.clone()));
    }
    drop(events);
    let planned = messages.iter().map(|message| message.planned).collect();
    let mut player = Player {
        schedule: Schedule::new(planned, connections.len(), plan.window),
        links: connections.into_iter().map(Link::new).collect(),
        answers: vec![None; messages.len()],
        sent: vec![None; messages.len()],
        timeouts: VecDeque::new(),
        differences: Vec::new(),
        latencies: Latencies::new()?,
        settled: 0,
        late: 0,
        unasked: 0,
        started: Instant::now(),
        last_answer: None,
        cut_short: false,
        messages,
        plan: &mut plan,
    };
    player.play(heard).await;
    Ok(player.report())
}

/// A link as the player sees it.
struct Link {
    connection: Connection,
    open: Open,
    /// Nothing is with the writer.
    writable: bool,
    closed: bool,
}

impl Link {
    fn new(connection: Connection) -> Self {
        Self { connection, open: Open::default(), writable: true, closed: false }
    }
}

struct Player<'p> {
    plan: &'p mut ReplayPlan,
    messages: Vec<Message>,
    schedule: Schedule,
    links: Vec<Link>,
    answers: Vec<Option<Bytes>>,
    /// When each message was handed to its connection. Emptied when it is answered or given up.
    sent: Vec<Option<Instant>>,
    /// Until when each message in flight may be answered, in order.
    timeouts: VecDeque<(Instant, usize)>,
    differences: Vec<Difference>,
    latencies: Latencies,
    settled: usize,
    late: u64,
    unasked: u64,
    started: Instant,
    last_answer: Option<Instant>,
    cut_short: bool,
}

impl Player<'_> {
    async fn play(&mut self, mut heard: mpsc::Receiver<Event>) {
        let last_due = self.messages.iter().map(|message| message.planned.due).max().unwrap_or_default();
        let end = after(self.started, last_due.saturating_add(self.plan.deadline));
        let mut batch = Vec::with_capacity(EVENTS_MAX);
        while !self.schedule.finished() {
            let now = Instant::now();
            if now >= end {
                self.cut_short = true;
                self.give_up_rest();
                break;
            }
            self.time_out(now);
            let due = self.send(now);
            self.tell_progress();
            let timeout = self.timeouts.front().map(|(until, _)| *until);
            let wake = [due, timeout].into_iter().flatten().fold(end, Instant::min);
            // Out of time: the next round sees to it.
            let _ = tokio::time::timeout_at(wake.into(), heard.recv_many(&mut batch, EVENTS_MAX)).await;
            for event in batch.drain(..) {
                self.hear(event);
            }
        }
        for link in &mut self.links {
            link.connection.batches = None;
        }
        let end = tokio::time::Instant::now().checked_add(CLOSE_TIMEOUT);
        while let (Some(end), true) = (end, self.links.iter().any(|link| !link.closed)) {
            match tokio::time::timeout_at(end, heard.recv()).await {
                Ok(Some(event)) => self.hear(event),
                Ok(None) | Err(_) => break,
            }
        }
        self.tell_progress();
    }

    /// Hands every link what it may send now; says when the next message is due.
    fn send(&mut self, now: Instant) -> Option<Instant> {
        let since_start = now.saturating_duration_since(self.started);
        let mut next_due: Option<Instant> = None;
        for number in 0..self.links.len() {
            let Some(link) = self.links.get_mut(number).filter(|link| link.writable && !link.closed) else {
                continue;
            };
            let mut batch = BytesMut::new();
            while batch.len() < BATCH_BYTES {
                match self.schedule.next(number, since_start) {
                    Next::Send(index) => {
                        let Some(message) = self.messages.get(index) else { break };
                        // The plan has only what its framing carries.
                        let _ = self.plan.framing.put(&message.frame, &mut batch);
                        link.open.sent(message.key, index);
                        if let Some(sent) = self.sent.get_mut(index) {
                            *sent = Some(now);
                        }
                        self.timeouts.push_back((after(now, self.plan.answer_timeout), index));
                    }
                    Next::At(due) => {
                        let due = after(self.started, due);
                        next_due = Some(next_due.map_or(due, |earlier| earlier.min(due)));
                        break;
                    }
                    Next::Blocked | Next::Finished => break,
                }
            }
            if !batch.is_empty() {
                // The writer asked for it, so there is room; if it is gone, its last event tells why.
                let batches = link.connection.batches.as_ref();
                let _ = batches.map(|batches| batches.try_send(batch.freeze()));
                link.writable = false;
            }
        }
        next_due
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Frames { link, at, frames } => {
                for frame in frames {
                    self.answer(link, at, frame);
                }
            }
            Event::Written { link } => {
                if let Some(link) = self.links.get_mut(link) {
                    link.writable = true;
                }
            }
            Event::Closed { link, error } => self.lose_link(link, error),
        }
    }

    fn answer(&mut self, link: usize, at: Instant, frame: Bytes) {
        let mut mirror = Mirror::new();
        let decoded = iso8583::decode(&self.plan.dialect, &frame, &mut mirror);
        let mti = decoded.message.mti();
        if decoded.fault.is_none() && !mti.is_response() {
            self.unasked = self.unasked.saturating_add(1);
            return;
        }
        let key = Key::of(&decoded.message);
        let found = self.links.get_mut(link).map_or(Match::None, |link| link.open.take(&key));
        let (index, lacks) = match found {
            Match::Exact(index) => (index, None),
            Match::Lacking(index, lacks) => (index, lacks),
            Match::None => {
                let of_link = |message: &&Message| message.planned.link == link;
                let name = self.messages.iter().find(of_link).map(|message| message.link_name.to_string());
                self.differences.push(Difference {
                    id: None,
                    link: name.unwrap_or_default(),
                    stan: key.stan.as_str().to_owned(),
                    what: "answer".to_owned(),
                    expected: "none".to_owned(),
                    got: format!("an {mti} that no open request fits"),
                });
                return;
            }
        };
        let (Some(message), Some(sent)) = (self.messages.get(index), self.sent.get_mut(index)) else {
            return;
        };
        let Some(sent) = sent.take() else {
            self.late = self.late.saturating_add(1);
            return;
        };
        if let Some(field) = lacks {
            let what = format!("DE {field}");
            self.differences.push(Difference::of(message, &what, "the request's", "absent"));
        }
        self.latencies.record(message.kind, at.saturating_duration_since(sent));
        self.last_answer = Some(at);
        self.settled = self.settled.saturating_add(1);
        self.schedule.answered(index);
        if let Some(answer) = self.answers.get_mut(index) {
            *answer = Some(frame);
        }
    }

    fn time_out(&mut self, now: Instant) {
        while let Some((_, index)) = self.timeouts.front().copied().filter(|(until, _)| *until <= now) {
            self.timeouts.pop_front();
            if self.sent.get(index).is_some_and(Option::is_some) {
                let got = format!("none within {} ms", self.plan.answer_timeout.as_millis());
                self.give_up(&[index], &got);
                let waiting = self.schedule.lost(index);
                self.give_up(&waiting, NOT_SENT_WAITING);
            }
        }
    }

    fn lose_link(&mut self, link: usize, error: Option<std::io::Error>) {
        let Some(state) = self.links.get_mut(link) else {
            return;
        };
        state.closed = true;
        let (flying, unsent) = self.schedule.link_lost(link);
        let why = error.map_or_else(|| "closed by the switch".to_owned(), |error| error.to_string());
        self.give_up(&flying, &format!("none: connection {why}"));
        self.give_up(&unsent, &format!("none: not sent, connection {why}"));
    }

    fn give_up_rest(&mut self) {
        for link in 0..self.links.len() {
            let (flying, unsent) = self.schedule.link_lost(link);
            self.give_up(&flying, "none when the time for the whole was up");
            self.give_up(&unsent, "none: not sent when the time for the whole was up");
        }
    }

    fn give_up(&mut self, indices: &[usize], got: &str) {
        for index in indices {
            let Some(message) = self.messages.get(*index) else {
                continue;
            };
            if let Some(sent) = self.sent.get_mut(*index) {
                *sent = None;
            }
            self.settled = self.settled.saturating_add(1);
            self.differences.push(Difference::of(message, "answer", "one", got));
        }
    }

    fn tell_progress(&mut self) {
        if let Some(on_progress) = &mut self.plan.on_progress {
            on_progress(self.settled, self.messages.len());
        }
    }

    fn report(mut self) -> ReplayReport {
        let dialect = &self.plan.dialect;
        if let Some(expected) = &self.plan.expected {
            let checked = check::check(dialect, &self.messages, expected, &self.answers);
            self.differences.extend(checked);
        }
        let outcomes = self.messages.into_iter().zip(self.answers).map(|(message, answer)| {
            let mut mirror = Mirror::new();
            let decoded = answer.as_deref().map(|answer| iso8583::decode(dialect, answer, &mut mirror));
            let code = decoded.and_then(|decoded| decoded.message.field(39));
            Outcome {
                id: message.id,
                link: message.link_name.to_string(),
                kind: message.kind,
                request: message.frame,
                response_code: code.map(|code| String::from_utf8_lossy(code).into_owned()),
                answer,
            }
        });
        ReplayReport {
            outcomes: outcomes.collect(),
            differences: self.differences,
            elapsed: self.last_answer.unwrap_or(self.started).saturating_duration_since(self.started),
            latencies: self.latencies,
            late: self.late,
            unasked: self.unasked,
            cut_short: self.cut_short,
        }
    }
}

/// What is said of a message whose `after` was never answered.
const NOT_SENT_WAITING: &str = "none: not sent, as the answer that it waits for did not come";

/// A moment `span` later; for ever is a day.
fn after(moment: Instant, span: Duration) -> Instant {
    moment.checked_add(span).or_else(|| moment.checked_add(Duration::from_secs(86_400))).unwrap_or(moment)
}
