//! One value on the wire: its length prefix, the form of its characters, its filling.

use super::charset::{Alphabet, Class};
use super::encode_error::EncodeReason;
use super::fault::Reason;
use super::octets::{copy, decimal, write_binary, write_decimal};
use super::packed;
use super::table::{Form, Layout, Prefix, PrefixForm};

/// Where a value stands, counted from its length prefix.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    /// Where the value starts.
    pub(super) at: usize,
    /// Characters of the value, or bytes of class `b`.
    pub(super) units: usize,
    /// Bytes of the value on the wire.
    pub(super) wire: usize,
    /// Where the next field starts.
    pub(super) after: usize,
}

impl Layout {
    /// Bytes on the wire of so many characters.
    #[inline(always)]
    pub(super) fn wire_bytes(&self, units: usize) -> usize {
        match self.form {
            Form::Plain | Form::Latin1 | Form::Ebcdic(_) => units,
            Form::Bcd { .. } if self.class == Class::Xn => (units / 2).saturating_add(1),
            Form::Bcd { .. } => units.div_ceil(2),
            Form::Hex => units.saturating_mul(2),
            Form::Absent => 0,
        }
    }

    /// Whether the value as characters differs from its bytes on the wire.
    #[inline]
    pub(super) const fn is_mirrored(&self) -> bool {
        matches!(self.form, Form::Ebcdic(_) | Form::Bcd { .. } | Form::Hex)
    }

    /// Whether a zero fills up the last byte of so many digits, and is read as one more where only bytes are counted.
    pub(super) fn has_odd_zero(&self, units: usize) -> bool {
        let odd = !units.is_multiple_of(2) && units < usize::from(self.max);
        odd && matches!(self.form, Form::Bcd { odd, .. } if odd.is_zero())
    }

    /// Whether such a zero stands before a number, and so is as good as none.
    pub(super) fn leads(&self) -> bool {
        self.class == Class::N && matches!(self.form, Form::Bcd { odd, .. } if odd.is_leading())
    }

    /// Whether [`write`] itself refuses what is not of the field's class.
    #[inline]
    pub(super) const fn is_judged_by_writing(&self) -> bool {
        matches!((self.form, self.class), (Form::Bcd { .. }, Class::N | Class::Z))
    }

    /// Whether all of a value is of the field's class; `value` is characters.
    #[inline]
    pub(super) fn holds(&self, value: &[u8]) -> bool {
        self.alphabet().holds(value)
    }

    /// The characters that it may hold.
    #[inline]
    pub(super) const fn alphabet(&self) -> Alphabet {
        Alphabet { class: self.class, latin1: matches!(self.form, Form::Latin1 | Form::Ebcdic(_)) }
    }

    /// Where the first character stands that is not of the field's class.
    pub(super) fn first_bad(&self, value: &[u8]) -> Option<usize> {
        self.alphabet().first_bad(value)
    }
}

/// Reads the length of a field and says where its value stands.
///
/// # Errors
///
/// Where the layout is lost, and why.
#[inline(always)]
pub(super) fn locate(layout: &Layout, input: &[u8]) -> Result<Place, (usize, Reason)> {
    if let Some(prefix) = layout.prefix {
        return behind(layout, prefix, input);
    }
    let (need, have) = (usize::from(layout.wire_max), input.len());
    if need > have {
        return Err((0, Reason::Truncated { need, have }));
    }
    Ok(Place { at: 0, units: usize::from(layout.max), wire: need, after: need })
}

/// As [`locate`], for a value behind a length.
#[inline(never)]
fn behind(layout: &Layout, prefix: Prefix, input: &[u8]) -> Result<Place, (usize, Reason)> {
    let max = usize::from(layout.max);
    let bad_length = (0, Reason::BadLength);
    let at = usize::from(prefix.bytes);
    let text = input.get(..at).ok_or((0, Reason::Truncated { need: at, have: input.len() }))?;
    let counted = number(prefix.form, text).ok_or(bad_length)?;
    let own = if prefix.includes_itself { at } else { 0 };
    let counted = counted.checked_sub(own).ok_or(bad_length)?;
    let (units, wire) = if prefix.counts_bytes {
        let value = input.get(at..at.saturating_add(counted)).unwrap_or_default();
        (units_of(layout, counted, value).ok_or(bad_length)?, counted)
    } else {
        (counted, layout.wire_bytes(counted))
    };
    if units > max {
        return Err((0, Reason::TooLong { len: units, max }));
    }
    let area = if layout.filled { usize::from(layout.wire_max) } else { wire };
    let after = at.saturating_add(area);
    if after > input.len() {
        return Err((at, Reason::Truncated { need: area, have: input.len().saturating_sub(at) }));
    }
    Ok(Place { at, units, wire, after })
}

