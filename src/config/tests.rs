//! What the loader accepts, and what it says of what it does not.

mod fourth;

use std::any::Any;

use super::*;
use crate::biller::iso8583::IsoConfig;
use crate::biller::rest::{CredentialSource, RestConfig};

/// What a department's adapter is made of.
fn made_of<T: Any>(biller: &BillerConfig) -> &T {
    let Way::Wire(making) = &biller.way else { panic!("in our own store") };
    let making: &dyn Any = &**making;
    making.downcast_ref().expect("of its kind")
}

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse("billswitch.toml", text, Path::new("."))
}

#[test]
fn the_built_in_configuration_is_the_mornings_and_can_be_run() {
    let config = Config::load(None).unwrap();
    let peers: Vec<String> =
        config.links.iter().filter_map(|link| link.peer).map(|p| p.to_string()).collect();
    assert_eq!(peers, ["127.0.1.1", "127.0.1.2", "127.0.1.3"]);
    assert!(config.links.iter().all(|link| link.listen.port() == 8583));
    assert_eq!(config.billers.len(), 4);
}

#[test]
fn a_fault_is_told_by_file_line_and_reason() {
    let table = [
        ("time_zone = ", "tine_zone = ", "unknown field"),
        ("switch_ms = 30000", "switch_ms = 45000", "switch_ms must be shorter than acquirer_ms"),
        ("queue_max = 4096", "queue_max = 0", "queue_max is 1 to"),
        ("\"northbank\"", "\"atmnet\"", "link `atmnet` is there twice"),
        ("code = \"KPPOLICE\"", "code = \"KPEXCISE\"", "biller `KPEXCISE` is there twice"),
        ("Asia/Karachi", "Asia/Nowhere", "time zone"),
        (
            "name = \"Police\"",
            "reply_timeout_ms = 30000\nname = \"Police\"",
            "reply_timeout_ms must be shorter",
        ),
        (
            "profile = \"onelink\"",
            "frame_bytes_max = 10000\nprofile = \"onelink\"",
            "frame_bytes_max is 1 to 9999",
        ),
        (
            "profile = \"onelink\"",
            "framing = \"binary 3\"\nprofile = \"onelink\"",
            "`binary 3` is no framing: there are `binary 2`",
        ),
        (
            "profile = \"onelink\"",
            "framing = \"none\"\nprofile = \"onelink\"",
            "link `atmnet`: framing `none` is for tools",
        ),
        (
            "profile = \"onelink\"",
            "second_connection = \"both\"\nprofile = \"onelink\"",
            "unknown variant `both`",
        ),
        ("profile = \"onelink\"", "idle_echo_ms = 86400001\nprofile = \"onelink\"", "idle_echo_ms is 1 to"),
    ];
    for (from, to, want) in table {
        let changed = BUILT_IN.find(from).unwrap();
        let line = BUILT_IN[..changed].matches('\n').count() + 1;
        let error = parse(&BUILT_IN.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("billswitch.toml:{line}: ")), "line {line}: {error}");
        assert!(error.contains(want), "{error}");
    }
}

#[test]
fn links_on_one_port_must_differ_in_their_peer() {
    let error = parse(&BUILT_IN.replace("127.0.1.2", "127.0.1.1")).unwrap_err().to_string();
    assert!(error.contains("link `northbank` cannot be told from another"), "{error}");
}

#[test]
fn a_profile_that_is_not_there_is_named_with_those_that_are() {
    let error = parse(&BUILT_IN.replace("profile = \"onelink\"", "profile = \"twolink\"")).unwrap_err();
    let line = BUILT_IN[..BUILT_IN.find("profile = \"onelink\"").unwrap()].matches('\n').count() + 1;
    assert!(error.to_string().starts_with(&format!("billswitch.toml:{line}: ")), "{error}");
    assert!(error.to_string().contains("no profile `twolink`"), "{error}");
    assert!(error.to_string().contains("it has iso87, onelink, ebipp, pln"), "{error}");
}

#[test]
fn a_link_is_framed_as_its_dialect_says_unless_it_says_otherwise_itself() {
    let framings = |text: &str| -> Vec<String> {
        parse(text).unwrap().links.iter().map(|link| link.framing.to_string()).collect()
    };
    assert_eq!(framings(BUILT_IN), ["binary 2"; 3]);
    let own = "profile = \"onelink\"\nframing = \"ascii 4 inclusive\"";
    let changed = BUILT_IN.replacen("profile = \"onelink\"", own, 1);
    assert_eq!(framings(&changed), ["ascii 4 inclusive", "binary 2", "binary 2"]);
}

