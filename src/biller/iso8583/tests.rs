//! A host on the other end of the wire, and what comes of orders to it.

mod broken;
mod garbage;
mod leaving;
mod paid;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::*;
use crate::bounds::{HostBounds, LinkBounds};
use crate::clock::UnixMillis;
use crate::ids::{KeyParts, PaymentKey};
use crate::iso8583::{Framing, Mirror, Mti, Writer, decode, shipped as dialects};
use crate::money::MinorUnits;
use crate::profile::{Own, Profile, shipped};
use crate::switch::{BillRef, Payment, State};

const PATIENCE: Duration = Duration::from_secs(20);

fn profile() -> Arc<Profile> {
    let find = |name: &str| Ok(Arc::new(dialects::dialect(name).unwrap().unwrap()));
    Arc::new(Profile::parse("onelink", "onelink", shipped::profile_text("onelink").unwrap(), &find).unwrap())
}

fn payment(trace: u64) -> Payment {
    let parts =
        KeyParts { stan: b"000001", rrn: b"627271632409", terminal: b"LATM0001", ..KeyParts::default() };
    Payment {
        link: "atmnet".parse().unwrap(),
        channel: "6011".parse().unwrap(),
        state: State::Sent,
        taken_in: UnixMillis(1_795_165_507_000),
        trace,
        ..Payment::new(
            PaymentKey::new(&parts),
            BillRef { biller: "KPGAS".parse().unwrap(), consumer: "7001".into() },
            MinorUnits::new(1000).unwrap(),
            "2026-11-20".parse().unwrap(),
        )
    }
}

fn post(trace: u64) -> Order {
    Order::Post { payment: Box::new(payment(trace)), again: false }
}

/// An adapter, and the port that its host listens on.
struct Site {
    listener: TcpListener,
    adapter: Iso8583,
    replies: mpsc::UnboundedReceiver<(LegId, Outcome)>,
    late: mpsc::UnboundedReceiver<(LegId, Outcome)>,
    reach: mpsc::UnboundedReceiver<bool>,
    reply: Reply,
    stop: watch::Sender<bool>,
}

/// Milliseconds that differ from test to test.
struct Times {
    reply: u64,
    echo: Option<u64>,
}

const TIMES: Times = Times { reply: 20_000, echo: None };

impl Site {
    async fn open(times: Times) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (stop, stopped) = watch::channel(false);
        let channel = || {
            let (sender, receiver) = mpsc::unbounded_channel();
            let reply: Reply = Arc::new(move |leg, outcome| drop(sender.send((leg, outcome))));
            (reply, receiver)
        };
        let ((reply, replies), (late_reply, late)) = (channel(), channel());
        let ms = Duration::from_millis;
        let link = LinkBounds {
            frame_bytes_max: 4096,
            frame_timeout: ms(5000),
            write_timeout: ms(5000),
            idle_echo: times.echo.map(ms),
            echo_timeout: ms(times.echo.unwrap_or(5000)),
            idle_timeout: ms(600_000),
            in_flight_max: 1024,
            unanswerable_max: 10,
            connections_max: 1,
        };
        let bounds = HostBounds {
            link,
            connections: 1,
            queue_max: 64,
            connect_timeout: ms(5000),
            sign_on_timeout: ms(5000),
            reconnect: (ms(5), ms(20)),
        };
        let own = [("acquirer", "27"), ("terminal", "SWITCH01")];
        let settings = HostSettings {
            name: "gas".to_owned(),
            address: listener.local_addr().unwrap().to_string(),
            source: None,
            profile: profile(),
            framing: Framing::default(),
            own: own.into_iter().map(|(name, own)| (name.to_owned(), own.to_owned())).collect::<Own>(),
            keys: None,
            zone: jiff::tz::TimeZone::UTC,
            bounds,
            late: late_reply,
            unasked: Arc::new(|_| ()),
            stop: stopped,
        };
        let host = Host::start(settings, &tokio::runtime::Handle::current());
        let (told, reach) = mpsc::unbounded_channel();
        host.on_reach(Arc::new(move |up| {
            let _ = told.send(up);
        }));
        let department = Department {
            product: "KPGAS".to_owned(),
            currency: "586".to_owned(),
            reply_timeout_ms: times.reply,
        };
        Self { listener, adapter: Iso8583::new(host, department), replies, late, reach, reply, stop }
    }

    /// The next connection, signed on.
    async fn signed_on(&mut self) -> Peer {
        let mut peer = self.accept().await;
        let sign_on = peer.frame().await;
        assert_eq!(sign_on.get(70), "001");
        peer.answer(&sign_on, "00", &[]).await;
        while !timeout(PATIENCE, self.reach.recv()).await.unwrap().unwrap() {}
        peer
    }

    async fn accept(&self) -> Peer {
        let (stream, _): (TcpStream, SocketAddr) =
            timeout(PATIENCE, self.listener.accept()).await.unwrap().unwrap();
        Peer { stream, read: BytesMut::new() }
    }

    fn submit(&self, leg: u64, order: Order) {
        self.adapter.submit(LegId(leg), order, Arc::clone(&self.reply));
    }

    async fn outcome(&mut self) -> (u64, Outcome) {
        let (leg, outcome) =
            timeout(PATIENCE, self.replies.recv()).await.expect("an outcome is due").unwrap();
        (leg.0, outcome)
    }
}

