//! One value written into its field: prefix, form, filling.

use std::borrow::Cow;

use bytes::BytesMut;

use super::charset::Class;
use super::cursor::Cursor;
use super::encode_error::EncodeReason;
use super::judge;
use super::octets::copy;
use super::structure::{Structure, Within};
use super::table::Layout;
use super::wire::{self, Side};

/// Writes a value with its prefix in the form of its field.
///
/// # Errors
///
/// Why the field cannot hold it.
pub(super) fn put_value(
    cursor: &mut Cursor<'_>,
    layout: &Layout,
    within: Option<Within<'_>>,
    value: &[u8],
) -> Result<(), EncodeReason> {
    let (len, max) = (value.len(), usize::from(layout.max));
    if len > max {
        return Err(EncodeReason::TooLong { len, max });
    }
    if !layout.is_judged_by_writing() && !layout.holds(value) {
        let at = layout.first_bad(value).unwrap_or(0);
        return Err(EncodeReason::Character { class: layout.class, at });
    }
    if let Some(within) = within {
        judge::judge(layout, within, value).map_err(|broken| EncodeReason::BadElement { at: broken.at })?;
    }
    let Some(prefix) = layout.prefix else {
        if len == max {
            return write(layout, value, cursor.room(usize::from(layout.wire_max)));
        }
        // Filled up as characters first: where digits go is known of them only.
        let from = cursor.at;
        match within {
            None | Some(Within::Declared(Structure::Widths(_))) => fill(cursor, layout.class, max, value)?,
            Some(within) if zeros_end(within) => {
                copy(cursor.room(len), value);
                cursor.room(max.saturating_sub(len)).fill(0);
            }
            // What is inside would not end where the field does.
            Some(_) => return Err(EncodeReason::TooShort { len, need: max }),
        }
        return rewrite(cursor, layout, from);
    };
    wire::write_prefix(layout, prefix, len, cursor.room(usize::from(prefix.bytes)))?;
    written(cursor, layout, value)?;
    if layout.filled {
        let behind = layout.wire_bytes(max).saturating_sub(layout.wire_bytes(len));
        cursor.room(behind).fill(wire::filling(layout));
    }
    Ok(())
}

/// Whether zeros may stand behind what is inside.
pub(super) const fn zeros_end(within: Within<'_>) -> bool {
    matches!(within, Within::Declared(Structure::Ber { .. }))
}

/// Judges what has been written piece by piece, where the pieces were not all judged one by one.
///
/// # Errors
///
/// If the field cannot hold it.
pub(super) fn check(layout: &Layout, within: Within<'_>, value: &[u8]) -> Result<(), EncodeReason> {
    if matches!(within, Within::Declared(Structure::Widths(_) | Structure::Tlv(_))) {
        return Ok(());
    }
    if !layout.holds(value) {
        let at = layout.first_bad(value).unwrap_or(0);
        return Err(EncodeReason::Character { class: layout.class, at });
    }
    if matches!(within, Within::Declared(Structure::Parts(_) | Structure::Bitmap(_))) {
        return Ok(());
    }
    judge::judge(layout, within, value).map_err(|broken| EncodeReason::BadElement { at: broken.at })
}

/// A value as it is read back: of a fixed length it is filled up.
///
/// # Errors
///
/// As [`put_value`].
pub(super) fn filled_up<'v>(layout: &Layout, value: &'v [u8]) -> Result<Cow<'v, [u8]>, EncodeReason> {
    let need = usize::from(layout.max);
    if layout.prefix.is_some() || value.len() == need {
        return Ok(Cow::Borrowed(value));
    }
    let mut out = BytesMut::new();
    let mut cursor = Cursor::at_end(&mut out);
    fill(&mut cursor, layout.class, need, value)?;
    out.truncate(need);
    Ok(Cow::Owned(out.to_vec()))
}

fn written(cursor: &mut Cursor<'_>, layout: &Layout, value: &[u8]) -> Result<(), EncodeReason> {
    write(layout, value, cursor.room(layout.wire_bytes(value.len())))
}

#[inline]
fn write(layout: &Layout, value: &[u8], room: &mut [u8]) -> Result<(), EncodeReason> {
    wire::write(layout, value, room).map_err(|at| EncodeReason::Character { class: layout.class, at })
}

/// Puts the characters written since `from` into the form of their field.
pub(super) fn rewrite(cursor: &mut Cursor<'_>, layout: &Layout, from: usize) -> Result<(), EncodeReason> {
    if !layout.is_mirrored() {
        return Ok(());
    }
    let wire = layout.wire_bytes(cursor.at.saturating_sub(from));
    // The characters move behind the place of what is made of them.
    cursor.insert(from, wire);
    let (room, characters) = cursor.written(from).split_at_mut_checked(wire).unwrap_or_default();
    let rewritten = write(layout, characters, room);
    // Behind a cursor are zeros.
    characters.fill(0);
    cursor.at = from.saturating_add(wire);
    rewritten
}

/// A value shorter than its room: zeros before digits, blanks after text.
pub(super) fn fill(
    cursor: &mut Cursor<'_>,
    class: Class,
    need: usize,
    value: &[u8],
) -> Result<(), EncodeReason> {
    let len = value.len();
    if len > need {
        return Err(EncodeReason::TooLong { len, max: need });
    }
    if len == need {
        copy(cursor.room(need), value);
        return Ok(());
    }
    if value.is_empty() {
        return Err(EncodeReason::Empty);
    }
    let (side, filler) = wire::filler(class).ok_or(EncodeReason::TooShort { len, need })?;
    let from = match side {
        Side::Before => need.saturating_sub(len),
        Side::After => 0,
    };
    let room = cursor.room(need);
    room.fill(filler);
    if let Some(place) = room.get_mut(from..from.saturating_add(len)) {
        copy(place, value);
    }
    Ok(())
}
