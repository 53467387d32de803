//! Message in, request out.

use super::{Class, Kind, NetworkCode, Place, Profile};
use crate::ids::{BillerCode, KeyParts, LinkName, PaymentKey, Rrn, Short, Stan};
use crate::iso8583::{CardNumbers, Decoded, Message, Mti};
use crate::money::MinorUnits;
use crate::switch::{
    BillRef, Digest, KeyChange, PaymentRequest, Prior, Reason, Replacement, Request, ReversalRequest,
};

/// A message that can be answered, and what it asks for.
#[derive(Debug)]
pub struct Parsed {
    /// Its message type.
    pub mti: Mti,
    /// DE 11.
    pub stan: Stan,
    /// DE 37; empty if absent.
    pub rrn: Rrn,
    /// What it asks for; a refusal if it asks for nothing that makes sense.
    pub request: Request,
}

/// A message nobody can be answered about (`acceptance.md`, hostile peers): counted, and dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unanswerable {
    /// No message type could be read.
    #[error("no readable message type")]
    NoMti,
    /// No trace number could be read, so that no answer would find its request.
    #[error("no readable trace number")]
    NoStan,
    /// It is itself an answer, to nothing that was asked on this link.
    #[error("an answer that nobody asked for")]
    Answer,
}

/// The longest consumer number: no bill of ours is called by a longer one.
const CONSUMER_BYTES_MAX: usize = 40;
/// The longest payment key: what the fields of a common dialect need, twice over.
const KEY_BYTES_MAX: usize = 256;

/// A request that is refused: why, and the data element to blame.
pub(super) type Refusal = (Reason, Option<u8>);

impl Profile {
    /// Reads what a message asks for. `digest` is the keyed digest over the fields given to it.
    ///
    /// # Errors
    ///
    /// [`Unanswerable`] if no answer can be given. Everything else is a request, if need be one that is refused.
    pub fn request(
        &self,
        decoded: &Decoded<'_, '_>,
        link: LinkName,
        digest: impl Fn(&mut dyn Iterator<Item = (u8, &[u8])>) -> Digest,
    ) -> Result<Parsed, Unanswerable> {
        let message = &decoded.message;
        let mti = message.mti();
        if mti == Mti::UNREADABLE {
            return Err(Unanswerable::NoMti);
        }
        if mti.is_response() {
            return Err(Unanswerable::Answer);
        }
        let stan = self.text(message, &self.paths.stan).filter(|stan: &Stan| !stan.is_empty());
        let stan = stan.ok_or(Unanswerable::NoStan)?;
        let rrn = self.text(message, &self.paths.rrn).unwrap_or_default();
        let request = match &decoded.fault {
            Some(fault) => Err((Reason::Malformed, Some(fault.field))),
            None => self.read(message, link, digest),
        };
        let network = self.classes.iter().any(|class| class.kind == Kind::Network && class.is_of(mti));
        let refused = |(reason, bad_field)| Request::Refused { reason, bad_field, network };
        let request = request.unwrap_or_else(refused);
        Ok(Parsed { mti, stan, rrn, request })
    }

    fn read(
        &self,
        message: &Message<'_, '_>,
        link: LinkName,
        digest: impl Fn(&mut dyn Iterator<Item = (u8, &[u8])>) -> Digest,
    ) -> Result<Request, Refusal> {
        let class = self.class(message)?;
        for (field, path) in &class.required {
            if message.get(path).is_none_or(<[u8]>::is_empty) {
                return Err((Reason::Malformed, Some(*field)));
            }
        }
        for (path, values) in &self.values {
            if message.get(path).is_some_and(|value| values.iter().all(|known| known != value)) {
                return Err((Reason::Malformed, Some(path.field())));
            }
        }
        match class.kind {
            Kind::Network => self.network(message),
            Kind::Inquiry => Ok(Request::Inquiry(self.bill(message, &CardNumbers::of(message))?)),
            Kind::Payment => Ok(Request::Payment(Box::new(self.payment(message, link, digest)?))),
            Kind::Advice => Ok(Request::Advice(Box::new(self.payment(message, link, digest)?))),
            Kind::Reversal => self.reversal(message, link),
            Kind::Totals => Ok(Request::Totals(Box::new(self.totals(message)?))),
        }
    }

