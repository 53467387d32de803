//! What is said in the words of every shipped profile, read by its own other side; and answers as hosts give them.

mod heads;
mod part;

use std::sync::Arc;

use bytes::BytesMut;

use super::*;
use crate::clock::UnixMillis;
use crate::ids::{BusinessDate, KeyParts, PaymentKey};
use crate::iso8583::{Mirror, decode, from_json};
use crate::profile::shipped;
use crate::switch::{
    About, Answer, Bill, BillRef, BillStatus, Digest, Limits, Outcome, Posting, Reference, Request, Reversal,
    State,
};

fn profile(name: &str) -> Profile {
    changed(name, "", "")
}

fn changed(name: &str, from: &str, to: &str) -> Profile {
    let find = |name: &str| Ok(Arc::new(crate::iso8583::shipped::dialect(name).unwrap().unwrap()));
    let text = shipped::profile_text(name).unwrap().replacen(from, to, 1);
    Profile::parse(name, name, &text, &find).unwrap()
}

#[test]
fn what_goes_to_a_host_without_a_mac_is_found() {
    let every = "[\"0200\", \"0201\", \"0220\", \"0221\", \"0400\", \"0401\", \"0420\", \"0421\"]";
    for (types, want) in [
        (every, None),
        ("[\"0200\", \"0220\", \"0420\", \"0421\"]", Some("0221")),
        ("[\"0420\", \"0421\"]", Some("0200")),
    ] {
        let found = changed("onelink", every, types).sent_without_mac().map(|mti| mti.to_string());
        assert_eq!(found.as_deref(), want);
    }
    assert_eq!(profile("ebipp").sent_without_mac().map(|mti| mti.to_string()).as_deref(), Some("0200"));
}

fn own() -> Own {
    let words = [
        ("acquirer", "27"),
        ("terminal", "SWITCH01"),
        ("bank", "4510017"),
        ("switcher", "1234567"),
        ("service_code", "123"),
    ];
    words.into_iter().map(|(name, own)| (name.to_owned(), own.to_owned())).collect()
}

fn payment(biller: &str) -> Payment {
    let parts = KeyParts {
        transmitted_at: b"1120040507",
        stan: b"004707",
        rrn: b"627271632409",
        acquirer: b"06033733",
        terminal: b"LATM0001",
        link: b"atmnet",
    };
    Payment {
        link: "atmnet".parse().unwrap(),
        channel: "6011".parse().unwrap(),
        state: State::Sent,
        taken_in: UnixMillis(1_795_165_507_000),
        trace: 1_700_000,
        ..Payment::new(
            PaymentKey::new(&parts),
            BillRef { biller: biller.parse().unwrap(), consumer: "7001".into() },
            MinorUnits::new(1000).unwrap(),
            "2026-11-21".parse().unwrap(),
        )
    }
}

fn bill() -> Bill {
    Bill {
        name: "Ayesha Bibi".into(),
        status: BillStatus::Unpaid,
        billing_month: "2611".parse().unwrap(),
        due_date: "2026-11-25".parse().unwrap(),
        expiry_date: "2026-12-25".parse().unwrap(),
        amount_within_due: MinorUnits::new(1000).unwrap(),
        amount_after_due: MinorUnits::new(1000).unwrap(),
        heads: Vec::new(),
        reference: Reference::default(),
    }
}

/// What a host of this profile hears.
struct Ear {
    profile: Profile,
    own: Own,
    biller: &'static str,
}

impl Ear {
    fn new(name: &str, biller: &'static str) -> Self {
        Self { profile: profile(name), own: own(), biller }
    }

    fn say(&self, say: Say<'_>) -> BytesMut {
        let utc = jiff::civil::date(2026, 11, 20).at(4, 5, 7, 0);
        let local = jiff::civil::date(2026, 11, 20).at(9, 5, 7, 0);
        let facts = Facts { own: &self.own, product: self.biller, currency: "586", number: 8, utc, local };
        let mut frame = BytesMut::new();
        self.profile.say(say, &facts, None, &mut frame).unwrap();
        frame
    }

    fn hears(&self, frame: &[u8]) -> Request {
        let mut mirror = Mirror::new();
        let decoded = decode(self.profile.dialect(), frame, &mut mirror);
        let link = "switch".parse().unwrap();
        self.profile.request(&decoded, link, |_| Digest::default()).unwrap().request
    }

