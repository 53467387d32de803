//! The answers in a recording, as the switch's own decoder reads them.

use std::fs::File;
use std::path::Path;

use billswitch::iso8583::{Dialect, Mirror, decode};
use etherparse::{SlicedPacket, TransportSlice};
use pcap_file::pcap::{PcapPacket, PcapReader, PcapWriter};

/// What both decoders are asked of an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Answer {
    /// Packet of the capture, counted from 1.
    pub(crate) packet: u64,
    pub(crate) mti: String,
    pub(crate) amount: String,
    pub(crate) stan: String,
    pub(crate) response_code: String,
}

/// Answers, and which of them hold blanks in DE 90.
pub(crate) struct Answers {
    pub(crate) all: Vec<Answer>,
    pub(crate) blank_originals: Vec<u64>,
}

impl Answers {
    /// Reads what was sent from `port`.
    pub(crate) fn read(capture: &Path, port: u16, dialect: &Dialect) -> Self {
        let mut answers = Self { all: Vec::new(), blank_originals: Vec::new() };
        for_each_answer(capture, port, |packet, frame| {
            let mut mirror = Mirror::new();
            let decoded = decode(dialect, frame, &mut mirror);
            assert_eq!(decoded.fault, None, "packet {packet}");
            let text =
                |field| String::from_utf8(decoded.message.field(field).unwrap_or_default().to_vec()).unwrap();
            answers.all.push(Answer {
                packet,
                mti: decoded.message.mti().to_string(),
                amount: text(4),
                stan: text(11),
                response_code: text(39),
            });
            if text(90).contains(' ') {
                answers.blank_originals.push(packet);
            }
        });
        answers
    }
}

/// Copies a capture, with zeros for the blanks that this link has in DE 90 of an answer and the standard has not.
pub(crate) fn without_blanks(capture: &Path, copy: &Path, port: u16, dialect: &Dialect) {
    let mut reader = PcapReader::new(File::open(capture).unwrap()).unwrap();
    let mut writer = PcapWriter::with_header(File::create(copy).unwrap(), reader.header()).unwrap();
    while let Some(packet) = reader.next_packet() {
        let packet = packet.unwrap();
        let mut data = packet.data.to_vec();
        if let Some(payload) = answer_in(&data, port) {
            let frame = payload + 2;
            let mut mirror = Mirror::new();
            let decoded = decode(dialect, &data[frame..], &mut mirror);
            let place = decoded.message.offset(90).map(|offset| frame + offset..frame + offset + 42);
            for byte in place.into_iter().flatten() {
                if data[byte] == b' ' {
                    data[byte] = b'0';
                }
            }
        }
        writer.write_packet(&PcapPacket::new_owned(packet.timestamp, packet.orig_len, data)).unwrap();
    }
}

fn for_each_answer(capture: &Path, port: u16, mut take: impl FnMut(u64, &[u8])) {
    let mut reader = PcapReader::new(File::open(capture).unwrap()).unwrap();
    let mut number = 0;
    while let Some(packet) = reader.next_packet() {
        number += 1;
        let packet = packet.unwrap();
        if let Some(payload) = answer_in(&packet.data, port) {
            let (header, frame) = packet.data[payload..].split_at(2);
            let length = usize::from(u16::from_be_bytes([header[0], header[1]]));
            assert_eq!(length, frame.len(), "packet {number}: an answer a packet");
            take(number, frame);
        }
    }
}

/// Where the data of a packet begin, if it carries any from `port`.
fn answer_in(packet: &[u8], port: u16) -> Option<usize> {
    let sliced = SlicedPacket::from_ethernet(packet).unwrap();
    let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { panic!("not TCP") };
    let len = tcp.payload().len();
    (tcp.source_port() == port && len > 0).then(|| packet.len() - len)
}
