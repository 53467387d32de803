//! One connection: frames in, answers out, until either side has had enough.

use std::future::Future;
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::codec::Decoder;

use super::{FrameCodec, FrameFault};
use crate::bounds::LinkBounds;
use crate::iso8583::Framing;

/// Answers written with one call.
const BATCH: usize = 64;
/// Bytes read with one call, at least.
const READ_BYTES: usize = 8 * 1024;
/// Echoes a silent peer may leave unanswered.
const ECHOES_MAX: u32 = 2;

/// Why a connection ended.
#[derive(Debug, Error)]
pub enum Closed {
    /// The peer closed it between two frames.
    #[error("closed by the peer")]
    ByPeer,
    /// The peer closed it, or it broke, in the middle of a frame.
    #[error("closed by the peer in the middle of a frame")]
    InFrame,
    /// The peer sent what is no frame.
    #[error(transparent)]
    Frame(#[from] FrameFault),
    /// A frame was begun and not completed in time.
    #[error("a frame was not completed within {} ms", .0.as_millis())]
    SlowFrame(Duration),
    /// The peer said nothing.
    #[error("silent for {} ms", .0.as_millis())]
    Idle(Duration),
    /// The peer said nothing, nor did it answer our echoes.
    #[error("silent, and {ECHOES_MAX} echoes unanswered")]
    Deaf,
    /// A newer connection of its link took its place.
    #[error("replaced by a newer connection of its link")]
    Replaced,
    /// The peer took nothing.
    #[error("answers were not taken for {} ms", .0.as_millis())]
    Stalled(Duration),
    /// Too many frames that nobody can answer.
    #[error("too many frames that cannot be answered")]
    Unanswerable,
    /// The switch is going down.
    #[error("the switch is going down")]
    GoingDown,
    /// The link has another configuration: the peer comes back to that.
    #[error("the link's configuration has changed")]
    Renewed,
}

/// Takes frames in.
pub trait Intake: Send {
    /// Takes one frame. It waits while there is no room for its request: the peer is then read no further.
    ///
    /// # Errors
    ///
    /// [`Closed`] if the connection is to end.
    fn frame(&mut self, frame: Bytes) -> impl Future<Output = Result<(), Closed>> + Send;

    /// Whether the last frame says that the peer is there, so that it need not be asked for an echo.
    fn was_heard(&self) -> bool {
        true
    }

    /// The peer has been silent for [`LinkBounds::idle_echo`], or has not answered the last echo: asks it for one.
    fn echo(&mut self);
}

/// Makes answers into bytes.
pub trait Outlet: Send {
    /// What comes out of the switch for this connection.
    type Answer: Send;

    /// Appends an answer, framed as the link's frames are, to `out`.
    fn write(&mut self, answer: &Self::Answer, out: &mut BytesMut);
}

/// Reads frames until something ends the connection.
///
/// # Errors
///
/// Always ends with the reason why.
async fn read(
    mut stream: impl AsyncRead + Unpin,
    framing: Framing,
    bounds: &LinkBounds,
    intake: &mut impl Intake,
) -> Result<std::convert::Infallible, Closed> {
    let mut codec = FrameCodec::new(framing, bounds.frame_bytes_max);
    let mut buffer = BytesMut::with_capacity(READ_BYTES);
    // Since when there are bytes that are not a whole frame yet.
    let mut begun = Instant::now();
    let mut silence = Silence::new(bounds);
    loop {
        let (mut framed, mut heard) = (false, false);
        while let Some(frame) = codec.decode(&mut buffer)? {
            intake.frame(frame).await?;
            framed = true;
            heard |= intake.was_heard();
        }
        if framed {
            begun = Instant::now();
        }
        if heard {
            silence = Silence::new(bounds);
        }
        let waiting = !buffer.is_empty();
        let deadline = if waiting { begun.checked_add(bounds.frame_timeout) } else { silence.ends(bounds) };
        buffer.reserve(READ_BYTES);
        let reading = timeout_at(deadline.unwrap_or_else(Instant::now), stream.read_buf(&mut buffer));
        match reading.await {
            Err(_) if waiting => return Err(Closed::SlowFrame(bounds.frame_timeout)),
            Err(_) => silence.goes_on(bounds, intake)?,
            Ok(Ok(0)) if waiting => return Err(Closed::InFrame),
            Ok(Ok(0)) => return Err(Closed::ByPeer),
            Ok(Ok(_)) if waiting => {}
            Ok(Ok(_)) => begun = Instant::now(),
            Ok(Err(error)) => return Err(FrameFault::Io(error).into()),
        }
    }
}

/// Since when a peer has said nothing, and how often it was asked whether it is there.
struct Silence {
    since: Instant,
    echo_at: Option<Instant>,
    echoes: u32,
}

impl Silence {
    fn new(bounds: &LinkBounds) -> Self {
        let since = Instant::now();
        Self { since, echo_at: bounds.idle_echo.and_then(|idle| since.checked_add(idle)), echoes: 0 }
    }

