//! A link framed each way there is, each frame put together by hand.

use crate::peer::{ATMNET, Incoming, Outgoing, Peer};
use crate::site::{Setup, Site, UNPAID};

/// What a link says of itself, what stands before a message of so many bytes, and what after it.
type Row = (&'static str, fn(usize) -> Vec<u8>, &'static [u8]);

const ROWS: &[Row] = &[
    (r#"framing = "binary 2""#, |len| short(len).to_be_bytes().into(), b""),
    (r#"framing = "binary 2 inclusive""#, |len| short(len + 2).to_be_bytes().into(), b""),
    (r#"framing = "binary 2 little""#, |len| short(len).to_le_bytes().into(), b""),
    (r#"framing = "binary 2 little inclusive""#, |len| short(len + 2).to_le_bytes().into(), b""),
    (r#"framing = "binary 4""#, |len| word(len).to_be_bytes().into(), b""),
    (r#"framing = "binary 4 inclusive""#, |len| word(len + 4).to_be_bytes().into(), b""),
    (r#"framing = "binary 4 little""#, |len| word(len).to_le_bytes().into(), b""),
    (r#"framing = "binary 4 little inclusive""#, |len| word(len + 4).to_le_bytes().into(), b""),
    (r#"framing = "ascii 4""#, |len| format!("{len:04}").into(), b""),
    (r#"framing = "ascii 4 inclusive""#, |len| format!("{:04}", len + 4).into(), b""),
    (r#"framing = "bcd 2""#, |len| hex::decode(format!("{len:04}")).unwrap(), b""),
    (r#"framing = "bcd 2 inclusive""#, |len| hex::decode(format!("{:04}", len + 2)).unwrap(), b""),
    (r#"framing = "stx etx""#, |_| vec![2], &[3]),
    (r#"framing = "end FF""#, |_| vec![], &[0xff]),
];

fn short(len: usize) -> u16 {
    len.try_into().unwrap()
}

fn word(len: usize) -> u32 {
    len.try_into().unwrap()
}

/// A switch with this in each link's configuration.
async fn site(link_lines: &'static str) -> Site {
    Site::with(Setup { link_lines, ..Setup::default() }).await
}

#[tokio::test]
async fn a_sign_on_and_an_inquiry_are_answered_on_a_link_framed_each_way() {
    for (link_lines, head, tail) in ROWS {
        let site = site(link_lines).await;
        let mut peer = Peer::connect(site.address, ATMNET).await;
        let ask = |messages: &[Outgoing]| -> Vec<u8> {
            let frames = messages.iter().map(Outgoing::bytes);
            frames.flat_map(|message| [&head(message.len()), &message[..], tail].concat()).collect()
        };
        // Byte by byte, and then two at one go.
        for byte in ask(&[Outgoing::network("001")]) {
            peer.send_bytes(&[byte]).await;
        }
        let answer = Incoming::read(&peer.receive_framed(*head, tail).await);
        assert_eq!((answer.mti.as_str(), answer.code()), ("0810", "00"), "{link_lines}");
        peer.send_bytes(&ask(&[Outgoing::network("301"), Outgoing::inquiry(2, UNPAID)])).await;
        let answer = Incoming::read(&peer.receive_framed(*head, tail).await);
        assert_eq!((answer.mti.as_str(), answer.code()), ("0810", "00"), "{link_lines}");
        let answer = Incoming::read(&peer.receive_framed(*head, tail).await);
        assert_eq!((answer.mti.as_str(), answer.fact("ST").as_str()), ("0210", "U"), "{link_lines}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_frame_of_the_link_close_the_connection() {
    let endless = [b'0'; 101];
    let stx_endless = [&[2_u8], &endless[..]].concat();
    let table: &[(&str, &[&[u8]])] = &[
        ("framing = \"binary 2 little\"", &[&[0, 0], &[0x65, 0x00], &[0x00, 0x01]]),
        ("framing = \"binary 2 inclusive\"", &[&[0, 0], &[0, 1], &[0, 2], &[0x00, 0x67]]),
        ("framing = \"binary 4\"", &[&[0, 0, 0, 0], &[0, 0, 0, 0x65], &[0xff; 4]]),
        ("framing = \"binary 4 little inclusive\"", &[&[3, 0, 0, 0], &[0, 0, 0, 0x80], &[0xff; 4]]),
        ("framing = \"ascii 4\"", &[b"0000", b"0101", b"00x1", b"-001", b"GET / HTTP/1.1"]),
        ("framing = \"ascii 4 inclusive\"", &[b"0000", b"0003", b"0004", b"0105"]),
        ("framing = \"bcd 2\"", &[&[0x00, 0x00], &[0x01, 0x01], &[0x00, 0x0f], &[0xf0, 0x00]]),
        ("framing = \"bcd 2 inclusive\"", &[&[0x00, 0x01], &[0x00, 0x02], &[0x01, 0x03]]),
        ("framing = \"stx etx\"", &[b"0800", &[2, 3], &stx_endless]),
        ("framing = \"end FF\"", &[&[0xff], &endless]),
    ];
    for (framing, hostile) in table {
        // Were they waited for, it would be for longer than the test waits.
        let link_lines = format!("{framing}\nframe_bytes_max = 100\nframe_timeout_ms = 86400000").leak();
        let site = site(link_lines).await;
        for bytes in *hostile {
            let mut peer = Peer::connect(site.address, ATMNET).await;
            peer.send_bytes(bytes).await;
            peer.closed().await;
        }
    }
}

#[tokio::test]
async fn a_frame_that_never_ends_is_closed_at_the_frame_deadline() {
    for (framing, begun) in
        [("ascii 4", &b"0"[..]), ("binary 4", &[0, 0, 0]), ("stx etx", &[2]), ("end FF", b"0800")]
    {
        let link_lines = format!("framing = \"{framing}\"\nframe_timeout_ms = 200").leak();
        let site = site(link_lines).await;
        let mut peer = Peer::connect(site.address, ATMNET).await;
        peer.send_bytes(begun).await;
        peer.closed().await;
    }
}