/// Characters in so many bytes of the wire, which are `value`; `None` if there cannot be so many.
fn units_of(layout: &Layout, wire: usize, value: &[u8]) -> Option<usize> {
    match layout.form {
        Form::Plain | Form::Latin1 | Form::Ebcdic(_) => Some(wire),
        Form::Bcd { odd, .. } => {
            let digits = wire.saturating_mul(2);
            // One is filling if it is none, or if there may not be so many.
            let filled = odd.fills(value) || digits == usize::from(layout.max).saturating_add(1);
            Some(if filled { digits.saturating_sub(1) } else { digits })
        }
        Form::Hex => wire.is_multiple_of(2).then_some(wire / 2),
        Form::Absent => (wire == 0).then_some(0),
    }
}

#[inline]
fn number(form: PrefixForm, text: &[u8]) -> Option<usize> {
    match form {
        PrefixForm::Ascii => decimal(text),
        // Six digits at most, so it cannot overflow.
        PrefixForm::Ebcdic => text.iter().try_fold(0_usize, |number, byte| {
            let digit = byte.wrapping_sub(0xf0);
            (digit <= 9).then(|| number.wrapping_mul(10).wrapping_add(usize::from(digit)))
        }),
        PrefixForm::Bcd => packed::bcd_number(text),
        PrefixForm::Binary => Some(text.iter().fold(0, |number, byte| (number << 8) | usize::from(*byte))),
    }
}

/// Turns a value of the wire into characters: `to` has as many as it has units. Only for forms that are mirrored. `true`
/// if they are of the field's class, because no others can be read; `false` if that is still to be judged.
///
/// # Errors
///
/// The place of the first byte on the wire that is none of the form's.
#[inline(always)]
pub(super) fn read(layout: &Layout, wire: &[u8], to: &mut [u8]) -> Result<bool, usize> {
    match layout.form {
        Form::Plain | Form::Latin1 | Form::Absent => {
            copy(to, wire);
            Ok(false)
        }
        Form::Ebcdic(page) => {
            let digits = layout.class == Class::N && super::pages::digits(wire, to);
            if !digits {
                page.to_latin1(wire, to);
            }
            Ok(digits)
        }
        Form::Hex => packed::unhex(wire, to).map(|()| layout.class == Class::B),
        Form::Bcd { odd, .. } => match layout.class {
            Class::N => packed::unpack(wire, to.len(), odd, to).map(|()| true),
            Class::Z => packed::unpack_track(wire, to.len(), odd, to).map(|()| true),
            Class::Xn => {
                let (Some((sign, digits)), Some((to_sign, to_digits))) =
                    (wire.split_first(), to.split_first_mut())
                else {
                    return Err(0);
                };
                *to_sign = match *sign {
                    b'C' | 0xc3 => b'C',
                    b'D' | 0xc4 => b'D',
                    _ => return Err(0),
                };
                packed::unpack(digits, to_digits.len(), odd, to_digits).map_err(|at| at.saturating_add(1))?;
                Ok(true)
            }
            Class::A | Class::An | Class::Ns | Class::As | Class::Ans | Class::Char | Class::B => {
                packed::unpack(wire, to.len(), odd, to).map(|()| false)
            }
        },
    }
}

