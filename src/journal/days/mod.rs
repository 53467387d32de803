//! Sealed days: legs that are no longer worked with, in files that are never changed. A directory for each business date,
//! `days/<date>/`, holds the segments whose legs were written while that date was in force, to the block:
//! `<first leg, twenty digits>.legs`; of a pruned one its footer is left, in `<first leg>.pruned`.
//!
//! The journal is one chain: the segments from leg 1 on without a gap, then the blocks of the working store. What the
//! working store still has of sealed legs is on its way out, and nobody reads it.

mod archive;
mod archive_error;
mod draft;
mod files;
mod footer;
mod list;
mod page;
mod prune;
mod sealer;
mod segment;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use archive::archive;
pub use archive_error::ArchiveError;
pub(super) use files::Place;
pub(super) use footer::Footer;
pub use list::{SealedDay, sealed_days};
pub use prune::restore_into;
pub use sealer::{Sealer, Step, Unloading};
pub(super) use segment::{Entry, Reading, Segment, read_entry};

use super::block::BlockHash;
use super::error::JournalError;
use crate::ids::BusinessDate;

const WHOLE: &str = ".legs";
const PRUNED: &str = ".pruned";

/// The name of a segment's file.
fn name(date: BusinessDate, first: u64, is_whole: bool) -> String {
    format!("{date}/{first:020}{}", if is_whole { WHOLE } else { PRUNED })
}

/// All segments of a store, oldest first. Never changed: a new one takes its place.
#[derive(Clone, Debug, Default)]
pub(super) struct Days {
    segments: Vec<Arc<Segment>>,
    /// For each segment the first bytes of its least and greatest payment key: most look-ups end here.
    ranges: Vec<(u128, u128)>,
    /// Some dates only, restored somewhere else: there may be gaps.
    is_part: bool,
}

impl Days {
    /// Looks at all segments of a place: their two ends, and that one follows the other. With `is_part` they need not.
    ///
    /// # Errors
    ///
    /// [`JournalError::Damaged`], [`JournalError::Gap`] or [`JournalError::Io`].
    pub(super) fn load(place: &Place, is_part: bool) -> Result<Self, JournalError> {
        let mut found: BTreeMap<u64, Segment> = BTreeMap::new();
        let mut pruned: BTreeMap<u64, Segment> = BTreeMap::new();
        for name in place.list(!is_part)? {
            let is_whole = name.ends_with(WHOLE);
            if !is_whole && !name.ends_with(PRUNED) {
                return Err(JournalError::Damaged {
                    what: "there is a file among the sealed segments that is none of them",
                    sequence: None,
                });
            }
            let segment = Segment::look(place, &name, is_whole)?;
            let Footer { date, first, .. } = segment.footer;
            if name != self::name(date, first, is_whole) {
                return Err(JournalError::damaged("a sealed segment has another's name", first));
            }
            let of = if is_whole { &mut found } else { &mut pruned };
            of.insert(first, segment);
        }
        // Where both are there, a prune or a restore was cut short. The legs count, but for those of a restore that has not
        // come to a later segment yet: what they say of a payment may not be the last that was said.
        let latest_pruned = pruned.keys().rfind(|first| !found.contains_key(*first)).copied();
        for (first, segment) in pruned {
            if !found.contains_key(&first) || latest_pruned.is_some_and(|latest| first < latest) {
                found.insert(first, segment);
            }
        }
        let mut days = Self { is_part, ..Self::default() };
        for segment in found.into_values() {
            days.push(Arc::new(segment))?;
        }
        Ok(days)
    }

    /// Adds the segment that follows.
    fn push(&mut self, segment: Arc<Segment>) -> Result<(), JournalError> {
        let Footer { first, previous, .. } = segment.footer;
        let (expected, hash) = (self.last().saturating_add(1), self.hash());
        let follows = first == expected && previous == hash;
        let may_be_gap = self.is_part && first >= expected;
        if !follows && !may_be_gap {
            return Err(if first == expected {
                JournalError::damaged("a sealed segment does not carry the hash of the one before", first)
            } else {
                JournalError::Gap { expected, found: Some(first) }
            });
        }
        self.ranges.push(range(&segment));
        self.segments.push(segment);
        Ok(())
    }

    /// The same segments with one more.
    pub(super) fn with(&self, segment: Segment) -> Result<Self, JournalError> {
        let mut days = self.clone();
        days.push(Arc::new(segment))?;
        Ok(days)
    }

    /// The segments, oldest first.
    pub(super) fn segments(&self) -> &[Arc<Segment>] {
        &self.segments
    }

    /// Bytes of all of them.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).fold(0, u64::saturating_add)
    }

    /// Sequence of the last sealed leg; 0 if none is.
    pub(super) fn last(&self) -> u64 {
        self.segments.last().map_or(0, |segment| segment.footer.last)
    }

    /// Hash of the last sealed block; zeros if there is none.
    pub(super) fn hash(&self) -> BlockHash {
        self.segments.last().map_or([0; 32], |segment| segment.footer.hash)
    }

    /// The segment that holds leg `sequence`, or, where there is a gap, the next.
    pub(super) fn holding(&self, sequence: u64) -> Option<&Arc<Segment>> {
        let at = self.segments.partition_point(|segment| segment.footer.last < sequence);
        let segment = self.segments.get(at)?;
        (self.is_part || segment.footer.first <= sequence).then_some(segment)
    }

    /// The segments whose keys may include one that begins with `key`, newest first.
    pub(super) fn covering<'a>(&'a self, key: &'a [u8]) -> impl Iterator<Item = &'a Arc<Segment>> {
        let (low, high) = (packed(key, 0), packed(key, u8::MAX));
        let near = self.segments.iter().zip(&self.ranges).rev();
        near.filter(move |(segment, (least, greatest))| {
            *least <= high && *greatest >= low && segment.may_hold(key)
        })
        .map(|(segment, _)| segment)
    }

    /// Whether a segment after number `at` knows a payment.
    pub(super) fn is_in_later(&self, at: usize, key: &[u8]) -> Result<bool, JournalError> {
        let first = self.segments.get(at).map_or(u64::MAX, |segment| segment.footer.first);
        let later = self.covering(key).take_while(|segment| segment.footer.first > first);
        for segment in later.filter(|segment| segment.is_whole) {
            if segment.find(key)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What the newest segment that knows a payment says of it. Pruned segments know nothing any more.
    pub(super) fn find(&self, key: &[u8]) -> Result<Option<Entry>, JournalError> {
        for segment in self.covering(key).filter(|segment| segment.is_whole) {
            if let Some(entry) = segment.find(key)? {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }
}

/// The range of a segment's keys, as far as sixteen bytes tell; an empty one if it has none.
fn range(segment: &Segment) -> (u128, u128) {
    let footer = &segment.footer;
    if footer.payments == 0 {
        return (u128::MAX, 0);
    }
    (packed(&footer.least, 0), packed(&footer.greatest, u8::MAX))
}

/// The first sixteen bytes of a key as a number, filled up with `fill`.
fn packed(key: &[u8], fill: u8) -> u128 {
    let mut bytes = [fill; 16];
    bytes.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    u128::from_be_bytes(bytes)
}
