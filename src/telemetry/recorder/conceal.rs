//! Card data out of a frame before it is written, also out of one that is not what its dialect says.

use crate::iso8583::{self, CardNumbers, Dialect, Mirror};

/// Masks card data in place, the same length. `request` is what the frame answers, if it answers one: it tells what in
/// the answer is a card number.
///
/// A frame with a fault may have been read at the wrong places, as happens when a peer is set up with another dialect:
/// what was taken for other fields may then be card data, and what an answer echoes as well. Of such a frame, and of its
/// answer, only the MTI stays.
pub(super) fn conceal(dialect: &Dialect, frame: &mut [u8], request: Option<&[u8]>) {
    let mut mirror = Mirror::new();
    let request = request.map(|request| iso8583::decode(dialect, request, &mut mirror));
    let misread = request.as_ref().is_some_and(iso8583::Decoded::may_be_misread);
    if misread {
        return iso8583::mask_all_but_type(dialect, frame);
    }
    let known = request.map(|request| CardNumbers::of(&request.message)).unwrap_or_default();
    iso8583::mask_frame_with(dialect, frame, &known);
}
