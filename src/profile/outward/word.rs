//! Words for what a message that is sent is made of.

use super::super::answer::Digits;
use super::{Facts, TimeForm, times_told};
use crate::iso8583::{FieldPath, Message, Mti};
use crate::money::MinorUnits;
use crate::switch::{Order, Payment};

/// What is told at one place: the first of some words that has something to tell, as wide as the place is.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) words: Vec<Word>,
    /// Exactly so many characters, where the place is a part of fixed width; numbers get zeros before, texts blanks
    /// behind.
    pub(super) width: Option<u16>,
    /// The longest there can be: a trace number has all its digits.
    pub(super) most: u16,
    /// Nothing but digits can stand there.
    pub(super) digits: bool,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Word {
    Text(Vec<u8>),
    Own(String),
    Utc(TimeForm),
    Local(TimeForm),
    Business(TimeForm),
    /// What stood at this place of the answer to the inquiry.
    Echo(FieldPath),
    Trace,
    OriginalTrace,
    OriginalMti,
    Amount,
    ReplacementAmounts,
    Currency,
    Biller,
    Consumer,
    Channel,
    Acquirer,
    Terminal,
    Rrn,
    Heads,
    NetworkCode,
}

impl Word {
    pub(super) const KNOWN: &'static str = "=TEXT, own:NAME, utc:FORM, local:FORM, business:FORM, echo, echo:PATH, trace, \
        original_trace, original_mti, amount, replacement_amounts, currency, biller, consumer, channel, acquirer, terminal, rrn, heads or \
        network_code";

    /// A word that is nothing but its name.
    pub(super) fn plain(name: &str) -> Option<Self> {
        Some(match name {
            "trace" => Self::Trace,
            "original_trace" => Self::OriginalTrace,
            "original_mti" => Self::OriginalMti,
            "amount" => Self::Amount,
            "replacement_amounts" => Self::ReplacementAmounts,
            "currency" => Self::Currency,
            "biller" => Self::Biller,
            "consumer" => Self::Consumer,
            "channel" => Self::Channel,
            "acquirer" => Self::Acquirer,
            "terminal" => Self::Terminal,
            "rrn" => Self::Rrn,
            "heads" => Self::Heads,
            "network_code" => Self::NetworkCode,
            _ => return None,
        })
    }

    const fn is_number(&self) -> bool {
        matches!(self, Self::Trace | Self::OriginalTrace | Self::Amount)
    }
}

/// What one message tells.
pub(super) struct Telling<'a> {
    pub(super) facts: &'a Facts<'a>,
    pub(super) order: Option<&'a Order>,
    pub(super) network_code: &'a [u8],
    /// The type the payment was sent as, for what undoes it.
    pub(super) payment_mti: &'a [Mti],
    /// What was kept of the answer to the inquiry.
    pub(super) kept: Option<&'a Message<'a, 'a>>,
}

impl Telling<'_> {
    fn payment(&self) -> Option<&Payment> {
        match self.order? {
            Order::LookUp(_) => None,
            Order::Post { payment, .. } | Order::Reverse { payment, .. } => Some(payment),
        }
    }

    /// Three kinds of messages share the numbers between them, so that none is taken for another: orders to post, to
    /// undo, and all else.
    fn trace(&self) -> u64 {
        match self.order {
            Some(Order::Post { payment, .. }) => payment.trace.wrapping_mul(3),
            Some(Order::Reverse { payment, .. }) => payment.trace.wrapping_mul(3).wrapping_add(1),
            Some(Order::LookUp(_)) | None => self.facts.number.wrapping_mul(3).wrapping_add(2),
        }
    }
}

impl Source {
    /// Gives the value, or values, to `put`; nothing if there is none.
    pub(super) fn tell(&self, telling: &Telling<'_>, put: &mut dyn FnMut(&[u8])) {
        let mut told = false;
        for word in &self.words {
            word.tell(telling, self.most, &mut |value| {
                if !value.is_empty() {
                    told = true;
                    self.wide(value, word.is_number() || self.digits, put);
                }
            });
            if told {
                return;
            }
        }
    }

