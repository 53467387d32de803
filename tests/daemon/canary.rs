//! Card data that must not be found anywhere afterwards: not in the store, the log, the recording, or what is printed.

use billswitch::iso8583::{MacAlgorithm, MacPadding};
use billswitch::vault::{Kek, MacKey};

use crate::hunt::{Needles, hunt};
use crate::support::bank::{Bank, Slip, message, network, tlv};
use crate::support::bills::{Bill, DATE, import};
use crate::support::site::Site;

/// A test number of JCB's.
const PAN: &str = "3566002020360505";
/// A test number of American Express's, which is sent in tracks only.
const TRACK_PAN: &str = "371449635398431";
/// What follows the number on track 2, on track 3, and on track 1.
const TAIL_2: &str = "30051019301087";
const TAIL_3: &str = "72472407719955330303";
const TAIL_1: &str = "KANARIENVOGEL/TWEETY^27089917736455";
/// DE 52 as it stands on the wire, in hex characters.
const PIN_BLOCK: &str = "0412AC89ABCDEF67";
/// DE 55: an application cryptogram.
const CHIP: [u8; 11] = [0x9f, 0x26, 8, 0xc0, 0xff, 0xee, 0x55, 0xaa, 0x99, 0xba, 0xdd];

fn needles() -> Needles {
    let mut needles = Needles::default();
    for pan in [PAN, TRACK_PAN] {
        needles.card_number(pan);
    }
    for tail in [TAIL_2, TAIL_3] {
        needles.digits("track", tail, 9);
    }
    needles.text("track 1", b"KANARIENVOGEL");
    needles.digits("track 1", "27089917736455", 9);
    needles.text("PIN block", PIN_BLOCK.as_bytes());
    needles.text("PIN block", &hex::decode(PIN_BLOCK).unwrap());
    needles.text("chip data", &CHIP[3..]);
    needles
}

/// The card's fields as they may stand in any message: DE 35, 36, 45, 52 and 55.
struct Card {
    track_2: String,
    track_3: String,
    track_1: String,
}

impl Card {
    fn of(pan: &str) -> Self {
        Self {
            track_2: format!("{pan}={TAIL_2}"),
            track_3: format!("01{pan}={TAIL_3}"),
            track_1: format!("B{pan}^{TAIL_1}"),
        }
    }
}

/// A request with everything a card has. `odd` are fields where none of it should stand.
fn request(
    mti: &str,
    code: &str,
    number: u32,
    bill: &Bill,
    pan: Option<&str>,
    odd: &[(u8, &str)],
) -> Vec<u8> {
    let card = Card::of(pan.unwrap_or(TRACK_PAN));
    let slip = Slip { bill: bill.clone(), number };
    let (stan, rrn, amount) = (format!("{number:06}"), slip.rrn(), format!("{:012}", bill.amount));
    let details = tlv(&[("BI", bill.biller), ("CN", &bill.psid), ("CH", "6011")]);
    let blanks = " ".repeat(6);
    let original = format!("0200{stan}{blanks}1120093000{blanks}1120093000");
    let pin_block = hex::decode(PIN_BLOCK).unwrap();
    let mut fields: Vec<(u8, &[u8])> = vec![
        (3, code.as_bytes()),
        (4, amount.as_bytes()),
        (7, b"1120093000"),
        (11, stan.as_bytes()),
        (35, card.track_2.as_bytes()),
        (36, card.track_3.as_bytes()),
        (37, rrn.as_bytes()),
        (41, b"KHBATM01"),
        (45, card.track_1.as_bytes()),
        (48, details.as_bytes()),
        (49, b"586"),
        (52, &pin_block),
        (55, &CHIP),
    ];
    fields.extend(pan.map(|pan| (2, pan.as_bytes())));
    if mti.starts_with("04") {
        fields.push((90, original.as_bytes()));
    }
    for (field, value) in odd {
        fields.retain(|(known, _)| known != field);
        fields.push((*field, value.as_bytes()));
    }
    fields.sort_by_key(|(field, _)| *field);
    message(mti, &fields)
}

