//! BER-TLV as chip data has it: EMV Book 3, Annex B.

use std::fmt;

/// The most levels that [`well_formed`] goes down, whatever it is asked.
pub(super) const DEPTH_MAX: u8 = 16;

/// The longest tag, in bytes.
const TAG_MAX: usize = 4;

/// The longest value, in bytes: no frame is longer.
#[cfg(test)]
const VALUE_MAX: usize = 0xffff;

/// Tag and value of each object on one level, in order. Zero bytes before, between and behind objects mean nothing and
/// are passed over. Stops at the first that is malformed.
#[derive(Clone)]
pub(super) struct Objects<'a> {
    rest: &'a [u8],
}

impl<'a> Objects<'a> {
    pub(super) const fn new(value: &'a [u8]) -> Self {
        Self { rest: value }
    }

    /// Goes through the rest and says where it stops being objects: how many bytes are left there, 0 if none.
    #[inline]
    pub(super) fn left_malformed(mut self) -> usize {
        while self.next().is_some() {}
        self.rest.len()
    }

    #[inline]
    fn pass_filling(&mut self) {
        while let [0, rest @ ..] = self.rest {
            self.rest = rest;
        }
    }
}

impl<'a> Iterator for Objects<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.pass_filling();
        let (tag, rest) = self.rest.split_at_checked(tag_len(self.rest)?)?;
        let (value_len, rest) = length(rest)?;
        let (value, rest) = rest.split_at_checked(value_len)?;
        self.rest = rest;
        Some((tag, value))
    }
}

impl fmt::Debug for Objects<'_> {
    /// How much is left, and none of it: chip data is card data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects").field("bytes_left", &self.rest.len()).finish()
    }
}

/// How many bytes the tag takes that `bytes` starts with. `None` if it is cut off, too long, or filling.
#[inline]
fn tag_len(bytes: &[u8]) -> Option<usize> {
    let (first, rest) = bytes.split_first()?;
    match *first {
        0 => None,
        // Five ones: the number of the tag follows, in bytes of which all but the last have the highest bit.
        first if first & 0x1f == 0x1f => {
            let more = rest.iter().take(TAG_MAX).position(|byte| byte & 0x80 == 0)?;
            more.checked_add(2).filter(|len| *len <= TAG_MAX)
        }
        _ => Some(1),
    }
}

/// A length, and what follows it. `None` for one that is cut off, indefinite or beyond [`VALUE_MAX`].
#[inline]
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (len, rest) = match bytes {
        [len @ 0..=0x7f, rest @ ..] => (usize::from(*len), rest),
        [0x81, len, rest @ ..] => (usize::from(*len), rest),
        [0x82, high, low, rest @ ..] | [0x83, 0, high, low, rest @ ..] => {
            (usize::from(u16::from_be_bytes([*high, *low])), rest)
        }
        _ => return None,
    };
    Some((len, rest))
}

/// Whether the value of an object with this tag is objects again.
#[inline]
pub(super) const fn is_constructed(tag: &[u8]) -> bool {
    matches!(tag, [first, ..] if *first & 0x20 != 0)
}

/// Whether a value is objects: its tag says so, and they are whole. Under such tags some send bytes of their own (issuer
/// scripts, above all), and those are a value like any other.
#[inline]
pub(super) fn holds_objects(tag: &[u8], value: &[u8]) -> bool {
    is_constructed(tag) && Objects::new(value).left_malformed() == 0
}

/// Whether these bytes are one tag, and nothing beside it.
pub(super) fn tag_fits(tag: &[u8]) -> bool {
    tag_len(tag) == Some(tag.len())
}

