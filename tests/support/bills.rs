//! Bills for a department: all different, half of them past their due date, some of one head of account and some of three.

use super::site::Site;

/// The columns of a bill file.
pub(crate) const HEADER: &str =
    "psid,name,billing_month,due_date,expiry_date,amount_within_due,amount_after_due,heads,status";
/// The business date that the configuration names.
pub(crate) const DATE: &str = "2026-11-20";

/// A bill as the tests know it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Bill {
    pub(crate) biller: &'static str,
    pub(crate) psid: String,
    /// Due on [`DATE`].
    pub(crate) amount: u64,
}

/// So many bills of a department, with the file that has them.
pub(crate) fn bills(biller: &'static str, count: u64) -> (Vec<Bill>, String) {
    let mut file = format!("{HEADER}\n");
    let mut all = Vec::new();
    for number in 0..count {
        let psid = format!("{:017}", 55_011_000_000_000_000 + number);
        let within = 10_000 + number * 100;
        let (after, late) = (within + 2_500, number % 2 == 1);
        let due = if late { "2026-11-17" } else { "2026-12-15" };
        let heads = if number % 3 == 0 {
            format!("B01401:{within}")
        } else {
            format!("B01401:{}|B02372:{}|C03845:50", within / 3, within - within / 3 - 50)
        };
        file += &format!("{psid},Ayesha Bibi,2611,{due},2027-01-20,{within},{after},{heads},U\n");
        all.push(Bill { biller, psid, amount: if late { after } else { within } });
    }
    (all, file)
}

/// Puts so many bills of a department in the site's book.
pub(crate) fn import(site: &Site, biller: &'static str, count: u64) -> Vec<Bill> {
    let (bills, text) = bills(biller, count);
    let file = site.file(&format!("{biller}.csv"), &text);
    let done = site.run("book", &["import", biller, &file, "--json"]).json();
    assert_eq!(done["imported"]["added"], count);
    bills
}
