//! One order of events at a time.

use super::*;

#[test]
fn a_pause_between_reversals_doubles_more_or_less() {
    let mut world = World::new(PLAIN);
    world.pay(1, 0);
    world.pass(1000);
    let mut pauses = Vec::new();
    while let Some(at) = world.switch.next_deadline() {
        let reversals = world.orders.len();
        let pause = Ticks(world.now_ms).until_ms(at);
        world.pass(pause);
        if world.orders.len() > reversals {
            pauses.push(pause);
        }
    }
    let around = |pause: u64| pause - pause / 4..=pause + pause / 4;
    for (pause, want) in pauses.iter().zip([100, 200, 400]) {
        assert!(around(want).contains(pause), "{pauses:?}");
    }
    assert_eq!(pauses.len(), 3);
    assert_eq!(world.stored[&World::key(1)].state, State::Exception);
}

/// An advice whose first order stays unanswered until after the second one's answer; gives the first order's number.
fn advised_twice(world: &mut World, answer: Outcome) -> LegId {
    world.advise(1);
    let first = world.orders.remove(0).0;
    while world.orders.is_empty() {
        world.pass(125);
    }
    let second = world.orders.remove(0).0;
    world.step(Event::BillerReplied { leg: second, outcome: answer });
    first
}

#[test]
fn a_refusal_that_comes_late_leaves_an_advice_with_people() {
    let mut world = World::new(PLAIN);
    let first = advised_twice(&mut world, Outcome::Declined(Reason::NoSuchBill));
    assert_eq!(world.stored[&World::key(1)].state, State::Exception);
    world.step(Event::BillerReplied { leg: first, outcome: Outcome::Declined(Reason::NoSuchBill) });
    assert_eq!(world.stored[&World::key(1)].state, State::Exception);
}

#[test]
fn a_late_reply_finds_a_payment_as_it_has_become_and_not_as_it_was_put_away() {
    let mut world = World::new(PLAIN);
    let first = advised_twice(&mut world, Outcome::Posted(posting()));
    world.reverse(1, true);
    let reversal = world.orders.remove(0).0;
    world.step(Event::BillerReplied { leg: reversal, outcome: Outcome::Reversed });
    assert_eq!(world.stored[&World::key(1)].state, State::Reversed);
    world.step(Event::BillerReplied { leg: first, outcome: Outcome::Declined(Reason::ReversedFirst) });
    assert_eq!(world.stored[&World::key(1)].state, State::Reversed);
}

/// A payment that was posted, and that the acquirer has had undone.
fn undone(world: &mut World) {
    let post = world.orders.remove(0).0;
    world.step(Event::BillerReplied { leg: post, outcome: Outcome::Posted(posting()) });
    world.reverse(1, true);
    let reversal = world.orders.remove(0).0;
    world.step(Event::BillerReplied { leg: reversal, outcome: Outcome::Reversed });
    assert_eq!(world.stored[&World::key(1)].state, State::Reversed);
}

#[test]
fn an_advice_repeated_behind_its_reversal_changes_nothing() {
    let mut world = World::new(PLAIN);
    world.advise(1);
    undone(&mut world);
    world.advise(1);
    assert_eq!(world.stored[&World::key(1)].state, State::Reversed);
}

#[test]
fn an_advice_of_a_payment_that_was_undone_goes_to_people_and_does_not_stand() {
    let mut world = World::new(PLAIN);
    world.pay(1, 0);
    undone(&mut world);
    world.advise(1);
    let payment = &world.stored[&World::key(1)];
    assert_eq!((payment.state, payment.stands()), (State::Exception, false));
}

#[test]
fn the_heads_of_an_advice_are_stored_before_its_order_leaves_so_that_it_stays_the_same_order() {
    let mut world = World::new(Kind { looks_up_first: true, ..PLAIN });
    world.advise(1);
    let look_up = world.orders.remove(0).0;
    world.step(Event::BillerReplied { leg: look_up, outcome: Outcome::Found(Box::new(bill())) });
    let (_, Order::Post { payment, .. }) = world.orders.remove(0) else { panic!("no order to post") };
    assert!(!payment.heads.is_empty());
    assert_eq!(world.stored[&World::key(1)].heads, payment.heads);
}

