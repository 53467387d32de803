//! A department's ISO 8583 host, played by the test itself: it answers when and what it likes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use super::DEADLINE;
use super::bank::{Frame, message, tlv};
use super::department::AT;

/// Where a host can be dialled; nowhere once it is dropped.
pub(crate) struct Host(TcpListener);

impl Host {
    /// Listens at this port of this machine.
    pub(crate) fn listen(port: u16) -> Self {
        Self(TcpListener::bind((AT, port)).unwrap())
    }

    /// Waits to be dialled.
    pub(crate) fn dialled(&self) -> Line {
        let (stream, _) = self.0.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Line(stream)
    }

    /// Waits to be dialled, and lets the switch sign on.
    pub(crate) fn signed_on(&self) -> Line {
        let mut line = self.dialled();
        let asked = line.receive();
        assert_eq!((asked.mti(), asked.at("70").as_str()), (&b"0800"[..], "001"));
        line.answer(&asked, "00", &[]);
        line
    }
}

/// A connection that the switch has dialled. Closed when it is dropped.
pub(crate) struct Line(TcpStream);

impl Line {
    /// The next message of the switch.
    pub(crate) fn receive(&mut self) -> Frame {
        let mut length = [0; 2];
        self.0.read_exact(&mut length).unwrap();
        let mut frame = vec![0; u16::from_be_bytes(length).into()];
        self.0.read_exact(&mut frame).unwrap();
        Frame(frame)
    }

    /// Answers with this response code, and these elements of DE 120.
    pub(crate) fn answer(&mut self, asked: &Frame, code: &str, facts: &[(&str, &str)]) {
        // 0200 is answered with 0210, 0421 with 0430.
        let mti =
            format!("{}{}0", &String::from_utf8_lossy(&asked.mti()[..2]), char::from(asked.mti()[2] + 1));
        let facts = tlv(facts);
        let mut fields: Vec<(u8, Vec<u8>)> = asked.read(|asked| {
            let echoed = asked
                .fields()
                .filter(|(field, _)| [3, 4, 7, 11, 12, 13, 32, 37, 41, 49, 70, 90].contains(field));
            echoed.map(|(field, value)| (field, value.to_vec())).collect()
        });
        fields.push((39, code.as_bytes().to_vec()));
        if !facts.is_empty() {
            fields.push((120, facts.into_bytes()));
        }
        fields.sort();
        let fields: Vec<(u8, &[u8])> = fields.iter().map(|(field, value)| (*field, &value[..])).collect();
        let frame = message(&mti, &fields);
        let length = u16::try_from(frame.len()).unwrap().to_be_bytes();
        self.0.write_all(&[&length, &frame[..]].concat()).unwrap();
    }

    /// Carries one payment out, whatever is asked for before it.
    pub(crate) fn post(&mut self, amount: u64, receipt: &str) {
        let asked = self.is_told_to_post(amount);
        self.answer(&asked, "00", &[("RN", receipt), ("AI", "000001")]);
    }

    /// The order to post, with the bill found before it.
    pub(crate) fn is_told_to_post(&mut self, amount: u64) -> Frame {
        loop {
            let asked = self.receive();
            assert_eq!(asked.mti(), b"0200", "{asked:?}");
            if asked.at("3") != "380000" {
                return asked;
            }
            let amount = amount.to_string();
            let bill =
                [("NM", "A CITIZEN"), ("ST", "U"), ("DD", "20261215"), ("AW", &amount), ("AA", &amount)];
            self.answer(&asked, "00", &bill);
        }
    }
}
