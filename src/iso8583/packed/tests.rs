//! Each way beside one that goes nibble by nibble.

#![allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

use super::*;

const ODDS: [Odd; 4] = [Odd::LEFT_ZERO, Odd::RIGHT_ZERO, Odd::LEFT_F, Odd::RIGHT_F];
const TRACK: &str = "0123456789___D__";
const DIGITS: &str = "0123456789______";
const UNFILLED: u8 = b'#';

/// Where the nibble of a digit stands, counted in nibbles.
fn place(digit: usize, count: usize, odd: Odd) -> usize {
    if count % 2 == 1 && !odd.right { digit + 1 } else { digit }
}

fn nibble(bytes: &[u8], at: usize) -> u8 {
    if at.is_multiple_of(2) { bytes[at / 2] >> 4 } else { bytes[at / 2] & 0xf }
}

fn slow_unpack(from: &[u8], count: usize, odd: Odd, alphabet: &str) -> Result<Vec<u8>, usize> {
    let mut bad: Vec<usize> = Vec::new();
    let mut text = Vec::new();
    for digit in 0..count {
        let at = place(digit, count, odd);
        let character = alphabet.as_bytes()[usize::from(nibble(from, at))];
        text.push(character);
        bad.extend((character == b'_').then_some(at / 2));
    }
    if count % 2 == 1 {
        let at = if odd.right { count } else { 0 };
        bad.extend((!matches!(nibble(from, at), 0 | 0xf)).then_some(at / 2));
    }
    bad.into_iter().min().map_or(Ok(text), Err)
}

fn slow_pack(from: &[u8], odd: Odd, alphabet: &str) -> Result<Vec<u8>, usize> {
    let mut packed = vec![odd.nibble * 0x11; from.len().div_ceil(2)];
    for (digit, character) in from.iter().enumerate() {
        let character = if *character == b'=' && alphabet == TRACK { b'D' } else { *character };
        let nibble = alphabet.bytes().position(|known| known == character && known != b'_').ok_or(digit)?;
        let nibble = u8::try_from(nibble).unwrap();
        let at = place(digit, from.len(), odd);
        let byte = &mut packed[at / 2];
        *byte = if at.is_multiple_of(2) { (*byte & 0xf) | (nibble << 4) } else { (*byte & 0xf0) | nibble };
    }
    Ok(packed)
}

fn fast_unpack(from: &[u8], count: usize, odd: Odd, alphabet: &str) -> Result<Vec<u8>, usize> {
    // Longer than it need be: what is beyond must be left alone.
    let mut to = vec![UNFILLED; count + 3];
    let unpack = if alphabet == TRACK { unpack_track } else { unpack };
    unpack(from, count, odd, &mut to)?;
    assert_eq!(to.split_off(count), [UNFILLED; 3]);
    Ok(to)
}

fn fast_pack(from: &[u8], odd: Odd, alphabet: &str) -> Result<Vec<u8>, usize> {
    let mut to = vec![UNFILLED; from.len().div_ceil(2)];
    let pack = if alphabet == TRACK { pack_track } else { pack };
    pack(from, odd, &mut to).map(|()| to)
}

/// For each alphabet and each length and side, `check` is given sound text.
fn every_way(check: impl Fn(Vec<u8>, Odd, &str)) {
    for (alphabet, text) in [(DIGITS, "93817205640"), (TRACK, "45D10392876")] {
        for len in 0..40 {
            for odd in [ODDS[len % 4], ODDS[(len + 1) % 4]] {
                check(text.bytes().cycle().take(len).collect(), odd, alphabet);
            }
        }
    }
}

#[test]
fn what_is_packed_unpacks_to_itself() {
    every_way(|text, odd, alphabet| {
        let packed = fast_pack(&text, odd, alphabet).unwrap();
        assert_eq!(Ok(&packed), slow_pack(&text, odd, alphabet).as_ref());
        assert_eq!(fast_unpack(&packed, text.len(), odd, alphabet), Ok(text));
    });
}

#[test]
fn any_byte_at_any_place_unpacks_as_nibble_by_nibble() {
    every_way(|text, odd, alphabet| {
        let sound = slow_pack(&text, odd, alphabet).unwrap();
        for at in 0..sound.len() {
            for byte in 0..=255 {
                let mut wire = sound.clone();
                wire[at] = byte;
                let want = slow_unpack(&wire, text.len(), odd, alphabet);
                let got = fast_unpack(&wire, text.len(), odd, alphabet);
                assert_eq!(got, want, "{byte:02x} at {at} of {} {odd:?}", sound.len());
            }
        }
    });
}

#[test]
fn any_character_at_any_place_packs_as_one_by_one() {
    every_way(|text, odd, alphabet| {
        for at in 0..text.len() {
            for character in 0..=255 {
                let mut text = text.clone();
                text[at] = character;
                let want = slow_pack(&text, odd, alphabet);
                assert_eq!(
                    fast_pack(&text, odd, alphabet),
                    want,
                    "{character:02x} at {at} of {}",
                    text.len()
                );
            }
        }
    });
}

#[test]
fn the_first_of_several_faults_is_named() {
    for odd in ODDS {
        for first in 0..19 {
            for second in first..19 {
                let mut text = *b"1234567890123456789";
                (text[first], text[second]) = (b'x', 0xff);
                assert_eq!(pack(&text, odd, &mut [0; 10]), Err(first));
                let mut wire = [0x11; 20];
                (wire[first], wire[second]) = (0xaa, 0xff);
                assert_eq!(unpack(&wire, 40, odd, &mut [0; 40]), Err(first));
                let mut text = *b"0123456789abcdefABCD";
                (text[first], text[second]) = (b'g', 0x80);
                assert_eq!(unhex(&text, &mut [0; 10]), Err(first));
            }
        }
    }
}

