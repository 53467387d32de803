//! kill -9 in the middle of commits and of openings: what was acknowledged is there, and nothing by halves.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::turns::{Dice, LEGS_A_TURN, open_store, turn, whole_turns};
use billswitch::journal::Valve;

const STORE: &str = "BILLSWITCH_TEST_JOURNAL_STORE";

/// Not a test of its own: started by the others as a process, it commits turns until it is killed.
#[test]
fn child_that_commits_until_killed() {
    let Ok(dir) = std::env::var(STORE) else { return };
    say("opening");
    let (store, writer) = open_store(Path::new(&dir));
    say("open");
    let first = store.next_sequence() / LEGS_A_TURN + 1;
    let release = |number| say(&format!("acknowledged {number}"));
    let valve = Valve::start(writer, 64, release, |error| say(&format!("failed {error}"))).unwrap();
    // An end, in case nobody kills it.
    for number in first..first + 100_000 {
        if valve.submit_blocking(turn(number), number).is_err() {
            return;
        }
    }
}

/// One line on the standard output, at once, past the test harness.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

fn spawn(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["crash::child_that_commits_until_killed", "--exact", "--nocapture"])
        .env(STORE, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Reads the child's lines until `stop` says so, kills it, and gives the last turn it acknowledged, which may
/// be one that was still in the pipe.
fn run_and_kill(dir: &Path, mut stop: impl FnMut(&str) -> bool) -> Option<u64> {
    let mut child = spawn(dir);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut lines = Vec::new();
    let mut line = String::new();
    while out.read_line(&mut line).unwrap() > 0 {
        let stop_here = stop(line.trim());
        lines.push(std::mem::take(&mut line));
        if stop_here {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    // A last line without its end was not acknowledged.
    let whole = rest.rfind('\n').map_or("", |end| &rest[..end]);
    let all = lines.iter().map(|line| line.trim()).chain(whole.lines());
    let all: Vec<_> = all.inspect(|line| assert!(!line.starts_with("failed"), "{line}")).collect();
    all.iter().rev().find_map(|line| line.strip_prefix("acknowledged ")?.parse().ok())
}

#[test]
fn every_acknowledged_turn_survives_kills_in_the_middle_of_commits() {
    let dir = tempfile::tempdir().unwrap();
    let mut dice = Dice(20_261_120);
    let mut acknowledged = 0;
    for round in 0..25 {
        let lines = 2 + dice.below(400);
        let mut seen = 0;
        let last = run_and_kill(dir.path(), |line| {
            seen += u64::from(line.starts_with("acknowledged"));
            seen >= lines
        });
        acknowledged = last.unwrap_or(acknowledged);
        let (store, _writer) = open_store(dir.path());
        let turns = whole_turns(&store).unwrap_or_else(|what| panic!("round {round}: {what}"));
        assert!(turns >= acknowledged, "round {round}: {turns} turns there, {acknowledged} acknowledged");
    }
    assert!(acknowledged > 1000, "the child hardly worked: {acknowledged}");
}

#[test]
fn a_kill_during_opening_harms_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut dice = Dice(7);
    let (mut acknowledged, mut before_open) = (0, 0);
    for round in 0..60 {
        let grow = round % 10 == 0;
        let mut seen = 0;
        let mut opened = false;
        let last = run_and_kill(dir.path(), |line| {
            seen += u64::from(line.starts_with("acknowledged"));
            opened |= line == "open";
            if !grow && line == "opening" {
                // At once in every other round: on a busy machine the store may be open after any delay.
                let delay = if round % 2 == 0 { dice.below(3000) } else { 0 };
                (0..delay).for_each(|_| std::thread::yield_now());
                return true;
            }
            seen >= 300
        });
        acknowledged = last.unwrap_or(acknowledged);
        before_open += u64::from(!opened && last.is_none());
    }
    assert!(before_open > 0, "no kill hit an opening");
    let (store, _writer) = open_store(dir.path());
    let turns = whole_turns(&store).unwrap();
    assert!(turns >= acknowledged, "{turns} turns there, {acknowledged} acknowledged");
}
