//! The process under test: the real switch at its real desk, in front of the real journal. Only its threads are missing:
//! the world says when a turn ends and when it is committed.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::defect::Defect;
use super::file::File;
use super::keys::{ALGORITHM, SEALED, WINDOW_MS, key_file};
use super::plan::Plan;
use super::site::Site;
use crate::biller::book::BookError;
use crate::clock::{Now, Ticks, UnixMillis};
use crate::desk::{self, Core, KeyText, Leaving, LinkMac, Standing};
use crate::ids::{LinkName, PaymentKey};
use crate::iso8583::{Mirror, decode};
use crate::journal::{
    JournalError, MemoryDisk, Sealer, Sluice, Step, Store, Turn, Unloading, Write, ledger, open_memory,
};
use crate::switch::{Ask, BillerTerms, Event, LegId, NewKeys, Operation, Outcome, Resolution, Stray, Switch};
use crate::vault::{MacKey, VaultError};

/// Turns that may wait for the journal, as in the server.
const TURNS_WAITING_MAX: usize = 2;

/// Who waits for an answer.
#[derive(Clone, Debug)]
pub(super) struct Waiter {
    /// The request, by the world's count.
    pub(super) number: u64,
    pub(super) connection: u64,
    pub(super) frame: Bytes,
    /// The answer is sealed with this key.
    pub(super) key: Option<Arc<MacKey>>,
}

/// Something for the daemon to take in with its next turn.
#[derive(Debug)]
pub(super) enum Input {
    Asked(Box<Ask>, Waiter),
    Connected(LinkName),
    Disconnected(LinkName),
    Unasked(Box<Stray>),
    Replied(LegId, Outcome),
    Operate(Operation),
    /// News of the world outside.
    Outside(Event),
    Resolve(PaymentKey, Resolution),
    Unload(Unloading),
}

/// A process, from its start to its end.
pub(super) struct Daemon {
    /// Which start it is.
    pub(super) incarnation: u64,
    core: Core<Waiter>,
    store: Store,
    sluice: Sluice<Leaving<Waiter>>,
    queue: VecDeque<(Turn, Leaving<Waiter>)>,
    sealer: Sealer,
    /// Of the one link whose messages have MACs.
    mac: LinkMac,
    /// Turns handed to the journal.
    handed: u64,
    /// How many of them must be committed before the sealer goes on; none while they wait to be handed over.
    unloaded: Option<u64>,
    pub(super) inbox: Vec<Input>,
    started_ms: u64,
    /// When it wants to be woken, by the world's time.
    pub(super) wake_at_ms: Option<u64>,
    defect: Option<Defect>,
}

impl Daemon {
    /// Opens the store and takes up what was open in it.
    pub(super) fn start(
        site: &Site,
        disk: &MemoryDisk,
        (plan, file): (&Plan, &File),
        incarnation: u64,
        now_ms: u64,
        wall: UnixMillis,
        defect: Option<Defect>,
    ) -> Result<Self, JournalError> {
        let (store, writer) = open_memory(disk)?;
        let now = Now { ticks: Ticks(0), wall };
        let standing = Standing::load(&store, Site::first_date)?;
        let blocked = standing.blocked.iter().copied();
        let mac = open_keys(site, &store, (plan.seed, defect), now)?;
        let hurries = defect == Some(Defect::ForwardAtOnce);
        let terms = site.biller_terms(file).into_iter();
        let terms = terms.map(|terms| if hurries { at_once(terms) } else { terms });
        let gives_up = defect == Some(Defect::GiveUpAtOnce);
        let terms = terms.map(|terms| BillerTerms {
            attempts_max: if gives_up { 1 } else { terms.attempts_max },
            ..terms
        });
        let anew = defect == Some(Defect::NumberFromOne);
        let switch = Switch::new(site.link_terms(file), terms, blocked, standing.date)
            .numbering_from(if anew { 1 } else { store.next_sequence() });
        let switch = standing.resume(switch, wall);
        let mut core = Core::new(store.clone(), switch, &standing, Box::new(|_| ()));
        if store.next_sequence() == 1 {
            import(site, &mut core)?;
        }
        if defect != Some(Defect::SkipRecovery) {
            core.recover(now, &store)?;
        }
        Ok(Self {
            incarnation,
            core,
            mac,
            sealer: Sealer::new(&store, plan.sealing),
            store,
            sluice: Sluice::new(writer),
            queue: VecDeque::new(),
            handed: 0,
            unloaded: Some(0),
            inbox: Vec::new(),
            started_ms: now_ms,
            wake_at_ms: None,
            defect,
        })
    }