/// Whether `value` is objects, on `depth` levels or fewer; at most [`DEPTH_MAX`] are looked at. The objects of `value`
/// itself are the first level.
///
/// # Errors
///
/// Where the object starts that is malformed, or that is constructed on the last level: bytes from the start of
/// `value`.
pub(super) fn well_formed(value: &[u8], depth: u8) -> Result<(), usize> {
    let deeper = depth.min(DEPTH_MAX).checked_sub(1);
    let mut objects = Objects::new(value);
    let here = |left: &[u8]| value.len().saturating_sub(left.len());
    loop {
        objects.pass_filling();
        let start = here(objects.rest);
        let Some((tag, inner)) = objects.next() else {
            return if objects.rest.is_empty() { Ok(()) } else { Err(start) };
        };
        let deeper = deeper.ok_or(start)?;
        if holds_objects(tag, inner) {
            if deeper == 0 {
                return Err(start);
            }
            let inner_start = here(objects.rest).saturating_sub(inner.len());
            well_formed(inner, deeper).map_err(|at| at.saturating_add(inner_start))?;
        }
    }
}

/// A length as it is written, in as few bytes as can be, and how many they are. Longer ones than [`VALUE_MAX`] fit no
/// frame: nothing reads them, we neither.
#[inline]
pub(super) fn put_length(len: usize) -> ([u8; 4], usize) {
    let [.., top, high, middle, low] = u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes();
    match (top, high, middle, low) {
        (0, 0, 0, 0..=0x7f) => ([low, 0, 0, 0], 1),
        (0, 0, 0, _) => ([0x81, low, 0, 0], 2),
        (0, 0, _, _) => ([0x82, middle, low, 0], 3),
        (0, _, _, _) => ([0x83, high, middle, low], 4),
        (_, _, _, _) => ([0x83, 0xff, 0xff, 0xff], 4),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// An object as it is meant.
    #[derive(Clone, Debug, PartialEq)]
    enum Object {
        Primitive(Vec<u8>, Vec<u8>),
        Constructed(Vec<u8>, Vec<Object>),
    }

    /// Written out: `form` chooses among longer lengths than need be, and filling.
    fn write(objects: &[Object], form: usize, out: &mut Vec<u8>) {
        for object in objects {
            let (tag, value) = match object {
                Object::Primitive(tag, value) => (tag, value.clone()),
                Object::Constructed(tag, inner) => {
                    let mut value = Vec::new();
                    write(inner, form, &mut value);
                    (tag, value)
                }
            };
            let len = u32::try_from(value.len()).unwrap().to_be_bytes();
            out.extend(vec![0; form / 4]);
            out.extend(tag);
            match form % 4 {
                1 if value.len() < 256 => out.extend([0x81, len[3]]),
                2 => out.extend([0x82, len[2], len[3]]),
                3 => out.extend([0x83, len[1], len[2], len[3]]),
                _ => {
                    let (bytes, count) = put_length(value.len());
                    out.extend(&bytes[..count]);
                }
            }
            out.extend(value);
        }
        out.extend(vec![0; form / 4]);
    }

    fn read(value: &[u8]) -> Vec<Object> {
        let objects = Objects::new(value);
        assert_eq!(objects.clone().left_malformed(), 0);
        let object = |(tag, value): (&[u8], &[u8])| {
            assert!(tag_fits(tag));
            if is_constructed(tag) {
                Object::Constructed(tag.to_vec(), read(value))
            } else {
                Object::Primitive(tag.to_vec(), value.to_vec())
            }
        };
        objects.map(object).collect()
    }

    fn levels(objects: &[Object]) -> u8 {
        let below = objects.iter().map(|object| match object {
            Object::Primitive(..) => 0,
            Object::Constructed(_, inner) => levels(inner).max(1),
        });
        below.max().map_or(0, |below| below + 1)
    }

    /// A tag of one to four bytes, primitive or constructed.
    fn tag(constructed: bool) -> impl Strategy<Value = Vec<u8>> {
        let form = if constructed { 0x20 } else { 0 };
        let short = (0..4_u8, 1..0x1f_u8).prop_map(move |(class, number)| vec![(class << 6) | form | number]);
        let long = (0..4_u8, vec(0x80..=0xff_u8, 0..=2), 0..0x80_u8).prop_map(move |(class, more, last)| {
            [vec![(class << 6) | form | 0x1f], more, vec![last]].concat()
        });
        prop_oneof![short, long]
    }

    fn tree() -> impl Strategy<Value = Vec<Object>> {
        let len = prop_oneof![0..20_usize, 120..140_usize, 250..260_usize];
        let value = len.prop_flat_map(|len| vec(any::<u8>(), len));
        let leaf = (tag(false), value).prop_map(|(tag, value)| Object::Primitive(tag, value));
        let object = leaf.prop_recursive(5, 24, 4, |inner| {
            (tag(true), vec(inner, 0..4)).prop_map(|(tag, inner)| Object::Constructed(tag, inner))
        });
        vec(object, 0..5)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_tree_is_read_back_however_its_lengths_are_written(objects in tree(), form in 0..12_usize) {
            let mut wire = Vec::new();
            write(&objects, form, &mut wire);
            prop_assert_eq!(&read(&wire), &objects);
            prop_assert_eq!(well_formed(&wire, DEPTH_MAX), Ok(()));
        }

        #[test]
        fn a_tree_is_well_formed_from_as_many_levels_as_it_has(objects in tree()) {
            // An empty constructed object needs a level below it too, though nothing stands there.
            let mut wire = Vec::new();
            write(&objects, 0, &mut wire);
            for depth in 0..=DEPTH_MAX {
                prop_assert_eq!(well_formed(&wire, depth).is_ok(), depth >= levels(&objects), "{}", depth);
            }
        }

        #[test]
        fn a_tree_that_is_cut_off_is_faulted_where_its_last_object_starts(objects in tree(), cut in any::<usize>()) {
            let mut wire = Vec::new();
            write(&objects, 0, &mut wire);
            if wire.is_empty() {
                return Ok(());
            }
            let cut = &wire[..cut % wire.len()];
            let left = Objects::new(cut).left_malformed();
            // Whole objects before it; and then the first byte of the cut one, as it is constructed or not.
            let start = cut.len() - left;
            prop_assert_eq!(read(&cut[..start]), &objects[..read(&cut[..start]).len()]);
            prop_assert_eq!(well_formed(cut, DEPTH_MAX), if left == 0 { Ok(()) } else { Err(start) });
        }

        #[test]
        fn any_bytes_are_read_to_an_end(bytes in vec(any::<u8>(), 0..200), depth in any::<u8>()) {
            let count = Objects::new(&bytes).count();
            prop_assert!(count <= bytes.len() / 2);
            let left = Objects::new(&bytes).left_malformed();
            match well_formed(&bytes, depth) {
                Ok(()) => prop_assert_eq!(left, 0),
                Err(at) => prop_assert!(at < bytes.len() && (left == 0 || at <= bytes.len() - left)),
            }
            let _ = tag_fits(&bytes);
        }
    }

    #[test]
    fn chip_data_of_a_payment_is_read() {
        let wire =
            hex::decode("9F260811223344556677889F2701809F3303E0F8C89F34031F03029F3501229F36020034").unwrap();
        let read: Vec<_> =
            Objects::new(&wire).map(|(tag, value)| [hex::encode(tag), hex::encode(value)]).collect();
        assert_eq!(read[0], ["9f26", "1122334455667788"]);
        assert_eq!(read[1], ["9f27", "80"]);
        assert_eq!(read[5], ["9f36", "0034"]);
        assert_eq!(read.len(), 6);
        assert_eq!(well_formed(&wire, 1), Ok(()));
    }

    #[test]
    fn zero_bytes_between_objects_mean_nothing_and_ff_is_no_filling() {
        let objects: Vec<_> = Objects::new(b"\0\0\x95\x01\0\0\x9a\x01\x07\0").collect();
        assert_eq!(objects, [(&b"\x95"[..], &b"\0"[..]), (b"\x9a", b"\x07")]);
        assert_eq!(Objects::new(b"\0\0").left_malformed(), 0);
        assert_eq!(Objects::new(b"\x95\x01\0\xff").left_malformed(), 1);
        assert_eq!(Objects::new(b"\xff\xff\xff\xff\x95\x01\0").next(), None);
    }

    #[test]
    fn a_malformed_object_is_named_by_where_it_starts() {
        for (why, wire, at) in [
            ("tag alone", &b"\x95"[..], 0),
            ("tag cut off", b"\x95\x01\0\x9f", 3),
            ("tag of five bytes", b"\x9f\x81\x81\x81\x01\x01\0", 0),
            ("value cut off", b"\0\x95\x02\x01", 1),
            ("indefinite length", b"\x95\x80\x01\0\0", 0),
            ("length cut off", b"\x95\x82\0", 0),
            ("longer than any frame", b"\x95\x83\x01\0\0", 0),
            ("four bytes of length", b"\x95\x84\0\0\0\x01\x01", 0),
            ("no length at all", b"\x95\xff\x01", 0),
        ] {
            assert_eq!(well_formed(wire, DEPTH_MAX), Err(at), "{why}");
        }
    }

    #[test]
    fn what_is_no_objects_under_a_constructed_tag_is_a_value_of_its_own() {
        for (wire, value) in [
            (&b"\x71\x03\xaa\xbb\xcc"[..], &b"\xaa\xbb\xcc"[..]),
            // Its length would fit the frame, but not the object that it stands in.
            (b"\x70\x03\x95\x02\x01", b"\x95\x02\x01"),
        ] {
            let (tag, inner) = Objects::new(wire).next().unwrap();
            assert_eq!(inner, value);
            assert!(is_constructed(tag) && !holds_objects(tag, inner));
        }
        assert_eq!(well_formed(b"\x71\x03\xaa\xbb\xcc", 1), Ok(()));
        assert!(holds_objects(b"\x70", b"\x95\x01\x01\0"));
        assert!(!holds_objects(b"\x95", b"\x95\x01\x01"));
    }

    #[test]
    fn what_nests_deeper_than_is_allowed_is_refused_where_it_does() {
        let nested = |levels: u8| {
            (1..levels).fold(vec![0x95, 0], |inner, _| {
                [&[0x70, u8::try_from(inner.len()).unwrap()], &inner[..]].concat()
            })
        };
        for levels in 1..=40 {
            let wire = nested(levels);
            for depth in 0..=40 {
                let allowed = depth.min(DEPTH_MAX);
                let want =
                    if levels <= allowed { Ok(()) } else { Err(usize::from(allowed.saturating_sub(1)) * 2) };
                assert_eq!(well_formed(&wire, depth), want, "{levels} levels, {depth} allowed");
            }
        }
        assert_eq!(well_formed(b"\0\0", 0), Ok(()));
    }

    #[test]
    fn a_tag_fits_if_it_is_one_and_nothing_else() {
        for tag in [&b"\x95"[..], b"\xff\x01", b"\x9f\x26", b"\xdf\x81\x01", b"\xdf\x81\x82\x03"] {
            assert!(tag_fits(tag), "{tag:02x?}");
            assert!(!tag_fits(&[tag, &[1]].concat()));
            assert!(!tag_fits(&tag[..tag.len() - 1]));
        }
        assert!(!tag_fits(b"\0"));
        assert!(!tag_fits(b"\x9f\x81\x82\x83\x04"));
    }

    #[test]
    fn a_length_is_written_as_short_as_can_be_and_read_back() {
        for (len, want) in [
            (0, &b"\0"[..]),
            (0x7f, b"\x7f"),
            (0x80, b"\x81\x80"),
            (0xff, b"\x81\xff"),
            (0x100, b"\x82\x01\0"),
            (VALUE_MAX, b"\x82\xff\xff"),
        ] {
            let (bytes, count) = put_length(len);
            assert_eq!(&bytes[..count], want);
            assert_eq!(length(&bytes[..count]), Some((len, &b""[..])));
        }
        for len in [VALUE_MAX + 1, 0xff_ffff, 0x100_0000, usize::MAX] {
            let (bytes, count) = put_length(len);
            assert_eq!(length(&bytes[..count]), None, "{len}");
        }
    }

    #[test]
    fn what_is_printed_of_objects_is_only_how_much_is_left() {
        assert_eq!(format!("{:?}", Objects::new(b"\x5a\x02\x41\x11")), "Objects { bytes_left: 4 }");
    }
}