#[test]
fn a_bill_without_heads_is_looked_up_once_and_its_reference_goes_with_every_order_to_post() {
    let mut world = World::new(Kind { looks_up_first: true, in_doubt: InDoubt::Confirm, ..PLAIN });
    let reference = Reference::new(b"as the department said it").unwrap();
    world.pay(1, 0);
    let look_up = world.orders.remove(0).0;
    let found = Bill { heads: Vec::new(), reference: reference.clone(), ..bill() };
    world.step(Event::BillerReplied { leg: look_up, outcome: Outcome::Found(Box::new(found)) });
    for again in [false, true] {
        let (leg, Order::Post { payment, again: told }) = world.orders.remove(0) else { panic!("to post") };
        assert_eq!((told, payment.reference.as_ref()), (again, Some(&reference)));
        world.step(Event::BillerReplied { leg, outcome: Outcome::Unknown });
        world.pass(125);
    }
    assert_eq!(world.stored[&World::key(1)].reference, Some(reference), "also after a restart");
}

#[test]
fn every_order_about_a_payment_has_its_number_and_time_and_no_other_payment_has_that_number() {
    let mut world = World::new(PLAIN);
    let told = |world: &mut World| {
        let (Order::Post { payment, .. } | Order::Reverse { payment, .. }) = world.orders.remove(0).1 else {
            panic!("a payment")
        };
        (payment.trace, payment.taken_in)
    };
    world.pay(1, 0);
    world.advise(2);
    let (first, second) = (told(&mut world), told(&mut world));
    assert_ne!(first.0, second.0);
    world.pass(1000);
    assert_eq!(told(&mut world), first, "reversed as it was posted");
    world.pass(125);
    assert_eq!(told(&mut world), second, "repeated as it was");
}

/// A payment under *confirm* whose first order was not answered, that the acquirer wants back, and whose second order is
/// refused for `reason`.
fn refused_at_the_repeat(reason: Reason) -> State {
    let mut world = World::new(Kind { in_doubt: InDoubt::Confirm, ..PLAIN });
    world.pay(1, 0);
    let (first, _) = world.orders.remove(0);
    world.step(Event::BillerReplied { leg: first, outcome: Outcome::Unknown });
    world.reverse(1, true);
    world.pass(125);
    let (again, _) = world.orders.remove(0);
    world.step(Event::BillerReplied { leg: again, outcome: Outcome::Declined(reason) });
    world.stored[&World::key(1)].state
}

#[test]
fn a_repeat_answered_already_paid_may_be_our_posting_and_is_not_undone_for_an_acquirer_that_wants_it_back() {
    assert_eq!(refused_at_the_repeat(Reason::AlreadyPaid), State::Exception);
    assert_eq!(refused_at_the_repeat(Reason::NoSuchBill), State::Reversed);
}

#[test]
fn a_repeat_refused_for_what_its_bill_has_become_says_nothing_of_the_time_before() {
    for reason in [Reason::Expired, Reason::Blocked] {
        assert_eq!(refused_at_the_repeat(reason), State::Exception, "{reason}");
    }
}

#[test]
fn a_payment_that_the_biller_has_already_when_it_is_told_for_the_first_time_is_in_doubt_and_peoples_business()
{
    for in_doubt in [InDoubt::Reverse, InDoubt::Confirm] {
        let mut world = World::new(Kind { in_doubt, ..PLAIN });
        world.pay(1, 0);
        let (leg, _) = world.orders.remove(0);
        world.step(Event::BillerReplied { leg, outcome: Outcome::Duplicate });
        let payment = &world.stored[&World::key(1)];
        let told = payment.answer.as_ref().map(|answer| answer.reason);
        assert_eq!((payment.state, told), (State::Exception, Some(Reason::InDoubt)));
        world.pass(3_600_000);
        assert!(world.orders.is_empty(), "neither undone nor told again: it might be another's");
    }
}

#[test]
fn what_was_sent_without_looking_up_its_bill_is_repeated_as_it_was_also_under_terms_that_look_it_up() {
    let kind = Kind { in_doubt: InDoubt::Confirm, ..PLAIN };
    let mut world = World::new(kind);
    world.pay(1, 0);
    let (leg, Order::Post { payment: sent, .. }) = world.orders.remove(0) else { panic!("to post") };
    let reloaded = terms(Kind { looks_up_first: true, ..kind });
    world.step(Event::Operator(Operation::Configure { links: Vec::new(), billers: vec![reloaded] }));
    world.step(Event::BillerReplied { leg, outcome: Outcome::Unknown });
    world.pass(125);
    let (_, Order::Post { payment: again, .. }) = world.orders.remove(0) else { panic!("to post again") };
    assert_eq!((&again.heads, &again.reference, again.trace), (&sent.heads, &sent.reference, sent.trace));
}
