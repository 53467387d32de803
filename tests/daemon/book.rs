//! `book import`, with the daemon running and without.

use serde_json::{Value, json};

use crate::support::bank::{Bank, Slip};
use crate::support::bills::{HEADER, bills};
use crate::support::site::{Ran, Site};

/// Three good lines and, as lines 3 and 5, two bad ones.
fn file_with_bad_lines() -> String {
    let (_, good) = bills("KPEXCISE", 3);
    let mut lines: Vec<&str> = good.lines().collect();
    lines.insert(2, "77,Noor Zaman,2611,2026-12-15,2027-01-20,abc,2500,,U");
    lines.insert(4, "78,Noor Zaman,2611");
    format!("{}\n", lines.join("\n"))
}

fn import(site: &Site, text: &str, more: &[&str]) -> Ran {
    let file = site.file("bills.csv", text);
    site.run("book", &[&["import", "KPEXCISE", &file, "--json"], more].concat())
}

/// Added, updated, unchanged, and kept because paid.
fn counts(ran: &Ran) -> [u64; 4] {
    let done: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
    ["added", "updated", "unchanged", "kept_paid"].map(|key| done["imported"][key].as_u64().unwrap())
}

fn imports_are_whole_or_skip_what_is_bad(site: &Site) {
    let refused = import(site, &file_with_bad_lines(), &[]);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{refused:?}");
    for told in
        ["bills.csv:3: column amount_within_due:", "bills.csv:5: column line:", "nothing was imported"]
    {
        assert!(refused.err.contains(told), "{told} in {refused:?}");
    }
    let skipped = import(site, &file_with_bad_lines(), &["--skip-bad"]);
    assert_eq!((skipped.code, counts(&skipped)), (1, [3, 0, 0, 0]), "nothing was there before");
    let (_, good) = bills("KPEXCISE", 3);
    let again = import(site, &good, &[]);
    assert_eq!((again.code, counts(&again)), (0, [0, 0, 3, 0]));
    let renamed = import(site, &good.replacen("Ayesha Bibi", "Noor Zaman", 2), &[]);
    assert_eq!((renamed.code, counts(&renamed)), (0, [0, 2, 1, 0]));
    assert_eq!(counts(&import(site, &good, &[])), [0, 2, 1, 0]);
    let headless = import(site, good.strip_prefix(HEADER).unwrap().trim_start(), &["--skip-bad"]);
    assert_eq!(headless.code, 1);
    assert!(headless.err.contains("the first line must be the header"), "{headless:?}");
}

#[test]
fn a_file_is_imported_whole_or_not_at_all_and_importing_again_changes_nothing() {
    let site = Site::new();
    imports_are_whole_or_skip_what_is_bad(&site);
}

#[test]
fn a_running_daemon_imports_just_so() {
    let site = Site::new();
    let daemon = site.serve(&[]);
    imports_are_whole_or_skip_what_is_bad(&site);
    let bills = site.ctl(&["billers"]);
    assert_eq!(bills.as_array().unwrap().iter().filter(|biller| biller["bills"] == json!(3)).count(), 1);
    daemon.stop();
}

#[test]
fn importing_never_un_pays_a_bill() {
    let site = Site::new();
    let (known, text) = bills("KPEXCISE", 3);
    assert_eq!(counts(&import(&site, &text, &[])), [3, 0, 0, 0]);
    let daemon = site.serve(&[]);
    let slip = Slip { bill: known[1].clone(), number: 1 };
    assert_eq!(Bank::signed_on(daemon.address, 1).ask(&slip.payment()).code(), "00");
    assert_eq!(counts(&import(&site, &text, &[])), [0, 0, 2, 1], "while the daemon runs");
    let changed = text.replace("Ayesha Bibi", "Noor Zaman");
    assert_eq!(counts(&import(&site, &changed, &[])), [0, 2, 0, 1]);
    daemon.stop();
    assert_eq!(counts(&import(&site, &text, &[])), [0, 2, 0, 1], "and without it");
    let daemon = site.serve(&[]);
    let mut bank = Bank::signed_on(daemon.address, 1);
    assert_eq!(bank.ask(&slip.repeat()).code(), "00");
    let other = Slip { number: 2, ..slip };
    assert_eq!(bank.ask(&other.payment()).code(), "21", "it is paid");
    assert_eq!(site.ctl(&["journal", "verify"])["paid_bills"], 1);
    daemon.stop();
}
