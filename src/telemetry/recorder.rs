//! Recording of traffic: every frame, card data masked, as a capture file that any tool for captures reads.
//!
//! The frames are wrapped into the packets of a TCP connection that could have carried them. A thread of its own masks
//! and writes; handing it a frame never waits, and what does not fit its queue is counted, not written.

use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::SystemTime;

use bytes::Bytes;
use pcap_file::PcapError;
use thiserror::Error;

use crate::iso8583::{Dialect, Framing};

mod conceal;
mod packets;
mod write;

/// Which way a frame went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// From the client to the server.
    In,
    /// From the server to the client.
    Out,
}

/// Why there is no recording, or not all of it.
#[derive(Debug, Error)]
pub enum RecorderError {
    /// The file cannot be created. A recording never overwrites one.
    #[error("{path}: cannot create: {source}")]
    Create {
        /// The capture file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file cannot be written any further; the switch goes on without.
    #[error("{path}: recording stopped: {source}")]
    Write {
        /// The capture file.
        path: PathBuf,
        /// What the writer says.
        source: PcapError,
    },
    /// The recorder's thread did not end as it should.
    #[error("{path}: recording stopped: its thread failed")]
    Thread {
        /// The capture file.
        path: PathBuf,
    },
}

/// What was recorded.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Recorded {
    /// Frames in the file.
    pub frames: u64,
    /// Frames that did not fit the queue and are missing from it.
    pub dropped: u64,
}

/// Frames that may wait to be written; at the longest frames that is some 40 MB, at common ones 1 MB.
pub const QUEUE_FRAMES: usize = 4096;

/// What is said to the writing thread.
enum Event {
    Frame {
        connection: Arc<Connection>,
        at: SystemTime,
        direction: Direction,
        bytes: Box<[u8]>,
        /// What it answers.
        request: Option<Bytes>,
    },
    Closed {
        number: u64,
        at: SystemTime,
    },
    Finish,
}

/// What all frames of a connection have in common.
struct Connection {
    number: u64,
    client: SocketAddr,
    server: SocketAddr,
    dialect: Arc<Dialect>,
    framing: Framing,
}

/// Takes frames for the recording. Cheap to clone.
#[derive(Clone)]
pub struct RecorderHandle {
    events: SyncSender<Event>,
    dropped: Arc<AtomicU64>,
    connections: Arc<AtomicU64>,
    resting: Arc<AtomicBool>,
    /// The file system that the file is on; none if that cannot be known.
    device: Option<u64>,
}

/// The recording under way. It ends with [`Recorder::finish`], or when this and all handles and tapes are gone.
pub struct Recorder {
    path: PathBuf,
    events: SyncSender<Event>,
    dropped: Arc<AtomicU64>,
    thread: JoinHandle<Result<u64, RecorderError>>,
}

/// Records one connection, and its end when it is dropped.
pub struct Tape {
    recorder: RecorderHandle,
    connection: Arc<Connection>,
}

impl Recorder {
    /// Starts a recording into a new file at `path`, readable by its owner only. `queue_frames` may wait to be written.
    ///
    /// # Errors
    ///
    /// [`RecorderError::Create`], also if there is such a file.
    pub fn start(path: &Path, queue_frames: usize) -> Result<(RecorderHandle, Self), RecorderError> {
        let file = File::options().write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|source| RecorderError::Create { path: path.to_owned(), source })?;
        let device = file.metadata().ok().map(|it| it.dev());
        let (events, heard) = sync_channel(queue_frames);
        let dropped = Arc::new(AtomicU64::new(0));
        let (path, counter) = (path.to_owned(), Arc::clone(&dropped));
        let thread = std::thread::Builder::new().name("recorder".to_owned());
        let thread = thread.spawn({
            let path = path.clone();
            move || write::run(path, file, &heard, &counter)
        });
        let thread = thread.map_err(|source| RecorderError::Create { path: path.clone(), source })?;
        let recorder = Self { path, events: events.clone(), dropped: Arc::clone(&dropped), thread };
        let (connections, resting) = (Arc::default(), Arc::default());
        Ok((RecorderHandle { events, dropped, connections, resting, device }, recorder))
    }

    /// Waits until all that was handed over is written. A tape that is still held does not keep it from ending: what
    /// comes later is counted as dropped.
    ///
    /// # Errors
    ///
    /// What stopped the recording before its end.
    pub fn finish(self) -> Result<Recorded, RecorderError> {
        // If the thread is gone already, joining it tells why.
        let _ = self.events.send(Event::Finish);
        let frames = self.thread.join().map_err(|_| RecorderError::Thread { path: self.path.clone() })??;
        let dropped = self.dropped.load(Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(path = %self.path.display(), frames, dropped, "frames are missing from the recording");
        }
        Ok(Recorded { frames, dropped })
    }
}

