//! A message as a tree for people and programs: every field with all that is inside it.

use std::fmt;

use super::cards::CardNumbers;
use super::charset::Class;
use super::dialect::CardData;
use super::mask::{self, Secrecy};
use super::message::Message;
use super::structure::{Key, Piece, Structure, Within};
use super::table::Layout;

/// A field of a message, or something inside one.
#[derive(Clone, Eq, PartialEq)]
pub struct Node {
    /// What it is reached by from the node above: a number, a tag or a name.
    pub key: String,
    /// The whole path: `48.CN`.
    pub path: String,
    /// What the dialect calls it; empty if it has no name for it.
    pub name: String,
    /// Its type in the standard's notation; empty inside of TLV.
    pub notation: String,
    /// Where its value starts: bytes from the start of the frame. `None` inside of what is not plain on the wire.
    pub offset: Option<usize>,
    /// Characters of the value, or bytes of what is binary.
    pub length: usize,
    /// The value.
    pub value: Shown,
    /// What a known value means.
    pub meaning: Option<String>,
}

/// A value as it is shown. Card data is stars where it is masked.
#[derive(Clone, Eq, PartialEq)]
pub enum Shown {
    /// Characters.
    Text(String),
    /// Bytes in upper-case hex, or stars, two a byte.
    Binary(String),
    /// What is inside, in the order of the wire; keys may repeat.
    Inside(Vec<Node>),
}

impl fmt::Debug for Node {
    /// Where it stands, and what is inside. Never a value: it may be card data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("offset", &self.offset)
            .field("length", &self.length)
            .field("value", &self.value)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text"),
            Self::Binary(_) => f.write_str("Binary"),
            Self::Inside(nodes) => f.debug_tuple("Inside").field(nodes).finish(),
        }
    }
}

/// The fields of a message, ascending. `masked`: card data is shown as stars, as it must be outside of tests. Of a message
/// that [may be misread](super::Decoded::may_be_misread) it is what was read: whoever shows that to people looks for card
/// numbers in any of it.
#[must_use]
pub fn tree(message: &Message<'_, '_>, masked: bool) -> Vec<Node> {
    let pans = masked.then(|| CardNumbers::of(message));
    let grower = Grower { message, pans };
    message.fields().filter_map(|(number, value)| grower.field(number, value)).collect()
}

struct Grower<'m, 'd, 'a> {
    message: &'m Message<'d, 'a>,
    /// Card numbers to hide; none if nothing is to be hidden.
    pans: Option<CardNumbers<'a>>,
}

impl<'d> Grower<'_, 'd, '_> {
    fn field(&self, number: u8, value: &[u8]) -> Option<Node> {
        let dialect = self.message.dialect();
        let layout = self.message.layout(number)?;
        let field = dialect.field_in(number, self.message.holding)?;
        let offset = self.message.offset(number);
        let secrecy = Secrecy::of(self.message, number);
        // Where nobody knows what stands where, it is not told apart.
        let unsure = secrecy.strictest != CardData::None && self.message.is_unsure(number);
        let whole = self.pans.is_some() && unsure;
        let within = dialect.structure(layout).filter(|_| !whole).map(Within::Declared);
        let path = number.to_string();
        let inner = if layout.is_mirrored() { None } else { offset };
        let shown = self.shown(layout, within, value, inner, secrecy, &path);
        Some(Node {
            key: path.clone(),
            name: field.name.clone(),
            notation: field.notation.clone(),
            offset,
            length: value.len(),
            meaning: self.meaning(&path, value, secrecy.whole),
            value: shown,
            path,
        })
    }

    fn shown(
        &self,
        layout: &Layout,
        within: Option<Within<'d>>,
        value: &[u8],
        frame_at: Option<usize>,
        secrecy: Secrecy,
        path: &str,
    ) -> Shown {
        let Some(within) = within else { return self.leaf(layout.class, value, secrecy.whole) };
        if is_told(within, layout.class, value) {
            let mut nodes = Vec::new();
            let hidden = self.hidden_across(within, layout.class, value, secrecy.whole);
            let whole = within.each(hidden.as_deref().unwrap_or(value), &mut |piece| {
                nodes.extend(self.piece(layout, &piece, frame_at, secrecy, path));
                Ok(())
            });
            if whole.is_ok() {
                return Shown::Inside(nodes);
            }
        }
        self.leaf(layout.class, value, secrecy.strictest)
    }

