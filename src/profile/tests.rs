//! What the loader says of a profile that cannot be used.

use std::sync::Arc;

use super::*;
use crate::iso8583::shipped::dialect;

fn parse(text: &str) -> Result<Profile, ProfileError> {
    let find = |name: &str| match dialect(name) {
        Some(Ok(dialect)) => Ok(Arc::new(dialect)),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("there is none".to_owned()),
    };
    Profile::parse("onelink", "onelink.toml", text, &find)
}

#[test]
fn the_shipped_profiles_are_sound() {
    for (name, text) in shipped::PROFILES {
        assert!(parse(text).is_ok(), "{name}: {}", parse(text).unwrap_err());
    }
}

#[test]
fn a_fault_is_told_by_line_and_reason() {
    let shipped = shipped::profile_text("onelink").unwrap();
    let table = [
        ("stan = \"11\"", "stan = \"129\"", "path `129`"),
        ("biller = \"48.BI\"", "biller = \"48.BIL\"", "path `48.BIL`"),
        ("terminal = \"41\"", "terminal = \"64\"", "binary data"),
        ("consumer = \"48.CN\"", "customer = \"48.CN\"", "unknown field"),
        ("mti = { \"0400\" = \"0410\"", "mti = { \"420\" = \"0430\"", "`420` is not a message type"),
        ("mti = { \"0800\" = \"0810\" }", "mti = { \"0420\" = \"0430\" }", "belongs to another class"),
        ("echo = [2, 3", "echo = [1, 3", "no data element 1"),
        ("ignores = [35", "ignores = [65", "no data element 65"),
        ("\"120.FH\" = \"heads\"", "\"120.FH\" = \"heds\"", "`heds` is not a fact"),
        ("\"38\" = \"authorisation\"", "\"37\" = \"authorisation\"", "holds something else"),
        ("approved = \"00\"", "approved = \"0000\"", "response code `0000`"),
        ("approved = \"00\"", "aproved = \"00\"", "`aproved` is not an outcome"),
        ("dialect = \"onelink\"", "dialect = \"twolink\"", "dialect `twolink`"),
        ("rrn = \"37\"", "rrn = []", "`rrn` is a list without a path"),
        (
            "\"120.AW\" = \"amount_within_due\"",
            "\"120.AW\" = { fact = \"amount_within_due\", cut = true }",
            "for the `name` only",
        ),
        ("padding = 1\n", "padding = 3\n", "a retail MAC has padding = 1 or 2"),
        ("bytes = 8\n", "bytes = 9\n", "bytes is 4 to 8"),
        ("bytes = 8\n", "bytes = 3\n", "bytes is 4 to 8"),
        ("fields = [64, 128]", "fields = [128, 64]", "ascending"),
        ("fields = [64, 128]", "fields = [48]", "no field of fixed length"),
        ("fields = [64, 128]", "fields = [41]", "no field of fixed length that holds 8 bytes"),
        (
            "mti = [\"0200\", \"0201\", \"0220\"",
            "mti = [\"0300\", \"0220\"",
            "0300 is no message type of a class",
        ),
        ("key = \"48.KY\"", "key = \"48.KEY\"", "path `48.KEY`"),
        ("[ours.echo]", "[ours.ping]", "`ping` is no request of ours"),
        (
            "\"11\" = \"stan\", \"70\"",
            "\"11\" = \"trace\", \"70\"",
            "`trace` is none of stan, transmitted_at",
        ),
        ("\"00\" = \"agree\"", "\"00\" = \"agreed\"", "says `agree` or `differ`"),
        ("[ours.echo]\nmti", "[ours.echo]\nrepeat = \"0801\"\nmti", "`repeat` and `codes` are of totals"),
        ("\"15\" = \"settlement_date\"", "\"15\" = \"settled_on\"", "`settled_on` is none of stan"),
        ("\"70\" = \"=301\"", "\"70\" = \"=3011\"", "`=3011`: "),
        ("\"70\" = \"=301\"", "\"48.BI\" = \"=301\"", "whole data elements"),
        ("\"120.NM\" = \"name\"", "\"120.NM\" = { fact = \"name\", width = 500 }", "more than 128"),
    ];
    for (from, to, want) in table {
        let line = shipped[..shipped.find(from).unwrap()].matches('\n').count() + 1;
        let error = parse(&shipped.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("onelink.toml:{line}: ")), "line {line}: {error}");
        assert!(error.contains(want), "{want}: {error}");
    }
}

