//! A host that sends frames that nobody can read.

use super::*;

impl Peer {
    /// Frames that have no message type, or no trace number.
    async fn talks_nonsense(&mut self, times: usize) {
        for nonsense in [&b"GET / HTTP/1.1"[..], b"0800\x00"].into_iter().cycle().take(times) {
            let mut out = BytesMut::new();
            let start = Framing::default().open(&mut out);
            out.extend_from_slice(nonsense);
            Framing::default().close(&mut out, start).unwrap();
            self.stream.write_all(&out).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_host_that_sends_nothing_but_what_cannot_be_read_is_dialled_anew() {
    let mut site = Site::open(TIMES).await;
    let mut peer = site.signed_on().await;
    peer.talks_nonsense(9).await;
    // One that can be read, and the count begins again.
    assert_eq!(peer.asks("301").await.mti(), "0810");
    peer.talks_nonsense(9).await;
    assert_eq!(peer.asks("301").await.mti(), "0810");
    site.submit(1, post(1));
    assert_eq!(peer.frame().await.mti(), "0200");
    peer.talks_nonsense(10).await;
    assert!(matches!(site.outcome().await, (1, Outcome::Silent)), "it may have been posted");
    let _again = site.signed_on().await;
    let health = site.adapter.health();
    assert_eq!((health.unreadable, health.unasked), (28, 0));
    assert!(health.last_error.is_some_and(|error| error.what.contains("cannot be answered")));
}

#[tokio::test]
async fn what_cannot_be_read_does_not_say_that_a_host_is_there() {
    let mut site = Site::open(Times { echo: Some(300), ..TIMES }).await;
    let mut peer = site.signed_on().await;
    for _ in 0..2 {
        assert_eq!(peer.frame().await.get(70), "301");
        peer.talks_nonsense(1).await;
    }
    // It is not asked a third time.
    let more = timeout(PATIENCE, peer.stream.read_buf(&mut peer.read)).await.expect("the end is due");
    assert_eq!((more.unwrap_or(0), peer.read.len()), (0, 0));
    assert_eq!(site.adapter.health().unreadable, 2);
}
