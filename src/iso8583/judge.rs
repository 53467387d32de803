//! Whether a value with all that is inside it is what its field may hold; characters are made of it on the way.

use super::ber;
use super::fault::Reason;
use super::structure::{Broken, Structure, Within};
use super::table::Layout;
use super::wire;

/// Makes a value into characters, if they are not on the wire, and judges it with all that is inside. `bytes` stand at
/// `start` of the frame; the place of a fault is counted from there.
pub(super) fn value(
    layout: &Layout,
    within: Option<Within<'_>>,
    bytes: &[u8],
    units: usize,
    start: usize,
    mirror: &mut [u8],
) -> Result<(), Broken> {
    let wrong = |at| Broken { at, reason: Reason::Character { class: layout.class } };
    if !layout.is_mirrored() {
        if !layout.holds(bytes) {
            return Err(wrong(layout.first_bad(bytes).unwrap_or(0)));
        }
        return within.map_or(Ok(()), |within| pieces(within, bytes, start, mirror));
    }
    let slot = start.saturating_mul(2);
    let text = mirror.get_mut(slot..slot.saturating_add(units)).unwrap_or_default();
    wire::read(layout, bytes, text).map_err(wrong)?;
    if !layout.holds(text) {
        return Err(wrong(layout.wire_bytes(layout.first_bad(text).unwrap_or(0))));
    }
    within.map_or(Ok(()), |within| {
        // Where exactly a character stands on the wire depends on the form.
        characters(within, text).map_err(|broken| Broken { at: layout.wire_bytes(broken.at), ..broken })
    })
}

/// Judges the pieces of bytes that stand at `start` of the frame.
fn pieces(within: Within<'_>, bytes: &[u8], start: usize, mirror: &mut [u8]) -> Result<(), Broken> {
    if let Some(levels) = ber_levels(within) {
        return ber::well_formed(bytes, levels).map_err(Broken::at);
    }
    within.each(bytes, &mut |piece| {
        let start = start.saturating_add(piece.at);
        let judged = match (piece.field, piece.within) {
            (Some(field), within) => value(&field.layout, within, piece.bytes, piece.units, start, mirror),
            (None, Some(within)) => pieces(within, piece.bytes, start, mirror),
            (None, None) => Ok(()),
        };
        judged.map_err(|broken| broken.within(piece.at))
    })
}

/// Judges the pieces of a value that has been made into characters.
fn characters(within: Within<'_>, text: &[u8]) -> Result<(), Broken> {
    if let Some(levels) = ber_levels(within) {
        return ber::well_formed(text, levels).map_err(Broken::at);
    }
    within.each(text, &mut |piece| match piece.within {
        Some(within) => characters(within, piece.bytes).map_err(|broken| broken.within(piece.at)),
        None => Ok(()),
    })
}

/// How many levels of BER-TLV a structure may have, if it is that.
fn ber_levels(within: Within<'_>) -> Option<u8> {
    match within {
        Within::Ber(below) => Some(below.saturating_add(1)),
        Within::Declared(Structure::Ber { depth }) => Some(*depth),
        Within::Declared(_) => None,
    }
}

/// Judges a value that is to be written: with all that is inside, in a mirror of its own.
pub(super) fn judge(layout: &Layout, within: Within<'_>, text: &[u8]) -> Result<(), Broken> {
    if layout.is_mirrored() {
        return characters(within, text);
    }
    let typed = matches!(within, Within::Declared(structure) if structure.is_typed());
    let mut mirror = if typed { vec![0; text.len().saturating_mul(2)] } else { Vec::new() };
    pieces(within, text, 0, &mut mirror)
}
