//! What operators are told of totals.

use super::Shared;
use crate::control::TotalsReply;
use crate::ids::{BusinessDate, LinkName};
use crate::journal::totals::{stored_closing, stored_totals};
use crate::journal::{JournalError, Store};
use crate::switch::Closing;

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
            let closing = stored_closing(store, *link, *date)?;
            let closing_agrees = closing.as_ref().and_then(Closing::agrees);
            let (date, link) = (*date, *link);
            replies.push(TotalsReply { date, link, ours, reconciled, agree, closing, closing_agrees });
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
