//! The switch's records as legs, and the keys by which they are found again.
//!
//! `T` + payment key → state and the sequence of the payment's latest leg, which holds it whole; `D` + due time + payment
//! key → nothing, for what is open. Both can be made anew from the legs.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use crate::clock::UnixMillis;
use crate::ids::{BusinessDate, PaymentKey};
use crate::switch::{Evidence, Payment, Record, State};

use super::days::{Days, Entry, Footer, read_entry};
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

/// What a segment notes of a leg.
pub(super) struct Mention {
    /// The business date it counts for. Of a leg that is about no payment it is the date in force.
    pub(super) date: BusinessDate,
    /// The payment it is about, with the tag of its state after it.
    pub(super) payment: Option<(PaymentKey, u8)>,
}

/// What a segment notes of leg `sequence`.
///
/// # Errors
///
/// As [`from_leg`].
pub(super) fn mention(sequence: u64, leg: &[u8]) -> Result<Mention, JournalError> {
    let none = |_| JournalError::Leg { sequence: Some(sequence) };
    let (record, _) = postcard::take_from_bytes::<Record>(leg).map_err(none)?;
    let payment = record.payment.map(|payment| (payment.key, state_tag(payment.state)));
    Ok(Mention { date: record.date, payment })
}

/// The key and the value under which the store has a payment.
pub(super) fn payment_entry(key: &[u8], tag: u8, sequence: u64) -> (Vec<u8>, Vec<u8>) {
    let key = [&[PAYMENT_PREFIX], key].concat();
    let value = [&[tag][..], &sequence.to_be_bytes()].concat();
    (key, value)
}

/// Whether nothing is owed any more on a payment with this tag, neither by its biller nor by people.
pub(super) fn is_over(tag: u8) -> bool {
    let over = [State::Posted, State::Declined, State::Reversed, State::ReversedFirst];
    over.into_iter().any(|state| state_tag(state) == tag)
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
    // Pruned between the two it is as if it had been before.
    let leg = store.shared().in_days(|_| {
        let Some((_, sequence)) = latest(store, key)? else { return Ok(None) };
        let leg = store.leg(sequence)?.ok_or(JournalError::Leg { sequence: Some(sequence) })?;
        Ok(Some((sequence, leg)))
    })?;
    let Some((sequence, leg)) = leg else { return Ok(None) };
    let payment = from_leg(sequence, &leg)?.payment.filter(|payment| payment.key == *key);
    payment.map(|payment| Some(*payment)).ok_or(JournalError::Leg { sequence: Some(sequence) })
}

/// The sequence of a payment's latest leg; none if it is not known, or pruned.
///
/// # Errors
///
/// [`JournalError`] if the store cannot be read.
pub fn latest_leg(store: &Store, key: &PaymentKey) -> Result<Option<u64>, JournalError> {
    Ok(latest(store, key)?.map(|(_, sequence)| sequence))
}

/// The tag of a payment's state and the sequence of its latest leg: what the working store says is newer than what any
/// sealed segment does.
fn latest(store: &Store, key: &PaymentKey) -> Result<Option<(u8, u64)>, JournalError> {
    let Some(value) = store.get(&payment_key(key))? else {
        // A payment leaves the working store only once its segment is there to be asked.
        return store.shared().in_days(|days| days.find(key.as_bytes()));
    };
    tag_and_sequence(&value).map(Some)
}

