//! What goes wrong at the simulated department, and when.

use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use thiserror::Error;

/// Hundredths of a percent in a whole.
const WHOLE: u64 = 10_000;

/// Something that goes wrong with one call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The connection is reset before anything is read of it.
    Refuse,
    /// The connection is reset once the request has been read; nothing is done.
    Reset,
    /// The call is carried out, and the connection reset instead of an answer.
    Drop,
    /// The call is carried out, and half of its answer is sent before the connection is reset.
    Cut,
    /// Nothing is done, and nothing answered, for an hour.
    Hang,
    /// Carried out, and answered after this.
    Late(Duration),
    /// Carried out after this, and then answered.
    Delay(Duration),
    /// Carried out, and answered a byte at a time, this apart.
    Slow(Duration),
    /// Carried out, and answered with what is no JSON.
    Garbage,
    /// Carried out, and answered in another content type.
    Html,
    /// Carried out, and answered with a megabyte.
    Huge,
    /// Not carried out, and answered with this HTTP status.
    Status(u16),
    /// Carried out, and answered with this HTTP status.
    StatusAfter(u16),
    /// Not carried out, and answered with this response code.
    Code(u8),
    /// A payment is carried out, and called a duplicate.
    Duplicate,
    /// An inquiry is told another amount; a payment is booked with another.
    WrongAmount,
}

/// Which calls a fault is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::sim) enum Calls {
    Any,
    Inquiry,
    Payment,
    /// Of a host alone: an HTTP contract has none.
    Reversal,
}

/// When it strikes.
#[derive(Clone, Debug, Eq, PartialEq)]
enum When {
    /// So many calls in ten thousand.
    Rate(u64),
    /// The calls of one consumer.
    Consumer(Box<str>),
    /// One call, counted from 1 over those the rule is for.
    Nth(u64),
}

/// A fault, with the calls that it strikes: `payment:drop:5%`, `any:delay=300:consumer=7001`, `inquiry:code=05:nth=3`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FaultRule {
    calls: Calls,
    pub(in crate::sim) fault: Fault,
    when: When,
}

/// Why a text is no fault rule.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum FaultError {
    /// Not three parts.
    #[error("a fault is `CALLS:FAULT:WHEN`, such as payment:drop:5%")]
    Parts,
    /// No such calls.
    #[error("the calls are `inquiry`, `payment`, `reversal` or `any`")]
    Calls,
    /// No such fault.
    #[error(
        "the faults are refuse, reset, drop, cut, hang, late=MS, delay=MS, slow=MS, garbage, html, huge, status=HTTP, \
         status-after=HTTP, code=NN, duplicate, wrong-amount"
    )]
    Fault,
    /// No such time.
    #[error("a fault strikes at a rate (`5%`, `0.25%`), for a consumer (`consumer=7001`) or once (`nth=3`)")]
    When,
}

impl FaultRule {
    /// Whether an HTTP department has calls and answers that can go wrong so.
    #[must_use]
    pub const fn is_of_an_api(&self) -> bool {
        !matches!(self.calls, Calls::Reversal)
    }

    /// Whether an ISO 8583 host has answers that can go wrong so.
    #[must_use]
    pub const fn is_of_a_host(&self) -> bool {
        !matches!(
            self.fault,
            Fault::Html | Fault::Huge | Fault::Slow(_) | Fault::Status(_) | Fault::StatusAfter(_)
        )
    }
}

impl FromStr for FaultRule {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let parts: Vec<&str> = text.splitn(3, ':').collect();
        let [calls, fault, when] = parts.as_slice() else { return Err(FaultError::Parts) };
        let calls = match *calls {
            "any" => Calls::Any,
            "inquiry" => Calls::Inquiry,
            "payment" => Calls::Payment,
            "reversal" => Calls::Reversal,
            _ => return Err(FaultError::Calls),
        };
        Ok(Self { calls, fault: read_fault(fault)?, when: read_when(when)? })
    }
}

