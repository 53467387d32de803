//! What goes out on a connection, and what comes in.

use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use tokio::sync::{mpsc, watch};

use super::host::{Shared, lock};
use super::{Department, Sending};
use crate::clock::UnixMillis;
use crate::iso8583::{Decoded, Message, Mirror, Seal, decode};
use crate::link::{Closed, Intake, Outlet};
use crate::profile::{Asked, Facts, Identity, Marks, Say};
use crate::switch::{Answer, CONTRADICTION_MS, Digest, Order, Outcome, Reason, Request};
use crate::vault::{MacKey, MacVerdict, with_seal};

/// How long an order may wait to be written: later it is better not sent at all.
const UNSENT_MS: u64 = 2_000;

/// Something to be written.
pub(super) enum Outgoing {
    Order(Mutex<Option<Sending>>),
    /// One of our own.
    Network(Say<'static>),
    /// The answer to something that the host has asked.
    Answer(Bytes, Reason, Option<Arc<MacKey>>),
}

/// What the two directions of one connection, and who watches it, share.
pub(super) struct Line {
    pub(super) shared: Arc<Shared>,
    /// The connection's own number.
    pub(super) connection: u64,
    pub(super) session: watch::Sender<Session>,
    /// The sign-on that was sent.
    sign_on: Mutex<Option<Identity>>,
    echo: Mutex<Option<Identity>>,
    slot: usize,
    /// Closed, and by us for this reason.
    closed: Mutex<Option<Option<&'static str>>>,
}

/// Whether the host takes orders.
#[derive(Clone, Copy, Default)]
pub(super) struct Session {
    /// It has said so, or that it does not.
    pub(super) said: bool,
    pub(super) on: bool,
}

impl Line {
    pub(super) fn new(shared: Arc<Shared>, slot: usize) -> Self {
        let connection = shared.next_connection();
        Self {
            shared,
            connection,
            session: watch::Sender::new(Session::default()),
            sign_on: Mutex::new(None),
            echo: Mutex::new(None),
            slot,
            closed: Mutex::new(None),
        }
    }

    /// Nothing more goes out: what waits to be written was not sent. Whoever closes it first says why.
    pub(super) fn close(&self, why: Option<&'static str>) {
        lock(&self.closed).get_or_insert(why);
        self.shared.set_line(self.slot, None);
    }

    /// Why we have closed it, if we have.
    pub(super) fn why(&self) -> Option<&'static str> {
        lock(&self.closed).flatten()
    }

    fn is_closed(&self) -> bool {
        lock(&self.closed).is_some()
    }
}

/// Writes orders, and what we say of ourselves.
pub(super) struct HostOutlet {
    line: Arc<Line>,
    mirror: Mirror,
}

impl HostOutlet {
    pub(super) const fn new(line: Arc<Line>) -> Self {
        Self { line, mirror: Mirror::new() }
    }

    /// Appends a frame, and gives back what its answer will be found by, and its payment once it has paid a bill.
    fn put(
        &mut self,
        say: Say<'_>,
        department: &Department,
        at: UnixMillis,
        out: &mut BytesMut,
    ) -> Result<(Identity, Marks), String> {
        let shared = &self.line.shared;
        let settings = &shared.settings;
        let facts = Facts {
            own: &settings.own,
            product: &department.product,
            currency: &department.currency,
            number: shared.next_number(),
            utc: at.civil(&jiff::tz::TimeZone::UTC),
            local: at.civil(&settings.zone),
        };
        let before = out.len();
        let start = settings.framing.open(out);
        let key = shared.key();
        if settings.keys.is_some() && key.is_none() {
            return Err("there is no key to make its MAC with".to_owned());
        }
        let write = |seal: Option<&Seal<'_>>| settings.profile.say(say, &facts, seal, out);
        let said = with_seal(key.as_deref(), settings.framing, write).map_err(|error| error.to_string());
        let identity = said.and_then(|()| {
            let decoded =
                decode(settings.profile.dialect(), out.get(start..).unwrap_or_default(), &mut self.mirror);
            let identity = settings.profile.identity_of(&decoded.message);
            let both = identity.map(|identity| (identity, settings.profile.marks(say, &decoded.message)));
            both.ok_or_else(|| "nothing an answer could be found by".to_owned())
        });
        let framed = identity.and_then(|identity| {
            settings.framing.close(out, start).map(|()| identity).map_err(|fault| fault.to_string())
        });
        if framed.is_err() {
            out.truncate(before);
        }
        framed
    }