/// Places where a card number does not belong, each filled with `pan`.
fn odd_places(pan: &str, bill: &Bill) -> Vec<Vec<(u8, String)>> {
    let details = |more: &[(&str, &str)]| {
        tlv(&[&[("BI", bill.biller), ("CN", &bill.psid), ("CH", "6011")], more].concat())
    };
    let text = format!("CARD {pan} OF {pan}={TAIL_2}");
    let mut places = vec![
        vec![(48, details(&[("XX", pan)]))],
        vec![(48, details(&[("XX", &text)]))],
        vec![(48, tlv(&[("BI", bill.biller), ("CN", pan), ("CH", "6011")]))],
        vec![(48, tlv(&[("BI", pan), ("CN", &bill.psid), ("CH", "6011")]))],
        vec![(120, tlv(&[("NM", &text)]))],
        vec![(43, format!("{pan:<40}"))],
        vec![(44, pan.to_owned())],
        vec![(60, pan.to_owned())],
        vec![(61, text.clone())],
        vec![(95, format!("{pan:0<42}"))],
        vec![(101, pan.to_owned())],
        vec![(102, pan.to_owned()), (103, pan.to_owned())],
        vec![(63, text.clone()), (102, format!("PK{pan}"))],
    ];
    if pan.len() == 15 {
        places.push(vec![(42, pan.to_owned())]);
    }
    places
}

/// A frame cut short, with a byte too few or too many, or with a bitmap that lies: at every place.
fn broken(frame: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for at in 4..frame.len() {
        all.push(frame[..at].to_vec());
        all.push([&frame[..at], &frame[at + 1..]].concat());
        all.push([&frame[..at], b"1", &frame[at..]].concat());
        all.push([&frame[..at], b"X", &frame[at + 1..]].concat());
    }
    for bit in 0..128 {
        let mut lies = frame.to_vec();
        lies[4 + bit / 8] ^= 0x80 >> (bit % 8);
        all.push(lies);
    }
    all
}

/// Everything that is sent: what is answered, what is refused, and what is broken.
fn traffic(bills: &[Bill]) -> Vec<Vec<u8>> {
    let mut number = 0;
    let mut next = || {
        number += 1;
        number
    };
    let mut all = Vec::new();
    let mut bills = bills.iter().cycle();
    for pan in [Some(PAN), None] {
        let bill = bills.next().unwrap();
        let paid = next();
        for (mti, code) in [
            ("0200", "380000"),
            ("0200", "500000"),
            ("0201", "500000"),
            ("0420", "500000"),
            ("0421", "500000"),
        ] {
            all.push(request(mti, code, paid, bill, pan, &[]));
        }
        // Refused: another content, another code, another amount, another department.
        all.push(request("0200", "500000", paid, bill, pan, &[(4, "000000000001")]));
        all.push(request("0200", "990000", next(), bill, pan, &[]));
        all.push(request("0200", "500000", next(), bill, pan, &[(4, "000000000001")]));
        let nobody = tlv(&[("BI", "NOBODY"), ("CN", &bill.psid), ("CH", "6011")]);
        all.push(request("0200", "500000", next(), bill, pan, &[(48, &nobody)]));
        all.push(request("0800", "000000", next(), bill, pan, &[(70, "301")]));
        for mti in ["0200", "0201", "0420", "0800"] {
            for odd in odd_places(pan.unwrap_or(TRACK_PAN), bills.next().unwrap()) {
                let odd: Vec<(u8, &str)> =
                    odd.iter().map(|(field, value)| (*field, value.as_str())).collect();
                for code in ["380000", "500000"] {
                    all.push(request(mti, code, next(), bills.next().unwrap(), pan, &odd));
                }
            }
        }
        all.extend(broken(&request("0200", "500000", next(), bills.next().unwrap(), pan, &[])));
        let odd = format!("CARD {}", pan.unwrap_or(TRACK_PAN));
        let odd =
            request("0200", "500000", next(), bills.next().unwrap(), pan, &[(60, &odd[5..]), (63, &odd)]);
        all.extend((4..odd.len()).map(|cut| odd[..cut].to_vec()));
    }
    // A message with the number alone may be kept although its layout is lost: as far as it was read.
    let (stan, bill) = (format!("{:06}", next()), bills.next().unwrap());
    let details = tlv(&[("BI", bill.biller), ("CN", &bill.psid), ("CH", "6011")]);
    all.extend(broken(&message(
        "0200",
        &[
            (2, PAN.as_bytes()),
            (3, b"500000"),
            (4, b"000000010000"),
            (7, b"1120093000"),
            (11, stan.as_bytes()),
            (37, b"630000000999"),
            (41, b"KHBATM01"),
            (48, details.as_bytes()),
            (49, b"586"),
        ],
    )));
    all
}