    /// A copy of a value that has parts side by side, without the card numbers that they cut up.
    fn hidden_across(
        &self,
        within: Within<'_>,
        class: Class,
        value: &[u8],
        data: CardData,
    ) -> Option<Vec<u8>> {
        let pans = self.pans.as_ref().filter(|_| data == CardData::None)?;
        within.runs_on().then(|| mask::for_people(class, value, data, pans))
    }

    /// A piece of a structured value; none for blanks.
    fn piece(
        &self,
        around: &Layout,
        piece: &Piece<'d, '_>,
        frame_at: Option<usize>,
        secrecy: Secrecy,
        path: &str,
    ) -> Option<Node> {
        if matches!(piece.key, Key::Blank) {
            return None;
        }
        let secrecy = secrecy.inside(piece.field);
        let key = piece.key.text();
        let path = format!("{path}.{key}");
        let offset = frame_at.map(|at| at.saturating_add(piece.at));
        let Some(field) = piece.field else {
            let binary = matches!(piece.key, Key::Binary(_));
            let layout = Layout { class: if binary { Class::B } else { around.class }, ..*around };
            return Some(Node {
                name: self.known(&path).to_owned(),
                notation: String::new(),
                offset,
                length: piece.bytes.len(),
                meaning: self.meaning(&path, piece.bytes, secrecy.whole),
                value: self.shown(&layout, piece.within, piece.bytes, offset, secrecy, &path),
                key,
                path,
            });
        };
        let mut characters = Vec::new();
        let value = if field.layout.is_mirrored() {
            characters.resize(piece.units, 0);
            // It was judged when the message was decoded.
            super::wire::read(&field.layout, piece.bytes, &mut characters).ok()?;
            &characters
        } else {
            piece.bytes
        };
        let inner = if field.layout.is_mirrored() { None } else { offset };
        Some(Node {
            name: field.field.name.clone(),
            notation: field.field.notation.clone(),
            offset,
            length: value.len(),
            meaning: self.meaning(&path, value, secrecy.whole),
            value: self.shown(&field.layout, piece.within, value, inner, secrecy, &path),
            key,
            path,
        })
    }

    /// What a chip's tag is called.
    fn known(&self, path: &str) -> &str {
        self.message.dialect().element_name(path).unwrap_or_default()
    }

    fn meaning(&self, path: &str, value: &[u8], data: CardData) -> Option<String> {
        let hidden = self.pans.is_some() && data != CardData::None;
        self.message.dialect().meaning(path, value).filter(|_| !hidden).map(str::to_owned)
    }

    fn leaf(&self, class: Class, value: &[u8], data: CardData) -> Shown {
        let copy = match &self.pans {
            Some(pans) => mask::for_people(class, value, data, pans),
            None => value.to_vec(),
        };
        if class == Class::B {
            // Masked binary is stars; a card number within bytes is hidden digit by digit.
            let stars = copy != value && copy.iter().all(|byte| *byte == b'*');
            return Shown::Binary(if stars { "*".repeat(copy.len()) } else { hex::encode_upper(copy) });
        }
        Shown::Text(copy.iter().map(|byte| char::from(*byte)).collect())
    }
}

/// Whether the pieces say everything: for parts by width, as many whole ones as must be there, and nothing in the blanks
/// or after them.
fn is_told(within: Within<'_>, class: Class, value: &[u8]) -> bool {
    let Within::Declared(Structure::Widths(widths)) = within else { return true };
    let gaps =
        widths.parts.iter().filter(|part| part.name.is_none() && usize::from(part.start) < value.len());
    let filler = if class == Class::N { b'0' } else { b' ' };
    let blank = |start: u16, len: u16| {
        value
            .get(usize::from(start)..usize::from(start.saturating_add(len)))
            .is_some_and(|gap| gap.iter().all(|byte| *byte == filler))
    };
    widths.ends_with_a_part(value.len()) && gaps.into_iter().all(|gap| blank(gap.start, gap.len))
}
