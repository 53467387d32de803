//! Runs the sealer beside the switch: a step at a time on a thread where that may take its time, then a pause as long as
//! the step took, so that live traffic keeps at least half of what there is.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::Shared;
use super::ask::Input;
use crate::desk::Standing;
use crate::journal::{Sealer, Step};

/// How often it is looked whether there is something to seal.
const IDLE: Duration = Duration::from_millis(200);
/// How long after a failure it is tried again: the disk may have been full.
const AFTER_FAILURE: Duration = Duration::from_secs(60);

/// Seals until the switch goes down. A step that has begun is finished, so that the store is let go.
pub(super) fn serve(shared: &Arc<Shared>) {
    let sealer = Sealer::new(&shared.store, shared.config.sealing);
    shared.tasks.spawn(seal(Arc::clone(shared), sealer));
}

async fn seal(shared: Arc<Shared>, mut sealer: Sealer) {
    let mut going_down = shared.going_down.subscribe();
    while !*going_down.borrow_and_update() {
        let (began, store) = (Instant::now(), shared.store.clone());
        let stepping = tokio::task::spawn_blocking(move || {
            let step = Standing::date(&store).and_then(|today| match today {
                Some(today) => sealer.step(today),
                None => Ok(Step::Idle),
            });
            (sealer, step)
        });
        // A panic has been reported where it happened.
        let Ok((back, step)) = stepping.await else { return };
        sealer = back;
        let pause = match step {
            Ok(Step::Idle) => IDLE,
            Ok(Step::Again) => began.elapsed(),
            Ok(Step::Unload(unloading)) => {
                let (done, committed) = oneshot::channel();
                let said = shared.urgent.send(Input::Unload(unloading, done)).await;
                if said.is_err() || committed.await.is_err() {
                    return;
                }
                Duration::ZERO
            }
            Err(error) => {
                tracing::error!(%error, "alarm: legs cannot be sealed, and the working store grows; it is tried again");
                AFTER_FAILURE
            }
        };
        let _ = timeout(pause, going_down.wait_for(|down| *down)).await;
    }
}
