//! Lengths, bitmaps and values as bytes in a buffer.

use bytes::BytesMut;

use super::dialect::Bitmap;

/// The last decimal digit.
#[inline]
fn digit(number: usize) -> u8 {
    u8::try_from(number % 10).map_or(b'0', |digit| digit | b'0')
}

/// As many decimal digits as there is room for; a length has four at most.
#[inline]
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

/// Copies a value into a place of the same length. Most values are short: two copies of fixed width that
/// overlap cost less than a call to copy any number of bytes.
#[inline]
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
    match bitmap {
        Bitmap::Binary => overwrite(out, at, &bytes),
        Bitmap::Hex => {
            let mut text = [0_u8; 16];
            for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
                *pair = [hex_digit(byte >> 4), hex_digit(byte & 0xf)];
            }
            overwrite(out, at, &text);
        }
    }
}

const fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { nibble | b'0' } else { nibble.wrapping_sub(10).wrapping_add(b'A') }
}

pub(super) fn overwrite(out: &mut BytesMut, at: usize, bytes: &[u8]) {
    if let Some(place) = out.get_mut(at..at.saturating_add(bytes.len())) {
        place.copy_from_slice(bytes);
    }
}
