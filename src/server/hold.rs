//! The first seconds on a large store, while its keys are read: what no key is needed for is answered, everything else waits.
//!
//! A lost key could be money: a bill that was paid is payable again, a payment that was posted is unknown, one that is settled
//! is still owed a reversal. So until all keys are known to be there no payment is looked for, no bill, and nothing that
//! was open is taken up. What has waited too long for its turn by then is declined with 96, as always.

use std::collections::BTreeSet;
use std::time::Instant;

use tokio::sync::oneshot;

use super::StartError;
use super::ask::Input;
use super::engine::{Engine, Inputs};
use super::exit;
use crate::ids::LinkName;
use crate::journal::Unchecked;
use crate::switch::Request;

/// So many keys are checked before anything is served: it takes a tenth of a second.
const CHECKED_FIRST_MAX: u64 = 100_000;
/// What may be kept here; beyond it, whoever sends waits.
const HELD_MAX: usize = 4096;

/// Says when all keys have been checked.
pub(super) type Checked = oneshot::Receiver<()>;

/// Checks the keys: at once if they are few, else on a thread of its own. If that finds damage the process ends.
///
/// # Errors
///
/// [`StartError`] if they are few and damaged, or there is no thread.
pub(super) fn check(unchecked: Unchecked) -> Result<Option<Checked>, StartError> {
    let keys = unchecked.count();
    if keys <= CHECKED_FIRST_MAX {
        unchecked.check()?;
        return Ok(None);
    }
    let (done, checked) = oneshot::channel();
    let body = move || {
        let began = Instant::now();
        match unchecked.check() {
            Ok(keys) => {
                let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                tracing::info!(keys, took_ms, "all keys of the store are there, and as they were written");
                let _ = done.send(());
            }
            Err(error) => exit::store_refused(
                || tracing::error!(%error, "alarm: the store's keys are damaged: no payment was taken, the process ends"),
            ),
        }
    };
    tracing::info!(keys, "the store's keys are being checked: payments wait until they are");
    std::thread::Builder::new().name("keys".to_owned()).spawn(body).map_err(StartError::Engine)?;
    Ok(Some(checked))
}

impl Engine {
    /// Until the keys are checked, answers what needs none of them and puts everything else aside, each link's in its order;
    /// then takes up what was open.
    pub(super) async fn hold(&mut self, inputs: &mut Inputs, mut checked: Checked) {
        let mut waiting: BTreeSet<LinkName> = BTreeSet::new();
        loop {
            self.end_turn(false).await;
            if self.is_over() {
                return;
            }
            let has_room = self.held.len() < HELD_MAX;
            let input = tokio::select! {
                biased;
                said = &mut checked => {
                    if said.is_err() {
                        exit::journal_failed(|| tracing::error!("the check of the keys ended without a word"));
                    }
                    return self.recover_or_end();
                }
                Some(input) = inputs.urgent.recv(), if has_room => Some(input),
                () = inputs.requests.arrived(), if has_room => inputs.requests.take(),
            };
            let Some(input) = input else { continue };
            if let Some(input) = self.unless_free(input, &mut waiting) {
                self.held.push_back(input);
            }
        }
    }

    /// Takes in what needs no key, unless something of its link waits: gives back what has to wait.
    fn unless_free(&mut self, input: Input, waiting: &mut BTreeSet<LinkName>) -> Option<Input> {
        let (link, is_free) = match &input {
            Input::Inspect(_) | Input::Stop => (None, true),
            Input::Connected(link) | Input::Disconnected(link) => (Some(*link), true),
            Input::Asked(ask, _) => {
                let is_free = matches!(ask.request, Request::SignOn | Request::SignOff | Request::Echo);
                (Some(ask.link), is_free)
            }
            Input::Unasked(_)
            | Input::TotalsAnswered(_)
            | Input::Replied(..)
            | Input::Operate(..)
            | Input::Resolve(..)
            | Input::Book(..)
            | Input::Unload(..)
            | Input::Durable(_)
            | Input::WhenSettled(_) => (None, false),
        };
        if is_free && link.is_none_or(|link| !waiting.contains(&link)) {
            self.take(self.shared.clock.now(), input);
            return None;
        }
        waiting.extend(link);
        Some(input)
    }
}