    /// What the host's answer comes to.
    fn answered(&self, frame: &[u8], answer: &Answer, asked: &Asked) -> Outcome {
        let (mut mirror, mut out) = (Mirror::new(), BytesMut::new());
        let sent = decode(self.profile.dialect(), frame, &mut mirror);
        assert_eq!(self.profile.answer(&sent.message, answer, &mut out).unwrap(), None);
        let mut mirror = Mirror::new();
        let decoded = decode(self.profile.dialect(), &out, &mut mirror);
        let identity = self.profile.identity_of(&sent.message).unwrap();
        let answered = self.profile.answered_identity(&decoded.message).unwrap();
        assert_eq!(identity.key, answered.key);
        assert!(identity.is_answered_by(&answered));
        self.profile.outcome(asked, &decoded, UnixMillis(5))
    }
}

#[test]
fn what_is_said_in_the_words_of_a_profile_is_what_its_other_side_hears() {
    for (name, biller) in
        [("onelink", "KPGAS"), ("iso87", "KPGAS"), ("ebipp", "KPGAS"), ("pln", "99501"), ("pln", "99504")]
    {
        let ear = Ear::new(name, biller);
        assert!(matches!(ear.hears(&ear.say(Say::SignOn)), Request::SignOn), "{name}");
        assert!(matches!(ear.hears(&ear.say(Say::SignOff)), Request::SignOff), "{name}");
        assert!(matches!(ear.hears(&ear.say(Say::Echo)), Request::Echo), "{name}");

        let wanted = BillRef { biller: biller.parse().unwrap(), consumer: "7001".into() };
        let look_up = Order::LookUp(wanted.clone());
        let frame = ear.say(Say::Order(&look_up));
        assert!(matches!(ear.hears(&frame), Request::Inquiry(bill) if bill == wanted), "{name}");
        let found = Answer { about: About::Bill(Box::new(bill())), ..Answer::plain(Reason::Approved) };
        let Outcome::Found(told) = ear.answered(&frame, &found, &Asked::LookUp) else {
            panic!("{name}: found")
        };
        assert_eq!(
            (&*told.name, told.amount_within_due, told.status),
            ("Ayesha Bibi", bill().amount_within_due, BillStatus::Unpaid)
        );
        if name == "onelink" {
            let limits = Limits { min: MinorUnits::new(100).ok(), max: MinorUnits::new(50_000).ok() };
            for status in [BillStatus::Partial(limits), BillStatus::Partial(Limits::default())] {
                let in_parts = About::Bill(Box::new(Bill { status, ..bill() }));
                let found = Answer { about: in_parts, ..Answer::plain(Reason::Approved) };
                let told = ear.answered(&frame, &found, &Asked::LookUp);
                assert!(matches!(told, Outcome::Found(told) if told.status == status), "{status:?}");
            }
        }

        let mut payment = Payment { reference: Some(told.reference), ..payment(biller) };
        let order = Order::Post { payment: Box::new(payment.clone()), again: false };
        let frame = ear.say(Say::Order(&order));
        let Request::Payment(heard) = ear.hears(&frame) else { panic!("{name}: a payment") };
        assert_eq!(
            (&heard.bill, heard.amount, heard.channel),
            (&wanted, payment.amount, payment.channel),
            "{name}"
        );
        let posting = Posting {
            receipt: "R1".parse().unwrap(),
            authorisation: Short::EMPTY,
            at: UnixMillis(1),
            heads: Vec::new(),
        };
        let about = About::Posted { posting, date: payment.date };
        let posted = Answer { about, ..Answer::plain(Reason::Approved) };
        let Outcome::Posted(told) = ear.answered(&frame, &posted, &Asked::of(&order)) else {
            panic!("{name}: posted")
        };
        assert_eq!(told.receipt.as_str(), "R1", "{name}");

        payment.confirmations = 1;
        let again = Order::Post { payment: Box::new(payment.clone()), again: true };
        let Request::Advice(repeated) = ear.hears(&ear.say(Say::Order(&again))) else {
            panic!("{name}: an advice")
        };
        assert_eq!(repeated.key, heard.key, "{name}: repeated, it is known by the same");

        payment.reversal = Some(Reversal { attempts: 1, ..Reversal::default() });
        let reverse = Order::Reverse { payment: Box::new(payment.clone()), again: false };
        let first = ear.say(Say::Order(&reverse));
        let Request::Reversal(undone) = ear.hears(&first) else { panic!("{name}: a reversal") };
        assert_eq!((undone.original, undone.amount), (heard.key, payment.amount), "{name}");
        assert!(matches!(
            ear.answered(&first, &Answer::plain(Reason::Approved), &Asked::Reverse { part: false }),
            Outcome::Reversed
        ));
        payment.reversal = Some(Reversal { attempts: 2, ..Reversal::default() });
        let second = ear.say(Say::Order(&Order::Reverse { payment: Box::new(payment), again: true }));
        assert_eq!(second[4..], first[4..], "{name}: the second differs in its type alone");
        assert_ne!(second[..4], first[..4], "{name}");
    }
}