    fn order(&mut self, sending: Sending, out: &mut BytesMut) {
        let shared = Arc::clone(&self.line.shared);
        let late = shared.ticks() > sending.at.after_ms(UNSENT_MS);
        if late || self.line.is_closed() {
            return;
        }
        let at = match &sending.order {
            Order::LookUp(_) => shared.wall(),
            Order::Post { payment, .. } | Order::Reverse { payment, .. } => payment.taken_in,
        };
        let before = out.len();
        let department = Arc::clone(&sending.department);
        match self.put(Say::Order(&sending.order), &department, at, out) {
            Err(fault) => {
                tracing::error!(host = %shared.settings.name, product = department.product, fault, "an order cannot be written: it is not sent");
                shared.note(format!("an order cannot be written: {fault}"));
            }
            Ok((identity, told)) => {
                let Some(awaited) = sending.leaves(identity, told, self.line.connection) else { return };
                let mut awaiting = shared.awaiting();
                match awaiting.admits(&awaited) {
                    Ok(()) => awaiting.add(awaited),
                    Err(refused) => {
                        drop(awaiting);
                        out.truncate(before);
                        tracing::error!(host = %shared.settings.name, ?refused, "an order is not sent");
                        awaited.not_sent();
                    }
                }
            }
        }
    }

    fn network(&mut self, say: Say<'static>, out: &mut BytesMut) {
        let nobody = Department { product: String::new(), currency: String::new(), reply_timeout_ms: 0 };
        let at = self.line.shared.wall();
        match self.put(say, &nobody, at, out) {
            Err(fault) => {
                tracing::error!(host = %self.line.shared.settings.name, fault, "a network message cannot be written");
            }
            Ok((identity, _)) => match say {
                Say::SignOn => *lock(&self.line.sign_on) = Some(identity),
                Say::Echo => *lock(&self.line.echo) = Some(identity),
                Say::SignOff | Say::Order(_) => {}
            },
        }
    }

    fn answer(&mut self, asked: &Bytes, reason: Reason, key: Option<&MacKey>, out: &mut BytesMut) {
        let settings = &self.line.shared.settings;
        let decoded = decode(settings.profile.dialect(), asked, &mut self.mirror);
        let (before, start) = (out.len(), settings.framing.open(out));
        let answer = Answer::plain(reason);
        let write =
            |seal: Option<&Seal<'_>>| settings.profile.answer_sealed(&decoded.message, &answer, seal, out);
        let written = with_seal(key, settings.framing, write).is_ok();
        if !(written && settings.framing.close(out, start).is_ok()) {
            out.truncate(before);
        }
    }
}

impl Outlet for HostOutlet {
    type Answer = Outgoing;

    fn write(&mut self, outgoing: &Outgoing, out: &mut BytesMut) {
        match outgoing {
            Outgoing::Order(sending) => {
                let sending = lock(sending).take();
                if let Some(sending) = sending {
                    self.order(sending, out);
                }
            }
            Outgoing::Network(say) => self.network(*say, out),
            Outgoing::Answer(asked, reason, key) => self.answer(asked, *reason, key.as_deref(), out),
        }
    }
}

/// A frame whose message type or trace number cannot be read.
struct Unreadable;

/// What a host is told that has asked something.
struct Told {
    reason: Reason,
    session: Option<Session>,
    /// What the answer is sealed with.
    key: Option<Arc<MacKey>>,
}

