//! The deterministic simulation: the real switch, desk, profile, codec and journal in a world of fake links, billers, clocks
//! and disks. One seed stands for one run, byte for byte. While faults last, what has left and what is stored must never
//! contradict each other; when they have stopped, everything must come to its end, and all books must agree.

mod acts;
mod auditor;
mod billers;
mod closing;
mod daemon;
mod deals;
mod defect;
mod dice;
mod faults;
mod file;
mod frames;
mod history;
mod keys;
mod minimise;
mod orders;
mod outage;
mod parts;
mod plan;
mod run;
mod site;
mod told;
mod totals;
mod trouble;
mod upkeep;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

pub use auditor::Violation;
pub use defect::Defect;
pub use minimise::{Minimised, minimise};
pub use plan::Plan;
use plan::{Fault, Moment, Move, Rates};
pub use run::{Found, Outcomes, Progress, Report, simulate};
pub use site::{Site, SiteError};

use crate::clock::UnixMillis;
use crate::ids::BillerCode;
use crate::journal::MemoryDisk;
use crate::switch::{LegId, Order, Outcome, SendTotals};
use auditor::{Asked, Auditor};
use billers::Biller;
use daemon::{Daemon, Input, Waiter};
use deals::Deal;
use dice::Dice;
use file::File;
use history::History;
use keys::Keyring;

/// After the faults have stopped, everything must have come to its end within this.
const LIVENESS_MS: u64 = 300_000;
/// And that about which a biller says nothing within this: seven orders, with up to five minutes between them, give or take.
const LIVENESS_OF_BAD_MS: u64 = 3_000_000;
/// More events than any run has: a run that has more goes round in circles.
const EVENTS_MAX: u64 = 400_000;
/// Wall clock of the start: 2026-11-20 09:00 in Karachi.
const FIRST_WALL_MS: u64 = 1_795_147_200_000;

/// Runs a plan.
#[must_use]
pub fn play(site: &Arc<Site>, plan: &Plan, defect: Option<Defect>, keep_history: bool) -> Outcomes {
    World::new(site, plan, defect, keep_history).run()
}

/// What is to happen at some time.
enum Happening {
    /// The plan's move of this number.
    Move(usize),
    /// An acquirer looks after a payment of its.
    Look(usize),
    /// An acquirer wants an approved payment back.
    Regret(usize),
    /// An acquirer wants this part of an approved payment back.
    WantPart(usize, usize),
    Connect(usize),
    /// A link that has not been answered its sign-on asks once more.
    SignOn(usize, u64),
    Reaches(u64, Box<Asked>, Bytes, usize),
    Returns(u64, u64, Bytes),
    /// An acquirer has answered totals of ours, and understood them or not.
    TotalsReturn(usize, u64, SendTotals, bool),
    Turn(u64),
    Commit(u64),
    /// Nothing has followed a turn that moved no money.
    Idle(u64),
    /// The sealer's next step.
    Seal(u64),
    Wake(u64),
    Arrives(Sent, u64),
    Replies(Sent, Outcome),
    Unblock(BillerCode),
    /// A biller can be reached again.
    BillerBack(usize),
    /// There is room on the disk again.
    DiskFrees,
    Start,
    Stop(u64),
    Heal,
    /// The peer of the link that has MACs looks whether its new key was taken.
    SendKey,
    /// It uses its new key from here on.
    UseKey(u64),
    /// By now everything that was owed when the faults stopped must have gone out.
    Drained,
}

/// An order on its way, or its reply.
#[derive(Clone, Debug)]
struct Sent {
    incarnation: u64,
    leg: LegId,
    biller: usize,
    order: Box<Order>,
    /// Its reply is late after that.
    due_ms: u64,
}

/// An acquirer's end of a link.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    /// The connection, by the world's count; 0 if there is none.
    connection: u64,
    /// It has been answered its sign-on.
    ready: bool,
    /// It has signed off on purpose.
    off: bool,
}

