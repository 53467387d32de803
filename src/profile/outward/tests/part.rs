//! The reversal of a part of a payment, in the words of the profiles that have one.

use super::*;
use crate::money::MinorUnits;
use crate::switch::{Partial, PartialState, Replacement};

#[test]
fn the_reversal_of_a_part_says_what_is_left_and_its_repeat_differs_in_its_type_alone() {
    for name in ["onelink", "iso87"] {
        let ear = Ear::new(name, "KPGAS");
        assert!(ear.profile.gives_parts_back(), "{name}");
        let mut payment = payment("KPGAS");
        let (from, left) = (payment.amount, MinorUnits::new(payment.amount.minor() / 3).unwrap());
        let state = PartialState::Wanted;
        payment.part = Some(Partial { from, left, heads: Vec::new(), counted: false, state });
        let order = Order::Reverse { payment: Box::new(payment.clone()), again: false };
        let first = ear.say(Say::Order(&order));
        let Request::Reversal(part) = ear.hears(&first) else { panic!("{name}: a reversal") };
        assert_eq!((part.amount, part.replacement), (from, Replacement::Amount(left)), "{name}");
        let asked = Asked::of(&order);
        assert!(matches!(ear.answered(&first, &Answer::plain(Reason::Approved), &asked), Outcome::Reversed));
        payment.reversal = Some(Reversal { attempts: 2, ..Reversal::default() });
        let second = ear.say(Say::Order(&Order::Reverse { payment: Box::new(payment), again: true }));
        assert_eq!(second[4..], first[4..], "{name}");
        assert_ne!(second[..4], first[..4], "{name}");
    }
}

#[test]
fn a_profile_without_a_reversal_of_parts_says_none() {
    for name in ["ebipp", "pln"] {
        assert!(!profile(name).gives_parts_back(), "{name}");
    }
}