fn tag_and_sequence(value: &[u8]) -> Result<(u8, u64), JournalError> {
    let read = value.split_first().and_then(|(tag, rest)| Some((*tag, rest.try_into().ok()?)));
    let (tag, sequence) = read.ok_or(JournalError::Leg { sequence: None })?;
    Ok((tag, u64::from_be_bytes(sequence)))
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
    let prefix = key.without_link();
    store.shared().in_days(|days| {
        for segment in days.covering(prefix).filter(|segment| segment.is_whole) {
            let mut found = false;
            segment.walk_from(prefix, |key, (tag, _)| {
                found = key.starts_with(prefix) && tag != state_tag(State::ReversedFirst);
                !found && key.starts_with(prefix)
            })?;
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    })
}

/// Whether a payment that is not known here may be one of a business date that is pruned.
#[must_use]
pub fn may_be_pruned(store: &Store, key: &PaymentKey) -> bool {
    let days = store.shared().days();
    days.covering(key.as_bytes()).any(|segment| !segment.is_whole)
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

/// The payments that are with people, each with the sequence of its latest leg, in order of their keys. The working store
/// has all of them: none of them leaves it.
///
/// # Errors
///
/// [`JournalError`] if the store cannot be read.
pub fn exceptions(store: &Store) -> Result<Vec<(u64, Record)>, JournalError> {
    let mut found = Vec::new();
    for entry in store.scan(&[PAYMENT_PREFIX]) {
        let (_, value) = entry?;
        let (tag, sequence) = tag_and_sequence(&value)?;
        if tag == state_tag(State::Exception) {
            found.push((sequence, record_at(store, sequence)?));
        }
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

/// The keys of all payments whose legs are here, those of the working store first. One that has legs in several sealed
/// segments comes more than once.
pub fn payment_keys(store: &Store) -> impl Iterator<Item = Result<PaymentKey, JournalError>> + use<> {
    let working = store
        .scan(&[PAYMENT_PREFIX])
        .map(|entry| entry.map(|(key, _)| PaymentKey::from_stored(key.get(1..).unwrap_or_default())));
    let store = store.clone();
    let sealed = std::iter::once_with(move || sealed_entries(&store.shared().days())).flatten();
    working.chain(sealed.map(|entry| entry.map(|(_, key, _)| key)))
}

/// All payments whose legs are here, each once with the sequence of its latest leg, also while they are being sealed. One
/// that changes meanwhile may come with an earlier leg. It remembers a number for each payment of the working store, of which
/// there is a bounded number.
pub fn payments(store: &Store) -> impl Iterator<Item = Result<(PaymentKey, u64), JournalError>> + use<> {
    // What the working store has when it is asked, and a segment has when that is asked behind it, is one leg.
    let told = Rc::new(RefCell::new(HashSet::new()));
    let telling = Rc::clone(&told);
    let working = store.scan(&[PAYMENT_PREFIX]).map(move |entry| {
        let (key, value) = entry?;
        let (_, sequence) = tag_and_sequence(&value)?;
        telling.borrow_mut().insert(sequence);
        Ok((PaymentKey::from_stored(key.get(1..).unwrap_or_default()), sequence))
    });
    let store = store.clone();
    let sealed = move || {
        let days = store.shared().days();
        sealed_entries(&days).filter_map(move |entry| {
            let newest = |(at, key, (_, sequence)): (usize, PaymentKey, Entry)| {
                let elsewhere = told.borrow().contains(&sequence)
                    || store.get(&payment_key(&key))?.is_some()
                    || days.is_in_later(at, key.as_bytes())?;
                Ok((!elsewhere).then_some((key, sequence)))
            };
            entry.and_then(newest).transpose()
        })
    };
    working.chain(std::iter::once_with(sealed).flatten())
}

/// The sequences of the latest legs of all payments that the working store has.
pub(super) fn working_sequences(store: &Store) -> impl Iterator<Item = Result<u64, JournalError>> + use<> {
    store.scan(&[PAYMENT_PREFIX]).map(|entry| Ok(tag_and_sequence(&entry?.1)?.1))
}

/// What the indexes of all segments say, each with the number of its segment.
fn sealed_entries(
    days: &Days,
) -> impl Iterator<Item = Result<(usize, PaymentKey, Entry), JournalError>> + use<> {
    let segments: Vec<_> = days.segments().iter().map(Arc::clone).enumerate().collect();
    let whole = segments.into_iter().filter(|(_, segment)| segment.is_whole);
    whole.flat_map(|(at, segment)| {
        let pages = (0..).map_while(move |page| segment.index_page(page).transpose());
        pages.flat_map(move |page| {
            let entries = page.map(|page| {
                let read = page.entries().filter_map(read_entry);
                read.map(|(key, entry)| (at, PaymentKey::from_stored(key), entry)).collect::<Vec<_>>()
            });
            match entries {
                Ok(entries) => entries.into_iter().map(Ok).collect::<Vec<_>>(),
                Err(error) => vec![Err(error)],
            }
        })
    })
}

/// The records that may count for a business date: what is sealed and cannot is not read.
pub fn records_of(
    store: &Store,
    date: BusinessDate,
) -> impl Iterator<Item = Result<(u64, Record), JournalError>> + use<> {
    let day = date.date();
    let legs = store.legs_where(&|_, footer| (footer.earliest.date()..=footer.latest.date()).contains(&day));
    legs.map(to_record)
}

/// The records among which all legs of these payments are, and the requests that led to them. A repeat that was answered
/// from the journal, and is sealed apart from its payment, is not among them.
///
/// # Errors
///
/// [`JournalError`] if an index cannot be read.
pub fn records_about(
    store: &Store,
    keys: &[PaymentKey],
) -> Result<impl Iterator<Item = Result<(u64, Record), JournalError>> + use<>, JournalError> {
    let days = store.shared().days();
    let mut wanted = vec![false; days.segments().len()];
    let near = days.segments().iter().enumerate().filter(|(_, segment)| segment.is_whole);
    for (number, segment) in near {
        for key in keys {
            if segment.may_hold(key.as_bytes()) && segment.find(key.as_bytes())?.is_some() {
                // The request was taken in before it was known what it is about, and may be sealed just before.
                let before = number.saturating_sub(1)..=number;
                wanted
                    .iter_mut()
                    .enumerate()
                    .filter(|(at, _)| before.contains(at))
                    .for_each(|(_, it)| *it = true);
                break;
            }
        }
    }
    let whole: Vec<bool> = days.segments().iter().map(|segment| segment.is_whole).collect();
    let keep =
        |number: usize, _: &Footer| wanted.get(number) == Some(&true) && whole.get(number) == Some(&true);
    Ok(store.legs_where(&keep).map(to_record))
}

fn to_record(leg: Result<(u64, Vec<u8>), JournalError>) -> Result<(u64, Record), JournalError> {
    let (sequence, leg) = leg?;
    Ok((sequence, from_leg(sequence, &leg)?))
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

#[cfg(test)]
mod tests;
