//! The shipped contract, code by code and quirk by quirk (`domain.md` 3a).

use serde_json::{Value, json};

use super::*;
use crate::clock::UnixMillis;
use crate::ids::{KeyParts, PaymentKey};
use crate::money::MinorUnits;
use crate::switch::{BillStatus, Outcome, State};

fn contract() -> Contract {
    Contract::parse("1bill", "1bill.toml", shipped::contract_text("1bill").unwrap()).unwrap()
}

fn payment() -> crate::switch::Payment {
    let key = KeyParts {
        transmitted_at: b"1120121366",
        stan: b"000042",
        rrn: b"632409000042",
        acquirer: b"1234",
        terminal: b"T1",
        link: b"atmnet",
    };
    crate::switch::Payment {
        link: "atmnet".parse().unwrap(),
        channel: "6011".parse().unwrap(),
        state: State::Sent,
        taken_in: UnixMillis(1),
        trace: 7_000_123,
        ..crate::switch::Payment::new(
            PaymentKey::new(&key),
            crate::switch::BillRef { biller: "DEPT".parse().unwrap(), consumer: "10010000000001".into() },
            MinorUnits::new(12_000).unwrap(),
            "2026-11-20".parse().unwrap(),
        )
    }
}

/// A bill as the contract's own description has it.
fn found() -> Value {
    json!({
        "response_Code": "00",
        "consumer_detail": "Ayesha Bibi                   ",
        "bill_status": "U",
        "due_date": "20261125",
        "amount_within_dueDate": "+0000000012000",
        "amount_after_dueDate": "+0000000013200",
        "billing_month": "2611",
        "date_paid": "        ",
        "amount_paid": "            ",
        "tran_auth_id": "      ",
        "reserved": "",
    })
}

fn with(mut answer: Value, changes: &[(&str, Value)]) -> Vec<u8> {
    for (key, value) in changes {
        answer[*key] = value.clone();
    }
    answer.to_string().into_bytes()
}

fn inquire(changes: &[(&str, Value)]) -> Outcome {
    contract().read_inquiry(&with(found(), changes))
}

fn bill(outcome: Outcome) -> crate::switch::Bill {
    let Outcome::Found(bill) = outcome else { panic!("{outcome:?}") };
    *bill
}

fn refused(outcome: &Outcome) -> Option<Reason> {
    if let Outcome::Declined(reason) = outcome { Some(*reason) } else { None }
}

#[test]
fn a_payments_body_is_the_same_each_time_and_has_the_widths_of_the_contract() {
    let contract = contract();
    let body: Value = serde_json::from_slice(&contract.payment(&payment(), "BSWITCH").unwrap()).unwrap();
    assert_eq!(
        body,
        json!({
            "consumer_number": "10010000000001",
            "tran_auth_id": "000123",
            "transaction_amount": "000000012000",
            "tran_date": "20261120",
            "tran_time": "121366",
            "bank_mnemonic": "BSWITCH",
            "reserved": "",
        })
    );
    let mut later = payment();
    later.confirmations = 4;
    later.state = State::Confirming;
    assert_eq!(contract.payment(&later, "BSWITCH"), contract.payment(&payment(), "BSWITCH"));
    let body: Value = serde_json::from_slice(&contract.inquiry("1001", "BSWITCH").unwrap()).unwrap();
    assert_eq!(body, json!({ "consumer_number": "1001", "bank_mnemonic": "BSWITCH", "reserved": "" }));
}

#[test]
fn what_the_contract_has_no_room_for_is_refused_and_not_cut() {
    let contract = contract();
    assert!(contract.inquiry(&"9".repeat(24), "B").is_ok());
    assert_eq!(contract.inquiry(&"9".repeat(25), "B"), Err(Reason::NoSuchBill));
    let mut nothing = payment();
    nothing.amount = MinorUnits::ZERO;
    assert_eq!(contract.payment(&nothing, "B"), Err(Reason::AmountNotAccepted));
}

#[test]
fn an_aggregator_with_thirteen_digits_and_a_sign_is_a_matter_of_its_file() {
    let text = shipped::contract_text("1bill").unwrap();
    let text = text
        .replace("amount_digits = 12", "amount_digits = 13")
        .replace("amount_signed = false", "amount_signed = true");
    let other = Contract::parse("other", "other.toml", &text).unwrap();
    let body: Value = serde_json::from_slice(&other.payment(&payment(), "B").unwrap()).unwrap();
    assert_eq!(body["transaction_amount"], "+0000000012000");
}

