//! Departments that are reached over a wire, and the real daemon: banks that hang up, kills, departments that come and go.

use serde_json::Value;

use crate::support::bank::{Bank, Slip};
use crate::support::bills::bills;
use crate::support::department::{Department, ISO, REST, Way, configure, ledger_file};
use crate::support::host::Host;
use crate::support::site::Site;
use crate::support::trade::slip;
use crate::support::wait_for;

const BILLER: &str = "KPWIRED";
/// Nothing is found silent while a test looks elsewhere.
const PATIENT: &str =
    "reply_timeout_ms = 12000\nretry_ms = 50\nbreaker_pause_ms = 100\nbreaker_failures = 1000";

/// A site with such a department, and slips for its bills.
fn site(way: &Way, terms: &str, count: u64) -> (Site, u16, Vec<Slip>) {
    let site = Site::new();
    let port = configure(way, &site, BILLER, &format!("{PATIENT}\n{terms}"));
    site.edit(|text| text.replace("connect_timeout_ms = 200", "connect_timeout_ms = 5000"));
    let (bills, file) = bills(BILLER, count);
    site.file(&format!("{BILLER}.csv"), &file);
    (site, port, bills.into_iter().map(slip).collect())
}

fn open(way: &Way, site: &Site, port: u16, faults: &[&str]) -> Department {
    Department::open(way, site, BILLER, port, faults, 1)
}

/// What operators are told of the department.
fn told(site: &Site) -> Value {
    let billers = site.ctl(&["billers"]);
    billers.as_array().unwrap().iter().find(|biller| biller["code"] == BILLER).unwrap().clone()
}

fn wait_reachable(site: &Site, reachable: bool) {
    wait_for("the department to come or go", || (told(site)["reachable"] == reachable).then_some(()));
}

/// Waits until the journal has the payment in this state.
fn wait_state(site: &Site, slip: &Slip, state: &str) {
    wait_for(state, || {
        let found = site.ctl(&["txn", "--rrn", &slip.rrn()]);
        (found[0]["payment"]["state"] == state).then_some(())
    });
}