    fn payment(
        &self,
        message: &Message<'_, '_>,
        link: LinkName,
        digest: impl Fn(&mut dyn Iterator<Item = (u8, &[u8])>) -> Digest,
    ) -> Result<PaymentRequest, Refusal> {
        let content = message.fields().filter(|(field, _)| !self.repeat_ignores.contains(field));
        let own = CardNumbers::of(message);
        Ok(PaymentRequest {
            key: key(&self.key_parts(message, &link), &own)?,
            bill: self.bill(message, &own)?,
            amount: self.amount(message)?,
            currency: self.text(message, &self.paths.currency).unwrap_or_default(),
            channel: self.text(message, &self.paths.channel).unwrap_or_default(),
            settled_on: self.text(message, &self.paths.settlement_date),
            digest: digest(&mut content.into_iter()),
            prior: Prior::Unknown,
        })
    }

    /// The class of a message: by its type, then by its processing code.
    pub(super) fn class(&self, message: &Message<'_, '_>) -> Result<&Class, Refusal> {
        let code = self.paths.processing_code.get(message).unwrap_or_default();
        let mut classes = self.classes.iter().filter(|class| class.is_of(message.mti()));
        let fits = |class: &&Class| {
            class.processing_codes.is_empty() || class.processing_codes.iter().any(|known| fits(known, code))
        };
        classes.find(fits).ok_or((Reason::Unsupported, None))
    }

    /// The message type of the answer to a message of type `mti`.
    pub(super) fn answer_mti(&self, mti: Mti) -> Mti {
        let pairs = self.classes.iter().flat_map(|class| &class.mti);
        let known = pairs.filter(|(asked, _)| *asked == mti).map(|(_, answer)| *answer).next();
        known.or_else(|| mti.to_response()).unwrap_or(mti)
    }

    fn network(&self, message: &Message<'_, '_>) -> Result<Request, Refusal> {
        let code = self.paths.network_code.get(message).unwrap_or_default();
        let known = self.network_codes.iter().find(|(known, _)| known == code);
        match known {
            Some((_, NetworkCode::SignOn)) => Ok(Request::SignOn),
            Some((_, NetworkCode::SignOff)) => Ok(Request::SignOff),
            Some((_, NetworkCode::Echo)) => Ok(Request::Echo),
            Some((_, NetworkCode::CutOver)) => {
                Ok(Request::CutOver { to: self.text(message, &self.paths.settlement_date) })
            }
            // What the key is worth is for the vault to say.
            Some((_, NetworkCode::ChangeKey)) => Ok(Request::ChangeKey(KeyChange::Refused)),
            None => Err((Reason::Unsupported, None)),
        }
    }

    fn reversal(&self, message: &Message<'_, '_>, link: LinkName) -> Result<Request, Refusal> {
        let original = Mti::new(self.paths.original_mti.get(message).unwrap_or_default());
        let reverses_payment = |class: &Class| {
            matches!(class.kind, Kind::Payment | Kind::Advice)
                && class.mti.iter().any(|(mti, _)| Ok(*mti) == original)
        };
        if !self.classes.iter().any(reverses_payment) {
            // A reversal of a reversal, or of an inquiry.
            return Err((Reason::Unsupported, self.paths.original_mti.field()));
        }
        let parts = KeyParts {
            transmitted_at: self.paths.original_transmitted_at.get(message).unwrap_or_default(),
            stan: self.paths.original_stan.get(message).unwrap_or_default(),
            ..self.key_parts(message, &link)
        };
        Ok(Request::Reversal(Box::new(ReversalRequest {
            original: key(&parts, &CardNumbers::of(message))?,
            amount: self.amount(message)?,
            replacement: self.replacement(message),
            settled_on: self.text(message, &self.paths.settlement_date),
            advice: message.mti().is_advice(),
            prior: Prior::Unknown,
        })))
    }