/// Writes characters in the field's form: `to` has as many bytes as they take on the wire.
///
/// # Errors
///
/// The place of the first character that the form cannot hold.
#[inline]
pub(super) fn write(layout: &Layout, value: &[u8], to: &mut [u8]) -> Result<(), usize> {
    match layout.form {
        Form::Plain | Form::Latin1 | Form::Absent => {
            copy(to, value);
            Ok(())
        }
        Form::Ebcdic(page) => {
            if layout.class == Class::N {
                super::pages::put_digits(value, to);
            } else {
                page.from_latin1(value, to);
            }
            Ok(())
        }
        Form::Hex => {
            packed::put_hex(value, to);
            Ok(())
        }
        Form::Bcd { odd, ebcdic_sign } => match layout.class {
            Class::Z => packed::pack_track(value, odd, to),
            Class::Xn => {
                let (Some((sign, digits)), Some((to_sign, to_digits))) =
                    (value.split_first(), to.split_first_mut())
                else {
                    return Err(0);
                };
                *to_sign = if ebcdic_sign { *sign | 0x80 } else { *sign };
                packed::pack(digits, odd, to_digits).map_err(|at| at.saturating_add(1))
            }
            Class::A | Class::N | Class::An | Class::Ns | Class::As | Class::Ans | Class::Char | Class::B => {
                packed::pack(value, odd, to)
            }
        },
    }
}

/// What fills a value of this field up, as a character.
pub(super) const fn filler(class: Class) -> Option<(Side, u8)> {
    match class {
        Class::N => Some((Side::Before, b'0')),
        Class::A | Class::An | Class::Ns | Class::As | Class::Ans | Class::Char => Some((Side::After, b' ')),
        Class::Xn | Class::Z | Class::B => None,
    }
}

/// On which side of a value its filling stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Side {
    Before,
    After,
}

/// The byte on the wire that stands behind the value of a `filled` field.
pub(super) const fn filling(layout: &Layout) -> u8 {
    match (layout.form, layout.class) {
        (Form::Ebcdic(_), Class::N) => 0xf0,
        (Form::Ebcdic(_), _) => 0x40,
        (Form::Hex, _) | (Form::Plain | Form::Latin1, Class::N | Class::Xn) => b'0',
        (Form::Bcd { .. } | Form::Absent, _) | (_, Class::B) => 0,
        (Form::Plain | Form::Latin1, _) => b' ',
    }
}

/// Writes the length of a value into its prefix.
///
/// # Errors
///
/// [`EncodeReason::TooLong`] if the prefix cannot tell it, [`EncodeReason::TooShort`] if it would be taken for one more.
pub(super) fn write_prefix(
    layout: &Layout,
    prefix: Prefix,
    units: usize,
    to: &mut [u8],
) -> Result<(), EncodeReason> {
    if prefix.counts_bytes && layout.has_odd_zero(units) && !layout.leads() {
        return Err(EncodeReason::TooShort { len: units, need: units.saturating_add(1) });
    }
    let counted = if prefix.counts_bytes { layout.wire_bytes(units) } else { units };
    let own = if prefix.includes_itself { to.len() } else { 0 };
    let number = counted.saturating_add(own);
    let most = prefix.most();
    if number > most {
        return Err(EncodeReason::TooLong { len: number, max: most });
    }
    match prefix.form {
        PrefixForm::Ascii => write_decimal(to, number),
        PrefixForm::Ebcdic => {
            write_decimal(to, number);
            to.iter_mut().for_each(|digit| *digit |= 0xf0);
        }
        PrefixForm::Bcd => packed::put_bcd_number(to, number),
        PrefixForm::Binary => write_binary(to, number),
    }
    Ok(())
}

