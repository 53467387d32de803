//! What the descriptions of the networks say that real hosts do, and what goes wrong on any wire.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::stand::{Bills, Department, FEES, FORWARD, GAS, GASFWD, POWER, Stand, WATER};
use crate::support::bills::Bill;
use crate::support::site::Site;
use crate::support::wait_for;

/// Long enough for a host that answers, short enough for one that does not.
const IMPATIENT_MS: u32 = 3000;

fn heads(told: &crate::support::bank::Frame) -> Vec<String> {
    told.read(|message| {
        let heads = message.elements(120).filter(|(tag, _)| *tag == b"FH");
        heads.map(|(_, head)| String::from_utf8_lossy(head).into_owned()).collect()
    })
}

#[test]
fn a_bill_is_found_in_every_shape_that_hosts_tell_it_in_and_paid_as_it_was_told() {
    let four = [("202608", 1000, 50), ("202609", 2000, 25), ("202610", 3000, 0), ("202611", 4000, 0)];
    let four = four.map(
        |(period, amount, penalty)| json!({ "period": period, "due": format!("{period}20"), "amount": amount, "penalty": penalty }),
    );
    let mut bills = Bills::default();
    let mut bill = |department, more: Value| bills.add(department, &more);
    // Bill, due date and heads that are told.
    let table: Vec<(Bill, &str, Vec<&str>)> = vec![
        (bill(&WATER, json!({})), "", vec![]),
        (bill(&POWER, json!({ "amount": 500 })), "20301220", vec!["202611=500"]),
        (
            bill(&POWER, json!({ "amount": 600, "inquiry": ["do ddmmyyyy", "do ddmmyyyy"] })),
            "20301220",
            vec!["202611=600"],
        ),
        (
            bill(&POWER, json!({ "amount": 12_575, "admin": 2500, "bills": four })),
            "20260820",
            vec!["202608=1050", "202609=2025", "202610=3000", "202611=4000", "ADMIN=2500"],
        ),
        (bill(&FEES, json!({ "amount": 900 })), "", vec!["HEAD1=600", "HEAD2=300"]),
        (
            bill(
                &FEES,
                json!({ "amount": 950, "admin": 50, "split": [600, 300], "inquiry": ["do ddmmyyyy"] }),
            ),
            "",
            vec!["HEAD1=600", "HEAD2=300", "ADMIN=50"],
        ),
        (
            bill(&FEES, json!({ "amount": 1000, "inquiry": ["do minor2", "do minor2"] })),
            "",
            vec!["HEAD1=700", "HEAD2=300"],
        ),
        (bill(&GAS, json!({})), "20301220", vec![]),
        (
            bill(&GAS, json!({ "amount": 700, "inquiry": ["do heads pad32", "do heads pad32"] })),
            "20301220",
            vec!["B01401=350", "B02372=350"],
        ),
    ];
    let gone = bill(&FEES, json!({ "expires": "20200101" }));
    let Some(mut stand) = Stand::open(&bills, 5000) else { return };
    for (bill, due, split) in &table {
        let found = stand.inquire(bill);
        let amount = found.at("120.AW").parse::<u64>().ok();
        assert_eq!((found.code().as_str(), amount), ("00", Some(bill.amount)), "{bill:?}");
        assert_eq!(
            (found.at("120.DD").as_str(), heads(&found)),
            (*due, split.iter().map(|head| (*head).to_owned()).collect()),
            "{bill:?}"
        );
        let (slip, told) = stand.pay(bill);
        assert_eq!((told.code().as_str(), heads(&told)), ("00", heads(&found)), "{bill:?}");
        stand.take_back(&slip);
        assert_eq!(stand.state(&slip), "reversed", "{bill:?}");
    }
    assert_eq!(stand.inquire(&gone).code(), "54", "past its expiry");
    stand.agree();
}

#[test]
fn a_bill_that_is_told_in_a_way_that_is_not_agreed_is_never_told_on_or_paid() {
    let table = [
        (&WATER, "do len3", "lengths of three digits where two are said"),
        (&POWER, "do penalty10", "a penalty ten wide where nine are said: a tenth of it would be asked for"),
        (&POWER, "do sum", "an amount in DE 4 that the bills do not add up to"),
        (&FEES, "do sum", "an amount in DE 4 that is not the fee"),
        (&GAS, "do heads other", "heads of account that do not add up"),
        (&GAS, "do terminal", "an answer for another terminal"),
        (&WATER, "do bare", "found, and nothing of the bill"),
    ];
    let mut bills = Bills::default();
    let table = table.map(|(department, conduct, why)| {
        let penal = json!([{ "period": "202611", "due": "20301220", "amount": 9000, "penalty": 1230 }]);
        let more = json!({ "amount": 10_230, "bills": penal, "inquiry": [conduct, conduct] });
        (bills.add(department, &more), why)
    });
    let Some(mut stand) = Stand::open(&bills, IMPATIENT_MS) else { return };
    for (bill, why) in table {
        assert_eq!(stand.inquire(&bill).code(), "91", "{why}");
        let (slip, told) = stand.pay(&bill);
        assert_eq!((told.code().as_str(), stand.state(&slip).as_str()), ("91", "declined"), "{why}");
    }
    stand.agree();
}

