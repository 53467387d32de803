//! What operators are told of payments that only people can resolve.

use crate::control::ExceptionReply;
use crate::switch::{Payment, Reason, Record, What};

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
    let tried = tried(&record.what, &payment);
    let part = payment.wanted_part().map_or_else(String::new, |part| {
        let (from, left) = (part.from, part.left);
        format!(" a part of it (of {from} is to be left {left}; `undone` says that it is so, `stands` that all of it is)")
    });
    let next = format!(
        "{tried}{known}{wanted}{part}: ask the department, then `ctl resolve {leg} --as stands|undone|again`"
    );
    Some(ExceptionReply { leg, at: record.at, why: record.what.to_string(), next, payment })
}

/// What was done about it so far, where the reason alone does not say it.
fn tried(what: &What, payment: &Payment) -> String {
    match (what, &payment.owed) {
        (What::GaveUp(Reason::BillerUnavailable), Some(owed)) => {
            let (minutes, orders) = (owed.age_ms / 60_000, payment.attempts());
            format!("{orders} orders in {minutes} min brought no answer; ")
        }
        (What::GaveUp(Reason::AlreadyPaid), Some(_)) if !payment.advice => {
            "sent again, it was told that its bill is paid and not that it was by this payment; ".to_owned()
        }
        (What::GaveUp(Reason::Expired | Reason::Blocked), Some(_)) if !payment.advice => {
            "sent again, it was refused for what its bill is now, which says nothing of the time before; "
                .to_owned()
        }
        (_, _) => String::new(),
    }
}
