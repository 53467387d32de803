//! A bill's whole day on a link of each shipped profile: sign-on, inquiry, payment, repeat, and its reversal, in the
//! layout and framing of the dialect.

use billswitch::iso8583::{Decoded, Dialect, Mirror, decode, from_json, shipped};
use bytes::BytesMut;
use serde_json::{Value, json};

use crate::peer::{ATMNET, Peer};
use crate::site::{BOOK, Setup, Site, UNPAID};

/// A network's own way of asking.
struct Network {
    profile: &'static str,
    sign_on: Value,
    inquiry: Value,
    payment: Value,
    repeat: Value,
    reversal: Value,
    /// Response codes of an approval and of a bill that is paid already.
    codes: [&'static str; 2],
    /// Where the customer's name and the amount due stand in the answer to an inquiry.
    told: [(&'static str, &'static str); 2],
}

fn networks() -> Vec<Network> {
    vec![
        Network {
            profile: "iso87",
            sign_on: json!({"mti": "0800", "fields": {"7": "1120090000", "11": "1", "70": "001"}}),
            inquiry: json!({"mti": "0200", "fields": {"3": "380000", "7": "1120090001", "11": "2", "32": "27", "37": "R00000000002",
                "41": "T1", "98": BOOK, "103": UNPAID}}),
            payment: json!({"mti": "0200", "fields": {"3": "500000", "4": "1000", "7": "1120090002", "11": "3", "32": "27",
                "37": "R00000000003", "41": "T1", "49": "586", "98": BOOK, "103": UNPAID}}),
            repeat: json!({"mti": "0201", "fields": {"3": "500000", "4": "1000", "7": "1120090002", "11": "3", "32": "27",
                "37": "R00000000003", "41": "T1", "49": "586", "98": BOOK, "103": UNPAID}}),
            reversal: json!({"mti": "0420", "fields": {"3": "500000", "4": "1000", "7": "1120090009", "11": "9", "32": "27",
                "37": "R00000000003", "41": "T1", "49": "586",
                "90": {"mti": "0200", "stan": "000003", "transmitted_at": "1120090002", "acquirer": "0", "forwarder": "0"}}}),
            codes: ["00", "21"],
            told: [("120", "Ayesha Bibi"), ("123", "1000")],
        },
        Network {
            profile: "ebipp",
            sign_on: json!({"mti": "0800", "fields": {"7": "1120090000", "11": "1", "70": "001"}}),
            inquiry: json!({"mti": "0200", "fields": {"3": "371000", "7": "1120090001", "11": "2", "32": "27", "37": "R00000000002",
                "41": "T1", "48": {"PI": BOOK, "CN": UNPAID}}}),
            payment: json!({"mti": "0200", "fields": {"3": "801000", "4": "1000", "7": "1120090002", "11": "3", "32": "27",
                "37": "R00000000003", "41": "T1", "49": "586", "48": {"PI": BOOK, "CN": UNPAID}}}),
            repeat: json!({"mti": "0200", "fields": {"3": "801000", "4": "1000", "7": "1120090002", "11": "3", "32": "27",
                "37": "R00000000003", "41": "T1", "49": "586", "48": {"PI": BOOK, "CN": UNPAID}}}),
            reversal: json!({"mti": "0400", "fields": {"3": "801000", "4": "1000", "7": "1120090009", "11": "9", "32": "27",
                "37": "R00000000003", "41": "T1", "49": "586",
                "90": {"mti": "0200", "stan": "000003", "transmitted_at": "1120090002", "acquirer": "0", "forwarder": "0"}}}),
            codes: ["00", "54"],
            told: [
                ("48.NM", "Ayesha Bibi                                       "),
                ("48.AT", "000000001000"),
            ],
        },
        Network {
            profile: "pln",
            sign_on: json!({"mti": "2800", "fields": {"11": "1", "12": "20261120090000", "40": "001"}}),
            inquiry: json!({"mti": "2100", "fields": {"2": "99501", "11": "2", "12": "20261120090001", "26": "6011", "32": "4510017",
                "41": "T1", "48": {"switcher": "SWITCH1", "customer": "7001        "}}}),
            payment: json!({"mti": "2200", "fields": {"2": "99501", "4": "5860000000001000", "11": "3", "12": "20261120090002",
                "26": "6011", "32": "4510017", "41": "T1", "48": {"switcher": "SWITCH1", "customer": "7001        "}}}),
            repeat: json!({"mti": "2200", "fields": {"2": "99501", "4": "5860000000001000", "11": "3", "12": "20261120090002",
                "26": "6011", "32": "4510017", "41": "T1", "48": {"switcher": "SWITCH1", "customer": "7001        "}}}),
            reversal: json!({"mti": "2400", "fields": {"2": "99501", "4": "5860000000001000", "11": "9", "12": "20261120090009",
                "32": "4510017", "41": "T1",
                "56": {"mti": "2200", "stan": "000000000003", "local_at": "20261120090002", "bank": "4510017"}}}),
            codes: ["0000", "0088"],
            told: [("48.name", "Ayesha Bibi              "), ("48.b1_amount", "00000001000")],
        },
    ]
}

/// One end of a link in a dialect of its own.
struct End {
    dialect: Dialect,
    peer: Peer,
}

impl End {
    fn bytes(&self, message: &Value) -> Vec<u8> {
        let mut bytes = BytesMut::new();
        from_json(&self.dialect, message, &mut bytes).unwrap();
        bytes.to_vec()
    }

