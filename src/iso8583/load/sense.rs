//! What loads by its words but could never work: conditions that never hold, meanings of no place, bytes that end a frame
//! in its midst.

use std::collections::BTreeMap;

use super::super::charset::Class;
use super::super::dialect::{Bitmap, Dialect, MtiForm};
use super::super::header::Header;
use super::super::load_error::{Conflict, DialectError, DialectReason};
use super::super::rules::Test;
use super::super::structure::Structure;
use super::super::table::{Form, Layout, PrefixForm};
use super::source::{Files, Place};

/// A question that a condition asks of a field, and where.
pub(super) type Asked = (Place, u8, Test);

/// Whether every question may be answered with yes.
pub(super) fn may_hold(files: &Files<'_>, dialect: &Dialect, asked: &[Asked]) -> Result<(), DialectError> {
    for (place, field, test) in asked {
        let (texts, whole) = match test {
            Test::Is(texts) => (texts, true),
            Test::Begins(texts) => (texts, false),
        };
        let may = |text: &Vec<u8>| dialect.layouts(*field).any(|layout| may_be(layout, text, whole));
        if !texts.iter().all(may) {
            return Err(files.conflict(*place, *field, Conflict::NeverHolds));
        }
    }
    Ok(())
}

/// Whether a field may hold a text, or begin with it.
fn may_be(layout: &Layout, text: &[u8], whole: bool) -> bool {
    let max = usize::from(layout.max);
    let fits = if whole && layout.prefix.is_none() { text.len() == max } else { text.len() <= max };
    fits && layout.holds(text)
}

/// What is said of places that there are. Of what a base says only that is kept: the file may have taken the rest away.
pub(super) fn of_places<T>(
    files: &Files<'_>,
    dialect: &Dialect,
    said: BTreeMap<String, (Place, T)>,
) -> Result<BTreeMap<String, T>, DialectError> {
    let mut kept = BTreeMap::new();
    for (path, (place, what)) in said {
        match dialect.path(&path) {
            Ok(_) => drop(kept.insert(path, what)),
            Err(_) if place.depth > 0 => {}
            Err(reason) => return Err(files.error(place, DialectReason::NoSuchPlace { path, reason })),
        }
    }
    Ok(kept)
}

/// Whether the byte that ends a frame, if there is one, stands in nothing that comes before the fields.
pub(super) fn head_ends_no_frame(
    files: &Files<'_>,
    dialect: &Dialect,
    place: Place,
) -> Result<(), DialectError> {
    let Some(end) = dialect.framing.end_byte() else { return Ok(()) };
    let text = |header: &Header| matches!(header, Header::Fixed { sent, .. } if sent.iter().all(|byte| (b' '..=b'~').contains(byte)));
    let what = if (b' '..=b'~').contains(&end) {
        "characters, for it is printable itself"
    } else if !dialect.headers.iter().all(text) {
        "a header that is not text"
    } else if dialect.mti == MtiForm::Bcd {
        "a packed message type"
    } else if dialect.bitmap == Bitmap::Binary {
        "a binary bitmap"
    } else {
        return Ok(());
    };
    Err(files.error(place, DialectReason::EndsFrame { what }))
}

/// Whether the byte that ends a frame stands in no value of a field, nor in anything inside it.
pub(super) fn ends_no_frame(end: u8, layout: &Layout, inside: Option<&Structure>) -> Result<(), Conflict> {
    let prefix = layout.prefix.is_none_or(|prefix| match prefix.form {
        PrefixForm::Ascii => true,
        PrefixForm::Ebcdic => !(0xf0..=0xf9).contains(&end),
        PrefixForm::Bcd | PrefixForm::Binary => false,
    });
    let subfields: Vec<_> = match inside {
        Some(Structure::Parts(parts)) => parts.iter().collect(),
        Some(Structure::Bitmap(inside)) => inside.fields.iter().collect(),
        Some(Structure::Widths(_) | Structure::Tlv(_) | Structure::Ber { .. } | Structure::Datasets(_))
        | None => Vec::new(),
    };
    let bytes = matches!(layout.class, Class::B | Class::Char);
    let value = match layout.form {
        // Small fields that are all characters make characters of what they are in.
        Form::Plain => !bytes || matches!(inside, Some(Structure::Parts(_))),
        Form::Latin1 => end < 0xa0 && !bytes,
        Form::Ebcdic(_) => !(0x40..=0xfe).contains(&end) && !bytes,
        Form::Bcd { .. } => false,
        Form::Hex | Form::Absent => true,
    };
    if !(prefix && value) {
        return Err(Conflict::EndsFrame);
    }
    subfields.into_iter().try_for_each(|field| ends_no_frame(end, &field.layout, field.structure.as_deref()))
}
