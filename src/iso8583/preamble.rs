//! What every message begins with: the message type indicator and the bitmaps, read and written.

use nom::bytes::complete::take;
use nom::{IResult, Parser};

use super::cursor::Cursor;
use super::dialect::{Bitmap, Dialect, MtiForm, Secondary, Tertiary};
use super::fault::{Fault, Reason};
use super::message::{FIRST, Fields};
use super::mti::Mti;
use super::octets::{copy, hex_word, put_bitmap};
use super::packed;
use super::pages::Page;

pub(super) type Parsed<'a, T> = IResult<&'a [u8], T, Fault>;

/// Reads the four digits.
pub(super) fn mti(form: MtiForm, input: &[u8]) -> Parsed<'_, Mti> {
    let (rest, text) = bytes(form.width(), input)?;
    let mut digits = [0_u8; 4];
    let mti = match form {
        MtiForm::Ascii => Mti::new(text),
        MtiForm::Bcd => {
            let _not_digits = packed::unpack(text, 4, packed::Odd::LEFT_ZERO, &mut digits);
            Mti::new(&digits)
        }
        MtiForm::Ebcdic => {
            digits.iter_mut().zip(text).for_each(|(digit, byte)| *digit = byte ^ 0xc0);
            Mti::new(&digits)
        }
    };
    match mti {
        Ok(mti) => Ok((rest, mti)),
        Err(_) => Err(stop(input, Reason::BadMti)),
    }
}

/// The bitmaps before the fields: the primary, and the others as the dialect has them.
pub(super) fn bitmaps<'a>(dialect: &Dialect, input: &'a [u8]) -> Parsed<'a, [u64; 3]> {
    let (rest, primary) = one_bitmap(dialect.bitmap, input)?;
    let second = match dialect.secondary {
        Secondary::Announced => primary & FIRST != 0,
        Secondary::Always | Secondary::Unannounced => true,
        Secondary::None => false,
    };
    if !second {
        return Ok((rest, [primary, 0, 0]));
    }
    let (rest, secondary) = one_bitmap(dialect.bitmap, rest)?;
    if dialect.tertiary != Tertiary::Leading || secondary & FIRST == 0 {
        return Ok((rest, [primary, secondary, 0]));
    }
    let (rest, tertiary) = one_bitmap(dialect.bitmap, rest)?;
    Ok((rest, [primary, secondary, tertiary]))
}

fn one_bitmap(bitmap: Bitmap, input: &[u8]) -> Parsed<'_, u64> {
    let (rest, text) = bytes(bitmap.width(), input)?;
    let word = match bitmap {
        Bitmap::Binary => text.first_chunk::<8>().map(|word| u64::from_be_bytes(*word)),
        Bitmap::Hex => hex_word(text),
        Bitmap::EbcdicHex => {
            let mut ascii = [0_u8; 16];
            Page::Cp037.to_latin1(text, &mut ascii);
            hex_word(&ascii)
        }
    };
    match word {
        Some(word) => Ok((rest, word)),
        None => Err(stop(input, Reason::BadBitmap)),
    }
}

/// The bit of a bitmap that announces the next one rather than a field.
#[inline]
pub(super) fn announcing(dialect: &Dialect, word: usize) -> u64 {
    match word {
        0 if dialect.secondary != Secondary::None => FIRST,
        1 if dialect.tertiary == Tertiary::Leading => FIRST,
        _ => 0,
    }
}

/// Writes the MTI and leaves room for bitmaps; says where they start.
pub(super) fn open(dialect: &Dialect, mti: Mti, cursor: &mut Cursor<'_>) -> usize {
    let text = mti.as_bytes();
    let room = cursor.room(dialect.mti.width());
    match dialect.mti {
        MtiForm::Ascii => copy(room, text),
        MtiForm::Bcd => {
            // Four digits always fit.
            let _fits = packed::pack(text, packed::Odd::LEFT_ZERO, room);
        }
        MtiForm::Ebcdic => room.iter_mut().zip(text).for_each(|(to, digit)| *to = digit | 0xf0),
    }
    let bitmaps_at = cursor.at;
    // Most messages have fields above 64, so room is left for two bitmaps at least.
    let most = if dialect.tertiary == Tertiary::Leading { 3 } else { 2 };
    let most = if dialect.secondary == Secondary::None { 1 } else { most };
    cursor.room(dialect.bitmap.width().saturating_mul(most));
    bitmaps_at
}

/// Writes the bitmaps into the room left for them, and closes up what they do not need.
pub(super) fn put_bitmaps(dialect: &Dialect, fields: Fields, at: usize, cursor: &mut Cursor<'_>) {
    let [mut primary, mut secondary, third] = fields.words;
    let (bitmap, tertiary) = (dialect.bitmap, dialect.tertiary);
    let width = bitmap.width();
    let three = tertiary == Tertiary::Leading && third != 0;
    if three {
        secondary |= FIRST;
    }
    let two = match dialect.secondary {
        Secondary::Announced => secondary != 0,
        Secondary::Always | Secondary::Unannounced => true,
        Secondary::None => false,
    };
    if two && dialect.secondary != Secondary::Unannounced {
        primary |= FIRST;
    }
    put_bitmap(cursor.out, at, bitmap, primary);
    if dialect.secondary == Secondary::None {
        return;
    }
    let second_at = at.saturating_add(width);
    let third_at = second_at.saturating_add(width);
    if two {
        put_bitmap(cursor.out, second_at, bitmap, secondary);
    } else {
        cursor.remove(second_at, width);
    }
    match (tertiary, three) {
        (Tertiary::Leading, true) => put_bitmap(cursor.out, third_at, bitmap, third),
        (Tertiary::Leading, false) => cursor.remove(if two { third_at } else { second_at }, width),
        (Tertiary::None | Tertiary::Field(_), _) => {}
    }
}

/// Exactly `len` bytes.
#[inline]
pub(super) fn bytes(len: usize, input: &[u8]) -> Parsed<'_, &[u8]> {
    let taken: Parsed<'_, &[u8]> = take(len).parse_complete(input);
    taken.map_err(|_| stop(input, Reason::Truncated { need: len, have: input.len() }))
}

#[cold]
pub(super) fn stop(input: &[u8], reason: Reason) -> nom::Err<Fault> {
    nom::Err::Error(Fault { left: input.len(), reason })
}
