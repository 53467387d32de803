//! The watermark of the store's file system: what is left below it is for reversals and for what is open.

use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use crate::telemetry::recorder::RecorderHandle;

/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Reads how many bytes are free; none if that cannot be known just now.
pub type FreeBytes = Arc<dyn Fn() -> Option<u64> + Send + Sync>;

/// How much room there is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Room {
    /// Bytes free when last looked at; none if that could not be known.
    pub(super) free: Option<u64>,
    /// Too few to begin anything new.
    pub(super) low: bool,
}

impl Room {
    /// What it is after another look. Once too little it takes an eighth more than the mark to be enough again, so that it
    /// does not change with every file that comes and goes; what cannot be known changes nothing.
    pub(super) fn after(self, free: Option<u64>, mark: u64) -> Self {
        let enough = if self.low { mark.saturating_add(mark / 8) } else { mark };
        Self { free, low: free.map_or(self.low, |free| free < enough) }
    }
}

/// Free bytes of the file system that a directory is on, as far as they may be used by this process.
pub(super) fn of_directory(dir: std::path::PathBuf) -> FreeBytes {
    Arc::new(move || {
        let stat = rustix::fs::statvfs(&dir).ok()?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
    })
}

/// Looks once a second, until the switch goes down. A recording that takes its room from the same file system rests while
/// there is too little.
pub(super) async fn watch(shared: Arc<Shared>, free: FreeBytes, recorder: Option<RecorderHandle>) {
    let recorder = recorder.filter(|recorder| recorder.shares_disk_with(&shared.config.store));
    let mut going_down = shared.going_down.subscribe();
    let mark = shared.config.limits.disk_low_bytes;
    loop {
        let low = shared.signals.borrow().room.low;
        recorder.iter().for_each(|recorder| recorder.rest(low));
        let down = going_down.wait_for(|down| *down);
        if tokio::time::timeout(EVERY, down).await.is_ok() {
            return;
        }
        let look = Arc::clone(&free);
        // A file system may take its time to say.
        let Ok(free) = tokio::task::spawn_blocking(move || look()).await else { return };
        shared.signals.send_if_modified(|signals| {
            let (before, after) = (signals.room, signals.room.after(free, mark));
            signals.room = after;
            if before.low && !after.low {
                tracing::warn!(?free, mark, "there is room on the disk again: new requests are taken");
            }
            before != after
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_low_below_the_mark_and_enough_again_an_eighth_above_it() {
        let mut room = Room::default();
        for (free, low) in [
            (Some(1000), false),
            (Some(800), false),
            (Some(799), true),
            (Some(899), true),
            (None, true),
            (Some(900), false),
            (None, false),
            (Some(0), true),
        ] {
            room = room.after(free, 800);
            assert_eq!((room.free, room.low), (free, low));
        }
    }
}
