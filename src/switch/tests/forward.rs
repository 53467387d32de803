//! What is owed to a biller: its order, its pace, its age.

use super::*;

const BUSY: u32 = 1_000_000;

fn paced(per_second: u32, in_flight_max: u32) -> BillerTerms {
    BillerTerms {
        forward_per_second: per_second,
        forward_in_flight_max: in_flight_max,
        attempts_max: 1000,
        forward_age_max_ms: 600_000,
        ..terms(PLAIN)
    }
}

fn code() -> BillerCode {
    BILLER.parse().unwrap()
}

/// A biller that is down, and so many payments it is owed a reversal of.
fn owing(terms: BillerTerms, count: u8) -> World {
    let mut world = World::at(terms);
    for number in 0..count {
        world.pay(number, 0);
        let post = world.orders.remove(0).0;
        world.step(Event::BillerReplied { leg: post, outcome: Outcome::Posted(posting()) });
    }
    world.step(Event::BillerDown(code()));
    for number in 0..count {
        world.reverse(number, true);
    }
    assert!(world.orders.is_empty(), "nothing goes out to a biller that is down");
    assert_eq!(world.owing().count, usize::from(count));
    world
}

impl World {
    fn owing(&self) -> Owing {
        self.switch.owing(Ticks(self.now_ms), &code())
    }

    /// Passes the time until the switch has something to do.
    fn pass_until_due(&mut self) {
        let at = self.switch.next_deadline().expect("something is due");
        let pause = Ticks(self.now_ms).until_ms(at);
        self.pass(pause);
    }

    fn answer(&mut self, which: usize, outcome: Outcome) {
        let (leg, _) = self.orders.remove(which);
        self.step(Event::BillerReplied { leg, outcome });
    }
}

/// The number of the payment an order is about.
fn number(order: &Order) -> u8 {
    let Order::Reverse { payment, .. } = order else { panic!("a reversal") };
    payment.key.parts().stan[0] - b'0'
}

#[test]
fn orders_owed_are_as_far_apart_as_the_pace_says_and_as_few_at_once_as_the_bound_says() {
    for (per_second, apart_ms) in [(1000, 1), (100, 10), (50, 20), (3, 333)] {
        let mut world = owing(BillerTerms { reply_timeout_ms: 60_000, ..paced(per_second, 1000) }, 9);
        world.step(Event::BillerUp(code()));
        let (begun, mut given) = (world.now_ms, Vec::new());
        while given.len() < 9 {
            given.extend(world.orders.drain(..).map(|(_, order)| (number(&order), world.now_ms - begun)));
            if given.len() < 9 {
                world.pass_until_due();
            }
        }
        for (place, (number, at)) in (0..).zip(&given) {
            assert_eq!(*number, place, "in the order in which they came to be owed");
            assert_eq!(*at / apart_ms, u64::from(place), "{per_second} a second: {given:?}");
        }
    }
    let mut world = owing(paced(BUSY, 3), 9);
    world.step(Event::BillerUp(code()));
    assert_eq!((world.orders.len(), world.owing().at_biller), (3, 3));
    world.answer(1, Outcome::Reversed);
    assert_eq!((world.orders.len(), world.owing().count), (3, 8));
}

#[test]
fn more_than_a_thousand_a_second_go_out_within_one_millisecond() {
    let mut world = owing(paced(5000, 1000), 9);
    world.step(Event::BillerUp(code()));
    assert_eq!(world.orders.len(), 5);
    world.pass(1);
    assert_eq!(world.orders.len(), 9);
}

#[test]
fn all_that_was_open_at_the_start_does_not_go_out_at_once() {
    let mut world = owing(paced(100, 4), 9);
    world.restart_at(paced(100, 4));
    assert_eq!(world.orders.len(), 1, "one at once, then a hundred a second");
    for _ in 0..100 {
        world.pass(1);
    }
    assert_eq!(world.orders.len(), 4, "no more than four at the biller");
    let given: Vec<u8> = world.orders.iter().map(|(_, order)| number(order)).collect();
    assert_eq!(given, [0, 1, 2, 3]);
}

#[test]
fn what_failed_waits_by_itself_and_those_behind_it_go_on() {
    let mut world = owing(paced(BUSY, 1), 3);
    world.step(Event::BillerUp(code()));
    world.answer(0, Outcome::Unknown);
    assert_eq!(number(&world.orders[0].1), 1);
    world.answer(0, Outcome::Reversed);
    assert_eq!(number(&world.orders[0].1), 2);
    world.answer(0, Outcome::Reversed);
    assert!(world.orders.is_empty(), "the first waits for the end of its pause");
    world.pass_until_due();
    assert_eq!(number(&world.orders[0].1), 0);
}

