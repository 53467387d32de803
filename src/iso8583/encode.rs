//! Encoding: fields are written in place, in ascending order, and the bitmaps patched at the end.

use std::fmt;

use bytes::BytesMut;

use super::charset::Class;
use super::decode::FRAME_MAX;
use super::dialect::Dialect;
use super::encode_error::{EncodeError, EncodeReason};
use super::message::{Elements, FIRST, Fields};
use super::mti::Mti;
use super::octets::{copy, overwrite, put_bitmap, write_decimal};
use super::table::{Layout, Tlv};

/// Writes one message to the end of a buffer. Whatever goes wrong, and also when it is dropped unfinished,
/// the buffer is left as it was.
pub struct Writer<'d, 'b> {
    dialect: &'d Dialect,
    /// Longer than what is written, by zeros: a field is then written without asking for room again.
    out: &'b mut BytesMut,
    start: usize,
    /// Where in the buffer the next byte goes.
    at: usize,
    last: u8,
    announced: Fields,
    open: Option<Open>,
    failed: Option<EncodeError>,
    finished: bool,
}

/// A TLV field whose elements are being written.
#[derive(Clone, Copy)]
struct Open {
    field: u8,
    max: u16,
    class: Class,
    prefix: u8,
    tlv: Tlv,
    /// Where in the buffer its length prefix stands.
    prefix_at: usize,
}

/// In place of the last field: none may follow.
const CLOSED: u8 = u8::MAX;
/// Room for the usual message in one step.
const USUAL_BYTES: usize = 512;

impl<'d, 'b> Writer<'d, 'b> {
    /// Begins a message.
    pub fn new(dialect: &'d Dialect, mti: Mti, out: &'b mut BytesMut) -> Self {
        let start = out.len();
        out.resize(start.saturating_add(USUAL_BYTES), 0);
        let announced = Fields::default();
        // Most messages have fields above 64, so room is left for both bitmaps.
        let at = start.saturating_add(4).saturating_add(dialect.bitmap.width().saturating_mul(2));
        overwrite(out, start, mti.as_bytes());
        Self { dialect, out, start, at, last: 1, announced, open: None, failed: None, finished: false }
    }

    /// Writes a field. `value` is what shall stand on the wire, without the length prefix; in a field of
    /// fixed length digits may be fewer (zeros are put before) and text shorter (blanks are put after).
    ///
    /// # Errors
    ///
    /// [`EncodeError`]; the message is given up, and every later call repeats the error.
    pub fn put(&mut self, field: u8, value: &[u8]) -> Result<(), EncodeError> {
        match self.try_put(field, value) {
            Ok(()) => Ok(()),
            Err(reason) => Err(self.fail(field, reason)),
        }
    }

    /// Begins a TLV field; [`Writer::element`]s follow, then [`Writer::end`].
    ///
    /// # Errors
    ///
    /// As [`Writer::put`].
    pub fn begin(&mut self, field: u8) -> Result<(), EncodeError> {
        let begun = self.try_begin(field);
        begun.map_err(|reason| self.fail(field, reason))
    }

    /// Writes one element of the TLV field that was begun.
    ///
    /// # Errors
    ///
    /// As [`Writer::put`].
    pub fn element(&mut self, tag: &[u8], value: &[u8]) -> Result<(), EncodeError> {
        let written = self.try_element(tag, value);
        written.map_err(|reason| self.fail(self.current(), reason))
    }

    /// Ends the TLV field that was begun.
    ///
    /// # Errors
    ///
    /// As [`Writer::put`].
    pub fn end(&mut self) -> Result<(), EncodeError> {
        let ended = self.try_end();
        ended.map_err(|reason| self.fail(self.current(), reason))
    }

    /// Patches the bitmaps: the message is whole.
    ///
    /// # Errors
    ///
    /// The first error of the message, if any call before had one; [`EncodeReason::TooLong`] for a message of
    /// more than 65,535 bytes.
    pub fn finish(mut self) -> Result<(), EncodeError> {
        let patched = self.try_finish();
        patched.map_err(|reason| self.fail(0, reason))?;
        self.out.truncate(self.at);
        self.finished = true;
        Ok(())
    }

    #[inline]
    fn try_put(&mut self, field: u8, value: &[u8]) -> Result<(), EncodeReason> {
        let layout = self.admit(field)?;
        let max = usize::from(layout.max);
        let len = value.len();
        if len > max {
            return Err(EncodeReason::TooLong { len, max });
        }
        if !layout.class.holds(value) {
            let at = layout.class.first_bad(value).unwrap_or(0);
            return Err(EncodeReason::Character { class: layout.class, at });
        }
        if let Some(tlv) = layout.tlv {
            let left = Elements::new(tlv, value).left_malformed();
            if left > 0 {
                return Err(EncodeReason::BadElement { at: len.saturating_sub(left) });
            }
        }
        if layout.prefix == 0 && len < max {
            return self.put_filled(layout, value);
        }
        let prefix = usize::from(layout.prefix);
        let room = self.room(prefix.saturating_add(len));
        if let Some((head, body)) = room.split_at_mut_checked(prefix) {
            write_decimal(head, len);
            copy(body, value);
        }
        Ok(())
    }

