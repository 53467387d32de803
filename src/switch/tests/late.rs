//! What comes behind an outcome: late answers, and what the acquirer says meanwhile.

use super::*;
use crate::switch::{CONTRADICTION_MS, LATE_REPLY_MS};

/// A payment in doubt under *reverse*: its order is answered by nothing so far.
fn silent(world: &mut World) -> LegId {
    world.pay(1, 0);
    let (leg, _) = world.orders.remove(0);
    world.step(Event::BillerReplied { leg, outcome: Outcome::Silent });
    leg
}

/// The next order to undo, answered.
fn undo(world: &mut World, outcome: Outcome) {
    while world.orders.is_empty() {
        world.pass(125);
    }
    let (leg, order) = world.orders.remove(0);
    assert!(matches!(order, Order::Reverse { .. }), "{order:?}");
    world.step(Event::BillerReplied { leg, outcome });
}

fn state(world: &World) -> State {
    world.stored[&World::key(1)].state
}

#[test]
fn an_approval_that_comes_by_another_connection_behind_its_confirmed_reversal_is_reversed_once_more() {
    let mut world = World::new(PLAIN);
    let leg = silent(&mut world);
    world.pass(1000);
    undo(&mut world, Outcome::Declined(Reason::OriginalUnknown));
    undo(&mut world, Outcome::Declined(Reason::OriginalUnknown));
    assert_eq!(state(&world), State::Reversed);
    world.step(Event::BillerReplied { leg, outcome: Outcome::Posted(posting()) });
    assert_eq!(state(&world), State::Reversing);
    undo(&mut world, Outcome::Reversed);
    assert_eq!(state(&world), State::Reversed);
}

#[test]
fn a_payment_in_doubt_that_the_acquirer_then_says_is_made_is_not_undone_behind_its_back() {
    let mut world = World::new(PLAIN);
    silent(&mut world);
    world.advise(1);
    undo(&mut world, Outcome::Reversed);
    let payment = &world.stored[&World::key(1)];
    assert_eq!((payment.state, payment.stands()), (State::Exception, false));
    assert_eq!(payment.counted, CountedAs::Debit, "it was taken");
}

#[test]
fn a_payment_that_the_acquirer_says_is_made_before_the_biller_refuses_it_is_peoples_business() {
    for kind in [PLAIN, Kind { in_doubt: InDoubt::Confirm, ..PLAIN }, Kind { looks_up_first: true, ..PLAIN }]
    {
        let mut world = World::new(kind);
        world.pay(1, 0);
        world.advise(1);
        world.pass(125);
        // Of the one whose bill is looked up, the order that the advice has led to.
        let (leg, _) = world.orders.pop().unwrap();
        world.step(Event::BillerReplied { leg, outcome: Outcome::Declined(Reason::NoSuchBill) });
        assert_eq!(state(&world), State::Exception);
    }
}

#[test]
fn a_payment_that_the_acquirer_says_is_made_and_then_wants_back_is_undone_for_it() {
    let mut world = World::new(PLAIN);
    silent(&mut world);
    world.advise(1);
    world.reverse(1, true);
    undo(&mut world, Outcome::Reversed);
    assert_eq!(state(&world), State::Reversed);
}

#[test]
fn a_payment_that_the_acquirer_says_is_made_while_it_is_sent_is_completed_and_not_undone_when_nobody_answers()
{
    let mut world = World::new(PLAIN);
    world.pay(1, 0);
    world.advise(1);
    let (leg, _) = world.orders.remove(0);
    world.step(Event::BillerReplied { leg, outcome: Outcome::Unknown });
    world.pass(125);
    assert!(matches!(world.orders[..], [(_, Order::Post { again: true, .. })]), "{:?}", world.orders);
}

