//! From frame to request on the way in, from answer to bytes on the way out.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::{Semaphore, mpsc};

use super::Shared;
use super::ask::{Input, Outbound, Waiting};
use super::lanes::Rank;
use super::macs;
use super::peers::{Answers, Seat};
use crate::config::LinkConfig;
use crate::desk::{self, NoMac};
use crate::iso8583::{Decoded, Dialect, Message, Mirror, Seal, decode, mask_all_but_type, mask_pan};
use crate::link::{Closed, Intake, Outlet};
use crate::profile::{Profile, Unanswerable};
use crate::switch::{Answer, Ask, Evidence, Request, Stray, TotalsAnswer};
use crate::telemetry::Counters;
use crate::telemetry::recorder::{Direction, Tape};
use crate::vault::{MacKey, MacVerdict as Verdict, with_seal};

/// Reads a connection's requests.
pub(super) struct LinkIntake {
    pub(super) shared: Arc<Shared>,
    pub(super) link: LinkConfig,
    /// Places in the connection's window of unanswered requests.
    pub(super) window: Arc<Semaphore>,
    pub(super) answers: mpsc::Sender<Outbound>,
    pub(super) seat: Arc<Seat>,
    pub(super) tape: Option<Arc<Tape>>,
    /// Frames that nobody could answer, in a row: one now and then over a connection of months is no reason to end it.
    pub(super) unanswerable: u32,
    pub(super) mirror: Mirror,
}

/// What came in.
enum Heard {
    /// A request that can be answered.
    Asked(Box<Ask>, Option<Arc<MacKey>>),
    /// The answer to a request of ours, which has it by now.
    Answered,
    /// The answer to totals of ours.
    Totals(Box<TotalsAnswer>),
    /// An answer to nothing that we asked.
    Stray(Box<Stray>),
    /// A frame that nobody can answer.
    Nothing,
}

impl Intake for LinkIntake {
    async fn frame(&mut self, frame: Bytes) -> Result<(), Closed> {
        let place = Arc::clone(&self.window).acquire_owned().await.map_err(|_| Closed::GoingDown)?;
        if let Some(counters) = self.shared.counters.link(&self.link.name) {
            Counters::count(&counters.frames);
        }
        let link = self.link.name;
        let mut rank = Rank::Behind;
        let input = match self.read(&frame) {
            Heard::Asked(ask, key) => {
                self.unanswerable = 0;
                rank = rank_of(&ask.request);
                let read = self.shared.clock.now().ticks;
                Input::Asked(ask, Waiting { read, link, frame, answers: self.answers.clone(), key, place })
            }
            Heard::Answered => {
                self.unanswerable = 0;
                return Ok(());
            }
            Heard::Totals(answer) => {
                self.unanswerable = 0;
                Input::TotalsAnswered(answer)
            }
            Heard::Stray(stray) => Input::Unasked(stray),
            Heard::Nothing => return self.count_unanswerable(),
        };
        let unanswerable = matches!(input, Input::Unasked(_));
        self.shared.lanes.send(&link, input, rank).await.map_err(|_| Closed::GoingDown)?;
        if unanswerable { self.count_unanswerable() } else { Ok(()) }
    }

    fn echo(&mut self) {
        self.seat.echo();
    }
}

impl LinkIntake {
    fn read(&mut self, frame: &Bytes) -> Heard {
        let (profile, vault) = (&self.link.profile, &self.shared.vault);
        let decoded = decode(profile.dialect(), frame, &mut self.mirror);
        match &self.tape {
            Some(tape) if profile.brings_key(&decoded.message) => {
                let mut masked = frame.to_vec();
                mask_all_but_type(profile.dialect(), &mut masked);
                tape.frame(Direction::In, &masked);
            }
            Some(tape) => tape.frame(Direction::In, frame),
            None => {}
        }
        match desk::read(profile, vault, self.link.name, &decoded) {
            Ok(mut ask) => {
                if let Some(fault) = &decoded.fault {
                    tracing::warn!(link = %self.link.name, stan = %ask.stan, %fault, "a message that cannot be decoded");
                }
                let key = authenticate(&self.shared, &self.link, &decoded, &mut ask);
                log_in(&self.link, &decoded, &ask.stan, &ask.rrn);
                Heard::Asked(Box::new(ask), key)
            }
            Err(Unanswerable::Answer) => {
                let mut stray = desk::stray(profile, vault, self.link.name, &decoded);
                let refused = match self.shared.macs.check(&self.link, &decoded.message) {
                    Verdict::Good(_) => None,
                    Verdict::Missing(_) => Some(NoMac::Missing),
                    Verdict::Wrong => Some(NoMac::Wrong),
                };
                if let Some(why) = refused {
                    macs::alarm(&self.shared, &self.link.name, &stray.stan, why);
                    // As of a request that may be anybody's.
                    stray.evidence = Evidence::default();
                }
                let good = refused.is_none();
                let link = self.link.name;
                let answers = if good {
                    self.shared.peers.answered(&link, &decoded.message, frame)
                } else {
                    Answers::Nothing
                };
                match answers {
                    Answers::Nothing => Heard::Stray(Box::new(stray)),
                    Answers::Ours => Heard::Answered,
                    Answers::Totals(date) => {
                        let mut answer = profile.totals_answer(link, date, &decoded.message);
                        // What cannot be decoded whole is no agreement.
                        answer.agree = answer.agree.filter(|agree| !agree || decoded.fault.is_none());
                        Heard::Totals(Box::new(answer))
                    }
                }
            }
            Err(unanswerable @ (Unanswerable::NoMti | Unanswerable::NoStan)) => {
                tracing::warn!(link = %self.link.name, reason = %unanswerable, "a frame nobody can answer");
                Heard::Nothing
            }
        }
    }

