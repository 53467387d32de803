//! The MAC and its keys: rows 11, 12 and 24. What a MAC is made over is put together here by hand.

use billswitch::control::{LinkReply, Reply, Request};
use billswitch::iso8583::{Covered, Framing, MacAlgorithm, MacPadding, shipped};
use billswitch::profile::shipped::profile_text;
use billswitch::switch::{Reason, What};
use billswitch::vault::{Kek, MacKey};

use crate::peer::{ATMNET, Incoming, Outgoing, Peer};
use crate::site::{PATIENCE, Setup, Site, UNPAID};

const RETAIL: MacAlgorithm = MacAlgorithm::Retail(MacPadding::Zeros);

/// The key-encrypting key that both sides have.
const KEK: &str = "00112233445566778899AABBCCDDEEFF";
/// The first MAC key, as the key file has it, and in clear as the peer knows it.
const KEYS: &str = "kek 00112233445566778899AABBCCDDEEFF\nmac 4CD648347C7C41F1691C586546C2CBE1 08D7B4\n";
const FIRST: &str = "0123456789ABCDEFFEDCBA9876543210";
const SECOND: &str = "7CA110454A1A6E570131D9619DC1376E";
const THIRD: &str = "5BC1376E0131D9619DC17CA110454A1A";

fn setup(link_lines: &'static str) -> Setup {
    Setup { link_lines, link_keys: Some(KEYS), ..Setup::default() }
}

fn sealed() -> Setup {
    setup("[link.mac]\nkey_file = \"../link.keys\"")
}

fn key(hex: &str) -> MacKey {
    MacKey::new(RETAIL, &hex::decode(hex).unwrap()).unwrap()
}

/// The same two keys as AES keys.
const AES_KEYS: &str = "kek 00112233445566778899AABBCCDDEEFF\nmac 5BE121322E8737863D5B8229A71DB4B0 2090A6\n";

/// A peer that can make MACs.
struct Sealing {
    peer: Peer,
    key: MacKey,
}

impl Sealing {
    async fn signed_on(site: &Site) -> Self {
        Self { peer: Peer::signed_on(site.address, ATMNET).await, key: key(FIRST) }
    }

    /// The message with its MAC, which is its last eight bytes.
    fn seal(&self, message: Outgoing) -> Vec<u8> {
        let field = if message.highest() < 64 { 64 } else { 128 };
        let mut frame = message.with(field, &"\0".repeat(8)).bytes().to_vec();
        let at = frame.len() - 8;
        let tag = self.key.tag(&Covered::bytes(&frame[..at]));
        frame[at..].copy_from_slice(&tag[..8]);
        frame
    }

    async fn ask(&mut self, message: Outgoing) -> Incoming {
        let frame = self.seal(message);
        self.ask_frame(&frame).await
    }

    /// The answer, whose MAC must be of this peer's key.
    async fn ask_frame(&mut self, frame: &[u8]) -> Incoming {
        self.peer.send_frame(frame).await;
        let answer = self.peer.receive_in(Framing::default()).await;
        let (under, tag) = answer.split_at(answer.len() - 8);
        assert_eq!(&self.key.tag(&Covered::bytes(under))[..8], tag, "the answer has a MAC of our key");
        let read = Incoming::read(&answer);
        let highest = *read.fields.keys().max().unwrap();
        assert!([64, 128].contains(&highest), "{highest}");
        read
    }

    /// Sends a new key, with the check value of that or another.
    async fn sends_key(&mut self, new: &str, check: &str) -> Incoming {
        let change = key_change(new, check);
        self.peer.ask(&change).await
    }
}

fn key_change(new: &str, check: &str) -> Outgoing {
    let kek = Kek::new(RETAIL, &hex::decode(KEK).unwrap()).unwrap();
    let wrapped = hex::encode_upper(kek.send(&hex::decode(new).unwrap()).unwrap());
    Outgoing::network("161").with(48, &format!("KY{:03}{wrapped}KV006{check}", wrapped.len()))
}