#[test]
fn a_link_has_keys_only_where_its_profile_has_macs() {
    let with = |profile: &str, lines: &str| {
        let lines = format!("profile = \"{profile}\"\n[link.mac]\nkey_file = \"k\"\n{lines}");
        parse(&BUILT_IN.replacen("profile = \"onelink\"", &lines, 1))
    };
    let config = with("onelink", "").unwrap();
    let mac = config.links[0].mac.as_ref().unwrap();
    assert_eq!((mac.window.as_secs(), config.links[1].mac.is_none()), (300, true));
    assert!(with("pln", "").unwrap_err().to_string().contains("profile `pln` has no [mac]"));
    assert!(with("onelink", "window_ms = 3600001").unwrap_err().to_string().contains("window_ms is 1 to"));
}

/// A host and a department behind it.
const HOST: &str = r#"
[[host]]
name = "aggregator"
address = "127.0.0.1:7001"
profile = "ebipp"
own = { acquirer = "27", terminal = "SWITCH01" }

[[biller]]
code = "PDAM"
name = "Water"
adapter = "iso8583"
reply_timeout_ms = 14000
iso8583 = { host = "aggregator", product = "PDAM01" }
"#;

#[test]
fn a_department_behind_a_host_is_looked_up_first_and_called_what_the_host_calls_it() {
    let config = parse(&format!("{BUILT_IN}{HOST}")).unwrap();
    let biller = config.billers.last().unwrap();
    assert!(biller.terms.looks_up_first && !biller.terms.embedded);
    let behind: &IsoConfig = made_of(biller);
    assert_eq!((behind.host.name.as_str(), behind.department.product.as_str()), ("aggregator", "PDAM01"));
    assert_eq!(config.hosts[0].framing.to_string(), "binary 2");
}

#[test]
fn a_host_with_keys_has_a_mac_for_all_that_is_about_bills_and_payments() {
    let keyed =
        HOST.replace("profile = \"ebipp\"", "profile = \"onelink\"\nmac = { key_file = \"gas.keys\" }");
    let config = parse(&format!("{BUILT_IN}{keyed}")).unwrap();
    assert_eq!(config.hosts[0].mac.as_ref().unwrap().key_file, Path::new("gas.keys"));
}

#[test]
fn parts_are_given_back_where_the_host_and_the_rules_have_them() {
    let rules = "rules = { exactness = \"exact-down\" }";
    let with = |profile: &str, lines: &str| {
        let host = HOST.replace("profile = \"ebipp\"", &format!("profile = \"{profile}\""));
        let host =
            host.replace("reply_timeout_ms", &format!("partly_reversible = true\n{lines}\nreply_timeout_ms"));
        parse(&format!("{BUILT_IN}{host}"))
    };
    assert!(with("onelink", rules).unwrap().billers.last().unwrap().terms.takes_parts_back);
    let refused = [
        ("ebipp", rules.to_owned(), "`ebipp` has no [outward.reduction]"),
        ("onelink", String::new(), "exactness is exact-down, range or any"),
        ("onelink", format!("reversible = false\n{rules}"), "that are `reversible`"),
    ];
    for (profile, lines, want) in refused {
        let error = with(profile, &lines).unwrap_err().to_string();
        assert!(error.contains(want), "{want}: {error}");
    }
    let book = BUILT_IN.replacen("adapter = \"book\"", "adapter = \"book\"\npartly_reversible = true", 1);
    assert!(parse(&book).unwrap_err().to_string().contains("whose adapter is one of `iso8583`"));
    assert!(!parse(BUILT_IN).unwrap().billers[0].terms.takes_parts_back);
}

#[test]
fn a_link_is_sent_totals_where_its_profile_has_them() {
    let with = |profile: &str, lines: &str| {
        let lines = format!("profile = \"{profile}\"\n{lines}");
        parse(&BUILT_IN.replacen("profile = \"onelink\"", &lines, 1))
    };
    let config = with("iso87", "totals = \"send\"\ntotals_wait_ms = 5").unwrap();
    let totals = config.links[0].terms.totals.unwrap();
    assert_eq!((totals.wait_ms, totals.retry_ms, config.links[1].terms.totals), (5, 10_000, None));
    assert!(with("pln", "totals = \"answer\"").unwrap().links[0].terms.totals.is_none());
    let error = with("pln", "totals = \"send\"").unwrap_err().to_string();
    assert!(error.contains("profile `pln` has no [ours.totals]"), "{error}");
    assert!(
        with("iso87", "totals_retry_ms = 0").unwrap_err().to_string().contains("totals_retry_ms is 1 to")
    );
}

/// More than a TLV element of two digits can hold.
const LONG: &str =
    "PPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPP";