#[test]
fn numbers_of_orders_to_post_to_undo_and_to_find_never_meet() {
    for digits in [6_u16, 12] {
        let space = 10_u64.pow(digits.into()) - 1;
        let traces =
            |add: u64| (0..2000_u64).map(move |n| word::trace_digits((space - 1000 + n) * 3 + add, digits));
        let post: std::collections::BTreeSet<u64> = traces(0).collect();
        assert!(traces(1).chain(traces(2)).all(|trace| !post.contains(&trace)));
        assert!(post.iter().all(|trace| *trace > 0 && *trace <= space));
    }
}

fn post(again: bool) -> Asked {
    Asked::Post { amount: MinorUnits::new(1000).unwrap(), heads: Vec::new(), trace: 7, again }
}

/// What an answer comes to, as JSON tells it.
fn told(profile: &Profile, asked: &Asked, answer: &serde_json::Value) -> Outcome {
    let mut frame = BytesMut::new();
    from_json(profile.dialect(), answer, &mut frame).unwrap();
    let mut mirror = Mirror::new();
    let decoded = decode(profile.dialect(), &frame, &mut mirror);
    assert_eq!(decoded.fault, None);
    profile.outcome(asked, &decoded, UnixMillis(5))
}

#[test]
fn a_code_means_what_it_means_to_its_kind_of_message_and_else_nothing() {
    let table: &[(&str, &str, Asked, &str)] = &[
        ("ebipp", "00", post(false), "Posted"),
        ("ebipp", "54", post(false), "Declined(AlreadyPaid)"),
        ("ebipp", "03", post(false), "Unknown"),
        ("ebipp", "89", post(false), "Unknown"),
        ("ebipp", "89", Asked::LookUp, "Declined(BillerUnavailable)"),
        ("ebipp", "94", post(false), "Duplicate"),
        ("ebipp", "94", post(true), "Posted"),
        ("ebipp", "90", post(false), "Declined(BillerUnavailable)"),
        ("ebipp", "90", post(true), "Unknown"),
        ("ebipp", "12", Asked::Reverse { part: false }, "Declined(NotReversible)"),
        ("ebipp", "48", Asked::Reverse { part: false }, "Declined(OriginalUnknown)"),
        ("ebipp", "89", Asked::Reverse { part: false }, "Unknown"),
        ("ebipp", "77", Asked::Reverse { part: false }, "Unknown"),
        ("onelink", "91", post(false), "Declined(BillerUnavailable)"),
        ("onelink", "96", post(false), "Unknown"),
        ("onelink", "68", post(false), "Unknown"),
    ];
    for (name, code, asked, want) in table {
        let mti = if *asked == (Asked::Reverse { part: false }) { "0410" } else { "0210" };
        let answer = serde_json::json!({"mti": mti, "fields": {"7": "1120090001", "11": "2", "39": code}});
        let outcome = format!("{:?}", told(&profile(name), asked, &answer));
        assert!(outcome.starts_with(want), "{name} {code} to {asked:?}: {outcome}");
    }
    let pln = profile("pln");
    for (code, want) in [
        ("0012", "Declined(NotReversible)"),
        ("0094", "Reversed"),
        ("0063", "Declined(OriginalUnknown)"),
        ("0005", "Unknown"),
    ] {
        let answer =
            serde_json::json!({"mti": "2410", "fields": {"11": "2", "12": "20261120090001", "39": code}});
        assert_eq!(format!("{:?}", told(&pln, &Asked::Reverse { part: false }, &answer)), want, "{code}");
    }
}