/// A folder of the shipped dialects and profiles, but for the width of penalties.
fn with_wide_penalties(site: &Site) {
    for folder in ["dialects", "profiles"] {
        std::fs::create_dir_all(site.path("specs").join(folder)).unwrap();
        for file in std::fs::read_dir(format!("{}/specs/{folder}", env!("CARGO_MANIFEST_DIR"))).unwrap() {
            let file = file.unwrap();
            let shipped = std::fs::read_to_string(file.path()).unwrap();
            let wide = shipped.replace("_penalty\", width = 9", "_penalty\", width = 10");
            assert_eq!(wide != shipped, folder == "dialects" && file.file_name() == "pln.toml");
            std::fs::write(site.path("specs").join(folder).join(file.file_name()), wide).unwrap();
        }
    }
    site.edit(|text| text.replace("# specs = \"specs\"", "specs = \"specs\""));
}

#[test]
fn penalties_ten_wide_are_a_line_of_a_dialect() {
    let mut bills = Bills::default();
    let penal = json!([
        { "period": "202610", "due": "20301120", "amount": 9000, "penalty": 1230 },
        { "period": "202611", "due": "20301220", "amount": 8000, "penalty": 10 },
    ]);
    let more = json!({ "amount": 18_240, "bills": penal, "inquiry": ["do penalty10", "do penalty10"] });
    let bill = bills.add(&POWER, &more);
    let Some(mut stand) = Stand::changed(&bills, 5000, with_wide_penalties) else { return };
    assert_eq!(heads(&stand.inquire(&bill)), ["202610=10230", "202611=8010"]);
    let (_, told) = stand.pay(&bill);
    assert_eq!(told.code(), "00");
    stand.agree();
}

#[test]
fn answers_in_another_order_twice_or_among_answers_to_nothing_find_their_payments() {
    let mut bills = Bills::default();
    let mut all = Vec::new();
    for department in [&WATER, &POWER, &FEES, &GAS] {
        let held = (0..3).map(|_| bills.add(department, &json!({ "payment": ["do hold"] })));
        all.extend(held.collect::<Vec<_>>());
        all.push(bills.add(department, &json!({ "payment": ["do twice"], "inquiry": ["do twice"] })));
        all.push(bills.add(department, &json!({ "payment": ["do stray"], "inquiry": ["do stray"] })));
    }
    all.push(bills.add(&GAS, &json!({ "payment": ["do pad32"] })));
    all.push(bills.add(&WATER, &json!({ "payment": ["do bare"] })));
    let Some(mut stand) = Stand::open(&bills, 5000) else { return };
    let told = stand.pay_all(&all);
    let mut receipts: Vec<String> = told.iter().map(|(_, told)| told.at("120.RN")).collect();
    for (bill, (_, told)) in all.iter().zip(&told) {
        assert_eq!((told.code().as_str(), stand.held(bill).posted), ("00", 1), "{bill:?}");
    }
    for (department, unasked) in [(&WATER, 4), (&POWER, 8), (&GAS, 4)] {
        // One of each bill that is told of twice, or among answers to nothing, and one of each such payment.
        assert_eq!(stand.health(department)["unasked"], unasked, "{}", department.code);
    }
    receipts.sort_unstable();
    receipts.dedup();
    assert_eq!(receipts.len(), all.len(), "each has a receipt of its own");
    stand.agree();
}

/// A payment that goes wrong, how it ends, and how often its host posts it and undoes it.
struct Wrong {
    bill: Bill,
    ends: &'static str,
    posted: u32,
    undone: u32,
    /// The connection ends instead of an answer.
    is_alone: bool,
}

