//! The book's behaviour over a shelf in memory.

use std::collections::BTreeMap;

use super::*;
use crate::ids::KeyParts;
use crate::money::MinorUnits;
use crate::switch::{BillRef, State};

#[derive(Default)]
struct Memory(BTreeMap<Vec<u8>, Vec<u8>>);

impl Shelf for Memory {
    type Error = std::convert::Infallible;

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error> {
        Ok(self.0.get(key).cloned())
    }

    fn write(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.0.insert(key, value);
    }
}

const HEADER: &str =
    "psid,name,billing_month,due_date,expiry_date,amount_within_due,amount_after_due,heads,status\n";
const LINE: &str = "7001,Ayesha Bibi,2611,2026-11-25,2026-12-25,1000,1100,B01401:300|B02372:700,U\n";

fn biller() -> BillerCode {
    "KPTEST".parse().unwrap()
}

fn rows(text: &str) -> Vec<Result<Row, LineFault>> {
    let mut reader = RowReader::new("bills.csv", text.as_bytes());
    std::iter::from_fn(|| reader.next_row()).take(5).collect()
}

fn stocked() -> Memory {
    let mut shelf = Memory::default();
    let row = rows(&format!("{HEADER}{LINE}")).remove(0).unwrap();
    store(&mut shelf, biller(), &row.psid, &merge(None, row.bill, UnixMillis(0)).0).unwrap();
    shelf
}

fn payment(stan: &str) -> Payment {
    let key = PaymentKey::new(&KeyParts { stan: stan.as_bytes(), link: b"atmnet", ..KeyParts::default() });
    Payment {
        link: "atmnet".parse().unwrap(),
        channel: "6011".parse().unwrap(),
        state: State::Sent,
        taken_in: UnixMillis(1),
        trace: 1,
        ..Payment::new(
            key,
            BillRef { biller: biller(), consumer: "7001".into() },
            MinorUnits::new(1000).unwrap(),
            "2026-11-20".parse().unwrap(),
        )
    }
}

fn pay(shelf: &mut Memory, payment: &Payment) -> Outcome {
    let mut receipts = Receipts::starting_on(payment.date);
    post(shelf, payment, UnixMillis(1), &mut receipts)
}

fn status(shelf: &Memory) -> BillStatus {
    find(shelf, biller(), "7001").unwrap().unwrap().bill.status
}

#[test]
fn a_bill_is_paid_once_and_the_winner_gets_its_posting_again() {
    let mut shelf = stocked();
    let (first, second) = (payment("000001"), payment("000002"));
    let Outcome::Posted(posting) = pay(&mut shelf, &first) else { panic!("not posted") };
    assert!(matches!(pay(&mut shelf, &second), Outcome::Declined(Reason::AlreadyPaid)));
    assert!(matches!(pay(&mut shelf, &first), Outcome::Posted(again) if again == posting));
}

#[test]
fn a_reversed_bill_is_payable_again_and_only_its_payer_reverses_it() {
    let mut shelf = stocked();
    let (first, second) = (payment("000001"), payment("000002"));
    pay(&mut shelf, &first);
    assert!(matches!(
        reverse(&mut shelf, &second, UnixMillis(2)),
        Outcome::Declined(Reason::OriginalUnknown)
    ));
    assert_eq!(status(&shelf), BillStatus::Paid);
    assert!(matches!(reverse(&mut shelf, &first, UnixMillis(2)), Outcome::Reversed));
    assert!(matches!(reverse(&mut shelf, &first, UnixMillis(2)), Outcome::Declined(Reason::OriginalUnknown)));
    assert!(matches!(pay(&mut shelf, &second), Outcome::Posted(_)));
}