/// The host's end of a connection.
struct Peer {
    stream: TcpStream,
    read: BytesMut,
}

/// A frame that came.
struct Frame(Vec<u8>);

impl Frame {
    fn get(&self, field: u8) -> String {
        let mut mirror = Mirror::new();
        let profile = profile();
        let decoded = decode(profile.dialect(), &self.0, &mut mirror);
        assert_eq!(decoded.fault, None);
        String::from_utf8(decoded.message.field(field).unwrap_or_default().to_vec()).unwrap()
    }

    fn mti(&self) -> &str {
        std::str::from_utf8(&self.0[..4]).unwrap()
    }
}

impl Peer {
    async fn frame(&mut self) -> Frame {
        loop {
            if let Some(frame) = Framing::default().next(&self.read, 9999).unwrap() {
                let message = self.read[frame.start..frame.end].to_vec();
                self.read.advance(frame.consumed);
                return Frame(message);
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.read))
                .await
                .expect("a frame is due")
                .unwrap();
            assert!(read > 0, "the connection ended");
        }
    }

    /// Answers a frame: what is found by it, a code, and what is put in other fields.
    async fn answer(&mut self, asked: &Frame, code: &str, other: &[(u8, &str)]) {
        self.stream.write_all(&Self::answer_bytes(asked, code, other)).await.unwrap();
    }

    fn answer_bytes(asked: &Frame, code: &str, other: &[(u8, &str)]) -> BytesMut {
        let profile = profile();
        let mti = Mti::new(asked.mti().as_bytes()).unwrap().to_response().unwrap();
        let mut fields: std::collections::BTreeMap<u8, String> = std::collections::BTreeMap::new();
        for field in [4, 7, 11, 32, 37, 41, 70] {
            let value = asked.get(field);
            if !value.is_empty() {
                fields.insert(field, value);
            }
        }
        fields.insert(39, code.to_owned());
        for (field, value) in other {
            fields.insert(*field, (*value).to_owned());
        }
        let mut out = BytesMut::new();
        let start = Framing::default().open(&mut out);
        let mut writer = Writer::new(profile.dialect(), mti, &mut out);
        for (field, value) in fields {
            writer.put(field, value.as_bytes()).unwrap();
        }
        writer.finish().unwrap();
        Framing::default().close(&mut out, start).unwrap();
        out
    }

    /// Asks the switch something, and gives what is said next.
    async fn asks(&mut self, code: &str) -> Frame {
        let (mut out, profile) = (BytesMut::new(), profile());
        let start = Framing::default().open(&mut out);
        let mut writer = Writer::new(profile.dialect(), Mti::new(b"0800").unwrap(), &mut out);
        for (field, value) in [(7, "1120090507"), (11, "000009"), (70, code)] {
            writer.put(field, value.as_bytes()).unwrap();
        }
        writer.finish().unwrap();
        Framing::default().close(&mut out, start).unwrap();
        self.stream.write_all(&out).await.unwrap();
        self.frame().await
    }

    async fn ended(&mut self) {
        while timeout(PATIENCE, self.stream.read_buf(&mut self.read))
            .await
            .expect("the end is due")
            .unwrap_or(0)
            > 0
        {}
    }
}

