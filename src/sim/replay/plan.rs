//! What is to be played, where to and how fast; and the capture's messages set beside their expected answers.

use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use thiserror::Error;

use super::capture::{Capture, CaptureError};
use super::expect::{ExpectError, Expected};
use super::matching::Key;
use super::schedule::Planned;
use crate::iso8583::{self, Dialect, Framing, FramingFault, Mirror, Mti};

/// What to play and how.
pub struct ReplayPlan {
    /// The switch.
    pub to: SocketAddr,
    /// What to send.
    pub capture: Capture,
    /// A line a frame of the capture, in its order. Without them answers are counted and timed, not checked.
    pub expected: Option<Vec<Expected>>,
    /// How the frames are laid out.
    pub dialect: Arc<Dialect>,
    /// How they stand on the connections to the switch; not [`Framing::NONE`].
    pub framing: Framing,
    /// How fast.
    pub pacing: Pacing,
    /// Most messages of one link in flight; at least 1.
    pub window: usize,
    /// How long an answer may take.
    pub answer_timeout: Duration,
    /// How long the whole may take after the last message is due; what is open then is given up.
    pub deadline: Duration,
    /// Told how many messages are answered or given up, and how many there are.
    pub on_progress: Option<OnProgress>,
}

/// Told how many messages are answered or given up, and how many there are.
pub type OnProgress = Box<dyn FnMut(usize, usize) + Send>;

/// Messages of one link in flight unless the plan says otherwise.
pub const WINDOW: usize = 512;

/// How long an answer may take unless the plan says otherwise.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a replay may take after its last message is due unless the plan says otherwise.
pub const DEADLINE: Duration = Duration::from_secs(600);

impl ReplayPlan {
    /// Plays `capture` to `to` as fast as the answers allow, framed as the dialect says, within the default bounds.
    #[must_use]
    pub fn flat_out(
        to: SocketAddr,
        capture: Capture,
        expected: Option<Vec<Expected>>,
        dialect: Arc<Dialect>,
    ) -> Self {
        Self {
            to,
            capture,
            expected,
            framing: dialect.framing(),
            dialect,
            pacing: Pacing::FlatOut,
            window: WINDOW,
            answer_timeout: ANSWER_TIMEOUT,
            deadline: DEADLINE,
            on_progress: None,
        }
    }
}

/// How fast messages are sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pacing {
    /// At the times of the capture, so many times faster.
    Recorded {
        /// How many times faster.
        speed: Speed,
    },
    /// As fast as the window and the answers that others wait for allow.
    FlatOut,
}

impl Pacing {
    /// When a message goes that was recorded `recorded` after the first: as long after the start.
    #[must_use]
    pub fn due(self, recorded: Duration) -> Duration {
        match self {
            Self::Recorded { speed } => speed.scale(recorded),
            Self::FlatOut => Duration::ZERO,
        }
    }
}

/// A factor of speed, in thousandths: 0.001 to 1,000,000.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Speed(u64);

/// A text that is no [`Speed`].
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("a rate is a number from 0.001 to 1000000: 1 is as recorded, 10 is ten times as fast")]
pub struct SpeedError;

impl Speed {
    /// As recorded.
    pub const RECORDED: Self = Self(1000);

    fn scale(self, span: Duration) -> Duration {
        let nanos = span.as_nanos().saturating_mul(1000).checked_div(u128::from(self.0)).unwrap_or(0);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl FromStr for Speed {
    type Err = SpeedError;

    fn from_str(text: &str) -> Result<Self, SpeedError> {
        // A duration of so many seconds: the one decimal number that is read here without floating point of ours.
        let seconds = text.parse().ok().and_then(|rate| Duration::try_from_secs_f64(rate).ok());
        let thousandths = seconds.and_then(|rate| u64::try_from(rate.as_millis()).ok());
        thousandths.filter(|rate| (1..=1_000_000_000).contains(rate)).map(Self).ok_or(SpeedError)
    }
}

/// Why a replay could not be done at all. That answers differ is no error but its result.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The capture cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The expected answers cannot be read.
    #[error(transparent)]
    Expected(#[from] ExpectError),
    /// More or fewer expected answers than messages.
    #[error("the capture has {frames} messages and there are {lines} expected answers")]
    Count {
        /// Messages of the capture.
        frames: usize,
        /// Expected answers.
        lines: usize,
    },
    /// A message and the line at its position are not about the same.
    #[error(
        "message {position} of the capture (packet {packet}: MTI {mti}, STAN {stan}) is not the one of expected \
         answer {id} (MTI {line_mti}, STAN {line_stan})"
    )]
    Mismatch {
        /// Position in the capture's order, from 1.
        position: usize,
        /// Packet of the capture, from 1.
        packet: u64,
        /// The message's MTI.
        mti: Mti,
        /// The message's STAN.
        stan: String,
        /// The line's id.
        id: u64,
        /// The line's MTI.
        line_mti: String,
        /// The line's STAN.
        line_stan: String,
    },
    /// A message that cannot be sent.
    #[error("message {position} of the capture (packet {packet}) cannot be framed: {fault}")]
    Framing {
        /// Position in the capture's order, from 1.
        position: usize,
        /// Packet of the capture, from 1.
        packet: u64,
        /// Why.
        fault: FramingFault,
    },
    /// Messages of one connection are said to be of two links.
    #[error("expected answer {id} is of link {link}, but earlier messages of {client} are of link {before}")]
    TwoLinks {
        /// The line's id.
        id: u64,
        /// The line's link.
        link: String,
        /// The link of the lines before it.
        before: String,
        /// The connection's client.
        client: SocketAddr,
    },
    /// A link cannot be connected.
    #[error("link {link}: cannot connect to {to} from {from}: {source}")]
    Connect {
        /// The link.
        link: String,
        /// The switch.
        to: SocketAddr,
        /// The source address asked for.
        from: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The table of latencies cannot be made.
    #[error("latency histogram: {0}")]
    Histogram(#[from] hdrhistogram::CreationError),
    /// No runtime, no output.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// What a message asks for, as the ISO standard's own numbers tell it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An authorisation or financial message whose processing code is an inquiry (30 to 39).
    Inquiry,
    /// Any other authorisation or financial message.
    Payment,
    /// A reversal.
    Reversal,
    /// Network management and the rest of administration.
    Network,
}

impl Kind {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Inquiry, Self::Payment, Self::Reversal, Self::Network];

    fn of(message: &iso8583::Message<'_, '_>) -> Self {
        match message.mti().class() {
            b'1' | b'2' if message.field(3).is_some_and(|code| code.starts_with(b"3")) => Self::Inquiry,
            b'1' | b'2' => Self::Payment,
            b'4' => Self::Reversal,
            _ => Self::Network,
        }
    }

    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inquiry => "inquiry",
            Self::Payment => "payment",
            Self::Reversal => "reversal",
            Self::Network => "network",
        }
    }
}