/// Refused to be undone after it was told twice: with people.
fn refused_to_be_undone(world: &mut World) -> LegId {
    world.pay(1, 0);
    let (first, _) = world.orders.remove(0);
    world.step(Event::BillerReplied { leg: first, outcome: Outcome::Silent });
    world.pass(125);
    let (again, _) = world.orders.remove(0);
    world.step(Event::BillerReplied { leg: again, outcome: Outcome::Posted(posting()) });
    world.reverse(1, true);
    undo(world, Outcome::Declined(Reason::NotReversible));
    assert_eq!(state(world), State::Exception);
    first
}

#[test]
fn a_late_refusal_of_one_order_ends_no_doubt_where_another_has_posted() {
    let mut world = World::new(Kind { in_doubt: InDoubt::Confirm, ..PLAIN });
    let first = refused_to_be_undone(&mut world);
    world.step(Event::BillerReplied { leg: first, outcome: Outcome::Declined(Reason::BillerUnavailable) });
    assert_eq!(state(&world), State::Exception);
}

#[test]
fn what_people_say_is_undone_is_counted_nowhere() {
    let mut world = World::new(PLAIN);
    world.pay(1, 0);
    let (leg, _) = world.orders.remove(0);
    world.step(Event::BillerReplied { leg, outcome: Outcome::Posted(posting()) });
    world.reverse(1, false);
    undo(&mut world, Outcome::Declined(Reason::NotReversible));
    world.resolve(1, Resolution::Undone);
    let payment = &world.stored[&World::key(1)];
    assert_eq!((payment.state, payment.counted), (State::Reversed, CountedAs::Debit));
}

#[test]
fn a_second_receipt_of_a_late_approval_is_an_alarm_and_not_what_the_citizen_holds() {
    let mut world = World::new(Kind { in_doubt: InDoubt::Confirm, ..PLAIN });
    world.pay(1, 0);
    let (first, _) = world.orders.remove(0);
    world.step(Event::BillerReplied { leg: first, outcome: Outcome::Silent });
    world.pass(125);
    let (again, _) = world.orders.remove(0);
    world.step(Event::BillerReplied { leg: again, outcome: Outcome::Posted(posting()) });
    let other = Posting { receipt: "OTHER".parse().unwrap(), ..posting() };
    world.step(Event::BillerReplied { leg: first, outcome: Outcome::Posted(other) });
    let payment = &world.stored[&World::key(1)];
    assert_eq!(payment.posting.as_ref().map(|known| known.receipt), Some(posting().receipt));
    assert_eq!(state(&world), State::Posted);
}

#[test]
fn an_advice_behind_its_own_reversal_is_an_exception_of_its_department() {
    let mut world = World::new(PLAIN);
    world.reverse(1, true);
    world.advise(1);
    let payment = &world.stored[&World::key(1)];
    assert_eq!((payment.state, payment.biller), (State::Exception, terms(PLAIN).code));
    assert!(!payment.consumer.is_empty());
}

#[test]
fn an_approval_that_comes_behind_a_decline_is_undone_where_it_can_be_and_else_peoples_business() {
    for (reversible, ends) in [(true, State::Reversing), (false, State::Exception)] {
        let mut world = World::new(Kind { reversible, ..PLAIN });
        world.pay(1, 0);
        let (leg, _) = world.orders.remove(0);
        world.step(Event::BillerReplied { leg, outcome: Outcome::Declined(Reason::BillerUnavailable) });
        assert_eq!(state(&world), State::Declined);
        world.step(Event::BillerReplied { leg, outcome: Outcome::Posted(posting()) });
        assert_eq!(state(&world), ends);
    }
}

/// Two orders to post of one payment that are answered by nothing, and a third by a refusal: put away.
fn refused_behind_two_silences(world: &mut World) -> [LegId; 2] {
    let first = silent(world);
    let (second, order) = world.orders.remove(0);
    assert!(matches!(order, Order::Post { again: true, .. }), "{order:?}");
    while world.orders.is_empty() {
        world.pass(1000);
    }
    let (third, _) = world.orders.remove(0);
    world.step(Event::BillerReplied { leg: third, outcome: Outcome::Declined(Reason::NoSuchBill) });
    assert_eq!(state(world), State::Declined);
    [first, second]
}

