//! Building what is inside a field, piece by piece, in the order of the wire.

use std::borrow::Cow;

use bytes::BytesMut;

use super::ber;
use super::charset::{Alphabet, Class};
use super::cursor::Cursor;
use super::dialect::Dialect;
use super::encode_error::EncodeReason;
use super::judge;
use super::octets::{copy, write_binary, write_decimal};
use super::structure::{Datasets, Part, Structure, Subfield, Widths, Within};
use super::subfields::Subfields;
use super::table::{Layout, Tlv};
use super::wire::{self, Side};

/// A structure that is being written.
#[derive(Clone, Copy)]
pub(super) struct Builder<'d> {
    pub(super) within: Within<'d>,
    /// Characters that may stand in it, where it is text.
    alphabet: Alphabet,
    /// Where in the buffer it starts.
    from: usize,
    /// The last subfield under a bitmap.
    last: u8,
    bits: u128,
    /// How many parts have been written.
    parts: usize,
}

impl<'d> Builder<'d> {
    pub(super) fn new(within: Within<'d>, alphabet: Alphabet, cursor: &mut Cursor<'_>) -> Self {
        let from = cursor.at;
        if let Within::Declared(Structure::Bitmap(inside)) = within {
            // The bitmap is patched when it is known, and what stands before it if it is given.
            cursor.room(inside.head()).fill(if alphabet.class == Class::B { 0 } else { b'0' });
        }
        Self { within, alphabet, from, last: 0, bits: 0, parts: 0 }
    }

    /// Writes one piece; the key is as in a path, the value characters, or bytes of what is binary.
    ///
    /// # Errors
    ///
    /// Why it cannot stand there.
    pub(super) fn element(
        &mut self,
        cursor: &mut Cursor<'_>,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), EncodeReason> {
        match self.within {
            Within::Ber(_) | Within::Declared(Structure::Ber { .. }) => object(cursor, key, value),
            Within::Declared(Structure::Tlv(tlv)) => self.tagged(cursor, *tlv, key, value),
            Within::Declared(Structure::Widths(widths)) => self.width(cursor, widths, key, value),
            Within::Declared(Structure::Parts(parts)) => {
                let part = parts.get(self.parts).filter(|part| part.key.as_bytes() == key);
                self.parts = self.parts.saturating_add(1);
                put(cursor, part.ok_or(EncodeReason::NoSuchElement)?, value)
            }
            Within::Declared(Structure::Bitmap(inside)) => self.subfield(cursor, inside, key, value),
            Within::Declared(Structure::Datasets(sets)) => data_set(cursor, sets, key, value),
        }
    }

    /// Where there is such a place, among the others; any tag of TLV has the first.
    pub(super) fn place(&self, key: &[u8]) -> Option<usize> {
        let text = std::str::from_utf8(key).ok()?;
        match self.within {
            Within::Ber(_)
            | Within::Declared(Structure::Tlv(_) | Structure::Ber { .. } | Structure::Datasets(_)) => Some(0),
            Within::Declared(Structure::Widths(widths)) => {
                widths.parts.iter().position(|part| part.name.as_deref() == Some(text))
            }
            Within::Declared(Structure::Parts(parts)) => parts.iter().position(|part| part.key == text),
            Within::Declared(structure @ Structure::Bitmap(_)) => {
                Dialect::subfield(structure, text)?.key.parse().ok()
            }
        }
    }

    /// Fills the parts by width that come before this one.
    pub(super) fn skip_to(&mut self, cursor: &mut Cursor<'_>, key: &[u8]) {
        let Within::Declared(Structure::Widths(Widths { parts, .. })) = self.within else { return };
        let named = |part: &Part| part.name.as_ref().is_some_and(|name| name.as_bytes() == key);
        let Some(to) = parts.iter().position(named) else { return };
        while self.parts < to {
            let width = parts.get(self.parts).map_or(0, |part| usize::from(part.len));
            self.blank(cursor, width);
        }
    }

