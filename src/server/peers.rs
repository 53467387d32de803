//! The connections of each link, and what we have asked the peers on them.
//!
//! Echoes carry no money and have nothing to be made durable, so they leave past the journal's valve, and their answers never
//! reach the switch. Our totals come from the valve, and the switch is told what was answered. Both are matched here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use thiserror::Error;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::ask::Outbound;
use super::macs::Macs;
use crate::config::{Config, LinkConfig, SecondConnection};
use crate::ids::{BusinessDate, LinkName, Short};
use crate::iso8583::{EncodeError, Message, Mti, Seal};
use crate::profile::{Asking, Ours, told_of};
use crate::switch::{Closing, SendTotals};
use crate::vault::with_seal;

/// Requests of ours that wait for their answers on one link: a hundred of them may be totals of dates that it has missed.
const ASKED_MAX: usize = 132;
/// Requests of ours that wait to be written on one connection.
pub(super) const OWN_MAX: usize = 4;
/// Trace numbers are six digits, and 0 is none.
const STAN_MAX: u32 = 999_999;

/// Why there is no answer to a request of ours.
#[derive(Debug, Error)]
pub(super) enum Silence {
    /// Nobody is connected.
    #[error("it is not connected")]
    NotConnected,
    /// The link's profile has no such request.
    #[error("its profile has no [ours.{}]", .0.name())]
    NotInProfile(Ours),
    /// The request does not fit its dialect.
    #[error("the request cannot be written: {0}")]
    Unwritable(#[from] EncodeError),
    /// Too much has been asked that is not answered.
    #[error("too many requests of ours are unanswered there")]
    Busy,
    /// The peer did not answer in time, or its connection ended.
    #[error("no answer came")]
    Unanswered,
}

/// A peer's answer to a request of ours. Its frame may hold anything: no `Debug`.
pub(super) struct Told {
    /// The message, without what frames it.
    pub(super) frame: Bytes,
}

/// Every link's connections.
pub(super) struct Peers {
    links: BTreeMap<LinkName, Peer>,
    zone: jiff::tz::TimeZone,
    macs: Arc<Macs>,
}

struct Peer {
    /// As it is in force: a reload puts another in its place.
    link: RwLock<Arc<LinkConfig>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connections: Vec<Connection>,
    asked: Vec<Asked>,
    /// The last number given to a connection.
    number: u64,
    /// The last trace number of ours.
    stan: u32,
}

struct Connection {
    number: u64,
    /// Weak: a connection ends when nobody is left who might answer on it, and we are not one of them.
    outbound: Option<mpsc::WeakSender<Outbound>>,
    /// Places for requests of ours beside those for answers.
    own: Arc<Semaphore>,
    replaced: CancellationToken,
    renewed: CancellationToken,
    gone: CancellationToken,
}

struct Asked {
    stan: u32,
    /// What its answer must be.
    answer: Mti,
    until: Instant,
    /// DE 15, if it has one: an answer that names another date is none.
    settled_on: Option<Short<4>>,
    tell: Tell,
}

/// Who is to have an answer.
enum Tell {
    /// Nobody: that it came is enough.
    Nobody,
    /// Somebody who waits for it.
    Waiting(oneshot::Sender<Told>),
    /// The switch, about our totals of this date.
    Totals(BusinessDate),
}

/// What a message that came in answers.
pub(super) enum Answers {
    /// Nothing that was asked on its link.
    Nothing,
    /// A request of ours; who asked has it.
    Ours,
    /// Our totals of this date.
    Totals(BusinessDate),
}

/// A request of ours, as it is to be written.
struct Sending<'a> {
    kind: Ours,
    facts: &'a [(&'static str, &'a [u8])],
    /// The one it has been sent with before.
    same: Option<(u32, jiff::Timestamp)>,
    again: bool,
    settled_on: Option<Short<4>>,
    tell: Tell,
}

impl<'a> Sending<'a> {
    const fn new(kind: Ours, facts: &'a [(&'static str, &'a [u8])], tell: Tell) -> Self {
        Self { kind, facts, same: None, again: false, settled_on: None, tell }
    }
}

/// A connection's place among those of its link, until it is dropped.
pub(super) struct Seat {
    peers: Arc<Peers>,
    link: LinkName,
    number: u64,
    /// Cancelled when a newer connection takes its place.
    pub(super) replaced: CancellationToken,
    /// Cancelled when its link has another configuration.
    pub(super) renewed: CancellationToken,
    /// The link's, as it is in force for this connection.
    pub(super) config: Arc<LinkConfig>,
    /// Those whose place it takes: each is cancelled once it is gone.
    pub(super) before: Vec<CancellationToken>,
}