impl RecorderHandle {
    /// Begins the record of a connection, whose frames are laid out by `dialect` and stand there as `framing` says. Nothing
    /// is written before the first.
    #[must_use]
    pub fn connection(
        &self,
        client: SocketAddr,
        server: SocketAddr,
        dialect: Arc<Dialect>,
        framing: Framing,
    ) -> Tape {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        let connection = Connection { number, client, server, dialect, framing };
        Tape { recorder: self.clone(), connection: Arc::new(connection) }
    }

    /// Whether the recording takes room from what is in this directory.
    #[must_use]
    pub fn shares_disk_with(&self, dir: &Path) -> bool {
        let device = std::fs::metadata(dir).ok().map(|it| it.dev());
        device.is_some() && device == self.device
    }

    /// Records nothing, or again: frames that come while it rests are counted as dropped.
    pub fn rest(&self, rests: bool) {
        self.resting.store(rests, Ordering::Relaxed);
    }

    /// Frames that did not fit the queue so far, or came while it rested, or after the recording had stopped.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Tape {
    /// Records a frame, without what frames it. Never waits: what does not fit is counted.
    pub fn frame(&self, direction: Direction, frame: &[u8]) {
        self.event(direction, frame, None);
    }

    /// Records an answer to `request`, which tells what in it is card data.
    pub fn answer(&self, frame: &[u8], request: &Bytes) {
        self.event(Direction::Out, frame, Some(request.clone()));
    }

    fn event(&self, direction: Direction, frame: &[u8], request: Option<Bytes>) {
        if self.recorder.resting.load(Ordering::Relaxed) {
            self.recorder.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let at = SystemTime::now();
        let connection = Arc::clone(&self.connection);
        let event = Event::Frame { connection, at, direction, bytes: frame.into(), request };
        if self.recorder.events.try_send(event).is_err() {
            self.recorder.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        // Should this not fit, the connection is closed in the file when the recording ends.
        let closed = Event::Closed { number: self.connection.number, at: SystemTime::now() };
        let _ = self.recorder.events.try_send(closed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso8583::shipped;

    fn handle(queue_frames: usize) -> (RecorderHandle, std::sync::mpsc::Receiver<Event>) {
        let (events, heard) = sync_channel(queue_frames);
        let (dropped, connections, resting) = Default::default();
        (RecorderHandle { events, dropped, connections, resting, device: None }, heard)
    }

    fn tape(handle: &RecorderHandle) -> Tape {
        let dialect = Arc::new(shipped::dialect("onelink").unwrap().unwrap());
        handle.connection(
            "10.0.0.9:1".parse().unwrap(),
            "10.0.0.1:2".parse().unwrap(),
            dialect,
            Framing::default(),
        )
    }

    #[test]
    fn what_does_not_fit_is_counted_and_nobody_waits() {
        let (handle, heard) = handle(2);
        let tape = tape(&handle);
        for _ in 0..5 {
            tape.frame(Direction::In, b"0800");
        }
        assert_eq!((handle.dropped(), heard.try_iter().count()), (3, 2));
        drop(heard);
        tape.frame(Direction::In, b"0800");
        assert_eq!(handle.dropped(), 4, "nor if nobody writes any more");
    }

    #[test]
    fn what_comes_while_it_rests_is_counted_and_not_written() {
        let (handle, heard) = handle(9);
        let tape = tape(&handle);
        for rests in [false, true, true, false] {
            handle.rest(rests);
            tape.frame(Direction::In, b"0800");
        }
        assert_eq!((handle.dropped(), heard.try_iter().count()), (2, 2));
    }

    #[test]
    fn it_knows_whose_room_it_takes() {
        let dir = tempfile::tempdir().unwrap();
        let (handle, recorder) = Recorder::start(&dir.path().join("day.pcap"), 1).unwrap();
        assert!(handle.shares_disk_with(dir.path()));
        assert!(!handle.shares_disk_with(Path::new("/proc")));
        assert!(!handle.shares_disk_with(&dir.path().join("gone")));
        drop(handle);
        recorder.finish().unwrap();
    }

    #[test]
    fn a_disk_that_takes_nothing_more_stops_the_recording_and_says_so() {
        let (handle, heard) = handle(2);
        tape(&handle).frame(Direction::In, b"0800");
        drop(handle);
        let full = File::options().write(true).open("/dev/full").unwrap();
        let error = write::run("/dev/full".into(), full, &heard, &AtomicU64::new(0)).unwrap_err();
        assert!(matches!(error, RecorderError::Write { .. }), "{error}");
    }
}
