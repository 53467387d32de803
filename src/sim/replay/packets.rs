//! Capture files to TCP segments: classic pcap and pcapng, and the link types that carry IP.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice};
use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::{Block, PcapNgReader};
use pcap_file::{DataLink, Endianness, PcapError, TsResolution};

use super::capture::CaptureError;

/// What one packet of the file says about one TCP connection. No `Debug`: its payload holds card data.
pub(super) struct Segment {
    /// Which packet of the file this is, counted from 1 as Wireshark does.
    pub(super) packet: u64,
    /// Capture time since 1970.
    pub(super) at: Duration,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    /// Sequence number of the segment's first byte (of the SYN itself, if it is one).
    pub(super) sequence: u32,
    pub(super) syn: bool,
    pub(super) ack: bool,
    pub(super) payload: Bytes,
}

/// pcapng files begin with a section header block.
const PCAPNG_MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// The TCP segments of the capture file at `path`, in its order. Packets that are not TCP are passed over.
pub(super) fn segments(path: &Path) -> Result<Vec<Segment>, CaptureError> {
    let io = |source| CaptureError::Io { path: path.to_owned(), source };
    segments_of(path, BufReader::new(File::open(path).map_err(io)?))
}

/// As [`segments`], of a capture that is no file; `path` only stands in errors.
pub(super) fn segments_of(path: &Path, mut file: impl Read + Seek) -> Result<Vec<Segment>, CaptureError> {
    let io = |source| CaptureError::Io { path: path.to_owned(), source };
    let mut magic = [0; 4];
    let is_pcapng = match file.read_exact(&mut magic) {
        Ok(()) => magic == PCAPNG_MAGIC,
        Err(source) if source.kind() == std::io::ErrorKind::UnexpectedEof => false,
        Err(source) => return Err(io(source)),
    };
    file.rewind().map_err(io)?;
    let mut sink = Sink { path, packet: 0, segments: Vec::new() };
    let end = if is_pcapng { read_pcapng(file, &mut sink) } else { read_pcap(file, &mut sink) };
    match end {
        Ok(()) => Ok(sink.segments),
        Err(Stop::File(source)) => {
            Err(CaptureError::File { path: path.to_owned(), packet: sink.packet.saturating_add(1), source })
        }
        Err(Stop::Capture(error)) => Err(error),
    }
}

/// Why reading ended early.
enum Stop {
    File(PcapError),
    Capture(CaptureError),
}

impl From<PcapError> for Stop {
    fn from(error: PcapError) -> Self {
        Self::File(error)
    }
}

fn read_pcap(read: impl Read, sink: &mut Sink<'_>) -> Result<(), Stop> {
    let mut reader = PcapReader::new(read)?;
    let header = reader.header();
    // The raw packet, because the crate refuses any that the capture cut short of its length on the wire.
    while let Some(packet) = reader.next_raw_packet() {
        let packet = packet?;
        let fraction = u64::from(packet.ts_frac);
        let within = match header.ts_resolution {
            TsResolution::MicroSecond => Duration::from_micros(fraction),
            TsResolution::NanoSecond => Duration::from_nanos(fraction),
        };
        let at = Duration::from_secs(u64::from(packet.ts_sec)).saturating_add(within);
        sink.packet(header.datalink, at, &packet.data)?;
    }
    Ok(())
}

fn read_pcapng(read: impl Read, sink: &mut Sink<'_>) -> Result<(), Stop> {
    let mut reader = PcapNgReader::new(read)?;
    // What the blocks refer to by number; a new section starts counting afresh.
    let mut interfaces: Vec<Interface> = Vec::new();
    let mut endianness = reader.section().endianness;
    let mut at = Duration::ZERO;
    while let Some(block) = reader.next_block() {
        match block? {
            Block::SectionHeader(section) => {
                interfaces.clear();
                endianness = section.endianness;
            }
            Block::InterfaceDescription(block) => interfaces.push(Interface::new(&block)),
            Block::EnhancedPacket(block) => {
                let interface = interface(&interfaces, block.interface_id)?;
                at = interface.time(u64::try_from(block.timestamp.as_nanos()).unwrap_or(u64::MAX));
                sink.packet(interface.link, at, &block.data)?;
            }
            Block::Packet(block) => {
                let interface = interface(&interfaces, u32::from(block.interface_id))?;
                // The high word stands first in either byte order; the crate reads both words as one number.
                at = interface.time(match endianness {
                    Endianness::Big => block.timestamp,
                    Endianness::Little => block.timestamp.rotate_left(32),
                });
                sink.packet(interface.link, at, &block.data)?;
            }
            // Carries no time of its own: it is as late as the packet before it.
            Block::SimplePacket(block) => {
                let interface = interface(&interfaces, 0)?;
                let len = usize::try_from(block.original_len).unwrap_or(usize::MAX);
                let data = block.data.get(..len).unwrap_or(&block.data);
                sink.packet(interface.link, at, data)?;
            }
            Block::NameResolution(_)
            | Block::InterfaceStatistics(_)
            | Block::SystemdJournalExport(_)
            | Block::Unknown(_) => {}
        }
    }
    Ok(())
}