/// Sends everything; whatever is answered is read, so that nothing stays unsent on the other side.
fn send_all(to: std::net::SocketAddr, link: u8, frames: &[Vec<u8>]) -> usize {
    let mut bank = Bank::connect(to, link).unwrap();
    let mut answers = 0;
    // Before the sign-on everything is refused.
    for sign_on in [None, Some(network("001"))] {
        for frame in sign_on.iter().chain(frames) {
            bank.send(frame).unwrap();
            bank.send(&network("301")).unwrap();
            // What was sent last is answered last, be the other frame answered or not.
            while bank.receive().unwrap().at("11") != "999999" {
                answers += 1;
            }
        }
    }
    answers
}

#[test]
fn card_data_is_found_nowhere_in_the_store_the_log_the_recording_or_what_is_printed() {
    let site = Site::new();
    site.edit(|text| {
        text.replace("profile = \"onelink\"", "profile = \"onelink\"\nunanswerable_max = 100000")
    });
    let bills = import(&site, "KPEXCISE", 400);
    let recording = site.path("traffic.pcap");
    let daemon = site.serve(&["--log", "trace", "--record", recording.to_str().unwrap()]);
    let answers = send_all(daemon.address, 1, &traffic(&bills));
    assert!(answers > 500, "only {answers} answers");
    let mut printed = String::new();
    for args in [
        &["status"][..],
        &["links"],
        &["billers"],
        &["journal", "verify"],
        &["journal", "tail", "-n", "10000"],
        &["txn", "--stan", "000001"],
        &["txn", "--stan", "000010"],
        &["txn", "--rrn", "630000000030"],
    ] {
        for format in [&[][..], &["--json"]] {
            printed += &site.run("ctl", &[args, format].concat()).ok();
        }
    }
    for format in [&[][..], &["--json"]] {
        let scroll = site.run("book", &[&["export", "KPEXCISE", "--date", DATE], format].concat()).ok();
        assert!(scroll.contains("55011"), "nothing was paid");
        printed += &scroll;
    }
    site.file("printed.txt", &printed);
    daemon.stop();
    let dir = site.path("");
    let found = hunt(&dir, &needles());
    assert!(
        found.is_empty(),
        "{} places, such as:\n{}",
        found.len(),
        found[..found.len().min(40)].join("\n")
    );
    // The search reads what was written: the RRN of a payment is in all of it, and so is a secret put there.
    let mut rrn = Needles::default();
    rrn.text("RRN", b"630000000001");
    let rrn = hunt(&dir, &rrn).join("\n");
    for place in ["store/db", "serve-0.log", "traffic.pcap", "printed.txt"] {
        assert!(rrn.contains(place), "the search does not see {place}");
    }
    for secret in [PAN, TAIL_1, PIN_BLOCK] {
        let mut copy = std::fs::read(site.store().join("db")).unwrap();
        let middle = copy.len() / 2;
        copy.splice(middle..middle, secret.bytes());
        std::fs::write(site.store().join("copy"), copy).unwrap();
        assert!(!hunt(&dir, &needles()).is_empty(), "{secret} was not found");
    }
}

