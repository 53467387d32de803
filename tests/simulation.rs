//! The simulation: it holds under many seeds, a seed is one run and no other, and it can fail.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails may say so by panicking")]

use std::sync::Arc;

use billswitch::sim::world::{Defect, Plan, Site, minimise, play, simulate};

/// Seeds that are run each time.
const SEEDS: u64 = 1_500;
/// A first seed of its own for the defects, so that they are not found by the seeds the faults were once found by.
const DEFECTS_FROM: u64 = 500_000;

fn site() -> Arc<Site> {
    Site::new().unwrap()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

/// Seeds within which a defect must be found: some four times what it takes.
const fn seeds_to_find(defect: Defect) -> u64 {
    match defect {
        Defect::LetGoOfNewer | Defect::LetGoOfOwed => 80,
        Defect::AnswerBeforeCommit
        | Defect::OrderBeforeIntent
        | Defect::CommitWithoutSync
        | Defect::ForgetWhatIsDue
        | Defect::DropException
        | Defect::ForgetOutcomes
        | Defect::ForgetTotals
        | Defect::SilenceIsDecline
        | Defect::GarbageIsDecline
        | Defect::PostTwice
        | Defect::ReverseTwice
        | Defect::AnswerTwice
        | Defect::WrongAmount
        | Defect::HeadsDoNotSum
        | Defect::ReverseForAnybody
        | Defect::AcceptAnyMac => 10,
        Defect::SkipRecovery
        | Defect::GiveUpAtOnce
        | Defect::DropTombstone
        | Defect::MatchByStan
        | Defect::AnswerByStan
        | Defect::LostIsNotSent
        | Defect::AnotherIdentity
        | Defect::NumberFromOne
        | Defect::DateOfToday
        | Defect::ShedReversals
        | Defect::IgnoreDisk
        | Defect::PutOff
        | Defect::TakeFaultyFile
        | Defect::OldKeyForEver
        | Defect::PartAsWhole
        | Defect::IgnoreLimits
        | Defect::ForgetKeys => 80,
        Defect::ReloadByHalves
        | Defect::ForgetLateApproval
        | Defect::ForwardAtOnce
        | Defect::PartToldAtOnce
        | Defect::PartRefusedIsDone
        | Defect::KeepOldRules
        | Defect::BadRecordBlocks => 500,
        Defect::ReuseLegNumbers | Defect::ForgetPart => 2_000,
    }
}

#[test]
fn every_invariant_holds_under_every_seed() {
    let report = simulate(&site(), 0, SEEDS, cores(), None, &|_| ());
    if let Some(found) = report.found {
        let shortest = minimise(&site(), &Plan::of(found.seed), None);
        let story = shortest.outcome.history.join("\n");
        panic!("seed {}: {}\n\n{}\n{story}", found.seed, found.violation, shortest.plan);
    }
    assert_eq!(report.seeds, SEEDS);
    assert!(report.events > SEEDS * 200, "{} events: hardly anything happens", report.events);
}

#[test]
fn the_same_seed_is_the_same_run_line_by_line_and_another_is_another() {
    let site = site();
    let mut before = None;
    let (mut segments, mut owed, mut exceptions, mut parts, mut other_amounts) = (0, 0, 0, 0, 0);
    for seed in 0..60 {
        let [first, second] = [(); 2].map(|()| play(&site, &Plan::of(seed), None, true));
        assert_eq!(first.history, second.history, "seed {seed}");
        assert_eq!((first.digest, first.events), (second.digest, second.events), "seed {seed}");
        assert_ne!(before.replace(first.digest), Some(second.digest), "seed {seed}");
        segments += first.segments;
        owed = owed.max(first.owed);
        exceptions += first.exceptions;
        parts += first.parts;
        other_amounts += first.other_amounts;
    }
    assert!(segments > 60, "{segments} segments: hardly anything is sealed");
    assert!(exceptions > 20, "{exceptions} payments left to people: their reasons are hardly looked at");
    assert!(parts > 10, "{parts} parts of payments given back: hardly anybody wants one");
    assert!(
        other_amounts > 10,
        "{other_amounts} payments of other amounts than were due: hardly anybody tries"
    );
    assert!(owed > 100, "{owed} payments owed at most: no outage is long");
}

#[test]
fn every_deliberate_defect_is_found_within_its_seeds() {
    let site = site();
    let mut table = Vec::new();
    for defect in Defect::ALL {
        let within = seeds_to_find(*defect);
        let report = simulate(&site, DEFECTS_FROM, within, cores(), Some(*defect), &|_| ());
        let found = report.found.map(|found| (found.seed - DEFECTS_FROM, found.violation.to_string()));
        table.push((defect, within, found));
    }
    for (defect, within, found) in &table {
        println!("{defect:?}: {found:?} of {within}");
    }
    let missed: Vec<_> = table.iter().filter(|(_, _, found)| found.is_none()).collect();
    assert!(missed.is_empty(), "not found: {missed:?}");
}

#[test]
fn a_run_that_went_wrong_is_shortened_to_what_it_needs() {
    let site = site();
    let defect = Some(Defect::PostTwice);
    let plan = Plan::of(simulate(&site, 0, 10, 1, defect, &|_| ()).found.unwrap().seed);
    let shortest = minimise(&site, &plan, defect);
    assert_eq!(shortest.outcome.violation.unwrap().invariant, 1);
    // One payment is enough.
    assert_eq!(shortest.plan.to_string().matches("as payment").count(), 1, "{}", shortest.plan);
    assert!(shortest.outcome.history.len() < 40, "{:#?}", shortest.outcome.history);
}
