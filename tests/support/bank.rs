//! A bank: one connection of a link, and the messages it sends.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::LazyLock;

use billswitch::iso8583::{Dialect, Message, Mirror, Mti, Writer, decode, shipped};
use bytes::BytesMut;
use socket2::{Domain, Socket, Type};

use super::DEADLINE;
use super::bills::Bill;

/// The test card that slips are paid with.
pub(crate) const PAN: &str = "4242424242424242";
/// DE 7 of everything that is sent.
const TRANSMITTED: &str = "1120093000";
/// Requests of one connection that may wait for their answers.
const WINDOW: usize = 64;

static ONELINK: LazyLock<Dialect> = LazyLock::new(|| shipped::dialect("onelink").unwrap().unwrap());

/// The dialect of all links.
pub(crate) fn onelink() -> &'static Dialect {
    &ONELINK
}

/// A message of these fields, which come in ascending order.
pub(crate) fn message(mti: &str, fields: &[(u8, &[u8])]) -> Vec<u8> {
    let mut out = BytesMut::new();
    let mut writer = Writer::new(onelink(), Mti::new(mti.as_bytes()).unwrap(), &mut out);
    for (field, value) in fields {
        writer.put(*field, value).unwrap();
    }
    writer.finish().unwrap();
    out.to_vec()
}

/// A network message: sign-on 001, sign-off 002, echo 301.
pub(crate) fn network(code: &str) -> Vec<u8> {
    message("0800", &[(7, TRANSMITTED.as_bytes()), (11, b"999999"), (70, code.as_bytes())])
}

/// TLV as in DE 48 and 120: tag 2, length 3.
pub(crate) fn tlv(elements: &[(&str, &str)]) -> String {
    elements.iter().map(|(tag, value)| format!("{tag}{:03}{value}", value.len())).collect()
}

/// One payment that a bank is to make, or has made.
#[derive(Clone, Debug)]
pub(crate) struct Slip {
    pub(crate) bill: Bill,
    /// Makes its STAN and RRN; below 500,000.
    pub(crate) number: u32,
}

impl Slip {
    /// DE 37.
    pub(crate) fn rrn(&self) -> String {
        format!("63{:010}", self.number)
    }

    fn request(&self, mti: &str, code: &str) -> Vec<u8> {
        let (stan, amount) = (format!("{:06}", self.number), format!("{:012}", self.bill.amount));
        let details = tlv(&[("BI", self.bill.biller), ("CN", &self.bill.psid), ("CH", "6011")]);
        let mut fields: Vec<(u8, &[u8])> = vec![
            (2, PAN.as_bytes()),
            (3, code.as_bytes()),
            (4, amount.as_bytes()),
            (7, TRANSMITTED.as_bytes()),
            (11, stan.as_bytes()),
            (12, b"093000"),
            (13, b"1120"),
            (18, b"6011"),
            (32, b"00000002711"),
        ];
        let rrn = self.rrn();
        fields.extend([(37, rrn.as_bytes()), (41, b"KHBATM01"), (48, details.as_bytes()), (49, b"586")]);
        message(mti, &fields)
    }

    /// 0200 that asks what is due.
    pub(crate) fn inquiry(&self) -> Vec<u8> {
        self.request("0200", "380000")
    }

    /// 0200 that pays.
    pub(crate) fn payment(&self) -> Vec<u8> {
        self.request("0200", "500000")
    }

    /// 0201 of the payment.
    pub(crate) fn repeat(&self) -> Vec<u8> {
        self.request("0201", "500000")
    }

    /// 0220: it was made without asking.
    pub(crate) fn advice(&self) -> Vec<u8> {
        self.request("0220", "500000")
    }

    /// 0420 of the payment, or 0421.
    pub(crate) fn reversal(&self, mti: &str) -> Vec<u8> {
        let (stan, amount) = (format!("{:06}", self.number + 500_000), format!("{:012}", self.bill.amount));
        let (rrn, blanks) = (self.rrn(), " ".repeat(6));
        let original = format!("0200{:06}{blanks}{TRANSMITTED}{blanks}{TRANSMITTED}", self.number);
        message(
            mti,
            &[
                (2, PAN.as_bytes()),
                (3, b"500000"),
                (4, amount.as_bytes()),
                (7, TRANSMITTED.as_bytes()),
                (11, stan.as_bytes()),
                (32, b"00000002711"),
                (37, rrn.as_bytes()),
                (41, b"KHBATM01"),
                (49, b"586"),
                (90, original.as_bytes()),
            ],
        )
    }
}

