//! What is inside a field: parts, elements, subfields under a bitmap, data sets; any of them in one another.

use std::collections::BTreeMap;

use super::ber;
use super::dialect::Field;
use super::elements::Elements;
use super::fault::Reason;
use super::subfields::Subfields;
use super::table::{Layout, Tlv};
use super::wire;

/// How a field is divided.
#[derive(Clone, Debug)]
pub(super) enum Structure {
    /// By width, over its characters.
    Widths(Widths),
    /// One small field after the other.
    Parts(Vec<Subfield>),
    Tlv(Tlv),
    /// BER-TLV, so many levels deep at most.
    Ber {
        depth: u8,
    },
    Bitmap(Subfields),
    Datasets(Datasets),
}

/// Parts by width.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Widths {
    pub(super) parts: Vec<Part>,
    /// Whether the last ones may be missing: the field has a length of its own.
    pub(super) short: bool,
    /// Whether the last one may be shorter than its width.
    pub(super) open: bool,
}

impl Widths {
    /// Whether a value of so many characters is whole parts, and as many as must be there.
    pub(super) fn ends_with_a_part(&self, len: usize) -> bool {
        let mut ends =
            self.parts.iter().map(|part| usize::from(part.start).saturating_add(usize::from(part.len)));
        if self.short {
            ends.any(|end| end == len) || self.ends_in_the_last(len)
        } else {
            ends.next_back() == Some(len)
        }
    }

    /// Whether a value of so many characters ends within a last part that may be shorter.
    fn ends_in_the_last(&self, len: usize) -> bool {
        let within = |part: &Part| {
            let start = usize::from(part.start);
            len > start && len < start.saturating_add(usize::from(part.len))
        };
        self.open && self.parts.last().is_some_and(within)
    }
}

/// A positional subfield, in characters from the start of its field.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Part {
    /// `None` for blanks between two parts.
    pub(super) name: Option<String>,
    pub(super) start: u16,
    pub(super) len: u16,
}

/// A field within a field.
#[derive(Clone, Debug)]
pub(super) struct Subfield {
    /// What it is called in a path; its number under a bitmap.
    pub(super) key: String,
    pub(super) layout: Layout,
    pub(super) field: Field,
    pub(super) structure: Option<Box<Structure>>,
}

impl Subfield {
    #[inline]
    pub(super) fn within(&self) -> Option<Within<'_>> {
        self.structure.as_deref().map(Within::Declared)
    }
}

/// Identifier, length, content; then the next (ISO 8583:2003 and 2023).
#[derive(Clone, Debug)]
pub(super) struct Datasets {
    /// Bytes of the length.
    pub(super) length: u8,
    pub(super) known: BTreeMap<u8, Subfield>,
}

/// A structure as it stands at one place: declared, or the inside of a constructed BER object.
#[derive(Clone, Copy, Debug)]
pub(super) enum Within<'d> {
    Declared(&'d Structure),
    /// So many levels may still follow below these objects.
    Ber(u8),
}

/// One piece of a structured value. Not to be printed: it may be card data.
#[derive(Clone, Copy)]
pub(super) struct Piece<'d, 'v> {
    pub(super) key: Key<'d, 'v>,
    /// Where its value starts in the value it is in.
    pub(super) at: usize,
    /// Bytes of it there.
    pub(super) bytes: &'v [u8],
    /// Characters of the value, if it is a field of its own.
    pub(super) units: usize,
    /// Filling behind it.
    pub(super) filling: &'v [u8],
    pub(super) field: Option<&'d Subfield>,
    pub(super) within: Option<Within<'d>>,
}

