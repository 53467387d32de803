//! The MAC of a message (DE 64 or 128): where it stands, and which bytes it is made over. How it is made is the vault's.

use std::ops::Range;

use super::charset::Class;
use super::dialect::Dialect;
use super::framing::Framing;
use super::message::Message;

/// Bytes of the longest MAC.
pub const MAC_BYTES_MAX: usize = 16;

/// How a MAC is made (`domain.md` 4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MacAlgorithm {
    /// ISO 9797-1 algorithm 3 with DES: the retail MAC of ANSI X9.19, 8 bytes.
    Retail(MacPadding),
    /// AES-CMAC of RFC 4493, 16 bytes.
    AesCmac,
}

/// What makes the bytes under a retail MAC whole blocks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MacPadding {
    /// Method 1: zeros, where a block is begun.
    Zeros,
    /// Method 2: a bit of one, then zeros, always.
    Bit,
}

/// Where what is under the MAC begins. It ends where the MAC does begin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MacFrom {
    /// With the length before the frame, where the framing has one.
    Length,
    /// With the headers before the message type.
    Header,
    /// With the message type.
    Mti,
}

/// A MAC as one network has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MacRule {
    algorithm: MacAlgorithm,
    /// How much of it is sent: 4 to 8 bytes, of AES-CMAC up to 16.
    bytes: u8,
    /// Where it stands: the first of these that comes after every other data element.
    fields: Vec<u8>,
    from: MacFrom,
    /// Whether it is made over the bytes as upper-case hexadecimal characters.
    hex: bool,
}

/// What a MAC is made over.
#[derive(Clone, Copy, Debug)]
pub struct Covered<'a> {
    length: [u8; 4],
    length_bytes: usize,
    message: &'a [u8],
    hex: bool,
}

/// A MAC as sent: as many bytes as its network sends of one.
#[derive(Clone, Copy, Debug)]
pub struct SentMac {
    bytes: [u8; MAC_BYTES_MAX],
    len: usize,
}

/// Makes the MAC of a message that is being written.
#[derive(Clone, Copy)]
pub struct Seal<'s> {
    /// How the message will stand on its connection.
    pub framing: Framing,
    /// The whole MAC, of which the message gets as much as its network sends.
    pub tag: &'s dyn Fn(&Covered<'_>) -> [u8; MAC_BYTES_MAX],
}

impl MacRule {
    /// A rule for messages of this dialect.
    ///
    /// # Errors
    ///
    /// Which key of a profile's `[mac]` is wrong, and why.
    pub fn new(
        dialect: &Dialect,
        algorithm: MacAlgorithm,
        bytes: u8,
        fields: Vec<u8>,
        from: MacFrom,
        hex: bool,
    ) -> Result<Self, (&'static str, String)> {
        let whole = match algorithm {
            MacAlgorithm::Retail(_) => 8,
            MacAlgorithm::AesCmac => MAC_BYTES_MAX,
        };
        if !(4..=whole).contains(&usize::from(bytes)) {
            return Err((
                "bytes",
                format!("bytes is 4 to {whole}: fewer could be guessed, and there are no more"),
            ));
        }
        let unfit = |why: String| ("fields", why);
        if fields.is_empty() || !fields.is_sorted_by(|one, next| one < next) {
            return Err(unfit("fields are the data elements of the MAC, ascending: [64, 128]".to_owned()));
        }
        for field in &fields {
            let layout = dialect.table.layout(*field);
            let layout = layout.ok_or_else(|| unfit(format!("the dialect has no data element {field}")))?;
            let per_byte = if layout.class == Class::B { 1 } else { 2 };
            let fits = usize::from(layout.max) >= usize::from(bytes).saturating_mul(per_byte);
            if layout.prefix.is_some() || layout.digits > 0 || !fits || layout.varies {
                let why =
                    format!("data element {field} is no field of fixed length that holds {bytes} bytes");
                return Err(unfit(why));
            }
        }
        Ok(Self { algorithm, bytes, fields, from, hex })
    }

    /// How it is made.
    #[must_use]
    pub const fn algorithm(&self) -> MacAlgorithm {
        self.algorithm
    }

    /// The data elements it may stand in.
    #[must_use]
    pub fn fields(&self) -> &[u8] {
        &self.fields
    }

    /// The field of a message whose last other one is `last`.
    pub(super) fn field_after(&self, last: u8) -> Option<u8> {
        self.fields.iter().copied().find(|field| *field > last)
    }

