//! A recording holds every frame, is a capture like any other, and holds no card data.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may fail"
)]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use billswitch::iso8583::{Dialect, Framing, Mirror, decode, shipped};
use billswitch::sim::replay::capture::Capture;
use billswitch::telemetry::recorder::{Direction, QUEUE_FRAMES, Recorder, RecorderError};
use etherparse::{NetSlice, SlicedPacket, TransportSlice};

/// A card number that no list of test numbers has.
const CANARY: &str = "4929123456781236";

fn onelink() -> Arc<Dialect> {
    Arc::new(shipped::dialect("onelink").unwrap().unwrap())
}

/// DE 2, 3, 11, 35 and 37: the canary stands in DE 2 and in the track.
fn payment(stan: &str) -> Vec<u8> {
    let bitmap = [0x60, 0x20, 0, 0, 0x28, 0, 0, 0];
    let fields = format!("16{CANARY}500000{stan}37{CANARY}=29122011000000000000632409{stan}");
    [b"0200", &bitmap[..], fields.as_bytes()].concat()
}

/// DE 11 and 39.
fn approval(stan: &str) -> Vec<u8> {
    let bitmap = [0, 0x20, 0, 0, 2, 0, 0, 0];
    [b"0210", &bitmap[..], format!("{stan}00").as_bytes()].concat()
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Somewhere for a recording that is not there yet.
fn place(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("traffic.pcap")
}

/// Records payments and their approvals on some connections, one after the other, each frame `frames` times.
fn record(path: &Path, connections: &[(&str, &str)], frames: usize) {
    let (handle, recorder) = Recorder::start(path, QUEUE_FRAMES).unwrap();
    for (client, server) in connections {
        let tape = handle.connection(address(client), address(server), onelink(), Framing::default());
        for number in 0..frames {
            let stan = format!("{number:06}");
            tape.frame(Direction::In, &payment(&stan));
            tape.frame(Direction::Out, &approval(&stan));
        }
    }
    drop(handle);
    let recorded = recorder.finish().unwrap();
    assert_eq!(
        (recorded.frames, recorded.dropped),
        (u64::try_from(2 * frames * connections.len()).unwrap(), 0)
    );
}

#[test]
fn a_recording_reads_back_as_what_the_clients_sent_without_their_cards() {
    let directory = tempfile::tempdir().unwrap();
    let path = place(&directory);
    // The third is the first once more: the same ports, another connection.
    let connections = [
        ("10.0.1.2:40001", "10.0.0.1:8583"),
        ("[2001:db8::7]:40001", "[2001:db8::1]:700"),
        ("10.0.1.2:40001", "10.0.0.1:8583"),
    ];
    record(&path, &connections, 50);
    let capture = Capture::read(&path, None).unwrap();
    assert_eq!(capture.streams.len(), 3);
    let dialect = onelink();
    for (stream, (client, server)) in capture.streams.iter().zip(connections) {
        assert_eq!((stream.client, stream.server), (address(client), address(server)));
        assert_eq!(stream.frames.len(), 50);
        for (number, frame) in stream.frames.iter().enumerate() {
            let mut mirror = Mirror::new();
            let (stan, decoded) = (format!("{number:06}"), decode(&dialect, &frame.bytes, &mut mirror));
            assert!(decoded.fault.is_none());
            assert_eq!(decoded.message.field(11), Some(stan.as_bytes()));
            assert_eq!(decoded.message.field(2), Some(&b"4929120000001236"[..]));
            assert_eq!(frame.bytes.len(), payment(&stan).len());
        }
    }
    let bytes = std::fs::read(&path).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds("632409000049") && !holds(CANARY) && !holds(&CANARY[..10]) && !holds("2912201100"));
}

/// Sequence number expected next, by source and target.
type NextBytes = HashMap<(SocketAddr, SocketAddr), u32>;

