//! What holds for every framing and for any bytes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking, and adds up what is small"
)]

use billswitch::iso8583::{Framing, FramingFault};
use billswitch::link::FrameCodec;
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use proptest::sample::select;
use tokio_util::codec::Decoder;

/// Most bytes of a message on the links here.
const MAX: u16 = 2000;

fn framing() -> impl Strategy<Value = Framing> {
    let any_end = any::<u8>().prop_map(|byte| Framing::parse(&format!("end {byte:02x}")).unwrap());
    prop_oneof![14 => select(Framing::COMMON.to_vec()), 1 => any_end]
}

/// Messages that the framing carries: without the byte that ends a frame, where one does.
fn messages() -> impl Strategy<Value = (Framing, Vec<Vec<u8>>)> {
    let message =
        prop_oneof![prop::collection::vec(any::<u8>(), 1..40), prop::collection::vec(any::<u8>(), 1..2000)];
    (framing(), prop::collection::vec(message, 0..6)).prop_map(|(framing, mut messages)| {
        for message in &mut messages {
            while let Err(FramingFault::EndInside { byte, .. }) = framing.carries(message) {
                let instead = byte.wrapping_add(1);
                message.iter_mut().filter(|have| **have == byte).for_each(|have| *have = instead);
            }
        }
        (framing, messages)
    })
}

/// What comes of bytes that arrive in pieces of these lengths, in turn, and how they end.
fn read(framing: Framing, wire: &[u8], pieces: &[usize]) -> (Vec<Bytes>, Option<String>, usize) {
    let mut codec = FrameCodec::new(framing, MAX);
    let (mut arrived, mut frames, mut rest) = (BytesMut::new(), Vec::new(), wire);
    for piece in pieces.iter().cycle() {
        let (now, later) = rest.split_at(rest.len().min(*piece));
        rest = later;
        arrived.extend_from_slice(now);
        loop {
            match codec.decode(&mut arrived) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(fault) => return (frames, Some(fault.to_string()), 0),
            }
        }
        if rest.is_empty() {
            break;
        }
    }
    (frames, None, arrived.len())
}

proptest! {
    #[test]
    fn messages_come_back_whole_in_any_framing_and_however_they_arrive(
        (framing, messages) in messages(),
        pieces in prop::collection::vec(1_usize..300, 1..20),
    ) {
        let mut wire = BytesMut::new();
        for message in &messages {
            framing.put(message, &mut wire).unwrap();
        }
        let (frames, fault, left) = read(framing, &wire, &pieces);
        prop_assert_eq!((fault, left), (None, 0));
        prop_assert_eq!(frames, messages);
    }

    #[test]
    fn any_bytes_are_frames_or_refused_alike_however_they_arrive(
        framing in framing(),
        wire in prop::collection::vec(prop_oneof![any::<u8>(), 0_u8..=4, b'0'..=b'9'], 0..3000),
        pieces in prop::collection::vec(1_usize..300, 1..20),
    ) {
        let at_once = read(framing, &wire, &[wire.len().max(1)]);
        prop_assert_eq!(&read(framing, &wire, &pieces), &at_once);
        prop_assert!(at_once.0.iter().all(|frame| (1..=usize::from(MAX)).contains(&frame.len())));
    }
}
