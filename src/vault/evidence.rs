//! What of a message is kept as evidence: every field that may be, the PAN sealed.
//!
//! Stored as one entry a field: field number, length (2 bytes, big-endian), bytes. The entry of a PAN holds its hash,
//! the key version, and the sealed number.

use bytes::{BufMut, Bytes, BytesMut};

use super::{SealedPan, Vault};
use crate::iso8583::{CardData, CardNumbers, Decoded, Dialect};

/// Marks the entry of a sealed PAN; no field has this number.
const SEALED: u8 = 0xff;

/// One field that was kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Kept<'a> {
    /// A field as it stood in the message.
    Field {
        /// Data element.
        number: u8,
        /// Its bytes.
        value: &'a [u8],
    },
    /// The PAN, sealed.
    Pan(SealedPan),
}

impl Vault {
    /// The part of a message that may be kept. A PAN that cannot be sealed is dropped: better no evidence of it than
    /// a card number on disk. For the same reason a message's own card numbers are masked wherever else they stand in it,
    /// and nothing is kept of a message that may have been misread.
    #[must_use]
    pub fn evidence(&self, dialect: &Dialect, decoded: &Decoded<'_, '_>) -> Bytes {
        if decoded.may_be_misread() {
            return Bytes::new();
        }
        let message = &decoded.message;
        let own = CardNumbers::of(message);
        let mut kept = BytesMut::with_capacity(512);
        for (number, value) in message.fields() {
            match dialect.card_data(number) {
                CardData::None => {
                    put(&mut kept, number, &[own.hidden_in(value).as_deref().unwrap_or(value)]);
                }
                CardData::Never => {}
                CardData::Pan => {
                    if let Ok(pan) = self.seal(value) {
                        put(&mut kept, SEALED, &[&pan.hash, &[pan.key_version], &pan.sealed]);
                    }
                }
            }
        }
        kept.freeze()
    }
}

fn put(kept: &mut BytesMut, number: u8, parts: &[&[u8]]) {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let Ok(len) = u16::try_from(len) else { return };
    kept.put_u8(number);
    kept.put_u16(len);
    parts.iter().for_each(|part| kept.put_slice(part));
}

/// Reads evidence back, entry by entry; stops at the first byte that does not read as one.
pub fn kept_fields(mut evidence: &[u8]) -> impl Iterator<Item = Kept<'_>> {
    std::iter::from_fn(move || {
        let ([number, high, low], rest) = evidence.split_first_chunk::<3>()?;
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
        evidence = rest;
        if *number != SEALED {
            return Some(Kept::Field { number: *number, value });
        }
        let (hash, rest) = value.split_first_chunk::<16>()?;
        let (key_version, sealed) = rest.split_first()?;
        Some(Kept::Pan(SealedPan { hash: *hash, key_version: *key_version, sealed: sealed.to_vec() }))
    })
}