    fn closes(&self, bounds: &LinkBounds) -> Option<Instant> {
        self.since.checked_add(bounds.idle_timeout)
    }

    /// When something is to be done about it.
    fn ends(&self, bounds: &LinkBounds) -> Option<Instant> {
        self.echo_at.into_iter().chain(self.closes(bounds)).min()
    }

    fn goes_on(&mut self, bounds: &LinkBounds, intake: &mut impl Intake) -> Result<(), Closed> {
        let now = Instant::now();
        if self.closes(bounds).is_none_or(|at| at <= now) {
            return Err(Closed::Idle(bounds.idle_timeout));
        }
        if self.echoes >= ECHOES_MAX {
            return Err(Closed::Deaf);
        }
        intake.echo();
        self.echoes = self.echoes.saturating_add(1);
        self.echo_at = now.checked_add(bounds.echo_timeout);
        Ok(())
    }
}

/// Writes answers until there are none to come.
async fn write<O: Outlet>(
    mut stream: impl AsyncWrite + Unpin,
    bounds: &LinkBounds,
    outlet: &mut O,
    answers: &mut mpsc::Receiver<O::Answer>,
) -> Result<(), Closed> {
    let mut batch = Vec::with_capacity(BATCH);
    let mut out = BytesMut::new();
    while answers.recv_many(&mut batch, BATCH).await > 0 {
        for answer in &batch {
            outlet.write(answer, &mut out);
        }
        match timeout(bounds.write_timeout, stream.write_all(&out)).await {
            Err(_) => return Err(Closed::Stalled(bounds.write_timeout)),
            Ok(Err(error)) => return Err(FrameFault::Io(error).into()),
            Ok(Ok(())) => out.clear(),
        }
        // What an answer holds on to, its place in the window, is given back only now that it is written.
        batch.clear();
    }
    // All answers have been written; how the peer takes the end does not matter any more.
    let _: io::Result<()> = stream.shutdown().await;
    Ok(())
}

/// Serves one connection until it ends, and says why. What is read is framed by `framing`. `ends` ends the reading, and says why; answers still go out until
/// `answers` has no more senders.
pub async fn serve<O: Outlet>(
    stream: tokio::net::TcpStream,
    framing: Framing,
    bounds: &LinkBounds,
    mut intake: impl Intake,
    mut outlet: O,
    mut answers: mpsc::Receiver<O::Answer>,
    ends: impl Future<Output = Closed>,
) -> Closed {
    let (reader, writer) = stream.into_split();
    let writing = write(writer, bounds, &mut outlet, &mut answers);
    tokio::pin!(writing);
    let ended = tokio::select! {
        Err(closed) = read(reader, framing, bounds, &mut intake) => closed,
        written = &mut writing => return written.err().unwrap_or(Closed::ByPeer),
        closed = ends => closed,
    };
    // Whoever holds a request of this connection may still answer it: the intake's own handle must go first.
    drop(intake);
    match (&ended, writing.await) {
        (_, Ok(())) => ended,
        (_, Err(closed)) => closed,
    }
}
