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

/// The bills of a department, as `book search --json` tells them: PSID and state.
fn found(site: &Site, more: &[&str]) -> Vec<(String, String)> {
    let ran = site.run("book", &[&["search", "KPEXCISE", "--json"], more].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let bills: Vec<Value> = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
    let text = |bill: &Value, key: &str| bill[key].as_str().unwrap().to_owned();
    bills.iter().map(|bill| (text(bill, "psid"), text(bill, "state"))).collect()
}

/// What was done to a bill, in order.
fn history(site: &Site, psid: &str) -> Vec<String> {
    let ran = site.run("book", &["show", "KPEXCISE", psid]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let lines = ran.out.lines().filter(|line| line.starts_with('│'));
    lines.map(|line| line.split('┆').nth(1).unwrap_or_default().trim().to_owned()).skip(1).collect()
}

fn a_full_list_withdraws_what_is_not_in_it(site: &Site) {
    let (known, all) = bills("KPEXCISE", 6);
    assert_eq!(counts(&import(site, &all, &["--full"])), [6, 0, 0, 0]);
    let lines: Vec<&str> = all.lines().collect();
    let fewer = format!("{}\n{}\n{}\n", lines[0], lines[1], lines[2]);
    let delta = import(site, &fewer, &[]);
    assert_eq!(counts(&delta), [0, 0, 2, 0], "a delta withdraws nothing");
    let full = import(site, &fewer, &["--full"]);
    let told: Value = serde_json::from_str(&full.out).unwrap();
    assert_eq!(told["imported"]["withdrawn"], 4, "{full:?}");
    assert_eq!(found(site, &["--state", "withdrawn"]).len(), 4);
    assert_eq!(found(site, &["--state", "unpaid"]).len(), 2);
    let empty = import(site, &format!("{}\n", lines[0]), &["--full"]);
    assert_eq!(empty.code, 1, "{empty:?}");
    assert!(empty.err.contains("would withdraw every bill"), "{empty:?}");
    assert_eq!(counts(&import(site, &all, &[])), [0, 4, 2, 0], "a file brings them back");
    assert_eq!(found(site, &["--psid", &known[5].psid]), [(known[5].psid.clone(), "overdue".to_owned())]);
}

#[test]
fn a_full_list_withdraws_unpaid_bills_that_are_not_in_it() {
    let site = Site::new();
    a_full_list_withdraws_what_is_not_in_it(&site);
}

#[test]
fn a_running_daemon_takes_full_lists_just_so() {
    let site = Site::new();
    let daemon = site.serve(&[]);
    a_full_list_withdraws_what_is_not_in_it(&site);
    daemon.stop();
}

#[test]
fn an_operators_act_on_a_bill_is_what_the_next_payment_meets_and_the_journal_has_the_reason() {
    let site = Site::new();
    let (known, text) = bills("KPEXCISE", 4);
    import(&site, &text, &[]);
    let daemon = site.serve(&[]);
    let mut bank = Bank::signed_on(daemon.address, 1);
    let mut number = 0;
    let mut pay = |at: usize, amount: u64| {
        number += 1;
        let bill = crate::support::bills::Bill { amount, ..known[at].clone() };
        bank.ask(&Slip { bill, number }.payment()).code().to_owned()
    };
    let act = |words: &[&str]| {
        let ran = site.run("book", &[words, &["--why", "letter 114"]].concat());
        (ran.code, ran.out, ran.err)
    };
    let psid = |at: usize| known[at].psid.as_str();
    assert_eq!(act(&["block", "KPEXCISE", psid(0)]).0, 0);
    assert_eq!(pay(0, known[0].amount), "62");
    assert_eq!(act(&["unblock", "KPEXCISE", psid(0)]).0, 0);
    assert_eq!(pay(0, known[0].amount), "00");
    let (code, out, _) = act(&["cancel", "KPEXCISE", psid(1), "--json"]);
    assert_eq!(code, 0);
    let shown = site.run("book", &["show", "KPEXCISE", psid(1), "--json"]).json();
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), shown, "the bill as it is now");
    assert_eq!((&shown["psid"], &shown["due_now"]), (&json!(psid(1)), &Value::Null));
    assert_eq!(pay(1, known[1].amount), "25");
    let new = ["--amount-within-due", "9000", "--amount-after-due", "9000", "--heads", "B01401:9000"];
    assert_eq!(act(&[&["correct", "KPEXCISE", psid(2)][..], &new].concat()).0, 0);
    assert_eq!(pay(2, known[2].amount), "13");
    assert_eq!(pay(2, 9_000), "00");
    assert_eq!(act(&["reissue", "KPEXCISE", psid(3), "--as", "990011", "--due-date", "2027-01-01"]).0, 0);
    assert_eq!(pay(3, known[3].amount), "25");
    let (code, _, err) = act(&["reissue", "KPEXCISE", psid(3), "--due-date", "2027-01-02"]);
    assert!(code == 1 && err.contains("issued anew as 990011"), "{err}");
    assert_eq!(found(&site, &["--psid", "99"]), [("990011".to_owned(), "unpaid".to_owned())]);
    let (code, _, err) = act(&["cancel", "KPEXCISE", psid(0)]);
    assert_eq!(code, 1);
    assert!(err.contains("the bill is paid"), "{err}");
    assert_eq!(act(&["block", "KPEXCISE", "4711"]).0, 1);
    let told = history(&site, psid(0));
    assert_eq!(told[..3], ["imported", "blocked", "unblocked"]);
    assert!(told[3].starts_with("paid "), "{told:?}");
    let tail = site.ctl(&["journal", "tail", "-n", "40"]);
    let leg = format!("KPEXCISE bill {} cancelled: letter 114", psid(1));
    assert!(tail.as_array().unwrap().iter().any(|it| it["what"] == json!(leg)), "{tail}");
    site.ctl(&["journal", "verify"]);
    daemon.stop();
    assert_eq!(history(&site, psid(0)).len(), 4, "and without the daemon");
}

