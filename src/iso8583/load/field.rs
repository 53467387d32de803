//! One field's record becomes its layout, checked against everything it says.

use super::super::charset::Class;
use super::super::dialect::{CardData, Field};
use super::super::load_error::Conflict;
use super::super::notation::Notation;
use super::super::structure::{Datasets, Part, Structure, Subfield, Widths};
use super::super::subfields::Subfields;
use super::super::table::{Form, Layout, Prefix, PrefixForm, Tlv};
use super::Forms;
use super::draft::{Draft, Word};
use super::inside::InsideDraft;
use super::source::Place;

/// A field and everything inside it.
pub(super) struct Made {
    pub(super) layout: Layout,
    pub(super) field: Field,
    pub(super) structure: Option<Box<Structure>>,
    /// Whether anything inside is not plain on the wire.
    pub(super) mirrors: bool,
}

/// What is wrong, and on which line if it is not the field's own.
pub(super) type Refused = (Option<Place>, Conflict);

/// Makes a field of what its record says.
///
/// # Errors
///
/// What in it cannot be together.
pub(super) fn field(forms: &Forms, draft: &Draft) -> Result<Made, Refused> {
    let own = |conflict| (draft.place, conflict);
    let Notation { class, prefix: dots, max } = draft.notation;
    let form = form(forms, draft).map_err(own)?;
    if draft.card_data == Some(CardData::Pan) && !matches!(class, Class::N | Class::An | Class::Ans) {
        return Err(own(Conflict::PanNotText));
    }
    let prefix = prefix(forms, draft, dots).map_err(own)?;
    if draft.filled && prefix.is_none() {
        return Err(own(Conflict::FilledFixed));
    }
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
        filled: draft.filled,
        inside: None,
        watched: false,
        varies: false,
    };
    // What takes more than that fits no frame, and is never found there.
    layout.wire_max = u16::try_from(layout.wire_bytes(usize::from(max))).unwrap_or(u16::MAX);
    if let Some(prefix) = prefix {
        prefix_holds(&layout, prefix).map_err(own)?;
    }
    let mut field = Field {
        name: draft.name.clone(),
        notation: draft.text.clone(),
        card_data: draft.card_data.unwrap_or(CardData::None),
        strictest: draft.card_data.unwrap_or(CardData::None),
    };
    let (structure, mirrors) = match &draft.inside {
        None => (None, false),
        Some(inside) => {
            let (structure, card_data, mirrors) = inside_of(forms, &layout, inside, own)?;
            // What may not be kept in part may not be kept as a whole.
            if card_data != CardData::None {
                field.strictest = CardData::Never;
            }
            (Some(Box::new(structure)), mirrors)
        }
    };
    let ascii_prefix = prefix.is_none_or(|prefix| {
        prefix.form == PrefixForm::Ascii && !prefix.counts_bytes && !prefix.includes_itself
    });
    let usual = match structure.as_deref() {
        None => Some(None),
        Some(Structure::Tlv(tlv)) if tlv.is_usual() => Some(Some(*tlv)),
        Some(_) => None,
    };
    if let Some(tlv) = usual.filter(|_| form == Form::Plain) {
        layout.tlv = tlv;
        layout.plain = ascii_prefix && !draft.filled;
        layout.digits = prefix.map_or(0, |prefix| prefix.bytes);
    }
    layout.recoded = layout.is_mirrored() && structure.is_none() && !draft.filled;
    Ok(Made { layout, field, structure, mirrors })
}