/// Reads answers, and what the host asks.
pub(super) struct HostIntake {
    line: Arc<Line>,
    out: mpsc::Sender<Outgoing>,
    mirror: Mirror,
    unreadable_in_a_row: u32,
}

impl Intake for HostIntake {
    async fn frame(&mut self, frame: Bytes) -> Result<(), Closed> {
        let asked = {
            let profile = Arc::clone(&self.line.shared.settings.profile);
            let mut mirror = std::mem::take(&mut self.mirror);
            let decoded = decode(profile.dialect(), &frame, &mut mirror);
            let asked = if decoded.message.mti().is_response() {
                self.answered(&decoded).map(|()| None)
            } else {
                self.asked(&decoded, &frame)
            };
            self.mirror = mirror;
            asked
        };
        let Ok(asked) = asked else { return self.unreadable() };
        self.unreadable_in_a_row = 0;
        if let Some(Told { reason, session, key }) = asked {
            self.out.send(Outgoing::Answer(frame, reason, key)).await.map_err(|_| Closed::GoingDown)?;
            if let Some(session) = session {
                self.line.session.send_replace(session);
            }
        }
        Ok(())
    }

    fn was_heard(&self) -> bool {
        self.unreadable_in_a_row == 0
    }

    fn echo(&mut self) {
        // A queue that is full is not read by the host: the time-out of writing ends that.
        let _ = self.out.try_send(Outgoing::Network(Say::Echo));
    }
}

impl Drop for HostIntake {
    /// Nothing is read any more: whatever is sent now would not be answered.
    fn drop(&mut self) {
        self.line.close(None);
    }
}

impl HostIntake {
    pub(super) const fn new(line: Arc<Line>, out: mpsc::Sender<Outgoing>) -> Self {
        Self { line, out, mirror: Mirror::new(), unreadable_in_a_row: 0 }
    }

    /// Whoever sends nothing else is no host, or has lost its place in its own stream: it is dialled anew.
    fn unreadable(&mut self) -> Result<(), Closed> {
        self.line.shared.unreadable();
        self.unreadable_in_a_row = self.unreadable_in_a_row.saturating_add(1);
        let max = self.line.shared.settings.bounds.link.unanswerable_max;
        if self.unreadable_in_a_row >= max { Err(Closed::Unanswerable) } else { Ok(()) }
    }

    fn answered(&self, decoded: &Decoded<'_, '_>) -> Result<(), Unreadable> {
        let shared = &self.line.shared;
        let profile = &shared.settings.profile;
        if let Err(_missing) = self.authenticate(decoded) {
            // Nothing is taken from it, not even that it is an answer: what it would have answered is still awaited.
            return Ok(());
        }
        let Some(answer) = profile.answered_identity(&decoded.message) else {
            shared.unasked(decoded);
            return Err(Unreadable);
        };
        if self.network_answered(&answer, &decoded.message) {
            return Ok(());
        }
        let awaited = shared.awaiting().answered(&answer);
        let Some(mut awaited) = awaited else {
            shared.unasked(decoded);
            return Ok(());
        };
        let outcome = profile.outcome(&awaited.asked, decoded, shared.wall());
        let code = profile.code(&decoded.message).unwrap_or_default();
        tracing::info!(target: "billswitch::leg", host = %shared.settings.name, mti = %decoded.message.mti(), %code, stan = %answer.key.stan, leg = awaited.leg.0, "host answered");
        let looking_up = awaited.who_paid(&outcome, shared.ticks());
        let (leg, reply) = (awaited.leg, awaited.reply.take());
        let declined = matches!((&outcome, &awaited.asked), (Outcome::Declined(_), Asked::Post { .. }));
        if declined && (reply.is_some() || looking_up.is_some()) {
            shared.awaiting().listen_on(awaited, shared.ticks().after_ms(CONTRADICTION_MS));
        }
        match (reply, looking_up) {
            (Some(reply), _) => reply(leg, outcome),
            (None, Some(looking_up)) => shared.submit(looking_up),
            // Its place has been given back: the switch has it as a late one.
            (None, None) => (shared.settings.late)(leg, outcome),
        }
        Ok(())
    }

