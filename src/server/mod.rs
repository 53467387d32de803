//! The composition root: puts the rooms together and runs them. Tasks, bounded channels, start and shutdown live here.
//!
//! ```text
//! connection ──▶ intake ──▶ queue ──▶ engine (steps a turn) ──▶ valve (commits it) ──▶ outlet ──▶ connection
//!                                       ▲                          └──▶ adapter ──┐
//!                                       └──────────── outcome ◀───────────────────┘
//! ```

mod adapters;
mod ask;
mod book;
mod books;
mod control;
mod days;
mod disk;
mod engine;
mod exceptions;
pub mod exit;
mod hold;
mod host_keys;
mod inspect;
mod intake;
mod keys;
mod lanes;
mod listen;
mod macs;
mod peers;
mod release;
mod reload;
mod seal;
mod sync;
mod totals;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::task::TaskTracker;

pub use crate::biller::kind::AdapterError;
pub use crate::desk::Standing;
pub use book::{BookDesk, ImportError};
pub use disk::FreeBytes;
pub use keys::KeyError;
pub use reload::Reread;

use crate::biller::{Adapter, Settlement};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::ids::{BillerCode, BusinessDate, LinkName};
use crate::journal::{self, JournalError, Store, Valve, Writer};
use crate::switch::{Operation, Switch};
use crate::telemetry::Counters;
use crate::telemetry::recorder::RecorderHandle;
use crate::vault::Vault;
use ask::Input;
use disk::Room;
use engine::Inputs;
use lanes::Lanes;
use macs::Macs;
use peers::Peers;

/// Turns that may wait for the valve: one is committed while the next waits, so that the engine never runs far ahead.
const TURNS_WAITING_MAX: usize = 2;

/// Billers' answers and operators' words that may wait for the engine. An order has one answer, so that this many orders
/// would have to be answered while one turn is stepped.
const URGENT_MAX: usize = 65_536;

/// Why the switch could not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The store.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// A port could not be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The control socket could not be made.
    #[error("cannot make the control socket {}: {source}", path.display())]
    Control {
        /// Its path.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A department on a wire.
    #[error("biller {biller}: {source}")]
    Adapter {
        /// Which.
        biller: BillerCode,
        /// Why not.
        source: AdapterError,
    },
    /// The engine's thread could not be made.
    #[error("cannot start the engine: {0}")]
    Engine(std::io::Error),
}

impl StartError {
    /// Whether it is the system that refuses for now (a disk that is full or does not read, too many open files): nothing is
    /// wrong with the store or the configuration, and a later start may go well. That a file is not there or not ours is no
    /// such thing.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        let stays = [
            ErrorKind::NotFound,
            ErrorKind::PermissionDenied,
            ErrorKind::NotADirectory,
            // A file of text that is none.
            ErrorKind::InvalidData,
        ];
        let source = match self {
            Self::Journal(JournalError::Io { source, .. })
            | Self::Keys(KeyError::File { source, .. })
            | Self::Control { source, .. }
            | Self::Engine(source) => source,
            Self::Journal(_) | Self::Keys(_) | Self::Listen { .. } | Self::Adapter { .. } => return false,
        };
        !stays.contains(&source.kind())
    }
}

/// What is not in the configuration.
#[derive(Default)]
pub struct Extras {
    /// Billers that are reached over a wire, by code: they take the place of the configured adapter.
    pub adapters: BTreeMap<BillerCode, Arc<dyn Adapter>>,
    /// Where traffic is recorded, if it is.
    pub recorder: Option<RecorderHandle>,
    /// Says how many bytes are free in the store's file system, if not the file system itself.
    pub free_bytes: Option<FreeBytes>,
    /// Reads the configuration again for a reload, if there can be one.
    pub reread: Option<Reread>,
}

/// What every part of a running switch shares.
struct Shared {
    config: Config,
    counters: Counters,
    store: Store,
    started: jiff::Timestamp,
    /// Connections end when this turns true.
    going_down: watch::Sender<bool>,
    /// An operator asked for a drain.
    drain_asked: watch::Sender<bool>,
    vault: Arc<Vault>,
    /// Departments on a wire.
    adapters: adapters::Adapters,
    /// Requests and connections, to the engine.
    lanes: Lanes<Input>,
    clock: SystemClock,
    /// Billers' answers and the operator's words, to the engine.
    urgent: mpsc::Sender<Input>,
    /// The links' MAC keys.
    macs: Arc<Macs>,
    /// What the engine is to know of the world outside.
    signals: watch::Sender<Signals>,
    /// The connections of each link, and its configuration as it is in force.
    peers: Arc<Peers>,
    reread: Option<Reread>,
    /// Where departments' money goes; a reload puts others in their place.
    settlements: Mutex<BTreeMap<BillerCode, Settlement>>,
    /// One reload after the other.
    reloading: tokio::sync::Mutex<()>,
    /// One reading of the whole journal at a time.
    verifying: tokio::sync::Mutex<()>,
    /// Everything that runs on the runtime; a drain waits for its end, so that the store is let go.
    tasks: TaskTracker,
}

