//! What a replay found: who was answered what, how fast, and what differed.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use hdrhistogram::Histogram;

use super::check::Difference;
use super::plan::{Kind, ReplayError};

/// The outcome of a replay.
#[derive(Clone)]
pub struct ReplayReport {
    /// Every message, in the capture's order.
    pub outcomes: Vec<Outcome>,
    /// What was not as it should be: the replay agreed if there is nothing.
    pub differences: Vec<Difference>,
    /// From the first message sent to the last answer.
    pub elapsed: Duration,
    /// Latencies of all that was answered, by kind and together.
    pub latencies: Latencies,
    /// Answers that came when their request had been given up.
    pub late: u64,
    /// Requests that the switch sent by itself, such as echo tests. They are counted, not answered.
    pub unasked: u64,
    /// Whether the deadline for the whole cut the replay short.
    pub cut_short: bool,
}

/// What became of one message.
#[derive(Clone)]
pub struct Outcome {
    /// The expected answer's id, or the position in the capture.
    pub id: u64,
    /// The link that sent it.
    pub link: String,
    /// What it asked for.
    pub kind: Kind,
    /// The request, MTI first. Holds card data: never to be printed.
    pub request: Bytes,
    /// The answer, MTI first, if one came in time.
    pub answer: Option<Bytes>,
    /// DE 39 of the answer.
    pub response_code: Option<String>,
}

/// Microseconds from handing a message to its connection to reading its answer.
#[derive(Clone)]
pub struct Latencies {
    all: Histogram<u64>,
    by_kind: BTreeMap<Kind, Histogram<u64>>,
}

/// A histogram's figures, in microseconds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Serialize)]
pub struct Percentiles {
    /// Answers.
    pub count: u64,
    /// Half were faster.
    pub p50_us: u64,
    /// Nine in ten were faster.
    pub p90_us: u64,
    /// 99 in a hundred were faster.
    pub p99_us: u64,
    /// 999 in a thousand were faster.
    pub p999_us: u64,
    /// The slowest.
    pub max_us: u64,
}

/// Three significant digits: the error is below a thousandth of the value.
const DIGITS: u8 = 3;

/// The longest latency told apart: an hour. What is beyond it counts as an hour.
const LATENCY_US_MAX: u64 = 3_600_000_000;

fn histogram() -> Result<Histogram<u64>, ReplayError> {
    // A histogram without bounds of its own begins at a range of 2, and saturating into that would call everything fast.
    Ok(Histogram::new_with_bounds(1, LATENCY_US_MAX, DIGITS)?)
}

impl Latencies {
    pub(super) fn new() -> Result<Self, ReplayError> {
        let mut by_kind = BTreeMap::new();
        for kind in Kind::ALL {
            by_kind.insert(kind, histogram()?);
        }
        Ok(Self { all: histogram()?, by_kind })
    }

    pub(super) fn record(&mut self, kind: Kind, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.all.saturating_record(us);
        if let Some(histogram) = self.by_kind.get_mut(&kind) {
            histogram.saturating_record(us);
        }
    }

    /// Of all answers.
    #[must_use]
    pub fn all(&self) -> Percentiles {
        percentiles(&self.all)
    }

    /// Of the answers to one kind of message.
    #[must_use]
    pub fn of(&self, kind: Kind) -> Percentiles {
        self.by_kind.get(&kind).map(percentiles).unwrap_or_default()
    }
}

fn percentiles(histogram: &Histogram<u64>) -> Percentiles {
    Percentiles {
        count: histogram.len(),
        p50_us: histogram.value_at_quantile(0.5),
        p90_us: histogram.value_at_quantile(0.9),
        p99_us: histogram.value_at_quantile(0.99),
        p999_us: histogram.value_at_quantile(0.999),
        max_us: histogram.max(),
    }
}

impl ReplayReport {
    /// Messages that were answered.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.latencies.all().count
    }

    /// Answers a second, over the whole replay.
    #[must_use]
    pub fn answers_per_second(&self) -> u64 {
        let rate = u128::from(self.answered()).saturating_mul(1_000_000);
        let rate = rate.checked_div(self.elapsed.as_micros()).unwrap_or_default();
        u64::try_from(rate).unwrap_or(u64::MAX)
    }

    /// How many answers of each kind had which response code; `""` stands for an answer without one.
    #[must_use]
    pub fn codes(&self) -> BTreeMap<(Kind, String), u64> {
        let mut codes: BTreeMap<(Kind, String), u64> = BTreeMap::new();
        for outcome in self.outcomes.iter().filter(|outcome| outcome.answer.is_some()) {
            let code = outcome.response_code.clone().unwrap_or_default();
            let count = codes.entry((outcome.kind, code)).or_default();
            *count = count.saturating_add(1);
        }
        codes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_answers_are_told_as_slow() {
        let mut latencies = Latencies::new().unwrap();
        for ms in [1, 20, 300] {
            latencies.record(Kind::Payment, Duration::from_millis(ms));
        }
        latencies.record(Kind::Payment, Duration::from_secs(7200));
        let all = latencies.all();
        let near = |us: u64, want: u64| us.abs_diff(want) <= want / 500;
        assert!(near(all.p50_us, 20_000), "{}", all.p50_us);
        assert!(near(all.max_us, LATENCY_US_MAX), "{}", all.max_us);
        assert_eq!(latencies.of(Kind::Inquiry).count, 0);
    }
}
