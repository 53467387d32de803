//! Listens for the links and tells whose connection it is: by port, then by the peer's address.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};

use super::ask::Input;
use super::intake::{LinkIntake, LinkOutlet};
use super::lanes::Rank;
use super::peers::{OWN_MAX, Seat};
use super::{Shared, StartError};
use crate::config::{Config, LinkConfig};
use crate::iso8583::Mirror;
use crate::link::{self, Admission, Seldom};
use crate::telemetry::Counters;
use crate::telemetry::recorder::RecorderHandle;

/// The listeners, by configured address.
pub(super) type Listeners = BTreeMap<SocketAddr, TcpListener>;

/// Listens on every address of the configuration; nobody is taken in yet.
pub(super) fn bind(config: &Config) -> Result<Listeners, StartError> {
    let mut listeners = Listeners::new();
    for address in config.links.iter().map(|link| link.listen) {
        if let Entry::Vacant(vacant) = listeners.entry(address) {
            vacant.insert(link::listen(address).map_err(|source| StartError::Listen { address, source })?);
        }
    }
    Ok(listeners)
}

/// Takes connections in; gives back where each link is listened for.
pub(super) fn serve(
    shared: &Arc<Shared>,
    listeners: Listeners,
    recorder: Option<RecorderHandle>,
) -> Vec<SocketAddr> {
    let in_all = Arc::new(Semaphore::new(shared.config.limits.connections_max));
    let bound = |listener: &TcpListener, address| listener.local_addr().unwrap_or(address);
    let bound: BTreeMap<_, _> =
        listeners.iter().map(|(address, listener)| (*address, bound(listener, *address))).collect();
    for (address, listener) in listeners {
        let links = shared.config.links.iter().filter(|link| link.listen == address).cloned().collect();
        let host = Arc::new(Host {
            shared: Arc::clone(shared),
            recorder: recorder.clone(),
            links,
            refusals: Seldom::default(),
        });
        // A drain begins with taking nobody in any more.
        let stop = shared.drain_asked.subscribe();
        let refused = {
            let host = Arc::clone(&host);
            move || Counters::count(&host.shared.counters.refused_connections)
        };
        let take = move |stream, peer, admission| {
            let host = Arc::clone(&host);
            let tasks = host.shared.tasks.clone();
            tasks.spawn(async move { host.serve(stream, peer, admission).await });
        };
        shared.tasks.spawn(link::accept(listener, Arc::clone(&in_all), stop, refused, take));
    }
    shared.config.links.iter().filter_map(|link| bound.get(&link.listen).copied()).collect()
}

/// Those who share one port.
struct Host {
    shared: Arc<Shared>,
    recorder: Option<RecorderHandle>,
    links: Vec<LinkConfig>,
    refusals: Seldom,
}

impl Host {
    /// The link of a peer: the one that names its address, else the one that names none.
    fn link_of(&self, peer: SocketAddr) -> Option<&LinkConfig> {
        // An IPv4 peer of a listener for both families comes as ::ffff:a.b.c.d.
        let peer = peer.ip().to_canonical();
        let named = self.links.iter().find(|link| link.peer == Some(peer));
        named.or_else(|| self.links.iter().find(|link| link.peer.is_none()))
    }

    async fn serve(&self, stream: TcpStream, peer: SocketAddr, admission: Admission) {
        let Some(link) = self.link_of(peer) else {
            Counters::count(&self.shared.counters.refused_connections);
            if let Some(unsaid) = self.refusals.now() {
                tracing::warn!(%peer, unsaid, "connection refused: no link has this address");
            }
            return;
        };
        let Some(counters) = self.shared.counters.link(&link.name) else { return };
        let Some(mut seat) = self.shared.peers.join(&link.name) else {
            Counters::count(&self.shared.counters.refused_connections);
            if let Some(unsaid) = self.refusals.now() {
                tracing::warn!(link = %link.name, %peer, unsaid, "connection refused: the link has as many as it may");
            }
            return;
        };
        counters.connections.fetch_add(1, Ordering::Relaxed);
        // It must sign on for itself: the switch is told first that those before it have ended.
        for before in seat.before.drain(..) {
            before.cancelled().await;
        }
        tracing::info!(link = %link.name, %peer, "connected");
        let _ = self.shared.lanes.send(&link.name, Input::Connected(link.name), Rank::Fence).await;
        let replaced = seat.replaced.clone();
        let seat = Arc::new(seat);
        let known = Known { shared: Arc::clone(&self.shared), seat: Arc::clone(&seat), told: false };
        let config = Arc::clone(&seat.config);
        let closed = tokio::select! {
            biased;
            () = replaced.cancelled() => link::Closed::Replaced,
            closed = self.converse(&config, stream, peer, Arc::clone(&seat)) => closed,
        };
        known.ends().await;
        counters.connections.fetch_sub(1, Ordering::Relaxed);
        if matches!(closed, link::Closed::Deaf) {
            Counters::count(&counters.deaf);
            Counters::count(&self.shared.counters.alarms);
            tracing::error!(link = %link.name, %peer, "alarm: the peer answers no echo: its connection is closed");
        }
        tracing::info!(link = %link.name, %peer, reason = %closed, "disconnected");
        drop(seat);
        drop(admission);
    }

    async fn converse(
        &self,
        link: &LinkConfig,
        stream: TcpStream,
        peer: SocketAddr,
        seat: Arc<Seat>,
    ) -> link::Closed {
        let places = usize::try_from(link.bounds.in_flight_max).unwrap_or(usize::MAX);
        // As many answers may wait to be written as requests may wait for one: handing one over never fails.
        // Requests of ours have places of their own.
        let (answers, outbound) = mpsc::channel(places.saturating_add(OWN_MAX));
        seat.speaks(&answers);
        let renewed = seat.renewed.clone();
        let server = stream.local_addr().unwrap_or(link.listen);
        let dialect = Arc::clone(link.profile.dialect());
        let tape = self
            .recorder
            .as_ref()
            .map(|recorder| Arc::new(recorder.connection(peer, server, dialect, link.framing)));
        let intake = LinkIntake {
            shared: Arc::clone(&self.shared),
            link: link.clone(),
            window: Arc::new(Semaphore::new(places)),
            answers,
            seat,
            tape: tape.clone(),
            unanswerable: 0,
            mirror: Mirror::new(),
        };
        let outlet = LinkOutlet { link: link.clone(), tape, mirror: Mirror::new() };
        let mut stop = self.shared.going_down.subscribe();
        let ends = async move {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => link::Closed::GoingDown,
                () = renewed.cancelled() => link::Closed::Renewed,
            }
        };
        link::serve(stream, link.framing, &link.bounds, intake, outlet, outbound, ends).await
    }
}

/// A connection that the switch knows of. However its task ends, the switch is told before the next takes its place.
struct Known {
    shared: Arc<Shared>,
    seat: Arc<Seat>,
    told: bool,
}

impl Known {
    async fn ends(mut self) {
        self.tell().await;
    }

    async fn tell(&mut self) {
        let link = self.seat.config.name;
        let _ = self.shared.lanes.send(&link, Input::Disconnected(link), Rank::Fence).await;
        self.told = true;
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        if self.told {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let mut rest = Self { shared: Arc::clone(&self.shared), seat: Arc::clone(&self.seat), told: true };
        if let Some(counters) = self.shared.counters.link(&self.seat.config.name) {
            counters.connections.fetch_sub(1, Ordering::Relaxed);
        }
        let telling = self.shared.tasks.track_future(async move { rest.tell().await });
        drop(runtime.spawn(telling));
    }
}