#[test]
fn a_secret_is_found_in_whatever_form_it_is_written_and_a_masked_number_is_none() {
    let needles = needles();
    let pan = PAN.as_bytes();
    for written in [
        PAN.to_owned(),
        PAN[3..10].to_owned(),
        hex::encode(pan),
        hex::encode_upper(CHIP),
        format!("{pan:?}"),
        serde_json::to_string(pan).unwrap(),
        PIN_BLOCK.to_lowercase(),
    ] {
        assert!(!needles.found_in(format!("x{written}y").as_bytes()).is_empty(), "{written}");
    }
    assert!(!needles.found_in(&hex::decode(PAN).unwrap()).is_empty(), "two digits to a byte");
    assert!(needles.found_in(b"356600******0505 3566000000000505").is_empty());
}

/// The key under which keys come to the link, a key that comes under it, and the first one.
const KEK: &str = "7C3A91E05FB8D2461E9F4C70A3B5D862";
const NEW_KEY: &str = "A45E13C7F08B296D38D1704FE2C69B5A";
const FIRST_KEY: &str = "519DE46B7A0F83C2C7264F91BD3EA805";

#[test]
fn keys_of_a_link_are_found_nowhere_but_in_their_key_file() {
    let algorithm = MacAlgorithm::Retail(MacPadding::Zeros);
    let bytes = |key: &str| hex::decode(key).unwrap();
    let kek = Kek::new(algorithm, &bytes(KEK)).unwrap();
    let under_kek = |key: &str| {
        let check = MacKey::new(algorithm, &bytes(key)).unwrap().check_value();
        (hex::encode_upper(kek.send(&bytes(key)).unwrap()), check.to_string())
    };
    let site = Site::new();
    let (wrapped, check) = under_kek(FIRST_KEY);
    // Where the search does not go.
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("link.keys");
    std::fs::write(&file, format!("kek {KEK}\nmac {wrapped} {check}\n")).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    site.edit(|text| {
        let mac = format!("profile = \"onelink\"\n[link.mac]\nkey_file = {file:?}");
        text.replacen("profile = \"onelink\"", &mac, 1)
    });
    let recording = site.path("traffic.pcap");
    let daemon = site.serve(&["--log", "trace", "--record", recording.to_str().unwrap()]);
    let (wrapped, check) = under_kek(NEW_KEY);
    let change = |check: &str| {
        let keys = tlv(&[("KY", &wrapped), ("KV", check)]);
        let fields: [(u8, &[u8]); 4] =
            [(7, b"1120093000"), (11, b"000161"), (48, keys.as_bytes()), (70, b"161")];
        message("0800", &fields)
    };
    let mut bank = Bank::connect(daemon.address, 1).unwrap();
    for (frame, code) in [(change("000000"), "63"), (change(&check), "00"), (network("001"), "00")] {
        bank.send(&frame).unwrap();
        assert_eq!(bank.receive().unwrap().at("39"), code);
    }
    let printed =
        [&["links"][..], &["journal", "tail"], &["links", "--json"], &["journal", "tail", "--json"]]
            .map(|args| site.run("ctl", args).ok())
            .concat();
    assert!(printed.contains(&check), "the key in use is known by its check value");
    site.file("printed.txt", &printed);
    daemon.stop();
    let mut needles = Needles::default();
    for key in [KEK, NEW_KEY, FIRST_KEY] {
        needles.text("key", &bytes(key));
        needles.text("half a key", &bytes(key)[..8]);
    }
    needles.text("key under its kek", &bytes(&wrapped));
    let found = hunt(&site.path(""), &needles);
    assert!(found.is_empty(), "{}", found.join("\n"));
}
