//! Taking connections in: bounded in all and a link, and never stopped by an error that passes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::Seldom;

/// Pause after the system refused to give a connection, doubled each time up to a second.
const BACK_OFF_MS: (u64, u64) = (5, 1000);
/// Connections that may wait to be taken in.
const BACKLOG: u32 = 1024;
/// A silent connection is probed after this, so that a half-open one is found.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Room for one connection; given back when it is dropped.
#[derive(Debug)]
pub struct Admission {
    _in_all: OwnedSemaphorePermit,
}

/// Listens on `address`.
///
/// # Errors
///
/// The system's, if it does not let us.
pub fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Hands each connection to `take` until `stop` turns true. A connection beyond the bound of `in_all` is closed at once, and
/// `refused` is told.
pub async fn accept(
    listener: TcpListener,
    in_all: Arc<Semaphore>,
    mut stop: watch::Receiver<bool>,
    refused: impl Fn(),
    take: impl Fn(TcpStream, SocketAddr, Admission),
) {
    let (first, longest) = BACK_OFF_MS;
    let mut pause = first;
    let seldom = Seldom::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                pause = first;
                let Ok(permit) = Arc::clone(&in_all).try_acquire_owned() else {
                    refused();
                    if let Some(unsaid) = seldom.now() {
                        tracing::warn!(%peer, unsaid, "connection refused: too many in all");
                    }
                    continue;
                };
                prepare(&stream);
                take(stream, peer, Admission { _in_all: permit });
            }
            Err(error) => {
                tracing::warn!(%error, pause_ms = pause, "no connection could be taken in");
                tokio::time::sleep(Duration::from_millis(pause)).await;
                pause = pause.saturating_mul(2).min(longest);
            }
        }
    }
}

/// Answers are small and wanted now; a peer that vanished is to be noticed. Neither setting is worth a connection.
pub(super) fn prepare(stream: &TcpStream) {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    let set = stream.set_nodelay(true).and_then(|()| SockRef::from(stream).set_tcp_keepalive(&keepalive));
    if let Err(error) = set {
        tracing::debug!(%error, "a socket option could not be set");
    }
}
