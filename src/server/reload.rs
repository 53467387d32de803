//! A new configuration for a running switch: taken over whole or not at all.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use tokio::sync::oneshot;

use super::Shared;
use super::ask::Input;
use crate::biller::Settlement;
use crate::config::{self, Config};
use crate::ids::BillerCode;
use crate::switch::Operation;

/// Reads the configuration again from where it came from; what is wrong with it, in words, if it cannot be run.
pub type Reread = Arc<dyn Fn() -> Result<Config, String> + Send + Sync>;

/// Where the departments' money goes.
pub(super) fn settlements(config: &Config) -> BTreeMap<BillerCode, Settlement> {
    config.billers.iter().map(|biller| (biller.code, biller.settlement.clone())).collect()
}

impl Shared {
    /// Reads the configuration again and takes over its terms, links' limits and profiles, or refuses it whole. Either is
    /// journalled. The connections of links whose configuration changed are ended in good order: their peers come back to the
    /// new one.
    ///
    /// # Errors
    ///
    /// Why the old one is kept.
    pub(super) async fn reload(&self) -> Result<String, String> {
        let _one_at_a_time = self.reloading.lock().await;
        let Some(reread) = self.reread.clone() else {
            return Err("this switch was not started from a configuration that can be read again".to_owned());
        };
        let fresh = tokio::task::spawn_blocking(move || reread()).await;
        let fresh = fresh.unwrap_or_else(|_| Err("reading the configuration failed".to_owned()));
        let fresh = fresh.and_then(|fresh| config::can_take_over(&self.config, &fresh).map(|()| fresh));
        match fresh {
            Ok(fresh) => {
                let billers = fresh.billers.iter().map(|biller| biller.terms.clone()).collect();
                let links = fresh.links.iter().map(|link| link.terms).collect();
                self.operate(Operation::Configure { links, billers }).await?;
                *self.settlements.lock().unwrap_or_else(PoisonError::into_inner) = settlements(&fresh);
                let changed = self.peers.adopt(fresh.links);
                tracing::warn!(?changed, "the configuration was read anew and is in force");
                let names: Vec<&str> = changed.iter().map(|name| name.as_str()).collect();
                Ok(match names.as_slice() {
                    [] => "the new configuration is in force; no link changed".to_owned(),
                    names => format!(
                        "the new configuration is in force; connections of {} end and begin anew with it",
                        names.join(", ")
                    ),
                })
            }
            Err(why) => {
                tracing::error!(why, "a new configuration was refused whole: the old one is kept");
                self.operate(Operation::KeepConfiguration).await?;
                Err(format!("{why}\nnothing was changed: the old configuration is kept"))
            }
        }
    }

    /// Where a department's money goes, by the configuration in force.
    pub(super) fn settlement_of(&self, biller: BillerCode) -> Settlement {
        let settlements = self.settlements.lock().unwrap_or_else(PoisonError::into_inner);
        settlements.get(&biller).cloned().unwrap_or_default()
    }

    /// Tells the switch, and waits until it is journalled.
    async fn operate(&self, operation: Operation) -> Result<(), String> {
        let (done, durable) = oneshot::channel();
        let going_down = || "the switch is going down".to_owned();
        let told = self.urgent.send(Input::Operate(operation, Some(done))).await;
        told.map_err(|_| going_down())?;
        durable.await.map_err(|_| going_down())
    }
}
