//! Card data out of a frame before it is written, also out of one that is not what its dialect says.

use crate::iso8583::{self, Dialect};

/// Bytes that stay of a frame that cannot be trusted: its MTI.
const MTI_BYTES: usize = 4;

/// Digits that may stay in sight at a card number's beginning.
const FIRST: usize = 6;
/// And at its end.
const LAST: usize = 4;

/// Masks card data in place, the same length.
///
/// A frame with a fault may have been read at the wrong places, as happens when a peer is set up with another dialect:
/// then what was taken for other fields may be card data. Such a frame is kept only if it shows a sound card number,
/// which is then looked for everywhere; of any other only the MTI stays.
pub(super) fn conceal(dialect: &Dialect, frame: &mut [u8]) {
    let decoded = iso8583::decode(dialect, frame);
    if decoded.fault.is_none() {
        iso8583::mask_frame(dialect, frame);
        return;
    }
    let pan = decoded.message.field(2).filter(|pan| is_card_number(pan)).map(<[u8]>::to_vec);
    let Some(pan) = pan else {
        if let Some(rest) = frame.get_mut(MTI_BYTES..) {
            rest.fill(b'*');
        }
        return;
    };
    let places = frame.windows(pan.len()).enumerate().filter(|(_, part)| *part == pan);
    let places: Vec<usize> = places.map(|(place, _)| place).collect();
    iso8583::mask_frame(dialect, frame);
    for place in places {
        let end = place.saturating_add(pan.len());
        let middle = place.saturating_add(FIRST)..end.saturating_sub(LAST);
        if let Some(middle) = frame.get_mut(middle) {
            middle.fill(b'0');
        }
        // A track goes on behind the number: expiry, service code, and what the issuer put there.
        let rest = frame.get_mut(end..).unwrap_or_default();
        if matches!(rest.first(), Some(b'=' | b'D' | b'^')) {
            rest.iter_mut().skip(1).take_while(|byte| byte.is_ascii_digit()).for_each(|byte| *byte = b'0');
        }
    }
}

/// 13 to 19 digits, the last of which checks the others (ISO/IEC 7812).
fn is_card_number(pan: &[u8]) -> bool {
    let weigh = |(place, byte): (usize, &u8)| {
        let digit = u32::from(byte.wrapping_sub(b'0'));
        let doubled = digit.wrapping_mul(2);
        if place & 1 == 0 { digit } else { doubled.checked_sub(9).filter(|_| digit > 4).unwrap_or(doubled) }
    };
    let sum: u32 = pan.iter().rev().enumerate().map(weigh).fold(0, u32::wrapping_add);
    (13..=19).contains(&pan.len()) && pan.iter().all(u8::is_ascii_digit) && sum.is_multiple_of(10)
}
