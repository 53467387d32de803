//! What of a message is kept as evidence: every field that may be, the PAN sealed.
//!
//! Stored as one entry a field: field number, length (2 bytes, big-endian), bytes. The entry of a PAN holds its hash,
//! the key version, and the sealed number.

use bytes::{BufMut, Bytes, BytesMut};

use super::{SealedPan, Vault};
use crate::iso8583::{CardData, CardNumbers, Decoded, Dialect};

/// Marks the entry of a sealed PAN; no field has this number.
const SEALED: u8 = 0xff;

/// Most bytes of evidence of one message: with the record before it, a leg of the journal holds it.
pub const EVIDENCE_BYTES_MAX: usize = 3072;
/// Number and length of an entry.
const ENTRY_HEADER_BYTES: usize = 3;

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
    /// The part of a message that may be kept, at most [`EVIDENCE_BYTES_MAX`]: fields that do not fit are left out. A PAN that cannot be sealed is dropped: better no evidence of it than
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
    let fits = kept.len().saturating_add(len).saturating_add(ENTRY_HEADER_BYTES) <= EVIDENCE_BYTES_MAX;
    let Some(len) = u16::try_from(len).ok().filter(|_| fits) else { return };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso8583::{Mirror, decode, from_json, shipped};

    const KEYS: &str = "1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
    const PAN: &str = "4539578763621486";

    /// The evidence of a message with these fields beside a PAN.
    fn evidence(fields: &str) -> (Vault, Bytes) {
        let dialect = shipped::dialect("onelink").unwrap().unwrap();
        let json = format!(r#"{{"mti": "0200", "fields": {{"2": "{PAN}", "11": "000001"{fields}}}}}"#);
        let mut frame = BytesMut::new();
        from_json(&dialect, &serde_json::from_str(&json).unwrap(), &mut frame).unwrap();
        let vault = Vault::parse("keys", KEYS).unwrap();
        let mut mirror = Mirror::new();
        let decoded = decode(&dialect, &frame, &mut mirror);
        assert_eq!(decoded.fault, None);
        let kept = vault.evidence(&dialect, &decoded);
        (vault, kept)
    }

    fn numbers(kept: &[u8]) -> Vec<u8> {
        let number = |kept| match kept {
            Kept::Field { number, .. } => number,
            Kept::Pan(_) => 2,
        };
        kept_fields(kept).map(number).collect()
    }

    #[test]
    fn the_pan_is_sealed_where_it_repeats_it_is_masked_and_what_is_forbidden_is_not_there() {
        let (vault, kept) = evidence(
            r#", "35": "4539578763621486=30121010000000000000", "43": "PAID WITH 4539578763621486",
               "52": "0123456789ABCDEF", "37": "000000000001""#,
        );
        assert_eq!(numbers(&kept), [2, 11, 37, 43]);
        assert!(!kept.windows(7).any(|window| PAN.as_bytes()[6..].starts_with(window)));
        let Some(Kept::Pan(sealed)) = kept_fields(&kept).next() else { panic!("the PAN comes first") };
        assert_eq!(vault.open(&sealed).unwrap().as_slice(), PAN.as_bytes());
    }

    #[test]
    fn card_numbers_in_bytes_and_what_follows_them_on_a_track_are_not_kept() {
        let ebcdic: String = PAN.bytes().map(|digit| format!("F{}", char::from(digit))).collect();
        let dialect = "name = \"bank\"\nmti = \"ascii\"\nbitmap = \"hex\"\nbinary = \"raw\"\n[fields]\n\
            2 = { name = \"x\", type = \"n..19\", card_data = \"pan\" }\n4 = { name = \"x\", type = \"b..60\" }\n\
            5 = { name = \"x\", type = \"char..60\" }\n";
        let dialect = Dialect::parse("bank.toml", dialect, &|_| None).unwrap();
        let packed = format!("0{PAN}D301210100000000F");
        let spread = format!("{ebcdic}7EF3F0F1F2F1F0F1F0");
        for value in [packed, spread] {
            let bytes = hex::decode(&value).unwrap();
            let told = format!("{:02}", bytes.len()).into_bytes();
            let head = format!("02005800000000000000{}{PAN}", PAN.len()).into_bytes();
            let frame = [&head[..], &told, &bytes, &told, &bytes].concat();
            let mut mirror = Mirror::new();
            let decoded = decode(&dialect, &frame, &mut mirror);
            assert_eq!(decoded.fault, None);
            let kept = hex::encode_upper(Vault::parse("keys", KEYS).unwrap().evidence(&dialect, &decoded));
            for secret in [&value[7..17], "7F8F7F6F3", "D3012", "F3F0F1F2"] {
                assert!(!kept.contains(secret), "{secret} in {kept}");
            }
        }
    }

    #[test]
    fn evidence_is_bounded_and_short_fields_still_fit_behind_long_ones() {
        let long = "x".repeat(990);
        let (_, kept) = evidence(&format!(
            r#", "46": "{long}", "47": "{long}", "58": "{long}", "59": "{long}", "70": "301""#
        ));
        assert!(kept.len() <= EVIDENCE_BYTES_MAX);
        assert_eq!(numbers(&kept), [2, 11, 46, 47, 58, 70]);
    }
}
