//! Sees to it that a sync that failed ends the process, also where the engine's own thread did it and whoever waits for that
//! sync is never told.

use std::time::Duration;

use super::exit::journal_failed;
use crate::journal::Store;

/// How often it is looked at, and how long the regular end may take.
const EVERY: Duration = Duration::from_millis(250);

/// Watches on a thread of its own for as long as the store is open: a switch that cannot write must not hang on its disk.
pub(super) fn watch(store: &Store) -> std::io::Result<()> {
    let failed = store.sync_failure();
    let watching = move || {
        while let Some(has_failed) = failed() {
            std::thread::park_timeout(EVERY);
            if has_failed {
                journal_failed(|| {
                    tracing::error!("a sync of the store failed: nothing leaves any more, the process ends");
                });
            }
        }
    };
    std::thread::Builder::new().name("sync watch".to_owned()).spawn(watching).map(|_| ())
}