#[tokio::test]
async fn an_order_that_finds_no_signed_on_connection_was_not_sent() {
    let mut site = Site::open(TIMES).await;
    site.submit(1, post(1));
    assert!(matches!(site.outcome().await, (1, Outcome::NotSent)), "not connected");
    let mut peer = site.accept().await;
    let sign_on = peer.frame().await;
    site.submit(2, post(2));
    assert!(matches!(site.outcome().await, (2, Outcome::NotSent)), "not signed on");
    peer.answer(&sign_on, "91", &[]).await;
    peer.ended().await;
    site.submit(3, post(3));
    assert!(matches!(site.outcome().await, (3, Outcome::NotSent)), "refused");
    let mut peer = site.signed_on().await;
    site.submit(4, post(4));
    assert_eq!(peer.frame().await.mti(), "0200");
}

#[tokio::test]
async fn answers_find_their_orders_in_whatever_order_they_come() {
    let mut site = Site::open(TIMES).await;
    let mut peer = site.signed_on().await;
    site.submit(1, post(1));
    site.submit(2, Order::LookUp(BillRef { biller: "KPGAS".parse().unwrap(), consumer: "7001".into() }));
    site.submit(3, post(3));
    let frames = [peer.frame().await, peer.frame().await, peer.frame().await];
    peer.answer(&frames[2], "00", &[(38, "000003")]).await;
    peer.answer(&frames[1], "25", &[]).await;
    peer.answer(&frames[0], "21", &[]).await;
    let (leg, Outcome::Posted(posting)) = site.outcome().await else { panic!("posted") };
    assert_eq!((leg, posting.authorisation.as_str()), (3, "000003"));
    assert!(matches!(site.outcome().await, (2, Outcome::Declined(crate::switch::Reason::NoSuchBill))));
    assert!(matches!(site.outcome().await, (1, Outcome::Declined(crate::switch::Reason::AlreadyPaid))));
}

#[tokio::test]
async fn an_answer_that_differs_in_time_terminal_institution_or_kind_is_never_matched_and_one_twice_neither()
{
    let mut site = Site::open(TIMES).await;
    let mut peer = site.signed_on().await;
    site.submit(1, post(1));
    let frame = peer.frame().await;
    for other in [(7, "1120090508"), (41, "LATM0002"), (32, "28"), (11, "777777")] {
        peer.answer(&frame, "00", &[other]).await;
    }
    let advice = Frame([b"0220", &frame.0[4..]].concat());
    peer.answer(&advice, "00", &[]).await;
    let counted = async {
        while site.adapter.host.health().unasked < 5 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, counted).await.expect("each of the five is counted");
    assert!(site.replies.try_recv().is_err(), "none of them is an answer to it");
    // Filled up with zeros, as some do, it is ours all the same.
    peer.answer(&frame, "00", &[(32, "27000000000")]).await;
    assert!(matches!(site.outcome().await, (1, Outcome::Posted(_))));
    assert_eq!(site.adapter.host.health().unasked, 5);
    peer.answer(&frame, "00", &[]).await;
    site.submit(2, post(2));
    let frame = peer.frame().await;
    peer.answer(&frame, "00", &[]).await;
    assert!(matches!(site.outcome().await, (2, Outcome::Posted(_))));
    assert_eq!(site.adapter.host.health().unasked, 6);
}

#[tokio::test]
async fn a_connection_that_ends_leaves_in_doubt_what_was_sent_and_is_dialled_and_signed_on_again() {
    let mut site = Site::open(TIMES).await;
    let mut peer = site.signed_on().await;
    site.submit(1, post(1));
    peer.frame().await;
    drop(peer);
    assert!(matches!(site.outcome().await, (1, Outcome::Silent)));
    assert!(!timeout(PATIENCE, site.reach.recv()).await.unwrap().unwrap(), "down");
    let mut peer = site.signed_on().await;
    // Sent again it has the number and time it had, and the type of a repeat.
    let mut again = payment(1);
    again.confirmations = 1;
    site.submit(2, Order::Post { payment: Box::new(again), again: true });
    let frame = peer.frame().await;
    assert_eq!(
        (frame.mti(), frame.get(11), frame.get(7)),
        ("0220", "000004".to_owned(), "1120090507".to_owned())
    );
}