fn read_fault(text: &str) -> Result<Fault, FaultError> {
    let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
    let number = || value.and_then(|value| value.parse::<u64>().ok()).ok_or(FaultError::Fault);
    let span = || number().map(Duration::from_millis);
    let status = || {
        let status = number().ok().and_then(|status| u16::try_from(status).ok());
        status.filter(|status| (200..=599).contains(status)).ok_or(FaultError::Fault)
    };
    let fault = match name {
        "late" => Fault::Late(span()?),
        "delay" => Fault::Delay(span()?),
        "slow" => Fault::Slow(span()?),
        "status" => Fault::Status(status()?),
        "status-after" => Fault::StatusAfter(status()?),
        "code" => {
            Fault::Code(u8::try_from(number()?).ok().filter(|code| *code < 100).ok_or(FaultError::Fault)?)
        }
        _ if value.is_some() => return Err(FaultError::Fault),
        "refuse" => Fault::Refuse,
        "reset" => Fault::Reset,
        "drop" => Fault::Drop,
        "cut" => Fault::Cut,
        "hang" => Fault::Hang,
        "garbage" => Fault::Garbage,
        "html" => Fault::Html,
        "huge" => Fault::Huge,
        "duplicate" => Fault::Duplicate,
        "wrong-amount" => Fault::WrongAmount,
        _ => return Err(FaultError::Fault),
    };
    Ok(fault)
}

fn read_when(text: &str) -> Result<When, FaultError> {
    if let Some(consumer) = text.strip_prefix("consumer=") {
        return Ok(When::Consumer(consumer.into()));
    }
    if let Some(nth) = text.strip_prefix("nth=") {
        return nth.parse().map(When::Nth).map_err(|_| FaultError::When);
    }
    let percent = text.strip_suffix('%').ok_or(FaultError::When)?;
    let (whole, part) = percent.split_once('.').unwrap_or((percent, ""));
    let hundredths = format!("{part:0<2}");
    let rate = format!("{whole}{hundredths}").parse().map_err(|_| FaultError::When)?;
    (part.len() <= 2 && rate <= WHOLE).then_some(When::Rate(rate)).ok_or(FaultError::When)
}

/// The faults of a department, drawn by one seed.
pub(in crate::sim) struct Faults {
    /// Each with the calls it has looked at.
    rules: Vec<(FaultRule, AtomicU64)>,
    drawn: AtomicU64,
}

impl Faults {
    pub(in crate::sim) fn new(rules: Vec<FaultRule>, seed: u64) -> Self {
        let rules = rules.into_iter().map(|rule| (rule, AtomicU64::new(0))).collect();
        Self { rules, drawn: AtomicU64::new(seed) }
    }

    /// The fault that strikes this call; the first of those that do.
    pub(super) fn strike(&self, inquiry: bool, consumer: &str) -> Option<Fault> {
        self.strike_on(if inquiry { Calls::Inquiry } else { Calls::Payment }, consumer)
    }

    /// The same of a call of any kind.
    pub(in crate::sim) fn strike_on(&self, call: Calls, consumer: &str) -> Option<Fault> {
        let rules = self.rules.iter().filter(|(rule, _)| rule.fault != Fault::Refuse);
        let rules = rules.filter(|(rule, _)| rule.calls == Calls::Any || rule.calls == call);
        // Each of them counts the call, whichever strikes.
        rules.fold(None, |struck, (rule, seen)| struck.or(self.strikes(rule, seen, consumer)))
    }

    /// Whether a new connection is refused.
    pub(in crate::sim) fn refuse(&self) -> bool {
        let rules = self.rules.iter().filter(|(rule, _)| rule.fault == Fault::Refuse);
        rules.fold(false, |refused, (rule, seen)| self.strikes(rule, seen, "").is_some() || refused)
    }

    fn strikes(&self, rule: &FaultRule, seen: &AtomicU64, consumer: &str) -> Option<Fault> {
        let seen = seen.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let strikes = match &rule.when {
            When::Rate(rate) => self.draw().checked_rem(WHOLE).is_some_and(|drawn| drawn < *rate),
            When::Consumer(struck) => **struck == *consumer,
            When::Nth(nth) => seen == *nth,
        };
        strikes.then_some(rule.fault)
    }

    /// The next number of a sequence without a pattern (splitmix64).
    fn draw(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let z = self.drawn.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
