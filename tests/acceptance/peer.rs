//! An acquirer's host: onelink messages over TCP.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::LazyLock;

use billswitch::iso8583::{Dialect, Framing, Mirror, Mti, Writer, decode, shipped};
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::site::{BOOK, PATIENCE};

/// The addresses by which the links are told apart.
pub const ATMNET: &str = "127.0.1.1";
pub const NORTHBANK: &str = "127.0.1.2";

static ONELINK: LazyLock<Dialect> = LazyLock::new(|| shipped::dialect("onelink").unwrap().unwrap());

/// A message to be sent, field by field.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub mti: &'static str,
    fields: BTreeMap<u8, String>,
}

/// An answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Incoming {
    pub mti: String,
    pub fields: BTreeMap<u8, String>,
}

impl Outgoing {
    fn new<const N: usize>(mti: &'static str, fields: [(u8, &str); N]) -> Self {
        Self { mti, fields: fields.into_iter().map(|(field, value)| (field, value.to_owned())).collect() }
    }

    pub fn network(code: &str) -> Self {
        Self::new("0800", [(7, "1120090000"), (11, "000001"), (12, "090000"), (13, "1120"), (70, code)])
    }

    pub fn totals(mti: &'static str) -> Self {
        Self::new(mti, [(7, "1120235900"), (11, "000900"), (50, "586")])
    }

    fn request(processing_code: &str, stan: u32, biller: &str, psid: &str, amount: u64) -> Self {
        let bill = format!("BI{:03}{biller}CN{:03}{psid}CH0046011", biller.len(), psid.len());
        let message = Self::new(
            "0200",
            [(2, "4000000000000002"), (3, processing_code), (7, "1120090500"), (12, "090500"), (13, "1120")],
        );
        message
            .with(4, &format!("{amount:012}"))
            .with(11, &format!("{stan:06}"))
            .with(32, "06033733")
            .with(37, &format!("{stan:012}"))
            .with(41, "LATM0001")
            .with(48, &bill)
            .with(49, "586")
    }

    pub fn inquiry(stan: u32, psid: &str) -> Self {
        Self::request("380000", stan, BOOK, psid, 0)
    }

    pub fn inquiry_at(biller: &str, stan: u32, psid: &str) -> Self {
        Self::request("380000", stan, biller, psid, 0)
    }

    pub fn payment(stan: u32, psid: &str, amount: u64) -> Self {
        Self::request("500000", stan, BOOK, psid, amount)
    }

    pub fn payment_at(biller: &str, stan: u32, psid: &str, amount: u64) -> Self {
        Self::request("500000", stan, biller, psid, amount)
    }

    /// The reversal of a payment, with trace number `stan`.
    pub fn reversal_of(payment: &Self, stan: u32) -> Self {
        let original = |field| payment.fields[&field].as_str();
        let (trace, at) = (original(11), original(7));
        let mut reversal = payment.clone().with_mti("0420");
        reversal.fields.remove(&49);
        reversal
            .with(90, &format!("0200{trace}      {at}      {at}"))
            .with(7, "1120090600")
            .with(11, &format!("{stan:06}"))
    }

    #[must_use]
    pub fn with(mut self, field: u8, value: &str) -> Self {
        self.fields.insert(field, value.to_owned());
        self
    }

    #[must_use]
    pub fn without(mut self, field: u8) -> Self {
        self.fields.remove(&field);
        self
    }

    #[must_use]
    pub fn with_mti(mut self, mti: &'static str) -> Self {
        self.mti = mti;
        self
    }

    /// Its last field.
    pub fn highest(&self) -> u8 {
        self.fields.keys().next_back().copied().unwrap_or(0)
    }

    /// The message without its length header.
    pub fn bytes(&self) -> Bytes {
        let mut out = BytesMut::new();
        let mut writer = Writer::new(&ONELINK, Mti::new(self.mti.as_bytes()).unwrap(), &mut out);
        for (field, value) in &self.fields {
            writer.put(*field, value.as_bytes()).unwrap();
        }
        writer.finish().unwrap();
        out.freeze()
    }
}

