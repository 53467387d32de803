//! One link's connection: a task that reads answers and a task that writes what the player hands it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::codec::{Decoder, LengthDelimitedCodec};

/// What a connection tells the player. No `Debug`: frames hold card data.
pub(super) enum Event {
    /// Frames that were read at one go, without their headers.
    Frames { link: usize, at: Instant, frames: Vec<Bytes> },
    /// The last batch is with the system: another may come.
    Written { link: usize },
    /// The other end closed, or the connection failed.
    Closed { link: usize, error: Option<std::io::Error> },
}

/// The player's end of a connection.
pub(super) struct Connection {
    /// At most one batch at a time, asked for by [`Event::Written`]. Dropping it closes the way to the switch.
    pub(super) batches: Option<mpsc::Sender<Bytes>>,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for Connection {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// The loopback address that a recorded client is played from: 10.0.1.2 → 127.0.1.2, so that the switch tells the
/// links apart as on the day.
pub(super) fn loopback_of(client: IpAddr) -> Ipv4Addr {
    let [.., third, last] = match client.to_canonical() {
        IpAddr::V4(address) => address.octets(),
        IpAddr::V6(address) => {
            let [.., third, last] = address.octets();
            [0, 0, third, last]
        }
    };
    Ipv4Addr::new(127, 0, third, last)
}

/// Connects from `from`, if the switch is on loopback too; from wherever the system likes otherwise.
pub(super) async fn connect(from: SocketAddr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if to.is_ipv4() && to.ip().is_loopback() {
        socket.bind(from)?;
    }
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Starts the two tasks of link number `link`.
pub(super) fn start(link: usize, stream: TcpStream, events: mpsc::Sender<Event>) -> Connection {
    let (read, write) = stream.into_split();
    let (batches, batch) = mpsc::channel(1);
    let reader = tokio::spawn(read_frames(link, read, events.clone()));
    let writer = tokio::spawn(write_batches(link, write, batch, events));
    Connection { batches: Some(batches), tasks: [reader, writer] }
}

/// Appends a frame and its length header. A capture's frames fit one, as they came with one.
pub(super) fn append(batch: &mut BytesMut, frame: &Bytes) {
    batch.put_u16(u16::try_from(frame.len()).unwrap_or(u16::MAX));
    batch.extend_from_slice(frame);
}

/// Bytes asked of the system at a time.
const READ_BYTES: usize = 64 * 1024;

async fn read_frames(link: usize, mut read: OwnedReadHalf, events: mpsc::Sender<Event>) {
    let mut codec = LengthDelimitedCodec::builder()
        .length_field_length(2)
        .max_frame_length(usize::from(u16::MAX))
        .new_codec();
    let mut buffer = BytesMut::with_capacity(READ_BYTES);
    let error = loop {
        buffer.reserve(READ_BYTES);
        match read.read_buf(&mut buffer).await {
            Ok(0) => break None,
            Ok(_) => {}
            Err(error) => break Some(error),
        }
        let at = Instant::now();
        let mut frames = Vec::new();
        let end = loop {
            match codec.decode(&mut buffer) {
                Ok(Some(frame)) => frames.push(frame.freeze()),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        let player_gone = events.send(Event::Frames { link, at, frames }).await.is_err();
        if player_gone || end.is_some() {
            break end;
        }
    };
    // The player may have left by now; then nobody wants to know.
    let _ = events.send(Event::Closed { link, error }).await;
}

async fn write_batches(
    link: usize,
    mut write: OwnedWriteHalf,
    mut batches: mpsc::Receiver<Bytes>,
    events: mpsc::Sender<Event>,
) {
    while let Some(batch) = batches.recv().await {
        let event = match write.write_all(&batch).await {
            Ok(()) => Event::Written { link },
            Err(error) => Event::Closed { link, error: Some(error) },
        };
        let failed = matches!(event, Event::Closed { .. });
        if events.send(event).await.is_err() || failed {
            return;
        }
    }
    // All is sent: the switch reads the end of the stream, and closes when it has answered the rest.
    let _ = write.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_its_own_loopback_address() {
        let table = [
            ("10.0.1.2", "127.0.1.2"),
            ("192.168.77.8", "127.0.77.8"),
            ("::ffff:10.0.1.3", "127.0.1.3"),
            ("2001:db8::a:b", "127.0.0.11"),
        ];
        for (client, want) in table {
            let want: Ipv4Addr = want.parse().unwrap();
            assert_eq!(loopback_of(client.parse().unwrap()), want);
        }
    }
}
