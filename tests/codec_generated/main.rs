//! What holds for every dialect that can be written and every message of it: dialects are drawn as files, messages with
//! them, and an encoder of the tests' own says what must be on the wire. A failure prints the shortest file and message
//! that show it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking, and adds up what is small"
)]

#[path = "../fuzz/ask.rs"]
mod ask;
mod expect;
mod masking;
mod plan;
mod settle;
mod strategy;
mod toml;
mod wire;

use std::collections::BTreeMap;

use billswitch::iso8583::{
    DecodeError, Dialect, EncodeError, EncodeReason, Message, Mirror, Mti, Node, Reason, Shown, Writer,
    decode, from_json, to_json, tree,
};
use bytes::BytesMut;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;

use plan::{Case, Third};

/// Cases of each property; `GENERATED_CASES` says another number, for a long search.
pub(crate) fn cases() -> u32 {
    std::env::var("GENERATED_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(300)
}

fn load(text: &str) -> Dialect {
    Dialect::parse("generated.toml", text, &|_| None).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A message with the fields that are given, its header first.
fn write(
    dialect: &Dialect,
    mti: &str,
    header: &[u8],
    fields: &BTreeMap<u8, Vec<u8>>,
) -> Result<BytesMut, EncodeError> {
    let mut out = BytesMut::new();
    let mti: Mti = mti.parse().unwrap();
    let mut writer = Writer::with_header(dialect, mti, header, &mut out)?;
    for (field, value) in fields {
        writer.put(*field, value)?;
    }
    writer.finish()?;
    Ok(out)
}

fn values(case: &Case) -> BTreeMap<u8, Vec<u8>> {
    case.message().into_iter().map(|(number, field)| (number, wire::logical(field, &case.forms))).collect()
}

/// The values of a message, without the one that carries a bitmap.
fn read(message: &Message<'_, '_>, case: &Case) -> BTreeMap<u8, Vec<u8>> {
    let carrier = |number: u8| matches!(case.third, Third::Carried(carrier) if carrier == number);
    message
        .fields()
        .filter(|(number, _)| !carrier(*number))
        .map(|(number, value)| (number, value.to_vec()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_what_the_notation_says_and_reads_back_the_same(case in strategy::case()) {
        let dialect = load(&case.toml());
        let (frame, _) = wire::frame(&case);
        let written = write(&dialect, case.mti, &case.header(), &values(&case)).unwrap();
        prop_assert_eq!(hex::encode(&written), hex::encode(&frame));
        let mut mirror = Mirror::new();
        let decoded = decode(&dialect, &frame, &mut mirror);
        prop_assert_eq!(decoded.fault, None);
        prop_assert_eq!(decoded.message.mti().to_string(), case.mti);
        prop_assert_eq!(decoded.message.header(), &case.header()[..]);
        prop_assert_eq!(read(&decoded.message, &case), values(&case));
        // The one that carries a bitmap may be given, too.
        let all = decoded.message.fields().map(|(number, value)| (number, value.to_vec())).collect();
        let again = write(&dialect, case.mti, decoded.message.header(), &all).unwrap();
        prop_assert_eq!(&again[..], &frame[..]);
    }

    #[test]
    fn json_says_all_of_a_message_and_brings_back_its_bytes(case in strategy::case()) {
        let dialect = load(&case.toml());
        let (frame, _) = wire::frame(&case);
        let mut mirror = Mirror::new();
        let decoded = decode(&dialect, &frame, &mut mirror);
        let json = to_json(&decoded, false);
        prop_assert_eq!(&json, &expect::json(&case));
        let mut out = BytesMut::new();
        from_json(&dialect, &json, &mut out).unwrap();
        prop_assert_eq!(&out[..], &frame[..]);
        ask::paths_lead_to_the_tree(&decoded.message, &tree(&decoded.message, false));
    }

    #[test]
    fn a_message_written_element_by_element_is_the_same(case in strategy::case()) {
        let dialect = load(&case.toml());
        let (frame, _) = wire::frame(&case);
        let mut mirror = Mirror::new();
        let decoded = decode(&dialect, &frame, &mut mirror);
        let mut out = BytesMut::new();
        let mti: Mti = case.mti.parse().unwrap();
        let mut writer = Writer::with_header(&dialect, mti, &case.header(), &mut out).unwrap();
        for node in tree(&decoded.message, false) {
            let number: u8 = node.key.parse().unwrap();
            let Shown::Inside(inside) = &node.value else {
                writer.put(number, decoded.message.field(number).unwrap()).unwrap();
                continue;
            };
            writer.begin(number).unwrap();
            let pieces = pieces(&case, number, inside);
            for (key, value) in &pieces {
                writer.element(key, value).unwrap();
            }
            writer.end().unwrap();
        }
        writer.finish().unwrap();
        prop_assert_eq!(hex::encode(&out), hex::encode(&frame));
    }

    #[test]
    fn every_cut_of_a_message_is_refused_and_keeps_what_came_before(case in strategy::case()) {
        let dialect = load(&case.toml());
        let (frame, ends) = wire::frame(&case);
        let values = values(&case);
        let mut mirror = Mirror::new();
        // Every place of short messages, some hundred of long ones.
        for cut in (0..frame.len()).step_by(frame.len() / 200 + 1) {
            let decoded = decode(&dialect, &frame[..cut], &mut mirror);
            let fault = decoded.fault.unwrap();
            prop_assert!(fault.is_layout() && decoded.layout_lost, "at {}: {}", cut, fault);
            prop_assert!(fault.offset <= cut);
            let kept = read(&decoded.message, &case);
            for (number, value) in &values {
                if ends[number] <= cut && (frame.len() > ends[number] || cut > ends[number]) {
                    prop_assert_eq!(kept.get(number), Some(value), "DE {} at {}", number, cut);
                }
            }
            prop_assert!(kept.iter().all(|(number, value)| values.get(number) == Some(value)), "at {}", cut);
        }
    }

    #[test]
    fn a_message_with_more_behind_it_is_refused(case in strategy::case(), more in prop::collection::vec(any::<u8>(), 1..9)) {
        let dialect = load(&case.toml());
        let (mut frame, _) = wire::frame(&case);
        let want = DecodeError { field: 0, offset: frame.len(), reason: Reason::TrailingBytes { count: more.len() } };
        frame.extend_from_slice(&more);
        let mut mirror = Mirror::new();
        prop_assert_eq!(decode(&dialect, &frame, &mut mirror).fault, Some(want));
    }

    #[test]
    fn any_bytes_are_survived_under_any_dialect(
        case in strategy::case(),
        noise in prop::collection::vec(prop_oneof![any::<u8>(), b'0'..=b'9', Just(0)], 0..300),
    ) {
        let dialect = load(&case.toml());
        ask::everything(&dialect, &noise);
        // Behind what a message begins with, so that the fields are reached.
        let (frame, ends) = wire::frame(&case);
        ask::everything(&dialect, &[&frame[..ends[&1]], &noise].concat());
    }

    #[test]
    fn a_spoilt_message_is_survived_under_any_dialect(
        case in strategy::case(),
        spoils in prop::collection::vec((any::<Index>(), any::<u8>(), any::<bool>()), 1..40),
    ) {
        let dialect = load(&case.toml());
        let (sound, _) = wire::frame(&case);
        let mut frame = sound.clone();
        for (turn, (at, byte, flip)) in spoils.into_iter().enumerate() {
            let at = at.index(frame.len());
            frame[at] = if flip { frame[at] ^ (1 << (byte % 8)) } else { byte };
            ask::everything(&dialect, &frame);
            if turn % 3 == 2 {
                frame.clone_from(&sound);
            }
        }
    }

    #[test]
    fn a_field_that_must_be_there_is_missed_on_both_ways(case in strategy::case(), which in any::<Index>()) {
        let mandatory = case.mandatory();
        let carried = |number: &u8| matches!(case.third, Third::Carried(carrier) if carrier == *number);
        let mandatory: Vec<u8> = mandatory.into_iter().filter(|number| !carried(number) && *number != plan::ASKED).collect();
        if mandatory.is_empty() {
            return Ok(());
        }
        let missing = mandatory[which.index(mandatory.len())];
        let mut fewer = values(&case);
        fewer.remove(&missing);
        // Without it another may be asked for first.
        let reason = |error: EncodeError| matches!(error.reason, EncodeReason::Missing);
        let written = write(&load(&case.toml()), case.mti, &case.header(), &fewer);
        prop_assert!(written.is_err_and(reason));
        let lax = load(&case.toml_without_rules());
        let frame = write(&lax, case.mti, &case.header(), &fewer).unwrap();
        let mut mirror = Mirror::new();
        let strict = load(&case.toml());
        let decoded = decode(&strict, &frame, &mut mirror);
        prop_assert_eq!(decoded.fault.map(|fault| fault.reason), Some(Reason::Missing));
        prop_assert_eq!(read(&decoded.message, &case), fewer);
    }
}

/// Key and value of what is inside a field, as the writer takes it.
fn pieces(case: &Case, number: u8, nodes: &[Node]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let message: BTreeMap<u8, &plan::Field> = case.message().into_iter().collect();
    let values = wire::pieces(&message[&number].holds, &case.forms);
    assert_eq!(values.len(), nodes.len());
    let latin1 = |text: &str| text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect::<Vec<u8>>();
    nodes.iter().zip(values).map(|(node, value)| (latin1(&node.key), value)).collect()
}

#[test]
fn the_cases_drawn_have_everything_that_the_notation_knows() {
    let words = "mti = \"ascii\"|mti = \"bcd\"|mti = \"ebcdic\"|bitmap = \"ebcdic hex\"|secondary = \"none\"|\"unannounced\"|\
        tertiary = \"leading\"|tertiary = |tpdu|counted|begins|framing|type = \"absent\"|type = \"char|type = \"x+n|type = \"z|type = \"as|\
        as = \"latin1\"|as = \"cp037\"|as = \"cp1047\"|as = \"bcd\"|as = \"hex\"|odd = \"left F\"|odd = \"right 0\"|\
        counts = \"bytes\"|includes = \"itself\"|filled = true|blank = |width = |tlv = |first = \"length\"|counts = \"all\"|\
        ber = true|ber = {|datasets = |form = \"hex\", bytes = 1,|bytes = 16|header = 4|[[when]]|[[presence]]|begins = [|is = [|\
        card_data = \"never\"|card_data = \"pan\"";
    let words: Vec<&str> = words.split('|').map(str::trim).collect();
    let mut met = vec![0; words.len()];
    let (mut fields, mut varied, mut third, mut deep) = (0, 0, 0, 0);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..500 {
        let case = strategy::case().new_tree(&mut runner).unwrap().current();
        let toml = case.toml();
        words.iter().zip(&mut met).for_each(|(word, met)| *met += usize::from(toml.contains(word)));
        let said = case.said();
        fields += said.len();
        third += usize::from(said.iter().any(|number| *number > 128));
        let usual: Vec<u8> =
            case.fields.iter().filter(|(_, (said, _))| *said).map(|(number, _)| *number).collect();
        varied += usize::from(!case.message().iter().map(|(number, _)| number).eq(usual.iter()));
        deep += usize::from(toml.lines().any(|line| line.matches("bitmap = {").count() >= 3));
    }
    let missing: Vec<_> = words.iter().zip(&met).filter(|(_, met)| **met < 5).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(fields > 1500 && varied > 50 && third > 50 && deep > 10, "{fields} {varied} {third} {deep}");
}
