//! Encoding: fields are written in place, in ascending order, and the bitmaps patched at the end.

use std::fmt;

use bytes::BytesMut;

use super::build::Builder;
use super::cursor::Cursor;
use super::decode::FRAME_MAX;
use super::dialect::{Dialect, Tertiary};
use super::elements::Elements;
use super::encode_error::{EncodeError, EncodeReason};
use super::header;
use super::message::Fields;
use super::mti::Mti;
use super::octets::{copy, write_decimal};
use super::preamble;
use super::put;
use super::rules::Holding;
use super::structure::Within;
use super::table::Layout;
use super::wire;

mod finish;

/// Writes one message to the end of a buffer. Whatever goes wrong, and also when it is dropped unfinished,
/// the buffer is left as it was.
pub struct Writer<'d, 'b> {
    pub(super) dialect: &'d Dialect,
    cursor: Cursor<'b>,
    start: usize,
    mti: Mti,
    /// Where the MTI stands, behind the headers.
    body_at: usize,
    /// Where the bitmaps start.
    bitmaps_at: usize,
    last: u8,
    announced: Fields,
    holding: Holding,
    open: Option<Open<'d>>,
    /// Where the field that carries the third bitmap belongs, once it has been passed.
    third_at: Option<usize>,
    /// What its value was said to be.
    third_given: Option<u64>,
    failed: Option<EncodeError>,
    finished: bool,
}

/// A field with structure whose elements are being written.
struct Open<'d> {
    field: u8,
    layout: &'d Layout,
    builder: Builder<'d>,
    /// Where in the buffer its length prefix stands.
    prefix_at: usize,
    /// Where its value starts.
    value_at: usize,
}