#[test]
fn an_answer_that_tells_of_another_amount_is_not_understood() {
    let answer = |amount: &str| serde_json::json!({"mti": "0210", "fields": {"4": amount, "7": "1120090001", "11": "2", "39": "00"}});
    let ebipp = profile("ebipp");
    assert!(matches!(told(&ebipp, &post(false), &answer("1000")), Outcome::Posted(_)));
    assert!(matches!(told(&ebipp, &post(false), &answer("1001")), Outcome::Unknown));
}

/// A host's answer of two bills, as the specification lays them out.
fn two_bills() -> serde_json::Value {
    let blank = |width: usize| " ".repeat(width);
    let bill = |n: u8, period: &str, due: &str, amount: u64, penalty: u64| {
        let mut parts = serde_json::Map::new();
        let mut put = |name: &str, value: String| drop(parts.insert(format!("b{n}_{name}"), value.into()));
        put("period", period.to_owned());
        put("due", due.to_owned());
        put("read", "00000000".to_owned());
        put("amount", format!("{amount:011}"));
        put("incentive_dc", "D".to_owned());
        put("incentive", "0000000000".to_owned());
        put("vat", "0000000010".to_owned());
        put("penalty", format!("{penalty:09}"));
        (1..=6).for_each(|reading| put(&format!("reading_{reading}"), "00001234".to_owned()));
        parts
    };
    let mut parts = serde_json::json!({"switcher": "SWITCH1", "customer": "123456789012", "bills": "2", "outstanding": "03",
        "reference": format!("{:<32}", "REF00000000000000000000000000001"), "name": format!("{:<25}", "BUDI"), "unit": blank(5),
        "phone": blank(15), "tariff": "R1  ", "power": "000001300", "admin_fee": "000002500"});
    let map = parts.as_object_mut().unwrap();
    map.extend(bill(1, "202609", "20102026", 100_000, 3_000));
    map.extend(bill(2, "202610", "20261120", 50_000, 0));
    serde_json::json!({"mti": "2110", "fields": {"2": "99501", "11": "2", "12": "20261120090001", "39": "0000", "48": parts}})
}

#[test]
fn several_bills_in_one_answer_are_one_sum_and_a_head_each_and_the_payment_gives_them_back() {
    let ear = Ear::new("pln", "99501");
    let Outcome::Found(found) = told(&ear.profile, &Asked::LookUp, &two_bills()) else { panic!("found") };
    assert_eq!(found.amount_within_due.minor(), 155_500);
    let heads: Vec<String> =
        found.heads.iter().map(|head| format!("{}={}", head.head, head.amount.minor())).collect();
    assert_eq!(heads, ["202609=103000", "202610=50000", "ADMIN=2500"]);
    assert_eq!(found.due_date.to_string(), "2026-10-20", "the earliest, whichever way it is written");
    assert_eq!(found.expiry_date, BusinessDate::NEVER);

    let paid =
        Payment { reference: Some(found.reference), amount: found.amount_within_due, ..payment("99501") };
    let frame = ear.say(Say::Order(&Order::Post { payment: Box::new(paid), again: false }));
    let mut mirror = Mirror::new();
    let decoded = decode(ear.profile.dialect(), &frame, &mut mirror);
    assert_eq!(decoded.fault, None);
    let at = |path: &str| {
        let path = ear.profile.dialect().path(path).unwrap();
        String::from_utf8_lossy(decoded.message.get(&path).unwrap_or_default()).into_owned()
    };
    assert_eq!(
        (at("48.bills"), at("48.payment_status"), at("48.outstanding")),
        ("2".into(), "2".into(), "03".into())
    );
    assert_eq!(
        (at("48.reference"), at("48.b2_amount")),
        ("REF00000000000000000000000000001".into(), "00000050000".into())
    );
    assert_eq!((at("4.value"), at("48.b3_amount")), ("000000155500".into(), String::new()));
}

