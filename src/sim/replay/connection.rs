//! One link's connection: a task that reads answers and a task that writes what the player hands it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::codec::Decoder;

use crate::iso8583::Framing;
use crate::link::{FrameCodec, FrameFault};

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

/// Starts the two tasks of link number `link`. What is read is framed by `framing`; batches are of frames already.
pub(super) fn start(
    link: usize,
    stream: TcpStream,
    framing: Framing,
    events: mpsc::Sender<Event>,
) -> Connection {
    let (read, write) = stream.into_split();
    let (batches, batch) = mpsc::channel(1);
    let reader = tokio::spawn(read_frames(link, read, framing, events.clone()));
    let writer = tokio::spawn(write_batches(link, write, batch, events));
    Connection { batches: Some(batches), tasks: [reader, writer] }
}

/// Bytes asked of the system at a time.
const READ_BYTES: usize = 64 * 1024;

async fn read_frames(link: usize, mut read: OwnedReadHalf, framing: Framing, events: mpsc::Sender<Event>) {
    let mut codec = FrameCodec::new(framing, u16::MAX);
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
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break None,
                Err(FrameFault::Io(error)) => break Some(error),
                Err(FrameFault::Framing(fault)) => break Some(std::io::Error::other(fault)),
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
    use bytes::BytesMut;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn what_is_read_is_framed_as_said_and_what_is_not_closes() {
        for framing in Framing::COMMON {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let socket =
                connect("127.0.0.1:0".parse().unwrap(), listener.local_addr().unwrap()).await.unwrap();
            let (mut switch, _) = listener.accept().await.unwrap();
            let (events, mut heard) = mpsc::channel(8);
            let connection = start(7, socket, framing, events);
            let mut batch = BytesMut::new();
            framing.put(b"0800", &mut batch).unwrap();
            connection.batches.as_ref().unwrap().send(batch.clone().freeze()).await.unwrap();
            let mut wire = vec![0; batch.len()];
            switch.read_exact(&mut wire).await.unwrap();
            assert_eq!(wire, batch, "{framing}");
            framing.put(b"0810", &mut batch).unwrap();
            switch.write_all(&batch).await.unwrap();
            drop(switch);
            let mut read = Vec::new();
            while let Some(event) = heard.recv().await {
                match event {
                    Event::Frames { link: 7, frames, .. } => read.extend(frames),
                    Event::Written { link: 7 } => {}
                    Event::Closed { link: 7, error: None } => break,
                    Event::Frames { .. } | Event::Written { .. } | Event::Closed { .. } => {
                        panic!("of another link, or an error")
                    }
                }
            }
            assert_eq!(read, [&b"0800"[..], b"0810"], "{framing}");
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = connect("127.0.0.1:0".parse().unwrap(), listener.local_addr().unwrap()).await.unwrap();
        let (mut switch, _) = listener.accept().await.unwrap();
        let (events, mut heard) = mpsc::channel(8);
        let _connection = start(0, socket, Framing::parse("ascii 4").unwrap(), events);
        switch.write_all(b"\x00\x040810").await.unwrap();
        let closed = loop {
            if let Event::Closed { error, .. } = heard.recv().await.unwrap() {
                break error;
            }
        };
        assert_eq!(closed.unwrap().to_string(), "a length that is not in decimal digits");
    }

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
