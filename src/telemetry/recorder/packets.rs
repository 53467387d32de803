//! The packets of a TCP connection that could have carried the frames: handshake, data, farewell.

use std::net::{IpAddr, SocketAddr};

use etherparse::{PacketBuilder, PacketBuilderStep, TcpHeader};

use super::Direction;

/// Most bytes of data in a packet. Longer frames go in several.
const DATA_BYTES_MAX: usize = 16 * 1024;

/// One connection and what each end has sent so far.
pub(super) struct Conversation {
    client: End,
    server: End,
}

/// One end: its address and the sequence number of its next byte.
#[derive(Clone, Copy)]
struct End {
    address: SocketAddr,
    next: u32,
}

/// What a packet does beside acknowledging.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Flag {
    Syn,
    Push,
    Fin,
    Ack,
}

impl Conversation {
    /// A connection that has not been opened. `number` tells it from an earlier one of the same two ends.
    pub(super) fn new(number: u64, client: SocketAddr, server: SocketAddr) -> Self {
        // Any first number will do, as long as a port used again starts elsewhere.
        let [.., a, b, c, d] = number.wrapping_add(1).wrapping_mul(0x9e37_79b9).to_be_bytes();
        let first = u32::from_be_bytes([a, b, c, d]);
        Self {
            client: End { address: client, next: first },
            server: End { address: server, next: first.rotate_left(16) },
        }
    }

    /// SYN, SYN-ACK, ACK.
    pub(super) fn open(&mut self) -> Vec<Vec<u8>> {
        vec![
            self.packet(Direction::In, Flag::Syn, &[]),
            self.packet(Direction::Out, Flag::Syn, &[]),
            self.packet(Direction::In, Flag::Ack, &[]),
        ]
    }

    /// The packets that carry `data`.
    pub(super) fn data(&mut self, direction: Direction, data: &[u8]) -> Vec<Vec<u8>> {
        data.chunks(DATA_BYTES_MAX).map(|part| self.packet(direction, Flag::Push, part)).collect()
    }

    /// FIN from both ends.
    pub(super) fn close(&mut self) -> Vec<Vec<u8>> {
        vec![
            self.packet(Direction::In, Flag::Fin, &[]),
            self.packet(Direction::Out, Flag::Fin, &[]),
            self.packet(Direction::In, Flag::Ack, &[]),
        ]
    }

    fn packet(&mut self, direction: Direction, flag: Flag, data: &[u8]) -> Vec<u8> {
        let (from, to) = match direction {
            Direction::In => (&mut self.client, self.server),
            Direction::Out => (&mut self.server, self.client),
        };
        let opening = flag == Flag::Syn && direction == Direction::In;
        let mut build = headers(from, to);
        build = match flag {
            Flag::Syn => build.syn(),
            Flag::Push => build.psh(),
            Flag::Fin => build.fin(),
            Flag::Ack => build,
        };
        if !opening {
            build = build.ack(to.next);
        }
        // SYN and FIN take a number each, as if they were a byte.
        let len = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let taken = len.wrapping_add(u32::from(matches!(flag, Flag::Syn | Flag::Fin)));
        from.next = from.next.wrapping_add(taken);
        let mut bytes = Vec::with_capacity(build.size(data.len()));
        // A vector takes all that fits IP's 64 KB, and no packet here is longer than a quarter of that.
        let _ = build.write_to_vec(&mut bytes, data);
        bytes
    }
}

/// Ethernet, IP and TCP headers of a packet; the checksums follow when it is written.
fn headers(from: &End, to: End) -> PacketBuilderStep<TcpHeader> {
    /// Hops: of no meaning here.
    const TTL: u8 = 64;
    /// Room each end says it has.
    const WINDOW: u16 = u16::MAX;
    // Locally administered addresses, told apart by their last byte, which is of no meaning either.
    let ethernet = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let (source, target) = (from.address.ip().to_canonical(), to.address.ip().to_canonical());
    let ip = match (source, target) {
        (IpAddr::V4(source), IpAddr::V4(target)) => ethernet.ipv4(source.octets(), target.octets(), TTL),
        (source, target) => ethernet.ipv6(in_v6(source), in_v6(target), TTL),
    };
    ip.tcp(from.address.port(), to.address.port(), from.next, WINDOW)
}

/// An address's octets in IPv6.
fn in_v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}