async fn atmnet(site: &Site) -> LinkReply {
    let Reply::Links(links) = site.operator(Request::Links).await else { panic!("links") };
    links[0].clone()
}

#[tokio::test]
async fn n24_a_right_mac_is_taken_and_the_answer_has_one() {
    let site = Site::with(sealed()).await;
    let mut peer = Sealing::signed_on(&site).await;
    assert_eq!(peer.ask(Outgoing::inquiry(1, UNPAID)).await.fact("ST"), "U");
    let payment = Outgoing::payment(2, UNPAID, 1000);
    assert_eq!(peer.ask(payment.clone()).await.code(), "00");
    assert_eq!(
        peer.ask(payment.clone().with_mti("0201")).await.code(),
        "00",
        "a repeat has a MAC of its own"
    );
    assert_eq!(peer.ask(Outgoing::reversal_of(&payment, 3)).await.code(), "00");
    assert_eq!((atmnet(&site).await.mac_refused, atmnet(&site).await.mac_key.as_str()), (0, "08D7B4"));
}

#[tokio::test]
async fn n24_a_wrong_mac_is_refused_and_changes_nothing() {
    let mut site = Site::with(sealed()).await;
    let mut peer = Sealing::signed_on(&site).await;
    let payment = Outgoing::payment(1, UNPAID, 1000);
    let good = peer.seal(payment.clone());
    // The MAC, what it is made over, and a key nobody agreed on.
    let mut bad_mac = good.clone();
    *bad_mac.last_mut().unwrap() ^= 1;
    let mut bad_stan = good.clone();
    let stan = bad_stan.windows(6).position(|at| at == b"000001").unwrap();
    bad_stan[stan] = b'1';
    let other = Sealing { peer: Peer::connect(site.address, ATMNET).await, key: key(SECOND) };
    for frame in [bad_mac, bad_stan, other.seal(payment.clone())] {
        let answer = peer.ask_frame(&frame).await;
        assert_eq!((answer.code(), answer.field(44)), ("63", ""));
    }
    site.alarms(3).await;
    assert_eq!(atmnet(&site).await.mac_refused, 3);
    assert_eq!(peer.ask(Outgoing::inquiry(2, UNPAID)).await.fact("ST"), "U", "nothing was paid");
    assert_eq!(peer.ask_frame(&good).await.code(), "00", "nor is anything remembered of it");
    // Whoever it was cannot have us keep what they say.
    let legs = site.journalled().await;
    let refused = legs.windows(2).filter(|two| two[1].what == What::Answered { reason: Reason::MacWrong });
    assert!(refused.clone().all(|two| two[0].evidence.0.is_empty()));
    assert_eq!(refused.count(), 3);
}

#[tokio::test]
async fn n24_a_message_without_a_mac_where_one_is_due_is_refused_and_changes_nothing() {
    let site = Site::with(sealed()).await;
    let mut peer = Sealing::signed_on(&site).await;
    let payment = Outgoing::payment(1, UNPAID, 1000);
    let answer = peer.ask_frame(&payment.bytes()).await;
    assert_eq!((answer.code(), answer.field(44)), ("30", "064"));
    // A MAC that does not stand last covers nothing of what comes behind it.
    let mut early = peer.seal(payment.clone());
    early.truncate(early.len() - 8);
    let tag = early.split_off(early.len() - 8);
    let text: String = tag.iter().map(|byte| char::from(byte & 0x7f)).collect();
    let behind = payment.clone().with(64, &text).with(102, "7001");
    assert_eq!(peer.ask_frame(&behind.bytes()).await.code(), "30");
    site.alarms(2).await;
    let reversal = Outgoing::reversal_of(&payment, 2);
    assert_eq!(peer.ask_frame(&reversal.bytes()).await.code(), "30");
    assert_eq!(peer.ask(payment).await.code(), "00", "not even a reversal without one is remembered");
}