#[test]
fn where_one_late_order_is_forgotten_the_approval_of_another_is_still_heard() {
    let mut world = World::new(Kind { in_doubt: InDoubt::Confirm, ..PLAIN });
    let [first, second] = refused_behind_two_silences(&mut world);
    // An hour behind the first silence, not yet behind the second.
    world.pass(LATE_REPLY_MS + 500 - world.now_ms);
    world.step(Event::BillerReplied { leg: first, outcome: Outcome::Posted(posting()) });
    assert_eq!(state(&world), State::Declined, "nobody listens for it");
    world.step(Event::BillerReplied { leg: second, outcome: Outcome::Posted(posting()) });
    assert_eq!(state(&world), State::Reversing);
}

#[test]
fn an_adapter_that_says_behind_the_deadline_that_it_has_heard_nothing_ends_no_listening() {
    let mut world = World::new(Kind { in_doubt: InDoubt::Confirm, ..PLAIN });
    let [first, _] = refused_behind_two_silences(&mut world);
    world.step(Event::BillerReplied { leg: first, outcome: Outcome::Silent });
    world.step(Event::BillerReplied { leg: first, outcome: Outcome::Posted(posting()) });
    assert_eq!(state(&world), State::Reversing);
}

#[test]
fn a_payment_is_kept_for_as_long_as_one_of_its_orders_is_listened_for_and_no_longer() {
    for answered in [0, 1, 2] {
        let mut world = World::new(Kind { in_doubt: InDoubt::Confirm, ..PLAIN });
        let legs = refused_behind_two_silences(&mut world);
        assert_eq!(world.switch.given_up.len(), 1);
        for leg in legs.into_iter().take(answered) {
            world.step(Event::BillerReplied { leg, outcome: Outcome::Unknown });
        }
        // An approval behind the refusal of the third is listened for as well, for a minute.
        world.pass(CONTRADICTION_MS);
        assert_eq!(world.switch.given_up.is_empty(), answered == 2, "{answered} answered");
        world.pass(LATE_REPLY_MS);
        assert!(world.switch.given_up.is_empty(), "{answered} answered");
    }
}

#[test]
fn an_approval_behind_the_decline_of_a_repeat_or_behind_a_late_one_is_undone() {
    for late in [false, true] {
        let mut world = World::new(Kind { in_doubt: InDoubt::Confirm, ..PLAIN });
        let first = silent(&mut world);
        let (second, _) = world.orders.remove(0);
        let declined = || Outcome::Declined(Reason::NoSuchBill);
        world.step(Event::BillerReplied { leg: second, outcome: declined() });
        if late {
            world.step(Event::BillerReplied { leg: first, outcome: declined() });
        }
        assert_eq!(state(&world), State::Declined);
        let leg = if late { first } else { second };
        world.step(Event::BillerReplied { leg, outcome: Outcome::Posted(posting()) });
        assert_eq!(state(&world), State::Reversing, "late: {late}");
    }
}

#[test]
fn a_biller_that_knows_of_no_payment_is_believed_once_the_order_to_post_can_be_under_way_no_more() {
    for killed in [false, true] {
        let mut world = World::new(PLAIN);
        silent(&mut world);
        if killed {
            world.restart(PLAIN);
        }
        undo(&mut world, Outcome::Declined(Reason::OriginalUnknown));
        assert_eq!(state(&world), State::Reversing, "the order to post may come behind this one");
        world.pass(999);
        assert!(world.orders.is_empty(), "there is nothing new to be heard before");
        world.pass(1);
        undo(&mut world, Outcome::Declined(Reason::OriginalUnknown));
        assert_eq!(state(&world), State::Reversed);
    }
}