impl Peers {
    pub(super) fn new(config: &Config, macs: Arc<Macs>) -> Self {
        // Not from 1 at every start: a peer may remember what it was asked a minute ago.
        let second = u32::try_from(jiff::Timestamp::now().as_second().rem_euclid(i64::from(STAN_MAX)));
        let state = || State { stan: second.unwrap_or_default(), ..State::default() };
        let peer = |link: &LinkConfig| {
            let config = RwLock::new(Arc::new(link.clone()));
            (link.name, Peer { link: config, state: Mutex::new(state()) })
        };
        Self { links: config.links.iter().map(peer).collect(), zone: config.time_zone.clone(), macs }
    }

    /// A place for one more connection of a link; none if it may not have one.
    pub(super) fn join(self: &Arc<Self>, link: &LinkName) -> Option<Seat> {
        let peer = self.links.get(link)?;
        let mut state = peer.lock();
        // Under that lock, so that no connection is missed by a reload.
        let config = peer.config();
        let max = match config.second_connection {
            SecondConnection::Refuse => 1,
            SecondConnection::Pool | SecondConnection::Replace => config.bounds.connections_max,
        };
        if state.connections.len() >= usize::try_from(max).unwrap_or(usize::MAX) {
            return None;
        }
        let mut before = Vec::new();
        if config.second_connection == SecondConnection::Replace {
            for older in &state.connections {
                older.replaced.cancel();
                before.push(older.gone.clone());
            }
        }
        state.number = state.number.saturating_add(1);
        let (number, replaced, renewed) = (state.number, CancellationToken::new(), CancellationToken::new());
        let connection = Connection {
            number,
            outbound: None,
            own: Arc::new(Semaphore::new(OWN_MAX)),
            replaced: replaced.clone(),
            renewed: renewed.clone(),
            gone: CancellationToken::new(),
        };
        state.connections.push(connection);
        Some(Seat { peers: Arc::clone(self), link: *link, number, replaced, renewed, config, before })
    }

    /// A link's configuration as it is in force.
    pub(super) fn config(&self, link: &LinkName) -> Option<Arc<LinkConfig>> {
        self.links.get(link).map(Peer::config)
    }

    /// Puts these configurations in force. The connections of those links that have changed are told to end; gives their names.
    pub(super) fn adopt(&self, links: Vec<LinkConfig>) -> Vec<LinkName> {
        let mut changed = Vec::new();
        for fresh in links {
            let Some(peer) = self.links.get(&fresh.name) else { continue };
            let state = peer.lock();
            if peer.config().digest == fresh.digest {
                continue;
            }
            changed.push(fresh.name);
            *peer.link.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
            state.connections.iter().for_each(|connection| connection.renewed.cancel());
        }
        changed
    }