#[test]
fn a_bill_that_was_issued_anew_is_in_a_full_list_that_still_has_the_one_before() {
    let site = Site::new();
    let (known, all) = bills("KPEXCISE", 3);
    import(&site, &all, &["--full"]);
    let reissue = |psid: &str, other: &str| {
        let ran = site.run("book", &["reissue", "KPEXCISE", psid, "--as", other, "--why", "letter 7"]);
        assert_eq!(ran.code, 0, "{ran:?}");
    };
    reissue(&known[0].psid, "990011");
    reissue("990011", "990012");
    reissue(&known[1].psid, "990021");
    let lines: Vec<&str> = all.lines().collect();
    let fewer = format!("{}\n{}\n", lines[0], lines[1]);
    let full = import(&site, &fewer, &["--full"]);
    let told: Value = serde_json::from_str(&full.out).unwrap();
    assert_eq!(told["imported"]["withdrawn"], 2, "the third, and the second's successor: {full:?}");
    let standing = |psid: &str| found(&site, &["--psid", psid])[0].1.clone();
    assert_eq!([standing("990012"), standing("990021")], ["unpaid", "withdrawn"]);
}

#[test]
fn only_a_person_takes_back_a_files_word_that_a_bill_is_paid() {
    let site = Site::new();
    let (known, all) = bills("KPEXCISE", 2);
    let paid = all.replace(",U\n", ",P\n");
    import(&site, &paid, &[]);
    assert_eq!(counts(&import(&site, &all, &[])), [0, 0, 0, 2], "no file does");
    let act = |words: &[&str]| {
        let ran = site.run("book", &[words, &["--why", "letter 8"]].concat());
        (ran.code, ran.err)
    };
    let (code, err) = act(&["cancel", "KPEXCISE", &known[0].psid]);
    assert!(code == 1 && err.contains("`book reissue` makes it payable again"), "{err}");
    assert_eq!(act(&["reissue", "KPEXCISE", &known[0].psid]).0, 0);
    assert_eq!(act(&["reissue", "KPEXCISE", &known[1].psid, "--as", "990011"]).0, 0);
    let daemon = site.serve(&[]);
    let mut bank = Bank::signed_on(daemon.address, 1);
    assert_eq!(bank.ask(&Slip { bill: known[0].clone(), number: 1 }.payment()).code(), "00");
    assert_eq!(bank.ask(&Slip { bill: known[1].clone(), number: 2 }.payment()).code(), "25");
    let successor = crate::support::bills::Bill { psid: "990011".to_owned(), ..known[1].clone() };
    assert_eq!(bank.ask(&Slip { bill: successor, number: 3 }.payment()).code(), "00");
    let (code, err) = act(&["reissue", "KPEXCISE", &known[0].psid]);
    assert!(code == 1 && err.contains("what was paid stays as it was paid"), "{err}");
    daemon.stop();
}

