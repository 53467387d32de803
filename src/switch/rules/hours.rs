//! When a department is open: by the clock on its own wall.

use crate::clock::UnixMillis;

/// Hours of service, in a time zone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hours {
    /// The department's time zone.
    pub zone: jiff::tz::TimeZone,
    /// It is open in any of these.
    pub windows: Vec<Window>,
}

/// A window of some days of the week.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Window {
    /// Monday to Sunday.
    pub days: [bool; 7],
    /// First minute of the day, 0 to 1439.
    pub from_minute: u16,
    /// The minute after the last, 1 to 1440. One that is not after `from_minute` is on the day after.
    pub until_minute: u16,
}

/// A span of time.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Span {
    /// From this moment; from ever if none.
    pub from: Option<UnixMillis>,
    /// Up to but not this moment; for good if none.
    pub until: Option<UnixMillis>,
}

impl Span {
    pub(super) fn holds(&self, at: UnixMillis) -> bool {
        self.from.is_none_or(|from| at >= from) && self.until.is_none_or(|until| at < until)
    }
}

impl Hours {
    pub(super) fn hold(&self, at: UnixMillis) -> bool {
        let local = at.civil(&self.zone);
        let minute = i32::from(local.hour()).saturating_mul(60).saturating_add(local.minute().into());
        let minute = u16::try_from(minute).unwrap_or_default();
        let today = local.date().weekday().to_monday_zero_offset();
        let yesterday = local.date().weekday().previous().to_monday_zero_offset();
        self.windows.iter().any(|window| window.holds(minute, today, yesterday))
    }
}

impl Window {
    fn holds(&self, minute: u16, today: i8, yesterday: i8) -> bool {
        let on =
            |day: i8| usize::try_from(day).ok().and_then(|day| self.days.get(day)).copied() == Some(true);
        let (from, until) = (self.from_minute, self.until_minute);
        if from < until {
            return on(today) && minute >= from && minute < until;
        }
        // Over midnight: it belongs to the day on which it begins.
        (on(today) && minute >= from) || (on(yesterday) && minute < until)
    }
}
