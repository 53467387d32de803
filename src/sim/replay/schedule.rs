//! What may be sent, and when: the order of a replay, without sockets or a clock.
//!
//! Each link keeps its own order, but a message that waits for another's answer lets the later ones pass. Sign-on
//! and sign-off are barriers of their link: they go when all before them is answered, and nothing goes until they are.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// What the schedule knows of a message. Messages are numbered in the capture's order.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Planned {
    /// Number of its link.
    pub(super) link: usize,
    /// Not before this time from the start.
    pub(super) due: Duration,
    /// A message before it whose answer it waits for.
    pub(super) after: Option<usize>,
    /// Sign-on or sign-off.
    pub(super) barrier: bool,
}

/// What a link can do now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Next {
    /// Send this message; it is taken to be in flight from here on.
    Send(usize),
    /// Nothing before this time from the start.
    At(Duration),
    /// Nothing before an answer comes.
    Blocked,
    /// Nothing any more.
    Finished,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Queued,
    /// Passed over: the answer it waits for is not there.
    Parked,
    /// That answer came.
    Released,
    Flying,
    Answered,
    /// Sent in vain, or never to be sent.
    Lost,
}

#[derive(Debug, Default)]
struct Link {
    queue: VecDeque<usize>,
    released: BTreeSet<usize>,
    parked: usize,
    in_flight: usize,
    barrier_open: bool,
}

/// The order of one replay.
#[derive(Debug)]
pub(super) struct Schedule {
    messages: Vec<Planned>,
    states: Vec<State>,
    /// By message: those that wait for its answer.
    waiting: Vec<Vec<usize>>,
    links: Vec<Link>,
    window: usize,
    unsettled: usize,
}

impl Schedule {
    /// A schedule of `messages` over `links` links, at most `window` of a link in flight. Each `after` is of a message
    /// before it, which is what makes sure that something can always be sent.
    pub(super) fn new(messages: Vec<Planned>, links: usize, window: usize) -> Self {
        let mut waiting = vec![Vec::new(); messages.len()];
        let mut lines: Vec<Link> = std::iter::repeat_with(Link::default).take(links).collect();
        for (number, message) in messages.iter().enumerate() {
            if let Some(waiting) = message.after.and_then(|after| waiting.get_mut(after)) {
                waiting.push(number);
            }
            if let Some(link) = lines.get_mut(message.link) {
                link.queue.push_back(number);
            }
        }
        let states = vec![State::Queued; messages.len()];
        Self { unsettled: messages.len(), messages, states, waiting, links: lines, window: window.max(1) }
    }

    /// Whether every message was answered or given up.
    pub(super) fn finished(&self) -> bool {
        self.unsettled == 0
    }

    /// What `link` can do at `now`, counted from the start.
    pub(super) fn next(&mut self, link: usize, now: Duration) -> Next {
        let Some(line) = self.links.get_mut(link) else {
            return Next::Finished;
        };
        if line.in_flight >= self.window || line.barrier_open {
            return Next::Blocked;
        }
        let number = loop {
            // What was passed over is older than all that is queued, and so due before it.
            let released = line.released.first().copied();
            let Some(number) = released.or_else(|| line.queue.front().copied()) else {
                let idle = line.parked == 0 && line.in_flight == 0;
                return if idle { Next::Finished } else { Next::Blocked };
            };
            let (Some(message), Some(state)) = (self.messages.get(number).copied(), self.states.get(number))
            else {
                return Next::Finished;
            };
            let state_of = |number: usize| self.states.get(number).copied();
            let ready = message.after.is_none_or(|after| state_of(after) == Some(State::Answered));
            if *state == State::Lost {
                line.queue.pop_front();
            } else if !ready {
                line.queue.pop_front();
                line.parked = line.parked.saturating_add(1);
                if let Some(state) = self.states.get_mut(number) {
                    *state = State::Parked;
                }
            } else if message.barrier && (line.in_flight > 0 || line.parked > 0) {
                return Next::Blocked;
            } else if message.due > now {
                return Next::At(message.due);
            } else {
                line.barrier_open = message.barrier;
                break number;
            }
        };
        if !line.released.remove(&number) {
            line.queue.pop_front();
        }
        line.in_flight = line.in_flight.saturating_add(1);
        if let Some(state) = self.states.get_mut(number) {
            *state = State::Flying;
        }
        Next::Send(number)
    }

    /// The answer of a message in flight has come.
    pub(super) fn answered(&mut self, number: usize) {
        if !self.settle(number, State::Answered) {
            return;
        }
        for number in self.waiting.get(number).cloned().unwrap_or_default() {
            let Some(state) = self.states.get_mut(number).filter(|state| **state == State::Parked) else {
                continue;
            };
            *state = State::Released;
            let link = self.messages.get(number).map(|message| message.link);
            if let Some(line) = link.and_then(|link| self.links.get_mut(link)) {
                line.parked = line.parked.saturating_sub(1);
                line.released.insert(number);
            }
        }
    }

    /// A message will not be answered. With it go those that wait for its answer, and those that wait for theirs:
    /// they are handed back, never to be sent.
    pub(super) fn lost(&mut self, number: usize) -> Vec<usize> {
        let (mut gone, mut open) = (Vec::new(), vec![number]);
        while let Some(next) = open.pop() {
            if self.settle(next, State::Lost) {
                open.extend(self.waiting.get(next).into_iter().flatten());
                gone.extend((next != number).then_some(next));
            }
        }
        gone.sort_unstable();
        gone
    }