    /// DE 95 as ISO 8583:1987 has it: what is left of the transaction's amount in twelve digits, the same as it is settled in
    /// twelve, and two fees behind their signs. Nothing but zeros asks for nothing.
    fn replacement(&self, message: &Message<'_, '_>) -> Replacement {
        let said = self.paths.replacement_amounts.get(message).unwrap_or_default();
        let counts = |part: &[u8]| part.iter().any(|byte| matches!(byte, b'1'..=b'9'));
        if !counts(said) {
            return Replacement::None;
        }
        let (left, rest) = said.split_at_checked(12).unwrap_or((said, &[]));
        let (settled, fees) = rest.split_at_checked(12).unwrap_or((rest, &[]));
        if counts(fees) || (counts(settled) && settled != left) {
            return Replacement::Unreadable;
        }
        MinorUnits::from_digits(left).map_or(Replacement::Unreadable, Replacement::Amount)
    }

    fn key_parts<'a>(&self, message: &Message<'_, 'a>, link: &'a LinkName) -> KeyParts<'a> {
        KeyParts {
            transmitted_at: self.paths.transmitted_at.get(message).unwrap_or_default(),
            stan: self.paths.stan.get(message).unwrap_or_default(),
            rrn: self.paths.rrn.get(message).unwrap_or_default(),
            acquirer: self.paths.acquirer.get(message).unwrap_or_default(),
            terminal: self.paths.terminal.get(message).unwrap_or_default(),
            link: link.as_bytes(),
        }
    }

    fn bill(&self, message: &Message<'_, '_>, own: &CardNumbers<'_>) -> Result<BillRef, Refusal> {
        let code = trimmed(self.paths.biller.get(message).unwrap_or_default());
        // A code too long to be one of ours names no biller: the switch says so.
        let biller = BillerCode::new(code).unwrap_or_default();
        let malformed = (Reason::Malformed, self.paths.consumer.field());
        let consumer = trimmed(self.paths.consumer.get(message).unwrap_or_default());
        if consumer.len() > CONSUMER_BYTES_MAX {
            return Err(malformed);
        }
        let consumer = std::str::from_utf8(consumer).map_err(|_| malformed)?;
        // Both are stored and shown as they are, so a card number must not get there.
        if own.in_text(code) || own.in_text(consumer.as_bytes()) {
            return Err(malformed);
        }
        Ok(BillRef { biller, consumer: consumer.into() })
    }

    fn amount(&self, message: &Message<'_, '_>) -> Result<MinorUnits, Refusal> {
        let digits = self.paths.amount.get(message).unwrap_or_default();
        MinorUnits::from_digits(digits).map_err(|_| (Reason::Malformed, self.paths.amount.field()))
    }

    pub(super) fn text<const N: usize>(&self, message: &Message<'_, '_>, place: &Place) -> Option<Short<N>> {
        Short::new(place.get(message)?).ok()
    }
}

/// Whether a processing code is of a pattern, in which `x` stands for any character.
fn fits(pattern: &[u8], code: &[u8]) -> bool {
    pattern.len() == code.len() && pattern.iter().zip(code).all(|(want, is)| *want == b'x' || want == is)
}

/// Dialects may have fields of any length and of any characters; keys of the store may not. They are stored and shown as they
/// are, so a card number must not get there.
fn key(parts: &KeyParts<'_>, own: &CardNumbers<'_>) -> Result<PaymentKey, Refusal> {
    let all = [parts.transmitted_at, parts.stan, parts.rrn, parts.acquirer, parts.terminal];
    let printable = all.iter().copied().flatten().all(|byte| (0x20..0x7f).contains(byte));
    let key = PaymentKey::new(parts);
    if all.into_iter().any(|part| own.in_text(part)) {
        return Err((Reason::Malformed, None));
    }
    if printable && key.as_bytes().len() <= KEY_BYTES_MAX { Ok(key) } else { Err((Reason::Malformed, None)) }
}

/// Consumer numbers and codes come padded with spaces from some.
const fn trimmed(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}
