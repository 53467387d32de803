//! Each rule by itself, and that parts always sum to the whole.

#![allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

use proptest::prelude::*;

use super::*;
use crate::clock::{Ticks, UnixMillis};
use crate::ids::BusinessDate;
use crate::money::MinorUnits;
use crate::switch::bill::tests::bill;
use crate::switch::{Bill, BillStatus};

fn amount(minor: u64) -> MinorUnits {
    MinorUnits::new(minor).unwrap()
}

fn on(date: &str) -> BusinessDate {
    date.parse().unwrap()
}

#[test]
fn a_number_is_a_departments_own_by_prefix_length_pattern_and_check_digit() {
    let luhn = PsidRule { check_digit: Some(CheckDigit::Luhn), ..PsidRule::default() };
    let mod97 = PsidRule { check_digit: Some(CheckDigit::Mod97), ..PsidRule::default() };
    let shaped = PsidRule {
        prefix: "11".into(),
        lengths: vec![4, 6],
        pattern: Some(Pattern::new("[0-9]{4}|11AB[0-9]{2}").unwrap()),
        check_digit: None,
    };
    let table = [
        (&luhn, "79927398713", true),
        (&luhn, "79927398710", false),
        (&luhn, "7992739871A", false),
        (&luhn, "", false),
        // 794 and its two check digits, from ISO/IEC 7064; and one digit off.
        (&mod97, "79444", true),
        (&mod97, "79454", false),
        (&shaped, "1101", true),
        (&shaped, "11AB07", true),
        (&shaped, "1201", false),
        (&shaped, "11012", false),
        (&shaped, "11AB0x", false),
        (&PsidRule::default(), "anything", true),
    ];
    for (rule, number, own) in table {
        assert_eq!(rule.takes(number), own, "{number}");
    }
}

#[test]
fn exactness_says_which_amounts_are_taken() {
    let table = [
        (None, [false, true, false]),
        (Some(Exactness::Exact), [false, true, false]),
        (Some(Exactness::ExactUp), [false, true, true]),
        (Some(Exactness::ExactDown), [true, true, false]),
        (Some(Exactness::Range), [true, true, true]),
        (Some(Exactness::Any), [true, true, true]),
    ];
    for (exactness, wanted) in table {
        let rules = Rules { exactness, ..Rules::default() };
        for (paid, taken) in [999, 1000, 1001].into_iter().zip(wanted) {
            let heads = rules.accept(&bill(), amount(paid), on("2026-11-20"), None);
            assert_eq!(heads.is_ok(), taken, "{exactness:?} {paid}");
            if let Ok(heads) = heads {
                assert_eq!(MinorUnits::sum(heads.iter().map(|head| head.amount)), Ok(amount(paid)));
            }
        }
        assert!(rules.accept(&bill(), MinorUnits::ZERO, on("2026-11-20"), None).is_err(), "{exactness:?}");
    }
}

#[test]
fn a_bill_that_takes_parts_is_paid_within_its_own_limits_and_as_exactly_as_the_department_wants() {
    let limits = Limits { min: Some(amount(200)), max: Some(amount(5000)) };
    let (exact, outside) = (Err(Reason::AmountNotAccepted), Err(Reason::OutsideLimits));
    let table = [
        (None, [outside, Ok(()), Ok(()), Ok(()), outside]),
        (Some(Exactness::Any), [outside, Ok(()), Ok(()), Ok(()), outside]),
        (Some(Exactness::Exact), [exact, exact, Ok(()), exact, exact]),
        (Some(Exactness::ExactDown), [outside, Ok(()), Ok(()), exact, exact]),
        (Some(Exactness::ExactUp), [exact, exact, Ok(()), Ok(()), outside]),
    ];
    for (exactness, wanted) in table {
        let rules = Rules { exactness, ..Rules::default() };
        for (paid, want) in [199, 200, 1000, 5000, 5001].into_iter().zip(wanted) {
            let in_parts = Bill { status: BillStatus::Partial(limits), ..bill() };
            let heads = rules.accept(&in_parts, amount(paid), on("2026-11-20"), None);
            assert_eq!(heads.as_ref().map(|_| ()).map_err(|reason| *reason), want, "{exactness:?} {paid}");
            let sum = heads.map(|heads| MinorUnits::sum(heads.iter().map(|head| head.amount)));
            assert!(sum.is_err() || sum == Ok(Ok(amount(paid))), "{exactness:?} {paid}");
        }
        let unlimited = Bill { status: BillStatus::Partial(Limits::default()), ..bill() };
        let one = rules.accept(&unlimited, amount(1), on("2026-11-20"), None);
        assert_eq!(one.is_ok(), matches!(exactness, None | Some(Exactness::Any | Exactness::ExactDown)));
    }
}