    fn count_unanswerable(&mut self) -> Result<(), Closed> {
        if let Some(counters) = self.shared.counters.link(&self.link.name) {
            Counters::count(&counters.unanswerable);
        }
        self.unanswerable = self.unanswerable.saturating_add(1);
        if self.unanswerable >= self.link.bounds.unanswerable_max {
            Err(Closed::Unanswerable)
        } else {
            Ok(())
        }
    }
}

/// Judges the MAC of a request, and looks at the key that it may bring. Gives what the answer is sealed with.
fn authenticate(
    shared: &Shared,
    link: &LinkConfig,
    decoded: &Decoded<'_, '_>,
    ask: &mut Ask,
) -> Option<Arc<MacKey>> {
    let (key, refused) = shared.macs.judge(link, &shared.vault, decoded, ask);
    if let Some(why) = refused {
        macs::alarm(shared, &link.name, &ask.stan, why);
    }
    key
}

/// What may be taken before what: what may not be shed goes ahead of new work, but nothing goes ahead of who may say what.
const fn rank_of(request: &Request) -> Rank {
    match request {
        // Totals count what was said before them; a key is for what is said behind it.
        Request::SignOn
        | Request::SignOff
        | Request::CutOver { .. }
        | Request::ChangeKey(_)
        | Request::Totals(_) => Rank::Fence,
        Request::Reversal(_) | Request::Advice(_) => Rank::Ahead,
        Request::Echo | Request::Inquiry(_) | Request::Payment(_) | Request::Refused { .. } => Rank::Behind,
    }
}

/// A line for a leg that came in: identifiers only, the PAN masked.
fn log_in(
    link: &LinkConfig,
    decoded: &Decoded<'_, '_>,
    stan: &dyn std::fmt::Display,
    rrn: &dyn std::fmt::Display,
) {
    if tracing::enabled!(target: "billswitch::leg", tracing::Level::INFO) {
        let message = &decoded.message;
        let pan = if decoded.may_be_misread() {
            String::new()
        } else {
            masked_pan(link.profile.dialect(), message)
        };
        tracing::info!(target: "billswitch::leg", link = %link.name, mti = %message.mti(), %stan, %rrn, pan, "in");
    }
}

/// The PAN of a message as it may be shown; empty if it has none.
fn masked_pan(dialect: &Dialect, message: &Message<'_, '_>) -> String {
    let pan = message.fields().find(|(field, _)| dialect.card_data(*field) == crate::iso8583::CardData::Pan);
    pan.map_or_else(String::new, |(_, pan)| mask_pan(pan).to_string())
}

/// Writes a connection's answers.
pub(super) struct LinkOutlet {
    pub(super) link: LinkConfig,
    pub(super) tape: Option<Arc<Tape>>,
    pub(super) mirror: Mirror,
}

impl Outlet for LinkOutlet {
    type Answer = Outbound;

    fn write(&mut self, outbound: &Outbound, out: &mut BytesMut) {
        match outbound {
            Outbound::Answer { frame, answer, key, .. } => {
                self.write_answer(frame, answer, key.as_ref(), out)
            }
            Outbound::Request { message, .. } => self.write_request(message, out),
        }
    }
}

impl LinkOutlet {
    fn write_answer(
        &mut self,
        request: &Bytes,
        answer: &Answer,
        key: Option<&Arc<MacKey>>,
        out: &mut BytesMut,
    ) {
        let profile: &Profile = &self.link.profile;
        let decoded = decode(profile.dialect(), request, &mut self.mirror);
        let (before, framing) = (out.len(), self.link.framing);
        let start = framing.open(out);
        let write = |seal: Option<&Seal<'_>>| profile.answer_sealed(&decoded.message, answer, seal, out);
        let written = with_seal(key.map(Arc::as_ref), framing, write).map_err(|error| error.to_string());
        let end = out.len();
        if let Ok(Some(left_out)) = &written {
            tracing::warn!(link = %self.link.name, fault = %left_out, "an answer does not fit its dialect whole: the outcome is told");
        }
        let framed = written.and_then(|_| framing.close(out, start).map_err(|fault| fault.to_string()));
        if let Err(fault) = framed {
            out.truncate(before);
            tracing::error!(link = %self.link.name, fault, "an answer cannot be encoded: the acquirer's repeat will ask again");
            return;
        }
        if let Some(tape) = &self.tape {
            tape.answer(out.get(start..end).unwrap_or_default(), request);
        }
        let reason = answer.reason;
        tracing::info!(target: "billswitch::leg", link = %self.link.name, mti = %decoded.message.mti(),
            code = %profile.response_code_to(&decoded.message, reason), %reason, stan = %profile.stan_of(&decoded.message), "out");
    }

    fn write_request(&self, message: &Bytes, out: &mut BytesMut) {
        let (before, framing) = (out.len(), self.link.framing);
        let start = framing.open(out);
        out.extend_from_slice(message);
        if let Err(fault) = framing.close(out, start) {
            out.truncate(before);
            tracing::error!(link = %self.link.name, %fault, "a request of ours cannot be framed");
            return;
        }
        if let Some(tape) = &self.tape {
            tape.frame(Direction::Out, message);
        }
    }
}