#[test]
fn bills_that_can_be_read_once_only_are_refused_and_not_taken_for_none() {
    let site = Site::new();
    // Not a pipe, at which a program that did not look first would wait for ever.
    let ran = site.run("book", &["import", "KPEXCISE", "/dev/null"]);
    assert!(ran.code == 2 && ran.err.contains("is no regular file"), "{ran:?}");
}

#[test]
fn what_is_unpaid_and_what_each_head_got_can_be_taken_away() {
    let site = Site::new();
    let (known, text) = bills("KPEXCISE", 6);
    import(&site, &text, &[]);
    let daemon = site.serve(&[]);
    let mut bank = Bank::signed_on(daemon.address, 1);
    for (number, bill) in (1..).zip(&known[..2]) {
        let slip = Slip { bill: bill.clone(), number };
        assert_eq!(bank.ask(&slip.payment()).code(), "00");
    }
    let unpaid = site.run("book", &["unpaid", "KPEXCISE"]).out;
    let due: u64 =
        unpaid.lines().skip(1).map(|line| line.split(',').nth(9).unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(unpaid.lines().count(), 5, "{unpaid}");
    assert_eq!(due, known[2..].iter().map(|bill| bill.amount).sum::<u64>());
    let heads = site.run("book", &["export", "KPEXCISE", "--date", "2026-11-20", "--heads"]).out;
    let sum: u64 =
        heads.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(sum, known[..2].iter().map(|bill| bill.amount).sum::<u64>(), "{heads}");
    daemon.stop();
}

/// The fields of the CSV lines, without the heading.
fn fields(csv: &str) -> Vec<Vec<&str>> {
    csv.lines().skip(1).map(|line| line.split(',').collect()).collect()
}

#[test]
fn a_scroll_tells_whose_the_heads_are_and_where_the_money_goes() {
    let site = Site::new();
    let (known, text) = bills("KPEXCISE", 3);
    import(&site, &text, &[]);
    site.edit(|text| {
        let lines = "settlement_account = \"PK36SCBL0000001123456702\"\n\
                     head_kinds = { B01401 = \"provincial\", B02372 = \"federal\" }";
        let name = "name = \"Excise and Taxation\"";
        text.replace(name, &format!("{name}\n{lines}"))
    });
    let daemon = site.serve(&[]);
    let mut bank = Bank::signed_on(daemon.address, 1);
    let mut pay = |biller: &'static str, bill: &crate::support::bills::Bill, number: u32| {
        let bill = crate::support::bills::Bill { biller, ..bill.clone() };
        assert_eq!(bank.ask(&Slip { bill, number }.payment()).code(), "00");
    };
    pay("KPEXCISE", &known[2], 1);
    let other = site.file("police.csv", &text);
    assert_eq!(site.run("book", &["import", "KPPOLICE", &other]).code, 0);
    pay("KPPOLICE", &known[2], 2);
    let export = |biller: &str, more: &[&str]| {
        site.run("book", &[&["export", biller, "--date", "2026-11-20"], more].concat()).ok()
    };
    let scroll = export("KPEXCISE", &[]);
    let heading = "time,psid,amount,heads,channel,acquirer,receipt,rrn";
    assert!(scroll.starts_with(&format!("{heading},provincial,federal,settlement_account\n")), "{scroll}");
    // 10,200: a third on B01401, 50 on C03845, of which nobody has said whose it is, and the rest on B02372.
    assert_eq!(fields(&scroll)[0][2..4], ["10200", "B01401:3400|B02372:6750|C03845:50"]);
    assert_eq!(fields(&scroll)[0][8..], ["3400", "6750", "PK36SCBL0000001123456702"]);
    let json: Value = serde_json::from_str(&export("KPEXCISE", &["--json"])).unwrap();
    assert_eq!((&json[0]["provincial"], &json[0]["federal"]), (&json!(3400), &json!(6750)));
    assert_eq!(json[0]["settlement_account"], "PK36SCBL0000001123456702");
    let heads = export("KPEXCISE", &["--heads"]);
    let kinds: Vec<_> = fields(&heads).iter().map(|head| [head[0], head[3], head[4], head[5]]).collect();
    let account = "PK36SCBL0000001123456702";
    let want = [
        ["B01401", "3400", "provincial", account],
        ["B02372", "6750", "federal", account],
        ["C03845", "50", "", account],
    ];
    assert_eq!(kinds, want);
    let json: Value = serde_json::from_str(&export("KPEXCISE", &["--heads", "--json"])).unwrap();
    assert_eq!((&json[1]["kind"], json[2].get("kind")), (&json!("federal"), None));
    // Who has said nothing has the columns there have always been.
    assert!(export("KPPOLICE", &[]).starts_with(&format!("{heading}\n")));
    assert!(export("KPPOLICE", &["--heads"]).starts_with("head,acquirer,payments,amount\n"));
    let json: Value = serde_json::from_str(&export("KPPOLICE", &["--json"])).unwrap();
    assert_eq!(json[0].as_object().unwrap().len(), 8, "{json}");
    daemon.stop();
    assert_eq!(site.run("journal", &["scroll", "KPEXCISE", "--date", "2026-11-20"]).ok(), scroll);
}