#[test]
fn a_fee_comes_with_its_split_by_head_or_is_not_understood() {
    let pln = profile("pln");
    let answer = |total: &str, second: &str| {
        let blank = |width: usize| " ".repeat(width);
        serde_json::json!({"mti": "2110", "fields": {"2": "99504", "11": "2", "12": "20261120090001", "39": "0000",
            "48": {"switcher": "SWITCH1", "registration": "7001         ", "service_code": "123", "service": blank(25),
                "registered": "20261101", "expires": "20261225", "customer": blank(12), "name": format!("{:<25}", "BUDI"),
                "reference": blank(32), "reference_2": blank(32), "unit": blank(5), "address": blank(35), "phone": blank(15),
                "total_minor": "2", "total": total, "bill_minor": "2", "bill": "00000000000100000", "admin_minor": "0",
                "admin_fee": "0000000005"},
            "62": {"count": "02", "h1_minor": "0", "h1": "00000000000000300", "h2_minor": "2", "h2": second}}})
    };
    let Outcome::Found(found) = told(&pln, &Asked::LookUp, &answer("00000000000100500", "00000000000070000"))
    else {
        panic!("found")
    };
    assert_eq!(found.amount_within_due.minor(), 1005, "whole units, whatever the decimals");
    let heads: Vec<u64> = found.heads.iter().map(|head| head.amount.minor()).collect();
    assert_eq!(heads, [300, 700, 5]);
    assert_eq!(found.expiry_date.to_string(), "2026-12-25");
    for (total, second) in
        [("00000000000100600", "00000000000070000"), ("00000000000100500", "00000000000070001")]
    {
        let outcome = told(&pln, &Asked::LookUp, &answer(total, second));
        assert!(matches!(outcome, Outcome::Unknown), "heads that do not sum to the total: {outcome:?}");
    }
}

#[test]
fn a_fault_of_the_outward_side_is_told_by_line_and_reason() {
    let shipped = shipped::profile_text("pln").unwrap();
    let table = [
        ("\"11\" = \"trace\"\n\"12\"", "\"11\" = \"tarce\"\n\"12\"", "`tarce` is no word"),
        ("\"12\" = \"local:yyyyMMddhhmmss\"\n\"26\"", "\"12\" = \"local:YYYY\"\n\"26\"", "`YYYY` is no form"),
        ("\"48.switcher\" = \"own:switcher\"", "\"48.swicher\" = \"own:switcher\"", "path `48.swicher`"),
        ("\"48.*\" = \"echo\"", "\"48.*\" = \"trace\"", "`48.*` wants"),
        ("\"48.*\" = \"echo\"", "\"63.*\" = \"echo\"", "`63.*` wants"),
        ("\"0000\" = \"done\", \"0014\"", "\"0000\" = \"dun\", \"0014\"", "`dun` is no meaning"),
        ("\"0000\" = \"done\", \"0014\"", "\"00000\" = \"done\", \"0014\"", "longer than 4"),
        ("mti = [\"2100\"]", "mti = [\"2110\"]", "is the type of an answer"),
        ("keeps = [2, 48, 62]", "keeps = [2, 45, 48]", "DE 45 holds card data"),
        (
            "forms = [\"yyyyMMdd\", \"ddMMyyyy\"] }\nexpiry",
            "forms = [\"ymd\"] }\nexpiry",
            "`ymd` is no form of a date",
        ),
        (
            "[outward.finds]\n",
            "[outward.finds]\npaid_by = { \"48.customer\" = \"70\" }\n",
            "does not tell `70`",
        ),
        ("head = \"=ADMIN\"", "head = \"=ADMINISTRATION-FEE\"", "1 to 16 printable"),
        ("\"56.bank\" = \"own:bank\"", "\"56\" = \"own:bank\"", "told as a whole already"),
    ];
    for (from, to, want) in table {
        let line =
            shipped[..shipped.find(from).unwrap_or_else(|| panic!("{from}"))].matches('\n').count() + 1;
        let find = |name: &str| Ok(Arc::new(crate::iso8583::shipped::dialect(name).unwrap().unwrap()));
        let changed = shipped.replacen(from, to, 1);
        let error = Profile::parse("pln", "pln.toml", &changed, &find).unwrap_err().to_string();
        assert!(error.contains(want), "{want}: {error}");
        assert!(error.starts_with("pln.toml:"), "{error}");
        let at: usize = error.split(':').nth(1).unwrap().parse().unwrap();
        assert!(at.abs_diff(line) <= 1, "line {line}: {error}");
    }
}