    fn wide(&self, value: &[u8], number: bool, put: &mut dyn FnMut(&[u8])) {
        match self.width.map(usize::from).filter(|width| *width > value.len()) {
            None => put(value),
            Some(width) => {
                let filling = vec![if number { b'0' } else { b' ' }; width.saturating_sub(value.len())];
                put(&if number { [&filling, value].concat() } else { [value, &filling].concat() });
            }
        }
    }
}

/// A trace number of so many digits: never zero, and the same for numbers that are some 10^digits apart. Numbers of one
/// kind stay apart from those of another: what is reckoned in is divisible by three.
pub(super) fn trace_digits(number: u64, digits: u16) -> u64 {
    let space = 10_u64.checked_pow(digits.min(12).into()).unwrap_or(u64::MAX).saturating_sub(1);
    number.checked_rem(space).unwrap_or(0).saturating_add(1)
}

/// DE 95 as ISO 8583:1987 has it: what is left in twelve digits, and zeros for what is settled and for the fees.
fn replacement(left: MinorUnits) -> String {
    format!("{:012}{:030}", left.minor(), 0)
}

impl Word {
    fn tell(&self, telling: &Telling<'_>, most: u16, put: &mut dyn FnMut(&[u8])) {
        let facts = telling.facts;
        let payment = telling.payment();
        let number = |number: u64, put: &mut dyn FnMut(&[u8])| {
            put(Digits::of(trace_digits(number, most)).as_wide(usize::from(most.min(12))));
        };
        match self {
            Self::Text(text) => put(text),
            Self::Own(name) => put(facts.own.get(name).map_or(&[], |own| own.as_bytes())),
            Self::Utc(form) => put(form.write(facts.utc).as_bytes()),
            Self::Local(form) => put(form.write(facts.local).as_bytes()),
            Self::Business(form) => {
                let date = payment.map_or_else(|| facts.local.date(), |payment| payment.date.date());
                put(form.write(date.into()).as_bytes());
            }
            Self::Echo(path) => put(telling.kept.and_then(|kept| kept.get(path)).unwrap_or_default()),
            Self::Trace => number(telling.trace(), put),
            Self::OriginalTrace => {
                payment.into_iter().for_each(|payment| number(payment.trace.wrapping_mul(3), put));
            }
            Self::OriginalMti => put(telling.original_mti()),
            Self::Amount => {
                payment.into_iter().for_each(|payment| put(Digits::of(payment.amount.minor()).as_bytes()))
            }
            Self::ReplacementAmounts => {
                let part = payment.and_then(Payment::wanted_part);
                part.into_iter().for_each(|part| put(replacement(part.left).as_bytes()));
            }
            Self::Currency => put(facts.currency.as_bytes()),
            Self::Biller => put(facts.product.as_bytes()),
            Self::Consumer => put(telling.consumer().as_bytes()),
            Self::Channel => payment.into_iter().for_each(|payment| put(payment.channel.as_bytes())),
            Self::Acquirer => payment.into_iter().for_each(|payment| put(payment.key.parts().acquirer)),
            Self::Terminal => {
                payment.into_iter().for_each(|payment| put(payment.key.parts().terminal.trim_ascii()))
            }
            Self::Rrn => payment.into_iter().for_each(|payment| put(payment.key.parts().rrn)),
            Self::Heads => {
                payment.into_iter().for_each(|payment| super::super::answer::tell_heads(&payment.heads, put));
            }
            Self::NetworkCode => put(telling.network_code),
        }
    }
}

impl Telling<'_> {
    fn consumer(&self) -> &str {
        match self.order {
            Some(Order::LookUp(bill)) => &bill.consumer,
            Some(Order::Post { payment, .. } | Order::Reverse { payment, .. }) => &payment.consumer,
            None => "",
        }
    }

    /// An advice has never been sent as what is asked.
    fn original_mti(&self) -> &[u8] {
        let Some(payment) = self.payment() else { return &[] };
        let advised = if payment.advice { self.payment_mti.get(1) } else { None };
        advised.or_else(|| self.payment_mti.first()).map_or(&[], |mti| mti.as_bytes())
    }

    /// Which of the types that a message is sent as has its turn.
    pub(super) fn mti(&self, types: &[Mti]) -> Option<Mti> {
        let told = match (self.order, self.payment()) {
            (Some(order), Some(payment)) => times_told(payment, order),
            _ => 0,
        };
        types.get(told).or_else(|| types.last()).copied()
    }
}
