//! One link floods, and the others do not wait behind it.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::bank::{Bank, Frame, Slip};
use crate::support::bills::import;
use crate::support::site::Site;
use crate::support::trade::slip;
use crate::support::wait_for;

/// Connections of the link that floods, and what each sends without waiting for an answer.
const CONNECTIONS: usize = 8;
const FLOOD: usize = 2500;
/// Of so many payments one is taken back.
const TAKEN_BACK: usize = 50;
/// Requests that the switch has taken off a connection and not answered yet: so many of each are ahead of whoever waits behind
/// the flood.
const IN_FLIGHT: usize = 1024;
const AHEAD: usize = CONNECTIONS * IN_FLIGHT;
/// Payments of the other link, one after the other.
const OTHERS: usize = 4;

/// How many payments had been posted when this one was: the count in its receipt, between day and check digit.
fn place(answer: &Frame) -> usize {
    assert_eq!(answer.code(), "00", "{answer:?}");
    let receipt = answer.at("120.RN");
    receipt[4..receipt.len() - 1].parse().unwrap()
}

/// What one connection of the flood sends.
fn flood(slips: &[Slip]) -> Vec<Vec<u8>> {
    let pairs = slips.iter().enumerate().flat_map(|(place, slip)| {
        let reversal = (place % TAKEN_BACK == 0).then(|| slip.reversal("0420"));
        std::iter::once(slip.payment()).chain(reversal)
    });
    pairs.collect()
}

/// A flood on one link, and meanwhile something on another. Gives the flood's answers.
fn flooded(queue_delay_ms: u32, meanwhile: impl FnOnce(&mut Bank, &[Slip], &AtomicUsize)) -> Vec<Frame> {
    let site = Site::new();
    site.edit(|text| {
        // Room for all of them on each of the three links.
        text.replace("queue_max = 4096", &format!("queue_max = {}", 3 * AHEAD))
            .replace("queue_delay_ms = 60000", &format!("queue_delay_ms = {queue_delay_ms}"))
    });
    let bills = import(&site, "KPEXCISE", u64::try_from(CONNECTIONS * FLOOD + OTHERS).unwrap());
    let slips: Vec<Slip> = bills.into_iter().map(slip).collect();
    let (others, slips) = slips.split_at(OTHERS);
    let daemon = site.serve(&[]);
    let answered = AtomicUsize::new(0);
    let mut other = Bank::signed_on(daemon.address, 2);
    // Before anything is sent: all of it is there at once.
    let floods: Vec<(Bank, Vec<Vec<u8>>)> =
        slips.chunks(FLOOD).map(|slips| (Bank::signed_on(daemon.address, 1), flood(slips))).collect();
    let answers = std::thread::scope(|scope| {
        let mut readers = Vec::new();
        for (bank, frames) in floods {
            let (count, answered) = (frames.len(), &answered);
            let (mut reading, mut writing) = bank.split();
            scope.spawn(move || frames.iter().for_each(|frame| writing.send(frame).unwrap()));
            readers.push(scope.spawn(move || {
                let take = |_| {
                    let answer = reading.receive().unwrap();
                    answered.fetch_add(1, Ordering::Relaxed);
                    answer
                };
                (0..count).map(take).collect::<Vec<Frame>>()
            }));
        }
        // By then all of it waits.
        wait_for("the flood", || (answered.load(Ordering::Relaxed) > IN_FLIGHT).then_some(()));
        meanwhile(&mut other, others, &answered);
        readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect()
    });
    daemon.stop();
    answers
}

#[test]
fn n_while_one_link_floods_anothers_payments_are_answered_in_their_turn() {
    let answers = flooded(60_000, |other, slips, answered| {
        let mut places = Vec::new();
        for slip in slips {
            places.push(place(&other.ask(&slip.payment())));
            assert_eq!(other.ask(&slip.reversal("0420")).code(), "00");
        }
        let left = (CONNECTIONS * FLOOD).saturating_sub(answered.load(Ordering::Relaxed));
        let ahead: Vec<usize> = places.windows(2).map(|two| two[1] - two[0]).collect();
        println!("payments of the flood between two of the other link: {ahead:?}");
        // Behind all of the flood each of them, and each reversal, would wait for AHEAD: it would be over long before the last.
        assert!(left > 0, "the flood was over too soon");
        // The most is the machine's business: this process, too, has to have its turn between two payments.
        assert!(*ahead.iter().min().unwrap() < AHEAD / 2, "{ahead:?}");
    });
    for answer in answers {
        // A reversal that went ahead of its payment finds none yet, and that is refused when it comes.
        let fine = if answer.mti() == b"0430" { ["00", "25"] } else { ["00", "21"] };
        assert!(fine.contains(&answer.code().as_str()), "{answer:?}");
    }
}

#[test]
fn n_where_a_flood_waits_too_long_its_payments_are_shed_and_nobodys_reversals() {
    let answers = flooded(250, |other, slips, _| {
        for slip in slips {
            let paid = other.ask(&slip.payment()).code();
            assert!(["00", "96"].contains(&paid.as_str()), "{paid}");
            let undone = other.ask(&slip.reversal("0420")).code();
            // There is nothing to undo where the payment was shed.
            assert_eq!(undone, if paid == "00" { "00" } else { "25" });
        }
    });
    let (reversals, payments): (Vec<Frame>, Vec<Frame>) =
        answers.into_iter().partition(|answer| answer.mti() == b"0430");
    assert!(reversals.iter().all(|answer| ["00", "25"].contains(&answer.code().as_str())));
    let shed = payments.iter().filter(|answer| answer.code() == "96").count();
    println!("{shed} of {} payments were shed", payments.len());
    assert!(shed > 0 && shed < payments.len(), "{shed} were shed");
}