#[test]
fn an_unpaid_bill_is_found_and_its_paid_fields_are_not_read() {
    let told = bill(inquire(&[]));
    assert_eq!((&*told.name, told.status), ("Ayesha Bibi", BillStatus::Unpaid));
    assert_eq!((told.amount_within_due.minor(), told.amount_after_due.minor()), (12_000, 13_200));
    assert_eq!((told.due_date.compact().as_str(), told.billing_month.as_str()), ("20261125", "2611"));
    let quirky = inquire(&[
        ("date_paid", json!("99999999")),
        ("amount_paid", json!("no amount")),
        ("tran_auth_id", json!(77)),
    ]);
    assert_eq!(bill(quirky).status, BillStatus::Unpaid);
}

#[test]
fn a_bill_that_takes_parts_says_in_reserved_how_much_one_payment_may_be() {
    let limits = |reserved: Value| {
        let told = inquire(&[("bill_status", json!("T")), ("reserved", reserved)]);
        let BillStatus::Partial(limits) = bill(told).status else { panic!("payable in parts") };
        (limits.min.map(MinorUnits::minor), limits.max.map(MinorUnits::minor))
    };
    // Total 900.00, outstanding 120.00, fee 1.50, at most 500.00, at least 10.00.
    let reserved = "000000090000000000012000000000000150000000050000000000001000";
    let table = [
        (json!(reserved), (Some(1000), Some(50_000))),
        (json!(format!("{reserved}PAY IN PARTS")), (Some(1000), Some(50_000))),
        // What is not told is blank, also at the beginning.
        (json!(format!("{}000000050000000000001000  ", " ".repeat(36))), (Some(1000), Some(50_000))),
        (json!(format!("{}            000000001000", &reserved[..36])), (Some(1000), None)),
        (json!(format!("{}000000000000000000000000", &reserved[..36])), (None, None)),
        (json!(&reserved[..48]), (None, Some(50_000))),
        (json!(""), (None, None)),
        (json!("PARTIAL PAYMENT IS ALLOWED AT ALL COUNTERS UNTIL THE END OF THE YEAR"), (None, None)),
        (json!(60), (None, None)),
    ];
    for (reserved, want) in table {
        assert_eq!(limits(reserved.clone()), want, "{reserved}");
    }
    let exact = inquire(&[("reserved", json!(reserved))]);
    assert_eq!(bill(exact).status, BillStatus::Unpaid, "of another bill it is not read");
}

#[test]
fn keys_are_matched_in_any_case_and_one_that_is_there_twice_is_not_understood() {
    let body = found()
        .to_string()
        .replace("consumer_detail", "consumer_Detail")
        .replace("response_Code", "RESPONSE_CODE")
        .replace("bill_status", "Bill_Status");
    assert_eq!(&*bill(contract().read_inquiry(body.as_bytes())).name, "Ayesha Bibi");
    let twice = body.replacen('{', "{\"response_code\":\"01\",", 1);
    assert!(matches!(contract().read_inquiry(twice.as_bytes()), Outcome::Unknown));
}

#[test]
fn every_code_of_an_inquiry_means_what_the_table_says() {
    let table = [
        ("00", "U", None),
        ("01", "U", Some(Reason::NoSuchBill)),
        ("01", "", Some(Reason::NoSuchBill)),
        ("01", "B", Some(Reason::Expired)),
        ("02", "B", Some(Reason::Blocked)),
        ("02", "", Some(Reason::Blocked)),
        ("04", "", Some(Reason::BillerUnavailable)),
        ("06", "", Some(Reason::AlreadyPaid)),
    ];
    for (code, status, want) in table {
        let outcome = inquire(&[("response_Code", json!(code)), ("bill_status", json!(status))]);
        assert_eq!(refused(&outcome), want, "{code}/{status}: {outcome:?}");
    }
}