/// A message of the capture, ready to be sent. No `Debug`: it holds card data.
pub(super) struct Message {
    /// The expected answer's id, or the position in the capture.
    pub(super) id: u64,
    pub(super) link_name: Arc<str>,
    pub(super) kind: Kind,
    pub(super) key: Key,
    /// MTI first.
    pub(super) frame: Bytes,
    pub(super) planned: Planned,
}

/// The messages of a plan in the capture's order, each beside its line.
pub(super) fn messages(plan: &ReplayPlan) -> Result<Vec<Message>, ReplayError> {
    let frames = plan.capture.in_order();
    let lines = plan.expected.as_deref().unwrap_or_default();
    if plan.expected.is_some() && lines.len() != frames.len() {
        return Err(ReplayError::Count { frames: frames.len(), lines: lines.len() });
    }
    let streams = plan.capture.streams.iter();
    let mut names: Vec<Arc<str>> = streams.clone().map(|stream| stream.client.to_string().into()).collect();
    let mut named = vec![false; names.len()];
    let start = frames.first().map_or(Duration::ZERO, |(_, frame)| frame.at);
    let (mut all, mut latest) = (Vec::with_capacity(frames.len()), Duration::ZERO);
    let mut mirror = Mirror::new();
    for (position, (link, frame)) in frames.into_iter().enumerate() {
        plan.framing.carries(&frame.bytes).map_err(|fault| ReplayError::Framing {
            position: position.saturating_add(1),
            packet: frame.packet,
            fault,
        })?;
        let message = iso8583::decode(&plan.dialect, &frame.bytes, &mut mirror).message;
        let key = Key::of(&message);
        let line = lines.get(position);
        if let Some(line) = line {
            let stan = key.stan.as_str();
            // A message may be so broken that it shows no STAN: then its MTI has to do.
            if line.mti != message.mti().as_str() || (line.stan != stan && !stan.is_empty()) {
                return Err(ReplayError::Mismatch {
                    position: position.saturating_add(1),
                    packet: frame.packet,
                    mti: message.mti(),
                    stan: stan.to_owned(),
                    id: line.id,
                    line_mti: line.mti.clone(),
                    line_stan: line.stan.clone(),
                });
            }
            if let (Some(name), Some(named)) = (names.get_mut(link), named.get_mut(link)) {
                if *named && **name != *line.link {
                    let client = plan.capture.streams.get(link).map_or(plan.to, |stream| stream.client);
                    let (link, before) = (line.link.clone(), name.to_string());
                    return Err(ReplayError::TwoLinks { id: line.id, link, before, client });
                }
                if !*named {
                    (*name, *named) = (line.link.as_str().into(), true);
                }
            }
        }
        // Capture clocks step back now and then; messages do not.
        latest = latest.max(frame.at.saturating_sub(start));
        let planned = Planned {
            link,
            due: plan.pacing.due(latest),
            after: line.and_then(|line| line.after),
            barrier: Kind::of(&message) == Kind::Network
                && matches!(key.network_code.as_bytes(), b"001" | b"002"),
        };
        all.push(Message {
            id: line.map_or_else(|| u64::try_from(position).unwrap_or(u64::MAX), |line| line.id),
            link_name: names.get(link).cloned().unwrap_or_else(|| "".into()),
            kind: Kind::of(&message),
            key,
            frame: frame.bytes.clone(),
            planned,
        });
    }
    Ok(all)
}
