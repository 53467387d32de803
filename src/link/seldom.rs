//! Says seldom what a peer could have said as often as it likes.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// At most one line in this time.
const APART: Duration = Duration::from_secs(1);

/// Lets one line through a second, and counts those between.
#[derive(Debug, Default)]
pub struct Seldom(Mutex<(Option<Instant>, u64)>);

impl Seldom {
    /// How many lines were kept back since the one before, if this one is to be said.
    pub fn now(&self) -> Option<u64> {
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> Option<u64> {
        // What is in here is whole whenever it is let go.
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (said, kept) = &mut *state;
        if said.is_some_and(|said| now.saturating_duration_since(said) < APART) {
            *kept = kept.saturating_add(1);
            return None;
        }
        *said = Some(now);
        Some(std::mem::take(kept))
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]
mod tests {
    use super::*;

    #[test]
    fn a_line_a_second_is_said_with_how_many_were_not() {
        let (seldom, begun) = (Seldom::default(), Instant::now());
        let hundred = |now| (0..100).filter_map(|_| seldom.at(now)).collect::<Vec<_>>();
        assert_eq!(hundred(begun), [0]);
        assert_eq!(hundred(begun + APART), [99]);
        assert_eq!(seldom.at(begun + APART * 2), Some(99));
    }
}
