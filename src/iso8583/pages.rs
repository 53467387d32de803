//! EBCDIC: code pages 037, 500 and 1047, each a permutation of Latin-1, so that any byte goes there and back.
//!
//! The two line ends are as IBM's own tables have them, and Python and glibc after them: 15 is NEL (85), 25 is LF
//! (0A). Java and z/OS Unix take 15 for LF; no field that holds only printable characters notices.

use super::packed::{above, all};

/// A code page of EBCDIC.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Page {
    /// United States, Canada and others: most mainframes' own.
    Cp037,
    /// International.
    Cp500,
    /// Latin-1 for open systems: 037 with C's brackets where compilers want them.
    Cp1047,
}

/// What the bytes 00 to FF of code page 037 are in Latin-1.
const CP037: [u8; 256] = *b"\
    \x00\x01\x02\x03\x9c\t\x86\x7f\x97\x8d\x8e\x0b\x0c\r\x0e\x0f\
    \x10\x11\x12\x13\x9d\x85\x08\x87\x18\x19\x92\x8f\x1c\x1d\x1e\x1f\
    \x80\x81\x82\x83\x84\n\x17\x1b\x88\x89\x8a\x8b\x8c\x05\x06\x07\
    \x90\x91\x16\x93\x94\x95\x96\x04\x98\x99\x9a\x9b\x14\x15\x9e\x1a\
    \x20\xa0\xe2\xe4\xe0\xe1\xe3\xe5\xe7\xf1\xa2.<(+|\
    &\xe9\xea\xeb\xe8\xed\xee\xef\xec\xdf!$*);\xac\
    -/\xc2\xc4\xc0\xc1\xc3\xc5\xc7\xd1\xa6,%_>?\
    \xf8\xc9\xca\xcb\xc8\xcd\xce\xcf\xcc`:#@'=\"\
    \xd8abcdefghi\xab\xbb\xf0\xfd\xfe\xb1\
    \xb0jklmnopqr\xaa\xba\xe6\xb8\xc6\xa4\
    \xb5~stuvwxyz\xa1\xbf\xd0\xdd\xde\xae\
    ^\xa3\xa5\xb7\xa9\xa7\xb6\xbc\xbd\xbe[]\xaf\xa8\xb4\xd7\
    {ABCDEFGHI\xad\xf4\xf6\xf2\xf3\xf5\
    }JKLMNOPQR\xb9\xfb\xfc\xf9\xfa\xff\
    \\\xf7STUVWXYZ\xb2\xd4\xd6\xd2\xd3\xd5\
    0123456789\xb3\xdb\xdc\xd9\xda\x9f";

/// Where 500 is not 037.
const CP500: [u8; 256] = altered(&[
    (0x4a, b'['),
    (0x4f, b'!'),
    (0x5a, b']'),
    (0x5f, b'^'),
    (0xb0, 0xa2), // cent
    (0xba, 0xac), // not
    (0xbb, b'|'),
]);

/// Where 1047 is not 037.
const CP1047: [u8; 256] = altered(&[
    (0x5f, b'^'),
    (0xad, b'['),
    (0xb0, 0xac), // not
    (0xba, 0xdd), // Y with an acute
    (0xbb, 0xa8), // diaeresis
    (0xbd, b']'),
]);

/// Code page 037 with other characters in some places.
const fn altered(mut changes: &[(u8, u8)]) -> [u8; 256] {
    let mut page = CP037;
    while let [(at, character), left @ ..] = changes {
        let (mut places, mut here): (&mut [u8], u8) = (&mut page, 0);
        while let [place, rest @ ..] = places {
            if here == *at {
                *place = *character;
            }
            (places, here) = (rest, here.wrapping_add(1));
        }
        changes = left;
    }
    page
}

/// The way back.
const fn inverse(page: &[u8; 256]) -> [u8; 256] {
    let mut back = [0_u8; 256];
    let (mut places, mut character): (&mut [u8], u8) = (&mut back, 0);
    while let [place, rest @ ..] = places {
        *place = position(page, character);
        (places, character) = (rest, character.wrapping_add(1));
    }
    back
}

const fn position(mut page: &[u8], character: u8) -> u8 {
    let mut here = 0_u8;
    while let [found, rest @ ..] = page {
        if *found == character {
            break;
        }
        (page, here) = (rest, here.wrapping_add(1));
    }
    here
}

static TO_LATIN1: [[u8; 256]; 3] = [CP037, CP500, CP1047];
static FROM_LATIN1: [[u8; 256]; 3] = [inverse(&CP037), inverse(&CP500), inverse(&CP1047)];

impl Page {
    /// Latin-1, of which ASCII is the lower half, for the bytes of this page. What one of the two has beyond the
    /// other's length is left alone.
    #[inline]
    pub(super) fn to_latin1(self, from: &[u8], to: &mut [u8]) {
        translate(self.of(&TO_LATIN1), from, to);
    }

    /// The bytes of this page for Latin-1. What one of the two has beyond the other's length is left alone.
    #[inline]
    #[expect(clippy::wrong_self_convention, reason = "the page translates; it is not what is made")]
    pub(super) fn from_latin1(self, from: &[u8], to: &mut [u8]) {
        translate(self.of(&FROM_LATIN1), from, to);
    }

