//! Outcome in, message out.

use bytes::BytesMut;

use super::{Fact, Profile, Step};
use crate::iso8583::{EncodeError, Message, Writer};
use crate::switch::{About, Answer, Bill, HeadAmount, Posting};

impl Profile {
    /// Appends the answer to `request` to `out`.
    ///
    /// A fact that its field cannot hold is left out with all the others rather than the answer: the acquirer must
    /// hear the outcome.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if not even the outcome could be written; `out` is then as it was.
    pub fn answer(
        &self,
        request: &Message<'_, '_>,
        answer: &Answer,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        match self.write(request, answer, &answer.about, out) {
            Err(_) if answer.about != About::Nothing => self.write(request, answer, &About::Nothing, out),
            written => written,
        }
    }

    fn write(
        &self,
        request: &Message<'_, '_>,
        answer: &Answer,
        about: &About,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let mut writer =
            Writer::answering(&self.dialect, self.answer_mti(request.mti()), request.header(), out);
        for step in &self.answer {
            match step {
                Step::Echo(field) => {
                    if let Some(value) = request.field(*field) {
                        writer.put(*field, value)?;
                    }
                }
                Step::ResponseCode(field) => {
                    writer.put(*field, self.response_code(answer.reason).as_bytes())?;
                }
                Step::BadField(field) => {
                    if let Some(bad) = answer.bad_field {
                        writer.put(*field, &three_digits(bad))?;
                    }
                }
                Step::Fact(field, fact) => fact.tell(about, &mut |value| {
                    // A writer remembers its first error until `finish`.
                    let _ = writer.put(*field, value);
                }),
                Step::Elements(field, facts) => elements(&mut writer, *field, facts, about)?,
            }
        }
        writer.finish()
    }
}

fn elements(
    writer: &mut Writer<'_, '_>,
    field: u8,
    facts: &[(Vec<u8>, Fact)],
    about: &About,
) -> Result<(), EncodeError> {
    if *about == About::Nothing {
        return Ok(());
    }
    writer.begin(field)?;
    for (tag, fact) in facts {
        fact.tell(about, &mut |value| {
            // A writer remembers its first error until `end`.
            let _ = writer.element(tag, value);
        });
    }
    writer.end()
}

/// DE 44 names a field as three digits.
fn three_digits(field: u8) -> [u8; 3] {
    let digit = |n: u8| b'0'.saturating_add(n % 10);
    [digit(field / 100), digit(field / 10), digit(field)]
}

/// Decimal digits of a number, on the stack.
struct Digits {
    bytes: [u8; 20],
    start: usize,
}

impl Digits {
    fn of(mut number: u64) -> Self {
        let mut digits = Self { bytes: [b'0'; 20], start: 20 };
        for (index, byte) in digits.bytes.iter_mut().enumerate().rev() {
            *byte = b'0'.saturating_add(u8::try_from(number % 10).unwrap_or_default());
            digits.start = index;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        digits
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }
}

impl Fact {
    /// Gives this fact's value, or values, to `put`; nothing if the outcome has none.
    fn tell(self, about: &About, put: &mut dyn FnMut(&[u8])) {
        match about {
            About::Nothing => {}
            About::Bill(bill) => self.tell_bill(bill, put),
            About::Posted { posting, date } => match self {
                Self::DatePaid => put(date.compact().as_bytes()),
                Self::Status => put(b"P"),
                Self::Name
                | Self::DueDate
                | Self::BillingMonth
                | Self::AmountWithinDue
                | Self::AmountAfterDue
                | Self::Heads
                | Self::Receipt
                | Self::Authorisation => self.tell_posting(posting, put),
            },
        }
    }

    fn tell_bill(self, bill: &Bill, put: &mut dyn FnMut(&[u8])) {
        match self {
            Self::Name => put(bill.name.as_bytes()),
            Self::Status => put(bill.status.letter().as_bytes()),
            Self::DueDate => put(bill.due_date.compact().as_bytes()),
            Self::BillingMonth => put(bill.billing_month.as_bytes()),
            Self::AmountWithinDue => put(Digits::of(bill.amount_within_due.minor()).as_bytes()),
            Self::AmountAfterDue => put(Digits::of(bill.amount_after_due.minor()).as_bytes()),
            Self::Heads => tell_heads(&bill.heads, put),
            Self::Receipt | Self::DatePaid | Self::Authorisation => {}
        }
    }

    fn tell_posting(self, posting: &Posting, put: &mut dyn FnMut(&[u8])) {
        match self {
            Self::Heads => tell_heads(&posting.heads, put),
            Self::Receipt => put(posting.receipt.as_bytes()),
            Self::Authorisation => put(posting.authorisation.as_bytes()),
            Self::Name
            | Self::Status
            | Self::DueDate
            | Self::BillingMonth
            | Self::AmountWithinDue
            | Self::AmountAfterDue
            | Self::DatePaid => {}
        }
    }
}

fn tell_heads(heads: &[HeadAmount], put: &mut dyn FnMut(&[u8])) {
    for head in heads {
        let mut text = [0_u8; 40];
        let digits = Digits::of(head.amount.minor());
        let parts = [head.head.as_bytes(), b"=", digits.as_bytes()];
        let mut len = 0_usize;
        for (to, from) in text.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
            len = len.saturating_add(1);
        }
        put(text.get(..len).unwrap_or_default());
    }
}