    /// Judges a message's MAC, and gives the key it is of. The error is why it may be anybody's: with the data element to
    /// blame if there is no MAC.
    fn authenticate(&self, decoded: &Decoded<'_, '_>) -> Result<Option<Arc<MacKey>>, Option<u8>> {
        let settings = &self.line.shared.settings;
        let Some(keys) = &settings.keys else { return Ok(None) };
        let (fault, what) = match keys.judge(&settings.profile, settings.framing, &decoded.message) {
            MacVerdict::Good(key) => return Ok(key),
            MacVerdict::Wrong => (None, "a MAC of no key in use"),
            MacVerdict::Missing(field) => (Some(field), "no MAC where one is due"),
        };
        self.line.shared.mac_refused(decoded);
        tracing::error!(host = %settings.name, what, "alarm: a message that may be anybody's");
        self.line.shared.note(format!("a message came with {what}"));
        Err(fault)
    }

    /// Whether it answers our own sign-on or echo.
    fn network_answered(&self, answer: &Identity, message: &Message<'_, '_>) -> bool {
        let take = |sent: &Mutex<Option<Identity>>| {
            let mut sent = lock(sent);
            let is = sent.is_some_and(|sent| sent.key == answer.key);
            if is {
                *sent = None;
            }
            is
        };
        if take(&self.line.sign_on) {
            let on = self.line.shared.settings.profile.says_yes(message);
            self.line.session.send_replace(Session { said: true, on });
            return true;
        }
        take(&self.line.echo)
    }

    /// What the host asks of us: network messages alone. Nothing to say to what cannot be read, and nothing yet to who sends
    /// a key.
    fn asked(&self, decoded: &Decoded<'_, '_>, frame: &Bytes) -> Result<Option<Told>, Unreadable> {
        let profile = &self.line.shared.settings.profile;
        let link = crate::ids::LinkName::EMPTY;
        let parsed = profile.request(decoded, link, |_| Digest::default()).map_err(|_| Unreadable)?;
        let key = match self.authenticate(decoded) {
            Ok(key) => key,
            Err(missing) => {
                let reason = if missing.is_some() { Reason::Malformed } else { Reason::MacWrong };
                return Ok(Some(Told { reason, session: None, key: self.line.shared.key() }));
            }
        };
        let (reason, session) = match parsed.request {
            Request::SignOn | Request::Echo | Request::CutOver { .. } => (Reason::Approved, None),
            // The business date moves by the acquirers' cutover, or by the operator's.
            Request::SignOff => (Reason::Approved, Some(Session { said: true, on: false })),
            Request::Refused { reason, .. } => (reason, None),
            Request::ChangeKey(_) if self.line.shared.settings.keys.is_some() => {
                self.receive_key(frame, key);
                return Ok(None);
            }
            Request::Inquiry(_)
            | Request::Payment(_)
            | Request::Advice(_)
            | Request::Reversal(_)
            | Request::ChangeKey(_)
            | Request::Totals(_) => (Reason::Unsupported, None),
        };
        Ok(Some(Told { reason, session, key }))
    }

    /// The answer is sealed with what the key came under: what the host has used, it understands.
    fn receive_key(&self, frame: &Bytes, key: Option<Arc<MacKey>>) {
        let Some(keys) = &self.line.shared.settings.keys else { return };
        let (out, asked) = (self.out.clone(), frame.clone());
        let answer = move |reason| {
            // Without room the host hears nothing, and sends its key again.
            let _ = out.try_send(Outgoing::Answer(asked, reason, key));
        };
        keys.receive(frame.clone(), Box::new(answer));
    }
}