#[test]
fn what_is_late_costs_what_the_rule_says() {
    let late = on("2026-11-26");
    let table = [
        (Late::Bill, Ok(1100)),
        (Late::Within, Ok(1000)),
        (Late::Refused, Err(Reason::Expired)),
        (Late::More(amount(33)), Ok(1033)),
        (Late::Percent(Share(250)), Ok(1025)),
    ];
    for (rule, due) in table {
        let rules = Rules { late: rule, ..Rules::default() };
        let applied = rules.applied(bill(), Stage::Payment).unwrap();
        assert_eq!(applied.due_on(late).map(MinorUnits::minor), due, "{rule:?}");
        assert_eq!(applied.due_on(on("2026-11-25")).map(MinorUnits::minor), Ok(1000), "{rule:?}: in time");
        assert!(rules.need_the_bill() == (rule != Late::Bill));
    }
}

#[test]
fn a_hard_expiry_counts_where_the_department_says() {
    let after = on("2027-01-01");
    for (at_inquiry, at_payment) in [(true, true), (true, false), (false, true), (false, false)] {
        let rules = Rules { expiry: Expiry { at_inquiry, at_payment }, ..Rules::default() };
        for (stage, counts) in [(Stage::Inquiry, at_inquiry), (Stage::Payment, at_payment)] {
            let due = rules.applied(bill(), stage).unwrap().due_on(after);
            assert_eq!(due.is_err(), counts, "{stage:?} {:?}", rules.expiry);
        }
    }
}

/// 2026-11-20 was a Friday; the time is Karachi's, five hours ahead.
fn friday(hour: u64, minute: u64) -> UnixMillis {
    let midnight: jiff::Timestamp = "2026-11-19T19:00:00Z".parse().unwrap();
    UnixMillis(u64::try_from(midnight.as_millisecond()).unwrap() + (hour * 60 + minute) * 60_000)
}

#[test]
fn hours_are_those_of_the_departments_own_clock_and_may_go_over_midnight() {
    let zone = jiff::tz::TimeZone::get("Asia/Karachi").unwrap();
    let friday_only = [false, false, false, false, true, false, false];
    let window = |from: u16, until: u16| Window { days: friday_only, from_minute: from, until_minute: until };
    let hours = |window| Hours { zone: zone.clone(), windows: vec![window] };
    let day = hours(window(8 * 60, 20 * 60));
    let night = hours(window(22 * 60, 2 * 60));
    let whole = hours(window(0, 24 * 60));
    let table = [
        (&day, friday(7, 59), false),
        (&day, friday(8, 0), true),
        (&day, friday(19, 59), true),
        (&day, friday(20, 0), false),
        (&day, friday(24 + 9, 0), false),
        (&night, friday(1, 0), false),
        (&night, friday(22, 0), true),
        (&night, friday(24 + 1, 59), true),
        (&night, friday(24 + 2, 0), false),
        (&whole, friday(0, 0), true),
        (&whole, friday(23, 59), true),
        (&whole, friday(24, 0), false),
    ];
    for (hours, at, open) in table {
        assert_eq!(hours.hold(at), open, "{hours:?} at {at:?}");
    }
    let span = Span { from: Some(friday(8, 0)), until: Some(friday(9, 0)) };
    let held = [friday(7, 59), friday(8, 0), friday(9, 0)].map(|at| span.holds(at));
    assert_eq!(held, [false, true, false]);
    let rules = Rules { suspended: Some(Span { until: None, ..span }), ..Rules::default() };
    assert!(rules.is_open(friday(7, 0)) && !rules.is_open(friday(40, 0)));
}