#[tokio::test]
async fn an_approval_behind_a_decline_is_told_as_a_late_one() {
    let mut site = Site::open(TIMES).await;
    let mut peer = site.signed_on().await;
    site.submit(1, post(1));
    let frame = peer.frame().await;
    peer.answer(&frame, "91", &[]).await;
    assert!(matches!(site.outcome().await, (1, Outcome::Declined(_))));
    peer.answer(&frame, "00", &[(38, "000001")]).await;
    let (leg, outcome) = timeout(PATIENCE, site.late.recv()).await.unwrap().unwrap();
    assert!(matches!((leg, outcome), (LegId(1), Outcome::Posted(_))));
    assert_eq!(site.adapter.host.health().unasked, 0);
}

#[tokio::test]
async fn a_late_answer_is_told_as_a_late_one_and_holds_no_place() {
    let mut site = Site::open(Times { reply: 1, ..TIMES }).await;
    let mut peer = site.signed_on().await;
    site.submit(1, post(1));
    let frame = peer.frame().await;
    while site.adapter.host.health().in_flight > 0 {
        tokio::task::yield_now().await;
    }
    peer.answer(&frame, "00", &[]).await;
    let (leg, outcome) = timeout(PATIENCE, site.late.recv()).await.unwrap().unwrap();
    assert!(matches!((leg, outcome), (LegId(1), Outcome::Posted(_))));
    assert!(site.replies.try_recv().is_err());
}

#[tokio::test]
async fn an_answer_that_is_no_sound_message_leaves_the_order_in_doubt() {
    let mut site = Site::open(TIMES).await;
    let mut peer = site.signed_on().await;
    site.submit(1, post(1));
    let frame = peer.frame().await;
    let mut out = BytesMut::new();
    let profile = profile();
    let mut writer = Writer::new(profile.dialect(), Mti::new(b"0210").unwrap(), &mut out);
    for (field, value) in
        [(7, frame.get(7)), (11, frame.get(11)), (38, "000001".to_owned()), (39, "00".to_owned())]
    {
        writer.put(field, value.as_bytes()).unwrap();
    }
    writer.finish().unwrap();
    // What stands in a message behind its bitmap is no more than its fields say.
    out.extend_from_slice(b"more");
    let mut framed = BytesMut::new();
    Framing::default().put(&out, &mut framed).unwrap();
    peer.stream.write_all(&framed).await.unwrap();
    assert!(matches!(site.outcome().await, (1, Outcome::Unknown)));
}

#[tokio::test]
async fn a_silent_host_is_asked_for_an_echo_and_left_when_two_are_not_answered() {
    let mut site = Site::open(Times { echo: Some(300), ..TIMES }).await;
    let mut peer = site.signed_on().await;
    let echo = peer.frame().await;
    assert_eq!(echo.get(70), "301");
    peer.answer(&echo, "00", &[]).await;
    for _ in 0..2 {
        assert_eq!(peer.frame().await.get(70), "301");
    }
    peer.ended().await;
    site.signed_on().await;
}

#[tokio::test]
async fn what_a_host_asks_is_answered_and_one_that_signs_off_gets_no_more_orders() {
    let mut site = Site::open(TIMES).await;
    let mut peer = site.signed_on().await;
    for code in ["301", "002"] {
        let answer = peer.asks(code).await;
        assert_eq!(
            (answer.mti(), answer.get(39).as_str(), answer.get(11).as_str()),
            ("0810", "00", "000009")
        );
    }
    assert!(!timeout(PATIENCE, site.reach.recv()).await.unwrap().unwrap(), "down");
    site.submit(1, post(1));
    assert!(matches!(site.outcome().await, (1, Outcome::NotSent)));
}