/// What to put before the MTI.
#[derive(Clone, Copy)]
enum Head<'h> {
    Own,
    Answers(&'h [u8]),
    Given(&'h [u8]),
}

/// In place of the last field: none may follow.
const CLOSED: u8 = u8::MAX;

impl<'d, 'b> Writer<'d, 'b> {
    /// Begins a message of our own.
    pub fn new(dialect: &'d Dialect, mti: Mti, out: &'b mut BytesMut) -> Self {
        Self::begun(dialect, mti, Head::Own, out)
    }

    /// Begins the answer to a message that came with this [`header`](super::Message::header): what stood before its MTI
    /// is mirrored, TPDU addresses swapped.
    pub fn answering(dialect: &'d Dialect, mti: Mti, header: &[u8], out: &'b mut BytesMut) -> Self {
        Self::begun(dialect, mti, Head::Answers(header), out)
    }

    /// Begins a message with these bytes before its MTI.
    ///
    /// # Errors
    ///
    /// [`EncodeReason::BadHeader`] if the dialect has other headers.
    pub fn with_header(
        dialect: &'d Dialect,
        mti: Mti,
        header: &[u8],
        out: &'b mut BytesMut,
    ) -> Result<Self, EncodeError> {
        if header::length(&dialect.headers, header) != Ok(header.len()) {
            return Err(EncodeError { field: 0, reason: EncodeReason::BadHeader });
        }
        Ok(Self::begun(dialect, mti, Head::Given(header), out))
    }

    fn begun(dialect: &'d Dialect, mti: Mti, head: Head<'_>, out: &'b mut BytesMut) -> Self {
        let start = out.len();
        if !dialect.headers.is_empty() {
            match head {
                Head::Own => header::write(&dialect.headers, None, out),
                Head::Answers(asked) => header::write(&dialect.headers, Some(asked), out),
                Head::Given(header) => out.extend_from_slice(header),
            }
        }
        let mut cursor = Cursor::at_end(out);
        let body_at = cursor.at;
        let bitmaps_at = preamble::open(dialect, mti, &mut cursor);
        let holding = if dialect.conditions.is_empty() {
            Holding::default()
        } else {
            Holding::of(&dialect.conditions, mti)
        };
        Self {
            dialect,
            cursor,
            start,
            mti,
            body_at,
            bitmaps_at,
            last: 1,
            announced: Fields::default(),
            holding,
            open: None,
            third_at: None,
            third_given: None,
            failed: None,
            finished: false,
        }
    }

    /// Writes a field. `value` is characters, or bytes of class `b`, without length prefix; in a field of
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

    /// Begins a field with something inside; [`Writer::element`]s follow, then [`Writer::end`].
    ///
    /// # Errors
    ///
    /// As [`Writer::put`].
    pub fn begin(&mut self, field: u8) -> Result<(), EncodeError> {
        let begun = self.try_begin(field);
        begun.map_err(|reason| self.fail(field, reason))
    }

    /// Writes one element of the field that was begun: a tag with its value, a part or a subfield, in the order of the
    /// wire. The key is as in a path: binary tags in hex, subfields by number.
    ///
    /// # Errors
    ///
    /// As [`Writer::put`].
    pub fn element(&mut self, key: &[u8], value: &[u8]) -> Result<(), EncodeError> {
        let written = self.try_element(key, value);
        written.map_err(|reason| self.fail(self.current(), reason))
    }

    /// Where the field that was begun has such a place, among the others: they are written in this order. Any tag of TLV
    /// has the first. `None` if the field has no such place.
    #[must_use]
    pub fn place(&self, key: &[u8]) -> Option<usize> {
        self.open.as_ref().and_then(|open| open.builder.place(key))
    }

    /// Fills the parts by width that come before this one: zeros in a field of digits, blanks in text.
    pub fn skip_to(&mut self, key: &[u8]) {
        if let Some(open) = &mut self.open {
            open.builder.skip_to(&mut self.cursor, key);
        }
    }

    /// Ends the field that was begun.
    ///
    /// # Errors
    ///
    /// As [`Writer::put`].
    pub fn end(&mut self) -> Result<(), EncodeError> {
        let ended = self.try_end();
        ended.map_err(|reason| self.fail(self.current(), reason))
    }

    /// Which of the dialect's conditions hold so far.
    pub(super) const fn holding(&self) -> Holding {
        self.holding
    }

    #[inline]
    fn try_put(&mut self, field: u8, value: &[u8]) -> Result<(), EncodeReason> {
        let layout = match self.dialect.table.layout(field) {
            // After an error and inside a field the last is above all others.
            Some(layout) if layout.plain && field > self.last => layout,
            Some(layout) if layout.recoded && field > self.last => {
                self.announced.insert(field);
                self.last = field;
                return put::put_value(&mut self.cursor, layout, None, value);
            }
            Some(_) | None => return self.put_unusual(field, value),
        };
        self.announced.insert(field);
        self.last = field;
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
        if layout.digits == 0 && len < max {
            return put::fill(&mut self.cursor, layout.class, max, value);
        }
        let prefix = usize::from(layout.digits);
        let room = self.cursor.room(prefix.saturating_add(len));
        if let Some((head, body)) = room.split_at_mut_checked(prefix) {
            write_decimal(head, len);
            copy(body, value);
        }
        Ok(())
    }

    /// A field that has structure or conditions, or that cannot be written.
    #[inline(never)]
    fn put_unusual(&mut self, field: u8, value: &[u8]) -> Result<(), EncodeReason> {
        let layout = self.admit(field)?;
        if self.dialect.tertiary == Tertiary::Field(field) {
            // It is written when all fields are known; what is given must then be so.
            let given = value.first_chunk::<8>().filter(|_| value.len() == 8);
            self.third_given = Some(u64::from_be_bytes(*given.ok_or(EncodeReason::CarriesBitmap)?));
            self.third_at = Some(self.cursor.at);
            return Ok(());
        }
        let within = self.dialect.structure(layout).map(Within::Declared);
        put::put_value(&mut self.cursor, layout, within, value)?;
        if layout.watched {
            let value = put::filled_up(layout, value)?;
            self.holding.learn(&self.dialect.conditions, self.mti, field, &value);
        }
        Ok(())
    }

    fn try_begin(&mut self, field: u8) -> Result<(), EncodeReason> {
        let layout = self.admit(field)?;
        let structure = self.dialect.structure(layout).ok_or(EncodeReason::NotStructured)?;
        let prefix_at = self.cursor.at;
        // Until it is ended, no other field may come.
        self.last = CLOSED;
        self.cursor.room(layout.prefix.map_or(0, |prefix| usize::from(prefix.bytes)));
        let value_at = self.cursor.at;
        let builder = Builder::new(Within::Declared(structure), layout.alphabet(), &mut self.cursor);
        self.open = Some(Open { field, layout, builder, prefix_at, value_at });
        Ok(())
    }

    fn try_element(&mut self, key: &[u8], value: &[u8]) -> Result<(), EncodeReason> {
        let open = self.open.as_mut().ok_or(EncodeReason::Unbalanced)?;
        open.builder.element(&mut self.cursor, key, value)
    }

    fn try_end(&mut self) -> Result<(), EncodeReason> {
        let mut open = self.open.take().ok_or(EncodeReason::Unbalanced)?;
        let Open { field, layout, prefix_at, value_at, .. } = open;
        self.last = field;
        open.builder.finish(&mut self.cursor)?;
        let mut len = self.cursor.at.saturating_sub(value_at);
        let max = usize::from(layout.max);
        if layout.prefix.is_none() && len < max && put::zeros_end(open.builder.within) {
            self.cursor.room(max.saturating_sub(len)).fill(0);
            len = max;
        }
        if len > max {
            return Err(EncodeReason::TooLong { len, max });
        }
        let text = self.cursor.written(value_at);
        put::check(layout, open.builder.within, text)?;
        if layout.watched {
            let text = put::filled_up(layout, text)?;
            self.holding.learn(&self.dialect.conditions, self.mti, field, &text);
        }
        put::rewrite(&mut self.cursor, layout, value_at)?;
        if let Some(prefix) = layout.prefix {
            if layout.filled {
                let behind = layout.wire_bytes(max).saturating_sub(layout.wire_bytes(len));
                self.cursor.room(behind).fill(wire::filling(layout));
            }
            let end = value_at.saturating_sub(prefix_at);
            if let Some(place) = self.cursor.written(prefix_at).get_mut(..end) {
                wire::write_prefix(layout, prefix, len, place)?;
            }
        } else if len < max {
            return Err(EncodeReason::TooShort { len, need: max });
        }
        self.last = field;
        Ok(())
    }

    /// Looks a field up and announces it in the bitmap.
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
        let Some(layout) = dialect.layout_in(field, self.holding) else {
            return Err(EncodeReason::Undefined);
        };
        if let Tertiary::Field(carrier) = dialect.tertiary
            && self.third_at.is_none()
            && field > carrier
        {
            self.third_at = Some(self.cursor.at);
        }
        self.announced.insert(field);
        self.last = field;
        Ok(layout)
    }

    /// The field being written, or the last one.
    fn current(&self) -> u8 {
        self.open.as_ref().map_or(self.last, |open| open.field)
    }

    /// Gives the message up. The first error is the one that counts.
    #[cold]
    fn fail(&mut self, field: u8, reason: EncodeReason) -> EncodeError {
        self.cursor.out.truncate(self.start);
        self.cursor.at = self.start;
        self.open = None;
        self.last = CLOSED;
        *self.failed.get_or_insert(EncodeError { field, reason })
    }
}

impl Drop for Writer<'_, '_> {
    fn drop(&mut self) {
        if !self.finished {
            self.cursor.out.truncate(self.start);
        }
    }
}

impl fmt::Debug for Writer<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Writer");
        debug.field("last", &self.last).field("failed", &self.failed).finish_non_exhaustive()
    }
}