#[test]
fn every_packet_of_a_recording_adds_up() {
    let directory = tempfile::tempdir().unwrap();
    let path = place(&directory);
    // An IPv4 client of an IPv6 socket shows itself mapped.
    record(&path, &[("[::ffff:10.0.1.2]:40001", "10.0.0.1:8583"), ("[fd00::2]:40002", "[fd00::1]:8583")], 20);
    let mut reader = pcap_file::pcap::PcapReader::new(std::fs::File::open(&path).unwrap()).unwrap();
    let (mut next, mut flags, mut latest) = (NextBytes::new(), Vec::new(), std::time::Duration::ZERO);
    while let Some(packet) = reader.next_packet() {
        let packet = packet.unwrap();
        assert!(packet.timestamp >= latest);
        latest = packet.timestamp;
        let sliced = SlicedPacket::from_ethernet(&packet.data).unwrap();
        let Some(TransportSlice::Tcp(tcp)) = &sliced.transport else { panic!("not TCP") };
        let (source, target, right) = match sliced.net.as_ref().unwrap() {
            NetSlice::Ipv4(ip) => {
                let header = ip.header();
                assert_eq!(header.header_checksum(), header.to_header().calc_header_checksum());
                let right = tcp.calc_checksum_ipv4(header.source(), header.destination()).unwrap();
                (header.source_addr().into(), header.destination_addr().into(), right)
            }
            NetSlice::Ipv6(ip) => {
                let header = ip.header();
                let right = tcp.calc_checksum_ipv6(header.source(), header.destination()).unwrap();
                (header.source_addr().into(), header.destination_addr().into(), right)
            }
            NetSlice::Arp(_) => panic!("not IP"),
        };
        assert_eq!(tcp.checksum(), right);
        let (from, to) =
            (SocketAddr::new(source, tcp.source_port()), SocketAddr::new(target, tcp.destination_port()));
        let first = *next.entry((from, to)).or_insert(tcp.sequence_number());
        assert_eq!(tcp.sequence_number(), first);
        if tcp.ack() {
            assert_eq!(Some(&tcp.acknowledgment_number()), next.get(&(to, from)), "all that was sent");
        }
        let taken = u32::try_from(tcp.payload().len()).unwrap() + u32::from(tcp.syn()) + u32::from(tcp.fin());
        next.insert((from, to), first.wrapping_add(taken));
        flags.push((tcp.syn(), tcp.ack(), tcp.fin()));
    }
    assert_eq!(flags.len(), 2 * (3 + 40 + 3));
    assert_eq!(flags[..3], [(true, false, false), (true, true, false), (false, true, false)]);
    assert_eq!(flags[43..46], [(false, true, true), (false, true, true), (false, true, false)]);
}

#[test]
fn frames_of_any_length_that_a_peer_may_send_are_recorded() {
    let directory = tempfile::tempdir().unwrap();
    let path = place(&directory);
    let (handle, recorder) = Recorder::start(&path, QUEUE_FRAMES).unwrap();
    let tape = handle.connection(address("10.0.1.2:1"), address("10.0.0.1:2"), onelink(), Framing::default());
    for len in [0, 1, 16_384, 65_535, 65_536] {
        tape.frame(Direction::In, &vec![b'9'; len]);
    }
    drop((tape, handle));
    let recorded = recorder.finish().unwrap();
    assert_eq!(
        (recorded.frames, recorded.dropped),
        (3, 2),
        "a length can tell neither of none nor of the longest"
    );
    let capture = Capture::read(&path, None).unwrap();
    let lens: Vec<_> = capture.streams[0].frames.iter().map(|frame| frame.bytes.len()).collect();
    assert_eq!(lens, [1, 16_384, 65_535]);
}