fn interface(interfaces: &[Interface], id: u32) -> Result<&Interface, PcapError> {
    let found = usize::try_from(id).ok().and_then(|id| interfaces.get(id));
    found.ok_or(PcapError::InvalidInterfaceId(id))
}

/// A capture interface of a pcapng section.
struct Interface {
    link: DataLink,
    /// Timestamp units a second.
    units_per_s: u64,
    /// Seconds to add to every timestamp.
    offset_s: u64,
}

impl Interface {
    fn new(block: &InterfaceDescriptionBlock<'_>) -> Self {
        let (mut resolution, mut offset_s) = (6, 0);
        for option in &block.options {
            if let InterfaceDescriptionOption::IfTsResol(value) = option {
                resolution = *value;
            }
            if let InterfaceDescriptionOption::IfTsOffset(value) = option {
                offset_s = *value;
            }
        }
        // The high bit tells a power of two from a power of ten.
        let power = u32::from(resolution & 0x7f);
        let base: u64 = if resolution & 0x80 == 0 { 10 } else { 2 };
        Self { link: block.linktype, units_per_s: base.checked_pow(power).unwrap_or(u64::MAX), offset_s }
    }

    /// A timestamp of this interface as time since 1970. The crate takes all of them for nanoseconds.
    fn time(&self, units: u64) -> Duration {
        let per_s = u128::from(self.units_per_s.max(1));
        let nanos = u128::from(units).saturating_mul(1_000_000_000).checked_div(per_s).unwrap_or(0);
        let nanos = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        Duration::from_secs(self.offset_s).saturating_add(nanos)
    }
}

/// Collects the segments of a file.
struct Sink<'a> {
    path: &'a Path,
    packet: u64,
    segments: Vec<Segment>,
}

impl Sink<'_> {
    fn packet(&mut self, link: DataLink, at: Duration, data: &[u8]) -> Result<(), Stop> {
        self.packet = self.packet.saturating_add(1);
        let Some(ip) = ip_of(link, data) else {
            let error = CaptureError::LinkType { path: self.path.to_owned(), link: link.into() };
            return Err(Stop::Capture(error));
        };
        if let Some(segment) = ip.and_then(|ip| segment(self.packet, at, &ip)) {
            self.segments.push(segment);
        }
        Ok(())
    }
}

/// The packet below its link header: `None` for a link type that is not known here, `Some(None)` for a packet
/// that is cut before its addresses. Lax slicing keeps what a capture's snap length left of a packet, so that the
/// loss shows where it is, in the stream.
fn ip_of(link: DataLink, data: &[u8]) -> Option<Option<LaxSlicedPacket<'_>>> {
    let typed = |at: usize, skip: usize| {
        let ether_type = data.get(at..)?.first_chunk().copied().map(u16::from_be_bytes)?;
        Some(LaxSlicedPacket::from_ether_type(EtherType(ether_type), data.get(skip..)?))
    };
    match u32::from(link) {
        1 => Some(LaxSlicedPacket::from_ethernet(data).ok()),
        // Raw IP: 12 and 14 are what some BSDs write for 101.
        12 | 14 | 101 | 228 | 229 => Some(LaxSlicedPacket::from_ip(data).ok()),
        // BSD loopback: four bytes of address family.
        0 | 108 => Some(data.get(4..).and_then(|ip| LaxSlicedPacket::from_ip(ip).ok())),
        // Linux cooked, versions 1 and 2: the ether type stands at the header's end or at its beginning.
        113 => Some(typed(14, 16)),
        276 => Some(typed(0, 20)),
        _ => None,
    }
}

fn segment(packet: u64, at: Duration, sliced: &LaxSlicedPacket<'_>) -> Option<Segment> {
    let (from, to): (IpAddr, IpAddr) = match sliced.net.as_ref()? {
        LaxNetSlice::Ipv4(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        LaxNetSlice::Ipv6(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        LaxNetSlice::Arp(_) => return None,
    };
    let Some(TransportSlice::Tcp(tcp)) = &sliced.transport else {
        return None;
    };
    Some(Segment {
        packet,
        at,
        from: SocketAddr::new(from, tcp.source_port()),
        to: SocketAddr::new(to, tcp.destination_port()),
        sequence: tcp.sequence_number(),
        syn: tcp.syn(),
        ack: tcp.ack(),
        payload: Bytes::copy_from_slice(tcp.payload()),
    })
}