#[test]
fn a_paid_bill_is_told_as_paid_whether_by_00_or_by_06() {
    for code in ["00", "06"] {
        let outcome = inquire(&[("response_Code", json!(code)), ("bill_status", json!("P"))]);
        assert_eq!(bill(outcome).status, BillStatus::Paid, "{code}");
    }
    let bare = inquire(&[
        ("bill_status", json!("P")),
        ("due_date", json!("")),
        ("amount_within_dueDate", json!("")),
    ]);
    assert_eq!(refused(&bare), Some(Reason::AlreadyPaid), "what of it cannot be read changes nothing");
}

#[test]
fn a_body_of_nothing_but_a_code_is_understood() {
    let read = |body: &str| contract().read_inquiry(body.as_bytes());
    assert_eq!(refused(&read("{\"response_Code\":\"04\"}")), Some(Reason::BillerUnavailable));
    assert!(matches!(read("{\"response_Code\":\"00\"}"), Outcome::Unknown), "found, but not what");
}

#[test]
fn who_has_paid_too_much_owes_nothing_and_an_overdue_bill_may_have_no_amount_within() {
    let negative = bill(inquire(&[("amount_within_dueDate", json!("-0000000000500"))]));
    assert_eq!(negative.amount_within_due, MinorUnits::ZERO);
    let overdue =
        bill(inquire(&[("due_date", json!("20261101")), ("amount_within_dueDate", json!("+0000000000000"))]));
    assert_eq!(overdue.due_on("2026-11-20".parse().unwrap()).map(MinorUnits::minor), Ok(13_200));
}

#[test]
fn an_inquirys_answer_that_cannot_be_read_is_unknown() {
    let spoilt = [
        ("response_Code", json!("03")),
        ("response_Code", json!("05")),
        ("response_Code", json!("7")),
        ("response_Code", json!(0)),
        ("response_Code", json!("")),
        ("bill_status", json!("X")),
        ("bill_status", json!("")),
        ("due_date", json!("20261131")),
        ("due_date", json!("2026-11-25")),
        ("amount_within_dueDate", json!("+12000")),
        ("amount_within_dueDate", json!("+00000000120.0")),
        ("amount_after_dueDate", json!("+9999999999999")),
        ("amount_after_dueDate", json!(12_000)),
        ("consumer_detail", json!(["Ayesha Bibi"])),
    ];
    for (key, value) in spoilt {
        let outcome = inquire(&[(key, value.clone())]);
        assert!(matches!(outcome, Outcome::Unknown), "{key} {value}: {outcome:?}");
    }
    for body in ["", "null", "[]", "\"00\"", "{\"response_Code\":\"00\"", "<html>00</html>", "{}"] {
        assert!(matches!(contract().read_inquiry(body.as_bytes()), Outcome::Unknown), "{body}");
    }
}

#[test]
fn names_of_other_scripts_go_on_as_characters_that_a_message_can_carry() {
    assert_eq!(&*bill(inquire(&[("consumer_detail", json!("عائشہ Bibi\n"))])).name, "????? Bibi");
}

#[test]
fn every_code_of_a_payment_means_what_the_table_says_the_first_time_and_again() {
    let receipt = Some("V000000001".parse().unwrap());
    let table = [
        ("00", Heard::Posted(receipt), Heard::Posted(receipt)),
        ("01", Heard::Refused(Reason::NoSuchBill), Heard::Refused(Reason::NoSuchBill)),
        ("02", Heard::Unknown, Heard::Unknown),
        ("03", Heard::Duplicate(receipt), Heard::Duplicate(receipt)),
        ("04", Heard::Refused(Reason::BillerUnavailable), Heard::Unknown),
        ("05", Heard::Unknown, Heard::Unknown),
        ("06", Heard::AlreadyPaid, Heard::AlreadyPaid),
        ("07", Heard::Unknown, Heard::Unknown),
        ("0", Heard::Unknown, Heard::Unknown),
    ];
    for (code, first, again) in table {
        let body = json!({ "Response_code": code, "identification_Parameter": "V000000001" }).to_string();
        assert_eq!(contract().read_payment(false, body.as_bytes()), first, "{code}");
        assert_eq!(contract().read_payment(true, body.as_bytes()), again, "{code} again");
    }
    for garbage in ["", "{}", "null", "{\"response_Code\":0}", "{\"response_Code\":\"00\""] {
        assert_eq!(contract().read_payment(false, garbage.as_bytes()), Heard::Unknown, "{garbage}");
    }
}