#[test]
fn a_connection_is_recorded_in_its_own_framing() {
    let dialect = onelink();
    for framing in Framing::COMMON {
        let directory = tempfile::tempdir().unwrap();
        let path = place(&directory);
        let (handle, recorder) = Recorder::start(&path, QUEUE_FRAMES).unwrap();
        let tape = handle.connection(address("10.0.1.2:1"), address("10.0.0.1:2"), onelink(), framing);
        for stan in ["000001", "000002"] {
            tape.frame(Direction::In, &payment(stan));
            tape.frame(Direction::Out, &approval(stan));
        }
        drop((tape, handle));
        assert_eq!(recorder.finish().unwrap().frames, 4, "{framing}");
        let capture = Capture::read_framed(&path, None, framing).unwrap();
        let stans = capture.in_order().into_iter().map(|(_, frame)| {
            let mut mirror = Mirror::new();
            let message = decode(&dialect, &frame.bytes, &mut mirror).message;
            message.field(11).unwrap().to_vec()
        });
        assert_eq!(stans.collect::<Vec<_>>(), [b"000001", b"000002"], "{framing}");
        let bytes = std::fs::read(&path).unwrap();
        let mut wire = bytes::BytesMut::new();
        framing.put(&approval("000002"), &mut wire).unwrap();
        assert!(bytes.windows(wire.len()).any(|part| part == wire), "{framing}");
    }
}

#[test]
fn a_recording_never_overwrites_an_earlier_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = place(&directory);
    std::fs::write(&path, b"an earlier recording").unwrap();
    let error = Recorder::start(&path, QUEUE_FRAMES).err().unwrap();
    assert!(matches!(error, RecorderError::Create { .. }), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"an earlier recording");
}

#[test]
fn a_tape_that_is_still_held_does_not_keep_a_recording_from_ending() {
    let directory = tempfile::tempdir().unwrap();
    let path = place(&directory);
    let (handle, recorder) = Recorder::start(&path, QUEUE_FRAMES).unwrap();
    let tape = handle.connection(address("10.0.1.2:1"), address("10.0.0.1:2"), onelink(), Framing::default());
    tape.frame(Direction::In, &payment("000001"));
    assert_eq!(recorder.finish().unwrap().frames, 1);
    tape.frame(Direction::In, &payment("000002"));
    assert_eq!(handle.dropped(), 1);
    assert_eq!(Capture::read(&path, None).unwrap().in_order().len(), 1);
}

#[test]
fn a_frame_broken_at_any_byte_shows_no_card_number() {
    let directory = tempfile::tempdir().unwrap();
    let path = place(&directory);
    let (handle, recorder) = Recorder::start(&path, QUEUE_FRAMES).unwrap();
    let tape = handle.connection(address("10.0.1.2:1"), address("10.0.0.1:2"), onelink(), Framing::default());
    let fields = format!("16{CANARY}500000000001000000632409");
    let without_track = [b"0200", &[0x60, 0x20, 0, 0, 8, 0, 0, 0][..], fields.as_bytes()].concat();
    for whole in [payment("000001"), without_track] {
        for place in 1..whole.len() {
            tape.frame(Direction::In, &whole[..place]);
            tape.frame(Direction::In, &[&whole[..place], &b"\0"[..], &whole[place..]].concat());
            let mut other = whole.clone();
            other[place] ^= 0x15;
            tape.frame(Direction::Out, &other);
        }
    }
    drop(tape);
    assert_eq!(recorder.finish().unwrap().dropped, 0);
    let bytes = std::fs::read(&path).unwrap();
    let capture = Capture::read(&path, None).unwrap();
    let kept = capture
        .in_order()
        .into_iter()
        .filter(|(_, frame)| frame.bytes.windows(8).any(|part| part == b"16492912"));
    assert!(
        kept.count() > 20,
        "a frame whose card number is sound, and that has no track, keeps what else it says"
    );
    let shows = |digits: &[u8]| bytes.windows(digits.len()).any(|part| part == digits);
    // The first six and the last four may show; of what is between, no four digits together.
    for middle in CANARY.as_bytes()[6..12].windows(4) {
        assert!(!shows(&[&CANARY.as_bytes()[2..6], middle].concat()));
        assert!(!shows(&[middle, &CANARY.as_bytes()[12..]].concat()));
    }
}
