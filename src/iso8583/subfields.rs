//! Subfields under a bitmap of their own, inside a field.

use super::octets::hex_word;
use super::structure::{Broken, Key, Piece, Subfield, Visit, one};

/// Subfields under a bitmap of their own.
#[derive(Clone, Debug)]
pub(super) struct Subfields {
    /// Hex characters rather than bytes.
    pub(super) hex: bool,
    /// Bytes of the bitmap, 1 to 16.
    pub(super) bytes: u8,
    /// Bytes before it.
    pub(super) header: u8,
    pub(super) fields: Numbered,
}

/// Subfields by number, from 1: found without a search, since every message asks.
#[derive(Clone, Debug)]
pub(super) struct Numbered {
    /// Where each stands, by its number less one.
    places: [u8; 128],
    fields: Vec<Subfield>,
}

impl Numbered {
    /// All of them, by number.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Subfield> {
        self.fields.iter()
    }

    #[inline]
    pub(super) fn get(&self, number: u8) -> Option<&Subfield> {
        let place = self.places.get(usize::from(number).wrapping_sub(1))?;
        self.fields.get(usize::from(*place))
    }
}

impl FromIterator<(u8, Subfield)> for Numbered {
    /// Numbers above 128 have no bit, and no place.
    fn from_iter<I: IntoIterator<Item = (u8, Subfield)>>(fields: I) -> Self {
        let mut made = Self { places: [u8::MAX; 128], fields: Vec::new() };
        for (number, field) in fields {
            if let Some(place) = made.places.get_mut(usize::from(number).wrapping_sub(1)) {
                // No more than 128 of them come here.
                *place = u8::try_from(made.fields.len()).unwrap_or(u8::MAX);
                made.fields.push(field);
            }
        }
        made
    }
}

/// What stands before a bitmap inside a field goes by this name.
pub(super) const HEADER: &str = "header";

impl Subfields {
    /// Whether this is the key of what stands before the bitmap.
    pub(super) fn is_header(&self, key: &[u8]) -> bool {
        self.header > 0 && key == HEADER.as_bytes()
    }

    /// Characters or bytes of the bitmap with what stands before it.
    pub(super) fn head(&self) -> usize {
        usize::from(self.header).saturating_add(self.width())
    }

    /// Characters or bytes of the bitmap.
    pub(super) fn width(&self) -> usize {
        let bytes = usize::from(self.bytes);
        if self.hex { bytes.saturating_mul(2) } else { bytes }
    }

    /// The bitmap as a number, bit 1 the highest.
    fn bits(&self, value: &[u8]) -> Option<u128> {
        let text = value.get(usize::from(self.header)..self.head())?;
        let word = if self.hex {
            let (high, low) = text.split_at_checked(text.len().saturating_sub(16))?;
            (u128::from(hex_word(high)?) << 64) | u128::from(hex_word(low)?)
        } else {
            text.iter().fold(0, |word, byte| (word << 8) | u128::from(*byte))
        };
        Some(word << 128_u32.saturating_sub(u32::from(self.bytes).saturating_mul(8)).min(127))
    }

    pub(super) fn each<'d, 'v>(&'d self, value: &'v [u8], visit: Visit<'_, 'd, 'v>) -> Result<(), Broken> {
        let mut bits = self.bits(value).ok_or(Broken::at(0))?;
        if let Some(bytes) = value.get(..usize::from(self.header)).filter(|bytes| !bytes.is_empty()) {
            let key = Key::Name(HEADER);
            visit(Piece { key, at: 0, bytes, units: bytes.len(), filling: &[], field: None, within: None })?;
        }
        let mut at = self.head();
        while bits != 0 {
            let index = bits.leading_zeros();
            bits &= !(1_u128 << 127).checked_shr(index).unwrap_or(0);
            let number = u8::try_from(index).unwrap_or(u8::MAX).saturating_add(1);
            let field = self.fields.get(number).ok_or(Broken::at(at))?;
            at = one(field, value, at, visit)?;
        }
        if at == value.len() { Ok(()) } else { Err(Broken::at(at)) }
    }
}
