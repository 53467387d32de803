//! The 1BILL-style contract word by word (`domain.md` 3a), each with the test that holds it.

use billswitch::switch::{Order, Reason};

use crate::rig::{Came, Rig, payment};

/// What the description says, and the tests of it.
const WORDS: &[(&str, &[&str])] = &[
    (
        "POST JSON, user name and password in headers",
        &["a_path_it_does_not_have_and_credentials_it_does_not_know"],
    ),
    (
        "HTTP 200, 400, 401, 403, 404, 500",
        &[
            "no_status_but_401_proves_that_nothing_was_posted_and_none_does_of_a_repeat",
            "refused_for_its_credentials_nothing_was_posted_the_first_time_but_nobody_knows_of_a_repeat",
        ],
    ),
    (
        "widths of what is told, and a consumer number of 24",
        &[
            "a_payments_body_is_the_same_each_time_and_has_the_widths_of_the_contract",
            "what_the_contract_has_no_room_for_is_refused_and_not_cut",
        ],
    ),
    (
        "a name left-justified in thirty characters",
        &["an_unpaid_bill_is_found_and_its_paid_fields_are_not_read"],
    ),
    ("amounts of a sign and thirteen digits", &["an_inquirys_answer_that_cannot_be_read_is_unknown"]),
    ("date, amount and authorisation of a paid bill, else spaces", &["a_paid_bill_shows_whether_it_was_us"]),
    (
        "status T, and the least and the most in `reserved`",
        &[
            "a_bill_that_takes_parts_says_in_reserved_how_much_one_payment_may_be",
            "a_bill_that_takes_parts_is_paid_within_its_own_limits_and_as_exactly_as_the_department_wants",
        ],
    ),
    (
        "the codes of an inquiry",
        &["every_code_of_an_inquiry_means_what_the_table_says", "every_quirk_of_an_inquiry_is_understood"],
    ),
    (
        "the codes of a payment",
        &[
            "every_code_of_a_payment_means_what_the_table_says_the_first_time_and_again",
            "every_code_of_a_payment_is_understood_the_first_time_and_again",
        ],
    ),
    (
        "a voucher of at most twenty characters",
        &["a_receipt_that_cannot_be_read_out_does_not_undo_a_posting"],
    ),
    (
        "the same payment may be sent again",
        &["posted_and_then_unheard_of_it_is_found_out_by_the_same_identity"],
    ),
    ("no reversal", &["what_is_posted_cannot_be_undone_and_nothing_is_sent_to_try"]),
    (
        "keys that differ in case",
        &["keys_are_matched_in_any_case_and_one_that_is_there_twice_is_not_understood"],
    ),
    (
        "a negative amount; overdue with the amount within zeroed, or both filled",
        &["who_has_paid_too_much_owes_nothing_and_an_overdue_bill_may_have_no_amount_within"],
    ),
    (
        "a `tran_time` of 121366",
        &["a_payments_body_is_the_same_each_time_and_has_the_widths_of_the_contract"],
    ),
    ("paid fields on an unpaid bill", &["an_unpaid_bill_is_found_and_its_paid_fields_are_not_read"]),
    ("paid as 00/P or 06/P", &["a_paid_bill_is_told_as_paid_whether_by_00_or_by_06"]),
    ("expired as 01/B or 02/B", &["every_code_of_an_inquiry_means_what_the_table_says"]),
    ("HTTP 200 with a body of only a code", &["a_body_of_nothing_but_a_code_is_understood"]),
    (
        "thirteen digits, and 04 for a paid bill under a new authorisation",
        &["an_aggregator_of_thirteen_digits_that_says_04_of_a_paid_bill_is_reached_by_its_own_file"],
    ),
    (
        "the certification's twenty consumers",
        &["the_twenty_consumers_of_a_certification_are_told_as_they_are"],
    ),
];

/// Where those tests are.
const PLACES: [&str; 5] = [
    include_str!("broken.rs"),
    include_str!("python.rs"),
    include_str!("quirks.rs"),
    include_str!("simulated.rs"),
    concat!(include_str!("../../src/contract/tests.rs"), include_str!("../../src/switch/rules/tests.rs")),
];

#[test]
fn every_word_of_the_contract_has_its_test() {
    for (word, tests) in WORDS {
        for name in *tests {
            let head = format!("fn {name}()");
            assert!(PLACES.iter().any(|source| source.contains(&head)), "{word}: there is no test {name}");
        }
    }
}

#[tokio::test]
async fn what_is_posted_cannot_be_undone_and_nothing_is_sent_to_try() {
    // Nobody listens there: an order that was sent would be told as not sent.
    let rig = Rig::at("http://127.0.0.1:1/");
    for again in [false, true] {
        let undo = Order::Reverse { payment: Box::new(payment(1, "220", 12_000)), again };
        assert_eq!(rig.order(undo).await, Came::Declined(Reason::NotReversible));
    }
}