#[tokio::test]
async fn n24_links_without_keys_have_no_mac_to_be_checked() {
    let site = Site::open().await;
    let mut peer = site.atmnet().await;
    let answer = peer.ask(&Outgoing::inquiry(1, UNPAID).with(64, &"\0".repeat(8))).await;
    assert_eq!((answer.code(), answer.field(128)), ("00", ""));
    let refused = peer.ask(&key_change(SECOND, "000000")).await;
    assert_eq!(refused.code(), "63", "nor can they be given any");
}

#[tokio::test]
async fn n11_a_new_key_is_in_use_at_once_and_the_old_one_still_good() {
    let mut site = Site::with(sealed()).await;
    let mut old = Sealing::signed_on(&site).await;
    let new_check = key(SECOND).check_value().to_string();
    let answer = old.sends_key(SECOND, &new_check).await;
    assert_eq!(
        (answer.mti.as_str(), answer.code(), answer.field(70), answer.field(48)),
        ("0810", "00", "161", "")
    );
    assert_eq!(atmnet(&site).await.mac_key, new_check);
    // Each is answered with the key it has used.
    let mut new = Sealing { peer: Peer::connect(site.address, ATMNET).await, key: key(SECOND) };
    assert_eq!(new.ask(Outgoing::inquiry(1, UNPAID)).await.code(), "00");
    assert_eq!(old.ask(Outgoing::inquiry(2, UNPAID)).await.code(), "00");
    // Its sender may not have heard the answer: said again it changes nothing, and the old key stays good.
    assert_eq!(new.sends_key(SECOND, &new_check).await.code(), "00");
    assert_eq!(old.ask(Outgoing::inquiry(3, UNPAID)).await.code(), "00");
    // Whoever sends an old message again does not get an old key back.
    assert_eq!(new.sends_key(FIRST, "08D7B4").await.code(), "63");
    assert_eq!(atmnet(&site).await.mac_key, new_check);
    site.restart(sealed()).await;
    let mut new = Sealing { key: key(SECOND), ..Sealing::signed_on(&site).await };
    assert_eq!(new.ask(Outgoing::inquiry(4, UNPAID)).await.code(), "00", "it was on disk before it was said");
    let mut old = Sealing { peer: Peer::connect(site.address, ATMNET).await, key: key(FIRST) };
    assert_eq!(old.ask(Outgoing::inquiry(5, UNPAID)).await.code(), "00");
}

#[tokio::test]
async fn n11_a_key_that_was_in_use_once_is_never_taken_again() {
    let mut site = Site::with(sealed()).await;
    let mut peer = Sealing::signed_on(&site).await;
    for next in [SECOND, THIRD] {
        assert_eq!(peer.sends_key(next, &key(next).check_value().to_string()).await.code(), "00");
        peer.key = key(next);
    }
    // From before the former one, which has its answer elsewhere.
    assert_eq!(peer.sends_key(FIRST, "08D7B4").await.code(), "63");
    site.restart(sealed()).await;
    let mut peer = Sealing { key: key(THIRD), ..Sealing::signed_on(&site).await };
    assert_eq!(peer.sends_key(FIRST, "08D7B4").await.code(), "63", "it is on disk too");
    assert_eq!(atmnet(&site).await.mac_key, key(THIRD).check_value().to_string());
}

