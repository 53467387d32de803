//! Payments whose legs follow from their numbers, as the switch would write them down.

use billswitch::clock::UnixMillis;
use billswitch::ids::{BusinessDate, KeyParts, PaymentKey, Rrn, Short, Stan};
use billswitch::journal::{Sealer, Step, Store, Turn, Write, Writer, ledger};
use billswitch::money::MinorUnits;
use billswitch::switch::{BillRef, Evidence, Payment, Record, State, What};

/// The first business date.
pub(crate) const DAY: i32 = 20_777;

pub(crate) fn date(day: i32) -> BusinessDate {
    BusinessDate::from_day_number(day).unwrap()
}

/// The key of payment `number`: later ones have later times.
pub(crate) fn key(number: u64) -> PaymentKey {
    let time = format!("{:010}", 1_120_000_000 + number);
    let stan = format!("{:06}", number % 1_000_000);
    PaymentKey::new(&KeyParts {
        transmitted_at: time.as_bytes(),
        stan: stan.as_bytes(),
        rrn: format!("{number:012}").as_bytes(),
        acquirer: b"586001",
        terminal: b"ATM00001",
        link: b"atmnet",
    })
}

pub(crate) fn payment(number: u64, day: i32, state: State) -> Payment {
    Payment {
        link: Short::new(b"atmnet").unwrap(),
        state,
        taken_in: UnixMillis(1_795_147_200_000),
        trace: number,
        ..Payment::new(
            key(number),
            BillRef { biller: Short::new(b"KPEXCISE").unwrap(), consumer: format!("{number:017}").into() },
            MinorUnits::new(100 + number).unwrap(),
            date(day),
        )
    }
}

pub(crate) fn record(day: i32, what: What, payment: Option<Payment>) -> Record {
    Record {
        at: UnixMillis(1_795_147_200_000),
        date: payment.as_ref().map_or(date(day), |payment| payment.date),
        what,
        link: Short::new(b"atmnet").unwrap(),
        stan: Stan::EMPTY,
        rrn: Rrn::EMPTY,
        payment: payment.map(Box::new),
        due: None,
        was_due: None,
        counted: None,
        evidence: Evidence(vec![b'e'; 120].into()),
    }
}

/// A turn of these records.
pub(crate) fn turn(store: &Store, records: &[Record]) -> Turn {
    let first_sequence = store.next_sequence();
    let mut turn = Turn { first_sequence, moves_money: true, ..Turn::default() };
    for (sequence, record) in (first_sequence..).zip(records) {
        turn.legs.push(ledger::to_leg(record).unwrap());
        ledger::index(record, sequence, |write| turn.writes.push(write));
    }
    turn
}

/// A request in, and its outcome: two legs, as the bill book makes them.
pub(crate) fn pay(store: &Store, number: u64, day: i32, state: State) -> Turn {
    let asked = record(day, What::Asked { mti: Short::new(b"0200").unwrap() }, None);
    let answered = record(day, What::Settled, Some(payment(number, day, state)));
    turn(store, &[asked, answered])
}

/// The business date moves to `day`.
pub(crate) fn cut_over(store: &Store, writer: &mut Writer, day: i32) {
    let turn = turn(store, &[record(day, What::CutOver, None)]);
    writer.commit(&[turn]).unwrap();
}

/// Lets the sealer work until it has nothing to do, or for so many steps, as the server does.
pub(crate) fn seal(store: &Store, writer: &mut Writer, sealer: &mut Sealer, day: i32, steps: usize) -> usize {
    for done in 0..steps {
        match sealer.step(date(day)).unwrap() {
            Step::Idle => return done,
            Step::Again => {}
            Step::Unload(unloading) => {
                let first_sequence = store.next_sequence();
                let mut records = Vec::new();
                for key in &unloading.carry_over {
                    let payment = ledger::find(store, key).unwrap().unwrap();
                    records.push(record(day, What::CarriedOver, Some(payment)));
                }
                let writes = unloading.writes;
                let unload = Turn { first_sequence, writes, ..Turn::default() };
                let carried = turn(store, &records);
                writer.commit(&[unload, carried]).unwrap();
            }
        }
    }
    steps
}

/// Keys of payments that the working store still has.
pub(crate) fn working_keys(store: &Store) -> usize {
    store.scan(b"T").map(Result::unwrap).count()
}

/// Blocks that the working store still has of legs up to `last`: what is let go of twice is refused before that.
pub(crate) fn forget(first: u64) -> Write {
    Write::Forget { first }
}