#[test]
fn a_flipped_byte_in_a_stored_bill_is_never_paid_on() {
    let mut shelf = stocked();
    for bit in 0..8 {
        let mut damaged = Memory(shelf.0.clone());
        for value in damaged.0.values_mut() {
            value[3] ^= 1 << bit;
        }
        assert!(matches!(pay(&mut damaged, &payment("000001")), Outcome::Declined(Reason::Internal)));
    }
    assert!(matches!(pay(&mut shelf, &payment("000001")), Outcome::Posted(_)));
}

#[test]
fn importing_again_updates_but_never_unpays() {
    let mut shelf = stocked();
    let row = rows(&format!("{HEADER}{}", LINE.replace("1000,1100", "1000,1200"))).remove(0).unwrap();
    let held = find(&shelf, biller(), "7001").unwrap();
    let (updated, change) = merge(held, row.bill.clone(), UnixMillis(2));
    assert_eq!((updated.bill.amount_after_due.minor(), change), (1200, Change::Updated));
    pay(&mut shelf, &payment("000001"));
    let held = find(&shelf, biller(), "7001").unwrap();
    let (kept, change) = merge(held.clone(), row.bill, UnixMillis(3));
    assert_eq!((Some(kept), change), (held, Change::KeptPaid));
}

#[test]
fn a_bad_line_is_told_by_line_and_column() {
    let table = [
        ("7001,,2611,2026-11-25,2026-12-25,1000,1100,,U", "name"),
        ("7001,A,2611,2026-11-31,2026-12-25,1000,1100,,U", "due_date"),
        ("7001,A,2611,2026-11-25,2026-11-24,1000,1100,,U", "expiry_date"),
        ("7001,A,2611,2026-11-25,2026-12-25,10.00,1100,,U", "amount_within_due"),
        ("7001,A,2611,2026-11-25,2026-12-25,1000,999,,U", "amount_after_due"),
        ("7001,A,2611,2026-11-25,2026-12-25,1000,1100,B1:999,U", "heads"),
        ("7001,A,2611,2026-11-25,2026-12-25,1000,1100,,X", "status"),
        ("7001,A,2611,2026-11-25,2026-12-25,1000,1100,U", "line"),
        ("7001,\u{645}\u{631},2611,2026-11-25,2026-12-25,1000,1100,,U", "name"),
        ("7001,A,11,2026-11-25,2026-12-25,1000,1100,,U", "billing_month"),
    ];
    for (line, column) in table {
        let rows = rows(&format!("{HEADER}{LINE}{line}\n{LINE}"));
        let fault = rows[1].as_ref().unwrap_err();
        assert_eq!((fault.line, fault.column), (3, column), "{line}");
        assert!(rows[0].is_ok() && rows[2].is_ok(), "{line}");
    }
    assert_eq!(rows(LINE)[0].as_ref().unwrap_err().column, "line");
}

const AT: UnixMillis = UnixMillis(5);

fn held(shelf: &Memory) -> BookBill {
    find(shelf, biller(), "7001").unwrap().unwrap()
}

fn act(shelf: &mut Memory, act: &Act) -> Result<Did, ActFault> {
    let mut bill = held(shelf);
    let did = bill.act("7001", act, AT, "a letter")?;
    store(shelf, biller(), "7001", &bill).unwrap();
    Ok(did)
}

#[test]
fn what_an_operator_did_to_a_bill_outlives_the_departments_file() {
    let table: [(Act, Outcome, Change); 2] = [
        (Act::Block, Outcome::Declined(Reason::Blocked), Change::Updated),
        (Act::Cancel, Outcome::Declined(Reason::NoSuchBill), Change::KeptCancelled),
    ];
    for (done, want, change) in table {
        let mut shelf = stocked();
        act(&mut shelf, &done).unwrap();
        let row = rows(&format!("{HEADER}{}", LINE.replace("1000,1100", "1000,1200"))).remove(0).unwrap();
        let (bill, changed) = merge(Some(held(&shelf)), row.bill, AT);
        assert_eq!(changed, change, "{done:?}");
        store(&mut shelf, biller(), "7001", &bill).unwrap();
        let got = pay(&mut shelf, &payment("000001"));
        assert_eq!(format!("{got:?}"), format!("{want:?}"), "{done:?}");
    }
    let mut shelf = stocked();
    act(&mut shelf, &Act::Block).unwrap();
    let told = look_up(&shelf, &BillRef { biller: biller(), consumer: "7001".into() });
    assert!(matches!(told, Outcome::Found(bill) if bill.status == BillStatus::Blocked));
    act(&mut shelf, &Act::Unblock).unwrap();
    assert!(matches!(pay(&mut shelf, &payment("000001")), Outcome::Posted(_)));
}