fn form(forms: &Forms, draft: &Draft) -> Result<Form, Conflict> {
    let Notation { class, prefix, .. } = draft.notation;
    if draft.notation.is_absent() {
        return Ok(Form::Absent);
    }
    let binary = || {
        // A default says how fixed binary is written; what has a length prefix counts bytes.
        forms.binary.filter(|_| prefix == 0).unwrap_or(Word::Raw)
    };
    let (usual, odd) = match class {
        Class::N | Class::Xn => (forms.digits, forms.odd),
        Class::Z => (forms.track, forms.track_odd),
        Class::B => (binary(), forms.odd),
        Class::A | Class::An | Class::Ns | Class::As | Class::Ans | Class::Char => (forms.text, forms.odd),
    };
    let word = draft.word.unwrap_or(usual);
    if draft.odd.is_some() && word != Word::Bcd {
        return Err(Conflict::OddWithoutBcd);
    }
    match (word, class) {
        (Word::Raw, Class::B) => Ok(Form::Plain),
        (Word::Hex, Class::B) => {
            let said = draft.length.and_then(|length| length.counts_bytes).is_some();
            if prefix > 0 && !said { Err(Conflict::VariableHex) } else { Ok(Form::Hex) }
        }
        (Word::Raw | Word::Hex, _) => Err(Conflict::BinaryText),
        (_, Class::B) => Err(Conflict::TextBinary),
        (Word::Bcd, Class::N | Class::Xn | Class::Z) => {
            let ebcdic_sign = matches!(forms.text, Word::Ebcdic(_));
            Ok(Form::Bcd { odd: draft.odd.unwrap_or(odd), ebcdic_sign })
        }
        (Word::Bcd, _) => Err(Conflict::BcdText),
        (Word::Ascii, _) => Ok(Form::Plain),
        (Word::Latin1, _) => Ok(Form::Latin1),
        (Word::Ebcdic(page), _) => Ok(Form::Ebcdic(page)),
    }
}

fn prefix(forms: &Forms, draft: &Draft, dots: u8) -> Result<Option<Prefix>, Conflict> {
    if dots == 0 {
        return if draft.length.is_some() { Err(Conflict::LengthOfFixed) } else { Ok(None) };
    }
    let said = draft.length.unwrap_or_default();
    let form = said.form.unwrap_or(forms.lengths);
    let usual = match form {
        PrefixForm::Ascii | PrefixForm::Ebcdic => dots,
        PrefixForm::Bcd => dots.div_ceil(2),
        PrefixForm::Binary if draft.notation.max <= 255 => 1,
        PrefixForm::Binary => 2,
    };
    let bytes = said.bytes.unwrap_or(usual);
    let most = if matches!(form, PrefixForm::Bcd | PrefixForm::Binary) { 4 } else { 6 };
    if bytes > most {
        return Err(Conflict::PrefixTooWide { most });
    }
    let counts_bytes = said.counts_bytes.unwrap_or(false);
    Ok(Some(Prefix { form, bytes, counts_bytes, includes_itself: said.includes_itself }))
}

/// Whether a prefix can tell the longest value.
fn prefix_holds(layout: &Layout, prefix: Prefix) -> Result<(), Conflict> {
    let max = usize::from(layout.max);
    let counted = if prefix.counts_bytes { layout.wire_bytes(max) } else { max };
    let own = if prefix.includes_itself { usize::from(prefix.bytes) } else { 0 };
    let (need, most) = (counted.saturating_add(own), prefix.most());
    if need > most { Err(Conflict::PrefixTooNarrow { need, most }) } else { Ok(()) }
}

/// Makes the structure of a field, with the strictest card data in it and whether anything in it is not plain.
fn inside_of(
    forms: &Forms,
    layout: &Layout,
    inside: &InsideDraft,
    own: impl Fn(Conflict) -> Refused,
) -> Result<(Structure, CardData, bool), Refused> {
    let text = matches!(layout.class, Class::An | Class::Ans | Class::Char);
    let bytes = layout.class == Class::B;
    let (mut worst, mut mirrors) = (CardData::None, false);
    let mut sub = |key: String, draft: &Draft| {
        let made = field(forms, draft)?;
        if text && !is_text(&made.layout) {
            return Err(own(Conflict::BytesInText));
        }
        worst = worst.max(made.field.strictest);
        mirrors |= made.mirrors || made.layout.is_mirrored();
        Ok(Subfield { key, layout: made.layout, field: made.field, structure: made.structure })
    };
    if layout.form == Form::Absent {
        return Err(own(Conflict::InsideAbsent));
    }
    let structure = match inside {
        InsideDraft::Widths(parts, open) => {
            if !text && layout.class != Class::N {
                return Err(own(Conflict::NotText));
            }
            Structure::Widths(widths(layout, parts, *open).map_err(own)?)
        }
        InsideDraft::Tlv(tlv) => {
            check_tlv(layout, *tlv, if tlv.binary { bytes } else { text }).map_err(own)?;
            Structure::Tlv(*tlv)
        }
        InsideDraft::Ber { depth } if bytes => Structure::Ber { depth: *depth },
        InsideDraft::Ber { .. } => return Err(own(Conflict::NotBytes)),
        InsideDraft::Parts(_) | InsideDraft::Bitmap { .. } | InsideDraft::Datasets { .. }
            if layout.form != Form::Plain || !(bytes || text) =>
        {
            return Err(own(Conflict::NotBytes));
        }
        InsideDraft::Bitmap { hex: false, .. } | InsideDraft::Datasets { .. } if text => {
            return Err(own(Conflict::BytesInText));
        }
        InsideDraft::Parts(parts) => {
            let parts: Result<_, Refused> =
                parts.iter().map(|(key, draft)| sub(key.clone(), draft)).collect();
            let parts: Vec<Subfield> = parts?;
            parts_fill(layout, &parts).map_err(own)?;
            Structure::Parts(parts)
        }
        InsideDraft::Bitmap { hex, bytes, header, fields } => {
            let most = bytes.saturating_mul(8);
            if fields.keys().next_back().is_some_and(|last| *last > most) {
                return Err(own(Conflict::BitmapTooSmall { most }));
            }
            let fields: Result<_, Refused> = fields
                .iter()
                .map(|(number, draft)| sub(number.to_string(), draft).map(|field| (*number, field)))
                .collect();
            let inside = Subfields { hex: *hex, bytes: *bytes, header: *header, fields: fields? };
            if inside.head() > usize::from(layout.max) {
                return Err(own(Conflict::NoRoomForBitmap));
            }
            Structure::Bitmap(inside)
        }
        InsideDraft::Datasets { length, known } => {
            let known: Result<_, Refused> = known
                .iter()
                .map(|(id, draft)| sub(format!("{id:02X}"), draft).map(|field| (*id, field)))
                .collect();
            Structure::Datasets(Datasets { length: *length, known: known? })
        }
    };
    Ok((structure, worst, mirrors))
}

