//! Whether bytes look like an ISO 8583 message to one who knows no dialect.

/// No message is shorter: an MTI of two packed bytes and a bitmap of eight.
pub(super) const MESSAGE_BYTES_MIN: usize = 10;

/// Most bytes of framing and headers before an MTI that are looked through.
const BEFORE_MTI_MAX: usize = 40;

/// Bytes of a binary bitmap.
const BITMAP_BYTES: usize = 8;

/// Whether, behind headers that may be there, an MTI stands with a bitmap whose fields could be in what follows: at
/// least one, and for each a byte. Hashes, UUIDs and trace identifiers have too many bits set for their length.
pub(super) fn looks_like_message(bytes: &[u8]) -> bool {
    (0..=BEFORE_MTI_MAX.min(bytes.len())).any(|place| bytes.get(place..).is_some_and(is_message))
}

/// Whether these bytes begin with an MTI and a bitmap as above: characters, EBCDIC or BCD.
pub(super) fn is_message(bytes: &[u8]) -> bool {
    let characters = bytes.split_first_chunk::<4>().filter(|(mti, _)| is_mti(mti.map(ascii_digit)));
    let packed = bytes
        .split_first_chunk::<2>()
        .filter(|([first, second], _)| is_mti([first >> 4, first & 15, second >> 4, second & 15].map(Some)));
    characters.is_some_and(|(_, rest)| is_bitmap_and_fields(rest))
        || packed.is_some_and(|(_, rest)| is_bitmap_and_fields(rest))
}

/// A digit in ASCII or EBCDIC.
const fn ascii_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' | 0xF0..=0xF9 => Some(byte & 15),
        _ => None,
    }
}

/// Version 1987, 1993 or 2003, a class that is defined, and a function and origin that are.
const fn is_mti(digits: [Option<u8>; 4]) -> bool {
    matches!(digits, [Some(0..=2), Some(1..=8), Some(0..=7), Some(0..=5)])
}

fn is_bitmap_and_fields(bytes: &[u8]) -> bool {
    let binary =
        bytes.split_first_chunk::<BITMAP_BYTES>().map(|(bitmap, rest)| (u64::from_be_bytes(*bitmap), rest));
    let hex = bytes.split_first_chunk::<16>().and_then(|(bitmap, rest)| Some((hex_bitmap(bitmap)?, rest)));
    let fits = |(bitmap, rest): (u64, &[u8])| {
        let fields = usize::try_from(bitmap.count_ones()).unwrap_or(usize::MAX);
        fields > 0 && fields <= rest.len()
    };
    hex.is_some_and(fits) || binary.is_some_and(fits)
}

/// A bitmap of hex characters in ASCII or EBCDIC.
fn hex_bitmap(characters: &[u8; 16]) -> Option<u64> {
    characters.iter().try_fold(0_u64, |bitmap, byte| {
        let nibble = match byte {
            b'0'..=b'9' | 0xF0..=0xF9 => byte & 15,
            b'A'..=b'F' | b'a'..=b'f' | 0xC1..=0xC6 | 0x81..=0x86 => (byte & 15).saturating_add(9),
            _ => return None,
        };
        Some(bitmap << 4 | u64::from(nibble))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_by_its_mti_and_bitmap_in_every_coding() {
        let binary = b"\x82\x20\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x001120090000000001301";
        let ebcdic =
            b"\xf8\xf2\xf2\xf0\xf0\xf0\xf0\xf0\xf0\xf0\xf0\xf0\xf0\xf0\xf0\xf0\xf1\xf1\xf2\xf0\xf0\xf9";
        let table: &[(&str, Vec<u8>, bool)] = &[
            ("ASCII, binary bitmap", [b"0800", &binary[..]].concat(), true),
            ("behind a length", [b"\x00\x270800", &binary[..]].concat(), true),
            ("ASCII, hex bitmap", b"0800022000000000000011200900000000".to_vec(), true),
            ("behind a header", b"ISO0250000550800022000000000000011200900000000".to_vec(), true),
            ("BCD", [b"\x08\x00", &binary[..]].concat(), true),
            ("BCD behind a TPDU", [b"\x60\x00\x01\x00\x02\x08\x00", &binary[..]].concat(), true),
            ("EBCDIC", [b"\xf0\xf8\xf0\xf0", &ebcdic[..]].concat(), true),
            ("no fields", b"\x08\x00\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(), false),
            (
                "more fields than bytes",
                b"\x02\x00\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0".to_vec(),
                false,
            ),
            ("text", b"an ordinary line of text, longer than a message".to_vec(), false),
            ("nothing", Vec::new(), false),
        ];
        for (name, bytes, want) in table {
            assert_eq!(looks_like_message(bytes), *want, "{name}");
        }
    }
}
