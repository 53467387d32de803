//! A fourth way to reach departments: this file, and one line in the list of them.

use std::sync::Mutex;

use serde::Deserialize;
use toml::Spanned;

use super::super::check::checked;
use super::*;
use crate::biller::iso8583::{Host, HostConfig};
use crate::biller::kind::{AdapterError, Entry, Hosts, Kind, KindFault, Making};
use crate::biller::{Adapter, Reply};
use crate::lines::{Fault, bounded};
use crate::switch::{BillRef, InDoubt, LegId, Order, Outcome};

/// The list with one line more.
fn with_a_fourth(text: &str) -> Result<Config, ConfigError> {
    let mut kinds = KINDS.to_vec();
    kinds.push(&ByPigeon);
    checked("billswitch.toml", text, Path::new("."), &kinds)
}

struct ByPigeon;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    pigeons: Spanned<u32>,
}

impl Kind for ByPigeon {
    fn name(&self) -> &'static str {
        "pigeon"
    }

    fn looks_up_first(&self) -> bool {
        false
    }

    fn way(&self, entry: &Entry<'_>) -> Result<Way, KindFault> {
        let table: Table = entry.table(self)?;
        Ok(Way::Wire(Arc::new(Loft { pigeons: bounded(&table.pigeons, "pigeons", (1..=9, "1 to 9"))? })))
    }

    fn doubt(&self, _: &Entry<'_>) -> Result<(bool, InDoubt), Fault> {
        Ok((false, InDoubt::Confirm))
    }
}

#[derive(Debug)]
struct Loft {
    pigeons: usize,
}

impl Making for Loft {
    fn adapter(&self, _: &dyn Hosts) -> Result<Box<dyn Adapter>, AdapterError> {
        Ok(Box::new(Pigeons(Mutex::new(self.pigeons))))
    }
}

struct Pigeons(Mutex<usize>);

impl Adapter for Pigeons {
    fn submit(&self, leg: LegId, _: Order, reply: Reply) {
        let mut left = self.0.lock().unwrap();
        let Some(fewer) = left.checked_sub(1) else { return reply(leg, Outcome::NotSent) };
        *left = fewer;
        reply(leg, Outcome::Unknown);
    }
}

struct NoHosts;

impl Hosts for NoHosts {
    fn host(&self, _: &HostConfig) -> Result<Arc<Host>, AdapterError> {
        Err(AdapterError::new(std::fmt::Error))
    }
}

const DEPARTMENT: &str = "
[[biller]]
code = \"TOWER\"
name = \"The Tower\"
adapter = \"pigeon\"
[biller.pigeon]
pigeons = 2
";

#[test]
fn a_fourth_way_to_reach_departments_is_one_file_and_one_line_in_the_list() {
    let config = with_a_fourth(&format!("{BUILT_IN}{DEPARTMENT}")).unwrap();
    let biller = config.billers.last().unwrap();
    assert_eq!((biller.terms.reversible, biller.terms.in_doubt), (false, InDoubt::Confirm));
    assert!(!biller.terms.embedded && !biller.terms.looks_up_first);
    let Way::Wire(making) = &biller.way else { panic!("on a wire") };
    let adapter = making.adapter(&NoHosts).unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    for leg in 1..=3 {
        let heard = Arc::clone(&heard);
        let order = Order::LookUp(BillRef { biller: biller.code, consumer: "1".into() });
        let reply: Reply = Arc::new(move |_, outcome| {
            heard.lock().unwrap().push(matches!(outcome, Outcome::NotSent));
        });
        adapter.submit(LegId(leg), order, reply);
    }
    assert_eq!(*heard.lock().unwrap(), [false, false, true]);
}

#[test]
fn a_fault_in_the_table_of_any_way_to_reach_departments_is_told_by_file_line_and_reason() {
    let table = [
        ("pigeons = 2", "pigeons = 10", 7, "pigeons is 1 to 9"),
        ("pigeons = 2", "pigeons = 2\ndoves = 1", 8, "unknown field `doves`, expected `pigeons`"),
        ("pigeons = 2", "pigeons = \"two\"", 7, "invalid type: string \"two\""),
        ("pigeons = 2", "", 6, "missing field `pigeons`"),
        ("[biller.pigeon]\npigeons = 2", "", 3, "a table [biller.pigeon] belong together"),
        (
            "[biller.pigeon]",
            "[biller.rest]",
            6,
            "`adapter = \"rest\"` and a table [biller.rest] belong together",
        ),
        ("[biller.pigeon]", "[biller.owl]", 6, "[biller.owl] is the table of no adapter: there are `book`"),
        ("\"pigeon\"", "\"owl\"", 5, "`owl` is no adapter: there are `book`, `rest`, `iso8583`, `pigeon`"),
        ("\"pigeon\"\n[biller.pigeon]", "\"book\"\n[biller.book]", 6, "`adapter = \"book\"` has no table"),
        ("name =", "partly_reversible = true\nname =", 4, "whose adapter is one of `iso8583`"),
    ];
    for (from, to, line, want) in table {
        let changed = format!("{BUILT_IN}{}", DEPARTMENT.replacen(from, to, 1));
        let error = with_a_fourth(&changed).unwrap_err().to_string();
        let line = BUILT_IN.matches('\n').count() + line;
        assert!(error.starts_with(&format!("billswitch.toml:{line}: ")), "line {line}: {error}");
        assert!(error.contains(want), "{error}");
    }
    let error = parse(&format!("{BUILT_IN}{DEPARTMENT}")).unwrap_err().to_string();
    assert!(error.contains("`pigeon` is no adapter: there are `book`, `rest`, `iso8583`"), "{error}");
}