/// What a piece is reached by. Not to be printed: where a value is malformed, it may be card data.
#[derive(Clone, Copy)]
pub(super) enum Key<'d, 'v> {
    Name(&'d str),
    /// Filling between two parts.
    Blank,
    Text(&'v [u8]),
    /// Shown as hex.
    Binary(&'v [u8]),
}

impl Key<'_, '_> {
    /// As it is written in a path.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Name(name) => (*name).to_owned(),
            Self::Blank => String::new(),
            Self::Text(tag) => tag.iter().map(|byte| char::from(*byte)).collect(),
            Self::Binary(tag) => hex::encode_upper(tag),
        }
    }

    /// Whether this is the key written so in a path.
    pub(super) fn is(&self, written: &[u8]) -> bool {
        match self {
            Self::Name(name) => name.as_bytes() == written,
            Self::Blank => false,
            Self::Text(tag) => *tag == written,
            Self::Binary(tag) => {
                let digit = |digit: &u8| char::from(*digit).to_digit(16);
                tag.len().saturating_mul(2) == written.len()
                    && written.chunks_exact(2).zip(*tag).all(|(pair, byte)| match pair {
                        [high, low] => {
                            digit(high) == Some(u32::from(byte >> 4))
                                && digit(low) == Some(u32::from(byte & 15))
                        }
                        _ => false,
                    })
            }
        }
    }
}

/// Where a value stops making sense, in bytes from its start, and why.
#[derive(Clone, Copy, Debug)]
pub(super) struct Broken {
    pub(super) at: usize,
    pub(super) reason: Reason,
}

impl Broken {
    /// Pieces that do not fit together.
    pub(super) const fn at(at: usize) -> Self {
        Self { at, reason: Reason::BadElement }
    }

    /// The same place, seen from so much further out.
    pub(super) const fn within(self, at: usize) -> Self {
        Self { at: self.at.saturating_add(at), reason: self.reason }
    }
}

/// What [`Within::each`] calls for every piece; an error ends it.
pub(super) type Visit<'f, 'd, 'v> = &'f mut dyn FnMut(Piece<'d, 'v>) -> Result<(), Broken>;

impl<'d> Within<'d> {
    /// Whether a text may run on from one piece to the next, with nothing between them.
    pub(super) fn runs_on(self) -> bool {
        match self {
            Self::Declared(Structure::Widths(_)) => true,
            Self::Declared(Structure::Parts(parts)) => {
                parts.iter().all(|part| part.layout.prefix.is_none() && part.structure.is_none())
            }
            Self::Declared(
                Structure::Tlv(_) | Structure::Ber { .. } | Structure::Bitmap(_) | Structure::Datasets(_),
            )
            | Self::Ber(_) => false,
        }
    }

    /// Goes through the pieces of a value, one level deep.
    ///
    /// # Errors
    ///
    /// Where it stops making sense, or what `visit` returned.
    pub(super) fn each<'v>(self, value: &'v [u8], visit: Visit<'_, 'd, 'v>) -> Result<(), Broken> {
        match self {
            Self::Ber(depth) => objects(value, depth, visit),
            Self::Declared(structure) => match structure {
                Structure::Widths(widths) => by_width(widths, value, visit),
                Structure::Parts(parts) => in_order(parts.iter(), value, 0, visit),
                Structure::Tlv(tlv) => elements(*tlv, value, visit),
                Structure::Ber { depth } => objects(value, depth.saturating_sub(1), visit),
                Structure::Bitmap(subfields) => subfields.each(value, visit),
                Structure::Datasets(sets) => sets.each(value, visit),
            },
        }
    }
}

fn by_width<'d, 'v>(widths: &'d Widths, value: &'v [u8], visit: Visit<'_, 'd, 'v>) -> Result<(), Broken> {
    let mut at = 0_usize;
    let cut = widths.ends_in_the_last(value.len()).then_some(value.len());
    for part in &widths.parts {
        if at == value.len() && widths.short {
            return Ok(());
        }
        let end = at.saturating_add(usize::from(part.len));
        let end = cut.map_or(end, |cut| end.min(cut));
        let bytes = value.get(at..end).ok_or(Broken::at(at))?;
        let key = part.name.as_ref().map_or(Key::Blank, |name| Key::Name(name));
        visit(Piece { key, at, bytes, units: bytes.len(), filling: &[], field: None, within: None })?;
        at = end;
    }
    if at == value.len() { Ok(()) } else { Err(Broken::at(at)) }
}

