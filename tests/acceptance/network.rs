//! Network management: rows 1–4, 8, 9.

use crate::peer::{ATMNET, NORTHBANK, Outgoing, Peer};
use crate::site::{Setup, Site, UNPAID, WIRED};

#[tokio::test]
async fn n1_sign_on() {
    let site = Site::open().await;
    let mut peer = Peer::connect(site.address, ATMNET).await;
    let answer = peer.ask(&Outgoing::network("001")).await;
    assert_eq!((answer.mti.as_str(), answer.code(), answer.field(70)), ("0810", "00", "001"));
    assert_eq!(answer.field(11), "000001");
}

#[tokio::test]
async fn n2_a_payment_before_sign_on_is_declined_and_not_routed() {
    let site = Site::open().await;
    let mut peer = Peer::connect(site.address, ATMNET).await;
    let payment = Outgoing::payment(1, UNPAID, 1000);
    assert_eq!(peer.ask(&payment).await.code(), "91");
    assert_eq!(peer.ask(&Outgoing::inquiry(2, UNPAID)).await.code(), "91");
    assert_eq!(peer.ask(&Outgoing::reversal_of(&payment, 3)).await.code(), "91");
    assert_eq!(peer.ask(&Outgoing::network("001")).await.code(), "00");
    assert_eq!(peer.ask(&Outgoing::inquiry(4, UNPAID)).await.fact("ST"), "U");
    assert_eq!(peer.ask(&payment).await.code(), "00", "the refusal left no trace on the payment");
}

#[tokio::test]
async fn n3_sign_off_leaves_payments_in_flight_answered() {
    let mut site = Site::open().await;
    let mut peer = site.atmnet().await;
    peer.send(&Outgoing::payment_at(WIRED, 1, "1", 1000)).await;
    let order = site.wired.post().await;
    assert_eq!(peer.ask(&Outgoing::network("002")).await.code(), "00");
    order.approve("R1");
    let answer = peer.receive().await;
    assert_eq!((answer.code(), answer.fact("RN").as_str()), ("00", "R1"));
    assert_eq!(peer.ask(&Outgoing::inquiry(2, UNPAID)).await.code(), "91");
}

#[tokio::test]
async fn n4_echo_from_the_peer() {
    let site = Site::open().await;
    let mut peer = site.atmnet().await;
    let answer = peer.ask(&Outgoing::network("301").with(11, "004711")).await;
    assert_eq!((answer.mti.as_str(), answer.code(), answer.field(11)), ("0810", "00", "004711"));
}

#[tokio::test]
async fn n8_an_unknown_network_code() {
    let site = Site::open().await;
    let mut peer = site.atmnet().await;
    let answer = peer.ask(&Outgoing::network("999")).await;
    assert_eq!((answer.mti.as_str(), answer.code()), ("0810", "12"));
}

#[tokio::test]
async fn n9_a_repeated_sign_on_has_no_effect() {
    let site = Site::open().await;
    let mut peer = site.atmnet().await;
    assert_eq!(peer.ask(&Outgoing::network("001")).await.code(), "00");
    assert_eq!(peer.ask(&Outgoing::inquiry(2, UNPAID)).await.code(), "00");
}

#[tokio::test]
async fn a_link_signs_on_for_itself_alone_and_anew_after_its_last_connection_ends() {
    let site = Site::open().await;
    let peer = site.atmnet().await;
    let mut other = Peer::connect(site.address, NORTHBANK).await;
    assert_eq!(other.ask(&Outgoing::inquiry(1, UNPAID)).await.code(), "91");
    drop(peer);
    // The end of the first connection is noticed on its own time: asked until it has been.
    loop {
        let mut again = Peer::connect(site.address, ATMNET).await;
        if again.ask(&Outgoing::inquiry(2, UNPAID)).await.code() == "91" {
            break;
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_network_message_is_told_before_sign_on() {
    let site = Site::open().await;
    let mut peer = Peer::connect(site.address, ATMNET).await;
    assert_eq!(peer.ask(&Outgoing::network("999")).await.code(), "12");
    let missing = peer.ask(&Outgoing::network("001").without(7)).await;
    assert_eq!((missing.code(), missing.field(44)), ("30", "007"));
    let gated = peer.ask(&Outgoing::payment(1, UNPAID, 1000).without(41)).await;
    assert_eq!((gated.code(), gated.field(44)), ("91", ""));
}

#[tokio::test]
async fn a_store_is_not_served_without_its_own_keys() {
    let mut site = Site::open().await;
    drop(site.atmnet().await);
    site.stop().await;
    let keys = site.store().join("vault.keys");
    let own = std::fs::read(&keys).unwrap();
    std::fs::remove_file(&keys).unwrap();
    assert!(site.refuses_to_start().await.contains("vault.keys"), "a new key file would be of no use");
    let other = billswitch::vault::Vault::new_key_file().unwrap();
    std::fs::write(&keys, other.as_bytes()).unwrap();
    std::fs::set_permissions(&keys, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert!(site.refuses_to_start().await.contains("not this store's"));
    std::fs::write(&keys, own).unwrap();
    std::fs::set_permissions(&keys, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    assert!(site.refuses_to_start().await.contains("chmod 600"));
    std::fs::set_permissions(&keys, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    site.restart(Setup::default()).await;
    assert_eq!(site.atmnet().await.ask(&Outgoing::inquiry(1, UNPAID)).await.code(), "00");
}
