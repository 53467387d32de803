//! Three ledgers held against each other: what banks were told, what a department has posted, and what the switch has in its
//! journal, but for what it hands to people.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::bank::Bank;
use super::bills::DATE;
use super::department::ledger_file;
use super::ledger::Deal;
use super::site::{Daemon, Site};

/// Repeats these payments, and what was asked back of them.
pub(crate) fn ask_again(daemon: &Daemon, deals: &mut [Deal], which: impl Fn(&Deal) -> bool) {
    for link in 1..=3 {
        let mut asked: Vec<&mut Deal> =
            deals.iter_mut().filter(|deal| deal.link == link && which(deal)).collect();
        let repeats: Vec<Vec<u8>> = asked.iter().map(|deal| deal.slip.repeat()).collect();
        let mut bank = Bank::signed_on(daemon.address, link);
        for (deal, answer) in asked.iter_mut().zip(bank.ask_all(&repeats)) {
            deal.hear(answer);
        }
        let mut undone: Vec<&mut Deal> = asked.into_iter().filter(|deal| deal.taken_back()).collect();
        let repeats: Vec<Vec<u8>> = undone.iter().map(|deal| deal.slip.reversal("0421")).collect();
        for (deal, answer) in undone.iter_mut().zip(bank.ask_all(&repeats)) {
            deal.hear_undone(answer);
        }
    }
}

/// What stands at the department: bill, then amount and receipt.
fn posted(site: &Site, biller: &str) -> BTreeMap<String, (u64, String)> {
    let text = std::fs::read_to_string(ledger_file(site, biller)).unwrap();
    let mut posted = BTreeMap::new();
    for line in text.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let consumer = entry["consumer"].as_str().unwrap().to_owned();
        if entry["undone"] == true {
            assert!(posted.remove(&consumer).is_some(), "undone twice: {entry}");
            continue;
        }
        let what = (entry["amount"].as_u64().unwrap(), entry["receipt"].as_str().unwrap().to_owned());
        assert!(posted.insert(consumer, what).is_none(), "posted twice: {entry}");
    }
    posted
}

/// A payment that waits for people.
pub(crate) struct ForPeople {
    /// Of its bill.
    pub(crate) psid: String,
    /// The switch knows that it is posted.
    pub(crate) known_posted: bool,
    /// What made it theirs.
    pub(crate) why: String,
}

/// The payments of a department that wait for people, by RRN.
pub(crate) fn exceptions(site: &Site, biller: &str) -> BTreeMap<String, ForPeople> {
    let found = site.ctl(&["exceptions"]);
    let of_biller =
        found.as_array().unwrap().iter().filter(|exception| exception["payment"]["biller"] == biller);
    // A key is its parts with a mark between; the third is DE 37.
    let told = |exception: &Value| {
        let payment = &exception["payment"];
        let rrn = payment["key"].as_str().unwrap().split('\u{1f}').nth(2).unwrap().to_owned();
        let psid = payment["consumer"].as_str().unwrap().to_owned();
        let why = exception["why"].as_str().unwrap().to_owned();
        (rrn, ForPeople { psid, known_posted: !payment["posting"].is_null(), why })
    };
    of_biller.map(told).collect()
}

/// Of a hundred payments with a department, how many may be left to people to find out: it calls one in a hundred a duplicate,
/// and some of those that are in doubt were paid by somebody else.
const OPEN_PERCENT_MAX: usize = 5;

