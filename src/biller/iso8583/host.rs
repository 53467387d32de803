//! One host: its connections, and what has left by them.

use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::awaited::Awaiting;
use super::talk::Outgoing;
use super::{HostKeys, Sending, line};
use crate::biller::{Reply, Signal};
use crate::bounds::HostBounds;
use crate::clock::{SystemClock, Ticks};
use crate::iso8583::{Decoded, Framing};
use crate::profile::{Own, Profile};
use crate::switch::Order;
use crate::vault::MacKey;

/// How often what is overdue is looked for.
const OVERDUE_EVERY: Duration = Duration::from_millis(100);

/// How long it is before another answer that nothing awaits is handed over to be journalled: a host that sends them without
/// end fills no journal.
const UNASKED_EVERY_MS: u64 = 100;

/// Takes an answer that nothing awaits, to be journalled and told as an alarm.
pub type Unasked = Arc<dyn Fn(&Decoded<'_, '_>) + Send + Sync>;

/// How a host is reached.
pub struct HostSettings {
    /// What people call it.
    pub name: String,
    /// Host name or address, and port.
    pub address: String,
    /// The address that it is dialled from; the system's choice if none.
    pub source: Option<IpAddr>,
    /// What is said, and what its answers mean; with an outward side.
    pub profile: Arc<Profile>,
    /// How frames stand on a connection.
    pub framing: Framing,
    /// What it knows us by.
    pub own: Own,
    /// What messages get their MACs by, and answers are judged by; none if they have none.
    pub keys: Option<Arc<dyn HostKeys>>,
    /// Where the switch is: local times are told in it.
    pub zone: jiff::tz::TimeZone,
    /// Bounds.
    pub bounds: HostBounds,
    /// Where an answer goes that comes after the order's place has been given back.
    pub late: Reply,
    /// Where an answer goes that nothing awaits, ten a second at most; the others are only counted.
    pub unasked: Unasked,
    /// Everything ends when this turns true.
    pub stop: watch::Receiver<bool>,
}

/// How the way to a host is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HostHealth {
    /// Connections that are signed on.
    pub signed_on: usize,
    /// Orders whose answers are awaited in time.
    pub in_flight: usize,
    /// Answers that were to nothing that was awaited: twice, to something else, or much too late.
    pub unasked: u64,
    /// Messages without a MAC where one is due, or with a wrong one: they may be anybody's, and nothing is taken from them.
    pub mac_refused: u64,
    /// Check value of the MAC key in use; empty if there is none.
    pub mac_key: String,
    /// Frames whose message type or trace number cannot be read: nothing can be done about them, and so many in a row end a
    /// connection.
    pub unreadable: u64,
    /// What went wrong last, and when.
    pub last_error: Option<(String, crate::clock::UnixMillis)>,
}

/// A department's host, and the connections to it.
pub struct Host {
    pub(super) shared: Arc<Shared>,
}

/// What the connections share.
pub(super) struct Shared {
    pub(super) settings: HostSettings,
    clock: SystemClock,
    /// Where orders go in, a connection that is signed on.
    lines: Vec<Mutex<Option<mpsc::Sender<Outgoing>>>>,
    signed_on: AtomicUsize,
    awaiting: Mutex<Awaiting>,
    /// Numbers of messages about no payment.
    numbers: AtomicU64,
    /// Numbers of connections.
    connections: AtomicU64,
    unasked: AtomicU64,
    /// When the next of them may be handed over.
    unasked_from: Mutex<Ticks>,
    mac_refused: AtomicU64,
    unreadable: AtomicU64,
    last_error: Mutex<Option<(String, crate::clock::UnixMillis)>>,
    told: Mutex<Vec<Signal>>,
}

impl Host {
    /// Begins to connect, and goes on until [`HostSettings::stop`] turns true.
    #[must_use]
    pub fn start(settings: HostSettings, runtime: &Handle) -> Arc<Self> {
        let clock = SystemClock::start();
        let connections = settings.bounds.connections;
        let stop = settings.stop.clone();
        let shared = Arc::new(Shared {
            settings,
            clock,
            lines: (0..connections).map(|_| Mutex::new(None)).collect(),
            signed_on: AtomicUsize::new(0),
            awaiting: Mutex::new(Awaiting::default()),
            // Not the numbers of the process before this one, whose answers may still come.
            numbers: AtomicU64::new(clock.now().wall.0),
            connections: AtomicU64::new(0),
            unasked: AtomicU64::new(0),
            unasked_from: Mutex::new(Ticks::default()),
            mac_refused: AtomicU64::new(0),
            unreadable: AtomicU64::new(0),
            last_error: Mutex::new(None),
            told: Mutex::new(Vec::new()),
        });
        for slot in 0..connections {
            runtime.spawn(line::keep(Arc::clone(&shared), slot, stop.clone()));
        }
        runtime.spawn(Arc::clone(&shared).give_places_back(stop));
        Arc::new(Self { shared })
    }

    /// Tells `signal` how it is, and from now on when that changes.
    pub fn on_reach(&self, signal: Signal) {
        let mut told = lock(&self.shared.told);
        signal(self.shared.signed_on.load(Ordering::SeqCst) > 0);
        told.push(signal);
    }