#[test]
fn a_biller_that_comes_up_gets_what_is_owed_without_further_pauses() {
    let mut world = owing(paced(BUSY, 10), 2);
    world.step(Event::BillerUp(code()));
    for _ in 0..8 {
        while !world.orders.is_empty() {
            world.answer(0, Outcome::Unknown);
        }
        world.pass_until_due();
    }
    while !world.orders.is_empty() {
        world.answer(0, Outcome::Unknown);
    }
    world.step(Event::BillerDown(code()));
    world.pass(100_000);
    assert!(world.orders.is_empty());
    world.step(Event::BillerUp(code()));
    let given: Vec<u8> = world.orders.iter().map(|(_, order)| number(order)).collect();
    assert_eq!(given, [0, 1]);
}

#[test]
fn the_same_payment_pauses_as_long_each_time_and_two_payments_do_not() {
    let pauses = |number: u8| {
        let mut world = World::at(paced(BUSY, 10));
        world.pay(number, 0);
        world.pass(1000);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            world.answer(0, Outcome::Unknown);
            pauses.push(Ticks(world.now_ms).until_ms(world.switch.next_deadline().unwrap()));
            world.pass_until_due();
        }
        pauses
    };
    assert_eq!(pauses(1), pauses(1));
    assert_ne!(pauses(1), pauses(2));
}

#[test]
fn what_is_too_old_goes_to_people_also_while_the_biller_is_down_and_not_before() {
    let mut world = owing(paced(BUSY, 10), 2);
    world.pass(599_999);
    assert_eq!((world.owing().count, world.owing().oldest_ms), (2, 599_999));
    world.pass(1);
    assert_eq!(world.owing(), Owing { down: true, ..Owing::default() });
    for number in 0..2 {
        assert_eq!(world.stored[&World::key(number)].state, State::Exception);
    }
    assert!(world.due.is_empty() && world.switch.open_count() == 0);
}

#[test]
fn a_jump_of_the_wall_clock_while_the_process_runs_ages_nothing() {
    let mut world = owing(paced(BUSY, 10), 2);
    world.ahead_ms = 1_000_000_000_000;
    world.pass(1);
    world.pass(599_000);
    assert_eq!(world.owing().count, 2);
    world.step(Event::BillerUp(code()));
    assert_eq!(world.orders.len(), 2);
}

#[test]
fn age_survives_a_restart_and_time_without_the_process_counts_to_nine_tenths_at_most() {
    let terms = || paced(BUSY, 10);
    // Owed for 400 s, written down with the order that was given then; the process is down for 100 s.
    let mut world = owing(terms(), 1);
    world.pass(400_000);
    world.step(Event::BillerUp(code()));
    world.orders.clear();
    world.ahead_ms += 100_000;
    world.restart_at(terms());
    assert_eq!(world.owing().oldest_ms, 500_000);
    // The wall clock is a year ahead at the next start: there is still time to try.
    world.ahead_ms += 31_536_000_000;
    world.orders.clear();
    world.restart_at(terms());
    assert_eq!((world.owing().oldest_ms, world.orders.len()), (540_000, 1));
    // And behind, at the one after it: what was counted stays counted.
    world.ahead_ms = 0;
    world.orders.clear();
    world.restart_at(terms());
    assert_eq!(world.owing().oldest_ms, 540_000);
    world.orders.clear();
    world.pass(1000);
    world.pass(60_000);
    assert_eq!(world.stored[&World::key(0)].state, State::Exception);
}

#[test]
fn too_much_open_at_a_biller_sheds_what_is_new_and_neither_repeats_nor_reversals() {
    let mut world = World::at(BillerTerms { in_doubt_max: 2, ..terms(PLAIN) });
    world.pay(1, 0);
    world.pay(2, 0);
    let shed = world.asks + 1;
    world.pay(3, 0);
    assert_eq!(world.answers[&AskId(shed)][0].reason, Reason::Overloaded);
    assert!(!world.stored.contains_key(&World::key(3)), "it may be asked again");
    world.advise(4);
    assert!(world.stored.contains_key(&World::key(4)), "the money is taken already");
    world.reverse(1, true);
    world.pay(2, 0);
    world.answer(0, Outcome::Posted(posting()));
    world.answer(0, Outcome::Posted(posting()));
    assert_eq!(world.stored[&World::key(2)].state, State::Posted);
    world.answer(0, Outcome::Posted(posting()));
    world.answer(0, Outcome::Reversed);
    world.pay(5, 0);
    assert!(world.stored.contains_key(&World::key(5)), "there is room again");
}

#[test]
fn while_a_biller_comes_and_goes_it_is_not_the_same_payment_that_is_tried_each_time() {
    let mut world = owing(BillerTerms { attempts_max: 3, ..paced(1, 1) }, 4);
    let mut tried = Vec::new();
    for _ in 0..8 {
        world.step(Event::BillerUp(code()));
        tried.push(number(&world.orders[0].1));
        world.step(Event::BillerDown(code()));
        world.answer(0, Outcome::Unknown);
        world.pass(10_000);
    }
    assert_eq!(tried, [0, 1, 2, 3, 0, 1, 2, 3]);
    assert_eq!(world.owing().count, 4, "none of them is with people");
}
