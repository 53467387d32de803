//! The recorder's thread: masks, wraps and writes what the queue holds.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, SystemTime};

use bytes::BytesMut;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::{DataLink, PcapError};

use super::conceal::conceal;
use super::packets::Conversation;
use super::{Connection, Direction, Event, RecorderError};

/// Room for what stands before and after a frame.
const AROUND_BYTES: usize = 4;

/// Writes until the last handle is gone, and gives the number of frames written.
pub(super) fn run(
    path: PathBuf,
    file: File,
    events: &Receiver<Event>,
    dropped: &AtomicU64,
) -> Result<u64, RecorderError> {
    let written = write_all(file, events, dropped);
    written.map_err(|source| {
        // Said at once: whoever waits for the end of the recording may wait for days.
        tracing::error!(path = %path.display(), %source, "recording stopped");
        RecorderError::Write { path, source }
    })
}

fn write_all(file: File, events: &Receiver<Event>, dropped: &AtomicU64) -> Result<u64, PcapError> {
    let mut tape = Writer::new(file)?;
    'open: while let Ok(first) = events.recv() {
        // What is there goes to the system at one go, so that a recording cut off by a crash holds all but the last.
        for event in std::iter::once(first).chain(events.try_iter()) {
            match event {
                Event::Frame { connection, at, direction, mut bytes, request } => {
                    conceal(&connection.dialect, &mut bytes, request.as_deref());
                    let mut framed = BytesMut::with_capacity(bytes.len().saturating_add(AROUND_BYTES));
                    match connection.framing.put(&bytes, &mut framed) {
                        Ok(()) => tape.frame(&connection, at, direction, &framed)?,
                        // It would read back as another frame, or as more than one.
                        Err(_) => count(dropped),
                    }
                }
                Event::Closed { number, at } => tape.close(number, at)?,
                Event::Finish => break 'open,
            }
        }
        tape.output.0.borrow_mut().flush().map_err(PcapError::IoError)?;
    }
    let late = events.try_iter().filter(|event| matches!(event, Event::Frame { .. }));
    late.for_each(|_| count(dropped));
    tape.finish()
}

fn count(dropped: &AtomicU64) {
    dropped.fetch_add(1, Ordering::Relaxed);
}

/// The file, shared with the capture writer, which would not let go of it to have it flushed.
#[derive(Clone)]
struct Output(Rc<RefCell<BufWriter<File>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.borrow_mut().flush()
    }
}

struct Writer {
    output: Output,
    pcap: PcapWriter<Output>,
    /// By connection number: those that were seen and not closed.
    open: BTreeMap<u64, Conversation>,
    frames: u64,
    /// Of the last packet. Those of a capture should not go back, though the wall clock may.
    latest: Duration,
}

impl Writer {
    fn new(file: File) -> Result<Self, PcapError> {
        let output = Output(Rc::new(RefCell::new(BufWriter::new(file))));
        let header = PcapHeader { datalink: DataLink::ETHERNET, ..PcapHeader::default() };
        let pcap = PcapWriter::with_header(output.clone(), header)?;
        Ok(Self { output, pcap, open: BTreeMap::new(), frames: 0, latest: Duration::ZERO })
    }

    fn close(&mut self, number: u64, at: SystemTime) -> Result<(), PcapError> {
        match self.open.remove(&number) {
            Some(mut conversation) => self.write(at, &conversation.close()),
            None => Ok(()),
        }
    }

    fn frame(
        &mut self,
        connection: &Connection,
        at: SystemTime,
        direction: Direction,
        framed: &[u8],
    ) -> Result<(), PcapError> {
        let (number, client, server) = (connection.number, connection.client, connection.server);
        let mut packets = Vec::new();
        let conversation = self.open.entry(number).or_insert_with(|| {
            let mut conversation = Conversation::new(number, client, server);
            packets = conversation.open();
            conversation
        });
        packets.extend(conversation.data(direction, framed));
        self.frames = self.frames.saturating_add(1);
        self.write(at, &packets)
    }

    fn write(&mut self, at: SystemTime, packets: &[Vec<u8>]) -> Result<(), PcapError> {
        let since_1970 = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.latest = self.latest.max(since_1970);
        for packet in packets {
            let len = u32::try_from(packet.len()).unwrap_or(u32::MAX);
            self.pcap.write_packet(&PcapPacket::new(self.latest, len, packet))?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<u64, PcapError> {
        let at = SystemTime::now();
        for mut conversation in std::mem::take(&mut self.open).into_values() {
            self.write(at, &conversation.close())?;
        }
        let mut file = self.output.0.borrow_mut();
        file.flush().and_then(|()| file.get_ref().sync_all()).map_err(PcapError::IoError)?;
        Ok(self.frames)
    }
}
