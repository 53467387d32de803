//! A host whose messages have MACs, which another library makes and judges.

use serde_json::json;

use super::stand::{Bills, GAS, Stand};
use crate::support::bills::Bill;
use crate::support::wait_for;
use crate::tools;

/// The MAC key as the host has it, and the key file that has it encrypted under another.
const KEY: &str = "0123456789ABCDEFFEDCBA9876543210";
const KEK: &str = "00112233445566778899AABBCCDDEEFF";
const KEY_FILE: &str = "kek 00112233445566778899AABBCCDDEEFF\nmac 4CD648347C7C41F1691C586546C2CBE1 08D7B4\n";

#[test]
fn an_answer_without_the_hosts_mac_is_neither_a_refusal_nor_an_approval() {
    if tools::python_of_cryptography().is_none() {
        return;
    }
    let mut bills = Bills::default();
    let mut bill = |inquiry: &str, payment: &str, reversal: &str| {
        bills.add(
            &GAS,
            &json!({ "inquiry": [inquiry, inquiry], "payment": [payment], "reversal": [reversal] }),
        )
    };
    let doubt: Vec<Bill> = ["do unsealed", "do other-key", "other-key", "=25 unsealed", "=25 other-key"]
        .map(|conduct| bill("do", conduct, "do"))
        .into();
    let sound = bill("do", "do", "do");
    let forged = bill("do", "do forged", "do forged");
    let not_found = [bill("do unsealed", "do", "do"), bill("do other-key", "do", "do")];
    let twice = bill("do", "do", "do unsealed");
    let Some(mut stand) = Stand::sealed(bills, "onelink", (KEY, KEK), KEY_FILE) else { return };
    assert_eq!(stand.inquire(&sound).code(), "00");
    for bill in [&sound, &forged, &twice] {
        let (slip, told) = stand.pay(bill);
        assert_eq!(told.code(), "00", "{bill:?}");
        stand.take_back(&slip);
        assert_eq!((stand.state(&slip).as_str(), stand.held(bill).undone), ("reversed", 1), "{bill:?}");
    }
    for bill in &doubt {
        let (slip, told) = stand.pay(bill);
        assert_eq!((told.code().as_str(), stand.state(&slip).as_str()), ("68", "reversed"), "{bill:?}");
        let held = stand.held(bill);
        assert_eq!(held.posted, held.undone, "{bill:?}");
    }
    for bill in &not_found {
        assert_eq!(stand.inquire(bill).code(), "91");
    }
    stand.agree();
}

#[test]
fn a_new_key_of_the_hosts_is_in_use_once_it_is_acknowledged_and_after_a_kill_and_one_that_is_spoilt_is_not() {
    if tools::python_of_cryptography().is_none() {
        return;
    }
    let mut bills = Bills::default();
    let changes = bills.add(&GAS, &json!({ "payment": ["do rekey"] }));
    let spoils = bills.add(&GAS, &json!({ "payment": ["do rekey-wrong"] }));
    let others: Vec<Bill> = (0..3).map(|_| bills.add(&GAS, &json!({}))).collect();
    let Some(mut stand) = Stand::sealed(bills, "onelink", (KEY, KEK), KEY_FILE) else { return };
    let noted = |stand: &Stand, event| {
        wait_for(event, || (stand.noted("onelink", event) == 1).then_some(()));
    };
    // The host judges by the old key until the new one is acknowledged, and by nothing but the new one from there on.
    assert_eq!(stand.pay(&changes).1.code(), "00", "the answer to what was under way has the old key's MAC");
    noted(&stand, "new key");
    assert_eq!(stand.pay(&others[0]).1.code(), "00");
    let new = stand.health(&GAS)["mac_key"].clone();
    assert!(new.as_str().is_some_and(|key| key.len() == 6 && key != "08D7B4"), "{new}");
    stand.restart();
    assert_eq!(stand.pay(&others[1]).1.code(), "00", "it is kept, sealed, in the store");
    assert_eq!(stand.pay(&spoils).1.code(), "00");
    noted(&stand, "key refused");
    assert_eq!(stand.pay(&others[2]).1.code(), "00");
    assert_eq!(stand.health(&GAS)["mac_key"], new);
    stand.agree();
}
