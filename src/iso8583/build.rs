//! Building what is inside a field, piece by piece, in the order of the wire.

use super::ber;
use super::charset::{Alphabet, Class};
use super::cursor::Cursor;
use super::dialect::Dialect;
use super::encode::Writer;
use super::encode_error::EncodeReason;
use super::octets::{copy, write_binary, write_decimal};
use super::put;
use super::structure::{Datasets, Part, Structure, Subfield, Widths, Within};
use super::subfields::Subfields;
use super::table::Tlv;

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
        put::fill(cursor, self.alphabet.class, need, value)
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

impl Writer<'_, '_> {
    /// Whether the field has something inside, in this message as far as it is written.
    #[must_use]
    pub fn has_inside(&self, field: u8) -> bool {
        let layout = self.dialect.layout_in(field, self.holding());
        layout.is_some_and(|layout| self.dialect.structure(layout).is_some())
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
    put::put_value(cursor, &field.layout, field.within(), value)
}