/// Holds what banks were told of a department against its ledger. Gives how many payments stand.
pub(crate) fn compare(undoes: bool, site: &Site, biller: &str, deals: &[Deal]) -> u64 {
    let (mut posted, for_people) = (posted(site, biller), exceptions(site, biller));
    let given_up =
        for_people.values().filter(|exception| exception.why.contains("biller_unavailable")).count();
    assert_eq!(given_up, 0, "given up, where orders may be given a thousand times");
    let (mut stand, mut open) = (0, BTreeSet::new());
    let deals: Vec<_> = deals.iter().filter(|deal| deal.slip.bill.biller == biller).collect();
    for deal in &deals {
        let known = for_people.get(&deal.slip.rrn()).map(|exception| exception.known_posted);
        let psid = deal.slip.bill.psid.as_str();
        match (deal.code().as_str(), known) {
            // Given back, as was asked.
            ("00", None) if deal.taken_back() && undoes => {
                let receipt = deal.answer.as_ref().unwrap().at("120.RN");
                let standing = posted.get(psid);
                assert!(standing.is_none_or(|(_, other)| *other != receipt), "it still stands: {deal:?}");
            }
            ("00", _) => {
                let receipt = deal.answer.as_ref().unwrap().at("120.RN");
                let want = Some((deal.slip.bill.amount, receipt));
                assert_eq!(posted.remove(psid), want, "approved and not posted: {deal:?}");
                assert_eq!(known.is_some(), deal.taken_back(), "{deal:?}");
                stand += 1;
            }
            // It was taken back before it was known to be posted.
            (_, Some(true)) => {
                assert!(posted.remove(psid).is_some(), "not posted: {deal:?}");
                stand += 1;
            }
            // What a person has to find out may be posted or not.
            (_, Some(false)) => {
                open.insert(psid);
            }
            // What was undone or asked back while in doubt, and is not posted, stays so.
            ("68", None) => {
                assert!(deal.taken_back() || undoes, "still in doubt, and nobody is told: {deal:?}");
            }
            (_, None) => {}
        }
    }
    println!("{biller}: {stand} stand, {} for people, {} of them unknown", for_people.len(), open.len());
    let most = (deals.len() * OPEN_PERCENT_MAX).div_ceil(100);
    assert!(open.len() <= most, "{} of {} are left to people", open.len(), deals.len());
    posted.retain(|psid, _| !open.contains(psid.as_str()));
    assert!(posted.is_empty(), "posted, and no bank knows of it: {posted:?}");
    stand
}

/// The journal counts as many postings as the ledgers.
pub(crate) fn journal_counts(site: &Site, stand: u64) {
    assert_eq!(site.ctl(&["journal", "verify"])["posted"], stand, "the journal counts otherwise");
}

/// The ledger of the banks, as `billswitch sim compare` reads it: what was approved, and what of it was taken back.
fn write_banks_ledger(site: &Site, biller: &str, deals: &[Deal]) -> String {
    let mut text = String::new();
    let approved = |deal: &&Deal| deal.slip.bill.biller == biller && deal.code() == "00";
    for deal in deals.iter().filter(approved) {
        let receipt = deal.answer.as_ref().unwrap().at("120.RN");
        let (consumer, identity, amount) = (&deal.slip.bill.psid, deal.slip.rrn(), deal.slip.bill.amount);
        let entry = |undone: bool| {
            serde_json::json!({
                "consumer": consumer, "identity": identity, "amount": amount, "receipt": receipt, "at": 0, "undone": undone
            })
        };
        text += &format!("{}\n", entry(false));
        if deal.taken_back() {
            text += &format!("{}\n", entry(true));
        }
    }
    site.file(&format!("{biller}-banks.jsonl"), &text)
}

/// The bills of which two ledgers do not say the same, as the program's own comparison has it.
fn differences(site: &Site, one: &str, other: &str) -> BTreeSet<String> {
    let ran = site.run_plain("sim", &["compare", one, other, "--json"]);
    let found: Value = serde_json::from_str(&ran.out).unwrap();
    let found: BTreeSet<String> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|difference| difference["consumer"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ran.code, i32::from(!found.is_empty()), "{ran:?}");
    found
}

/// Banks' ledger, the switch's scroll and, where it has one of its own, the department's: two of them differ only in bills
/// that people have been told of.
pub(crate) fn compare_by_program(site: &Site, biller: &str, deals: &[Deal], has_ledger: bool) {
    let banks = write_banks_ledger(site, biller, deals);
    let scroll = site.run("book", &["export", biller, "--date", DATE]).ok();
    let scroll = site.file(&format!("{biller}-scroll.csv"), &scroll);
    let told: BTreeSet<String> = exceptions(site, biller).into_values().map(|found| found.psid).collect();
    let mut pairs = vec![(banks.clone(), scroll.clone())];
    if has_ledger {
        let department = ledger_file(site, biller).to_str().unwrap().to_owned();
        pairs.extend([(scroll, department.clone()), (banks, department)]);
    }
    for (one, other) in pairs {
        let silent: Vec<String> = differences(site, &one, &other).difference(&told).cloned().collect();
        assert!(silent.is_empty(), "{one} and {other} differ, and nobody is told: {silent:?}");
    }
}