    /// Closes the structure: bitmap, blanks at the end, parts that are missing.
    ///
    /// # Errors
    ///
    /// If something is missing.
    pub(super) fn finish(&mut self, cursor: &mut Cursor<'_>) -> Result<(), EncodeReason> {
        match self.within {
            Within::Declared(Structure::Widths(widths)) => {
                let left = widths.parts.get(self.parts..).unwrap_or_default();
                match (left.iter().any(|part| part.name.is_some()), widths.short) {
                    (true, false) => return Err(EncodeReason::PartMissing),
                    (true, true) => {}
                    (false, _) => self.blanks(cursor, &widths.parts),
                }
                Ok(())
            }
            Within::Declared(Structure::Bitmap(inside)) => {
                let bits = self.bits.to_be_bytes();
                let bitmap = bits.get(..usize::from(inside.bytes)).unwrap_or_default();
                let at = usize::from(inside.header);
                if let Some(place) = cursor.written(self.from).get_mut(at..inside.head()) {
                    if inside.hex {
                        super::packed::put_hex(bitmap, place);
                    } else {
                        copy(place, bitmap);
                    }
                }
                Ok(())
            }
            Within::Ber(_)
            | Within::Declared(
                Structure::Parts(_) | Structure::Tlv(_) | Structure::Ber { .. } | Structure::Datasets(_),
            ) => Ok(()),
        }
    }

    #[inline]
    fn tagged(
        &self,
        cursor: &mut Cursor<'_>,
        tlv: Tlv,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), EncodeReason> {
        if !tlv.is_usual() {
            return self.unusual(cursor, tlv, key, value);
        }
        if key.len() != usize::from(tlv.tag) {
            return Err(EncodeReason::TagWidth { width: tlv.tag });
        }
        self.fits(key, value)?;
        let max = 10_usize.saturating_pow(u32::from(tlv.length)).saturating_sub(1);
        if value.len() > max {
            return Err(EncodeReason::TooLong { len: value.len(), max });
        }
        copy(cursor.room(key.len()), key);
        write_decimal(cursor.room(usize::from(tlv.length)), value.len());
        copy(cursor.room(value.len()), value);
        Ok(())
    }

    fn fits(&self, key: &[u8], value: &[u8]) -> Result<(), EncodeReason> {
        if self.alphabet.holds(key) && self.alphabet.holds(value) {
            return Ok(());
        }
        let at = self.alphabet.first_bad(value).unwrap_or(0);
        Err(EncodeReason::Character { class: self.alphabet.class, at })
    }

    fn unusual(
        &self,
        cursor: &mut Cursor<'_>,
        tlv: Tlv,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), EncodeReason> {
        let mut tag = [0_u8; 4];
        let width = usize::from(tlv.tag);
        let tag = tag.get_mut(..width).unwrap_or_default();
        if tlv.binary {
            hex::decode_to_slice(key, tag)
                .map_err(|_| EncodeReason::TagWidth { width: tlv.tag.saturating_mul(2) })?;
        } else if key.len() == width {
            tag.copy_from_slice(key);
            self.fits(key, value)?;
        } else {
            return Err(EncodeReason::TagWidth { width: tlv.tag });
        }
        let base: usize = if tlv.binary { 256 } else { 10 };
        let most = base.saturating_pow(u32::from(tlv.length)).saturating_sub(1);
        let max = most.saturating_sub(usize::from(tlv.counted));
        if value.len() > max {
            return Err(EncodeReason::TooLong { len: value.len(), max });
        }
        let counted = value.len().saturating_add(usize::from(tlv.counted));
        let length = |cursor: &mut Cursor<'_>| {
            let room = cursor.room(usize::from(tlv.length));
            if tlv.binary { write_binary(room, counted) } else { write_decimal(room, counted) }
        };
        if tlv.length_first {
            length(cursor);
        }
        copy(cursor.room(width), tag);
        if !tlv.length_first {
            length(cursor);
        }
        copy(cursor.room(value.len()), value);
        Ok(())
    }

    /// Blanks before the next part that has a name.
    fn blanks(&mut self, cursor: &mut Cursor<'_>, parts: &[Part]) {
        while let Some(part) = parts.get(self.parts).filter(|part| part.name.is_none()) {
            self.blank(cursor, usize::from(part.len));
        }
    }

    /// Fills the next part.
    fn blank(&mut self, cursor: &mut Cursor<'_>, width: usize) {
        cursor.room(width).fill(if self.alphabet.class == Class::N { b'0' } else { b' ' });
        self.parts = self.parts.saturating_add(1);
    }

    fn width(
        &mut self,
        cursor: &mut Cursor<'_>,
        widths: &Widths,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), EncodeReason> {
        let parts = &widths.parts;
        self.blanks(cursor, parts);
        let next = parts.get(self.parts);
        let part = next.filter(|part| part.name.as_ref().is_some_and(|name| name.as_bytes() == key));
        let part = part.ok_or(EncodeReason::NoSuchElement)?;
        self.parts = self.parts.saturating_add(1);
        self.fits(&[], value)?;
        let (len, need) = (value.len(), usize::from(part.len));
        let open = widths.open && self.parts == parts.len();
        let need = if open && len > 0 { need.min(len) } else { need };
        if len < need && self.alphabet.class != Class::N {
            // Which side to fill would be a guess: text parts hold numbers too.
            return Err(EncodeReason::TooShort { len, need });
        }
        if len > usize::from(part.len) {
            return Err(EncodeReason::TooLong { len, max: part.len.into() });
        }
        fill(cursor, self.alphabet.class, need, value)
    }

    fn subfield(
        &mut self,
        cursor: &mut Cursor<'_>,
        inside: &'d Subfields,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), EncodeReason> {
        if inside.is_header(key) && self.last == 0 {
            let (len, need) = (value.len(), usize::from(inside.header));
            self.fits(&[], value)?;
            return match cursor.written(self.from).get_mut(..need) {
                Some(place) if len == need => {
                    copy(place, value);
                    Ok(())
                }
                Some(_) | None if len > need => Err(EncodeReason::TooLong { len, max: need }),
                Some(_) | None => Err(EncodeReason::TooShort { len, need }),
            };
        }
        let text = std::str::from_utf8(key).map_err(|_| EncodeReason::NoSuchElement)?;
        let number = text.parse::<u8>().map_err(|_| EncodeReason::NoSuchElement)?;
        let field = inside.fields.get(number).filter(|field| field.key == text);
        let field = field.ok_or(EncodeReason::NoSuchElement)?;
        if number <= self.last {
            return Err(EncodeReason::NotAscending { last: self.last });
        }
        self.last = number;
        self.bits |= (1_u128 << 127).checked_shr(u32::from(number.saturating_sub(1))).unwrap_or(0);
        put(cursor, field, value)
    }
}

