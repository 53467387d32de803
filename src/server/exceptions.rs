//! Exceptions as operators are told of them.

use crate::control::ExceptionReply;
use crate::switch::{Reason, Record, What};

/// What an operator is told of an exception.
pub(super) fn exception(leg: u64, record: Record) -> Option<ExceptionReply> {
    let payment = *record.payment?;
    let known = if payment.posting.is_some() {
        "it was posted"
    } else if payment.advice {
        "the acquirer has made it without asking"
    } else {
        "it may have been posted"
    };
    let wanted = if payment.wanted_part().is_some() {
        ", and the acquirer wants back"
    } else if payment.reversal.is_some_and(|reversal| reversal.answer.is_some()) {
        ", and the acquirer wants it back"
    } else {
        ""
    };
    let tried = payment.owed.filter(|_| matches!(record.what, What::GaveUp(Reason::BillerUnavailable)));
    let tried = tried.map_or_else(String::new, |owed| {
        let (minutes, orders) = (owed.age_ms / 60_000, payment.attempts());
        format!("{orders} orders in {minutes} min brought no answer; ")
    });
    let part = payment.wanted_part().map_or_else(String::new, |part| {
        let (from, left) = (part.from, part.left);
        format!(" a part of it (of {from} is to be left {left}; `undone` says that it is so, `stands` that all of it is)")
    });
    let next = format!(
        "{tried}{known}{wanted}{part}: ask the department, then `ctl resolve {leg} --as stands|undone|again`"
    );
    Some(ExceptionReply { leg, at: record.at, why: record.what.to_string(), next, payment })
}
