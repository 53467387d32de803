//! Runs the sealer beside the switch: a step at a time on a thread where that may take its time, then a pause as long as
//! the step took, so that live traffic keeps its latency. Only when the working store has outgrown its bound by as much again
//! there is no pause: then starts would become slow.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::Shared;
use super::ask::Input;
use crate::desk::Standing;
use crate::journal::{JournalError, Sealer, Step};
use crate::telemetry::Counters;

/// How often it is looked whether there is something to seal.
const IDLE: Duration = Duration::from_millis(200);
/// How long after a failure it is tried again: the disk may have been full.
const AFTER_FAILURE: Duration = Duration::from_secs(60);

/// Seals until the switch goes down. A step that has begun is finished, so that the store is let go.
pub(super) fn serve(shared: &Arc<Shared>) {
    shared.tasks.spawn(seal(Arc::clone(shared)));
}

async fn seal(shared: Arc<Shared>) {
    let mut going_down = shared.going_down.subscribe();
    let begin = || Sealer::new(&shared.store, shared.config.sealing);
    let mut sealer = begin();
    while !*going_down.borrow_and_update() {
        // A segment takes room before any is given back: it waits for some, unless starts would become slow.
        if shared.signals.borrow().room.low && !sealer.is_behind() {
            let _ = timeout(IDLE, going_down.wait_for(|down| *down)).await;
            continue;
        }
        let (began, store) = (Instant::now(), shared.store.clone());
        let stepping = tokio::task::spawn_blocking(move || {
            let step = Standing::date(&store).and_then(|today| match today {
                Some(today) => sealer.step(today),
                None => Ok(Step::Idle),
            });
            (sealer, step)
        });
        let step = match stepping.await {
            Ok((back, step)) => {
                sealer = back;
                step
            }
            Err(gone) => {
                // The runtime ends. Otherwise it was a panic, and what it has left undone is found by the next one.
                if gone.is_cancelled() {
                    return;
                }
                sealer = begin();
                Err(JournalError::Engine { detail: "sealing panicked".into() })
            }
        };
        let pause = match step {
            Ok(Step::Idle) => IDLE,
            Ok(Step::Again) => rest(&sealer, began),
            Ok(Step::Unload(unloading)) => {
                let (done, committed) = oneshot::channel();
                let carries_over = !unloading.carry_over.is_empty();
                if shared.urgent.send(Input::Unload(unloading, done)).await.is_err() {
                    return;
                }
                match committed.await {
                    Ok(Ok(())) => rest(&sealer, began),
                    Ok(Err(error)) => {
                        sealer.not_unloaded(carries_over);
                        failed(&shared, &error)
                    }
                    Err(_) => return,
                }
            }
            Err(error) => failed(&shared, &error),
        };
        let _ = timeout(pause, going_down.wait_for(|down| *down)).await;
    }
}

/// Tells of it, and says how long it is before it is tried again.
fn failed(shared: &Shared, error: &JournalError) -> Duration {
    Counters::count(&shared.counters.alarms);
    tracing::error!(%error, "alarm: legs cannot be sealed, and the working store grows; it is tried again");
    AFTER_FAILURE
}

/// A pause as long as the step that began then took.
fn rest(sealer: &Sealer, began: Instant) -> Duration {
    if sealer.is_behind() { Duration::ZERO } else { began.elapsed() }
}