/// Reads one small field after the other. Trailing ones may be missing altogether.
fn in_order<'d, 'v>(
    fields: impl Iterator<Item = &'d Subfield>,
    value: &'v [u8],
    from: usize,
    visit: Visit<'_, 'd, 'v>,
) -> Result<(), Broken> {
    let mut at = from;
    for field in fields {
        if at == value.len() {
            return Ok(());
        }
        at = one(field, value, at, visit)?;
    }
    if at == value.len() { Ok(()) } else { Err(Broken::at(at)) }
}

/// Reads one small field and says where the next begins.
pub(super) fn one<'d, 'v>(
    field: &'d Subfield,
    value: &'v [u8],
    from: usize,
    visit: Visit<'_, 'd, 'v>,
) -> Result<usize, Broken> {
    let rest = value.get(from..).unwrap_or_default();
    let place = wire::locate(&field.layout, rest).map_err(|_| Broken::at(from))?;
    let at = from.saturating_add(place.at);
    let bytes = value.get(at..at.saturating_add(place.wire)).ok_or(Broken::at(from))?;
    let (key, within) = (Key::Name(&field.key), field.within());
    let after = from.saturating_add(place.after);
    let filling = value.get(at.saturating_add(place.wire)..after).unwrap_or_default();
    visit(Piece { key, at, bytes, units: place.units, filling, field: Some(field), within })?;
    Ok(after)
}

fn elements<'d, 'v>(tlv: Tlv, value: &'v [u8], visit: Visit<'_, 'd, 'v>) -> Result<(), Broken> {
    let mut elements = Elements::new(tlv, value);
    for (tag, bytes) in elements.by_ref() {
        let key = if tlv.binary { Key::Binary(tag) } else { Key::Text(tag) };
        let at = bytes.as_ptr().addr().saturating_sub(value.as_ptr().addr());
        visit(Piece { key, at, bytes, units: bytes.len(), filling: &[], field: None, within: None })?;
    }
    match elements.left() {
        0 => Ok(()),
        left => Err(Broken::at(value.len().saturating_sub(left))),
    }
}

fn objects<'d, 'v>(value: &'v [u8], depth: u8, visit: Visit<'_, 'd, 'v>) -> Result<(), Broken> {
    let mut objects = ber::Objects::new(value);
    for (tag, bytes) in objects.by_ref() {
        let at = bytes.as_ptr().addr().saturating_sub(value.as_ptr().addr());
        let within = match (ber::holds_objects(tag, bytes), depth.checked_sub(1)) {
            (false, _) => None,
            (true, Some(depth)) => Some(Within::Ber(depth)),
            (true, None) => return Err(Broken::at(at)),
        };
        visit(Piece {
            key: Key::Binary(tag),
            at,
            bytes,
            units: bytes.len(),
            filling: &[],
            field: None,
            within,
        })?;
    }
    match objects.left_malformed() {
        0 => Ok(()),
        left => Err(Broken::at(value.len().saturating_sub(left))),
    }
}

impl Datasets {
    fn each<'d, 'v>(&'d self, value: &'v [u8], visit: Visit<'_, 'd, 'v>) -> Result<(), Broken> {
        let mut at = 0_usize;
        while let Some(rest) = value.get(at..).filter(|rest| !rest.is_empty()) {
            let (id, rest) = rest.split_at_checked(1).ok_or(Broken::at(at))?;
            let (length, rest) = rest.split_at_checked(usize::from(self.length)).ok_or(Broken::at(at))?;
            let len = length.iter().fold(0_usize, |len, byte| (len << 8) | usize::from(*byte));
            let bytes = rest.get(..len).ok_or(Broken::at(at))?;
            let start = at.saturating_add(1).saturating_add(length.len());
            let number = id.first().copied().unwrap_or(0);
            let field = self.known.get(&number);
            let declared = field.and_then(Subfield::within);
            // The standard keeps the identifiers up to 70 for TLV.
            let within = declared.or_else(|| (number <= 0x70).then_some(Within::Ber(BER_DEPTH)));
            visit(Piece { key: Key::Binary(id), at: start, bytes, units: len, filling: &[], field, within })?;
            at = start.saturating_add(len);
        }
        Ok(())
    }
}

/// Levels of BER-TLV, unless a dialect says otherwise.
pub(super) const BER_DEPTH: u8 = 8;
