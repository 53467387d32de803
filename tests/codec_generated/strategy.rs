//! Cases of every kind that the notation knows.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::plan::{
    ASKED, Bitmap, Case, Content, Field, Forms, Header, Object, Set, SetContent, Third, Tlv, Variable, When,
};

/// Card numbers with a sound check digit and no zero between their first six and last four digits.
pub(crate) const PANS: [&str; 4] =
    ["4242424242424242", "5555555555554444", "371449635398431", "6011333344445556666"];

const MTIS: [&str; 8] = ["0200", "0210", "0420", "0800", "0810", "1100", "2804", "0100"];
const PATTERNS: [&str; 6] = ["08xx", "0200", "xxx0", "1xxx", "0x10", "2804"];
const WORDS: [&str; 8] = ["ascii", "latin1", "cp037", "cp500", "cp1047", "bcd", "raw", "hex"];
const LENGTHS: [&str; 4] = ["ascii", "bcd", "binary", "ebcdic"];
const ODD: [&str; 4] = ["left 0", "right 0", "left F", "right F"];
const DIGITS: [&str; 5] = ["ascii", "bcd", "cp037", "cp500", "cp1047"];
const TEXT: [&str; 5] = ["ascii", "latin1", "cp037", "cp500", "cp1047"];

/// A dialect and a message of it.
pub(crate) fn case() -> impl Strategy<Value = Case> {
    let number = prop_oneof![3 => 2..=64_u8, 2 => 65..=128_u8, 1 => 129..=192_u8];
    let fields = btree_map(number.clone(), (prop::bool::weighted(0.7), field(3)), 1..8);
    let whens = vec((when(number.clone()), option::of(asked())), 0..3).prop_map(|whens| {
        let with = |(mut when, asked): (When, Option<Field>)| {
            when.fields.remove(&ASKED);
            if let Some(asked) = asked.filter(|_| when.asks.is_none()) {
                when.fields.insert(ASKED, (true, asked));
            }
            when
        };
        whens.into_iter().map(with).collect()
    });
    let start = (
        select(vec!["ascii", "bcd", "ebcdic"]),
        select(vec!["binary", "hex", "ebcdic hex"]),
        select(vec!["announced", "announced", "always", "unannounced", "none"]),
        prop_oneof![Just(Third::None), Just(Third::Leading), number.prop_filter_map("a carrier", carrier)],
        option::of(select(vec!["binary 2", "ascii 4 inclusive", "none"])),
        vec(header(), 0..3),
        select(MTIS.to_vec()),
    );
    let card = option::of((pan_field(), option::of(track_field()), any::<bool>()));
    (start, forms(), fields, whens, option::of(asked()), card, option::of(any::<u64>())).prop_map(
        |(start, forms, mut fields, whens, asked, card, rules)| {
            let (mti_form, bitmap, secondary, third, framing, headers, mti) = start;
            fields.remove(&ASKED);
            fields.extend(asked.map(|field| (ASKED, (true, field))));
            if let Some((pan, track, said)) = card {
                fields.insert(2, (said, pan));
                fields.extend(track.map(|field| (35, (true, field))));
            }
            let case = Case {
                forms,
                mti_form,
                bitmap,
                secondary,
                third,
                framing,
                headers,
                fields,
                whens,
                rules,
                mti,
            };
            case.settled()
        },
    )
}

fn carrier(number: u8) -> Option<Third> {
    (number <= 128).then_some(Third::Carried(number))
}

fn forms() -> impl Strategy<Value = Forms> {
    (
        option::of(select(DIGITS.to_vec())),
        option::of(select(TEXT.to_vec())),
        option::of(select(DIGITS.to_vec())),
        select(vec!["raw", "hex"]),
        option::of(select(LENGTHS.to_vec())),
        option::of(select(ODD.to_vec())),
        option::of(select(ODD.to_vec())),
    )
        .prop_map(|(digits, text, track, binary, lengths, odd, track_odd)| Forms {
            digits,
            text,
            track,
            binary,
            lengths,
            odd,
            track_odd,
        })
}

