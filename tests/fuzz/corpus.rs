//! What the mutations begin with: published messages, messages made of every field that a dialect has, dialects as they
//! are shipped and as they are drawn.

use billswitch::iso8583::{Dialect, Framing, Mirror, Writer, decode, shipped, to_json};
use bytes::BytesMut;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::bodies::dialects;
use crate::{strategy, wire};

#[derive(serde::Deserialize)]
struct Vector {
    dialect: String,
    header_bytes: usize,
    hex: String,
}

fn published() -> Vec<(String, Vec<u8>)> {
    let lines = include_str!("../../fixtures/codec/vectors.jsonl").lines();
    let vectors = lines.map(|line| serde_json::from_str::<Vector>(line).unwrap());
    vectors
        .map(|vector| (vector.dialect, hex::decode(vector.hex).unwrap()[vector.header_bytes..].to_vec()))
        .collect()
}

/// Frames of one of the shipped dialects: those that are published, and some with whatever its fields take.
pub(crate) fn frames(index: usize) -> Vec<Vec<u8>> {
    let dialect = &dialects()[index];
    let own = published().into_iter().filter(|(name, _)| name == dialect.name()).map(|(_, frame)| frame);
    let made = ["0200", "0210", "0420", "0800", "1100", "1804"].into_iter();
    let made = made.enumerate().map(|(turn, mti)| full(dialect, mti, turn));
    own.chain(made).collect()
}

/// A message with every field that takes one of some values; every second or third only, by `turn`.
fn full(dialect: &Dialect, mti: &str, turn: usize) -> Vec<u8> {
    let mti = mti.parse().unwrap();
    let mut fields = Vec::new();
    for field in dialect.fields().filter(|field| usize::from(*field) % (turn % 3 + 1) == 0) {
        let max = usize::from(dialect.field_max(field).unwrap_or(1));
        let long = |text: &[u8]| text.iter().copied().cycle().take(max).collect::<Vec<u8>>();
        let candidates = [
            b"4539148803436467".to_vec(),
            b"4539148803436467=3005101901".to_vec(),
            b"\x9f\x26\x08\x01\x02\x03\x04\x05\x06\x07\x08\x70\x03\x95\x01\x07".to_vec(),
            b"AB003xyzCD0000123".to_vec(),
            b"AB003xyzCD000".to_vec(),
            b"0003xyz".to_vec(),
            [vec![b'C'], long(b"0")].concat()[..max.max(1)].to_vec(),
            long(b"9876543210")[..max.min(60)].to_vec(),
            long(b"9876543210"),
            long(b"ABC 12"),
            long(b"\x00"),
            vec![0; 8],
            vec![0; 16],
            Vec::new(),
        ];
        let fits = |value: &&Vec<u8>| {
            let mut out = BytesMut::new();
            let mut writer = Writer::new(dialect, mti, &mut out);
            fields.iter().all(|(field, value): &(u8, Vec<u8>)| writer.put(*field, value).is_ok())
                && writer.put(field, value).is_ok()
        };
        if let Some(value) = candidates.iter().find(fits) {
            fields.push((field, value.clone()));
        }
    }
    let mut out = BytesMut::new();
    let mut writer = Writer::new(dialect, mti, &mut out);
    fields.iter().for_each(|(field, value)| writer.put(*field, value).unwrap());
    // A rule may want what was left out: then there is nothing, and the published ones remain.
    let _ = writer.finish();
    out.to_vec()
}

/// The same messages as JSON.
pub(crate) fn messages(index: usize) -> Vec<Vec<u8>> {
    let dialect = &dialects()[index];
    let json = |frame: &Vec<u8>| {
        let mut mirror = Mirror::new();
        to_json(&decode(dialect, frame, &mut mirror), false).to_string().into_bytes()
    };
    frames(index).iter().map(json).collect()
}

/// Frames in every framing, several one behind the other.
pub(crate) fn streams() -> Vec<Vec<u8>> {
    let mut all = Framing::COMMON.to_vec();
    all.push(Framing::parse("end 0A").unwrap());
    let put = |framing: &Framing| {
        let mut out = BytesMut::new();
        for message in [&b"0800"[..], b"02001234567890", &[b'7'; 300]] {
            framing.put(message, &mut out).unwrap();
        }
        out.to_vec()
    };
    all.iter().map(put).collect()
}

/// Dialects as they are shipped, and some that are drawn.
pub(crate) fn texts() -> Vec<String> {
    let shipped = shipped::DIALECTS.iter().map(|(_, text)| (*text).to_owned());
    shipped.chain(dialects_with_frames().into_iter().map(|(text, _)| text)).collect()
}

