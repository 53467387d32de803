//! A responder that stands in for the switch: it answers what the expected answers say, backwards, and lies if told to.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use billswitch::iso8583::{Dialect, Mirror, decode};
use billswitch::sim::replay::expect::{Expected, FieldWant, Want};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::onelink;

/// What the responder gets wrong about the message of an id.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lie {
    /// This response code.
    Code(&'static str),
    /// DE 120 without this tag.
    Without(&'static str),
    /// No answer.
    Silence,
    /// The answer twice.
    Twice,
    /// No RRN.
    NoRrn,
    /// The connection is closed instead.
    HangUp,
    /// The request's card number as the value of this tag of DE 120.
    Leak(&'static str),
    /// An MTI that is a repeat's answer.
    Mti(&'static str),
}

/// A field of an answer that is not the switch's but the test's own: fixed, or with a length of `digits` digits.
fn put(frame: &mut Vec<u8>, bitmap: &mut u128, field: u8, digits: usize, value: &[u8]) {
    *bitmap |= 1 << (128 - u32::from(field));
    if digits > 0 {
        frame.extend_from_slice(format!("{:0digits$}", value.len()).as_bytes());
    }
    frame.extend_from_slice(value);
}

/// What answers a request in onelink, written by hand so that encoder and decoder are not tested against each other.
fn answer(mti: &str, echoed: [Option<&[u8]>; 4], code: &str, elements: &BTreeMap<String, String>) -> Vec<u8> {
    let [transmitted_at, stan, rrn, network_code] = echoed;
    let (mut fields, mut bitmap) = (Vec::new(), 0_u128);
    for (field, value) in [(7, transmitted_at), (11, stan), (37, rrn), (39, Some(code.as_bytes()))] {
        if let Some(value) = value {
            put(&mut fields, &mut bitmap, field, 0, value);
        }
    }
    if let Some(value) = network_code {
        put(&mut fields, &mut bitmap, 70, 0, value);
    }
    if !elements.is_empty() {
        let tlv: String =
            elements.iter().map(|(tag, value)| format!("{tag}{:03}{value}", value.len())).collect();
        put(&mut fields, &mut bitmap, 120, 3, tlv.as_bytes());
    }
    let second = bitmap & u128::from(u64::MAX) != 0;
    bitmap |= u128::from(second) << 127;
    let bitmap = bitmap.to_be_bytes();
    [mti.as_bytes(), &bitmap[..if second { 16 } else { 8 }], &fields].concat()
}

/// The state that the links of one responder share.
pub(crate) struct Desk {
    pub(crate) dialect: Arc<Dialect>,
    pub(crate) lines: Vec<Expected>,
    /// By link address, STAN and MTI: the positions of the lines, in order.
    by_message: HashMap<(String, String, String), usize>,
    lies: HashMap<u64, Lie>,
    given: Mutex<HashMap<usize, Vec<u8>>>,
    won: Mutex<HashSet<String>>,
    /// Positions in the order in which the messages came.
    pub(crate) seen: Mutex<Vec<usize>>,
}

impl Desk {
    pub(crate) fn new(lines: Vec<Expected>, lies: &[(u64, Lie)]) -> Arc<Self> {
        let address = |link: &str| match link {
            "atmnet" => "127.0.1.1".to_owned(),
            "northbank" => "127.0.1.2".to_owned(),
            _ => "127.0.1.3".to_owned(),
        };
        let key = |line: &Expected| (address(&line.link), line.stan.clone(), line.mti.clone());
        let by_message = lines.iter().enumerate().map(|(at, line)| (key(line), at)).collect();
        Arc::new(Self {
            dialect: onelink(),
            lines,
            by_message,
            lies: lies.iter().copied().collect(),
            given: Mutex::default(),
            won: Mutex::default(),
            seen: Mutex::default(),
        })
    }

    /// The answers to one request; None to hang up.
    fn answers(&self, peer: &str, frame: &[u8]) -> Option<Vec<Vec<u8>>> {
        let mut mirror = Mirror::new();
        let message = decode(&self.dialect, frame, &mut mirror).message;
        let text = |field| String::from_utf8(message.field(field).unwrap().to_vec()).unwrap();
        let position = self.by_message[&(peer.to_owned(), text(11), message.mti().as_str().to_owned())];
        self.seen.lock().unwrap().push(position);
        let line = &self.lines[position];
        let lie = self.lies.get(&line.id).copied();
        let (mut code, mut elements) = ("00".to_owned(), BTreeMap::new());
        match &line.answer {
            Want::Fields { fields, .. } => {
                for (field, want) in fields {
                    match (field, want) {
                        (39, FieldWant::Value(value)) => code = value.clone(),
                        (120, FieldWant::Elements(wanted)) => {
                            elements = wanted
                                .iter()
                                .map(|(tag, value)| (tag.clone(), value.replace('*', "R1")))
                                .collect();
                        }
                        _ => {}
                    }
                }
            }
            // A lie about a repeat: the answer as asked for the first time, but for the lie.
            Want::SameAs(original) if lie.is_none() => {
                let first = self.given.lock().unwrap()[original].clone();
                return Some(vec![first]);
            }
            Want::SameAs(_) => {}
            Want::Race { group, .. } => {
                code = if self.won.lock().unwrap().insert(group.clone()) { "00" } else { "21" }.to_owned();
            }
        }
        let mut rrn = message.field(37);
        let response = message.mti().to_response().unwrap();
        let mut mti = response.as_str();
        match lie {
            Some(Lie::Code(wrong)) => code = wrong.to_owned(),
            Some(Lie::Without(tag)) => assert!(elements.remove(tag).is_some()),
            Some(Lie::NoRrn) => rrn = None,
            Some(Lie::Mti(wrong)) => mti = wrong,
            Some(Lie::Leak(tag)) => drop(elements.insert(tag.to_owned(), text(2))),
            Some(Lie::Silence) => return Some(vec![]),
            Some(Lie::HangUp) => return None,
            Some(Lie::Twice) | None => {}
        }
        let echoed = [message.field(7), message.field(11), rrn, message.field(70)];
        let answer = answer(mti, echoed, &code, &elements);
        self.given.lock().unwrap().insert(position, answer.clone());
        Some(if matches!(lie, Some(Lie::Twice)) { vec![answer.clone(), answer] } else { vec![answer] })
    }

    /// Serves a link: whatever comes at one go is answered backwards.
    pub(crate) async fn serve(self: Arc<Self>, mut stream: TcpStream, peer: SocketAddr) {
        let (mut buffer, peer) = (Vec::new(), peer.ip().to_string());
        while stream.read_buf(&mut buffer).await.is_ok_and(|read| read > 0) {
            let (mut answers, mut rest) = (Vec::new(), &buffer[..]);
            while let Some((header, tail)) = rest.split_first_chunk() {
                let Some((frame, tail)) = tail.split_at_checked(usize::from(u16::from_be_bytes(*header)))
                else {
                    break;
                };
                let Some(found) = self.answers(&peer, frame) else {
                    return;
                };
                answers.extend(found);
                rest = tail;
            }
            buffer = rest.to_vec();
            answers.reverse();
            for answer in answers {
                let header = u16::try_from(answer.len()).unwrap().to_be_bytes();
                stream.write_all(&[&header[..], &answer].concat()).await.unwrap();
            }
        }
    }
}