fn header() -> impl Strategy<Value = Header> {
    let tpdu = any::<([u8; 5], [u8; 5])>().prop_map(|(sent, has)| Header {
        kind: "tpdu",
        sent: sent.to_vec(),
        begins: 0,
        has: has.to_vec(),
    });
    let text =
        ("[A-Z0-9 ]{1,12}", any::<prop::sample::Index>(), "[A-Z0-9 ]{12}").prop_map(|(sent, at, has)| {
            let begins = at.index(sent.len() + 1);
            let has = [&sent[..begins], &has[begins..sent.len()]].concat();
            Header { kind: "text", sent: sent.into(), begins, has: has.into() }
        });
    let bytes = (vec(any::<u8>(), 1..12), any::<prop::sample::Index>()).prop_map(|(sent, at)| {
        let begins = at.index(sent.len() + 1);
        let has = sent.iter().enumerate().map(|(at, byte)| if at < begins { *byte } else { byte ^ 0x55 });
        Header { kind: "bytes", begins, has: has.collect(), sent }
    });
    let own = |rest: Vec<u8>| [vec![u8::try_from(rest.len() + 1).unwrap()], rest].concat();
    // What a peer sends is at most twice as long.
    let counted = (vec(any::<u8>(), 1..30), vec(any::<u8>(), 1..60)).prop_map(move |(sent, mut has)| {
        has.truncate(2 * sent.len() + 1);
        Header { kind: "counted", sent: own(sent), begins: 0, has: own(has) }
    });
    prop_oneof![tpdu, text, bytes, counted]
}

fn when(number: impl Strategy<Value = u8>) -> impl Strategy<Value = When> {
    let values = vec(select(vec!["380000", "390001", "38", "39", "0", "000000"]), 1..3);
    (
        vec(select(PATTERNS.to_vec()), 0..3),
        option::of((values, any::<bool>())),
        btree_map(number, (prop::bool::weighted(0.8), field(1)), 1..4),
    )
        .prop_map(|(mti, asks, fields)| When { mti, asks, fields })
}

/// A field that conditions ask for.
fn asked() -> impl Strategy<Value = Field> {
    let word = option::of(select(DIGITS.to_vec()));
    let value = select(vec!["380000", "390001", "000000"]);
    (word, value, option::of(variable()), option::of(Just("none"))).prop_map(
        |(word, value, variable, card)| Field { word, variable, card, ..Field::leaf("n", value.as_bytes()) },
    )
}

fn pan_field() -> impl Strategy<Value = Field> {
    (select(PANS.to_vec()), select(vec!["n", "an", "ans"]), option::of(select(DIGITS.to_vec())), variable())
        .prop_map(|(pan, class, word, variable)| Field {
            word,
            variable: Some(variable),
            card: Some("pan"),
            ..Field::leaf(class, pan.as_bytes())
        })
}

fn track_field() -> impl Strategy<Value = Field> {
    (select(PANS.to_vec()), select(vec!["D", "="]), "[0-9]{0,12}", option::of(select(DIGITS.to_vec())))
        .prop_map(|(pan, separator, rest, word)| Field {
            word,
            variable: Some(Variable::PLAIN),
            card: Some("never"),
            ..Field::leaf("z", format!("{pan}{separator}{rest}").as_bytes())
        })
}

fn variable() -> impl Strategy<Value = Variable> {
    (
        prop_oneof![4 => 0..12_u16, 1 => 90..110_u16, 1 => 240..300_u16, 1 => Just(1000)],
        1..=6_u8,
        option::of(select(LENGTHS.to_vec())),
        option::weighted(0.2, 1..=6_u8),
        option::weighted(0.4, select(vec!["digits", "bytes"])),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(slack, dots, form, bytes, counts, itself, filled)| Variable {
            slack,
            dots,
            form,
            bytes,
            counts,
            itself,
            filled,
        })
}

/// A field with up to so many levels of small fields inside.
pub(crate) fn field(depth: u32) -> BoxedStrategy<Field> {
    let flat = prop_oneof![8 => leaf(), 1 => widths(), 2 => tlv(), 1 => ber()].boxed();
    let inside = match depth {
        0 => flat,
        _ => {
            let parts = (vec(field(depth - 1), 1..4), 0..2_usize, select(vec!["b", "ans"]))
                .prop_map(|(parts, missing, class)| (class, Content::Parts(sorted_out(parts), missing)));
            let bitmap = (bitmap(depth - 1), select(vec!["b", "b", "ans"]))
                .prop_map(|(inside, class)| (class, Content::Bitmap(inside)));
            prop_oneof![10 => flat, 2 => parts, 3 => bitmap, 1 => datasets(depth - 1)].boxed()
        }
    };
    let said = (
        option::weighted(0.4, select(WORDS.to_vec())),
        option::weighted(0.2, select(ODD.to_vec())),
        option::weighted(0.6, variable()),
        option::weighted(0.1, select(vec!["pan", "never", "none"])),
    );
    (inside, said)
        .prop_map(|((class, holds), (word, odd, variable, card))| Field {
            class,
            word,
            odd,
            variable,
            card,
            holds,
        })
        .boxed()
}

