//! Runs the sealer beside the switch: a step at a time on a thread where that may take its time, then a pause as long as
//! the step took, so that live traffic keeps at least half of what there is.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::Shared;
use super::ask::Input;
use crate::desk::Standing;
use crate::journal::{JournalError, Sealer, Step};

/// How often it is looked whether there is something to seal.
const IDLE: Duration = Duration::from_millis(200);

/// Seals until the switch goes down.
pub(super) fn serve(shared: &Arc<Shared>) {
    let sealer = Sealer::new(&shared.store, shared.config.sealing);
    let sealing = seal(Arc::clone(shared), sealer);
    shared.tasks.spawn(super::control::until_down(shared.going_down.subscribe(), sealing));
}

async fn seal(shared: Arc<Shared>, mut sealer: Sealer) {
    loop {
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
        match step {
            Ok(Step::Idle) => sleep(IDLE).await,
            Ok(Step::Again) => sleep(began.elapsed()).await,
            Ok(Step::Unload(unloading)) => {
                let (done, committed) = oneshot::channel();
                let said = shared.urgent.send(Input::Unload(unloading, done)).await;
                if said.is_err() || committed.await.is_err() {
                    return;
                }
            }
            Err(error) => return report(&error),
        }
    }
}

/// The working store goes on as it is, and grows.
fn report(error: &JournalError) {
    tracing::error!(%error, "alarm: legs can no longer be sealed, the working store grows until the next start");
}
