//! Lengths, bitmaps and values as bytes in a buffer.

use bytes::BytesMut;

use super::dialect::Bitmap;
use super::packed::put_hex;
use super::pages::Page;

/// The last decimal digit.
#[inline]
fn digit(number: usize) -> u8 {
    u8::try_from(number % 10).map_or(b'0', |digit| digit | b'0')
}

/// Decimal digits as a number; at most six of them, so it cannot overflow.
#[inline]
pub(super) fn decimal(digits: &[u8]) -> Option<usize> {
    digits.iter().try_fold(0_usize, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then(|| number.wrapping_mul(10).wrapping_add(usize::from(digit)))
    })
}

/// Hex characters, either case, as a number; at most sixteen of them.
pub(super) fn hex_word(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0_u64, |word, byte| {
        let digit = char::from(*byte).to_digit(16)?;
        Some((word << 4) | u64::from(digit))
    })
}

/// As many decimal digits as there is room for; a length has six at most.
#[inline(always)]
pub(super) fn write_decimal(to: &mut [u8], number: usize) {
    match to {
        [] => {}
        [tens, ones] => [*tens, *ones] = [digit(number / 10), digit(number)],
        [hundreds, tens, ones] => {
            [*hundreds, *tens, *ones] = [digit(number / 100), digit(number / 10), digit(number)];
        }
        _ => {
            let mut left = number;
            for place in to.iter_mut().rev() {
                *place = digit(left);
                left /= 10;
            }
        }
    }
}

/// A number, big-endian.
pub(super) fn write_binary(to: &mut [u8], number: usize) {
    let bytes = number.to_be_bytes();
    if let Some(from) = bytes.get(bytes.len().saturating_sub(to.len())..) {
        copy(to, from);
    }
}

/// Copies a value into a place of the same length. Most values are short: two copies of fixed width that
/// overlap cost less than a call to copy any number of bytes.
#[inline(always)]
pub(super) fn copy(to: &mut [u8], from: &[u8]) {
    match from.len() {
        0..4 => to.iter_mut().zip(from).for_each(|(to, from)| *to = *from),
        4..=8 => copy_ends::<4>(to, from),
        9..=16 => copy_ends::<8>(to, from),
        17..=32 => copy_ends::<16>(to, from),
        _ => to.copy_from_slice(from),
    }
}

#[inline]
fn copy_ends<const N: usize>(to: &mut [u8], from: &[u8]) {
    if let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) {
        if let Some(to) = to.first_chunk_mut() {
            *to = *first;
        }
        if let Some(to) = to.last_chunk_mut() {
            *to = *last;
        }
    }
}

pub(super) fn put_bitmap(out: &mut BytesMut, at: usize, bitmap: Bitmap, word: u64) {
    let bytes = word.to_be_bytes();
    let mut text = [0_u8; 16];
    match bitmap {
        Bitmap::Binary => overwrite(out, at, &bytes),
        Bitmap::Hex => {
            put_hex(&bytes, &mut text);
            overwrite(out, at, &text);
        }
        Bitmap::EbcdicHex => {
            let mut ebcdic = [0_u8; 16];
            put_hex(&bytes, &mut text);
            Page::Cp037.from_latin1(&text, &mut ebcdic);
            overwrite(out, at, &ebcdic);
        }
    }
}

pub(super) fn overwrite(out: &mut BytesMut, at: usize, bytes: &[u8]) {
    if let Some(place) = out.get_mut(at..at.saturating_add(bytes.len())) {
        place.copy_from_slice(bytes);
    }
}
