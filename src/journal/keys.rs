//! A running digest over the submitter's keys. The engine can lose a key without a word: one flipped byte is
//! enough, and the blocks may all be whole. With the digest in the head checkpoint a walk over the keys
//! notices.

use sha2::{Digest, Sha256};

use super::block::take;

/// How many keys there are, and the exclusive or of a hash of each with its value: adding and removing one
/// costs the same however many there are, and the order does not matter.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Keys {
    /// Keys in the store, this module's own and the blocks' not counted.
    pub(super) count: u64,
    sum: u128,
}

impl Keys {
    /// Bytes of the encoded form.
    pub(super) const BYTES: usize = 24;

    /// A key that was not there before.
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) {
        self.count = self.count.wrapping_add(1);
        self.sum ^= fingerprint(key, value);
    }

    /// A key that was there, with its value.
    pub(super) fn remove(&mut self, key: &[u8], value: &[u8]) {
        self.count = self.count.wrapping_sub(1);
        self.sum ^= fingerprint(key, value);
    }

    /// What others have beside these.
    pub(super) const fn join(&mut self, others: &Self) {
        self.count = self.count.wrapping_add(others.count);
        self.sum ^= others.sum;
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.count.to_be_bytes());
        bytes.extend_from_slice(&self.sum.to_be_bytes());
    }

    pub(super) fn decode(rest: &mut &[u8]) -> Option<Self> {
        Some(Self { count: u64::from_be_bytes(take(rest)?), sum: u128::from_be_bytes(take(rest)?) })
    }
}

/// Half of a SHA-256: against accidents, of which the engine's would be the least random.
fn fingerprint(key: &[u8], value: &[u8]) -> u128 {
    let mut hash = Sha256::new();
    hash.update(u64::try_from(key.len()).unwrap_or(u64::MAX).to_be_bytes());
    hash.update(key);
    hash.update(value);
    let hash: [u8; 32] = hash.finalize().into();
    hash.first_chunk().map_or(0, |half| u128::from_be_bytes(*half))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_depends_on_what_is_there_and_not_on_how_it_came() {
        let of = |pairs: &[(&[u8], &[u8])]| {
            let mut keys = Keys::default();
            pairs.iter().for_each(|(key, value)| keys.add(key, value));
            keys
        };
        let mut grown = of(&[(b"b", b"2"), (b"c", b"3"), (b"a", b"1")]);
        assert_eq!(grown, of(&[(b"a", b"1"), (b"b", b"2"), (b"c", b"3")]));
        grown.remove(b"c", b"3");
        assert_eq!(grown, of(&[(b"a", b"1"), (b"b", b"2")]));
        assert_ne!(grown, of(&[(b"a", b"1"), (b"b", b"3")]));
        assert_ne!(of(&[(b"ab", b"c")]), of(&[(b"a", b"bc")]));
        let mut bytes = Vec::new();
        grown.encode(&mut bytes);
        assert_eq!((bytes.len(), Keys::decode(&mut bytes.as_slice())), (Keys::BYTES, Some(grown)));
    }
}
