//! What the switch can write at most, held against what a leg may be.

use super::*;
use crate::bounds::HEADS_MAX;
use crate::ids::{KeyParts, Short};
use crate::journal::LEG_BYTES_MAX;
use crate::money::MinorUnits;
use crate::switch::{
    About, Answer, Bill, BillStatus, Counted, CountedAs, Digest, HeadAmount, Limits, Owed, Partial,
    PartialState, Posting, Reason, Reference, Resolution, Reversal, What,
};

const LATE: UnixMillis = UnixMillis(253_402_300_799_999);

fn long<const N: usize>() -> Short<N> {
    Short::new(&[b'W'; N]).unwrap()
}

fn heads() -> Vec<HeadAmount> {
    vec![HeadAmount { head: long(), amount: MinorUnits::MAX }; HEADS_MAX]
}

/// Everything that can be said of a payment, as long as it can be.
fn largest() -> Payment {
    let date = BusinessDate::NEVER;
    let parts = KeyParts {
        transmitted_at: &[b'9'; 14],
        stan: &[b'9'; 12],
        rrn: &[b'9'; 12],
        acquirer: &[b'9'; 11],
        terminal: &[b'9'; 16],
        link: &[b'w'; 24],
    };
    let posting = Posting { receipt: long(), authorisation: long(), at: LATE, heads: heads() };
    let about = About::Posted { posting: posting.clone(), date };
    Payment {
        key: PaymentKey::new(&parts),
        link: long(),
        biller: long(),
        consumer: "9".repeat(40).into(),
        channel: long(),
        amount: MinorUnits::MAX,
        date,
        digest: Digest::default(),
        state: State::Exception,
        answer: Some(Answer { reason: Reason::InDoubt, bad_field: Some(255), about }),
        posting: Some(posting),
        reversal: Some(Reversal {
            answer: Some(Reason::InDoubt),
            attempts: u16::MAX,
            totals_date: Some(date),
        }),
        heads: heads(),
        advice: true,
        confirmations: u16::MAX,
        totals_date: date,
        counted: CountedAs::default(),
        taken_in: LATE,
        trace: u64::MAX,
        reference: Reference::new(&[0xff; Reference::MAX]),
        part: Some(Partial {
            from: MinorUnits::MAX,
            left: MinorUnits::MAX,
            heads: heads(),
            counted: true,
            state: PartialState::Kept(Reason::InDoubt),
        }),
        owed: Some(Owed { age_ms: u64::MAX, at: LATE }),
    }
}

fn record(payment: Payment, what: What) -> Record {
    Record {
        at: LATE,
        date: BusinessDate::NEVER,
        what,
        link: long(),
        stan: long(),
        rrn: long(),
        payment: Some(Box::new(payment)),
        due: Some(LATE),
        was_due: Some(LATE),
        counted: Some(Counted { date: BusinessDate::NEVER, amount: MinorUnits::MAX, reversal: true }),
        evidence: Evidence::default(),
    }
}

#[test]
fn the_largest_record_of_a_payment_is_a_leg_that_fits() {
    // As much as the control protocol takes.
    let why = "\u{0639}".repeat(200);
    let resolved = record(largest(), What::Resolved(Resolution::Stands, why.into()));
    // One that is declined tells of the bill, and nothing of it is posted.
    let bill = Bill {
        name: "\u{fffd}".repeat(100).into(),
        status: BillStatus::Partial(Limits { min: Some(MinorUnits::MAX), max: Some(MinorUnits::MAX) }),
        billing_month: long(),
        due_date: BusinessDate::NEVER,
        expiry_date: BusinessDate::NEVER,
        amount_within_due: MinorUnits::MAX,
        amount_after_due: MinorUnits::MAX,
        heads: heads(),
        reference: Reference::new(&[0xff; Reference::MAX]).unwrap(),
    };
    let about = About::Bill(Box::new(bill));
    let answer = Some(Answer { about, ..Answer::plain(Reason::AmountNotAccepted) });
    let declined = Payment { answer, posting: None, part: None, ..largest() };
    let declined = record(declined, What::Answered { reason: Reason::AmountNotAccepted });
    for record in [resolved, declined] {
        let bytes = to_leg(&record).unwrap().len();
        assert!(bytes <= LEG_BYTES_MAX, "{bytes}");
    }
}