#[test]
fn a_receipt_that_cannot_be_read_out_does_not_undo_a_posting() {
    for receipt in [json!(""), json!("X".repeat(21)), json!("V\u{e9}1"), json!(12), Value::Null] {
        let body = json!({ "response_Code": "00", "Identification_parameter": receipt }).to_string();
        assert_eq!(contract().read_payment(false, body.as_bytes()), Heard::Posted(None), "{receipt}");
    }
}

#[test]
fn a_paid_bill_shows_whether_it_was_us() {
    let ours = [
        ("bill_status", json!("P")),
        ("tran_auth_id", json!("000123")),
        ("amount_paid", json!("000000012000")),
        ("date_paid", json!("20261121")),
    ];
    let by = |changes: &[(&str, Value)]| {
        let answer: Value = serde_json::from_slice(&with(found(), &ours)).unwrap();
        contract().paid_by(&payment(), &with(answer, changes))
    };
    let table = [
        (by(&[]), PaidBy::Us),
        (by(&[("amount_paid", json!("            ")), ("date_paid", json!("        "))]), PaidBy::Us),
        (by(&[("response_Code", json!("06"))]), PaidBy::Us),
        (by(&[("bill_status", json!("T"))]), PaidBy::Us),
        (by(&[("tran_auth_id", json!("000124"))]), PaidBy::Another),
        (by(&[("amount_paid", json!("000000012001"))]), PaidBy::Another),
        (by(&[("date_paid", json!("20261117"))]), PaidBy::Another),
        (by(&[("tran_auth_id", json!("      "))]), PaidBy::NotTold),
        (by(&[("bill_status", json!("T")), ("tran_auth_id", json!("000124"))]), PaidBy::NotTold),
        (by(&[("bill_status", json!("U"))]), PaidBy::Nobody),
        (by(&[("response_Code", json!("05"))]), PaidBy::Unknown),
        (by(&[("response_Code", json!("01")), ("bill_status", json!(""))]), PaidBy::NoBill),
        (by(&[("response_Code", json!("01")), ("bill_status", json!("B"))]), PaidBy::Unknown),
        (by(&[("bill_status", json!("B"))]), PaidBy::Unknown),
    ];
    for (at, (told, want)) in table.into_iter().enumerate() {
        assert_eq!(told, want, "row {at}");
    }
}

#[test]
fn a_fault_in_a_contract_is_told_by_line_and_reason() {
    let text = shipped::contract_text("1bill").unwrap();
    let table = [
        ("path = \"/BillInquiry\"", "path = \"BillInquiry\"", "a path begins with"),
        ("\"02\" = \"blocked\"", "\"02\" = \"held\"", "`held` is not `found`"),
        ("\"02\" = \"unknown\"", "\"02\" = \"in_doubt\"", "`in_doubt` is not `posted`"),
        ("amount_digits = 12", "amount_digits = 0", "1 to 18 digits"),
        ("refused_http = [401]", "refused_http = [500]", "400 to 499"),
        ("password = \"password\"", "password = \"pass word\"", "cannot be the name of a header"),
        ("content_types", "content_kinds", "unknown field"),
        ("from = 49", "from = 0", "counted `from` 1"),
        ("from = 37, width = 12", "from = 37, width = 19", "1 to 18 characters"),
    ];
    for (from, to, want) in table {
        let line = text[..text.find(from).unwrap()].matches('\n').count() + 1;
        let error =
            Contract::parse("1bill", "1bill.toml", &text.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("1bill.toml:{line}: ")), "line {line}: {error}");
        assert!(error.contains(want), "{error}");
    }
    let untold = text.replace("tran_time = { is = \"time\" }\n", "");
    let error = Contract::parse("1bill", "1bill.toml", &untold).unwrap_err().to_string();
    assert!(error.contains("tells `time` 0 times"), "{error}");
    let never = text.replace("\"00\" = \"posted\"", "\"00\" = \"unknown\"");
    let error = Contract::parse("1bill", "1bill.toml", &never).unwrap_err().to_string();
    assert!(error.contains("no code means `posted`"), "{error}");
}