    /// Both clocks: the one for deadlines begins with the process.
    const fn now(&self, now_ms: u64, wall: UnixMillis) -> Now {
        Now { ticks: Ticks(now_ms.saturating_sub(self.started_ms)), wall }
    }

    /// What a frame asks for, and what its answer is sealed with; none if nobody could be answered.
    pub(super) fn read(
        &self,
        site: &Site,
        link: usize,
        frame: &Bytes,
        (now_ms, wall): (u64, UnixMillis),
    ) -> Option<(Ask, Option<Arc<MacKey>>)> {
        let mut mirror = Mirror::new();
        let decoded = decode(site.profile.dialect(), frame, &mut mirror);
        let name = site.links.get(link).copied().unwrap_or_default();
        let ask = desk::read(&site.profile, &site.vault, name, &decoded).ok()?;
        if link != SEALED {
            return Some((ask, None));
        }
        let mut judged = ask.clone();
        let by = (&site.profile, site.profile.dialect().framing(), &site.vault);
        let (key, refused) = self.mac.judge(by, &decoded, &mut judged, self.now(now_ms, wall));
        let taken = refused.is_some() && self.defect == Some(Defect::AcceptAnyMac);
        Some((if taken { ask } else { judged }, key))
    }

    /// Takes a link's new key into use.
    pub(super) fn install(
        &mut self,
        site: &Site,
        link: &LinkName,
        keys: &NewKeys,
        now_ms: u64,
    ) -> Result<(), VaultError> {
        let now = self.now(now_ms, UnixMillis(0));
        self.mac.install(link, &site.vault, keys, now.ticks)
    }

    /// What is written down of a frame that answers what nobody asked; none if it is no answer.
    pub(super) fn stray(site: &Site, link: LinkName, frame: &Bytes) -> Option<Stray> {
        let mut mirror = Mirror::new();
        let decoded = decode(site.profile.dialect(), frame, &mut mirror);
        let answer = site.profile.answers(&decoded.message).is_some();
        answer.then(|| desk::stray(&site.profile, &site.vault, link, &decoded))
    }

    /// Whether another turn must wait for the journal.
    pub(super) fn is_behind(&self) -> bool {
        self.queue.len() >= TURNS_WAITING_MAX
    }

