//! What acquirers say of payments that are with people, and what they take back before anything was sent.

use super::*;

fn stored(world: &World) -> &Payment {
    &world.stored[&World::key(1)]
}

fn reply(world: &mut World, outcome: Outcome) {
    while world.orders.is_empty() {
        world.pass(1000);
    }
    let (leg, _) = world.orders.remove(0);
    world.step(Event::BillerReplied { leg, outcome });
}

/// What the latest request was told.
fn told(world: &World) -> Option<Reason> {
    let answers = world.answers.get(&AskId(world.asks))?;
    answers.last().map(|answer| answer.reason)
}

/// In doubt, at a biller that cannot undo: with people.
fn doubted() -> World {
    let mut world = World::new(Kind { reversible: false, ..PLAIN });
    world.pay(1, 0);
    reply(&mut world, Outcome::Silent);
    assert_eq!((stored(&world).state, &stored(&world).posting), (State::Exception, &None));
    world
}

#[test]
fn people_learn_that_the_acquirer_has_made_what_they_have_and_it_is_not_undone_nor_ended_behind_its_back() {
    let mut world = World::new(Kind { reversible: false, ..PLAIN });
    world.pay(1, 0);
    let (leg, _) = world.orders.remove(0);
    world.step(Event::BillerReplied { leg, outcome: Outcome::Silent });
    world.advise(1);
    assert_eq!(told(&world), Some(Reason::Approved));
    assert_eq!((stored(&world).state, stored(&world).counted), (State::Exception, CountedAs::Debit));
    let refused = Outcome::Declined(Reason::NoSuchBill);
    world.step(Event::BillerReplied { leg, outcome: refused });
    assert_eq!(stored(&world).state, State::Exception, "a late refusal ends it only where nobody has paid");
    world.resolve(1, Resolution::Again);
    assert_eq!(stored(&world).state, State::Confirming);
}

#[test]
fn an_advice_of_which_nothing_was_sent_is_cancelled_when_it_is_taken_back() {
    for (looks_up_first, refused_connections) in [(false, 0), (false, 2), (true, 0), (true, 1)] {
        for advice in [true, false] {
            let mut world = World::new(Kind { looks_up_first, reversible: false, ..PLAIN });
            world.advise(1);
            for _ in 0..refused_connections {
                reply(&mut world, Outcome::NotSent);
            }
            let in_flight = world.orders.pop();
            let sent = matches!(in_flight, Some((_, Order::Post { .. })));
            if sent {
                world.step(Event::BillerReplied { leg: in_flight.unwrap().0, outcome: Outcome::NotSent });
            }
            world.reverse(1, advice);
            assert_eq!(told(&world), Some(Reason::Approved));
            assert_eq!((stored(&world).state, stored(&world).counted), (State::Reversed, CountedAs::Undone));
            world.heal();
            assert!(world.posted.is_empty(), "it is posted all the same");
        }
    }
}

#[test]
fn an_advice_that_may_have_been_sent_is_not_called_cancelled() {
    let mut world = World::new(PLAIN);
    world.advise(1);
    reply(&mut world, Outcome::Unknown);
    world.reverse(1, true);
    assert_ne!(stored(&world).state, State::Reversed);
}

#[test]
fn a_payment_of_which_nobody_knows_whether_it_was_posted_is_not_said_to_stand() {
    let mut world = doubted();
    for _ in 0..2 {
        world.reverse(1, false);
        assert_eq!(told(&world), Some(Reason::InDoubt));
        assert_eq!(stored(&world).state, State::Exception);
    }
    world.resolve(1, Resolution::Undone);
    world.reverse(1, false);
    assert_eq!(told(&world), Some(Reason::Approved));
}

#[test]
fn a_reversal_that_waits_for_a_payment_in_doubt_is_not_told_that_it_stands() {
    let mut world = World::new(Kind { reversible: false, ..PLAIN });
    world.pay(1, 0);
    world.reverse(1, false);
    assert_eq!(told(&world), None, "it waits for the biller");
    reply(&mut world, Outcome::Silent);
    assert_eq!(told(&world), Some(Reason::InDoubt));
}

#[test]
fn who_was_refused_a_reversal_learns_that_it_was_undone_after_all() {
    let mut world = World::new(PLAIN);
    world.pay(1, 0);
    reply(&mut world, Outcome::Posted(posting()));
    world.reverse(1, false);
    reply(&mut world, Outcome::Declined(Reason::NotReversible));
    assert_eq!(told(&world), Some(Reason::NotReversible));
    world.resolve(1, Resolution::Undone);
    world.reverse(1, false);
    assert_eq!(told(&world), Some(Reason::Approved));
}

#[test]
fn that_a_bill_is_paid_says_nothing_where_an_order_went_before_the_first_to_confirm() {
    let mut world = World::new(PLAIN);
    world.pay(1, 0);
    world.advise(1);
    reply(&mut world, Outcome::Silent);
    world.reverse(1, true);
    reply(&mut world, Outcome::Declined(Reason::AlreadyPaid));
    assert_eq!(stored(&world).state, State::Exception, "it may be paid by this very payment");
}

#[test]
fn what_was_sent_before_people_had_it_sent_again_is_not_forgotten() {
    let mut world = World::new(PLAIN);
    world.advise(1);
    for _ in 0..4 {
        reply(&mut world, Outcome::Unknown);
    }
    assert_eq!(stored(&world).state, State::Exception);
    world.resolve(1, Resolution::Again);
    world.reverse(1, true);
    reply(&mut world, Outcome::Declined(Reason::AlreadyPaid));
    assert_eq!(stored(&world).state, State::Exception, "it may be paid by one of the orders before");
}

#[test]
fn an_advice_behind_its_own_reversal_is_not_posted_when_people_have_it_sent_again() {
    let mut world = World::new(PLAIN);
    world.reverse(1, true);
    world.advise(1);
    world.resolve(1, Resolution::Again);
    assert_eq!(stored(&world).state, State::Reversing);
    assert!(matches!(world.orders[..], [(_, Order::Reverse { .. })]), "{:?}", world.orders);
}
