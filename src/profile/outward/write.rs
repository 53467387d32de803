//! An order in, a message out.

use bytes::BytesMut;

use super::word::Telling;
use super::{Facts, Piece, Say, Saying};
use crate::iso8583::{EncodeError, EncodeReason, Message, Mirror, Mti, Seal, Writer, decode};
use crate::profile::Profile;
use crate::profile::answer::pieces;
use crate::switch::{Order, Payment};

impl Profile {
    /// Appends the message for what is to be said to `out`, with a MAC by `seal` where messages of its type have one.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if it cannot be written, [`EncodeReason::Undefined`] of message 0 if the profile has no outward side;
    /// `out` is then as it was.
    pub fn say(
        &self,
        say: Say<'_>,
        facts: &Facts<'_>,
        seal: Option<&Seal<'_>>,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let none = EncodeError { field: 0, reason: EncodeReason::Undefined };
        let outward = self.outward.as_ref().ok_or(none)?;
        let (saying, network_code, order): (_, &[u8], _) = match say {
            Say::SignOn => (&outward.network, &outward.sign_on, None),
            Say::SignOff => (&outward.network, &outward.sign_off, None),
            Say::Echo => (&outward.network, &outward.echo, None),
            Say::Order(order) => {
                let saying = match order {
                    Order::LookUp(_) => &outward.inquiry,
                    Order::Post { .. } => &outward.payment,
                    Order::Reverse { payment, .. } if payment.wanted_part().is_some() => {
                        outward.reduction.as_ref().ok_or(none)?
                    }
                    Order::Reverse { .. } => &outward.reversal,
                };
                (saying, &[], Some(order))
            }
        };
        let mut mirror = Mirror::new();
        let kept = order.and_then(payment_of).and_then(|payment| payment.reference.as_ref());
        let kept = kept.filter(|kept| !kept.as_bytes().is_empty());
        let kept = kept.map(|kept| decode(&self.dialect, kept.as_bytes(), &mut mirror).message);
        let payment_mti = outward.payment.mti.as_slice();
        let telling = Telling { facts, order, network_code, payment_mti, kept: kept.as_ref() };
        self.compose(saying, &telling, seal, out)
    }

    fn compose(
        &self,
        saying: &Saying,
        telling: &Telling<'_>,
        seal: Option<&Seal<'_>>,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let none = EncodeError { field: 0, reason: EncodeReason::Undefined };
        let mti = telling.mti(&saying.mti).ok_or(none)?;
        let mut writer = Writer::new(&self.dialect, mti, out);
        for step in &saying.steps {
            match step {
                Piece::Whole(field, source) => source.tell(telling, &mut |value| {
                    // A writer remembers its first error until `finish`.
                    let _ = writer.put(*field, value);
                }),
                Piece::Inside(field, inside) => {
                    pieces(&mut writer, *field, inside, &|source, put| source.tell(telling, put))?;
                }
            }
        }
        match self.sealed(mti, seal) {
            Some((rule, seal)) => writer.finish_sealed(rule, seal, true),
            None => writer.finish(),
        }
    }

    /// The first type of message about bills and payments that is sent to a host, or answers what is, and has no MAC; none
    /// if each has one.
    #[must_use]
    pub fn sent_without_mac(&self) -> Option<Mti> {
        let outward = self.outward.as_ref()?;
        let sayings = [&outward.inquiry, &outward.payment, &outward.reversal];
        let sent = sayings.iter().flat_map(|saying| &saying.mti).copied();
        let both = sent.flat_map(|mti| [Some(mti), mti.to_response()].into_iter().flatten());
        both.into_iter().find(|mti| !self.has_mac(*mti))
    }

    /// What is kept of a host's answer to an inquiry, as a message of its own; none if it cannot be kept.
    pub(super) fn keep(&self, answer: &Message<'_, '_>, keeps: &[u8]) -> Option<BytesMut> {
        let mut out = BytesMut::new();
        if keeps.is_empty() {
            return Some(out);
        }
        let mut writer = Writer::new(&self.dialect, answer.mti(), &mut out);
        for field in keeps {
            if let Some(value) = answer.field(*field) {
                writer.put(*field, value).ok()?;
            }
        }
        writer.finish_as_it_is().ok()?;
        Some(out)
    }
}

fn payment_of(order: &Order) -> Option<&Payment> {
    match order {
        Order::LookUp(_) => None,
        Order::Post { payment, .. } | Order::Reverse { payment, .. } => Some(payment),
    }
}

impl Profile {
    /// An answer with another response code, or with an amount that is one more: what a simulated host gets wrong. None if
    /// it cannot be written.
    #[must_use]
    pub fn altered(
        &self,
        answer: &Message<'_, '_>,
        code: Option<u8>,
        amount: bool,
        seal: Option<&Seal<'_>>,
    ) -> Option<BytesMut> {
        let mut out = BytesMut::new();
        let mut writer = Writer::answering(&self.dialect, answer.mti(), answer.header(), &mut out);
        let amount_field = self.paths.amount.field().filter(|_| amount);
        let sealed = self.sealed(answer.mti(), seal);
        let of_mac = |field: &u8| sealed.is_some_and(|(rule, _)| rule.fields().contains(field));
        for (field, value) in answer.fields().filter(|(field, _)| !of_mac(field)) {
            let mut value = value.to_vec();
            if field == self.response_code_field
                && let Some(code) = code
            {
                value = format!("{code:0width$}", width = value.len()).into_bytes();
            } else if Some(field) == amount_field
                && let Some(last) = value.last_mut()
            {
                *last = if *last == b'9' { b'8' } else { last.wrapping_add(1) };
            }
            writer.put(field, &value).ok()?;
        }
        match sealed {
            Some((rule, seal)) => writer.finish_sealed(rule, seal, false).ok()?,
            None => writer.finish_as_it_is().ok()?,
        }
        Some(out)
    }
}