/// Parts without those of no bytes at the end: nobody can tell whether they are there.
fn sorted_out(mut parts: Vec<Field>) -> Vec<Field> {
    parts.retain(|part| part.class != "absent");
    if parts.is_empty() {
        parts.push(Field::leaf("n", b"1"));
    }
    parts
}

fn leaf() -> impl Strategy<Value = (&'static str, Content)> {
    let len = prop_oneof![8 => 1..10_usize, 4 => 0..40_usize, 1 => 90..130_usize, 1 => 250..270_usize];
    let printable = || (b' '..=b'~').collect::<Vec<u8>>();
    let of = |class: &'static str, alphabet: Vec<u8>| {
        let len = len.clone();
        len.prop_flat_map(move |len| vec(select(alphabet.clone()), len))
            .prop_map(move |value| (class, Content::Leaf(at_least_one(class, value))))
            .boxed()
    };
    let but = |class: &'static str, not: fn(u8) -> bool| {
        of(class, printable().into_iter().chain(0xa0..=0xff).filter(|byte| !not(*byte)).collect())
    };
    let digits = || (b'0'..=b'9').collect::<Vec<u8>>();
    let signed = ("[CD]", "[0-9]{1,12}")
        .prop_map(|(sign, digits)| ("x+n", Content::Leaf(format!("{sign}{digits}").into_bytes())));
    let ns = printable().into_iter().filter(|byte| !byte.is_ascii_alphabetic()).collect();
    prop_oneof![
        6 => of("n", digits()),
        3 => but("an", |byte| byte < 0x80 && !byte.is_ascii_alphanumeric() && byte != b' '),
        1 => but("a", |byte| byte < 0x80 && !byte.is_ascii_alphabetic() && byte != b' '),
        1 => but("as", |byte| byte.is_ascii_digit()),
        1 => of("ns", ns),
        4 => but("ans", |_| false),
        2 => of("z", (b'0'..=b'?').chain([b'D']).collect()),
        3 => of("b", (0..=255).collect()),
        1 => of("char", (0..=255).collect()),
        2 => signed,
        1 => Just(("absent", Content::Leaf(Vec::new()))),
        1 => hidden(),
    ]
}

/// A fixed length has at least one character.
fn at_least_one(class: &str, mut value: Vec<u8>) -> Vec<u8> {
    if value.is_empty() && matches!(class, "n" | "z") {
        value.push(b'7');
    }
    value
}

/// A card number where nobody looks for one.
fn hidden() -> impl Strategy<Value = (&'static str, Content)> {
    let packed = |pan: &str, odd: bool| {
        let digits = if odd { format!("7{pan}") } else { pan.to_owned() };
        let digits = if digits.len() % 2 == 1 { format!("{digits}7") } else { digits };
        hex::decode(digits).unwrap()
    };
    let ebcdic = |pan: &str| pan.bytes().map(|digit| digit | 0xf0).collect::<Vec<u8>>();
    (select(PANS.to_vec()), "[a-z ]{0,5}", 0..7_u8, any::<bool>()).prop_map(move |(pan, around, how, odd)| {
        let text = format!("{around}{pan}{around}").into_bytes();
        match how {
            0 => ("n", Content::Leaf(pan.as_bytes().to_vec())),
            1 => ("b", Content::Leaf(packed(pan, odd))),
            2 => ("b", Content::Leaf([text.clone(), ebcdic(pan)].concat())),
            3 => ("ans", Content::Widths(vec![(true, text[..8].to_vec()), (true, text[8..].to_vec())])),
            _ => ("ans", Content::Leaf(text)),
        }
    })
}

fn widths() -> impl Strategy<Value = (&'static str, Content)> {
    let part = |alphabet: &'static str, blank: u8| {
        let named =
            proptest::string::string_regex(alphabet).unwrap().prop_map(|text| (true, text.into_bytes()));
        let blanks = (1..8_usize, prop::bool::weighted(0.1))
            .prop_map(move |(len, dirty)| (false, vec![if dirty { b'1' } else { blank }; len]));
        prop_oneof![3 => named, 1 => blanks]
    };
    let text = vec(part("[ -~]{1,9}", b' '), 1..5).prop_map(|parts| ("ans", Content::Widths(parts)));
    let digits = vec(part("[0-9]{1,9}", b'0'), 1..5).prop_map(|parts| ("n", Content::Widths(parts)));
    prop_oneof![text, digits]
}