#[test]
fn a_paid_bill_is_changed_by_nobody() {
    let mut shelf = stocked();
    pay(&mut shelf, &payment("000001"));
    let before = held(&shelf);
    let correction = Correction { name: Some("Noor".into()), ..Correction::default() };
    for refused in
        [Act::Block, Act::Cancel, Act::Correct(correction.clone()), Act::Reissue { psid: None, correction }]
    {
        assert_eq!(act(&mut shelf, &refused), Err(ActFault::Paid), "{refused:?}");
    }
    assert_eq!(held(&shelf), before);
}

#[test]
fn a_correction_says_what_it_changed_and_must_leave_a_bill() {
    let mut shelf = stocked();
    let amount = |minor| MinorUnits::new(minor).ok();
    let alone = Correction { amount_within_due: amount(900), ..Correction::default() };
    let fault = act(&mut shelf, &Act::Correct(alone.clone())).unwrap_err();
    assert_eq!(fault.to_string(), "heads: do not sum to amount_within_due");
    let heads = parse_heads("B01401:200|B02372:700").ok();
    let did = act(&mut shelf, &Act::Correct(Correction { heads, ..alone.clone() })).unwrap();
    assert_eq!(
        did.to_string(),
        "corrected: amount_within_due 1000 to 900, heads B01401:300|B02372:700 to B01401:200|B02372:700"
    );
    assert_eq!(held(&shelf).bill.amount_within_due.minor(), 900);
    assert_eq!(act(&mut shelf, &Act::Correct(alone)), Err(ActFault::Already));
}

#[test]
fn a_cancelled_bill_is_issued_anew_under_its_own_psid_or_another() {
    let mut shelf = stocked();
    act(&mut shelf, &Act::Cancel).unwrap();
    assert_eq!(act(&mut shelf, &Act::Block), Err(ActFault::Gone("cancelled")));
    let correction = Correction { due_date: "2026-12-01".parse().ok(), ..Correction::default() };
    let other = held(&shelf).successor("7001", "7777", &correction, AT, "a letter").unwrap();
    assert_eq!(
        (other.listing.clone(), other.bill.due_date.to_string().as_str()),
        (Listing::Listed, "2026-12-01")
    );
    act(&mut shelf, &Act::Reissue { psid: None, correction }).unwrap();
    assert!(matches!(pay(&mut shelf, &payment("000001")), Outcome::Posted(_)));
}

#[test]
fn a_bills_history_is_told_in_order_and_never_outgrows_the_store() {
    let mut shelf = stocked();
    for round in 0..300 {
        pay(&mut shelf, &payment(&format!("{round:06}")));
        assert!(matches!(reverse(&mut shelf, &payment(&format!("{round:06}")), AT), Outcome::Reversed));
    }
    let bill = held(&shelf);
    let told: Vec<String> = bill.notes.iter().rev().take(2).map(|note| note.did.to_string()).collect();
    assert!(told[0].starts_with("payment undone") && told[1].starts_with("paid 10.00"), "{told:?}");
    let dropped = usize::try_from(bill.notes_dropped).unwrap();
    assert_eq!(bill.notes.len() + dropped, 601);
    assert!(shelf.0.values().all(|stored| stored.len() <= MAX_STORED_BYTES + 4));
}