    const fn of(self, [cp037, cp500, cp1047]: &'static [[u8; 256]; 3]) -> &'static [u8; 256] {
        match self {
            Self::Cp037 => cp037,
            Self::Cp500 => cp500,
            Self::Cp1047 => cp1047,
        }
    }
}

fn translate(table: &[u8; 256], from: &[u8], to: &mut [u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        // The table has all 256 places: this looks up, and never misses.
        *to = table.get(usize::from(*from)).copied().unwrap_or(*from);
    }
}

/// EBCDIC digits as ASCII. They stand at F0 to F9 in every page. `false` if any byte is something else, or if the two
/// are not of one length; then `to` holds nothing of use.
#[inline]
pub(super) fn digits(from: &[u8], to: &mut [u8]) -> bool {
    from.len() == to.len() && by_words(from, to, |word| (word ^ all(0xc0), above(word ^ all(0xf0), 9))) == 0
}

/// ASCII digits as EBCDIC. That they are digits has been checked; the two are of one length.
#[inline]
pub(super) fn put_digits(from: &[u8], to: &mut [u8]) {
    by_words(from, to, |word| (word ^ all(0xc0), 0));
}

/// Recodes eight bytes at a time, and gathers the marks that `code` sets on bad ones. Words may overlap: recoding a byte
/// twice costs less than telling the ends apart.
#[inline]
fn by_words(from: &[u8], to: &mut [u8], code: impl Fn(u64) -> (u64, u64)) -> u64 {
    let mut bad = 0;
    let mut one = |from: [u8; 8]| {
        let (word, wrong) = code(u64::from_le_bytes(from));
        bad |= wrong;
        word.to_le_bytes()
    };
    if let (Some(last), Some(end)) = (from.last_chunk(), to.last_chunk_mut()) {
        *end = one(*last);
        for (from, to) in from.as_chunks().0.iter().zip(to.as_chunks_mut().0) {
            *to = one(*from);
        }
    } else if let (Some([a, b, c, d]), Some([e, f, g, h])) = (from.first_chunk(), from.last_chunk()) {
        let [a, b, c, d, ends @ ..] = one([*a, *b, *c, *d, *e, *f, *g, *h]);
        if let Some(start) = to.first_chunk_mut() {
            *start = [a, b, c, d];
        }
        if let Some(end) = to.last_chunk_mut() {
            *end = ends;
        }
    } else {
        for (from, to) in from.iter().zip(to) {
            [*to, ..] = one([*from; 8]);
        }
    }
    bad
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

    use super::*;

    const PAGES: [(&str, Page); 3] = [("037", Page::Cp037), ("500", Page::Cp500), ("1047", Page::Cp1047)];

    fn bytes() -> [u8; 256] {
        std::array::from_fn(|byte| u8::try_from(byte).unwrap())
    }

    #[test]
    fn the_pages_are_those_that_others_have() {
        let lines: Vec<_> = include_str!("../../fixtures/codec/code-pages.txt")
            .lines()
            .filter(|line| !line.starts_with('#'))
            .collect();
        assert_eq!(lines.len(), PAGES.len());
        for (line, (name, page)) in lines.into_iter().zip(PAGES) {
            let (number, theirs) = line.split_once(' ').unwrap();
            let mut ours = [0; 256];
            page.to_latin1(&bytes(), &mut ours);
            assert_eq!((number, theirs), (name, hex::encode(ours).as_str()));
        }
    }

    #[test]
    fn every_byte_comes_back_whichever_way_it_went_first() {
        for (name, page) in PAGES {
            let (mut there, mut back) = ([0; 256], [0; 256]);
            page.to_latin1(&bytes(), &mut there);
            page.from_latin1(&there, &mut back);
            assert_eq!(back, bytes(), "{name}");
            page.from_latin1(&bytes(), &mut there);
            page.to_latin1(&there, &mut back);
            assert_eq!(back, bytes(), "{name}");
            there.sort_unstable();
            assert_eq!(there, bytes(), "{name} is no permutation");
        }
    }

    #[test]
    fn only_as_much_is_translated_as_both_sides_have() {
        let mut short = [0; 2];
        Page::Cp037.to_latin1(b"\xc1\xc2\xc3", &mut short);
        assert_eq!(&short, b"AB");
        let mut long = *b"xxx";
        Page::Cp037.from_latin1(b"A", &mut long);
        assert_eq!(&long, b"\xc1xx");
    }

    #[test]
    fn a_byte_that_is_no_digit_is_seen_at_every_place_of_every_length() {
        for len in 0..40 {
            let number: Vec<u8> = b"7203416958".iter().copied().cycle().take(len).collect();
            let (mut wire, mut read) = (vec![0; len], vec![0; len]);
            put_digits(&number, &mut wire);
            assert!(wire.iter().zip(&number).all(|(wire, digit)| *wire == digit - b'0' + 0xf0));
            assert!(digits(&wire, &mut read));
            assert_eq!(read, number);
            assert!(!digits(&wire, &mut vec![0; len + 1]));
            for at in 0..len {
                for byte in 0..=255 {
                    let mut bad = wire.clone();
                    bad[at] = byte;
                    let whole = (0xf0..=0xf9).contains(&byte);
                    assert_eq!(digits(&bad, &mut read), whole, "{byte:02x} at {at} of {len}");
                }
            }
        }
    }

    #[test]
    fn digits_are_at_the_same_place_in_every_page() {
        for (name, page) in PAGES {
            let mut wire = [0; 10];
            page.from_latin1(b"0123456789", &mut wire);
            let mut read = [0; 10];
            assert!(digits(&wire, &mut read), "{name}");
            assert_eq!(&read, b"0123456789");
        }
    }
}