fn tlv() -> impl Strategy<Value = (&'static str, Content)> {
    let text: Vec<u8> = (b' '..=b'~').chain(0xa0..=0xff).collect();
    let counts = option::weighted(0.4, select(vec!["value", "tag", "length", "all"]));
    let elements =
        vec((vec(any::<prop::sample::Index>(), 4), vec(any::<prop::sample::Index>(), 0..40)), 0..5);
    let shape = (1..=4_u8, 1..=4_u8, any::<bool>(), prop::bool::weighted(0.3), counts);
    (shape, elements, select(vec!["an", "ans"])).prop_map(
        move |((tag, length, binary, length_first, counts), drawn, class)| {
            let tlv = Tlv { tag, length, binary, length_first, counts };
            let alphabet: Vec<u8> = match (binary, class) {
                (true, _) => (0..=255).collect(),
                (false, "an") => text
                    .iter()
                    .copied()
                    .filter(|byte| byte.is_ascii_alphanumeric() || *byte >= 0xa0)
                    .collect(),
                (false, _) => text.clone(),
            };
            let base: usize = if binary { 256 } else { 10 };
            let most = base.pow(length.into()) - 1 - tlv.counted().min(base.pow(length.into()) - 1);
            let pick = |drawn: &[prop::sample::Index]| {
                drawn.iter().map(|index| alphabet[index.index(alphabet.len())]).collect::<Vec<u8>>()
            };
            let element = |(tag_of, value): (Vec<prop::sample::Index>, Vec<prop::sample::Index>)| {
                (pick(&tag_of[..tag.into()]), pick(&value[..value.len().min(most)]))
            };
            // An element that counts more than its length can tell cannot be.
            let fits = tlv.counted() < base.pow(length.into());
            let elements = drawn.into_iter().filter(|_| fits).map(element).collect();
            (if binary { "b" } else { class }, Content::Tlv(tlv, elements))
        },
    )
}

fn objects() -> impl Strategy<Value = Vec<Object>> {
    let tag = |constructed: bool| {
        let form = if constructed { 0x20 } else { 0 };
        let short = (0..4_u8, 1..0x1f_u8).prop_map(move |(class, number)| vec![class << 6 | form | number]);
        let long = (0..4_u8, vec(0x80..=0xff_u8, 0..=2), 0..0x80_u8)
            .prop_map(move |(class, more, last)| [vec![class << 6 | form | 0x1f], more, vec![last]].concat());
        prop_oneof![short, long]
    };
    let len = prop_oneof![6 => 0..20_usize, 1 => 120..140_usize, 1 => 250..260_usize];
    let value = len.prop_flat_map(|len| vec(any::<u8>(), len));
    let object = (tag(false), value).prop_map(|(tag, value)| Object { tag, value: Ok(value) });
    let object = object.prop_recursive(3, 12, 3, move |inner| {
        (tag(true), vec(inner, 0..3)).prop_map(|(tag, inner)| Object { tag, value: Err(inner) })
    });
    vec(object, 0..4)
}

fn ber() -> impl Strategy<Value = (&'static str, Content)> {
    (objects(), 0..8_u8).prop_map(|(objects, more)| ("b", Content::Ber(more, objects)))
}

fn bitmap(depth: u32) -> impl Strategy<Value = Bitmap> {
    let fields = btree_map(1..=128_u8, (prop::bool::weighted(0.7), field(depth)), 1..4);
    let header = prop_oneof![3 => Just(Vec::new()), 1 => vec(any::<u8>(), 1..5)];
    (any::<bool>(), 1..=16_u8, header, fields).prop_map(|(hex, bytes, header, fields)| Bitmap {
        hex,
        bytes,
        header,
        fields,
    })
}

fn datasets(depth: u32) -> impl Strategy<Value = (&'static str, Content)> {
    let holds = prop_oneof![
        objects().prop_map(SetContent::Ber),
        vec(any::<u8>(), 0..20).prop_map(SetContent::Bytes),
        bitmap(depth).prop_map(SetContent::Declared),
    ];
    let set = (any::<u8>(), holds).prop_map(|(id, holds)| Set { id, holds });
    (1..=4_u8, vec(set, 0..4)).prop_map(|(length, sets)| ("b", Content::Datasets(length, sets)))
}
