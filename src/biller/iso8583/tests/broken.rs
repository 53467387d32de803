//! A host that breaks off, at each point of an exchange. Nothing that may have left is ever called not sent, and nothing posted
//! but what a whole answer says is.

use super::*;

#[tokio::test]
async fn an_answer_that_ends_anywhere_before_its_end_leaves_it_in_doubt() {
    let mut site = Site::open(TIMES).await;
    let mut leg = 0;
    loop {
        leg += 1;
        let mut peer = site.signed_on().await;
        site.submit(leg, post(leg));
        let frame = peer.frame().await;
        let whole = Peer::answer_bytes(&frame, "00", &[(38, "000001")]);
        let end = usize::try_from(leg - 1).unwrap() * 7;
        if end >= whole.len() {
            peer.stream.write_all(&whole).await.unwrap();
            assert!(matches!(site.outcome().await, (answered, Outcome::Posted(_)) if answered == leg));
            assert!(leg > 10, "it was cut in many places");
            return;
        }
        peer.stream.write_all(&whole[..end]).await.unwrap();
        drop(peer);
        let (silent, outcome) = site.outcome().await;
        assert!(silent == leg && matches!(outcome, Outcome::Silent), "cut after {end}: {outcome:?}");
    }
}

#[tokio::test]
async fn an_answer_of_an_impossible_length_ends_the_connection_and_leaves_it_in_doubt() {
    let mut site = Site::open(TIMES).await;
    for (leg, length) in [(1, [0, 0]), (2, [0x10, 0x01]), (3, [0xff, 0xff])] {
        let mut peer = site.signed_on().await;
        site.submit(leg, post(leg));
        let frame = peer.frame().await;
        peer.stream.write_all(&length).await.unwrap();
        let (silent, outcome) = site.outcome().await;
        assert!(silent == leg && matches!(outcome, Outcome::Silent), "{length:?}: {outcome:?}");
        peer.ended().await;
        // What comes of it afterwards comes to nobody.
        let _ = peer.stream.write_all(&Peer::answer_bytes(&frame, "00", &[(38, "000001")])).await;
        assert!(site.replies.try_recv().is_err(), "one outcome");
    }
}

#[tokio::test]
async fn a_connection_that_is_reset_before_or_within_an_order_that_has_left_leaves_it_in_doubt() {
    let mut site = Site::open(TIMES).await;
    for (leg, bytes) in [(1, 0), (2, 1), (3, 20)] {
        let mut peer = site.signed_on().await;
        site.submit(leg, post(leg));
        timeout(PATIENCE, peer.stream.readable()).await.expect("the order is due").unwrap();
        let mut read = vec![0; bytes];
        peer.stream.read_exact(&mut read).await.unwrap();
        // What is unread makes this a reset.
        drop(peer);
        let (silent, outcome) = site.outcome().await;
        assert!(silent == leg && matches!(outcome, Outcome::Silent), "{bytes} bytes read: {outcome:?}");
    }
}