impl Prefix {
    /// The largest number it can tell.
    pub(super) const fn most(self) -> usize {
        let base: usize = match self.form {
            PrefixForm::Ascii | PrefixForm::Ebcdic => 10,
            PrefixForm::Bcd => 100,
            PrefixForm::Binary => 256,
        };
        let mut most: usize = 1;
        let mut bytes = self.bytes;
        while bytes > 0 {
            most = most.saturating_mul(base);
            bytes = bytes.saturating_sub(1);
        }
        most.saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::packed::Odd;
    use super::super::pages::Page;
    use super::*;

    fn layout(class: Class, form: Form, max: u16, prefix: Option<Prefix>) -> Layout {
        let mut layout = Layout {
            max,
            class,
            plain: false,
            digits: 0,
            tlv: None,
            form,
            recoded: false,
            wire_max: 0,
            prefix,
            filled: false,
            inside: None,
            watched: false,
            varies: false,
        };
        layout.wire_max = u16::try_from(layout.wire_bytes(usize::from(max))).unwrap();
        layout
    }

    fn prefix(form: PrefixForm, bytes: u8) -> Prefix {
        Prefix { form, bytes, counts_bytes: false, includes_itself: false }
    }

    const BCD: Form = Form::Bcd { odd: Odd::LEFT_ZERO, ebcdic_sign: false };

    #[test]
    fn a_value_is_found_behind_every_kind_of_length() {
        type Row = (&'static str, Form, Class, Prefix, &'static [u8], (usize, usize, usize, usize));
        let table: &[Row] = &[
            ("digits of bcd", BCD, Class::N, prefix(PrefixForm::Bcd, 1), b"\x05\x01\x23\x45", (1, 5, 3, 4)),
            (
                "three in two bytes",
                BCD,
                Class::N,
                prefix(PrefixForm::Bcd, 2),
                b"\x00\x04\x12\x34",
                (2, 4, 2, 4),
            ),
            ("binary", Form::Plain, Class::B, prefix(PrefixForm::Binary, 1), b"\x02ab", (1, 2, 2, 3)),
            ("two bytes", Form::Plain, Class::B, prefix(PrefixForm::Binary, 2), b"\x00\x02ab", (2, 2, 2, 4)),
            (
                "ebcdic",
                Form::Ebcdic(Page::Cp037),
                Class::An,
                prefix(PrefixForm::Ebcdic, 2),
                b"\xf0\xf2ab",
                (2, 2, 2, 4),
            ),
            ("hex", Form::Hex, Class::B, prefix(PrefixForm::Ascii, 2), b"02C0DE", (2, 2, 4, 6)),
            (
                "bytes of bcd",
                BCD,
                Class::N,
                Prefix { counts_bytes: true, ..prefix(PrefixForm::Binary, 1) },
                b"\x02\x12\x34",
                (1, 4, 2, 3),
            ),
            (
                "itself included",
                Form::Plain,
                Class::An,
                Prefix { includes_itself: true, ..prefix(PrefixForm::Ascii, 3) },
                b"005ab",
                (3, 2, 2, 5),
            ),
        ];
        for (what, form, class, prefix, wire, (at, units, bytes, after)) in table {
            let layout = layout(*class, *form, 8, Some(*prefix));
            let want = Place { at: *at, units: *units, wire: *bytes, after: *after };
            assert_eq!(locate(&layout, wire), Ok(want), "{what}");
            let mut written = vec![0; *at];
            write_prefix(&layout, *prefix, *units, &mut written).unwrap();
            assert_eq!(&written, &wire[..*at], "{what}");
            let cut = locate(&layout, &wire[..wire.len() - 1]);
            assert!(matches!(cut, Err((_, Reason::Truncated { .. }))), "{what}: {cut:?}");
        }
    }

    #[test]
    fn lengths_that_cannot_be_are_refused() {
        let own = Prefix { includes_itself: true, ..prefix(PrefixForm::Ascii, 3) };
        assert_eq!(
            locate(&layout(Class::An, Form::Plain, 8, Some(own)), b"002"),
            Err((0, Reason::BadLength))
        );
        let bcd = layout(Class::N, BCD, 8, Some(prefix(PrefixForm::Bcd, 1)));
        assert_eq!(locate(&bcd, b"\x0a\x12"), Err((0, Reason::BadLength)));
        assert_eq!(locate(&bcd, b"\x09\x12\x34\x56\x78\x90"), Err((0, Reason::TooLong { len: 9, max: 8 })));
    }

    #[test]
    fn a_filled_field_takes_all_its_room_and_tells_how_much_counts() {
        let layout =
            Layout { filled: true, ..layout(Class::Ans, Form::Plain, 5, Some(prefix(PrefixForm::Ascii, 2))) };
        assert_eq!(locate(&layout, b"02ab   x"), Ok(Place { at: 2, units: 2, wire: 2, after: 7 }));
        assert!(locate(&layout, b"02ab  ").is_err());
    }
}