/// What the engine is to know of the world outside: the latest of each, so that no flood of news needs room.
#[derive(Clone, Debug, Default)]
struct Signals {
    /// Of each biller whose adapter has said so: whether it can be reached, and how often that was said.
    reachable: BTreeMap<BillerCode, (bool, u64)>,
    /// Room in the store's file system.
    room: Room,
}

/// A running switch.
pub struct Server {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    engine: Option<std::thread::JoinHandle<Valve<release::Release>>>,
}

/// The path of a store's control socket.
#[must_use]
pub fn control_socket(store: &std::path::Path) -> PathBuf {
    store.join("control.sock")
}

impl Server {
    /// Opens the store, takes up what was open in it, and serves.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing is served then.
    pub async fn start(config: Config, extras: Extras) -> Result<Self, StartError> {
        let (store, mut writer, unchecked) =
            journal::open_unchecked(&config.store, &journal::Options::default())?;
        let checked = hold::check(unchecked)?;
        let first_date = || config.business_date.unwrap_or_else(|| today(&config.time_zone));
        let standing = Standing::load(&store, first_date)?;
        let vault = Arc::new(keys::open(&config, &store, &mut writer)?);
        let clock = SystemClock::start();
        let macs = Arc::new(Macs::open(&config, &vault, &store, clock)?);
        let listeners = listen::bind(&config)?;
        let control = control::bind(&config)?;
        let (lanes, requests) =
            lanes::lanes(config.links.iter().map(|link| link.name), config.limits.queue_max);
        let free = extras.free_bytes.clone().unwrap_or_else(|| disk::of_directory(config.store.clone()));
        let room = Room::default().after(free(), config.limits.disk_low_bytes);
        let (urgent, urgent_inputs) = mpsc::channel(URGENT_MAX);
        let today = today(&config.time_zone);
        if standing.date != today {
            tracing::warn!(business_date = %standing.date, %today, "the business date is not the calendar's: `billswitch ctl cutover` moves it");
        }
        let switch = new_switch(&config, &extras, &standing).numbering_from(store.next_sequence());
        let switch = standing.resume(switch, clock.now().wall);
        let (going_down, drain_asked) = (watch::Sender::new(false), watch::Sender::new(false));
        let hosting = adapters::Hosting {
            urgent: urgent.clone(),
            macs: Arc::clone(&macs),
            vault: Arc::clone(&vault),
            stop: going_down.subscribe(),
        };
        let adapters = adapters::adapters(&config, extras.adapters, clock, &hosting)
            .map_err(|(biller, source)| StartError::Adapter { biller, source })?;
        let counters = Counters::new(
            config.links.iter().map(|link| link.name),
            config.billers.iter().map(|biller| biller.code),
        );
        let started = jiff::Timestamp::now();
        let peers = Arc::new(Peers::new(&config, Arc::clone(&macs)));
        let settlements = Mutex::new(reload::settlements(&config));
        let shared = Arc::new(Shared {
            config,
            counters,
            store,
            started,
            going_down,
            drain_asked,
            vault,
            adapters,
            lanes,
            clock,
            urgent,
            macs,
            signals: watch::Sender::new(Signals { room, ..Signals::default() }),
            peers,
            reread: extras.reread,
            settlements,
            reloading: tokio::sync::Mutex::new(()),
            verifying: tokio::sync::Mutex::new(()),
            tasks: TaskTracker::new(),
        });
        let valve = start_valve(&shared, writer)?;
        let engine = engine::Engine::new(Arc::clone(&shared), switch, standing, valve);
        let engine = engine::run(engine, Inputs { requests, urgent: urgent_inputs }, checked)?;
        let recorder = extras.recorder.clone();
        let addresses = listen::serve(&shared, listeners, extras.recorder);
        control::serve(&shared, control);
        shared.tasks.spawn(disk::watch(Arc::clone(&shared), free, recorder));
        seal::serve(&shared);
        sync::watch(&shared.store).map_err(StartError::Engine)?;
        Ok(Self { shared, addresses, engine: Some(engine) })
    }

