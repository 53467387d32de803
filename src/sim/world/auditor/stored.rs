//! What the auditor reads from the bytes of the store.

use super::Bought;
use crate::biller::book;
use crate::ids::BillerCode;
use crate::journal::{JournalError, MemoryDisk};

/// The letter under which the store has a payment, if it is durable.
pub(super) fn tag(disk: &MemoryDisk, key: &[u8]) -> Option<u8> {
    let stored = disk.durable_value(&[b"T", key].concat()).and_then(|value| value.first().copied());
    // Of what is sealed only that counts on which nothing is owed any more: the rest must be at hand.
    stored.or_else(|| disk.sealed_tag(key).filter(|tag| b"PNVF".contains(tag)))
}

/// Whether a payment is among what is due.
pub(super) fn is_due(disk: &MemoryDisk, key: &[u8]) -> bool {
    disk.has_durable(b"D", |entry| entry.ends_with(key))
}

/// Who has paid a bill of the book, as the store durably has it.
fn payer(disk: &MemoryDisk, biller: BillerCode, consumer: &str) -> Option<Vec<u8>> {
    let stored = disk.durable_value(&book::bill_key(biller, consumer))?;
    let bill = book::decode::<JournalError>(biller, &stored).ok()?;
    bill.paid_by.map(|(key, _)| key.as_bytes().to_vec())
}

/// Whether a bill of the book is paid by this payment.
pub(super) fn paid_in_book(disk: &MemoryDisk, bought: &Bought, key: &[u8]) -> bool {
    payer(disk, bought.biller, &bought.consumer).as_deref() == Some(key)
}