/// Parts by width, which fill a field of fixed length exactly.
fn widths(layout: &Layout, parts: &[Part], open: bool) -> Result<Widths, Conflict> {
    let wide: usize = parts.iter().map(|part| usize::from(part.len)).sum();
    let (max, short) = (layout.max, layout.prefix.is_some());
    if wide > usize::from(max) {
        return Err(Conflict::PartsTooWide { parts: wide, max });
    }
    if !short && wide < usize::from(max) {
        return Err(Conflict::PartsTooNarrow { parts: wide, max });
    }
    if open && !short {
        return Err(Conflict::OpenFixed);
    }
    Ok(Widths { parts: parts.to_vec(), short, open })
}

/// Whether small fields can fill a field of fixed length exactly.
fn parts_fill(layout: &Layout, parts: &[Subfield]) -> Result<(), Conflict> {
    if layout.prefix.is_some() {
        return Ok(());
    }
    let shortest = |layout: &Layout| match layout.prefix {
        Some(prefix) if !layout.filled => usize::from(prefix.bytes),
        Some(_) | None => longest(layout),
    };
    let least: usize = parts.iter().map(|part| shortest(&part.layout)).sum();
    let most: usize = parts.iter().map(|part| longest(&part.layout)).sum();
    if least > usize::from(layout.max) {
        return Err(Conflict::PartsTooWide { parts: least, max: layout.max });
    }
    if most < usize::from(layout.max) {
        return Err(Conflict::PartsTooNarrow { parts: most, max: layout.max });
    }
    Ok(())
}

/// Bytes of the longest value with its length.
fn longest(layout: &Layout) -> usize {
    let prefix = layout.prefix.map_or(0, |prefix| usize::from(prefix.bytes));
    prefix.saturating_add(usize::from(layout.wire_max))
}

/// Whether a small field may stand within text: its characters as they are, and no bytes before them.
fn is_text(layout: &Layout) -> bool {
    let prefix = layout.prefix.is_none_or(|prefix| prefix.form == PrefixForm::Ascii);
    let value = match layout.form {
        Form::Plain => layout.class != Class::B,
        Form::Hex | Form::Absent => true,
        Form::Latin1 | Form::Ebcdic(_) | Form::Bcd { .. } => false,
    };
    prefix && value
}

fn check_tlv(layout: &Layout, tlv: Tlv, fits: bool) -> Result<(), Conflict> {
    if layout.prefix.is_none() && !layout.filled && layout.class != Class::B {
        return Err(Conflict::FixedTlv);
    }
    if !fits {
        return Err(Conflict::NotText);
    }
    if u16::from(tlv.tag).saturating_add(u16::from(tlv.length)) > layout.max {
        return Err(Conflict::NoRoomForElement);
    }
    Ok(())
}
