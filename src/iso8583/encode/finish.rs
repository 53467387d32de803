//! How a message is finished: the bitmaps, the fields that must be there, and the MAC.

use super::{EncodeError, EncodeReason, FRAME_MAX, Writer, preamble};
use crate::iso8583::dialect::Tertiary;
use crate::iso8583::mac::{MAC_BYTES_MAX, MacRule, Seal};
use crate::iso8583::octets::copy;
use crate::iso8583::rules::{self, Breach};

impl Writer<'_, '_> {
    /// Patches the bitmaps and checks that the fields are there that must be: the message is whole.
    ///
    /// # Errors
    ///
    /// The first error of the message, if any call before had one; [`EncodeReason::TooLong`] for a message of
    /// more than 65,535 bytes.
    pub fn finish(mut self) -> Result<(), EncodeError> {
        self.check_presence()?;
        self.finish_as_it_is()
    }

    /// As [`Writer::finish`], without asking for fields that must be there: what refuses a message for the want of some
    /// cannot have them either.
    ///
    /// # Errors
    ///
    /// As [`Writer::finish`].
    pub fn finish_as_it_is(mut self) -> Result<(), EncodeError> {
        let patched = self.try_finish();
        patched.map_err(|reason| self.fail(0, reason))?;
        self.end_here();
        Ok(())
    }

    /// As [`Writer::finish`], or as [`Writer::finish_as_it_is`] if it need not be `whole`, with a MAC behind all that has
    /// been written.
    ///
    /// # Errors
    ///
    /// As [`Writer::finish`]; [`EncodeReason::NotAscending`] if no field of the MAC is left.
    pub fn finish_sealed(mut self, rule: &MacRule, seal: &Seal<'_>, whole: bool) -> Result<(), EncodeError> {
        let last = self.last;
        let Some(field) = rule.field_after(last) else {
            return Err(self.fail(last, EncodeReason::NotAscending { last }));
        };
        let (nothing, len) = rule.value(self.dialect, field, &[0; MAC_BYTES_MAX]);
        let before = self.cursor.at;
        self.put(field, nothing.get(..len).unwrap_or_default())?;
        let width = self.cursor.at.saturating_sub(before);
        if whole {
            self.check_presence()?;
        }
        let patched = self.try_finish();
        patched.map_err(|reason| self.fail(0, reason))?;
        // Bitmaps that are not needed have been closed up meanwhile: from the end it is where it was.
        let (start, end) = (self.start, self.cursor.at);
        let at = end.saturating_sub(width);
        let message = self.cursor.out.get(start..at).unwrap_or_default();
        let head = 0..self.body_at.saturating_sub(start);
        let covered = rule.covers((message, head), end.saturating_sub(start), seal.framing);
        let (value, len) = rule.value(self.dialect, field, &(seal.tag)(&covered));
        (self.cursor.at, self.last) = (at, last);
        self.put(field, value.get(..len).unwrap_or_default())?;
        self.end_here();
        Ok(())
    }

    fn end_here(&mut self) {
        self.cursor.out.truncate(self.cursor.at);
        self.finished = true;
    }

    fn check_presence(&mut self) -> Result<(), EncodeError> {
        let [_, _, third] = self.announced.words;
        if let Tertiary::Field(carrier) = self.dialect.tertiary
            && (third != 0 || self.third_given.is_some())
        {
            self.announced.insert(carrier);
        }
        if self.dialect.presence.is_empty() {
            return Ok(());
        }
        match rules::breach(&self.dialect.presence, self.mti, self.announced, self.holding) {
            None => Ok(()),
            Some(Breach::Missing(field)) => Err(self.fail(field, EncodeReason::Missing)),
            Some(Breach::Forbidden(field)) => Err(self.fail(field, EncodeReason::Forbidden)),
        }
    }

    fn try_finish(&mut self) -> Result<(), EncodeReason> {
        if self.failed.is_some() || self.open.is_some() {
            return Err(EncodeReason::Unbalanced);
        }
        let [_, _, third] = self.announced.words;
        if self.third_given.is_some_and(|given| given != third) {
            return Err(EncodeReason::CarriesBitmap);
        }
        let carried = third != 0 || self.third_given.is_some();
        if let (Tertiary::Field(_), Some(at), true) = (self.dialect.tertiary, self.third_at, carried) {
            self.cursor.insert(at, 8);
            copy(self.cursor.written(at).get_mut(..8).unwrap_or_default(), &third.to_be_bytes());
        }
        preamble::put_bitmaps(self.dialect, self.announced, self.bitmaps_at, &mut self.cursor);
        let len = self.cursor.at.saturating_sub(self.start);
        if len > FRAME_MAX { Err(EncodeReason::TooLong { len, max: FRAME_MAX }) } else { Ok(()) }
    }
}