/// A BER object: its tag in hex.
fn object(cursor: &mut Cursor<'_>, key: &[u8], value: &[u8]) -> Result<(), EncodeReason> {
    let mut tag = [0_u8; 4];
    let tag = tag.get_mut(..key.len() / 2).ok_or(EncodeReason::NoSuchElement)?;
    let read = hex::decode_to_slice(key, tag).is_ok();
    if !(read && ber::tag_fits(tag)) {
        return Err(EncodeReason::NoSuchElement);
    }
    let (length, bytes) = ber::put_length(value.len());
    copy(cursor.room(tag.len()), tag);
    copy(cursor.room(bytes), length.get(..bytes).unwrap_or_default());
    copy(cursor.room(value.len()), value);
    Ok(())
}

/// A data set: its identifier in hex.
fn data_set(cursor: &mut Cursor<'_>, sets: &Datasets, key: &[u8], value: &[u8]) -> Result<(), EncodeReason> {
    let mut id = [0_u8; 1];
    hex::decode_to_slice(key, &mut id).map_err(|_| EncodeReason::NoSuchElement)?;
    let max = 256_usize.saturating_pow(u32::from(sets.length)).saturating_sub(1);
    if value.len() > max {
        return Err(EncodeReason::TooLong { len: value.len(), max });
    }
    copy(cursor.room(1), &id);
    write_binary(cursor.room(usize::from(sets.length)), value.len());
    copy(cursor.room(value.len()), value);
    Ok(())
}

fn put(cursor: &mut Cursor<'_>, field: &Subfield, value: &[u8]) -> Result<(), EncodeReason> {
    put_value(cursor, &field.layout, field.within(), value)
}

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

/// A value as it is read back: of a fixed length it is filled up, and of whole bytes of digits may be.
///
/// # Errors
///
/// As [`put_value`].
pub(super) fn filled_up<'v>(layout: &Layout, value: &'v [u8]) -> Result<Cow<'v, [u8]>, EncodeReason> {
    let (len, max) = (value.len(), usize::from(layout.max));
    let need = match layout.prefix {
        None => max,
        Some(prefix) if prefix.counts_bytes && layout.has_odd_zero(len) => len.saturating_add(1),
        Some(_) => len,
    };
    if need == len {
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
    let characters = cursor.written(from);
    let mut few = [0_u8; 128];
    if let Some(few) = few.get_mut(..characters.len()) {
        few.copy_from_slice(characters);
        cursor.at = from;
        return written(cursor, layout, few);
    }
    let many = characters.to_vec();
    cursor.at = from;
    written(cursor, layout, &many)
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