#[test]
fn operators_see_where_the_money_goes_and_a_reload_takes_it_over() {
    let site = Site::new();
    let name = "name = \"Police\"";
    let settled = |account: &str| {
        site.edit(|text| {
            let (before, after) = text.split_once(name).unwrap();
            let after: Vec<&str> = after.lines().filter(|line| !line.starts_with("settlement")).collect();
            format!("{before}{name}\nsettlement_account = \"{account}\"{}\n", after.join("\n"))
        });
    };
    settled("PK36SCBL0000001123456702");
    let daemon = site.serve(&[]);
    let accounts = || {
        let told = site.ctl(&["billers"]);
        let told = told.as_array().unwrap().iter().map(|biller| biller["settlement"]["account"].clone());
        told.collect::<Vec<Value>>()
    };
    let (none, first) = (Value::Null, json!("PK36SCBL0000001123456702"));
    assert_eq!(accounts(), [none.clone(), first, none.clone(), none.clone()]);
    let people = site.run("ctl", &["billers"]).ok();
    let row = people.lines().rev().nth(1).unwrap();
    assert!(row.contains("KPPOLICE") && row.contains("PK36SCBL0000001123456702"), "{people}");
    settled("0147/2219.A");
    assert_eq!(site.run("ctl", &["reload"]).code, 0);
    assert_eq!(accounts(), [none.clone(), json!("0147/2219.A"), none.clone(), none]);
    daemon.stop();
}