#[test]
fn a_host_that_cannot_be_spoken_to_is_told_by_file_line_and_reason() {
    let table = [
        ("address = \"127.0.0.1:7001\"", "address = \"127.0.0.1\"", "a host name or address, and a port"),
        ("terminal = \"SWITCH01\"", "terminl = \"SWITCH01\"", "no `own:terminl`: it has acquirer, terminal"),
        (
            "profile = \"ebipp\"\nown = { acquirer = \"27\", terminal",
            "profile = \"ebipp\"\nown = { terminal",
            "wants to know `acquirer`",
        ),
        ("acquirer = \"27\"", "acquirer = \"AB\"", "`PDAM`"),
        ("profile = \"ebipp\"", "profile = \"ebipp\"\nmac = { key_file = \"k\" }", "`ebipp` has no [mac]"),
        ("host = \"aggregator\",", "host = \"agregator\",", "no [[host]] with the name `agregator`"),
        ("reply_timeout_ms = 14000", "reply_timeout_ms = 15000", "twice `reply_timeout_ms`"),
        ("iso8583 = {", "# iso8583 = {", "belong together"),
        ("adapter = \"iso8583\"", "adapter = \"book\"", "belong together"),
        ("PDAM01", LONG, "DE 48"),
    ];
    let lines = BUILT_IN.matches('\n').count();
    for (from, to, want) in table {
        let line = lines + HOST[..HOST.find(from).unwrap()].matches('\n').count() + 1;
        let Err(error) = parse(&format!("{BUILT_IN}{}", HOST.replacen(from, to, 1))) else {
            panic!("accepted: {to}")
        };
        let error = error.to_string();
        let at: usize = error.split(':').nth(1).unwrap().parse().unwrap();
        assert!(at.abs_diff(line) <= 4, "line {line}: {error}");
        assert!(error.contains(want) || want.contains('`') && error.contains("DE 32"), "{want}: {error}");
    }
}

const REST: &str = "
[[biller]]
code = \"KPWATER\"
name = \"Water\"
adapter = \"rest\"
[biller.rest]
url = \"https://api.example.org/bills\"
bank_mnemonic = \"BSWITCH\"
ca_file = \"ca.pem\"
credentials_file = \"water.credentials\"
";

#[test]
fn a_department_with_an_http_api_is_confirmed_and_never_reversed_and_its_files_are_beside_the_configuration()
{
    let text = format!("{BUILT_IN}{REST}");
    let config = Config::parse("billswitch.toml", &text, Path::new("/etc/billswitch")).unwrap();
    let biller = config.billers.last().unwrap();
    assert_eq!((biller.terms.reversible, biller.terms.in_doubt), (false, crate::switch::InDoubt::Confirm));
    assert!(!biller.terms.embedded);
    let rest: &RestConfig = made_of(biller);
    assert_eq!(rest.contract.name(), "1bill");
    assert_eq!(rest.ca_file.as_deref(), Some(Path::new("/etc/billswitch/ca.pem")));
    let file = CredentialSource::File("/etc/billswitch/water.credentials".into());
    assert_eq!(rest.credentials, Some(file));
    assert_eq!(rest.bounds.connect_timeout, std::time::Duration::from_secs(5), "a quarter of the answer's");
}

#[test]
fn a_fault_in_a_department_with_an_http_api_is_told_by_file_line_and_reason() {
    let text = format!("{BUILT_IN}{REST}");
    let table = [
        ("url = \"https", "url = \"ftp", "begins with https://"),
        (
            "url = \"https://api.example.org/bills\"",
            "url = \"https://me:word@api.example.org\"",
            "credentials have a file",
        ),
        ("url = \"https://api.example.org/bills\"", "url = \"https:///bills\"", "host, port and path"),
        ("url = \"https", "url = \"http", "`ca_file` is for https://"),
        ("bank_mnemonic = \"BSWITCH\"", "bank_mnemonic = \"BSWITCH99\"", "longer than 8 characters"),
        ("name = \"Water\"", "reversible = true\nname = \"Water\"", "has no reversal"),
        ("name = \"Water\"", "in_doubt = \"reverse\"\nname = \"Water\"", "has no reversal"),
        ("name = \"Water\"", "breaker_failures = 0\nname = \"Water\"", "breaker_failures is 1 to"),
        (
            "name = \"Water\"",
            "breaker_pause_ms = 60001\nname = \"Water\"",
            "breaker_pause_ms is 10 to 60,000",
        ),
        (
            "bank_mnemonic",
            "connect_timeout_ms = 20000\nbank_mnemonic",
            "connect_timeout_ms must be shorter than reply",
        ),
        ("bank_mnemonic", "contract = \"2bill\"\nbank_mnemonic", "no contract `2bill`"),
        ("bank_mnemonic", "password = \"word\"\nbank_mnemonic", "unknown field"),
    ];
    for (from, to, want) in table {
        let place = BUILT_IN.len() + REST.find(from).unwrap();
        let line = text[..place].matches('\n').count() + 1;
        let changed = format!("{BUILT_IN}{}", REST.replacen(from, to, 1));
        let error = parse(&changed).unwrap_err().to_string();
        assert!(error.starts_with(&format!("billswitch.toml:{line}: ")), "line {line}: {error}");
        assert!(error.contains(want), "{error}");
    }
    let untold = REST.replace("ca_file = \"ca.pem\"\n", "");
    assert!(parse(&format!("{BUILT_IN}{untold}")).unwrap_err().to_string().contains("needs `ca_file`"));
    let both = format!("{BUILT_IN}{REST}credential = \"water\"\n");
    assert!(parse(&both).unwrap_err().to_string().contains("not both"));
    let alone = REST.split("[biller.rest]").next().unwrap();
    assert!(parse(&format!("{BUILT_IN}{alone}")).unwrap_err().to_string().contains("belong together"));
}

