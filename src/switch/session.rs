//! Sign-on, sign-off and echo; and the gate every other request passes.

use super::{
    Action, Alarm, Answer, AskId, Asker, Evidence, KeyChange, LinkTerms, Operation, Output, Reason, Record,
    Request, Stray, Switch, TotalsTerms, What,
};
use crate::clock::Now;
use crate::ids::{LinkName, Short};

/// Payments put away whose late answer is listened for, over all billers: beyond that nothing new is begun, for to listen
/// no longer would be to miss a posting.
const LISTENED_FOR_MAX: usize = 200_000;

/// Cutovers are at least so far apart: half a day.
pub(super) const CUTOVERS_APART_MS: u64 = 43_200_000;

/// The state of one acquirer's link.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) signed_on: bool,
    /// Requests waiting for a biller.
    pub(super) in_flight: u32,
    in_flight_max: u32,
    /// How it is sent our totals, if it is.
    pub(super) totals: Option<TotalsTerms>,
}

impl Session {
    pub(super) const fn new(terms: &LinkTerms) -> Self {
        Self { signed_on: false, in_flight: 0, in_flight_max: terms.in_flight_max, totals: terms.totals }
    }

    /// What waits already stays, even if the new terms would not have let it in.
    pub(super) const fn deal_by(&mut self, terms: &LinkTerms) {
        self.in_flight_max = terms.in_flight_max;
        self.totals = terms.totals;
    }
}

impl Switch {
    /// Refuses the requests of a link that has not signed on.
    pub(super) fn gate(&self, link: &LinkName) -> Result<(), Reason> {
        if self.is_signed_on(link) { Ok(()) } else { Err(Reason::NotSignedOn) }
    }

    /// Refuses new work while draining, while the disk is almost full, when it has waited too long, or while too much of this
    /// link is open.
    pub(super) fn gate_new_work(&self, from: &Asker) -> Result<(), Reason> {
        let link = &from.link;
        self.gate(link)?;
        if self.draining {
            return Err(Reason::Draining);
        }
        if from.stale || self.disk_low || self.given_up.len() >= LISTENED_FOR_MAX {
            return Err(Reason::Overloaded);
        }
        let full = self.sessions.get(link).is_none_or(|session| session.in_flight >= session.in_flight_max);
        if full { Err(Reason::Overloaded) } else { Ok(()) }
    }

    pub(super) fn waits_for_biller(&mut self, link: &LinkName) {
        if let Some(session) = self.sessions.get_mut(link) {
            session.in_flight = session.in_flight.saturating_add(1);
        }
    }

    pub(super) fn waits_no_more(&mut self, link: &LinkName) {
        if let Some(session) = self.sessions.get_mut(link) {
            session.in_flight = session.in_flight.saturating_sub(1);
        }
    }

    pub(super) fn network(&mut self, now: Now, from: &Asker, request: &Request, out: &mut Output) {
        let reason = match self.sessions.get_mut(&from.link) {
            None => Reason::NotSignedOn,
            Some(session) => {
                match request {
                    Request::SignOn => session.signed_on = true,
                    Request::SignOff => session.signed_on = false,
                    Request::Echo
                    | Request::CutOver { .. }
                    | Request::ChangeKey(_)
                    | Request::Inquiry(_)
                    | Request::Payment(_)
                    | Request::Advice(_)
                    | Request::Reversal(_)
                    | Request::Totals(_)
                    | Request::Refused { .. } => {}
                }
                Reason::Approved
            }
        };
        self.tell(now, from, Answer::plain(reason), out);
        if matches!(request, Request::SignOn) {
            self.totals_after_sign_on(now, from.link, out);
        }
    }

    /// A network moves to its next day. Several may say so, and each more than once: the switch's date moves one day, once.
    /// Whoever names the day moves to that one only; who does not is taken to mean the cutover that has just been, if one
    /// has.
    pub(super) fn cut_over_asked(&mut self, now: Now, from: &Asker, to: Option<Short<4>>, out: &mut Output) {
        let (today, next) = (self.date, self.date.next());
        if let Err(reason) = self.gate(&from.link) {
            return self.tell(now, from, Answer::plain(reason), out);
        }
        let just_been = now.ticks < self.guarded_until;
        let moves = match to {
            Some(day) if today.is_called(day.as_bytes()) => Some(false),
            Some(day) => next.is_called(day.as_bytes()).then_some(true),
            None => Some(!just_been),
        };
        let Some(moves) = moves else {
            return self.tell(now, from, Answer::plain(Reason::Malformed), out);
        };
        if moves {
            self.operate(now, Operation::CutOver, out);
        }
        self.tell(now, from, Answer::plain(Reason::Approved), out);
    }

    /// A new key of the link. It is in use once this is durable, and before the answer leaves.
    pub(super) fn change_key(&self, now: Now, from: &Asker, change: KeyChange, out: &mut Output) {
        let reason = match change {
            KeyChange::New(keys) => {
                out.records.push(from.record(self, now, What::KeyChanged { check_value: keys.check_value }));
                out.actions.push(Action::UseKeys { link: from.link, keys });
                Reason::Approved
            }
            KeyChange::Same => Reason::Approved,
            KeyChange::Refused => {
                out.actions.push(Action::Alarm(Alarm::KeyRefused(from.link)));
                Reason::KeyRefused
            }
        };
        self.tell(now, from, Answer::plain(reason), out);
    }

    /// What a peer can have written down at will must not use up a disk that is almost full, for that is kept for what moves
    /// money: there a request that changes nothing is answered and leaves no leg. Nor is there evidence, at any time, of
    /// what a link says that has not signed on. `begun` is how long both lists were before the request.
    pub(super) fn spare_the_disk(&mut self, begun: (usize, usize), signed_on: bool, out: &mut Output) {
        let (records, actions) = (out.records.get_mut(begun.0..), out.actions.get(begun.1..));
        let (Some(records), Some(actions)) = (records, actions) else { return };
        let is_bare = |record: &Record| {
            record.payment.is_none() && matches!(record.what, What::Asked { .. } | What::Answered { .. })
        };
        // An order is the beginning of something, whether or not it has a leg by now.
        let is_told = |action: &Action| matches!(action, Action::Answer { .. } | Action::Alarm(_));
        if !records.iter().all(is_bare) || !actions.iter().all(is_told) {
            return;
        }
        if self.disk_low {
            out.records.truncate(begun.0);
            self.unrecorded = self.unrecorded.saturating_add(1);
        } else if !signed_on {
            records.iter_mut().for_each(|record| record.evidence = Evidence::default());
        }
    }

    /// It is told, and written down where there is room; it changes nothing: a peer that answers what it was not asked is
    /// broken, or no friend.
    pub(super) fn unasked(&mut self, now: Now, stray: Stray, out: &mut Output) {
        let Stray { link, mti, stan, rrn, evidence } = stray;
        let from = Asker { id: AskId(0), link, stan, rrn, stale: false };
        if self.disk_low {
            self.unrecorded = self.unrecorded.saturating_add(1);
        } else {
            let mut record = from.record(self, now, What::Unasked { mti });
            record.evidence = evidence;
            out.records.push(record);
        }
        out.actions.push(Action::Alarm(Alarm::UnaskedAnswer { link, stan }));
    }

    /// A link starts signed off when the first of its connections comes: the peer may have restarted and has to say so.
    pub(super) fn link_up(&mut self, link: LinkName) {
        self.link_down(link);
    }

    pub(super) fn link_down(&mut self, link: LinkName) {
        if let Some(session) = self.sessions.get_mut(&link) {
            session.signed_on = false;
        }
    }
}
