//! The connections of each link, and what we have asked the peers on them.
//!
//! Requests of ours carry no money and have nothing to be made durable, so they leave past the journal's valve. Their
//! answers are matched here and never reach the switch.

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
use crate::ids::LinkName;
use crate::iso8583::{EncodeError, Message, Mti, Seal};
use crate::profile::{Asking, Ours};
use crate::vault::with_seal;

/// Requests of ours that wait for their answers on one link.
const ASKED_MAX: usize = 32;
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
    tell: Option<oneshot::Sender<Told>>,
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
        self.send(peer, None, (kind, facts), patience, Some(tell))?;
        match timeout(patience, told).await {
            Ok(Ok(told)) => Ok(told),
            Ok(Err(_)) | Err(_) => Err(Silence::Unanswered),
        }
    }

    /// Hands a request of ours to a connection: the one of this number, or the newest.
    fn send(
        &self,
        peer: &Peer,
        over: Option<u64>,
        (kind, facts): (Ours, &[(&'static str, &[u8])]),
        patience: Duration,
        tell: Option<oneshot::Sender<Told>>,
    ) -> Result<(), Silence> {
        let mut state = peer.lock();
        let now = Instant::now();
        state.asked.retain(|asked| asked.until > now);
        if state.asked.len() >= ASKED_MAX {
            return Err(Silence::Busy);
        }
        let stan = if state.stan >= STAN_MAX { 1 } else { state.stan.saturating_add(1) };
        let utc = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
        let local = utc.with_time_zone(self.zone.clone()).datetime();
        let asking = Asking { stan, utc: utc.datetime(), local, facts };
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
        state.stan = stan;
        let until = now.checked_add(patience).unwrap_or(now);
        state.asked.push(Asked { stan, answer, until, tell });
        Ok(())
    }

    /// Whether a message answers a request of ours on this link; whoever asked gets it.
    pub(super) fn answered(&self, link: &LinkName, message: &Message<'_, '_>, frame: &Bytes) -> bool {
        let Some(peer) = self.links.get(link) else { return false };
        let Some(answer) = peer.config().profile.answers(message) else { return false };
        let mut state = peer.lock();
        let is_its = |asked: &Asked| asked.stan == answer.stan && asked.answer == answer.mti;
        let Some(at) = state.asked.iter().position(is_its) else { return false };
        if let Some(tell) = state.asked.swap_remove(at).tell {
            // Whoever asked may have gone.
            let _ = tell.send(Told { frame: frame.clone() });
        }
        true
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
        if let Err(silence) = self.peers.send(peer, Some(self.number), (Ours::Echo, &[]), patience, None) {
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
