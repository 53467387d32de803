//! Time as a value. Pure code is told the time; only the composition root reads a clock.

use serde::{Deserialize, Serialize};

/// Milliseconds of a clock that only moves forward: deadlines are reckoned on it, so that a jump of the
/// wall clock harms none of them.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ticks(pub u64);

impl Ticks {
    /// The moment `delay_ms` later.
    #[must_use]
    pub const fn after_ms(self, delay_ms: u64) -> Self {
        Self(self.0.saturating_add(delay_ms))
    }

    /// Milliseconds from `self` to `later`; 0 if `later` has passed.
    #[must_use]
    pub const fn until_ms(self, later: Self) -> u64 {
        later.0.saturating_sub(self.0)
    }
}

/// Wall-clock milliseconds since 1970-01-01 UTC: for people and records, never for deadlines.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// The same moment in `zone`, as `2026-11-20T09:00:07.120`: always as wide, so that tables and columns stand.
    #[must_use]
    pub fn text(self, zone: &jiff::tz::TimeZone) -> String {
        format!("{:.3}", self.civil(zone))
    }

    /// The same moment in `zone`.
    #[must_use]
    pub fn civil(self, zone: &jiff::tz::TimeZone) -> jiff::civil::DateTime {
        let ms = i64::try_from(self.0).unwrap_or(i64::MAX);
        let instant = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX);
        instant.to_zoned(zone.clone()).datetime()
    }
}

/// One reading of both clocks, handed to everything that needs the time.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Now {
    /// For deadlines.
    pub ticks: Ticks,
    /// For records.
    pub wall: UnixMillis,
}

/// Reads both clocks. Lives in the composition root; a simulation has its own.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: std::time::Instant,
}

impl SystemClock {
    /// A clock whose ticks start at 0 now.
    #[must_use]
    pub fn start() -> Self {
        Self { started: std::time::Instant::now() }
    }

    /// Reads both clocks.
    #[must_use]
    pub fn now(&self) -> Now {
        let since_1970 = std::time::SystemTime::now()
            .duration_since(std::time::SystemTime::UNIX_EPOCH)
            .unwrap_or(std::time::Duration::ZERO);
        Now { ticks: Ticks(millis(self.started.elapsed())), wall: UnixMillis(millis(since_1970)) }
    }
}

/// Whole milliseconds, saturating.
fn millis(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::UnixMillis;

    #[test]
    fn a_time_is_always_as_wide() {
        let zone = jiff::tz::TimeZone::UTC;
        let texts = [0, 120, 1_000, 61_001].map(|ms| UnixMillis(ms).text(&zone));
        let wanted = ["00:00:00.000", "00:00:00.120", "00:00:01.000", "00:01:01.001"];
        assert_eq!(texts, wanted.map(|time| format!("1970-01-01T{time}")));
    }
}