/// A message as it came in: MTI first.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Frame(pub(crate) Vec<u8>);

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&String::from_utf8_lossy(&self.0))
    }
}

impl Frame {
    /// Does something with it decoded.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Message<'_, '_>) -> T) -> T {
        let mut mirror = Mirror::new();
        let decoded = decode(onelink(), &self.0, &mut mirror);
        assert!(decoded.fault.is_none(), "{:?} in {self:?}", decoded.fault);
        read(&decoded.message)
    }

    /// What stands at a path such as `39` or `120.RN`; empty if nothing does.
    pub(crate) fn at(&self, path: &str) -> String {
        let path = onelink().path(path).unwrap();
        self.read(|message| String::from_utf8_lossy(message.get(&path).unwrap_or_default()).into_owned())
    }

    /// DE 39.
    pub(crate) fn code(&self) -> String {
        self.at("39")
    }

    /// Message type.
    pub(crate) fn mti(&self) -> &[u8] {
        &self.0[..4]
    }

    /// What the heads of account in DE 120 sum to.
    pub(crate) fn heads_sum(&self) -> u64 {
        self.read(|message| {
            let heads = message.elements(120).filter(|(tag, _)| *tag == b"FH");
            let amount = |head: &[u8]| {
                let head = std::str::from_utf8(head).unwrap();
                head.split_once('=').unwrap().1.parse::<u64>().unwrap()
            };
            heads.map(|(_, head)| amount(head)).sum()
        })
    }
}

/// One connection of a link.
pub(crate) struct Bank {
    stream: TcpStream,
}

impl Bank {
    /// Connects from 127.0.1.`link`.
    pub(crate) fn connect(to: SocketAddr, link: u8) -> std::io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 1, link), 0)).into())?;
        socket.connect(&to.into())?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        Ok(Self { stream })
    }

    /// Connects and signs on.
    pub(crate) fn signed_on(to: SocketAddr, link: u8) -> Self {
        let mut bank = Self::connect(to, link).unwrap();
        assert_eq!(bank.ask(&network("001")).code(), "00");
        bank
    }

    /// One half to receive with and one to send with.
    pub(crate) fn split(self) -> (Self, Self) {
        let stream = self.stream.try_clone().unwrap();
        (self, Self { stream })
    }

    /// Sends a frame.
    pub(crate) fn send(&mut self, frame: &[u8]) -> std::io::Result<()> {
        let length = u16::try_from(frame.len()).unwrap().to_be_bytes();
        self.stream.write_all(&[&length, frame].concat())
    }

    /// The next frame; an error also at the end of the connection.
    pub(crate) fn receive(&mut self) -> std::io::Result<Frame> {
        let mut length = [0; 2];
        self.stream.read_exact(&mut length)?;
        let mut frame = vec![0; u16::from_be_bytes(length).into()];
        self.stream.read_exact(&mut frame)?;
        Ok(Frame(frame))
    }

    /// Sends a frame and waits for the next.
    pub(crate) fn ask(&mut self, frame: &[u8]) -> Frame {
        self.send(frame).unwrap();
        self.receive().unwrap()
    }

    /// Sends many frames of different STANs, and gives their answers in the same order.
    pub(crate) fn ask_all(&mut self, frames: &[Vec<u8>]) -> Vec<Frame> {
        let stan = |frame: &[u8]| Frame(frame.to_vec()).at("11");
        let places: HashMap<String, usize> =
            frames.iter().enumerate().map(|(place, frame)| (stan(frame), place)).collect();
        assert_eq!(places.len(), frames.len(), "STANs must differ");
        let mut answers = vec![None; frames.len()];
        let (mut sent, mut answered) = (0, 0);
        while answered < frames.len() {
            while sent < frames.len() && sent - answered < WINDOW {
                self.send(&frames[sent]).unwrap();
                sent += 1;
            }
            let answer = self.receive().unwrap();
            let place = &mut answers[places[&answer.at("11")]];
            assert!(place.replace(answer).is_none(), "two answers to one request");
            answered += 1;
        }
        answers.into_iter().flatten().collect()
    }
}