    /// Asks the peer of a link, over its newest connection, and waits for its answer, at most `patience`.
    pub(super) async fn ask(
        &self,
        link: &LinkName,
        kind: Ours,
        facts: &[(&'static str, &[u8])],
        patience: Duration,
    ) -> Result<Told, Silence> {
        let (tell, told) = oneshot::channel();
        let peer = self.links.get(link).ok_or(Silence::NotConnected)?;
        self.send(peer, None, Sending::new(kind, facts, Tell::Waiting(tell)), patience)?;
        match timeout(patience, told).await {
            Ok(Ok(told)) => Ok(told),
            Ok(Err(_)) | Err(_) => Err(Silence::Unanswered),
        }
    }

    /// Sends a link our totals. If that cannot be done they are unanswered, and sent again like all that are.
    pub(super) fn send_totals(&self, totals: &SendTotals) {
        let SendTotals { link, date, ours, at, again, patience_ms } = totals;
        let Some(peer) = self.links.get(link) else { return };
        let told = told_of(*date, ours);
        let facts: Vec<(&'static str, &[u8])> =
            told.iter().map(|(fact, value)| (*fact, value.as_bytes())).collect();
        let first = i64::try_from(at.0).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
        let sending = Sending {
            same: first.map(|first| (Closing::stan(*date), first)),
            again: *again,
            settled_on: Short::new(date.month_day().as_bytes()).ok(),
            ..Sending::new(Ours::Totals, &facts, Tell::Totals(*date))
        };
        if let Err(silence) = self.send(peer, None, sending, Duration::from_millis(*patience_ms)) {
            tracing::warn!(%link, %date, reason = %silence, "our totals could not be sent");
        }
    }

    /// Hands a request of ours to a connection: the one of this number, or the newest.
    fn send(
        &self,
        peer: &Peer,
        over: Option<u64>,
        sending: Sending<'_>,
        patience: Duration,
    ) -> Result<(), Silence> {
        let Sending { kind, facts, same, again, settled_on, tell } = sending;
        let mut state = peer.lock();
        let now = Instant::now();
        state.asked.retain(|asked| asked.until > now);
        if state.asked.len() >= ASKED_MAX {
            return Err(Silence::Busy);
        }
        let next = if state.stan >= STAN_MAX { 1 } else { state.stan.saturating_add(1) };
        let (stan, at) = same.unwrap_or_else(|| (next, jiff::Timestamp::now()));
        let utc = at.to_zoned(jiff::tz::TimeZone::UTC);
        let local = utc.with_time_zone(self.zone.clone()).datetime();
        let asking = Asking { stan, utc: utc.datetime(), local, again, facts };
        let mut message = BytesMut::new();
        let link = peer.config();
        let key = self.macs.current(&link.name);
        let write = |seal: Option<&Seal<'_>>| link.profile.ask(kind, &asking, seal, &mut message);
        let answer = with_seal(key.as_deref(), link.framing, write)?.ok_or(Silence::NotInProfile(kind))?;
        let mut newest = state.connections.iter().rev();
        let connection = newest.find(|one| over.is_none_or(|number| one.number == number));
        let connection = connection.ok_or(Silence::NotConnected)?;
        let outbound = connection.outbound.as_ref().and_then(mpsc::WeakSender::upgrade);
        let outbound = outbound.ok_or(Silence::NotConnected)?;
        let place = Arc::clone(&connection.own).try_acquire_owned().map_err(|_| Silence::Busy)?;
        let request = Outbound::Request { message: message.freeze(), _place: place };
        outbound.try_send(request).map_err(|_| Silence::NotConnected)?;
        if same.is_none() {
            state.stan = stan;
        }
        // The repeat takes the place of the one before, so that of two answers one is matched.
        let before =
            |asked: &Asked| (asked.stan, asked.answer, asked.settled_on) == (stan, answer, settled_on);
        state.asked.retain(|asked| !before(asked));
        let until = now.checked_add(patience).unwrap_or(now);
        state.asked.push(Asked { stan, answer, until, settled_on, tell });
        Ok(())
    }

    /// Which request of ours on this link a message answers; whoever asked gets it.
    pub(super) fn answered(&self, link: &LinkName, message: &Message<'_, '_>, frame: &Bytes) -> Answers {
        let Some(peer) = self.links.get(link) else { return Answers::Nothing };
        let Some(answer) = peer.config().profile.answers(message) else { return Answers::Nothing };
        let (mut state, now) = (peer.lock(), Instant::now());
        let is_its = |asked: &Asked| {
            let of_date =
                asked.settled_on.is_none() || answer.settled_on.is_none_or(|on| asked.settled_on == Some(on));
            asked.stan == answer.stan && asked.answer == answer.mti && of_date && asked.until > now
        };
        let Some(at) = state.asked.iter().position(is_its) else { return Answers::Nothing };
        match state.asked.swap_remove(at).tell {
            Tell::Nobody => {}
            // Whoever asked may have gone.
            Tell::Waiting(tell) => drop(tell.send(Told { frame: frame.clone() })),
            Tell::Totals(date) => return Answers::Totals(date),
        }
        Answers::Ours
    }
}

impl Peer {
    fn config(&self) -> Arc<LinkConfig> {
        Arc::clone(&self.link.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Where answers and requests of ours are handed over from now on.
    pub(super) fn speaks(&self, outbound: &mpsc::Sender<Outbound>) {
        let Some(peer) = self.peers.links.get(&self.link) else { return };
        let mut state = peer.lock();
        if let Some(own) = state.connections.iter_mut().find(|one| one.number == self.number) {
            own.outbound = Some(outbound.downgrade());
        }
    }

    /// Asks this connection's peer whether it is there. That it answers is heard by whoever reads the connection.
    pub(super) fn echo(&self) {
        let Some(peer) = self.peers.links.get(&self.link) else { return };
        let patience = self.config.bounds.echo_timeout;
        let sending = Sending::new(Ours::Echo, &[], Tell::Nobody);
        if let Err(silence) = self.peers.send(peer, Some(self.number), sending, patience) {
            tracing::warn!(link = %self.link, reason = %silence, "no echo could be asked for");
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some(peer) = self.peers.links.get(&self.link) else { return };
        let mut state = peer.lock();
        if let Some(at) = state.connections.iter().position(|one| one.number == self.number) {
            state.connections.remove(at).gone.cancel();
        }
    }
}
