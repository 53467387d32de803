//! Every row that is to be tried against the running switch has a test that is named after it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Where those tests are.
const PLACES: [&str; 4] = ["acceptance", "daemon", "heap", "power"];

/// The numbered rows: `17` has a test called `n17_…`.
const NUMBERED: &[&str] = &[
    "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "14", "15", "16", "17", "18", "19", "20",
    "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "30a", "30b", "30c", "31", "32", "33", "34",
    "35", "36", "37", "38", "38a", "39", "40", "41", "42", "43", "44", "45", "46", "47", "48", "49", "50",
    "51", "52", "53", "54", "55", "56", "57", "58", "59", "60",
];

/// What hostile or broken peers, disks and clocks do, and the tests of it.
const FAULTS: &[(&str, &[&str])] = &[
    (
        "frame without a readable MTI or STAN",
        &["frames_nobody_can_answer_are_counted_and_close_the_link_after_some"],
    ),
    (
        "length of 0 or over the maximum",
        &[
            "a_length_of_zero_or_over_the_maximum_closes_the_connection",
            "bytes_that_are_no_frame_of_the_link_close_the_connection",
        ],
    ),
    (
        "bitmap that lies, non-digit BCD, length beyond the frame, trailing bytes",
        &[
            "n20_a_field_that_cannot_be_decoded",
            "n20_packed_digits_that_are_none_and_a_bitmap_that_lies_are_refused_and_nothing_is_paid",
        ],
    ),
    (
        "slow loris",
        &[
            "a_frame_that_never_completes_is_closed_at_the_frame_deadline",
            "a_frame_that_never_ends_is_closed_at_the_frame_deadline",
        ],
    ),
    (
        "half-open peer",
        &[
            "a_silent_peer_is_closed_at_the_idle_deadline",
            "n6_a_peer_that_answers_neither_of_two_echoes_is_closed",
        ],
    ),
    (
        "answer on the wrong link, unsolicited or duplicate answer",
        &[
            "answers_that_nobody_asked_for_close_the_link_after_some",
            "an_operator_asks_a_peer_and_only_its_own_answer_counts",
        ],
    ),
    (
        "10,000 connections",
        &[
            "n_ten_thousand_connections_are_bounded_by_link_and_the_established_ones_unharmed",
            "n_ten_thousand_connections_are_bounded_in_all_where_a_link_would_take_them",
            "connections_of_a_link_are_bounded_and_the_established_ones_unharmed",
        ],
    ),
    ("biller answers garbage", &["n34_an_answer_that_makes_no_sense_is_doubt_and_not_a_decline"]),
    (
        "biller slow",
        &[
            "a_silent_biller_does_not_shut_the_link_to_the_others",
            "biller_slow_its_own_payments_are_shed_and_other_billers_unharmed",
        ],
    ),
    (
        "queues full",
        &[
            "requests_waiting_for_a_biller_are_bounded_and_reversals_still_get_in",
            "queues_full_new_requests_are_shed_with_96_and_reversals_and_repeats_never",
            "n_while_one_link_floods_anothers_payments_are_answered_in_their_turn",
            "n_where_a_flood_waits_too_long_its_payments_are_shed_and_nobodys_reversals",
        ],
    ),
    (
        "disk below its watermark",
        &[
            "disk_below_its_watermark_payments_are_refused_with_96_and_the_reserve_is_for_reversals",
            "below_the_watermark_payments_are_refused_and_reversals_are_not",
        ],
    ),
    ("clock jump", &["n_a_clock_jump_moves_no_deadline_and_no_date"]),
    (
        "bad configuration on reload",
        &["n_a_bad_configuration_on_reload_is_refused_whole_and_the_old_one_kept"],
    ),
    (
        "fsync error",
        &[
            "a_sync_that_fails_ends_the_daemon_at_once_and_is_never_tried_again",
            "a_write_that_fails_ends_the_daemon_at_once",
            "a_disk_that_dies_ends_the_daemon_and_what_it_acknowledged_is_on_it",
            "a_full_disk_ends_the_daemon_and_with_room_it_goes_on_where_it_was",
            "what_was_acknowledged_before_the_power_went_is_there_when_it_is_back",
        ],
    ),
    (
        "torn tail, flipped byte in the store",
        &[
            "n_a_flipped_byte_in_the_store_is_found_or_of_no_consequence",
            "n_so_is_one_in_the_small_files_beside_it",
        ],
    ),
    ("card data", &["card_data_is_found_nowhere_in_the_store_the_log_the_recording_or_what_is_printed"]),
    ("two instances on one store", &["n_two_instances_on_one_store_the_second_refuses_to_start"]),
];

/// The tests in a source file: functions behind an attribute that makes them one.
fn tests_of(source: &str) -> Vec<&str> {
    let mut is_test = false;
    let mut found = Vec::new();
    for line in source.lines().map(str::trim) {
        let name = line.trim_start_matches("async ").strip_prefix("fn ");
        match name.and_then(|rest| rest.split_once('(')) {
            Some((name, _)) if std::mem::take(&mut is_test) => found.push(name),
            Some(_) => {}
            None => is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test"),
        }
    }
    found
}

/// Every test there is, with its file.
fn all_tests() -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for place in PLACES {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(place);
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "rs") {
                let source = std::fs::read_to_string(&path).unwrap();
                let file = path.file_name().unwrap().to_string_lossy();
                all.extend(
                    tests_of(&source).into_iter().map(|name| (name.to_owned(), format!("{place}/{file}"))),
                );
            }
        }
    }
    all
}

/// The row in a test's name: `17` of `n17_…`.
fn row(name: &str) -> Option<&str> {
    let row = name.strip_prefix('n')?.split('_').next()?;
    row.starts_with(|first: char| first.is_ascii_digit()).then_some(row)
}

#[test]
fn every_row_has_a_test_and_every_test_of_a_row_is_one() {
    let all = all_tests();
    let known: BTreeSet<&str> = NUMBERED.iter().copied().collect();
    let tried: BTreeSet<&str> = all.keys().filter_map(|name| row(name)).collect();
    let untried: Vec<_> = known.difference(&tried).collect();
    let unknown: Vec<_> = tried.difference(&known).collect();
    assert!(untried.is_empty(), "rows without a test: {untried:?}");
    assert!(unknown.is_empty(), "tests of rows that nobody has listed: {unknown:?}");
    for (fault, tests) in FAULTS {
        for name in *tests {
            assert!(all.contains_key(*name), "{fault}: there is no test {name}");
        }
    }
}

#[test]
fn a_function_is_a_test_if_an_attribute_says_so() {
    let source = "#[test]\nfn n1_a() {\nfn helper() {}\n#[tokio::test]\nasync fn n2_b() {\n#[test]\n#[ignore]\nfn c() {";
    assert_eq!(tests_of(source), ["n1_a", "n2_b", "c"]);
    assert_eq!(tests_of(source).into_iter().filter_map(row).collect::<Vec<_>>(), ["1", "2"]);
}
