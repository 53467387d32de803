//! What operators are told of totals.

use super::Shared;
use crate::control::TotalsReply;
use crate::desk::stored_totals;
use crate::ids::{BusinessDate, LinkName};
use crate::journal::{JournalError, Store};

/// The totals of these dates, link by link; of one link alone, if it is named.
pub(super) fn tell(
    store: &Store,
    links: &[LinkName],
    dates: &[BusinessDate],
) -> Result<Vec<TotalsReply>, JournalError> {
    let mut replies = Vec::new();
    for date in dates {
        for link in links {
            let (ours, reconciled) = stored_totals(store, *link, *date)?;
            let agree = reconciled.map(|reconciled| reconciled.agree());
            replies.push(TotalsReply { date: *date, link: *link, ours, reconciled, agree });
        }
    }
    Ok(replies)
}

/// The links that are meant.
pub(super) fn links(shared: &Shared, only: Option<LinkName>) -> Result<Vec<LinkName>, String> {
    let all = shared.config.links.iter().map(|link| link.name);
    let meant: Vec<LinkName> = all.filter(|name| only.is_none_or(|only| only == *name)).collect();
    match only {
        Some(only) if meant.is_empty() => {
            Err(format!("no link `{only}` is configured; `ctl links` lists them"))
        }
        Some(_) | None => Ok(meant),
    }
}