    /// Steps through what is ready and hands the turn over. Gives what leaves at once, which is nothing unless something
    /// is wrong with it.
    pub(super) fn turn(&mut self, now_ms: u64, wall: UnixMillis) -> Result<Leaving<Waiter>, JournalError> {
        let now = self.now(now_ms, wall);
        let due = self.core.switch.next_deadline().is_some_and(|at| at <= now.ticks);
        for input in std::mem::take(&mut self.inbox) {
            match input {
                Input::Asked(ask, waiter) => self.core.asked(now, *ask, waiter)?,
                Input::Connected(link) => self.core.connected(now, link)?,
                Input::Disconnected(link) => self.core.disconnected(now, link)?,
                Input::Unasked(stray) => self.core.step(now, Event::Unasked(stray))?,
                Input::Replied(leg, outcome) => {
                    self.core.step(now, Event::BillerReplied { leg, outcome })?;
                }
                Input::Resolve(key, resolution) => {
                    let Some(seen) = ledger::find(&self.store, &key)? else { continue };
                    // That it may not be resolved so is an answer like any other.
                    let _refused =
                        self.core.resolve(now, &seen, resolution, "the department's list".into())?;
                }
                Input::Outside(Event::DiskLow(_)) if self.defect == Some(Defect::IgnoreDisk) => {}
                Input::Outside(event) => self.core.step(now, event)?,
                Input::Operate(operation) => self.core.step(now, Event::Operator(operation))?,
                Input::Unload(mut unloading) => {
                    if self.defect == Some(Defect::LetGoOfOwed) {
                        let owed = unloading.carry_over.drain(..);
                        let keys = owed.map(|key| [b"T", key.as_bytes()].concat());
                        self.core.desk.unload(keys.map(|key| Write::Delete { key }).collect());
                    }
                    // This disk reads what is on it.
                    self.core.unload(now, unloading)??;
                }
            }
        }
        if due {
            self.core.step(now, Event::DeadlinePassed)?;
        }
        let next = self.core.switch.next_deadline();
        self.wake_at_ms = next.map(|at| self.started_ms.saturating_add(at.0));
        let (turn, mut leaving) = self.core.take_turn(self.sluice.committed());
        let mut early = Leaving::default();
        if turn.is_some() || !leaving.is_empty() {
            let mut turn = turn.unwrap_or_else(|| self.core.desk.empty_turn());
            self.spoil(&mut turn);
            match self.defect {
                Some(Defect::AnswerBeforeCommit) => early.answers = std::mem::take(&mut leaving.answers),
                Some(Defect::OrderBeforeIntent) => early.orders = std::mem::take(&mut leaving.orders),
                Some(_) | None => {}
            }
            self.queue.push_back((turn, leaving));
            self.handed = self.handed.saturating_add(1);
        }
        self.unloaded = self.unloaded.or(Some(self.handed));
        Ok(early)
    }

    /// The defects that lie between the desk and the journal.
    fn spoil(&self, turn: &mut Turn) {
        let drop_tag = |turn: &mut Turn, tags: &[u8]| {
            turn.writes.retain(|write| match write {
                Write::Put { key, value } => {
                    key.first() != Some(&b'T') || !value.first().is_some_and(|tag| tags.contains(tag))
                }
                Write::Delete { .. } | Write::DeleteIf { .. } | Write::Forget { .. } => true,
            });
        };
        match self.defect {
            Some(Defect::LetGoOfNewer) => {
                for write in &mut turn.writes {
                    if let Write::DeleteIf { key, .. } = write {
                        *write = Write::Delete { key: std::mem::take(key) };
                    }
                }
            }
            Some(Defect::CommitWithoutSync) => turn.moves_money = false,
            Some(Defect::ForgetWhatIsDue) => turn.writes.retain(|write| match write {
                Write::Put { key, .. } => key.first() != Some(&b'D'),
                Write::Delete { .. } | Write::DeleteIf { .. } | Write::Forget { .. } => true,
            }),
            Some(Defect::DropTombstone) => drop_tag(turn, b"F"),
            Some(Defect::DropException) => drop_tag(turn, b"X"),
            Some(Defect::ForgetOutcomes) => drop_tag(turn, b"PN"),
            Some(Defect::ForgetKeys) => turn.writes.retain(|write| match write {
                Write::Put { key, .. } => !key.starts_with(b"Omac"),
                Write::Delete { .. } | Write::DeleteIf { .. } | Write::Forget { .. } => true,
            }),
            Some(Defect::ForgetTotals) => turn.writes.retain(|write| match write {
                Write::Put { key, .. } => !key.starts_with(b"Ototals"),
                Write::Delete { .. } | Write::DeleteIf { .. } | Write::Forget { .. } => true,
            }),
            Some(_) | None => {}
        }
    }

