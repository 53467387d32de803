use super::*;

/// Most bytes of a message here.
const MAX: usize = 300;

fn framing(text: &str) -> Framing {
    Framing::parse(text).unwrap()
}

/// A message of so many bytes, without one that could end a frame.
fn message(len: usize) -> Vec<u8> {
    b"0200".iter().copied().cycle().take(len).collect()
}

/// What stands before and after a message of 4 and of 258 bytes.
type Wire = (&'static str, [&'static [u8]; 2], &'static [u8]);

const WIRES: &[Wire] = &[
    ("binary 2", [&[0, 4], &[1, 2]], b""),
    ("binary 2 inclusive", [&[0, 6], &[1, 4]], b""),
    ("binary 2 little", [&[4, 0], &[2, 1]], b""),
    ("binary 2 little inclusive", [&[6, 0], &[4, 1]], b""),
    ("binary 4", [&[0, 0, 0, 4], &[0, 0, 1, 2]], b""),
    ("binary 4 inclusive", [&[0, 0, 0, 8], &[0, 0, 1, 6]], b""),
    ("binary 4 little", [&[4, 0, 0, 0], &[2, 1, 0, 0]], b""),
    ("binary 4 little inclusive", [&[8, 0, 0, 0], &[6, 1, 0, 0]], b""),
    ("ascii 4", [b"0004", b"0258"], b""),
    ("ascii 4 inclusive", [b"0008", b"0262"], b""),
    ("bcd 2", [&[0x00, 0x04], &[0x02, 0x58]], b""),
    ("bcd 2 inclusive", [&[0x00, 0x06], &[0x02, 0x60]], b""),
    ("stx etx", [&[2], &[2]], &[3]),
    ("end FF", [b"", b""], &[0xff]),
    ("end 0A", [b"", b""], b"\n"),
];

#[test]
fn a_message_stands_on_the_wire_as_the_notation_says_and_is_found_there() {
    for (text, heads, tail) in WIRES {
        let framing = framing(text);
        for (head, message) in heads.iter().zip([message(4), message(258)]) {
            let wire = [head, &message[..], tail].concat();
            let mut out = BytesMut::from(&b"before"[..]);
            framing.put(&message, &mut out).unwrap();
            assert_eq!(out[6..], wire, "{text}");
            let (start, end) = (head.len(), head.len() + message.len());
            let frame = Frame { start, end, consumed: wire.len() };
            for more in [&b""[..], b"\x00", b"0800", &[0xff; 9]] {
                let bytes = [&wire[..], more].concat();
                assert_eq!(framing.next(&bytes, MAX), Ok(Some(frame)), "{text}");
            }
        }
    }
}

#[test]
fn a_frame_that_comes_byte_by_byte_is_found_with_its_last_and_no_byte_is_scanned_twice() {
    for (text, heads, tail) in WIRES {
        let wire = [heads[1], &message(258)[..], tail].concat();
        let mut scanned = 0;
        for have in 0..wire.len() {
            assert_eq!(framing(text).resume(&wire[..have], &mut scanned, MAX), Ok(None), "{text}: {have}");
            assert!(tail.is_empty() || scanned == have, "{text}: {scanned} of {have}");
        }
        let frame = framing(text).resume(&wire, &mut scanned, MAX).unwrap().unwrap();
        assert_eq!((frame.consumed, scanned), (wire.len(), 0), "{text}");
    }
}

#[test]
fn what_is_no_frame_is_refused_as_soon_as_that_is_sure() {
    let too_long = FramingFault::TooLong { max: MAX };
    let less = |length, header| FramingFault::LessThanItself { length, header };
    let table: &[(&str, &[u8], FramingFault)] = &[
        ("binary 2", &[0, 0], FramingFault::Empty),
        ("binary 2", &[0x01, 0x2d], too_long),
        ("binary 2", &[0xff, 0xff], too_long),
        ("binary 2 little", &[0, 0], FramingFault::Empty),
        ("binary 2 little", &[0x2d, 0x01], too_long),
        ("binary 2 inclusive", &[0, 0], less(0, 2)),
        ("binary 2 inclusive", &[0, 1], less(1, 2)),
        ("binary 2 inclusive", &[0, 2], FramingFault::Empty),
        ("binary 2 inclusive", &[0x01, 0x2f], too_long),
        ("binary 4", &[0, 0, 0, 0], FramingFault::Empty),
        ("binary 4", &[0, 0, 0x01, 0x2d], too_long),
        ("binary 4", &[0xff, 0xff, 0xff, 0xff], too_long),
        ("binary 4 little", &[0, 0, 0, 0x80], too_long),
        ("binary 4 inclusive", &[0, 0, 0, 3], less(3, 4)),
        ("binary 4 little inclusive", &[4, 0, 0, 0], FramingFault::Empty),
        ("ascii 4", b"0000", FramingFault::Empty),
        ("ascii 4", b"0301", too_long),
        ("ascii 4", b"9999", too_long),
        ("ascii 4", b"00 4", FramingFault::NotDigits),
        ("ascii 4", b"+004", FramingFault::NotDigits),
        ("ascii 4", b"\x16\x03\x01\x00", FramingFault::NotDigits),
        ("ascii 4 inclusive", b"0003", less(3, 4)),
        ("ascii 4 inclusive", b"0004", FramingFault::Empty),
        ("bcd 2", &[0, 0], FramingFault::Empty),
        ("bcd 2", &[0x03, 0x01], too_long),
        ("bcd 2", &[0x00, 0x0a], FramingFault::NotDigits),
        ("bcd 2", &[0xa0, 0x00], FramingFault::NotDigits),
        ("bcd 2 inclusive", &[0x00, 0x01], less(1, 2)),
        ("stx etx", b"0", FramingFault::NoStart),
        ("stx etx", &[3], FramingFault::NoStart),
        ("stx etx", &[2, 3], FramingFault::Empty),
        ("end FF", &[0xff], FramingFault::Empty),
    ];
    for (text, bytes, fault) in table {
        for more in [&b""[..], &[0x30; 400]] {
            let bytes = [bytes, more].concat();
            assert_eq!(framing(text).next(&bytes, MAX), Err(*fault), "{text}: {bytes:x?}");
        }
        for have in 0..bytes.len() {
            assert_eq!(framing(text).next(&bytes[..have], MAX), Ok(None), "{text}: {have} of {bytes:x?}");
        }
    }
}

