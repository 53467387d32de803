//! The asking side, for the command line: plain blocking I/O.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use super::{Envelope, REPLY_BYTES_MAX, Reply, Request, VERSION};

/// The longest an answer may take: a whole journal is verified within it.
const REPLY_TIMEOUT: Duration = Duration::from_secs(600);

/// Why the daemon could not be asked, or said no.
#[derive(Debug, Error)]
pub enum ControlError {
    /// Nobody answers at the socket.
    #[error("no daemon answers at {}: {source}; is `billswitch serve` running on this store?", path.display())]
    NoDaemon {
        /// The socket.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The connection broke.
    #[error("the control socket: {0}")]
    Io(#[from] std::io::Error),
    /// The daemon closed the connection without an answer.
    #[error("the daemon ended before it answered")]
    Ended,
    /// What came back is no reply.
    #[error("the daemon's reply does not read as one: {0}")]
    Garbled(#[from] serde_json::Error),
    /// The daemon is of another version.
    #[error(
        "this command speaks version {ours} of the control protocol, the daemon {daemon}: use the daemon's own binary"
    )]
    Version {
        /// Ours.
        ours: u32,
        /// The daemon's.
        daemon: u32,
    },
    /// The daemon refused.
    #[error("{0}")]
    Refused(String),
}

/// A connection to a daemon.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the control socket at `path`.
    ///
    /// # Errors
    ///
    /// [`ControlError::NoDaemon`].
    pub fn connect(path: &Path) -> Result<Self, ControlError> {
        let no_daemon = |source| ControlError::NoDaemon { path: path.to_path_buf(), source };
        let stream = UnixStream::connect(path).map_err(no_daemon)?;
        stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
        stream.set_write_timeout(Some(REPLY_TIMEOUT))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    ///
    /// [`ControlError`]; [`ControlError::Refused`] holds the daemon's own words.
    pub fn ask(&mut self, request: Request) -> Result<Reply, ControlError> {
        let mut line = serde_json::to_vec(&Envelope { version: VERSION, request })?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line)?;
        let mut reply = Vec::new();
        self.stream.by_ref().take(REPLY_BYTES_MAX).read_until(b'\n', &mut reply)?;
        if reply.is_empty() {
            return Err(ControlError::Ended);
        }
        match serde_json::from_slice(&reply)? {
            Reply::Failed(why) => Err(ControlError::Refused(why)),
            Reply::Version { daemon } => Err(ControlError::Version { ours: VERSION, daemon }),
            reply @ (Reply::Status(_)
            | Reply::Links(_)
            | Reply::Billers(_)
            | Reply::Payments(_)
            | Reply::Exceptions(_)
            | Reply::Totals(_)
            | Reply::Legs(_)
            | Reply::Verified(_)
            | Reply::Book(_)
            | Reply::Scroll(_)
            | Reply::Done(_)) => Ok(reply),
        }
    }
}