/// Dialects that are drawn, each with a frame of it.
pub(crate) fn dialects_with_frames() -> Vec<(String, Vec<u8>)> {
    let mut runner = TestRunner::deterministic();
    let mut draw = || {
        let case = strategy::case().new_tree(&mut runner).unwrap().current();
        (case.toml(), wire::frame(&case).0)
    };
    (0..150).map(|_| draw()).collect()
}

/// What stands in dialects: the words of the notation, and some that are none.
pub(crate) fn words() -> Vec<String> {
    let notation = include_str!("../../specs/README.md");
    let split = |text: &str| {
        text.split([' ', '\n', '`', '"', ',', '(', ')'])
            .filter(|word| (1..20).contains(&word.len()))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let code: Vec<String> = notation.split('`').skip(1).step_by(2).flat_map(split).collect();
    let more = "0 1 2 65 128 129 192 193 255 256 999 9999 65535 65536 -1 n b ans x+n absent none true false \"\" [] {} = { } [ ] \
                n..19 ans......65535 b......65535 n.1 \"absent\" \"none\" \"bcd\" \"hex\" 1.5 2026-11-20 é \u{0}";
    code.into_iter().chain(split(more)).collect()
}

/// Headers with what stands behind them.
pub(crate) fn headed() -> Vec<Vec<u8>> {
    let frame = b"0800\x00\x20\x00\x00\x00\x00\x00\x00000001";
    let table: [(&str, &[u8]); 6] = [
        ("{ tpdu = \"6000010002\" }", b"\x60\x12\x34\x56\x78"),
        ("{ text = \"ISO025000055\", begins = \"ISO\" }", b"ISO016000010"),
        ("{ bytes = \"603100311003\" }", b"\x60\x31\x00\x31\x10\x03"),
        ("{ counted = \"16010200000000000000000000000000000000000000\" }", b"\x05\x01\x02\x03\x04"),
        ("{ counted = \"01\" }, { tpdu = \"6000010002\" }", b"\x02\xff\x60\x00\x01\x00\x02"),
        ("{ text = \"A\" }, { bytes = \"00\" }, { counted = \"0200\" }", b"Z\x07\x03ab"),
    ];
    table.iter().map(|(records, header)| [records.as_bytes(), b"\0", header, frame].concat()).collect()
}

/// Files that say as much as can be said in few bytes, to see what is made of it.
pub(crate) fn dense_texts() -> Vec<String> {
    let head = "name='x'\nmti='ascii'\nbitmap='hex'\nbinary='raw'\n[fields]\n";
    let many = |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<String>();
    let parts = many(2000, &|at| format!("{{name='p{at}',type='n 1'}},"));
    let widths = many(900, &|at| format!("{{name='p{at}',width=1}},"));
    let subfields = many(127, &|at| format!("{}={{name='x',type='n 2'}},", at + 2));
    let nested = format!("bitmap={{form='hex',bytes=16}},fields={{{subfields}}}");
    let nested = many(127, &|at| format!("{}={{name='x',type='b..9',{nested}}},", at + 2));
    let fields = many(60, &|at| format!("{}={{name='x',type='n 2',card_data='none'}}\n", at + 2));
    let whens = "[[when]]\nmti=['0200']\n[when.fields]\n4={name='y'}\n".repeat(64);
    let nest = format!("4={{name='x',type='b..99',bitmap={{form='hex',bytes=16}},fields={{{nested}}}}}\n");
    vec![
        format!("{head}4={{name='x',type='b..99',parts=[{parts}]}}"),
        format!("{head}4={{name='x',type='ans...999',parts=[{widths}]}}"),
        format!("{head}{nest}"),
        format!("{head}{fields}"),
        format!("{head}{fields}{whens}"),
        format!("{head}4={{name='x',type='n 2'}}\n[names]\n{}", many(3000, &|at| format!("{at}='x'\n"))),
        format!(
            "{head}4={{name='x',type='n 2'}}\n[codes]\n{}",
            many(3000, &|at| format!("{at}={{a='x'}}\n"))
        ),
        format!("{head}x={}", "[".repeat(50_000)),
        format!("{head}x{}=1", ".a".repeat(50_000)),
        format!("{head}x=[{}]", "0,".repeat(50_000)),
        format!("{head}4={{name='x',type='n 2',parts=[{}]}}", "{},".repeat(20_000)),
    ]
}
