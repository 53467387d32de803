//! The switch's records as legs, and the keys by which they are found again.
//!
//! `T` + payment key → state and the sequence of the payment's latest leg, which holds it whole; `D` + due time + payment
//! key → nothing, for what is open. Both can be made anew from the legs.

use crate::clock::UnixMillis;
use crate::ids::PaymentKey;
use crate::switch::{Evidence, Payment, Record, State};

use super::{JournalError, Store, Write};

const PAYMENT_PREFIX: u8 = b'T';
const DUE_PREFIX: u8 = b'D';

/// A record as a leg: the record, then the evidence as it is.
///
/// # Errors
///
/// [`JournalError::Leg`] if the record cannot be written, which no record should be.
pub fn to_leg(record: &Record) -> Result<Vec<u8>, JournalError> {
    let room = Vec::with_capacity(record.evidence.0.len().saturating_add(256));
    let mut leg = postcard::to_extend(record, room).map_err(|_| JournalError::Leg { sequence: None })?;
    leg.extend_from_slice(&record.evidence.0);
    Ok(leg)
}

/// A leg as a record.
///
/// # Errors
///
/// [`JournalError::Leg`] if it is none of ours.
pub fn from_leg(sequence: u64, leg: &[u8]) -> Result<Record, JournalError> {
    let none = |_| JournalError::Leg { sequence: Some(sequence) };
    let (mut record, evidence) = postcard::take_from_bytes::<Record>(leg).map_err(none)?;
    record.evidence = Evidence(bytes::Bytes::copy_from_slice(evidence));
    Ok(record)
}

/// The keys that change with a record that is leg `sequence`; later ones replace earlier ones of the same key.
pub fn index(record: &Record, sequence: u64, mut put: impl FnMut(Write)) {
    let Some(payment) = &record.payment else { return };
    let mut value = vec![state_tag(payment.state)];
    value.extend_from_slice(&sequence.to_be_bytes());
    put(Write::Put { key: payment_key(&payment.key), value });
    if record.due != record.was_due {
        if let Some(due) = record.was_due {
            put(Write::Delete { key: due_key(due, &payment.key) });
        }
        if let Some(due) = record.due {
            put(Write::Put { key: due_key(due, &payment.key), value: Vec::new() });
        }
    }
}

/// The payment under a key, as it stood after its latest leg.
///
/// # Errors
///
/// [`JournalError`] if the store cannot be read, or says what the legs do not bear out.
pub fn find(store: &Store, key: &PaymentKey) -> Result<Option<Payment>, JournalError> {
    let Some(value) = store.get(&payment_key(key))? else { return Ok(None) };
    let sequence = value.get(1..).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
    let sequence = sequence.ok_or(JournalError::Leg { sequence: None })?;
    let leg = store.leg(sequence)?.ok_or(JournalError::Leg { sequence: Some(sequence) })?;
    let payment = from_leg(sequence, &leg)?.payment.filter(|payment| payment.key == *key);
    payment.map(|payment| Some(*payment)).ok_or(JournalError::Leg { sequence: Some(sequence) })
}

/// Whether some other link has a payment of the same description. A reversal that came first is nobody's payment.
///
/// # Errors
///
/// [`JournalError`] if the store cannot be read.
pub fn is_somebody_elses(store: &Store, key: &PaymentKey) -> Result<bool, JournalError> {
    let mut prefix = vec![PAYMENT_PREFIX];
    prefix.extend_from_slice(key.without_link());
    for entry in store.scan(&prefix) {
        let (_, value) = entry?;
        if value.first() != Some(&state_tag(State::ReversedFirst)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Everything that is due, oldest first.
///
/// # Errors
///
/// [`JournalError`] if the store cannot be read.
pub fn open_payments(store: &Store) -> Result<Vec<(UnixMillis, Payment)>, JournalError> {
    let mut open = Vec::new();
    for entry in store.scan(&[DUE_PREFIX]) {
        let (key, _) = entry?;
        let due = key.get(1..).and_then(<[u8]>::split_first_chunk::<8>);
        let (due, key) = due.ok_or(JournalError::Leg { sequence: None })?;
        let key = PaymentKey::from_stored(key);
        let payment = find(store, &key)?.ok_or(JournalError::Leg { sequence: None })?;
        open.push((UnixMillis(u64::from_be_bytes(*due)), payment));
    }
    Ok(open)
}

/// The payments that are with people, each with the sequence of its latest leg, in order of their keys.
///
/// # Errors
///
/// [`JournalError`] if the store cannot be read.
pub fn exceptions(store: &Store) -> Result<Vec<(u64, Record)>, JournalError> {
    let mut found = Vec::new();
    for entry in store.scan(&[PAYMENT_PREFIX]) {
        let (_, value) = entry?;
        if value.first() != Some(&state_tag(State::Exception)) {
            continue;
        }
        let sequence = value.get(1..).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
        let sequence = sequence.ok_or(JournalError::Leg { sequence: None })?;
        found.push((sequence, record_at(store, sequence)?));
    }
    Ok(found)
}

/// The record of a leg.
///
/// # Errors
///
/// [`JournalError`] if the store cannot be read, or has no such leg.
pub fn record_at(store: &Store, sequence: u64) -> Result<Record, JournalError> {
    let leg = store.leg(sequence)?.ok_or(JournalError::Leg { sequence: Some(sequence) })?;
    from_leg(sequence, &leg)
}

/// The keys of all payments, with what the store says of them, in order of time.
pub fn payment_keys(store: &Store) -> impl Iterator<Item = Result<PaymentKey, JournalError>> + use<> {
    store
        .scan(&[PAYMENT_PREFIX])
        .map(|entry| entry.map(|(key, _)| PaymentKey::from_stored(key.get(1..).unwrap_or_default())))
}

/// Whether a key is one of [`index`]'s.
#[must_use]
pub fn is_index(key: &[u8]) -> bool {
    key.first().is_some_and(|prefix| [PAYMENT_PREFIX, DUE_PREFIX].contains(prefix))
}

fn payment_key(key: &PaymentKey) -> Vec<u8> {
    prefixed(PAYMENT_PREFIX, &[], key)
}

fn due_key(due: UnixMillis, key: &PaymentKey) -> Vec<u8> {
    prefixed(DUE_PREFIX, &due.0.to_be_bytes(), key)
}

fn prefixed(prefix: u8, middle: &[u8], key: &PaymentKey) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(key.as_bytes().len().saturating_add(9));
    bytes.push(prefix);
    bytes.extend_from_slice(middle);
    bytes.extend_from_slice(key.as_bytes());
    bytes
}

/// For those who read the store with other tools; the program itself reads the leg.
const fn state_tag(state: State) -> u8 {
    match state {
        State::Received => b'r',
        State::Sent => b's',
        State::Posted => b'P',
        State::Declined => b'N',
        State::Confirming => b'c',
        State::Reversing => b'v',
        State::Reversed => b'V',
        State::ReversedFirst => b'F',
        State::Exception => b'X',
    }
}
