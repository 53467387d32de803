//! How many heads of account a host may tell.

use super::*;
use crate::bounds::HEADS_MAX;

#[test]
fn an_answer_with_more_heads_than_can_be_written_down_is_not_understood() {
    let ear = Ear::new("onelink", "KPGAS");
    for count in [HEADS_MAX, HEADS_MAX + 1] {
        let head = |number| HeadAmount {
            head: Short::new(format!("H{number}").as_bytes()).unwrap(),
            amount: MinorUnits::new(1).unwrap(),
        };
        let heads: Vec<_> = (0..count).map(head).collect();
        let due = MinorUnits::sum(heads.iter().map(|head| head.amount)).unwrap();
        let bill = Bill { heads, amount_within_due: due, amount_after_due: due, ..bill() };
        let wanted = BillRef { biller: "KPGAS".parse().unwrap(), consumer: "7001".into() };
        let frame = ear.say(Say::Order(&Order::LookUp(wanted)));
        let found = Answer { about: About::Bill(Box::new(bill)), ..Answer::plain(Reason::Approved) };
        let outcome = ear.answered(&frame, &found, &Asked::LookUp);
        assert_eq!(matches!(outcome, Outcome::Found(_)), count <= HEADS_MAX, "{count}: {outcome:?}");
        assert_eq!(matches!(outcome, Outcome::Unknown), count > HEADS_MAX, "{count}: {outcome:?}");
    }
}