    async fn ask(&mut self, message: &Value) -> Vec<u8> {
        let frame = self.bytes(message);
        self.ask_frame(&frame).await
    }

    async fn ask_frame(&mut self, frame: &[u8]) -> Vec<u8> {
        let mut framed = BytesMut::new();
        self.dialect.framing().put(frame, &mut framed).unwrap();
        self.peer.send_bytes(&framed).await;
        self.peer.receive_in(self.dialect.framing()).await
    }
}

fn code(decoded: &Decoded<'_, '_>) -> String {
    assert_eq!(decoded.fault, None);
    String::from_utf8(decoded.message.field(39).unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn a_bill_is_found_paid_and_given_back_in_the_words_of_every_shipped_profile() {
    for network in networks() {
        let Network { profile, codes: [approved, paid], .. } = network;
        // pln has no codes of departments: its product is the biller's.
        let biller = if profile == "pln" { "99501" } else { BOOK };
        let site = Site::with(Setup { profile, book: biller, ..Setup::default() }).await;
        let dialect = shipped::dialect(profile_dialect(profile)).unwrap().unwrap();
        let mut end = End { dialect, peer: Peer::connect(site.address, ATMNET).await };
        let dialect = end.dialect.clone();
        let mut mirror = Mirror::new();

        let answer = end.ask(&network.sign_on).await;
        assert_eq!(code(&decode(&dialect, &answer, &mut mirror)), approved, "{profile}: sign-on");

        let answer = end.ask(&network.inquiry).await;
        let decoded = decode(&dialect, &answer, &mut mirror);
        assert_eq!(code(&decoded), approved, "{profile}: inquiry");
        for (path, want) in network.told {
            let told = decoded.message.get(&dialect.path(path).unwrap()).unwrap();
            assert_eq!(String::from_utf8_lossy(told), want, "{profile}: {path}");
        }

        let first = end.ask(&network.payment).await;
        assert_eq!(code(&decode(&dialect, &first, &mut mirror)), approved, "{profile}: payment");
        let again = end.ask(&network.repeat).await;
        assert_eq!(again, first, "{profile}: a repeat gets the stored answer");

        let mut other = network.payment.clone();
        other["fields"]["11"] = json!("4");
        let answer = end.ask(&other).await;
        assert_eq!(code(&decode(&dialect, &answer, &mut mirror)), paid, "{profile}: paid already");

        let answer = end.ask(&network.reversal).await;
        assert_eq!(code(&decode(&dialect, &answer, &mut mirror)), approved, "{profile}: reversal");
        let answer = end.ask(&network.inquiry).await;
        assert_eq!(code(&decode(&dialect, &answer, &mut mirror)), approved, "{profile}: unpaid again");
    }
}

fn profile_dialect(profile: &'static str) -> &'static str {
    if profile == "iso87" { "iso87-ascii" } else { profile }
}

/// A bank that packs its digits, writes text in EBCDIC, and stands behind a TPDU: a file of three lines, and a profile that
/// names it.
const BANK: &str = r#"
name = "bank"
extends = "iso87-bcd"
framing = "ascii 4"
header = [{ tpdu = "6000010002" }]
text = "cp1047"
"#;

/// A switch that the bank is connected to, the bank's end, and what it says, with its header.
async fn bank(of_inquiries: &str) -> (Site, End, Network) {
    let profile = shipped_profile("iso87").replace("dialect = \"iso87-ascii\"", "dialect = \"bank\"");
    let class = "[classes.inquiry]\n";
    let profile = profile.replace(class, &format!("{class}{of_inquiries}\n")).leak();
    let site = Site::with(Setup { profile: "bank", bank: Some((BANK, profile)), ..Setup::default() }).await;
    let base = |name: &str| shipped::dialect_text(name).map(str::to_owned);
    let dialect = Dialect::parse("bank.toml", BANK, &base).unwrap();
    let end = End { dialect, peer: Peer::connect(site.address, ATMNET).await };
    let mut network = networks().remove(0);
    for message in [&mut network.sign_on, &mut network.inquiry, &mut network.payment] {
        message["header"] = json!("6000330044");
    }
    (site, end, network)
}

#[tokio::test]
async fn a_bank_of_its_own_connects_by_a_file_and_is_answered_the_way_it_came() {
    let (_site, mut end, network) = bank("").await;
    let dialect = end.dialect.clone();
    let mut mirror = Mirror::new();
    for message in [&network.sign_on, &network.inquiry, &network.payment] {
        let answer = end.ask(message).await;
        let decoded = decode(&dialect, &answer, &mut mirror);
        assert_eq!(code(&decoded), "00");
        assert_eq!(decoded.message.header(), hex::decode("6000440033").unwrap());
    }
}

#[tokio::test]
async fn n20_packed_digits_that_are_none_and_a_bitmap_that_lies_are_refused_and_nothing_is_paid() {
    let (_site, mut end, network) = bank("").await;
    let dialect = end.dialect.clone();
    let mut mirror = Mirror::new();
    end.ask(&network.sign_on).await;
    let payment = end.bytes(&network.payment);
    // Five bytes of TPDU and two of message type stand before the bitmaps; then come processing code and amount.
    let at = payment.windows(9).position(|at| at == [0x50, 0, 0, 0, 0, 0, 0, 0x10, 0]).unwrap();
    for (place, bits, why) in [
        (at + 7, 0xf0, "an amount of A0 in place of 10"),
        (7 + 7, 0x01, "data element 64, which is not there"),
        (7 + 8 + 4, 0x02, "no data element 103, which is there"),
    ] {
        let mut frame = payment.clone();
        frame[place] ^= bits;
        let answer = end.ask_frame(&frame).await;
        assert_eq!(code(&decode(&dialect, &answer, &mut mirror)), "30", "{why}");
    }
    let answer = end.ask(&network.inquiry).await;
    let decoded = decode(&dialect, &answer, &mut mirror);
    assert_eq!(
        (code(&decoded), decoded.message.field(123)),
        ("00".to_owned(), Some(&b"1000"[..])),
        "it is still due"
    );
    assert_eq!(code(&decode(&dialect, &end.ask_frame(&payment).await, &mut mirror)), "00");
}

fn shipped_profile(name: &str) -> &'static str {
    billswitch::profile::shipped::profile_text(name).unwrap()
}

#[tokio::test]
async fn a_fee_is_asked_for_and_paid_by_the_same_number_and_in_whole_units() {
    let site = Site::with(Setup { profile: "pln", book: "99504", ..Setup::default() }).await;
    let dialect = shipped::dialect("pln").unwrap().unwrap();
    let mut end = End { dialect, peer: Peer::connect(site.address, ATMNET).await };
    let dialect = end.dialect.clone();
    let mut mirror = Mirror::new();
    end.ask(&networks().remove(2).sign_on).await;
    let fee = json!({"switcher": "SWITCH1", "registration": "7001         ", "service_code": "123"});
    let inquiry = json!({"mti": "2100", "fields": {"2": "99504", "11": "2", "12": "20261120090001", "26": "6011",
        "32": "4510017", "41": "T1", "48": fee}});
    let answer = end.ask(&inquiry).await;
    let decoded = decode(&dialect, &answer, &mut mirror);
    assert_eq!(code(&decoded), "0000");
    let told = |path: &str| decoded.message.get(&dialect.path(path).unwrap()).unwrap();
    assert_eq!((told("48.total_minor"), told("48.total")), (&b"0"[..], &b"00000000000001000"[..]),);
    let mut paid = fee.clone();
    let other = json!({"service": " ".repeat(25), "registered": "20261101", "expires": "20261225", "customer": "7004        "});
    paid.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    let payment = |stan: &str, amount: &str| {
        json!({"mti": "2200", "fields": {"2": "99504", "4": amount, "11": stan, "12": "20261120090002", "26": "6011",
            "32": "4510017", "41": "T1", "48": paid}})
    };
    // In hundredths it would be a hundred times as much.
    let answer = end.ask(&payment("3", "5862000000001000")).await;
    assert_eq!(code(&decode(&dialect, &answer, &mut mirror)), "0030");
    let answer = end.ask(&payment("4", "5860000000001000")).await;
    assert_eq!(code(&decode(&dialect, &answer, &mut mirror)), "0000");
}

#[tokio::test]
async fn inquiries_may_have_another_code_than_payments_for_the_same_outcome() {
    let (_site, mut end, network) = bank("codes = { already_paid = \"54\" }").await;
    let dialect = end.dialect.clone();
    let mut mirror = Mirror::new();
    let mut again = network.payment.clone();
    again["fields"]["11"] = json!("000099");
    for (message, want) in [
        (&network.sign_on, "00"),
        (&network.inquiry, "00"),
        (&network.payment, "00"),
        (&network.inquiry, "54"),
        (&again, "21"),
    ] {
        let answer = end.ask(message).await;
        assert_eq!(code(&decode(&dialect, &answer, &mut mirror)), want);
    }
}

#[tokio::test]
async fn a_card_number_in_what_a_payment_is_known_by_is_refused() {
    const PAN: &str = "4111111111111111";
    let mut site = Site::with(Setup { profile: "ebipp", ..Setup::default() }).await;
    let dialect = shipped::dialect("ebipp").unwrap().unwrap();
    let mut end = End { dialect: dialect.clone(), peer: Peer::connect(site.address, ATMNET).await };
    let mut mirror = Mirror::new();
    let network = networks().into_iter().find(|network| network.profile == "ebipp").unwrap();
    let answer = end.ask(&network.sign_on).await;
    assert_eq!(code(&decode(&dialect, &answer, &mut mirror)), "00");
    for mut message in [network.payment.clone(), network.reversal] {
        message["fields"]["2"] = json!(PAN);
        message["fields"]["41"] = json!(PAN);
        let answer = end.ask(&message).await;
        // The network's word for what cannot be read.
        assert_eq!(code(&decode(&dialect, &answer, &mut mirror)), "96", "{message}");
    }
    // Another number of as many digits is a terminal like any other.
    let mut message = network.payment;
    message["fields"]["2"] = json!(PAN);
    message["fields"]["41"] = json!("4111111111111112");
    let answer = end.ask(&message).await;
    assert_eq!(code(&decode(&dialect, &answer, &mut mirror)), "00");
    let legs = site.journalled().await;
    assert!(legs.iter().any(|leg| leg.payment.is_some()));
    let keys = legs.iter().filter_map(|leg| leg.key());
    assert!(keys.into_iter().all(|key| !key.as_bytes().windows(PAN.len()).any(|at| at == PAN.as_bytes())));
}
