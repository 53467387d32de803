//! The book's behaviour over a shelf in memory.

use std::collections::BTreeMap;

use super::*;
use crate::ids::KeyParts;
use crate::money::MinorUnits;
use crate::switch::{CountedAs, Digest, State};

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
    store(&mut shelf, biller(), &row.psid, &merge(None, row.bill).0).unwrap();
    shelf
}

fn payment(stan: &str) -> Payment {
    let key = PaymentKey::new(&KeyParts { stan: stan.as_bytes(), link: b"atmnet", ..KeyParts::default() });
    Payment {
        key,
        link: "atmnet".parse().unwrap(),
        biller: biller(),
        consumer: "7001".into(),
        channel: "6011".parse().unwrap(),
        amount: MinorUnits::new(1000).unwrap(),
        date: "2026-11-20".parse().unwrap(),
        digest: Digest::default(),
        state: State::Sent,
        answer: None,
        posting: None,
        reversal: None,
        heads: Vec::new(),
        advice: false,
        confirmations: 0,
        totals_date: "2026-11-20".parse().unwrap(),
        counted: CountedAs::Nothing,
        taken_in: UnixMillis(1),
        trace: 1,
        reference: None,
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
    assert!(matches!(reverse(&mut shelf, &second), Outcome::Declined(Reason::OriginalUnknown)));
    assert_eq!(status(&shelf), BillStatus::Paid);
    assert!(matches!(reverse(&mut shelf, &first), Outcome::Reversed));
    assert!(matches!(reverse(&mut shelf, &first), Outcome::Declined(Reason::OriginalUnknown)));
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
    let (updated, change) = merge(held, row.bill.clone());
    assert_eq!((updated.bill.amount_after_due.minor(), change), (1200, Change::Updated));
    pay(&mut shelf, &payment("000001"));
    let held = find(&shelf, biller(), "7001").unwrap();
    let (kept, change) = merge(held.clone(), row.bill);
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