    /// A value shorter than its fixed field.
    fn put_filled(&mut self, layout: &Layout, value: &[u8]) -> Result<(), EncodeReason> {
        let need = usize::from(layout.max);
        let len = value.len();
        if value.is_empty() {
            return Err(EncodeReason::Empty);
        }
        // Where the value starts, and what fills the rest.
        let (from, filler) = match layout.class {
            Class::N => (need.saturating_sub(len), b'0'),
            Class::A | Class::An | Class::Ns | Class::As | Class::Ans => (0, b' '),
            Class::Xn | Class::Z | Class::B | Class::Hex => return Err(EncodeReason::TooShort { len, need }),
        };
        let room = self.room(need);
        room.fill(filler);
        if let Some(place) = room.get_mut(from..from.saturating_add(len)) {
            copy(place, value);
        }
        Ok(())
    }

    fn try_begin(&mut self, field: u8) -> Result<(), EncodeReason> {
        let layout = self.admit(field)?;
        let tlv = layout.tlv.ok_or(EncodeReason::NotTlv)?;
        let Layout { max, prefix, class, .. } = *layout;
        self.open = Some(Open { field, max, class, prefix, tlv, prefix_at: self.at });
        // Until it is ended, no other field may come.
        self.last = CLOSED;
        self.room(usize::from(prefix));
        Ok(())
    }

    fn try_element(&mut self, tag: &[u8], value: &[u8]) -> Result<(), EncodeReason> {
        let Open { class, tlv, .. } = self.open.ok_or(EncodeReason::Unbalanced)?;
        if tag.len() != usize::from(tlv.tag) {
            return Err(EncodeReason::TagWidth { width: tlv.tag });
        }
        if !(class.holds(tag) && class.holds(value)) {
            let at = class.first_bad(value).unwrap_or(0);
            return Err(EncodeReason::Character { class, at });
        }
        let max = 10_usize.saturating_pow(u32::from(tlv.length)).saturating_sub(1);
        if value.len() > max {
            return Err(EncodeReason::TooLong { len: value.len(), max });
        }
        copy(self.room(tag.len()), tag);
        write_decimal(self.room(usize::from(tlv.length)), value.len());
        copy(self.room(value.len()), value);
        Ok(())
    }

    fn try_end(&mut self) -> Result<(), EncodeReason> {
        let Open { field, max, prefix, prefix_at, .. } = self.open.ok_or(EncodeReason::Unbalanced)?;
        let value_at = prefix_at.saturating_add(usize::from(prefix));
        let len = self.at.saturating_sub(value_at);
        let max = usize::from(max);
        if len > max {
            return Err(EncodeReason::TooLong { len, max });
        }
        self.open = None;
        self.last = field;
        if let Some(prefix) = self.out.get_mut(prefix_at..value_at) {
            write_decimal(prefix, len);
        }
        Ok(())
    }

    /// Looks a field up and announces it in the bitmap.
    #[inline]
    fn admit(&mut self, field: u8) -> Result<&'d Layout, EncodeReason> {
        if field <= self.last {
            // One comparison keeps out also what comes after an error or inside a TLV field.
            let closed = self.last == CLOSED;
            return Err(if closed {
                EncodeReason::Unbalanced
            } else {
                EncodeReason::NotAscending { last: self.last }
            });
        }
        let dialect = self.dialect;
        let Some(layout) = dialect.table.layout(field) else { return Err(EncodeReason::Undefined) };
        self.announced.insert(field);
        self.last = field;
        Ok(layout)
    }

    /// The next `len` bytes of the message.
    #[inline]
    fn room(&mut self, len: usize) -> &mut [u8] {
        let from = self.at;
        self.at = from.saturating_add(len);
        if self.at > self.out.len() {
            grow(self.out, self.at);
        }
        self.out.get_mut(from..self.at).unwrap_or_default()
    }

    fn try_finish(&mut self) -> Result<(), EncodeReason> {
        if self.failed.is_some() || self.open.is_some() {
            return Err(EncodeReason::Unbalanced);
        }
        let len = self.at.saturating_sub(self.start);
        if len > FRAME_MAX {
            return Err(EncodeReason::TooLong { len, max: FRAME_MAX });
        }
        let [primary, secondary] = self.announced.words;
        let bitmap = self.dialect.bitmap;
        let at = self.start.saturating_add(4);
        let second_at = at.saturating_add(bitmap.width());
        if secondary == 0 {
            put_bitmap(self.out, at, bitmap, primary);

            if let Some(unused_and_fields) = self.out.get_mut(second_at..self.at) {
                unused_and_fields.copy_within(bitmap.width().., 0);
            }
            self.at = self.at.saturating_sub(bitmap.width());
        } else {
            put_bitmap(self.out, at, bitmap, primary | FIRST);
            put_bitmap(self.out, second_at, bitmap, secondary);
        }
        Ok(())
    }

    /// The field being written, or the last one.
    fn current(&self) -> u8 {
        self.open.map_or(self.last, |open| open.field)
    }

    /// Gives the message up. The first error is the one that counts.
    #[cold]
    fn fail(&mut self, field: u8, reason: EncodeReason) -> EncodeError {
        self.out.truncate(self.start);
        self.open = None;
        self.last = CLOSED;
        *self.failed.get_or_insert(EncodeError { field, reason })
    }
}

impl Drop for Writer<'_, '_> {
    fn drop(&mut self) {
        if !self.finished {
            self.out.truncate(self.start);
        }
    }
}

impl fmt::Debug for Writer<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("last", &self.last)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

/// More room for a message longer than usual.
#[cold]
fn grow(out: &mut BytesMut, need: usize) {
    out.resize(need.saturating_add(USUAL_BYTES), 0);
}