impl Incoming {
    pub fn read(frame: &[u8]) -> Self {
        let mut mirror = Mirror::new();
        let decoded = decode(&ONELINK, frame, &mut mirror);
        assert_eq!(decoded.fault, None, "an answer of ours is sound");
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        Self {
            mti: decoded.message.mti().to_string(),
            fields: decoded.message.fields().map(|(field, value)| (field, text(value))).collect(),
        }
    }

    /// DE 39.
    pub fn code(&self) -> &str {
        &self.fields[&39]
    }

    pub fn field(&self, field: u8) -> &str {
        self.fields.get(&field).map_or("", String::as_str)
    }

    /// All DE 120 elements with this tag.
    pub fn facts(&self, tag: &str) -> Vec<String> {
        let mut rest = self.field(120);
        let mut found = Vec::new();
        while !rest.is_empty() {
            let (this, len) = (&rest[..2], rest[2..5].parse::<usize>().unwrap());
            if this == tag {
                found.push(rest[5..5 + len].to_owned());
            }
            rest = &rest[5 + len..];
        }
        found
    }

    pub fn fact(&self, tag: &str) -> String {
        self.facts(tag).into_iter().next().unwrap_or_default()
    }
}

pub struct Peer {
    stream: TcpStream,
}

impl Peer {
    /// Connects from an address, which tells the switch whose connection it is.
    pub async fn connect(to: SocketAddr, from: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
        Self { stream: timeout(PATIENCE, socket.connect(to)).await.unwrap().unwrap() }
    }

    pub async fn signed_on(to: SocketAddr, from: &str) -> Self {
        let mut peer = Self::connect(to, from).await;
        assert_eq!(peer.ask(&Outgoing::network("001")).await.code(), "00");
        peer
    }

    pub async fn send(&mut self, message: &Outgoing) {
        self.send_frame(&message.bytes()).await;
    }

    pub async fn send_frame(&mut self, frame: &[u8]) {
        let length = u16::try_from(frame.len()).unwrap().to_be_bytes();
        self.send_bytes(&[&length, frame].concat()).await;
    }

    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        timeout(PATIENCE, self.stream.write_all(bytes)).await.unwrap().unwrap();
    }

    pub async fn receive(&mut self) -> Incoming {
        let mut frame = Vec::new();
        let receive = async {
            let length = self.stream.read_u16().await?;
            frame.resize(usize::from(length), 0);
            self.stream.read_exact(&mut frame).await
        };
        timeout(PATIENCE, receive).await.expect("an answer is due").unwrap();
        Incoming::read(&frame)
    }

    /// The message of the next frame, which begins with what `head` says of its length and ends with `tail`.
    pub async fn receive_framed(&mut self, head: fn(usize) -> Vec<u8>, tail: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        let around = head(0).len() + tail.len();
        let receive = async {
            // No length of ours is read by what wrote it: bytes are taken until they are a frame.
            while wire.len() <= around
                || !wire.starts_with(&head(wire.len() - around))
                || !wire.ends_with(tail)
            {
                wire.push(self.stream.read_u8().await.unwrap());
            }
        };
        timeout(PATIENCE, receive).await.expect("an answer is due");
        wire[head(0).len()..wire.len() - tail.len()].to_vec()
    }

    /// The message of the next frame.
    pub async fn receive_in(&mut self, framing: Framing) -> Vec<u8> {
        let mut wire = Vec::new();
        let receive = async {
            loop {
                if let Some(frame) = framing.next(&wire, 9999).unwrap() {
                    assert_eq!(frame.consumed, wire.len(), "one answer, and nothing behind it");
                    return wire[frame.start..frame.end].to_vec();
                }
                wire.push(self.stream.read_u8().await.unwrap());
            }
        };
        timeout(PATIENCE, receive).await.expect("an answer is due")
    }

    pub async fn ask(&mut self, message: &Outgoing) -> Incoming {
        self.send(message).await;
        self.receive().await
    }

    /// Waits for the switch to close the connection, with nothing more said.
    pub async fn closed(&mut self) {
        let mut one = [0_u8; 1];
        let read =
            timeout(PATIENCE, self.stream.read(&mut one)).await.expect("the end of the connection is due");
        assert!(matches!(read, Ok(0) | Err(_)), "closed, not answered");
    }
}