    /// Gives up the rest of a link: what was in flight and what was not sent, in that order of the pair. Messages of
    /// other links that wait for these are among the unsent.
    pub(super) fn link_lost(&mut self, link: usize) -> (Vec<usize>, Vec<usize>) {
        let (mut flying, mut unsent) = (Vec::new(), Vec::new());
        let numbers = self.messages.iter().enumerate().filter(|(_, message)| message.link == link);
        for number in numbers.map(|(number, _)| number).collect::<Vec<_>>() {
            match self.states.get(number) {
                Some(State::Flying) => flying.push(number),
                Some(State::Queued | State::Parked | State::Released) => unsent.push(number),
                Some(State::Answered | State::Lost) | None => continue,
            }
            unsent.extend(self.lost(number));
        }
        unsent.sort_unstable();
        (flying, unsent)
    }

    /// Moves a message to its last state; false if it was in one.
    fn settle(&mut self, number: usize, last: State) -> bool {
        let (Some(state), Some(message)) = (self.states.get_mut(number), self.messages.get(number)) else {
            return false;
        };
        let before = std::mem::replace(state, last);
        if let Some(line) = self.links.get_mut(message.link) {
            match before {
                State::Flying => {
                    line.in_flight = line.in_flight.saturating_sub(1);
                    line.barrier_open &= !message.barrier;
                }
                State::Parked => line.parked = line.parked.saturating_sub(1),
                State::Released => {
                    line.released.remove(&number);
                }
                // The queue drops it when it comes to its front.
                State::Queued => {}
                State::Answered | State::Lost => {
                    *state = before;
                    return false;
                }
            }
        }
        self.unsettled = self.unsettled.saturating_sub(1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::ZERO;

    fn on(link: usize) -> Planned {
        Planned { link, ..Planned::default() }
    }

    fn after(link: usize, after: usize) -> Planned {
        Planned { after: Some(after), ..on(link) }
    }

    fn barrier() -> Planned {
        Planned { barrier: true, ..on(0) }
    }

    /// All that link 0 sends without another answer.
    fn burst(schedule: &mut Schedule) -> Vec<usize> {
        let mut sent = Vec::new();
        while let Next::Send(number) = schedule.next(0, START) {
            sent.push(number);
        }
        sent
    }

    #[test]
    fn a_message_that_waits_lets_later_ones_pass_and_then_goes_first() {
        let mut schedule = Schedule::new(vec![on(0), after(0, 0), on(0), on(0)], 1, 2);
        assert_eq!(burst(&mut schedule), [0, 2]);
        assert_eq!(schedule.next(0, START), Next::Blocked, "the window is full");
        schedule.answered(0);
        assert_eq!(burst(&mut schedule), [1]);
        schedule.answered(2);
        schedule.answered(1);
        assert_eq!(burst(&mut schedule), [3]);
        schedule.answered(3);
        assert!(schedule.finished());
        assert_eq!(schedule.next(0, START), Next::Finished);
    }

    #[test]
    fn sign_on_and_sign_off_stand_alone_on_their_link() {
        let plan = vec![barrier(), on(0), after(0, 1), on(1), barrier(), on(0)];
        let mut schedule = Schedule::new(plan, 2, 100);
        assert_eq!(burst(&mut schedule), [0]);
        assert_eq!(schedule.next(1, START), Next::Send(3), "another link is not held");
        schedule.answered(0);
        assert_eq!(burst(&mut schedule), [1]);
        schedule.answered(1);
        assert_eq!(burst(&mut schedule), [2], "the sign-off waits for what was passed over");
        schedule.answered(2);
        assert_eq!(burst(&mut schedule), [4]);
        schedule.answered(4);
        assert_eq!(burst(&mut schedule), [5]);
    }

    #[test]
    fn nothing_goes_before_its_time_even_if_it_was_passed_over() {
        let at = |second, message| Planned { due: Duration::from_secs(second), ..message };
        let plan = vec![at(1, on(0)), at(3, after(0, 0)), at(4, on(0))];
        let mut schedule = Schedule::new(plan, 1, 100);
        let seconds = Duration::from_secs;
        assert_eq!(schedule.next(0, START), Next::At(seconds(1)));
        assert_eq!(schedule.next(0, seconds(1)), Next::Send(0));
        assert_eq!(schedule.next(0, seconds(2)), Next::At(seconds(4)));
        schedule.answered(0);
        assert_eq!(schedule.next(0, seconds(2)), Next::At(seconds(3)));
        assert_eq!(schedule.next(0, seconds(3)), Next::Send(1));
        assert_eq!(schedule.next(0, seconds(3)), Next::At(seconds(4)));
    }

    #[test]
    fn what_waits_for_a_lost_answer_is_given_up_on_every_link() {
        let plan = vec![on(0), after(0, 0), after(1, 1), on(0), barrier()];
        let mut schedule = Schedule::new(plan, 2, 100);
        assert_eq!(burst(&mut schedule), [0, 3]);
        assert_eq!(schedule.next(1, START), Next::Blocked);
        assert_eq!(schedule.lost(0), [1, 2]);
        assert_eq!(schedule.lost(0), [0_usize; 0], "once");
        assert_eq!(schedule.next(1, START), Next::Finished);
        schedule.answered(3);
        assert_eq!(burst(&mut schedule), [4]);
        schedule.answered(4);
        assert!(schedule.finished());
    }

    #[test]
    fn a_lost_link_takes_its_messages_with_it_and_leaves_the_others() {
        let plan = vec![on(0), on(0), after(1, 1), on(1), after(0, 0)];
        let mut schedule = Schedule::new(plan, 2, 1);
        assert_eq!(burst(&mut schedule), [0]);
        assert_eq!(schedule.link_lost(0), (vec![0], vec![1, 2, 4]));
        assert_eq!(schedule.next(1, START), Next::Send(3));
        assert_eq!(schedule.link_lost(0), (vec![], vec![]), "once");
        assert_eq!(schedule.link_lost(1), (vec![3], vec![]));
        assert!(schedule.finished());
    }
}