#[tokio::test]
async fn n11_the_old_key_is_good_for_a_bounded_window() {
    let lines = "[link.mac]\nkey_file = \"../link.keys\"\nwindow_ms = 1";
    let mut site = Site::with(setup(lines)).await;
    let mut old = Sealing::signed_on(&site).await;
    let new_check = key(SECOND).check_value().to_string();
    assert_eq!(old.sends_key(SECOND, &new_check).await.code(), "00");
    let passes = async {
        loop {
            let frame = old.seal(Outgoing::inquiry(1, UNPAID));
            old.peer.send_frame(&frame).await;
            if old.peer.receive().await.code() == "63" {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, passes).await.expect("the window passes");
    site.restart(setup(lines)).await;
    let mut old = Sealing::signed_on(&site).await;
    let frame = old.seal(Outgoing::inquiry(2, UNPAID));
    old.peer.send_frame(&frame).await;
    assert_eq!(old.peer.receive().await.code(), "63", "a restart does not open it again");
}

#[tokio::test]
async fn n12_a_key_with_a_wrong_check_value_is_refused_and_the_old_one_kept() {
    let site = Site::with(sealed()).await;
    let mut peer = Sealing::signed_on(&site).await;
    assert_eq!(peer.sends_key(SECOND, "08D7B4").await.code(), "63");
    site.alarms(1).await;
    let no_key = peer.peer.ask(&Outgoing::network("161")).await;
    assert_eq!(no_key.code(), "63");
    let halves = "0123456789ABCDEF0123456789ABCDEF";
    assert_eq!(peer.sends_key(halves, "D5D44F").await.code(), "63", "that would be single DES");
    site.alarms(3).await;
    assert_eq!(atmnet(&site).await.mac_key, "08D7B4");
    assert_eq!(peer.ask(Outgoing::payment(1, UNPAID, 1000)).await.code(), "00");
}

#[tokio::test]
async fn another_key_file_is_where_a_link_begins_anew() {
    let mut site = Site::with(sealed()).await;
    let mut peer = Sealing::signed_on(&site).await;
    for new in [SECOND, THIRD] {
        assert_eq!(peer.sends_key(new, &key(new).check_value().to_string()).await.code(), "00");
    }
    let file =
        "kek 00112233445566778899AABBCCDDEEFF # agreed anew\nmac 4CD648347C7C41F1691C586546C2CBE1 08D7B4\n";
    site.restart(Setup { link_keys: Some(file), ..sealed() }).await;
    assert_eq!(atmnet(&site).await.mac_key, "08D7B4");
    let none = "kek 00112233445566778899AABBCCDDEEFF\n";
    site.restart(Setup { link_keys: Some(none), ..sealed() }).await;
    let mut peer = site.atmnet().await;
    let answer = peer.ask(&Outgoing::inquiry(1, UNPAID).with(128, &"\0".repeat(8))).await;
    assert_eq!(answer.code(), "63", "no MAC is right without a key");
}

/// A profile like onelink's with another `[mac]`.
fn bank(mac: &str) -> (&'static str, &'static str) {
    let dialect = shipped::dialect_text("onelink").unwrap();
    let profile = profile_text("onelink").unwrap().replace("dialect = \"onelink\"", "dialect = \"bank\"");
    let (from, to) = (profile.find("[mac]").unwrap(), profile.find("[key_change]").unwrap());
    let profile = format!("{}{mac}\n{}", &profile[..from], &profile[to..]);
    (dialect, Box::leak(profile.into_boxed_str()))
}

type Over = fn(&[u8]) -> Vec<u8>;

#[tokio::test]
async fn what_a_mac_is_made_of_is_the_profiles() {
    let upper: Over = |bytes| hex::encode_upper(bytes).into_bytes();
    let whole: Over = |bytes| {
        let length = u16::try_from(bytes.len() + 8).unwrap().to_be_bytes();
        [&length, bytes].concat()
    };
    let plain: Over = <[u8]>::to_vec;
    let table: [(&str, MacAlgorithm, usize, Over); 5] = [
        ("\"retail\"\npadding = 2\nbytes = 8", MacAlgorithm::Retail(MacPadding::Bit), 8, plain),
        ("\"retail\"\npadding = 1\nbytes = 4", RETAIL, 4, plain),
        ("\"retail\"\npadding = 1\nbytes = 8\nover = \"hex\"", RETAIL, 8, upper),
        ("\"retail\"\npadding = 1\nbytes = 8\nfrom = \"length\"", RETAIL, 8, whole),
        ("\"aes-cmac\"\nbytes = 8", MacAlgorithm::AesCmac, 8, plain),
    ];
    for (lines, algorithm, bytes, over) in table {
        let mac = format!("[mac]\nalgorithm = {lines}\nfields = [128]\nmti = [\"0200\", \"0800\"]\n");
        let keys = if algorithm == MacAlgorithm::AesCmac { AES_KEYS } else { KEYS };
        let bank = Some(bank(&mac));
        let site = Site::with(Setup { profile: "bank", bank, link_keys: Some(keys), ..sealed() }).await;
        let key = MacKey::new(algorithm, &hex::decode(FIRST).unwrap()).unwrap();
        let tag = |under: &[u8]| {
            let mut tag = key.tag(&Covered::bytes(&over(under)))[..8].to_vec();
            tag[bytes..].fill(0);
            tag
        };
        let mut peer = Peer::connect(site.address, ATMNET).await;
        for message in [Outgoing::network("001"), Outgoing::payment(1, UNPAID, 1000)] {
            let mut frame = message.with(128, &"\0".repeat(8)).bytes().to_vec();
            let at = frame.len() - 8;
            let made = tag(&frame[..at]);
            frame[at..].copy_from_slice(&made);
            peer.send_frame(&frame).await;
            let answer = peer.receive_in(Framing::default()).await;
            assert_eq!(Incoming::read(&answer).code(), "00", "{lines}");
            let (under, sent) = answer.split_at(answer.len() - 8);
            assert_eq!(sent, tag(under), "{lines}");
        }
        let unsigned = peer.ask(&Outgoing::network("002")).await;
        assert_eq!((unsigned.code(), unsigned.field(44)), ("30", "128"), "{lines}");
    }
}

#[tokio::test]
async fn our_own_requests_have_a_mac_and_so_must_their_answers() {
    let mac = "[mac]\nalgorithm = \"retail\"\npadding = 1\nbytes = 8\nfields = [128]\nmti = [\"0800\"]\n";
    let site = Site::with(Setup { profile: "bank", bank: Some(bank(mac)), ..sealed() }).await;
    let mut peer = Sealing { peer: Peer::connect(site.address, ATMNET).await, key: key(FIRST) };
    assert_eq!(peer.ask(Outgoing::network("001")).await.code(), "00");
    let answers = async {
        let echo = peer.peer.receive_in(Framing::default()).await;
        let (under, tag) = echo.split_at(echo.len() - 8);
        assert_eq!(&peer.key.tag(&Covered::bytes(under))[..8], tag);
        let echo = Incoming::read(&echo);
        let answer = || Outgoing::network("301").with_mti("0810").with(11, echo.field(11)).with(39, "00");
        peer.peer.send(&answer()).await;
        // One for the MAC, one for the answer that is therefore nobody's.
        site.alarms(2).await;
        let frame = peer.seal(answer());
        peer.peer.send_frame(&frame).await;
    };
    let (said, ()) = tokio::join!(site.operator(Request::Echo { link: "atmnet".parse().unwrap() }), answers);
    assert!(matches!(said, Reply::Done(said) if said.starts_with("atmnet answered 00")));
}

#[tokio::test]
async fn a_key_in_an_answer_that_nobody_asked_for_is_no_evidence() {
    let mut site = Site::open().await;
    let mut peer = Peer::signed_on(site.address, ATMNET).await;
    for answer in [key_change(SECOND, "8CA64D"), Outgoing::network("301").with(48, "KX003abc")] {
        peer.send(&answer.with_mti("0810").with(39, "00")).await;
    }
    site.alarms(2).await;
    let legs = site.journalled().await;
    let unasked = legs.iter().filter(|leg| matches!(leg.what, What::Unasked { .. }));
    let kept: Vec<_> = unasked.map(|leg| !leg.evidence.0.is_empty()).collect();
    assert_eq!(kept, [false, true]);
}