    /// Where each link is listened for, in the order of the configuration.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Each link with where it is listened for.
    pub fn listening(&self) -> impl Iterator<Item = (LinkName, SocketAddr)> + '_ {
        self.shared.config.links.iter().map(|link| link.name).zip(self.addresses.iter().copied())
    }

    /// Waits until an operator asks for a drain.
    pub async fn drain_asked(&self) {
        let mut asked = self.shared.drain_asked.subscribe();
        // The sender lives as long as `self`.
        let _ = asked.wait_for(|asked| *asked).await;
    }

    /// Reads the configuration again and takes over what can be, whole or not at all.
    ///
    /// # Errors
    ///
    /// Why the old one is kept.
    pub async fn reload(&self) -> Result<String, String> {
        self.shared.reload().await
    }

    /// Refuses new work, finishes or stores what is in flight, and stops. What a biller has not answered within the
    /// configured time stays in the store and is taken up at the next start.
    pub async fn drain(mut self) {
        let patience = self.shared.config.limits.drain_timeout;
        self.shared.drain_asked.send_replace(true);
        let _ = self.shared.urgent.try_send(Input::Operate(Operation::Drain, None));
        let waiting = tokio::time::timeout(patience, self.settled());
        if waiting.await.is_err() {
            tracing::warn!(
                "the drain timeout passed with payments open: they are in the store and are taken up at the next start"
            );
        }
        self.shared.going_down.send_replace(true);
        let _ = self.shared.urgent.try_send(Input::Stop);
        let _ = std::fs::remove_file(control_socket(&self.shared.config.store));
        if let Some(engine) = self.engine.take() {
            let closing = move || {
                if let Ok(valve) = engine.join() {
                    valve.close();
                }
            };
            if tokio::time::timeout(patience, tokio::task::spawn_blocking(closing)).await.is_err() {
                tracing::error!(
                    "the journal could not be closed in time: what it has acknowledged is on disk"
                );
            }
        }
        self.shared.tasks.close();
        let ending = tokio::time::timeout(patience, self.shared.tasks.wait());
        if ending.await.is_err() {
            tracing::warn!("a connection did not take its last answers in time");
        }
    }

    /// Waits until nothing is open and every request has its answer.
    async fn settled(&self) {
        let (done, settled) = oneshot::channel();
        if self.shared.urgent.send(Input::WhenSettled(done)).await.is_ok() {
            let _ = settled.await;
        }
    }
}

impl Drop for Server {
    /// A server that is let go without a drain ends as well; what was open is taken up at the next start.
    fn drop(&mut self) {
        if self.engine.is_some() {
            self.shared.drain_asked.send_replace(true);
            self.shared.going_down.send_replace(true);
            let _ = self.shared.urgent.try_send(Input::Stop);
        }
    }
}

/// Today's date where the department is.
fn today(zone: &jiff::tz::TimeZone) -> BusinessDate {
    BusinessDate::new(jiff::Timestamp::now().to_zoned(zone.clone()).date())
}

fn new_switch(config: &Config, extras: &Extras, standing: &Standing) -> Switch {
    let billers = config.billers.iter().map(|biller| {
        let mut terms = biller.terms.clone();
        if extras.adapters.contains_key(&biller.code) {
            terms.embedded = false;
            terms.looks_up_first = terms.rules.need_the_bill();
        }
        terms
    });
    let links = config.links.iter().map(|link| link.terms);
    Switch::new(links, billers, standing.blocked.iter().copied(), standing.date)
}

fn start_valve(shared: &Arc<Shared>, writer: Writer) -> Result<Valve<release::Release>, JournalError> {
    for (code, adapter) in &shared.adapters {
        let (shared, code) = (Arc::downgrade(shared), *code);
        adapter.start(Arc::new(move |up| {
            let Some(shared) = shared.upgrade() else { return };
            shared.signals.send_modify(|signals| {
                let (now, times) = signals.reachable.entry(code).or_default();
                (*now, *times) = (up, times.saturating_add(1));
            });
        }));
    }
    let releasing = release::Releasing::new(Arc::clone(shared));
    let fail = move |error: JournalError| {
        exit::journal_failed(
            || tracing::error!(%error, "the journal failed: nothing leaves any more, the process ends"),
        );
    };
    Valve::start(writer, TURNS_WAITING_MAX, move |release| releasing.release(release), fail)
}