/// What the department has done: receipts, and whether each was given.
fn entries(site: &Site) -> Vec<Value> {
    let text = std::fs::read_to_string(ledger_file(site, BILLER)).unwrap_or_default();
    // The last line may be written just now.
    let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn n36_a_bank_that_hangs_up_before_its_answer_gets_it_on_its_repeat() {
    for way in [REST, ISO] {
        let (site, port, slips) = site(&way, "", 1);
        let _department = open(&way, &site, port, &["payment:late=4000:nth=1"]);
        let daemon = site.serve(&[]);
        wait_reachable(&site, true);
        let mut bank = Bank::signed_on(daemon.address, 1);
        bank.send(&slips[0].payment()).unwrap();
        drop(bank);
        wait_state(&site, &slips[0], "Sent");
        let answer = Bank::signed_on(daemon.address, 1).ask(&slips[0].repeat());
        let entries = entries(&site);
        assert_eq!(entries.len(), 1, "{entries:?}");
        assert_eq!(
            (answer.code().as_str(), answer.at("120.RN").as_str()),
            ("00", entries[0]["receipt"].as_str().unwrap())
        );
        daemon.stop();
    }
}

#[test]
fn n37_killed_while_the_department_has_the_payment_it_is_made_certain_after_the_restart() {
    for way in [REST, ISO] {
        let (site, port, slips) = site(&way, "", 1);
        let _department = open(&way, &site, port, &["payment:late=60000:nth=1"]);
        let mut daemon = site.serve(&[]);
        wait_reachable(&site, true);
        Bank::signed_on(daemon.address, 1).send(&slips[0].payment()).unwrap();
        let entry = wait_for("the posting", || entries(&site).pop());
        daemon.kill();
        let daemon = site.serve(&[]);
        let (state, want) = if way.undoes { ("Reversed", "68") } else { ("Posted", "00") };
        wait_state(&site, &slips[0], state);
        let answer = Bank::signed_on(daemon.address, 1).ask(&slips[0].repeat());
        assert_eq!(answer.code(), want);
        let receipts: Vec<_> = entries(&site).into_iter().map(|entry| entry["receipt"].clone()).collect();
        if way.undoes {
            assert_eq!(
                receipts,
                [entry["receipt"].clone(), entry["receipt"].clone()],
                "posted and given back, once each"
            );
        } else {
            assert_eq!(
                (receipts.len(), answer.at("120.RN").as_str()),
                (1, entry["receipt"].as_str().unwrap())
            );
        }
        daemon.stop();
    }
}

#[test]
fn n37_killed_with_an_order_that_was_never_carried_out_it_is_made_certain_all_the_same() {
    for way in [REST, ISO] {
        let (site, port, slips) = site(&way, "", 1);
        let _department = open(&way, &site, port, &["payment:hang:nth=1"]);
        let mut daemon = site.serve(&[]);
        wait_reachable(&site, true);
        Bank::signed_on(daemon.address, 1).send(&slips[0].payment()).unwrap();
        wait_state(&site, &slips[0], "Sent");
        daemon.kill();
        let daemon = site.serve(&[]);
        let (state, want, postings) = if way.undoes { ("Reversed", "68", 0) } else { ("Posted", "00", 1) };
        wait_state(&site, &slips[0], state);
        assert_eq!(Bank::signed_on(daemon.address, 1).ask(&slips[0].repeat()).code(), want);
        assert_eq!(entries(&site).len(), postings);
        daemon.stop();
    }
}

/// A host that has posted these, has gone, and owes their reversals; with the bank that asked for them.
fn owed_reversals(site: &Site, port: u16, slips: &[Slip], to: std::net::SocketAddr) -> Bank {
    let host = Host::listen(port);
    let mut line = host.signed_on();
    let mut bank = Bank::signed_on(to, 1);
    for slip in slips {
        bank.send(&slip.payment()).unwrap();
        line.post(slip.bill.amount, &format!("R{}", slip.number));
        assert_eq!(bank.receive().unwrap().code(), "00");
    }
    drop((host, line));
    wait_reachable(site, false);
    for slip in slips {
        assert_eq!(bank.ask(&slip.reversal("0420")).code(), "00", "stored, though the host is down");
    }
    assert_eq!(told(site)["owed"], slips.len());
    bank
}

/// One connection: what is sent has an order.
fn one_connection(site: &Site) {
    site.edit(|text| text.replace("connections = 2\n", "connections = 1\n"));
}

#[test]
fn n48_what_a_host_is_owed_goes_out_after_the_sign_on_in_order_a_few_at_once_first_as_0420_then_as_0421() {
    let (site, port, slips) = site(&ISO, "forward_in_flight_max = 2\nforward_per_second = 1000", 9);
    one_connection(&site);
    let daemon = site.serve(&[]);
    let mut bank = owed_reversals(&site, port, &slips[..8], daemon.address);
    let rrn = |place: usize| slips[place].rrn();

    let host = Host::listen(port);
    let mut line = host.dialled();
    let sign_on = line.receive();
    assert_eq!(sign_on.mti(), b"0800");
    assert_eq!(told(&site)["owed"], 8, "nothing before it is signed on");
    line.answer(&sign_on, "00", &[]);
    let (first, second) = (line.receive(), line.receive());
    assert_eq!((first.mti(), first.at("37")), (&b"0420"[..], rrn(0)));
    assert_eq!((second.mti(), second.at("37")), (&b"0420"[..], rrn(1)));
    // With two at the host nothing else that is owed goes out, but what is new does.
    bank.send(&slips[8].payment()).unwrap();
    line.post(slips[8].bill.amount, "R9");
    assert_eq!(bank.receive().unwrap().code(), "00");
    // An answer that nobody understands: it may have been done.
    line.answer(&first, "77", &[]);
    line.answer(&second, "00", &[]);
    let mut seen = Vec::new();
    for _ in 0..7 {
        let asked = line.receive();
        seen.push((asked.mti().to_vec(), asked.at("37")));
        line.answer(&asked, "00", &[]);
    }
    let again: Vec<_> = seen.iter().filter(|(mti, _)| mti == b"0421").map(|(_, rrn)| rrn.clone()).collect();
    assert_eq!(again, [rrn(0)], "only what was sent before comes as a repeat");
    seen.retain(|(mti, _)| mti == b"0420");
    assert_eq!(seen.into_iter().map(|(_, rrn)| rrn).collect::<Vec<_>>(), (2..8).map(rrn).collect::<Vec<_>>());
    for slip in &slips[..8] {
        wait_state(&site, slip, "Reversed");
    }
    assert_eq!(told(&site)["owed"], 0);
    daemon.stop();
}

#[test]
fn n51_a_reversal_that_a_host_never_answers_sensibly_is_for_people_and_blocks_none_behind_it() {
    let (site, port, slips) = site(&ISO, "forward_in_flight_max = 1\nattempts_max = 3", 5);
    one_connection(&site);
    let daemon = site.serve(&[]);
    let _bank = owed_reversals(&site, port, &slips, daemon.address);
    let (host, bad) = (Host::listen(port), slips[0].rrn());
    let mut line = host.signed_on();
    let mut orders = Vec::new();
    for _ in 0..slips.len() + 2 {
        let asked = line.receive();
        let is_bad = asked.at("37") == bad;
        if is_bad {
            orders.push(asked.mti().to_vec());
        }
        line.answer(&asked, if is_bad { "77" } else { "00" }, &[]);
    }
    assert_eq!(orders, [b"0420", b"0421", b"0421"]);
    for slip in &slips[1..] {
        wait_state(&site, slip, "Reversed");
    }
    wait_state(&site, &slips[0], "Exception");
    let exceptions = site.ctl(&["exceptions"]);
    assert_eq!(exceptions.as_array().unwrap().len(), 1);
    let next = exceptions[0]["next"].as_str().unwrap();
    assert!(next.starts_with("3 orders in 0 min brought no answer; it was posted"), "{next}");
    daemon.stop();
}

#[test]
fn n48_n51_advices_reach_a_department_over_http_once_it_is_there_and_a_bad_one_blocks_none() {
    let (site, port, slips) = site(&REST, "forward_in_flight_max = 1\nattempts_max = 3", 6);
    let daemon = site.serve(&[]);
    let mut bank = Bank::signed_on(daemon.address, 1);
    for slip in &slips {
        assert_eq!(bank.ask(&slip.advice()).code(), "00", "stored, though the department is down");
    }
    assert_eq!(told(&site)["owed"], slips.len());
    let bad = format!("payment:status-after=500:consumer={}", slips[0].bill.psid);
    let _department = open(&REST, &site, port, &[&bad]);
    for slip in &slips[1..] {
        wait_state(&site, slip, "Posted");
    }
    wait_state(&site, &slips[0], "Exception");
    assert_eq!(entries(&site).len(), slips.len(), "each once, also that of which no word came");
    let exceptions = site.ctl(&["exceptions"]);
    assert_eq!(exceptions.as_array().unwrap().len(), 1);
    assert_eq!(exceptions[0]["payment"]["consumer"], slips[0].bill.psid.as_str());
    assert_eq!(told(&site)["owed"], 0);
    daemon.stop();
}
