//! Reading captures: every way in which a network shows the same bytes.

use std::borrow::Cow;
use std::io::{Cursor, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use etherparse::PacketBuilder;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::{PcapNgBlock, PcapNgWriter};
use pcap_file::{DataLink, Endianness, TsResolution};

use super::capture::{Capture, CaptureError};
use super::ways::{self, Way, tcp_payload};
use crate::iso8583::Framing;

const CLIENT: ([u8; 4], u16) = ([10, 0, 1, 1], 40001);
const SERVER: ([u8; 4], u16) = ([10, 0, 0, 1], 8583);

/// Frames of 12, 10, 0 and 14 bytes as the client sends them: 44 bytes of stream.
const WIRE: &[u8] = b"\x00\x0c0200aaaaaaaa\x00\x0a0200bbbbbb\x00\x00\x00\x0e0200cccccccccc";

const FRAMES: [&[u8]; 3] = [b"0200aaaaaaaa", b"0200bbbbbb", b"0200cccccccccc"];

/// An Ethernet packet: sequence number, `s` SYN, `a` ACK, or neither, and the payload.
fn packet(from: ([u8; 4], u16), to: ([u8; 4], u16), sequence: u32, flags: &str, payload: &[u8]) -> Vec<u8> {
    let mut build =
        PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(from.0, to.0, 64).tcp(from.1, to.1, sequence, 1000);
    for flag in flags.chars() {
        build = if flag == 's' { build.syn() } else { build.ack(1) };
    }
    let mut bytes = Vec::new();
    build.write(&mut bytes, payload).unwrap();
    bytes
}

fn up(sequence: u32, flags: &str, payload: &[u8]) -> Vec<u8> {
    packet(CLIENT, SERVER, sequence, flags, payload)
}

/// The part `range` of [`WIRE`], after a SYN numbered 99.
fn part(range: std::ops::Range<usize>) -> Vec<u8> {
    let sequence = u32::try_from(range.start).unwrap().wrapping_add(100);
    up(sequence, "a", &WIRE[range])
}

/// How segments arrive, and which packet completes each frame.
type Arrival = (&'static str, Vec<Vec<u8>>, [u64; 3]);

/// A classic pcap, a packet a second.
fn pcap(to: impl Write, header: PcapHeader, packets: &[Vec<u8>]) {
    let mut writer = PcapWriter::with_header(to, header).unwrap();
    for (second, data) in (1..).zip(packets) {
        let len = u32::try_from(data.len()).unwrap();
        writer.write_packet(&PcapPacket::new(Duration::from_secs(second), len, data)).unwrap();
    }
}

fn file(header: PcapHeader, packets: &[Vec<u8>]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    pcap(file.reopen().unwrap(), header, packets);
    file
}

fn read(header: PcapHeader, packets: &[Vec<u8>]) -> Result<Capture, CaptureError> {
    Capture::read(file(header, packets).path(), None)
}

fn read_framed(framing: Framing, packets: &[Vec<u8>]) -> Result<Capture, CaptureError> {
    Capture::read_framed(file(PcapHeader::default(), packets).path(), None, framing)
}

fn ways(packets: &[Vec<u8>]) -> Vec<Way> {
    let mut capture = Vec::new();
    pcap(&mut capture, PcapHeader::default(), packets);
    ways::read(Path::new("-"), Cursor::new(capture), None).unwrap()
}

fn read_plain(packets: &[Vec<u8>]) -> Result<Capture, CaptureError> {
    read(PcapHeader::default(), packets)
}

fn contents(capture: &Capture) -> Vec<&[u8]> {
    capture.in_order().into_iter().map(|(_, frame)| &*frame.bytes).collect()
}

/// For each frame, the packet (and so the second) that completed it.
fn packets_of(capture: &Capture) -> Vec<u64> {
    let frames = capture.in_order();
    assert!(frames.iter().all(|(_, frame)| frame.at == Duration::from_secs(frame.packet)));
    frames.into_iter().map(|(_, frame)| frame.packet).collect()
}

#[test]
fn a_stream_is_put_together_however_its_segments_arrive() {
    let syn = || up(99, "s", b"");
    let table: &[Arrival] = &[
        ("in one segment", vec![syn(), part(0..44)], [2, 2, 2]),
        ("a frame cut in its header", vec![syn(), part(0..15), part(15..44)], [2, 3, 3]),
        ("retransmitted", vec![syn(), part(0..14), part(0..14), part(14..44), part(0..14)], [2, 4, 4]),
        ("a longer retransmission", vec![syn(), part(0..14), part(0..28), part(14..44)], [2, 3, 4]),
        ("overlapping", vec![syn(), part(0..20), part(10..30), part(25..44)], [2, 3, 4]),
        ("out of order", vec![syn(), part(14..26), part(26..44), part(0..14)], [4, 4, 4]),
        ("a hole filled late", vec![syn(), part(0..14), part(20..44), part(10..22)], [2, 4, 4]),
        ("the SYN sent twice", vec![syn(), syn(), part(0..44)], [3, 3, 3]),
        ("data before the SYN's packet", vec![syn(), up(99, "a", b"?"), part(0..44)], [3, 3, 3]),
    ];
    for (name, packets, completed_by) in table {
        let capture = read_plain(packets).unwrap();
        assert_eq!(contents(&capture), FRAMES, "{name}");
        assert_eq!(packets_of(&capture), completed_by, "{name}");
        let stream = &capture.streams[0];
        assert_eq!((stream.skipped_bytes, stream.unfinished_bytes), (0, 0), "{name}");
        assert_eq!(stream.client, SocketAddr::from(CLIENT), "{name}");
        assert_eq!(stream.server, SocketAddr::from(SERVER), "{name}");
    }
}

#[test]
fn frames_are_told_apart_as_their_framing_says_also_in_a_stream_joined_midway() {
    for framing in Framing::COMMON {
        let (mut wire, mut ends) = (bytes::BytesMut::new(), Vec::new());
        for frame in FRAMES {
            framing.put(frame, &mut wire).unwrap();
            ends.push(wire.len());
        }
        let part =
            |range: std::ops::Range<usize>| up(u32::try_from(range.start).unwrap() + 100, "a", &wire[range]);
        for cut in 1..wire.len() {
            let packets = [up(99, "s", b""), part(cut..wire.len()), part(0..cut)];
            let capture = read_framed(framing, &packets).unwrap();
            assert_eq!(contents(&capture), FRAMES, "{framing}, cut at {cut}");
            assert_eq!(capture.streams[0].unfinished_bytes, 0, "{framing}");
        }
        let capture = read_framed(framing, &[part(5..ends[0]), part(ends[0]..wire.len())]).unwrap();
        assert_eq!(contents(&capture), FRAMES[1..], "{framing}");
        assert_eq!(capture.streams[0].skipped_bytes, ends[0] - 5, "{framing}");
        assert_eq!(capture.streams[0].server, SocketAddr::from(SERVER), "{framing}");
    }
}

#[test]
fn a_byte_stream_survives_the_wrap_of_its_sequence_numbers() {
    let start = u32::MAX - 19;
    let late = up(start.wrapping_add(21), "a", &WIRE[20..]);
    let capture = read_plain(&[up(start, "s", b""), late, up(start + 1, "a", &WIRE[..20])]).unwrap();
    assert_eq!(contents(&capture), FRAMES);
}

#[test]
fn lost_bytes_are_told_with_their_stream_and_offset() {
    let error = read_plain(&[up(99, "s", b""), part(0..14), part(20..44)]).unwrap_err();
    let want = "10.0.1.1:40001 → 10.0.0.1:8583: 6 bytes are lost at offset 14 of the stream, before packet 3";
    assert_eq!(error.to_string(), want);
    let error = read_plain(&[up(99, "s", b""), part(14..44)]).unwrap_err();
    assert!(matches!(error, CaptureError::Gap { offset: 0, missing: 14, .. }), "{error}");
}

#[test]
fn a_packet_cut_by_the_snap_length_is_a_loss_and_not_a_shorter_frame() {
    let mut cut = part(0..14);
    cut.truncate(cut.len() - 3);
    let error = read_plain(&[up(99, "s", b""), cut.clone(), part(14..44)]).unwrap_err();
    assert!(matches!(error, CaptureError::Gap { offset: 11, missing: 3, packet: 3, .. }), "{error}");
    let capture = read_plain(&[up(99, "s", b""), part(0..14), cut]).unwrap();
    assert_eq!((contents(&capture), capture.streams[0].unfinished_bytes), (vec![FRAMES[0]], 0));
}

#[test]
fn a_capture_that_ends_within_a_frame_says_how_much_of_it_is_there() {
    let capture = read_plain(&[up(99, "s", b""), part(0..40)]).unwrap();
    assert_eq!((contents(&capture), capture.streams[0].unfinished_bytes), (FRAMES[..2].to_vec(), 12));
}

#[test]
fn a_stream_joined_midway_starts_at_its_first_whole_frame() {
    // From the middle of the first frame on; then the same with its two segments the wrong way round.
    for packets in [[part(5..14), part(14..44)], [part(14..44), part(5..14)]] {
        let capture = read_plain(&packets).unwrap();
        assert_eq!(contents(&capture), FRAMES[1..]);
        assert_eq!(capture.streams[0].skipped_bytes, 9);
        assert_eq!(capture.streams[0].server, SocketAddr::from(SERVER));
    }
    let noise = read_plain(&[up(1, "a", &[7; 40])]).unwrap_err();
    assert!(matches!(noise, CaptureError::NoFrames { len: 40, .. }), "{noise}");
}

#[test]
fn the_server_is_told_by_the_handshake_or_by_who_asks() {
    // Port and address of the server are the lesser ones here, the greater ones in the other tests.
    let (client, server) = (([10, 0, 0, 9], 40001), ([10, 0, 0, 2], 700));
    let down = |flags, payload: &[u8]| packet(server, client, 500, flags, payload);
    let up = |flags, payload: &[u8]| packet(client, server, 99, flags, payload);
    let table: &[(&str, Vec<Vec<u8>>)] = &[
        ("SYN", vec![up("s", b""), packet(client, server, 100, "a", &WIRE[..14])]),
        ("SYN-ACK only", vec![down("sa", b""), up("a", &WIRE[..14])]),
        ("requests one way, answers the other", vec![down("a", b"\x00\x0a0210zzzzzz"), up("a", &WIRE[..14])]),
        ("requests only", vec![up("a", &WIRE[..14])]),
    ];
    for (name, packets) in table {
        let capture = read_plain(packets).unwrap();
        assert_eq!(capture.streams[0].server, SocketAddr::from(server), "{name}");
        assert_eq!(contents(&capture), FRAMES[..1], "{name}: only what the client sent");
    }
}

#[test]
fn a_port_used_again_is_a_second_connection() {
    let packets = [up(99, "s", b""), part(0..14), up(5000, "s", b""), up(5001, "a", &WIRE[14..44])];
    let capture = read_plain(&packets).unwrap();
    assert_eq!(capture.streams.len(), 2);
    assert_eq!(contents(&capture), FRAMES);
}

#[test]
fn both_byte_orders_and_both_resolutions_are_read() {
    for endianness in [Endianness::Big, Endianness::Little] {
        for ts_resolution in [TsResolution::MicroSecond, TsResolution::NanoSecond] {
            let header = PcapHeader { endianness, ts_resolution, ..PcapHeader::default() };
            let capture = read(header, &[up(99, "s", b""), part(0..44)]).unwrap();
            assert_eq!(contents(&capture), FRAMES);
            assert_eq!(packets_of(&capture), [2, 2, 2]);
        }
    }
}

#[test]
fn link_types_other_than_ethernet_are_read() {
    let ip = part(0..44)[14..].to_vec();
    let with = |head: &[u8]| [head, &ip[..]].concat();
    let cooked = [&[0; 14][..], &[8, 0]].concat();
    let cooked_2 = [&[8, 0][..], &[0; 18]].concat();
    let table = [
        (DataLink::RAW, ip.clone()),
        (DataLink::NULL, with(&[2, 0, 0, 0])),
        (DataLink::LINUX_SLL, with(&cooked)),
        (DataLink::LINUX_SLL2, with(&cooked_2)),
    ];
    for (datalink, packet) in table {
        let header = PcapHeader { datalink, ..PcapHeader::default() };
        assert_eq!(contents(&read(header, &[packet]).unwrap()), FRAMES, "{datalink:?}");
    }
    let header = PcapHeader { datalink: DataLink::BLUETOOTH_HCI_H4, ..PcapHeader::default() };
    let error = read(header, &[part(0..44)]).unwrap_err();
    assert!(error.to_string().contains("link type 187 is not supported"), "{error}");
}

/// Writes a pcapng whose interface counts time in `10^-resolution` seconds, if one is given, and reads it.
fn read_pcapng(endianness: Endianness, resolution: Option<u8>, units: u64) -> Capture {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut writer = PcapNgWriter::with_endianness(file.reopen().unwrap(), endianness).unwrap();
    let mut interface = InterfaceDescriptionBlock::new(DataLink::ETHERNET, 65535);
    interface.options.extend(resolution.map(InterfaceDescriptionOption::IfTsResol));
    writer.write_block(&interface.into_block()).unwrap();
    for data in [up(99, "s", b""), part(0..44)] {
        let packet = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: Duration::from_nanos(units),
            original_len: u32::try_from(data.len()).unwrap(),
            data: Cow::Owned(data),
            options: Vec::new(),
        };
        writer.write_block(&packet.into_block()).unwrap();
    }
    Capture::read(file.path(), None).unwrap()
}

#[test]
fn pcapng_times_are_in_the_units_of_their_interface() {
    let table = [(None, 5_000_000), (Some(9), 5_000_000_000), (Some(3), 5_000), (Some(0x80 | 10), 5_120)];
    for endianness in [Endianness::Big, Endianness::Little] {
        for (resolution, units) in table {
            let capture = read_pcapng(endianness, resolution, units);
            assert_eq!(contents(&capture), FRAMES);
            assert_eq!(capture.streams[0].frames[0].at, Duration::from_secs(5), "{resolution:?}");
        }
    }
}

#[test]
fn what_is_no_capture_is_refused_with_the_packet_it_fails_at() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let fault = || Capture::read(file.path(), None).unwrap_err().to_string();
    assert!(fault().contains("packet 1: "), "{}", fault());
    std::fs::write(file.path(), b"psid,name,billing_month,due_date\n").unwrap();
    assert!(fault().contains("wrong magic number"), "{}", fault());
    let missing = Capture::read(Path::new("/nowhere/at/all.pcap"), None).unwrap_err();
    assert!(missing.to_string().starts_with("/nowhere/at/all.pcap: "), "{missing}");
    let empty = read_plain(&[up(99, "s", b"")]).unwrap_err();
    assert!(empty.to_string().ends_with("no TCP connection that carries frames"), "{empty}");
}