#[test]
fn the_longest_prefix_wins_and_a_departments_own_code_is_obeyed() {
    let route = |code: Option<&str>, prefix: &str| Route {
        code: code.map(|code| code.parse().unwrap()),
        prefix: prefix.into(),
    };
    let rules = |routes: Vec<Route>| Rules { routes, ..Rules::default() };
    let one = rules(vec![route(Some("GOVT"), "11"), route(None, "9")]);
    let other = rules(vec![route(Some("GOVT"), ""), route(Some("GOVT"), "1105"), route(None, "95")]);
    let codes: [BillerCode; 2] = ["ONE".parse().unwrap(), "OTHER".parse().unwrap()];
    let routes = Routes::new(codes.into_iter().zip([&one, &other]));
    let table = [
        ("GOVT", "1101", Some("ONE")),
        ("GOVT", "1105", Some("OTHER")),
        ("GOVT", "950", Some("OTHER")),
        ("NOBODY", "950", Some("OTHER")),
        ("NOBODY", "970", Some("ONE")),
        ("", "970", Some("ONE")),
        ("NOBODY", "110", None),
        ("ONE", "950", None),
    ];
    for (code, number, to) in table {
        let bill = BillRef { biller: code.parse().unwrap(), consumer: number.into() };
        let found = routes.find(&bill, codes.contains(&bill.biller));
        assert_eq!(found, to.map(|to| to.parse().unwrap()), "{code} {number}");
    }
}

#[test]
fn an_inquiry_counts_for_its_link_and_bill_and_for_a_time() {
    let mut inquired = Inquired::default();
    let link = |name: &str| name.parse::<LinkName>().unwrap();
    let bill = |number: &str| BillRef { biller: "ONE".parse().unwrap(), consumer: number.into() };
    inquired.remember(Ticks(0), Ticks(100), link("a"), bill("1"));
    assert!(inquired.holds(Ticks(99), link("a"), &bill("1")));
    assert!(!inquired.holds(Ticks(100), link("a"), &bill("1")), "its time is over");
    assert!(!inquired.holds(Ticks(1), link("b"), &bill("1")), "another link");
    assert!(!inquired.holds(Ticks(1), link("a"), &bill("2")), "another bill");
    inquired.remember(Ticks(50), Ticks(150), link("a"), bill("1"));
    inquired.remember(Ticks(120), Ticks(220), link("a"), bill("2"));
    assert!(inquired.holds(Ticks(120), link("a"), &bill("1")), "asked again, it counts for longer");
    for number in 0..200_000_u64 {
        inquired.remember(Ticks(130), Ticks(230), link("c"), bill(&number.to_string()));
    }
    assert!(!inquired.holds(Ticks(130), link("c"), &bill("0")), "memory has a bound");
    assert!(inquired.holds(Ticks(130), link("c"), &bill("199999")));
}

proptest! {
    #[test]
    fn parts_sum_to_the_amount_to_the_minor_unit(
        minor in 1_u64..999_999_999_999,
        fixed in 0_u64..10_000,
        shares in prop::collection::vec(0_u16..2_500, 0..4),
        at in 0_usize..6,
    ) {
        let head = |place: usize| format!("B{place:05}").parse().unwrap();
        let parts = shares.iter().map(|share| Part::Percent(Share(*share)));
        let mut parts: Vec<Part> = [Part::Fixed(amount(fixed))].into_iter().chain(parts).collect();
        parts.insert(at.min(parts.len()), Part::Remainder);
        let rules: Vec<HeadRule> =
            parts.into_iter().enumerate().map(|(place, part)| HeadRule { head: head(place), part }).collect();
        match heads::split(&rules, amount(minor)) {
            Ok(heads) => {
                prop_assert_eq!(MinorUnits::sum(heads.iter().map(|head| head.amount)), Ok(amount(minor)));
            }
            // Only an amount that does not reach is refused.
            Err(reason) => {
                prop_assert_eq!(reason, Reason::AmountNotAccepted);
                let cut = shares.iter().map(|share| minor * u64::from(*share) / 10_000).sum::<u64>();
                prop_assert!(fixed + cut > minor);
            }
        }
    }

    #[test]
    fn less_than_a_bill_asks_for_fills_its_heads_in_their_order(minor in 1_u64..1000) {
        let heads = heads::in_order(&bill().heads, amount(minor));
        prop_assert_eq!(MinorUnits::sum(heads.iter().map(|head| head.amount)), Ok(amount(minor)));
        prop_assert_eq!(heads[0].amount.minor(), minor.min(300));
    }
}