    /// What is under the MAC of a message: `head` is the place of its headers, `total` its length with the MAC.
    pub(super) fn covers<'a>(
        &self,
        (before, head): (&'a [u8], Range<usize>),
        total: usize,
        framing: Framing,
    ) -> Covered<'a> {
        let (length, length_bytes) = match self.from {
            MacFrom::Length => framing.length_before(total),
            MacFrom::Header | MacFrom::Mti => ([0; 4], 0),
        };
        let from = match self.from {
            MacFrom::Length | MacFrom::Header => head.start,
            MacFrom::Mti => head.end,
        };
        let message = before.get(from..).unwrap_or_default();
        Covered { length, length_bytes, message, hex: self.hex }
    }

    /// A MAC as a field's value: bytes, or as hexadecimal characters; zeros behind, if the field is longer.
    pub(super) fn value(&self, dialect: &Dialect, field: u8, tag: &[u8; MAC_BYTES_MAX]) -> ([u8; 64], usize) {
        let mut value = [0_u8; 64];
        let sent = tag.get(..usize::from(self.bytes)).unwrap_or_default();
        let layout = dialect.table.layout(field);
        let len = layout.map_or(0, |layout| usize::from(layout.max)).min(value.len());
        if dialect.is_binary(field) {
            value.iter_mut().zip(sent).for_each(|(to, byte)| *to = *byte);
        } else {
            value.fill(b'0');
            let digits = sent.iter().flat_map(|byte| hex_pair(*byte));
            value.iter_mut().zip(digits).for_each(|(to, digit)| *to = digit);
        }
        (value, len)
    }
}

fn hex_pair(byte: u8) -> [u8; 2] {
    let digit = |nibble: u8| match nibble {
        0..=9 => b'0'.saturating_add(nibble),
        _ => b'A'.saturating_add(nibble.saturating_sub(10)),
    };
    [digit(byte >> 4), digit(byte & 15)]
}

impl<'a> Covered<'a> {
    /// These bytes and no others.
    #[must_use]
    pub const fn bytes(bytes: &'a [u8]) -> Self {
        Self { length: [0; 4], length_bytes: 0, message: bytes, hex: false }
    }

    /// The same, as upper-case hexadecimal characters.
    #[must_use]
    pub const fn in_hex(self) -> Self {
        Self { hex: true, ..self }
    }

    /// Gives the bytes to `take`, piece by piece.
    pub fn feed(&self, take: &mut dyn FnMut(&[u8])) {
        let length = self.length.get(..self.length_bytes).unwrap_or_default();
        for part in [length, self.message] {
            if !self.hex {
                take(part);
                continue;
            }
            for some in part.chunks(32) {
                let mut text = [0_u8; 64];
                let digits = some.iter().flat_map(|byte| hex_pair(*byte));
                text.iter_mut().zip(digits).for_each(|(to, digit)| *to = digit);
                take(text.get(..some.len().saturating_mul(2)).unwrap_or_default());
            }
        }
    }
}

impl SentMac {
    /// A MAC of these bytes, at most [`MAC_BYTES_MAX`].
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut sent = Self { bytes: [0; MAC_BYTES_MAX], len: bytes.len().min(MAC_BYTES_MAX) };
        sent.bytes.iter_mut().zip(bytes).for_each(|(to, byte)| *to = *byte);
        sent
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl<'a> Message<'_, 'a> {
    /// The MAC of this message, and what it must have been made over. None if it has none, or one that does not stand last:
    /// what came behind it would be under no MAC.
    #[must_use]
    pub fn mac(&self, rule: &MacRule, framing: Framing) -> Option<(Covered<'a>, SentMac)> {
        let field = self.announced.last().filter(|last| rule.fields.contains(last))?;
        let (at, value) = (self.offset(field)?, self.field(field)?);
        let mut sent = SentMac { bytes: [0; MAC_BYTES_MAX], len: rule.bytes.into() };
        let room = sent.bytes.get_mut(..sent.len)?;
        if self.dialect().is_binary(field) {
            room.copy_from_slice(value.get(..room.len())?);
        } else {
            hex::decode_to_slice(value.get(..room.len().saturating_mul(2))?, room).ok()?;
        }
        let before = self.frame().get(..at)?;
        let covered = rule.covers((before, 0..self.header().len()), self.frame().len(), framing);
        Some((covered, sent))
    }
}

impl std::fmt::Debug for Seal<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seal").field("framing", &self.framing).finish_non_exhaustive()
    }
}
