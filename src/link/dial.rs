//! Dialling: with a time-out, and again after a pause that doubles.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};

use super::accept::prepare;

/// Connects to a host name or address with its port; from the address `source`, if one is given.
///
/// # Errors
///
/// The system's, or [`io::ErrorKind::TimedOut`].
pub async fn dial(address: &str, source: Option<IpAddr>, patience: Duration) -> io::Result<TcpStream> {
    let connecting = async {
        match source {
            None => TcpStream::connect(address).await,
            Some(source) => connect_from(source, address).await,
        }
    };
    let connecting = tokio::time::timeout(patience, connecting);
    let stream = connecting.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    prepare(&stream);
    Ok(stream)
}

/// The first of its addresses that is of the same kind and takes the connection.
async fn connect_from(source: IpAddr, address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for to in tokio::net::lookup_host(address).await?.filter(|to| to.is_ipv4() == source.is_ipv4()) {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.bind(SocketAddr::new(source, 0))?;
        match socket.connect(to).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Pauses between attempts: each twice the one before, up to the longest, and each a little more or less, so that many
/// who lost the same peer do not come back at once.
#[derive(Clone, Copy, Debug)]
pub struct Redial {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Redial {
    /// Begins with the first pause.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// It went well: the next pause is the first again.
    pub const fn reset(&mut self) {
        self.next = self.first;
    }

    /// How long to wait now: three quarters to five quarters of the pause, as `dice` falls.
    pub fn pause(&mut self, dice: u64) -> Duration {
        let pause = self.next.min(self.longest);
        self.next = pause.saturating_mul(2).min(self.longest);
        let ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        let spread = dice.checked_rem(ms.saturating_add(2) / 2).unwrap_or(0);
        Duration::from_millis(ms.saturating_sub(ms / 4).saturating_add(spread))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_none_is_far_from_its_own() {
        let ms = |ms: u64| Duration::from_millis(ms);
        for dice in [0, 1, 77, u64::MAX] {
            let mut redial = Redial::new(ms(100), ms(350));
            for pause in [100, 200, 350, 350] {
                let waited = redial.pause(dice);
                assert!(
                    waited >= ms(pause - pause / 4) && waited <= ms(pause + pause / 4 + 1),
                    "{pause}: {waited:?}"
                );
            }
            redial.reset();
            assert!(redial.pause(dice) <= ms(126));
        }
    }
}