/// Payments that are answered in no way that says what came of them.
fn wrongs(bills: &mut Bills) -> Vec<Wrong> {
    let mut all = Vec::new();
    let mut add = |department: &'static Department, more: Value, ends, posted, undone| {
        let conduct = more["payment"][0].as_str().unwrap();
        let is_alone = conduct.contains("drop") || conduct.contains("cut");
        all.push(Wrong { bill: bills.add(department, &more), ends, posted, undone, is_alone });
    };
    for department in [&WATER, &POWER, &FEES, &GAS] {
        // It never came, or was done and nobody said so.
        add(department, json!({ "payment": ["silent"] }), "reversed", 0, 0);
        for conduct in ["do silent", "do late", "do drop", "do cut", "do garbled", "do trailing"] {
            add(department, json!({ "payment": [conduct] }), "reversed", 1, 1);
        }
        add(department, json!({ "payment": ["do silent"], "reversal": ["do silent"] }), "reversed", 1, 1);
        add(
            department,
            json!({ "payment": ["do silent"], "reversal": ["silent", "do drop"] }),
            "reversed",
            1,
            1,
        );
        add(department, json!({ "payment": ["do silent"], "reversal": ["do late"] }), "reversed", 1, 1);
    }
    for (department, conduct) in
        [(&WATER, "do stan"), (&WATER, "do amount"), (&POWER, "do amount"), (&GAS, "do terminal")]
    {
        add(department, json!({ "payment": [conduct] }), "reversed", 1, 1);
    }
    // Two characters more than the length says: what was done is not understood, is asked for again, and was done already.
    add(&POWER, json!({ "payment": ["do silent"], "reversal": ["do de56"] }), "reversed", 1, 1);
    // Completed forward: told again as an advice, which the host had already, or has not had.
    for department in [&FORWARD, &GASFWD] {
        for conduct in ["do silent", "do late", "do drop", "do garbled", "silent"] {
            add(department, json!({ "payment": [conduct] }), "posted", 1, 0);
        }
        add(department, json!({ "payment": ["do silent", "do silent", "=96", "do drop"] }), "posted", 1, 0);
        add(department, json!({ "payment": ["silent", "do late"] }), "posted", 1, 0);
    }
    // A duplicate at the first time of telling proves nothing of this payment: people find out.
    for department in [&WATER, &FORWARD, &GAS, &GASFWD] {
        let duplicate = if department.network == "ebipp" { "94" } else { "10" };
        for (conduct, posted) in [(format!("={duplicate}"), 0), (format!("do ={duplicate}"), 1)] {
            add(department, json!({ "payment": [conduct] }), "exception", posted, 0);
        }
    }
    add(&FORWARD, json!({ "payment": ["silent", "=92"] }), "declined", 0, 0);
    add(&GASFWD, json!({ "payment": ["silent", "=25"] }), "declined", 0, 0);
    all
}

#[test]
fn what_a_host_leaves_in_doubt_is_told_as_such_and_then_undone_or_completed_once() {
    let mut bills = Bills::default();
    let wrongs = wrongs(&mut bills);
    let Some(mut stand) = Stand::open(&bills, IMPATIENT_MS) else { return };
    // All at once, but for those that end the connection: what else was on it would be in doubt as well.
    let (alone, together): (Vec<&Wrong>, Vec<&Wrong>) = wrongs.iter().partition(|wrong| wrong.is_alone);
    let mut paid = Vec::new();
    for Wrong { bill, .. } in &alone {
        paid.push(stand.pay(bill));
        // Until it is, the host is perhaps not dialled again.
        stand.state(&paid[paid.len() - 1].0);
    }
    let bills: Vec<Bill> = together.iter().map(|wrong| wrong.bill.clone()).collect();
    paid.extend(stand.pay_all(&bills));
    for (Wrong { bill, ends, posted, undone, .. }, (slip, told)) in alone.iter().chain(&together).zip(&paid) {
        assert_eq!((told.code().as_str(), stand.state(slip).as_str()), ("68", *ends), "{bill:?}");
        let held = stand.held(bill);
        assert_eq!((held.posted, held.undone), (*posted, *undone), "{bill:?}");
    }
    stand.agree();
}

#[test]
fn what_was_under_way_to_hosts_when_the_switch_was_killed_is_undone_or_completed_after_the_start() {
    let mut bills = Bills::default();
    let all = [
        (bills.add(&WATER, &json!({ "payment": ["do silent"] })), "reversed"),
        (bills.add(&POWER, &json!({ "payment": ["do late"] })), "reversed"),
        (bills.add(&FEES, &json!({ "payment": ["do silent"] })), "reversed"),
        (bills.add(&GAS, &json!({ "payment": ["do silent"] })), "reversed"),
        (bills.add(&FORWARD, &json!({ "payment": ["do silent"] })), "posted"),
        (bills.add(&GASFWD, &json!({ "payment": ["do late"] })), "posted"),
    ];
    // Told of, and not posted by the host before it is asked for the bill and told again.
    let advised = bills.add(&FORWARD, &json!({ "payment": ["do silent"] }));
    let Some(mut stand) = Stand::open(&bills, 5000) else { return };
    let slips: Vec<_> = all.iter().map(|(bill, _)| stand.send(bill)).collect();
    let advice = stand.advise(&advised);
    wait_for("every host to have posted", || {
        let mut bills = all.iter().map(|(bill, _)| bill).chain([&advised]);
        bills.all(|bill| stand.held(bill).posted == 1).then_some(())
    });
    // What is told again is told under its own time, and not under that of the clock.
    let second = |at: SystemTime| at.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let sent = second(SystemTime::now());
    wait_for("another second", || (second(SystemTime::now()) > sent).then_some(()));
    stand.restart();
    for (slip, (_, ends)) in slips.iter().zip(&all) {
        assert_eq!(stand.state(slip), *ends, "{slip:?}");
    }
    assert_eq!(stand.state(&advice), "posted");
    stand.agree();
}