#[test]
fn what_a_payment_is_known_by_is_asked_of_both_sides() {
    let shipped = shipped::profile_text("onelink").unwrap();
    let table = [
        ("original_stan = \"90.stan\"\n", "", "`original_stan` is missing"),
        (
            "required = [\"4\", \"7\", \"11\", \"37\", \"41\", \"90\"]",
            "required = [\"4\", \"90\"]",
            "`rrn` is part of what",
        ),
    ];
    for (from, to, want) in table {
        let error = parse(&shipped.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(want), "{want}: {error}");
    }
}

#[test]
fn patterns_of_processing_codes_that_meet_are_told() {
    let shipped = shipped::profile_text("onelink").unwrap();
    let text = shipped.replacen("processing_codes = [\"380000\"]", "processing_codes = [\"xx0000\"]", 1);
    assert!(parse(&text).unwrap_err().to_string().contains("belongs to another class"));
    let text = shipped.replacen("processing_codes = [\"380000\"]", "processing_codes = [\"38xxxx\"]", 1);
    assert!(parse(&text).is_ok());
}

#[test]
fn an_outcome_without_a_response_code_is_told() {
    let shipped = shipped::profile_text("onelink").unwrap();
    let error = parse(&shipped.replace("in_doubt = \"68\"\n", "")).unwrap_err().to_string();
    assert!(error.contains("no response code for the outcome `in_doubt`"), "{error}");
}

#[test]
fn the_code_of_doubt_is_no_others_where_money_is_at_stake() {
    let shipped = shipped::profile_text("onelink").unwrap();
    let error =
        parse(&shipped.replace("overloaded = \"96\"", "overloaded = \"68\"")).unwrap_err().to_string();
    assert!(error.contains("`in_doubt` and `overloaded` have one code"), "{error}");
    let own = |class: &str| {
        let header = format!("[classes.{class}]\n");
        parse(&shipped.replace(&header, &format!("{header}codes = {{ biller_unavailable = \"68\" }}\n")))
    };
    let error = own("reversal").unwrap_err().to_string();
    assert!(error.contains("`in_doubt` and `biller_unavailable` have one code"), "{error}");
    assert!(own("inquiry").is_ok(), "an inquiry that is not answered leaves no doubt");
}

#[test]
fn a_class_of_messages_may_have_its_own_code_for_an_outcome() {
    let shipped = shipped::profile_text("onelink").unwrap();
    let header = "[classes.inquiry]\n";
    let with = |codes: &str| parse(&shipped.replace(header, &format!("{header}codes = {{ {codes} }}\n")));
    assert!(with("unanswered = \"68\"").unwrap_err().to_string().contains("not an outcome of the switch"));
    assert!(with("biller_unavailable = \"6 8\"").is_err());
}

#[test]
fn a_padding_is_told_for_retail_macs_alone() {
    let shipped = shipped::profile_text("onelink").unwrap();
    let error = parse(&shipped.replacen("\"retail\"", "\"aes-cmac\"", 1)).unwrap_err().to_string();
    assert!(error.contains("AES-CMAC has a padding of its own"), "{error}");
    let error = parse(&shipped.replacen("padding = 1\n", "", 1)).unwrap_err().to_string();
    assert!(error.contains("a retail MAC has padding = 1 or 2"), "{error}");
    let without = shipped.replacen("[key_change]\nkey = \"48.KY\"\ncheck_value = \"48.KV\"\n", "", 1);
    assert!(parse(&without).unwrap_err().to_string().contains("no [key_change]"));
}