#[test]
fn filling_is_taken_whichever_of_the_two_the_peer_uses_and_nothing_else_is() {
    for (wire, odd, want) in [
        (b"\x01\x23", Odd::LEFT_F, Ok(())),
        (b"\xf1\x23", Odd::LEFT_ZERO, Ok(())),
        (b"\x11\x23", Odd::LEFT_ZERO, Err(0)),
        (b"\x12\x30", Odd::RIGHT_F, Ok(())),
        (b"\x12\x3f", Odd::RIGHT_ZERO, Ok(())),
        (b"\x12\x3d", Odd::RIGHT_F, Err(1)),
    ] {
        let mut read = *b"...";
        assert_eq!(unpack(wire, 3, odd, &mut read), want, "{wire:02x?}");
        assert!(want.is_err() || &read == b"123");
        assert_eq!(unpack_track(wire, 3, odd, &mut read), want, "{wire:02x?}");
    }
}

#[test]
fn a_track_is_packed_with_either_separator_and_read_with_one() {
    let mut wire = [0; 5];
    for text in [b"4000=2512", b"4000D2512"] {
        assert_eq!(pack_track(text, Odd::RIGHT_F, &mut wire), Ok(()));
        assert_eq!(&wire, b"\x40\x00\xd2\x51\x2f");
    }
    let mut read = [0; 9];
    assert_eq!(unpack_track(&wire, 9, Odd::RIGHT_F, &mut read), Ok(()));
    assert_eq!(&read, b"4000D2512");
}

#[test]
fn a_value_of_another_length_than_its_place_is_refused_where_it_ends() {
    let mut to = [0; 8];
    assert_eq!(unpack(b"\x12", 4, Odd::LEFT_ZERO, &mut to), Err(1));
    assert_eq!(unpack(b"\x12\x34\x56", 4, Odd::LEFT_ZERO, &mut to), Err(2));
    assert_eq!(unpack(b"\x12\x34", 4, Odd::LEFT_ZERO, &mut to[..3]), Err(2));
    assert_eq!(unpack(b"", usize::MAX, Odd::LEFT_ZERO, &mut to), Err(0));
    assert_eq!(pack(b"12345", Odd::LEFT_ZERO, &mut to[..2]), Err(4));
    assert_eq!(pack(b"12345", Odd::LEFT_ZERO, &mut to[..4]), Err(5));
    assert_eq!(unhex(b"123", &mut to[..1]), Err(2));
    assert_eq!(unhex(b"123", &mut to[..2]), Err(2));
    assert_eq!(unhex(b"x23", &mut to[..1]), Err(0));
    assert_eq!(unhex(b"1234", &mut to[..1]), Err(2));
    assert_eq!(unhex(b"12", &mut to[..2]), Err(2));
}

#[test]
fn hex_is_what_others_make_of_it() {
    let wire: Vec<u8> = (0..=255).collect();
    for start in 0..=255 {
        for len in 0..40.min(256 - start) {
            let from = &wire[start..start + len];
            let (mut text, mut back) = (vec![UNFILLED; len * 2], vec![0; len]);
            put_hex(from, &mut text);
            assert_eq!(text, hex::encode_upper(from).into_bytes());
            assert_eq!(unhex(&text, &mut back), Ok(()));
            assert_eq!(back, from);
            text.make_ascii_lowercase();
            back.fill(0);
            assert_eq!(unhex(&text, &mut back), Ok(()));
            assert_eq!(back, from);
        }
    }
}

#[test]
fn a_character_that_is_not_hex_is_found_at_every_place_of_every_length() {
    for len in (0..40).step_by(2) {
        let sound: Vec<u8> = b"0f9Ac3".iter().copied().cycle().take(len).collect();
        let mut to = vec![0; len / 2];
        for at in 0..len {
            for character in 0..=255_u8 {
                let mut text = sound.clone();
                text[at] = character;
                let want = if character.is_ascii_hexdigit() { Ok(()) } else { Err(at) };
                assert_eq!(unhex(&text, &mut to), want, "{character:02x} at {at} of {len}");
                assert!(want.is_err() || hex::encode(&to).into_bytes() == text.to_ascii_lowercase());
            }
        }
    }
}

#[test]
fn hex_is_written_only_as_far_as_both_sides_go() {
    let mut to = *b"......";
    put_hex(b"\xab\xcd", &mut to);
    assert_eq!(&to, b"ABCD..");
    put_hex(b"\x12\x34\x56\x78", &mut to[..5]);
    assert_eq!(&to, b"1234..");
}

#[test]
fn a_length_in_bcd_is_read_as_it_is_written() {
    for (width, most) in [(1, 99), (2, 9_999), (3, 999_999), (4, 99_999_999_usize)] {
        for number in (0..300).chain((0..=most).step_by(997)).chain([most]).filter(|number| *number <= most) {
            let mut wire = vec![0; width];
            put_bcd_number(&mut wire, number);
            assert_eq!(hex::encode(&wire), format!("{number:0width$}", width = width * 2));
            assert_eq!(bcd_number(&wire), Some(number));
        }
    }
}

#[test]
fn a_length_in_bcd_has_decimal_digits_and_up_to_four_bytes() {
    for byte in 0..=255 {
        let want = format!("{byte:02x}").parse::<usize>().ok();
        assert_eq!(bcd_number(&[byte]), want);
        assert_eq!(bcd_number(&[0x00, byte, 0x05]), want.map(|want| want * 100 + 5));
    }
    assert_eq!(bcd_number(&[]), None);
    assert_eq!(bcd_number(&[0; 5]), None);
}