#[test]
fn the_morning_has_three_links_and_all_its_messages() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/morning/requests.pcap"));
    let capture = Capture::read(path, Some(8583)).unwrap();
    let clients: Vec<String> = capture.streams.iter().map(|stream| stream.client.ip().to_string()).collect();
    assert_eq!(clients, ["10.0.1.1", "10.0.1.2", "10.0.1.3"]);
    assert_eq!(capture.in_order().len(), 3062);
    assert!(capture.streams.iter().all(|stream| stream.unfinished_bytes == 0));
    let error = Capture::read(path, Some(8584)).unwrap_err();
    assert!(error.to_string().ends_with("no TCP connection that carries frames to port 8584"), "{error}");
}

#[test]
fn both_ways_are_shown_with_their_headers_and_go_on_behind_a_loss() {
    let answer = packet(SERVER, CLIENT, 500, "a", b"\x00\x0a0210zzzzzz");
    let packets = [up(99, "s", b""), part(0..14), answer, part(20..26), part(26..44)];
    let ways = ways(&packets);
    let told: Vec<_> =
        ways.iter().map(|way| (way.from.port(), way.lost_before(), way.framed(Framing::default()))).collect();
    let (low, high) = ((SERVER.1, 0), (CLIENT.1, 0));
    let seen: Vec<_> = told.iter().map(|(port, lost, _)| (*port, *lost)).collect();
    assert_eq!(seen, [low, high, (CLIENT.1, 6)]);
    let frames = |at: usize| {
        let framed = told[at].2.as_ref().unwrap();
        let frames: Vec<_> = framed.frames.iter().map(|frame| (&*frame.bytes, frame.packet)).collect();
        (framed.skipped_bytes, frames)
    };
    assert_eq!(frames(0), (0, vec![(&b"\x00\x0a0210zzzzzz"[..], 3)]));
    assert_eq!(frames(1), (0, vec![(&WIRE[..14], 2)]));
    // Behind the loss: the rest of the second frame is passed over, the empty one too.
    assert_eq!(frames(2), (6, vec![(&WIRE[28..], 5)]));
}

