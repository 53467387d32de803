//! Whether a value with all that is inside it is what its field may hold; characters are made of it on the way.

use super::ber;
use super::fault::Reason;
use super::structure::{Broken, Structure, Within};
use super::table::Layout;
use super::wire;

/// Makes a value into characters, if they are not on the wire, and judges it with all that is inside. `bytes` stand at
/// `start` of the frame; the place of a fault is counted from there. Without a mirror nobody wants the characters.
pub(super) fn value(
    layout: &Layout,
    within: Option<Within<'_>>,
    bytes: &[u8],
    units: usize,
    start: usize,
    mirror: Option<&mut [u8]>,
) -> Result<(), Broken> {
    if !layout.is_mirrored() {
        if !layout.holds(bytes) {
            return Err(wrong(layout, layout.first_bad(bytes).unwrap_or(0)));
        }
        return within.map_or(Ok(()), |within| pieces(within, bytes, start, mirror));
    }
    match mirror {
        Some(mirror) => {
            let slot = start.saturating_mul(2);
            let text = mirror.get_mut(slot..slot.saturating_add(units)).unwrap_or_default();
            mirrored(layout, within, bytes, text)
        }
        None => forgotten(layout, within, bytes, units),
    }
}

/// Whether what follows a value is filling, as its field has it.
///
/// # Errors
///
/// Where it is not, counted from its start.
pub(super) fn filling(layout: &Layout, bytes: &[u8]) -> Result<(), Broken> {
    let filling = wire::filling(layout);
    let other = bytes.iter().position(|byte| *byte != filling);
    other.map_or(Ok(()), |at| Err(Broken { at, reason: Reason::BadFilling }))
}

/// Makes a value into characters and judges them with all that is inside.
fn mirrored(
    layout: &Layout,
    within: Option<Within<'_>>,
    bytes: &[u8],
    text: &mut [u8],
) -> Result<(), Broken> {
    transcribe(layout, bytes, text)?;
    within.map_or(Ok(()), |within| {
        // Where exactly a character stands on the wire depends on the form.
        characters(within, text).map_err(|broken| Broken { at: layout.wire_bytes(broken.at), ..broken })
    })
}

/// The same where nobody wants the characters.
#[inline(never)]
fn forgotten(layout: &Layout, within: Option<Within<'_>>, bytes: &[u8], units: usize) -> Result<(), Broken> {
    let mut few = [0_u8; 128];
    match few.get_mut(..units) {
        Some(text) => mirrored(layout, within, bytes, text),
        None => mirrored(layout, within, bytes, &mut vec![0; units]),
    }
}

/// Makes a value that has nothing inside into characters and judges them.
#[inline(always)]
pub(super) fn transcribe(layout: &Layout, bytes: &[u8], text: &mut [u8]) -> Result<(), Broken> {
    match wire::read(layout, bytes, text) {
        Ok(true) => Ok(()),
        Ok(false) if layout.holds(text) => Ok(()),
        Ok(false) => Err(wrong(layout, layout.wire_bytes(layout.first_bad(text).unwrap_or(0)))),
        Err(at) => Err(wrong(layout, at)),
    }
}

#[cold]
const fn wrong(layout: &Layout, at: usize) -> Broken {
    Broken { at, reason: Reason::Character { class: layout.class } }
}

/// Judges the pieces of bytes that stand at `start` of the frame.
fn pieces(
    within: Within<'_>,
    bytes: &[u8],
    start: usize,
    mut mirror: Option<&mut [u8]>,
) -> Result<(), Broken> {
    if let Some(levels) = ber_levels(within) {
        return ber::well_formed(bytes, levels).map_err(Broken::at);
    }
    within.each(bytes, &mut |piece| {
        let start = start.saturating_add(piece.at);
        let mirror = mirror.as_deref_mut();
        let judged = match (piece.field, piece.within) {
            (Some(field), within) => value(&field.layout, within, piece.bytes, piece.units, start, mirror)
                .and_then(|()| {
                    let behind = filling(&field.layout, piece.filling);
                    behind.map_err(|broken| broken.within(piece.bytes.len()))
                }),
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

/// Judges a value that is to be written, with all that is inside.
pub(super) fn judge(layout: &Layout, within: Within<'_>, text: &[u8]) -> Result<(), Broken> {
    if layout.prefix.is_none() && matches!(within, Within::Declared(Structure::Widths(_))) {
        // It is filled up to its length, and all parts are whole then.
        return Ok(());
    }
    if layout.is_mirrored() { characters(within, text) } else { pieces(within, text, 0, None) }
}