struct World<'a> {
    site: &'a Site,
    plan: &'a Plan,
    rates: Rates,
    defect: Option<Defect>,
    now_ms: u64,
    wall_ms: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    /// Happenings so far: keeps the order of those at one time.
    counter: u64,
    /// Queued happenings that are not mere timers.
    flying: u64,
    disk: MemoryDisk,
    daemon: Option<Daemon>,
    incarnations: u64,
    armed: Option<(Moment, u64)>,
    turn_queued: bool,
    /// A turn was wanted while the journal was behind.
    turn_deferred: bool,
    commit_queued: bool,
    seal_queued: bool,
    lines: Vec<Line>,
    connections: u64,
    billers: Vec<Biller>,
    deals: Vec<Deal>,
    open_deals: usize,
    /// What each request that reached the switch was for.
    requests: BTreeMap<u64, (auditor::Purpose, Option<usize>)>,
    asks: u64,
    messages: u64,
    attempts: BTreeMap<u64, u64>,
    /// For the defects that take one for another.
    waiting: Vec<Waiter>,
    outstanding: Vec<Sent>,
    auditor: Auditor,
    keyring: Keyring,
    /// The key that each request's MAC is of, for those that have one.
    seals: BTreeMap<u64, u64>,
    /// The operator's file, as last taken over.
    file: File,
    history: History,
    healed: bool,
    disk_low: bool,
    /// People have looked after what was left to them.
    resolved: bool,
}

impl<'a> World<'a> {
    fn new(site: &'a Site, plan: &'a Plan, defect: Option<Defect>, keep_history: bool) -> Self {
        let billers =
            site.billers.iter().enumerate().map(|(place, biller)| Biller::new(biller.manner, place));
        let mut world = Self {
            site,
            plan,
            rates: plan.rates.clone(),
            defect,
            now_ms: 0,
            wall_ms: FIRST_WALL_MS,
            queue: BTreeMap::new(),
            counter: 0,
            flying: 0,
            disk: MemoryDisk::new(),
            daemon: None,
            incarnations: 0,
            armed: None,
            turn_queued: false,
            turn_deferred: false,
            commit_queued: false,
            seal_queued: false,
            lines: vec![Line::default(); site.links.len()],
            connections: 0,
            billers: billers.collect(),
            deals: Vec::new(),
            open_deals: 0,
            requests: BTreeMap::new(),
            asks: 0,
            messages: 0,
            attempts: BTreeMap::new(),
            waiting: Vec::new(),
            outstanding: Vec::new(),
            auditor: Auditor::default(),
            keyring: Keyring::default(),
            seals: BTreeMap::new(),
            file: File::plain(plan.attempts_max),
            history: History::new(keep_history),
            healed: false,
            disk_low: false,
            resolved: false,
        };
        world.auditor.configured(&world.file);
        world.at(0, Happening::Start);
        for link in 0..site.links.len() {
            world.at(10, Happening::Connect(link));
        }
        for (number, (at, _)) in plan.moves.iter().enumerate() {
            world.at(*at, Happening::Move(number));
        }
        world.at(plan.heal_at_ms, Happening::Heal);
        world
    }

    fn run(mut self) -> Outcomes {
        let within_ms = if self.plan.bad_records { LIVENESS_OF_BAD_MS } else { LIVENESS_MS };
        let until = self.plan.heal_at_ms.saturating_add(within_ms);
        let mut events = 0_u64;
        while self.auditor.violation().is_none() {
            let Some(((at, _), happening)) = self.queue.pop_first() else { break };
            if at > until {
                break;
            }
            let passed = at.saturating_sub(self.now_ms);
            (self.now_ms, self.wall_ms) = (at, self.wall_ms.saturating_add(passed));
            self.auditor.at(at);
            events = events.saturating_add(1);
            if events > EVENTS_MAX {
                self.auditor.object(6, || "the run goes round in circles".to_owned());
            }
            if !is_timer(&happening) {
                self.flying = self.flying.saturating_sub(1);
            }
            self.happens(happening);
            if self.healed && self.is_over() && !self.resolves() {
                break;
            }
        }
        if self.auditor.violation().is_none() {
            self.close();
        }
        let (violation, owed) = (self.auditor.violation().cloned(), self.auditor.owed_at_heal());
        let exceptions = self.auditor.justified();
        let (parts, other_amounts) = (self.auditor.parts_given_back(), self.auditor.other_amounts());
        let (digest, history) = self.history.into_parts();
        Outcomes {
            violation,
            events,
            segments: self.disk.segments(),
            owed,
            exceptions,
            parts,
            other_amounts,
            digest,
            history,
        }
    }