    /// Waits until it is signed on.
    pub async fn signed_on(&self) {
        let (told, mut up) = watch::channel(false);
        self.on_reach(Arc::new(move |reach| {
            told.send_replace(reach);
        }));
        let _ = up.wait_for(|up| *up).await;
    }

    /// How the way to it is.
    #[must_use]
    pub fn health(&self) -> HostHealth {
        HostHealth {
            signed_on: self.shared.signed_on.load(Ordering::SeqCst),
            in_flight: self.shared.awaiting().live(),
            unasked: self.shared.unasked.load(Ordering::Relaxed),
            mac_refused: self.shared.mac_refused.load(Ordering::Relaxed),
            unreadable: self.shared.unreadable.load(Ordering::Relaxed),
            mac_key: self.shared.key().map_or_else(String::new, |key| key.check_value().to_string()),
            last_error: lock(&self.shared.last_error).clone(),
        }
    }

    pub(super) fn ticks(&self) -> Ticks {
        self.shared.ticks()
    }

    pub(super) fn submit(&self, sending: Sending) {
        self.shared.submit(sending);
    }
}

impl Shared {
    /// Hands an order to a connection; it says itself that it was not sent, if there is none or no room. Orders about one
    /// payment keep to one connection as long as it is up, and so to their order.
    pub(super) fn submit(&self, sending: Sending) {
        let lines = self.lines.len();
        let first = pick(&sending.order).checked_rem(u64::try_from(lines).unwrap_or(1)).unwrap_or(0);
        let first = usize::try_from(first).unwrap_or(0);
        for line in self.lines.iter().cycle().skip(first).take(lines) {
            if let Some(line) = &*lock(line) {
                // What does not go in is let go, and says so.
                let _ = line.try_send(Outgoing::Order(Mutex::new(Some(sending))));
                return;
            }
        }
    }
}

fn pick(order: &Order) -> u64 {
    match order {
        Order::LookUp(bill) => {
            std::hash::BuildHasherDefault::<std::hash::DefaultHasher>::default().hash_one(&bill.consumer)
        }
        Order::Post { payment, .. } | Order::Reverse { payment, .. } => payment.trace,
    }
}

impl Shared {
    pub(super) fn ticks(&self) -> Ticks {
        self.clock.now().ticks
    }

    pub(super) fn wall(&self) -> crate::clock::UnixMillis {
        self.clock.now().wall
    }

    pub(super) fn awaiting(&self) -> MutexGuard<'_, Awaiting> {
        lock(&self.awaiting)
    }

    /// The key that is in use.
    pub(super) fn key(&self) -> Option<Arc<MacKey>> {
        self.settings.keys.as_ref()?.current()
    }

    pub(super) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    /// An answer that nothing awaits is matched with nothing.
    pub(super) fn unasked(&self, decoded: &Decoded<'_, '_>) {
        self.unasked.fetch_add(1, Ordering::Relaxed);
        self.tell_unasked(decoded);
    }

    /// A message that may be anybody's.
    pub(super) fn mac_refused(&self, decoded: &Decoded<'_, '_>) {
        self.mac_refused.fetch_add(1, Ordering::Relaxed);
        if decoded.message.mti().is_response() {
            self.tell_unasked(decoded);
        }
    }

    /// A frame that nobody can do anything about.
    pub(super) fn unreadable(&self) {
        self.unreadable.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(host = %self.settings.name, "a frame without a message type or a trace number");
        self.note("a frame came without a message type or a trace number that can be read".to_owned());
    }

    fn tell_unasked(&self, decoded: &Decoded<'_, '_>) {
        let now = self.ticks();
        let mut from = lock(&self.unasked_from);
        if *from <= now {
            *from = now.after_ms(UNASKED_EVERY_MS);
            (self.settings.unasked)(decoded);
        }
    }

    pub(super) fn note(&self, what: String) {
        *lock(&self.last_error) = Some((what, self.wall()));
    }

    /// Opens a connection for orders, or closes it for them.
    pub(super) fn set_line(&self, slot: usize, sender: Option<mpsc::Sender<Outgoing>>) {
        let Some(line) = self.lines.get(slot) else { return };
        // Told under this lock, so that the last word is the last.
        let told = lock(&self.told);
        let (was, is) = {
            let mut line = lock(line);
            let was = line.is_some();
            *line = sender;
            (was, line.is_some())
        };
        let change = match (was, is) {
            (false, true) => (self.signed_on.fetch_add(1, Ordering::SeqCst) == 0).then_some(true),
            (true, false) => (self.signed_on.fetch_sub(1, Ordering::SeqCst) == 1).then_some(false),
            (true, true) | (false, false) => None,
        };
        if let Some(up) = change {
            told.iter().for_each(|signal| signal(up));
        }
    }

    /// Gives back the places of orders that are overdue.
    async fn give_places_back(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut often = tokio::time::interval(OVERDUE_EVERY);
        loop {
            tokio::select! {
                _ = often.tick() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            let overdue = self.awaiting().overdue(self.ticks());
            // Let go outside of the lock: a place that is given back may have a say of its own.
            drop(overdue);
        }
    }
}

/// Nothing in here panics half-way.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