    /// Takes the next step of sealing; says whether another is to follow by itself.
    pub(super) fn seal(&mut self) -> Result<bool, JournalError> {
        if self.unloaded.is_none_or(|turns| turns > self.sluice.committed()) {
            return Ok(false);
        }
        match self.sealer.step(self.core.switch.date())? {
            Step::Idle => Ok(false),
            Step::Again => Ok(true),
            Step::Unload(unloading) => {
                self.unloaded = None;
                self.inbox.push(Input::Unload(unloading));
                Ok(false)
            }
        }
    }

    /// Whether something waits for the journal.
    pub(super) fn has_turns(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether what waits for the journal moves money.
    pub(super) fn moves_money(&self) -> bool {
        self.queue.iter().any(|(turn, _)| turn.moves_money)
    }

    /// Commits a group of what waits, and gives what may leave now.
    pub(super) fn commit(&mut self) -> Result<Vec<Leaving<Waiter>>, JournalError> {
        while let Some((turn, leaving)) = self.queue.pop_front() {
            if let Err(full) = self.sluice.take(turn, leaving) {
                self.queue.push_front(full);
                break;
            }
        }
        let mut released = Vec::new();
        self.sluice.commit(&mut |leaving| released.push(leaving))?;
        Ok(released)
    }

    /// Makes durable what was let out unsynced.
    pub(super) fn sync(&mut self) -> Result<(), JournalError> {
        self.sluice.sync()
    }

    /// Whether nothing is open, nobody waits, and nothing is on its way to the journal.
    pub(super) fn is_settled(&self) -> bool {
        self.queue.is_empty()
            && self.inbox.is_empty()
            && self.core.switch.open_count() == 0
            && self.core.waiting() == 0
            && self.core.switch.totals_owed() == 0
    }

    /// What is still to be done, in words; to be asked when it is not settled.
    pub(super) fn unsettled(&self) -> String {
        format!(
            "the switch has {} open, {} wait for an answer, {} turns for the journal and {} events for a turn",
            self.core.switch.open_count(),
            self.core.waiting(),
            self.queue.len(),
            self.inbox.len()
        )
    }

    /// How much is open.
    pub(super) fn open_count(&self) -> usize {
        self.core.switch.open_count()
    }

    /// The business date, as the process has it.
    pub(super) fn date(&self) -> crate::ids::BusinessDate {
        self.core.switch.date()
    }

    pub(super) const fn store(&self) -> &Store {
        &self.store
    }
}

/// A defect: terms by which there is no pace.
fn at_once(terms: BillerTerms) -> BillerTerms {
    BillerTerms { forward_in_flight_max: 1_000, forward_per_second: 1_000_000, ..terms }
}

/// The keys of the link whose messages have MACs.
fn open_keys(
    site: &Site,
    store: &Store,
    (seed, defect): (u64, Option<Defect>),
    now: Now,
) -> Result<LinkMac, JournalError> {
    let link = site.links.get(SEALED).copied().unwrap_or_default();
    let stored = Standing::keys_of(store, &link)?;
    let window_ms = if defect == Some(Defect::OldKeyForEver) { 3_600_000 } else { WINDOW_MS };
    let broken = |_: VaultError| JournalError::Leg { sequence: None };
    let text = key_file(seed).map_err(broken)?;
    let key = KeyText { file: "the key file", text: &text };
    LinkMac::open(&link, key, (ALGORITHM, window_ms), &site.vault, stored.as_deref(), now).map_err(broken)
}

/// Fills the book of a new store, in the first turn.
fn import(site: &Site, core: &mut Core<Waiter>) -> Result<(), JournalError> {
    let Some(book) = site.billers.first() else { return Ok(()) };
    match desk::import_rows(&mut core.desk, book.code, Site::rows(), UnixMillis(0)) {
        Ok(_) => Ok(()),
        Err(BookError::Store(error)) => Err(error),
        Err(BookError::Damaged { .. }) => Err(JournalError::Leg { sequence: None }),
    }
}
