//! What is masked keeps its shape and loses its card data.

use std::collections::BTreeMap;

use billswitch::iso8583::{Mirror, Node, Shown, decode, mask_frame, to_json, tree};
use proptest::prelude::*;

use crate::plan::{Case, Content, Field, SetContent};
use crate::strategy::{self, PANS};
use crate::{cases, load, wire};

/// The card numbers that the message shows to be its own.
fn own(case: &Case) -> Vec<&'static str> {
    let sources = case.message().into_iter().filter(|(number, _)| matches!(number, 2 | 34 | 35 | 36 | 45));
    let digits = |value: &[u8]| {
        let from = value.iter().skip_while(|byte| !byte.is_ascii_digit());
        from.take_while(|byte| byte.is_ascii_digit()).copied().collect::<Vec<u8>>()
    };
    let found: Vec<Vec<u8>> = sources.map(|(_, field)| digits(&wire::logical(field, &case.forms))).collect();
    PANS.into_iter().filter(|pan| found.iter().any(|digits| digits == pan.as_bytes())).collect()
}

/// Whether a card number stands in a value, in any form.
fn shows(value: &[u8], pan: &str) -> bool {
    let ebcdic: Vec<u8> = pan.bytes().map(|digit| digit | 0xf0).collect();
    let has = |what: &[u8]| value.windows(what.len()).any(|window| window == what);
    has(pan.as_bytes()) || has(&ebcdic) || hex::encode(value).contains(pan)
}

fn leaves<'n>(nodes: &'n [Node], out: &mut Vec<&'n Node>) {
    for node in nodes {
        match &node.value {
            Shown::Inside(inside) => leaves(inside, out),
            Shown::Text(_) | Shown::Binary(_) => out.push(node),
        }
    }
}

/// Values of a field, or inside it, that are never to be written down.
fn secrets(field: &Field, within: bool, out: &mut Vec<Vec<u8>>) {
    let never = within || field.card == Some("never");
    let mut keep = |value: &Vec<u8>| out.extend(never.then(|| value.clone()));
    match &field.holds {
        Content::Leaf(value) => keep(value),
        Content::Widths(parts) => parts.iter().for_each(|(_, value)| keep(value)),
        Content::Tlv(_, elements) => elements.iter().for_each(|(_, value)| keep(value)),
        Content::Parts(parts, missing) => {
            parts[..parts.len() - missing].iter().for_each(|part| secrets(part, never, out));
        }
        Content::Bitmap(inside) => {
            inside
                .fields
                .values()
                .filter(|(said, _)| *said)
                .for_each(|(_, field)| secrets(field, never, out));
        }
        Content::Datasets(_, sets) => {
            for set in sets {
                if let SetContent::Declared(inside) = &set.holds {
                    let said = inside.fields.values().filter(|(said, _)| *said);
                    said.for_each(|(_, field)| secrets(field, never, out));
                }
            }
        }
        Content::Ber(..) => {}
    }
}

/// Bytes and places that a masked message must not share with what it was.
fn long_secrets(case: &Case) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    case.message().iter().for_each(|(_, field)| secrets(field, false, &mut found));
    // Shorter ones, or such as a mask, may stand there by chance.
    found.retain(|value| {
        let mut kinds: Vec<u8> = value.clone();
        kinds.sort_unstable();
        kinds.dedup();
        // Nor is a card number looked for, or a part of one, that may stand in another field too, which has no card data.
        let packed = hex::encode(value);
        let within = |pan: &&str| {
            packed.contains(*pan)
                || pan.contains(&packed)
                || pan.as_bytes().windows(value.len()).any(|part| part == value)
        };
        value.len() >= 8 && kinds.len() >= 5 && !PANS.iter().any(within)
    });
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_masked_message_reads_as_before_but_for_its_card_data(case in strategy::case()) {
        let dialect = load(&case.toml());
        let (frame, _) = wire::frame(&case);
        let mut masked = frame.clone();
        mask_frame(&dialect, &mut masked);
        prop_assert_eq!(masked.len(), frame.len());
        let (mut mirror, mut other) = (Mirror::new(), Mirror::new());
        let (before, after) = (decode(&dialect, &frame, &mut mirror), decode(&dialect, &masked, &mut other));
        prop_assert_eq!(after.fault, None);
        let lengths = |message: &billswitch::iso8583::Message<'_, '_>| {
            message.fields().map(|(number, value)| (number, value.len())).collect::<BTreeMap<_, _>>()
        };
        prop_assert_eq!(lengths(&after.message), lengths(&before.message));
        let nodes = tree(&after.message, false);
        let mut all = Vec::new();
        leaves(&nodes, &mut all);
        for pan in own(&case) {
            for (number, value) in after.message.fields() {
                let whole = case.message().iter().any(|(n, f)| *n == number && matches!(f.holds, Content::Widths(..)));
                prop_assert!(!(whole && shows(value, pan)), "{} stands in DE {}", pan, number);
            }
            for node in &all {
                let value = match &node.value {
                    Shown::Text(text) => text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect(),
                    Shown::Binary(text) => hex::decode(text).unwrap(),
                    Shown::Inside(_) => Vec::new(),
                };
                prop_assert!(!shows(&value, pan), "{} stands at {}", pan, node.path);
            }
        }
        for secret in long_secrets(&case) {
            let packed = secret.iter().all(u8::is_ascii_digit) && hex::encode(&masked).contains(std::str::from_utf8(&secret).unwrap());
            let plain = masked.windows(secret.len()).any(|window| window == secret);
            prop_assert!(!plain && !packed, "{:?} is there still", secret);
        }
        // Masking again changes nothing.
        let once = masked.clone();
        mask_frame(&dialect, &mut masked);
        prop_assert_eq!(masked, once);
    }

    #[test]
    fn json_for_people_has_no_card_data(case in strategy::case()) {
        let dialect = load(&case.toml());
        let (frame, _) = wire::frame(&case);
        let mut mirror = Mirror::new();
        let json = to_json(&decode(&dialect, &frame, &mut mirror), true);
        // Card numbers may be cut up by parts, and their pieces stand side by side.
        let text = json.to_string();
        let mut bare = text.clone();
        bare.retain(|c| c.is_ascii_alphanumeric());
        for pan in own(&case) {
            prop_assert!(!text.contains(pan), "{}", text);
            prop_assert!(!text.contains(&hex::encode_upper(pan)), "{}", text);
        }
        for secret in long_secrets(&case) {
            let shown = serde_json::Value::from(secret.iter().map(|byte| char::from(*byte)).collect::<String>()).to_string();
            prop_assert!(!text.contains(shown.trim_matches('"')), "{:?} in {}", secret, text);
            prop_assert!(!text.contains(&hex::encode_upper(&secret)), "{:?} in {}", secret, text);
        }
    }
}