#[test]
fn a_rule_that_cannot_be_kept_is_told_by_its_line() {
    let table = [
        ("psid = { pattern = \"[0-9\" }", "`[0-9`: "),
        ("psid = { check_digit = \"mod11\" }", "unknown variant `mod11`"),
        ("exactness = \"exact-down\"", "exactness is exact or exact-up"),
        ("amount_min = 1000000000000", "twelve digits"),
        ("amount_max = 1\namount_min = 2", "amount_min is above amount_max"),
        ("channels = { \"60110\" = { amount_max = 1 } }", "a channel is 1 to 4 characters"),
        ("late = { fixed = 1, percent = 2 }", "late has one of"),
        ("late = { percent = 2.5 }", "a percentage of 0 to 100"),
        ("late = { percent = \"100.01\" }", "a percentage of 0 to 100"),
        ("windows = [{ from = \"8:00\", until = \"20:00\" }]", "a time of day is 00:00 to 24:00"),
        ("windows = [{ days = [\"monday\"], from = \"08:00\", until = \"20:00\" }]", "`monday` is no day"),
        ("suspended = { from = \"tomorrow\" }", "a moment is a local date and time"),
        ("suspended = { from = \"2026-12-02T00:00\", until = \"2026-12-01T00:00\" }", "`until` is not after"),
        ("inquiry_valid_ms = 1000", "inquiry_valid_ms is for inquiry"),
        ("inquiry = \"mandatory\"\ninquiry_valid_ms = 0", "inquiry_valid_ms is 1 to"),
        ("heads = [{ head = \"B01401\", fixed = 1 }]", "one head has the remainder"),
        ("heads = [{ head = \"B01401\", fixed = 1, remainder = true }]", "a head has one of"),
        (
            "heads = [{ head = \"B01401\", percent = 1 }, { head = \"B01401\", remainder = true }]",
            "head `B01401` is there twice",
        ),
        ("routes = [{ }]", "a route has a code, a prefix, or both"),
        ("routes = [{ code = \"KPPOLICE\" }]", "bills of code `KPPOLICE` that begin with `` have"),
        ("routes = [{ prefix = \"9\" }, { prefix = \"9\" }]", "bills of no code that begin with `9` have"),
        ("surcharge = 1", "unknown field `surcharge`"),
    ];
    let head = |number: usize| format!("{{ head = \"{number}\", fixed = 1 }}, ");
    let heads =
        format!("heads = [{}{{ head = \"0\", remainder = true }}]", (1..=20).map(head).collect::<String>());
    let table = table.into_iter().chain([(heads.as_str(), "there are at most 20 heads")]);
    for (rule, want) in table {
        let own = "name = \"Police\"\nadapter = \"book\"";
        let text = BUILT_IN.replacen(own, &format!("{own}\n[biller.rules]\n{rule}"), 1);
        let at = text.find(rule).unwrap() + rule.rfind('\n').map_or(0, |at| at + 1);
        let line = text[..at].matches('\n').count() + 1;
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.starts_with(&format!("billswitch.toml:{line}: ")), "line {line}: {error}");
        assert!(error.contains(want), "{error}");
    }
}

#[test]
fn the_example_with_hosts_can_be_run() {
    let text = include_str!("../../deploy/examples/hosts.toml");
    let config = Config::parse("hosts.toml", text, Path::new(".")).unwrap();
    assert_eq!((config.hosts.len(), config.billers.len()), (2, 3));
}