#[test]
fn a_frame_whose_end_does_not_come_is_refused_with_the_first_byte_beyond_the_maximum() {
    for (text, head) in [("stx etx", &[2_u8][..]), ("end FF", b"")] {
        let framing = framing(text);
        let too_long = Err(FramingFault::TooLong { max: MAX });
        let longest = [head, &message(MAX)].concat();
        assert_eq!(framing.next(&longest, MAX), Ok(None), "{text}");
        let endless = [&longest[..], b"0"].concat();
        assert_eq!(framing.next(&endless, MAX), too_long, "{text}");
        let mut scanned = 0;
        assert_eq!(framing.resume(&longest, &mut scanned, MAX), Ok(None), "{text}");
        assert_eq!(framing.resume(&endless, &mut scanned, MAX), too_long, "{text}");
        // However late the end comes, it does not make a frame of them any more.
        assert_eq!(framing.next(&[&endless[..], &[3, 0xff]].concat(), MAX), too_long, "{text}");
    }
}

#[test]
fn what_a_framing_cannot_carry_is_refused_and_leaves_nothing_behind() {
    let empty = FramingFault::Empty;
    let inside = |byte, at| FramingFault::EndInside { byte, at };
    let mut table: Vec<(&str, Vec<u8>, FramingFault)> = vec![
        ("stx etx", b"0800\x02\x03".to_vec(), inside(3, 5)),
        ("end FF", b"0800\xfe\xff".to_vec(), inside(0xff, 5)),
        ("none", vec![], empty),
    ];
    table.extend(WIRES.iter().map(|(text, ..)| (*text, vec![], empty)));
    for (text, max) in [
        ("binary 2", 65_535),
        ("binary 2 inclusive", 65_533),
        ("binary 2 little inclusive", 65_533),
        ("ascii 4", 9999),
        ("ascii 4 inclusive", 9995),
        ("bcd 2", 9999),
        ("bcd 2 inclusive", 9997),
    ] {
        assert_eq!(framing(text).carries(&message(max)), Ok(()), "{text}");
        table.push((text, message(max + 1), FramingFault::TooLong { max }));
    }
    for (text, message, fault) in table {
        let mut out = BytesMut::from(&b"before"[..]);
        assert_eq!(framing(text).put(&message, &mut out), Err(fault), "{text}");
        assert_eq!(out, b"before"[..], "{text}");
    }
    assert_eq!(framing("stx etx").carries(b"08\x02"), Ok(()), "only the end ends a frame");
}

#[test]
fn none_takes_all_there_is_and_is_not_for_a_connection() {
    let none = framing("none");
    assert_eq!(none, Framing::NONE);
    assert_eq!(none.next(b"0800", 4), Ok(Some(Frame { start: 0, end: 4, consumed: 4 })));
    assert_eq!(none.next(b"0800", 3), Err(FramingFault::TooLong { max: 3 }));
    assert_eq!(none.next(b"", 3), Ok(None));
    assert_eq!(none.resume(b"0800", &mut 0, 4), Err(FramingFault::Unframed));
    let mut out = BytesMut::new();
    none.put(b"0800", &mut out).unwrap();
    assert_eq!(out, b"0800"[..]);
}

#[test]
fn a_frame_without_a_message_is_passed_to_who_can_do_with_it() {
    for (text, bytes) in
        [("binary 2", &[0, 0, 9][..]), ("ascii 4 inclusive", b"00049"), ("stx etx", b"\x02\x039")]
    {
        let frame = framing(text).next_even_empty(bytes, MAX).unwrap().unwrap();
        assert_eq!((frame.start, frame.consumed), (frame.end, bytes.len() - 1), "{text}");
    }
}

#[test]
fn the_notation_reads_back_as_it_prints() {
    for framing in Framing::COMMON.into_iter().chain([Framing::NONE, Framing(Kind::End(0x0d))]) {
        assert_eq!(Framing::parse(&framing.to_string()), Ok(framing));
    }
    for (text, _, _) in WIRES {
        assert_eq!(framing(text).to_string(), *text);
    }
    assert_eq!(Framing::default(), framing("binary 2"));
    let either_way = [("binary 2 inclusive little", "binary 2 little inclusive"), (" end  ff ", "end FF")];
    for (text, same) in either_way {
        assert_eq!(framing(text), framing(same));
    }
}

#[test]
fn what_is_no_framing_is_told_with_what_there_is() {
    for text in [
        "",
        "binary",
        "binary 3",
        "binary 2 big",
        "binary 2 little little",
        "binary 2 inclusive inclusive",
        "ascii 2",
        "ascii 4 little",
        "bcd 2 little",
        "bcd 4",
        "stx",
        "stx etx inclusive",
        "end",
        "end F",
        "end +F",
        "end 0FF",
        "end FF inclusive",
        "none inclusive",
        "Binary 2",
    ] {
        let error = Framing::parse(text).unwrap_err().to_string();
        assert!(error.starts_with(&format!("`{text}` is no framing: there are `binary 2`")), "{error}");
    }
}