#[test]
fn a_way_without_frames_is_shown_by_packet() {
    let ways = ways(&[up(99, "s", b""), up(100, "a", b"0200aaaaaa\xff"), up(111, "a", b"0200bbbb\xff")]);
    assert!(ways[0].framed(Framing::default()).is_none());
    let shares: Vec<_> = ways[0].shares().map(|share| (share.bytes, share.packet)).collect();
    let ended = ways[0].framed(Framing::parse("end FF").unwrap());
    assert!(ended.is_none(), "the second is shorter than any message");
    let whole = [(&b"0200aaaaaa\xff"[..], 2), (b"0200bbbb\xff", 3)];
    assert_eq!(shares, whole.map(|(bytes, packet)| (bytes.into(), packet)));
}

#[test]
fn what_a_tcp_packet_carries_is_found_in_it_and_in_nothing_else() {
    let packet = part(0..14);
    assert_eq!(tcp_payload(&packet), Some(&WIRE[..14]), "from the Ethernet header on");
    assert_eq!(tcp_payload(&packet[14..]), Some(&WIRE[..14]), "from the IP header on");
    let filled = [&up(1, "a", b"0200")[..], &[0; 2]].concat();
    assert_eq!(tcp_payload(&filled), Some(&b"0200"[..]), "a short frame filled up");
    assert_eq!(tcp_payload(&packet[..packet.len() - 1]), None, "cut");
    assert_eq!(tcp_payload(b"0200\x82\x20\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00"), None);
}