    fn happens(&mut self, happening: Happening) {
        match happening {
            Happening::Move(number) => self.makes_move(number),
            Happening::Look(deal) => self.look(deal),
            Happening::Regret(deal) => self.regret(deal),
            Happening::WantPart(deal, which) => self.want_part(deal, which),
            Happening::Connect(link) => self.connect(link),
            Happening::SignOn(link, connection) => self.sign_on_again(link, connection),
            Happening::Reaches(number, asked, frame, link) => self.reaches(number, *asked, frame, link),
            Happening::TotalsReturn(link, connection, sent, understood) => {
                self.totals_return(link, connection, sent, understood);
            }
            Happening::Returns(number, connection, frame) => self.returns(number, connection, &frame),
            Happening::Turn(incarnation) if self.runs(incarnation) => self.turn(),
            Happening::Commit(incarnation) if self.runs(incarnation) => self.commit(),
            Happening::Idle(incarnation) if self.runs(incarnation) => self.idle(),
            Happening::Seal(incarnation) if self.runs(incarnation) => self.seal(),
            Happening::Wake(incarnation) if self.runs(incarnation) => self.turn_soon(0),
            Happening::Arrives(sent, nth) => self.arrives(sent, nth),
            Happening::Replies(sent, outcome) => self.replies(&sent, outcome),
            Happening::Unblock(biller) => self.unblock(biller),
            Happening::BillerBack(biller) => self.biller_back(biller),
            Happening::DiskFrees => self.disk_frees(),
            Happening::Start => self.start(),
            Happening::Stop(incarnation) if self.runs(incarnation) => self.stop(),
            Happening::SendKey => self.send_key(),
            Happening::UseKey(number) => self.use_key(number),
            Happening::Heal => self.heal(),
            Happening::Drained => self.auditor.has_drained(&self.disk),
            Happening::Turn(_)
            | Happening::Commit(_)
            | Happening::Idle(_)
            | Happening::Seal(_)
            | Happening::Wake(_)
            | Happening::Stop(_) => {}
        }
    }

    /// Whether the process of this start is the one that runs.
    fn runs(&self, incarnation: u64) -> bool {
        self.daemon.as_ref().is_some_and(|daemon| daemon.incarnation == incarnation)
    }

    /// Queues a happening.
    fn at(&mut self, at_ms: u64, happening: Happening) {
        self.counter = self.counter.saturating_add(1);
        if !is_timer(&happening) {
            self.flying = self.flying.saturating_add(1);
        }
        self.queue.insert((at_ms.max(self.now_ms), self.counter), happening);
    }

    fn after(&mut self, delay_ms: u64, happening: Happening) {
        self.at(self.now_ms.saturating_add(delay_ms), happening);
    }

    const fn wall(&self) -> UnixMillis {
        UnixMillis(self.wall_ms)
    }

    /// Dice for something that is told apart from all else by `what`.
    fn dice(&self, what: &[u64]) -> Dice {
        Dice::of(self.plan.seed, what)
    }

    /// How many times this was counted before.
    fn nth(&mut self, what: u64) -> u64 {
        let count = self.attempts.entry(what).or_default();
        let nth = *count;
        *count = count.saturating_add(1);
        nth
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        self.history.note(self.now_ms, line);
    }

    fn heal(&mut self) {
        self.note(|| "the faults stop".to_owned());
        self.healed = true;
        self.rates = Rates::default();
        self.armed = None;
        self.ends_trouble();
        let plan = self.plan;
        let within_ms = self.auditor.heals(&self.disk, |key| plan.is_bad(key));
        self.after(within_ms, Happening::Drained);
    }

    fn is_over(&self) -> bool {
        self.flying == 0 && self.open_deals == 0 && self.daemon.as_ref().is_some_and(Daemon::is_settled)
    }

    fn input(&mut self, input: Input) {
        if let Some(daemon) = &mut self.daemon {
            daemon.inbox.push(input);
            self.turn_soon(1);
        }
    }
}

/// Whether a happening only looks after something else.
const fn is_timer(happening: &Happening) -> bool {
    matches!(happening, Happening::Wake(_) | Happening::Idle(_) | Happening::SignOn(..) | Happening::Drained)
}
