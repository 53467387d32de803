//! Everything that can be asked of a message in some bytes. Nothing of it may panic, and what is sound must be so again
//! when it is written.

use billswitch::iso8583::{
    Dialect, Message, Mirror, Node, Shown, decode, from_json, mask_frame, to_json, tree,
};
use bytes::BytesMut;

/// Asks it.
pub(crate) fn everything(dialect: &Dialect, frame: &[u8]) {
    let mut mirror = Mirror::new();
    let decoded = decode(dialect, frame, &mut mirror);
    let message = &decoded.message;
    for (field, value) in message.fields() {
        let (start, wire) = (message.offset(field).unwrap(), message.wire(field).unwrap());
        assert_eq!(frame.get(start..start + wire.len()), Some(wire));
        assert!(message.elements(field).all(|(tag, inside)| tag.len() + inside.len() <= value.len()));
    }
    paths_lead_to_the_tree(message, &tree(message, false));
    let json = to_json(&decoded, false);
    assert!(to_json(&decoded, true).is_object());
    let mut masked = frame.to_vec();
    mask_frame(dialect, &mut masked);
    assert_eq!(masked.len(), frame.len());
    assert!(!format!("{decoded:?}").is_empty());
    let _ = decoded.may_be_misread();
    if let Some(fault) = decoded.fault {
        assert!(fault.offset <= frame.len(), "{fault}");
        assert!(!fault.is_layout() || decoded.layout_lost, "{fault}");
        return;
    }
    let mut again = BytesMut::new();
    match from_json(dialect, &json, &mut again) {
        Ok(()) => {}
        // A length of chip data that is longer than need be is written shorter, and may not fill its field any more.
        Err(error) if error.to_string().contains("bytes instead of") => return,
        Err(error) => panic!("{error}"),
    }
    let mut mirror = Mirror::new();
    let back = decode(dialect, &again, &mut mirror);
    assert_eq!(back.fault, None);
    assert_eq!(to_json(&back, false), json);
}

/// Whether every node of the tree is what its path leads to.
pub(crate) fn paths_lead_to_the_tree(message: &Message<'_, '_>, nodes: &[Node]) {
    let mut seen = std::collections::HashSet::new();
    for node in nodes {
        // Where a key repeats, a path leads to the first.
        if !seen.insert(&node.key) {
            continue;
        }
        let compiled = message.dialect().path(&node.path);
        let Ok(path) = compiled else {
            let why = node.path.len() > 32 || !node.path.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            assert!(why, "{}: {compiled:?}", node.path);
            continue;
        };
        let got = message.get(&path).unwrap_or_else(|| panic!("nothing is at {path}"));
        assert_eq!(got.len(), node.length, "{path}");
        match &node.value {
            Shown::Text(text) => {
                assert_eq!(got.iter().map(|byte| char::from(*byte)).collect::<String>(), *text);
            }
            Shown::Binary(text) => assert_eq!(hex::encode_upper(got), *text),
            Shown::Inside(inside) => paths_lead_to_the_tree(message, inside),
        }
        if let Some(offset) = node.offset {
            assert!(offset <= message.frame().len(), "{path}");
        }
    }
}
