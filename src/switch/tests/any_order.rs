//! Whatever happens, in whatever order.

use super::*;

#[derive(Clone, Debug)]
enum Happening {
    Pay(u8, u8),
    Advise(u8),
    Reverse(u8, bool),
    Biller(u8, u8),
    Pass(u64),
    Restart,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (0..4_u8, 0..8_u8).prop_map(|(number, content)| Happening::Pay(number, content / 7)),
        1 => (0..4_u8).prop_map(Happening::Advise),
        2 => (0..4_u8, any::<bool>()).prop_map(|(number, advice)| Happening::Reverse(number, advice)),
        6 => (any::<u8>(), any::<u8>()).prop_map(|(which, how)| Happening::Biller(which, how)),
        2 => (0..3000_u64).prop_map(Happening::Pass),
        1 => Just(Happening::Restart),
    ]
}

fn live(kind: Kind, happenings: &[Happening]) -> World {
    let mut world = World::new(kind);
    for happening in happenings {
        match happening {
            Happening::Pay(number, content) => world.pay(*number, *content),
            Happening::Advise(number) => world.advise(*number),
            Happening::Reverse(number, advice) => world.reverse(*number, *advice),
            Happening::Biller(which, how) => world.biller(*which, *how),
            Happening::Pass(ms) => world.pass(*ms),
            Happening::Restart => {
                world.restart(kind);
                world.payments.clear();
                world.answers.clear();
            }
        }
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_events_posts_once_answers_each_once_and_ends_with_both_sides_agreeing(
        kind in kind(),
        happenings in prop::collection::vec(happening(), 1..60),
    ) {
        let mut world = live(kind, &happenings);
        for (key, postings) in &world.postings {
            prop_assert!(*postings <= 1, "{key} was posted {postings} times");
        }
        world.heal();
        prop_assert_eq!(world.switch.open_count(), 0);
        prop_assert_eq!(world.switch.next_deadline(), None, "nothing is left behind");
        prop_assert!(world.due.is_empty(), "nothing is due in the store");
        for (ask, answers) in &world.answers {
            prop_assert_eq!(answers.len(), 1, "request {:?} was answered more than once", ask);
        }
        for (ask, _) in &world.payments {
            prop_assert!(world.answers.contains_key(ask), "request {:?} was never answered", ask);
        }
        for payment in world.stored.values() {
            let stands = world.posted.contains(&payment.key);
            match payment.state {
                State::Posted => prop_assert!(stands, "{} is called posted and is not", payment.key),
                State::Declined | State::Reversed | State::ReversedFirst => {
                    prop_assert!(!stands, "{} stands at the biller as {:?}", payment.key, payment.state);
                }
                State::Exception => {}
                State::Received | State::Sent | State::Confirming | State::Reversing => {
                    prop_assert!(false, "{} is left {:?}", payment.key, payment.state);
                }
            }
            let counted = world.counted.get(&payment.key).copied().unwrap_or_default();
            let right = match payment.state {
                State::Posted => counted == [1, 0],
                State::Declined | State::ReversedFirst => counted == [0, 0],
                State::Reversed => counted[0] == counted[1] && counted[0] <= 1,
                State::Received | State::Sent | State::Confirming | State::Reversing | State::Exception => counted[0] <= 1 && counted[1] <= counted[0],
            };
            prop_assert!(right, "{} is {:?} and was counted {:?} times", payment.key, payment.state, counted);
            let taken_back = world.taken_back.contains(&payment.key) && payment.state != State::Exception;
            prop_assert!(!(taken_back && stands), "{} stands although it was taken back", payment.key);
            let approved = payment.answer.as_ref().is_some_and(|answer| answer.reason == Reason::Approved);
            let kept = payment.reversal.is_none() && payment.state == State::Posted;
            // An advice is approved for being stored: what becomes of it the acquirer is not told.
            let told = if payment.advice { kept } else { approved && payment.reversal.is_none() };
            prop_assert_eq!(told, kept, "{} {:?}", payment.key, payment.state);
        }
    }
}
