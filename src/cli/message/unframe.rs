//! A message without what frames it.

use super::MESSAGE_BYTES_MAX;
use crate::iso8583::{self, Dialect, Framing, Mirror, Mti};

/// A message, and what framed it. No `Debug`: it holds card data.
#[derive(Clone, Copy)]
pub(super) struct Unframed<'b> {
    /// Its headers and what follows.
    pub(super) message: &'b [u8],
    /// What framed it, if anything did.
    pub(super) framing: Option<Framing>,
    /// What a length before it says, if that is not its length.
    pub(super) said: Option<usize>,
}

/// Whether these bytes begin as a message does.
fn begins(bytes: &[u8]) -> bool {
    bytes.first_chunk::<4>().is_some_and(|mti| Mti::new(mti).is_ok())
}

/// Takes off what frames a message: as the dialect's framing does, if the bytes are one whole frame of it; else as one that is
/// common, or a length of two bytes that is wrong, if what follows is or begins like a message and the start does not.
pub(super) fn unframed<'b>(dialect: &Dialect, bytes: &'b [u8]) -> Unframed<'b> {
    let bare = Unframed { message: bytes, framing: None, said: None };
    let framed = |framing: Framing| {
        let frame = framing.next(bytes, MESSAGE_BYTES_MAX).ok()??;
        let message = bytes.get(frame.start..frame.end).filter(|_| frame.consumed == bytes.len())?;
        Some(Unframed { message, framing: Some(framing), said: None })
    };
    let own = dialect.framing();
    if let Some(found) = framed(own).filter(|_| own != Framing::NONE) {
        return found;
    }
    let mut mirror = Mirror::new();
    let mut is_sound = |bytes| iso8583::decode(dialect, bytes, &mut mirror).fault.is_none();
    if !begins(bytes) && !is_sound(bytes) {
        let mut common = Framing::COMMON.into_iter().filter_map(framed);
        if let Some(found) = common.find(|found| begins(found.message) || is_sound(found.message)) {
            return found;
        }
    }
    match bytes.split_first_chunk::<2>() {
        Some((length, message)) if begins(message) => {
            let said = usize::from(u16::from_be_bytes(*length));
            let framing = Some(Framing::default());
            if said == message.len() {
                Unframed { message, framing, said: None }
            } else if begins(bytes) {
                bare
            } else {
                Unframed { message, framing, said: Some(said) }
            }
        }
        Some(_) | None => bare,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso8583::shipped;

    /// Framing, what its length says, and the message.
    fn taken<'b>(dialect: &Dialect, bytes: &'b [u8]) -> (String, Option<usize>, &'b [u8]) {
        let Unframed { message, framing, said } = unframed(dialect, bytes);
        (framing.unwrap_or(Framing::NONE).to_string(), said, message)
    }

    #[test]
    fn a_length_header_is_told_from_a_message() {
        let onelink = shipped::dialect("onelink").unwrap().unwrap();
        let message = &b"0800\x82\x20"[..];
        type Row<'t> = (&'t [u8], &'t str, Option<usize>, &'t [u8]);
        let table: &[Row<'_>] = &[
            (b"\x00\x060800\x82\x20", "binary 2", None, message),
            (b"\x00\x330800\x82\x20", "binary 2", Some(51), message),
            (b"\x00\x080800\x82\x20", "binary 2 inclusive", None, message),
            (b"\x00\x00\x00\x060800\x82\x20", "binary 4", None, message),
            (b"\x020800\x82\x20\x03", "stx etx", None, message),
            (b"0800\x82\x20", "none", None, message),
            (b"08008220", "none", None, b"08008220"),
            (b"\x08", "none", None, b"\x08"),
        ];
        for (bytes, framing, said, want) in table {
            assert_eq!(taken(&onelink, bytes), ((*framing).to_owned(), *said, *want), "{bytes:?}");
        }
    }

    #[test]
    fn a_packed_message_is_found_behind_any_common_length() {
        let bcd = shipped::dialect("iso87-bcd").unwrap().unwrap();
        let message = b"\x08\x00\x00\x20\x00\x00\x00\x00\x00\x00\x00\x47\x09";
        let framed = [b"\x00\x13", &message[..]].concat();
        assert_eq!(taken(&bcd, &framed), ("bcd 2".to_owned(), None, &message[..]));
    }

    #[test]
    fn a_frame_is_opened_as_the_dialect_frames_it() {
        let base = |name: &str| shipped::dialect_text(name).map(str::to_owned);
        let text = "name = \"ended\"\nextends = \"iso87-ascii\"\nframing = \"end FF\"\n";
        let ended = Dialect::parse("ended.toml", text, &base).unwrap();
        let message = |bytes| unframed(&ended, bytes).message;
        assert_eq!(message(b"08008220\xff"), b"08008220");
        assert_eq!(message(b"08008220"), b"08008220", "bare");
        assert_eq!(message(b"\x00\x0808008220"), b"08008220", "as others frame");
    }
}
