//! The wall clock may be set: nothing waits for it, and nothing is decided by it.

use super::*;

const YEAR_MS: u64 = 31_536_000_000;

#[test]
fn a_jump_of_the_wall_clock_moves_no_deadline_and_no_date() {
    for jump_ms in [0, YEAR_MS] {
        let mut world = World::new(PLAIN);
        world.ahead_ms = YEAR_MS;
        world.pay(1, 0);
        world.reverse(2, true);
        let due = world.switch.next_deadline();
        // Ahead by two years, or back to the beginning.
        world.ahead_ms = jump_ms * 2;
        world.pass(999);
        assert_eq!(world.switch.next_deadline(), due, "the biller still has its millisecond");
        assert_eq!(world.stored[&World::key(1)].state, State::Sent);
        world.pass(1);
        assert_eq!(world.stored[&World::key(1)].state, State::Reversing, "silent for a second");
        assert_eq!(world.switch.date(), "2026-11-20".parse().unwrap());
        assert_eq!(world.stored[&World::key(1)].date, world.switch.date());
    }
}

#[test]
fn a_cutover_that_names_no_day_is_the_one_that_has_been_whatever_the_wall_clock_says() {
    let mut world = World::new(PLAIN);
    world.ask(Request::CutOver { to: None });
    world.ahead_ms = YEAR_MS;
    world.ask(Request::CutOver { to: None });
    assert_eq!(world.switch.date(), "2026-11-21".parse().unwrap(), "said twice, moved once");
    world.pass(43_200_000);
    world.ask(Request::CutOver { to: None });
    assert_eq!(world.switch.date(), "2026-11-22".parse().unwrap(), "that is the next one");
}

#[test]
fn a_cutover_is_remembered_over_a_restart_for_half_a_day() {
    let asked = |before_ms: u64| {
        let mut world = World::new(PLAIN);
        let switch =
            std::mem::replace(&mut world.switch, Switch::new([], [], [], "2026-11-20".parse().unwrap()));
        world.switch = switch.cut_over_before(before_ms);
        world.ask(Request::CutOver { to: None });
        world.switch.date().to_string()
    };
    assert_eq!(asked(0), "2026-11-20");
    assert_eq!(asked(43_199_999), "2026-11-20");
    assert_eq!(asked(43_200_000), "2026-11-21");
}
