//! Sealed days at the operator's word: pruned and put back while the switch serves.

use std::path::PathBuf;

use super::control::Operator;
use crate::control::Reply;
use crate::ids::BusinessDate;

impl Operator {
    /// Takes the legs of a date away.
    pub(super) async fn prune(&self, date: BusinessDate, archived: Option<PathBuf>) -> Result<Reply, String> {
        let today = self.inspect().await?.date;
        tracing::warn!(%date, ?archived, "the operator has a business date pruned");
        let pruned = self.read(move |store| store.prune(date, today, archived.as_deref())).await?;
        let legs = pruned.map_err(|error| error.to_string())?;
        Ok(Reply::Done(format!("{date} is pruned: {legs} legs are in its archive only")))
    }

    /// Puts a date back.
    pub(super) async fn restore(&self, from: PathBuf) -> Result<Reply, String> {
        tracing::warn!(from = %from.display(), "the operator restores a business date");
        let date = self.read(move |store| store.restore(&from)).await?;
        let date = date.map_err(|error| error.to_string())?;
        Ok(Reply::Done(format!("{date} is back")))
    }
}
